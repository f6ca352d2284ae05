"""Canonical values of answers, and when two answers are the same.

An answer is an option's letter, a number or a text, however it is dressed: `(c)`, `**C**`, `Option C`, `C. a
red ball` and, where the options are known, `a red ball` are one value; so are `5`, `5.0` and `five`. What
only begins like a letter is none: `Because he runs` is not B, `A man is on the left` is not A, `T-shirt` is
not T.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase
from typing import Literal

from rapidfuzz import fuzz

from videor2.numerals import canonical_number, find_numbers, read_number
from videor2.sample import Kind

Options = Sequence[str] | Mapping[str, str] | None

FUZZY_RATIO = 85.0
"""How alike (rapidfuzz ratio, 0 to 100) an answer and an option's text must be to be taken for the same
words.
"""
FUZZY_MARGIN = 8.0
"""How much more alike than the next option. Below it a typo may turn one option into another."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says: equal values are equal answers.

    >>> read_value("5.0", kind="number") == read_value("five", kind="number")
    True
    """

    kind: Literal["letter", "number", "text"]
    canonical: str

    def __str__(self) -> str:
        return self.canonical


def read_value(text: str, *, kind: Kind | None = None, options: Options = ()) -> Value | None:
    """The value of an answer, or None where the text is no answer of that kind ("N/A" to a choice).

    `kind` None infers it from the options and the text itself. A text that opens with "Yes," or "No," is
    that.

    >>> read_value("(b) left", kind="choice"), read_value("left", options=["right", "left"])
    (Value(kind='letter', canonical='B'), Value(kind='letter', canonical='B'))
    >>> read_value("$1,000"), read_value("The Red Ball!")
    (Value(kind='number', canonical='1000'), Value(kind='text', canonical='red ball'))
    """
    kind = kind or infer_kind(text, options)
    if kind == "choice":
        letter = letter_of(text, options)
        return Value("letter", letter) if letter else None
    if kind in ("number", "regression"):
        number = read_number(text)
        return None if number is None else Value("number", canonical_number(number))
    words = normalise_text(text)
    opening = _YES_NO.match(text.strip())
    return Value("text", opening[1].lower() if opening else words) if words else None


def same(a: str, b: str, *, kind: Kind | None = None, options: Options = ()) -> bool:
    """Whether two answers are one value. An answer that cannot be read is the same as nothing, not even
    itself.

    `kind` None takes the kind of `b`, the reference.

    >>> same("1,000", "1000"), same("dog", "door"), same("1", "10"), same("no", "north")
    (True, False, False, False)
    """
    kind = kind or infer_kind(b, options)
    value = read_value(a, kind=kind, options=options)
    return value is not None and value == read_value(b, kind=kind, options=options)


def infer_kind(answer: str, options: Options = ()) -> Kind:
    """The kind of question that has this reference answer.

    `choice` where there are options or the answer is a letter; `regression` for a number with four decimals
    or more, as in the published rule; else `number`; `ocr` for up to five plain words, `text` beyond.

    >>> [infer_kind(a) for a in ("B", "C) 3", "30%", "3.1415", "Gate 12", "A man walks his dog.")]
    ['choice', 'choice', 'number', 'regression', 'ocr', 'text']
    """
    if options or letter_of(answer):
        return "choice"
    if is_bare_number(answer):
        return "regression" if _FOUR_DECIMALS.search(answer) else "number"
    plain = _PLAIN_WORDS.fullmatch(answer.strip()) is not None
    return "ocr" if plain and len(answer.split()) <= 5 else "text"


def normalise_options(options: Options) -> tuple[str, ...]:
    """Options as bare texts. Labels ("A. left", "(B) right") go where every option carries its own; a mapping
    gives the texts under A, B, C, ...

    Raises ValueError where a mapping's keys are not the letters from A on.

    >>> normalise_options(["A. left", "B. right"]), normalise_options(["T-shirt", "e-bike"])
    (('left', 'right'), ('T-shirt', 'e-bike'))
    """
    if options is None:
        return ()
    if isinstance(options, Mapping):
        by_letter = {key.strip().strip("().:").upper(): text for key, text in options.items()}
        if sorted(by_letter) != list(ascii_uppercase[: len(options)]):
            raise ValueError(f"options are not labelled A, B, C, ...: {', '.join(options)}")
        options = [by_letter[letter] for letter in sorted(by_letter)]
    return _unlabelled(tuple(options))


@lru_cache(maxsize=4096)
def _unlabelled(options: tuple[str, ...]) -> tuple[str, ...]:
    texts = tuple(text.strip() for text in options)
    labels = [_OPTION_LABEL.match(text) for text in texts]
    if texts and all(m and m[1].upper() == ascii_uppercase[i] for i, m in enumerate(labels[:26])):
        return tuple(text[m.end() :] for text, m in zip(texts, labels, strict=True) if m)
    return texts


def letter_of(text: str, options: Options = ()) -> str | None:
    """The letter that an answer gives, in capitals, by letter or by the option's own text; None where it
    gives none or several.

    >>> letter_of("The answer is **C**."), letter_of("A man is on the left"), letter_of("A or B")
    ('C', None, None)
    >>> letter_of("a red ball", ["A blue cube", "A red ball"]), letter_of("1", ["10", "21"])
    ('B', None)
    """
    return _letter_of(text, normalise_options(options))


@lru_cache(maxsize=4096)
def _letter_of(text: str, options: tuple[str, ...]) -> str | None:
    clean = _undressed(text)
    allowed = ascii_uppercase[: len(options)] if options else ascii_uppercase
    bare = _BARE_LETTER.fullmatch(clean)
    if bare:
        return bare[1].upper() if bare[1].upper() in allowed else _letter_by_text(clean, options)
    exact = [i for i, option in enumerate(options) if normalise_text(option) == normalise_text(clean)]
    if len(exact) == 1:
        return ascii_uppercase[exact[0]]
    letters = _stated_letters(clean)
    if letters:
        return letters.pop() if len(letters) == 1 and letters <= set(allowed) else None
    return _letter_by_text(clean, options)


def normalise_text(text: str) -> str:
    """Words alone: one case, no punctuation, no leading article; letters and marks of every script stay.

    Never empty for a text that has any letter, digit or symbol; a text of punctuation alone stays as it is.

    >>> [normalise_text(text) for text in ("The Battle of  Mylae.", "出口!", "KX-9", "?")]
    ['battle of mylae', '出口', 'kx 9', '?']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFC", folded)  # casefold may leave a letter and its mark apart
    folded = _CONTRACTED_NOT.sub(" not", folded.replace("can't", "can not").replace("cannot", "can not"))
    words = " ".join(_PUNCTUATION.sub(_kept_or_space, folded).split())
    bare = _ARTICLE.sub("", words)
    return bare or words or folded.strip()


_OPEN, _CLOSE = r"[\s(\[{<\"'`*_:]", r"[\s)\]}>\"'`*_.:,;!]"
_LETTER = rf"{_OPEN}*+(?<![A-Za-z])([A-Za-z])(?![\w'’-])"
_MORE_LETTERS = rf"(?!{_CLOSE}*(?:(?:/|&|\bor\b|\band\b){_OPEN}*[A-Za-z]|,\s*(?-i:[A-HJ-Z]))\b(?!['’]))"
_BARE_LETTER = re.compile(
    rf"{_OPEN}*+(?:(?:(?:the|my|final|correct)\s)*(?:answer|option|choice)(?=\W))?{_OPEN}*+([A-Za-z]){_CLOSE}*+",
    re.IGNORECASE,
)
_OPTION_LABEL = re.compile(r"\(?([A-Za-z])(?:[.):]\s*|\s*[-–—]\s+)(?=\S)")
_LABELS = (
    re.compile(r"[(\[*\"']+([A-Za-z])[.:]?[)\]*\"']+[.:]?\s*\S"),  # (c) text, **C.** text
    re.compile(r"([A-Za-z])(?:\)\s*|[.:]\s+|[.,]?\s*(?=[^\x00-\x7f–—])(?<=[\s.,]))\S"),  # C) text, C. text
    re.compile(r"([A-Z])\s[-–—]\s\S"),  # C - text
    re.compile(r"([B-HJ-Z]),?\s+(?:because|since)\b"),
    re.compile(r"([A-Z])\s+is\s+(?:the\s+)?(?:correct|right|best|most)\b"),
)
_ANSWER_IS = re.compile(
    r"\b(?:answer|choice|option|statement|solution)(?:\s+(?:is|was|would be|should be|must be)|\s*[:=])++"
    rf"(?:\s+(?:indeed|clearly|therefore|likely))?{_LETTER}(?={_CLOSE}*$|\s*[.,;:)*!\]]|\s[-–—]\s|\s+(?:because|since|as)\b)"
    rf"{_MORE_LETTERS}",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"\b(?:option|choice|letter)s?(?:\s+is)?{_LETTER}{_MORE_LETTERS}", re.IGNORECASE)
_CLOSING = re.compile(  # a red ball (C). It is C.
    r"(?:\s\(([A-Za-z])\)|\b(?:is|be|it's|choose|pick|select|with)\s+([B-HJ-Z]))[.\s]*$"
)

_WRAPPED = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_TAGS = re.compile(r"</?(?:answer|think)>", re.IGNORECASE)
_YES_NO = re.compile(r"(yes|no)\b(?=\s*(?:[.,;:!]|$))", re.IGNORECASE)
_FOUR_DECIMALS = re.compile(r"\.\d{4,}")
_PLAIN_WORDS = re.compile(r"[^\W_]+(?:[\s:'’-]+[^\W_]+)*")
_UNIT_ONLY = re.compile(
    r"[\s$€£¥%°.~≈]*(?:[a-zµ°²³/]{1,3}|times?|seconds?|minutes?|hours?|degrees?|percent|meters?)?[\s.%]*"
)
_ARTICLE = re.compile(r"^(?:an?|the) (?=\S)")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_CONTRACTED_NOT = re.compile(r"(?<=\w)n['’]t\b")
_NEGATORS = frozenset(["not", "no", "never", "none", "neither", "nor", "without"])


def _undressed(text: str) -> str:
    """The answer without tags and LaTeX or Markdown wrapping, compatibility forms (`Ｂ`) folded."""
    clean = _TAGS.sub(" ", unicodedata.normalize("NFKC", text))
    while (unwrapped := _WRAPPED.sub(r"\1", clean)) != clean:
        clean = unwrapped
    return clean.strip().strip("$").strip()


def _stated_letters(text: str) -> set[str]:
    """Letters that the text gives as its answer: by label at the start, by name, or at its end."""
    for label in _LABELS:
        if m := label.match(text):
            return {m[1].upper()}
    for pattern in (_ANSWER_IS, _NAMED):
        if found := {m[1].upper() for m in pattern.finditer(text)}:
            return found
    closing = _CLOSING.search(text)
    return {(closing[1] or closing[2]).upper()} if closing else set()


def _letter_by_text(text: str, options: tuple[str, ...]) -> str | None:
    """The option whose words, or whose number, the answer gives in its own way."""
    if not options:
        return None
    if all(is_bare_number(option) for option in options):
        number = read_number(text)
        hits = [i for i, option in enumerate(options) if number is not None and read_number(option) == number]
        return ascii_uppercase[hits[0]] if len(hits) == 1 else None
    words = normalise_text(text)
    texts = [normalise_text(option) for option in options]
    hits = _contained(words, texts)
    if not hits:
        alike = sorted(((fuzz.ratio(words, t), -i) for i, t in enumerate(texts)), reverse=True)
        clear = alike[0][0] >= FUZZY_RATIO and (len(alike) == 1 or alike[0][0] - alike[1][0] >= FUZZY_MARGIN)
        hits = [-alike[0][1]] if clear else []
    hits = [i for i in hits if _agree_in_detail(words, texts[i])]
    return ascii_uppercase[hits[0]] if len(hits) == 1 else None


def _contained(words: str, texts: Sequence[str]) -> list[int]:
    """Options whose whole text stands in the answer; of nested ones ("ball", "red ball") the longest."""
    inside = [i for i, t in enumerate(texts) if f" {t} " in f" {words} "]
    return [i for i in inside if not any(j != i and f" {texts[i]} " in f" {texts[j]} " for j in inside)]


def _agree_in_detail(a: str, b: str) -> bool:
    """Whether two texts have the same numbers and as many negations: what a fuzzy match must never overlook."""
    numbers_a, numbers_b = ([n.value for n in find_numbers(t)] for t in (a, b))
    negated_a, negated_b = (sum(w in _NEGATORS for w in t.split()) for t in (a, b))
    return numbers_a == numbers_b and negated_a == negated_b


def is_bare_number(text: str) -> bool:
    """Whether a text is a number and at most a currency, a percent sign or a unit."""
    clean = _undressed(text)
    found = find_numbers(clean)
    return len(found) == 1 and _UNIT_ONLY.fullmatch(clean[: found[0].start] + clean[found[0].end :].lower()) is not None


def _kept_or_space(m: re.Match[str]) -> str:
    """A symbol that carries meaning, or a blank for punctuation."""
    char, text = m[0], m.string
    before, after = text[m.start() - 1 : m.start()], text[m.end() : m.end() + 1]
    category = unicodedata.category(char)
    if category[0] in "SM" or char in "#%&@":
        return char
    if char == "." and before.isdigit() and after.isdigit():
        return char
    if char in "'’" and before.isalnum() and after.isalnum():
        return ""
    if category == "Cf":
        return ""
    return char if char == "-" and after.isdigit() and not before.strip() else " "
