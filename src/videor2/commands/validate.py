"""`videor2 data validate`: are benchmarks, and training files of our own, whole before a model is run on them?"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from videor2.benchmarks import Benchmark, Validation, benchmarks, find, validate
from videor2.benchmarks.names import canonical
from videor2.benchmarks.rows import SUFFIXES
from videor2.data.examples import DataError, Example, parse_example
from videor2.errors import InputError
from videor2.scores.accuracy import accuracy
from videor2.trace import Trace
from videor2.video import VideoError, probe

PAST_THE_END_S = 0.5
"""So far may an event reach beyond its video: durations are rounded, and a last frame has a length."""

EVERY = "all"


def run(names: Sequence[str], data_root: Path, *, videos: bool = True) -> tuple[list[Validation], bool]:
    """Check benchmarks below `data_root` and training files; the reports, and whether all of them are whole.

    names: benchmarks, `all` for the paper's eleven, or paths of training files (`.jsonl`); none means every benchmark
    that lies there. videos: look at the videos too. What is named and not there is a report that is not ok. Raises
    InputError for an unknown name, and where nothing is named and nothing lies there.
    """
    reports = []
    for chosen in _chosen(names, data_root):
        if isinstance(chosen, Path):
            reports.append(validate_examples(chosen, videos=videos))
            continue
        try:
            reports.append(validate(chosen, data_root, videos=videos))
        except InputError as error:
            reports.append(Validation(chosen.name, chosen.version, str(data_root), unreadable=[str(error)]))
    return reports, all(report.ok for report in reports)


def validate_examples(path: Path, *, videos: bool = True) -> Validation:
    """Check a training file: every row reads, its answer is one of its options and scores 1, its events lie within
    the video, and with `videos` its video opens.

    Raises DataError where there is no such file.
    """
    report = Validation(path.name, 0, str(path))
    seen = _Videos(report)
    ids: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; write one with `videor2 data synth`") from None
    except UnicodeDecodeError as error:
        report.unreadable.append(f"{path}: not UTF-8 (byte {error.start + 1}); save it as UTF-8")
        return report
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            example = parse_example(path, number, line)
        except DataError as error:
            report.unreadable.append(str(error))
            continue
        sample = example.sample
        report.rows += 1
        report.by_task[sample.task] += 1
        report.by_kind[sample.kind] += 1
        ids[sample.id] += 1
        duration_s = seen.duration_s(sample.video) if videos and sample.video else None
        where = f"{path}: row {number}"
        wrong = [*_wrong_answer(example), *_wrong_events(example, duration_s), *_missing_subtitles(example)]
        report.failures += [f"{where}: {what}" for what in wrong]
        notes.update(_notes(example))
    if not report.rows and not report.unreadable:
        report.unreadable.append(f"{path}: the file has no rows")
    report.duplicates = [name for name, count in ids.items() if count > 1]
    report.warnings += [f"{count} of {report.rows} rows {what}" for what, count in notes.items()]
    return report


@dataclass(slots=True)
class _Videos:
    """The videos of a file, each looked at once, and what is wrong with them."""

    report: Validation
    durations_s: dict[str, float | None] = field(default_factory=dict)

    def duration_s(self, video: str) -> float | None:
        """How long it is; None where it does not open, which the report tells."""
        if video not in self.durations_s:
            self.durations_s[video] = self._look(Path(video))
        return self.durations_s[video]

    def _look(self, video: Path) -> float | None:
        if not video.exists():
            self.report.missing_videos.append(str(video))
            return None
        try:
            return probe(video).duration_s
        except VideoError as error:
            self.report.unplayable.append(str(error))
            return None


def _wrong_answer(example: Example) -> list[str]:
    sample = example.sample
    if sample.answer is None:
        return []
    score = accuracy(
        Trace.parse(f"<think>It is seen.</think><answer>{sample.answer}</answer>"),
        answer=sample.answer,
        options=sample.options,
        kind=sample.kind,
    )
    if score.value == 1.0:
        return []
    if sample.kind == "choice" and sample.options:
        return [f"`answer` {sample.answer!r:.60} is none of the letters of its {len(sample.options)} options"]
    return [f"`answer` {sample.answer!r:.60} scores {score.value} against itself ({score.detail}); is `kind` right?"]


def _wrong_events(example: Example, duration_s: float | None) -> list[str]:
    """Events that end before they start, or beyond the video; its own length counts before what the row says."""
    end_s = duration_s if duration_s is not None else example.sample.duration_s
    wrong = []
    for number, event in enumerate(example.sample.events, start=1):
        times = f"event {number}, {event.start_s:g} s to {event.end_s:g} s,"
        if not (math.isfinite(event.start_s) and math.isfinite(event.end_s) and 0 <= event.start_s <= event.end_s):
            wrong.append(f"{times} is no interval of seconds from 0 on")
        elif end_s is not None and event.end_s > end_s + PAST_THE_END_S:
            wrong.append(f"{times} ends after the video, which has {end_s:g} s")
    return wrong


def _missing_subtitles(example: Example) -> list[str]:
    subtitles = example.sample.subtitles
    return [f"no subtitle file {subtitles}"] if subtitles and not Path(subtitles).is_file() else []


def _notes(example: Example) -> list[str]:
    """What is unusual, and yet may be meant."""
    notes = []
    if example.sample.video is None:
        notes.append("have no video (events in words?)")
    if example.sample.answer is None:
        notes.append("have no answer, which rewards need")
    if example.response is not None and (state := Trace.parse(example.response).state) != "ok":
        notes.append(f"have a response to learn in the state {state.replace('_', ' ')}")
    return notes


def _chosen(names: Sequence[str], data_root: Path) -> list[Benchmark | Path]:
    if not names:
        there: list[Benchmark | Path] = [benchmark for benchmark in benchmarks() if _lies_in(benchmark, data_root)]
        if not there:
            raise InputError(f"{data_root}: no benchmark there; name one, fetch it, or give another --data-root")
        return there
    chosen: dict[str, Benchmark | Path] = {}
    for name in names:
        if name.endswith(".jsonl"):
            chosen[name] = Path(name)
            continue
        for benchmark in benchmarks()[:-1] if name == EVERY else (find(name),):
            chosen[benchmark.slug] = benchmark
    return list(chosen.values())


def _lies_in(benchmark: Benchmark, root: Path) -> bool:
    """Whether a folder of the benchmark, or a file that is named after it, lies there."""
    if not root.is_dir():
        return False
    if any((root / name).is_dir() for name in (benchmark.slug, benchmark.name)):
        return True
    named = [root, *(entry for entry in root.iterdir() if entry.suffix in SUFFIXES)]
    return any(canonical(entry.name)[0] == benchmark.name for entry in named)
