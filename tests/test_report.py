"""The page is checked as a reader's browser gets it: parsed as HTML, its marks as XML."""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.data.examples import Example, read_examples
from videor2.report import ReportError, cards, charts, write_report, write_reports
from videor2.report.charts import Mark
from videor2.report.choose import choose, share_out
from videor2.report.run import Estimate, Row, Run, read_run
from videor2.synth.build import SynthConfig, build
from videor2.timeline import claims as claims_in
from videor2.trace import Trace

starved = settings(deadline=None, max_examples=50)
"""A deadline fails tests on a machine that is busy with something else."""

VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def all(self, tag: str = "", kind: str = "") -> Iterator["Element"]:
        for child in self.children:
            if child.tag == (tag or child.tag) and set(kind.split()) <= set(child.kinds):
                yield child
            yield from child.all(tag, kind)

    def one(self, tag: str = "", kind: str = "") -> "Element":
        return next(self.all(tag, kind))

    @property
    def kinds(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Page(HTMLParser):
    """An HTML file as a tree; fails on a tag that is not closed where it should be."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.raw = path.read_text(encoding="utf-8")
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(self.raw)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, and the same three questions about each, answered by flawed and by careful reasoning."""
    folder = tmp_path_factory.mktemp("clips")
    for name, mix in (("before", "distilled"), ("after", "careful")):
        build(SynthConfig("test", 3, seed=9, questions=3, mix=mix), folder, name=name, workers=1)
    return folder


def record(example: Example, response: str, **labels: Any) -> dict[str, Any]:
    """A row as an evaluation writes it; a claim matches the event that has its words and is at most 2 s away."""
    sample, trace = example.sample, Trace.parse(response)
    think, claims = trace.think or "", []
    for claim in claims_in(think):
        near = [
            i
            for i, e in enumerate(sample.events)
            if e.sentence == claim.sentence and abs(e.start_s - claim.start_s) <= 2
        ]
        claims.append(asdict(claim) | {"event": near[0] if near else None})
    concluded = re.findall(r"(?:option|answer is) (\w+)\.", think)
    agrees = bool(concluded) and concluded[-1] == trace.answer
    matched = sum(claim["event"] is not None for claim in claims)
    return {
        **sample.model_dump(mode="json", exclude={"subtitles", "meta"}),
        "response": response,
        "model": "tiny",
        "claims": claims,
        "scores": {
            "accuracy": score(float(trace.answer == sample.answer)),
            "consistency": score(float(agrees))
            | {"conclusion": concluded[-1] if concluded else None, "answer": trace.answer, "evidence": ""},
            "alignment_f1": score(2 * matched / (len(claims) + len(sample.events))),
        },
        **labels,
    }


def score(value: float | None, status: str = "ok", detail: str = "") -> dict[str, Any]:
    return {"value": value, "status": status, "detail": detail}


def estimate(mean: float, half: float = 0.05, **more: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - half, "high": mean + half, **more}


SUMMARY: dict[str, Any] = {
    "n": 9,
    "before": {"accuracy": estimate(0.612), "tac": estimate(0.703, coverage=0.947)},
    "after": {"accuracy": estimate(0.57), "tac": estimate(0.9, coverage=1.0)},
    "difference": {"accuracy": estimate(-0.042), "tac": estimate(0.197)},
    "sampled": {"before": {"accuracy": estimate(0.5)}, "after": {"accuracy": estimate(0.75)}},
    "by_task": {"before": {"order": {"accuracy": estimate(0.4)}}, "after": {"order": {"accuracy": estimate(0.8)}}},
    "seconds": {"train": 252.0},
}
INFO = {
    "command": "quickstart",
    "version": "0.1.0",
    "seed": 3,
    "started": "2026-03-09T14:03:11+00:00",
    "finished": "2026-03-09T14:16:52+00:00",
    "machine": "2 cores",
    "settings": {"grpo": {"beta": 0.04}},
    "versions": {"torch": "2.14.1"},
}


def write_run(folder: Path, records: list[dict[str, Any]], *, summary: Any = SUMMARY, history: Any = ()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(INFO), encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    for name, rows in (("records", records), ("history", history)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def quickstart(clips: Path, tmp_path: Path) -> Path:
    before, after = (read_examples(clips / f"{name}.jsonl") for name in ("before", "after"))
    rows = [
        record(old, example.response or "", phase=phase, decoding=decoding)
        for decoding in ("sampled", "greedy")
        for phase, examples in (("before", before), ("after", after))
        for old, example in zip(before, examples, strict=True)
    ]
    history = [{"step": s, "reward": 1 + s / 10, "alignment/gate": 0.5 + s / 40, "loss": 0.1} for s in range(1, 11)]
    return write_run(tmp_path / "run", rows, history=[*history, {"step": 10, "train_runtime": 60.0, "reward": 9.0}])


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines()]


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rows = rows_of(run)
    for row in rows:
        change(row)
    (run / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# --- one file, safe to open


def test_page_loads_nothing_from_anywhere(quickstart: Path) -> None:
    page = Page(write_report(quickstart))
    for element in page.root.all():
        for name in ("src", "href", "poster", "xlink:href", "data"):
            assert element.attributes.get(name, "#").startswith(("#", "data:")), element.attributes[name][:80]
    assert not list(page.root.all("link"))
    assert "@import" not in page.raw
    assert "url(" not in page.root.one("style").text


def test_clips_are_embedded_byte_for_byte(quickstart: Path) -> None:
    page = Page(write_report(quickstart))
    sources = [video.attributes["src"] for video in page.root.all("video")]
    stored = {Path(row["video"]).read_bytes() for row in rows_of(quickstart)}
    assert {base64.b64decode(source.removeprefix("data:video/mp4;base64,")) for source in sources} <= stored
    assert len(sources) == 9


def test_clip_paths_may_be_relative_to_the_run(quickstart: Path, clips: Path) -> None:
    (clips / "before").rename(quickstart / "clips")
    try:
        edit(quickstart, lambda row: row.update(video=f"clips/{Path(row['video']).name}"))
        assert len(list(Page(write_report(quickstart)).root.all("video"))) == 9
    finally:
        (quickstart / "clips").rename(clips / "before")


def test_responses_cannot_become_markup(quickstart: Path) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)"> </think>'
    fields = ("id", "task", "question", "model", "response")

    def attack(row: dict[str, Any]) -> None:
        row.update({name: f"{row[name]}{evil}" for name in fields}, options=[evil, "b"], answer=evil)
        row["claims"] = [{"start_s": 1, "end_s": 1, "sentence": evil, "event": None}]
        row["events"][0]["sentence"] = evil
        row["scores"]["consistency"]["conclusion"] = evil
        row["scores"]["alignment_f1"]["detail"] = evil

    edit(quickstart, attack)
    page = Page(write_report(quickstart))
    assert len(list(page.root.all("script"))) == 1
    assert not list(page.root.all("img"))
    assert not any(name.startswith("on") for element in page.root.all() for name in element.attributes)
    assert "<script>alert(1)" in page.root.one("div", "reasoning").text


def test_only_the_reports_own_script_may_run(quickstart: Path) -> None:
    page = Page(write_report(quickstart))
    policy = next(e for e in page.root.all("meta") if "http-equiv" in e.attributes).attributes["content"]
    digest = base64.b64encode(hashlib.sha256(page.root.one("script").text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_half_a_surrogate_pair_in_a_response_is_written(quickstart: Path) -> None:
    edit(quickstart, lambda row: row.update(response="cut \ud83d"))
    assert "cut ?" in write_report(quickstart).read_text(encoding="utf-8")


# --- tables


def test_title_says_what_ran_on_what_and_when(quickstart: Path) -> None:
    page = Page(write_report(quickstart))
    assert page.root.one("h1").words == "videor2 quickstart"
    facts = [fact.words for fact in page.root.one("p", "facts").all("span")]
    assert facts == ["model tiny", "9 questions", "synth", "2026-03-09 14:03", "13 min 41 s", "2 cores", "seed 3"]


def test_table_shows_before_after_and_difference_with_intervals(quickstart: Path) -> None:
    greedy, sampled = Page(write_report(quickstart)).root.all("table", "results")
    rows = {row.one("th").words: [cell.words for cell in row.all("td")] for row in list(greedy.all("tr"))[1:]}
    assert rows == {
        "Accuracy": ["61.2 [56.2, 66.2]", "57.0 [52.0, 62.0]", "−4.2 [−9.2, +0.8]"],
        "TAC": ["70.3 [65.3, 75.3] coverage 94.7", "90.0 [85.0, 95.0] coverage 100.0", "+19.7 * [+14.7, +24.7]"],
    }
    assert sampled.one("caption").words == "Sampled decoding"
    assert "not measured" in sampled.words


def test_headline_is_a_sentence(quickstart: Path) -> None:
    sentence = Page(write_report(quickstart)).root.one("p", "abstract").words
    assert "Accuracy 61.2 to 57.0 % (−4.2 points, [−9.2, +0.8])" in sentence


def test_by_task_shows_both_on_one_axis(quickstart: Path) -> None:
    table = Page(write_report(quickstart)).root.one("table", "tasks")
    [before], [after] = (list(table.all("circle", f"dot {kind}")) for kind in ("before", "after"))
    assert (before.attributes["cx"], after.attributes["cx"]) == ("40.00%", "80.00%")
    assert "40.0 → 80.0" in table.words


@pytest.mark.parametrize(
    ("mean", "low", "high", "clear"),
    [(0.1, 0.05, 0.15, True), (0.04, -0.01, 0.09, False), (-0.1, -0.15, -0.05, True), (0.1, None, None, False)],
)
def test_a_difference_is_clear_beyond_half_its_intervals_width(
    mean: float, low: float | None, high: float | None, clear: bool
) -> None:
    assert Estimate(mean, low, high).clear is clear


def test_footer_gives_settings_versions_times_and_meanings(quickstart: Path) -> None:
    footer = Page(write_report(quickstart)).root.one("footer").words
    for said in ("grpo.beta 0.04", "torch 2.14.1", "train 4 min 12 s", "TAC think-answer consistency", "Coverage"):
        assert said in footer


# --- curves


def test_curves_follow_the_history_without_its_closing_line(quickstart: Path) -> None:
    figures = list(Page(write_report(quickstart)).root.all("figure"))
    assert [f.one("figcaption").words for f in figures] == ["Reward, total 1.15 → 1.95", "Gate rate 0.538 → 0.738"]
    assert [len(f.one("path", "raw").attributes["d"].split("h0")) - 1 for f in figures] == [10, 10]


def test_loss_is_shown_for_fine_tuning_alone(tmp_path: Path) -> None:
    history = [{"step": s, "loss": 1 / s} for s in (1, 2, 3)]
    page = Page(write_report(write_run(tmp_path / "sft", [], summary={}, history=history)))
    assert [caption.words for caption in page.root.all("figcaption")] == ["Loss 0.75 → 0.417"]


@starved
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_a_curve_is_well_formed_and_inside_its_box(values: list[float]) -> None:
    svg = ElementTree.fromstring(charts.curve(list(enumerate(values)), label="a < b"))
    numbers = [float(n) for p in svg.iter("path") for n in re.findall(r"-?[\d.]+(?= |h0|L|M|$)", p.attrib["d"])]
    assert all(-0.01 <= n <= 100.01 for n in numbers)


@starved
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_smoothing_stays_within_the_values(values: list[float]) -> None:
    smoothed = [y for _, y in charts.smooth(list(enumerate(values)))]
    assert len(smoothed) == len(values)
    assert min(values) - 1e-6 <= min(smoothed) <= max(smoothed) <= max(values) + 1e-6


# --- samples


def test_cards_show_before_beside_after_from_greedy_responses(quickstart: Path) -> None:
    def cut_sampled(row: dict[str, Any]) -> None:
        if row["decoding"] == "sampled":
            row["response"] = "sampled text"

    edit(quickstart, cut_sampled)
    page = Page(write_report(quickstart))
    for card in page.root.all("article", "sample"):
        assert [pane.one("h4").words for pane in card.all("div", "pane")] == ["Before", "After"]
    assert "sampled text" not in page.raw
    assert "9 of 9 questions, greedy decoding" in page.raw


def test_each_claim_is_a_button_that_knows_its_time_and_match(quickstart: Path) -> None:
    rows = {(row["id"], row["phase"]): row for row in rows_of(quickstart)}
    page = Page(write_report(quickstart))
    seen: Counter[str] = Counter()
    for card in page.root.all("article", "sample"):
        for pane in card.all("div", "pane"):
            row = rows[card.one("span", "id").words, pane.one("h4").words.lower()]
            marks = list(pane.all("mark", "claim"))
            assert [float(m.one("button").attributes["data-t"]) for m in marks] == [c["start_s"] for c in row["claims"]]
            for mark, claim in zip(marks, row["claims"], strict=True):
                assert claim["sentence"] in mark.words
                assert mark.one("button").words in mark.one("button").attributes["aria-label"]
                state = "unmatched" if claim["event"] is None else "matched"
                assert state in mark.kinds
                seen[state] += 1
    assert min(seen["matched"], seen["unmatched"]) > 0


def test_reasoning_text_is_shown_whole(quickstart: Path) -> None:
    thought = {(Trace.parse(row["response"]).think or "") for row in rows_of(quickstart)}
    for text in Page(write_report(quickstart)).root.all("div", "reasoning"):
        assert text.text in thought


def test_a_response_out_of_form_is_shown_as_written(quickstart: Path) -> None:
    edit(quickstart, lambda row: row.update(response="<think>at 00:01 it", claims=[]))
    pane = Page(write_report(quickstart)).root.one("div", "pane")
    assert pane.one("div", "reasoning").text == "<think>at 00:01 it"
    assert "unclosed think" in pane.one("p", "malformed").words


def test_badges_say_right_and_agreement(quickstart: Path) -> None:
    def set_scores(row: dict[str, Any]) -> None:
        after = row["phase"] == "after"
        row["scores"] = {
            "accuracy": score(1.0 if after else 0.0),
            "consistency": score(None, "abstain", "x") if after else score(0.0) | {"conclusion": "B", "answer": "C"},
        }

    edit(quickstart, set_scores)
    card = Page(write_report(quickstart)).root.one("article", "sample")
    badges = [[b.words for b in pane.one("dl", "verdict").all("span", "badge")] for pane in card.all("div", "pane")]
    assert badges == [["wrong", "disagrees"], ["right", "not determined"]]


def test_the_right_option_is_marked(quickstart: Path) -> None:
    rows = {row["id"]: row for row in rows_of(quickstart)}
    for card in Page(write_report(quickstart)).root.all("article", "sample"):
        row = rows[card.one("span", "id").words]
        if row["options"]:
            [right] = card.one("ol", "options").all("li", "right")
            assert right.words.startswith(f"{row['answer']} {row['options'][ord(row['answer']) - ord('A')]} correct")


def test_a_missing_clip_is_named(quickstart: Path) -> None:
    edit(quickstart, lambda row: row.update(video="gone/07.mp4"))
    page = Page(write_report(quickstart))
    assert not list(page.root.all("video"))
    assert "Clip not found: gone/07.mp4" in page.root.one("div", "clip").words


def test_a_large_clip_is_linked_and_said_so(quickstart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MAX_CLIP_BYTES", 100)
    page = Page(write_report(quickstart, samples=1))
    assert page.root.one("video").attributes["src"].startswith("file:///")
    assert "Not embedded" in page.root.one("div", "clip").words


def test_timeline_links_matches_and_keeps_late_claims_at_the_end() -> None:
    events = [Mark(1, 1, "a"), Mark(4, 6, 'b & "c"')]
    claims = [Mark(2, 2, "a", "matched", 0), Mark(90, 95, "late", "unmatched"), Mark(3, 3, "x", "matched", 7)]
    svg = ElementTree.fromstring(charts.timeline(10, events, [("claims", claims)]))
    links = [e for e in svg.iter("line") if e.get("class") == "link"]
    assert [(e.get("x1"), e.get("x2")) for e in links] == [("20.00%", "10.00%")]
    late = next(g for g in svg.iter("g") if g.get("class") == "claim unmatched")
    assert late.find("circle").get("cx") == "100.00%"  # type: ignore[union-attr]
    assert "after the end" in (late.findtext("title") or "")


STAMPED = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from(["a ball appears", "he  (then) leaves", "it is 3", ""])), max_size=6
)


@starved
@given(STAMPED, st.sampled_from([". ", ", ", "\n", " and "]), st.integers(0, 3))
def test_placing_claims_loses_no_text_and_no_claim(said: list[tuple[int, str]], joint: str, missing: int) -> None:
    text = joint.join(f"At 00:{at_s:02d} {words}" for at_s, words in said)
    claims = [Mark(at_s, at_s, words) for at_s, words in said[missing:]] + [Mark(700, 701, "never said")]
    pieces, loose = cards.place(text, claims)
    assert "".join(piece.lead + piece.stamp + piece.tail for piece in pieces) == text
    placed = [piece.claim for piece in pieces if piece.claim]
    assert Counter([*placed, *loose]) == Counter(claims)
    assert claims[-1] in loose


@starved
@given(STAMPED, st.sampled_from([". ", ", ", "\n", " and "]))
def test_every_claim_of_a_text_is_found_in_it(said: list[tuple[int, str]], joint: str) -> None:
    text = joint.join(f"At 00:{at_s:02d} {words}" for at_s, words in said)
    found = [Mark(claim.start_s, claim.end_s, claim.sentence) for claim in claims_in(text)]
    assert cards.place(text, found)[1] == []


def test_two_claims_in_a_sentence_are_told_apart() -> None:
    text = "A ball appears at 00:03 and a cat leaves at 00:05."
    pieces, _ = cards.place(text, [Mark(3, 3, "A ball appears"), Mark(5, 5, "a cat leaves")])
    claimed = [piece.lead + piece.stamp + piece.tail for piece in pieces if piece.claim]
    assert claimed == ["A ball appears at 00:03", "a cat leaves at 00:05"]


# --- which samples


def row(i: int, *, phase: str | None, accuracy: float | None, task: str = "t", aligned: float | None = None) -> Row:
    return Row(i, 0, "b", f"q{i}", task, f"{i % 5}.mp4", phase, None, accuracy, None, aligned)


def run_of(*rows: Row) -> Run:
    return Run(Path(), {}, {}, (), rows)


OUTCOMES = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, None]), st.sampled_from([0.0, 1.0, None]), st.sampled_from("xyz")),
    min_size=1,
    max_size=40,
)


@starved
@given(OUTCOMES, st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_choice_is_full_and_the_same_in_any_order(outcomes: list[Any], samples: int, random: Any) -> None:
    rows = [
        row(i, phase=phase, accuracy=value, task=task)
        for i, (before, after, task) in enumerate(outcomes)
        for phase, value in (("before", before), ("after", after))
    ]
    choice = choose(run_of(*rows), samples)
    assert len({case.rows[0].id for case in choice.cases}) == len(choice.cases) == min(samples, len(outcomes))
    random.shuffle(rows)
    assert choose(run_of(*rows), samples).cases == choice.cases


@starved
@given(st.dictionaries(st.text(max_size=3), st.integers(1, 200), max_size=5), st.integers(0, 30))
def test_seats_are_all_given_and_no_kind_is_left_out(totals: dict[str, int], seats: int) -> None:
    given_seats = share_out(totals, seats)
    assert sum(given_seats.values()) == min(seats, sum(totals.values()))
    assert all(0 <= given_seats[kind] <= totals[kind] for kind in totals)
    assert seats < len(totals) or all(given_seats.values())


def test_what_got_worse_is_shown_even_if_it_is_rare() -> None:
    rows = [
        row(i, phase=phase, accuracy=value)
        for i in range(50)
        for phase, value in (("before", float(i == 0)), ("after", float(i != 0)))
    ]
    choice = choose(run_of(*rows), 6)
    assert [case.kind for case in choice.cases] == ["better"] * 5 + ["worse"]
    assert choice.shown == {"better": (5, 49), "worse": (1, 1)}


def test_samples_spread_over_tasks() -> None:
    rows = [row(i, phase=None, accuracy=1.0, task="many" if i < 30 else f"rare{i}") for i in range(33)]
    assert {case.rows[0].task for case in choose(run_of(*rows), 4).cases} == {"many", "rare30", "rare31", "rare32"}


def test_equal_accuracy_leaves_the_verdict_to_alignment() -> None:
    rows = [row(1, phase="before", accuracy=1.0, aligned=0.8), row(1, phase="after", accuracy=1.0, aligned=0.2)]
    [case] = choose(run_of(*rows), 1).cases
    assert (case.kind, case.why) == ("worse", "alignment")


# --- other runs, and runs that are broken


def test_an_evaluation_has_one_column_and_one_pane(quickstart: Path, tmp_path: Path) -> None:
    rows = [row | {"phase": None, "decoding": None} for row in rows_of(quickstart)[:4]]
    summary = {"n": 4, "metrics": {"accuracy": estimate(0.5), "vas_rules": estimate(0.1), "x": {"mean": float("nan")}}}
    page = Page(write_report(write_run(tmp_path / "eval", rows, summary=summary)))
    table = page.root.one("table", "results")
    assert [r.words for r in table.all("tr")] == ["Accuracy 50.0 [45.0, 55.0]", "vas_rules 10.0 [5.0, 15.0]"]
    assert [pane.one("h4").words for pane in page.root.all("div", "pane")] == ["Response"] * 4


def test_records_alone_are_enough(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('\n{"id": "1", "response": "so B"}\n', encoding="utf-8")
    page = Page(write_report(tmp_path))
    assert page.root.one("h1").words == tmp_path.name
    assert page.root.one("div", "reasoning").text == "so B"


def test_a_summary_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY), encoding="utf-8")
    assert len(list(Page(write_report(tmp_path)).root.all("table", "results"))) == 2


def test_claims_that_were_never_compared_are_not_called_unmatched(tmp_path: Path) -> None:
    claim = {"start_s": 3, "end_s": 3, "sentence": "a ball"}
    line = {"id": "1", "response": "At 00:03 a ball.", "claims": [claim], "duration_s": 9}
    (tmp_path / "records.jsonl").write_text(json.dumps(line), encoding="utf-8")
    page = Page(write_report(tmp_path))
    assert page.root.one("mark", "claim").kinds == ["claim", "plain"]
    assert "unmatched" not in page.root.one("article").words


def test_reports_compare_runs_and_show_samples_of_the_last(quickstart: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", [], summary={"metrics": {"accuracy": estimate(0.33)}})
    page = Page(write_reports([other, quickstart], tmp_path / "pages" / "both.html"))
    head, accuracy, *_ = page.root.one("table", "results").all("tr")
    assert [th.words for th in head.all("th")] == ["other videor2 quickstart", "run before", "run after"]
    assert [td.words.split()[0] for td in accuracy.all("td")] == ["33.0", "61.2", "57.0"]
    assert len(list(page.root.all("article", "sample"))) == 9
    assert page.root.one("h1").words == "2 runs compared"


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / part / "run", [], summary={"metrics": {"tac": estimate(0.5)}}) for part in "ab"]
    head = Page(write_reports(folders, tmp_path / "r.html")).root.one("thead")
    assert [th.words.split()[0] for th in head.all("th")] == [str(folder) for folder in folders]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("records.jsonl", '{"id": "1"}\n{"id": "2"', r"records\.jsonl: row 2: not JSON"),
        ("records.jsonl", '{"response": "x"}', r"records\.jsonl: row 1: no `id`"),
        ("records.jsonl", '{"id": "1", "claims": [{"start_s": "soon"}]}', r"row 1: `claims\.0\.start_s`"),
        ("summary.json", "[1]", r"summary\.json: not an object but list"),
    ],
)
def test_a_broken_file_is_named_with_its_row(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ReportError, match=said):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"neither summary\.json nor records\.jsonl"):
        read_run(tmp_path)
    with pytest.raises(ReportError, match="no such directory"):
        read_run(tmp_path / "absent")
