"""The rewards for ms-swift: the scores' numbers, its own caller, and an outage that is nobody's fault."""

import asyncio
import importlib
import logging
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from judge_server import JudgeServer, Reply, says
from peers import package, pieces
from videor2 import rewards
from videor2.errors import InputError
from videor2.rewards import Rollout, swift
from videor2.rewards.swift import AccuracyReward, FormatReward, make_rewards
from videor2.timeline import Event

CLAIM = "At 00:03 a red circle appears."
RIGHT = f"<think>{CLAIM} So the answer is B.</think><answer>B</answer>"
CONTRADICTS = f"<think>{CLAIM} So the answer is B.</think><answer>A</answer>"
UNDECIDED = f"<think>{CLAIM} It is hard to say.</think><answer>B</answer>"
LATE = "<think>At 00:50 a red circle appears. So the answer is B.</think><answer>B</answer>"
RESPONSES = [RIGHT, CONTRADICTS, UNDECIDED, LATE, "cut off"]
EVENTS = [{"start_s": 3.0, "end_s": 4.0, "sentence": "a red circle appears"}]
ROW = {"answer": "B", "events": EVENTS, "options": ["blue", "red"], "kind": "choice", "question": "Which?"}


def columns(n: int, **more: Any) -> dict[str, Any]:
    """What ms-swift passes beside the completions: swift/rl_core/data.py, to_reward_row, and the trainer's state."""
    row = {"prompt_id": "prompt_0", "request_id": "r", "finish_reason": "stop", "is_truncated": False} | ROW | more
    return {name: [value] * n for name, value in row.items()} | {"trainer_state": object()}


def gated(completions: list[Any], columns: dict[str, Any], **settings: Any) -> list[float | None]:
    reward = make_rewards(**settings)["videor2_gated_alignment"]()
    result: list[float | None] = asyncio.run(reward(completions, **columns))
    return result


def totals(completions: list[Any], columns: dict[str, Any]) -> list[float]:
    """Summed as ms-swift does with equal weights: None counts 0."""
    each = AccuracyReward()(completions, **columns), FormatReward()(completions, **columns), gated(completions, columns)
    return [sum(value or 0.0 for value in values) for values in zip(*each, strict=True)]


def as_scored() -> list[float | None]:
    """The totals by `videor2.rewards.score` itself."""
    events = (Event(3.0, 4.0, "a red circle appears"),)
    rollouts = [Rollout(response, "Which?", ("blue", "red"), "choice", events, "B") for response in RESPONSES]
    return [parts.total() for parts in asyncio.run(rewards.score(rollouts))]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer().running() as server:
        yield server


def test_the_total_is_that_of_the_scores() -> None:
    assert totals(RESPONSES, columns(5)) == as_scored() == [3.0, 1.0, 2.0, 2.0, 0.0]


def test_messages_score_as_their_text() -> None:
    messages = [[{"role": "assistant", "content": response}] for response in RESPONSES]
    assert totals(messages, columns(5)) == totals(RESPONSES, columns(5))


def test_the_answer_may_be_called_solution() -> None:
    rest = columns(2, solution="B")
    del rest["answer"]
    assert AccuracyReward()([RIGHT, CONTRADICTS], **rest) == [1.0, 0.0]


def test_rewards_need_only_the_columns_that_they_read() -> None:
    assert FormatReward()([RIGHT, "B"]) == [1.0, 0.0]
    assert AccuracyReward()([RIGHT], answer=["B"]) == [1.0]
    assert gated([RIGHT], {"events": [{"00:03": "a red circle appears"}]}) == [1.0]


def test_without_events_there_is_no_alignment_reward() -> None:
    assert gated([RIGHT, LATE], columns(2, events=[])) == [None, None]


@pytest.mark.parametrize(
    ("row", "says_what"),
    [
        ({"events": None}, "no 'events'"),
        ({"events": {"soon": "x"}}, "'events': 'soon' is no time"),
        ({"events": EVENTS, "kind": "quiz"}, "no 'kind' 'quiz'"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, Any], says_what: str) -> None:
    with pytest.raises(InputError, match=rf"^training set, id clip-7: ground truth .*: {says_what}"):
        gated([RIGHT], columns(1, id="clip-7", **row))
    with pytest.raises(InputError, match=r"^training set, id 0: .*no 'answer'"):
        AccuracyReward()([RIGHT], **columns(1, answer=None))


def test_means_of_the_parts_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="videor2.rewards.swift"):
        gated(RESPONSES[:4], columns(4))
    assert "gate: mean 0.500 over 4 of 4 completions" in caplog.text
    assert "tar: mean 0.750 over 4 of 4 completions" in caplog.text


def flaky(body: dict[str, Any]) -> Reply:
    """Down for the short reasonings."""
    return says("B") if "very" in body["messages"][-1]["content"] else Reply(status=403)


@pytest.mark.parametrize("by", ["id", "prompt_id", "messages"])
def test_an_outage_drops_the_reward_of_its_whole_group_and_no_other(
    by: str, server: JudgeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = flaky
    completions = [RIGHT, UNDECIDED, RIGHT, UNDECIDED.replace("hard", "very hard")]
    rest = columns(4, prompt_id="")
    if by == "messages":
        rest["messages"] = [[{"content": asked}, {"content": "response"}] for asked in "aabb"]
    else:
        rest[by] = ["a", "a", "b", "b"]
    with caplog.at_level(logging.WARNING):
        assert gated(completions, rest, judge=f"rules then openai:{server.url}#m") == [None, None, 1.0, 1.0]
    assert "no gated alignment for 1 of 2 groups: 1 of 4 completions could not be scored (gate: " in caplog.text


def test_where_groups_are_not_known_all_are_dropped(server: JudgeServer) -> None:
    server.script = flaky
    rest = columns(2)
    del rest["prompt_id"]
    assert gated([RIGHT, UNDECIDED], rest, judge=f"rules then openai:{server.url}#m") == [None, None]


def test_groups_that_processes_share_are_refused_where_a_judge_can_fail() -> None:
    args = SimpleNamespace(per_device_train_batch_size=4, steps_per_generation=1, num_generations=8)
    with pytest.raises(InputError, match=r"= 4 \* 1 responses, which splits groups of num_generations = 8"):
        make_rewards(judge="openai:http://judge:8000#m")["videor2_gated_alignment"](args=args)
    make_rewards()["videor2_gated_alignment"](args=args)  # the rules never fail
    args.steps_per_generation = 2
    make_rewards(judge="openai:http://judge:8000#m")["videor2_gated_alignment"](args=args)


def test_calls_in_and_out_of_running_loops_give_the_same(server: JudgeServer) -> None:
    reward = make_rewards(judge=f"openai:{server.url}#m")["videor2_gated_alignment"]()

    async def twice() -> list[Any]:
        return [await reward([UNDECIDED], **columns(1)), await reward([UNDECIDED], **columns(1))]

    assert [*asyncio.run(twice()), *asyncio.run(twice())] == [[1.0]] * 4


@pytest.mark.parametrize(
    ("settings", "says_what"),
    [
        ({"weights": {}}, "--reward_weights"),
        ({"buffer": 2}, "no reward setting 'buffer'"),
        ({"judge": "x"}, "no judge"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], says_what: str) -> None:
    with pytest.raises(InputError, match=says_what):
        make_rewards(**settings)


@pytest.fixture
def orms(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """ms-swift's registry, with these rewards in it as a plugin puts them there, beside its own base classes."""
    source = package("swift")
    orm, dataset = ModuleType("swift.rewards"), ModuleType("swift.dataset")
    vars(orm).update(pieces(source / "rewards/orm.py", "ORM", "AsyncORM"))
    batching = pieces(source / "dataset/preprocessor/core.py", "RowPreprocessor.rows_to_batched")
    vars(dataset)["RowPreprocessor"] = SimpleNamespace(**{"rows_to_batched": batching["rows_to_batched"]})
    for module in (ModuleType("swift"), orm, dataset):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield importlib.reload(swift).make_rewards()
    monkeypatch.undo()
    importlib.reload(swift)


def test_ms_swift_itself_finds_and_calls_them(orms: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    source = package("swift")
    caller = pieces(
        source / "rl_core/grpo_algorithm.py",
        *("_is_async_reward", "compute_rewards_per_func"),
        torch=torch,
        nn=torch.nn,
        logger=logging.getLogger("swift"),
    )
    to_row = pieces(source / "rl_core/data.py", "OnPolicySample.to_reward_row")["to_reward_row"]
    own = {"request_id": "r", "finish_reason": "stop", "is_truncated": False, "rollout_infos": {}}

    class Sample(SimpleNamespace):
        """The fields of a sample that the caller reads."""

        to_reward_row = to_row

        def _standard_fields(self) -> dict[str, Any]:
            return {"messages": self.messages}

    asked = {"role": "user", "content": "<video>Which?"}
    samples = [
        Sample(
            messages=[asked, {"role": "assistant", "content": response}],
            prompt_id="prompt_0",
            response_token_ids=[],
            extra=ROW,
            **own,
        )
        for response in RESPONSES
    ]
    # As _prepare_rewards does: by name from the registry, with the trainer's arguments.
    funcs = [orms[f"videor2_{name}"](args=SimpleNamespace()) for name in ("accuracy", "format", "gated_alignment")]
    base = sys.modules["swift.rewards"]
    assert [isinstance(func, base.ORM) for func in funcs] == [True, True, False]
    assert isinstance(funcs[2], base.AsyncORM)
    assert [caller["_is_async_reward"](func) for func in funcs] == [False, False, True]
    per_func = caller["compute_rewards_per_func"](samples, funcs, None, torch.device("cpu"))
    assert per_func.nansum(dim=1).tolist() == as_scored()
    assert [type(func).__name__ for func in funcs] == ["AccuracyReward", "FormatReward", "GatedAlignmentReward"]


def test_in_ms_swift_an_outage_is_no_advantage_for_anyone(orms: dict[str, Any], server: JudgeServer) -> None:
    torch = pytest.importorskip("torch")
    source = package("swift")
    nanstd = pieces(source / "utils/torch_utils.py", "nanstd", torch=torch)["nanstd"]
    advantages = pieces(source / "rl_core/advantage.py", "compute_advantages", torch=torch, nanstd=nanstd)
    server.script = flaky
    group = [RIGHT, UNDECIDED, CONTRADICTS, LATE]  # equal in format; CONTRADICTS is wrong
    rewarded = gated(group, columns(4), judge=f"rules then openai:{server.url}#m")
    accurate = AccuracyReward()(group, **columns(4))
    assert rewarded == [None] * 4
    per_func = torch.tensor([[value, float("nan")] for value in accurate])
    for scale in ("group", "batch", "none", "gdpo"):
        found, _ = advantages["compute_advantages"](per_func, torch.ones(2), 4, "grpo", scale)
        without, _ = advantages["compute_advantages"](per_func[:, :1], torch.ones(1), 4, "grpo", scale)
        assert torch.allclose(found, without, atol=1e-5), scale
