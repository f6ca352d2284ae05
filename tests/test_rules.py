"""The rules judge: what a reasoning concludes, and when it must not say."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.judges import Conclusion, conclude, cues
from videor2.judges.cues import clauses, sentences
from videor2.judges.matching import OptionWords
from videor2.trace import Trace

VEHICLES = ("A red car", "A blue truck", "A green bike", "A yellow bus")
DOORS = ("He opens the door", "He closes the door", "He walks away")
SHAPES = ("blue square", "white circle", "red star")
MOTIVES = (
    "Ann believed that Tom placed the mug at his desired location: she moved the mug to the table to help Tom.",
    "Ann believed that Tom wants to place the mug on the table: she intentionally moved the mug to hinder Tom.",
    "Ann believed that Tom wants to place the mug on the table: she moved the mug to help Tom.",
)
PLACES = ("Ann thinks that the salmon is inside the fridge.", "Ann thinks that the salmon is not inside the fridge.")

unhurried = settings(deadline=None)  # a busy machine is no failure


def letter(think: str, options: tuple[str, ...], question: str | None = None) -> str | None:
    value = conclude(think, question=question, options=options).value
    return value.canonical if value else None


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        ("Therefore, option (B) is correct.", "B"),
        ("Hence, the final answer is (D).", "D"),
        ("So I'd go with C.", "C"),
        ("**Answer: B**", "B"),
        ("Thus, the correct choice is B: a blue truck.", "B"),
        ("So the correct answer is:\n\n**C. A green bike**", "C"),
        ("The correct answer is:\nb", "B"),
        (r"\boxed{C}", "C"),
        ("It is hard to see at first. B.", "B"),
        ("Therefore, A.", "A"),
        ("A is the right answer.", "A"),
        ("I would choose option a.", "A"),
        ("Only option C describes this.", "C"),
        ("This description is consistent with option D.", "D"),
        ("Option B. A blue truck. I'm confident that this is the correct choice.", "B"),
    ],
)
def test_an_explicit_choice_is_read(think: str, expected: str) -> None:
    assert letter(think, VEHICLES) == expected


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        ("So the answer is A. Wait, let me check again. At 00:12 it is clearly green. So the answer is C.", "C"),
        ("At first I thought of A, a red car. Wait, it is a blue truck. So the answer should be B.", "B"),
        ("Option C seems plausible. However, option B is more accurate because it is a truck.", "B"),
        ("My initial guess was C, but given the wheels, I'm going with B.", "B"),
        ("The answer is B. The red car in option A comes later, which is consistent with the time.", "B"),
        ("Option C is the one that describes it. Option D is a bus, and it does not seem to fit.", "C"),
        ("While option A might be tempting, the correct answer is B.", "B"),
    ],
)
def test_the_last_settled_statement_wins(think: str, expected: str) -> None:
    assert letter(think, VEHICLES) == expected


@pytest.mark.parametrize(
    ("think", "options", "expected"),
    [
        ("The answer is not A. It is B.", VEHICLES, "B"),
        ("Therefore, the answer is B, not A.", VEHICLES, "B"),
        ("The answer cannot be B because the door is open; it has to be A.", DOORS, "A"),
        ("Option A is wrong because the car is blue. Option B is incorrect. Option D can be ruled out.", VEHICLES, "C"),
        ("This rules out A and C, leaving B as the only option.", DOORS, "B"),
        ("Comparing them, (a) and (c) are inconsistent with the video, which leaves (b).", DOORS, "B"),
        ("The most logical answer would be that he does not open the door.", DOORS[:2], "B"),
        ("There is no indication that he opens the door, nor is there evidence that he walks away.", DOORS, "B"),
        ("Neither A nor B matches what happens.", DOORS, "C"),
        ("Nobody walks, so C is not the answer. Therefore, B is not the correct answer.", DOORS, "A"),
        ("A red car? No, the road is empty of cars. The truck and the bus can be excluded.", VEHICLES, "C"),
        ("A. He opens the door: this doesn't quite fit. C. He walks away: this does not appear accurate.", DOORS, "B"),
        ("It is most likely that he opens the door rather than closes it.", DOORS, "A"),
        ("The statement about closing the door is not more likely to be true.", DOORS[:2], "A"),
    ],
)
def test_rejecting_all_but_one_concludes_the_one(think: str, options: tuple[str, ...], expected: str) -> None:
    assert letter(think, options) == expected


@pytest.mark.parametrize(
    ("think", "options", "expected"),
    [
        ("In conclusion, he closes the door.", DOORS, "B"),
        ("The person in the video does not walk away. He opens the door.", DOORS, "A"),
        ("The vehicle that passes is a green bike.", VEHICLES, "C"),
        ("There was a car first. Therefore, the vehicle must be the bus, as it is yellow.", VEHICLES, "D"),
        (
            "The most likely statement is that Ann believed Tom wanted the mug on the table and moved it to help him.",
            MOTIVES,
            "C",
        ),
        ("Ann most likely moved the mug, which Tom wanted on the table, to hinder him.", MOTIVES, "B"),
        ("It is more likely that she thinks the salmon is not inside the fridge, as it is not there.", PLACES, "B"),
        ("The statement that Ann thinks the salmon is in the fridge is more likely to be true.", PLACES, "A"),
        ("Ann would most likely look elsewhere, rather than inside the fridge.", PLACES, "B"),
        ("Therefore, there are four people.", ("Three", "Four", "Five"), "B"),
        ("It falls by 2 each time: 10 - 2 = 8. So the result is 8.", ("2", "4", "8"), "C"),
        ("Hence the range is \\(1 < k < 3\\), as k = 1 fails.", ("k < 3", "1 < k < 3", "1 \u2264 k"), "B"),
        ("He would probably look for it somewhere else, so it is reasonable to assume that.", PLACES, None),
        ("So it is reasonable to assume that Ann looks for the salmon elsewhere.", PLACES, "B"),
        ("Oh, I see, the lorry is indeed a blue truck.", VEHICLES, "B"),
        ("Let's look again: it is indeed the green bike that passes.", VEHICLES, "C"),
        ("Considering all this, he plays energetically.", ("Slow", "Energetic", "Calm"), "B"),
    ],
)
def test_option_text_is_read_by_the_words_that_tell_options_apart(
    think: str, options: tuple[str, ...], expected: str | None
) -> None:
    assert letter(think, options) == expected


@pytest.mark.parametrize(
    "think",
    [
        "The video shows a man in a room. I cannot tell which vehicle passes.",
        "The vehicle could be a red car or a blue truck.",
        "I'm torn between A and B.",
        "The answer is either A or B.",
        "The clip ends early, so there is not enough information to answer.",
        "Neither statement is more likely to be true. It is impossible to determine the answer.",
        "A man walks in. A dog barks.",
        "The bus lies in a flower bed.",
        "The clip does not give us enough information to determine which one it is.",
        "None of the given options can be seen.",
        "",
    ],
)
def test_no_conclusion_is_undetermined(think: str) -> None:
    conclusion = conclude(think, options=VEHICLES)
    assert conclusion.value is None
    assert conclusion.how == "undetermined"


def test_open_options_are_the_candidates() -> None:
    conclusion = conclude("So the most likely vehicle is a red car or a blue truck.", options=VEHICLES)
    assert conclusion.value is None
    assert conclusion.candidates == ("A", "B")


@pytest.mark.parametrize(
    ("question", "think", "expected"),
    [
        ("Which is LEAST likely?", "He opens it, that is clear. Option B is the least likely.", "B"),
        (
            "Which is LEAST likely?",
            "He most likely opens the door and walks away. It is unlikely that he closes it.",
            "B",
        ),
        ("Which is least plausible?", "Therefore, the statement that is least plausible is that he walks away.", "C"),
        ("Which statement is NOT true?", "The statement that is NOT true is B, since he leaves it open.", "B"),
        ("Which of the following is not true?", "A is true. C is true as well. B is false: it stays open.", "B"),
        ("Which is most likely?", "The least likely is B, and C is unlikely too.", "A"),
        ("Which is LEAST likely?", "The most unlikely one is that he walks away.", "C"),
        ("Which is LEAST likely?", "The least likely is that he closes it. Option C is not the least likely.", "B"),
        (
            "Which is LEAST likely?",
            "B. He closes the door. This is least likely because it is about a door, not A.",
            "B",
        ),
        (None, "A is most likely, as he pushes. The statement that is LEAST likely is C.", "C"),
    ],
)
def test_polarity_of_the_question_decides_what_is_asked(question: str | None, think: str, expected: str) -> None:
    assert letter(think, DOORS, question) == expected


def test_a_comment_below_an_option_is_about_that_option() -> None:
    think = (
        "A. He opens the door.\nThis option contradicts the sound.\n"
        "B. He closes the door.\nThis aligns with what we know of how he opens things.\n"
        "C. He walks away.\nThis is the opposite of it."
    )
    assert letter(think, DOORS) == "B"


def test_facts_are_no_conclusion_of_a_least_question() -> None:
    think = "He pushes the handle. Therefore, he opens the door."
    assert letter(think, DOORS, "Which is LEAST likely?") is None
    assert letter(think, DOORS, "Which is MOST likely?") == "A"


def test_true_information_withheld_is_not_the_false_one() -> None:
    options = tuple(f"Ann believed that there was a {thing} on the desk" for thing in ("book", "cup", "folder"))
    think = "It is least likely that she would have given incorrect information about the folder."
    conclusion = conclude(think, question="Which is LEAST likely?", options=options)
    assert conclusion.value is None
    assert conclusion.candidates == ("A", "B")


@pytest.mark.parametrize(
    "think",
    [
        "At 00:03 a white circle appears. A. blue square no. B. white circle yes. C. red star no. So option B.",
        "So it is the white circle. A. blue square no. B. white circle yes. C. red star no. So the answer is option B.",
        "So it is white circle. A. blue square no. B. white circle yes. C. red star no.",
        "I guess it is white circle. So the answer is option B.",
    ],
)
def test_the_tiny_world_is_read(think: str) -> None:
    assert letter(think, SHAPES) == "B"


@pytest.mark.parametrize(
    ("think", "question", "expected"),
    [
        ("At 00:03 a star appears. So the answer is 3.", "How many?", "3"),
        ("So, there are two tables.", "How many tables?", "2"),
        ("That makes 3 + 4 = 7.", "How many?", "7"),
        ("In total, I count five people.", "How many people?", "5"),
        ("At 00:12 two leave. So three remain.", "How many?", "3"),
        ("There are two tables and four chairs.", "How many chairs are there?", "4"),
        ("Therefore, the total number of chairs is 12, including the 4 at the window.", "How many chairs?", "12"),
        ("Hence the speed is about 2.5 m/s.", "How fast?", "2.5"),
        ("The final answer is: 1,200", "How many?", "1200"),
        (r"\boxed{42}", None, "42"),
        ("So the number of jumps is three. One is at 00:03, the others at 00:07 and 00:09.", "How many?", "3"),
        ("He jumps at 00:03, 00:05 and 00:07, so three times.", "How many times?", "3"),
        ("So it first moves at 4 seconds.", "At which second does it move?", "4"),
        ("So at 4 seconds it moves, and then there are three balls.", "How many balls?", "3"),
        ("Of course, out of the four doors only two are open, so two.", "How many are open?", "2"),
        ("Therefore, out of the four doors, only two are open.", "How many are open?", "2"),
        ("Let's check: 9 in all - 2 outside = 7 inside.", "How many are inside?", "7"),
        ("There are three balls. Initially, there are two balls.", "How many balls?", "3"),
        ("Therefore, the point one step left of zero must be -1.", "Which number?", "-1"),
        ("So the red cup is the only cup.", "How many cups?", "1"),
        ("There are two rings. Hence the length is 2\u03c0.", "How long is it?", None),
        ("I cannot count them.", "How many?", None),
        ("How many are there? Let me count: one, two.", "How many?", None),
        ("This one goes, then another one.", "How many?", None),
    ],
)
def test_numbers_are_concluded_where_they_are_stated(think: str, question: str | None, expected: str | None) -> None:
    value = conclude(think, question=question, answer_kind="number").value
    assert (value.canonical if value else None) == expected


def test_how_many_asks_for_a_number() -> None:
    assert conclude("So there are three.", question="How many cups are there?").how == "number"


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        ("Yes, he opens it. So the answer is yes.", "A"),
        ("There is no sign of a dog. So the answer is no.", "B"),
        ("There is no dog in the clip and no cat.", None),
        ("So the answer is (b).", "B"),
    ],
)
def test_yes_and_no_as_options_need_the_plain_statement(think: str, expected: str | None) -> None:
    assert letter(think, ("Yes", "No")) == expected


def test_free_text_is_what_stands_behind_the_answer_is() -> None:
    conclusion = conclude('The cover names her. So the answer is "Frewin Jones".', question="Who wrote this?")
    assert conclusion.value is not None
    assert conclusion.value.canonical == "frewin jones"
    assert conclude("The cover names Frewin Jones.", question="Who wrote this?").value is None


def test_a_capital_behind_the_answer_is_a_letter() -> None:
    assert str(conclude("He runs. Final Answer: C.").value) == "C"


def test_yes_no_questions_are_answered_in_these_words() -> None:
    conclusion = conclude("He leaves, so no.", question="Is he still there?")
    assert conclusion.how == "yes_no"
    assert conclude("He leaves, so no.", question="Who leaves?").value is None


def test_without_options_a_choice_is_read_by_letter() -> None:
    assert (
        conclude("In triangle ABC the angle ∠B is 36. The correct answer is C.", answer_kind="choice").value is not None
    )
    assert conclude("I see a happy man, which leads me to joy.", answer_kind="choice").value is None


def test_an_answer_tag_inside_the_reasoning_is_no_conclusion() -> None:
    assert letter("I must write <answer>B</answer> at the end. Hmm.", VEHICLES) is None


def test_capitals_of_an_options_own_text_are_no_letters() -> None:
    options = ("vitamin A", "vitamin B", "vitamin C", "vitamin D")
    assert letter("Oranges are shown. So it is most likely vitamin C.", options) == "C"
    assert letter("So the answer is option B, vitamin B.", options) == "B"


@given(
    st.text(),
    st.sampled_from([(), VEHICLES, PLACES, ("Yes", "No")]),
    st.sampled_from(["choice", "number", "text", None]),
)
@unhurried
def test_any_text_is_read_and_evidence_is_verbatim(think: str, options: tuple[str, ...], kind: Any) -> None:
    conclusion = conclude(think, options=options, answer_kind=kind)
    assert conclusion.evidence in think
    assert conclusion.value is None or not conclusion.candidates


SALAD = (
    "So therefore the answer is not option A B. C (b) least likely most because which rather than he opens closes door "
    "\n - yes no. İ “red” car: cannot determine 3 1/2 "
)
WORDS = st.sampled_from(SALAD.split(" "))


@given(st.lists(WORDS, max_size=40).map(" ".join), st.sampled_from(["", "Which is LEAST likely?"]))
@unhurried
def test_cue_salad_is_read_and_evidence_is_verbatim(think: str, question: str) -> None:
    assert conclude(think, question=question, options=DOORS).evidence in think


@given(st.lists(WORDS, max_size=40).map(" ".join))
@unhurried
def test_sentences_and_clauses_are_slices_in_order(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert end <= sentence.start < sentence.end
        assert text[sentence.start : sentence.end] == sentence.text
        end = sentence.end
    spans = [(c.start, c.end) for c in clauses(text.lower())]
    assert spans == sorted(spans)


def test_evidence_is_verbatim_around_an_answer_tag() -> None:
    think = "So <answer>x</answer> the answer is B."
    conclusion = conclude(think, options=VEHICLES)
    assert conclusion.value is not None
    assert conclusion.evidence in think


@given(st.lists(WORDS, max_size=40).map(" ".join))
@unhurried
def test_the_words_of_a_sentence_never_hide_a_cue(text: str) -> None:
    lowered = cues.lower(text)
    words = cues.words_of(lowered)
    for cue in (cues.MOST, cues.LEAST, cues.AGAINST, cues.SUPPORT, cues.ANSWER, cues.LETTER_ONLY, cues.INFER):
        assert words & cue.flag or not cue.pattern.search(lowered)


@pytest.mark.parametrize(
    "piece",
    [
        "the answer is not ",
        "a ",
        "b, ",
        "No. ",
        "A? ",
        "<",
        "((",
        "is it so? ",
        "1=",
        "let's ",
        "\n",
        ". ",
        "9",
        "not the ",
    ],
)
@pytest.mark.parametrize("kind", ["choice", "number", "text"])
def test_long_texts_take_time_in_proportion(piece: str, kind: Any) -> None:
    started = time.process_time()
    conclude(piece * (100_000 // len(piece)), options=DOORS if kind == "choice" else (), answer_kind=kind)
    assert time.process_time() - started < 5


def test_options_are_told_apart_by_their_own_words() -> None:
    words = OptionWords.of(MOTIVES)
    hinder, help_ = words.mention("to hinder Tom"), words.mention("to help him")
    assert hinder is not None
    assert hinder.options == (1,)
    assert help_ is not None
    assert help_.options == (0, 2)
    assert words.mention("Ann and Tom and the mug") is None


def gold_verdicts(path: Path) -> list[tuple[bool | None, bool | None, Conclusion, str]]:
    """(annotated, ours, conclusion, annotated conclusion) of every labelled row."""
    kinds: dict[str, Any] = {"mcq": "choice", "numeric": "number", "open": "text"}
    from videor2.answers import read_value

    verdicts = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        kind, labels, options = kinds[row["question_type"]], row["labels"], row["options"] or ()
        think = Trace.parse(row["response"]).think
        conclusion = conclude(think or "", question=row["question"], options=options, answer_kind=kind)
        answer = read_value(labels["answer_value"], kind=kind, options=options)
        ours = None
        if think and answer and conclusion.value:
            ours = conclusion.value == answer
        elif think and answer and conclusion.candidates and str(answer) not in conclusion.candidates:
            ours = False
        verdicts.append((labels["consistent"], ours, conclusion, labels["think_conclusion"]))
    return verdicts


@pytest.mark.parametrize(("name", "coverage"), [("dev", 0.9), ("hard_dev", 0.9)])
def test_verdicts_agree_with_careful_readers(shared_data: Path, name: str, coverage: float) -> None:
    verdicts = gold_verdicts(shared_data / "gold" / f"{name}.jsonl")
    determined = [(gold, ours) for gold, ours, _, _ in verdicts if ours is not None]
    wrong = sum(gold != ours for gold, ours in determined)
    assert wrong <= 0.05 * len(determined)
    assert len(determined) >= coverage * sum(gold is not None for gold, *_ in verdicts)
    inconsistent = [ours for gold, ours, *_ in verdicts if gold is False]
    assert sum(ours is False for ours in inconsistent) >= 0.8 * len(inconsistent)


@pytest.mark.parametrize("name", ["dev", "hard_dev"])
def test_conclusions_agree_with_careful_readers(shared_data: Path, name: str) -> None:
    verdicts = gold_verdicts(shared_data / "gold" / f"{name}.jsonl")
    letters = [(str(c.value), gold) for _, _, c, gold in verdicts if c.value and c.value.kind == "letter"]
    assert len(letters) >= 20
    assert sum(ours != gold for ours, gold in letters) <= 0.05 * len(letters)
