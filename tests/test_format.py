"""Format: one think block, one answer block, nothing else."""

import json
from pathlib import Path

import pytest

from videor2.scores.format import format_score
from videor2.trace import Trace


@pytest.mark.parametrize(
    "response",
    [
        "<think>x</think><answer>B</answer>",
        "<think>\nx\n</think>\n\n<answer>\nB\n</answer>\n",
        "<think>a < b and <b>bold</b></think><answer>0</answer>",
    ],
)
def test_one_block_each_is_well_formed(response: str) -> None:
    assert format_score(response).value == 1.0


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("", "no reasoning"),
        ("B", "no reasoning"),
        ("<answer>B</answer>", "no reasoning"),
        ("<think> </think><answer>B</answer>", "no reasoning"),
        ("<think>x</think> B", "no answer"),
        ("<think>x</think><answer></answer>", "no answer"),
        ("<think>cut off at the limit", "never closes"),
        ("<think>x</think><think>y</think><answer>B</answer>", "more than one"),
        ("<think>x</think><answer>A</answer><answer>B</answer>", "more than one"),
        ("<think>x</think><answer>B</answer></answer>", "stray"),
        ("Sure! <think>x</think><answer>B</answer>", "outside"),
        ("<think>x</think>.<answer>B</answer>", "outside"),
    ],
)
def test_a_fault_scores_0_and_is_named(response: str, fault: str) -> None:
    score = format_score(response)
    assert score.value == 0.0
    assert fault in score.detail


def test_a_parsed_trace_is_scored_like_its_text() -> None:
    response = "<think>x</think> B"
    assert format_score(Trace.parse(response)) == format_score(response)


def test_the_stated_rule_is_met_on_the_published_vectors(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "parity" / "dev" / "format.jsonl").read_text().splitlines()]
    for row in rows:
        if not row.get("doubtful"):
            expected = row["expected"] if row.get("reference_defect") else row["reward"]
            assert format_score(row["completion"]).value == expected, row
