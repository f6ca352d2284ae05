"""The published annotation files: every row becomes a question, and every reference scores 1."""

import json
from pathlib import Path
from string import ascii_uppercase

import pytest

from videor2.benchmarks import AnnotationError, find, validate
from videor2.errors import InputError

ORIGINALS = {
    "mlvu": [("MLVU_*.json", "json/", "MLVU_")],
    "tempcompass": [("TempCompass_*.json", "questions/", "TempCompass_")],
    "video_mmmu": [("VideoMMMU_*.json", "", "")],
    "mmvu": [("MMVU_validation.json", "", "MMVU_")],
    "longvideobench": [("LongVideoBench_*.json", "", "")],
}
CONVERTED = {
    "longvideobench.json": 1337,
    "minerva.json": 1431,
    "mlvu-dev.json": 2174,
    "mmvu-all.json": 1000,
    "mvbench.json": 3586,
    "videomathqa.jsonl": 2100,
    "videomme.json": 2700,
    "videommmu.json": 900,
    "vsibench.json": 5130,
}


@pytest.fixture(scope="session")
def data_root(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authors' files, laid out as they publish them."""
    root = tmp_path_factory.mktemp("benchmarks")
    for slug, groups in ORIGINALS.items():
        for pattern, folder, prefix in groups:
            for file in (shared_data / "benchmarks" / "original").glob(pattern):
                place = root / slug / folder / file.name.removeprefix(prefix)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(file)
    (root / "longvideobench" / "LongVideoBench_lvb_val_2rows.json").rename(root / "longvideobench" / "lvb_val.json")
    return root


@pytest.mark.parametrize(
    ("slug", "rows", "judged"),
    [
        ("mlvu", 2172 + 418, 418),
        ("tempcompass", 7540, 2004),
        ("video_mmmu", 900 + 300, 0),  # the adaptation questions once more, without the lecture
        ("mmvu", 1000, 0),
        ("longvideobench", 2, 0),
    ],
)
def test_every_row_of_the_authors_files_validates(data_root: Path, slug: str, rows: int, judged: int) -> None:
    report = validate(find(slug), data_root, videos=False)
    assert (report.rows, sum(report.judged.values())) == (rows, judged)
    assert (report.unreadable, report.failures, report.duplicates) == ([], [], [])


@pytest.mark.parametrize("name", CONVERTED)
def test_every_row_of_the_video_r1_layout_validates(shared_data: Path, name: str) -> None:
    file = shared_data / "benchmarks" / "video_r1_style" / name
    report = validate(find(name), file, videos=False)
    assert report.ok
    assert report.rows == CONVERTED[name]


@pytest.mark.parametrize("name", ["mlvu-dev.json", "mmvu-all.json", "videommmu.json", "longvideobench.json"])
def test_two_readings_of_a_benchmark_have_the_same_answers(shared_data: Path, data_root: Path, name: str) -> None:
    benchmark = find(name)

    def key(question: str, video: str | None) -> tuple[str, str]:
        words = "".join(question.replace("<image 1>", "").split())
        return words, Path(video or "").name

    converted = {
        key(s.question, s.video): s
        for s in benchmark.read(shared_data / "benchmarks" / "video_r1_style" / name)
        if s.kind == "choice"
    }
    pairs = [(s, converted.get(key(s.question, s.video))) for s in benchmark.read(data_root) if s.kind == "choice"]
    both = [(a, b) for a, b in pairs if b is not None and a.options == b.options]
    assert len(both) >= 0.95 * len(pairs)
    assert [(a.id, a.answer, b.answer) for a, b in both if a.answer != b.answer] == []


def test_rows_without_a_right_answer_are_left_out_and_named(data_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    samples = list(find("mlvu").read(data_root, tasks=["needle"]))
    assert len(samples) == 353
    assert [r.message.split(": ")[2] for r in caplog.records] == ["row 35", "row 339"]
    assert len(validate(find("mlvu"), data_root, videos=False).known_broken) == 3


def test_the_same_defect_elsewhere_is_an_error(data_root: Path, tmp_path: Path) -> None:
    rows = json.loads((data_root / "mlvu" / "json" / "2_needle.json").read_text())[:3]
    rows[1]["answer"] = "something else"
    file = tmp_path / "json" / "2_needle.json"
    file.parent.mkdir()
    file.write_text(json.dumps(rows))
    with pytest.raises(AnnotationError, match=r"2_needle.json: row 2: `answer` 'something else' is none of the 4"):
        list(find("mlvu").read(tmp_path))


def test_scores_of_published_answers_are_the_authors_verdicts(shared_data: Path, data_root: Path) -> None:
    benchmark = find("tempcompass")
    compared = 0
    for model in ("video-llava", "gemini"):
        for task, name in (("multi_choice", "multi-choice"), ("yes_no", "yes_no"), ("caption_matching",) * 2):
            file = shared_data / "traces" / "tempcompass" / f"auto_eval_{model}_{name}.json"
            if not file.exists():
                continue
            samples: dict[tuple[str, str], list[object]] = {}
            for sample in benchmark.read(data_root, tasks=[task]):
                samples.setdefault((sample.meta["video_id"], sample.meta["dim"]), []).append(sample)
            for video, aspects in json.loads(file.read_text()).items():
                for aspect, answers in aspects.items():
                    for sample, given in zip(samples[video, aspect], answers, strict=True):
                        if given["match_success"] and given["video-llm-prediction"]:
                            score = benchmark.score(sample, given["video-llm-prediction"], "direct")
                            assert score.value == given["rating"], (given, score)
                            compared += 1
    assert compared == 6987


@pytest.mark.parametrize("name", ["videomme.json", "minerva.json", "vsibench.json", "longvideobench.json"])
def test_the_options_own_text_is_the_answer_and_another_letter_is_not(shared_data: Path, name: str) -> None:
    benchmark = find(name)
    for sample in list(benchmark.read(shared_data / "benchmarks" / "video_r1_style" / name))[::7]:
        if sample.options:
            right = ascii_uppercase.index(sample.answer or "")
            if len(sample.options[right].strip("(). ")) > 1:  # "C." of options E, C, A is both a letter and a text
                assert benchmark.score(sample, sample.options[right], "direct").value == 1.0
            wrong = ascii_uppercase[(right + 1) % len(sample.options)]
            assert benchmark.score(sample, f"<think>x</think><answer>{wrong}</answer>").value == 0.0


def test_a_repeated_option_is_right_under_both_letters(data_root: Path) -> None:
    pirates = next(s for s in find("mlvu").read(data_root, tasks=["plotQA"]) if s.meta.get("also_right"))
    assert pirates.options == ("Six", "Three", "Three", "Eight")
    assert [find("mlvu").score(pirates, letter, "direct").value for letter in "ABCD"] == [0.0, 1.0, 1.0, 0.0]


def test_an_open_answer_with_several_spellings_accepts_each(data_root: Path) -> None:
    benchmark = find("video_mmmu")
    ladder = next(s for s in benchmark.read(data_root) if s.meta.get("accepted"))
    assert (ladder.answer, ladder.meta["accepted"]) == ("24/7", ["3.429", "3.43"])
    assert [benchmark.score(ladder, a, "direct").value for a in ("24/7", "3.429", "3.43", "3.4")] == [1, 1, 1, 0]


def test_another_benchmarks_file_is_refused_with_what_was_wanted(shared_data: Path) -> None:
    file = shared_data / "benchmarks" / "original" / "charades_test.json"
    with pytest.raises(InputError, match=r"charades_test.json: no annotations of VideoMME .* a row needs"):
        list(find("videomme").read(file))


def test_a_folder_of_many_benchmarks_files_is_told_apart_by_their_names(shared_data: Path) -> None:
    folder = shared_data / "benchmarks" / "video_r1_style"
    assert sum(1 for _ in find("mvbench").read(folder)) == 3586
    with pytest.raises(InputError, match="no annotations of SciVideoBench"):
        list(find("scivideobench").read(folder))


def test_a_conversion_that_kept_the_hubs_fields_keeps_the_breakdown(shared_data: Path) -> None:
    samples = list(find("videomme").read(shared_data / "benchmarks" / "video_r1_style" / "videomme.json"))
    assert samples[0].id == "001-1"
    assert {s.meta["duration"] for s in samples} == {"short", "medium", "long"}
