"""Rewards: the scores, handed to a trainer in the shape that it asks for.

`reward = accuracy + format + gate * alignment`. The parts are computed in `videor2.scores` and nowhere else, so
the number that is optimised is the number that is reported. An adapter per framework lies beside this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from videor2.answers import Options
from videor2.judges import Judge, conclude
from videor2.sample import Kind
from videor2.scores.alignment import BUFFER_S, MAX_CLAIM_S, THRESHOLD, Alignment, align, gated
from videor2.scores.consistency import Consistency, consistency, gate
from videor2.scores.embed import Embedder
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
    """A response, what it was asked, and the reference events of its video (none: alignment abstains)."""

    response: str
    question: str | None = None
    options: Options = ()
    kind: Kind | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class GatedAlignment:
    """The gated alignment reward of one response, and its parts, for logs."""

    consistency: Consistency
    gate: Score
    alignment: Alignment
    score: Score


def gated_alignment(
    rollouts: Sequence[Rollout],
    *,
    config: RewardConfig | None = None,
    embedder: Embedder | None = None,
    judge: Judge = conclude,
) -> list[GatedAlignment]:
    """Gate times alignment for each of a batch of responses, their sentences embedded together.

    `judge` reads the conclusion of a reasoning for the gate; where it fails, the score is an error.
    """
    config = config or RewardConfig()
    traces = [Trace.parse(rollout.response) for rollout in rollouts]
    aligned = align(
        [(claims(t.think or ""), rollout.events) for t, rollout in zip(traces, rollouts, strict=True)],
        variant=config.variant,
        buffer_s=config.buffer_s,
        threshold=config.threshold,
        max_claim_s=config.max_claim_s,
        embedder=embedder,
    )
    rewards = []
    for rollout, trace, one in zip(rollouts, traces, aligned, strict=True):
        found = consistency(trace, question=rollout.question, options=rollout.options, kind=rollout.kind, judge=judge)
        opened = gate(found)
        rewards.append(GatedAlignment(found, opened, one, gated(opened, one.score)))
    return rewards
