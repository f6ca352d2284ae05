"""Consistency: the verdict per response, the gate, and what is said of many."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.answers import Value
from videor2.judges import Conclusion
from videor2.scores.consistency import Consistency, consistency, gate, tac, tac_paper
from videor2.scores.score import Score
from videor2.scores.stats import bootstrap_mean, paired_difference

OPTIONS = ["A. a blue cube", "B. a red ball", "C. a green cone"]


def response(think: str, answer: str) -> str:
    return f"<think>{think}</think><answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("think", "answer", "value"),
    [
        ("So the answer is B.", "B", 1.0),
        ("So the answer is B.", "C", 0.0),
        ("So the answer is B.", "a red ball", 1.0),
        ("Therefore, it is most likely a red ball.", "(b)", 1.0),
        ("Therefore, it is most likely a red ball.", "C. a green cone", 0.0),
        ("It is most likely a red ball or a green cone.", "A", 0.0),  # open, but surely not A
    ],
)
def test_choices_are_compared_by_value(think: str, answer: str, value: float) -> None:
    assert consistency(response(think, answer), options=OPTIONS).score.value == value


@pytest.mark.parametrize(
    ("think", "answer", "value"),
    [
        ("So the answer is 3.", "three", 1.0),
        ("So the answer is 3.", "3.0", 1.0),
        ("So the answer is 1,000.", "1000", 1.0),
        ("So the answer is 3.", "4", 0.0),
        ('So the answer is "Freewin Jones".', "Frewin Jones", 1.0),
        ("So the answer is the red ball.", "The red ball on the table", 1.0),
        ("So the answer is the red ball.", "a green cone", 0.0),
        ("He leaves. So the answer is no.", "No.", 1.0),
        ("He leaves. So the answer is no.", "Yes, he is.", 0.0),
    ],
)
def test_open_answers_are_compared_by_value(think: str, answer: str, value: float) -> None:
    assert consistency(response(think, answer)).score.value == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("So the answer is B. <answer>B</answer>", "no reasoning"),
        ("<think>So the answer is B.</think>", "no answer"),
        ("<think>So the answer is B.</think><answer>N/A</answer>", "has no value"),
        ("<think>It cannot be determined.</think><answer>B</answer>", "concludes nothing"),
        ("<think>It is most likely a red ball or a green cone.</think><answer>B</answer>", "leaves B or C open"),
        ("", "no reasoning"),
    ],
)
def test_what_is_undetermined_abstains_with_the_reason(text: str, why: str) -> None:
    score = consistency(text, options=OPTIONS).score
    assert (score.value, score.status) == (None, "abstain")
    assert why in score.detail


def test_long_texts_are_never_called_different() -> None:
    answer = "The man first ties his shoes and then he runs around the lake with a dog"
    think = "So the answer is he puts on footwear before jogging by the water."
    assert consistency(response(think, answer), kind="text").score.status == "abstain"


RETOLD = "A tall man in a green coat walks slowly across the square and feeds three grey pigeons near the fountain."


@pytest.mark.parametrize(
    ("think", "answer", "value"),
    [
        (RETOLD, "Across the square walks a tall man in a green coat; he feeds three grey pigeons.", 1.0),
        (RETOLD, "Across the square walks a tall man in a green coat; he feeds four grey pigeons.", None),
        (RETOLD, "A woman drives a red tractor through a muddy field while it rains and her dog runs behind.", None),
        ("The cover names a writer. I read Marta Lindqvist there.", "Marta Lindquist", 1.0),
        ("I read Marta Lindqvist. Then a list follows. Then a map. Then a plan. It ends.", "Marta Lindqvist", None),
        ("The formula is 7 + 5 = 12, as 7 and 5 make 12.", "7+5 = 1 2", 1.0),
        ("The turns are [10, -20, 30] degrees.", "[10, -20, 30]", 1.0),
        ("The turns are [10, -20, 30] degrees.", "[10, 20, 30]", None),
    ],
)
def test_free_text_agrees_where_it_retells_the_reasoning(think: str, answer: str, value: float | None) -> None:
    assert consistency(response(think, answer), question="Describe it.", kind="text").score.value == value


def test_wrong_before_wrong_is_still_inconsistent() -> None:
    result = consistency(response("So the answer is B.", "C"), options=OPTIONS)
    assert result.score.value == 0.0
    assert tac_paper([result], [Value("letter", "A")]).tac == 1.0  # the published count calls it consistent


def test_the_question_reaches_the_judge() -> None:
    text = response("The least likely is a red ball.", "B")
    assert consistency(text, question="Which is LEAST likely?", options=OPTIONS).score.value == 1.0
    assert consistency(text, question="Which is MOST likely?", options=OPTIONS).score.value == 0.0


def test_another_judge_may_be_asked() -> None:
    asked: dict[str, Any] = {}

    def judge(think: str, **context: Any) -> Conclusion:
        asked.update(context, think=think)
        return Conclusion(Value("letter", "C"), "judge", think)

    result = consistency(response("Hm.", "C"), question="Which?", options=OPTIONS, judge=judge)
    assert result.score.value == 1.0
    assert asked["question"] == "Which?"
    assert asked["options"] == ("a blue cube", "a red ball", "a green cone")


def failing_judge(think: str, **_context: Any) -> Conclusion:
    return Conclusion(None, "error", "503 from the server")


def test_a_failed_judge_is_an_error_and_no_verdict() -> None:
    result = consistency(response("So B.", "B"), options=OPTIONS, judge=failing_judge)
    assert result.score == Score.error("503 from the server")
    assert gate(result).status == "error"


def test_the_gate_opens_only_on_agreement() -> None:
    assert gate(consistency(response("So the answer is B.", "B"))).value == 1.0
    assert gate(consistency(response("So the answer is B.", "C"))).value == 0.0
    assert gate(consistency(response("Hard to say.", "C"))).value == 0.0


def test_the_flat_row_has_what_the_command_writes() -> None:
    row = consistency(response("So the answer is B.", "C"), options=OPTIONS).row()
    assert row["conclusion"] == "B"
    assert row["answer"] == "C"
    assert (row["value"], row["status"]) == (0.0, "ok")
    assert row["evidence"] == "So the answer is B."
    json.dumps(row)


def test_tac_counts_undetermined_in_the_coverage_and_the_strict_form() -> None:
    texts = [response("So the answer is B.", "B"), response("So the answer is B.", "C"), "B", response("So B.", "B")]
    summary = tac(consistency(t) for t in texts)
    assert summary.interval is not None
    assert summary.interval.mean == pytest.approx(2 / 3)
    assert (summary.n, summary.determined, summary.errors) == (4, 3, 0)
    assert summary.coverage == 0.75
    assert summary.strict == 0.5


def test_tac_leaves_failed_judgements_out_of_the_strict_form() -> None:
    good = consistency(response("So the answer is B.", "B"))
    failed = consistency(response("So B.", "B"), judge=failing_judge)
    summary = tac([good, failed])
    assert (summary.strict, summary.errors, summary.coverage) == (1.0, 1, 0.5)


def test_tac_of_nothing_has_no_mean() -> None:
    summary = tac([])
    assert (summary.interval, summary.strict, summary.coverage) == (None, None, 0.0)


def test_tac_paper_needs_a_reference_for_each_row() -> None:
    result = consistency(response("So B.", "B"))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        tac_paper([result], [])
    with pytest.raises(ValueError, match="at least one row"):
        tac_paper([], [])


def test_both_counts_meet_the_published_script(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "parity" / "dev" / "tac.jsonl").read_text().splitlines()]
    assert len(rows) == 100
    for row in rows:
        results = [_judged(item["think"], item["answer"]) for item in row["items"]]
        paper = tac_paper(results, [Value("letter", item["gold"]) for item in row["items"]])
        assert paper.tac == pytest.approx(row["reference_tac"])
        assert paper.both_right == pytest.approx(row["both_correct"])
        assert paper.think_accuracy == pytest.approx(row["think_accuracy"])
        assert paper.answer_accuracy == pytest.approx(row["answer_accuracy"])
        assert paper.answer_right_think_wrong == row["answer_correct_think_wrong"]
        assert paper.answer_wrong_think_right == row["answer_wrong_think_correct"]
        ours = tac(results, resamples=10)
        assert ours.strict == pytest.approx(row["same_answer_agreement"])
        assert ours.determined == row["n_determined"]
        assert (ours.interval.mean if ours.interval else None) == pytest.approx(row["agreement_determined"])


def test_verdicts_on_real_traces(shared_data: Path) -> None:
    verdicts = []
    for name in ("dev", "hard_dev"):
        for line in (shared_data / "gold" / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            score = consistency(row["response"], question=row["question"], options=row["options"]).score
            verdicts.append((row["labels"]["consistent"], None if score.value is None else bool(score.value)))
    determined = [(gold, ours) for gold, ours in verdicts if ours is not None]
    assert sum(gold != ours for gold, ours in determined) <= 0.05 * len(determined)
    assert len(determined) >= 0.9 * sum(gold is not None for gold, _ in verdicts)
    assert sum(ours is False for gold, ours in verdicts if gold is False) >= 14


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_the_interval_holds_the_mean_and_stays_in_range(values: list[float], seed: int) -> None:
    interval = bootstrap_mean(values, seed=seed, resamples=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    assert interval.half_width >= 0
    assert interval == bootstrap_mean(values, seed=seed, resamples=200)


def test_the_interval_narrows_with_rows_and_widens_with_the_level() -> None:
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 1000
    assert bootstrap_mean(many).half_width < bootstrap_mean(few).half_width / 5
    assert bootstrap_mean(few, level=0.99).half_width > bootstrap_mean(few, level=0.5).half_width


def test_the_binomial_draw_is_the_bootstrap_of_right_and_wrong() -> None:
    share = np.array([1.0] * 70 + [0.0] * 30)
    nearly = share + np.linspace(0, 1e-9, 100)  # not two values, so rows are drawn
    exact, drawn = bootstrap_mean(share, resamples=20_000), bootstrap_mean(nearly, resamples=20_000)
    assert exact.low == pytest.approx(drawn.low, abs=0.011)
    assert exact.high == pytest.approx(drawn.high, abs=0.011)


def test_one_value_has_no_width() -> None:
    assert bootstrap_mean([1.0, 1.0, 1.0]).half_width == 0.0
    assert bootstrap_mean([0.3]).half_width == 0.0


def test_pairs_are_narrower_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(500)
    b = a - 0.05 + 0.01 * rng.random(500)
    difference = paired_difference(a, b)
    assert difference.low > 0
    assert difference.half_width < bootstrap_mean(a).half_width / 5


@pytest.mark.parametrize("values", [[], [float("nan")], [[1.0]]])
def test_what_has_no_mean_raises(values: Any) -> None:
    with pytest.raises(ValueError, match="a bootstrap needs"):
        bootstrap_mean(values)


def test_pairs_of_unequal_length_raise() -> None:
    with pytest.raises(ValueError, match="same rows"):
        paired_difference([1.0], [1.0, 0.0])


def _judged(think: str | None, answer: str | None) -> Consistency:
    """A result with these letters; None where nothing was parsed."""

    def judge(_think: str, **_context: Any) -> Conclusion:
        return Conclusion(Value("letter", think), "judge") if think else Conclusion(None, "undetermined")

    return consistency(response("x", answer or "?"), kind="choice", judge=judge)
