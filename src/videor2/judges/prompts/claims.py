"""What does a reasoning say happens when? For reasonings whose times the grammar of `videor2.timeline` does not find
or does not attach to the right words.
"""

from collections.abc import Mapping
from typing import Any, Final

from videor2.judges.chat import Message
from videor2.judges.conclusion import Request
from videor2.judges.fence import RULE, fenced, marker, without_answers
from videor2.judges.questions import Question, context, object_schema
from videor2.judges.replies import ReplyError, is_text, one_object, short
from videor2.judges.verdicts import Claimed
from videor2.timeline import Claim, parse_key

VERSION: Final = "claims-1"

_INSTRUCTIONS = f"""\
You are shown the reasoning that a model wrote about a video. List what it says happens in the video at which time, \
in the order of mention.

- Only what the reasoning gives a time of the video for. Work out a time that it gives relative to another one \
("two seconds later"); never invent one. Durations, scores and times on a clock in the picture are no times of the \
video.
- One entry for each event with its time. The same event at the same time is listed once.
- Options of the question that the reasoning merely quotes are not listed.
{RULE.format(what="The reasoning")}

Reply with one JSON object and nothing else: {{"claims": [{{"time": "MM:SS", "sentence": "..."}}]}}
time: MM:SS, from one hour on HH:MM:SS; a span as MM:SS-MM:SS.
sentence: what is said to happen then, in the words of the reasoning, without the time.
If it names no time, the list is empty.\
"""


def messages(request: Request) -> list[Message]:
    """The conversation that asks for the claims of `request.think`."""
    line = marker(request)
    parts = [
        *context(request.question, request.options),
        f"The reasoning:\n{fenced(without_answers(request.think), line)}",
        "What does the reasoning between the markers say happens when? Reply with the JSON object alone.",
    ]
    return [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": "\n\n".join(parts)}]


def read(text: str, request: Request | None = None) -> Claimed:
    """A judge's reply as claims, their times read as the keys of events are (`timeline.parse_key`).

    Raises `ReplyError` for everything else, so also for a single time that cannot be read: a claim that is silently
    left out would raise the precision of the others.

    >>> read('{"claims": [{"time": "00:03-00:05", "sentence": "A ball falls."}]}').claims
    (Claim(start_s=3.0, end_s=5.0, sentence='A ball falls.'),)
    """
    reply = one_object(text)
    if set(reply) != {"claims"} or not isinstance(reply["claims"], list):
        raise ReplyError(f'it is no object with the one key "claims" and a list: {short(text.strip())}')
    return Claimed(tuple(dict.fromkeys(_claim(i, entry) for i, entry in enumerate(reply["claims"], 1))))


def _claim(i: int, entry: Any) -> Claim:
    if not isinstance(entry, Mapping) or set(entry) != {"time", "sentence"}:
        raise ReplyError(f'claim {i} is {short(entry)}, not {{"time": ..., "sentence": ...}}')
    time, sentence = entry["time"], entry["sentence"]
    if not is_text(time) or not is_text(sentence) or not sentence.strip():
        raise ReplyError(f"claim {i}: time and sentence are text, not {short(time)} and {short(sentence)}")
    try:
        start_s, end_s = parse_key(time)
    except ValueError:
        raise ReplyError(f"claim {i}: time is {short(time)}, not MM:SS or MM:SS-MM:SS") from None
    return Claim(start_s, end_s, sentence.strip())


def _schema(_: Request) -> Mapping[str, Any]:
    entry = object_schema(time={"type": "string"}, sentence={"type": "string"})
    return object_schema(claims={"type": "array", "items": entry})


def _form(_: Request) -> str:
    return 'Its only key is "claims", a list of {"time": "MM:SS" or "MM:SS-MM:SS", "sentence": "..."}.'


def _failed(reason: str) -> Claimed:
    return Claimed(None, reason)


CLAIMS: Final = Question("claims", VERSION, messages, _schema, _form, read, _failed)
