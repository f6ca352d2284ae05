"""The reward for verl: the scores' numbers, verl's own caller, and an outage that is nobody's fault."""

import asyncio
import importlib
import inspect
import json
import logging
import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from judge_server import JudgeServer, Reply, says
from peers import package, pieces
from videor2 import rewards
from videor2.errors import InputError
from videor2.rewards import Rollout, Weights
from videor2.rewards.adapt import JudgeFailed, pack_ground_truth
from videor2.rewards.verl import compute_score, compute_score_async
from videor2.timeline import Event

CLAIM = "At 00:03 a red circle appears."
RIGHT = f"<think>{CLAIM} So the answer is B.</think><answer>B</answer>"
CONTRADICTS = f"<think>{CLAIM} So the answer is B.</think><answer>A</answer>"
UNDECIDED = f"<think>{CLAIM} It is hard to say.</think><answer>B</answer>"
LATE = "<think>At 00:50 a red circle appears. So the answer is B.</think><answer>B</answer>"
RESPONSES = [RIGHT, CONTRADICTS, UNDECIDED, LATE, "cut off"]
EVENTS = [{"start_s": 3.0, "end_s": 4.0, "sentence": "a red circle appears"}]
TRUTH = {"answer": "B", "events": EVENTS, "options": ["blue", "red"], "question": "Which?", "kind": "choice"}
KEYS = ["score", "accuracy", "format", "gated_alignment", "gate", "tar", "tar_precision", "tar_recall"]


def as_scored(response: str, weights: Weights) -> float | None:
    """The total by `videor2.rewards.score` itself."""
    events = (Event(3.0, 4.0, "a red circle appears"),)
    rollout = Rollout(response, "Which?", ("blue", "red"), "choice", events, "B")
    [parts] = asyncio.run(rewards.score([rollout]))
    return parts.total(weights)


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer().running() as server:
        yield server


def test_the_total_is_that_of_the_scores() -> None:
    totals = [compute_score("synth", response, TRUTH)["score"] for response in RESPONSES]
    assert totals == [as_scored(response, Weights()) for response in RESPONSES] == [3.0, 1.0, 2.0, 2.0, 0.0]


def test_weights_and_matching_are_set_by_reward_kwargs() -> None:
    weights = {"accuracy": 0.5, "format": 0.0, "gated_alignment": 2.0}
    totals = [compute_score("synth", response, TRUTH, weights=weights)["score"] for response in RESPONSES]
    assert totals == [as_scored(response, Weights(0.5, 0.0, 2.0)) for response in RESPONSES]
    near = RIGHT.replace("00:03", "00:08")
    found = [compute_score("synth", near, TRUTH, buffer_s=buffer_s)["tar"] for buffer_s in (2.0, 4.0)]
    assert found == [0.0, 1.0]


@pytest.mark.parametrize(
    ("ground_truth", "extra_info"),
    [
        (json.dumps(TRUTH), None),
        (pack_ground_truth(**TRUTH), {}),  # type: ignore[arg-type]
        (TRUTH, None),
        ("B", TRUTH | {"answer": "the whole solution of another field", "index": 7}),
        ("B", TRUTH | {"events": json.dumps({"00:03-00:04": "a red circle appears"})}),
        (
            TRUTH
            | {
                "events": np.array(EVENTS, dtype=object),
                "options": np.array(["blue", "red"], dtype=object),
                "question": None,
            },
            {"num_turns": 2, "rollout_reward_scores": {}},
        ),
    ],
    ids=["JSON", "packed", "mapping", "extra_info", "JSON events", "as parquet gives it"],
)
def test_the_ground_truth_comes_in_many_forms(ground_truth: Any, extra_info: Any) -> None:
    assert compute_score("synth", RIGHT, ground_truth, extra_info)["score"] == 3.0


def test_every_call_has_the_same_keys_and_a_missing_measurement_is_none() -> None:
    without = TRUTH | {"events": []}
    rows = [compute_score("synth", response, row) for response in RESPONSES for row in (TRUTH, without)]
    assert [list(row) for row in rows] == [KEYS] * len(rows)
    row = compute_score("synth", RIGHT, without)
    assert [row[key] for key in KEYS] == [2.0, 1.0, 1.0, 0.0, 1.0, None, None, None]
    json.dumps(rows, allow_nan=False)


def test_a_reference_that_cannot_be_compared_with_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        row = compute_score("synth", RIGHT, TRUTH | {"answer": "soon", "kind": "number"})
    assert row["accuracy"] == 0.0
    assert "accuracy adds nothing to the reward" in caplog.text
    assert "soon" in caplog.text


@pytest.mark.parametrize(
    ("ground_truth", "says_what"),
    [
        ('{"answer": "B"', "not JSON"),
        ({"answer": "B", "event": []}, "no field 'event'; there are: answer, events"),
        ({"events": []}, "no 'answer'"),
        (None, "no 'answer'"),
        ("", "no 'answer'"),
        ("B", "no 'events': say \\[\\] where there are none"),
        (TRUTH | {"events": {"soon": "x"}}, "'events': 'soon' is no time"),
        (TRUTH | {"events": "{not JSON"}, "'events'"),
        (TRUTH | {"options": "red"}, "'options' is a list of texts"),
        (TRUTH | {"options": [1, 2]}, "'options' is a list of texts"),
        (TRUTH | {"kind": "multiple choice"}, "no 'kind' 'multiple choice'; there are: choice"),
        (["B"], "'answer' is text, not list"),
    ],
)
def test_a_bad_ground_truth_is_named(ground_truth: Any, says_what: str) -> None:
    with pytest.raises(InputError, match=rf"^data source 'synth', row 12: ground truth .*: {says_what}"):
        compute_score("synth", RIGHT, ground_truth, {"index": 12})


def test_what_is_not_rewarded_need_not_be_there() -> None:
    no_events = {"accuracy": 1.0, "format": 1.0, "gated_alignment": 0.0}
    assert compute_score("synth", RIGHT, "B", weights=no_events)["score"] == 2.0


@pytest.mark.parametrize(
    ("kwargs", "says_what"),
    [
        ({"buffer": 2}, "no reward setting 'buffer'; there are: variant, buffer_s"),
        ({"variant": "f2"}, "no alignment variant 'f2'"),
        ({"weights": {"acc": 1}}, "no reward 'acc'; there are: accuracy"),
        ({"weights": [1, 1, 1]}, "weights go by name"),
        ({"judge": "gpt"}, "no judge 'gpt'"),
        ({"concurrency": 0}, "a pool needs room"),
    ],
)
def test_a_bad_setting_is_named(kwargs: dict[str, Any], says_what: str) -> None:
    with pytest.raises(InputError, match=says_what):
        compute_score("synth", RIGHT, TRUTH, **kwargs)


def test_what_verl_adds_for_a_reward_model_does_no_harm() -> None:
    row = compute_score("synth", RIGHT, TRUTH, {}, reward_router_address="http://x", reward_model_tokenizer=object())
    assert row["score"] == 3.0


def test_an_outage_is_no_reward_but_an_error_that_says_so(server: JudgeServer) -> None:
    server.in_order(Reply(status=403))
    judge = f"rules then openai:{server.url}#m"
    assert compute_score("synth", RIGHT, TRUTH, judge=judge, patience_s=0)["score"] == 3.0  # the rules know
    with pytest.raises(JudgeFailed, match=r"^data source 'synth', row 3: no reward after 0 s of asking: gate: .*403"):
        compute_score("synth", UNDECIDED, TRUTH, {"index": 3}, judge=judge, patience_s=0)


def test_a_judge_that_comes_back_is_waited_for(server: JudgeServer, caplog: pytest.LogCaptureFixture) -> None:
    server.in_order(Reply(status=403), says("B"))
    with caplog.at_level(logging.WARNING):
        row = compute_score("synth", UNDECIDED, TRUTH, judge=f"rules then openai:{server.url}#m", patience_s=5)
    assert row["score"] == 3.0
    assert "no reward yet, asking again in 1 s: gate: " in caplog.text


def test_calls_in_and_out_of_running_loops_give_the_same(server: JudgeServer) -> None:
    score = partial(compute_score, "synth", UNDECIDED, TRUTH, judge=f"openai:{server.url}#m")

    async def inside() -> list[float | None]:
        waited = await compute_score_async("synth", UNDECIDED, TRUTH, judge=f"openai:{server.url}#m")
        in_thread = await asyncio.get_running_loop().run_in_executor(None, score)  # as verl's managers do
        return [score()["score"], waited["score"], in_thread["score"]]

    assert [score()["score"], *asyncio.run(inside()), *asyncio.run(inside()), score()["score"]] == [3.0] * 8


def test_responses_wait_for_the_judge_together_and_within_its_limit(server: JudgeServer) -> None:
    server.script = lambda _: says("B", after_s=0.1)
    asked = [UNDECIDED.replace("hard", f"very {'very ' * i}hard") for i in range(6)]

    async def step() -> list[dict[str, float | None]]:
        settings: dict[str, Any] = {"judge": f"openai:{server.url}#m", "concurrency": 3}
        return await asyncio.gather(*(compute_score_async("synth", one, TRUTH, **settings) for one in asked))

    assert [row["score"] for row in asyncio.run(step())] == [3.0] * 6
    assert server.most_in_flight == 3


class Data:
    """One row of verl's DataProto as its reward managers read it."""

    def __init__(self, response: str, **non_tensor: Any) -> None:
        ids = np.frombuffer(response.encode(), dtype=np.uint8)
        self.batch = {"responses": ids, "attention_mask": np.ones(4 + len(ids), dtype=int)}
        self.non_tensor_batch = non_tensor

    def __getitem__(self, index: Any) -> "Data":
        return self


class Tokenizer:
    """Bytes are tokens."""

    def decode(self, ids: Any, *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return bytes(ids).decode()


@pytest.mark.parametrize("name", ["compute_score", "compute_score_async"])
def test_verl_itself_loads_and_calls_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verl = package("verl")
    loader = ModuleType("verl.utils.import_utils")
    prefixes = ("PKG_PATH_PREFIX", "FILE_PATH_PREFIX")
    functions = ("load_module", "load_extern_object")
    vars(loader).update(
        pieces(verl / "utils/import_utils.py", *prefixes, *functions, importlib=importlib, Optional=Any)
    )
    monkeypatch.setitem(sys.modules, "verl.utils.import_utils", loader)
    reward = pieces(
        verl / "trainer/ppo/reward.py",
        *("_call_with_kwargs", "_call_with_kwargs_async", "get_custom_reward_fn"),
        inspect=inspect,
        partial=partial,
    )

    class Base:
        """What RewardManagerBase sets."""

        def __init__(self, config: Any, tokenizer: Any, compute_score: Any) -> None:
            self.tokenizer = tokenizer
            self.loop = asyncio.get_running_loop()

    manager = pieces(
        verl / "experimental/reward_loop/reward_manager/naive.py",
        "NaiveRewardManager",
        RewardManagerBase=Base,
        inspect=inspect,
        default_compute_score=None,
    )["NaiveRewardManager"]
    custom = {
        "path": "pkg://videor2.rewards.verl",
        "name": name,
        "reward_kwargs": {"weights": {"format": 0.5}, "judge": "rules"},
    }
    config = SimpleNamespace(reward={"custom_reward_function": custom})

    async def step() -> list[dict[str, Any]]:
        naive = manager(config, Tokenizer(), reward["get_custom_reward_fn"](config))
        assert naive.is_async_reward_score is (name == "compute_score_async")
        rows = [
            Data(r, data_source="synth", reward_model={"ground_truth": "B"}, extra_info=TRUTH | {"index": 0})
            for r in RESPONSES
        ]
        return list(await asyncio.gather(*(naive.run_single(row) for row in rows)))

    results = asyncio.run(step())
    assert [r["reward_score"] for r in results] == [as_scored(r, Weights(format=0.5)) for r in RESPONSES]
    assert [list(r["reward_extra_info"]) for r in results] == [KEYS] * len(results)
