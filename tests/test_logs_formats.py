"""Each format in the shapes that its writer gives it. Shapes are from the writers' public sources."""

import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videor2.data.logs import BadRow, Logged, open_log
from videor2.timeline import Event

RAW = "<think>it is red</think><answer>A</answer>"


def responses(path: Path, **options: Any) -> list[Logged]:
    log = open_log(path, **options)
    return [one for number, raw in log.rows() for one in log.read(number, raw)]


def write_lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def lmms(tmp_path: Path, row: dict[str, Any], task: str = "videomme_think") -> list[Logged]:
    return responses(write_lines(tmp_path / "Qwen__Qwen2.5-VL-7B" / f"20260923_172512_samples_{task}.jsonl", row))


INPUT = "Which colour?\nA. red\nB. blue\nAnswer with the option's letter from the given choices directly."


def test_lmms_eval_with_doc(tmp_path: Path) -> None:
    doc = {"question": "Which colour?", "options": ["A. red", "B. blue"], "answer": "A", "videoID": "v1",
           "question_id": "001-1", "task_type": "Counting", "duration": "short"}  # fmt: skip
    row = {"doc_id": 7, "doc": doc, "target": "A", "resps": [[RAW]], "filtered_resps": [RAW], "doc_hash": "x"}
    (one,) = lmms(tmp_path, row)
    assert one.sample.model_dump(exclude_defaults=True) == {
        "id": "7", "question": "Which colour?", "options": ("red", "blue"), "answer": "A", "video": "v1",
        "benchmark": "VideoMME", "task": "Counting", "meta": {"doc_id": 7, "question_id": "001-1"},
    }  # fmt: skip
    assert (one.response, one.run, one.row) == (RAW, "Qwen__Qwen2.5-VL-7B", 1)


def test_lmms_eval_without_doc_reads_the_prompt(tmp_path: Path) -> None:
    row = {"doc_id": 7, "input": INPUT, "target": "A", "filtered_resps": [RAW], "doc_hash": "x",
           "videomme_perception_score": {"question_id": "001-1", "pred_answer": "A"}}  # fmt: skip
    (one,) = lmms(tmp_path, row)
    assert (one.sample.question, one.sample.options, one.sample.answer) == ("Which colour?", ("red", "blue"), "A")
    assert one.sample.meta == {"doc_id": 7, "question_id": "001-1"}
    assert one.response == RAW


def test_lmms_eval_that_stripped_the_reasoning_is_read_from_resps(tmp_path: Path) -> None:
    row = {"doc_id": 7, "input": INPUT, "target": "A", "resps": [RAW], "filtered_resps": "<answer>A</answer>"}
    assert lmms(tmp_path, row)[0].response == RAW


@pytest.mark.parametrize("value", [RAW, [RAW], [[RAW]]])
def test_lmms_eval_nests_responses_as_it_likes(tmp_path: Path, value: object) -> None:
    row = {"doc_id": 7, "input": INPUT, "target": "A", "filtered_resps": value}
    assert [one.response for one in lmms(tmp_path, row)] == [RAW]


def test_lmms_eval_repeats_are_responses_of_their_own(tmp_path: Path) -> None:
    row = {"doc_id": 7, "input": INPUT, "target": "A", "resps": [["one", "two"]], "filtered_resps": ["one"]}
    assert [(one.sample.id, one.response) for one in lmms(tmp_path, row)] == [("7", "one"), ("7#2", "two")]


def test_lmms_eval_file_names_give_benchmark_and_task(tmp_path: Path) -> None:
    row = {"doc_id": 0, "input": INPUT, "target": "A", "filtered_resps": [RAW]}
    (one,) = lmms(tmp_path, row, "mvbench_think_action_sequence")
    assert (one.sample.benchmark, one.sample.task) == ("MVBench", "action_sequence")


@pytest.mark.parametrize(
    ("doc", "options", "answer", "kind"),
    [
        ({"question": "Q?", "candidates": ["red", "blue"], "answer": "blue"}, ("red", "blue"), "B", "choice"),
        ({"question": "Q?", "option0": "red", "option1": "blue", "option2": "N/A", "correct_choice": 1},
         ("red", "blue"), "B", "choice"),  # LongVideoBench
        ({"question": "Q?", "choices": {"A": "red", "B": "blue"}, "answer": "A"}, ("red", "blue"), "A", "choice"),
        ({"question": "Q? (A) red (B) blue", "answer": "B"}, ("red", "blue"), "B", "choice"),  # MLVU
        ({"question": "Q?", "question_type": "object_counting", "ground_truth": 4, "options": None},
         (), "4", "regression"),  # VSI-Bench
        ({"question": "Q?", "question_type": "open-ended", "answer": "Dolly zoom."}, (), "Dolly zoom.", "text"),
    ],
)  # fmt: skip
def test_lmms_eval_docs_of_the_benchmarks(
    tmp_path: Path, doc: dict[str, Any], options: tuple[str, ...], answer: str, kind: str
) -> None:
    (one,) = lmms(tmp_path, {"doc_id": 0, "doc": doc, "target": "?", "filtered_resps": [RAW]}, "x")
    assert (one.sample.question, one.sample.options, one.sample.answer) == ("Q?", options, answer)
    assert one.sample.kind == kind


def test_lmms_eval_likelihoods_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(BadRow, match="no text in `resps`"):
        lmms(tmp_path, {"doc_id": 0, "input": "Q?", "target": "A", "filtered_resps": [[-1.2, False]]})


def vlm_rows() -> list[dict[str, Any]]:
    return [
        {
            "index": 0,
            "video": "v",
            "question": "Q?",
            "candidates": "['red', 'blue']",
            "answer": "blue",
            "prediction": "B",
        },
        {"index": 1, "video": "w", "question": "Q?", "candidates": "['red', 'blue']", "answer": "red", "prediction": 4},
    ]


def test_vlmevalkit_xlsx_and_json_are_the_same_log(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    rows = vlm_rows()
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    path = tmp_path / "my_model" / "my_model_MVBench_8frame.xlsx"
    path.parent.mkdir()
    book.save(path)
    table = responses(path)
    assert table == responses(write_json(tmp_path / "my_model" / "my_model_MVBench_8frame.json", rows))
    assert [one.response for one in table] == ["B", "4"]
    assert (table[0].run, table[0].sample.benchmark, table[0].sample.answer) == ("my_model", "MVBench", "B")
    assert [one.sample.id for one in table] == ["0", "1"]
    assert table[0].sample.options == ("red", "blue")


def test_vlmevalkit_tsv_with_lettered_columns_and_thinking(tmp_path: Path) -> None:
    path = tmp_path / "Qwen2.5-VL_Video-MME_64frame.tsv"
    path.write_text("index\tquestion\tA\tB\tC\tanswer\tthinking\tprediction\n3\tQ?\tred\tblue\t\tB\tit is blue\tB\n")
    (one,) = responses(path)
    assert (one.sample.options, one.sample.answer, one.sample.id) == (("red", "blue"), "B", "3")
    assert one.response == "<think>it is blue</think>\nB"
    assert (one.run, one.sample.benchmark, one.row) == ("Qwen2.5-VL", "VideoMME", 2)


def test_vlmevalkit_failures_are_bad_rows(tmp_path: Path) -> None:
    rows = [{**vlm_rows()[0], "prediction": "Failed to obtain answer via API."}]
    with pytest.raises(BadRow, match="the model gave no answer"):
        responses(write_json(tmp_path / "m_MVBench.json", rows))


def test_video_r1_results_end_with_means_that_are_no_rows(tmp_path: Path) -> None:
    row = {"problem_id": 5, "problem": "Q?", "options": ["A. red", "B. blue"], "problem_type": "multiple choice",
           "solution": "<answer>B</answer>", "path": "v.mp4", "output": RAW, "reward": float("nan")}  # fmt: skip
    value = {"results": [row], "final_acc": [{"mean_acc": float("nan"), "mean_mra": 0.0}]}
    (one,) = responses(write_json(tmp_path / "eval_mvbench_Qwen2.5-VL-7B_greedy_output.json", value))
    assert (one.sample.id, one.sample.answer, one.sample.options) == ("5", "B", ("red", "blue"))
    assert (one.run, one.sample.benchmark) == ("Qwen2.5-VL-7B", "MVBench")


def test_video_r1_batches_that_failed_are_bad_rows(tmp_path: Path) -> None:
    row = {"problem_id": 5, "problem": "Q?", "solution": "<answer>B</answer>", "output": "<answer>error</answer>"}
    with pytest.raises(BadRow, match="the generation failed"):
        responses(write_json(tmp_path / "x.json", {"results": [row]}))


HEAD = "------------- 01-02-03-04-5 Accuracy reward: 1.0 -------------\n"


def test_a_rollout_may_quote_a_solution(tmp_path: Path) -> None:
    path = tmp_path / "debug_log.txt"
    path.write_text(
        f"{HEAD}Content: <think>x\nSolution: so B\n</think><answer>B</answer>\nSolution: <answer>A</answer>\n"
    )
    (one,) = responses(path)
    assert (one.response, one.sample.answer) == ("<think>x\nSolution: so B\n</think><answer>B</answer>", "A")


def test_a_rollout_may_have_its_question(tmp_path: Path) -> None:
    path = tmp_path / "debug_log.txt"
    path.write_text(f"{HEAD}image_path: ['v.mp4']\nproblem: Q?\nA. red\nB. blue\nContent: {RAW}\nSolution: blue\n")
    (one,) = responses(path)
    assert (one.sample.question, one.sample.options, one.sample.answer) == ("Q?", ("red", "blue"), "B")


@pytest.mark.parametrize(
    "end", ["Content: <think>and th", f"Content: {RAW}\nSolu", f"Content: {RAW}\nSolution: <answer>[1, 2"]
)
def test_a_rollout_that_is_cut_off_is_a_bad_row_and_the_rest_is_read(tmp_path: Path, end: str) -> None:
    path = tmp_path / "debug_log.txt"
    path.write_text(f"{HEAD}Content: {RAW}\nSolution: A\n{HEAD}{end}")
    log = open_log(path)
    (first, whole), (second, cut) = log.rows()
    assert log.read(first, whole)[0].sample.answer == "A"
    with pytest.raises(BadRow, match="cut off"):
        log.read(second, cut)
    assert (first, second) == (1, 4)


def test_half_a_head_at_the_end_is_no_part_of_the_solution(tmp_path: Path) -> None:
    path = tmp_path / "debug_log.txt"
    path.write_text(f"{HEAD}Content: {RAW}\nSolution: a red ball\n------------- 01-02-03 Accur")
    assert responses(path)[0].sample.answer == "a red ball"


def trl_table(path: Path, prompts: list[Any], completions: list[Any]) -> Path:
    """As TRL 1.16's `GRPOTrainer.log` builds it; written from its source, as no real file is at hand."""
    n = len(prompts)
    columns = {"step": [10] * n, "prompt": prompts, "completion": completions, "accuracy_reward": [1.0] * n,
               "solution": ["<answer>A</answer>"] * n, "advantage": [0.5] * n}  # fmt: skip
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_trl_tables_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "my_run" / "completions" / "completions_00010.parquet"
    one, two = responses(trl_table(path, [INPUT, INPUT], [RAW, "no"]))
    assert (one.sample.id, one.sample.question, one.sample.options) == ("10/1", "Which colour?", ("red", "blue"))
    assert (one.sample.answer, one.run, two.response) == ("A", "my_run", "no")


def test_trl_tables_of_conversations(tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "Think."}, {"role": "user", "content": INPUT}]
    (one,) = responses(trl_table(tmp_path / "c" / "t.parquet", [prompt], [[{"role": "assistant", "content": RAW}]]))
    assert (one.sample.question, one.response, one.sample.answer) == ("Which colour?", RAW, "A")


def inspect_sample(**fields: Any) -> dict[str, Any]:
    content = [{"type": "reasoning", "reasoning": "it is red"}, {"type": "text", "text": "A"}]
    message = {"role": "assistant", "content": content}
    return {"id": "q1", "epoch": 1, "input": "Which colour?", "choices": ["red", "blue"], "target": "A",
            "output": {"model": "m", "choices": [{"message": message}]}, **fields}  # fmt: skip


def eval_archive(path: Path, *rows: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"eval": {"model": "org/m", "task": "mvbench"}}))
        for row in rows:
            archive.writestr(f"samples/{row['id']}_epoch_{row['epoch']}.json", json.dumps(row))
        archive.writestr(
            "header.json", json.dumps({"status": "success", "eval": {"model": "org/m", "task": "mvbench"}})
        )
    return path


def test_inspect_reasoning_becomes_a_think_block_and_epochs_repeats(tmp_path: Path) -> None:
    one, two = responses(eval_archive(tmp_path / "x.eval", inspect_sample(), inspect_sample(epoch=2)))
    assert one.response == "<think>it is red</think>\nA"
    assert (one.sample.id, two.sample.id, one.run, one.sample.benchmark) == ("q1", "q1#2", "org/m", "MVBench")


def test_inspect_samples_that_failed_say_why(tmp_path: Path) -> None:
    failed = inspect_sample(output={"choices": []}, error={"message": "out of memory"})
    with pytest.raises(BadRow, match="no response: 'out of memory'"):
        responses(eval_archive(tmp_path / "x.eval", failed))


def test_inspect_attachments_are_put_back(tmp_path: Path) -> None:
    sample = inspect_sample(input="attachment://1", attachments={"1": "Which colour, then?"})
    assert responses(eval_archive(tmp_path / "x.eval", sample))[0].sample.question == "Which colour, then?"


def test_plain_rows_by_well_known_names(tmp_path: Path) -> None:
    row = {"qid": "q1", "query": "Q?", "choices": ["red", "blue"], "gt": "blue", "pred": RAW, "model": "m",
           "duration": 12, "timeline": {"00:03": "a ball appears"}, "dataset": "video-mme"}  # fmt: skip
    (one,) = responses(write_lines(tmp_path / "out.jsonl", row))
    assert one.sample.events == (Event(3.0, 3.0, "a ball appears"),)
    assert (one.sample.id, one.sample.answer, one.run, one.sample.duration_s) == ("q1", "B", "m", 12.0)
    assert one.sample.benchmark == "VideoMME"


def test_plain_rows_by_a_mapping(tmp_path: Path) -> None:
    row = {"q": "Q?", "model": {"output": RAW}, "truth": "A", "opts": ["red", "blue"]}
    mapping = {"question": "q", "response": "model.output", "answer": "truth", "options": "opts", "model": "name"}
    (one,) = responses(write_lines(tmp_path / "out.jsonl", {**row, "name": "m"}), mapping=mapping)
    assert (one.sample.question, one.response, one.sample.answer, one.run) == ("Q?", RAW, "A", "m")


def test_plain_rows_are_the_same_in_every_container(tmp_path: Path) -> None:
    rows = [{"id": "a", "question": "Q?", "response": RAW, "answer": "x, y"},
            {"id": "b", "question": 'Two\n"lines"?', "response": "no", "answer": "4"}]  # fmt: skip
    lines = write_lines(tmp_path / "run.jsonl", *rows)
    (tmp_path / "run.csv").write_text(
        f'id,question,response,answer\na,Q?,{RAW},"x, y"\nb,"Two\n""lines""?",no,4\n', encoding="utf-8"
    )
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "run.parquet")
    write_json(tmp_path / "run.json", rows)
    write_json(tmp_path / "run_by_id" / "run.json", {row["id"]: row for row in rows})
    plain = [(one.sample, one.response, one.run) for one in responses(lines)]
    for name in ("run.csv", "run.parquet", "run.json", "run_by_id/run.json"):
        assert [(one.sample, one.response, one.run) for one in responses(tmp_path / name)] == plain
    assert [one.row for one in responses(tmp_path / "run.csv")] == [2, 3]


def test_our_own_records_are_read_back(tmp_path: Path) -> None:
    row: dict[str, Any] = {"id": "1", "question": "Q?", "options": ["red", "blue"], "answer": "A", "kind": "choice",
           "benchmark": "MVBench", "task": "", "video": None,
           "events": [{"start_s": 1.0, "end_s": 2.0, "sentence": "x"}],
           "response": RAW,
           "model": "m", "state": "ok", "scores": {}}  # fmt: skip
    path = write_lines(tmp_path / "records.jsonl", row)
    (one,) = responses(path)
    assert open_log(path).format == "videor2"
    assert one.sample.events == (Event(1.0, 2.0, "x"),)
    assert (one.sample.options, one.run) == (("red", "blue"), "m")


def test_a_json_file_may_hold_lines_and_a_jsonl_file_a_document(tmp_path: Path) -> None:
    rows = [{"question": "Q?", "response": RAW}] * 2
    assert len(responses(write_lines(tmp_path / "a.json", *rows))) == 2
    assert len(responses(write_json(tmp_path / "a.jsonl", rows))) == 2
