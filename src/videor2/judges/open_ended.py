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
    for whole in reversed(list(cues.sentences(text))):
        sentence = whole.text[cues.announced(whole.text) :]
        if sentence.rstrip().endswith("?") or _SUPPOSES.match(sentence):
            continue
        if cues.ABOUT_THE_TASK.match(cues.lower(sentence)):
            continue
        chosen = _stated_number(sentence, asked, question)
        if chosen and _IN_FORMULA.match(sentence, chosen.end):
            break  # "2π" is no 2
        if chosen:
            return Conclusion(Value("number", canonical_number(chosen.value)), "number", sentence.strip())
        if _THE_ONLY_ONE.search(sentence) and not find_numbers(sentence):
            return Conclusion(Value("number", "1"), "number", sentence.strip())
    return Conclusion(None, "undetermined")


def _stated_number(sentence: str, asked: frozenset[str], question: str | None) -> Number | None:
    """The number that a sentence states as a result, if it does."""
    stated = [m.end() for m in _STATES.finditer(sentence)]
    if not stated:
        return None
    numbers = [n for n in find_numbers(sentence) if not _is_time(n, sentence, question)]
    numbers = [n for n in numbers if not _OUT_OF.search(sentence, max(0, n.start - NEAR), n.start)]
    counted = [n for n in numbers if not asked.isdisjoint(stems(_noun_behind(n, sentence)))]
    behind = [n for n in numbers if n.start >= stated[-1]]
    if behind and behind[0].start - stated[-1] <= NEAR:
        return next((n for n in behind if n in counted), behind[0])
    return counted[0] if len({n.value for n in counted}) == 1 else None


def yes_no(text: str) -> Conclusion:
    """Yes or no, where the reasoning says so in these words.

    >>> yes_no("There is no dog. So the answer is no.").value
    Value(kind='text', canonical='no')
    """
    said_so = list(_YES_NO.finditer(text))
    if not said_so:
        return Conclusion(None, "undetermined")
    found = said_so[-1]
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
            letter = _CAPITAL.fullmatch(m[1].strip())
            value = Value("letter", letter[1]) if letter else Value("text", words)
            return Conclusion(value, "explicit_choice" if letter else "text", sentence.text.strip())
    return Conclusion(None, "undetermined")


def _noun_behind(n: Number, sentence: str) -> str:
    """The words that a number may count."""
    return re.split(r"[,;.(]|\band\b", sentence[n.end : n.end + NEAR])[0]


def _is_time(n: Number, sentence: str, question: str | None) -> bool:
    """Whether a number tells when something happens, and the question does not ask for that."""
    return bool(_SECONDS.match(sentence, n.end)) and not (question and _ASKS_TIME.search(question))


_STATES = re.compile(
    r"\b(?:answer|total|sum|count|result|number|value)\b[^.?!\n]{0,80}?\b(?:is|are|was|were|be|equals|of)\b"
    r"|\bthere\s(?:are|is|were|was)\b|\b(?:is|are)\sindeed\b|\bmust\sbe\b|\banswer\s?:|=|\\boxed\{"
    r"|\b(?:in total|altogether|overall),?|\b(?:i|we)\s(?:count|conclude|confirm)\b|\b(?:so|therefore|thus|hence)\b,?",
    re.IGNORECASE,
)
_SUPPOSES = re.compile(r"\W*(?:if|suppose|assuming|initially|originally|at\sfirst|at\sthe\sstart)\b", re.IGNORECASE)
_OUT_OF = re.compile(r"\b(?:of|among)\s(?:the|these|those|all)\s(?:other\s)?$", re.IGNORECASE)
_IN_FORMULA = re.compile(r"\s?(?:[*/^×÷+]|\\(?:pi|sqrt|times|cdot|frac)|[π√])")
_THE_ONLY_ONE = re.compile(r"\b(?:is|be)\s(?:\w+\s)?the\s(?:only|single|sole)\s\w+", re.IGNORECASE)
_SECONDS = re.compile(r"[\s-]?(?:s|seconds?|minutes?|min)\b", re.IGNORECASE)
_ASKS_TIME = re.compile(r"\b(?:seconds?|minutes?|how long|when|time|duration)\b", re.IGNORECASE)
_YES_NO = re.compile(
    r"\banswer\s(?:to\s[^.?!\n]{1,60}\s)?(?:is|would be|should be|must be)[\s:\"'“*]*(yes|no)\b"
    r"|\b(?:so|therefore|thus|hence),?\s(?:it\sis\s)?[\"'“*]*(yes|no)\b(?!\s\w)"
    r"|\banswer\s?:[\s\"'“*]*(yes|no)\b",
    re.IGNORECASE,
)
_CAPITAL = re.compile(r"\(?([A-J])[).]?")
_ANSWER_TEXT = re.compile(
    r"\banswer(?:\s(?:is|would be|should be|must be)(?:\s(?:that|indeed|therefore))?[\s:]*|\s?:\s*)"
    r"[\"'“*]*([^\"”*\n]{1,80}?)[\"”*]*[.!]?\s*$",
    re.IGNORECASE,
)
