"""What a reasoning concludes, read by rules: no model, no network, thousands of traces a second.

Each sentence may settle an option ("so the answer is B", "the most likely statement is that ..."), support
it, reject it, or say that nothing can be told. The last settled statement wins; where none is left, rejecting
all options but one concludes that one; else what alone is supported. Options are named by letter or by the
words that tell them apart. In doubt the result is `undetermined`: a wrong verdict is worse than none.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Literal

from videor2.answers import Options, Value, normalise_options, normalise_text
from videor2.judges import cues, open_ended
from videor2.judges.conclusion import Conclusion, How
from videor2.judges.cues import Clause, Polarity, Sentence
from videor2.judges.letters import LetterNames
from videor2.judges.matching import Mention, OptionWords
from videor2.sample import Kind

CLEARLY = 0.6
"""Share of an option's own words that names it where no cue marks the conclusion."""
LAST_WORDS = 2
"""Sentences at the end that may conclude without a cue."""

Stance = Literal["settles", "supports", "rejects"]


def conclude(
    think: str, *, question: str | None = None, options: Options = (), answer_kind: Kind | None = None
) -> Conclusion:
    """The conclusion that the reasoning itself states.

    `answer_kind` None is `choice` where there are options, `number` where the question asks how many or how
    much, else `text`. Without options a `choice` is read by letter alone. The question tells whether the
    option that holds least is asked for.

    >>> conclude("A. blue square no. B. white circle yes. So option B.", options=["blue square", "white circle"]).value
    Value(kind='letter', canonical='B')
    >>> conclude("Two cups here, one there. So the answer is 3.", question="How many cups?").value
    Value(kind='number', canonical='3')
    >>> conclude("It might be a dog or a cat, so it cannot be determined.", options=["a dog", "a cat"]).how
    'undetermined'
    """
    texts = normalise_options(options)
    text = _TAGS.sub(lambda m: " " * len(m[0]), think)
    kind = answer_kind or ("choice" if texts else "number" if _ASKS_NUMBER.search(question or "") else "text")
    if kind == "choice":
        found = _choice(text, texts, cues.polarity_of(question, text))
    elif kind in ("number", "regression"):
        found = open_ended.number(text, question)
    else:
        asked = not question or _ASKS_YES_NO.search(question)
        found = open_ended.yes_no(text) if asked else Conclusion(None, "undetermined")
        found = found if found.value else open_ended.stated_text(text)
    start = text.find(found.evidence)
    return replace(found, evidence=think[start : start + len(found.evidence)])


def _choice(text: str, texts: tuple[str, ...], polarity: Polarity) -> Conclusion:
    """The conclusion about options. "Yes" and "no" are words that any sentence may have: as options they are
    concluded by letter or by the plain statement alone."""
    words = [normalise_text(t) for t in texts] if len(texts) <= 3 else []
    if "yes" not in words or "no" not in words:
        return _Reading(texts, polarity).of(text)
    said = open_ended.yes_no(text)
    if said.value:
        return _chosen([words.index(said.value.canonical)], "yes_no", said.evidence)
    return _Reading(texts, polarity, by_letter_only=True).of(text)


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
    start: int = 0
    end: int = 0
    marked_only: bool = False  # nothing but a "therefore" before it


@dataclass(frozen=True, slots=True)
class _Said:
    """The options that a clause is about."""

    options: frozenset[int]
    negated: bool = False
    how: How = "explicit_choice"
    vague: bool = False


@dataclass
class _Reading:
    """One pass over the reasoning about a choice. Options are indices, 0 is A."""

    texts: tuple[str, ...]
    polarity: Polarity
    by_letter_only: bool = False
    settled: _Statement | None = None
    undecided: str = ""
    pointed_back: str = ""  # a conclusion by reference: "the one that matches this"
    rejected: set[int] = field(default_factory=set)
    rejection: str = ""
    supported: dict[int, _Statement] = field(default_factory=dict)
    topic: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        self.names = LetterNames.of(self.texts)
        self.words = None if self.by_letter_only or not self.texts else OptionWords.of(self.texts)

    def of(self, text: str) -> Conclusion:
        """The conclusion of a whole reasoning."""
        read = list(cues.sentences(text))
        for sentence in read:
            for statement in self._sentence(sentence.text):
                self._take(statement)
        return self._conclusion(read)

    def _sentence(self, sentence: str) -> Iterator[_Statement]:
        lowered, label, bare = cues.lower(sentence), self.names.label(sentence), self.names.bare(sentence)
        if label is not None:
            self.topic = frozenset({label})
            checked = _CHECKED.search(lowered)
            if checked and self.polarity == "most":  # "B. white circle yes"
                stance: Stance = "supports" if checked[1] == "yes" else "rejects"
                yield _Statement(stance, self.topic, "explicit_choice", sentence.strip())
        if bare is not None:
            yield _Statement("settles", frozenset({bare}), "explicit_choice", sentence.strip(), firm=True)
        if not (cues.TRIGGER.search(lowered) or cues.LETTER_ONLY.search(lowered)):
            return
        if cues.UNDECIDED.search(lowered):
            if not (self.settled and cues.HEDGE.match(lowered)):
                self.settled, self.undecided = None, sentence.strip()
        elif not cues.ABOUT_THE_TASK.match(lowered):
            yield from self._clauses(sentence, lowered, labelled=label is not None)

    def _clauses(self, sentence: str, lowered: str, *, labelled: bool) -> Iterator[_Statement]:
        settled = pending = False
        before: frozenset[int] = frozenset()  # named in an earlier clause
        for clause in cues.clauses(lowered):
            text, original = lowered[clause.start : clause.end], sentence[clause.start : clause.end]
            if clause.premise:
                continue
            if clause.contrasted:
                if (settled or pending) and self.words and (mention := self.words.mention(text)):
                    yield _Statement("rejects", frozenset(mention.options), "elimination", sentence.strip())
                continue
            letters = self.names.named(original)
            cue = self._cue(text, lettered=bool(letters))
            if cue is None and not labelled:
                cue = self._consequence(lowered, clause, lettered=bool(letters))
            if cue is None and pending and (clause.linked or _IS_THAT.search(text)):
                cue = _Cue("settles")  # "the most likely one, given this, is that ..."
            if letters:
                said: _Said | None = _Said(letters, negated=self.names.is_denied(original))
                before, self.topic = letters, self.topic if labelled else letters
            else:
                said = self._spoken_of(text, cue, clause, before, labelled=labelled) if cue else None
            if cue and said and (cue.stance == "rejects" or clause.linked or not settled):
                # the reason that follows a conclusion concludes nothing itself
                statement = _statement(cue, said, sentence.strip())
                settled, pending = settled or statement.firm, False
                yield statement
            elif cue and cue.stance == "settles" and not said and not cue.marked_only:
                pending = True
                self.pointed_back = self.pointed_back or sentence.strip()

    def _cue(self, clause: str, *, lettered: bool) -> _Cue | None:
        """What a clause does to the options that it names: its last cue tells."""
        least_asked = self.polarity == "least"
        found = [
            _Cue(stance, m.start(), m.end())
            for pattern, stance in (_CUES_LEAST if least_asked else _CUES_MOST)
            if (m := cues.last(pattern, clause))
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
        return _Cue("settles", marked_only=True) if clause.consequence else None

    def _spoken_of(
        self, clause: str, cue: _Cue, link: Clause, before: frozenset[int], *, labelled: bool
    ) -> _Said | None:
        """The options of a clause that names no letter: by their words, or by pointing back."""
        mention = None if labelled else self._mention(clause, cue)
        if mention:
            unclear = mention.coverage < CLEARLY or len(mention.options) > 1
            vague = cue.marked_only and (link.consequence or unclear)
            return _Said(frozenset(mention.options), mention.negated, "option_text", vague)
        if self.topic and (labelled or _POINTS_BACK.match(clause)):
            return _Said(self.topic)
        return _Said(before) if link.linked and before else None

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
            self.rejected |= s.options
            self.rejection = s.evidence
            for i in s.options:
                self.supported.pop(i, None)
            if self.settled:
                left = self.settled.options - s.options
                self.settled = replace(self.settled, options=left) if left else None
            return
        self.rejected -= s.options
        if s.stance == "supports":
            self.supported |= dict.fromkeys(s.options, s)
        elif self.settled is None or not s.options > self.settled.options:  # a vaguer echo does not unsettle
            self.settled = s

    def _conclusion(self, read: list[Sentence]) -> Conclusion:
        left = frozenset(range(len(self.texts))) - self.rejected
        found: Conclusion | None = None
        if self.settled:
            found = _chosen(self.settled.options, self.settled.how, self.settled.evidence)
        elif self.undecided or (self.texts and not left):
            found = Conclusion(None, "undetermined", self.undecided or self.rejection)
        elif self.rejected and len(left) == 1:
            found = _chosen(left, "elimination", self.rejection)
        elif self.supported:
            last = list(self.supported.values())[-1]
            found = _chosen(self.supported, last.how, last.evidence)
        elif self.polarity == "most" and self.words:
            found = self._closing(self.words, read)
        if found is None and self.rejected and left:
            found = _chosen(left, "elimination", self.rejection)
        return found or Conclusion(None, "undetermined")

    def _closing(self, words: OptionWords, read: list[Sentence]) -> Conclusion | None:
        """Where nothing is marked as the conclusion: the only option that the reasoning speaks of at all, if
        it ends by pointing back; else the one that the last words describe.
        """
        if self.pointed_back:
            text = " ".join(s.text for s in read)
            alone = [i for i in range(len(self.texts)) if i not in self.rejected and words.alone(i, text)]
            if alone:
                return _chosen(alone, "option_text", self.pointed_back)
        for sentence in read[: -LAST_WORDS - 1 : -1]:
            mention = words.mention(sentence.text)
            if mention:
                clear = len(mention.options) == 1 and not mention.negated and mention.coverage >= CLEARLY
                clear = clear and self.rejected.isdisjoint(mention.options)
                return _chosen(mention.options, "option_text", sentence.text.strip()) if clear else None
        return None


def _statement(cue: _Cue, said: _Said, evidence: str) -> _Statement:
    stance: Stance = "supports" if said.vague and cue.stance == "settles" else cue.stance
    firm = stance == "settles"
    if said.negated:
        stance = "supports" if stance == "rejects" else "rejects"
    return _Statement(stance, said.options, said.how, evidence, firm)


def _chosen(options: Iterable[int], how: How, evidence: str) -> Conclusion:
    letters = tuple(ascii_uppercase[i] for i in sorted(options))
    if len(letters) == 1:
        return Conclusion(Value("letter", letters[0]), how, evidence)
    return Conclusion(None, "undetermined", evidence, candidates=letters)


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
_FORWARD = re.compile(  # the claim follows: "(most likely) scenario is that", "(most likely) to be true is"
    r"\W*(?:to\sbe\s?(?:true\s?)?|true\s)?+(?:\w+\s){0,3}?(?:(?:is|are|was|were|would\sbe|should\sbe)\b|that\b|:)"
)
_IS_THAT = re.compile(r"\bis\s(?:that|the\sone)\b")
_POINTS_BACK = re.compile(
    r"\W*(?:(?:i'm|i\sam)\s\w+\s(?:that\s)?)?(?:this|that)\s(?:option|statement|choice|scenario|one|is|seems|would|does|"
    r"aligns?|match(?:es)?|fits?|contradicts|also|makes)\b"
)
_CHECKED = re.compile(r"[\s:,-](yes|no)\W*$")
_TAGS = re.compile(r"<answer>.*?</answer>|</?(?:think|answer)>", re.DOTALL | re.IGNORECASE)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much)\b|\bwhat (?:is|was) the (?:total )?(?:number|count|sum|total)\b|\bcount the\b",
    re.IGNORECASE,
)
_ASKS_YES_NO = re.compile(
    r"(?:^|[.:]\s)(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\s[^.?]*\?|\byes or no\b",
    re.IGNORECASE,
)
