"""The words by which reasoning settles, supports, rejects or leaves open, and how it falls into sentences and
clauses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Polarity = Literal["most", "least"]
"""Whether a question asks for the statement that holds best, or for the one that holds least ("LEAST likely",
"NOT").
"""

_QUALITY = (
    "likely|plausible|probable|logical|reasonable|accurate|consistent|suitable|appropriate|sensible|compelling|fitting|"
    "relevant|convincing|natural"
)
MOST = re.compile(
    rf"\b(?:most|more)\s(?:\w+\s)?(?:{_QUALITY})\b|\bbest\s(?:\w+\s)?(?:fits?|match(?:es)?|aligns?|describes?|explains?|"
    r"represents?|captures?|answer|option|choice|statement|description|explanation|fit|match|guess)\b|"
    r"\b(?:fits?|match(?:es)?|aligns?)\s(?:the\s)?(?:best|better)\b|\bbetter\s(?:fit|match|option|choice|answer)\b"
)
LEAST = re.compile(rf"\bleast\s(?:{_QUALITY})|\bleast\s\w+$")
AGAINST = re.compile(
    rf"\b(?:less|not(?:\sthe)?\s(?:more|most|very)|n't\s(?:more|very))\s(?:{_QUALITY})\b"
    r"|\b(?:incorrect|untrue|wrong|false)\b(?!\s(?!because|since|as|given|based|and|or|to)\w)"  # no "false belief"
    r"|\b(?:unlikely|improbable|implausible|contradict\w*|inconsistent|excluded|discarded|"
    r"dismissed|reject(?:s|ed)?|eliminat(?:e|es|ed)|rul(?:e|es|ed)\s(?:it\s)?out|(?:is|are)\sout)\b"
    r"|(?:\bnot|n't)\s(?:be\s)?(?:\w+ly\s)?(?:correct|right|true|supported|likely|plausible|consistent|mentioned|valid|"
    r"accurate|align|fit|match|correspond|support|the\s(?:correct|right|answer|case|best))"
    r"|\bno\s(?:\w+\s)?(?:indication|evidence|sign|reason|suggestion|hint)\b|\b(?:is|was)\sthere\s(?:any\s)?(?:evidence|indication)\b"
    r"|\b(?:cannot|can't|can\snot|could\snot|couldn't)\sbe\b|\bneither\b"
)
SUPPORT = re.compile(
    r"\b(?:aligns?|align(?:ed|ing)|match(?:es|ing)?|fits?|fitting|consistent|corresponds?|agrees?)\s(?:\w+\s){0,4}?with\b|"
    r"\b(?:match(?:es)?|fits?|supports?|points?\sto|confirms?)\b|\b(?:is|seems|appears|makes)\s(?:\w+\s)?"
    r"(?:plausible|likely|correct|right|true|possible|reasonable|sense)\b"
)
ANSWER = re.compile(
    r"\b(?:answer|choice|conclusion|solution)\b[^.,;]{0,30}?(?:\s(?:is|would\sbe|should\sbe|must\sbe)\b|\s?:)"
    r"|\b(?:correct|right)\s(?:answer|option|choice|statement|interpretation|one|match)\b"
    r"|\bi(?:'ll|'d|\swill|\swould)?\s(?:choose|pick|select|go\swith|answer)\b"
    r"|\bso,?\s(?:it\sis\s)?(?:the\s)?(?:option|choice|letter|answer)\b|\\boxed\b"
)
LETTER_ONLY = re.compile(
    r"\b(?:leaves?|left\swith|go(?:ing)?\swith|settle\s(?:on|for))\b|\bonly\s(?:\w+\s)?(?:option|choice|statement|answer|one)\b"
    r"|(?:\b(?:is|be)|'s)\s(?:(?:option|choice)\s)?[(\[\"'*]*[a-j][)\]\"'*]*\W*$"
)
INFER = re.compile(
    r"\b(?:can|could|may|might|would|must|to)\s(?:\w+ly\s)?(?:conclude|infer|deduce|assume)\b|\bi\s(?:conclude|infer)\b"
    r"|\b(?:this|which)\sleads\s(?:me|us)\sto\b"
)
THEREFORE = re.compile(
    r"^(?:\W*(?:and|but|oh|hmm|wait|okay|ok)\b)*\W*(?:therefore|thus|hence|so|consequently|accordingly|ultimately|overall|"
    r"in conclusion|in summary|to conclude|finally|final answer|based on th(?:is|ese|e))\b"
)
UNDECIDED = re.compile(
    r"\bneither\s(?:of\s|statement|option|is\b)"
    r"|\b(?:cannot|can't|can\snot|could\snot|couldn't|unable\sto|(?:not|n't)\s(?:be\s)?(?:possible|able)\sto|impossible\sto|"
    r"(?:difficult|hard)\sto|no\sway\sto|(?:not|n't)\s(?:have\s|provide\s)?enough\s(?:\w+\s){1,3}to)\s"
    r"(?:be\s)?(?:\w+ly\s)?(?:determine|conclude|infer|tell|say|know|derive|answer|identify|decide|make|confirm)"
)
HEDGE = re.compile(r"\W*(?:however|although|though|but|while|still|of course)\b")
ABOUT_THE_TASK = re.compile(
    r"^\W*(?:(?:now|first|next|so|okay|then|wait|hmm),?\s)*(?:the\squestion\b(?!.*\banswer\b)|(?:in\sorder\s)?to\s"
    r"(?:determine|identify|find|decide|answer|figure|solve)\b|we\s(?:need|have)\sto|i\s(?:need|have)\sto|let's|let\sus|let\sme|"
    r"given\sthe\soptions,?\swe)"
)
TRIGGER = re.compile(  # a cheap look: sentences with none of these have no cue
    r"likely|plausib|probab|logical|reasonabl|best|least|most|correct|right|answer|wrong|false|true|reject|"
    r"conclu|infer|deduc|assum|therefore|thus|hence|\bso\b|final|overall|consequent|not|n't|no |nor |option|"
    r"choice|choose|pick|select|boxed|align|match|fits?\b|consistent|correspond|point|contradict|eliminat|rule|"
    r"\bout\b|impossib|unable|neither|based|support|confirm|sense|lead|possible|clear|indeed|difficult|hard"
)

_BREAK = re.compile(
    r"\n+|(?<=[.!?])[\"”'’)*]*\s+(?=[\"“'(\[*\\-]*[A-Z0-9\\])|(?<=[。！？])"  # a line, or a full stop before a capital
)
_LABEL = re.compile(r"(?:^|[:\n])[\s*•(-]*(?:[A-Za-z]|\d+)\.[\"”'’)*]*$")  # "B. white circle" is one sentence
_ABBREVIATION = re.compile(r"\b(?:Eq|Fig|No|vs|Mr|Mrs|Ms|Dr|St|e\.g|i\.e|etc)\.$")
_ENDS_BEFORE_LIST = re.compile(
    r"\b(?:is|are|be|answer|statement|conclusion|scenario|option|choice|best)\W*:\W*$", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"(?<!\s)(?:,?\s+(?:(?P<contrast>rather than|instead of|as opposed to|compared (?:to|with)|than|and not)\s"
    r"|(?P<link>which|making|leaving|but rather|but|however)\b,?\s"
    r"|(?:because|since|whereas|although|even though|though|while|due to|given that|considering|based on|unless|if|"
    r"so that|indicating|suggesting|implying|meaning)\b,?\s"
    r"|as\s(?=(?:this|it|he|she|they|there|that)\s))"
    r"|,\s+(?:(?P<not>not)\s(?=\w)|(?P<so>so|and so|nor|and)\s|(?:as|thus|hence|therefore)\b(?!\swell)\s)|;\s)"
)
_PREMISE = re.compile(
    r"\W*(?:(?:however|but|so|and|now|thus|therefore),?\s)*"
    r"(?:while|although|though|even though|since|if|because|as|when)\b[^,]*,\s"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch of the reasoning, `text[start:end]`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence, `sentence[start:end]`.

    `contrasted` where its conjunction sets it against the part before ("rather than"), `linked` where it goes
    on about the same thing ("which", "but"), `premise` where it opens the sentence with a condition or a
    concession, `consequence` behind ", so".
    """

    start: int
    end: int
    contrasted: bool = False
    linked: bool = False
    premise: bool = False
    consequence: bool = False


def lower(text: str) -> str:
    """Lower case, character for character, so that positions stay (`İ` would become two)."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last match of a pattern."""
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def sentences(text: str) -> Iterator[Sentence]:
    """Sentences and lines of a text. "..., so the answer is:" and the line that follows are one.

    >>> [s.text for s in sentences("It is red. So the answer is:\\n\\nB. Eq. (5) holds")]
    ['It is red.', 'So the answer is:\\n\\nB. Eq. (5) holds']
    """
    start = 0
    for m in _BREAK.finditer(text):
        before = text[start : m.start()]
        if not before.strip():
            start = m.end()
        elif "\n" in m[0]:
            if not _ENDS_BEFORE_LIST.search(before[-40:]):
                yield Sentence(before, start, m.start())
                start = m.end()
        elif not _LABEL.search(before) and not _ABBREVIATION.search(before[-6:]):
            yield Sentence(before, start, m.start())
            start = m.end()
    if text[start:].strip():
        yield Sentence(text[start:], start, len(text))


def clauses(sentence: str) -> Iterator[Clause]:
    """The clauses of a lower-case sentence, cut at conjunctions of reason, contrast and condition."""
    premise = _PREMISE.match(sentence)
    start = premise.end() if premise else 0
    if premise:
        yield Clause(0, start, premise=True)
    link: re.Match[str] | None = None
    for m in _CLAUSE.finditer(sentence, start):
        yield _clause(start, m.start(), link)
        start, link = m.end(), m
    yield _clause(start, len(sentence), link)


def _clause(start: int, end: int, link: re.Match[str] | None) -> Clause:
    if link is None:
        return Clause(start, end)
    return Clause(
        start,
        end,
        contrasted=bool(link["contrast"] or link["not"]),
        linked=bool(link["link"] or link["so"]),
        consequence=link["so"] in ("so", "and so"),
    )


def polarity_of(question: str | None, think: str) -> Polarity:
    """Which way a question asks. Without the question, the reasoning tells it by the superlative it uses."""
    if question:
        return "least" if _ASKS_LEAST.search(question) else "most"
    lowered = think.lower()
    return "least" if "least likely" in lowered and "most likely" not in lowered else "most"


_ASKS_LEAST = re.compile(
    rf"\b(?i:least|less)\s(?i:{_QUALITY})|\b(?:NOT|EXCEPT)\b|(?i:\bwhich\b[^?.]*\b(?:not|except|incorrect|false|untrue|unlikely)\b)"
)
