"""What a reasoning concludes where there are no options: a number, yes or no, or a text behind "the answer
is".
"""

import re

from videor2.answers import Value, normalise_text
from videor2.judges import cues
from videor2.judges.conclusion import Conclusion
from videor2.judges.matching import stems
from videor2.numerals import Number, canonical_number, find_numbers

NEAR = 24
"""Characters between "there are" and its number ("there are a total of about three")."""


def number(text: str, question: str | None = None) -> Conclusion:
    """The number of the last sentence that states a result.

    Of several behind "there are", the one that counts what the question asks for.

    >>> number("There are two tables and four chairs.", "How many chairs are there?").value
    Value(kind='number', canonical='4')
    """
    asked = stems(question or "")
    for sentence in reversed(list(cues.sentences(text))):
        if sentence.text.rstrip().endswith("?") or cues.ABOUT_THE_TASK.match(cues.lower(sentence.text)):
            continue
        stated = [m.end() for m in _STATES.finditer(sentence.text)]
        if not stated:
            continue
        numbers = [n for n in find_numbers(sentence.text) if not _is_time(n, sentence.text, question)]
        counted = [n for n in numbers if not asked.isdisjoint(stems(_noun_behind(n, sentence.text)))]
        behind = [n for n in numbers if n.start >= stated[-1]]
        if behind and behind[0].start - stated[-1] <= NEAR:
            chosen = [n for n in behind if n in counted] or behind
        else:
            chosen = counted if len({n.value for n in counted}) == 1 else []
        if chosen:
            return Conclusion(Value("number", canonical_number(chosen[0].value)), "number", sentence.text.strip())
    return Conclusion(None, "undetermined")


def yes_no(text: str) -> Conclusion:
    """Yes or no, where the reasoning says so in these words.

    >>> yes_no("There is no dog. So the answer is no.").value
    Value(kind='text', canonical='no')
    """
    found = cues.last(_YES_NO, text)
    if not found:
        return Conclusion(None, "undetermined")
    said = next(g for g in found.groups() if g).lower()
    return Conclusion(Value("text", said), "yes_no", found[0].strip())


def stated_text(text: str) -> Conclusion:
    """What stands behind the last "the answer is".

    >>> stated_text('So the answer is "Frewin Jones".').value
    Value(kind='text', canonical='frewin jones')
    """
    for sentence in reversed(list(cues.sentences(text))):
        m = _ANSWER_TEXT.search(sentence.text)
        if m and (words := normalise_text(m[1])):
            return Conclusion(Value("text", words), "text", sentence.text.strip())
    return Conclusion(None, "undetermined")


def _noun_behind(n: Number, sentence: str) -> str:
    """The words that a number may count."""
    return re.split(r"[,;.(]|\band\b", sentence[n.end : n.end + NEAR])[0]


def _is_time(n: Number, sentence: str, question: str | None) -> bool:
    """Whether a number tells when something happens, and the question does not ask for that."""
    return bool(_SECONDS.match(sentence, n.end)) and not (question and _ASKS_TIME.search(question))


_STATES = re.compile(
    r"\b(?:answer|total|sum|count|result|number|value)\b[^.?!\n]{0,80}?\b(?:is|are|was|were|be|equals|of)\b"
    r"|\bthere\s(?:are|is|were|was)\b|\b(?:is|are)\sindeed\b|\banswer\s?:|=|\\boxed\{"
    r"|\b(?:in total|altogether|overall),?|\b(?:i|we)\s(?:count|conclude|confirm)\b|\b(?:so|therefore|thus|hence)\b,?",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"[\s-]?(?:s|seconds?|minutes?|min)\b", re.IGNORECASE)
_ASKS_TIME = re.compile(r"\b(?:seconds?|minutes?|how long|when|time|duration)\b", re.IGNORECASE)
_YES_NO = re.compile(
    r"\banswer\s(?:to\s[^.?!\n]{1,60}\s)?(?:is|would be|should be|must be)[\s:\"'“*]*(yes|no)\b"
    r"|\b(?:so|therefore|thus|hence),?\s(?:it\sis\s)?[\"'“*]*(yes|no)\b(?!\s\w)"
    r"|\banswer\s?:[\s\"'“*]*(yes|no)\b",
    re.IGNORECASE,
)
_ANSWER_TEXT = re.compile(
    r"\banswer\s(?:is|would be|should be|must be)(?:\s(?:that|indeed|therefore))?[\s:]*"
    r"[\"'“*]*([^\"”*\n]{1,80}?)[\"”*]*[.!]?\s*$",
    re.IGNORECASE,
)
