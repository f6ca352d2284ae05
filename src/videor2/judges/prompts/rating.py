"""How much concrete visual evidence does a reasoning claim? The rating behind VAS of arXiv 2511.23478.

The judge sees the question, its options and the reasoning, never the answer given. What it rates is what the text
claims: nobody has looked at the video here.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from videor2.judges.chat import Message
from videor2.judges.conclusion import Request
from videor2.judges.fence import RULE, fenced, marker, without_answers
from videor2.judges.questions import Question, context, object_schema
from videor2.judges.replies import ReplyError, is_text, objects, one_object, short
from videor2.judges.verdicts import Rating

VERSION: Final = "rating-1"
LOWEST, HIGHEST = 0, 10

_INSTRUCTIONS = f"""\
You are shown a question about a video and the reasoning that a model wrote before it answered. Rate how much \
concrete visual evidence this reasoning claims: things that it says are to be seen in this very video, told so that a \
person who watches it could check them. You have not seen the video. Do not guess what it shows: whether the claims \
are true and whether the reasoning is right are of no interest.

- Evidence: who or what is seen, together with when or where; a colour, a number of things, a text on the screen, a \
place in the picture, a movement, a change from one moment to a later one.
- No evidence: the question or an option said again, knowledge about the world, arithmetic and logic, plans of what \
to look at, doubts, and the bare assertion that the video shows the answer.
- Length earns nothing, and a detail that is said twice counts once.
{RULE.format(what="The reasoning")}

The score is a whole number from 0 to 10:
0: nothing. It could have been written without the video.
1 to 3: traces. The scene in general terms, or a single detail that nothing rests on.
4 to 6: some. A few details that could be checked, while steps that matter are assumed.
7 to 8: much. Most steps name a detail of their own, and several of them say when or where.
9 to 10: throughout. Nearly every step rests on a specific detail with its moment or place, and so does the end.

Reply with one JSON object and nothing else: {{"rationale": "...", "score": n}}
rationale: the strongest details that the reasoning names, or what it lacks, in at most 40 words.
score: the whole number.\
"""


def messages(request: Request) -> list[Message]:
    """The conversation that asks for a rating of `request.think`."""
    line = marker(request)
    parts = [
        *context(request.question, request.options),
        f"The reasoning:\n{fenced(without_answers(request.think), line)}",
        "How much concrete visual evidence does the reasoning between the markers claim? Reply with the JSON object "
        "alone.",
    ]
    return [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": "\n\n".join(parts)}]


def read(text: str, request: Request | None = None) -> Rating:
    """A judge's reply as a rating: of several JSON objects in it, the last one that has a score.

    Only where the object stands is read leniently, as replies of published runs have words around it. The score is
    a number, or a text that is one ("7", "7/10"); half is rounded up, and what lies outside of 0 to 10 is held to
    it, as the published reader does. Raises `ReplyError` for everything else: `true`, "high", NaN, no score.

    >>> read('Here it is: {"score": 6.5, "rationale": "A red car {left} at 00:03."}')
    Rating(value=7, rationale='A red car {left} at 00:03.', said='6.5', error='')
    """
    reply = _last_scored(text)
    said = reply["score"]
    digits = _SCORE.fullmatch(said.strip()) if isinstance(said, str) else None
    if not digits:
        raise ReplyError(f"score is {short(said)}, not a whole number from 0 to 10")
    rounded = (Decimal(digits[1]) + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
    value = int(max(Decimal(LOWEST), min(Decimal(HIGHEST), rounded)))
    rationale = reply.get("rationale", "")
    return Rating(value, rationale.strip() if is_text(rationale) else "", str(said).strip())


def _last_scored(text: str) -> Mapping[str, Any]:
    try:
        found = [one_object(text)]
    except ReplyError:
        found = list(objects(text))
    for reply in reversed(found):
        inner = [value for value in reply.values() if isinstance(value, Mapping)]
        for candidate in (reply, *inner):  # {"result": {"score": 6}}
            named = {key.lower(): value for key, value in candidate.items()}
            if "score" in named:
                return named
    raise ReplyError(f"it is no JSON object with a score: {short(text.strip())}")


def _schema(_: Request) -> Mapping[str, Any]:
    # As an enumeration: servers that guide the decoding by a grammar do not all know minimum and maximum.
    return object_schema(rationale={"type": "string"}, score={"type": "integer", "enum": [*range(HIGHEST + 1)]})


def _form(_: Request) -> str:
    return 'Its keys are "rationale" and "score". score: a whole number from 0 to 10.'


def _failed(reason: str) -> Rating:
    return Rating(None, error=reason)


# Six digits, for nobody rates finer and an exponent could ask for a gigabyte of them.
_SCORE = re.compile(r"([+-]?[0-9]{1,6}(?:\.[0-9]{0,20})?)(?:\s*/\s*10)?")

RATING: Final = Question("rating", VERSION, messages, _schema, _form, read, _failed)
