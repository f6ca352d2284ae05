"""Does the reasoning claim to have looked? VAS of arXiv 2511.23478 by a judge's rating, and an estimate without one.

Both read what the text claims. Whether the claims are true, and whether the model used the video at all, neither can
tell.
"""

import re
from typing import Final

from videor2.judges.verdicts import Rating
from videor2.scores.score import Score

ENOUGH: Final = 6.0
"""Different cues below which a reasoning is short of evidence, however dense: two or three sentences' worth."""
_FULL: Final = 3.0
"""Weight of cues with which one sentence tells all that it can."""
_LATIN: Final = 1.3
"""UTF-8 bytes a character beyond which a text is in another script than the cues."""


def vas(rating: Rating | None) -> Score:
    """Video attention score: a judge's rating from 0 to 10, as a share.

    Abstains for None, where there was no reasoning to rate; a judge that failed is an error, never 0.

    >>> vas(Rating(7, "a red car at 00:03"))
    Score(value=0.7, status='ok', detail='a red car at 00:03')
    >>> vas(Rating(None, error="HTTP 503")).status
    'error'
    """
    if rating is None:
        return Score.abstain("no reasoning")
    if rating.value is None:
        return Score.error(rating.error or "the judge failed")
    return Score.ok(rating.value / 10, rating.rationale)


def vas_rules(think: str | None) -> Score:
    """How much visual evidence a reasoning claims, by counting cues: an estimate, and not VAS.

    Each sentence counts for the kinds of cues in it: a time, a place in the picture, a colour, a number of things, a
    movement, a quotation, "shows", "in the frame". The score is the mean over sentences of min(1, weight / 3),
    lowered in proportion where the whole text has fewer than six different cues. Linear in the length.

    What it is not: it knows some 150 English words and no grammar. "No red car is visible" counts as much as "a red
    car is visible", an invented detail as much as a true one, a summary of the question as much as an observation;
    other scripts make it abstain. Its scale is its own: only compare it with itself, to sort a log or to see gross
    differences between models. To report VAS, ask a judge.

    >>> vas_rules("At 00:03 a red ball rolls in from the left. At 00:07 two cubes appear behind it.").value
    1.0
    >>> vas_rules("Divide both sides by 4, so x is 3. Hence the area is 12.").value < 0.05
    True
    """
    if not think or not think.strip():
        return Score.abstain("no reasoning")
    if len(think.encode("utf-8", "replace")) > _LATIN * len(think):
        return Score.abstain("not English: the estimate knows English cues alone")
    told, sentences = 0.0, 0
    distinct: set[str] = set()
    for sentence in _END.split(think.lower()):
        words = _WORD.findall(sentence)
        if not words:
            continue
        sentences += 1
        cues = _WORDS.intersection(words)
        kinds = {_CUES[cue] for cue in cues}
        if time := _TIME.search(sentence):
            kinds.add("time")
            cues.add(time[0])
        if quotation := _QUOTATION.search(sentence):
            kinds.add("quotation")
            cues.add(quotation[0])
        if kinds:
            distinct |= cues
            told += min(1.0, sum(map(_WEIGHT.__getitem__, kinds)) / _FULL)
    if not sentences:
        return Score.abstain("no words")
    enough = min(1.0, len(distinct) / ENOUGH)
    return Score.ok(enough * told / sentences, f"{len(distinct)} cues, {sentences} sentences")


_PLACES = "left right top bottom center centre middle foreground background corner behind above below beside near front"
_COLOURS = "red blue green yellow white black orange purple pink brown gray grey golden dark bright striped"
_NUMBERS = "two three four five six seven eight nine ten several both"
_SEEING = (
    "see sees seen saw show shows shown showing appear appears appeared visible watch watching notice noticed observe "
    "observed depicts depicted displays displayed displaying reads labeled labelled written"
)
_PICTURE = "video frame frames scene scenes clip camera footage screen shot shots image caption"
_MOVING = (
    "walks walking runs running holds holding sits sitting stands standing picks places opens opening closes moves "
    "moving turns turning enters leaves wearing wears throws pours rolls falls jumps drives pulls pushes smiles"
)
_CUES: Final = {
    word: kind
    for kind, words in {
        "place": _PLACES,
        "colour": _COLOURS,
        "number": _NUMBERS,
        "seeing": _SEEING,
        "picture": _PICTURE,
        "moving": _MOVING,
    }.items()
    for word in words.split()
}
_WORDS: Final = set(_CUES)
_WEIGHT: Final = {
    "time": 1.5,
    "place": 1.0,
    "colour": 1.0,
    "seeing": 1.0,
    "moving": 1.0,
    "number": 0.5,
    "picture": 0.5,
    "quotation": 0.5,
}
_WORD = re.compile(r"[a-z]{3,}")
_TIME = re.compile(r"[0-9]{1,4}(?::[0-9]{2}|(?:\.[0-9]{1,3})?\s?(?:s|secs?|seconds)\b)")
_QUOTATION = re.compile(r'["“][^"”\n]{1,40}["”]')
# One set of characters first, which `re` scans for fast.
_END = re.compile(r"[.!?\n](?:(?<=\n)|(?!\S))")
