"""Checking benchmarks and training files before a model is run on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from videor2.benchmarks import Validation, benchmarks, find
from videor2.commands.validate import run, validate_examples
from videor2.data import read_examples
from videor2.errors import InputError
from videor2.report.validation import validated

ROW = {"video": "a.mp4", "question": "Who?", "candidates": ["he", "she"], "answer": "she", "start": 0.0, "end": 2.0}


def mvbench(root: Path, *rows: dict[str, Any]) -> Path:
    """A data root with one task of MVBench and the first row's video."""
    folder = root / "mvbench"
    (folder / "json").mkdir(parents=True)
    (folder / "json" / "action_count.json").write_text(json.dumps(rows))
    video = folder / "video" / "perception" / "videos" / "a.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"film")
    return root


def train_file(folder: Path, *rows: dict[str, Any]) -> Path:
    known = {"question": "Which?", "options": ["red", "blue"], "answer": "B", "kind": "choice"}
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps({"id": str(i)} | known | row) + "\n" for i, row in enumerate(rows)))
    return path


def test_a_whole_benchmark_is_ok(tmp_path: Path) -> None:
    (report,), ok = run(["mvbench"], mvbench(tmp_path, ROW))
    assert ok
    assert (report.benchmark, report.rows, report.warnings) == (
        "MVBench",
        1,
        ["1 rows; the published set has 4000"],
    )


def test_what_is_wrong_is_told_and_not_ok(tmp_path: Path) -> None:
    root = mvbench(tmp_path, ROW, ROW | {"video": "b.mp4"}, ROW | {"answer": "it"})
    (report,), ok = run(["mvbench"], root)
    assert not ok
    assert (len(report.missing_videos), len(report.unreadable)) == (1, 1)
    text = validated([report])
    assert "MVBench: videos missing: " in text
    assert "row 3: `answer` 'it' is none of the 2 options" in text


def test_without_videos_only_annotations_are_looked_at(tmp_path: Path) -> None:
    reports, ok = run(["mvbench"], mvbench(tmp_path, ROW | {"video": "b.mp4"}), videos=False)
    assert ok
    assert reports[0].missing_videos == []


def test_no_names_means_every_benchmark_that_lies_there(tmp_path: Path) -> None:
    root = mvbench(tmp_path, ROW)
    (tmp_path / "minerva").mkdir()
    reports, ok = run([], root)
    assert [report.benchmark for report in reports] == ["MVBench", "MINERVA"]
    assert not ok  # an empty folder is no benchmark
    assert "no annotations of MINERVA" in reports[1].unreadable[0]


def test_files_named_after_benchmarks_lie_there_too(shared_data: Path) -> None:
    folder = shared_data / "benchmarks" / "video_r1_style"
    reports, ok = run([], folder, videos=False)
    assert [report.benchmark for report in reports] == [
        *("MVBench", "VideoMME", "MLVU", "LongVideoBench", "VideoMathQA", "Video-MMMU", "MMVU", "VSI-Bench", "MINERVA")
    ]
    assert ok


def test_all_means_the_papers_eleven_and_tells_which_are_absent(tmp_path: Path) -> None:
    reports, ok = run(["all"], mvbench(tmp_path, ROW))
    assert (len(reports), sum(report.ok for report in reports), ok) == (11, 1, False)
    assert "no annotations of SciVideoBench" in validated(reports)


def test_an_empty_root_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no benchmark there; name one, fetch it, or give another --data-root"):
        run([], tmp_path)
    with pytest.raises(InputError, match="no benchmark 'egoschema'; there are"):
        run(["egoschema"], tmp_path)


def test_a_name_twice_is_checked_once(tmp_path: Path) -> None:
    assert len(run(["mvbench", "MVBench"], mvbench(tmp_path, ROW))[0]) == 1


# Training files.


def test_a_written_training_file_is_ok(world: Path) -> None:
    (report,), ok = run([str(world)], Path("nowhere"))
    assert ok
    assert (report.rows, report.warnings) == (len(read_examples(world)), [])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"answer": "C"}, "`answer` 'C' is none of the letters of its 2 options"),
        ({"answer": "green"}, "`answer` 'green' is none of the letters of its 2 options"),
        ({"kind": "number", "options": [], "answer": "many"}, "`answer` 'many' scores None against itself"),
        (
            {"events": [{"start_s": 5, "end_s": 3, "sentence": "x"}]},
            "event 1, 5 s to 3 s, is no interval of seconds from 0 on",
        ),
        (
            {"events": [{"start_s": -1, "end_s": 3, "sentence": "x"}]},
            "event 1, -1 s to 3 s, is no interval of seconds from 0 on",
        ),
        (
            {"duration_s": 12.0, "events": [{"start_s": 3, "end_s": 14, "sentence": "x"}]},
            "event 1, 3 s to 14 s, ends after the video, which has 12 s",
        ),
        ({"subtitles": "a.srt"}, "no subtitle file"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    path = train_file(tmp_path, {}, row)
    report = validate_examples(path)
    (failure,) = report.failures
    assert failure.startswith(f"{path}: row 2: {told}")
    assert not report.ok


def test_every_row_that_does_not_read_is_named(tmp_path: Path) -> None:
    path = train_file(tmp_path, {"question": 3}, {}, {"colour": "red"})
    with path.open("a") as file:
        file.write('{"id": "cut')
    report = validate_examples(path)
    assert report.rows == 1
    assert [text.removeprefix(f"{path}: ")[:6] for text in report.unreadable] == ["row 1:", "row 3:", "row 4:"]


def test_videos_are_opened_once_and_bound_the_events(world: Path, tmp_path: Path) -> None:
    clip = read_examples(world)[0].sample.video
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    late = {"events": [{"start_s": 0, "end_s": 99, "sentence": "x"}], "duration_s": 100.0}
    path = train_file(
        tmp_path, {"video": clip} | late, {"video": "gone.mp4"}, {"video": "broken.mp4"}, {"video": "broken.mp4"}
    )
    report = validate_examples(path)
    assert report.missing_videos == [str(tmp_path / "gone.mp4")]
    assert len(report.unplayable) == 1
    assert "ends after the video" in report.failures[0]
    assert validate_examples(path, videos=False).ok  # then the row's own duration is all there is


def test_what_may_be_meant_is_a_warning(tmp_path: Path) -> None:
    report = validate_examples(train_file(tmp_path, {"response": "It is B."}, {"answer": None}))
    assert report.ok
    assert report.warnings == [
        "2 of 2 rows have no video (events in words?)",
        "1 of 2 rows have a response to learn in the state no think",
        "1 of 2 rows have no answer, which rewards need",
    ]


def test_ids_that_repeat_are_named(tmp_path: Path) -> None:
    assert validate_examples(train_file(tmp_path, {"id": "x"}, {"id": "x"}, {"id": "y"})).duplicates == ["x"]


def test_an_empty_file_and_none_at_all(tmp_path: Path) -> None:
    path = train_file(tmp_path)
    assert validate_examples(path).unreadable == [f"{path}: the file has no rows"]
    with pytest.raises(InputError, match="no such file; write one with `videor2 data synth`"):
        run([str(tmp_path / "gone.jsonl")], tmp_path)


def test_the_table_has_what_matters(tmp_path: Path) -> None:
    report = Validation("TempCompass", find("tempcompass").version, str(tmp_path), rows=5536 + 2004)
    report.by_kind.update({"choice": 3083, "text": 4457})
    report.judged["captioning is scored by a language model"] = 2004
    report.missing_videos = [f"{i}.mp4" for i in range(10)]
    lines = validated([report]).splitlines()
    (row,) = (line for line in lines if "TempCompass" in line and "3,083" in line)
    cells = [cell.strip() for cell in row.strip("│┃ ").split("│")]
    assert cells[:4] == ["TempCompass", "1", "7,540", "5,536"]
    assert cells[5:] == ["5,536", "10", "10"]
    assert "TempCompass: videos missing: and 7 more" in lines
    assert "TempCompass: 2,004 rows need a judge: captioning is scored by a language model" in lines


def test_the_documentation_names_every_benchmark_its_files_and_its_gate() -> None:
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text()
    for benchmark in benchmarks():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{benchmark.slug}/`"))
        assert benchmark.source.hub in row
        assert ("(gated)" in row) == bool(benchmark.source.gated)
        first = [patterns[0] for patterns in benchmark.layouts[0].files.values()]
        assert len(first) > 3 or all(Path(pattern).suffix in row for pattern in first)
