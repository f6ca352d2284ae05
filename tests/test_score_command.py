"""`videor2 score`: rows in, rows out, in order, and one clear line where a row cannot be read."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from videor2.commands.score import CHUNK_ROWS, METRICS, run
from videor2.errors import InputError

RIGHT = "<think>At 00:03 a red circle appears. So the answer is B.</think><answer>B</answer>"
REFERENCE = {"00:03-00:04": "the red circle appears"}
ROWS: dict[str, dict[str, Any]] = {
    "alignment": {"predicted": {"00:03": "a red circle appears"}, "reference": REFERENCE},
    "accuracy": {"response": RIGHT, "answer": "B"},
    "format": {"response": RIGHT},
    "consistency": {"response": RIGHT, "options": ["blue", "red"]},
    "claims": {"text": "At 00:03 a red circle appears."},
}


def score(metric: str, *rows: Any, **options: Any) -> list[dict[str, Any]]:
    out = io.StringIO()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    assert run(metric, lines, out, **options) == out.getvalue().count("\n")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_alignment_of_claims_by_time() -> None:
    [row] = score("alignment", ROWS["alignment"])
    assert row == {"value": 1.0, "status": "ok", "detail": "1 of 1 claims, 1 of 1 events"}


def test_alignment_of_lists_of_seconds() -> None:
    claims = [{"start_s": 3, "end_s": 3.5, "sentence": "a red circle appears"}]
    [row] = score("alignment", {"predicted": claims, "reference": claims})
    assert row["value"] == 1.0


def test_alignment_of_the_claims_in_a_response() -> None:
    [row] = score("alignment", {"response": RIGHT, "reference": REFERENCE})
    assert row["detail"] == "1 of 1 claims, 1 of 1 events"


def test_claims_outside_the_reasoning_do_not_count() -> None:
    response = "<think>I saw it.</think><answer>At 00:03 a red circle appears.</answer>"
    [row] = score("alignment", {"response": response, "reference": REFERENCE})
    assert row["detail"] == "0 of 0 claims, 0 of 1 events"


def test_times_that_cannot_be_read_and_events_without_words_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    predicted = {"00:03": "a red circle appears", "soon": "it ends", "00:05": None, "00:06": " "}
    [row] = score("alignment", {"predicted": predicted, "reference": REFERENCE})
    assert row["detail"] == "1 of 1 claims, 1 of 1 events"
    assert "'soon' is no time" in caplog.text


def test_alignment_abstains_without_events() -> None:
    [row] = score("alignment", {"predicted": {"00:03": "x"}, "reference": {}})
    assert row == {"value": None, "status": "abstain", "detail": "no reference events"}


def test_alignment_options_reach_the_score() -> None:
    late = {"predicted": {"00:07": "a red circle appears"}, "reference": {"00:03": "a red circle appears"}}
    assert [r["value"] for r in score("alignment", late)] == [0.0]
    assert [r["value"] for r in score("alignment", late, buffer_s=4)] == [1.0]
    assert [r["value"] for r in score("alignment", late, variant="precision_greedy")] == [1.0]
    other = {"predicted": {"00:03": "a blue circle appears"}, "reference": {"00:03": "a red circle appears"}}
    assert [r["value"] for r in score("alignment", other)] == [0.0]
    assert [r["value"] for r in score("alignment", other, threshold=0.6)] == [1.0]
    long = {"predicted": {"00:00-00:40": "a red circle appears"}, "reference": REFERENCE}
    assert [r["value"] for r in score("alignment", long)] == [0.0]
    assert [r["value"] for r in score("alignment", long, max_claim_s=60)] == [1.0]


def test_accuracy() -> None:
    wrong = {"response": RIGHT, "answer": "C"}
    unanswered = {"response": "B", "answer": "B"}
    rows = score("accuracy", ROWS["accuracy"], wrong, unanswered)
    assert [(row["value"], row["status"]) for row in rows] == [(1.0, "ok"), (0.0, "ok"), (0.0, "ok")]


def test_a_numeric_answer_may_be_a_json_number() -> None:
    response = "<think>five</think><answer>5.0</answer>"
    assert score("accuracy", {"response": response, "answer": 5, "kind": "number"})[0]["value"] == 1.0


def test_a_missing_reference_abstains() -> None:
    assert score("accuracy", {"response": RIGHT, "answer": None})[0]["status"] == "abstain"


def test_options_may_be_json_numbers_or_null() -> None:
    response = "<think>So the answer is 10.</think><answer>10</answer>"
    row = {"response": response, "answer": "A", "kind": "choice", "options": [10, 20]}
    assert score("accuracy", row)[0]["value"] == 1.0
    assert score("consistency", {"response": response, "options": None})[0]["value"] == 1.0


def test_options_may_be_a_mapping_of_letters() -> None:
    response = "<think>red</think><answer>red</answer>"
    row = {"response": response, "answer": "B", "options": {"A": "blue", "B": "red"}, "kind": "choice"}
    assert score("accuracy", row)[0]["value"] == 1.0


def test_format() -> None:
    assert [row["value"] for row in score("format", ROWS["format"], {"response": "B"})] == [1.0, 0.0]


def test_consistency() -> None:
    [row] = score("consistency", ROWS["consistency"])
    assert (row["conclusion"], row["answer"], row["value"], row["status"]) == ("B", "B", 1.0, "ok")
    assert "B" in row["evidence"]


def test_consistency_abstains_where_nothing_is_concluded() -> None:
    [row] = score("consistency", {"response": "<answer>B</answer>"})
    assert (row["conclusion"], row["value"], row["status"]) == (None, None, "abstain")


def test_claims() -> None:
    [row] = score("claims", ROWS["claims"])
    [claim] = row["claims"]
    assert (claim["start_s"], claim["end_s"]) == (3.0, 3.0)
    assert "a red circle appears" in claim["sentence"]


@pytest.mark.parametrize("metric", METRICS)
def test_the_id_is_carried_over_as_it_is(metric: str) -> None:
    ids = ["seven", 7, None, {"doc": 3}]
    assert [row["id"] for row in score(metric, *(ROWS[metric] | {"id": i} for i in ids))] == ids
    assert "id" not in score(metric, ROWS[metric])[0]


@pytest.mark.parametrize("metric", METRICS)
def test_rows_come_out_in_order_across_chunks(metric: str) -> None:
    ids = list(range(CHUNK_ROWS + 3))
    assert [row["id"] for row in score(metric, *(ROWS[metric] | {"id": i} for i in ids))] == ids


@pytest.mark.parametrize("metric", METRICS)
def test_fields_of_a_log_that_a_metric_does_not_read_do_no_harm(metric: str) -> None:
    assert score(metric, ROWS[metric] | {"model": "m", "doc": {"x": 1}}) == score(metric, ROWS[metric])


def test_blank_lines_and_a_byte_order_mark_are_no_rows() -> None:
    assert len(score("format", "\ufeff" + json.dumps(ROWS["format"]), "", "  \n", ROWS["format"])) == 2


def test_half_an_emoji_passes_through() -> None:
    predicted = {"00:03": "a balloon \ud83c"}
    [row] = score("alignment", {"id": "\ud83c", "predicted": predicted, "reference": predicted})
    assert row == {"id": "\ud83c", "value": 1.0, "status": "ok", "detail": "1 of 1 claims, 1 of 1 events"}


@pytest.mark.parametrize("number", [1, 5, CHUNK_ROWS + 2])
def test_the_rows_before_a_bad_one_are_written(number: int) -> None:
    lines = [json.dumps(ROWS["format"])] * (number - 1) + ["{not json", json.dumps(ROWS["format"])]
    out = io.StringIO()
    with pytest.raises(InputError, match=rf"^<stdin>: row {number}: not JSON .*: write one object a line, "):
        run("format", lines, out)
    assert out.getvalue().count("\n") == number - 1


@pytest.mark.parametrize(
    ("metric", "row", "message"),
    [
        ("format", "[1]", "not an object but list: write one object a line, {response}"),
        ("format", {"reply": "x"}, "response: Field required: a row is {response}"),
        ("format", {"response": None}, "response: "),
        ("accuracy", {"response": "x"}, "answer: Field required: a row is {response, answer, "),
        ("accuracy", {"response": "x", "answer": "A", "kind": "mcq"}, "kind: Input should be 'choice', "),
        ("accuracy", {"response": "x", "answer": "A", "options": {"X": "y"}}, "options: "),
        ("alignment", {"predicted": {}}, "reference: Field required"),
        ("alignment", {"reference": {}}, "neither predicted nor response is there: a row is {predicted or "),
        ("alignment", {"predicted": [{"start_s": 1, "end_s": 1e999, "sentence": "x"}], "reference": {}}, "predicted: "),
        ("alignment", {"predicted": {}, "reference": [{"start_s": 3}]}, "reference: "),
        ("alignment", {"predicted": {}, "reference": 7}, "reference: "),
        ("alignment", {"predicted": [{"start_s": 4, "end_s": 3, "sentence": "x"}], "reference": {}}, "predicted: "),
    ],
)
def test_a_bad_row_is_named_with_its_field_and_the_fix(metric: str, row: Any, message: str) -> None:
    line = row if isinstance(row, str) else json.dumps(row)
    with pytest.raises(InputError) as error:
        run(metric, ["\n", line], io.StringIO(), source="rows.jsonl")
    assert str(error.value).startswith(f"rows.jsonl: row 2: {message}")
    assert "\n" not in str(error.value)


def test_input_that_is_not_utf8_is_named() -> None:
    row = json.dumps(ROWS["format"]).encode()
    lines = io.TextIOWrapper(io.BytesIO(row + b"\n" + b"\xff" * 10_000), encoding="utf-8")
    with pytest.raises(InputError, match=r"^<stdin>: after row \d: not UTF-8 \(invalid start byte\)"):
        run("format", lines, io.StringIO())


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="no metric 'vas'; there are: alignment, accuracy, format"):
        run("vas", [], io.StringIO())


def test_an_unknown_variant_is_refused_before_anything_is_read() -> None:
    with pytest.raises(InputError, match="no alignment variant 'iou'"):
        run("alignment", [], io.StringIO(), variant="iou")


def test_a_chunk_is_written_before_the_next_is_read() -> None:
    out = io.StringIO()
    written: list[int] = []

    def lines() -> Iterator[str]:
        for _ in range(2 * CHUNK_ROWS):
            written.append(out.getvalue().count("\n"))
            yield json.dumps(ROWS["format"])

    run("format", lines(), out)
    assert written[CHUNK_ROWS] == CHUNK_ROWS


def test_alignment_equals_the_published_reward_from_raw_rows(shared_data: Path) -> None:
    groups: dict[tuple[float, float], list[dict[str, Any]]] = {}
    with (shared_data / "parity/dev/tar.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["family"] not in ("odd-key", "degenerate"):
                groups.setdefault((row["buffer_seconds"], row["similarity_threshold"]), []).append(row)
    for (buffer_s, threshold), rows in groups.items():
        scored = score("alignment", *rows, variant="precision_greedy", buffer_s=buffer_s, threshold=threshold)
        assert [row["id"] for row in scored] == [row["id"] for row in rows]
        assert [row["value"] for row in scored] == pytest.approx([row["score"] for row in rows], abs=1e-6)


def test_rows_that_repeat_sentences_score_fast() -> None:
    words = ["a red circle appears", "a dog runs", "the door opens", "a man sits down"]
    rows = [
        json.dumps(
            {
                "id": i,
                "predicted": {f"00:{10 * k + i % 5:02d}": words[(i + k) % 4] for k in range(4)},
                "reference": {f"00:{10 * k:02d}-00:{10 * k + 3:02d}": words[k] for k in range(4)},
            }
        )
        for i in range(1000)
    ]
    run("alignment", rows[:10], io.StringIO())
    start = time.process_time()  # not wall time, which other processes share
    run("alignment", rows, io.StringIO())
    assert len(rows) / (time.process_time() - start) > 500
