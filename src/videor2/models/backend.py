"""What answers questions about videos: a model in this process, or one behind a server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from videor2.sample import Sample


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a model gets it: the sample's video and subtitles, and `text`, the whole of the user's turn
    beside the video (question, options and what to do).
    """

    sample: Sample
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a question. `response` is None where the model gave none, and `error` says why.

    `note` is what was done otherwise than asked ("64 frames: the server refused 128"). tokens: length of the response.
    """

    response: str | None
    error: str = ""
    note: str = ""
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a response is written. temperature 0 is greedy; else a question's draw depends on `seed` and its id alone."""

    temperature: float = 0.0
    max_new_tokens: int = 1024
    seed: int = 0


class Backend(Protocol):
    """A model that answers many questions."""

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answered]]:
        """The index of a question and what came of it, each as soon as it is there, in any order.

        What fails for one question is its `error` and stops no other; what fails for all (no server, no such model)
        raises `InputError`.
        """
        ...
