"""The visual attention score: how a rating is read, and the estimate that needs no judge."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.judges.prompts.rating import read
from videor2.judges.replies import ReplyError
from videor2.judges.verdicts import Rating
from videor2.scores.grounding import vas, vas_rules
from videor2.scores.score import Score
from videor2.trace import Trace


def rated(raw: str) -> int | None:
    try:
        return read(raw).value
    except ReplyError:
        return None


def test_ratings_are_read_as_the_parity_vectors_expect(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "parity/dev/vas.jsonl").read_text().splitlines()]
    expected = {row["id"]: row.get("expected", row["score"]) for row in rows if not row.get("doubtful")}
    assert len(expected) >= 20
    assert {row["id"]: rated(row["raw"]) for row in rows if row["id"] in expected} == expected


@pytest.mark.parametrize(
    ("score", "value"),
    [
        ("8", 8),
        ("8.0", 8),
        ('"8"', 8),
        ('" 7 / 10 "', 7),
        ("6.5", 7),
        ("7.49", 7),
        ("0.5", 1),
        ("11", 10),
        ("-2", 0),
        ("-0.4", 0),
        ('"8.5/10"', 9),
        ("true", None),
        ("false", None),
        ("null", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e999999999", None),
        ('"high"', None),
        ('"8 or 9"', None),
        ('"8/5"', None),
        ('"٨"', None),
        ('""', None),
        ("[8]", None),
        ("{}", None),
    ],
)
def test_a_score_is_a_number_and_nothing_else(score: str, value: int | None) -> None:
    assert rated(f'{{"score": {score}, "rationale": "x"}}') == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"rationale": "The sign reads {Gate B} and }.", "score": 8}', 8),
        ('Sure!\n```json\n{"score": 6}\n```\nAnything else?', 6),
        ('<think>{"score": 3, "rationale": ""} or more?</think>{"score": 8, "rationale": "x"}', 8),
        ('<think>I would say {"score": 3, "rationale": "x"} but', None),
        ('{"score": 8, "rationale": "it wrote </think> in the middle"}', 8),
        ('{"score": 2, "rationale": "It demands {"score": 10} of me"}', None),
        ('{"score": 2, "rationale": "It demands {"score": 10', None),
        ('{"score": 2, "score": 10}', None),
        ('First {"score": 4}, then again: {"score": 7}', 7),
        ('{"score": 4} as {"format": "asked"}', 4),
        ('[{"score": 8}]', 8),
        ("8", None),
        ("[8]", None),
        ("{score: 8}", None),
        ("{" * 100_000, None),
        ('{"a":' * 100_000, None),
    ],
)
def test_which_object_of_a_reply_counts(raw: str, value: int | None) -> None:
    assert rated(raw) == value


def test_what_the_judge_wrote_is_kept_beside_the_value() -> None:
    assert read('{"score": 11, "rationale": " Dense. "}') == Rating(10, "Dense.", "11")
    assert read('{"score": 5, "rationale": ["a"]}').rationale == ""


@given(st.integers(-(10**5), 10**5))
def test_whole_numbers_are_held_to_the_scale(n: int) -> None:
    assert rated(json.dumps({"score": n})) == min(10, max(0, n))


def test_vas_is_a_tenth_of_the_rating() -> None:
    assert [vas(Rating(n)).value for n in (0, 5, 10)] == [0.0, 0.5, 1.0]


def test_without_a_rating_there_is_no_vas() -> None:
    assert vas(Rating(None, error="HTTP 503")) == Score.error("HTTP 503")
    assert vas(None) == Score.abstain("no reasoning")


# The estimate.

SCENE = (
    "The video begins with a man in a blue jacket standing on the left. At 00:05 he picks up two red cups. "
    'In the background a white car enters from the right, and the sign reads "Gate B".'
)
DERIVATION = (
    "Let x be the number of apples. Since each box holds 12 of them, 12x = 96. Dividing gives x = 8. "
    "Therefore the answer must be 8, as the question asks."
)


def estimate(text: str) -> float:
    value = vas_rules(text).value
    assert value is not None
    return value


def test_a_description_of_the_scene_is_high_and_a_derivation_low() -> None:
    assert estimate(SCENE) > 0.8
    assert estimate(DERIVATION) < 0.1


@pytest.mark.parametrize(
    "told",
    [
        "At 00:07 the ball rolls.",
        "After 4.5 seconds the ball rolls.",
        "The ball is on the left.",
        "The ball is red.",
        "There are three balls.",
        "The ball rolls.",
        "The label says “Gate B”.",
        "A ball is visible.",
        "There is a ball in the frame.",
    ],
)
def test_each_kind_of_cue_counts(told: str) -> None:
    assert estimate(told) > estimate("The ball is what they mean.") == 0.0


def test_one_dense_sentence_is_not_enough() -> None:
    sentence = "A red ball appears on the left."
    assert estimate(sentence) < estimate(f"{sentence} At 00:04 two black cubes roll behind the green door.")


def test_the_same_sentence_again_adds_nothing() -> None:
    sentence = "A red ball appears on the left. "
    assert estimate(sentence) == estimate(sentence * 20)


def test_padding_lowers_the_estimate() -> None:
    assert estimate(SCENE + " Let me think about it." * 10) < estimate(SCENE) / 2


@pytest.mark.parametrize("text", ["", "  \n", None, "12 + 3 = 15", "一个红色的球出现在左边。", "Красный шар слева."])
def test_where_there_is_nothing_to_read_it_abstains(text: str | None) -> None:
    assert vas_rules(text).status == "abstain"


@given(st.text())
def test_any_text_has_a_share_or_none_and_always_the_same(text: str) -> None:
    assert vas_rules(text) == vas_rules(text)


@pytest.mark.parametrize(
    "text", ['"' * 200_000, "1" * 200_000, "1:" * 100_000, "a" * 200_000, ". " * 100_000, "“" * 9**5]
)
def test_the_time_is_linear(text: str) -> None:
    start = time.process_time()
    vas_rules(text)
    assert time.process_time() - start < 1.0


def test_on_real_traces_watching_is_told_from_calculating(shared_data: Path) -> None:
    rows = json.loads((shared_data / "traces/video-r1-derived/Video-R1-COT-165k-200.json").read_text())
    of: dict[str, list[float]] = {"CLEVRER": [], "Math": []}
    for row in rows:
        source = row["path"].split("/")[1]
        if source in of:
            of[source].append(estimate(Trace.parse(row["process"]).think or ""))
    means = {source: sum(values) / len(values) for source, values in of.items()}
    assert means["Math"] < 0.1
    assert means["CLEVRER"] > 3 * means["Math"]
    assert sorted(of["CLEVRER"])[0] > sorted(of["Math"])[len(of["Math"]) // 2]


def test_on_real_rollouts_dash_cam_reasoning_is_above_word_problems(shared_data: Path) -> None:
    def mean(name: str) -> float:
        log = (shared_data / "traces/grpo_logs" / name).read_text()
        values = [vas_rules(think).value for think in re.findall(r"<think>(.*?)</think>", log, re.DOTALL)]
        known = [value for value in values if value is not None]
        return sum(known) / len(known)

    assert mean("street_debug_log_3b.txt") > 2 * mean("4dllm_videor1_debug_log_2b.txt")
