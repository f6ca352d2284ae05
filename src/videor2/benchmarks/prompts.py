"""How a benchmark's question and options are laid out for a model."""

from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from videor2.models.prompt import THINK_INSTRUCTION
from videor2.sample import Sample

Style = Literal["think", "direct"]
"""Reason between tags, then answer between tags; or answer at once."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A layout: what comes before the question, how question and options are written, what follows them.

    The order and labels follow the benchmark's own evaluation, the words are ours.
    """

    before: str = ""
    question: str = "{question}"
    options: str = ""
    """A line above the options."""
    option: str = "{letter}. {text}"
    after: str = ""

    def render(self, sample: Sample, style: Style, *, instruction: str | None = None) -> str:
        """The prompt's text. `instruction` replaces the last line, which asks for the form of the answer.

        >>> sample = Sample(id="1", question="Which is first?", options=("red", "blue"), answer="B")
        >>> print(Prompt(question="Question: {question}", option="({letter}) {text}").render(sample, "direct"))
        Question: Which is first?
        (A) red
        (B) blue
        Answer with the letter of the right option only.
        """
        letters = zip(ascii_uppercase, sample.options, strict=False)
        lines = [
            self.before,
            self.question.format(question=sample.question),
            self.options if sample.options else "",
            *(self.option.format(letter=letter, text=text) for letter, text in letters),
            self.after,
            ask_for(sample, style) if instruction is None else instruction,
        ]
        return "\n".join(line for line in lines if line)


def ask_for(sample: Sample, style: Style) -> str:
    """The line that asks for the form of the answer."""
    if style == "think":
        return THINK_INSTRUCTION
    if sample.kind == "choice":
        return "Answer with the letter of the right option only."
    if sample.kind in ("number", "regression"):
        return "Answer with one number only."
    if sample.answer in ("yes", "no"):
        return "Answer with yes or no only."
    return "Answer with a word or a short phrase only."
