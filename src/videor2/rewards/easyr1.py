"""The reward for EasyR1: accuracy + format + gate * alignment of a batch of responses.

    worker.reward.reward_function=<this file>:compute_score

EasyR1 hands over the whole batch, of each response its text and its ground truth and no other column: all that the
rewards need of a sample is packed into that string by `pack_ground_truth`. It knows no missing reward. Where a judge
fails, the gated alignment of the whole group is left out of `overall`: the group is told by its ground truth.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from videor2.errors import InputError
from videor2.judges.loops import run_sync
from videor2.rewards.adapt import JudgeFailed, Settings, failed_groups, logged, pack_ground_truth, read_rollout, score

__all__ = ["REWARD_NAME", "REWARD_TYPE", "compute_score", "pack_ground_truth"]

logger = logging.getLogger(__name__)

REWARD_NAME = "videor2"
REWARD_TYPE = "batch"


def compute_score(reward_inputs: Sequence[Mapping[str, Any]], **kwargs: Any) -> list[dict[str, float]]:
    """The rewards of a batch as `overall`, with their parts; see `videor2.rewards.adapt.logged`.

    reward_inputs: mappings with `response` and `ground_truth`. kwargs: those of `adapt.Settings.read`. A measurement
    that does not exist (`tar` where there are no events) is left out of its row, so that EasyR1's means are over
    those that do; `overall`, `accuracy`, `format`, `gated_alignment` and `judge_failed` are in every row, and only
    these may be the `filter_key`. Raises InputError for data or settings that cannot be used.

    >>> truth = pack_ground_truth("B", {"00:03": "a red ball appears"}, options=["a cube", "a ball"])
    >>> response = "<think>At 00:03 a red ball appears. So the answer is B.</think><answer>B</answer>"
    >>> [row] = compute_score([{"response": response, "response_length": 24, "ground_truth": truth}])
    >>> row["overall"], row["tar"]
    (3.0, 1.0)
    """
    if isinstance(reward_inputs, Mapping):
        raise InputError("compute_score takes a batch: leave REWARD_TYPE (or reward_type) at 'batch'")
    settings = Settings.read(kwargs)
    rollouts = [
        read_rollout(row["response"], row["ground_truth"], where=f"reward input {i}", weights=settings.weights)
        for i, row in enumerate(reward_inputs)
    ]
    scored = run_sync(score(rollouts, settings))
    groups = [str(row["ground_truth"]) for row in reward_inputs]
    failures = [p.gated_alignment.score.detail if p.total(settings.weights) is None else None for p in scored]
    failed = failed_groups(groups, failures, logger, noun="responses")
    without = replace(settings.weights, gated_alignment=0.0)
    results = []
    for group, parts in zip(groups, scored, strict=True):
        total = parts.total(without if group in failed else settings.weights)
        if total is None:
            raise JudgeFailed(f"no reward: {parts.accuracy.detail}; {parts.format.detail}")
        numbers = {name: value for name, value in logged(parts).items() if value is not None}
        if group in failed:
            numbers["gated_alignment"] = 0.0
        judge_failed = float(parts.gated_alignment.score.status == "error")
        results.append({"overall": total, **numbers, "judge_failed": judge_failed})
    return results
