"""Each benchmark's own layouts, prompts and summaries. The rows here are made by us, with the published field names."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videor2.benchmarks import AnnotationError, Benchmark, benchmarks, find, validate
from videor2.benchmarks.mvbench import VIDEOS
from videor2.benchmarks.names import GENERIC, REASONING
from videor2.errors import InputError
from videor2.sample import Sample
from videor2.scores.score import Score

VIDEOMME = {
    "videoID": "fFj",
    "question_id": "001-1",
    "question": "Which decoration is most frequent?",
    "options": ["A. Apples.", "B. Candles.", "C. Berries.", "D. All alike."],
    "answer": "C",
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Humanity & History",
    "task_type": "Counting Problem",
}
MVBENCH = {
    "video": "ZS9XR.mp4",
    "question": "What happened after the person took the food?",
    "candidates": ["Ate the medicine.", "Tidied up the blanket.", "Put down the cup."],
    "answer": "Tidied up the blanket.",
    "start": 11.1,
    "end": 19.6,
}
VIDEOMATHQA = {
    "question_id": "v1-7",
    "videoID": "v1",
    "question": "What is x?",
    "options": ["A. 24", "B. 28", "C. 30", "D. 12", "E. 18"],
    "answer": "B",
    "category": "Counting",
    "length": "long",
    "steps": "{}",
}
VSI_NUMBER = {
    "id": 0,
    "dataset": "arkitscenes",
    "scene_name": "41069025",
    "question_type": "object_counting",
    "question": "How many tables are in this room?",
    "options": None,
    "ground_truth": "4",
}
VSI_OPTION = VSI_NUMBER | {
    "id": 1,
    "question_type": "object_rel_distance",
    "question": "Which is closest to the door?",
    "options": ["A. table", "B. sofa"],
    "ground_truth": "B",
}
MINERVA = {
    "key": "a:b",
    "video_id": "-5Uz0Pz",
    "question": "Who wins?",
    **{f"answer_choice_{i}": text for i, text in enumerate(["red", "blue", "green", "white", "black"])},
    "answer": "white",
    "answer_id": 3,
    "category": "Tennis",
    "question_type": "Goal Reasoning",
    "split": "test",
}
SCIVIDEOBENCH = {
    "video_id": "58827",
    "question_id": "1",
    "question": "Why is the sample moved between 02:22 and 02:33?",
    "options": {letter: f"reason {letter}" for letter in "ABCDEFGHIJ"},
    "answer": "J",
    "question_type": "Conceptual Reasoning",
    "discipline": "Chemistry",
    "subject": "Nanomaterials",
}
LONGVIDEOBENCH = {
    "id": "86C_0",
    "video_id": "86C",
    "video_path": "86C.mp4",
    "subtitle_path": "86C_en.json",
    "question": "What is he doing?",
    **{f"option{i}": text for i, text in enumerate(["walking", "riding", "N/A", "N/A", "N/A"])},
    "correct_choice": 1,
    "duration_group": 600,
    "duration": 190.16,
    "question_category": "TOS",
}


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(list(rows)))


def only(benchmark: Benchmark, root: Path) -> Sample:
    (sample,) = benchmark.read(root)
    return sample


def test_the_registry_is_the_papers_tables_and_the_embedded_world() -> None:
    assert [b.name for b in benchmarks()] == [*GENERIC, *REASONING, "synth"]
    assert [b.name for b in benchmarks() if b.group == "generic"] == list(GENERIC)
    assert len({b.slug for b in benchmarks()}) == 12


@pytest.mark.parametrize("name", ["vsi_bench", "VSI-Bench", "vsibench_think", "nyu-visionx/VSI-Bench"])
def test_a_benchmark_is_found_by_slug_display_name_and_harness_name(name: str) -> None:
    assert find(name).name == "VSI-Bench"


def test_an_unknown_benchmark_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match=r"no benchmark 'egoschema'; there are mvbench, videomme, .*, synth"):
        find("egoschema")


LAYOUTS = [
    ("mvbench", "json/action_sequence.json", MVBENCH, "B"),
    ("mvbench", "action_sequence/train-00000.parquet", MVBENCH, "B"),
    ("videomme", "videomme/test-00000-of-00001.parquet", VIDEOMME, "C"),
    ("videomathqa", "videomathqa_mcq_test.parquet", VIDEOMATHQA, "B"),
    ("vsi_bench", "test-00000-of-00001.parquet", VSI_OPTION, "B"),
    ("vsi_bench", "test.jsonl", VSI_NUMBER, "4"),
    ("minerva", "minerva.json", MINERVA, "D"),
    ("minerva", "data/test-0.parquet", VIDEOMATHQA, "B"),
    ("scivideobench", "scivideobench_1k.jsonl", SCIVIDEOBENCH, "J"),
    ("scivideobench", "data/test-0.parquet", SCIVIDEOBENCH, "J"),
    ("longvideobench", "validation-00000-of-00001.parquet", LONGVIDEOBENCH, "B"),
]


@pytest.mark.parametrize(("slug", "file", "row", "answer"), LAYOUTS)
@pytest.mark.parametrize("nested", [True, False])
def test_the_hubs_layout_is_read_from_the_data_root_and_from_the_benchmarks_folder(
    tmp_path: Path, slug: str, file: str, row: dict[str, Any], answer: str, nested: bool
) -> None:
    benchmark = find(slug)
    write((tmp_path / slug if nested else tmp_path) / file, [row])
    sample = only(benchmark, tmp_path)
    assert (sample.answer, sample.benchmark, sample.question) == (answer, benchmark.name, row["question"])
    assert not any(option.startswith(("A.", "B.", "C.")) for option in sample.options)
    report = validate(benchmark, tmp_path)
    assert (report.rows, report.failures, len(report.missing_videos)) == (1, [], 1)


def test_a_video_is_found_where_the_benchmark_keeps_it_and_under_another_suffix(tmp_path: Path) -> None:
    write(tmp_path / "minerva.json", [MINERVA])
    video = tmp_path / "videos" / "-5Uz0Pz.webm"
    video.parent.mkdir()
    video.write_bytes(b"x")
    assert only(find("minerva"), tmp_path).video == str(video)
    assert validate(find("minerva"), tmp_path).missing_videos == []


def test_subtitles_are_given_only_where_asked_for_and_where_they_exist(tmp_path: Path) -> None:
    write(tmp_path / "videomme" / "test-0.parquet", [VIDEOMME, VIDEOMME | {"videoID": "silent", "question_id": "2"}])
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "fFj.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    benchmark = find("videomme")
    assert [s.subtitles for s in benchmark.read(tmp_path / "videomme")] == [None, None]
    root = tmp_path / "root"
    root.mkdir()
    (root / "videomme").symlink_to(tmp_path)
    spoken = [s.subtitles for s in benchmark.read(root, subtitles=True)]
    assert [name and Path(name).name for name in spoken] == ["fFj.srt", None]
    with pytest.raises(InputError, match="MVBench has no subtitle files"):
        list(find("mvbench").read(tmp_path, subtitles=True))


def test_mvbench_keeps_the_clips_bounds_unless_the_video_is_cut_already(tmp_path: Path) -> None:
    write(tmp_path / "json" / "action_sequence.json", [MVBENCH])
    assert only(find("mvbench"), tmp_path).meta == {"clip_s": [11.1, 19.6]}
    cut = tmp_path / "video" / "star" / "Charades_segment" / "ZS9XR.mp4"
    cut.parent.mkdir(parents=True)
    cut.write_bytes(b"x")
    sample = only(find("mvbench"), tmp_path)
    assert (sample.video, sample.meta) == (str(cut), {})


def test_mvbench_says_why_videos_of_a_task_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "json" / "fine_grained_pose.json", [MVBENCH])
    report = validate(find("mvbench"), tmp_path)
    assert any(warning.startswith("fine_grained_pose: videos of NTU RGB+D") for warning in report.warnings)


def test_a_right_option_that_says_not_available_is_kept(tmp_path: Path) -> None:
    row = LONGVIDEOBENCH | {"option2": "N/A", "correct_choice": 2}
    write(tmp_path / "validation-0.parquet", [row])
    sample = only(find("longvideobench"), tmp_path)
    assert (sample.options, sample.answer) == (("walking", "riding", "N/A"), "C")


def test_an_empty_video_is_unplayable(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", [VSI_NUMBER])
    (tmp_path / "arkitscenes").mkdir()
    (tmp_path / "arkitscenes" / "41069025.mp4").touch()
    assert len(validate(find("vsi_bench"), tmp_path).unplayable) == 1


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}


@pytest.mark.parametrize(
    ("slug", "file", "row", "message"),
    [
        ("scivideobench", "a.jsonl", without(SCIVIDEOBENCH, "question"), "row 1: no field `question`; it has video_id"),
        ("scivideobench", "a.jsonl", SCIVIDEOBENCH | {"answer": "K"}, "row 1: `answer` 'K' is none of the 10 options"),
        ("minerva", "minerva.json", MINERVA | {"answer_id": 5}, "row 1: `answer_id` 5 is none of the 5 options"),
        ("minerva", "minerva.json", without(MINERVA, "answer_choice_4"), "row 1: no field `answer_choice_4`"),
        ("videomme", "videomme.parquet", VIDEOMME | {"options": ["A. x"]}, "row 1: `options` has 1 options"),
        ("videomme", "videomme.parquet", VIDEOMME | {"options": "A. x"}, "row 1: `options` must be a list"),
        (
            "mvbench",
            "json/action_count.json",
            MVBENCH | {"answer": "x"},
            "action_count.json: row 1: `answer` 'x' is none",
        ),
        ("vsi_bench", "test.jsonl", VSI_NUMBER | {"question_type": "size"}, "row 1: `question_type` 'size' is none of"),
        ("synth", "test.jsonl", {"id": "1", "question": "q", "option": []}, "row 1: `option`: Extra inputs"),
    ],
)
def test_a_row_that_cannot_be_used_names_file_row_field_and_fix(
    tmp_path: Path, slug: str, file: str, row: dict[str, Any], message: str
) -> None:
    write(tmp_path / file, [row])
    with pytest.raises(AnnotationError) as error:
        list(find(slug).read(tmp_path))
    assert message in str(error.value)
    assert Path(file).name in str(error.value)
    assert "\n" not in str(error.value)
    assert len(validate(find(slug), tmp_path).unreadable) == 1


@pytest.mark.parametrize("benchmark", benchmarks(), ids=lambda b: b.slug)
def test_a_wrong_data_root_says_what_was_looked_for(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"no annotations of {benchmark.name}: none of .*; check the data root"):
        list(benchmark.read(tmp_path))
    with pytest.raises(InputError, match=r"no such folder; give the folder that holds"):
        list(benchmark.read(tmp_path / "nowhere"))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "minerva.json").write_text('[{"key": ')
    with pytest.raises(InputError, match=r"minerva.json: not JSON .*; download the file again"):
        list(find("minerva").read(tmp_path))
    (tmp_path / "minerva.json").write_text('{"rows": 3}')
    with pytest.raises(InputError, match=r"minerva.json: no list of rows; its keys are rows; check"):
        list(find("minerva").read(tmp_path))


@pytest.mark.parametrize("slug", ["mvbench", "vsi_bench"])
def test_an_unknown_task_is_refused_with_the_tasks_there_are(tmp_path: Path, slug: str) -> None:
    write(tmp_path / ("test.jsonl" if slug == "vsi_bench" else "json/action_count.json"), [VSI_NUMBER | MVBENCH])
    with pytest.raises(InputError, match=r"has no task juggling; it has .*count"):
        list(find(slug).read(tmp_path, tasks=["juggling"]))


def test_optional_tasks_are_read_only_when_named(tmp_path: Path) -> None:
    write(tmp_path / "videomathqa_mcq_test.parquet", [VIDEOMATHQA])
    write(tmp_path / "videomathqa_mbinary_test.parquet", [VIDEOMATHQA | {"options": ["A. 1", "B. 2"]}] * 4)
    benchmark = find("videomathqa")
    assert [s.task for s in benchmark.read(tmp_path)] == ["mcq"]
    assert [s.task for s in benchmark.read(tmp_path, tasks=["mbin"])] == ["mbin"] * 4
    assert validate(benchmark, tmp_path).rows == 5


def test_tasks_without_a_file_are_named_in_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for task in list(VIDEOS)[:18]:
        write(tmp_path / "json" / f"{task}.json", [MVBENCH])
    assert len(list(find("mvbench").read(tmp_path))) == 18
    assert "MVBench: no annotations of episodic_reasoning, counterfactual_inference;" in caplog.text


def test_videos_of_an_optional_task_may_be_missing(tmp_path: Path) -> None:
    question = {"id": "validation_Math_1", "question": "<image 1> x?", "options": ["1", "2"], "answer": "B"}
    (tmp_path / "adaptation.json").write_text(json.dumps({"Adaptation": {"0": question}}))
    (tmp_path / "Science").mkdir()
    (tmp_path / "Science" / "validation_Math_1.mp4").write_bytes(b"x")
    report = validate(find("video_mmmu"), tmp_path)
    assert (report.ok, report.rows) == (True, 2)
    assert "adaptation_question_only (optional): 1 videos are missing" in report.warnings
    (sample,) = find("video_mmmu").read(tmp_path, tasks=["adaptation_question_only"])
    assert (sample.video or "").endswith("question_only/validation_Math_1_image.mp4")


def test_synth_reads_what_data_synth_writes(world: Path) -> None:
    samples = list(find("synth").read(world.parent))
    report = validate(find("synth"), world.parent)
    assert report.ok
    assert report.rows == len(samples) > 0
    assert all(s.benchmark == "synth" and s.events for s in samples)


ROWS = [
    (
        "mvbench",
        "json/action_sequence.json",
        MVBENCH,
        "Question: What happened after the person took the food?\nOptions:\n"
        "(A) Ate the medicine.\n(B) Tidied up the blanket.\n(C) Put down the cup.\n",
    ),
    (
        "videomme",
        "videomme.parquet",
        VIDEOMME,
        "Choose the best answer to this question about the video.\n"
        "Which decoration is most frequent?\nA. Apples.\nB. Candles.\nC. Berries.\nD. All alike.\n",
    ),
    (
        "vsi_bench",
        "test.jsonl",
        VSI_OPTION,
        "The video shows one indoor scene.\nWhich is closest to the door?\nOptions:\nA. table\nB. sofa\n",
    ),
    (
        "vsi_bench",
        "test.jsonl",
        VSI_NUMBER,
        "The video shows one indoor scene.\nHow many tables are in this room?\n",
    ),
]


@pytest.mark.parametrize(("slug", "file", "row", "text"), ROWS)
def test_the_prompt_follows_the_benchmarks_layout(
    tmp_path: Path, slug: str, file: str, row: dict[str, Any], text: str
) -> None:
    write(tmp_path / file, [row])
    benchmark = find(slug)
    sample = only(benchmark, tmp_path)
    direct = "Answer with one number only." if sample.kind == "regression" else "Answer with the letter of the right"
    assert benchmark.prompt(sample, "direct").startswith(text + direct)
    assert benchmark.prompt(sample, "think").startswith(text + "Watch the video and reason")
    assert benchmark.prompt(sample, instruction="Be brief.") == text + "Be brief."


def scored(*rows: tuple[str, float | None], **meta: Any) -> list[tuple[dict[str, Any], Score]]:
    return [
        ({"id": str(i), "task": task, "kind": "choice", "meta": meta}, Score.abstain("-") if v is None else Score.ok(v))
        for i, (task, v) in enumerate(rows)
    ]


def test_mvbench_averages_tasks_not_rows() -> None:
    summary = find("mvbench").summarise(scored(("action_count", 1), ("state_change", 0), ("state_change", 0)))
    assert summary["value"] == 0.5
    assert summary["by_task"]["state_change"] == {"value": 0.0, "n": 2, "scored": 2, "coverage": 1.0}
    assert len(VIDEOS) == 20


def test_mlvu_averages_its_tasks_and_keeps_generation_apart() -> None:
    summary = find("mlvu").summarise(scored(("ego", 1), ("ego", 1), ("count", 0), ("summary", None)))
    assert (summary["value"], summary["n"], summary["coverage"]) == (0.5, 3, 1.0)
    assert summary["by_task"]["summary"] == {"value": None, "n": 1, "scored": 0, "coverage": 0.0}


def test_vsi_bench_averages_eight_types_and_relative_direction_is_one() -> None:
    rows = [("object_counting", 0.4), ("object_counting", 0.6), ("object_rel_distance", 1.0)]
    rows += [
        ("object_rel_direction_easy", 1.0),
        ("object_rel_direction_medium", 0.0),
        ("object_rel_direction_hard", 0.5),
    ]
    assert find("vsi_bench").summarise(scored(*rows))["value"] == pytest.approx((0.5 + 1.0 + 0.5) / 3)


def test_a_group_of_videomathqa_pairs_is_right_as_a_whole() -> None:
    groups = {"a": [1, 1, 1, 1], "b": [1, 1, 0, 1], "c": [1, 1, 1, None]}
    rows = [row for q, values in groups.items() for row in scored(*(("mbin", v) for v in values), question_id=q)]
    summary = find("videomathqa").summarise(rows)
    assert summary["value"] == 0.5
    assert summary["extras"]["mbin_groups"] == 0.5
    assert summary["coverage"] == 11 / 12
    assert find("videomathqa").summarise(scored(("mcq", 1), ("mcq", 0)))["value"] == 0.5


def test_knowledge_gain_is_the_share_learned_of_what_was_unknown() -> None:
    benchmark = find("video_mmmu")
    rows = scored(("adaptation", 1), ("adaptation", 0), ("perception", 1), ("perception", 1))
    assert benchmark.summarise(rows)["extras"] == {"delta_knowledge": None}
    before = scored(*(("adaptation_question_only", v) for v in (1, 0, 0, 0)))
    summary = benchmark.summarise(rows + before)
    assert summary["extras"]["delta_knowledge"] == pytest.approx((0.5 - 0.25) / 0.75)
    assert (summary["value"], summary["n"]) == (0.75, 4)


def test_mmvu_keeps_open_questions_out_of_the_headline() -> None:
    summary = find("mmvu").summarise(scored(("multiple_choice", 1), ("open_ended", 0)))
    assert (summary["value"], summary["by_task"]["open_ended"]["value"]) == (1.0, 0.0)


def test_a_summary_is_broken_down_by_what_the_sample_keeps() -> None:
    rows = scored(("", 1), duration="short") + scored(("", 0), ("", None), duration="long")
    summary = find("videomme").summarise(rows)
    assert summary["by"]["duration"]["short"]["value"] == 1.0
    assert summary["by"]["duration"]["long"] == {"value": 0.0, "n": 2, "scored": 1, "coverage": 0.5}
    assert (summary["value"], summary["version"], summary["published_rows"]) == (0.5, 1, 2700)


def test_a_summary_takes_samples_and_records_alike(tmp_path: Path) -> None:
    write(tmp_path / "videomme.parquet", [VIDEOMME])
    benchmark = find("videomme")
    sample = only(benchmark, tmp_path)
    score = benchmark.score(sample, "<think>x</think><answer>C. Berries.</answer>")
    assert score.value == 1.0
    assert benchmark.summarise([(sample, score)]) == benchmark.summarise([(sample.model_dump(), score)])


def test_nothing_scored_has_no_value() -> None:
    summary = find("minerva").summarise([])
    assert (summary["value"], summary["n"], summary["coverage"]) == (None, 0, None)
