"""The reward for EasyR1: the scores' numbers, its calling convention, and an outage that is nobody's fault."""

import asyncio
import importlib.util
import json
import logging
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from judge_server import JudgeServer, Reply, says
from videor2 import rewards
from videor2.errors import InputError
from videor2.rewards import Rollout, Weights, easyr1
from videor2.rewards.easyr1 import REWARD_NAME, REWARD_TYPE, compute_score, pack_ground_truth
from videor2.timeline import Event

CLAIM = "At 00:03 a red circle appears."
RIGHT = f"<think>{CLAIM} So the answer is B.</think><answer>B</answer>"
CONTRADICTS = f"<think>{CLAIM} So the answer is B.</think><answer>A</answer>"
UNDECIDED = f"<think>{CLAIM} It is hard to say.</think><answer>B</answer>"
LATE = "<think>At 00:50 a red circle appears. So the answer is B.</think><answer>B</answer>"
RESPONSES = [RIGHT, CONTRADICTS, UNDECIDED, LATE, "cut off"]
EVENTS = {"00:03-00:04": "a red circle appears"}
TRUTH = pack_ground_truth("B", EVENTS, "Which?", ["blue", "red"], "choice")
OTHER = pack_ground_truth("B", EVENTS, "Which one?", ["blue", "red"], "choice")
ALWAYS = {"overall", "accuracy", "format", "gated_alignment", "judge_failed"}


def inputs(*responses: str, truth: str = TRUTH) -> list[dict[str, Any]]:
    """A batch as EasyR1 builds it: verl/workers/reward/function.py, BatchFunctionRewardManager.compute_reward."""
    return [{"response": r, "response_length": len(r.split()), "ground_truth": truth} for r in responses]


def overall(rows: list[dict[str, float]]) -> list[float]:
    return [row["overall"] for row in rows]


def as_scored(weights: Weights) -> list[float | None]:
    """The totals by `videor2.rewards.score` itself."""
    events = (Event(3.0, 4.0, "a red circle appears"),)
    rollouts = [Rollout(response, "Which?", ("blue", "red"), "choice", events, "B") for response in RESPONSES]
    return [parts.total(weights) for parts in asyncio.run(rewards.score(rollouts))]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer().running() as server:
        yield server


def test_the_total_is_that_of_the_scores() -> None:
    assert overall(compute_score(inputs(*RESPONSES))) == as_scored(Weights()) == [3.0, 1.0, 2.0, 2.0, 0.0]
    weights = {"accuracy": 0.5, "format": 0.0, "gated_alignment": 2.0}
    assert overall(compute_score(inputs(*RESPONSES), weights=weights)) == as_scored(Weights(0.5, 0.0, 2.0))


def test_messages_score_as_their_text() -> None:
    messages = [{"role": "assistant", "content": RIGHT}]
    assert compute_score([{"response": messages, "ground_truth": TRUTH}]) == compute_score(inputs(RIGHT))


def test_the_module_works_as_the_file_that_easyr1_loads() -> None:
    """As FunctionRewardManager does: the file under a name of its own, the settings by partial, numbers averaged."""
    spec = importlib.util.spec_from_file_location("custom_reward_fn", easyr1.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_reward_fn"] = module
    try:
        spec.loader.exec_module(module)
        assert (module.REWARD_NAME, module.REWARD_TYPE) == (REWARD_NAME, REWARD_TYPE) == ("videor2", "batch")
        reward = partial(module.compute_score, **{"judge": "rules", "weights": {"format": 0.5}})
        scores = reward(inputs(*RESPONSES) + inputs(RIGHT, truth=pack_ground_truth("B")))
    finally:
        del sys.modules["custom_reward_fn"]
    metrics = defaultdict(list)
    for score in scores:
        for key, value in score.items():
            metrics[key].append(value)
    means = {key: math.fsum(values) / len(values) for key, values in metrics.items()}
    assert {key: len(values) for key, values in metrics.items() if key in ALWAYS} == dict.fromkeys(ALWAYS, 6)
    assert (len(metrics["tar"]), means["tar"]) == (5, 0.6)  # not over the row that has no events
    assert all(math.isfinite(mean) for mean in means.values())


def test_an_empty_batch_has_no_rewards() -> None:
    assert compute_score([]) == []


def flaky(body: dict[str, Any]) -> Reply:
    """Down for the short reasonings."""
    return says("B") if "very" in body["messages"][-1]["content"] else Reply(status=403)


def test_an_outage_drops_the_gated_alignment_of_its_whole_group_and_no_other(
    server: JudgeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = flaky
    judged = UNDECIDED.replace("hard", "very hard")
    # EasyR1 reorders a batch by length before it asks for rewards: groups are not neighbours.
    batch = [
        *inputs(RIGHT, judged),
        *inputs(RIGHT, truth=OTHER),
        *inputs(UNDECIDED, CONTRADICTS),
        *inputs(judged, truth=OTHER),
    ]
    with caplog.at_level(logging.WARNING):
        rows = compute_score(batch, judge=f"rules then openai:{server.url}#m")
    assert overall(rows) == [2.0, 2.0, 3.0, 2.0, 1.0, 3.0]
    assert [row["gated_alignment"] for row in rows] == [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    assert [row["judge_failed"] for row in rows] == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert [row.get("gate") for row in rows] == [1.0, 1.0, 1.0, None, 0.0, 1.0]
    assert "no gated alignment for 1 of 2 groups: 1 of 6 responses could not be scored (gate: " in caplog.text


def test_a_reward_without_gated_alignment_needs_no_judge(server: JudgeServer) -> None:
    server.in_order(Reply(status=403))
    weights = {"gated_alignment": 0.0}
    rows = compute_score(inputs(UNDECIDED, RIGHT), weights=weights, judge=f"openai:{server.url}#m")
    assert overall(rows) == [2.0, 2.0]


def test_calls_in_and_out_of_running_loops_give_the_same(server: JudgeServer) -> None:
    def overalls() -> list[float]:
        return overall(compute_score(inputs(*RESPONSES), judge=f"rules then openai:{server.url}#m"))

    async def inside() -> list[list[float]]:
        return [overalls(), overalls()]

    assert [overalls(), *asyncio.run(inside()), overalls()] == [[3.0, 1.0, 3.0, 2.0, 0.0]] * 4


@pytest.mark.parametrize(
    ("truth", "says_what"),
    [
        ('{"answer": "B"', "not JSON .*; write it with pack_ground_truth"),
        ("B", "no 'events'"),
        ('{"answer": "B", "events": [], "video": "x"}', "no field 'video'"),
        ('{"answer": "B", "events": [{"start_s": 5, "end_s": 3, "sentence": "x"}]}', "'events': event 0: must have"),
    ],
)
def test_a_bad_ground_truth_is_named(truth: str, says_what: str) -> None:
    with pytest.raises(InputError, match=rf"^reward input 1: ground truth .*: {says_what}"):
        compute_score(inputs(RIGHT) + inputs(RIGHT, truth=truth))


def test_one_input_for_a_batch_is_named() -> None:
    with pytest.raises(InputError, match="REWARD_TYPE"):
        compute_score(inputs(RIGHT)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("events", [EVENTS, [{"start_s": 3, "end_s": 4, "sentence": "a red circle appears"}]])
def test_packing_gives_one_form(events: Any) -> None:
    assert json.loads(pack_ground_truth("B", events, "Which?", {"A": "blue", "B": "red"}, "choice")) == {
        "answer": "B",
        "events": [{"start_s": 3.0, "end_s": 4.0, "sentence": "a red circle appears"}],
        "question": "Which?",
        "options": ["blue", "red"],
        "kind": "choice",
    }


def test_packing_refuses_what_no_reward_could_read() -> None:
    with pytest.raises(InputError, match=r"^pack_ground_truth: .*'soon' is no time"):
        pack_ground_truth("B", {"soon": "a red circle appears"})
    with pytest.raises(InputError, match="no 'answer'"):
        pack_ground_truth("")
