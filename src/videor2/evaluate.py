"""Score what a model said, and sum up.

A record is one response with everything that was measured of it; a summary is the mean of each metric with its
interval and coverage.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from videor2.judges.loops import run_sync
from videor2.rewards import GatedAlignment, RewardConfig, Rollout, gated_alignment
from videor2.sample import Sample
from videor2.scores.accuracy import accuracy
from videor2.scores.format import format_score
from videor2.scores.score import Score
from videor2.scores.stats import Interval, bootstrap_mean, paired_difference
from videor2.timeline import claims
from videor2.trace import Trace

Record = dict[str, Any]

METRICS = {
    "accuracy": "accuracy",
    "tac": "consistency",
    "alignment_f1": "alignment_f1",
    "format": "format",
}
"""The metrics of a summary, and the score that each is the mean of."""


def score_responses(
    samples: Sequence[Sample], responses: Sequence[str], *, config: RewardConfig, **labels: str
) -> list[Record]:
    """A record for each response, its claims matched by `f1` whatever variant `config` names.

    `labels` (model, phase, decoding) are written into each record.
    """
    rollouts = [
        Rollout(response, sample.question, sample.options, sample.kind, sample.events)
        for sample, response in zip(samples, responses, strict=True)
    ]
    measured = run_sync(gated_alignment(rollouts, config=replace(config, variant="f1")))
    return [
        _record(sample, response, one) | labels
        for sample, response, one in zip(samples, responses, measured, strict=True)
    ]


def _record(sample: Sample, response: str, measured: GatedAlignment) -> Record:
    matched = dict(measured.alignment.pairs)
    return {
        **sample.model_dump(mode="json", exclude={"subtitles", "meta"}),
        "response": response,
        "claims": [
            asdict(claim) | {"event": matched.get(index)}
            for index, claim in enumerate(claims(Trace.parse(response).think or ""))
        ],
        "scores": {
            "accuracy": asdict(_accuracy(sample, response)),
            "format": asdict(format_score(response)),
            "consistency": measured.consistency.row(),
            "alignment_f1": asdict(measured.alignment.score),
        },
    }


def _accuracy(sample: Sample, response: str) -> Score:
    if sample.answer is None:
        return Score.abstain("no reference answer")
    return accuracy(response, answer=sample.answer, options=sample.options, kind=sample.kind)


def summarise(records: Iterable[Record], *, seed: int = 0) -> dict[str, Any]:
    """For each metric: mean, 95 % bootstrap interval over responses, and coverage (the share that has a value)."""
    rows = list(records)
    return {
        metric: _interval(bootstrap_mean(values, seed=seed)) | {"coverage": len(values) / len(rows)}
        for metric in METRICS
        if (values := [v for row in rows if (v := value(row, metric)) is not None])
    }


def by_task(records: Iterable[Record], *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """A summary for each task."""
    rows = list(records)
    tasks = sorted({row["task"] for row in rows})
    return {task: summarise([row for row in rows if row["task"] == task], seed=seed) for task in tasks}


def compare(before: Sequence[Record], after: Sequence[Record], *, seed: int = 0) -> dict[str, Any]:
    """The paired difference of each metric, after minus before, over samples where both have a value."""
    old = {row["id"]: row for row in before}
    differences = {}
    for metric in METRICS:
        pairs = [(value(old[row["id"]], metric), value(row, metric)) for row in after]
        both = [(a, b) for a, b in pairs if a is not None and b is not None]
        if both:
            change = paired_difference([b for _, b in both], [a for a, _ in both], seed=seed)
            differences[metric] = _interval(change) | {"n": len(both)}
    return differences


def value(record: Record, metric: str) -> float | None:
    """The value of a metric in a record, None where it abstained or failed."""
    found: float | None = record["scores"][METRICS[metric]]["value"]
    return found


def _interval(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records as JSON Lines; the file appears when it is complete."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    part.replace(path)


def read_records(path: Path) -> list[Record]:
    """The records of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
