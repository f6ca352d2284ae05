"""What a reasoning concludes, read by rules: no model, no network, thousands of traces a second.

Each sentence may settle an option ("so the answer is B", "the most likely statement is that ..."), support it, reject
it, or say that nothing can be told. The last settled statement wins; where none is left, rejecting all options but
one concludes that one; else what alone is supported. Options are named by letter or by the words that tell them
apart. In doubt the result is `undetermined`: a wrong verdict is worse than none.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from string import ascii_uppercase
from typing import Literal

from videor2.answers import Options, Value, normalise_options, normalise_text
from videor2.judges import cues
from videor2.judges.conclusion import Conclusion, How
from videor2.judges.cues import Clause, Polarity, Sentence
from videor2.judges.matching import Mention, OptionWords, stems
from videor2.numerals import canonical_number, find_numbers
from videor2.sample import Kind

Stance = Literal["settles", "supports", "rejects"]


def conclude(
    think: str, *, question: str | None = None, options: Options = (), answer_kind: Kind | None = None
) -> Conclusion:
    """The conclusion that the reasoning itself states.

    `answer_kind` None is `choice` where there are options, `number` where the question asks how many or how much,
    else `text`. Without options a `choice` is read by letter alone.

    >>> conclude("A. blue square no. B. white circle yes. So option B.", options=["blue square", "white circle"]).value
    Value(kind='letter', canonical='B')
    >>> conclude("Two cups here, one there. So the answer is 3.", question="How many cups?").value
    Value(kind='number', canonical='3')
    >>> conclude("It might be a dog or a cat, so it cannot be determined.", options=["a dog", "a cat"]).how
    'undetermined'
    """
    texts = normalise_options(options)
    text = _ANSWER_TAGS.sub(lambda m: " " * len(m[0]), think)
    kind = answer_kind or ("choice" if texts else "number" if _ASKS_NUMBER.search(question or "") else "text")
    if kind == "choice":
        return _choice(text, texts, cues.polarity_of(question, text))
    if kind in ("number", "regression"):
        return _number(text, question)
    said = _yes_no(text) if not question or _ASKS_YES_NO.search(question) else None
    return said if said and said.value else _stated_text(text)


@dataclass(frozen=True, slots=True)
class _Statement:
    """That a sentence settles, supports or rejects some options, by their indices."""

    stance: Stance
    options: frozenset[int]
    how: How
    evidence: str
    firm: bool = False  # said as a conclusion, be it for or against


@dataclass(frozen=True, slots=True)
class _Cue:
    """What a clause does to the options it names, and where the words that say so stand."""

    stance: Stance
    start: int
    end: int
    marked_only: bool = False  # nothing but a "therefore" before it


@dataclass
class _Reading:
    """One pass over the reasoning about a choice. Options are indices, 0 is A."""

    texts: tuple[str, ...]
    polarity: Polarity
    by_letter_only: bool = False
    settled: _Statement | None = None
    undecided: str = ""
    referred: str = ""
    rejected: dict[int, str] = field(default_factory=dict)
    supported: dict[int, _Statement] = field(default_factory=dict)
    topic: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.names = _LetterNames.of(len(self.texts), any(_LONE_CAPITAL.search(t) for t in self.texts))
        self.words = None if self.by_letter_only or not self.texts else OptionWords.of(self.texts)

    def of(self, text: str) -> Conclusion:
        """The conclusion of a whole reasoning."""
        read = list(cues.sentences(text))
        for sentence in read:
            lowered = sentence.text.lower()
            label = self.names.label(sentence.text)
            if label is not None:
                self.topic = frozenset({label})
                self._take_checked(sentence.text, label)
            bare = _BARE_LETTER_LINE.fullmatch(sentence.text)
            if bare and (i := ascii_uppercase.index(bare[1])) < self.names.count:
                self._take(_Statement("settles", frozenset({i}), "explicit_choice", sentence.text.strip(), firm=True))
            if not (cues.TRIGGER.search(lowered) or cues.LETTER_ONLY.search(lowered)):
                continue
            if cues.UNDECIDED.search(lowered):
                if not (self.settled and _HEDGE.match(lowered)):
                    self.settled, self.undecided = None, sentence.text.strip()
                continue
            if cues.ABOUT_THE_TASK.match(lowered):
                continue
            for statement in self._statements(sentence.text, lowered, labelled=label is not None):
                self._take(statement)
        return self._conclusion(read)

    def _statements(self, sentence: str, lowered: str, *, labelled: bool) -> Iterator[_Statement]:
        settled, pending = False, False
        named_before: frozenset[int] = frozenset()
        may_name = _MAY_NAME.search(sentence) is not None
        for clause in cues.clauses(lowered):
            if clause.premise:
                continue
            text, original = lowered[clause.start : clause.end], sentence[clause.start : clause.end]
            if clause.contrasted:
                mention = self.words.mention(text) if self.words and settled else None
                if mention:
                    yield _Statement("rejects", frozenset(mention.options), "elimination", sentence.strip())
                continue
            letters = self.names.named(original) if may_name else frozenset()
            cue = self._cue(text, lettered=bool(letters))
            if cue is None and not labelled:
                cue = self._consequence(lowered, clause, lettered=bool(letters))
            if cue is None and pending and (clause.linked or _IS_THAT.search(text)):
                cue = _Cue("settles", 0, 0)  # "the most likely one, given this, is that ..."
            stance: Stance | None = cue.stance if cue else None
            said: Mention | None = None
            how: How = "explicit_choice"
            if cue and letters:
                said = Mention(tuple(letters), self.names.negated(original))
            elif cue and not labelled and (said := self._mention(text, cue)):
                how = "option_text"
                if cue.marked_only and (clause.consequence or said.coverage < _CLEARLY or len(said.options) > 1):
                    stance = "supports"
            elif cue and (labelled or _POINTS_BACK.match(text)) and self.topic:
                said = Mention(tuple(self.topic))
            elif cue and clause.linked and named_before:
                said = Mention(tuple(named_before))
            named_before = letters or named_before
            if letters and not labelled:
                self.topic = letters
            if cue and stance == "settles" and said is None and not cue.marked_only:
                pending = True
                self.referred = self.referred or sentence.strip()
            if stance is None or said is None or (settled and stance != "rejects" and not clause.linked):
                continue
            firm = stance == "settles"
            settled, pending = settled or firm, False
            if said.negated:
                stance = "supports" if stance == "rejects" else "rejects"
            yield _Statement(stance, frozenset(said.options), how, sentence.strip(), firm)

    def _cue(self, clause: str, *, lettered: bool) -> _Cue | None:
        """What a clause does to the options that it names: its last cue tells."""
        least_asked = self.polarity == "least"
        found = [
            _Cue(stance, m.start(), m.end())
            for pattern, stance in (_CUES_LEAST if least_asked else _CUES_MOST)
            if (m := _last(pattern, clause))
        ]
        if lettered and not found and (m := cues.LETTER_ONLY.search(clause)):
            found = [_Cue("settles", m.start(), m.end())]
        if found:
            return max(found, key=lambda c: c.end)  # the first of equals: "not more likely" before "more likely"
        m = cues.SUPPORT.search(clause)
        return _Cue("rejects" if least_asked else "supports", m.start(), m.end()) if m else None

    def _consequence(self, sentence: str, clause: Clause, *, lettered: bool) -> _Cue | None:
        """A clause that only its "therefore" marks as a conclusion. Of a LEAST question it may tell the facts."""
        if self.polarity == "least" and not lettered:
            return None
        marked = cues.THEREFORE.match(sentence) if clause.start == 0 else None
        if marked:
            return _Cue("settles", 0, marked.end(), marked_only=True)
        return _Cue("settles", 0, 0, marked_only=True) if clause.consequence else None

    def _mention(self, clause: str, cue: _Cue) -> Mention | None:
        """The options whose words stand behind the cue; else before it, where the cue closes the clause."""
        if self.words is None:
            return None
        behind = clause[cue.end :]
        said = self.words.mention(behind)
        if said or _FORWARD.match(behind):
            return said
        return self.words.mention(clause[: cue.start])

    def _take(self, s: _Statement) -> None:
        if s.firm:
            self.undecided = ""
        if s.stance == "rejects":
            self.rejected |= dict.fromkeys(s.options, s.evidence)
            for i in s.options:
                self.supported.pop(i, None)
            if self.settled:
                left = self.settled.options - s.options
                self.settled = (
                    _Statement("settles", left, self.settled.how, self.settled.evidence) if left else None
                )
            return
        for i in s.options:
            self.rejected.pop(i, None)
        if s.stance == "supports":
            self.supported |= dict.fromkeys(s.options, s)
        elif self.settled is None or not s.options > self.settled.options:  # a vaguer echo does not unsettle
            self.settled = s

    def _take_checked(self, line: str, label: int) -> None:
        """A line "B. white circle yes" of a check of the options one by one."""
        verdict = _CHECKED.search(line)
        if verdict and self.polarity == "most":
            stance: Stance = "supports" if verdict[1].lower() == "yes" else "rejects"
            self._take(_Statement(stance, frozenset({label}), "explicit_choice", line.strip()))

    def _conclusion(self, read: list[Sentence]) -> Conclusion:
        if self.settled:
            return _chosen(self.settled.options, self.settled.how, self.settled.evidence)
        if self.undecided:
            return Conclusion(None, "undetermined", self.undecided)
        left = frozenset(range(len(self.texts))) - self.rejected.keys()
        if self.texts and not left:
            return Conclusion(None, "undetermined", list(self.rejected.values())[-1])
        if self.rejected and len(left) == 1:
            return _chosen(left, "elimination", list(self.rejected.values())[-1])
        if self.supported:
            last = list(self.supported.values())[-1]
            return _chosen(frozenset(self.supported), last.how, last.evidence)
        if self.polarity == "most" and self.words and (closing := self._closing(read)):
            return closing
        if self.rejected and len(left) > 1:
            return _chosen(left, "elimination", list(self.rejected.values())[-1])
        return Conclusion(None, "undetermined")

    def _closing(self, read: list[Sentence]) -> Conclusion | None:
        """Where nothing is marked as the conclusion: the one option that the last words describe, or the only one
        that the reasoning speaks of at all, if it ends by pointing back ("the one that matches this")."""
        assert self.words
        if self.referred:
            text = " ".join(s.text for s in read)
            alone = [i for i in range(len(self.texts)) if self.words.alone(i, text)]
            if alone:
                return _chosen(alone, "option_text", self.referred)
        for sentence in read[: -_LAST_WORDS - 1 : -1]:
            mention = self.words.mention(sentence.text)
            if mention:
                clear = len(mention.options) == 1 and not mention.negated and mention.coverage >= _CLEARLY
                return _chosen(mention.options, "option_text", sentence.text.strip()) if clear else None
        return None


@dataclass(frozen=True, slots=True)
class _LetterNames:
    """How options are named by letter in running text."""

    count: int
    bare: re.Pattern[str] | None
    by_name: re.Pattern[str]
    more: re.Pattern[str]
    bracketed: re.Pattern[str]
    at_end: re.Pattern[str]
    labels: re.Pattern[str]
    denied: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, n_options: int, capitals_in_texts: bool) -> "_LetterNames":
        """Patterns for so many options; without options for ten letters."""
        count = n_options or 10
        up = f"A-{ascii_uppercase[count - 1]}"
        both = up + up.lower()
        no_article = up.replace("A-", "B-") if count > 1 else "A"
        bare = (
            rf"(?<![\w'’(∠°.\\{{/-])(?:((?!I)[{no_article}])(?![\w'’°(=+*/^-]|\s*[=+∈<>]|\.\w)"
            r"|(A)(?=\s*(?:[.,:;)!?*]|$)|\s(?:is|are|as|because|since|and|or|does|can|seems|would|fits?|matches|aligns)\b))"
        )
        return cls(
            count=count,
            bare=None if capitals_in_texts else re.compile(bare),
            by_name=re.compile(
                rf"\b(?:(?i:options?|choices?|letter)(?:\s+is)?[\s:(\[\"'“*]+([{both}])"
                rf"|(?i:statements?|answers?|scenario|event)(?:\s+is)?[\s:]*(?:\s[\"'“*]*([{up}])|[(\[]([{both}])[)\]]))(?![\w'’])"
            ),
            more=re.compile(
                rf"[)\]\"'”*]*\s*(?:,\s*)?(?:and|or|nor|&|/|,)\s*(?:(?i:options?|statement)\s)?[(\[\"'“*]*([{both}])(?![\w'’])"
            ),
            bracketed=re.compile(rf"(?<!part )(?<!Figure )(?<!panel )\(([{both}])\)(?!\s*[=+*/^])"),
            at_end=re.compile(
                rf"(?:\bis|\bbe|:|\\boxed\{{(?:\\text\{{)?)\s*[(\[*]*([{both}])[)\]*}}.$]*\s*$"
            ),
            labels=re.compile(
                rf"[\s*•-]*(?:Option\s+)?[(\[*]*([{up}])[*]*[).\]:][*]*(?:\s|$)|[\s*•-]*\(([{both}])\)\s"
            ),
            denied=re.compile(
                rf"\bnot\s(?:be\s)?(?:(?i:option|choice|statement|answer)\s)?[(\[\"'*]*[{both}](?![\w'’])"
            ),
        )

    def label(self, line: str) -> int | None:
        """The option that a line is about by its label ("B. white circle")."""
        m = self.labels.match(line)
        return self._index(next(g for g in m.groups() if g)) if m else None

    def named(self, clause: str) -> frozenset[int]:
        """All options that a clause names by letter."""
        found: set[int] = set()
        for m in self.by_name.finditer(clause):
            found.add(self._index(next(g for g in m.groups() if g)))
            end = m.end()
            while more := self.more.match(clause, end):
                found.add(self._index(more[1]))
                end = more.end()
        found |= {self._index(m[1]) for m in self.bracketed.finditer(clause)}
        if self.bare:
            found |= {self._index(m[1] or m[2]) for m in self.bare.finditer(clause)}
        if not found and (m := self.at_end.search(clause)):
            found.add(self._index(m[1]))
        return frozenset(found)

    def negated(self, clause: str) -> bool:
        """Whether the letter is denied ("not B")."""
        return self.denied.search(clause) is not None

    @staticmethod
    def _index(letter: str) -> int:
        return ascii_uppercase.index(letter.upper())


def _choice(text: str, texts: tuple[str, ...], polarity: Polarity) -> Conclusion:
    """The conclusion about options. "Yes" and "no" as options are words that any sentence may have: there only a
    letter, or the plain statement, counts."""
    words = [normalise_text(t) for t in texts] if len(texts) <= 3 else []
    if "yes" not in words or "no" not in words:
        return _Reading(texts, polarity).of(text)
    said = _yes_no(text)
    if said.value:
        return _chosen([words.index(said.value.canonical)], "yes_no", said.evidence)
    return _Reading(texts, polarity, by_letter_only=True).of(text)


def _chosen(options: Iterable[int], how: How, evidence: str) -> Conclusion:
    letters = tuple(ascii_uppercase[i] for i in sorted(options))
    if len(letters) == 1:
        return Conclusion(Value("letter", letters[0]), how, evidence)
    return Conclusion(None, "undetermined", evidence, candidates=letters)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def _number(text: str, question: str | None) -> Conclusion:
    """The number of the last sentence that states a result."""
    asked = stems(question or "")
    for sentence in reversed(list(cues.sentences(text))):
        if sentence.text.rstrip().endswith("?") or cues.ABOUT_THE_TASK.match(sentence.text.lower()):
            continue
        stated = [m.end() for m in _STATES_NUMBER.finditer(sentence.text)]
        numbers = find_numbers(sentence.text) if stated else []
        behind = [n for n in numbers if n.start >= stated[-1]]
        near = behind and behind[0].start - stated[-1] <= _NEAR
        if not near:
            behind = numbers if len({n.value for n in numbers}) == 1 else []
        counted = [n for n in behind if not asked.isdisjoint(stems(sentence.text[n.end : n.end + _NEAR].split(",")[0]))]
        chosen = (counted or behind)[:1]
        if chosen:
            return Conclusion(Value("number", canonical_number(chosen[0].value)), "number", sentence.text.strip())
    return Conclusion(None, "undetermined")


def _yes_no(text: str) -> Conclusion:
    """Yes or no, where the reasoning says so in these words."""
    found = _last(_SAYS_YES_NO, text)
    if not found:
        return Conclusion(None, "undetermined")
    said = next(g for g in found.groups() if g).lower()
    return Conclusion(Value("text", said), "yes_no", found[0].strip())


def _stated_text(text: str) -> Conclusion:
    """What stands behind "the answer is"."""
    for sentence in reversed(list(cues.sentences(text))):
        m = _ANSWER_TEXT.search(sentence.text)
        if m and (words := normalise_text(m[1])):
            return Conclusion(Value("text", words), "text", sentence.text.strip())
    return Conclusion(None, "undetermined")


_BARE_LETTER_LINE = re.compile(r"[\s*(\[\"'>-]*([A-HJ])[\s*)\].\"']*")
_MAY_NAME = re.compile(
    r"(?<![A-Za-z])[A-J](?![A-Za-z])|[(\[{][a-j][)\]}]|(?i:options?|choices?|letter|is|be|:)\W+[a-j](?![\w'’])"
)
_CUES_MOST: tuple[tuple[re.Pattern[str], Stance], ...] = (
    (cues.LEAST, "rejects"),
    (cues.AGAINST, "rejects"),
    (cues.ANSWER, "settles"),
    (cues.MOST, "settles"),
    (cues.INFER, "settles"),
)
_CUES_LEAST: tuple[tuple[re.Pattern[str], Stance], ...] = (
    (cues.LEAST, "settles"),
    (cues.AGAINST, "supports"),
    (cues.ANSWER, "settles"),
    (cues.MOST, "rejects"),
)
_CLEARLY = 0.6  # share of an option's own words that names it without any cue
_LAST_WORDS = 2  # sentences at the end that may conclude without a cue
_FORWARD = re.compile(
    r"\W*(?:to\sbe\s?(?:true\s?)?|true\s)?+(?:\w+\s){0,3}?(?:(?:is|are|was|were|would\sbe|should\sbe)\b|that\b|:)"
)
_IS_THAT = re.compile(r"\bis\s(?:that|the\sone)\b")
_ANSWER_TAGS = re.compile(r"<answer>.*?</answer>|</?(?:think|answer)>", re.DOTALL | re.IGNORECASE)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much)\b|\bwhat (?:is|was) the (?:total )?(?:number|count|sum|total)\b|\bcount the\b", re.I
)
_ASKS_YES_NO = re.compile(
    r"(?:^|[.:]\s)(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\s[^.?]*\?|\byes or no\b",
    re.I,
)
_HEDGE = re.compile(r"\W*(?:however|although|though|but|while|still|of course)\b")
_LONE_CAPITAL = re.compile(r"(?<![\w'’])[B-HJ](?![\w'’])|(?<=\s)A$")
_POINTS_BACK = re.compile(
    r"\W*(?:(?:i'm|i\sam)\s\w+\s(?:that\s)?)?(?:this|that)\s(?:option|statement|choice|scenario|one|is|seems|would|does|"
    r"aligns?|match(?:es)?|fits?|contradicts|also|makes)\b"
)
_CHECKED = re.compile(r"[\s:,-](yes|no)\W*$", re.IGNORECASE)
_NEAR = 24  # characters between "there are" and its number: "there are a total of about three"
_STATES_NUMBER = re.compile(
    r"\b(?:answer|total|sum|count|result|number|value)\b[^.?!\n]*?\b(?:is|are|was|were|be|equals|of)\b"
    r"|\bthere\s(?:are|is|were|was)\b|\b(?:is|are)\sindeed\b|\banswer\s?:|=|\\boxed\{|\b(?:in total|altogether|overall),?"
    r"|\b(?:i|we)\s(?:count|conclude|confirm)\b|\b(?:so|therefore|thus|hence)\b,?",
    re.IGNORECASE,
)
_SAYS_YES_NO = re.compile(
    r"\banswer\s(?:to\s[^.?!\n]{1,60}\s)?(?:is|would be|should be|must be)[\s:\"'“*]*(yes|no)\b"
    r"|\b(?:so|therefore|thus|hence),?\s(?:it\sis\s|the\sanswer\sis\s)?[\"'“*]*(yes|no)\b(?!\s\w)"
    r"|\banswer\s?:[\s\"'“*]*(yes|no)\b",
    re.IGNORECASE,
)
_ANSWER_TEXT = re.compile(
    r"\banswer\s(?:is|would be|should be|must be)(?:\s(?:that|indeed|therefore))?[\s:]*[\"'“*]*([^\"”*\n]{1,80}?)[\"”*]*[.!]?\s*$"
    r"",
    re.IGNORECASE,
)
