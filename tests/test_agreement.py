"""Agreement of two judges beyond chance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.scores.agreement import cohens_kappa

LABELS = st.sampled_from(["yes", "no", "undetermined"])


def test_kappa_of_a_textbook_table() -> None:
    # Two readers, 50 proposals: both yes 20, first alone 5, second alone 10, both no 15: 0.7 observed, 0.5 by chance.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = cohens_kappa(first, second, labels=["yes", "no"])
    assert (found.n, found.observed, found.table) == (50, 0.7, ((20, 5), (10, 15)))
    assert found.kappa == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.4 < found.high < 0.7


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=60))
def test_kappa_equals_the_definition(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    chance = sum(first.count(label) * second.count(label) for label in set(first)) / n**2
    found = cohens_kappa(first, second, resamples=50)
    if len({*first, *second}) == 1:
        assert found.kappa is None
        assert found.reason
        return
    assert found.observed == observed
    assert found.kappa == pytest.approx((observed - chance) / (1 - chance))
    if found.low is not None and found.high is not None:
        assert -1 <= found.low <= found.high <= 1


@given(st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=40))
def test_the_judges_may_be_swapped(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    one, other = cohens_kappa(first, second, resamples=20), cohens_kappa(second, first, resamples=20)
    assert one.kappa == other.kappa
    assert tuple(zip(*one.table, strict=True)) == other.table


def test_kappa_matches_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = list("abcabcaabbccab"), list("abbabcacbbacab")
    assert cohens_kappa(first, second).kappa == pytest.approx(metrics.cohen_kappa_score(first, second))


def test_full_agreement_on_several_categories_is_one() -> None:
    found = cohens_kappa(["yes", "no"] * 20, ["yes", "no"] * 20)
    assert (found.observed, found.kappa, found.low, found.high) == (1.0, 1.0, 1.0, 1.0)


def test_one_category_alone_has_no_kappa_but_a_reason() -> None:
    found = cohens_kappa(["yes"] * 30, ["yes"] * 30, labels=["yes", "no"])
    assert (found.n, found.observed, found.kappa, found.low, found.high) == (30, 1.0, None, None, None)
    assert "not defined" in found.reason
    assert found.table == ((30, 0), (0, 0))


def test_a_judge_that_always_says_the_same_has_zero_and_no_interval() -> None:
    found = cohens_kappa(["yes"] * 10, ["yes"] * 7 + ["no"] * 3)
    assert (found.observed, found.kappa, found.low, found.high) == (0.7, 0.0, None, None)
    assert "one judge said 'yes' each time" in found.reason


def test_no_rows_have_no_kappa() -> None:
    found = cohens_kappa([], [])
    assert (found.n, found.observed, found.kappa) == (0, None, None)
    assert found.reason == "no rows that both judges decided"


def test_too_few_rows_have_no_interval() -> None:
    found = cohens_kappa(["yes", "no"], ["yes", "no"])
    assert (found.kappa, found.low) == (1.0, None)
    assert "resamples have one category only" in found.reason


def test_the_interval_narrows_with_rows_and_repeats_with_the_seed() -> None:
    def width(n: int) -> float:
        found = cohens_kappa(["yes", "yes", "no", "no"] * n, ["yes", "no", "no", "no"] * n, seed=3)
        assert found.low is not None
        assert found.high is not None
        assert found == cohens_kappa(["yes", "yes", "no", "no"] * n, ["yes", "no", "no", "no"] * n, seed=3)
        return found.high - found.low

    assert width(100) < width(10) / 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    shares = np.array([0.45, 0.1, 0.1, 0.35])
    truth = (0.8 - (0.55**2 + 0.45**2)) / (1 - (0.55**2 + 0.45**2))
    covered = 0
    for seed in range(200):
        cells = rng.choice(4, size=150, p=shares)
        found = cohens_kappa([str(c // 2) for c in cells], [str(c % 2) for c in cells], resamples=400, seed=seed)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_many_rows_are_no_trouble() -> None:
    found = cohens_kappa(["a", "b"] * 100_000, ["a", "b"] * 99_999 + ["b", "a"])
    assert found.kappa is not None
    assert math.isclose(found.kappa, 1 - 2 / 100_000, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"first": ["a"], "second": []}, "shorter"),
        ({"first": ["a"], "second": ["c"], "labels": ["a", "b"]}, "said 'c', which is none of a, b"),
        ({"first": ["a"], "second": ["a"], "level": 1.0}, "level"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments: dict[str, list[str]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cohens_kappa(**arguments)  # type: ignore[arg-type]
