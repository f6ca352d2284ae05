"""What a language model says of a reasoning beside its conclusion: a rating, timestamped claims, a comparison.

None of these has a default. Where the judge failed the value is None and `error` says why.
"""

from dataclasses import dataclass
from typing import Literal

from videor2.timeline import Claim

Same = Literal["yes", "no", "undetermined"]


@dataclass(frozen=True, slots=True)
class Rating:
    """How much concrete visual evidence a reasoning claims: `value` is a whole number from 0 to 10.

    `said` is the number as the judge wrote it, before it was rounded (half up) and held to 0..10. `rationale` is
    in the judge's words.
    """

    value: int | None
    rationale: str = ""
    said: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a reasoning says happens when, in order of mention; an empty tuple where it names no time."""

    claims: tuple[Claim, ...] | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A reasoning and the answer that followed it, to be compared. `options` are bare texts, option 0 is A."""

    think: str
    answer: str
    question: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer says what its reasoning concludes; `evidence` is the verbatim span of the reasoning."""

    same: Same | None
    evidence: str = ""
    error: str = ""
