"""Single values of a log's row: texts, options, answers, kinds, in the many ways in which they are written."""

import ast
import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from string import ascii_uppercase
from typing import Any

from videor2.answers import infer_kind, letter_of, normalise_options, normalise_text
from videor2.data.logs.prompts import option_label
from videor2.sample import Kind


class BadRow(ValueError):
    """A row that cannot be used: reason and fix in one line. The row is skipped and counted."""


KINDS: dict[str, Kind] = {
    "multiple choice": "choice",
    "multiple-choice": "choice",
    "mcq": "choice",
    "choice": "choice",
    "numerical": "number",
    "number": "number",
    "regression": "regression",
    "object_counting": "regression",
    "object_abs_distance": "regression",
    "object_size_estimation": "regression",
    "room_size_estimation": "regression",
    "ocr": "ocr",
    "free-form": "text",
    "open-ended": "text",
    "open": "text",
    "text": "text",
}
"""How data sets call the kinds of questions; the last four measures are VSI-Bench's numeric tasks."""


def text_of(value: Any, name: str) -> str | None:
    """A text, or a number written as one; None for null, NaN and an empty cell.

    Raises BadRow for lists and objects.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    raise BadRow(f"`{name}` is a {type(value).__name__}, not a text: {short(value)}")


def response_of(value: Any, name: str = "response") -> str:
    """A response's text. Raises BadRow where there is none."""
    text = text_of(value, name)
    if text is None:
        raise BadRow(f"no response: `{name}` is null; did the generation fail?")
    return text


def with_think(thinking: Any, text: str) -> str:
    """A response with the reasoning that its writer keeps apart put back in front of it as a think block.

    >>> with_think("a red ball", "B"), with_think(None, "B")
    ('<think>a red ball</think>\\nB', 'B')
    """
    if not isinstance(thinking, str) or not thinking.strip():
        return text
    return f"{thinking}\n{text}" if "<think>" in thinking else f"<think>{thinking}</think>\n{text}"


def options_of(value: Any) -> tuple[str, ...]:
    """Options as bare texts, from a list, an object by letters, or either of them written as a text.

    Nulls and "N/A" end or fill up lists of fixed length and are left out. Raises BadRow where there is no list.

    >>> options_of("['A. left', 'B. right']"), options_of({"A": "left", "B": "right", "C": None}), options_of(None)
    (('left', 'right'), ('left', 'right'), ())
    """
    if isinstance(value, str) and value.strip():
        value = literal(value)
    if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
        return ()
    if isinstance(value, Mapping):
        value = {str(key): str(text) for key, text in value.items() if text is not None}
        try:
            return normalise_options(value)
        except ValueError as error:
            raise BadRow(str(error)) from None
    if not isinstance(value, (list, tuple)):
        raise BadRow(f"options are no list: {short(value)}")
    return unlabelled(tuple(str(text) for text in value if text is not None and text != "N/A"))


@lru_cache(maxsize=8192)
def unlabelled(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Options without their labels, also where a stray last one has none.

    >>> unlabelled(("A. left", "B. right", "-")), unlabelled(("T-shirt", "e-bike"))
    (('left', 'right', '-'), ('T-shirt', 'e-bike'))
    """
    bare = normalise_options(texts)
    if len(texts) > 2 and bare == tuple(map(str.strip, texts)):
        labels = [option_label(text) for text in texts]
        n = sum(label is not None for label in labels)
        if n >= 2 and [label[0] if label else None for label in labels[:n]] == list(range(n)):
            return tuple(label[1] if label else text.strip() for label, text in zip(labels, texts, strict=True))
    return bare


def literal(text: str) -> Any:
    """A list or object that a table holds as text, in JSON or as Python prints it; other texts as they are."""
    if text.strip()[:1] not in ("[", "{"):
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text


def answer_of(value: Any, name: str = "answer") -> str | None:
    """A reference answer as a text, out of its `<answer>` tags; None where there is none.

    Raises BadRow for a list of several, which is no single answer.

    >>> answer_of("<answer>B</answer>"), answer_of(4.0), answer_of(["B"]), answer_of("")
    ('B', '4', 'B', None)
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise BadRow(f"`{name}` is a list of {len(value)}; give one answer a row")
        value = value[0]
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = text_of(value, name)
    if text is None:
        return None
    block = _ANSWER.search(text)
    return (block[1] if block else text).strip() or None


@lru_cache(maxsize=65536)
def solve(answer: str | None, options: tuple[str, ...], kind: Kind | None) -> tuple[str | None, tuple[str, ...], Kind]:
    """Answer, options and kind of a question, made to agree: a letter where there are options to choose from.

    A letter without options stays a letter. Raises BadRow where the answer is none of the options.
    """
    if not options:
        kind = kind_of(answer, kind)
        if answer is None or kind != "choice":
            return answer, (), kind
        letter = letter_of(answer)
        return (letter, (), "choice") if letter else (answer, (), kind_of(answer))
    if answer is None:
        return None, options, "choice"
    letter = _letter(answer, options)
    if letter:
        return letter, options, "choice"
    if kind not in (None, "choice"):
        return answer, (), kind_of(answer, kind)
    raise BadRow(f"the answer {short(answer)} is none of the {len(options)} options: {short(' | '.join(options))}")


def kind_of(answer: str | None, kind: Kind | None = None) -> Kind:
    """The kind that a row names, else that of its answer; yes and no are words, not a text on the screen."""
    if kind:
        return kind
    if answer is None or normalise_text(answer) in ("yes", "no"):
        return "text"
    return infer_kind(answer)


def named_kind(*names: Any) -> Kind | None:
    """The kind that a row's `problem_type` or `question_type` names, if it does."""
    for name in names:
        if isinstance(name, str) and name.lower() in KINDS:
            return KINDS[name.lower()]
    return None


def short(value: Any, width: int = 60) -> str:
    """A value for a message."""
    shown = value if isinstance(value, str) else repr(value)
    return repr(shown if len(shown) <= width else f"{shown[: width - 3]}...")


def _letter(answer: str, options: tuple[str, ...]) -> str | None:
    letters = ascii_uppercase[: len(options)]
    if len(answer) == 1 and answer.upper() in letters:
        return answer.upper()
    if answer in options:  # of equal options the first: they are equally right
        return letters[options.index(answer)]
    label = option_label(answer)
    if label and label[0] < len(options) and normalise_text(label[1]) == normalise_text(options[label[0]]):
        return letters[label[0]]
    letter = letter_of(answer, options)
    if letter is None and answer.isdecimal() and int(answer) < len(options):
        return letters[int(answer)]  # an index from 0, as no option is that number
    return letter


_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
