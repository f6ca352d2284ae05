"""The page of an audit in a browser: what a reader sees, does, and must never run."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser import open_browser
from report_runs import Record, real_records, synthetic_records, write_audit
from videor2.report import write_report
from videor2.summary import verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opener = Callable[..., "Page"]

EVIL = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>"
    "<a href='javascript:window.pwned=1'>go</a>{{7*7}}\u2028\u202egnp\u0000."
)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with open_browser() as found:
        yield found


@pytest.fixture
def show(browser: "Browser") -> Iterator[Opener]:
    """Opens a report, waits for its samples, and at the end fails on errors and on requests for anything else."""
    contexts, trouble = [], []

    def opened(
        report: Path, fragment: str = "", *, width: int = 1280, dark: bool = False, clips: bool = False
    ) -> "Page":
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((report.as_uri(), "data:")) or (clips and request.resource_type == "media")
                else trouble.append(f"asked for {request.url}")
            ),
        )
        page.goto(report.as_uri() + fragment)
        page.wait_for_selector("html[data-samples]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not trouble


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on the same 220 questions."""
    records = [record for run in ("base", "tuned") for record in synthetic_records(220, run)]
    return write_report(write_audit(tmp_path_factory.mktemp("runs") / "audit", records, quick=True))


@pytest.fixture(scope="module")
def records(audit: Path) -> list[Record]:
    return read_records(audit)


def read_records(report: Path) -> list[Record]:
    lines = (report.parent / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def count(rows: list[Record], test: Callable[[Record], Any]) -> int:
    return sum(bool(test(row)) for row in rows)


def matched(page: "Page") -> int:
    words = page.locator("#matched").inner_text()
    return int(words.split()[0].replace(",", ""))


def choose(page: "Page", facet: str, label: str) -> int:
    """Press a filter's button; the count that stood beside it."""
    button = page.locator(f'button[data-facet="{facet}"]', has=page.get_by_text(label, exact=True))
    beside = int(button.locator(".count").inner_text().replace(",", ""))
    button.click()
    return beside


def right(row: Record) -> bool:
    return row["scores"]["accuracy"]["value"] == 1


def test_all_samples_are_in_the_table_and_few_in_the_page(show: Opener, audit: Path) -> None:
    page = show(audit)
    assert page.locator("html").get_attribute("data-samples") == "440"
    assert matched(page) == 440
    assert page.locator("#rows").get_attribute("aria-rowcount") == "440"
    assert 10 < page.locator("#spacer .row").count() < 80
    page.locator("#rows").evaluate("rows => { rows.scrollTop = rows.scrollHeight; }")
    page.wait_for_selector('#spacer .row[aria-rowindex="440"]')


def test_filters_count_what_they_show(show: Opener, audit: Path, records: list[Record]) -> None:
    page = show(audit)
    inconsistent = count(records, lambda row: verdict(row) == "inconsistent")
    assert choose(page, "verdict", "inconsistent") == matched(page) == inconsistent
    both = count(records, lambda row: verdict(row) == "inconsistent" and row["model"] == "base")
    assert choose(page, "run", "base") == matched(page) == both
    either = count(records, lambda row: verdict(row) in ("inconsistent", "undetermined") and row["model"] == "base")
    more = choose(page, "verdict", "undetermined")
    assert both + more == matched(page) == either
    page.locator("#clear").click()
    assert (
        choose(page, "state", "truncated") == matched(page) == count(records, lambda r: r["state"] == "unclosed_think")
    )


def test_right_answers_with_inconsistent_reasoning_are_one_filter(
    show: Opener, audit: Path, records: list[Record]
) -> None:
    page = show(audit)
    expected = count(records, lambda row: right(row) and verdict(row) == "inconsistent")
    assert choose(page, "pair", "right, inconsistent") == matched(page) == expected > 0


def test_search_finds_words_of_question_reasoning_and_id(show: Opener, audit: Path, records: list[Record]) -> None:
    page = show(audit)
    words = records[7]["claims"][1]["sentence"]
    for query, expected in (
        (words.upper(), count(records, lambda row: words in row["response"])),
        ("question 17:", 2),
        ("219", count(records, lambda row: any("219" in row[name] for name in ("id", "question", "response")))),
        ("(.*", 0),
        ("", 440),
    ):
        page.locator("#query").fill(query)
        page.wait_for_function("n => parseInt(document.querySelector('#matched').textContent) === n", arg=expected)


def test_counts_of_the_tables_lead_to_their_samples(show: Opener, audit: Path, records: list[Record]) -> None:
    page = show(audit)
    page.locator(".counts tbody tr", has_text="tuned").locator("a").nth(1).click()
    expected = count(records, lambda row: row["model"] == "tuned" and verdict(row) == "inconsistent")
    page.wait_for_function("n => parseInt(document.querySelector('#matched').textContent) === n", arg=expected)
    page.locator(".heat a").first.click()
    expected = count(records, lambda row: row["model"] == "base" and row["benchmark"] == "MVBench")
    page.wait_for_function("n => parseInt(document.querySelector('#matched').textContent) === n", arg=expected)


def test_an_address_opens_the_same_view(show: Opener, audit: Path) -> None:
    page = show(audit)
    choose(page, "verdict", "inconsistent")
    page.locator("#query").fill("the dog")
    page.wait_for_function("() => location.hash.includes('q=')")
    page.locator("#spacer .row").nth(3).click()
    page.wait_for_selector("#detail .asked")
    fragment = page.evaluate("location.hash")
    other = show(audit, fragment)
    assert matched(other) == matched(page)
    assert other.locator("#query").input_value() == "the dog"
    assert other.locator("#detail .asked").inner_text() == page.locator("#detail .asked").inner_text()
    assert other.locator('#spacer .row[aria-selected="true"]').count() == 1
    assert other.evaluate("document.querySelector('.browser').getBoundingClientRect().top") < 50


def test_runs_stand_side_by_side_with_verdict_and_highlights(show: Opener, audit: Path, records: list[Record]) -> None:
    i = next(
        i for i in range(220) if verdict(records[i]) == "inconsistent" and verdict(records[i + 220]) == "consistent"
    )
    page = show(audit, f"#sample=base/{records[i]['benchmark']}/{records[i]['task'].replace(' ', '%20')}/{i}")
    panes = page.locator("#detail .pane")
    assert panes.locator("h4").all_inner_texts() == ["base", "tuned"]
    said = records[i]["scores"]["consistency"]
    first = panes.nth(0)
    assert f"reasoning concludes {said['conclusion']}, answers {said['answer']}" in first.inner_text()
    assert first.locator("mark.evidence").inner_text() == said["evidence"]
    assert first.locator(".stamp").count() == 3
    assert f"logs/base.jsonl, row {i + 1}" in first.inner_text()
    assert "by an explicit choice" in first.inner_text()
    assert page.locator("#detail .options .right .badge").first.inner_text() == "correct"
    shown = first.locator(".reasoning").evaluate("box => box.textContent")
    assert shown == records[i]["response"]


def test_the_last_mention_is_what_decides(show: Opener, tmp_path: Path) -> None:
    [record] = synthetic_records(1)
    record["response"] = "<think>I say B. No, wait: it is 00:05. I say B.</think><answer>I say B.</answer>"
    record["scores"]["consistency"] |= {"evidence": "I say B.", "how": "explicit_choice"}
    record["claims"] = [{"start_s": 5.0, "end_s": 5.0, "sentence": "No, wait"}]
    report = write_report(write_audit(tmp_path / "run", [record]))
    page = show(report, "#sample=run-a/MVBench/task%200/0")
    before = page.evaluate(
        """() => { const range = document.createRange(), box = document.querySelector('.reasoning');
        range.setStart(box, 0); range.setEndBefore(box.querySelector('mark.evidence')); return range.toString(); }"""
    )
    assert before == "<think>I say B. No, wait: it is 00:05. "
    assert page.locator(".reasoning .stamp").inner_text() == "00:05"


def test_what_a_model_wrote_stays_text(show: Opener, tmp_path: Path) -> None:
    rows = list(synthetic_records(3, EVIL))
    for row in rows:
        row |= {"id": f"{row['id']}{EVIL}", "question": EVIL, "benchmark": EVIL, "task": EVIL, "video": EVIL}
        row["response"] = f"<think>{EVIL} \ud83d At 00:03 {EVIL} I say B.</think><answer>{EVIL}</answer>"
        row["claims"] = [{"start_s": 3.0, "end_s": 3.0, "sentence": EVIL, "event": 0}]
        row["events"] = [{"start_s": 3.0, "end_s": 3.0, "sentence": EVIL}]
        row |= {"options": [EVIL, "b"], "answer": EVIL, "log": {"file": EVIL, "row": EVIL}, "state": EVIL}
        for score in row["scores"].values():
            score["detail"] = score["status"] = EVIL
        row["scores"]["consistency"] |= {
            "judge": EVIL,
            "conclusion": EVIL,
            "answer": EVIL,
            "evidence": "I say B.",
            "value": 0.0,
        }
        row["scores"][EVIL] = {"value": float("nan"), "status": "ok", "detail": EVIL}
    folder = write_audit(
        tmp_path / "run",
        rows,
        quick=True,
        logs=[{"file": EVIL, "format": EVIL, "run": EVIL, "problem": EVIL}],
        bad_rows=[{"file": EVIL, "row": 1, "reason": EVIL}],
        agreement={"a": EVIL, "b": EVIL, "n": 2, "kappa": 0.5, "low": 0, "high": 1, "labels": [EVIL], "table": [[2]]},
    )
    page = show(write_report(folder))
    page.locator("#rows").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#detail .reasoning")
    page.locator("#query").fill("<img src=x")
    page.wait_for_function("() => document.querySelector('#matched').textContent.startsWith('3 ')")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, a[href^='javascript'], svg[onload], iframe").count() == 0
    assert "<img src=x onerror=window.pwned=1>" in page.locator("#detail .reasoning").inner_text()
    assert "{{7*7}}" in page.locator("#detail .asked").inner_text()
    assert page.locator("script:not([type])").count() == 1
    # The same address finds the sample again, whatever its name holds.
    assert show(folder / "report.html", page.evaluate("location.hash")).locator("#detail .asked").count() == 1


def test_a_clip_goes_where_a_claim_points(show: Opener, tmp_path: Path, shared_data: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    clip = shared_data / "videos" / "mdn_flower.webm"
    (videos / "flower.webm").write_bytes(clip.read_bytes())
    rows = list(synthetic_records(2, clip="/elsewhere/flower.mp4"))
    rows[0]["state"], rows[1]["video"] = "ok", "lost.mp4"
    rows[0]["response"] = "<think>At 00:03 a petal opens. I say B.</think><answer>B</answer>"
    rows[0]["claims"] = [{"start_s": 3.0, "end_s": 3.0, "sentence": "a petal opens"}]
    folder = write_audit(tmp_path / "run", rows, quick=True)
    for linked in (False, True):
        if linked:
            for i in range(13):
                (videos / f"{i}.webm").write_bytes(clip.read_bytes()[:1000])
            write_audit(
                folder, [*rows, *(rows[0] | {"id": f"x{i}", "video": f"{i}.webm"} for i in range(13))], quick=True
            )
        report = write_report(folder, videos=videos)
        page = show(report, "#sample=run-a/MVBench/task%200/0", clips=True)
        video = page.locator("#detail video")
        assert video.get_attribute("src").startswith("../videos/" if linked else "data:video/webm")  # type: ignore[union-attr]
        page.locator("#detail .reasoning .stamp").click()
        page.wait_for_function("() => document.querySelector('#detail video').currentTime === 3")
        page.keyboard.press("Escape")
        page.goto(f"{report.as_uri()}#sample=run-a/VideoMME/task%201/1")
        page.wait_for_selector("#detail .missing")
        assert "Clip not found" in page.locator("#detail .missing").inner_text()


def test_everything_can_be_done_with_keys(show: Opener, audit: Path) -> None:
    page = show(audit)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("question 1")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'rows'")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#detail .asked")
    assert page.locator('#spacer .row[aria-selected="true"]').get_attribute("aria-rowindex") == "2"
    page.keyboard.press("End")
    last = page.locator("#rows").get_attribute("aria-rowcount")
    page.wait_for_selector(f'#spacer .row[aria-rowindex="{last}"][aria-selected="true"]')
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "detail"
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    assert page.evaluate("document.activeElement.id") == "rows"


@pytest.mark.parametrize("width", [1280, 700])
def test_page_never_scrolls_sideways(show: Opener, audit: Path, width: int) -> None:
    page = show(audit, "#sample=base/MVBench/task%200/0", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_mode_keeps_figures_readable(show: Opener, audit: Path) -> None:
    page = show(audit, dark=True)
    assert sum(page.evaluate(COLOURS, "body")["back"]) < 150
    for dark in (False, True):
        page = show(audit, dark=dark)
        for step in page.evaluate(
            "[...new Set([...document.querySelectorAll('.heat td.shade')].map((c) => c.className))]"
        ):
            found = page.evaluate(COLOURS, f"td.{step.replace(' ', '.')}")
            assert contrast(found["back"], found["front"]) >= 4.5, (step, dark)


COLOURS = """(selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  return { back: parts(style.backgroundColor), front: parts(style.color) };
}"""


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    linear = [[(c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in colour]
              for colour in (one, other)]  # fmt: skip
    dark, light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in linear)
    return (light + 0.05) / (dark + 0.05)


def test_real_traces_are_shown_as_they_were_written(show: Opener, tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "traces" / "video-r1-derived" / "7b_mmtom_rft_1_muma_questions_both.json"
    rows = real_records(path, "rft", 40)
    page = show(write_report(write_audit(tmp_path / "run", rows, quick=True)))
    page.locator("#rows").focus()
    for row in rows[:5]:
        page.keyboard.press("ArrowDown")
        page.wait_for_function("id => document.querySelector('#detail .id')?.textContent === id", arg=row["id"])
        assert page.locator("#detail .reasoning").evaluate("box => box.textContent") == row["response"]
        evidence = row["scores"]["consistency"]["evidence"]
        if evidence:
            assert "".join(page.locator("#detail mark.evidence").all_inner_texts()[1:]).split() == evidence.split()


def test_twenty_thousand_samples_open_in_seconds(show: Opener, tmp_path: Path) -> None:
    lines = [json.dumps(record) for record in synthetic_records(400)]
    folder = write_audit(tmp_path / "run", (json.loads(line) for line in lines), quick=True)
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for i in range(20_000):
            file.write(f'{{"id": "n{i}", {lines[i % 400].split(", ", 1)[1]}\n')
    report = write_report(folder)
    started = time.perf_counter()
    page = show(report)
    assert matched(page) == 20_000
    opened = time.perf_counter()
    page.locator("#query").fill("n19999")
    page.wait_for_function("() => document.querySelector('#matched').textContent.startsWith('1 of')")
    searched = time.perf_counter()
    print(f"20,000 samples: open {opened - started:.2f} s, search {searched - opened:.2f} s")
    assert opened - started < 10
    assert searched - opened < 8
