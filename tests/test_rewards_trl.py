"""Rewards for TRL: the scores, one per completion, and None only for whole groups."""

import asyncio
import inspect
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from judge_server import JudgeServer, Reply, judge_of, says
from videor2.answers import Value
from videor2.errors import InputError
from videor2.judges import Conclusion, conclude
from videor2.judges.pool import JudgePool
from videor2.rewards import GatedAlignment, Parts, RewardConfig, Rollout, Weights, gated_alignment, score
from videor2.rewards.trl import FAILED, accuracy_reward, format_reward, gated_alignment_reward, make_rewards
from videor2.scores.consistency import consistency
from videor2.scores.embed import Array, Embedder, default_embedder
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


def call(reward: Any, *arguments: Any, **columns: Any) -> list[float | None]:
    rewards: list[float | None] = asyncio.run(reward(*arguments, **columns))
    return rewards


def test_accuracy_compares_each_completion_with_its_answer() -> None:
    completions = [RIGHT, CONTRADICTS, "cut off"]
    assert call(accuracy_reward, ["p"] * 3, completions, **columns(3)) == [1.0, 0.0, 0.0]


def test_format_asks_for_one_think_and_one_answer() -> None:
    assert call(format_reward, ["p"] * 2, [RIGHT, "B"], **columns(2)) == [1.0, 0.0]


def test_alignment_counts_only_where_reasoning_and_answer_agree() -> None:
    completions = [RIGHT, CONTRADICTS, UNDECIDED, LATE]
    assert call(gated_alignment_reward, ["p"] * 4, completions, **columns(4)) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("reward", make_rewards())
def test_conversations_score_as_their_text(reward: Any) -> None:
    texts = [RIGHT, CONTRADICTS, "cut off"]
    prompts = [[{"role": "user", "content": "Which?"}]] * 3
    plain = call(reward, ["p"] * 3, texts, [[1]] * 3, **columns(3))
    assert call(reward, prompts, [conversation(text) for text in texts], [[1]] * 3, **columns(3)) == plain


def test_reasoning_that_the_trainer_took_out_is_put_back() -> None:
    message = {
        "role": "assistant",
        "content": "<answer>B</answer>",
        "reasoning_content": f"{CLAIM} So the answer is B.",
    }
    assert call(gated_alignment_reward, ["p"], [[message]], **columns(1)) == [1.0]
    assert call(format_reward, ["p"], [[message]], **columns(1)) == [1.0]


def test_content_may_come_in_parts_and_tool_results_do_not_count() -> None:
    parts = [{"type": "text", "text": RIGHT[:20]}, {"type": "text", "text": RIGHT[20:]}]
    messages = [{"role": "tool", "content": "noise"}, {"role": "assistant", "content": parts}]
    assert call(format_reward, ["p"], [messages], **columns(1)) == [1.0]


@pytest.mark.parametrize("events", [[], None, "", "[]", {}])
def test_a_sample_without_events_has_no_alignment_reward(events: Any) -> None:
    assert call(gated_alignment_reward, ["p"] * 2, [RIGHT, LATE], **columns(2, events=events)) == [None, None]


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
    assert call(gated_alignment_reward, ["p"], [RIGHT], **columns(1, events=events)) == [1.0]


def test_events_that_cannot_be_read_are_named() -> None:
    with pytest.raises(InputError, match=r"^training set, id clip-7, column 'events': "):
        call(gated_alignment_reward, ["p"], [RIGHT], **columns(1, events={"soon": "x"}, id="clip-7"))
    with pytest.raises(InputError, match=r"^training set, row 0, column 'events': "):
        call(gated_alignment_reward, ["p"], [RIGHT], **columns(1, events="{not json"))


@pytest.mark.parametrize(("reward", "column"), [(accuracy_reward, "answer"), (gated_alignment_reward, "events")])
def test_a_missing_column_is_named_with_those_that_are_there(reward: Any, column: str) -> None:
    rest = columns(1, id=1)
    del rest[column]
    with pytest.raises(InputError, match=rf"no column '{column}' \(found: .*id, kind, options, question\)"):
        call(reward, ["p"], [RIGHT], **rest)


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
    call(gated_alignment_reward, ["p"] * 4, completions, **columns(4), **logs.columns())
    assert logs.metrics == {
        "alignment/gate": [0.5],
        "alignment/undetermined": [0.25],
        "alignment/tar": [0.75],
        "alignment/precision": [0.75],
        "alignment/recall": [0.75],
        "alignment/abstained": [0.0],
        "alignment/gated": [0.25],
        "rewards/failed": [0.0],
        "rewards/dropped_groups": [0.0],
    }
    assert logs.extra["gate"] == [1.0, 0.0, 0.0, 1.0]
    assert logs.extra["tar"] == [1.0, 1.0, 1.0, 0.0]
    assert all(len(values) == 4 for values in logs.extra.values())


def test_a_mean_over_nothing_is_not_logged() -> None:
    logs = Logs()
    call(gated_alignment_reward, ["p"], [RIGHT], **columns(1, events=[]), **logs.columns())
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
        got = call(make_rewards(judge=flaky)[-1], prompts, completions, **columns(4), **logs.columns())
    assert got == [None, None, 1.0, 0.0]
    assert "1 of its 2 completions could not be scored (gate: timed out)" in caplog.text
    assert logs.metrics[FAILED] == [0.25]
    assert logs.metrics["rewards/dropped_groups"] == [1.0]


def test_an_outage_is_told_when_it_begins_and_counted_as_long_as_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reward, logs = make_rewards(judge=flaky)[-1], Logs()
    for completion in (UNDECIDED, UNDECIDED, RIGHT, UNDECIDED):
        call(reward, ["one", "one", "two"], [completion, RIGHT, completion], **columns(3), **logs.columns())
    told = [record.levelname for record in caplog.records if record.name == "videor2.rewards.trl"]
    assert told == ["WARNING", "INFO", "WARNING"]
    assert logs.metrics["rewards/dropped_groups"] == [2, 2, 0, 2]
    assert [round(share, 3) for share in logs.metrics[FAILED]] == [0.667, 0.667, 0, 0.667]


def test_a_failure_is_logged_where_nothing_else_has_a_value() -> None:
    logs = Logs()
    call(make_rewards(judge=flaky)[-1], ["p"], [UNDECIDED], **columns(1), **logs.columns())
    assert logs.metrics[FAILED] == [1.0]
    assert "alignment/gated" not in logs.metrics


def test_groups_are_told_apart_by_id_where_prompts_are_equal() -> None:
    completions = [RIGHT, UNDECIDED, RIGHT, CONTRADICTS]
    with_ids = columns(4) | {"id": ["a", "a", "b", "b"]}
    assert call(make_rewards(judge=flaky)[-1], ["same"] * 4, completions, **with_ids) == [None, None, 1.0, 0.0]
    assert call(make_rewards(judge=flaky)[-1], ["same"] * 4, completions, **columns(4)) == [None] * 4


def test_a_failed_judge_does_not_touch_the_other_rewards() -> None:
    assert call(make_rewards(judge=flaky)[0], ["p"] * 2, [RIGHT, UNDECIDED], **columns(2)) == [1.0, 1.0]


def test_the_names_of_the_rewards_are_what_a_log_should_say() -> None:
    names = [reward.__name__ for reward in make_rewards()]  # type: ignore[attr-defined]
    assert names == ["accuracy_reward", "format_reward", "gated_alignment_reward"]


def test_the_config_decides_what_matches() -> None:
    near = "<think>At 00:07 a red circle appears. So the answer is B.</think><answer>B</answer>"
    rest = columns(1, events=[{"start_s": 3.0, "end_s": 3.0, "sentence": "a red circle appears"}])
    results = [
        call(make_rewards(config)[-1], ["p"], [near], **rest)
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
    assert [call(reward, ["p"], [RIGHT], **rest) for reward in make_rewards()] == [[1.0], [1.0], [1.0]]


def test_the_parts_of_a_reward_are_those_of_the_scores() -> None:
    rollout = Rollout(RIGHT, options=("blue", "red"), events=(Event(3, 4, "a red circle appears"),))
    [parts] = asyncio.run(gated_alignment([rollout]))
    assert isinstance(parts, GatedAlignment)
    assert parts.consistency == consistency(RIGHT, options=("blue", "red"))
    assert parts.alignment.pairs == ((0, 0),)
    assert (parts.gate.value, parts.score.value) == (1.0, 1.0)


def test_the_rewards_are_coroutine_functions_so_that_the_trainer_awaits_them() -> None:
    functions = [accuracy_reward, format_reward, gated_alignment_reward, *make_rewards(judge=flaky)]
    assert all(inspect.iscoroutinefunction(function) for function in functions)


# With a model for a judge, over HTTP.


def thinking(n: int) -> list[str]:
    """Responses whose reasonings differ, and settle nothing that rules could read."""
    return [f"<think>{CLAIM} Look {i}: hard to say.</think><answer>B</answer>" for i in range(n)]


def test_the_judge_is_asked_about_all_completions_at_once(server: JudgeServer) -> None:
    all_here = threading.Barrier(8)
    server.script = lambda _: says("B", meet=all_here)
    reward = make_rewards(judge=judge_of(server.url, "m"))[-1]
    assert call(reward, ["p"] * 8, thinking(8), **columns(8)) == [1.0] * 8


def test_equal_reasonings_are_asked_about_once(server: JudgeServer) -> None:
    reward = make_rewards(judge=judge_of(server.url, "m"))[-1]
    assert call(reward, ["p"] * 8, thinking(2) * 4, **columns(8)) == [1.0] * 8
    assert len(server.requests) == 2


def test_a_wrong_letter_closes_the_gate(server: JudgeServer) -> None:
    server.script = lambda _: says("A")
    assert call(make_rewards(judge=judge_of(server.url, "m"))[-1], ["p"], thinking(1), **columns(1)) == [0.0]


@pytest.mark.parametrize(
    "failure",
    [
        Reply(status=500),
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(drop=True),
        Reply("the answer is B"),
        Reply(raw=b'{"choices": [{"mess'),
        says("Z"),
        says("B", after_s=5),
    ],
    ids=["500", "429", "dropped", "no JSON", "half a JSON", "no such letter", "late"],
)
def test_whatever_fails_one_group_loses_its_reward_and_nobody_gets_0(server: JudgeServer, failure: Reply) -> None:
    server.script = lambda body: failure if "Look 1:" in body["messages"][1]["content"] else says("B")
    pool = JudgePool(judge_of(server.url, "m", retries=0), deadline_s=1.0)
    reward, logs = make_rewards(judge=pool)[-1], Logs()
    got = call(reward, ["one"] * 2 + ["two"] * 2, thinking(4), **columns(4), **logs.columns())
    assert got == [None, None, 1.0, 1.0]
    assert logs.metrics[FAILED] == [0.25]


def test_sentences_are_embedded_while_the_judge_is_waited_for(server: JudgeServer) -> None:
    embedded = threading.Event()

    class Telling(Embedder):
        def embed(self, sentences: Sequence[str]) -> Array:
            vectors = super().embed(sentences)
            embedded.set()
            return vectors

    async def judge(_: str, **__: Any) -> Conclusion:
        assert await asyncio.to_thread(embedded.wait, 10)
        return Conclusion(Value("letter", "B"), "judge")

    reward = make_rewards(judge=judge, embedder=Telling(default_embedder()._model))[-1]
    assert call(reward, ["p"], thinking(1), **columns(1)) == [1.0]


def test_an_error_of_ours_ends_the_wait_for_the_judge() -> None:
    let_go = threading.Event()

    async def judge(_: str, **__: Any) -> Conclusion:
        try:
            await asyncio.sleep(60)
        finally:
            let_go.set()
        raise AssertionError

    with pytest.raises(InputError, match="no alignment variant"):
        call(make_rewards(RewardConfig(variant="f2"), judge=judge)[-1], ["p"], thinking(1), **columns(1))
    assert let_go.is_set()


def test_the_rewards_run_together_step_after_step_in_the_loop_of_the_trainers_thread(server: JudgeServer) -> None:
    rewards = make_rewards(judge=judge_of(server.url, "m"))

    async def together() -> list[list[float | None]]:
        return await asyncio.gather(*(reward(["p"] * 4, thinking(4), **columns(4)) for reward in rewards))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    for _ in range(2):
        assert asyncio.run_coroutine_threadsafe(together(), loop).result(timeout=30) == [[1.0] * 4] * 3
    asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(timeout=30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


# All parts together.

ROLLOUT = Rollout(RIGHT, "Which?", ("blue", "red"), "choice", (Event(3, 4, "a red circle appears"),), "B")


def total(rollout: Rollout, weights: Weights = Weights(), **how: Any) -> float | None:  # noqa: B008
    [parts] = asyncio.run(score([rollout], **how))
    assert isinstance(parts, Parts)
    return parts.total(weights)


def test_the_total_is_the_weighted_sum_of_the_parts() -> None:
    assert total(ROLLOUT) == 3.0
    assert total(ROLLOUT, Weights(2, 0.5, 0.25)) == 2.75
    assert total(replace(ROLLOUT, response=CONTRADICTS)) == 1.0


def test_a_part_that_abstains_adds_nothing() -> None:
    assert total(replace(ROLLOUT, events=())) == 2.0
    assert total(replace(ROLLOUT, events=(), answer=None)) == 1.0


def test_there_is_no_total_where_a_part_that_counts_failed() -> None:
    undecided = replace(ROLLOUT, response=UNDECIDED)
    assert total(undecided, judge=JudgePool(flaky)) is None
    assert total(undecided, Weights(gated_alignment=0), judge=JudgePool(flaky)) == 2.0


def test_scores_come_in_the_order_of_the_responses() -> None:
    rollouts = [replace(ROLLOUT, response=r) for r in (RIGHT, "cut off", CONTRADICTS, RIGHT)]
    assert [parts.total() for parts in asyncio.run(score(rollouts))] == [3.0, 0.0, 1.0, 3.0]


def test_the_rules_and_no_judge_are_the_same() -> None:
    assert asyncio.run(score([ROLLOUT])) == asyncio.run(score([ROLLOUT], judge=JudgePool(conclude)))
