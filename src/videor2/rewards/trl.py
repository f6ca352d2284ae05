"""Reward functions for TRL's `GRPOTrainer`.

TRL awaits `f(prompts=, completions=, completion_ids=, **columns, trainer_state=, log_extra=, log_metric=)`
with one entry per completion, the completions of a group side by side, and takes `list[float | None]` back.
None is "no reward" only where the whole group has it: beside rewarded siblings TRL sums it as 0, and a
judge's outage becomes a disadvantage. So one failed score drops its reward for the whole group. A group that
is spread over processes is whole in none of them: each process needs whole groups.

Columns: `answer`; `events`, a list of {start_s, end_s, sentence}, {"MM:SS-MM:SS": sentence}, or either as a
JSON string, empty where there are none; and, where the set has them, `question`, `options`, `kind` and
`id`. A group is told by its `id`, else by its prompt.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

from videor2.errors import InputError
from videor2.judges import AsyncJudge, Judge, conclude
from videor2.judges.pool import JudgePool
from videor2.rewards import GatedAlignment, RewardConfig, Rollout, gated_alignment
from videor2.scores.accuracy import accuracy
from videor2.scores.embed import Embedder, default_embedder
from videor2.scores.format import format_score
from videor2.scores.score import Score
from videor2.timeline import Event, read_events

logger = logging.getLogger(__name__)

Completion = str | Sequence[Mapping[str, Any]]
Rewards = list[float | None]
RewardFunction = Callable[..., Awaitable[Rewards]]

FAILED = "rewards/failed"
"""The metric that tells an outage: the share of completions whose gated alignment could not be scored."""
DROPPED_GROUPS = "rewards/dropped_groups"


async def accuracy_reward(
    prompts: Sequence[Any], completions: Sequence[Completion], completion_ids: Any = None, **columns: Any
) -> Rewards:
    """`scores.accuracy` of each completion against the column `answer`."""
    n = len(completions)
    answers = _required(columns, "answer", n)
    options, kinds = _column(columns, "options", n), _column(columns, "kind", n)
    return [
        accuracy(completion_text(completion), answer=answer, options=choices, kind=kind).value
        for completion, answer, choices, kind in zip(completions, answers, options, kinds, strict=True)
    ]


async def format_reward(
    prompts: Sequence[Any], completions: Sequence[Completion], completion_ids: Any = None, **columns: Any
) -> Rewards:
    """`scores.format` of each completion: one think block, then one answer block."""
    return [format_score(completion_text(completion)).value for completion in completions]


async def gated_alignment_reward(
    prompts: Sequence[Any], completions: Sequence[Completion], completion_ids: Any = None, **columns: Any
) -> Rewards:
    """Consistency gate times temporal alignment, with the default `RewardConfig` and the rules; logs each part."""
    return await _BY_RULES(prompts, completions, columns)


def make_rewards(
    config: RewardConfig | None = None,
    *,
    embedder: Embedder | None = None,
    judge: Judge | AsyncJudge | JudgePool = conclude,
) -> list[RewardFunction]:
    """The reward functions to hand to `GRPOTrainer(reward_funcs=...)`: accuracy, format, gated alignment.

    `judge` reads conclusions for the gate; a `JudgePool` sets how many at a time and by when. The embedder is
    loaded now: what is missing should stop the run before its first rollout, not after.
    """
    pool = judge if isinstance(judge, JudgePool) else JudgePool(judge)
    reward = _GatedAlignmentReward(config or RewardConfig(), embedder or default_embedder(), pool)

    async def gated_alignment_reward(
        prompts: Sequence[Any], completions: Sequence[Completion], completion_ids: Any = None, **columns: Any
    ) -> Rewards:
        return await reward(prompts, completions, columns)

    return [accuracy_reward, format_reward, gated_alignment_reward]


class _GatedAlignmentReward:
    """The reward, and whether its judge is failing: an outage is told when it begins, not once a step."""

    def __init__(self, config: RewardConfig, embedder: Embedder | None, judge: JudgePool) -> None:
        self._config = config
        self._embedder = embedder
        self._judge = judge
        self._failing = False

    async def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Completion], columns: Mapping[str, Any]
    ) -> Rewards:
        n = len(completions)
        rollouts = [
            Rollout(completion_text(completion), question, options, kind, events)
            for completion, question, options, kind, events in zip(
                completions,
                _column(columns, "question", n),
                _column(columns, "options", n),
                _column(columns, "kind", n),
                _events(_required(columns, "events", n), _column(columns, "id", n)),
                strict=True,
            )
        ]
        parts = await gated_alignment(rollouts, config=self._config, embedder=self._embedder, judge=self._judge)
        groups = _grouped([part.score for part in parts], prompts, columns)
        dropped = [group for group in groups if group.failed]
        self._tell(dropped)
        _log(parts, len(dropped), columns.get("log_metric"), columns.get("log_extra"))
        return [None if group.failed else score.value for group in groups for score in group.scores]

    def _tell(self, dropped: Sequence["_Group"]) -> None:
        if dropped and not self._failing:
            first = dropped[0]
            logger.warning(
                "no reward for the group of %.80r: %d of its %d completions could not be scored (%s); told once, "
                "then counted in %s until all can be scored again",
                first.key,
                len(first.failed),
                len(first.scores),
                first.failed[0],
                DROPPED_GROUPS,
            )
        elif self._failing and not dropped:
            logger.info("all completions can be scored again")
        self._failing = bool(dropped)


_BY_RULES = _GatedAlignmentReward(RewardConfig(), None, JudgePool(conclude))


@dataclass(frozen=True, slots=True)
class _Group:
    """The completions of one prompt."""

    key: Any
    scores: list[Score]

    @property
    def failed(self) -> list[str]:
        """Why scores are missing that ought to be there."""
        return [score.detail for score in self.scores if score.status == "error"]


def _grouped(scores: Sequence[Score], prompts: Sequence[Any], columns: Mapping[str, Any]) -> list[_Group]:
    keys = prompts if columns.get("id") is None else columns["id"]
    # groupby compares neighbours and hashes nothing: a prompt may be a list of messages.
    rows = groupby(zip(keys, scores, strict=True), key=lambda row: row[0])
    return [_Group(key, [score for _, score in group]) for key, group in rows]


def _log(
    parts: Sequence[GatedAlignment],
    dropped_groups: int,
    log_metric: Callable[[str, float], None] | None,
    log_extra: Callable[[str, list[Any]], None] | None,
) -> None:
    """Gate, alignment and their product apart: a closed gate and bad timestamps are mended differently."""
    aligned = [part.alignment for part in parts if part.alignment.score.status == "ok"]
    if log_metric is not None:
        metrics: dict[str, Sequence[float | None]] = {
            FAILED: [p.score.status == "error" for p in parts],
            DROPPED_GROUPS: [dropped_groups],
            "alignment/gate": [p.gate.value for p in parts],
            "alignment/undetermined": [p.consistency.score.status == "abstain" for p in parts],
            "alignment/tar": [a.score.value for a in aligned],
            "alignment/precision": [a.precision for a in aligned],
            "alignment/recall": [a.recall for a in aligned],
            "alignment/abstained": [p.alignment.score.status == "abstain" for p in parts],
            "alignment/gated": [p.score.value for p in parts],
        }
        for name, values in metrics.items():
            known = [float(value) for value in values if value is not None]
            if known:  # a mean over nothing is not 0
                log_metric(name, fmean(known))
    if log_extra is not None:
        log_extra("gate", [p.gate.value for p in parts])
        log_extra("gate_detail", [p.consistency.score.detail for p in parts])
        log_extra("tar", [p.alignment.score.value for p in parts])
        log_extra("tar_detail", [p.alignment.score.detail for p in parts])


def completion_text(completion: Completion) -> str:
    """A completion's text: of messages the assistant's, with reasoning that TRL's parser took out."""
    if isinstance(completion, str):
        return completion
    texts = []
    for message in completion:
        if message.get("role", "assistant") != "assistant":
            continue
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = "".join(part.get("text") or "" for part in content)
        reasoning = message.get("reasoning_content")
        texts.append(f"<think>{reasoning}</think>{content}" if reasoning else content)
    return "".join(texts)


def _column(columns: Mapping[str, Any], name: str, n: int) -> Sequence[Any]:
    values = columns.get(name)
    return [None] * n if values is None else values


def _required(columns: Mapping[str, Any], name: str, n: int) -> Sequence[Any]:
    if columns.get(name) is None:
        found = ", ".join(sorted(k for k in columns if k not in ("trainer_state", "log_metric", "log_extra")))
        raise InputError(f"the training set has no column {name!r} (found: {found or 'none'}): add it")
    return _column(columns, name, n)


def _events(cells: Sequence[Any], ids: Sequence[Any]) -> Iterable[tuple[Event, ...]]:
    for row, (cell, sample) in enumerate(zip(cells, ids, strict=True)):
        try:
            value = json.loads(cell or "[]") if isinstance(cell, str) else cell
            yield tuple(read_events(value or [], strict=True))
        except ValueError as e:
            where = f"row {row}" if sample is None else f"id {sample}"
            raise InputError(f"training set, {where}, column 'events': {e}") from e
