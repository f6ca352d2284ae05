"""The parts of a sentence that could be a time, each with its value in seconds."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from videor2.timestamps.sentences import Sentence

PartKind = Literal["clock", "quantity", "indexed", "ordinal", "opening", "number", "invalid"]


class Part(NamedTuple):
    """What the lexer found. `unit_s` is that of a quantity's first number; None where there is no unit.

    A bare number counts as seconds until the parser finds its unit; `invalid` is `00:75`, `5 m` or `1920s`.
    """

    kind: PartKind
    begin: int
    end: int
    value_s: float
    unit_s: float | None


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    **{"third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10},
    **{
        "eleventh": 11,
        "twelfth": 12,
        "fifteenth": 15,
        "twentieth": 20,
        "thirtieth": 30,
        "fortieth": 40,
        "fiftieth": 50,
    },
}
_VALUES = {
    **{"a": 1, "an": 1, "zero": 0},
    **{word: i for i, word in enumerate(_ONES, 1)},
    **{word: i for i, word in enumerate(_TEENS, 10)},
    **{word: 10 * i for i, word in enumerate(_TENS, 2)},
    **_ORDINALS,
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}

_DIGITS = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_SPELLED = rf"(?:{_any(*_TENS)}(?:[\s-]{_any(*_ONES)})?|{_any(*_TEENS, *_ONES, 'zero')})\b"
_NUMBER = rf"(?:{_DIGITS}|(?:(?:a|one)\shundred(?:\sand)?\s)?{_SPELLED}|(?:a|one)\shundred\b)"
_COUNT = rf"(?:(?:(?:a\s)?quarter|three\squarters)\sof\san?\b|half(?:\san?)?\b|{_NUMBER}(?:\sand\sa\shalf)?|an?\b)"
_NTH = rf"(?:[0-9]{{1,4}}(?:st|nd|rd|th)|{_any(*_ORDINALS)})\b"

_NO_LETTER = r"(?![^\W\d_])"  # digits may follow a unit, as in 2m30s
_HOUR = rf"(?:hours?|hrs?|h){_NO_LETTER}"
_MINUTE = rf"(?:minutes?|mins?|m){_NO_LETTER}"
_SECOND = rf"(?:seconds?|secs?|s){_NO_LETTER}"
_MILLI = rf"(?:milliseconds?|msecs?|ms){_NO_LETTER}"
_JOINT = r"(?:\s|-|‑)?"
_SEP = r"\.?\s?(?:,\s?)?(?:and\s)?"
_HALF = r"(?:\sand\sa\shalf\b)?"
_MINUTES = rf"(?:{_SEP}{_NUMBER}{_JOINT}{_MINUTE})?"
_SECONDS = rf"(?:{_SEP}{_NUMBER}{_JOINT}{_SECOND})?"
# "at one minute twenty": the seconds go without saying only where no noun can follow
_MORE = rf"[\s-](?:{_SPELLED}|[0-5][0-9])(?=[\s-]marks?\b|\sin(?:to)?\b|[,.;:)]|$)"

_CLOCK = (
    r"(?:[0-9]{1,3}(?:[:：][0-9]{1,2}){1,2}(?:\.[0-9]{1,3}|,[0-9]{3})?|[0-9]{1,2}(?:\s:\s[0-9]{2}){1,2})"
    r"(?![:：][0-9a-f]{2}\b|[:：]?[0-9]|\.[0-9])"
    r"(?:\s?(?:seconds|secs?|minutes|mins?|minute(?=\smark))\b|[sm]\b|-?ish\b)?(?!\w)"
)
_PRIME = r"[0-9]{1,3}['’′]\s?[0-5][0-9](?:[\"”″]|''|’’|′′)"  # 1'30"
_ORDINAL = rf"{_NTH}[\s-](?:second|minute|hour)s?\b(?!-)"
_TERSE = r"[0-9]{1,2}h[0-5][0-9](?:m(?:in)?)?\b|[0-9]{1,3}m[0-5][0-9]\b"  # 1h05, 1m05
_QUANTITY = (
    rf"(?:{_TERSE}|{_COUNT}{_JOINT}(?:{_HOUR}{_HALF}{_MINUTES}{_SECONDS}|{_MINUTE}{_HALF}(?:{_MORE}|{_SECONDS})"
    rf"|{_SECOND}|{_MILLI}))(?!\w|[/²³°]|[:.][0-9])"
)
_BARE = rf"(?:[0-9]{{1,4}}(?:st|nd|rd|th)|{_NUMBER})(?![\w%°]|[:：.,/][0-9])"
_OPENING = r"(?:first|opening|initial)[\s-](?:half[\s-](?:an?[\s-])?)?(?:second|minute|hour)\b"

_PART = re.compile(
    rf"(?P<clock>{_CLOCK})|(?P<prime>{_PRIME})|(?P<opening>{_OPENING})|(?P<ordinal>{_ORDINAL})"
    rf"|(?P<quantity>{_QUANTITY})|(?P<number>{_BARE})"
)
_KINDS: dict[str, PartKind] = {
    **{"clock": "clock", "prime": "quantity", "opening": "opening", "ordinal": "ordinal"},
    **{"quantity": "quantity", "number": "number"},
}
_DIGIT = re.compile("[0-9]")
_DIGIT_START = re.compile("[0-9]+")
# Number words are looked for only where a unit is spelled out: they are slow to find, and rare.
_ANY_START = re.compile(
    rf"[0-9]+|\b(?:{_any(*_ONES, *_TEENS, *_TENS, *_ORDINALS)}\b|zero\b|half\b|quarter\sof\b"
    r"|an?\s(?=min|hour|quarter|hundred)|(?:first|opening|initial)[\s-](?=half|second|minute|hour))"
)
_TERM = re.compile(
    rf"(?P<count>{_NTH}|{_COUNT})(?:{_JOINT}(?P<unit>{_MILLI}|{_HOUR}|{_MINUTE}|{_SECOND})(?P<half>{_HALF}))?"
)
_INDEX = re.compile(
    r"(?:^|(?<=[^\w'’]))(?:t\s?[=≈]|time\s?[=≈]|time[\s-]?(?:stamp|code)s?\s?(?:[=≈:]|of|is)?"
    r"|(?:second|sec|minute|min)s?)(?:\smark)?\s?$"
)
_INDEX_WINDOW = 18
_NOT_SECONDS = re.compile(r"[/}^]|\s(?:[nkmc]?m|m?v|k|hz|fps|met(?:er|re)s?)\b")


def has_units(low: str, begin: int, end: int) -> bool:
    """Is a unit of time spelled out here?"""
    return low.find("sec", begin, end) >= 0 or low.find("min", begin, end) >= 0 or low.find("hour", begin, end) >= 0


def could_hold_parts(low: str, begin: int, end: int) -> bool:
    """Is there a digit here? Without a unit or a digit there is no time."""
    return _DIGIT.search(low, begin, end) is not None


def read_parts(s: Sentence, with_units: bool) -> list[Part]:
    """The parts of a sentence, in order. `with_units`: whether a unit is spelled out in it."""
    start = _ANY_START if with_units else _DIGIT_START
    parts: list[Part] = []
    at = s.begin
    while found := start.search(s.low, at, s.end):
        begin, at = found.span()
        before = s.low[begin - 1] if begin > s.begin else " "
        decimal = before in ".,:：" and begin - 1 > s.begin and s.low[begin - 2].isdigit()
        if decimal or before.isalnum() or before in "_$€£#+":
            continue
        match = _PART.match(s.low, begin, s.end)
        if match:
            parts.append(_part(s, match))
            at = match.end()
    return parts


def _part(s: Sentence, match: re.Match[str]) -> Part:
    begin, end = match.span()
    written, kind = match[0], _KINDS[match.lastgroup or ""]
    if match.lastgroup in ("clock", "prime"):
        seconds = _clock_s(written)
        return Part("invalid", begin, end, 0.0, None) if seconds is None else Part(kind, begin, end, seconds, None)
    value_s, unit_s = _count_s(written)
    if kind == "quantity" and _is_no_time(written, unit_s):
        return Part("invalid", begin, end, 0.0, None)
    if kind in ("quantity", "number") and (unit_s is None or unit_s == 1.0):
        index = _INDEX.search(s.low[max(s.begin, begin - _INDEX_WINDOW) : begin])
        # "minute two" is a time, "the second one" is not
        if index and (written[0].isdigit() or index[0].startswith("min")) and not _NOT_SECONDS.match(s.low, end):
            unit_s = 60.0 if index[0].startswith("min") else 1.0
            return Part("indexed", begin - len(index[0]), end, value_s * unit_s, unit_s)
    return Part(kind, begin, end, value_s, unit_s)


@lru_cache(maxsize=4096)
def _clock_s(text: str) -> float | None:
    """Seconds of `M:SS`, `H:MM:SS` or `1'30"`; None where a field is out of range."""
    fields = [float(field.replace(",", ".")) for field in re.findall(r"[0-9]+(?:[.,][0-9]+)?", text)]
    if any(field >= 60 for field in fields[1:]):
        return None
    value = 0.0
    for field in fields:
        value = value * 60 + field
    return value


@lru_cache(maxsize=4096)
def _count_s(text: str) -> tuple[float, float | None]:
    """Seconds of a quantity and the unit of its first number."""
    if text.startswith(("first", "opening", "initial")):
        unit = _UNITS[re.split(r"[\s-]", text)[-1][0]]
        return unit / 2 if "half" in text else unit, unit
    text = re.sub(r"(h[0-5][0-9])$", r"\1m", text)  # 1h05
    total, first = 0.0, None
    for term in _TERM.finditer(text):
        name = term["unit"] or "s"
        unit = 0.001 if name.startswith(("ms", "mil")) else _UNITS[name[0]]
        if term["unit"] and first is None:
            first = unit
        total += (_number(term["count"]) + (0.5 if term["half"] else 0.0)) * unit
    return round(total, 6), first


def _number(text: str) -> float:
    if text.startswith("half"):
        return 0.5
    if "quarter" in text:
        return 0.75 if text.startswith("three") else 0.25
    whole = text.removesuffix(" and a half")
    value = 0.5 if whole != text else 0.0
    for word in re.findall(r"[0-9.]+|[a-z]+", whole):
        if word == "hundred":
            value = max(value, 1.0) * 100
        elif word not in ("and", "st", "nd", "rd", "th"):
            value += float(word) if word[0].isdigit() else _VALUES[word]
    return value


def _is_no_time(text: str, unit_s: float | None) -> bool:
    """A lone `5 m` is metres or millions, `1920s` is a decade."""
    if unit_s == 60.0:
        return re.fullmatch(r"[0-9.\s-]+m", text) is not None
    return unit_s == 1.0 and re.fullmatch(r"(?:1[5-9]|20)[0-9]0s", text) is not None
