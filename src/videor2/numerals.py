"""Numbers as people and models write them, read to exact values.

`5`, `5.0`, `1,000`, `-.25`, `1/2`, `2½`, `1e3`, `3 x 10^8`, `three`, `twenty-one`. What only looks like a
number is none: clock times (`00:12`), ranges (`2-3`), labels (`A4`), `inf`, `nan`, Python's `5_0`.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_MAX_DIGITS = 400  # beyond a float's range; an exact 1e999999999 would fill the memory

_SAME_SIGN = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{FULLWIDTH HYPHEN-MINUS}": "-",
        "\N{FULLWIDTH PLUS SIGN}": "+",
        "\N{FULLWIDTH FULL STOP}": ".",
        "\N{FULLWIDTH COMMA}": ",",
        "\N{FRACTION SLASH}": "/",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{MIDDLE DOT}": "*",
        "\N{NO-BREAK SPACE}": "\N{NARROW NO-BREAK SPACE}",
        "\N{THIN SPACE}": "\N{NARROW NO-BREAK SPACE}",
    }
)
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}")

_DIGITS = r"(?:\d{1,3}(?:[,\u202f]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"""(?<![\w.,:/^])(?<!\w-)(?P<sign>(?:[-+]|\b(?:minus|negative)\s)\s?)?
    (?:(?P<whole>\d+)\s+)??(?P<numerator>\d+)\s?/\s?(?P<denominator>\d+)(?![\w/^]|\.\d)
    |(?<![\w.,:/^])(?<!\w-)(?P<sign2>(?:[-+]|\b(?:minus|negative)\s)\s?)?
    (?:(?P<comma>\d+,\d{{1,2}})(?![\d,.])
      |(?P<mantissa>{_DIGITS})(?:\s?(?:x|\*|\\times)\s?10\s?\^\s?\{{?(?P<power>[-+]?\d+)\}}?|e(?P<e>[-+]?\d+))?)
    (?!\d|_|[.,/:^]\d|\^|[^\W\d_]{{4,}}|D\b|\s?-\s?\d|-[^\W\d_])
    """,
    re.VERBOSE | re.IGNORECASE,
)

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: i for i, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * i for i, word in enumerate(_TENS.split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = "|".join([*_SMALL, *_SCALES])
_WORDS = re.compile(
    rf"(?<![\w-])(?P<sign>(?:minus|negative)\s)?(?:{_WORD})(?:(?:\s|-|\s?,\s|\sand\s)(?:{_WORD}))*(?![\w-]|'s)",
    re.IGNORECASE,
)
_DETERMINERS = "this that the each every any no which another other some someone same last first next right wrong"
_ONE_AS_PRONOUN = re.compile(
    rf"(?:\b(?:{'|'.join(_DETERMINERS.split())})\s$)|(?:^\s(?:of|another|by|that|which|who|can|could|where)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number found in a text, and where: `text[start:end]`."""

    value: Fraction
    start: int
    end: int


def find_numbers(text: str) -> list[Number]:
    """All numbers in a text, in order.

    >>> [str(n.value) for n in find_numbers("At 00:12 there are three cups, 1,000 beads and 2.5 m of rope.")]
    ['3', '1000', '5/2']
    """
    clean = _aligned(text)
    found = [*_in_digits(clean), *_in_words(clean)]
    return sorted(found, key=lambda n: n.start)


def read_number(text: str) -> Fraction | None:
    """The one number that an answer names, whatever unit, currency, percent or wording stands around it.

    `60%` is 60, not 0.6: models drop the sign as often as they write it. None where there is no number, or
    where there are several different ones ("between 2 and 3").

    >>> read_number("about 1,200 kg"), read_number("twenty-one"), read_number("-.25"), read_number("2 or 3")
    (Fraction(1200, 1), Fraction(21, 1), Fraction(-1, 4), None)
    """
    spelled = _LATEX_FRACTION.sub(r" \1/\2", text)
    spelled = _VULGAR.sub(lambda m: " " + unicodedata.normalize("NFKC", m[0]), spelled)
    values = {n.value for n in find_numbers(spelled)}
    return values.pop() if len(values) == 1 else None


def canonical_number(value: Fraction) -> str:
    """One spelling for each value: a plain decimal where it ends, else a fraction.

    >>> canonical_number(Fraction(5, 2)), canonical_number(Fraction(1, 3)), canonical_number(Fraction(-1, 4))
    ('2.5', '1/3', '-0.25')
    """
    rest, places = value.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        places = max(places, count)
    if rest != 1:
        return str(value)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _aligned(text: str) -> str:
    """The text with one way to write each sign, character for character, so that positions stay."""
    return text.translate(_SAME_SIGN)


def _in_digits(text: str) -> Iterator[Number]:
    for m in _NUMBER.finditer(text):
        value = _value(m)
        if value is not None:
            sign = (m["sign"] or m["sign2"] or "").strip().lower()
            yield Number(-value if sign in ("-", "minus", "negative") else value, m.start(), m.end())


def _value(m: re.Match[str]) -> Fraction | None:
    if len(m[0]) > _MAX_DIGITS:
        return None
    if m["denominator"]:
        if int(m["denominator"]) == 0:
            return None
        return int(m["whole"] or 0) + Fraction(int(m["numerator"]), int(m["denominator"]))
    if m["comma"]:
        return Fraction(m["comma"].replace(",", "."))
    exponent = int(m["power"] or m["e"] or 0)
    if abs(exponent) > _MAX_DIGITS:
        return None
    return Fraction(re.sub("[,\u202f]", "", m["mantissa"])) * Fraction(10) ** exponent


def _in_words(text: str) -> Iterator[Number]:
    for m in _WORDS.finditer(text):
        words = [w for w in re.split(r"[^a-z]+", m[0].lower()) if w in _SMALL or w in _SCALES]
        if words == ["one"] and _is_pronoun(text, m.start(), m.end()):
            continue
        value = _spelled(words)
        if value is not None:
            yield Number(Fraction(-value if m["sign"] else value), m.start(), m.end())


def _is_pronoun(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 10) : start], text[end : end + 10]
    return bool(_ONE_AS_PRONOUN.search(before) or _ONE_AS_PRONOUN.match(after))


def _spelled(words: list[str]) -> int | None:
    """Value of number words, or None where they do not make one number ("three four")."""
    total, group, last = 0, 0, 0
    for word in words:
        if word in _SMALL:
            small = _SMALL[word]
            fits_tens = 20 <= last < 100 and last % 10 == 0 and 0 < small < 10
            if last and not fits_tens and last != 100:
                return None
            group, last = group + small, small
        elif word == "hundred":
            group, last = (group or 1) * 100, 100
        else:
            total, group, last = total + (group or 1) * _SCALES[word], 0, 0
    return total + group
