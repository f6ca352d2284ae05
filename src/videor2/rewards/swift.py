"""The rewards for ms-swift (4.6), to be put into its `orms` by a plugin file:

    from swift.rewards import orms
    from videor2.rewards.swift import make_rewards

    orms.update(make_rewards())

ms-swift sums the rewards of a response and takes None for 0, so one failed score drops its reward for the whole
group: beside rewarded siblings it would be a disadvantage. A group is told by `id`, else by ms-swift's `prompt_id`.

Columns: `answer` (or `solution`) and `events`; where the set has them `options`, `question`, `kind` and `id`. The
rows need `messages`, else ms-swift takes the column `answer` for a response to learn.
"""

import importlib
import json
import logging
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from videor2.errors import InputError
from videor2.judges import conclude
from videor2.rewards import Rollout, Weights, gated_alignment
from videor2.rewards.adapt import FIELDS, Settings, completion_text, failed_groups, read_rollout
from videor2.scores.accuracy import accuracy
from videor2.scores.embed import default_embedder
from videor2.scores.format import format_score
from videor2.scores.score import Score

logger = logging.getLogger(__name__)


class _Base:
    """Stands in for the base classes of ms-swift where that is not installed."""

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        self.args = args


def _base(name: str) -> type:
    """A class of `swift.rewards`; a fault within an installed ms-swift is raised, not hidden."""
    try:
        found: type = getattr(importlib.import_module("swift.rewards"), name)
    except ModuleNotFoundError as e:
        if e.name not in ("swift", "swift.rewards"):
            raise
        return _Base
    return found


if TYPE_CHECKING:
    ORM = _Base
    AsyncORM = _Base
else:
    ORM, AsyncORM = _base("ORM"), _base("AsyncORM")


class AccuracyReward(ORM):
    """`scores.accuracy` of each completion."""

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Values in [0, 1]; None where the reference cannot be compared with."""
        rollouts = _rollouts(completions, columns, Weights(gated_alignment=0))
        return [accuracy(r.response, answer=r.answer, options=r.options, kind=r.kind).value for r in rollouts]


class FormatReward(ORM):
    """`scores.format` of each completion: one think block, then one answer block."""

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """0 or 1."""
        return [format_score(completion_text(completion)).value for completion in completions]


class GatedAlignmentReward(AsyncORM):
    """Consistency gate times temporal alignment of each completion; their means go to the log of this module."""

    settings: ClassVar[Settings] = Settings()

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        super().__init__(args, **kwargs)
        _check_whole_groups(args, self.settings)
        default_embedder()  # what is missing should stop the run before its first rollout

    async def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """Values in [0, 1]; None without reference events, and for the group of a completion whose judge failed."""
        rollouts = _rollouts(completions, columns, Weights(accuracy=0))
        parts = await gated_alignment(rollouts, config=self.settings.config, judge=self.settings.pool())
        for name, scores in (
            ("gate", [part.gate for part in parts]),
            ("tar", [part.alignment.score for part in parts]),
            ("gated", [part.score for part in parts]),
        ):
            known = [score.value for score in scores if score.value is not None]
            if known:
                logger.info("%s: mean %.3f over %d of %d completions", name, fmean(known), len(known), len(parts))
        return _whole_groups([part.score for part in parts], columns)


def make_rewards(**settings: Any) -> dict[str, type]:
    """The reward classes under the names that `--reward_funcs` takes: `videor2_accuracy`, `videor2_format`,
    `videor2_gated_alignment`.

    settings: those of `adapt.Settings.read` but for `weights`, which ms-swift has as `--reward_weights`. Raises
    InputError for anything else.

    >>> list(make_rewards(judge="rules", buffer_s=3.0))
    ['videor2_accuracy', 'videor2_format', 'videor2_gated_alignment']
    """
    if "weights" in settings:
        raise InputError("ms-swift weighs rewards itself: leave out `weights` and use --reward_weights")
    gated = type(GatedAlignmentReward.__name__, (GatedAlignmentReward,), {"settings": Settings.read(settings)})
    return {"videor2_accuracy": AccuracyReward, "videor2_format": FormatReward, "videor2_gated_alignment": gated}


def _rollouts(completions: Sequence[Any], columns: Mapping[str, Any], weights: Weights) -> list[Rollout]:
    """Completions with their rows; `solution` is what ms-swift's own rewards call the answer."""
    found = {name: columns[name] for name in FIELDS if columns.get(name) is not None}
    if "answer" not in found and columns.get("solution") is not None:
        found["answer"] = columns["solution"]
    rows = [{name: column[i] for name, column in found.items()} for i in range(len(completions))]
    ids = columns.get("id") or range(len(completions))
    return [
        read_rollout(completion, row, where=f"training set, id {which}", weights=weights)
        for completion, row, which in zip(completions, rows, ids, strict=True)
    ]


def _whole_groups(scores: Sequence[Score], columns: Mapping[str, Any]) -> list[float | None]:
    """The scores' values, None for every completion of a group in which one score failed."""
    groups = _groups(columns, len(scores))
    failures = [score.detail if score.status == "error" else None for score in scores]
    failed = failed_groups(groups, failures, logger, noun="completions")
    return [None if group in failed else score.value for group, score in zip(groups, scores, strict=True)]


def _groups(columns: Mapping[str, Any], n: int) -> list[str]:
    for name in ("id", "prompt_id"):
        values = columns.get(name)
        if values is not None and all(value not in (None, "") for value in values):
            return [str(value) for value in values]
    messages = columns.get("messages")
    # The last message is the completion. Without any of these, all are one group: too much is dropped, but fairly.
    return [json.dumps(one[:-1], default=str) for one in messages] if messages else ["of this batch"] * n


def _check_whole_groups(args: Any, settings: Settings) -> None:
    """A group that is spread over processes cannot be dropped whole. The rules alone never fail."""
    if settings.pool().judge is conclude:
        return
    sizes = [getattr(args, n, None) for n in ("per_device_train_batch_size", "steps_per_generation", "num_generations")]
    batch, steps, group = sizes
    if isinstance(batch, int) and isinstance(steps, int) and isinstance(group, int) and (batch * steps) % group:
        raise InputError(
            f"a process scores per_device_train_batch_size * steps_per_generation = {batch} * {steps} responses, which "
            f"splits groups of num_generations = {group}; a judge can fail, and then a group must be whole to be left "
            "out: make it a multiple"
        )
