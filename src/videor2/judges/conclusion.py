"""What a judge says of a reasoning: the answer that it concludes."""

from dataclasses import dataclass
from typing import Literal, Protocol

from videor2.answers import Options, Value
from videor2.sample import Kind

How = Literal[
    "explicit_choice",
    "option_text",
    "elimination",
    "number",
    "yes_no",
    "text",
    "judge",
    "undetermined",
    "error",
]
"""How a conclusion was found; `error` where the judge failed, which is no finding about the reasoning."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the reasoning itself says the answer is.

    `value` is None where it says nothing, or leaves several options open: their letters are `candidates`
    then. `evidence` is the verbatim span that says so, or the reason of an `error`.
    """

    value: Value | None
    how: How
    evidence: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A reasoning and what it answers to: all that a judge is told. Equal requests have equal conclusions.

    `options` are bare texts, option 0 is A.
    """

    think: str
    question: str | None = None
    options: tuple[str, ...] = ()
    answer_kind: Kind | None = None

    def put_to(self, judge: "Judge") -> Conclusion:
        """What a judge concludes from it."""
        return judge(self.think, question=self.question, options=self.options, answer_kind=self.answer_kind)


class Judge(Protocol):
    """Anything that reads a conclusion from reasoning: `rules.conclude`, or a language model behind it."""

    def __call__(
        self,
        think: str,
        *,
        question: str | None = None,
        options: Options = (),
        answer_kind: Kind | None = None,
    ) -> Conclusion:
        """The conclusion of `think`. A judge that fails returns `how="error"` rather than a guess."""
        ...


class AsyncJudge(Protocol):
    """A `Judge` that waits for something: a model behind HTTP."""

    async def __call__(
        self,
        think: str,
        *,
        question: str | None = None,
        options: Options = (),
        answer_kind: Kind | None = None,
    ) -> Conclusion:
        """The conclusion of `think`. A judge that fails returns `how="error"` rather than a guess."""
        ...
