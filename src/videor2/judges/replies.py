"""A judge's reply as data: one JSON object, read strictly."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from videor2.judges.fence import inert, without_answers

EVIDENCE_LIMIT: Final = 600
"""Characters of a judge's evidence that are looked for; it was asked for 30 words."""


class ReplyError(ValueError):
    """A judge's reply is not what was asked for."""


class Number(str):
    """A number of the reply in its own digits, for a float would round it."""

    __slots__ = ()


def one_object(text: str) -> Mapping[str, Any]:
    """The JSON object that a reply is, numbers as `Number`. Raises `ReplyError` where it is anything else.

    A `<think>` block before the object and a Markdown fence around it are skipped.

    >>> one_object('<think>Hm.</think> {"score": 8}')
    {'score': '8'}
    """
    text = text.strip()
    # Thinking may quote a closing tag: the first one behind which nothing but an object stands ends it.
    starts = [0, *(m.end() for m in _THINK_END.finditer(text))]
    for start in starts:
        rest = text[start:].strip()
        markdown = _MARKDOWN.fullmatch(rest)
        rest = markdown[1] if markdown else rest
        if not rest.startswith("{"):
            continue
        try:
            found = _DECODER.decode(rest)
        except ReplyError:
            raise
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise ReplyError(f"it is no JSON object: {short(text[starts[-1] :].strip())}")


def objects(text: str) -> Iterator[Mapping[str, Any]]:
    """The JSON objects in what a reply says behind its thinking, in order, whatever stands around them.

    An object inside a brace that never became JSON is none: `{"score": 2, "why": "it wrote {"score": 10}"}` holds a
    quotation. Raises `ReplyError` for an object with the same key twice.

    >>> list(objects('{well} {"score": 8} and {"a": {"b": "}"}}'))
    [{'score': '8'}, {'a': {'b': '}'}}]
    """
    ends = [m.end() for m in _THINK_END.finditer(text)]
    text = text[ends[-1] if ends else 0 :]
    text = text[: start.start()] if (start := _THINK_START.search(text)) else text  # cut off while it thought
    at = depth = 0
    while brace := _BRACE.search(text, at):
        at = brace.end()
        if brace[0] == "}":
            depth = max(0, depth - 1)
            continue
        if depth == 0:
            try:
                found, at = _DECODER.raw_decode(text, brace.start())
            except ReplyError:
                raise
            except (ValueError, RecursionError):
                pass
            else:
                yield found
                continue
        depth += 1


def is_text(said: Any) -> bool:
    """Whether a value of a reply is a JSON string."""
    return isinstance(said, str) and not isinstance(said, Number)


def short(said: Any) -> str:
    """A value of a reply for an error's message."""
    text = str(said) if isinstance(said, Number) else repr(said)
    return text if len(text) <= 60 else f"{text[:57]}..."


def verbatim(evidence: str, think: str) -> str:
    """The span of the reasoning that a judge copied, whatever became of the blanks; "" where it is none.

    >>> verbatim("so it is  LEFT", "I see, so it is left.")
    'so it is left'
    """
    words = inert(evidence[:EVIDENCE_LIMIT]).split()
    if not words:
        return ""
    # Whole words, where words are told apart: the "A" of "At" is no quotation.
    before = "(?<![A-Za-z0-9])" if _LETTER.match(words[0][0]) else ""
    behind = "(?![A-Za-z0-9])" if _LETTER.match(words[-1][-1]) else ""
    pattern = before + r"\s+".join(map(re.escape, words)) + behind
    m = re.search(pattern, inert(without_answers(think)), re.IGNORECASE)
    return think[m.start() : m.end()] if m else ""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ReplyError("a key stands in it twice")
    return found


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=_once_each)
_THINK_START = re.compile(r"<think>", re.IGNORECASE)
_THINK_END = re.compile(r"</think>", re.IGNORECASE)
_MARKDOWN = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL | re.IGNORECASE)
_LETTER = re.compile(r"[A-Za-z0-9]")
_BRACE = re.compile(r"[{}]")
