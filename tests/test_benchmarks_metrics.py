"""The official metrics, edge by edge."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.benchmarks import benchmarks
from videor2.benchmarks.metrics import given_answer, mean_of_groups, mean_of_tasks, relative_accuracy, right
from videor2.benchmarks.prompts import Style
from videor2.benchmarks.table import markdown, rows
from videor2.sample import Sample

NUMBER = Sample(id="1", question="How far?", answer="5", kind="regression")
CHOICE = Sample(id="1", question="Where?", options=("A man is on the left", "(b)(c)", "(c)(b)"), answer="B")


@pytest.mark.parametrize(
    ("answer", "mra"),
    [
        # Reference 5. The tolerances of the ten confidences are .5, .45, ... .05, in the official floating point.
        ("5", 1.0),
        ("4.75", 1.0),
        ("4.74", 0.9),
        ("4.5", 0.9),
        ("5.5", 0.9),
        ("4", 0.6),
        ("2.5", 0.1),
        ("7.5", 0.1),
        ("7.51", 0.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("about 4.9 metres", 1.0),
        ("five", 1.0),
        ("many", 0.0),
        ("1e400", 0.0),
    ],
)
def test_mra_over_ten_confidences(answer: str, mra: float) -> None:
    score = relative_accuracy(NUMBER, f"<think>x</think><answer>{answer}</answer>")
    assert score.value == pytest.approx(mra)


def test_an_error_of_a_fifth_misses_the_confidence_of_80_percent_as_in_the_official_floating_point() -> None:
    # 1 - 0.8 is a little below 0.2 there; exact arithmetic would give 0.7.
    assert relative_accuracy(NUMBER, "4", "direct").value == pytest.approx(0.6)


@pytest.mark.parametrize("reference", ["0", "many", None])
def test_mra_abstains_without_a_reference_to_be_relative_to(reference: str | None) -> None:
    assert relative_accuracy(NUMBER.model_copy(update={"answer": reference}), "4", "direct").status == "abstain"


@given(st.fractions(min_value=Fraction(1, 100), max_value=10_000), st.fractions(min_value=0, max_value=10_000))
def test_mra_never_rises_with_the_error(reference: Fraction, error: Fraction) -> None:
    sample = NUMBER.model_copy(update={"answer": f"{float(reference):.6f}"})
    near = relative_accuracy(sample, f"{float(reference + error / 2):.6f}", "direct").value
    far = relative_accuracy(sample, f"{float(reference + error):.6f}", "direct").value
    assert near is not None
    assert far is not None
    assert near >= far


@pytest.mark.parametrize(
    ("response", "style", "answer"),
    [
        ("<think>x</think><answer>B</answer>", "think", "B"),
        ("<think>x</think><answer>B</answer>", "direct", "B"),
        ("<answer>B</answer>", "direct", "B"),
        ("B. left", "direct", "B. left"),
        ("B. left", "think", None),
        ("<think>It is B", "direct", None),
        ("<think>It is B</think>", "direct", None),
        ("  ", "direct", None),
    ],
)
def test_a_bare_text_is_an_answer_only_where_it_was_asked_for(response: str, style: Style, answer: str | None) -> None:
    assert given_answer(response, style)[0] == answer


@pytest.mark.parametrize(
    ("answer", "value"),
    [("B", 1), ("(b)", 1), ("(b)(c)", 1), ("(c)(b)", 0), ("A man is on the left", 0), ("Because", 0), ("B or C", 0)],
)
def test_an_option_is_right_by_letter_or_by_its_text(answer: str, value: float) -> None:
    assert right(CHOICE, answer, "direct").value == value


def test_numbers_are_right_by_value_and_to_the_decimals_that_the_benchmark_allows() -> None:
    sample = Sample(id="1", question="?", answer="242110.62", kind="number")
    assert right(sample, "242,110.62", "direct").value == 1.0
    assert right(sample, "242110.6249", "direct").value == 0.0
    assert right(sample, "242110.6249", "direct", decimals=2).value == 1.0
    assert right(sample, "10.62", "direct", decimals=2).value == 0.0


@pytest.mark.parametrize(("given_text", "value"), [("Yes, he is.", 1), ("yes", 1), ("No", 0), ("north", 0), ("", 0)])
def test_yes_and_no_are_read_from_the_first_word(given_text: str, value: float) -> None:
    sample = Sample(id="1", question="Is he running?", answer="yes", kind="text")
    assert right(sample, f"<answer>{given_text}</answer>").value == value


def test_no_reference_is_no_score() -> None:
    assert right(CHOICE.model_copy(update={"answer": None}), "B", "direct").status == "abstain"


def test_means_of_nothing_are_none() -> None:
    assert (mean_of_tasks([]), mean_of_groups([], "question_id")) == (None, None)


def test_the_list_has_every_benchmark_with_version_source_and_what_was_checked() -> None:
    assert [row["slug"] for row in rows()] == [b.slug for b in benchmarks()]
    assert all(row["version"] >= 1 and row["paper"] and row["metric"] and row["checked"] for row in rows())


def test_the_documentation_page_is_the_list(request: pytest.FixtureRequest) -> None:
    page = request.config.rootpath / "docs" / "benchmarks.md"
    assert page.read_text(encoding="utf-8") == markdown(), (
        "run: python -m videor2.benchmarks.table > docs/benchmarks.md"
    )
