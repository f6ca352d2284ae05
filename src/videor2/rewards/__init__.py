"""Rewards: the scores, handed to a trainer in the shape that it asks for.

`reward = accuracy + format + gate * alignment`. The parts are computed in `videor2.scores` and nowhere else, so
the number that is optimised is the number that is reported. The judge is asked about all responses at once, while
their sentences are embedded. An adapter per framework lies beside this file.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from videor2.answers import Options
from videor2.judges import conclude
from videor2.judges.pool import JudgePool
from videor2.sample import Kind
from videor2.scores.accuracy import accuracy
from videor2.scores.alignment import BUFFER_S, MAX_CLAIM_S, THRESHOLD, Alignment, align, gated
from videor2.scores.consistency import Consistency, Unjudged, gate
from videor2.scores.embed import Embedder
from videor2.scores.format import format_score
from videor2.scores.score import Score
from videor2.timeline import Event, claims
from videor2.trace import Trace


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """How the alignment reward matches claims with events; see `videor2.scores.alignment`."""

    variant: str = "f1"
    buffer_s: float = BUFFER_S
    threshold: float = THRESHOLD
    max_claim_s: float = MAX_CLAIM_S


@dataclass(frozen=True, slots=True)
class Rollout:
    """A response, what it was asked, the reference events of its video (none: alignment abstains) and the right
    answer (None: accuracy abstains).
    """

    response: str
    question: str | None = None
    options: Options = ()
    kind: Kind | None = None
    events: tuple[Event, ...] = ()
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class GatedAlignment:
    """The gated alignment reward of one response, and its parts, for logs."""

    consistency: Consistency
    gate: Score
    alignment: Alignment
    score: Score


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part of the reward counts."""

    accuracy: float = 1.0
    format: float = 1.0
    gated_alignment: float = 1.0


EQUAL = Weights()


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one response's reward."""

    accuracy: Score
    format: Score
    gated_alignment: GatedAlignment

    def total(self, weights: Weights = EQUAL) -> float | None:
        """The weighted sum; a part that abstains adds nothing.

        None where a part that counts failed: the trainer must then leave out the whole group, or an outage of
        the judge becomes an advantage for someone.
        """
        parts = (
            (weights.accuracy, self.accuracy),
            (weights.format, self.format),
            (weights.gated_alignment, self.gated_alignment.score),
        )
        counted = [(weight, part) for weight, part in parts if weight]
        if any(part.status == "error" for _, part in counted):
            return None
        return sum((weight * part.value for weight, part in counted if part.value is not None), start=0.0)


async def score(
    rollouts: Sequence[Rollout],
    *,
    config: RewardConfig | None = None,
    embedder: Embedder | None = None,
    judge: JudgePool | None = None,
) -> list[Parts]:
    """All parts of the reward for each of a batch of responses; the arguments are those of `gated_alignment`.

    >>> rollout = Rollout("<think>So the answer is 3.</think><answer>3</answer>", kind="number", answer="3")
    >>> [parts] = asyncio.run(score([rollout]))
    >>> parts.gated_alignment.score.detail, parts.total()
    ('alignment: no reference events', 2.0)
    """
    aligned = await gated_alignment(rollouts, config=config, embedder=embedder, judge=judge)
    return [
        Parts(
            accuracy(rollout.response, answer=rollout.answer, options=rollout.options, kind=rollout.kind),
            format_score(rollout.response),
            one,
        )
        for rollout, one in zip(rollouts, aligned, strict=True)
    ]


async def gated_alignment(
    rollouts: Sequence[Rollout],
    *,
    config: RewardConfig | None = None,
    embedder: Embedder | None = None,
    judge: JudgePool | None = None,
) -> list[GatedAlignment]:
    """Gate times alignment for each of a batch of responses, their sentences embedded together.

    judge: reads the conclusion of a reasoning for the gate, the rules where None; where it fails, the score is
    an error. Sentences are embedded in a thread, while the judge is waited for.
    """
    pool = judge or JudgePool(conclude)
    traces = [Trace.parse(rollout.response) for rollout in rollouts]
    unjudged = [
        Unjudged.read(trace, question=rollout.question, options=rollout.options, kind=rollout.kind)
        for rollout, trace in zip(rollouts, traces, strict=True)
    ]
    judging = asyncio.ensure_future(pool.conclude_all([one.request for one in unjudged if one.request]))
    try:
        aligned = await asyncio.to_thread(_aligned, rollouts, traces, config or RewardConfig(), embedder)
        conclusions = iter(await judging)
    finally:
        judging.cancel()
    rewards = []
    for waiting, one in zip(unjudged, aligned, strict=True):
        found = waiting.judged(next(conclusions) if waiting.request else None)
        opened = gate(found)
        rewards.append(GatedAlignment(found, opened, one, gated(opened, one.score)))
    return rewards


def _aligned(
    rollouts: Sequence[Rollout], traces: Sequence[Trace], config: RewardConfig, embedder: Embedder | None
) -> list[Alignment]:
    return align(
        [(claims(trace.think or ""), rollout.events) for rollout, trace in zip(rollouts, traces, strict=True)],
        variant=config.variant,
        buffer_s=config.buffer_s,
        threshold=config.threshold,
        max_claim_s=config.max_claim_s,
        embedder=embedder,
    )
