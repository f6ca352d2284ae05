"""Is a benchmark on disk whole? Reads every row and scores the reference as if a model had answered it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videor2.benchmarks.prompts import Style
from videor2.benchmarks.rows import AnnotationError
from videor2.benchmarks.spec import Benchmark, KnownBroken
from videor2.sample import Sample

SHOWN = 20


@dataclass(slots=True)
class Validation:
    """What was found. `ok`: every row reads, every reference scores 1, no id twice, every video there.

    Videos of optional tasks may be missing: a warning counts them.
    """

    benchmark: str
    version: int
    root: str
    rows: int = 0
    by_task: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    """Rows without a score of their reference, by reason: their metric is a judgement."""
    unreadable: list[str] = field(default_factory=list)
    known_broken: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Rows whose reference does not score 1 as a response, and why."""
    duplicates: list[str] = field(default_factory=list)
    """Ids that several rows have."""
    missing_videos: list[str] = field(default_factory=list)
    unplayable: list[str] = field(default_factory=list)
    """Videos that are there but empty, or folders of frames."""
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the benchmark can be run as published."""
        wrong = (self.unreadable, self.failures, self.duplicates, self.missing_videos, self.unplayable)
        return self.rows > 0 and not any(wrong)

    def row(self) -> dict[str, Any]:
        """For JSON: counts, and the first of each list."""
        lists = ("unreadable", "known_broken", "failures", "duplicates", "missing_videos", "unplayable")
        return {
            "benchmark": self.benchmark,
            "version": self.version,
            "root": self.root,
            "ok": self.ok,
            "rows": self.rows,
            "by_task": dict(self.by_task),
            "by_kind": dict(self.by_kind),
            "judged": dict(self.judged),
            **{name: {"n": len(getattr(self, name)), "first": getattr(self, name)[:SHOWN]} for name in lists},
            "warnings": self.warnings,
        }


def validate(benchmark: Benchmark, root: Path | str, *, videos: bool = True) -> Validation:
    """Check the annotations under `root`, optional tasks included, and with `videos` that each video is there.

    Each reference is scored twice: after reasoning, in tags, and bare as a direct answer. Raises InputError where
    there is nothing to read at all.
    """
    report = Validation(benchmark.name, benchmark.version, str(root))
    ids: Counter[str] = Counter()
    seen: dict[str, tuple[str, str]] = {}
    for found in benchmark.scan(root, optional=True):
        if isinstance(found, KnownBroken):
            report.known_broken.append(str(found))
        elif isinstance(found, AnnotationError):
            report.unreadable.append(str(found))
        else:
            report.rows += 1
            report.by_task[found.task] += 1
            report.by_kind[found.kind] += 1
            ids[found.id] += 1
            _score_reference(benchmark, found, report)
            if videos and found.video and found.video not in seen:
                seen[found.video] = (_state(Path(found.video)), found.task)
    report.duplicates = [name for name, count in ids.items() if count > 1]
    _report_videos(benchmark, seen, report)
    default = report.rows - sum(report.by_task[task] for task in benchmark.optional_tasks)
    if benchmark.rows and default != benchmark.rows:
        report.warnings.append(f"{default} rows; the published set has {benchmark.rows}")
    return report


def _report_videos(benchmark: Benchmark, seen: dict[str, tuple[str, str]], report: Validation) -> None:
    optional: Counter[str] = Counter()
    for video, (state, task) in seen.items():
        if state == "missing" and task in benchmark.optional_tasks:
            optional[task] += 1
        elif state:
            (report.missing_videos if state == "missing" else report.unplayable).append(video)
    wrong = {task for state, task in seen.values() if state}
    report.warnings += [f"{task}: {note}" for task, note in benchmark.video_notes.items() if task in wrong]
    report.warnings += [f"{task} (optional): {count} videos are missing" for task, count in optional.items()]


def _score_reference(benchmark: Benchmark, sample: Sample, report: Validation) -> None:
    answer = sample.answer or ""
    responses: tuple[tuple[Style, str], ...] = (
        ("think", f"<think>It is seen in the video.</think><answer>{answer}</answer>"),
        ("direct", answer),
    )
    for style, response in responses:
        score = benchmark.score(sample, response, style)
        if score.status == "abstain" and answer:
            report.judged[score.detail] += style == "think"
        elif score.value != 1.0:
            report.failures.append(
                f"{sample.id}: reference {answer!r:.60} scores {score.value} ({score.detail}), {style}"
            )
            return


def _state(video: Path) -> str:
    if not video.exists():
        return "missing"
    return "unplayable" if video.is_dir() or video.stat().st_size == 0 else ""
