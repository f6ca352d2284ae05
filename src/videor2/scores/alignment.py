"""Temporal alignment (TAR): do the timestamps in the reasoning point at what really happened then?

A claim can match an event when their intervals meet, give or take a buffer, and their sentences say the same:

    gap(claim, event) <= buffer   and   cos(claim, event) >= threshold

The variants count one-to-one matches of claims with reference events:

- `precision_greedy` is the published reward (arXiv 2511.23478): matched / claims, where each claim in order
  of time takes the most similar event that is left. The buffer widens both intervals, so that a gap of twice
  the buffer matches. One safe claim, or one that spans the whole video, can earn all of it.
- `f1`, the default, differs in four ways: the assignment with the most matches instead of a greedy one; the
  buffer counts once; claims longer than `max_claim_s` match nothing; recall weighs as much as precision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from videor2.errors import InputError
from videor2.scores.embed import Embedder, default_embedder
from videor2.scores.score import Score
from videor2.timeline import Claim, Event

BUFFER_S: Final = 2.0
THRESHOLD: Final = 0.75
MAX_CLAIM_S: Final = 30.0

_TOLERANCE: Final = 1e-6
"""12.3 - 10.3 is 2.0000000000000018 in floating point, and still a gap of two seconds; cosines carry 1e-7."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How claims and reference events were paired, and the score that the variant makes of it.

    `pairs` are indices (claim, event) into the two lists, in the order of the claims. `precision` is the
    matched share of the claims and `recall` that of the events, 0 where there are none.
    """

    pairs: tuple[tuple[int, int], ...]
    precision: float
    recall: float
    score: Score


def alignment(
    claims: Sequence[Claim],
    events: Sequence[Event],
    *,
    variant: str = "f1",
    buffer_s: float = BUFFER_S,
    threshold: float = THRESHOLD,
    max_claim_s: float = MAX_CLAIM_S,
    embedder: Embedder | None = None,
) -> Score:
    """How well timestamped claims match the reference events.

    variant: a key of `VARIANTS`. buffer_s, max_claim_s: seconds. threshold: the cosine similarity from which
    two sentences say the same. embedder: the process-wide one where None. Abstains where there are no events;
    scores 0 where there are events and no claims: silence is not alignment. Raises `InputError` on an unknown
    variant and `MissingExtra` where sentences cannot be embedded.

    >>> events = [Event(3, 4, "a red circle appears"), Event(9, 9, "the blue square vanishes")]
    >>> alignment([Claim(4, 4, "the red circle appears")], events)
    Score(value=0.666..., status='ok', detail='1 of 1 claims, 1 of 2 events')
    >>> alignment([Claim(4, 4, "the red circle appears")], [])
    Score(value=None, status='abstain', detail='no reference events')
    """
    [one] = align(
        [(claims, events)],
        variant=variant,
        buffer_s=buffer_s,
        threshold=threshold,
        max_claim_s=max_claim_s,
        embedder=embedder,
    )
    return one.score


def align(
    rows: Sequence[tuple[Sequence[Claim], Sequence[Event]]],
    *,
    variant: str = "f1",
    buffer_s: float = BUFFER_S,
    threshold: float = THRESHOLD,
    max_claim_s: float = MAX_CLAIM_S,
    embedder: Embedder | None = None,
) -> list[Alignment]:
    """As `alignment` for many (claims, events) at once, with the pairs behind each score.

    All sentences are embedded together, each distinct one once.

    >>> claims, events = [Claim(4, 4, "the red circle appears")], [Event(3, 4, "a red circle appears")]
    >>> [one.pairs for one in align([(claims, events), ([], events)])]
    [((0, 0),), ()]
    """
    if variant not in VARIANTS:
        raise InputError(f"no alignment variant {variant!r}; there are: {', '.join(VARIANTS)}")
    similarities = _similarities(rows, embedder)
    return [
        VARIANTS[variant](
            claims,
            events,
            similarity=similarity,
            buffer_s=buffer_s,
            threshold=threshold,
            max_claim_s=max_claim_s,
        )
        for (claims, events), similarity in zip(rows, similarities, strict=True)
    ]


def f1(
    claims: Sequence[Claim],
    events: Sequence[Event],
    *,
    similarity: ArrayLike,
    buffer_s: float = BUFFER_S,
    threshold: float = THRESHOLD,
    max_claim_s: float = MAX_CLAIM_S,
) -> Alignment:
    """Harmonic mean of precision and recall of the one-to-one assignment with the most matches.

    similarity: cosines, (claims, events). Of the assignments with the most matches, the most similar one.

    >>> f1([Claim(3, 3, "a red ball appears")], [Event(3, 4, "red ball appears")], similarity=[[0.9]])
    Alignment(pairs=((0, 0),), precision=1.0, recall=1.0,
              score=Score(value=1.0, status='ok', detail='1 of 1 claims, 1 of 1 events'))
    """
    from scipy.optimize import linear_sum_assignment  # 40 MB that most commands do without

    cosine = _matrix(similarity, claims, events)
    short = np.array([c.end_s - c.start_s <= max_claim_s + _TOLERANCE for c in claims], dtype=bool)
    eligible = (_gaps(claims, events) <= buffer_s + _TOLERANCE) & (cosine >= threshold - _TOLERANCE) & short[:, None]
    # A match weighs more than all similarities together, so that similarity only breaks ties.
    weight = np.where(eligible, 1 + (1 + cosine) / (4 * max(1, *cosine.shape)), 0)
    found = zip(*linear_sum_assignment(weight, maximize=True), strict=True)
    pairs = tuple((int(i), int(j)) for i, j in found if eligible[i, j])
    value = 2 * len(pairs) / max(1, len(claims) + len(events))  # the harmonic mean of two shares of one count
    too_long = f", {int((~short).sum())} claims longer than {max_claim_s:g} s" if not short.all() else ""
    return _alignment(pairs, len(claims), len(events), value, too_long)


def precision_greedy(
    claims: Sequence[Claim],
    events: Sequence[Event],
    *,
    similarity: ArrayLike,
    buffer_s: float = BUFFER_S,
    threshold: float = THRESHOLD,
    max_claim_s: float = MAX_CLAIM_S,
) -> Alignment:
    """The published reward: matched / claims, matched greedily in the order of the claims' midpoints.

    similarity: cosines, (claims, events). As published, seconds are rounded half to even, blank sentences do
    not count, of several sentences at the same time only the last does, and claims of any length match:
    `max_claim_s` has no effect.

    >>> events = [Event(3, 4, "a red ball appears"), Event(9, 9, "it leaves")]
    >>> precision_greedy([Claim(8, 8, "a red ball appears")], events, similarity=[[0.9, 0.1]]).score
    Score(value=1.0, status='ok', detail='1 of 1 claims, 1 of 2 events')
    """
    del max_claim_s
    cosine = _matrix(similarity, claims, events)
    kept, left = _as_published(claims), _as_published(events)
    n_events = len(left)
    pairs = []
    for start_s, end_s, i in kept:
        near = [e for e in left if max(e[0] - end_s, start_s - e[1]) <= 2 * buffer_s + _TOLERANCE]
        if not near:
            continue
        best = near[int(np.argmax([cosine[i, j] for _, _, j in near]))]
        if cosine[i, best[2]] >= threshold - _TOLERANCE:
            left.remove(best)
            pairs.append((i, best[2]))
    return _alignment(tuple(sorted(pairs)), len(kept), n_events, len(pairs) / max(1, len(kept)))


class Variant(Protocol):
    """A way to pair claims with events and to score the pairing."""

    def __call__(
        self,
        claims: Sequence[Claim],
        events: Sequence[Event],
        *,
        similarity: ArrayLike,
        buffer_s: float = ...,
        threshold: float = ...,
        max_claim_s: float = ...,
    ) -> Alignment:
        """Pair and score; `similarity` holds the cosines, (claims, events)."""


VARIANTS: Final[Mapping[str, Variant]] = {"f1": f1, "precision_greedy": precision_greedy}


def gated(gate: Score, aligned: Score) -> Score:
    """The product of consistency gate and alignment: only consistent reasoning earns alignment.

    A failed part fails the product, else a part that does not apply makes it abstain.

    >>> gated(Score.ok(0), Score.ok(0.8)).value
    0.0
    >>> gated(Score.error("judge: timed out"), Score.ok(0.8))
    Score(value=None, status='error', detail='gate: judge: timed out')
    """
    if gate.value is not None and aligned.value is not None:
        return Score.ok(gate.value * aligned.value, f"gate {gate.value:g}, alignment {aligned.value:.3f}")
    missing = [(n, part) for n, part in (("gate", gate), ("alignment", aligned)) if part.value is None]
    name, part = min(missing, key=lambda item: item[1].status != "error")
    return Score(None, part.status, f"{name}: {part.detail}")


def _alignment(
    pairs: tuple[tuple[int, int], ...], n_claims: int, n_events: int, value: float, note: str = ""
) -> Alignment:
    matched = len(pairs)
    detail = f"{matched} of {n_claims} claims, {matched} of {n_events} events{note}"
    score = Score.ok(value, detail) if n_events else Score.abstain("no reference events")
    return Alignment(pairs, matched / max(1, n_claims), matched / max(1, n_events), score)


def _similarities(
    rows: Sequence[tuple[Sequence[Claim], Sequence[Event]]], embedder: Embedder | None
) -> Iterable[NDArray[np.float32]]:
    """Cosines (claims, events) for each row. Rows with nothing to compare need no embedder."""
    texts = [([c.sentence for c in claims], [e.sentence for e in events]) for claims, events in rows]
    needed = chain.from_iterable(a + b for a, b in texts if a and b)
    index = {sentence: i for i, sentence in enumerate(dict.fromkeys(needed))}
    if index:
        vectors = (embedder or default_embedder()).embed(list(index))
    for a, b in texts:
        if a and b:
            yield vectors[[index[s] for s in a]] @ vectors[[index[s] for s in b]].T
        else:
            yield np.zeros((len(a), len(b)), dtype=np.float32)


def _matrix(similarity: ArrayLike, claims: Sequence[Claim], events: Sequence[Event]) -> NDArray[np.float64]:
    cosine = np.asarray(similarity, dtype=np.float64)
    shape = (len(claims), len(events))
    if cosine.size == 0 == len(claims) * len(events):
        return np.zeros(shape)  # [] has lost the length of the other side
    if cosine.shape != shape:
        raise ValueError(f"similarity has shape {cosine.shape}; {len(claims)} claims and {len(events)} events")
    return cosine


def _gaps(claims: Sequence[Claim], events: Sequence[Event]) -> NDArray[np.float64]:
    """Seconds between each claim and event, (claims, events); 0 or less where they overlap."""
    claim = np.array([(c.start_s, c.end_s) for c in claims]).reshape(-1, 2)
    event = np.array([(e.start_s, e.end_s) for e in events]).reshape(-1, 2)
    gaps: NDArray[np.float64] = np.maximum(event[None, :, 0] - claim[:, None, 1], claim[:, None, 0] - event[None, :, 1])
    return gaps


def _as_published(items: Sequence[Claim | Event]) -> list[tuple[int, int, int]]:
    """(start, end, index) in whole seconds, by midpoint, of what the published reward keeps."""
    index = {(round(x.start_s), round(x.end_s)): i for i, x in enumerate(items) if x.sentence.strip()}
    return sorted(((start, end, i) for (start, end), i in index.items()), key=lambda x: x[0] + x[1])
