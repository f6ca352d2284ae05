"""Sentences, and the words that stand before a place in one."""

import re
from collections.abc import Iterator
from typing import NamedTuple

# A longer "sentence" is a table, a list of numbers or junk; a bound keeps the work on it linear.
_LONGEST = 1000
# One end mark only, and white space consumed as it is met: no run of characters is scanned twice.
_BREAK = re.compile(r"\n\s*|[.!?。！？…]['\"”’)\]*_]*(?:\s+|$)")


def word_set(text: str) -> frozenset[str]:
    """A set of words, written as one string."""
    return frozenset(text.split())


_NEVER_LAST = word_set("e.g i.e eg ie mr mrs ms dr prof st vs no fig approx ca cf resp jr sr")
_UNIT_LAST = word_set("s sec secs min mins hr hrs etc a.m p.m")


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each sentence, list item or line, without the white space around it.

    Decimals, abbreviations, initials and enumerators ("1.", "B.") do not end a sentence; a line wrapped in the
    middle of one does not either. Nothing is longer than 1,000 characters.

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
    first = max(begin, mark - 12)
    word = text[text.rfind(" ", first, mark) + 1 or first : mark].lstrip("([\"'*\n")
    if word.isdigit() or (len(word) == 1 and word.isupper()):
        return word.isdigit() and text[begin : mark - len(word)].strip(" \t\n*#([-•>") != ""
    word = word.lower()
    return not (word in _NEVER_LAST or (word in _UNIT_LAST and not follows.isupper()))


def _bounded(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end and text[end - 1].isspace():
        end -= 1
    while begin < end:
        if text[begin].isspace():
            begin += 1
            continue
        cut = end
        if end - begin > _LONGEST:
            space = text.rfind(" ", begin + 1, begin + _LONGEST)
            cut = space if space > 0 else begin + _LONGEST
        yield begin, cut
        begin = cut


def lowered(text: str) -> str:
    """The text in lower case and with plain blanks, character for character."""
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow in lower case
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low.replace("\n", " ").replace("\t", " ").replace("\xa0", " ")


class Sentence(NamedTuple):
    """A stretch of a text; `low` is the whole text `lowered`."""

    text: str
    low: str
    begin: int
    end: int


OPENERS = "([{<\"'*_`“‘«"
HEDGES = word_set("about around approximately approx approx. roughly exactly precisely circa ca ~ ≈ just right")
STAMP_WORDS = word_set("timestamp timestamps timecode time-stamp stamp stamps")
TRANSPARENT = word_set("the time times mark position moment only exact very now second minute") | STAMP_WORDS | HEDGES
"""Words between a mention and the word that governs it: "at about the 5-second mark" is governed by "at"."""

WINDOW = 64
_CLAUSE_ENDS = ",;.!?)]|—–→>…"
_CLAUSE_STARTS = frozenset(("", "-", "•", "->", "and", "then", "again", "but"))


class Left(NamedTuple):
    """The words before a mention, read backwards over hedges and articles."""

    word: str
    """The word that governs the mention; empty at the start of a clause."""
    begin: int
    """Where that word, or the clause, begins."""
    raw: str
    """The word right before the mention, as written; empty where no white space parts them."""
    hedged: bool
    stamped: bool
    """"Timestamp" stands between the governing word and the mention."""


def window(s: Sentence, end: int) -> str:
    """What stands before a place in its sentence, in lower case."""
    return s.low[max(s.begin, end - WINDOW) : end]


def left_of(s: Sentence, begin: int) -> Left:
    """The word that governs what begins here."""
    word, at = _last_word(s, begin)
    raw = s.text[at : begin - 1] if s.low[begin - 1 : begin] == " " else ""
    hedged = stamped = False
    end = begin
    while word:
        bare = word.lstrip(OPENERS)
        if bare in TRANSPARENT:
            hedged = hedged or bare in HEDGES
            stamped = stamped or bare in STAMP_WORDS
        elif bare.startswith(("~", "≈")):
            hedged = True
        elif bare:
            if bare[-1] in _CLAUSE_ENDS or bare in _CLAUSE_STARTS:
                break
            return Left(bare.rstrip(":\"'*"), at, raw, hedged, stamped)
        end = at
        if word[0] in "([{<":
            break
        word, at = _last_word(s, at)
    return Left("", end, raw, hedged, stamped)


def previous_word(s: Sentence, left: Left) -> str:
    """The word before the governing word."""
    return _last_word(s, left.begin)[0].lstrip(OPENERS)


def is_initial(s: Sentence, left: Left) -> bool:
    """Does the governing word begin the sentence, or follow a comma, a semicolon, an "and" or the like?"""
    previous = _last_word(s, left.begin)[0]
    return previous in _CLAUSE_STARTS or previous[-1] in _CLAUSE_ENDS or s.low[left.begin] in "(["


def _last_word(s: Sentence, end: int) -> tuple[str, int]:
    """The word, with its punctuation, before a place, and where it begins; empty at the sentence's begin."""
    low, first = s.low, max(s.begin, end - WINDOW)
    while end > first and low[end - 1] == " ":
        end -= 1
    begin = low.rfind(" ", first, end) + 1 or first
    return low[begin:end], begin
