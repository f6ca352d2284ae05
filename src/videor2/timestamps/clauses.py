"""What a sentence says about each of its timestamps: the clause around it, without the time itself."""

import re

from videor2.timestamps.sentences import word_set

Span = tuple[int, int]

# What stands between the words of a clause and its timestamp, and goes with the timestamp: hedges, one preposition.
_HEDGES = word_set(
    "around about approximately approx approx. roughly exactly precisely nearly just the timestamp timestamps time "
    "times mark sometime ~"
)
_PREPOSITIONS = word_set("at from between during by in on near until till since before after for through to see @")
_OPENERS = "([{<\"'*_`“‘~≈@"
_TRAILING = re.compile(
    r"[)\]}>\"'*_`”’»]*(?:[\s-]?(?:marks?|timestamps?|point|range|window|segment|interval)\b)?"
    r"(?:\s(?:in|into|of)\s(?:the|this|our)\s(?:video|clip|footage|recording|film|movie|scene|lecture|match|game|song)\b"
    r"|\sinto\sit\b|\sin(?=\s*(?:[,.;:!?]|$)))?[)\]}>\"'*_`”’»]*\s*(?:[:,|→]|[-–—]+>?(?=\s))?",
    re.IGNORECASE,
)
_START_OF_LINE = re.compile(
    r"(?:[-*•–—>#|]+\s+|(?:\d{1,2}|[A-Ha-h])[.)](?:\s+|$)|[,;:.…]\s*|(?:and|but|then|so|while|or|whereas)\b\s*)+",
    re.IGNORECASE,
)
_CONJUNCTIONS = word_set("and but then or while")
_SEPARATOR = r"(?:[;,|\n–—→]|->|\b(?:and|then|but|while|whereas|so)\b)"
_AT_END = re.compile(rf"{_SEPARATOR}(?:\s*(?:{_SEPARATOR}|finally|later|again))*\s*$", re.IGNORECASE)
_AT_START = re.compile(rf"[)\]}}>\"'*_`”’»]*\s*(?={_SEPARATOR})", re.IGNORECASE)
_STRONG = re.compile(r"[;\n]|,\s(?:and|then|but|while|whereas|so)\b", re.IGNORECASE)
_WEAK = re.compile(r"\b(?:and|then|but|while|whereas)\b|,\s", re.IGNORECASE)
_JOINING = re.compile(rf"(?:\s|{_SEPARATOR}|[&/]|or\b|again\b)*", re.IGNORECASE)
_NO_CLAUSE = word_set("in on at with by of to from near into onto under over behind for as again too also respectively")
_LONGEST_SEPARATOR = 40


def told(text: str, begin: int, end: int, stamps: list[Span]) -> list[str]:
    """For each timestamp of a sentence the words that belong to it; empty where the sentence has none.

    That is the clause around it where the sentence separates clearly, else the whole sentence.

    >>> told("He sits at 0:03 and, at 0:07, he stands.", 0, 40, [(11, 15), (24, 28)])
    ['He sits', 'he stands']
    """
    extents = [_extent(text, begin, end, stamp) for stamp in stamps]
    whole = _without(text, begin, end, extents)
    if len(stamps) == 1:
        return [whole]
    cuts = _cuts(text, begin, end, stamps, extents)
    sentences: list[str] = []
    for left, right in zip([begin, *cuts], [*cuts, end], strict=True):
        i = j = len(sentences)
        while j < len(stamps) and stamps[j][0] < right:
            j += 1
        sentences += [_without(text, left, right, extents[i:j]) or whole] * (j - i)
    return sentences


def _extent(text: str, begin: int, end: int, stamp: Span) -> Span:
    """The timestamp with the brackets, preposition and punctuation that go with it."""
    at = stamp[0]
    has_preposition = False
    while at > begin:
        while at > begin and text[at - 1] in _OPENERS:
            at -= 1
        while at > begin and text[at - 1].isspace():
            at -= 1
        word_begin = max(text.rfind(" ", begin, at) + 1, begin)
        word = text[word_begin:at].lstrip(_OPENERS).lower()
        if word in _PREPOSITIONS and not has_preposition:
            has_preposition = True
        elif word not in _HEDGES and not (word in ("starting", "beginning") and _opens(text, begin, word_begin)):
            break
        at = word_begin
    trailing = _TRAILING.match(text, stamp[1], end)
    return at, trailing.end() if trailing else stamp[1]


def _opens(text: str, begin: int, at: int) -> bool:
    """Does a clause begin here?"""
    before = text[begin:at].rstrip()
    return not before or before[-1] in ",;(-–—"


def _without(text: str, begin: int, end: int, extents: list[Span]) -> str:
    """The words of a stretch of text without the timestamps in it and what joins them."""
    pieces: list[str] = []
    at = begin
    for left, right in extents:
        if not pieces or not _JOINING.fullmatch(text, at, left):
            pieces.append(text[at:left])
        at = right
    pieces.append(text[at:end])
    return tidy(" ".join(pieces))


def tidy(words: str) -> str:
    """Words without list marks, conjunctions and punctuation around them; empty where there is no word."""
    words = " ".join(words.replace("**", " ").split()).strip(" ,;:-–—|→>*_`")
    head = _START_OF_LINE.match(words)
    if head:
        words = words[head.end() :]
    words = words.replace(" ,", ",").rstrip(" .,;:!–—-")
    while words[words.rfind(" ") + 1 :].lower() in _CONJUNCTIONS:
        words = words[: max(words.rfind(" "), 0)].rstrip(" .,;:!–—-")
    if words.count('"') == 1:
        words = words.strip('"')
    if words.count("(") != words.count(")"):
        words = words.replace("(", "").replace(")", "").rstrip()
    return words if any(map(str.isalnum, words)) else ""


def _cuts(text: str, begin: int, end: int, stamps: list[Span], extents: list[Span]) -> list[int]:
    """Where a sentence falls into clauses, each with words of its own around its timestamps."""
    cuts: list[int] = []
    since = begin
    has_words = tidy(text[begin : extents[0][0]]) != ""
    for i in range(len(stamps) - 1):
        left, right = extents[i][1], extents[i + 1][0]
        between = tidy(text[left:right])
        if not between and right == stamps[i + 1][0]:
            continue  # "at 00:05 and 00:41": one list
        after = tidy(text[extents[i + 1][1] : extents[i + 2][0] if i + 2 < len(extents) else end])
        cut = _cut(text, stamps[i][1], right, has_words, after != "")
        if cut is not None:
            mine = has_words or tidy(text[left:cut]) != ""
            theirs = tidy(text[max(cut, left) : right]) or after
            balanced = text.count("(", since, cut) == text.count(")", since, cut)
            if mine and theirs and balanced and theirs.split(maxsplit=1)[0].lower() not in _NO_CLAUSE:
                cuts.append(cut)
                since = cut
                has_words = tidy(text[max(cut, left) : right]) != ""
                continue
        has_words = has_words or between != ""
    return cuts


def _cut(text: str, left: int, right: int, told_before: bool, told_after: bool) -> int | None:
    """Where the words between two timestamps part: those of the first, those of the second."""
    late = max(left, right - _LONGEST_SEPARATOR)
    if match := _AT_END.search(text, late, right):
        return match.start()
    if told_before and (match := _AT_START.match(text, left, right)):
        return match.end()
    while left < right and text[left] in ", ":
        left += 1
    for separator in (_STRONG, _WEAK):
        if match := separator.search(text, left, right):
            return match.start()
    if told_after and not told_before:  # "1:33 ribosomes 2:12 nucleus"
        return right
    return None
