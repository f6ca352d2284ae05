"""Parts joined to mentions by what stands between them: ranges, pairs in brackets, lists that share a unit."""

import re
from typing import Literal, NamedTuple

from videor2.timestamps.lexer import Part, PartKind
from videor2.timestamps.sentences import Sentence, left_of


class Mention(NamedTuple):
    """Parts that belong together. `kind` is `clock` if any part is one: clocks need no other evidence."""

    kind: PartKind
    start_s: float
    end_s: float
    begin: int
    end: int
    is_range: bool = False
    own_units: bool = True
    """Every number has a unit of its own, as in `3s - 5s` and unlike `3 - 5 s`."""
    bracketed: bool = False
    """A pair in square brackets, as in `[3s, 5s]`."""


CLOSE = r"[)\]}>\"'*_`”’»]*"
_OPEN = r"[(\[{<\"'*_`“‘]*"
_DASH = r"(?:-{1,3}>?|=>|[–—−‐‑‒―~～〜→⟶…]|\.{2,3})"
_SKIP = r"(?:(?:about|around|approximately|approx\.?|roughly|the|at|timestamps?|time|~)\s?)*"
_TO = re.compile(
    rf"(?:\s?(?:marks?|timestamps?))?{CLOSE}"
    rf"(?:\s*{_DASH}\s*|\s?(?:to|until|till?|through|thru|up\sto)\s){_SKIP}{_OPEN}"
)
_AND = re.compile(rf"(?:\s?(?:marks?|timestamps?))?{CLOSE}\s+(?:and|&)\s+{_SKIP}{_OPEN}")
_COMMA = re.compile(r"\s*[,;]\s*")
LIST = re.compile(rf"{CLOSE}\s*(?:,\s*(?:and|or|then)\s|[,;/&]|\b(?:and|or|then)\s)\s*(?:again\s)?{_SKIP}{_OPEN}")
_START_TO = re.compile(
    r"\b(?:the\s)?(?:very\s)?(?:beginning|start|outset)(?:\sof\s(?:the\s)?\w+)?\s*"
    rf"(?:\b(?:to|until|till?|through|up\sto)\b|{_DASH})\s*(?:about\s|around\s)?$"
)
_TWO_DIGITS = re.compile("[0-5][0-9]")
_LONGEST_GAP = 40
_LONGEST_LIST = 12


def mentions_at(s: Sentence, parts: list[Part], i: int) -> tuple[list[Mention], int]:
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
    start_s, begin = part.value_s, part.begin
    if part.kind == "opening":
        start_s = 0.0
    elif part.kind == "ordinal" and part.unit_s and part.unit_s > 1:
        start_s -= part.unit_s
    elif part.kind == "clock":
        before = s.low[max(s.begin, begin - _LONGEST_GAP) : begin]
        found = _START_TO.search(before) if "st" in before or "beg" in before else None
        if found:
            start_s, begin = 0.0, begin - len(found[0])
    return [Mention(part.kind, start_s, part.value_s, begin, part.end)], 1


def _range(s: Sentence, a: Part, b: Part) -> Mention | None:
    """Two parts as one interval, if what stands between and around them says so."""
    joint = _joint(s, a, b)
    if joint is None:
        return None
    start_s, end_s, own_units = a.value_s, b.value_s, True
    if a.kind == "number":
        if b.unit_s is not None:  # 8 to 12 seconds
            start_s, own_units = a.value_s * b.unit_s, False
        elif b.kind != "clock" or a.value_s:  # 0 to 00:10
            return None
    elif b.kind == "number":
        end = _short_end_s(s, a, b)
        if end is None:
            return None
        end_s = end
    kind: PartKind = "indexed" if a.kind == "indexed" else "quantity"
    if "clock" in (a.kind, b.kind):
        kind = "clock"
    return Mention(kind, start_s, end_s, a.begin, b.end, True, own_units, joint == "pair")


def _joint(s: Sentence, a: Part, b: Part) -> Literal["to", "and", "pair"] | None:
    """What makes one range of two neighbours: "to" or a dash; "between X and Y"; "[X, Y]"."""
    if b.begin - a.end > _LONGEST_GAP or b.kind in ("invalid", "opening"):
        return None
    if a.kind == "opening" and b.kind != "ordinal":  # "the first minute" is an interval, and the first of several
        return None
    gap = s.low[a.end : b.begin]
    if _TO.fullmatch(gap):
        return "to"
    if _COMMA.fullmatch(gap):
        enclosed = s.low[a.begin - 1 : a.begin] == "[" and s.low[b.end : b.end + 1] == "]"
        return "pair" if enclosed and a.kind != "number" else None
    return "and" if _AND.fullmatch(gap) and left_of(s, a.begin).word == "between" else None


def _short_end_s(s: Sentence, a: Part, b: Part) -> float | None:
    """The end of a range that is a bare number: `seconds 4 to 9`, `1:10-15`."""
    if a.kind == "indexed" and a.unit_s is not None:
        return b.value_s * a.unit_s
    if a.kind == "clock" and s.low[a.end : b.begin] in ("-", "–", "—") and _TWO_DIGITS.fullmatch(s.low, b.begin, b.end):
        end = a.value_s - a.value_s % 60 + b.value_s
        return end if end > a.value_s else None
    return None


def _unit_list(s: Sentence, parts: list[Part], i: int) -> tuple[list[Mention], int]:
    """`5, 10 and 15 seconds`: numbers that share the unit of the last one."""
    j = i
    while j + 1 < len(parts) and j - i < _LONGEST_LIST and parts[j].kind == "number":
        gap = s.low[parts[j].end : parts[j + 1].begin]
        if len(gap) > _LONGEST_GAP or not LIST.fullmatch(gap):
            break
        j += 1
    unit_s = parts[j].unit_s
    if parts[j].kind != "quantity" or unit_s is None:
        return [], max(1, j - i)
    values = [part.value_s * unit_s for part in parts[i:j]] + [parts[j].value_s]
    return [
        Mention("quantity", value, value, part.begin, part.end, own_units=False)
        for part, value in zip(parts[i : j + 1], values, strict=True)
    ], j - i + 1
