"""Records written as lmms-eval writes its samples, and read back."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from videor2.audit import AuditSettings, audit
from videor2.benchmarks import find
from videor2.data.export import EXPORTS, TASKS, document, export_lmms_eval, find_export, sanitised
from videor2.data.logs import open_log
from videor2.errors import InputError
from videor2.records import failed_record, measure, write_records
from videor2.rundir import write_json
from videor2.sample import Sample

STARTED = "2026-03-04T05:06:07+00:00"


def run_of(folder: Path, asked: Sequence[tuple[Sample, str | None]], *, model: str = "org/tiny-7B") -> Path:
    """A finished run: each question with its response, None where the model gave none."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for sample, response in asked:
        labels = {"model": model, "meta": sample.meta}
        if response is None:
            rows.append(failed_record(sample, "out of memory") | labels)
            continue
        official = find(sample.benchmark).score(sample, response) if sample.benchmark else None
        prompt = f"the prompt of {sample.id}"
        rows.append(measure(sample, response, accuracy=official) | labels | {"prompt": prompt})
    write_records(folder / "records.jsonl", rows)
    settings = {"model": model, "limit": None, "decoding": {"temperature": 0.0, "max_new_tokens": 64, "seed": 0}}
    write_json(folder / "run.json", {"command": "eval", "started": STARTED, "seed": 3, "settings": settings})
    return folder


def samples_of(files: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Rows by task."""
    return {
        file.stem.partition("_samples_")[2]: [json.loads(line) for line in file.read_text().splitlines()]
        for file in files
        if "_samples_" in file.name
    }


def choice(name: str, benchmark: str = "MVBench", task: str = "action_sequence", **fields: Any) -> Sample:
    known: dict[str, Any] = {
        "question": f"What happened in {name}?",
        "options": ("the red one", "the blue one", "the green one"),
        "answer": "B",
        "video": f"/data/{name}.mp4",
    }
    return Sample(id=name, benchmark=benchmark, task=task, **(known | fields))


RIGHT = "<think>The blue one falls. So the answer is B.</think><answer>B</answer>"
AT_ODDS = "<think>The blue one falls. So the answer is B.</think><answer>C</answer>"


def test_files_and_folder_are_named_as_lmms_eval_names_them(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", [(choice("1"), RIGHT), (choice("2", "VideoMME", ""), RIGHT)])
    files = export_lmms_eval(run)
    assert [str(file.relative_to(run)) for file in files] == [
        "lmms-eval/org__tiny-7B/20260304_050607_samples_mvbench_action_sequence.jsonl",
        "lmms-eval/org__tiny-7B/20260304_050607_samples_videomme.jsonl",
        "lmms-eval/org__tiny-7B/20260304_050607_results.json",
    ]


@pytest.mark.parametrize(
    ("benchmark", "task", "name"),
    [
        ("TempCompass", "yes_no", "tempcompass_yes_no"),
        ("MLVU", "plotQA", "mlvu_dev"),
        ("LongVideoBench", "", "longvideobench_val_v"),
        ("VideoMathQA", "mbin", "videomathqa_mbin"),
        ("Video-MMMU", "adaptation_question_only", "video_mmmu_adaptation_question_only"),
        ("MMVU", "multiple_choice", "mmvu_val"),
        ("VSI-Bench", "route_planning", "vsibench"),
        ("MINERVA", "", "minerva"),
        ("SciVideoBench", "", "scivideobench"),
        ("synth", "first", "synth_first"),
    ],
)
def test_a_task_is_called_as_lmms_eval_calls_it(tmp_path: Path, benchmark: str, task: str, name: str) -> None:
    run = run_of(tmp_path, [(choice("1", benchmark, task), RIGHT)])
    (rows,) = samples_of(export_lmms_eval(run, tmp_path / "out")).items()
    assert rows[0] == name
    (sample,) = [one.sample for one in read(next((tmp_path / "out").rglob("*samples*")))]
    assert (sample.benchmark, sample.task) == (benchmark, task)


def read(file: Path) -> list[Any]:
    log = open_log(file)
    assert log.format == "lmms-eval"
    return [one for number, raw in log.rows() for one in log.read(number, raw)]


def test_a_row_holds_what_the_published_scorers_read(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(choice("1"), AT_ODDS)])
    (row,) = samples_of(export_lmms_eval(run))["mvbench_action_sequence"]
    assert (row["doc_id"], row["target"], row["input"]) == (0, "the blue one", "the prompt of 1")
    assert (row["resps"], row["filtered_resps"]) == ([[AT_ODDS]], [AT_ODDS])
    assert row["doc"]["candidates"] == ["the red one", "the blue one", "the green one"]
    assert (row["doc"]["answer"], row["doc"]["video"]) == ("the blue one", "1.mp4")
    expected = {"question_id": "1", "pred_answer": "C", "answer": "B", "score": 0.0, "gt_answer": "B"}
    assert row["mvbench_accuracy"] == expected
    assert row["arguments"] == {"0": {"max_new_tokens": 64, "temperature": 0.0, "do_sample": False}}
    assert {len(row[name]) for name in ("doc_hash", "prompt_hash", "target_hash")} == {64}


def test_the_results_hold_the_official_figure_of_each_task(tmp_path: Path) -> None:
    asked = [(choice(str(i)), RIGHT if i else AT_ODDS) for i in range(4)]
    asked += [(choice("lvb", "LongVideoBench", ""), RIGHT)]
    (path,) = (file for file in export_lmms_eval(run_of(tmp_path, asked)) if file.name.endswith("_results.json"))
    content = json.loads(path.read_text())
    assert content["results"]["mvbench_action_sequence"]["mvbench_accuracy,none"] == 75.0
    assert content["results"]["longvideobench_val_v"]["lvb_acc,none"] == 1.0  # not in percent there
    assert content["versions"]["mvbench_action_sequence"] == find("mvbench").version
    assert (content["model_name_sanitized"], content["config"]["random_seed"]) == ("org__tiny-7B", 3)


def test_questions_without_a_response_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(tmp_path, [(choice("1"), None), (choice("2"), RIGHT)])
    with caplog.at_level(logging.WARNING):
        *samples, results = export_lmms_eval(run)
    (row,) = samples_of(samples)["mvbench_action_sequence"]
    assert (row["doc_id"], row["doc"]["id"]) == (1, "2")  # the number in the data set stays
    counts = json.loads(results.read_text())["n-samples"]["mvbench_action_sequence"]
    assert counts == {"original": 2, "effective": 1}
    assert "1 questions without a response" in caplog.text


def test_a_second_export_replaces_the_first_and_leaves_no_parts(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(choice("1"), RIGHT)])
    first = {path: path.read_bytes() for path in export_lmms_eval(run)}
    assert {path: path.read_bytes() for path in export_lmms_eval(run)} == first
    assert {path for path in (run / "lmms-eval").rglob("*") if path.is_file()} == set(first)


def test_a_broken_record_leaves_nothing_behind(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(choice("1"), RIGHT)])
    with (run / "records.jsonl").open("a") as file:
        file.write('{"id": "2", "resp')
    with pytest.raises(InputError, match=r"records\.jsonl: row 2: not JSON"):
        export_lmms_eval(run)
    assert not [path for path in (run / "lmms-eval").rglob("*") if path.is_file()]


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"records\.jsonl: no such file; give the directory of a finished run"):
        export_lmms_eval(tmp_path)


def test_an_unknown_export_is_refused_with_the_list() -> None:
    assert find_export("lmms-eval") is EXPORTS["lmms-eval"]
    with pytest.raises(InputError, match=r"no export 'inspect'; there is lmms-eval"):
        find_export("inspect")


def test_each_model_has_a_folder_of_its_own(tmp_path: Path) -> None:
    run = run_of(tmp_path, [(choice("1"), RIGHT)])
    lines = (run / "records.jsonl").read_text()
    other = json.dumps(json.loads(lines) | {"model": "openai:http://host:8000/v1#qwen"})
    (run / "records.jsonl").write_text(lines + other + "\n")
    assert {path.parent.name for path in export_lmms_eval(run)} == {"org__tiny-7B", "qwen"}


@pytest.mark.parametrize("model", ["../..", "..", "/", ""])
def test_a_model_cannot_name_a_folder_above(model: str) -> None:
    assert "/" not in sanitised(model)
    assert sanitised(model) not in (".", "..", "")


OPTIONS = [
    ("N/A", "red", "blue"),
    ("C", "A", "B"),
    ("(A) both", "neither"),
    ("1", "2"),
    ("red", "red"),
    ("yes", "no"),
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("slug", TASKS)
def test_awkward_options_keep_their_letters(tmp_path: Path, slug: str, options: tuple[str, ...]) -> None:
    asked = [(choice(letter, find(slug).name, "", options=options, answer=letter), RIGHT) for letter in "AB"]
    run = run_of(tmp_path, asked)
    (file,) = (file for file in export_lmms_eval(run) if "_samples_" in file.name)
    back = [one.sample for one in read(file)]
    assert [sample.options for sample in back] == [options, options]
    first = "A" if options[0] == options[1] and TASKS[slug].answer == "text" else "B"  # equal texts are one answer
    assert [sample.answer for sample in back] == ["A", first]


def test_a_document_has_the_fields_of_its_task() -> None:
    sample = choice("q", "LongVideoBench", "", meta={"duration_group": 15, "subtitles_json": "/data/subtitles/q.json"})
    doc = document(measure(sample, RIGHT) | {"meta": sample.meta}, TASKS["longvideobench"])
    assert (doc["correct_choice"], doc["video_path"], doc["subtitle_path"]) == (1, "q.mp4", "q.json")
    assert doc["duration_group"] == 15
    doc = document(measure(choice("q", "MMVU", "multiple_choice"), RIGHT), TASKS["mmvu"])
    assert (doc["question_type"], doc["choices"]["C"]) == ("multiple-choice", "the green one")


# The audit of what was exported against the audit of the records themselves.

ROUND_TRIPS = ["mvbench", "vsibench", "videommmu", "longvideobench", "mmvu-all", "videomme", "minerva", "mlvu-dev"]
COMPARED = ("accuracy", "tac", "tac_strict", "tac_paper", "format")


def responses(samples: Sequence[Sample]) -> list[tuple[Sample, str | None]]:
    """Right, wrong and contradicting answers, ones without tags and ones that do not answer, by turns."""
    asked: list[tuple[Sample, str | None]] = []
    for i, sample in enumerate(samples):
        gold = sample.answer or ""
        other = "A" if gold != "A" else "B"
        if sample.kind != "choice":
            other = "7.5"
        forms = (
            f"<think>I see it. So the answer is {gold}.</think><answer>{gold}</answer>",
            f"<think>I see it. So the answer is {gold}.</think><answer>{other}</answer>",
            f"<think>I see it. So the answer is {other}.</think><answer>{other}</answer>",
            f"<think>At 00:0{i % 10} there is one.</think>\n<answer>{gold}</answer>",
            f"<think>I see it. So the answer is {gold}",
            gold,
        )
        asked.append((sample, forms[i % len(forms)]))
    return asked


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_an_audit_of_the_export_is_that_of_the_records(shared_data: Path, tmp_path: Path, name: str) -> None:
    benchmark = find(name)
    samples = list(benchmark.read(shared_data / "benchmarks" / "video_r1_style" / f"{name}.json"))
    run = run_of(tmp_path / "run", responses(samples[:: len(samples) // 90]))
    out = tmp_path / "exported"
    export_lmms_eval(run, out)
    settings = AuditSettings(workers=1)
    whole = audit([run / "records.jsonl"], tmp_path / "a", settings)
    again = audit([out], tmp_path / "b", settings)
    (a,), (b,) = whole["runs"].values(), again["runs"].values()
    assert again["bad_rows"] == []
    assert (a["n"], a["states"], a["consistency"]) == (b["n"], b["states"], b["consistency"])
    assert list(b["by_benchmark"]) == [benchmark.name]
    assert {m: b["metrics"][m] for m in COMPARED} == {m: a["metrics"][m] for m in COMPARED}


def test_a_number_with_a_tolerance_is_audited_by_its_relative_error(tmp_path: Path) -> None:
    """The official score of such a row is MRA; an audit, which knows no benchmark, gives 1 - relative error."""
    sample = Sample(
        id="1", question="How long?", answer="5", kind="regression", benchmark="VSI-Bench", task="object_abs_distance"
    )
    run = run_of(tmp_path / "run", [(sample, "<think>It is 4.4.</think><answer>4.4</answer>")])
    files = export_lmms_eval(run, tmp_path / "out")
    (row,) = samples_of(files)["vsibench"]
    assert row["vsibench_score"] | {"question_id": ""} == {
        "question_id": "",
        "prediction": "4.4",
        "answer": "5",
        "score": 0.8,
    }
    assert json.loads(files[-1].read_text())["results"]["vsibench"]["vsibench_score,none"] == 80.0
    summary = audit([tmp_path / "out"], tmp_path / "audit", AuditSettings(workers=1))
    assert summary["metrics"]["accuracy"]["mean"] == pytest.approx(0.88)
    (back,) = read(files[0])
    assert back.sample.kind == "regression"


def test_the_authors_annotations_come_back_as_they_were(shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tempcompass" / "questions"
    folder.mkdir(parents=True)
    for task in ("multi-choice", "yes_no", "caption_matching"):
        source = shared_data / "benchmarks" / "original" / f"TempCompass_{task}.json"
        (folder / f"{task}.json").symlink_to(source)
    samples = list(find("tempcompass").read(tmp_path))[::25]
    run = run_of(tmp_path / "run", responses(samples))
    back = [one.sample for file in export_lmms_eval(run) if "_samples_" in file.name for one in read(file)]
    facts = ("benchmark", "task", "question", "options", "answer", "kind")
    assert [[getattr(s, f) for f in facts] for s in back] == [[getattr(s, f) for f in facts] for s in samples]
