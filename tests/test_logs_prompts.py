"""Questions and options out of prompts, in the layouts of the benchmarks' harnesses."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videor2.data.logs.logged import Source, logged
from videor2.data.logs.names import by_name
from videor2.data.logs.prompts import question_of, split_options
from videor2.data.logs.values import BadRow, answer_of, options_of, solve, text_of

LAYOUTS = {
    "Video-MME": "Select the best answer to the following multiple-choice question based on the video. Respond with "
    "only the letter (A, B, C, or D) of the correct option.\nQ?\nA. x\nB. y\nThe best answer is:",
    "MVBench": "Question:Q?\nOption:\n(A) x\n(B) y\nOnly give the best option.\nBest option: (",
    "MMVU": "\nQuestion:Q?\nA: x\nB: y\n\nVisual Information: processed video\nDo not generate any intermediate "
    "reasoning process. Answer directly with the option letter from the given choices.\n",
    "VSI-Bench": "These are frames of a video.\nQ?\nOptions:\nA. x\nB. y\nAnswer with the option's letter from the "
    "given choices directly.",
    "Video-MMMU": "You should watch and learn the video content. Then apply what you learned to answer the following "
    "multi-choice question. The image for this question is at the end of the video.\nQ?\nA. x\nB. y\nPlease ignore "
    "the Quiz question in last frame of the video.",
    "TempCompass": "Q?\nCaption A: x\nCaption B: y",
    "TempCompass options": "Q?\nOption 1: x\nOption 2: y\nPlease directly give the best option:",
    "MMToM": "Question: Q? (a) x (b) y Please respond with either a or b.",
    "one line": "Q? A. x B. y",
    "brackets": "Q?\nA) x\nB) y",
    "list": "Q?\n- **A.** x\n- **B.** y",
    "reasoning": "Q?\nA. x\nB. y\nThink first, in <think> </think>, then answer in <answer> </answer>.",
    "chat": "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>Q?\n"
    "A. x\nB. y<|im_end|>\n<|im_start|>assistant\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_question_and_options(layout: str) -> None:
    assert split_options(question_of(LAYOUTS[layout])) == ("Q?", ("x", "y"))


@pytest.mark.parametrize(
    "text",
    [
        "Which is faster, the T-shirt or the e-bike?",
        "A man walks in. B follows him.",
        "Order the events: (1)She sings; (2)She sits; (3)She runs.",
        "Is vitamin B. part of it? C. maybe",
        "A. the only one",
        "What does (b) say, and what does (c) say?",
        "a: b",
        "(a) x B. y",
    ],
)
def test_what_only_looks_like_options_is_none(text: str) -> None:
    assert split_options(text) == (text, ())


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("videomme", "{}. {}"),
        ("mvbench", "({}) {}"),
        ("minerva", "{}. {}"),
        ("mmvu-all", "{}: {}"),
        ("mlvu-dev", "({}) {}"),
    ],
)
def test_the_options_of_real_benchmarks_come_back_out_of_their_prompts(
    shared_data: Path, name: str, label: str
) -> None:
    rows = json.loads((shared_data / "benchmarks" / "video_r1_style" / f"{name}.json").read_text(encoding="utf-8"))
    asked = 0
    for row in rows:
        options = options_of(row["options"])
        if len(options) < 2 or not all(options):
            continue
        listed = "\n".join(label.format("ABCDEFGHIJ"[i], text) for i, text in enumerate(options))
        prompt = f"{row['problem']}\n{listed}\nAnswer with the option's letter from the given choices directly."
        question, found = split_options(question_of(prompt))
        assert found == tuple(" ".join(text.split()).strip(" ;,*") for text in options)
        assert question == row["problem"].removeprefix("Question:").strip()
        asked += 1
    assert asked > 600


def test_a_list_in_a_question_that_has_options_stays(tmp_path: Path) -> None:
    question = "In which order?\n(a) Walk.\n(b) Start."
    source = Source(tmp_path, "run")
    one = logged(source, 1, id=1, response="", question=question, options=["(a)(b)", "(b)(a)"], answer="B")
    assert (one.sample.question, one.sample.options) == (question, ("(a)(b)", "(b)(a)"))


def test_an_option_may_go_on_over_lines_but_the_last_ends_with_its_own() -> None:
    assert split_options("Q?\nA. one\ntwo\nB. three\nAnswer now") == ("Q?", ("one two", "three"))


def test_of_two_lists_the_last_is_asked() -> None:
    text = "Example?\nA. no\nB. yes\nAnswer: A\nQ?\nA. x\nB. y\nC. z"
    assert split_options(text)[1] == ("x", "y", "z")


def test_options_before_the_question_leave_the_question() -> None:
    assert split_options("A. x\nB. y\nWhich one?") == ("Which one?", ("x", "y"))


def test_the_form_of_an_open_answer_is_not_part_of_the_question() -> None:
    asked = (
        "These are frames of a video.\nHow long is the sofa in metres?\nPlease answer the question using a single word."
    )
    assert question_of(asked) == "How long is the sofa in metres?"
    assert question_of("Answer the phone: who calls?") == "Answer the phone: who calls?"


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8)
texts = st.lists(words, min_size=1, max_size=5).map(" ".join)


@given(st.lists(texts, min_size=2, max_size=10), st.sampled_from(["{}. ", "({}) ", "{}) ", "{}: "]))
def test_lettered_lines_come_back_as_they_were(options: list[str], label: str) -> None:
    lines = [label.format("ABCDEFGHIJ"[i]) + option for i, option in enumerate(options)]
    assert split_options("What is it?\n" + "\n".join(lines)) == ("What is it?", tuple(options))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    question, options = split_options(question_of(text))
    assert isinstance(question, str)
    assert len(options) != 1
    assert all(options)


@given(st.lists(texts, min_size=2, max_size=6, unique=True), st.data())
def test_letter_text_and_label_are_the_same_answer(options: list[str], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(options) - 1))
    letter = "ABCDEF"[i]
    for written in (
        letter,
        letter.lower(),
        f"({letter})",
        f"{letter}. {options[i]}",
        options[i],
        f"Option {i + 1}: {options[i]}",
    ):
        assert solve(written, tuple(options), None)[0] == letter


def test_an_index_counts_from_0_unless_an_option_is_that_number() -> None:
    assert solve("2", ("red", "green", "blue"), None)[0] == "C"
    assert solve("2", ("1", "2", "3"), None)[0] == "B"


def test_an_answer_that_is_no_option_is_a_bad_row() -> None:
    with pytest.raises(BadRow, match="the answer 'purple' is none of the 2 options"):
        solve("purple", ("red", "green"), None)


def test_options_come_as_lists_objects_and_texts_of_them() -> None:
    expected = ("T-shirt", "e-bike")
    for value in (["A. T-shirt", "B. e-bike"], ["T-shirt", "e-bike", "N/A"], {"A": "T-shirt", "B": "e-bike"},
                  "['A. T-shirt', 'B. e-bike']", '["T-shirt", "e-bike", null]'):  # fmt: skip
        assert options_of(value) == expected
    assert options_of(["A) x", "B) y", "C) z", "-"]) == ("x", "y", "z", "-")
    assert options_of(float("nan")) == ()


def test_answers_lose_their_tags_and_lists_of_several_are_bad() -> None:
    assert answer_of("<answer> B </answer>") == "B"
    assert answer_of(float("nan")) is None
    with pytest.raises(BadRow, match="a list of 2; give one answer a row"):
        answer_of(["A", "B"])


def test_numbers_are_written_as_people_write_them() -> None:
    assert (text_of(4.0, "x"), text_of(0.5, "x"), text_of(None, "x")) == ("4", "0.5", None)


def test_the_end_of_a_name_is_the_benchmark() -> None:
    assert by_name("Qwen2.5-VL-7B-Instruct_MVBench_8frame") == ("Qwen2.5-VL-7B-Instruct", "MVBench", "")
    assert by_name("7b_muma_questions") == ("7b_muma_questions", "", "")
