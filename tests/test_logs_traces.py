"""Real logs of other people's harnesses: every file gives responses, or one line that says why not."""

from collections import Counter
from pathlib import Path

import pytest

from videor2.data.logs import BadRow, Log, Logged, find_logs, open_log
from videor2.errors import InputError

FILES = {  # file: format, responses, bad rows
    "grpo_logs/4dllm_videor1_debug_log_2b.txt": ("video-r1-debug", 160, 0),
    "grpo_logs/jike338_debug_log_3b.txt": ("video-r1-debug", 2472, 0),
    "grpo_logs/jike338_r1v_debug_log_2b.txt": ("video-r1-debug", 576, 0),
    "grpo_logs/street_debug_log_2b.txt": ("video-r1-debug", 90, 0),
    "grpo_logs/street_debug_log_3b.txt": ("video-r1-debug", 180, 0),
    "inspect/log_formats.eval": ("inspect", 1, 0),
    "inspect/log_formats.json": ("inspect", 1, 0),
    "inspect/mmlu-summary-choices.eval": ("inspect", 1, 0),
    "lmms_eval_logs/20260923_172512_samples_mme.jsonl": ("lmms-eval", 3, 0),
    "tempcompass/auto_eval_gemini_multi-choice.json": ("tempcompass", 1568, 12),
    "tempcompass/auto_eval_video-llava_caption_matching.json": ("tempcompass", 1503, 0),
    "tempcompass/auto_eval_video-llava_multi-choice.json": ("tempcompass", 1580, 0),
    "tempcompass/auto_eval_video-llava_yes_no.json": ("tempcompass", 2453, 0),
    "video-r1-derived/4dllm_eval_vsibench.json": ("video-r1", 19, 0),
    "video-r1-derived/7b_mmtom_rft_1_muma_questions_both.json": ("video-r1", 900, 0),
    "video-r1-derived/7b_muma_rft_1_mmtom_questions_vid_only_video_only.json": ("video-r1", 600, 0),
    "video-r1-derived/7b_muma_sft_mmtom_questions_vid_only_video_only.json": ("video-r1", 600, 0),
    "video-r1-derived/Qwen2.5-VL-7B-Instruct_mmtom_questions_vid_only_video_only.json": ("video-r1", 600, 0),
    "video-r1-derived/Qwen2.5-VL-7B-Instruct_muma_questions_both.json": ("video-r1", 900, 0),
    "video-r1-derived/Video-R1-COT-165k-200.json": ("video-r1", 200, 0),
    "vlmevalkit/video_reason_bench_example_vlmevalkit.xlsx": ("vlmevalkit", 2, 0),
}
NO_RESPONSES = "video-r1-derived/Video-R1-260k-200.json"


def read(path: Path) -> tuple[Log, list[Logged], list[BadRow]]:
    log = open_log(path)
    good: list[Logged] = []
    bad = []
    for number, raw in log.rows():
        try:
            good += log.read(number, raw)
        except BadRow as error:
            bad.append(error)
    return log, good, bad


@pytest.fixture(scope="module")
def traces(shared_data: Path) -> Path:
    return shared_data / "traces"


def test_every_real_file_is_known_here(traces: Path) -> None:
    here = {str(path.relative_to(traces)) for path in traces.rglob("*") if path.is_file()}
    assert here == {*FILES, NO_RESPONSES}


@pytest.mark.parametrize("name", FILES)
def test_a_real_log_gives_its_responses(traces: Path, name: str) -> None:
    log, good, bad = read(traces / name)
    assert (log.format, len(good), len(bad)) == FILES[name]
    assert len({one.sample.id for one in good}) == len(good)
    assert all("\n" not in str(error) for error in bad)


def test_a_data_set_without_responses_is_said_to_be_one(traces: Path) -> None:
    with pytest.raises(InputError, match=r"questions without a response of a model.*--annotations.*--map response="):
        open_log(traces / NO_RESPONSES)


def test_the_folder_of_all_has_every_log_and_not_the_data_set(traces: Path) -> None:
    assert {str(path.relative_to(traces)) for path in find_logs([traces])} == set(FILES)


def test_questions_of_muma_have_their_bare_options_and_letter(traces: Path) -> None:
    _, good, _ = read(traces / "video-r1-derived/7b_mmtom_rft_1_muma_questions_both.json")
    one = good[0]
    assert one.sample.options[1] == (
        "When giving information, Michael believed that there was a remote control inside the cabinet in the "
        "living room"
    )
    assert (one.sample.answer, one.sample.kind, one.sample.id) == ("B", "choice", "1")
    assert one.sample.video == "/temp/jz/muma_data/videos/video_4005.mp4"
    assert one.response.startswith("<think>\nThe interaction between Jessica and Michael")
    assert (one.run, one.row, one.sample.benchmark) == ("7b_mmtom_rft_1_muma_questions_both", 1, "muma")
    assert {len(each.sample.options) for each in good} == {3}


def test_options_on_the_line_of_the_question_are_found(traces: Path) -> None:
    _, good, _ = read(traces / "video-r1-derived/Qwen2.5-VL-7B-Instruct_mmtom_questions_vid_only_video_only.json")
    sample = good[0].sample
    assert sample.question.endswith("which one of the following statements is more likely to be true?")
    assert sample.question.startswith("If Jennifer")
    assert sample.options == (
        "Jennifer thinks that the plate is inside the fridge.",
        "Jennifer thinks that the plate is not inside the fridge.",
    )
    assert sample.answer == "B"
    assert all(len(each.sample.options) == 2 and "respond" not in str(each.sample.options) for each in good)


def test_kinds_are_what_the_data_set_says(traces: Path) -> None:
    _, good, _ = read(traces / "video-r1-derived/Video-R1-COT-165k-200.json")
    assert Counter(one.sample.kind for one in good) == {"choice": 149, "number": 22, "text": 20, "ocr": 9}
    assert all("</think>\n<answer>" in one.response for one in good)


def test_numbers_of_vsi_bench_have_a_tolerance(traces: Path) -> None:
    _, good, _ = read(traces / "video-r1-derived/4dllm_eval_vsibench.json")
    assert {(one.sample.kind, one.sample.benchmark, one.run) for one in good} == {("regression", "VSI-Bench", "4dllm")}
    assert good[0].sample.question == "How many table(s) are in this room?"
    assert good[0].sample.answer == "4"


def test_a_rollout_keeps_all_of_its_content(traces: Path) -> None:
    _, good, _ = read(traces / "grpo_logs/4dllm_videor1_debug_log_2b.txt")
    assert good[0].response.startswith("<think>Let me think... The problem involves a ratio")
    assert good[0].response.endswith("</think>\n <answer>42</answer>")
    assert (good[0].sample.answer, good[0].sample.kind, good[0].row) == ("300", "number", 1)
    assert (good[-1].sample.answer, good[-1].sample.kind) == ("D", "choice")


def test_rollouts_point_at_their_lines(traces: Path) -> None:
    path = traces / "grpo_logs/jike338_debug_log_3b.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    _, good, _ = read(path)
    assert all("Accuracy reward" in lines[one.row - 1] for one in good)
    assert Counter(one.sample.answer for one in good) == {"B": 846, "A": 816, "C": 810}


def test_a_list_as_an_answer_stays_text(traces: Path) -> None:
    _, good, _ = read(traces / "grpo_logs/street_debug_log_2b.txt")
    assert good[0].sample.answer == "[-2.16485208563186, -2.1409834456538137, -2.367390211155616]"
    assert good[0].sample.kind == "text"


@pytest.mark.parametrize(
    ("name", "options", "answer"),
    [
        ("video-llava_multi-choice", ("dunking a basketball", "dribbling a basketball", "passing a basketball"), "A"),
        ("video-llava_caption_matching", ("The man is dribbling a basketball.", "A man is dunking a basketball."), "B"),
        ("video-llava_yes_no", (), "yes"),
    ],
)
def test_tempcompass_has_options_by_letters_and_by_names(
    traces: Path, name: str, options: tuple[str, ...], answer: str
) -> None:
    _, good, _ = read(traces / f"tempcompass/auto_eval_{name}.json")
    first = good[0]
    assert (first.sample.options, first.sample.answer) == (options, answer)
    assert (first.sample.benchmark, first.run, first.sample.id) == ("TempCompass", "video-llava", "1034419625/action/1")
    assert first.sample.task == name.removeprefix("video-llava_").replace("-", "_")
    assert "\n" not in first.sample.question
    if options:
        assert {len(one.sample.options) for one in good} <= {2, 3, 4}


def test_a_prediction_that_is_null_is_a_bad_row(traces: Path) -> None:
    _, _, bad = read(traces / "tempcompass/auto_eval_gemini_multi-choice.json")
    assert {str(error) for error in bad} == {
        "no response: `video-llm-prediction` is null; did the generation fail?",
    }


def test_an_inspect_log_names_the_model_and_the_choices(traces: Path) -> None:
    _, (one,), _ = read(traces / "inspect/mmlu-summary-choices.eval")
    assert one.sample.options == ("6.0 e", "6.8 eV", "12.2 eV", "13.6 eV")
    assert (one.sample.answer, one.response, one.run) == ("A", "ANSWER: C", "openai/gpt-4o")
    assert one.sample.question.startswith("Positronium is an atom")


def test_an_inspect_archive_and_its_json_say_the_same(traces: Path) -> None:
    _, (archived,), _ = read(traces / "inspect/log_formats.eval")
    _, (plain,), _ = read(traces / "inspect/log_formats.json")
    assert archived == plain
    assert (archived.sample.answer, archived.response) == ("Yes", "No")


def test_an_lmms_eval_log_without_doc_is_read_from_its_input(traces: Path) -> None:
    _, good, _ = read(traces / "lmms_eval_logs/20260923_172512_samples_mme.jsonl")
    assert good[0].sample.question == "Is a python code shown in the picture?"
    assert [(one.sample.id, one.sample.answer, one.response) for one in good] == [
        ("0", "Yes", "Yes"), ("1", "No", "No"), ("4", "Yes", "No"),
    ]  # fmt: skip
    assert (good[0].run, good[0].sample.benchmark, good[0].sample.task) == ("lmms_eval_logs", "mme", "code_reasoning")


def test_a_vlmevalkit_sheet_is_read_by_its_columns(traces: Path) -> None:
    _, good, _ = read(traces / "vlmevalkit/video_reason_bench_example_vlmevalkit.xlsx")
    first = good[0]
    assert (first.sample.id, first.sample.task, first.sample.kind) == ("1011", "comparison_state", "text")
    assert first.sample.answer == "8 of Diamonds, 2 of Hearts, 10 of Spades, 4 of Spades, 9 of Clubs"
    assert first.response.endswith("Final Answer: 4 of Spades, 8 of Diamonds, 2 of Hearts, 10 of Spades, 9 of Clubs.")
