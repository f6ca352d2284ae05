"""The one record of a question about a video."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from videor2.timeline import Event

Kind = Literal["choice", "number", "regression", "ocr", "text"]
"""How an answer is compared: an option's letter, an equal number, a number with a tolerance, words read off
the screen, or free text."""


class Sample(BaseModel):
    """A question about a video, with what is needed to score a response to it.

    `options` are bare texts without letters; option 0 is A. `answer` is the letter for kind `choice`, else the
    answer's text. `events` are the reference timeline, empty where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    question: str
    options: tuple[str, ...] = ()
    answer: str | None = None
    kind: Kind = "choice"
    video: str | None = None
    subtitles: str | None = None
    duration_s: float | None = None
    events: tuple[Event, ...] = ()
    benchmark: str = ""
    task: str = ""
    meta: dict[str, Any] = Field(default_factory=dict)
