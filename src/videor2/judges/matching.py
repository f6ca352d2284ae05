"""Which option a clause speaks of, by the words that tell the options apart.

Options of one question share most of their words ("... moved the mug to help Ann" / "... to hinder Ann"), so
a plain similarity is decided by words that say nothing. Here one option beats another only by words that the
other lacks.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from videor2.answers import normalise_text
from videor2.judges.words import WordMemo

MARGIN = 0.15
"""By how much of its own distinguishing words an option must lead to beat another."""
TWIN_COVERAGE = 0.3
"""How much of a statement must be there to read a clause as it, or as its negation."""

_STOPWORDS = (
    "a an the of to and or is are was were be been being has have had do does did it its he she they his her their "
    "him them that this these those there who whom by with for from at as so than then also just would will could "
    "might may can i we you if"
)
_IGNORED = frozenset(_STOPWORDS.split())
_NEGATIONS = "not no never neither nor none hardly incorrect incorrectly wrong"
_SAME_WORD = {
    word: group.split()[0]
    for group in (
        "help assist aid",
        "hinder prevent obstruct thwart",
        "find locat discover spot",
        "think believ consider",
        "in insid within",
        "start begin",
        "big larg",
        "small littl tiny",
        "couch sofa",
        "fridg refrigerator",
        "television tv",
        "child kid",
        "not isnt",
    )
    for word in group.split()
}
_OPPOSITES = {
    word: other
    for pair in (
        "help hinder",
        "left right",
        "in outsid",
        "open clos",
        "first last",
        "befor after",
        "increas decreas",
        "forward backward",
        "clockwis counterclockwis",
        "abov below",
        "up down",
    )
    for word, other in (pair.split(), pair.split()[::-1])
}
_WORD = re.compile(r"[^\W_]+")
_OR = re.compile(r"\b(?:or|nor)\b")


@dataclass(frozen=True, slots=True)
class Mention:
    """Options that a clause speaks of, as indices, whether it says so or says not, and how many of their
    words.
    """

    options: tuple[int, ...]
    negated: bool = False
    coverage: float = 1.0


@dataclass(frozen=True, slots=True)
class OptionWords:
    """The words of each option, and for each pair the words that only the first of the two has."""

    words: tuple[frozenset[str], ...]
    negated: tuple[bool, ...]
    only: tuple[tuple[frozenset[str], ...], ...]
    own: tuple[frozenset[str], ...]  # words that not all options share
    opposites: tuple[tuple[tuple[str, str], ...], ...]  # own words with an opposite that the option lacks
    twin: tuple[bool, ...]  # whether another option says the same with a "not"
    has_or: bool

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, options: tuple[str, ...]) -> "OptionWords":
        """The words of bare options."""
        full = [stems(option) for option in options]
        words = tuple(f - _NEGATORS for f in full)
        shared = frozenset.intersection(*words) if words else frozenset()
        own = tuple(w - shared for w in words)
        negated = tuple(bool(f & _NEGATORS) for f in full)
        pairs = list(zip(words, negated, strict=True))
        return cls(
            words=words,
            negated=negated,
            only=tuple(tuple(a - b for b in words) for a in words),
            own=own,
            opposites=tuple(
                tuple((w, _OPPOSITES[w]) for w in o if w in _OPPOSITES and _OPPOSITES[w] not in all_words)
                for o, all_words in zip(own, words, strict=True)
            ),
            twin=tuple((w, not n) in pairs for w, n in pairs),
            has_or=any(_OR.search(option) for option in options),
        )

    def mention(self, clause: str) -> Mention | None:
        """The options that a clause speaks of, several where its words do not tell them apart; None where
        none.

        >>> options = OptionWords.of(("he thinks it is in the stove", "he thinks it is not in the stove"))
        >>> options.mention("so he thinks that it isn't in the stove")
        Mention(options=(1,), negated=False, coverage=1.0)
        """
        parts = [clause] if self.has_or or "or" not in clause else _OR.split(clause)
        mentions, negated = [], False
        for part in parts:
            words = stems(part)
            if not words.isdisjoint(_NEGATORS):
                words, negated = words - _NEGATORS, True  # "no book or glass": no glass either
            if m := self._in_part(words, negated):
                mentions.append(m)
        if not mentions:
            return None
        said = [m for m in mentions if not m.negated] or mentions
        together = tuple(sorted({i for m in said for i in m.options}))
        return Mention(together, said[0].negated, max(m.coverage for m in said))

    def alone(self, option: int, text: str) -> bool:
        """Whether a text speaks of this option and has no word of its own of any other."""
        words = stems(text) - _NEGATORS
        others = [own for i, own in enumerate(self.own) if i != option]
        return bool(self.own[option] & words) and all(own and own.isdisjoint(words) for own in others)

    def _in_part(self, words: frozenset[str], negated: bool) -> Mention | None:
        best = [i for i in range(len(self.words)) if self._touches(i, words)]
        best = [i for i in best if not (self.opposites[i] and self._contradicts(i, words))]
        if len(best) > 1:
            best = [i for i in best if not any(self._beats(j, i, words) for j in best)]
        if not best:
            return None
        if any(self.twin[i] for i in best):
            negated = negated or not words.isdisjoint(_OTHER_PLACES)
            return Mention(tuple(i for i in best if self.negated[i] == negated) or tuple(best))
        coverage = max(_share(self.own[i] or self.words[i], words) for i in best)
        return Mention(tuple(best), negated and not any(self.negated[i] for i in best), coverage)

    def _touches(self, i: int, words: frozenset[str]) -> bool:
        if self.own[i]:
            return not self.own[i].isdisjoint(words)
        common = self.words[i]
        return bool(common) and len(common & words) >= TWIN_COVERAGE * len(common)

    def _beats(self, i: int, j: int, words: frozenset[str]) -> bool:
        return i != j and _share(self.only[i][j], words) - _share(self.only[j][i], words) >= MARGIN

    def _contradicts(self, i: int, words: frozenset[str]) -> bool:
        return any(opposite in words and word not in words for word, opposite in self.opposites[i])


def _share(part: frozenset[str], words: frozenset[str]) -> float:
    return len(part & words) / len(part) if part else 0.0


class OptionFormulas(NamedTuple):
    """Options that are formulas ("1 < k < 3"): words and numbers do not tell them apart, so each is named in
    full or not at all.
    """

    texts: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, options: tuple[str, ...]) -> "OptionFormulas | None":
        """The formulas, or None where the options are words."""
        if not any(_RELATION.search(option) for option in options):
            return None
        return cls(tuple(_formula(option) for option in options))

    def mention(self, clause: str) -> Mention | None:
        """The options that stand in a clause as they are; of "k < 3" and "1 < k < 3" the longer.

        >>> OptionFormulas(("k<3", "1<k<3")).mention("so the range is \\\\(1 < k < 3\\\\)")
        Mention(options=(1,), negated=False, coverage=1.0)
        """
        written = _formula(clause)
        said = [i for i, text in enumerate(self.texts) if text and _stands_in(text, written)]
        said = [
            i for i in said if not any(self.texts[i] != self.texts[j] and self.texts[i] in self.texts[j] for j in said)
        ]
        return Mention(tuple(said)) if said else None

    def alone(self, option: int, text: str) -> bool:
        """Whether a text has this formula and no other."""
        mention = self.mention(text)
        return mention is not None and mention.options == (option,)


def _formula(text: str) -> str:
    for latex, sign in _LATEX:
        text = text.replace(latex, sign)
    return _NOT_FORMULA.sub("", text.lower())


def _stands_in(formula: str, text: str) -> bool:
    """Whether a formula stands in a text and not within a longer one."""
    start = text.find(formula)
    while start >= 0:
        before, behind = text[start - 1 : start], text[start + len(formula) : start + len(formula) + 1]
        if not (formula[0].isdigit() and (before.isdigit() or before == ".")) and not (
            formula[-1].isdigit() and behind.isdigit()
        ):
            return True
        start = text.find(formula, start + 1)
    return False


_LATEX = (
    ("\\leq", "≤"),
    ("\\geq", "≥"),
    ("\\le", "≤"),
    ("\\ge", "≥"),
    ("\\pi", "π"),
    ("\\times", "×"),
    ("<=", "≤"),
    (">=", "≥"),
)
_RELATION = re.compile(r"[<>=≤≥≠±√∥⊥∠^]|\\(?:frac|sqrt|leq?|geq?|pi|times)")
_NOT_FORMULA = re.compile(r"[\s_$.,;:]|\\[()\[\]]")


def stems(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, without endings, one word for each group of synonyms.

    >>> sorted(stems("She was helping him to locate the boxes"))
    ['box', 'find', 'help']
    """
    words = _NO_WORDS.union(*map(_STEMS.__getitem__, text.lower().split()))
    return words - _IGNORED or words


def _stems_of(token: str) -> frozenset[str]:
    """The stems of a stretch without blanks: "isn't" has two."""
    spelled = token.replace("’", "'").replace("n't", " not").replace("cannot", "can not").replace("'s", "")
    words = _WORD.findall(spelled if spelled.isascii() else normalise_text(spelled))
    return frozenset(map(_stem, words))


_NO_WORDS: frozenset[str] = frozenset()
_STEMS = WordMemo(_stems_of)


def _stem(word: str) -> str:
    stem = word
    if len(word) > 3:
        for suffix in ("ies", "ied"):
            if word.endswith(suffix):
                return _SAME_WORD.get(word[:-3] + "y", word[:-3] + "y")
        for suffix in ("ing", "ed", "es", "s", "e"):
            if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
                stem = word[: -len(suffix)]
                break
        if len(stem) > 6 and stem.endswith("ly"):
            stem = stem[:-2].removesuffix("al")
        if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "sl":
            stem = stem[:-1]
        stem = stem.removesuffix("e") if len(stem) > 3 else stem
    return _SAME_WORD.get(stem, stem)


_OTHER_PLACES = frozenset(map(_stem, ("elsewhere", "else")))
_NEGATORS = frozenset(map(_stem, _NEGATIONS.split()))
