"""Run a model over benchmarks: every answer is written down as it comes, and a run that was killed goes on.

A run directory holds `answers.jsonl` (one line per answer, as it came), and when all are there `records.jsonl`,
`summary.json`, `run.json` and `report.html`. With `torchrun` each process answers its share of the questions and
writes `answers.RANK.jsonl`; the first one sums up.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from os import SEEK_END
from pathlib import Path
from typing import Any, Final, Literal

from videor2.benchmarks import Benchmark, benchmarks, find
from videor2.benchmarks.hub import download
from videor2.benchmarks.prompts import Style
from videor2.data.export import find_export
from videor2.errors import InputError
from videor2.models.backend import Answered, Backend, Decoding, Question
from videor2.models.load import TINY_VIDEO
from videor2.models.sharding import shard
from videor2.processes import process_rank
from videor2.progress import Progress
from videor2.records import Record, aligned, failed_record, iterate_records, measure, write_records
from videor2.report import write_report
from videor2.rundir import about, now, plain, read_about, write_json
from videor2.sample import Sample
from videor2.scores.score import Score
from videor2.span import split_span, with_span
from videor2.summary import add_official, summarise_runs
from videor2.video.store import VideoConfig

log = logging.getLogger(__name__)

COMMAND: Final = "eval"
VERSION_OF: Final = "version of "
"""In a fingerprint: benchmarks may be added to a run, but not change their version within it."""
PAPER_VIDEO: Final = VideoConfig(fps=1.0, max_frames=128, max_pixels=360 * 420, timestamps=True)
"""How arXiv 2511.23478 samples videos in its evaluation."""

Key = tuple[str, str, str]
"""Benchmark, task and id: what a question is known by."""


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """What is asked of which model, and how. What changes an answer is in `fingerprint`; the rest may change between
    starts of a run.

    model: `tiny`, a folder, a hub id, or `openai:URL#NAME`. benchmarks: names, or `all` for the paper's eleven. style:
    ask for reasoning, or for the answer at once. prompt_file: a text in the place of our instruction. limit: so many
    questions of each benchmark, spread evenly. media: what a server is sent. download: fetch what the data root lacks.
    export: a format of `data.export` to write the answers in, too.
    """

    model: str = "tiny"
    benchmarks: tuple[str, ...] = ("synth",)
    data_root: Path = Path("data")
    style: Style = "think"
    prompt_file: Path | None = None
    subtitles: bool = False
    video: VideoConfig | None = None
    decoding: Decoding = field(default_factory=Decoding)
    limit: int | None = None
    batch_size: int = 8
    workers: int = 1
    concurrency: int = 8
    media: Literal["frames", "video", "file"] = "frames"
    engine: Literal["local", "ray"] = "local"
    download: bool = False
    export: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the benchmark that scores its answer."""

    benchmark: Benchmark
    question: Question

    @property
    def key(self) -> Key:
        """What the question is known by."""
        return key_of(self.question.sample)


def key_of(sample: Sample) -> Key:
    """What a question is known by."""
    return sample.benchmark, sample.task, sample.id


def evaluate(settings: EvalSettings, out: Path) -> dict[str, Any] | None:
    """Ask a model all questions that `out` has no answer to yet, score all, and report; gives the summary.

    None in all processes but the first. Raises `InputError` for data that is not there, a run directory that was made
    with other settings, and a model that cannot be asked.
    """
    if settings.export:
        find_export(settings.export)  # a wrong name is told before hours of work
    read_about(out, COMMAND)
    rank, world = process_rank()
    video = settings.video or default_video(settings.model)
    instruction = _instruction(settings)
    if rank == 0:
        fetch(settings, out)
    if world > 1:
        wait_for_all()
    asked = read_questions(settings, out, instruction)
    facts = _open_run(out, _fingerprint(settings, video, instruction), settings)
    answers = Answers(out, rank)
    done = answers.read()
    todo = [one for one in asked if one.key not in done or done[one.key].response is None]
    _tell_missing(asked)
    log.info("%d questions, %d answered before", len(asked), len(asked) - len(todo))
    if world > 1:
        mine = set(shard([one.question for one in todo], rank, world))
        todo = [one for i, one in enumerate(todo) if i in mine]
    if todo:
        _answer(todo, open_backend(settings, video), answers)
    if world > 1:
        wait_for_all()
    if rank:
        return None
    return _finish(settings, out, asked, answers.read(), facts)


def default_video(model: str) -> VideoConfig:
    """How a model's videos are sampled where nothing else is said."""
    return TINY_VIDEO if model == "tiny" else PAPER_VIDEO


def fetch(settings: EvalSettings, out: Path) -> None:
    """Get what can be got: the embedded benchmark is written where it lies nowhere, others are downloaded if asked."""
    for benchmark in _chosen(settings):
        if benchmark.slug == "synth" and not _holds_synth(settings.data_root):
            _write_synth(out)
        elif settings.download and benchmark.slug != "synth":
            download(benchmark, settings.data_root)


def read_questions(settings: EvalSettings, out: Path, instruction: str | None) -> list[Asked]:
    """All questions that are to be asked, in the order of the benchmarks."""
    asked = []
    for benchmark in _chosen(settings):
        root = settings.data_root
        if benchmark.slug == "synth" and not _holds_synth(root):
            root = _synth_path(out)
        samples = list(benchmark.read(root, subtitles=settings.subtitles and benchmark.has_subtitles))
        for sample in spread(samples, settings.limit):
            text = benchmark.prompt(sample, settings.style, instruction=instruction)
            asked.append(Asked(benchmark, Question(_cut(sample), text)))
    repeated = [key for key, count in Counter(one.key for one in asked).items() if count > 1]
    if repeated:
        raise InputError(f"{len(repeated)} questions have the same benchmark, task and id, the first: {repeated[0]}")
    return asked


def spread(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """At most `limit` samples, evenly spread over their order, in which tasks follow each other.

    >>> [s.id for s in spread([Sample(id=str(i), question="?") for i in range(10)], 3)]
    ['0', '3', '6']
    """
    if limit is None or limit >= len(samples):
        return list(samples)
    return [samples[i * len(samples) // limit] for i in range(limit)]


class Answers:
    """The answers of a run on disk: one file that grows for each process, all of them read together."""

    def __init__(self, out: Path, rank: int = 0) -> None:
        self.out = out
        self.path = out / (f"answers.{rank}.jsonl" if rank else "answers.jsonl")

    def read(self) -> dict[Key, Answered]:
        """The last answer to each question. A line that was cut off, as by a killed process, is no answer."""
        found: dict[Key, Answered] = {}
        for path in sorted(self.out.glob("answers*.jsonl")):
            with path.open("rb") as file:
                for text in file:
                    row = _row(text)
                    if row is None:
                        log.warning("%s: a line that was cut off is left out", path)
                        continue
                    key = (row["benchmark"], row["task"], row["id"])
                    answered = Answered(**{name: row[name] for name in ("response", "error", "note", "tokens")})
                    if key not in found or answered.response is not None:
                        found[key] = answered
        return found

    def append(self, rows: Iterable[tuple[Key, Answered]]) -> Iterator[Answered]:
        """Write answers as they come, each on its way to the disk before the next is waited for."""
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, SEEK_END)
                if file.read() != b"\n":  # the last line was cut off
                    file.write(b"\n")
            for key, answered in rows:
                row = dict(zip(("benchmark", "task", "id"), key, strict=True)) | asdict(answered)
                file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                file.flush()
                yield answered


def open_backend(settings: EvalSettings, video: VideoConfig) -> Backend:
    """The model that a setting names."""
    if settings.engine == "ray":
        from videor2.models.ray import RayBackend

        return RayBackend(
            settings.model,
            video=video,
            decoding=settings.decoding,
            batch_size=settings.batch_size,
            workers=settings.workers,
        )
    if settings.model.startswith("openai:"):
        from videor2.models.remote import RemoteBackend

        url, hash_sign, name = settings.model.removeprefix("openai:").rpartition("#")
        if not (url and hash_sign and name):
            raise InputError(f"no model {settings.model!r}: a model behind a server is openai:URL#NAME")
        return RemoteBackend(
            url,
            name,
            video=video,
            decoding=settings.decoding,
            media=settings.media,
            concurrency=settings.concurrency,
            workers=settings.workers,
        )
    from videor2.models.local import LocalBackend

    return LocalBackend(
        settings.model,
        video=video,
        decoding=settings.decoding,
        batch_size=settings.batch_size,
        workers=settings.workers,
    )


def wait_for_all() -> None:
    """Return when all processes of the launcher are here."""
    from accelerate import PartialState

    PartialState().wait_for_everyone()


def _answer(todo: Sequence[Asked], backend: Backend, answers: Answers) -> None:
    keys = [one.key for one in todo]
    rows = ((keys[i], answered) for i, answered in backend.answer([one.question for one in todo]))
    with Progress("answering", total=len(todo), unit="questions") as progress:
        failed = 0
        for answered in answers.append(rows):
            failed += answered.response is None
            progress.note = f"{failed} failed" if failed else ""
            progress.advance()


def _finish(
    settings: EvalSettings, out: Path, asked: Sequence[Asked], answers: dict[Key, Answered], facts: dict[str, Any]
) -> dict[str, Any]:
    """Score the answers that there are, sum up, and report."""
    records = (_record(one, answers.get(one.key), settings) for one in asked)
    write_records(out / "records.jsonl", aligned(records))
    summary = summarise_runs(iterate_records(out / "records.jsonl"), seed=settings.seed)
    scored: dict[str, list[tuple[Sample, Score]]] = {}
    for one, record in zip(asked, iterate_records(out / "records.jsonl"), strict=True):
        row = (one.question.sample, Score(**record["scores"]["accuracy"]))
        scored.setdefault(one.benchmark.slug, []).append(row)
    summary["official"] = [find(slug).summarise(rows) for slug, rows in scored.items()]
    [run] = summary["runs"].values()
    add_official(run, {part["benchmark"]: part for part in summary["official"]})
    failed = [(key, one.error) for key, one in answers.items() if one.response is None]
    summary["failed"] = [{"question": list(key), "reason": reason} for key, reason in failed]
    if failed:
        log.warning(
            "%d questions have no answer, the first: %s; run again to ask them again", len(failed), failed[0][1]
        )
    write_json(out / "summary.json", summary)
    write_json(out / "run.json", facts | {"finished": now()})
    write_report(out)
    if settings.export:
        for path in find_export(settings.export)(out, None):
            log.info("exported: %s", path)
    return summary


def _record(one: Asked, answered: Answered | None, settings: EvalSettings) -> Record:
    sample = one.question.sample
    labels = {"model": settings.model, "meta": sample.meta, "prompt": one.question.text}
    if answered is None or answered.response is None:
        return failed_record(sample, answered.error if answered else "not asked") | labels
    official = one.benchmark.score(sample, answered.response, settings.style)
    record = measure(sample, answered.response, accuracy=official, untagged=settings.style == "direct")
    return record | labels | ({"note": answered.note} if answered.note else {})


def _open_run(out: Path, fingerprint: dict[str, Any], settings: EvalSettings) -> dict[str, Any]:
    """A new run directory, or one with the same settings to go on with."""
    before = read_about(out, COMMAND)
    if before is not None:
        made_with = before["settings"].get("fingerprint", {})
        changed = [
            f"{name} was {made_with.get(name)!r}, now {value!r}"
            for name, value in fingerprint.items()
            if made_with.get(name) != value and (name in made_with or not name.startswith(VERSION_OF))
        ]
        if changed:
            raise InputError(f"{out}: holds answers of other settings ({'; '.join(changed)}); choose another --out")
        before["settings"]["fingerprint"] = made_with | fingerprint
        return before
    out.mkdir(parents=True, exist_ok=True)
    packages = ("torch", "transformers", "av")
    facts = about(COMMAND, plain(settings) | {"fingerprint": fingerprint}, seed=settings.seed, packages=packages)
    if process_rank()[0] == 0:
        write_json(out / "run.json", facts)
    return facts


def _fingerprint(settings: EvalSettings, video: VideoConfig, instruction: str | None) -> dict[str, Any]:
    """All that decides what a question's answer is, as plain JSON."""
    prompt = "" if instruction is None else hashlib.sha256(instruction.encode()).hexdigest()[:16]
    return {
        "model": settings.model,
        "style": settings.style,
        "prompt": prompt,
        "subtitles": settings.subtitles,
        **{f"video.{name}": value for name, value in video.model_dump(mode="json").items()},
        **{f"decoding.{name}": value for name, value in asdict(settings.decoding).items()},
        **({"media": settings.media} if settings.model.startswith("openai:") else {}),
        **{f"{VERSION_OF}{benchmark.slug}": benchmark.version for benchmark in _chosen(settings)},
    }


def _chosen(settings: EvalSettings) -> tuple[Benchmark, ...]:
    """The benchmarks that are named, once each; `all` is the paper's eleven."""
    names = [b.slug for b in benchmarks() if b.slug != "synth"] if "all" in settings.benchmarks else settings.benchmarks
    return tuple({benchmark.slug: benchmark for benchmark in map(find, names)}.values())


def _instruction(settings: EvalSettings) -> str | None:
    """The text in the place of ours; the shipped model was trained without any."""
    if settings.prompt_file is not None:
        try:
            return settings.prompt_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{settings.prompt_file}: cannot be read as UTF-8 text ({error})") from None
    return "" if settings.model == "tiny" else None


def _cut(sample: Sample) -> Sample:
    """The sample with the part of its video that it is about, where the benchmark says from where to where."""
    start_s, end_s = sample.meta.get("clip_s") or (None, None)
    if sample.video is None or (start_s is None and end_s is None):
        return sample
    return sample.model_copy(update={"video": with_span(sample.video, start_s, end_s)})


def _tell_missing(asked: Sequence[Asked]) -> None:
    """Count the videos that are not there, before a model is loaded."""
    videos = {split_span(one.question.sample.video)[0] for one in asked if one.question.sample.video}
    missing = sorted(str(video) for video in videos if not video.exists())
    if missing and len(missing) == len(videos):
        raise InputError(f"none of {len(videos)} videos is there, the first: {missing[0]}; check --data-root")
    if missing:
        log.warning("%d of %d videos are not there, the first: %s", len(missing), len(videos), missing[0])


def _holds_synth(root: Path) -> bool:
    return any((root / name).exists() for name in ("synth", "test.jsonl")) or root.suffix == ".jsonl"


def _synth_path(out: Path) -> Path:
    return out / "data" / "test.jsonl"


def _write_synth(out: Path) -> None:
    """The embedded benchmark, written where the run is: the questions of `videor2 quickstart`."""
    from videor2.synth.build import SynthConfig, build

    if not _synth_path(out).exists():
        build(SynthConfig("test", 128, seed=0, questions=3), _synth_path(out).parent)


def _row(text: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and "response" in row else None
