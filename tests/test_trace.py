"""Splitting a response into reasoning and answer."""

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.trace import Trace, TraceState


def read(text: str) -> tuple[str | None, str | None, TraceState]:
    trace = Trace.parse(text)
    return trace.think, trace.answer, trace.state


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think><answer>B</answer>",
        "\n<think>\na\n</think>\r\n\n<answer> B\n</answer>\n",
        "<think>a < b, so <b>c</b></think><answer>B</answer>",
        "<think>I end with an <answer> tag, or <answer></answer>.</think><answer>B</answer>",
    ],
)
def test_one_think_then_one_answer_is_well_formed(text: str) -> None:
    trace = Trace.parse(text)
    assert (trace.answer, trace.state, trace.well_formed, trace.raw) == ("B", "ok", True, text)


@pytest.mark.parametrize(
    "text",
    [
        "<THINK>a</THINK><Answer>B</ANSWER>",
        "< think >a</ think >< answer>B< /answer>",
        "<thinking>a</thinking><answer>B</answer>",
        "<thought>a</thought><answer>B</answer>",
        "Sure! <think>a</think> So: <answer>B</answer> Done.",
        "a</think><answer>B</answer>",
        "a </thinking>\n<answer>B</answer>",
    ],
)
def test_sloppy_tags_and_text_around_are_ok_but_not_well_formed(text: str) -> None:
    trace = Trace.parse(text)
    assert (trace.think, trace.answer, trace.state, trace.well_formed) == ("a", "B", "ok", False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, None, "no_think")),
        ("B", (None, None, "no_think")),
        ("<answer>B</answer>", (None, "B", "no_think")),
        ("It is B. <answer>B</answer>", (None, "B", "no_think")),
        ("<think> </think><answer>B</answer>", (None, "B", "no_think")),
        ("<think>a</think>", ("a", None, "no_answer")),
        ("<think>a</think> B", ("a", None, "no_answer")),
        ("<think>a</think><answer> </answer>", ("a", None, "no_answer")),
        ("<think>a</think><answer>1", ("a", None, "no_answer")),
    ],
)
def test_what_is_missing_is_none_and_named(text: str, expected: tuple[str | None, str | None, TraceState]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>is it A or", ("is it A or", None, "unclosed_think")),
        ("<think>a</think><think>b", ("a\nb", None, "unclosed_think")),
        ("<think>a</think><answer>B</answer><think>c", ("a\nc", "B", "unclosed_think")),
        ("<think>a\n<answer>B</answer>\n", ("a", "B", "unclosed_think")),
        ("<think>say <answer>B</answer> then", ("say <answer>B</answer> then", None, "unclosed_think")),
        ("<think>a <answer>B", ("a <answer>B", None, "unclosed_think")),
    ],
)
def test_an_unclosed_think_still_is_reasoning(text: str, expected: tuple[str, str | None, TraceState]) -> None:
    assert read(text) == expected


def test_an_answer_inside_think_is_no_answer() -> None:
    assert read("<think>a <answer>A</answer></think>") == ("a <answer>A</answer>", None, "no_answer")
    assert read("<think>a <answer>A</answer> no</think><answer>B</answer>") == (
        "a <answer>A</answer> no",
        "B",
        "nested",
    )
    assert read("a <answer>A</answer></think><answer>B</answer>")[1] == "B"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><think>b</think><answer>B</answer>", ("a\nb", "B", "repeated")),
        ("<think>a</think><answer>A</answer><answer>B</answer>", ("a", "B", "repeated")),
        ("<think>a</think><answer>B</answer><answer></answer>", ("a", "B", "repeated")),
        ("<think>a</think><answer>A</answer><think>b</think><answer>B</answer>", ("a\nb", "B", "repeated")),
        ("<answer>B</answer><think>a</think>", ("a", "B", "repeated")),
    ],
)
def test_several_thinks_are_one_text_and_the_last_settled_answer_wins(
    text: str, expected: tuple[str, str, TraceState]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a<think>b</think><answer>B</answer>", ("a\nb", "B", "nested")),
        ("<think>a<think>b</think>c</think><answer>B</answer>", ("a\nb\nc", "B", "nested")),
        ("<think>a</think><answer><think>x</think>B</answer>", ("a", "B", "nested")),
        ("<think>a</think><answer>A <answer>B</answer>", ("a", "B", "nested")),
        ("<think>a</think><answer>B</answer></answer>", ("a", "B", "nested")),
        ("<think>a</think><answer>B</answer></think>", ("a", "B", "nested")),
    ],
)
def test_blocks_in_blocks_and_stray_closing_tags_are_nested(text: str, expected: tuple[str, str, TraceState]) -> None:
    assert read(text) == expected


def test_a_text_that_begins_inside_the_reasoning() -> None:
    assert read("an <answer> tag comes last</think><answer>B</answer>")[:2] == ("an <answer> tag comes last", "B")
    assert read("a</think>") == ("a", None, "no_answer")


def test_format_agrees_with_the_published_reward_where_that_is_right(shared_data: Path) -> None:
    rows = [json.loads(x) for x in (shared_data / "parity/dev/format.jsonl").read_text().splitlines()]
    checked = 0
    for row in rows:
        if not row.get("doubtful"):
            expected = row["expected"] if row.get("reference_defect") else row["reward"]
            assert Trace.parse(row["completion"]).well_formed == bool(expected), row["id"]
            checked += 1
    assert checked >= 20


def test_real_rollouts_show_every_state(shared_data: Path) -> None:
    log = (shared_data / "traces/grpo_logs/jike338_debug_log_3b.txt").read_text(errors="replace")
    rollouts = [part.split("\nSolution:")[0] for part in re.split(r"\nContent: ", "\n" + log)[1:]]
    states = Counter(Trace.parse(rollout).state for rollout in rollouts)
    assert set(states) == {"ok", "no_think", "no_answer", "unclosed_think", "repeated", "nested"}
    assert states["repeated"] > 1000
    assert 0.1 < states["no_think"] / len(rollouts) < 0.2


@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "a", "B ", "\n", "<THINKING>"])))
def test_any_order_of_tags_is_read(pieces: list[str]) -> None:
    trace = Trace.parse("".join(pieces))
    assert trace.think is None or trace.think.strip()
    assert trace.answer is None or trace.answer.strip()
    if trace.state == "ok":
        assert trace.think is not None
        assert trace.answer is not None
    if trace.well_formed:
        assert re.fullmatch(r"\s*<think>.+</think>\s*<answer>.+</answer>\s*", trace.raw, re.DOTALL)
        assert trace.state == "ok"


@given(st.text(alphabet=st.characters(exclude_characters="<>"), min_size=1).filter(str.strip))
def test_what_was_written_is_read_back(words: str) -> None:
    trace = Trace.parse(f"<think>{words}</think>\n<answer>{words}</answer>")
    assert trace.think == trace.answer == words.strip()
    assert trace.well_formed


@pytest.mark.parametrize(
    "junk", ["<", "< ", "<think>", "</think>", "<answer>", "<think>a</think>", "<answer>x</answer>", "<answer>x<think>"]
)
def test_a_megabyte_of_junk_takes_no_time(junk: str) -> None:
    text = (junk * 1_000_000)[:1_000_000]
    started = time.process_time()
    Trace.parse(text)
    Trace.parse("<think>" + text)
    Trace.parse("<" + " " * 1_000_000)
    assert time.process_time() - started < 5
