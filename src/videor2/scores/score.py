"""The value of a metric for one response, or the reason why there is none."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "abstain", "error"]


@dataclass(frozen=True, slots=True)
class Score:
    """A value in [0, 1] with status `ok`; or None where the metric does not apply (`abstain`) or failed (`error`).

    There is no default value: what could not be scored is not 0.
    """

    value: float | None
    status: Status
    detail: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.status == "ok"):
            raise ValueError(f"a score has a value exactly when its status is ok: {self.value}, {self.status}")
        if self.value is not None and not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a score is in [0, 1], not {self.value}")

    def row(self) -> dict[str, float | str | None]:
        """The flat form of records and of `videor2 score`."""
        return {"value": self.value, "status": self.status, "detail": self.detail}

    @classmethod
    def ok(cls, value: float, detail: str = "") -> "Score":
        """A value that was measured."""
        return cls(float(value), "ok", detail)

    @classmethod
    def abstain(cls, reason: str) -> "Score":
        """The metric does not apply here: no reference, nothing to judge."""
        return cls(None, "abstain", reason)

    @classmethod
    def error(cls, reason: str) -> "Score":
        """The metric failed: a judge that did not answer, a reply that could not be read."""
        return cls(None, "error", reason)
