"""Answers: what is the same answer in other clothes, and what only looks like it."""

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from videor2.answers import (
    Value,
    infer_kind,
    letter_of,
    normalise_options,
    normalise_text,
    read_value,
    same,
)
from videor2.numerals import canonical_number, find_numbers, read_number

unhurried = settings(deadline=None)  # a busy machine is no failure

LETTERS = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DRESSES = [
    "{}",
    "({})",
    "[{}]",
    "{}.",
    "{})",
    "**{}**",
    '"{}"',
    " {}\n",
    "Option {}",
    "option ({})",
    "Answer: {}",
    "The answer is {}",
    "The correct answer is: {}.",
    "So the answer is option {}.",
    r"\boxed{{{}}}",
    r"$\boxed{{\text{{{}}}}}$",
    "{}. a red ball",
    "({}) a red ball",
    "Option {}. A man walks",
    "{} is correct",
    "<answer>{}</answer>",
]


@pytest.mark.parametrize("dress", DRESSES)
@unhurried
@given(letter=LETTERS)
def test_a_letter_is_itself_in_any_dress(dress: str, letter: str) -> None:
    assert letter_of(dress.format(letter)) == letter


@unhurried
@given(LETTERS)
def test_lower_case_letters_count_where_they_stand_for_an_option(letter: str) -> None:
    assert (
        letter_of(letter.lower()) == letter_of(f"({letter.lower()})") == letter_of(f"{letter.lower()}) text") == letter
    )


@pytest.mark.parametrize(
    "text",
    [
        "Because the man is tall",
        "A man is on the left",
        "I think he runs",
        "T-shirt",
        "e-bike",
        "apple",
        "Both",
        "Cannot be determined",
        "Delivers a product",
        "put a cup down",
        "The answer is a dog",
        "A4",
        "D.C. is the capital",
        "e.g. this",
        "N/A",
        "",
        "?",
        "Because ...",
    ],
)
def test_a_word_is_no_letter(text: str) -> None:
    assert letter_of(text) is None


@pytest.mark.parametrize("text", ["A or B", "A, C", "A and B", "Option A or B", "Options A, B", "B / C"])
def test_two_letters_are_no_answer(text: str) -> None:
    assert letter_of(text) is None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Could be D", "D"),
        ("Ｂ", "B"),
        ("B，因为", "B"),
        ("A)left", "A"),
        ("C because he runs", "C"),
        ("a red ball (B)", "B"),
    ],
)
def test_letters_in_unusual_places(text: str, letter: str) -> None:
    assert letter_of(text) == letter


@pytest.mark.parametrize(
    ("text", "options", "letter"),
    [
        ("a red ball", ["A blue cube", "A red ball"], "B"),
        ("The red ball.", ["blue cube", "red ball"], "B"),
        ("It is a red ball on the table", ["a blue cube", "a red ball"], "B"),
        ("big red ball", ["red ball", "big red ball"], "B"),
        ("a red bal", ["a blue cube", "a red ball"], "B"),  # a typo, far from the other
        ("dog", ["door", "cat"], None),
        ("1", ["10", "21"], None),
        ("three", ["2", "3"], "B"),
        ("3.0", ["2", "3"], "B"),
        ("no", ["north", "no"], "B"),
        ("Yes, he does", ["Yes", "No"], "A"),
        ("入口", ["出口", "入口"], "B"),
        ("左", ["出口", "入口"], None),
        ("a: b", ["b: a", "a: b"], "B"),
        ("it isn't inside", ["it is inside", "it is not inside"], "B"),
        ("E", ["left", "right"], None),
        ("a dog and a cat", ["dog", "cat"], None),
        ("room 12", ["room 11", "room 12"], "B"),
    ],
)
def test_option_text_stands_for_its_letter(text: str, options: list[str], letter: str | None) -> None:
    assert letter_of(text, options) == letter


def test_options_with_letters_are_read_without_them() -> None:
    bare = ("left", "right")
    for given_options in (
        ["A. left", "B. right"],
        ["(A) left", "(B) right"],
        ["A) left", "B) right"],
        ["a: left", "b: right"],
        {"A": "left", "B": "right"},
        {"(b)": "right", "(a)": "left"},
    ):
        assert normalise_options(given_options) == bare
    assert letter_of("right", ["A. left", "B. right"]) == "B"


@pytest.mark.parametrize(
    "options", [["T-shirt", "e-bike"], ["A. left", "right"], ["B. left", "A. right"], ["a man", "b"]]
)
def test_options_that_only_look_labelled_stay(options: list[str]) -> None:
    assert normalise_options(options) == tuple(options)


def test_options_under_other_keys_raise() -> None:
    with pytest.raises(ValueError, match="not labelled A, B, C"):
        normalise_options({"A": "left", "C": "right"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", "1000"),
        ("12,345,678.9", "12345678.9"),
        ("1\u202f000", "1000"),
        ("5.0", "5"),
        (".75", "0.75"),
        ("-.25", "-0.25"),
        ("−5", "-5"),
        ("minus three", "-3"),
        ("1234 kg", "1234"),
        ("2.5m", "2.5"),
        ("$1,200", "1200"),
        ("30%", "30"),
        ("3 times", "3"),
        ("3rd", "3"),
        ("about 2.5", "2.5"),
        (r"\boxed{4}", "4"),
        (r"\frac{1}{2}", "0.5"),
        ("3/4", "0.75"),
        ("½", "0.5"),
        ("2½", "2.5"),
        ("1 1/2", "1.5"),
        ("1/3", "1/3"),
        ("1e3", "1000"),
        ("1.5×10^3", "1500"),
        ("1,5", "1.5"),
        ("twenty-one", "21"),
        ("one hundred and five", "105"),
        ("two thousand and twenty", "2020"),
        ("There are three tables.", "3"),
        ("１２", "12"),
    ],
)
def test_numbers_are_read_in_any_notation(text: str, value: str) -> None:
    number = read_number(text)
    assert number is not None
    assert canonical_number(number) == value


@pytest.mark.parametrize(
    "text",
    (
        "inf|nan|5_0|A4|00:12|10:45 AM|2-3|between 2 and 3|5, 6|1.2.3|1/0|10^3|3D|one of them|this one|no number||"
        "1e999999999|1/" + "3" * 5000
    ).split("|"),
)
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert read_number(text) is None


@unhurried
@given(st.fractions(max_denominator=10_000))
def test_every_number_reads_back_from_its_canonical_form(value: Fraction) -> None:
    assert read_number(canonical_number(value)) == value


@unhurried
@given(st.integers(min_value=0, max_value=10**12))
def test_notation_does_not_change_a_number(n: int) -> None:
    for form in (
        f"{n:,}",
        f"{n}.0",
        f"+{n}",
        f"{n} cups",
        f"${n}",
        f"{n}%",
        f"({n})",
        f"**{n}**",
        f"The answer is {n}.",
    ):
        assert same(form, str(n), kind="number"), form
    assert n == 0 or not same(f"-{n}", str(n), kind="number")


@unhurried
@given(st.integers(min_value=0, max_value=999_999))
def test_number_words_and_digits_are_one_value(n: int) -> None:
    assert read_number(_spelled(n)) == n


@unhurried
@given(st.integers(0, 500), st.integers(0, 500))
def test_different_numbers_differ(a: int, b: int) -> None:
    assert same(str(a), str(b), kind="number") == (a == b)


@unhurried
@given(st.text())
def test_numbers_found_lie_in_the_text_in_order(text: str) -> None:
    found = find_numbers(text)
    assert [n.start for n in found] == sorted(n.start for n in found)
    assert all(0 <= n.start < n.end <= len(text) for n in found)


@pytest.mark.parametrize(("a", "b"), [("dog", "door"), ("1", "10"), ("no", "north"), ("-5", "5"), ("0.00001", "0.001")])
def test_close_is_not_the_same(a: str, b: str) -> None:
    assert not same(a, b)
    assert not same(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("The Battle of Mylae", "battle of Mylae."),
        ("KX-9", "kx 9"),
        ("Café", "cafe\u0301"),
        ("isn't", "is not"),
        ("Straße", "STRASSE"),
    ],
)
def test_texts_are_the_same_up_to_case_articles_and_punctuation(a: str, b: str) -> None:
    assert same(a, b, kind="text")


@unhurried
@given(st.text())
def test_any_text_with_a_letter_or_digit_has_words(text: str) -> None:
    assume(any(char.isalnum() for char in text))
    assert normalise_text(text)


@unhurried
@given(
    st.text(alphabet="出入口左右上下кто что где אבג दुनिया", min_size=1),
    st.text(alphabet="出入口左右кто где אב", min_size=1),
)
def test_texts_in_other_scripts_are_only_the_same_when_they_are(a: str, b: str) -> None:
    if "".join(a.split()) != "".join(b.split()) and a.strip() and b.strip():
        assert not same(a, b, kind="text")


@unhurried
@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    words = normalise_text(text)
    assume(not words.startswith(("a ", "an ", "the ")))  # one article goes, not two
    assert normalise_text(words) == words


@unhurried
@given(st.sampled_from(["B", "5", "5.0", "a red ball", "yes", "1,000", "Gate 12", "1000", "five"]), st.data())
def test_sameness_is_symmetric_and_reflexive(a: str, data: st.DataObject) -> None:
    b = data.draw(st.sampled_from(["B", "(b)", "5", "five", "The red ball", "Yes, he does", "1000"]))
    for kind in ("choice", "number", "text"):
        assert same(a, b, kind=kind) == same(b, a, kind=kind)  # type: ignore[arg-type]
        assert same(a, a, kind=kind) == (read_value(a, kind=kind) is not None)  # type: ignore[arg-type]


@unhurried
@given(st.text())
def test_reading_never_raises(text: str) -> None:
    letter_of(text)
    letter_of(text, ["left", "right"])
    read_value(text)
    infer_kind(text)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("B", "choice"),
        ("(c)", "choice"),
        ("D. Walking", "choice"),
        ("5", "number"),
        ("-.25", "number"),
        ("30%", "number"),
        ("three", "number"),
        ("3.1415", "regression"),
        ("1,234.5678", "regression"),
        ("Gate 12", "ocr"),
        ("A4", "ocr"),
        ("dog", "ocr"),
        ("KX-9 MARK", "ocr"),
        ("A man walks his dog.", "text"),
        ("Because the road is blocked by a fallen tree.", "text"),
    ],
)
def test_kind_is_told_by_the_reference(answer: str, kind: str) -> None:
    assert infer_kind(answer) == kind


def test_options_make_a_choice_of_anything() -> None:
    assert infer_kind("5", ["4", "5"]) == "choice"
    assert read_value("5", options=["4", "5"]) == Value("letter", "B")


def test_yes_and_no_open_an_answer() -> None:
    assert read_value("Yes, he does.", kind="text") == read_value("yes", kind="text") == Value("text", "yes")
    assert read_value("Nobody knows", kind="text") == Value("text", "nobody knows")


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"


def _spelled(n: int) -> str:
    units, tens = _UNITS.split(), _TENS.split()
    if n < 20:
        return units[n]
    if n < 100:
        return tens[n // 10] + (f"-{units[n % 10]}" if n % 10 else "")
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = f" and {_spelled(n % size)}" if n % size else ""
    return f"{_spelled(n // size)} {name}{rest}"
