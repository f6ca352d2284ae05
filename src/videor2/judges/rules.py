"""What a reasoning concludes, read by rules: no model, no network, thousands of traces a second.

Each sentence may settle an option ("so the answer is B", "the most likely statement is that ..."), support
it, reject it, or say that nothing can be told. The last settled statement wins; where none is left, rejecting
all options but one concludes that one; else what alone is supported. Options are named by letter or by the
words that tell them apart. In doubt the result is `undetermined`: a wrong verdict is worse than none.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from string import ascii_uppercase
from typing import Literal, NamedTuple

from videor2.answers import Options, Value, is_bare_number, normalise_options, normalise_text, read_value
from videor2.judges import cues, open_ended
from videor2.judges.conclusion import Conclusion, How
from videor2.judges.cues import Clause, Polarity, Sentence
from videor2.judges.letters import LetterNames
from videor2.judges.matching import Mention, OptionFormulas, OptionWords
from videor2.sample import Kind

CLEARLY = 0.6
"""Share of an option's own words that names it where no cue marks the conclusion."""
NEGATION = 30
"""Characters before a cue that may deny it."""
COMMENTS = 1
"""Sentences behind an option's label that may comment on it: "B. He closes it. This fits ..."."""
ENTIRELY = 0.9
"""Share of its own words that names an option near the end, where the last words name none."""
CLOSING_WORDS = 5
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
    text = _TAGS.sub(lambda m: " " * len(m[0]), think) if "<" in think else think
    kind = answer_kind or ("choice" if texts else "number" if _ASKS_NUMBER.search(question or "") else "text")
    if kind == "choice":
        found = _choice(text, texts, cues.polarity_of(question, text), question)
    elif kind in ("number", "regression"):
        found = open_ended.number(text, question)
    else:
        asked = not question or _ASKS_YES_NO.search(question)
        found = open_ended.yes_no(text) if asked else Conclusion(None, "undetermined")
        found = found if found.value else open_ended.stated_text(text)
    if text == think:
        return found
    start = text.find(found.evidence)
    return replace(found, evidence=think[start : start + len(found.evidence)])


def _choice(text: str, texts: tuple[str, ...], polarity: Polarity, question: str | None) -> Conclusion:
    """The conclusion about options. "Yes" and "no" are words that any sentence may have: as options they are
    concluded by letter or by the plain statement alone."""
    if _all_numbers(texts):
        found = _Reading(texts, polarity, by_letter_only=True).of(text)
        return found if found.value else _numbered(open_ended.number(text, question), texts)
    places = _yes_and_no(texts)
    if not places:
        return _Reading(texts, polarity).of(text)
    said = open_ended.yes_no(text)
    if said.value:
        return _chosen([places[said.value.canonical]], "yes_no", said.evidence)
    return _Reading(texts, polarity, by_letter_only=True).of(text)


@lru_cache(maxsize=4096)
def _all_numbers(texts: tuple[str, ...]) -> bool:
    return bool(texts) and all(is_bare_number(text) for text in texts)


def _numbered(found: Conclusion, texts: tuple[str, ...]) -> Conclusion:
    """The option that is the number found."""
    values = [read_value(text, kind="number") for text in texts]
    places = [i for i, value in enumerate(values) if found.value and value == found.value]
    return _chosen(places, "number", found.evidence) if len(places) == 1 else Conclusion(None, "undetermined")


@lru_cache(maxsize=4096)
def _yes_and_no(texts: tuple[str, ...]) -> dict[str, int] | None:
    """Where "yes" and "no" stand among options that are little else."""
    words = [normalise_text(t) for t in texts] if len(texts) <= 3 else []
    return {word: words.index(word) for word in ("yes", "no")} if {"yes", "no"} <= set(words) else None


class _Statement(NamedTuple):
    """That a sentence settles, supports or rejects some options, by their indices."""

    stance: Stance
    options: frozenset[int]
    how: How
    evidence: str
    firm: bool = False  # said as a conclusion, be it for or against


class _Cue(NamedTuple):
    """What a clause does to the options it names, and where the words that say so stand."""

    stance: Stance
    start: int = 0
    end: int = 0
    marked_only: bool = False  # nothing but a "therefore" before it
    clearly: bool = False  # counts where one option alone is named clearly


class _Said(NamedTuple):
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
    asked: bool = False  # the sentence before is a question
    since_label: int = COMMENTS + 1  # sentences since a line began with an option's label

    def __post_init__(self) -> None:
        self.names = LetterNames.of(self.texts)
        self.words: OptionWords | OptionFormulas | None = None
        if self.texts and not self.by_letter_only:
            self.words = OptionFormulas.of(self.texts) or OptionWords.of(self.texts)

    def of(self, text: str) -> Conclusion:
        """The conclusion of a whole reasoning."""
        read = list(cues.sentences(text))
        for sentence in read:
            for statement in self._sentence(sentence.text):
                self._take(statement)
            self._ask(sentence.text)
        return self._conclusion(read)

    def _ask(self, sentence: str) -> None:
        """Of a question to itself ("A red car?") the next sentence is the answer, and no more than that."""
        if self.asked:
            self.topic, self.asked = frozenset(), False
        mention = self.words.mention(sentence) if self.words and sentence.endswith("?") else None
        if mention and len(mention.options) == 1 and mention.coverage >= CLEARLY and not mention.negated:
            self.topic, self.asked = frozenset(mention.options), True

    def _sentence(self, sentence: str) -> Iterator[_Statement]:
        sentence = sentence[cues.announced(sentence) :]
        lowered, label, bare = cues.lower(sentence), self.names.label(sentence), self.names.bare(sentence)
        self.since_label += 1
        if label is not None:
            self.topic, self.since_label = frozenset({label}), 0
            checked = _CHECKED.search(lowered)
            if checked and self.polarity == "most":  # "B. white circle yes"
                stance: Stance = "supports" if checked[1] == "yes" else "rejects"
                yield _Statement(stance, self.topic, "explicit_choice", sentence.strip())
        if self.asked and len(self.topic) == 1 and _NO.match(lowered):
            yield _Statement("rejects", self.topic, "elimination", sentence.strip())
        if bare is not None:
            yield _Statement("settles", frozenset({bare}), "explicit_choice", sentence.strip(), firm=True)
        words = cues.words_of(lowered)
        if not words & cues.TRIGGER and not (
            words & cues.LETTER_ONLY.flag and cues.LETTER_ONLY.pattern.search(lowered)
        ):
            return
        if words & cues.UNDECIDED.flag and words & cues.TELLS and cues.UNDECIDED.pattern.search(lowered):
            if not (self.settled and cues.HEDGE.match(lowered)):
                self.settled, self.undecided = None, sentence.strip()
        elif words & _SAYING and not cues.ABOUT_THE_TASK.match(lowered):
            yield from self._clauses(sentence, lowered, words, labelled=label is not None)

    def _clauses(self, sentence: str, lowered: str, words: int, *, labelled: bool) -> Iterator[_Statement]:
        settled = pending = concluding = False
        before: frozenset[int] = frozenset()  # named in an earlier clause
        for clause in cues.clauses(lowered, words):
            text, original = lowered[clause.start : clause.end], sentence[clause.start : clause.end]
            if clause.end - clause.start < len(lowered):
                words = cues.words_of(text)
            if clause.premise:
                continue
            if clause.contrasted:
                if (concluding or pending) and self.words and (mention := self.words.mention(text)):
                    yield _Statement("rejects", frozenset(mention.options), "elimination", sentence.strip())
                continue
            concluding = concluding and clause.linked
            letters = self.names.named(original) if self._may_name(original, words) else _NONE
            cue = self._cue(text, words, lettered=bool(letters))
            if cue is None and not labelled:
                cue = self._consequence(lowered, clause, words, lettered=bool(letters))
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
                settled, pending, concluding = settled or statement.firm, False, statement.firm
                yield statement
            elif cue and cue.stance == "settles" and not said and not cue.marked_only:
                pending = True
                self.pointed_back = self.pointed_back or sentence.strip()

    def _may_name(self, clause: str, words: int) -> bool:
        """Whether a clause has a letter that may be an option's name, and not the article alone."""
        if words & cues.LETTER:
            return True
        if not words & cues.ARTICLE:
            return False
        letters = clause.split()
        return bool(words & cues.NAMING) or "A" in letters or letters[-1:] == ["a"]

    def _cue(self, clause: str, words: int, *, lettered: bool) -> _Cue | None:
        """What a clause does to the options that it names: its last cue tells. `words` are its sentence's."""
        least_asked = self.polarity == "least"
        found = [
            _Cue(
                "rejects" if _DENIED.search(clause, max(0, m.start() - NEGATION), m.start()) else stance,
                m.start(),
                m.end(),
            )
            for cue, stance in (_CUES_LEAST if least_asked else _CUES_MOST)
            if words & cue.flag and (m := cue.last(clause))
        ]
        if lettered and not found and (m := cues.LETTER_ONLY.pattern.search(clause)):
            found = [_Cue("settles", m.start(), m.end())]
        if found:
            return max(found, key=lambda c: c.end)  # the first of equals: "not more likely" before "more likely"
        m = cues.SUPPORT.pattern.search(clause) if words & cues.SUPPORT.flag else None
        if m is None:
            return None
        holds = _NEGATED.search(clause, max(0, m.start() - NEGATION), m.start()) is None
        return _Cue("supports" if holds != least_asked else "rejects", m.start(), m.end())

    def _consequence(self, sentence: str, clause: Clause, words: int, *, lettered: bool) -> _Cue | None:
        """A clause that only its "therefore" marks as a conclusion. Of a LEAST question it may tell the facts."""
        if self.polarity == "least" and not lettered:
            return None
        if words & cues.REALISED.flag and (m := cues.REALISED.pattern.search(sentence, clause.start, clause.end)):
            start = m.start() - clause.start
            return _Cue("supports", start, start, clearly=True)
        marked = cues.THEREFORE.match(sentence) if clause.start == 0 else None
        if marked:
            return _Cue("settles", 0, marked.end(), marked_only=True)
        return _Cue("settles", marked_only=True) if clause.consequence else None

    def _spoken_of(
        self, clause: str, cue: _Cue, link: Clause, before: frozenset[int], *, labelled: bool
    ) -> _Said | None:
        """The options of a clause that names no letter: by their words, or by pointing back."""
        if self.since_label <= COMMENTS and not labelled and _POINTS_BACK.match(clause):
            return _Said(self.topic)
        mention = None if labelled else self._mention(clause, cue)
        if mention:
            unclear = mention.coverage < CLEARLY or len(mention.options) > 1
            if cue.clearly and (unclear or mention.negated):
                return None
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
                self.settled = self.settled._replace(options=left) if left else None
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

    def _closing(self, words: OptionWords | OptionFormulas, read: list[Sentence]) -> Conclusion | None:
        """Where nothing is marked as the conclusion: the only option that the reasoning speaks of at all, if
        it ends by pointing back; else the one that the last words describe.
        """
        if self.pointed_back:
            text = " ".join(s.text for s in read)
            alone = [i for i in range(len(self.texts)) if i not in self.rejected and words.alone(i, text)]
            if alone:
                return _chosen(alone, "option_text", self.pointed_back)
        for i, sentence in enumerate(read[: -CLOSING_WORDS - 1 : -1]):
            listed = self.names.label(sentence.text) is not None  # an option read out again
            mention = None if listed else words.mention(sentence.text)
            if mention and (i < LAST_WORDS or mention.coverage >= ENTIRELY):
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


_NONE: frozenset[int] = frozenset()
_SAYING = cues.CONSEQUENCE | cues.LETTER | cues.LETTER_ONLY.flag
for _cue in (cues.MOST, cues.LEAST, cues.AGAINST, cues.ANSWER, cues.INFER, cues.SUPPORT, cues.REALISED):
    _SAYING |= _cue.flag
_CUES_MOST: tuple[tuple[cues.Cue, Stance], ...] = (
    (cues.LEAST, "rejects"),
    (cues.AGAINST, "rejects"),
    (cues.ANSWER, "settles"),
    (cues.MOST, "settles"),
    (cues.INFER, "settles"),
)
_CUES_LEAST: tuple[tuple[cues.Cue, Stance], ...] = (
    (cues.LEAST, "settles"),
    (cues.AGAINST, "supports"),
    (cues.ANSWER, "settles"),
    (cues.MOST, "rejects"),
)
_DENIED = re.compile(r"\bnot\s(?:be\s)?(?:the\s)?$")
_NEGATED = re.compile(r"(?:n't|\bnot)\s(?:\w+\s){0,2}$")
_FORWARD = re.compile(  # the claim follows: "(most likely) scenario is that", "(most likely) to be true is"
    r"\W*(?:to\sbe\s?(?:true\s?)?|true\s)?+(?:\w+\s){0,3}?(?:(?:is|are|was|were|would\sbe|should\sbe)\b|that\b|:)"
)
_IS_THAT = re.compile(r"\bis\s(?:that|the\sone)\b")
_POINTS_BACK = re.compile(
    r"\W*(?:(?:i'm|i\sam)\s\w+\s(?:that\s)?)?(?:this|that)\s(?:option|statement|choice|scenario|one|is|isn't|seems|would|does|"
    r"doesn't|can't|cannot|wouldn't|aligns?|match(?:es)?|fits?|contradicts|also|makes)\b"
)
_NO = re.compile(r"\W*no\b\W")
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
