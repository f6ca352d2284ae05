"""Run directories of audits: from real traces, and synthetic ones of any size."""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from videor2.benchmarks.names import GENERIC, REASONING
from videor2.records import measure
from videor2.sample import Sample
from videor2.summary import METRICS, Tally, summarise_runs, verdict

Record = dict[str, Any]

SAID = """the man in red walks over to a table and then picks up his cup while someone behind him turns around so that
we can see what he was looking at before the ball rolls off and the dog jumps after it"""
WORDS = SAID.split()
STATES = ("ok",) * 17 + ("unclosed_think", "no_think", "repeated")


def real_records(path: Path, run: str, n: int, *, first: int = 0) -> list[Record]:
    """Records of the first rows of a file of real traces in Video-R1's format."""
    rows = json.loads(path.read_text(encoding="utf-8"))["questions"][first : first + n]
    records = []
    for number, row in enumerate(rows, start=1):
        sample = Sample(
            id=str(row["problem_id"]),
            question=row["problem"],
            options=tuple(option[3:] for option in row["options"]),
            answer=row["solution"],
            video=row["path"],
            benchmark="MuMA-ToM",
            task="belief" if "believed" in row["options"][0] else "goal",
        )
        record = measure(sample, row["model_response"]) | {"model": run, "log": {"file": path.name, "row": number}}
        records.append(record)
    return records


def synthetic_records(n: int, run: str = "run-a", *, seed: int = 0, clip: str = "") -> Iterator[Record]:
    """Records of about 1.5 KB each, over all benchmarks, with every verdict and several states."""
    rng = random.Random(f"{seed} {run}")
    benchmarks = (*GENERIC, *REASONING)
    for i in range(n):
        said = [" ".join(rng.choices(WORDS, k=14)) for _ in range(9)]
        at = sorted(rng.randrange(60) for _ in range(3))
        conclusion, answer = (rng.choice("ABBB") for _ in range(2))
        state = rng.choice(STATES)
        closing = f"So the answer is {conclusion}."
        reasoning = " ".join(
            f"At 00:{at[k]:02d} {words}." if k < 3 else f"{words.capitalize()}." for k, words in enumerate(said)
        )
        unsure = rng.random() < 0.1
        think = reasoning if unsure else f"{reasoning} {closing}"
        response = {
            "unclosed_think": f"<think>{think}",
            "no_think": f"<answer>{answer}</answer>",
            "repeated": f"<think>{think}</think><think>{closing}</think><answer>{answer}</answer>",
        }.get(state, f"<think>{think}</think>\n<answer>{answer}</answer>")
        judged = state in ("ok", "repeated") and not unsure
        detail = f"concludes {conclusion}, answers {answer}" if judged else "the reasoning concludes nothing"
        value = float(conclusion == answer) if judged else None
        claims = [{"start_s": float(t), "end_s": float(t), "sentence": said[k]} for k, t in enumerate(at)]
        cut, silent = state == "unclosed_think", state == "no_think"
        benchmark = benchmarks[i % len(benchmarks)]
        yield {
            "id": str(i),
            "benchmark": benchmark,
            "task": f"task {i % 3}",
            "question": f"Question {i}: what happens after {' '.join(rng.choices(WORDS, k=9))}?",
            "options": [" ".join(rng.choices(WORDS, k=5)) for _ in range(4)],
            "answer": "B",
            "kind": "choice",
            "video": clip or f"{benchmark}/{i // 3}.mp4",
            "duration_s": 60.0,
            "events": [],
            "response": response,
            "model": run,
            "log": {"file": f"logs/{run}.jsonl", "row": i + 1},
            "state": state,
            "words": {"think": 0 if silent else len(think.split()), "answer": 0 if cut else 1},
            "claims": [] if silent else claims,
            "scores": {
                "accuracy": score(None, "abstain", "no answer") if cut else score(float(answer == "B")),
                "format": score(float(state == "ok")),
                "alignment_f1": score(None, "abstain", "no reference events"),
                "vas": score(rng.randrange(11) / 10),
                "vas_rules": score(rng.randrange(11) / 10),
                "consistency": {
                    **score(value, "ok" if judged else "abstain", detail),
                    "conclusion": conclusion if judged else None,
                    "answer": None if cut else answer,
                    "evidence": closing if judged else "",
                    "how": "explicit_choice" if judged else "undetermined",
                    "judge": "rules",
                },
            },
        }


def score(value: float | None, status: str = "ok", detail: str = "") -> Record:
    return {"value": value, "status": status, "detail": detail}


def write_audit(folder: Path, records: Iterable[Record], *, quick: bool = False, **more: Any) -> Path:
    """A run directory; `quick` leaves out intervals, which take long for many records."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    tallies: dict[str, dict[str, Any]] = {}
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")
            if quick:
                _count(tallies, record)
            else:
                kept.append(record)
    summary = _quick_summary(tallies) if quick else summarise_runs(kept)
    info = {
        "command": "audit",
        "version": "0.1.0",
        "started": "2026-03-09T14:03:11+00:00",
        "settings": {"judge": "rules"},
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps(summary | more), encoding="utf-8")
    return folder


def _count(tallies: dict[str, dict[str, Any]], record: Record) -> None:
    run = tallies.setdefault(record["model"], {"whole": Tally(), "parts": {}, "states": {}, "consistency": {}})
    run["whole"].add(record)
    run["parts"].setdefault(record["benchmark"], Tally()).add(record)
    for key, value in (("states", record["state"]), ("consistency", verdict(record))):
        run[key][value] = run[key].get(value, 0) + 1


def _quick_summary(tallies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def metrics(tally: Tally) -> dict[str, Any]:
        values = {name: tally.values(name) for name in METRICS}
        return {
            name: {"mean": float(v.mean()), "low": None, "high": None, "coverage": len(v) / tally.n}
            for name, v in values.items()
            if len(v)
        }

    runs = {
        name: {
            "n": run["whole"].n,
            "metrics": metrics(run["whole"]),
            "by_benchmark": {b: {"n": t.n, "metrics": metrics(t), "by_task": {}} for b, t in run["parts"].items()},
            "macro": {},
            "states": run["states"],
            "consistency": run["consistency"],
            "words": {"mean": 130, "median": 130, "p95": 140},
            "judged_by": {"rules": run["whole"].n},
        }
        for name, run in tallies.items()
    }
    return {"n": sum(run["n"] for run in runs.values()), "runs": runs, "comparisons": []}
