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
nothing; "the third minute" is `[120, 180]`, but "the 5th second" is 5; a reversed range is swapped. Lengths, offsets
("ten seconds later"), frame numbers, times of day and invalid values (`00:75`) give nothing. English only.

Every look to the left or right of a mention is bounded, so time is linear in the text.
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
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow in lower case; positions must stay
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    find, digit = low.find, _DIGIT.search
    for begin, end in sentence_spans(text):
        spelled = find("sec", begin, end) >= 0 or find("min", begin, end) >= 0 or find("hour", begin, end) >= 0
        if spelled or digit(low, begin, end):
            yield begin, end, _read(_Sentence(text, low, begin, end), spelled)
        else:
            yield begin, end, []


# A longer "sentence" is a table, a list of numbers or junk; a bound keeps the work on it linear.
_LONGEST_SENTENCE = 1000
# One end mark only, and white space consumed as it is met: no run of characters is scanned twice.
_BREAK = re.compile(r"\n\s*|[.!?。！？…]['\"”’)\]*_]*(?:\s+|$)")
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
        mark, after = match.span()
        if _ends_sentence(text, begin, mark, after):
            yield from _bounded(text, begin, after)
            begin = after
    yield from _bounded(text, begin, len(text))


def _ends_sentence(text: str, begin: int, mark: int, after: int) -> bool:
    follows = text[after : after + 1]
    if text[mark] == "\n":
        wrapped = follows.islower() and mark > 0 and (text[mark - 1].isalnum() or text[mark - 1] in ",-")
        return not (wrapped and text.count("\n", mark, after) == 1)
    if text[mark] != ".":
        return True
    if text[mark - 1 : mark] == ".":
        return not follows.islower()
    word = text[text.rfind(" ", max(begin, mark - 12), mark) + 1 or max(begin, mark - 12) : mark].lstrip("([\"'*\n")
    if word.lower() in _NEVER_LAST or (word.lower() in _UNIT_LAST and not follows.isupper()):
        return False
    if word.isdigit() or (len(word) == 1 and word.isupper()):
        is_first = not text[begin : mark - len(word)].strip(" \t\n*#([-•>")
        return word.isdigit() and not is_first
    return True


def _bounded(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end and text[end - 1].isspace():
        end -= 1
    while begin < end:
        if text[begin].isspace():
            begin += 1
            continue
        cut = end
        if end - begin > _LONGEST_SENTENCE:
            space = text.rfind(" ", begin + 1, begin + _LONGEST_SENTENCE)
            cut = space if space > 0 else begin + _LONGEST_SENTENCE
        yield begin, cut
        begin = cut


class _Sentence(NamedTuple):
    text: str
    low: str
    """The text in lower case, character for character."""
    begin: int
    end: int


# --- the lexer


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_ORDINAL_TENS = "fifteenth twentieth thirtieth fortieth fiftieth".split()
_VALUES = {
    "a": 1.0,
    "an": 1.0,
    "zero": 0.0,
    **{word: float(i) for i, word in enumerate(_ONES, 1)},
    **{word: float(i) for i, word in enumerate(_TEENS, 10)},
    **{word: 10.0 * i for i, word in enumerate(_TENS, 2)},
    **{word: float(i) for i, word in enumerate(_ORDINALS, 3)},
    **dict(zip(_ORDINAL_TENS, (15.0, 20.0, 30.0, 40.0, 50.0), strict=True)),
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}

_DIGITS = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_SPELLED = rf"(?:{_any(*_TENS)}(?:[\s-]{_any(*_ONES)})?|{_any(*_TEENS, *_ONES, 'zero')})\b"
_NUMBER = rf"(?:{_DIGITS}|(?:(?:a|one)\shundred(?:\sand)?\s)?{_SPELLED}|(?:a|one)\shundred\b)"
_COUNT = rf"(?:{_NUMBER}(?:\sand\sa\shalf)?|half(?:\san?)?\b|(?:a\s)?quarter\sof\san\b|an?\b)"
_NTH = rf"(?:[0-9]{{1,4}}(?:st|nd|rd|th)|{_any(*_ORDINALS, *_ORDINAL_TENS)})\b"

_NO_LETTER = r"(?![^\W\d_])"  # digits may follow a unit, as in 2m30s
_HOUR = rf"(?:hours?|hrs?|h){_NO_LETTER}"
_MINUTE = rf"(?:minutes?|mins?|m){_NO_LETTER}"
_SECOND = rf"(?:seconds?|secs?|s){_NO_LETTER}"
_MILLI = rf"(?:milliseconds?|msecs?|ms){_NO_LETTER}"
_UNIT = rf"(?:{_MILLI}|{_HOUR}|{_MINUTE}|{_SECOND})"
_JOINT = r"(?:\s|-|‑)?"
_SEP = r"\.?\s?(?:,\s?)?(?:and\s)?"
_HALF = r"(?:\sand\sa\shalf\b)?"
# "at one minute twenty": the seconds go without saying only where no noun can follow
_MORE = rf"[\s-](?:{_SPELLED}|[0-5][0-9])(?=[\s-]marks?\b|\sin(?:to)?\b|[,.;:)]|$)"
_SECONDS = rf"(?:{_SEP}{_NUMBER}{_JOINT}{_SECOND})?"

_CLOCK = (
    r"(?:[0-9]{1,3}(?:[:：][0-9]{1,2}){1,2}(?:\.[0-9]{1,3}|,[0-9]{3})?|[0-9]{1,2}(?:\s:\s[0-9]{2}){1,2})"
    r"(?![:：][0-9a-f]{2}\b|[:：]?[0-9]|\.[0-9])"
    r"(?:\s?(?:seconds|secs?|minutes|mins?|minute(?=\smark))\b|[sm]\b|-?ish\b)?(?!\w)"
)
_PRIME = r"[0-9]{1,3}['’′]\s?[0-5][0-9](?:[\"”″]|''|’’|′′)"
_ORDINAL = rf"{_NTH}[\s-](?:second|minute|hour)s?\b(?!-)"
_QUANTITY = (
    rf"(?:[0-9]{{1,2}}h[0-5][0-9](?:m(?:in)?)?\b|[0-9]{{1,3}}m[0-5][0-9]\b|{_COUNT}{_JOINT}(?:{_HOUR}{_HALF}(?:{_SEP}{_NUMBER}{_JOINT}{_MINUTE})?{_SECONDS}|{_MINUTE}{_HALF}(?:{_MORE}|{_SECONDS})"
    rf"|{_SECOND}|{_MILLI}))(?!\w|[/²³°]|[:.][0-9])"
)
_BARE = rf"(?:[0-9]{{1,4}}(?:st|nd|rd|th)|{_NUMBER})(?![\w%°]|[:：.,/][0-9])"
_OPENING = r"(?:first|opening|initial)[\s-](?:half[\s-](?:an?[\s-])?)?(?:second|minute|hour)\b"

_DIGIT = re.compile("[0-9]")
_DIGIT_START = re.compile("[0-9]+")
# Number words are looked for only where a unit is spelled out: they are slow to find, and rare.
_ANY_START = re.compile(
    rf"[0-9]+|\b(?:{_any(*_ONES, *_TEENS, *_TENS, *_ORDINALS, *_ORDINAL_TENS)}\b|zero\b|half\b|quarter\sof\b"
    r"|an?\s(?=min|hour|quarter|hundred)|(?:first|opening|initial)[\s-](?=half|second|minute|hour))"
)
_PART = re.compile(
    rf"(?P<clock>{_CLOCK})|(?P<prime>{_PRIME})|(?P<opening>{_OPENING})|(?P<ordinal>{_ORDINAL})|(?P<quantity>{_QUANTITY})"
    rf"|(?P<number>{_BARE})"
)
_TERM = re.compile(rf"(?P<count>{_NTH}|{_COUNT})(?:{_JOINT}(?P<unit>{_UNIT})(?P<half>{_HALF}))?")
_INDEX = re.compile(
    r"(?:^|(?<=[^\w'’]))(?:t\s?[=≈]|time\s?[=≈]|time[\s-]?(?:stamp|code)s?\s?(?:[=≈:]|of|is)?|seconds?|secs?|minutes?|mins?)"
    r"(?:\smark)?\s?$"
)
_NOT_SECONDS = re.compile(r"[/}^]|\s(?:[nkmc]?m|m?v|k|hz|fps|met(?:er|re)s?)\b")
_INDEX_WINDOW = 18


class _Part(NamedTuple):
    """What the lexer found. `unit_s` is that of a quantity's first number; None where there is no unit."""

    kind: str
    begin: int
    end: int
    value_s: float
    unit_s: float | None


def _parts(s: _Sentence, spelled: bool) -> list[_Part]:
    start = _ANY_START if spelled else _DIGIT_START
    parts: list[_Part] = []
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


def _part(s: _Sentence, match: re.Match[str]) -> _Part:
    begin, end = match.span()
    kind = match.lastgroup or ""
    if kind in ("clock", "prime"):
        value = _clock_s(match[0])
        return _Part(
            "invalid" if value is None else "clock" if kind == "clock" else "quantity",
            begin,
            end,
            value or 0.0,
            None,
        )
    value_s, unit_s = _count_s(match[0])
    if kind == "quantity" and _is_no_time(match[0], unit_s):
        return _Part("invalid", begin, end, 0.0, None)
    if kind in ("number", "quantity") and unit_s in (None, 1.0):
        index = _INDEX.search(s.low[max(s.begin, begin - _INDEX_WINDOW) : begin])
        spelled_out = match[0][0].isalpha() and not (index and index[0].startswith("minute"))  # "the second one"
        if index and not spelled_out and not _NOT_SECONDS.match(s.low, end):
            unit_s = 60.0 if index[0].startswith("min") else 1.0
            return _Part("indexed", begin - len(index[0]), end, value_s * unit_s, unit_s)
    return _Part(kind, begin, end, value_s, unit_s)


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
    """Seconds of a quantity and the unit of its first number; a bare number counts as seconds without a unit."""
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
        return 0.25
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


# --- the parser


class _Mention(NamedTuple):
    """Parts that belong together. `kind` is `clock` if any part is one: clocks need no other evidence."""

    kind: str
    start_s: float
    end_s: float
    begin: int
    end: int
    is_range: bool = False
    own_units: bool = True
    """Every number has a unit of its own, as in `3s - 5s` and unlike `3 - 5 s`."""
    bracketed: bool = False


_OPENERS = "([{<\"'*_`“‘«"
_DASH = r"(?:-{1,3}>?|=>|[–—−‐‑‒―~～〜→⟶…]|\.{2,3})"
_SKIP = r"(?:(?:about|around|approximately|approx\.?|roughly|the|at|timestamps?|time|~)\s?)*"
_CLOSE, _OPEN = r"[)\]}>\"'*_`”’]*", r"[(\[{<\"'*_`“‘]*"
_TO = re.compile(
    rf"(?:\s?(?:marks?|timestamps?))?{_CLOSE}"
    rf"(?:\s*{_DASH}\s*|\s?(?:to|until|till?|through|thru|up\sto)\s){_SKIP}{_OPEN}"
)
_AND = re.compile(rf"(?:\s?(?:marks?|timestamps?))?{_CLOSE}\s+(?:and|&)\s+{_SKIP}{_OPEN}")
_LIST = re.compile(rf"{_CLOSE}\s*(?:,\s*(?:and|or|then)\s|[,;/&]|\b(?:and|or|then)\s)\s*(?:again\s)?{_SKIP}{_OPEN}")
_COMMA = re.compile(r"\s*[,;]\s*")
_START_TO = re.compile(
    r"\b(?:the\s)?(?:very\s)?(?:beginning|start|outset)(?:\sof\s(?:the\s)?\w+)?\s*"
    rf"(?:\b(?:to|until|till?|through|up\sto)\b|{_DASH})\s*(?:about\s|around\s)?$"
)
_LONGEST_GAP = 40
_LONGEST_LIST = 12


def _read(s: _Sentence, spelled: bool) -> list[Timestamp]:
    parts = _parts(s, spelled)
    stamps: list[Timestamp] = []
    i = 0
    while i < len(parts):
        mentions, used = _mentions(s, parts, i)
        i += used
        for m in _judged(s, mentions, stamps[-1] if stamps else None) if mentions else []:
            stamps.append(Timestamp(min(m.start_s, m.end_s), max(m.start_s, m.end_s), m.begin, m.end))
    return stamps


def _mentions(s: _Sentence, parts: list[_Part], i: int) -> tuple[list[_Mention], int]:
    """The mentions that start at part i, and how many parts they use. More than one where a list shares its unit."""
    part = parts[i]
    if part.kind == "invalid":
        return [], 1
    if i + 1 < len(parts):
        joined = _range(s, part, parts[i + 1])
        if joined:
            return [joined], 2
    if part.kind == "number":
        return _unit_list(s, parts, i)
    start_s = part.value_s
    if part.kind == "opening":
        start_s = 0.0
    elif part.kind == "ordinal" and part.unit_s and part.unit_s > 1:
        start_s -= part.unit_s
    elif part.kind == "clock":
        window = s.low[max(s.begin, part.begin - _LONGEST_GAP) : part.begin]
        found = _START_TO.search(window) if "st" in window or "beg" in window else None
        if found:
            return [_Mention("clock", 0.0, part.value_s, part.begin - len(found[0]), part.end)], 1
    return [_Mention(part.kind, start_s, part.value_s, part.begin, part.end)], 1


def _range(s: _Sentence, a: _Part, b: _Part) -> _Mention | None:
    """Two parts as one interval, if what stands between and around them says so."""
    if b.begin - a.end > _LONGEST_GAP or b.kind in ("invalid", "opening") or a.kind == "opening":
        return None
    gap = s.low[a.end : b.begin]
    bracketed = False
    if not _TO.fullmatch(gap):
        if _COMMA.fullmatch(gap):
            bracketed = a.kind != "number" and s.low[a.begin - 1 : a.begin] == "[" and s.low[b.end : b.end + 1] == "]"
            if not bracketed:
                return None
        elif not _AND.fullmatch(gap) or _left(s, a.begin).word != "between":
            return None
    start_s, end_s, own_units = a.value_s, b.value_s, True
    if a.kind == "number":
        if b.unit_s is not None:
            start_s, own_units = a.value_s * b.unit_s, False
        elif b.kind != "clock" or a.value_s:
            return None
    elif b.kind == "number":
        if a.kind == "indexed" and a.unit_s is not None:
            end_s = b.value_s * a.unit_s
        elif a.kind == "clock" and gap in ("-", "–", "—") and re.fullmatch("[0-5][0-9]", s.low[b.begin : b.end]):
            end_s += a.value_s - a.value_s % 60  # 1:10-15 is short for 1:10-1:15
            if end_s <= a.value_s:
                return None
        else:
            return None
    kind = "clock" if "clock" in (a.kind, b.kind) else "indexed" if a.kind == "indexed" else "quantity"
    return _Mention(kind, start_s, end_s, a.begin, b.end, True, own_units, bracketed)


def _unit_list(s: _Sentence, parts: list[_Part], i: int) -> tuple[list[_Mention], int]:
    """`5, 10 and 15 seconds`: numbers that share the unit of the last one."""
    j = i
    while j + 1 < len(parts) and j - i < _LONGEST_LIST and parts[j].kind == "number":
        gap = s.low[parts[j].end : parts[j + 1].begin]
        if len(gap) > _LONGEST_GAP or not _LIST.fullmatch(gap):
            break
        j += 1
    if parts[j].kind != "quantity" or parts[j].unit_s is None:
        return [], 1
    scales = [parts[j].unit_s or 1.0] * (j - i) + [1.0]
    return [
        _Mention("quantity", part.value_s * scale, part.value_s * scale, part.begin, part.end, own_units=False)
        for part, scale in zip(parts[i : j + 1], scales, strict=True)
    ], j - i + 1


# --- the judge: lexicon

_HEDGES = _words("about around approximately approx approx. roughly exactly precisely circa ca ~ ≈ just right")
_STAMP_WORDS = _words("timestamp timestamps timecode time-stamp stamp stamps")
_TRANSPARENT = _words("the time times mark position moment only exact very now second minute") | _STAMP_WORDS | _HEDGES
_PLACED = _words("at @ by near")
_AT = _words("at @ from since until till til during between near starting beginning")
_NAMED = _AT | _PLACED | _words("before after in on past")
_FIRST = _words("first opening initial")
_LASTS = _words(
    "for lasts last lasted lasting takes take took taking wait waits waited waiting every each within over another "
    "next final previous spends spent additional extra than remaining closing pause pauses"
)
_SPANS = _LASTS | _words("ranges ranging varies vary")
_HAPPENS = _words(
    "occurs occur occurred happens happen happened appears starts begins ends stops comes came visible seen"
)
_TIME_LABELS = _words("time start end begin onset offset moment")
_LABELS = _words(
    "score scoreline tally result odds ratio ratios scale proportion aspect resolution set sets leads won wins beat beats "
    "length duration runtime total pace record best clocked runs running "
    "room gate flight bus train page version figure fig fig. chapter verse verses psalm psalms surah number no no. "
    "port route lane platform apartment size utc gmt coordinates"
)
_SAYS = _words(
    "is was are were be becomes became reads read reading shows show showing showed says said displays displayed "
    "displaying indicates indicated indicating to by of hits reaches strikes it's"
)
_STUCK = _words("stops stopped stuck frozen set pointing down counting points")
_CHANGES = _words("changes changed turns jumps ticks goes")
_ARTICLES = _words("a an the this that his her their its my our whole entire full every each any first last per one")
# A capitalised word right before `3:16` is a book, a room or a flight, unless it is one of these.
_INTRODUCERS = (_NAMED | _TRANSPARENT | _SAYS) - {"mark"} | _words(
    "scene shot clip segment event frame part option see then and or but when while where again also later through up "
    "here start end step interval window range period"
)

_DEVICE = re.compile(
    r"\b(?:(?:stop|wrist)?watch|clocks?|timer|countdown|(?:smart|cell)?phone(?:'s)?|scoreboard|microwave|oven|alarm|"
    r"thermostat|dashboard|display|label|sign|ticket|receipt|billboard|hands|metronome)\b"
)
_TIMECODE = re.compile(
    r"\btime[ -]?(?:stamp|code)|\bvideo(?:'s)? (?:time|clock|counter)|\b(?:player|progress bar|seek bar)\b"
)
_RATIO_TALK = re.compile(
    r"\b(?:scor\w+|ratio|odds|scale|proportion\w*|mix\w*|dilut\w*|aspect|w[io]ns?|beats?|lead\w*|led|lost|tied|draws?|drew|"
    r"against|simplif\w+|(?:match|game|set|half|bout) (?:was |has |had )?(?:end|finish)\w*)\b|[÷=≈]"
)
_MEASURE_IS = re.compile(
    r"\b(?:score|scoreline|tally|result|odds|ratio|scale|proportion|aspect|resolution|vote|length|duration|runtime)\b"
)
_RESULT_TIME = re.compile(
    r"\b(?:(?:finish\w*|winning|record|best|marathon|race|lap|split|swim\w*|official|cook\w*|running|total|local|current|"
    r"arrival|departure) times?|(?:a|his|her|their) time)\b"
)
_FINISHES = re.compile(r"\b(?:finish\w*|complet\w+|solv\w+|ran|runs|swims|swam|record|done)\b")
_SCHEDULE = re.compile(
    r"(?:scheduled|time-?table|appointment|itinerary|invitation|on the (?:calendar|schedule)|boarding|departures?|curfew|"
    r"kick-?off|open from|opening hours)\b"
)
_DATE = re.compile(
    r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?|(?:mon|tues|wednes|thurs|fri|satur|sun)day),?$"
)
_LENGTH_TALK = re.compile(
    r"\b(?:wait\w*|delay|duration|last(?:s|ed|ing)|length|long|pause\w*|holds?|total|takes?|took|timer)\b"
    r"|(?:seconds|minutes|hours?) \($"
)
_ONE_DIGIT = re.compile(r"[:：][0-9](?![0-9])")

_FOOTAGE = (
    r"(?:video|clip|footage|film|movie|recording|scene|segment|sequence|song|track|match|game|lecture|episode|trailer)"
)
_OF_DAY = re.compile(
    rf"{_CLOSE}\s?(?:[ap]\.?\s?m\b|o'?clock|(?:hours|hrs)\b|(?:utc|gmt|[ecp]st|cet)\b|"
    r"in\sthe\s(?:early\s)?(?:morning|afternoon|evening)|at\snight|tonight|local\stime)"
)
_OFFSET = re.compile(
    r"(?:\s?(?:seconds?|minutes?|hours?))?[\s-](?:later|earlier|ago|remaining|long|prior|"
    r"left(?=\s*[.,;)]|\s(?:on|in|to|of)\b|$)|(?:before|after|from)\s(?:the\s)?(?:end|start|beginning|finish|final)\b)"
)
_OF_GAME = re.compile(
    rf"{_CLOSE}\s(?:ratio|odds|scale|aspect|scor\w+|win|victory|draw|lead|loss|defeat|pace|per|against|in\sfavou?r|mixture|"
    r"solution|dilution|model|for\sthe\s\w+\steam|in\sthe\s\w+\s(?:set|round|quarter))\b"
)
_ON_DEVICE = re.compile(
    r"\s(?:left\s)?on\s(?:the|a|his|her|its|their)\s(?:\w+\s){0,2}?(?:clock|watch|stopwatch|timer|phone|microwave|oven|scoreboard)\b"
)
_FROM_DEVICE = re.compile(
    r"\bon (?:the|a|his|her|its|their) (?:\w+ )?(?:clock|watch|stopwatch|timer|phone|scoreboard), ?$"
)
_TIMED_NOUN = re.compile(
    r"[\s-](?:long\s)?(?:video|clip|footage|film|movie|recording|song|trailer|lecture|documentary|train|bus|flight|ferry|"
    r"meeting|alarm|news|class|appointment|deadline|show|service)\b(?!\s(?:mark|frame|segment|time))"
)
_MARKED = re.compile(
    r"[\s-]?(?:(?:marks?|point|timestamps?)\b|into\b|in(?=\s*(?:$|[,.;:!?)\]—–])|"
    rf"\s(?:to\s)?(?:the|this|our)\s(?:\w+\s)?{_FOOTAGE}\b)|"
    rf"after\s(?:the\s|this\s)?{_FOOTAGE}(?:'s)?\s(?:start|begin)\w*|(?:after|from)\sthe\s(?:very\s)?(?:start|beginning)\b)"
)
_IN_CLAUSE = re.compile(
    r"\sin\s(?:we|i|you|he|she|it|they|there|the|a|an|his|her)\s"
    r"(?!oven|microwave|fridge|freezer|water|bath|pan|pool|row|total|kitchen|sun|dark)"
)
_RELATIVE = re.compile(
    r"[\s-](?:later|before|after|afterwards?|ago|earlier|prior|long|old|apart|each|per|delay|intervals?|left|remain\w*|away|"
    r"faster|slower|longer|shorter|more|less|worth|timer|walk|drive|break|rest|wait|pause|ride|rule|pass(?:es|ed)?|elapsed?|"
    r"go(?:es)?\sby|for\s(?:each|every)|from\s(?:now|the\s(?:end|finish))|in\s(?:total|length|duration|all|a\srow|between|advance)|off|behind|ahead|late|early|too|straight|"
    rf"to\sgo|of\s(?!(?:the\s|this\s)?{_FOOTAGE}\b))\b"
)
_BE = re.compile(r"\s(?:is|are|was|were|have|had|has)\b")
_STRETCH = re.compile(
    r"[\s-]?(?:range|window|segment|interval|portion|span|stretch|section|period|part|time\s?frame)s?\b"
)
_LABELLED = re.compile(rf"{_CLOSE}\s*(?::|[-–—|→]+>?\s)")


# --- the judge


class _Left(NamedTuple):
    """The words before a mention, read from the mention backwards over hedges and articles."""

    word: str
    """The word that governs the mention; empty at the start of a clause."""
    begin: int
    """Where that word, or the clause, begins."""
    raw: str
    """The word right before the mention, as written."""
    hedged: bool
    stamped: bool
    """"Timestamp" stands between the governing word and the mention."""


_WINDOW = 64
_CLAUSE_ENDS = ",;.!?)]|—–→>…"
_CLAUSE_STARTS = frozenset(("", "-", "•", "->", "and", "then", "again", "but"))


def _window(s: _Sentence, begin: int) -> str:
    return s.low[max(s.begin, begin - _WINDOW) : begin]


def _last_word(s: _Sentence, end: int) -> tuple[str, int]:
    """The word, with its punctuation, before a position, and where it begins; empty at the sentence's begin."""
    low, first = s.low, max(s.begin, end - _WINDOW)
    while end > first and low[end - 1].isspace():
        end -= 1
    begin = low.rfind(" ", first, end) + 1 or first
    return low[begin:end], begin


def _left(s: _Sentence, begin: int) -> _Left:
    word, at = _last_word(s, begin)
    raw = s.text[at : begin - 1] if s.low[begin - 1 : begin].isspace() else ""
    hedged = stamped = False
    end = begin
    while word:
        bare = word.lstrip(_OPENERS)
        if bare in _TRANSPARENT:
            hedged = hedged or bare in _HEDGES
            stamped = stamped or bare in _STAMP_WORDS
        elif bare.startswith(("~", "≈")):
            hedged = True
        elif bare:
            if bare[-1] in _CLAUSE_ENDS or bare in _CLAUSE_STARTS:
                break
            return _Left(bare.rstrip(":\"'*"), at, raw, hedged, stamped)
        end = at
        if word[0] in "([{<":
            break
        word, at = _last_word(s, at)
    return _Left("", end, raw, hedged, stamped)


def _previous(s: _Sentence, left: _Left) -> str:
    """The word before the governing word."""
    return _last_word(s, left.begin)[0].lstrip(_OPENERS)


def _is_initial(s: _Sentence, left: _Left) -> bool:
    """Does the governing word begin the sentence, or follow a comma, a semicolon, an "and" or the like?"""
    previous = _last_word(s, left.begin)[0]
    return previous in _CLAUSE_STARTS or previous[-1] in _CLAUSE_ENDS or s.low[left.begin] in "(["


def _judged(s: _Sentence, mentions: list[_Mention], last: Timestamp | None) -> list[_Mention]:
    """The mentions if they are moments of the video, else none; "first 5 seconds" is given its start."""
    first = mentions[0]
    tail = s.low[mentions[-1].end : min(s.end, mentions[-1].end + _WINDOW)]
    left = _left(s, first.begin)
    if first.kind == "clock":
        accepted = _is_clock_moment(s, first, left, tail)
    elif first.kind == "indexed":
        accepted = s.text[first.begin] != "T" and left.raw.lower() not in _ARTICLES
    elif first.kind in ("opening", "ordinal"):
        accepted = left.raw.lower() not in ("every", "each")
        if first.kind == "opening" and _means_end(s, left):
            mentions = [first._replace(start_s=first.end_s)]
    elif left.word in _FIRST:
        hyphenated = "-" in s.low[first.begin : first.end] and not first.is_range
        accepted = not (hyphenated and tail[:1] == " " and not _STRETCH.match(tail))
        if not _means_end(s, _left(s, left.begin)):
            mentions = [first._replace(start_s=0.0, begin=left.begin), *mentions[1:]]
    else:
        listed = last is not None and _LIST.fullmatch(s.low, last.end, first.begin) is not None
        accepted = _is_quantity_moment(s, first, left, tail, listed)
        if listed and last and not accepted:
            accepted = ":" not in s.low[last.begin : last.end] and not _RELATIVE.match(tail)
    return mentions if accepted else []


def _means_end(s: _Sentence, left: _Left) -> bool:
    """ "After the first minute" and "the end of the first minute" name its end."""
    return left.word == "after" or (left.word == "of" and _previous(s, left) == "end")


def _is_clock_moment(s: _Sentence, mention: _Mention, left: _Left, tail: str) -> bool:
    """A clock is a moment of the video unless its surroundings make it something else."""
    if _OF_DAY.match(tail) or _OFFSET.match(tail):
        return False
    before = _window(s, mention.begin)
    if _ONE_DIGIT.search(s.low, mention.begin, mention.end) and (
        not (left.hedged or left.word in _PLACED) or _RATIO_TALK.search(before)
    ):
        return False
    if _SCHEDULE.search(before) or _SCHEDULE.search(tail):
        return False
    previous = _previous(s, left)
    if left.word in _NAMED:
        stuck = previous in _STUCK and _DEVICE.search(before) and not _TIMECODE.search(before)
        stuck = stuck or (left.word == "from" and previous in _CHANGES and _DEVICE.search(before))
        stuck = stuck or (left.word == "by" and previous in _LABELS)
        return not (stuck or (left.word == "in" and not _is_initial(s, left) and _FINISHES.search(before)))
    if left.word in _LABELS or (left.word in _LASTS and not mention.is_range) or _OF_GAME.match(tail):
        return False
    if left.word == "time" and _RESULT_TIME.search(before):
        return False
    if left.word in _SAYS and _says_otherwise(left.word, previous, before):
        return False
    if left.word == "of" and previous in _TRANSPARENT:
        return True
    zero_padded = s.low[mention.begin] == "0"
    if left.raw.lower() in _ARTICLES and not mention.is_range and _TIMED_NOUN.match(tail):
        return False
    if not zero_padded and ((left.word and _RATIO_TALK.search(before)) or _is_name(left.raw)):
        return False
    return not (_DATE.search(left.raw.lower()) or _ON_DEVICE.match(tail) or _FROM_DEVICE.search(before))


def _says_otherwise(word: str, previous: str, before: str) -> bool:
    """Does what is said to be, show or reach this clock measure something else than the video's time?"""
    if _TIMECODE.search(before):
        return False
    if word == "of" and previous in _TRANSPARENT:
        return _RESULT_TIME.search(before) is not None
    if word == "it's" or (previous == "it" and word in ("is", "was")) or (word == "of" and previous in _LABELS):
        return True
    return any(talk.search(before) for talk in (_DEVICE, _MEASURE_IS, _RESULT_TIME))


def _is_name(word: str) -> bool:
    word = word.lstrip(_OPENERS)
    return (
        len(word) > 1
        and word[0].isupper()
        and word.isalpha()
        and not word.endswith("ing")
        and word.lower() not in _INTRODUCERS
    )


def _is_quantity_moment(s: _Sentence, mention: _Mention, left: _Left, tail: str, listed: bool) -> bool:
    """A quantity is a length of time unless its surroundings make it a moment.

    `listed`: it stands right behind another mention, so a hedge is no sign ("from 00:10 to 00:20, about 10 seconds").
    """
    if left.word in _LASTS or (left.word in _NAMED and _previous(s, left) in _SPANS):
        return False
    if mention.bracketed or _MARKED.match(tail) or (left.word == "" and _IN_CLAUSE.match(tail)):
        return True
    if _RELATIVE.match(tail):
        return False
    if _STRETCH.match(tail):
        return mention.is_range
    opener, closer = s.low[mention.begin - 1 : mention.begin], tail[:1]
    if opener in ("(", "[", "<") and closer in (")", "]", ">"):
        return closer != ")" or _LENGTH_TALK.search(_window(s, mention.begin)) is None
    if left.word in _TIME_LABELS and _window(s, mention.begin).rstrip().endswith(":"):
        return not _RESULT_TIME.search(_window(s, mention.begin))
    if left.stamped or left.word in _AT:
        return True
    if left.word in ("by", "after", "before", "on"):
        return _is_initial(s, left)
    if left.word == "":
        if left.begin == s.begin and not tail.strip(" ."):
            return mention.is_range  # the whole sentence: "24.3 - 30.4 seconds" is an answer, "5 seconds" a length
        if left.hedged and not listed:
            return tail.strip(" .") != "" and not _BE.match(tail)
        return _LABELLED.match(tail) is not None or (mention.is_range and mention.own_units)
    if mention.is_range:
        return mention.own_units or (left.word == "in" and _is_initial(s, left))
    return left.hedged and left.word in _HAPPENS
