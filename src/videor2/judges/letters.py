"""How running text names options by letter: `option B`, `(b)`, `B.`, `B is wrong`; never the article or the
pronoun.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase

_LONE_CAPITAL = re.compile(r"(?<![\w'’])[B-HJ](?![\w'’])|(?<=\s)A$")
_MAY_NAME = re.compile(
    r"(?<![A-Za-z])[A-Z](?![A-Za-z])|[(\[{][a-z][)\]}]|(?i:options?|choices?|letter|is|be|:)\W{1,8}[a-z](?![\w'’])"
)
_BARE = re.compile(r"[\s*(\[\"'>-]*([A-HJ-Z])[\s*)\].\"']*")


@dataclass(frozen=True, slots=True)
class LetterNames:
    """The patterns for a number of options. Options are indices, 0 is A."""

    count: int
    by_name: re.Pattern[str]
    more: re.Pattern[str]
    bracketed: re.Pattern[str]
    alone: re.Pattern[str] | None
    at_end: re.Pattern[str]
    labels: re.Pattern[str]
    denied: re.Pattern[str]

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, options: tuple[str, ...]) -> "LetterNames":
        """Patterns for these options; for ten where they are unknown.

        Lone capitals are no names where an option's own text has one ("vitamin C").
        """
        count = min(len(options) or 10, 26)
        last = ascii_uppercase[count - 1]
        upper, either = f"A-{last}", f"A-{last}a-{last.lower()}"
        not_a_word = f"(?!I)[B-{last}]" if count > 1 else "(?!)"
        no_capitals = any(_LONE_CAPITAL.search(option) for option in options)
        return cls(
            count=count,
            by_name=re.compile(
                rf"\b(?:(?i:options?|choices?|letter)(?:\s+is)?(?![A-Za-z])[\s:(\[\"'“*]*+([{either}])"
                r"|(?i:statements?|answers?|scenario|event)(?:\s+is)?(?![A-Za-z])[\s:]*+"
                rf"(?:[\"'“*]*([{upper}])|[(\[]([{either}])[)\]]))(?![\w'’])"
            ),
            more=re.compile(
                r"[)\]\"'”*]*\s{0,3}(?:,\s{0,3})?(?:and|or|nor|&|/|,)\s{0,3}(?:(?i:options?|statement)\s)?"
                rf"[(\[\"'“*]*([{either}])(?![\w'’])"
            ),
            bracketed=re.compile(rf"(?<!part )(?<!Figure )(?<!panel )\(([{either}])\)(?!\s*[=+*/^])"),
            alone=None
            if no_capitals
            else re.compile(
                rf"(?<![\w'’(∠°.\\{{/-])(?:({not_a_word})(?![\w'’°(=+*/^-]|\s*[=+∈<>]|\.\w)"
                r"|(A)(?=\s*(?:[.,:;)!?*]|$)"
                r"|\s(?:is|are|as|because|since|and|or|nor|does|can|seems|would|fits?|matches|aligns)\b))"
            ),
            at_end=re.compile(rf"(?:\b(?:is|be)\b|:|\\boxed\{{(?:\\text\{{)?)\s*[(\[*]*([{either}])[)\]*}}.$]*\s*$"),
            labels=re.compile(
                rf"[\s*•-]*+(?:Option\s+)?[(\[*]*+([{upper}])[*]*[).\]:][*]*(?:\s|$)|[\s*•-]*+\(([{either}])\)\s"
            ),
            denied=re.compile(
                r"\bnot\s(?:be\s)?(?:(?i:option|choice|statement|answer)\s)?"
                rf"[(\[\"'*]*[{either}](?![\w'’])"
            ),
        )

    def label(self, line: str) -> int | None:
        """The option that a line is about by its label.

        >>> LetterNames.of(("left", "right")).label("- B. right: he goes there.")
        1
        """
        m = self.labels.match(line)
        return _index(next(g for g in m.groups() if g)) if m else None

    def bare(self, line: str) -> int | None:
        """The option whose letter is the whole line."""
        m = _BARE.fullmatch(line)
        return _index(m[1]) if m and _index(m[1]) < self.count else None

    def named(self, clause: str) -> frozenset[int]:
        """All options that a clause names by letter.

        >>> sorted(LetterNames.of(("x", "y", "z")).named("A man shows that options A and C are wrong"))
        [0, 2]
        """
        if not may_name(clause):
            return frozenset()
        found: set[int] = set()
        for m in self.by_name.finditer(clause):
            found.add(_index(next(g for g in m.groups() if g)))
            more = self.more.match(clause, m.end())
            while more:
                found.add(_index(more[1]))
                more = self.more.match(clause, more.end())
        if "(" in clause:
            found |= {_index(m[1]) for m in self.bracketed.finditer(clause)}
        if self.alone:
            found |= {_index(m[1] or m[2]) for m in self.alone.finditer(clause)}
        if not found and _ends_in_letter(clause) and (closing := self.at_end.search(clause)):
            found.add(_index(closing[1]))
        return frozenset(found)

    def is_denied(self, clause: str) -> bool:
        """Whether the letter is denied ("not B")."""
        return self.denied.search(clause) is not None


def may_name(text: str) -> bool:
    """Whether a text can name an option by letter at all: a cheap look before the patterns."""
    return _MAY_NAME.search(text) is not None


def _ends_in_letter(clause: str) -> bool:
    """Whether a lone letter ends a clause, however it is closed."""
    end = clause.rstrip(")]*}.$ \t\n\r\f\v")
    return end[-1:].isalpha() and not end[-2:-1].isalpha()


def _index(letter: str) -> int:
    return ascii_uppercase.index(letter.upper())
