"""What the page of an audit holds: its tables, and its samples as data that no browser takes for markup."""

import base64
import hashlib
import json
import math
import re
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_runs import Record, real_records, score, synthetic_records, write_audit
from test_report import Page
from videor2.benchmarks.paper import PAPER
from videor2.report import ReportError, write_report, write_reports
from videor2.report.clips import Library, sources
from videor2.report.embedded import chunk, to_json, unpack
from videor2.report.stream import CHUNK, Source, chunks
from videor2.summary import verdict


def data(page: Path | str, kind: str) -> list[Any]:
    """The values of the page's chunks of a kind."""
    text = page if isinstance(page, str) else page.read_text(encoding="utf-8")
    return [unpack(packed) for packed in re.findall(rf'class="{kind}">([A-Za-z0-9+/=]*)</script>', text)]


def estimate(mean: float, **more: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, **more}


def summary(**runs: dict[str, Any]) -> dict[str, Any]:
    return {"n": 10, "runs": {name: {"n": 10, **run} for name, run in runs.items()}}


def page_of(folder: Path, fields: dict[str, Any]) -> Page:
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(fields), encoding="utf-8")
    return Page(write_report(folder))


def section(page: Page, name: str) -> Any:
    return next(e for e in page.root.all("section") if e.attributes.get("aria-labelledby") == name)


# --- all samples, as data


def test_every_record_comes_back(tmp_path: Path) -> None:
    rows = [row for run in "ab" for row in synthetic_records(CHUNK + 3, run)]
    page = write_report(write_audit(tmp_path, rows, quick=True))
    assert [row for part in data(page, "texts") for row in part] == rows
    [names] = data(page, "names")
    index = data(page, "index")
    assert [len(part["id"]) for part in index] == [CHUNK, CHUNK, 6]
    for column, expected in (
        ("run", [row["model"] for row in rows]),
        ("verdict", [verdict(row) for row in rows]),
        ("state", [row["state"] for row in rows]),
        ("benchmark", [row["benchmark"] for row in rows]),
    ):
        assert [names[column][code] for part in index for code in part[column]] == expected


ANY_TEXT = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["</script><script>x", "<!--<script>", "\ud83d", "\0", "\u2028\u202e", "]]>", "{{ 7 }}", "&lt;"]
)


@settings(deadline=None, max_examples=60)
@given(ANY_TEXT, ANY_TEXT, st.floats())
def test_any_text_survives_and_none_of_it_is_in_the_clear(question: str, response: str, value: float) -> None:
    fields = {"question": question, "response": response, "value": value}
    element = chunk("texts", to_json([fields]))
    assert re.fullmatch(r'<script type="application/octet-stream" class="texts">[A-Za-z0-9+/=]+</script>\n', element)
    [[back]] = data(str(element), "texts")
    assert back == fields | {"value": value if math.isfinite(value) else None}


def test_rows_that_only_python_reads_become_json_for_browsers(tmp_path: Path) -> None:
    [row] = synthetic_records(1)
    row["scores"]["accuracy"]["value"] = float("nan")
    row["response"] = "cut \ud83d"
    page = write_report(write_audit(tmp_path, [row], quick=True))
    [[back]] = data(page, "texts")
    assert back["scores"]["accuracy"]["value"] is None
    assert back["response"] == "cut \ud83d"


def test_names_in_a_summary_cannot_become_markup(tmp_path: Path) -> None:
    evil = "</script><script>x</script><img src=x onerror=y>"
    rows = [row | {"model": evil, "benchmark": evil, "task": evil} for row in synthetic_records(4)]
    folder = write_audit(
        tmp_path,
        rows,
        logs=[{"file": evil, "format": evil, "run": evil, "rows": evil, "problem": evil}],
        bad_rows=[{"file": evil, "row": evil, "reason": evil}],
        paper={evil: {evil: {"tac": 80.0}}},
        comparisons=[{"a": evil, "b": evil, "n": 3, "metrics": {"tac": estimate(0.1, p=0.5)}}],
        agreement={"a": evil, "b": evil, "n": 3, "kappa": 0.5, "labels": [evil], "table": [[evil]]},
    )
    page = Page(write_report(folder))
    assert [s.attributes.get("class") for s in page.root.all("script")] == ["index", "texts", "names", None]
    assert not list(page.root.all("img"))
    assert page.raw.count("<script>") == 1


def test_only_the_pages_own_script_may_run_and_nothing_is_loaded(tmp_path: Path) -> None:
    page = Page(write_report(write_audit(tmp_path, synthetic_records(3), quick=True)))
    [script] = [s for s in page.root.all("script") if not s.attributes]
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    policy = next(e for e in page.root.all("meta") if "http-equiv" in e.attributes).attributes["content"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|outerHTML", script.text)
    for element in page.root.all():
        assert not any(name.startswith("on") for name in element.attributes)
        assert element.attributes.get("href", "#").startswith("#")


def test_records_stream_through_and_are_never_in_memory_together(tmp_path: Path) -> None:
    write_audit(tmp_path, synthetic_records(12 * CHUNK, clip="a.mp4"), quick=True)
    tracemalloc.start()
    try:
        for _ in chunks([Source(tmp_path, {}, Library(tmp_path))], tmp_path / "report.html"):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (tmp_path / "records.jsonl").stat().st_size / 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "2"', r"records\.jsonl: row 2: not JSON"),
        ("[1]", r"row 2: no `id`"),
        ('{"response": "x"}', r"row 2: no `id`"),
        ('{"id": "2", "scores": {}}', r"row 2: no record of an audit"),
    ],
)
def test_a_broken_record_is_named_and_no_page_is_left(tmp_path: Path, line: str, said: str) -> None:
    write_audit(tmp_path, synthetic_records(1), quick=True)
    with (tmp_path / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(ReportError, match=said):
        write_report(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records.jsonl", "run.json", "summary.json"]


def test_a_summary_without_records_is_a_page_of_tables(tmp_path: Path) -> None:
    page = page_of(tmp_path, summary(a={"metrics": {"tac": estimate(0.5)}}))
    assert section(page, "results").one("b", "figure").words == "50.0"


# --- tables


def test_a_row_for_each_run_with_interval_and_coverage(tmp_path: Path) -> None:
    metrics = {"accuracy": estimate(0.5), "tac": estimate(0.8, coverage=0.9), "tac_strict": estimate(0.72)}
    page = page_of(tmp_path, summary(base={"metrics": metrics}, tuned={"metrics": {"tac": estimate(0.9)}}))
    table = section(page, "results").one("table")
    head, base, tuned = table.all("tr")
    assert [th.words for th in head.all("th")] == ["Accuracy", "TAC", "TAC, strict"]
    assert [td.words for td in base.all("td")][1] == "80.0 [78.0, 82.0] coverage 90.0"
    assert [td.words.split()[0] for td in tuned.all("td")] == ["not", "90.0", "not"]


def test_an_estimate_by_rules_is_never_called_vas(tmp_path: Path) -> None:
    metrics = {"accuracy": estimate(0.5), "vas_rules": estimate(0.9)}
    parts = {name: {"n": 5, "metrics": metrics} for name in ("MVBench", "MMVU")}
    page = page_of(tmp_path, summary(a={"metrics": metrics, "by_benchmark": parts}))
    assert [th.words for th in section(page, "results").one("thead").all("th")] == ["Accuracy"]
    assert [c.words.split()[0] for c in page.root.all("caption")] == ["Accuracy"]
    assert "90.0" not in page.root.one("main").words


def test_counts_lead_to_their_samples(tmp_path: Path) -> None:
    run = {"consistency": {"inconsistent": 4, "consistent": 6}, "states": {"ok": 9, "unclosed_think": 1},
           "judged_by": {"rules": 10}}  # fmt: skip
    table = section(page_of(tmp_path, summary(tuned=run)), "counts").one("table")
    titles = [th.words for th in list(table.all("tr"))[1].all("th")]
    assert titles[:5] == ["n", "consistent", "inconsistent", "well-formed", "truncated"]
    row = list(table.all("tr"))[2]
    assert row.one("th").words == "tuned judged by rules"
    assert [td.words for td in row.all("td")][:5] == ["10", "6 60.0 %", "4 40.0 %", "9 90.0 %", "1 10.0 %"]
    assert [a.attributes["href"] for a in row.all("a")][3] == "#state=unclosed_think&run=tuned"


def test_heat_maps_have_benchmarks_in_the_papers_order_and_averages(tmp_path: Path) -> None:
    by = {
        name: {"n": 5, "metrics": {"tac": estimate(mean), "accuracy": estimate(mean / 2)}}
        for name, mean in (("mine", 0.5), ("MMVU", 0.9), ("MLVU", 0.6), ("MVBench", 0.7))
    }
    macro = {"generic": {"benchmarks": 2, "metrics": {"tac": estimate(0.65)}}}
    page = page_of(tmp_path, summary(a={"by_benchmark": by, "macro": macro}))
    tac, accuracy = page.root.all("table", "heat")
    assert [th.words for th in tac.one("tr").all("th")] == ["Generic", "Reasoning", "Other", "Average"]
    assert [th.words for th in list(tac.all("tr"))[1].all("th")] == ["MVBench", "MLVU", "MMVU", "mine", "Generic"]
    cells = list(tac.all("td", "shade"))
    assert [cell.words for cell in cells] == ["70.0", "60.0", "90.0", "50.0", "65.0"]
    steps = [int(cell.kinds[1][1:]) for cell in cells]
    assert sorted(steps) == [steps[i] for i in (3, 1, 4, 0, 2)]
    assert (steps[3], steps[2]) == (0, 8)
    assert cells[2].one("a").attributes["href"] == "#benchmark=MMVU&run=a"
    assert accuracy.one("caption").words.startswith("Accuracy")


def test_published_rows_are_marked_and_lead_nowhere(tmp_path: Path) -> None:
    paper = {model: {name: asdict(row) for name, row in rows.items()} for model, rows in PAPER.items()}
    by = {"MVBench": {"n": 5, "metrics": {"tac": estimate(0.7)}}}
    page = page_of(tmp_path, summary(a={"by_benchmark": by}) | {"paper": paper})
    heat = page.root.one("table", "heat")
    rows = {row.one("th").words: row for row in heat.all("tr", "published")}
    assert rows["Video-R2 published"].one("td", "shade").words == "82.4"
    assert "Qwen2.5-VL published" not in rows  # no TAC is published of it
    assert not list(rows["Video-R2 published"].all("a"))
    assert "not measured here" in page.root.one("main").words


def test_one_benchmark_needs_no_heat_map(tmp_path: Path) -> None:
    by = {"MVBench": {"n": 5, "metrics": {"tac": estimate(0.7)}}}
    assert not list(page_of(tmp_path, summary(a={"by_benchmark": by})).root.all("table", "heat"))


def test_comparisons_have_difference_interval_and_p(tmp_path: Path) -> None:
    metrics = {"tac": {"mean": 0.1, "low": 0.05, "high": 0.15, "n": 40, "p": 0.0001},
               "accuracy": {"mean": -0.01, "low": -0.05, "high": 0.03, "n": 50, "p": 0.75}}  # fmt: skip
    fields = summary(a={}, b={}) | {"comparisons": [{"a": "a", "b": "b", "n": 50, "metrics": metrics}]}
    row = list(section(page_of(tmp_path, fields), "comparisons").all("tr"))[1]
    assert row.one("th").words == "b − a (50 questions)"
    assert [td.words for td in row.all("td")] == [
        "−1.0 [−5.0, +3.0] n 50, p 0.750",
        "+10.0 * [+5.0, +15.0] n 40, p < 0.001",
    ]


def test_judges_agreement_has_kappa_and_its_table(tmp_path: Path) -> None:
    agreement = {"a": "rules", "b": "model", "n": 50, "kappa": 0.712, "low": 0.6, "high": 0.8,
                 "labels": ["consistent", "inconsistent"], "table": [[30, 3], [2, 15]]}  # fmt: skip
    part = section(page_of(tmp_path, summary(a={}) | {"agreement": agreement}), "agreement-1")
    assert "rules and model on 50 responses: 0.71 [0.60, 0.80]" in part.words
    assert [row.words for row in part.one("tbody").all("tr")] == ["consistent 30 3", "inconsistent 2 15"]


def test_logs_and_bad_rows_are_folded_in_at_the_end(tmp_path: Path) -> None:
    more = {"logs": [{"file": "a.jsonl", "format": "rows", "run": "a", "rows": 8, "bad": 2},
                     {"file": "b.txt", "problem": "no log that is known"}],
            "bad_rows": [{"file": "a.jsonl", "row": 3, "reason": "no response"}]}  # fmt: skip
    page = page_of(tmp_path, summary(a={}) | more)
    fold = list(page.root.all("details"))[-1]
    assert fold.one("summary").words == "Logs read 2, 1 with a problem, 2 rows skipped"
    assert "open" not in fold.attributes
    assert [row.words for row in list(fold.all("tbody"))[1].all("tr")] == ["a.jsonl 3 no response"]
    assert "The first 1 of 2" in fold.words


def test_several_audits_stand_side_by_side(tmp_path: Path) -> None:
    for part, run in (("one", "base"), ("two", "base"), ("three", "tuned")):
        write_audit(tmp_path / part, synthetic_records(5, run, seed=len(part)), quick=True)
    page = write_reports([tmp_path / part for part in ("one", "two", "three")], tmp_path / "all.html")
    table = section(Page(page), "results").one("tbody")
    assert [row.one("th").words for row in table.all("tr")] == ["one: base", "two: base", "tuned"]
    [names] = data(page, "names")
    assert names["run"] == ["one: base", "two: base", "tuned"]


def test_real_traces_are_counted_as_in_the_summary(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "traces" / "video-r1-derived" / "Qwen2.5-VL-7B-Instruct_muma_questions_both.json"
    folder = write_audit(tmp_path, real_records(path, "base", 60), quick=True)
    page = write_report(folder)
    [names], index = data(page, "names"), data(page, "index")
    verdicts = [names["verdict"][code] for part in index for code in part["verdict"]]
    counts = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["runs"]["base"]["consistency"]
    assert {name: verdicts.count(name) for name in counts} == counts
    assert len(verdicts) == 60


# --- clips


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in ("MVBench/star/1.mp4", "MVBench/2.webm", "other/deep/3.mkv", "x/same.mp4", "y/same.mp4", "old.avi"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"clip of " + name.encode())
    (tmp_path / "private.mp4").write_bytes(b"private")
    return tmp_path / "videos"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("MVBench/star/1.mp4", "MVBench/star/1.mp4"),
        ("/data/someone/MVBench/star/1.mp4", "MVBench/star/1.mp4"),
        ("elsewhere/3.mkv", "other/deep/3.mkv"),
        ("2.mp4", "MVBench/2.webm"),
        ("3", "other/deep/3.mkv"),
        ("C:\\clips\\x\\same.mp4", "x/same.mp4"),
        ("same.mp4", None),
        ("4.mp4", None),
        ("../private.mp4", None),
        ("", None),
    ],
)
def test_a_clip_is_found_by_path_name_or_stem(videos: Path, name: str, found: str | None) -> None:
    path, note = Library(videos.parent, videos).find(name)
    assert path == (videos / found if found else None)
    assert bool(note) == (found is None)


def test_few_clips_are_embedded_and_many_are_linked(videos: Path) -> None:
    page = videos.parent / "report.html"
    library = Library(videos.parent / "run", videos)
    [clip] = sources([("MVBench/2.webm", library)], page)
    assert base64.b64decode(clip.src.removeprefix("data:video/webm;base64,")) == b"clip of MVBench/2.webm"
    for i in range(20):
        (videos / f"n {i}.mp4").write_bytes(b"x")
    clips = sources([(f"n {i}.mp4", library) for i in range(20)], page)
    assert [clip.src for clip in clips[:2]] == ["videos/n%200.mp4", "videos/n%201.mp4"]
    assert sources([("old.avi", library)], page)[0].note == "old.avi: browsers play no .avi files"


def test_a_log_cannot_have_other_files_copied_into_the_page(videos: Path) -> None:
    run = videos.parent / "run"
    run.mkdir()
    [clip] = sources([(str(videos.parent / "private.mp4"), Library(run))], run / "report.html")
    assert not clip.src.startswith("data:")


def test_clips_of_a_training_run_are_looked_for_in_videos_too(videos: Path, tmp_path: Path) -> None:
    record: Record = {"id": "1", "response": "so B", "video": "/gone/2.webm", "scores": {"accuracy": score(1.0)}}
    run = tmp_path / "run"
    run.mkdir()
    (run / "records.jsonl").write_text(json.dumps(record), encoding="utf-8")
    video = Page(write_report(run, videos=videos)).root.one("video")
    assert video.attributes["src"].startswith("data:video/webm")
