"""Accuracy: each kind of question is compared in its own way, and nothing is silently 0."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.scores.accuracy import accuracy, rouge_f1, word_error_rate
from videor2.trace import Trace


def answered(answer: str) -> str:
    return f"<think>Let me see.</think><answer>{answer}</answer>"


def value(answer: str, gold: str, **settings_: object) -> float | None:
    return accuracy(answered(answer), answer=gold, **settings_).value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_answer", "gold", "right"),
    [
        ("B", "B", 1.0),
        ("(b)", "B", 1.0),
        ("Option C", "C", 1.0),
        ("F", "F. Walking", 1.0),
        ("F. Walking", "G. Walking", 0.0),
        ("Because the man is tall", "B", 0.0),
        ("5.0", "5", 1.0),
        ("1000", "1,000", 1.0),
        ("$1,200", "1,200", 1.0),
        ("five", "5", 1.0),
        ("5_0", "50", 0.0),
        ("-5", "5", 0.0),
        ("99", "100.0001", 0.98999900999109),
        ("nan", "1.2345", 0.0),
        ("0.0000", "0.0000", 1.0),
        ("0.1", "0.0000", 0.0),
        ("-2.7183", "2.7183", 0.0),
        ("Scott", "Scott Room", 0.5),
        ("Nike Adidas Puma", "Nike", 0.0),
        ("no.", "No", 1.0),
        ("The Battle of Mylae", "Battle of Mylae", 1.0),
        ("dog", "door", 0.0),
        ("入口", "出口", 0.0),
        ("うどんを鍋に入れ", "うどんを鍋に入れ", 1.0),
    ],
)
def test_the_kind_is_inferred_from_the_reference(given_answer: str, gold: str, right: float) -> None:
    assert value(given_answer, gold) == pytest.approx(right, abs=1e-9)


def test_option_text_is_as_good_as_its_letter() -> None:
    options = ["A. a blue cube", "B. a red ball"]
    assert value("a red ball", "B", options=options) == 1.0
    assert value("B", "a red ball", options=options) == 1.0
    assert value("a blue cube", "B", options=options) == 0.0
    assert value("C", "B", options=options) == 0.0


def test_the_stated_kind_wins_over_the_inferred() -> None:
    assert value("B", "B", kind="text") == 1.0
    assert value("12", "12.0", kind="ocr") == 0.0
    assert value("12", "12.0", kind="number") == 1.0


def test_the_reference_may_stand_in_answer_tags() -> None:
    assert value("B", "<answer>B</answer>") == 1.0


@pytest.mark.parametrize(
    ("response", "why"),
    [
        ("<think>so it is B", "unclosed_think"),
        ("<think>so it is B</think> B", "no_answer"),
        ("<think>so it is B</think><answer></answer>", "no_answer"),
        ("", "no_think"),
    ],
)
def test_a_response_without_an_answer_is_wrong_and_says_why(response: str, why: str) -> None:
    score = accuracy(response, answer="B")
    assert score.value == 0.0
    assert why in score.detail


@pytest.mark.parametrize("gold", [None, "", "  ", "<answer></answer>"])
def test_a_missing_reference_abstains(gold: str | None) -> None:
    score = accuracy(answered("B"), answer=gold)
    assert (score.value, score.status) == (None, "abstain")


def test_a_reference_of_another_kind_abstains() -> None:
    assert accuracy(answered("B"), answer="purple", options=["red", "blue"]).status == "abstain"
    assert accuracy(answered("3"), answer="many", kind="number").status == "abstain"


def test_a_parsed_trace_is_scored_like_its_text() -> None:
    response = answered("B")
    assert accuracy(Trace.parse(response), answer="B") == accuracy(response, answer="B")


def test_the_answer_inside_the_reasoning_is_none() -> None:
    assert accuracy("<think>I write <answer>A</answer> but no.</think><answer>B</answer>", answer="B").value == 1.0


def test_free_text_is_the_mean_of_three_rouge_scores() -> None:
    assert rouge_f1("The person cracks an egg into the pan.", "The person cracks an egg into the black pan.") > 0.8
    assert value("A woman is swimming.", "A man is walking his dog in the park.") == pytest.approx(0.205128, abs=1e-6)
    assert value("Photosynthesis!", "photosynthesis.", kind="text") == 1.0


def test_other_scripts_are_compared_and_not_dropped() -> None:
    assert 0 < rouge_f1("男の人がうどんを食べる", "男の人がそばを食べる") < 1
    assert rouge_f1("мужчина ест суп", "мужчина ест суп") == 1.0
    assert rouge_f1("мужчина ест суп", "женщина пьёт чай") == 0.0


@given(
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=6),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6),
)
@settings(deadline=None)
def test_word_error_rate_is_an_edit_distance_over_the_reference(given_words: list[str], reference: list[str]) -> None:
    rate = word_error_rate(" ".join(given_words), " ".join(reference))
    assert rate * len(reference) >= abs(len(given_words) - len(reference)) - 1e-9
    assert (rate == 0) == (given_words == reference)
    assert rate <= max(len(given_words), len(reference)) / len(reference) + 1e-9


@given(
    st.text(max_size=60), st.text(min_size=1, max_size=60), st.sampled_from(["choice", "number", "regression", "ocr"])
)
@settings(deadline=None)
def test_every_response_has_a_score_in_range(given_answer: str, gold: str, kind: str) -> None:
    score = accuracy(answered(given_answer), answer=gold, kind=kind)  # type: ignore[arg-type]
    assert score.status in ("ok", "abstain")


def test_the_published_scorer_is_met_where_it_is_right(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "parity" / "dev" / "accuracy.jsonl").read_text().splitlines()]
    met: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows:
        if row.get("doubtful"):
            continue
        expected = row["expected"] if row.get("reference_defect") else row["reward"]
        score = accuracy(row["completion"], answer=row["solution"])
        total[row["kind"]] += 1
        met[row["kind"]] += score.value is not None and abs(score.value - expected) < 1e-6
    assert total.total() >= 100
    assert met.total() >= 0.97 * total.total(), {kind: (met[kind], total[kind]) for kind in total}
