"""Temporal alignment: the algebra of both variants, and equality with the published reward."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from videor2.scores.alignment import VARIANTS, Alignment, align, alignment, f1, gated, precision_greedy
from videor2.scores.score import Score
from videor2.timeline import Claim, Event

Case = tuple[list[Claim], list[Event], NDArray[np.float64]]

LONG = 10_000.0


def at(start_s: float, end_s: float | None = None, sentence: str = "it happens") -> Claim:
    return Claim(start_s, start_s if end_s is None else end_s, sentence)


def event(start_s: float, end_s: float | None = None, sentence: str = "it happens") -> Event:
    return Event(start_s, start_s if end_s is None else end_s, sentence)


def value(aligned: Alignment) -> float:
    assert aligned.score.value is not None
    return aligned.score.value


@pytest.mark.parametrize(
    ("gap_s", "matches"), [(0.0, True), (1.9, True), (2.0, True), (2.1, False), (3.9, False), (4.1, False)]
)
def test_f1_counts_the_buffer_once(gap_s: float, matches: bool) -> None:
    assert value(f1([at(10.3 + gap_s)], [event(9, 10.3)], similarity=[[1.0]], buffer_s=2)) == matches


@pytest.mark.parametrize(("gap_s", "matches"), [(0, True), (3, True), (4, True), (5, False)])
def test_the_published_variant_counts_the_buffer_twice(gap_s: int, matches: bool) -> None:
    got = precision_greedy([at(10 + gap_s)], [event(9, 10)], similarity=[[1.0]], buffer_s=2)
    assert value(got) == matches


def test_the_threshold_itself_matches() -> None:
    assert value(f1([at(3)], [event(3)], similarity=[[0.75]], threshold=0.75)) == 1
    assert value(f1([at(3)], [event(3)], similarity=[[0.749]], threshold=0.75)) == 0


def test_equal_sentences_match_at_threshold_one() -> None:
    sentence = "The goalkeeper saves the penalty kick."
    assert alignment([at(3, sentence=sentence)], [event(3, sentence=sentence)], threshold=1.0).value == 1


def test_a_claim_of_the_whole_video_matches_nothing() -> None:
    claims, events = [at(0, 240)], [event(100)]
    assert value(f1(claims, events, similarity=[[1.0]])) == 0
    assert "1 claims longer than 30 s" in f1(claims, events, similarity=[[1.0]]).score.detail
    assert value(precision_greedy(claims, events, similarity=[[1.0]])) == 1


def test_a_claim_of_the_longest_length_matches() -> None:
    assert value(f1([at(10.1, 40.1)], [event(20)], similarity=[[1.0]], max_claim_s=30)) == 1


def test_one_safe_claim_earns_everything_as_published_and_little_as_f1() -> None:
    events = [event(3), event(30), event(60), event(90)]
    similarity = [[1.0, 0, 0, 0]]
    assert value(precision_greedy([at(3)], events, similarity=similarity)) == 1
    assert value(f1([at(3)], events, similarity=similarity)) == pytest.approx(0.4)


def test_greedy_takes_the_first_best_where_the_assignment_keeps_both() -> None:
    # The first claim is closest to the event that only the second can have.
    claims, events = [at(12), at(17)], [event(11), event(14)]
    similarity = [[0.9, 1.0], [0.0, 1.0]]
    assert value(precision_greedy(claims, events, similarity=similarity)) == 0.5
    best = f1(claims, events, similarity=similarity, buffer_s=4)
    assert best.pairs == ((0, 0), (1, 1))
    assert value(best) == 1


def test_of_equally_many_matches_the_most_similar_is_drawn() -> None:
    claims, events = [at(10), at(10)], [event(10), event(10)]
    assert f1(claims, events, similarity=[[0.8, 0.9], [0.9, 0.8]]).pairs == ((0, 1), (1, 0))


def test_more_matches_beat_more_similar_ones() -> None:
    claims, events = [at(10), at(10)], [event(10), event(10)]
    assert f1(claims, events, similarity=[[1.0, 0.75], [0.75, -1.0]]).pairs == ((0, 1), (1, 0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_events_abstain(variant: str) -> None:
    assert alignment([at(3)], [], variant=variant) == Score.abstain("no reference events")
    assert alignment([], [], variant=variant).status == "abstain"


@pytest.mark.parametrize("variant", VARIANTS)
def test_silence_is_not_alignment(variant: str) -> None:
    assert alignment([], [event(3)], variant=variant).value == 0


def test_an_unknown_variant_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no alignment variant 'iou'; there are: f1, precision_greedy"):
        alignment([], [], variant="iou")


def test_a_similarity_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\); 2 claims and 1 events"):
        f1([at(1), at(2)], [event(1)], similarity=[[1.0, 1.0]])


def test_rows_score_as_they_do_alone() -> None:
    rows = [
        ([at(3, sentence="a red circle appears")], [event(3, sentence="the red circle appears")]),
        ([], [event(3)]),
        ([at(3)], []),
        ([at(3, sentence="a dog runs"), at(9, sentence="a red circle appears")], [event(9), event(3)]),
    ]
    for variant in VARIANTS:
        assert [a.score for a in align(rows, variant=variant)] == [
            alignment(claims, events, variant=variant) for claims, events in rows
        ]


@pytest.mark.parametrize(
    ("gate", "aligned", "expected"),
    [
        (Score.ok(1), Score.ok(0.5), ("ok", 0.5)),
        (Score.ok(0), Score.ok(0.5), ("ok", 0.0)),
        (Score.ok(1), Score.abstain("no reference events"), ("abstain", None)),
        (Score.error("judge"), Score.ok(1), ("error", None)),
        (Score.error("judge"), Score.abstain("no reference events"), ("error", None)),
        (Score.abstain("x"), Score.error("y"), ("error", None)),
    ],
)
def test_only_consistent_reasoning_earns_alignment(
    gate: Score, aligned: Score, expected: tuple[str, float | None]
) -> None:
    product = gated(gate, aligned)
    assert (product.status, product.value) == expected


seconds = st.integers(0, 400).map(lambda tenths: tenths / 10)
intervals = st.tuples(seconds, seconds).map(sorted)


@st.composite
def cases(draw: st.DrawFn, min_events: int = 1) -> Case:
    claims = [at(a, b) for a, b in draw(st.lists(intervals, max_size=6))]
    events = [event(a, b) for a, b in draw(st.lists(intervals, min_size=min_events, max_size=6))]
    n, m = len(claims), len(events)
    cosines = st.integers(-4, 4).map(lambda x: x / 4)  # few values, so that ties are common
    flat = draw(st.lists(cosines, min_size=n * m, max_size=n * m))
    return claims, events, np.array(flat).reshape(n, m)


@given(cases())
def test_scores_are_shares_and_pairs_are_one_to_one(case: Case) -> None:
    claims, events, similarity = case
    for variant in VARIANTS.values():
        got = variant(claims, events, similarity=similarity)
        assert 0 <= value(got) <= 1
        assert 0 <= got.precision <= 1
        assert 0 <= got.recall <= 1
        assert len({i for i, _ in got.pairs}) == len({j for _, j in got.pairs}) == len(got.pairs)
        assert all(similarity[i, j] >= 0.75 for i, j in got.pairs)


@given(cases())
def test_f1_is_the_harmonic_mean_of_precision_and_recall(case: Case) -> None:
    claims, events, similarity = case
    got = f1(claims, events, similarity=similarity)
    total = got.precision + got.recall
    assert value(got) == pytest.approx(2 * got.precision * got.recall / total if total else 0)


@given(cases(), st.randoms(use_true_random=False))
def test_f1_does_not_depend_on_the_order_of_claims_or_events(case: Case, random: Any) -> None:
    claims, events, similarity = case
    i, j = list(range(len(claims))), list(range(len(events)))
    random.shuffle(i)
    random.shuffle(j)
    shuffled = f1([claims[k] for k in i], [events[k] for k in j], similarity=similarity[np.ix_(i, j)])
    assert value(shuffled) == value(f1(claims, events, similarity=similarity))


@given(cases())
def test_swapping_claims_and_events_swaps_precision_and_recall(case: Case) -> None:
    claims, events, similarity = case
    there = f1(claims, events, similarity=similarity, max_claim_s=LONG)
    swapped_claims = [Claim(e.start_s, e.end_s, e.sentence) for e in events]
    swapped_events = [Event(c.start_s, c.end_s, c.sentence) for c in claims]
    back = f1(swapped_claims, swapped_events, similarity=similarity.T, max_claim_s=LONG)
    assert (there.precision, there.recall) == (back.recall, back.precision)


@given(cases(), st.floats(0, 10), st.floats(0, 10), st.floats(-1, 1), st.floats(-1, 1))
def test_f1_never_falls_when_matching_gets_easier(case: Case, b1: float, b2: float, t1: float, t2: float) -> None:
    claims, events, similarity = case
    strict = f1(claims, events, similarity=similarity, buffer_s=min(b1, b2), threshold=max(t1, t2))
    easy = f1(claims, events, similarity=similarity, buffer_s=max(b1, b2), threshold=min(t1, t2), max_claim_s=LONG)
    assert value(strict) <= value(easy)


@given(cases(), intervals)
def test_a_wrong_claim_never_raises_f1(case: Case, interval: list[float]) -> None:
    claims, events, similarity = case
    wrong = np.vstack([similarity, np.zeros((1, len(events)))])
    before = f1(claims, events, similarity=similarity)
    after = f1([*claims, at(*interval)], events, similarity=wrong)
    assert value(after) <= value(before)
    assert len(after.pairs) == len(before.pairs)


@given(cases(), st.integers(1, 4))
def test_repeating_right_claims_does_not_raise_f1(case: Case, times: int) -> None:
    _, events, _ = case
    claims = [Claim(e.start_s, e.end_s, e.sentence) for e in events]
    right = np.eye(len(events))  # each claim says what exactly one event says
    once = f1(claims, events, similarity=right, max_claim_s=LONG)
    again = f1(claims * times, events, similarity=np.tile(right, (times, 1)), max_claim_s=LONG)
    assert value(once) == 1
    assert value(again) == pytest.approx(2 / (times + 1))


@given(cases())
def test_the_assignment_matches_at_least_as_many_as_greedy(case: Case) -> None:
    claims, events, similarity = case
    whole_claims = [at(round(c.start_s), round(c.end_s)) for c in claims]
    whole_events = [event(round(e.start_s), round(e.end_s)) for e in events]
    greedy = precision_greedy(whole_claims, whole_events, similarity=similarity, buffer_s=2)
    optimal = f1(whole_claims, whole_events, similarity=similarity, buffer_s=4, max_claim_s=LONG)
    assert len(optimal.pairs) >= len(greedy.pairs)


def parity_rows(shared_data: Path) -> list[dict[str, Any]]:
    with (shared_data / "parity/dev/tar.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["family"] not in ("odd-key", "degenerate")]


def test_precision_greedy_equals_the_published_reward(shared_data: Path) -> None:
    rows = parity_rows(shared_data)
    assert len(rows) > 100
    for row in rows:
        got = alignment(
            [Claim(*kept) for kept in row["predicted_kept"]],
            [Event(*kept) for kept in row["reference_kept"]],
            variant="precision_greedy",
            buffer_s=row["buffer_seconds"],
            threshold=row["similarity_threshold"],
        )
        assert got.value == pytest.approx(row["score"], abs=1e-6), row["id"]


def test_the_assignment_mends_the_published_reward_where_it_is_marked_wrong(shared_data: Path) -> None:
    rows = [row for row in parity_rows(shared_data) if row.get("reference_defect")]
    assert rows
    for row in rows:
        claims = [Claim(*kept) for kept in row["predicted_kept"]]
        events = [Event(*kept) for kept in row["reference_kept"]]
        [got] = align([(claims, events)], buffer_s=2 * row["buffer_seconds"], threshold=row["similarity_threshold"])
        assert got.precision == pytest.approx(row["optimal_score"])


def test_cosines_equal_those_of_the_published_run(shared_data: Path) -> None:
    from videor2.scores.embed import default_embedder

    rows = [row for row in parity_rows(shared_data) if row.get("similarity")]
    assert rows
    for row in rows:
        claims, events = (
            default_embedder().embed([sentence for _, _, sentence in row[side]])
            for side in ("predicted_kept", "reference_kept")
        )
        np.testing.assert_allclose(claims @ events.T, row["similarity"], atol=1e-5)


def test_repeated_times_and_fractions_are_read_as_published() -> None:
    claims = [at(12.5, sentence="first"), at(12, sentence="last"), at(3, sentence=" ")]
    got = precision_greedy(claims, [event(12)], similarity=[[1.0], [0.0], [1.0]])
    assert got.score.detail == "0 of 1 claims, 0 of 1 events"
