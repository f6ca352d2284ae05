"""Which answer does a reasoning state? The model is never told the answer given or the right one."""

from collections.abc import Callable, Mapping
from string import ascii_uppercase
from typing import Any, Final

from videor2.answers import Value, read_value
from videor2.judges.chat import Message
from videor2.judges.conclusion import Conclusion, Request
from videor2.judges.fence import RULE, fenced, marker, without_answers
from videor2.judges.questions import Question, context, object_schema
from videor2.judges.replies import ReplyError, is_text, one_object, short, verbatim
from videor2.numerals import canonical_number, find_numbers
from videor2.sample import Kind

VERSION: Final = "conclusion-2"
UNDETERMINED: Final = "undetermined"
KEYS: Final = ("evidence", "conclusion")

_INSTRUCTIONS = f"""\
You are shown the reasoning that a model wrote about a video. Report the answer that this reasoning arrives at. Do \
not solve the question yourself: whether the reasoning is right is of no interest, only what it says.

- What it settles on last counts: a later statement overrules an earlier one, and ruling out all options but one \
settles on that one.
- Mind what the question asks for. If it asks for what is least likely or not true, the option that the reasoning \
finds least likely or untrue is its answer.
- If it settles on nothing, or leaves several answers open, the conclusion is "undetermined". Do not pick the one \
that seems best.
{RULE.format(what="The reasoning")}

Reply with one JSON object and nothing else: {{"evidence": "...", "conclusion": ...}}
evidence: the words of the reasoning that settle it, copied exactly, at most 30; "" if there are none.
conclusion: \
"""


def messages(request: Request) -> list[Message]:
    """The conversation that asks for a conclusion."""
    line = marker(request)
    parts = [
        *context(request.question, request.options),
        f"The reasoning:\n{fenced(without_answers(request.think), line)}",
        "Which answer does the reasoning between the markers arrive at? Reply with the JSON object alone.",
    ]
    return [
        {"role": "system", "content": f'{_INSTRUCTIONS}{_values(request)}, or "undetermined".'},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


def read(text: str, request: Request) -> Conclusion:
    """A judge's reply as a conclusion, its value read the way `rules.conclude` gives it.

    Raises `ReplyError` on everything that is not exactly the object asked for: other keys, a letter that is no
    option's, a number for a letter.

    >>> read('{"evidence": "", "conclusion": "B"}', Request("So B.", options=("left", "right"))).value
    Value(kind='letter', canonical='B')
    """
    reply = one_object(text)
    if set(reply) != set(KEYS):
        raise ReplyError(f"its keys are {', '.join(reply) or 'none'}")
    evidence, said = reply["evidence"], reply["conclusion"]
    if not is_text(evidence):
        raise ReplyError(f"evidence is {short(evidence)}, which is no text")
    span = verbatim(evidence, request.think)
    if is_text(said) and said.strip().lower() == UNDETERMINED:
        return Conclusion(None, "undetermined", span)
    value = _reader(request)(said)
    if value is None:
        raise ReplyError(f"conclusion is {short(said)}, not {_values(request)}")
    return Conclusion(value, "judge", span)


def _reader(request: Request) -> Callable[[Any], Value | None]:
    """How the value of a conclusion is read: None where it has the wrong type or form."""
    kind = _kind(request)
    if kind == "choice":
        letters = ascii_uppercase[: len(request.options)] or ascii_uppercase
        return lambda said: _letter(said, letters)
    if kind in ("number", "regression"):
        return _number
    return lambda said: read_value(said, kind=kind) if is_text(said) and said.strip() else None


def _letter(said: Any, letters: str) -> Value | None:
    letter = said.strip().upper() if is_text(said) else ""
    return Value("letter", letter) if len(letter) == 1 and letter in letters else None


def _number(said: Any) -> Value | None:
    """A number, or a text that is a number and nothing else."""
    if not isinstance(said, str):
        return None
    found = find_numbers(said.strip())
    whole = len(found) == 1 and (found[0].start, found[0].end) == (0, len(said.strip()))
    return Value("number", canonical_number(found[0].value)) if whole else None


def _kind(request: Request) -> Kind | None:
    return request.answer_kind or ("choice" if request.options else None)


def _values(request: Request) -> str:
    """What a conclusion may be, in words."""
    kind = _kind(request)
    if kind == "choice":
        letters = ", ".join(f'"{c}"' for c in ascii_uppercase[: len(request.options)])
        return f"one of {letters}" if letters else "the letter of an option"
    if kind in ("number", "regression"):
        return "a JSON number"
    return "the answer itself as a JSON string, in the fewest words"


def _form(request: Request) -> str:
    return f'Its keys are "evidence" and "conclusion". conclusion: {_values(request)}, or "undetermined".'


def _schema(request: Request) -> Mapping[str, Any]:
    kind = _kind(request)
    conclusion: dict[str, Any] = {"type": "string"}
    if kind == "choice" and request.options:
        conclusion["enum"] = [*ascii_uppercase[: len(request.options)], UNDETERMINED]
    elif kind in ("number", "regression"):
        conclusion = {"anyOf": [{"type": "number"}, {"type": "string", "enum": [UNDETERMINED]}]}
    return object_schema(evidence={"type": "string"}, conclusion=conclusion)


def _failed(reason: str) -> Conclusion:
    return Conclusion(None, "error", reason)


CONCLUSION: Final = Question("conclusion", VERSION, messages, _schema, _form, read, _failed)
