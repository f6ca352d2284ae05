"""A record: one response with everything that was measured of it, a line of a run's `records.jsonl`.

What a response needs by itself (accuracy, format, the conclusion by rules) is measured response by response; what is
done for many at once (embedding the sentences of claims) is added to a batch of records.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from videor2.errors import InputError
from videor2.judges import conclude
from videor2.rewards import RewardConfig
from videor2.sample import Sample
from videor2.scores.accuracy import accuracy as accuracy_of
from videor2.scores.alignment import align
from videor2.scores.consistency import NO_REFERENCE, Consistency, Unjudged, right_alike
from videor2.scores.embed import MissingExtra, default_embedder
from videor2.scores.format import format_score
from videor2.scores.grounding import vas_rules
from videor2.scores.score import Score
from videor2.timeline import Claim, Event, claims
from videor2.trace import Trace

log = logging.getLogger(__name__)

Record = dict[str, Any]

NO_EVENTS = Score.abstain("no reference events")
UNALIGNED = Score.abstain("claims were not compared with the events")
RULES = "rules"


def measure(sample: Sample, response: str, *, untagged: bool = False, accuracy: Score | None = None) -> Record:
    """The record of a response, with all that needs no other response: everything but alignment and a model's view.

    untagged: read an answer without tags too, as logs of models that were never asked for tags need it. accuracy: the
    benchmark's own score, where it has one. Who answered, and when, is for the caller to add.
    """
    trace = Trace.parse(response)
    if untagged:
        trace = trace.with_untagged_answer()
    unjudged = Unjudged.read(trace, question=sample.question, options=sample.options, kind=sample.kind)
    found = unjudged.judged(unjudged.request.put_to(conclude) if unjudged.request else None)
    think = trace.think or ""
    return _asked(sample) | {
        "response": response,
        "state": trace.state,
        "words": {"think": len(think.split()), "answer": len((trace.answer or "").split())},
        "claims": [interval(claim) for claim in claims(think)],
        "scores": {
            "accuracy": (accuracy or _accuracy(sample, trace)).row(),
            "format": format_score(trace).row(),
            "consistency": judged(found, RULES),
            "tac_paper": right_alike(found, sample.answer, sample.kind, sample.options).row(),
            "alignment_f1": (UNALIGNED if sample.events else NO_EVENTS).row(),
            "vas_rules": vas_rules(think).row() if think else Score.abstain("no reasoning").row(),
        },
    }


def failed_record(sample: Sample, reason: str) -> Record:
    """The record of a question that a model gave no response to: no score has a value."""
    failed = Score.error(reason).row()
    consistency = failed | {"conclusion": None, "answer": None, "evidence": "", "how": "error", "judge": RULES}
    return _asked(sample) | {
        "response": "",
        "state": "failed",
        "words": {"think": 0, "answer": 0},
        "claims": [],
        "scores": dict.fromkeys(("accuracy", "format", "tac_paper", "alignment_f1"), failed)
        | {"consistency": consistency},
    }


def align_records(records: Sequence[Record], config: RewardConfig | None = None) -> None:
    """Compare the claims of records with their events, in place; all sentences are embedded together.

    The score is `f1` whatever variant `config` names. Each claim gets the index of the event that it matches.
    """
    config = config or RewardConfig()
    todo = [r for r in records if r["events"] and r["scores"]["alignment_f1"]["status"] != "error"]
    rows = [
        ([Claim(**_times(claim)) for claim in record["claims"]], [Event(**_times(event)) for event in record["events"]])
        for record in todo
    ]
    aligned = align(
        rows,
        buffer_s=config.buffer_s,
        threshold=config.threshold,
        max_claim_s=config.max_claim_s,
    )
    for record, one in zip(todo, aligned, strict=True):
        matched = dict(one.pairs)
        record["claims"] = [claim | {"event": matched.get(i)} for i, claim in enumerate(record["claims"])]
        record["scores"]["alignment_f1"] = one.score.row()


def aligned(records: Iterable[Record], *, size: int = 512) -> Iterator[Record]:
    """Records, those with events compared with them, some hundred at a time.

    Where sentences cannot be embedded this is said once, and the records stay as they are.
    """
    able: bool | None = None
    rest = iter(records)
    while chunk := list(islice(rest, size)):
        if able is not False and any(record["events"] for record in chunk):
            able = _can_embed() if able is None else able
            if able:
                align_records(chunk)
        yield from chunk


def score_responses(
    samples: Sequence[Sample], responses: Sequence[str], *, config: RewardConfig, **labels: str
) -> list[Record]:
    """A record for each response, alignment included; `config` says how claims match events.

    `labels` (model, phase, decoding) are written into each.
    """
    records = [measure(sample, response) | labels for sample, response in zip(samples, responses, strict=True)]
    align_records(records, config)
    return records


def judged(found: Consistency, judge: str) -> dict[str, Any]:
    """The consistency of a record: what was found, how, and who said so."""
    return found.row() | {"how": found.conclusion.how, "judge": judge}


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write records as JSON Lines, their number; the file appears when it is complete."""
    part = path.with_suffix(".part")
    count = 0
    with part.open("wb") as file:
        for record in records:
            file.write(line(record))
            count += 1
    part.replace(path)
    return count


def line(record: Record) -> bytes:
    """A record as a line of JSON. Half a surrogate pair, which no UTF-8 can hold, becomes a question mark."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def iterate_records(path: Path) -> Iterator[Record]:
    """The records of a file, one at a time. Raises `InputError` at a row that is no record."""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                record = json.loads(text)
            except ValueError as error:
                raise InputError(
                    f"{path}: row {number}: not JSON ({error}); was the run cut off? Run it again"
                ) from None
            if not isinstance(record, dict) or not isinstance(record.get("scores"), dict):
                raise InputError(f"{path}: row {number}: no record: it has no `scores`")
            yield record


def read_records(path: Path) -> list[Record]:
    """All records of a file, in memory."""
    return list(iterate_records(path))


def _asked(sample: Sample) -> Record:
    """What a record says of its question."""
    return {
        "id": sample.id,
        "question": sample.question,
        "options": list(sample.options),
        "answer": sample.answer,
        "kind": sample.kind,
        "video": sample.video,
        "duration_s": sample.duration_s,
        "events": [interval(event) for event in sample.events],
        "benchmark": sample.benchmark,
        "task": sample.task,
    }


def _can_embed() -> bool:
    try:
        default_embedder()
    except MissingExtra as error:
        log.warning("claims are not compared with events: %s", error)
        return False
    return True


def _accuracy(sample: Sample, trace: Trace) -> Score:
    if sample.answer is None:
        return NO_REFERENCE
    return accuracy_of(trace, answer=sample.answer, options=sample.options, kind=sample.kind)


def interval(of: Claim | Event) -> dict[str, Any]:
    """A claim or an event as a record has it."""
    return {"start_s": of.start_s, "end_s": of.end_s, "sentence": of.sentence}


def _times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("start_s", "end_s", "sentence")}
