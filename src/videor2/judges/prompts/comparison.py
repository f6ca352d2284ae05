"""Does an answer say what its reasoning concludes? For free texts, whose values cannot be compared word by word."""

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from videor2.judges.chat import Message
from videor2.judges.fence import RULE, fenced, marker, without_answers
from videor2.judges.questions import Question, context, object_schema
from videor2.judges.replies import ReplyError, is_text, one_object, short, verbatim
from videor2.judges.verdicts import Comparison, Same, Verdict

VERSION: Final = "comparison-1"
KEYS: Final = ("evidence", "same")

_INSTRUCTIONS = f"""\
You are shown the reasoning that a model wrote about a video, and the answer that it gave after it. Say whether the \
answer is the one that the reasoning arrives at. Do not solve the question yourself: whether either of them is right \
is of no interest, only whether they say the same.

- "yes": the answer says what the reasoning settles on, in whatever words. It may leave out details, and it may name \
an option that says the same.
- "no": the answer says something else than the reasoning settles on, contradicts it, or adds what changes its \
meaning.
- "undetermined": the reasoning settles on nothing or leaves several answers open, or the answer says nothing.
- What the reasoning settles on last counts: a later statement overrules an earlier one.
{RULE.format(what="Each of the two")}

Reply with one JSON object and nothing else: {{"evidence": "...", "same": "yes", "no" or "undetermined"}}
evidence: the words of the reasoning that settle it, copied exactly, at most 30; "" if there are none.\
"""


def messages(request: Comparison) -> list[Message]:
    """The conversation that asks for a comparison. One marker for both texts, made of both: who wrote the answer
    cannot put its marker into the reasoning.
    """
    line = marker(request)
    parts = [
        *context(request.question, request.options),
        f"The reasoning:\n{fenced(without_answers(request.think), line)}",
        f"The answer given:\n{fenced(request.answer, line)}",
        "Is the answer the one that the reasoning arrives at? Reply with the JSON object alone.",
    ]
    return [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": "\n\n".join(parts)}]


def read(text: str, request: Comparison) -> Verdict:
    """A judge's reply as a verdict. Raises `ReplyError` on everything that is not exactly the object asked for.

    >>> read('{"evidence": "he is angry", "same": "yes"}', Comparison("I see that he is angry.", "furious"))
    Verdict(same='yes', evidence='he is angry', error='')
    """
    reply = one_object(text)
    if set(reply) != set(KEYS):
        raise ReplyError(f"its keys are {', '.join(reply) or 'none'}")
    evidence, said = reply["evidence"], reply["same"]
    if not is_text(evidence):
        raise ReplyError(f"evidence is {short(evidence)}, which is no text")
    same = said.strip().lower() if is_text(said) else ""
    if same not in get_args(Same):
        raise ReplyError(f"same is {short(said)}, not {_VALUES}")
    return Verdict(cast(Same, same), verbatim(evidence, request.think))


def _schema(_: Comparison) -> Mapping[str, Any]:
    return object_schema(evidence={"type": "string"}, same={"type": "string", "enum": [*get_args(Same)]})


def _form(_: Comparison) -> str:
    return f'Its keys are "evidence" and "same". same: {_VALUES}.'


def _failed(reason: str) -> Verdict:
    return Verdict(None, error=reason)


_VALUES = '"yes", "no" or "undetermined"'

COMPARISON: Final = Question("comparison", VERSION, messages, _schema, _form, read, _failed)
