"""Claims, keys of events, and the algebra of intervals."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.timeline import (
    Claim,
    Event,
    claims,
    format_interval,
    format_time,
    gap_s,
    iou,
    overlap_s,
    parse_key,
    read_events,
)
from videor2.timestamps import timestamps

SECONDS = st.floats(0, 36_000, allow_subnormal=False)
INTERVALS = st.tuples(SECONDS, SECONDS).map(lambda pair: Event(min(pair), max(pair), ""))


def told(text: str) -> list[tuple[float, str]]:
    return [(claim.start_s, claim.sentence) for claim in claims(text)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("At 00:03 a red ball appears.", "a red ball appears"),
        ("At around 00:03, a red ball appears.", "a red ball appears"),
        ("- 00:03: a red ball appears", "a red ball appears"),
        ("1. **00:03** - a red ball appears", "a red ball appears"),
        ("[00:03 - 00:05] a red ball appears", "a red ball appears"),
        ("| 00:03 | a red ball appears |", "a red ball appears"),
        ("From 00:03 to 00:05, a red ball appears.", "a red ball appears"),
        ("At the 3-second mark, a red ball appears.", "a red ball appears"),
        ("Roughly 3 seconds in, a red ball appears.", "a red ball appears"),
        ("3 seconds into the video, a red ball appears.", "a red ball appears"),
        ("In the first 5 seconds a red ball appears.", "a red ball appears"),
        ("A red ball appears at t=3.0s.", "A red ball appears"),
        ("A red ball appears (see 00:03).", "A red ball appears"),
        ("A red ball appears in the corner at 00:03 in the video.", "A red ball appears in the corner"),
        ("A red ball (00:03) appears.", "A red ball appears"),
        ('He says "go" at 00:03.', 'He says "go"'),
        ("He stands up at 00:03.", "He stands up"),
        ("The ball costs $3.50, e.g. at 00:03, in shops.", "The ball costs $3.50, e.g. in shops"),
    ],
)
def test_a_claim_is_the_sentence_without_its_time(text: str, sentence: str) -> None:
    assert [claim.sentence for claim in claims(text)] == [sentence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("At 00:03 a ball appears and at 00:07 it vanishes.", [(3, "a ball appears"), (7, "it vanishes")]),
        ("A ball appears at 00:03 and vanishes at 00:07.", [(3, "A ball appears"), (7, "vanishes")]),
        ("A ball appears at 00:03 and at 00:07 it vanishes.", [(3, "A ball appears"), (7, "it vanishes")]),
        ("At 00:03 a ball appears and it vanishes at 00:07.", [(3, "a ball appears"), (7, "it vanishes")]),
        ("At 00:03 a ball and a cube appear; at 00:07 both go.", [(3, "a ball and a cube appear"), (7, "both go")]),
        ("At 00:03 he sits, at 00:05 he eats, at 00:09 he goes.", [(3, "he sits"), (5, "he eats"), (9, "he goes")]),
        ("He sits (00:03), eats (00:05) and goes (00:09).", [(3, "He sits"), (5, "eats"), (9, "goes")]),
        ("ball (00:03) -> cube (00:05)", [(3, "ball"), (5, "cube")]),
        ("0:03 ball; 0:05 cube", [(3, "ball"), (5, "cube")]),
        ("[3s] ball [5s] cube", [(3, "ball"), (5, "cube")]),
        ("The ball comes at 3 s, the cube at 5 s.", [(3, "The ball comes"), (5, "the cube")]),
    ],
)
def test_clauses_that_part_clearly_are_parted(text: str, expected: list[tuple[float, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("The phone rings at 00:05 and 00:41.", "The phone rings"),
        ("The phone rings at 00:05 and at 00:41 in the hall.", "The phone rings in the hall"),
        ("At 00:05 and again at 00:41 the phone rings.", "the phone rings"),
        ("00:05, 00:41: the phone rings", "the phone rings"),
    ],
)
def test_times_that_share_a_sentence_both_get_it(text: str, sentence: str) -> None:
    assert told(text) == [(5, sentence), (41, sentence)]


def test_a_time_on_a_line_of_its_own_belongs_to_the_next_sentence() -> None:
    assert told("**[00:03]**\nA dog runs. It barks.\n\n00:08 - 00:09:\n- It stops") == [
        (3, "A dog runs"),
        (8, "It stops"),
    ]
    assert told("1. 00:05\nA dog runs.") == [(5, "A dog runs")]


def test_a_time_that_nothing_is_said_about_keeps_its_sentence() -> None:
    assert told("00:12") == [(12, "00:12")]
    assert told("A. 00:10\nB. 00:30\nThe dog runs.") == [(10, "A. 00:10"), (30, "B. 00:30")]


@given(st.text(alphabet="0123:. -,()[]\n*;\"'>atndfromsecobl", max_size=300))
def test_every_timestamp_makes_a_claim_with_words(text: str) -> None:
    found = claims(text)
    assert [(c.start_s, c.end_s) for c in found] == [(t.start_s, t.end_s) for t in timestamps(text)]
    assert all(claim.sentence.strip() for claim in found)


def test_claims_take_linear_time_on_one_long_sentence() -> None:
    def seconds(clause: str, count: int) -> float:
        started = time.process_time()
        claims(clause * count)
        return time.process_time() - started

    for clause in ("at 00:01 a ball, ", "00:01 ", "00:01" + " ," * 200 + " 00:02 "):
        seconds(clause, 10)
        assert seconds(clause, 4000) < 40 * max(seconds(clause, 400), 0.002)


@pytest.mark.parametrize(
    ("key", "seconds"),
    [
        ("00:10", (10, 10)),
        ("00:10-00:12", (10, 12)),
        ("59:57-01:00:00", (3597, 3600)),
        ("00:12-00:10", (10, 12)),
        (" 00:10 ", (10, 10)),
        ("7:5", (425, 425)),
        ("100:05", (6005, 6005)),
        ("00:75", (75, 75)),
        ("00:12.5-00:15.25", (12.5, 15.25)),
        ("12.6", (12.6, 12.6)),
        ("5 - 9", (5, 9)),
        ("16s", (16, 16)),
        ("00:10+", (10, 10)),
        ("+00:09", (9, 9)),
        ("00:10.", (10, 10)),
        ("00:20 to 00:24", (20, 24)),
        ("00:20to00:24", (20, 24)),
        ("00:07–00:09", (7, 9)),
        ("00:10~00:12", (10, 12)),
        ("00:04->00:06", (4, 6)),
        ("00:04...00:06", (4, 6)),
        ("[00:10]", (10, 10)),
        ("(00:03)", (3, 3)),
        ("[00:03, 00:05]", (3, 5)),
        ("about 00:10", (10, 10)),
        ("~00:10", (10, 10)),
        ("t=5", (5, 5)),
        ("1m05s", (65, 65)),
        ("first 5 seconds", (0, 5)),
        ("00:05-end", (5, 5)),
        ("00:05 to the end", (5, 5)),
        ("00:05-", (5, 5)),
    ],
)
def test_a_key_is_read(key: str, seconds: tuple[float, float]) -> None:
    assert parse_key(key) == seconds


@pytest.mark.parametrize(
    "key", ["", " ", "end", "start", "frame 12", "00:12AM", "-00:05", "00:10:00:00", "00:10-00:12-00:15", "two dogs"]
)
def test_a_key_that_is_no_time_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write MM:SS") as error:
        parse_key(key)
    assert repr(key) in str(error.value)


def test_events_from_keys_and_from_a_list_are_the_same() -> None:
    keyed = read_events({"00:03-00:05": "a ball appears ", "00:09": "a cube appears"})
    listed = read_events(
        [
            {"start_s": 3, "end_s": 5, "sentence": "a ball appears"},
            Event(9.0, 9.0, "a cube appears"),
        ]
    )
    assert keyed == listed == [Event(3, 5, "a ball appears"), Event(9, 9, "a cube appears")]


def test_keys_that_differ_in_blanks_are_one_and_the_last_wins() -> None:
    assert read_events({"00:10": "a", "00:03": "b", "  00:10": "c"}) == [Event(10, 10, "c"), Event(3, 3, "b")]
    assert read_events({"00:10": "a", "10": "b", "0:10": "a"}) == [Event(10, 10, "a"), Event(10, 10, "b")]


def test_events_without_words_are_left_out() -> None:
    assert read_events({"00:10": " ", "end": "", "00:12": None}) == []
    assert read_events([{"start_s": 1, "end_s": 2, "sentence": ""}]) == []
    assert read_events({}) == read_events([]) == []


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"soon": "x"}, "'soon' is no time"),
        ({"00:10": 5}, "event '00:10': the sentence must be text, not int"),
        ([{"start_s": 1, "sentence": "x"}], "event 0: needs start_s and end_s"),
        (["x"], "event 0: needs start_s and end_s"),
        ([{"start_s": "a", "end_s": 2, "sentence": "x"}], "event 0: needs start_s and end_s"),
        ([{"start_s": 3, "end_s": 2, "sentence": "x"}], "event 0: must have 0 <= start_s <= end_s"),
        ([{"start_s": float("nan"), "end_s": 2, "sentence": "x"}], "event 0: must have"),
        ([{"start_s": 1, "end_s": 2, "sentence": ["x"]}], "event 0: the sentence must be text, not list"),
    ],
)
def test_what_is_no_event_is_named_or_left_out(events: Any, message: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=message):
        read_events(events)
    with caplog.at_level(logging.WARNING):
        assert read_events(events, strict=False) == []
    assert message in caplog.text


@pytest.mark.parametrize("events", ["[]", 5, None])
def test_events_are_a_dict_or_a_list(events: Any) -> None:
    with pytest.raises(ValueError, match="events are a dict or a list"):
        read_events(events)


def test_keys_are_cleaned_as_in_the_published_reward(shared_data: Path) -> None:
    rows = [json.loads(x) for x in (shared_data / "parity/dev/tar.jsonl").read_text().splitlines()]
    checked = 0
    for row in rows:
        if row["family"] == "odd-key" or row.get("raises"):
            continue
        for side in ("predicted", "reference"):
            ours = sorted(read_events(row[side]), key=lambda event: event.start_s + event.end_s)
            assert [[round(e.start_s), round(e.end_s), e.sentence] for e in ours] == row[f"{side}_kept"], row["id"]
            checked += 1
    assert checked > 300


def test_no_key_that_the_published_reward_reads_is_lost(shared_data: Path) -> None:
    rows = [json.loads(x) for x in (shared_data / "parity/dev/tar.jsonl").read_text().splitlines()]
    for row in rows:
        for side in ("predicted", "reference"):
            for start, end, _ in row.get(f"{side}_kept") or []:
                ours = read_events(row[side], strict=False)
                assert (start, end) in {(round(e.start_s), round(e.end_s)) for e in ours}, row["id"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (59.4, "00:59"), (59.6, "01:00"), (3599.6, "01:00:00"), (360_000, "100:00:00")]
)
def test_times_are_written_to_the_second(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_no_time_is_before_the_video(seconds: float) -> None:
    with pytest.raises(ValueError, match="not negative"):
        format_time(seconds)


@given(st.integers(0, 359_999), st.integers(0, 359_999))
def test_keys_are_read_back(a: int, b: int) -> None:
    start, end = sorted((a, b))
    assert parse_key(format_interval(start, end)) == (start, end)
    assert [(t.start_s, t.end_s) for t in timestamps(f"From {format_interval(start, end)} he runs")] == [(start, end)]


@given(INTERVALS, INTERVALS)
def test_intervals_overlap_or_have_a_gap(a: Event, b: Event) -> None:
    assert overlap_s(a, b) == overlap_s(b, a) >= 0
    assert gap_s(a, b) == gap_s(b, a) >= 0
    assert overlap_s(a, b) == 0 or gap_s(a, b) == 0
    assert overlap_s(a, b) <= min(a.end_s - a.start_s, b.end_s - b.start_s)


@given(INTERVALS, INTERVALS)
def test_iou_is_a_share_and_1_for_the_same_interval(a: Event, b: Event) -> None:
    assert 0 <= iou(a, b) == iou(b, a) <= 1
    assert iou(a, a) == 1
    assert (iou(a, b) > 0) == (overlap_s(a, b) > 0 or a == b)


@given(INTERVALS, INTERVALS, st.floats(0, 60))
def test_a_gap_closes_when_one_interval_is_widened_by_it(a: Event, b: Event, more_s: float) -> None:
    gap = gap_s(a, b)
    wide = Claim(a.start_s - gap - more_s - 1e-6, a.end_s + gap + more_s + 1e-6, "")
    assert gap_s(wide, b) == 0
    assert gap_s(a, wide) == 0
