"""The whole way on the tiny model: write clips, measure, train by GRPO with gated TAR, measure again, report.

Each stage leaves its files in the run directory, and a run that was interrupted goes on after the last one that is
there. A run directory made with other settings is refused.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from videor2.data.examples import read_examples
from videor2.errors import InputError
from videor2.models.generate import generate
from videor2.models.load import load_model
from videor2.recipes import recipe
from videor2.records import Record, read_records, score_responses, write_records
from videor2.report import write_report
from videor2.rundir import about, now, read_about, write_json
from videor2.summary import by_task, compare, summarise
from videor2.synth.build import SynthConfig, build
from videor2.train import grpo
from videor2.train.config import load_config
from videor2.video.store import ClipStore

log = logging.getLogger(__name__)

COMMAND = "quickstart"
DECODINGS = {"greedy": 0.0, "sampled": 1.0}
"""The temperature of each way to decode."""


class QuickstartError(InputError):
    """A run directory that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class QuickstartSettings:
    """How much to train on and how much to measure on; the seed decides clips, training and sampling."""

    seed: int = 0
    train_clips: int = 240
    test_clips: int = 128
    questions: int = 3
    steps: int = 40
    threads: int = 2


@dataclass(frozen=True, slots=True)
class _Run:
    """The run directory and what is known of the run: settings, seconds by stage."""

    out: Path
    facts: dict[str, Any]

    @property
    def seconds(self) -> dict[str, float]:
        seconds: dict[str, float] = self.facts["seconds"]
        return seconds

    def stage(self, name: str, work: Callable[[], None]) -> None:
        """Do the work of a stage, unless an earlier start of this run did it."""
        if name in self.seconds:
            log.info("%s: done before", name)
            return
        log.info("%s", name)
        started = time.perf_counter()
        work()
        self.seconds[name] = round(time.perf_counter() - started, 1)
        write_json(self.out / "run.json", self.facts)

    def finish(self, config: dict[str, Any]) -> None:
        """Write down when the run ended, and the whole training config."""
        self.facts.update(finished=now(), settings=self.facts["settings"] | {"grpo": config})
        write_json(self.out / "run.json", self.facts)


def quickstart(out: Path, settings: QuickstartSettings | None = None) -> dict[str, Any]:
    """Run all stages into `out`; gives the summary that is also in `out/summary.json`."""
    settings = settings or QuickstartSettings()
    run = _open_run(out, settings)
    config = load_config(recipe("tiny_grpo"), grpo.GRPOSettings).model_copy(
        update={
            "out": out / "grpo",
            "data": [out / "synth" / "train.jsonl"],
            "seed": settings.seed,
            "max_steps": settings.steps,
            "threads": settings.threads,
        }
    )
    run.stage("clips", lambda: _write_clips(out / "synth", settings))
    run.stage("evaluate before", lambda: _evaluate(config.model, "before", out, config, settings))
    run.stage("train", lambda: _train(config, out))
    run.stage("evaluate after", lambda: _evaluate(str(out / "grpo"), "after", out, config, settings))
    return _report(run, config)


def _write_clips(folder: Path, settings: QuickstartSettings) -> None:
    questions = settings.questions
    build(SynthConfig("train", settings.train_clips, seed=settings.seed, questions=questions), folder)
    build(SynthConfig("test", settings.test_clips, seed=settings.seed, questions=questions), folder)


def _train(config: grpo.GRPOSettings, out: Path) -> None:
    trained = grpo.train(config, resume=True)
    (out / "history.jsonl").write_bytes((trained / "history.jsonl").read_bytes())


def _report(run: _Run, config: grpo.GRPOSettings) -> dict[str, Any]:
    out = run.out
    records = read_records(out / "before.jsonl") + read_records(out / "after.jsonl")
    write_records(out / "records.jsonl", records)
    summary = _summary(records, run.seconds)
    run.finish(config.model_dump(mode="json"))
    write_json(out / "summary.json", summary)
    write_report(out)
    return summary


def _evaluate(name: str, phase: str, out: Path, config: grpo.GRPOSettings, settings: QuickstartSettings) -> None:
    """Write the records of a model on the held-out split, greedy and sampled, to `{phase}.jsonl`."""
    import torch

    torch.set_num_threads(settings.threads)
    model, processor = load_model(name)
    clips = ClipStore(config.video)
    samples = [example.sample for example in read_examples(out / "synth" / "test.jsonl")]
    records: list[Record] = []
    for decoding, temperature in DECODINGS.items():
        responses = generate(
            model,
            processor,
            samples,
            clips,
            temperature=temperature,
            seed=settings.seed,
            max_new_tokens=config.max_completion_length,
            batch_size=64,
            on_batch=_progress(f"{phase}, {decoding}", len(samples)),
        )
        scored = score_responses(
            samples,
            responses,
            config=config.rewards.alignment,
            model=name,
            phase=phase,
            decoding=decoding,
        )
        records += [_portable(record, out) for record in scored]
    write_records(out / f"{phase}.jsonl", records)


def _progress(title: str, total: int) -> Callable[[int], None]:
    return lambda done: log.info("%s: %d of %d answers", title, done, total)


def _portable(record: Record, out: Path) -> Record:
    """The record with the path of its clip relative to the run directory."""
    return record | {"video": os.path.relpath(record["video"], out)}


def _summary(records: list[Record], seconds: dict[str, float]) -> dict[str, Any]:
    def part(phase: str, decoding: str) -> list[Record]:
        return [r for r in records if (r["phase"], r["decoding"]) == (phase, decoding)]

    def both(decoding: str) -> dict[str, Any]:
        before, after = part("before", decoding), part("after", decoding)
        return {"before": summarise(before), "after": summarise(after), "difference": compare(before, after)}

    return {
        "n": len(part("before", "greedy")),
        **both("greedy"),
        "sampled": both("sampled"),
        "by_task": {phase: by_task(part(phase, "greedy")) for phase in ("before", "after")},
        "seconds": seconds,
    }


def _open_run(out: Path, settings: QuickstartSettings) -> _Run:
    """A new run directory, or one with the same settings to go on with."""
    before = read_about(out, COMMAND)
    if before is not None:
        if {key: before["settings"].get(key) for key in asdict(settings)} != asdict(settings):
            raise QuickstartError(f"{out}: holds a run with other settings; choose another --out or remove it")
        return _Run(out, before)
    out.mkdir(parents=True, exist_ok=True)
    packages = ("torch", "transformers", "trl", "accelerate")
    facts = about(COMMAND, asdict(settings), seed=settings.seed, packages=packages) | {"seconds": {}}
    write_json(out / "run.json", facts)
    return _Run(out, facts)
