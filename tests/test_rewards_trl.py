"""Rewards for TRL: the scores, one per completion, and None only for whole groups."""

import json
import logging
from collections import defaultdict
from typing import Any

import pytest

from videor2.errors import InputError
from videor2.judges import Conclusion, conclude
from videor2.rewards import GatedAlignment, RewardConfig, Rollout, gated_alignment
from videor2.rewards.trl import accuracy_reward, format_reward, gated_alignment_reward, make_rewards
from videor2.scores.consistency import consistency
from videor2.timeline import Event

CLAIM = "At 00:03 a red circle appears."
RIGHT = f"<think>{CLAIM} So the answer is B.</think><answer>B</answer>"
CONTRADICTS = f"<think>{CLAIM} So the answer is B.</think><answer>A</answer>"
UNDECIDED = f"<think>{CLAIM} It is hard to say.</think><answer>B</answer>"
LATE = "<think>At 00:50 a red circle appears. So the answer is B.</think><answer>B</answer>"
EVENTS = [{"start_s": 3.0, "end_s": 4.0, "sentence": "a red circle appears"}]


def conversation(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def columns(n: int, **more: Any) -> dict[str, Any]:
    """What TRL passes beside the completions, for n completions of one sample."""
    shared: dict[str, Any] = {
        "answer": "B",
        "options": ["blue", "red"],
        "kind": "choice",
        "question": "Which?",
        "events": EVENTS,
    }
    repeated = {name: [value] * n for name, value in (shared | more).items()}
    return repeated | {"trainer_state": object()}


def test_accuracy_compares_each_completion_with_its_answer() -> None:
    completions = [RIGHT, CONTRADICTS, "cut off"]
    assert accuracy_reward(["p"] * 3, completions, **columns(3)) == [1.0, 0.0, 0.0]


def test_format_asks_for_one_think_and_one_answer() -> None:
    assert format_reward(["p"] * 2, [RIGHT, "B"], **columns(2)) == [1.0, 0.0]


def test_alignment_counts_only_where_reasoning_and_answer_agree() -> None:
    completions = [RIGHT, CONTRADICTS, UNDECIDED, LATE]
    assert gated_alignment_reward(["p"] * 4, completions, **columns(4)) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("reward", make_rewards())
def test_conversations_score_as_their_text(reward: Any) -> None:
    texts = [RIGHT, CONTRADICTS, "cut off"]
    prompts = [[{"role": "user", "content": "Which?"}]] * 3
    plain = reward(["p"] * 3, texts, [[1]] * 3, **columns(3))
    assert reward(prompts, [conversation(text) for text in texts], [[1]] * 3, **columns(3)) == plain


def test_reasoning_that_the_trainer_took_out_is_put_back() -> None:
    message = {
        "role": "assistant",
        "content": "<answer>B</answer>",
        "reasoning_content": f"{CLAIM} So the answer is B.",
    }
    assert gated_alignment_reward(["p"], [[message]], **columns(1)) == [1.0]
    assert format_reward(["p"], [[message]], **columns(1)) == [1.0]


def test_content_may_come_in_parts_and_tool_results_do_not_count() -> None:
    parts = [{"type": "text", "text": RIGHT[:20]}, {"type": "text", "text": RIGHT[20:]}]
    messages = [{"role": "tool", "content": "noise"}, {"role": "assistant", "content": parts}]
    assert format_reward(["p"], [messages], **columns(1)) == [1.0]


@pytest.mark.parametrize("events", [[], None, "", "[]", {}])
def test_a_sample_without_events_has_no_alignment_reward(events: Any) -> None:
    assert gated_alignment_reward(["p"] * 2, [RIGHT, LATE], **columns(2, events=events)) == [None, None]


@pytest.mark.parametrize(
    "events",
    [
        json.dumps(EVENTS),
        {"00:03-00:04": "a red circle appears"},
        json.dumps({"00:03": "a red circle appears"}),
        {"00:03": "a red circle appears", "00:40": None},
    ],
    ids=["JSON list", "by time", "JSON by time", "by time, as Arrow fills it"],
)
def test_events_come_in_many_forms(events: Any) -> None:
    assert gated_alignment_reward(["p"], [RIGHT], **columns(1, events=events)) == [1.0]


def test_events_that_cannot_be_read_are_named() -> None:
    with pytest.raises(InputError, match=r"^training set, id clip-7, column 'events': "):
        gated_alignment_reward(["p"], [RIGHT], **columns(1, events={"soon": "x"}, id="clip-7"))
    with pytest.raises(InputError, match=r"^training set, row 0, column 'events': "):
        gated_alignment_reward(["p"], [RIGHT], **columns(1, events="{not json"))


@pytest.mark.parametrize(("reward", "column"), [(accuracy_reward, "answer"), (gated_alignment_reward, "events")])
def test_a_missing_column_is_named_with_those_that_are_there(reward: Any, column: str) -> None:
    rest = columns(1, id=1)
    del rest[column]
    with pytest.raises(InputError, match=rf"no column '{column}' \(found: .*id, kind, options, question\)"):
        reward(["p"], [RIGHT], **rest)


class Logs:
    """The two callbacks that TRL passes, and what came through them."""

    def __init__(self) -> None:
        self.metrics: dict[str, list[float]] = defaultdict(list)
        self.extra: dict[str, list[Any]] = {}

    def columns(self) -> dict[str, Any]:
        return {
            "log_metric": lambda name, value: self.metrics[name].append(value),
            "log_extra": lambda name, values: self.extra.update({name: values}),
        }


def test_gate_alignment_and_their_product_are_logged_apart() -> None:
    logs = Logs()
    completions = [RIGHT, CONTRADICTS, UNDECIDED, LATE]
    gated_alignment_reward(["p"] * 4, completions, **columns(4), **logs.columns())
    assert logs.metrics == {
        "alignment/gate": [0.5],
        "alignment/undetermined": [0.25],
        "alignment/failed": [0.0],
        "alignment/tar": [0.75],
        "alignment/precision": [0.75],
        "alignment/recall": [0.75],
        "alignment/abstained": [0.0],
        "alignment/gated": [0.25],
    }
    assert logs.extra["gate"] == [1.0, 0.0, 0.0, 1.0]
    assert logs.extra["tar"] == [1.0, 1.0, 1.0, 0.0]
    assert all(len(values) == 4 for values in logs.extra.values())


def test_a_mean_over_nothing_is_not_logged() -> None:
    logs = Logs()
    gated_alignment_reward(["p"], [RIGHT], **columns(1, events=[]), **logs.columns())
    assert logs.metrics["alignment/abstained"] == [1.0]
    assert logs.metrics["alignment/gate"] == [1.0]
    assert not {"alignment/tar", "alignment/precision", "alignment/gated"} & set(logs.metrics)


def flaky(think: str, **kwargs: Any) -> Conclusion:
    """A judge that times out on the reasonings that need one."""
    return Conclusion(None, "error", "timed out") if "hard to say" in think else conclude(think, **kwargs)


def test_one_failed_score_drops_the_reward_of_its_whole_group_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    prompts = [[{"role": "user", "content": p}] for p in ("one", "one", "two", "two")]
    completions = [RIGHT, UNDECIDED, RIGHT, CONTRADICTS]
    logs = Logs()
    with caplog.at_level(logging.WARNING):
        got = make_rewards(judge=flaky)[-1](prompts, completions, **columns(4), **logs.columns())
    assert got == [None, None, 1.0, 0.0]
    assert "1 of its 2 completions could not be scored (gate: timed out)" in caplog.text
    assert logs.metrics["alignment/failed"] == [0.25]


def test_groups_are_told_apart_by_id_where_prompts_are_equal() -> None:
    completions = [RIGHT, UNDECIDED, RIGHT, CONTRADICTS]
    with_ids = columns(4) | {"id": ["a", "a", "b", "b"]}
    assert make_rewards(judge=flaky)[-1](["same"] * 4, completions, **with_ids) == [None, None, 1.0, 0.0]
    assert make_rewards(judge=flaky)[-1](["same"] * 4, completions, **columns(4)) == [None] * 4


def test_a_failed_judge_does_not_touch_the_other_rewards() -> None:
    assert make_rewards(judge=flaky)[0](["p"] * 2, [RIGHT, UNDECIDED], **columns(2)) == [1.0, 1.0]


def test_the_names_of_the_rewards_are_what_a_log_should_say() -> None:
    names = [reward.__name__ for reward in make_rewards()]  # type: ignore[attr-defined]
    assert names == ["accuracy_reward", "format_reward", "gated_alignment_reward"]


def test_the_config_decides_what_matches() -> None:
    near = "<think>At 00:07 a red circle appears. So the answer is B.</think><answer>B</answer>"
    rest = columns(1, events=[{"start_s": 3.0, "end_s": 3.0, "sentence": "a red circle appears"}])
    results = [
        make_rewards(config)[-1](["p"], [near], **rest)
        for config in (
            RewardConfig(),
            RewardConfig(buffer_s=4),
            RewardConfig(variant="precision_greedy"),
            RewardConfig(buffer_s=4, threshold=1.1),
        )
    ]
    assert results == [[0.0], [1.0], [1.0], [0.0]]


def test_columns_named_like_arguments_do_no_harm() -> None:
    rest = columns(1, config="x", embedder="y", video="z.mp4")
    assert [reward(["p"], [RIGHT], **rest) for reward in make_rewards()] == [[1.0], [1.0], [1.0]]


def test_the_parts_of_a_reward_are_those_of_the_scores() -> None:
    rollout = Rollout(RIGHT, options=("blue", "red"), events=(Event(3, 4, "a red circle appears"),))
    [parts] = gated_alignment([rollout])
    assert isinstance(parts, GatedAlignment)
    assert parts.consistency == consistency(RIGHT, options=("blue", "red"))
    assert parts.alignment.pairs == ((0, 0),)
    assert (parts.gate.value, parts.score.value) == (1.0, 1.0)
