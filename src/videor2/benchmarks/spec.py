"""What a benchmark is: where its questions lie, how they are asked, how a response scores, how scores sum up."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from videor2.benchmarks import converted
from videor2.benchmarks.metrics import Headline, Scored, grouped, mean_of_rows, right
from videor2.benchmarks.names import canonical
from videor2.benchmarks.prompts import Prompt, Style
from videor2.benchmarks.rows import SUFFIXES, AnnotationError, Folder, Row, Unpack, read_rows
from videor2.errors import InputError
from videor2.sample import Kind, Sample
from videor2.scores.score import Score

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a benchmark is published."""

    paper: str
    hub: str
    """Dataset id on the Hugging Face hub."""
    split: str
    files: tuple[str, ...]
    """Patterns of the annotation files on the hub."""
    videos: tuple[str, ...]
    """Patterns of the archives or folders of videos on the hub."""
    gated: str = ""
    """What has to be accepted before a download; empty where nothing has."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which the annotations lie on disk, and how a row of it becomes a sample."""

    files: Mapping[str, Sequence[str]]
    """Patterns below the benchmark's folder by task; the first pattern that any file matches counts."""
    sample: Callable[[Row], Sample]
    marks: tuple[str, ...]
    """Fields by which a row of this layout is known from one of another."""
    unpack: Unpack | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark, as its authors define it. Everything that differs between benchmarks stands in here."""

    name: str
    slug: str
    version: int
    """Ours, raised whenever a change of the spec can change a score; printed with every result."""
    group: Literal["generic", "reasoning", "synthetic"]
    source: Source
    rows: int
    """Questions in the published set, over the tasks that are read by default; 0 where there is no fixed set."""
    kinds: tuple[Kind, ...]
    metric: str
    """The official metric in words, and where ours departs from it."""
    checked: str
    """What fields and metric were checked against."""
    layouts: tuple[Layout, ...]
    prompt_layout: Callable[[Sample], Prompt] = lambda sample: Prompt()
    row_score: Callable[[Sample, str, Style], Score] = right
    headline: Headline = mean_of_rows
    breakdown: tuple[str, ...] = ()
    """Names of `Sample.meta` by whose values a summary is broken down, beside the tasks."""
    extras: Callable[[Sequence[Scored]], Mapping[str, float | None]] | None = None
    """Further official figures of a run, such as a gain between tasks."""
    optional_tasks: tuple[str, ...] = ()
    """Tasks that are read only when named."""
    has_subtitles: bool = False
    video_notes: Mapping[str, str] = field(default_factory=dict)
    """What is special about the videos of a task; said where some are missing or are folders of frames."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Rows whose published annotation has no right answer, as "task:row", and why; they are left out."""
    converted_from: Callable[[Row, Sample], Sample] = lambda row, sample: sample
    """Completes a sample of the Video-R1 row layout with what this benchmark knows about it."""

    def read(self, root: Path | str, *, tasks: Sequence[str] = (), subtitles: bool = False) -> Iterator[Sample]:
        """The questions that lie under `root`, in the order of the files.

        root: the benchmark's folder, a folder that holds it under its slug or its name, or one annotation file.
        tasks: only these; none means all but `optional_tasks`. subtitles: give samples their subtitle files.

        Rows in `broken` are left out, with a warning. Raises InputError that names file, row, field and fix where
        nothing of the benchmark lies there, a task is unknown, or a row cannot be read.
        """
        if subtitles and not self.has_subtitles:
            raise InputError(f"{self.name} has no subtitle files that can be read; leave subtitles off")
        for found in self.scan(root, tasks=tasks):
            if isinstance(found, AnnotationError):
                if not isinstance(found, KnownBroken):
                    raise found
                log.warning("left out: %s", found)
            else:
                yield found if subtitles else found.model_copy(update={"subtitles": None})

    def scan(
        self, root: Path | str, *, tasks: Sequence[str] = (), optional: bool = False
    ) -> Iterator[Sample | AnnotationError]:
        """As `read`, but a row that cannot be used is given as the error that it is.

        optional: the optional tasks too, where no tasks are named.
        """
        unwanted = () if optional else self.optional_tasks
        folder, files = self._locate(Path(root), frozenset(tasks))
        met: set[str] = set()
        for path, task, layout in files:
            if not tasks and task in unwanted:
                continue
            for row in read_rows(path, folder, task=task, unpack=layout.unpack if layout else None):
                try:
                    sample = self._sample(row, layout)
                except AnnotationError as error:
                    reason = self.broken.get(f"{row.task}:{row.number}")
                    yield KnownBroken(f"{error} (known: {reason})") if reason else error
                else:
                    met.add(sample.task)
                    if sample.task in tasks or (not tasks and sample.task not in unwanted):
                        yield sample
        if met and not met & set(tasks) and tasks:
            names = ", ".join(sorted(met - {""})) or "rows that do not say their task"
            raise InputError(f"{root}: {self.name} has no task {', '.join(tasks)}; it has {names}")

    def prompt(self, sample: Sample, style: Style = "think", *, instruction: str | None = None) -> str:
        """The text that the model reads. `instruction` replaces our words that ask for the form of the answer."""
        return self.prompt_layout(sample).render(sample, style, instruction=instruction)

    def score(self, sample: Sample, response: str, style: Style = "think") -> Score:
        """The official score of one response. With style "direct" a response without tags is the answer itself."""
        return self.row_score(sample, response, style)

    def summarise(self, rows: Iterable[tuple[Sample | Mapping[str, Any], Score]]) -> dict[str, Any]:
        """The official figure of a run with its parts, values in [0, 1], coverage beside each.

        rows: samples, or records that carry `id`, `task`, `kind` and `meta` of their sample, each with its score.
        """
        scored = [Scored.of(row, score) for row, score in rows]
        counted = [row for row in scored if row.task not in self.optional_tasks] or scored
        return {
            "benchmark": self.name,
            "version": self.version,
            "metric": self.metric,
            **_part(counted, self.headline),
            "published_rows": self.rows,
            "by_task": {task: _part(group) for task, group in grouped(scored, lambda row: row.task).items() if task},
            "by": {
                name: {value: _part(group) for value, group in grouped(counted, _meta(name)).items() if value}
                for name in self.breakdown
            },
            "extras": dict(self.extras(scored)) if self.extras else {},
        }

    def _sample(self, row: Row, layout: Layout | None) -> Sample:
        sample = self.converted_from(row, converted.sample(row)) if layout is None else layout.sample(row)
        return sample.model_copy(update={"benchmark": self.name})

    def _locate(self, root: Path, tasks: frozenset[str]) -> tuple[Folder, list[tuple[Path, str, Layout | None]]]:
        """The benchmark's folder and its annotation files with task and layout; None is the Video-R1 row layout."""
        if root.is_file():
            return Folder(root.parent), [(root, self._task_of(root), self._layout_of(root))]
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; give the folder that holds {self.slug}/ or is it")
        path = next((root / name for name in (self.slug, self.name) if (root / name).is_dir()), root)
        known = {task for layout in self.layouts for task in layout.files} - {""}
        if known and tasks - known:
            raise InputError(f"{self.name} has no task {', '.join(sorted(tasks - known))}; it has {', '.join(known)}")
        for layout in self.layouts:
            found = [
                (file, task, None if _is_converted(file) else layout)
                for task, patterns in layout.files.items()
                if not tasks or task in tasks or not task
                for file in self._first_match(path, patterns)
            ]
            if found:
                self._warn_of_absent(layout, {task for _, task, _ in found}, tasks)
                return Folder(path), found
        rest = [file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES]
        mine = [file for file in rest if canonical(file.name)[0] == self.name]
        if mine:
            return Folder(path), [(file, self._task_of(file), self._layout_of(file)) for file in mine]
        raise InputError(f"{path}: no annotations of {self.name}: none of {self._expected()}; check the data root")

    def _warn_of_absent(self, layout: Layout, present: set[str], tasks: frozenset[str]) -> None:
        wanted = tasks or set(layout.files) - set(self.optional_tasks)
        absent = [task for task in layout.files if task in wanted - present]
        if absent:
            log.warning("%s: no annotations of %s; the figure is that of the other tasks", self.name, ", ".join(absent))

    def _first_match(self, folder: Path, patterns: Sequence[str]) -> list[Path]:
        """The files of the first pattern that any matches, but none that is named after another benchmark."""
        for pattern in patterns:
            found = [f for f in sorted(folder.glob(pattern)) if canonical(f.name)[0] in (f.name, self.name)]
            if found:
                return found
        return []

    def _layout_of(self, file: Path) -> Layout | None:
        """The layout of a single file, by the fields of its first row."""
        for layout in self.layouts:
            first, why = _first_row(file, layout)
            if first is not None and all(name in first.fields for name in layout.marks):
                return layout
        first, _ = _first_row(file, None)
        if first is not None and converted.is_row(first):
            return None
        wanted = " or ".join(", ".join(layout.marks) for layout in self.layouts)
        raise InputError(f"{file}: no annotations of {self.name} ({why}); a row needs the fields {wanted}")

    def _task_of(self, file: Path) -> str:
        for layout in self.layouts:
            for task, patterns in layout.files.items():
                if task and any(Path(file.name).match(Path(pattern).name) for pattern in patterns):
                    return task
        task = canonical(file.name)[1]
        return task if any(task in layout.files for layout in self.layouts) else ""

    def _expected(self) -> str:
        patterns = [p for layout in self.layouts for patterns in layout.files.values() for p in patterns]
        return ", ".join(patterns[:6]) + (", ..." if len(patterns) > 6 else "")


class KnownBroken(AnnotationError):
    """A row whose published annotation is known to have no right answer."""


def _is_converted(file: Path) -> bool:
    """Whether a file has the Video-R1 row layout under the name of an original one."""
    if file.suffix not in (".json", ".jsonl"):
        return False
    first, _ = _first_row(file, None)
    return first is not None and converted.is_row(first)


def _first_row(file: Path, layout: Layout | None) -> tuple[Row | None, str]:
    try:
        first = next(read_rows(file, Folder(file.parent), unpack=layout.unpack if layout else None), None)
    except InputError as error:
        return None, str(error)
    return first, f"it has {', '.join(first.fields)}" if first else "it has no rows"


def _meta(name: str) -> Callable[[Scored], Any]:
    return lambda row: row.meta.get(name)


def _part(rows: Sequence[Scored], headline: Headline = mean_of_rows) -> dict[str, Any]:
    scored = sum(row.score.value is not None for row in rows)
    return {
        "value": headline(rows),
        "n": len(rows),
        "scored": scored,
        "coverage": scored / len(rows) if rows else None,
    }
