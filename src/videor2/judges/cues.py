"""The words by which reasoning settles, supports, rejects or leaves open, and how it falls into sentences and
clauses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from videor2.judges.words import WordMemo

Polarity = Literal["most", "least"]
"""Whether a question asks for the statement that holds best, or for the one that holds least ("LEAST likely",
"NOT").
"""

_QUALITY = (
    "likely|plausible|probable|logical|reasonable|accurate|consistent|suitable|appropriate|sensible|compelling|fitting|"
    "relevant|convincing|natural"
)


@dataclass(frozen=True, slots=True)
class Cue:
    """A pattern in lower-case text, and the words of which every match has one.

    A sentence's words are looked up, its patterns are searched: most sentences are done with by their words.
    """

    flag: int
    pattern: re.Pattern[str]
    needs: re.Pattern[str]

    def last(self, text: str) -> re.Match[str] | None:
        """The last match."""
        found = None
        for found in self.pattern.finditer(text):  # noqa: B007
            pass
        return found


def _cue(position: int, pattern: str, needs: str) -> Cue:
    return Cue(1 << position, re.compile(pattern), re.compile(rf"\b(?:{needs})"))


MOST = _cue(
    0,
    rf"\b(?:most|more)\s(?:\w+\s)?(?:{_QUALITY})\b|\bbest\s(?:\w+\s)?(?:fits?|match(?:es)?|aligns?|describes?|explains?|"
    r"represents?|captures?|answer|option|choice|statement|description|explanation|fit|match|guess)\b|"
    r"\b(?:fits?|match(?:es)?|aligns?)\s(?:the\s)?(?:best|better)\b|\bbetter\s(?:fit|match|option|choice|answer)\b",
    r"most|more|best|better",
)
LEAST = _cue(
    1,
    rf"\bleast\s(?:{_QUALITY})|\bleast\s\w+$|\bmost\s(?:unlikely|improbable|implausible|doubtful|illogical|unreasonable)\b",
    r"least|most",
)
AGAINST = _cue(
    2,
    rf"\b(?:less|not(?:\sthe)?\s(?:more|most|very)|n't\s(?:more|very))\s(?:{_QUALITY})\b"
    r"|\b(?:incorrect|untrue|wrong|false)\b(?!\s(?!because|since|as|given|based|and|or|to)\w)"  # no "false belief"
    r"|\b(?:unlikely|improbable|implausible|contradict\w*|inconsistent|excluded|discarded|"
    r"dismissed|reject(?:s|ed)?|eliminat(?:e|es|ed)|rul(?:e|es|ed)\s(?:it\s)?out|(?:is|are)\sout)\b"
    r"|(?:\bnot|n't)\s(?:(?:be|seem|appear|look|sound)\s(?:to\s(?:be\s)?)?)?(?:(?:\w+ly|quite|so|very|even)\s)?(?:correct|right|true|supported|"
    r"likely|plausible|consistent|mentioned|valid|accurate|align|fit|match|correspond|support|the\s(?:answer|case)|"
    r"the\s(?:correct|right|best)(?:\s(?:answer|option|choice|statement|one)\b)?)"
    r"|\bno\s(?:\w+\s)?(?:indication|evidence|sign|reason|suggestion|hint)\b|\b(?:is|was)\sthere\s(?:any\s)?(?:evidence|indication)\b"
    r"|\b(?:cannot|can't|can\snot|could\snot|couldn't)\sbe\b|\bneither\b",
    r"less\b|not\b|\w+n't|incorrect|untrue|wrong|false|unlikely|improbable|implausible|contradict|inconsistent|excluded|"
    r"discarded|dismissed|reject|eliminat|out\b|no\b|evidence|indication|cannot|neither",
)
SUPPORT = _cue(
    3,
    r"\b(?:aligns?|align(?:ed|ing)|match(?:es|ing)?|fits?|fitting|consistent|corresponds?|agrees?)\s(?:\w+\s){0,4}?with\b|"
    r"\b(?:match(?:es)?|fits?|supports?|points?\sto|confirms?)\b|\b(?:is|seems|appears|makes)\s(?:\w+\s)?"
    r"(?:plausible|likely|correct|right|true|possible|reasonable|sense)\b",
    r"align|match|fit|consistent|correspond|agree|support|point|confirm|plausible|likely|correct|right|true|possible|"
    r"reasonable|sense",
)
ANSWER = _cue(
    4,
    r"\b(?:answer|choice|conclusion|solution)\b[^.,;]{0,30}?(?:\s(?:is|would\sbe|should\sbe|must\sbe)\b|\s?:)"
    r"|\b(?:correct|right)\s(?:answer|option|choice|statement|interpretation|one|match)\b"
    r"|\bi(?:'ll|'d|\swill|\swould)?\s(?:choose|pick|select|go\swith|answer)\b"
    r"|\bso,?\s(?:it\sis\s)?(?:the\s)?(?:option|choice|letter|answer)\b|\\boxed\b",
    r"answer|choice|conclusion|solution|correct|right|choose|pick|select|go\b|option|letter|boxed",
)
LETTER_ONLY = _cue(
    5,
    r"\b(?:leaves?|left\swith|go(?:ing)?\swith|settle\s(?:on|for))\b|\bonly\s(?:\w+\s)?(?:option|choice|statement|answer|one)\b"
    r"|\bis\sthe\sone\b|(?:\b(?:is|be)|'s)\s(?:(?:option|choice)\s)?[(\[\"'*]*[a-j][)\]\"'*]*\W*$",
    r"leaves?\b|left\b|go\b|going\b|settle\b|only\b|one\b|[a-j]\b",
)
INFER = _cue(
    6,
    r"\b(?:can|could|may|might|would|must|to)\s(?:\w+ly\s)?(?:conclude|infer|deduce|assume)\b|\bi\s(?:conclude|infer)\b"
    r"|\b(?:this|which)\sleads\s(?:me|us)\sto\b",
    r"conclude|infer|deduce|assume|leads",
)
THEREFORE = re.compile(
    r"^(?:\W*(?:and|but|oh|hmm|wait|okay|ok)\b)*\W*(?:therefore|thus|hence|so|consequently|accordingly|ultimately|overall|"
    r"in conclusion|in summary|to conclude|finally|final answer|based on th(?:is|ese|e)|"
    r"considering (?:all )?(?:of )?th(?:is|ese|at)|given (?:all )?th(?:is|ese|at))\b"
)
REALISED = _cue(8, r"\bindeed\b|^\W*(?:oh,?\s)?(?:now\s)?i\ssee\b|\bconfirms?\sthat\b", r"indeed|see\b|confirm")
"""What reasoning that talks to itself says of a finding."""
UNDECIDED = _cue(
    7,
    r"\bneither\s(?:of\s|statement|option|is\b)"
    r"|\bnone\sof\s(?:the|these)\s(?:(?:given|provided|available|listed|above)\s)?(?:options|statements|choices|answers)\b"
    r"|\b(?:cannot|can't|can\snot|could\snot|couldn't|unable\sto|(?:not|n't)\s(?:be\s)?(?:possible|able)\sto|impossible\sto|"
    r"(?:difficult|hard)\sto|no\sway\sto|(?:not|n't)\s(?:\w+\s){0,2}enough\s(?:\w+\s){1,3}to)\s"
    r"(?:be\s)?(?:\w+ly\s)?(?:determine|conclude|infer|tell|say|know|derive|answer|identify|decide|make|confirm)",
    r"neither|none|cannot|can't|not|couldn't|unable|impossible|difficult|hard|way|enough",
)
HEDGE = re.compile(r"\W*(?:however|although|though|but|while|still|of course)\b")
ABOUT_THE_TASK = re.compile(
    r"^\W*(?:(?:now|first|next|so|okay|then|wait|hmm),?\s)*(?:the\squestion\b(?!.*\banswer\b)|(?:in\sorder\s)?to\s"
    r"(?:determine|identify|find|decide|answer|figure|solve)\b|we\s(?:need|have)\sto|i\s(?:need|have)\sto|let's|let\sus|let\sme|"
    r"given\sthe\soptions,?\swe)"
)
TELLS = 1 << 14
"""The flag of the verbs of which `UNDECIDED` needs one; "neither" and "none" do without."""
TRIGGER = 1 << 15
"""The flag of words without which a sentence has no cue."""
LETTER = 1 << 9
"""The flag of a lone letter, which may name an option."""
ARTICLE = 1 << 11
"""The flag of a bare "a", which hardly ever names one."""
CONSEQUENCE = 1 << 12
"""The flag of words that mark a conclusion by themselves."""
NAMING = 1 << 13
"""The flag of words that make a letter behind them a name."""
LINK = 1 << 10
"""The flag of words that may cut a sentence into clauses; the others are "and" behind a comma."""

_TRIGGERS = re.compile(
    r"likely|plausib|probab|logical|reasonabl|best|least|most|correct|right|answer|wrong|false|true|reject|"
    r"conclu|infer|deduc|assum|therefore|thus|hence|\bso\b|final|overall|consequent|not|n't|no$|nor$|option|"
    r"choice|choose|pick|select|boxed|align|match|fit|consistent|correspond|point|contradict|eliminat|exclud|discard|dismiss|rul|"
    r"\bout\b|impossib|unable|neither|based|support|confirm|sense|lead|possible|clear|i$|see\b|considering|given|none|indeed|difficult|hard"
)
_LINKS = re.compile(
    r";|\b(?:than|rather|instead|as|compared|not|nor|which|making|leaving|but|however|because|since|whereas|although|even|"
    r"though|while|due|given|considering|based|unless|if|so|indicating|suggesting|implying|meaning|thus|hence|therefore)\b"
)
_CONSEQUENCES = re.compile(
    r"\b(?:therefore|thus|hence|so|consequently|accordingly|ultimately|overall|conclusion|summary|conclude|final|based|considering|given)\b"
)
_TELLS = re.compile(
    r"\b(?:neither|none|determine|conclude|infer|tell|say|know|derive|answer|identify|decide|make|confirm)"
)
_NAMES = re.compile(r"\b(?:options?|choices?|letter)\b")
_LETTER = re.compile(r"(?<![\w'’])[^\W\d_](?![\w'’])")
_CUES = (MOST, LEAST, AGAINST, SUPPORT, ANSWER, LETTER_ONLY, INFER, UNDECIDED, REALISED)


def announced(sentence: str) -> int:
    """Where a sentence begins that an announcement opens: "Let's check: ..."."""
    colon = sentence.find(":", 0, ANNOUNCEMENT)
    m = _ANNOUNCES.match(sentence, 0, colon + 1) if 0 < colon < len(sentence.rstrip()) - 1 else None
    return m.end() if m else 0


ANNOUNCEMENT = 80
"""Characters within which an announcement ends."""
_ANNOUNCES = re.compile(r"\W*(?:\w+,?\s){0,3}?let(?:'s|\sus|\sme)\s[^:]*:", re.IGNORECASE)


def words_of(lowered: str) -> int:
    """What the words of a lower-case sentence tell of the cues that it may hold: their flags."""
    flags = 0
    for word in set(map(_FLAGS.__getitem__, lowered.split())):
        flags |= word
    return flags


def _flags_of(word: str) -> int:
    if word == "a":
        return ARTICLE
    flags = TRIGGER if _TRIGGERS.search(word) else 0
    flags |= LETTER if _LETTER.search(word) else 0
    flags |= LINK if _LINKS.search(word) else 0
    flags |= TELLS if _TELLS.search(word) else 0
    flags |= NAMING if _NAMES.search(word) else 0
    flags |= CONSEQUENCE if _CONSEQUENCES.search(word) else 0
    return flags | sum(cue.flag for cue in _CUES if cue.needs.search(word))


_FLAGS = WordMemo(_flags_of)


_BREAK = re.compile(  # a line, or a full stop before a capital; the first character is what the search looks for
    r"[\n.!?。！？](?:(?<=\n)\n*|(?!\n)(?:(?<=[.!?])[\"”'’)*]*\s+(?=[\"“'(\[*\\-]*[A-Z0-9\\])|(?<=[。！？])))"
)
_LABEL = re.compile(r"(?:^|[:\n])[\s*•(-]*(?:[A-Za-z]|\d+)\.[\"”'’)*]*$")  # "B. white circle" is one sentence
_ABBREVIATION = re.compile(r"\b(?:Eq|Fig|No|vs|Mr|Mrs|Ms|Dr|St|e\.g|i\.e|etc)\.$")
_ENDS_BEFORE_LIST = re.compile(
    r"\b(?:is|are|be|answer|statement|conclusion|scenario|option|choice|best)\W*:\W*$", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[,;\s](?<!\s[,;\s])"  # the first character is what the search looks for
    r"(?:(?:(?<=,)\s+|(?<=\s)\s*)"
    r"(?:(?P<contrast>rather than|instead of|as opposed to|compared (?:to|with)|than|and not)\s"
    r"|(?P<link>which|making|leaving|but rather|but|however)\b,?\s"
    r"|(?:because|since|whereas|although|even though|though|while|due to|given that|considering|based on|unless|if|"
    r"so that|indicating|suggesting|implying|meaning)\b,?\s"
    r"|as\s(?=(?:this|it|he|she|they|there|that)\s))"
    r"|(?<=,)\s+(?:(?P<not>not)\s(?=\w)|(?P<so>so|and so|nor|and)\s|(?:as|thus|hence|therefore)\b(?!\swell)\s)"
    r"|(?<=;)\s)"
)
_PREMISE = re.compile(
    r"\W*(?:(?:however|but|so|and|now|thus|therefore),?\s)*"
    r"(?:while|although|though|even though|since|if|because|as|when)\b[^,]*,\s"
)


class Sentence(NamedTuple):
    """A stretch of the reasoning, `text[start:end]`."""

    text: str
    start: int
    end: int


class Clause(NamedTuple):
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


def sentences(text: str) -> Iterator[Sentence]:
    """Sentences and lines of a text. "..., so the answer is:" and the line that follows are one.

    >>> [s.text for s in sentences("It is red. So the answer is:\\n\\nB. Eq. (5) holds")]
    ['It is red.', 'So the answer is:\\n\\nB. Eq. (5) holds']
    """
    start = 0
    for m in _BREAK.finditer(text):
        end = m.start() if m[0][0] == "\n" else m.start() + 1  # a full stop belongs to its sentence
        before = text[start:end]
        if not before or before.isspace():
            start = m.end()
        elif "\n" in m[0]:
            if not _ENDS_BEFORE_LIST.search(before[-40:]):
                yield Sentence(before, start, end)
                start = m.end()
        elif (len(before) > 4 and before[-5:-1].isalpha()) or not (
            _LABEL.search(before[-40:]) or _ABBREVIATION.search(before[-6:])
        ):
            yield Sentence(before, start, end)
            start = m.end()
    if text[start:].strip():
        yield Sentence(text[start:], start, len(text))


def clauses(sentence: str, words: int = LINK) -> Iterator[Clause]:
    """The clauses of a lower-case sentence, cut at conjunctions of reason, contrast and condition. `words` are
    its flags, where they are known.
    """
    if not words & LINK and "," not in sentence:
        yield Clause(0, len(sentence))
        return
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
    """Which way a question asks. Without the question, the reasoning tells it by its last superlative."""
    if question:
        return "least" if _asks_least(question) else "most"
    lowered = think.lower()
    return "least" if lowered.rfind("least likely") > lowered.rfind("most likely") else "most"


@lru_cache(maxsize=4096)
def _asks_least(question: str) -> bool:
    return _ASKS_LEAST.search(question) is not None


_ASKS_LEAST = re.compile(
    rf"\b(?i:least|less)\s(?i:{_QUALITY})|\b(?:NOT|EXCEPT)\b|(?i:\bwhich\b[^?.]*\b(?:not|except|incorrect|false|untrue|unlikely)\b)"
)
