"""The timestamp grammar: which moments of the video a text names.

Models write `01:45`, `from 8 to 12 seconds`, `the two-minute mark`, `1 h 5 m in`. The same digits are scores,
ratios, verses, clock faces and lengths. So the grammar has three levels:

1. A lexer finds parts: a clock (`1:05`), a quantity (`2 min 5 s`), an indexed second (`second 4`, `t=3.2`), an
   ordinal (`5th second`), an opening (`first minute`), a bare number.
2. A parser joins parts to mentions by what stands between them: a range, a pair in brackets, a list that shares its
   unit.
3. A judge reads the words on both sides. A clock is a moment unless they say otherwise (`3:2 for the red team`, `the
   phone shows 9:41`); a quantity is a length unless they say it is a moment (`at`, `mark`, `into the video`).

Conventions: a moment has `start_s == end_s`; "around" does not widen; "before", "after", "until" and "from X to the
end" give the named time; "the first N seconds" is `[0, N]`, "the last N seconds" needs the duration and gives
nothing; a reversed range is swapped. Lengths, offsets ("ten seconds later"), frame numbers, invalid values (`00:75`)
and times of day give nothing. English only. All look-ups around a mention are bounded, so time is linear.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment or interval that a text names, in seconds, and the characters `text[begin:end]` that name it."""

    start_s: float
    end_s: float
    begin: int
    end: int


def timestamps(text: str) -> list[Timestamp]:
    """All moments and intervals of the video that a text names, in order of mention.

    >>> [(t.start_s, t.end_s) for t in timestamps("At 01:05 he waves; from 2m10s to 2m30s he runs for 20 seconds.")]
    [(65.0, 65.0), (130.0, 150.0)]
    >>> timestamps("Team A leads 3:2 when the clock on the wall reads 10:45.")
    []
    """
    return [stamp for _, _, stamps in by_sentence(text) for stamp in stamps]


def by_sentence(text: str) -> Iterator[tuple[int, int, list[Timestamp]]]:
    """The sentences of a text as (begin, end), each with the timestamps in it; no mention crosses sentences.

    >>> text = "At 2 s it starts, e.g. slowly. Done."
    >>> [(text[b:e], len(stamps)) for b, e, stamps in by_sentence(text)]
    [('At 2 s it starts, e.g. slowly.', 1), ('Done.', 0)]
    """
    for begin, end in sentence_spans(text):
        yield begin, end, _sentence(text, begin, end) if _CUE.search(text, begin, end) else []


# --- sentences

# A longer "sentence" is a table, a list of numbers or junk; a bound keeps the work on it linear.
_LONGEST = 1000
# One end mark only, and white space consumed as it is met: no run of characters is scanned twice.
_BREAK = re.compile(r"\n\s*|[.!?。！？…]['\"”’)\]*_]*(?:\s+|$)")
_WORD_BEFORE = re.compile(r"[\w.]*$")
_NEVER_LAST = frozenset("e.g i.e eg ie mr mrs ms dr prof st vs no fig approx ca cf resp jr sr".split())
_UNIT_LAST = frozenset("s sec secs min mins hr hrs etc a.m p.m".split())


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each sentence, list item or line, without the white space around it.

    Decimals, abbreviations, initials and enumerators ("1.", "B.") do not end a sentence; a line wrapped in the
    middle of one does not either.

    >>> text = "1. At 00:03.5 approx. two dogs run. 2. Then\\nthey stop!"
    >>> [text[b:e] for b, e in sentence_spans(text)]
    ['1. At 00:03.5 approx. two dogs run.', '2. Then\\nthey stop!']
    """
    begin = 0
    for match in _BREAK.finditer(text):
        if _ends_sentence(text, begin, match.start(), match.end()):
            yield from _bounded(text, begin, match.end())
            begin = match.end()
    yield from _bounded(text, begin, len(text))


def _ends_sentence(text: str, begin: int, mark: int, after: int) -> bool:
    follows = text[after : after + 1]
    if text[mark] == "\n":
        wrapped = follows.islower() and text.count("\n", mark, after) == 1
        return not (wrapped and mark > 0 and (text[mark - 1].isalnum() or text[mark - 1] in ",-"))
    if text[mark] == ".":
        if text[max(begin, mark - 2) : mark] == "..":
            return not follows.islower()
        found = _WORD_BEFORE.search(text, max(begin, mark - 12), mark)
        word = found[0] if found else ""
        if word.lower() in _NEVER_LAST or (word.lower() in _UNIT_LAST and not follows.isupper()):
            return False
        if (len(word) == 1 and word.isupper()) or word.isdigit():
            head = text[begin : mark - len(word)].strip(" \t\n*#([-•>")
            return bool(head) and word.isdigit()
    return True


def _bounded(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while True:
        while begin < end and text[begin].isspace():
            begin += 1
        while end > begin and text[end - 1].isspace():
            end -= 1
        if begin == end:
            return
        cut = end
        if end - begin > _LONGEST:
            space = text.rfind(" ", begin + 1, begin + _LONGEST)
            cut = space if space > 0 else begin + _LONGEST
        yield begin, cut
        begin = cut


# --- level 1: the lexer


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_VALUES = {
    "a": 1.0,
    "an": 1.0,
    "zero": 0.0,
    **{word: float(i) for i, word in enumerate(_ONES, 1)},
    **{word: float(i) for i, word in enumerate(_TEENS, 10)},
    **{word: 10.0 * i for i, word in enumerate(_TENS, 2)},
    **{word: float(i) for i, word in enumerate(_ORDINALS, 3)},
    **{"fifteenth": 15.0, "twentieth": 20.0, "thirtieth": 30.0, "fortieth": 40.0, "fiftieth": 50.0},
}


def _any(words: list[str]) -> str:
    return "(?:" + "|".join(words) + ")"


_DIGITS = r"\d{1,6}(?:\.\d{1,6})?"
_TWO_WORDS = rf"{_any(_TENS)}(?:[\s-]{_any(_ONES)})?|{_any(_TEENS)}|{_any(_ONES)}|zero"
_NUMBER = rf"(?:{_DIGITS}|(?:(?:a|one)\shundred(?:\sand)?\s)?(?:{_TWO_WORDS})\b|(?:a|one)\shundred\b)"
_END = r"(?![^\W\d_])"  # no letter: digits may follow, as in 2m30s
_HOUR, _MINUTE, _SECOND = rf"(?:hours?|hrs?|h){_END}", rf"(?:minutes?|mins?|m){_END}", rf"(?:seconds?|secs?|s){_END}"
_MILLI = rf"(?:milliseconds?|msecs?|ms){_END}"
_JOINT = r"(?:\s|-|‑)?"
_SEP = r"\s?(?:,\s?)?(?:and\s)?"
_COUNT = rf"(?:{_NUMBER}(?:\sand\sa\shalf)?|half\san?\b|(?:a\s)?quarter\sof\san\b|an?\b)"
_AND_A_HALF = r"(?:\sand\sa\shalf\b)?"

_CLOCK = (
    r"(?:\d{1,3}(?:[:：]\d{1,2}){1,2}(?:\.\d{1,3}|,\d{3})?|\d{1,2}(?:\s:\s\d{2}){1,2})(?![:：][0-9a-f]{2}\b|[:：]?\d|\.\d)"
    r"(?:\s?(?:seconds|secs?|minutes|mins?|minute(?=\smark))\b|[smh]\b)?(?!\w)"
)
_PRIME = r"\d{1,3}['’′]\s?[0-5]\d(?:[\"”″]|''|’’|′′)"
_OPENING = r"(?:first|opening|initial)[\s-](?:half[\s-](?:an?[\s-])?)?(?:second|minute|hour)\b"
_INDEXED = (
    rf"(?:(?:(?:t|time)\s?[=≈]|time[\s-]?(?:stamps?|codes?)\s?(?:[=≈:]|of|is)?)\s?{_DIGITS}(?!\s?(?:m|mins?|minutes?|h|hrs?|hours?|fps)\b)(?:\s?{_SECOND})?"
    rf"|(?:seconds?|secs?|minutes?|mins?)\s(?:mark\s)?{_DIGITS}|minute\s(?:{_TWO_WORDS})"
) + r")(?!\w|[:：.,/]\d|%|\s:\s\d)"
_ORDINAL = rf"(?:\d{{1,4}}(?:st|nd|rd|th)|{_any([*_ORDINALS, 'fifteenth', 'twentieth', 'thirtieth', 'fortieth', 'fiftieth'])})"
_ORDINAL_UNIT = rf"{_ORDINAL}[\s-](?:seconds?|minutes?|hours?)\b(?!-)"
_QUANTITY = (
    rf"(?:{_COUNT}{_JOINT}{_HOUR}{_AND_A_HALF}(?:{_SEP}{_NUMBER}{_JOINT}{_MINUTE})?(?:{_SEP}{_NUMBER}{_JOINT}{_SECOND})?"
    rf"|{_COUNT}{_JOINT}{_MINUTE}{_AND_A_HALF}(?:{_SEP}{_NUMBER}{_JOINT}{_SECOND})?"
    rf"|(?:{_NUMBER}(?:\sand\sa\shalf)?|half\sa){_JOINT}{_SECOND}|{_NUMBER}{_JOINT}{_MILLI})(?!\w|[/²³°]|[:.]\d)"
)
_BARE = rf"(?:\d{{1,4}}(?:st|nd|rd|th)|{_NUMBER})(?![\w%°]|[:：.,/]\d)"

_CUE = re.compile(r"\d|\b(?:seconds?|minutes?|hours?)\b", re.IGNORECASE)
_PART = re.compile(
    r"(?<![\w$€£#+])(?<!\d[.,:：])(?:"
    rf"(?P<clock>{_CLOCK})|(?P<prime>{_PRIME})|(?P<opening>{_OPENING})|(?P<indexed>{_INDEXED})"
    rf"|(?P<ordinal>{_ORDINAL_UNIT})|(?P<quantity>{_QUANTITY})|(?P<number>{_BARE}))",
    re.IGNORECASE,
)


class _Part(NamedTuple):
    """What the lexer found. A quantity's `unit_s` is that of its first number; None where there is no unit."""

    kind: str
    begin: int
    end: int
    value_s: float
    unit_s: float | None = None


def _parts(text: str, begin: int, end: int) -> list[_Part]:
    parts = []
    for match in _PART.finditer(text, begin, end):
        kind = match.lastgroup or ""
        read = _read_clock(match[0]) if kind in ("clock", "prime") else _read_count(match[0].lower())
        parts.append(_Part(kind if read else "invalid", *match.span(), *(read or (0.0, None))))
    return parts


def _read_clock(text: str) -> tuple[float, float | None] | None:
    """Seconds of `M:SS`, `H:MM:SS` or `1'30"`; None where a field is out of range."""
    fields = re.findall(r"\d+(?:[.,]\d+)?", text)
    *head, seconds = (float(field.replace(",", ".")) for field in fields)
    if seconds >= 60 or (len(head) == 2 and head[1] >= 60):
        return None
    value = seconds
    for power, field in enumerate(reversed(head), 1):
        value += field * 60.0**power
    return value, None


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_TERM = re.compile(
    rf"(?P<count>{_ORDINAL}|{_COUNT})?{_JOINT}(?P<unit>{_MILLI}|{_HOUR}|{_MINUTE}|{_SECOND})?(?P<half>{_AND_A_HALF})"
)


@lru_cache(maxsize=4096)
def _read_count(text: str) -> tuple[float, float | None] | None:
    """Seconds of a quantity and the unit of its first number; a bare number counts as seconds without a unit."""
    if text.startswith(("first", "opening", "initial")):
        unit = _UNITS[re.split(r"[\s-]", text)[-1][0]]
        return (unit * (0.5 if "half" in text else 1.0)), unit
    if text[0] == "t" and (index := re.match(r"(?:t|time|time[\s-]?(?:stamps?|codes?))\b", text)):
        number = re.search(_DIGITS, text[index.end() :])
        return (float(number[0]), 1.0) if number else None
    if text[0] in "sm" and (index := re.match(r"(sec|min)\w*\s(?:mark\s)?(?=\w)", text)):
        unit = _UNITS[index[1][0]]
        return _number(text[index.end() :]) * unit, unit
    total, first = 0.0, None
    for term in _TERM.finditer(text):
        if term["count"] is None:
            continue
        unit = 0.001 if (term["unit"] or "").startswith(("ms", "mil")) else _UNITS[(term["unit"] or "s")[0]]
        if term["unit"] and first is None:
            first = unit
        total += _number(term["count"]) * unit + (unit / 2 if term["half"] else 0.0)
    return round(total, 6), first


def _number(text: str) -> float:
    if text.startswith("half"):
        return 0.5
    if "quarter" in text:
        return 0.25
    whole = text.removesuffix(" and a half")
    value = 0.5 if whole != text else 0.0
    for word in re.findall(r"[\d.]+|[a-z]+", whole):
        if word[0].isdigit():
            value += float(word)
        elif word == "hundred":
            value = max(value, 1.0) * 100
        elif word not in ("and", "st", "nd", "rd", "th"):
            value += _VALUES[word]
    return value


# --- level 2: the parser


class _Mention(NamedTuple):
    """Parts that belong together. `kind` is `clock` if any part is one: clocks need no other evidence."""

    kind: str
    start_s: float
    end_s: float
    begin: int
    end: int
    range: bool
    own_units: bool
    """Every number has a unit of its own, as in `3s - 5s` and unlike `3 - 5 s`."""
    bracketed: bool = False


_OPENERS = "([{<\"'*_`“‘«"
_CLOSERS = ")]}>\"'*_`”’»"
_DASH = r"(?:-{1,3}>?|=>|[–—−‐‑‒―~～〜→⟶…]|\.{2,3})"
_SKIP = r"(?:(?:about|around|approximately|approx\.?|roughly|the|at|timestamps?|time|~)\s?)*"
_WRAP_R, _WRAP_L = r"[)\]}>\"'*_`”’]*", r"[(\[{<\"'*_`“‘]*"
_TO = re.compile(
    rf"(?:\s?(?:marks?|timestamps?))?{_WRAP_R}"
    rf"(?:\s*{_DASH}\s*|\s?(?:to|until|till?|through|thru|up\sto)\s){_SKIP}{_WRAP_L}",
    re.IGNORECASE,
)
_AND = re.compile(rf"(?:\s?(?:marks?|timestamps?))?{_WRAP_R}\s+(?:and|&)\s+{_SKIP}{_WRAP_L}", re.IGNORECASE)
_LIST = re.compile(
    rf"{_WRAP_R}\s*(?:,\s*(?:and|or|then)\s|[,;/&]|\b(?:and|or|then)\s)\s*(?:again\s)?{_SKIP}{_WRAP_L}", re.IGNORECASE
)
_COMMA = re.compile(r"\s*[,;]\s*")
_START_TO = re.compile(
    r"\b(?:the\s)?(?:very\s)?(?:beginning|start|outset)(?:\sof\s(?:the\s)?\w+)?\s*"
    rf"(?:\b(?:to|until|till?|through|up\sto)\b|{_DASH})\s*(?:about\s|around\s)?$",
    re.IGNORECASE,
)
_LONGEST_GAP = 40
_LONGEST_LIST = 12


def _sentence(text: str, begin: int, end: int) -> list[Timestamp]:
    parts = _parts(text, begin, end)
    stamps: list[Timestamp] = []
    i = 0
    while i < len(parts):
        mentions, used = _mentions(text, begin, end, parts, i)
        accepted = bool(mentions) and _is_moment(text, begin, end, mentions, stamps)
        if accepted:
            stamps += [
                Timestamp(min(m.start_s, m.end_s), max(m.start_s, m.end_s), m.begin, m.end)
                for m in (_whole(text, begin, mention) for mention in mentions)
            ]
        i += used
    return stamps


def _mentions(text: str, lo: int, hi: int, parts: list[_Part], i: int) -> tuple[list[_Mention], int]:
    """The mentions that start at part i, and how many parts they use. More than one where a list shares its unit."""
    part = parts[i]
    if part.kind == "invalid":
        return [], 1
    if i + 1 < len(parts):
        joined = _range(text, lo, hi, part, parts[i + 1])
        if joined:
            return [joined], 2
        if part.kind == "number":
            return _unit_list(text, parts, i)
    if part.kind == "number" or _is_metres(text, part):
        return [], 1
    start = part.value_s
    if part.kind == "opening":
        start = 0.0
    elif part.kind == "ordinal" and part.unit_s and part.unit_s > 1:
        start = part.value_s - part.unit_s  # the third minute is an interval; "the 5th second" is a moment
    kind = "clock" if part.kind == "clock" else part.kind
    return [_Mention(kind, start, part.value_s, part.begin, part.end, False, True)], 1


def _range(text: str, lo: int, hi: int, a: _Part, b: _Part) -> _Mention | None:
    """Two parts as one interval, if what stands between and around them says so."""
    if b.begin - a.end > _LONGEST_GAP or b.kind in ("invalid", "opening") or a.kind == "opening":
        return None
    gap = text[a.end : b.begin]
    bracketed = False
    if not _TO.fullmatch(gap):
        if _AND.fullmatch(gap):
            if _governor(text, lo, a.begin).word != "between":
                return None
        elif _COMMA.fullmatch(gap) and a.kind != "number" and b.kind != "number":
            bracketed = text[a.begin - 1 : a.begin] == "[" and text[b.end : b.end + 1] == "]"
            if not bracketed:
                return None
        else:
            return None
    start, end, own_units = a.value_s, b.value_s, True
    if a.kind == "number":
        if b.kind in ("quantity", "ordinal", "indexed") and b.unit_s is not None:
            start, own_units = a.value_s * b.unit_s, False
        elif not (b.kind == "clock" and a.value_s == 0):
            return None
    elif b.kind == "number":
        digits = text[b.begin : b.end]
        if a.kind == "indexed" and a.unit_s is not None:
            end = b.value_s * a.unit_s
        elif a.kind == "clock" and "-" in gap + "-" and len(digits) == 2 and digits.isdigit() and _TO.fullmatch(gap):
            # 1:10-15 is short for 1:10-1:15
            end = a.value_s - a.value_s % 60 + b.value_s
            if b.value_s >= 60 or end <= a.value_s or " " in gap:
                return None
        else:
            return None
    if _is_metres(text, b):
        return None
    kinds = {a.kind, b.kind}
    kind = "clock" if "clock" in kinds else ("indexed" if a.kind == "indexed" else "quantity")
    return _Mention(kind, start, end, a.begin, b.end, True, own_units, bracketed)


def _unit_list(text: str, parts: list[_Part], i: int) -> tuple[list[_Mention], int]:
    """`5, 10 and 15 seconds`: numbers that share the unit of the last one."""
    j = i
    while j + 1 < len(parts) and j - i < _LONGEST_LIST and parts[j].kind == "number":
        gap = text[parts[j].end : parts[j + 1].begin]
        if len(gap) > _LONGEST_GAP or not _LIST.fullmatch(gap):
            return [], 1
        j += 1
    last = parts[j]
    if last.kind != "quantity" or last.unit_s is None or _is_metres(text, last):
        return [], 1
    unit = last.unit_s
    values = [part.value_s * unit for part in parts[i:j]] + [last.value_s]
    return [
        _Mention("quantity", value, value, part.begin, part.end, False, False)
        for part, value in zip(parts[i : j + 1], values, strict=True)
    ], j - i + 1


def _is_metres(text: str, part: _Part) -> bool:
    """A lone `5 m` is a length in metres; `2m30s` and `5 min` are not."""
    return part.kind == "quantity" and part.unit_s == 60.0 and re.fullmatch(r"[\d.\s-]+m", text[part.begin : part.end]) is not None


def _whole(text: str, lo: int, mention: _Mention) -> _Mention:
    """`the beginning until 00:10` starts at 0."""
    if not mention.range:
        window = text[max(lo, mention.begin - _LONGEST_GAP) : mention.begin]
        found = _START_TO.search(window) if window[-1:] in " -–—~" else None
        if found:
            return mention._replace(start_s=0.0, begin=mention.begin - len(window) + found.start())
    return mention


# --- level 3: the judge

_HEDGES = _set("about around approximately approx approx. roughly exactly precisely circa ca c. nearly ~ ≈ just right")
_STAMP_WORDS = _set("timestamp timestamps timecode time-stamp stamp stamps")
_TRANSPARENT = _set("the time times mark position moment only exact very second minute") | _STAMP_WORDS | _HEDGES
_AT = _set("at @ from since until till til during between near starting beginning")
_NAMED = _AT | _set("by before after in on past")
_OPENING_WORDS = _set("first opening initial")
_LASTS = _set(
    "for lasts last lasted lasting takes take took taking wait waits waited waiting every each within over another "
    "next final previous spends spent additional extra than remaining closing pause pauses"
)
_SPANS = _LASTS | _set("ranges ranging varies vary")
_HAPPENS = _set("occurs occur occurred happens happen happened appears starts begins ends stops comes came visible seen")
_COUNTS = _set("score scoreline tally result odds ratio ratios scale proportion aspect resolution set sets leads won wins beat beats")
_LENGTHS = _set("length duration runtime total pace runs running")
_IDENTIFIERS = _set(
    "room gate flight bus train page number no no. version figure fig fig. chapter verse verses psalm psalms surah "
    "port route lane platform apartment size utc gmt coordinates"
)
_LABELS = _COUNTS | _LENGTHS | _IDENTIFIERS
_SAYS = _set(
    "is was are were be becomes became reads read reading shows show showing showed says said displays displayed "
    "displaying indicates indicated indicating to by of hits reaches strikes it's"
)
_STUCK = _set("stops stopped stuck frozen set pointing down counting points")
_ARTICLES = _set("a an the this that his her their its my our whole entire full every each any first last per one")
# A capitalised word right before `3:16` is a book, a room or a flight, unless it is one of these.
_INTRODUCERS = _NAMED | _TRANSPARENT | _SAYS | _set(
    "scene shot clip segment event frame part option see then and or but when while where again also later to "
    "through up here start end step interval window range period"
)

_DEVICE = re.compile(
    r"\b(?:(?:stop|wrist)?watch|clocks?|timer|countdown|(?:smart|cell)?phone(?:'s)?|scoreboard|microwave|oven|alarm|"
    r"thermostat|dashboard|display|label|sign|ticket|receipt|billboard|hands|metronome)\b"
)
_TIMECODE = re.compile(r"\btime(?:stamp|code| stamp| code)|\bvideo(?:'s)? (?:time|clock|counter)|\b(?:player|progress bar|seek bar)\b")
_RATIO_TALK = re.compile(
    r"\b(?:scor\w+|ratio|odds|scale|proportion\w*|mix\w*|dilut\w*|aspect|w[io]ns?|beats?|beat|lead\w*|led|lost|tied|"
    r"draws?|drew|against|simplif\w+|(?:match|game|set|half|bout) (?:was |has |had )?(?:end|finish)\w*)\b|[÷=]"
)
_COUNT_IS = re.compile(r"\b(?:score|scoreline|tally|result|odds|ratio|scale|proportion|aspect|resolution|vote|length|duration|runtime)\b")
_RESULT_TIME = re.compile(
    r"\b(?:(?:finish\w*|winning|record|best|marathon|race|lap|split|swim\w*|official|cook\w*|running|total|local|current|"
    r"arrival|departure|start) times?|(?:a|his|her|their) time)\b"
)
_FINISHES = re.compile(r"\b(?:finish\w*|complet\w+|solv\w+|ran|runs|swims|swam|record|done)\b")
_SCHEDULE = re.compile(
    r"\b(?:time-?table|scheduled?|appointment|calendar|itinerary|invitation|boarding|departures?|curfew|o'?clock|"
    r"kick-?off|closes at|opens at|open from|opening hours)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?|(?:mon|tues|wednes|thurs|fri|satur|sun)day),?$", re.IGNORECASE
)
_ONE_DIGIT = re.compile(r"[:：]\d(?!\d)")

_WRAP = r"[)\]}>\"'*_`”’»]*"
_FOOTAGE = r"(?:video|clip|footage|film|movie|recording|scene|segment|sequence|song|track|match|game|lecture|episode|trailer)"
_OF_DAY = re.compile(
    rf"{_WRAP}\s?(?:[ap]\.?\s?m\b|o'?clock|(?:hours|hrs)\b|(?:utc|gmt|[ecp]st|cet)\b|"
    r"in\sthe\s(?:early\s)?(?:morning|afternoon|evening)|at\snight|tonight)",
    re.IGNORECASE,
)
_OFFSET = re.compile(
    r"(?:\s?(?:seconds?|minutes?|hours?))?[\s-](?:later|earlier|ago|remaining|long|prior|left(?=\s*[.,;)]|\s(?:on|in|to|of)\b|$)|"
    r"(?:before|after|from)\s(?:the\s)?(?:end|start|beginning|finish|final)\b)",
    re.IGNORECASE,
)
_OF_GAME = re.compile(
    rf"{_WRAP}\s(?:ratio|odds|scale|aspect|scor\w+|win|victory|draw|lead|loss|defeat|pace|per|against|in\sfavou?r|mixture|"
    r"solution|dilution|model|for\sthe\s\w+\steam)\b",
    re.IGNORECASE,
)
_ON_DEVICE = re.compile(
    r"\s(?:left\s)?on\s(?:the|a|his|her|its|their)\s(?:\w+\s){0,2}?(?:clock|watch|stopwatch|timer|phone|microwave|oven|scoreboard)\b",
    re.IGNORECASE,
)
_FROM_DEVICE = re.compile(r"\bon (?:the|a|his|her|its|their) (?:\w+ )?(?:clock|watch|stopwatch|timer|phone|scoreboard), ?$")
_TIMED_NOUN = re.compile(
    r"[\s-](?:long\s)?(?:video|clip|footage|film|movie|recording|song|trailer|lecture|documentary|train|bus|flight|ferry|"
    r"meeting|alarm|news|class|appointment|deadline|show|service)\b(?!\s(?:mark|frame|segment|time))",
    re.IGNORECASE,
)

_MARKED = re.compile(
    rf"[\s-]?(?:(?:marks?|point|timestamps?)\b|into\b|in(?=\s*(?:$|[,.;:!?)\]—–])|\s(?:to\s)?(?:the|this|our)\s(?:\w+\s)?{_FOOTAGE}\b)|"
    rf"(?:of|after)\s(?:the\s|this\s)?{_FOOTAGE}(?:'s)?\s(?:start|begin)\w*)",
    re.IGNORECASE,
)
_IN_CLAUSE = re.compile(
    r"\sin\s(?:we|i|you|he|she|it|they|there|the|a|an|his|her)\s(?!oven|microwave|fridge|freezer|water|bath|pan|pool|row|total|kitchen|sun|dark)",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"[\s-](?:later|before|after|afterwards?|ago|earlier|prior|long|old|apart|each|per|delay|intervals?|left|remain\w*|away|"
    r"faster|slower|longer|shorter|more|less|worth|timer|walk|drive|break|rest|wait|pause|ride|rule|pass(?:es|ed)?|elapsed?|"
    r"go(?:es)?\sby|from\snow|in\s(?:total|length|duration|all|a\srow|between|advance)|off|behind|ahead|late|early|too|straight|"
    rf"to\sgo|of\s(?!(?:the\s|this\s)?{_FOOTAGE}\b))\b",
    re.IGNORECASE,
)
_BE = re.compile(r"\s(?:is|are|was|were|have|had|has)\b")
_STRETCH = re.compile(r"[\s-]?(?:range|window|segment|interval|portion|span|stretch|section|period|part|time\s?frame)s?\b", re.IGNORECASE)
_LABELLED = re.compile(rf"{_WRAP}\s*(?::|[-–—|→]+>?\s)")
_LENGTH_TALK = re.compile(r"\b(?:wait\w*|delay|duration|last(?:s|ed|ing)|length|long|pause\w*|holds?|total|takes?|took|timer)\b")


class _Left(NamedTuple):
    """The words before a mention, read from the mention backwards over hedges and articles."""

    word: str
    """The word that governs the mention, in lower case; empty at the start of a clause."""
    raw: str
    """The word right before the mention, as written."""
    words: list[str]
    """What stands before the governing word in the sentence, at most about ten words."""
    hedged: bool
    stamped: bool
    """"Timestamp" stands between the governing word and the mention."""
    initial: bool
    """The governing word, or the mention itself, begins the sentence or follows a comma, semicolon or the like."""


_WINDOW = 64
_CLAUSE_ENDS = ",;.!?)]|—–→>…"


def _governor(text: str, lo: int, begin: int) -> _Left:
    start = max(lo, begin - _WINDOW)
    words = text[start:begin].split()
    if start > lo and words:
        words = words[1:]
    raw = words[-1] if words and text[begin - 1].isspace() else ""
    hedged = stamped = False
    k = len(words)
    while k:
        word = words[k - 1]
        bare = word.lstrip(_OPENERS).lower()
        if bare not in _TRANSPARENT:
            if not bare and not any(bracket in word for bracket in "([{<"):
                k -= 1
                continue
            if not bare or bare[-1] in _CLAUSE_ENDS or bare in ("-", "•", "->", "and", "then", "again", "but"):
                break
            governing = bare.rstrip(":\"'*")
            before = words[: k - 1]
            initial = not before or before[-1][-1] in _CLAUSE_ENDS or word[0] in "([" or before[-1] in ("and", "but", "then")
            return _Left(governing, raw, before, hedged, stamped, initial)
        hedged = hedged or bare in _HEDGES or bare[0] in "~≈"
        stamped = stamped or bare in _STAMP_WORDS
        k -= 1
        if word[0] in "([{<":
            break
    return _Left("", raw, words[:k], hedged or text[begin - 1 : begin] in ("~", "≈"), stamped, True)


def _is_moment(text: str, lo: int, hi: int, mentions: list[_Mention], stamps: list[Timestamp]) -> bool:
    mention = mentions[0]
    tail = text[mentions[-1].end : min(hi, mentions[-1].end + _WINDOW)]
    left = _governor(text, lo, mention.begin)
    if mention.kind == "clock":
        return _is_clock_moment(text, lo, mention, left, tail)
    if mention.kind == "opening":
        return True
    if mention.kind == "indexed":
        return text[mention.begin] in "tT" or left.raw.lower() not in _ARTICLES
    if mention.kind == "ordinal":
        return left.raw.lower() not in ("every", "each")
    if left.word in _OPENING_WORDS:
        mentions[0] = mention._replace(start_s=0.0)
        hyphenated = "-" in text[mention.begin : mention.end] and not mention.range
        return not (hyphenated and tail[:1] == " " and not _STRETCH.match(tail))
    if _is_quantity_moment(text, lo, mention, left, tail, stamps):
        return True
    follows = bool(stamps) and _LIST.fullmatch(text, stamps[-1].end, mention.begin) is not None
    return follows and ":" not in text[stamps[-1].begin : stamps[-1].end] and not _RELATIVE.match(tail)


def _is_clock_moment(text: str, lo: int, mention: _Mention, left: _Left, tail: str) -> bool:
    """A clock is a moment of the video unless its surroundings make it something else."""
    if _OF_DAY.match(tail) or _OFFSET.match(tail):
        return False
    before = text[max(lo, mention.begin - _WINDOW) : mention.begin].lower()
    placed = left.word in _NAMED or left.hedged
    if _ONE_DIGIT.search(text, mention.begin, mention.end) and (not placed or _RATIO_TALK.search(before)):
        return False
    if _SCHEDULE.search(before) or _SCHEDULE.search(tail):
        return False
    if left.word in _NAMED:
        return not (
            (left.words and left.words[-1].lower() in _STUCK and _is_clock_face(before))
            or (left.word == "in" and not left.initial and _FINISHES.search(before))
        )
    if left.word in _LABELS or (left.word in _LASTS and not mention.range) or _OF_GAME.match(tail):
        return False
    if left.word in _SAYS and _says_otherwise(left, before):
        return False
    if left.raw.lower() in _ARTICLES and not mention.range and _TIMED_NOUN.match(tail):
        return False
    if left.word and text[mention.begin] != "0" and _RATIO_TALK.search(before):
        return False
    return not (_is_name(left.raw, text[mention.begin]) or _DATE.search(left.raw) or _ON_DEVICE.match(tail) or _FROM_DEVICE.search(before))


def _is_clock_face(before: str) -> bool:
    return _DEVICE.search(before) is not None and not _TIMECODE.search(before)


def _says_otherwise(left: _Left, before: str) -> bool:
    """Does what is said to be, show or reach this clock measure something else than the video's time?"""
    previous = left.words[-1].lower() if left.words else ""
    if _TIMECODE.search(before):
        return False
    if left.word == "it's" or (previous == "it" and left.word in ("is", "was")):
        return True
    return bool(
        _DEVICE.search(before)
        or _COUNT_IS.search(before)
        or _RESULT_TIME.search(before)
        or (left.word in ("is", "was", "to", "=") and _RATIO_TALK.search(before))
    )


def _is_name(word: str, first_digit: str) -> bool:
    return (
        word[:1].isupper()
        and word.isalpha()
        and len(word) > 1
        and first_digit != "0"
        and word.lower() not in _INTRODUCERS
        and not word.endswith("ing")
    )


def _is_quantity_moment(
    text: str, lo: int, mention: _Mention, left: _Left, tail: str, stamps: list[Timestamp]
) -> bool:
    """A quantity is a length of time unless its surroundings make it a moment."""
    if left.word in _LASTS or (left.words and left.words[-1].lower() in _SPANS and left.word in _NAMED):
        return False
    if mention.bracketed or _MARKED.match(tail) or (left.word == "" and _IN_CLAUSE.match(tail)):
        return True
    if _RELATIVE.match(tail):
        return False
    if _STRETCH.match(tail):
        return mention.range
    if text[mention.begin - 1 : mention.begin] in ("(", "[", "<") and tail[:1] in (")", "]", ">"):
        before = text[max(lo, mention.begin - _WINDOW) : mention.begin].lower()
        return tail[0] != ")" or _LENGTH_TALK.search(before) is None
    if left.stamped or left.word in _AT or (left.word in ("by", "after", "before", "on") and left.initial):
        return True
    if left.word == "" and not left.words and not tail.strip(" ."):
        return mention.range
    if left.word == "":
        aside = bool(stamps) and _LIST.fullmatch(text, stamps[-1].end, mention.begin) is not None
        if left.hedged and not aside:
            return not _BE.match(tail)
        return (left.initial and _LABELLED.match(tail) is not None) or (mention.range and mention.own_units)
    if mention.range:
        return mention.own_units or (left.word == "in" and left.initial)
    return left.hedged and left.word in _HAPPENS
