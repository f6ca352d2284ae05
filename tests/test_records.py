from pathlib import Path

import pytest

from videor2.errors import InputError
from videor2.records import iterate_records, measure, read_records, score_responses, write_records
from videor2.rewards import RewardConfig
from videor2.sample import Sample
from videor2.summary import by_task, compare, summarise
from videor2.timeline import Event

CONFIG = RewardConfig(buffer_s=1.0, threshold=0.9)
RIGHT = "<think>At 00:03 the red circle appears. So option B.</think><answer>B</answer>"
LATE = "<think>At 00:08 the red circle appears. So option B.</think><answer>B</answer>"
CONTRADICTS = "<think>At 00:03 the red circle appears. So option B.</think><answer>A</answer>"
NO_ANSWER = "<think>At 00:03 the red circle appears."


def sample(name: str, task: str = "order") -> Sample:
    return Sample(
        id=name,
        question="Which object appears first?",
        options=("the blue square", "the red circle"),
        answer="B",
        video="clip.mp4",
        events=(Event(3.0, 3.0, "the red circle appears"),),
        task=task,
    )


def records(*responses: str):
    samples = [sample(str(i), task="order" if i % 2 else "count") for i in range(len(responses))]
    return score_responses(samples, responses, config=CONFIG, model="m", phase="before")


def test_a_record_says_which_claim_matched_which_event() -> None:
    right, late = records(RIGHT, LATE)
    assert right["claims"] == [{"start_s": 3.0, "end_s": 3.0, "sentence": "the red circle appears", "event": 0}]
    assert late["claims"][0]["event"] is None
    assert (right["scores"]["alignment_f1"]["value"], late["scores"]["alignment_f1"]["value"]) == (1.0, 0.0)
    assert right["model"] == "m"
    assert right["phase"] == "before"


def test_each_metric_measures_its_own_fault() -> None:
    right, contradicts, none = records(RIGHT, CONTRADICTS, NO_ANSWER)
    values = {name: score["value"] for name, score in right["scores"].items()}
    assert values.items() >= {"accuracy": 1.0, "format": 1.0, "consistency": 1.0, "alignment_f1": 1.0}.items()
    assert contradicts["scores"]["consistency"]["value"] == 0.0
    assert contradicts["scores"]["consistency"]["conclusion"] == "B"
    assert contradicts["scores"]["accuracy"]["value"] == 0.0
    assert none["scores"]["format"]["value"] == 0.0
    assert none["scores"]["consistency"]["status"] == "abstain"


def test_a_mean_is_over_what_has_a_value_with_the_coverage_beside_it() -> None:
    summary = summarise(records(RIGHT, CONTRADICTS, NO_ANSWER, RIGHT))
    assert summary["tac"]["mean"] == pytest.approx(2 / 3)
    assert summary["tac"]["coverage"] == pytest.approx(3 / 4)
    assert summary["accuracy"]["coverage"] == 1.0
    assert summary["accuracy"]["low"] <= summary["accuracy"]["mean"] <= summary["accuracy"]["high"]


def test_a_metric_that_nothing_has_a_value_of_is_left_out() -> None:
    assert "tac" not in summarise(records(NO_ANSWER))


def test_tasks_are_summed_up_apart() -> None:
    parts = by_task(records(RIGHT, LATE, RIGHT, LATE))
    assert parts["count"]["alignment_f1"]["mean"] == 1.0
    assert parts["order"]["alignment_f1"]["mean"] == 0.0


def test_a_difference_is_paired_by_id_whatever_the_order() -> None:
    before, after = records(LATE, CONTRADICTS), records(RIGHT, RIGHT)
    change = compare(before, after[::-1])
    assert change["alignment_f1"]["mean"] == pytest.approx(0.5)
    assert change["tac"]["mean"] == pytest.approx(0.5)
    assert change["tac"]["n"] == 2


def test_records_are_read_back_as_written(tmp_path: Path) -> None:
    written = records(RIGHT, NO_ANSWER)
    write_records(tmp_path / "records.jsonl", written)
    assert read_records(tmp_path / "records.jsonl") == written
    assert list(tmp_path.iterdir()) == [tmp_path / "records.jsonl"]


def test_an_untagged_answer_is_read_only_where_asked_for() -> None:
    response = "<think>The red circle is first.</think> B. the red circle"
    strict, lenient = measure(sample("1"), response), measure(sample("1"), response, untagged=True)
    assert strict["scores"]["accuracy"]["value"] == 0.0
    assert strict["scores"]["consistency"]["status"] == "abstain"
    assert lenient["scores"]["accuracy"]["value"] == 1.0
    assert lenient["scores"]["consistency"]["value"] == 1.0
    assert lenient["state"] == strict["state"] == "no_answer"
    assert lenient["scores"]["format"]["value"] == 0.0


def test_a_text_without_any_tag_is_an_answer_without_reasoning() -> None:
    record = measure(sample("1"), "B", untagged=True)
    assert record["scores"]["accuracy"]["value"] == 1.0
    assert record["scores"]["consistency"]["detail"] == "no reasoning"
    assert record["words"] == {"think": 0, "answer": 1}


def test_both_wrong_counts_in_the_published_way_alone() -> None:
    both_wrong = measure(sample("1").model_copy(update={"options": ("a", "b", "c"), "answer": "C"}), CONTRADICTS)
    assert both_wrong["scores"]["consistency"]["value"] == 0.0
    assert both_wrong["scores"]["tac_paper"] == {"value": 1.0, "status": "ok", "detail": "think wrong, answer wrong"}


def test_half_an_emoji_does_not_break_a_record(tmp_path: Path) -> None:
    write_records(tmp_path / "records.jsonl", [measure(sample("1"), "<think>\ud83d</think><answer>B</answer>")])
    [record] = read_records(tmp_path / "records.jsonl")
    assert record["response"] == "<think>?</think><answer>B</answer>"


def test_a_record_that_is_cut_off_is_named_by_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, records(RIGHT))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id": "2", "sco')
    with pytest.raises(InputError, match=r"records\.jsonl: row 2: not JSON"):
        list(iterate_records(path))
