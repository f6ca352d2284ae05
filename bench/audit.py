"""An audit by rules over 100,000 responses: rows a second with one process and with two, and peak memory.

The log is JSON Lines made by repeating real traces (those of `--traces`, else reasoning written by the synthetic world)
with changes: other numbers, other letters, other names, so that no two responses are equal. Each audit is a process of
its own; seconds are those of the scoring, from the first row read to the last record written, and of the whole command
with its report. Memory is the sum of the resident pages of the process and its workers, sampled ten times a second.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

ROWS, QUICK = 100_000, 6_000
TRACES = Path(__file__).parents[1].parent / "shared" / "data" / "traces" / "video-r1-derived"
AUDIT = """
import json, sys, time
from pathlib import Path
from videor2.audit import AuditSettings, audit
import videor2.audit.run as run
seconds = {}
scored = run.score_logs
def timed(*arguments, **settings):
    started = time.perf_counter()
    found = scored(*arguments, **settings)
    seconds["scoring"] = time.perf_counter() - started
    return found
if __name__ == "__main__":
    run.score_logs = timed
    started = time.perf_counter()
    summary = audit([sys.argv[1]], Path(sys.argv[2]), AuditSettings(workers=int(sys.argv[3])))
    assert "torch" not in sys.modules
    print(json.dumps({"n": summary["n"], "scoring_s": seconds["scoring"], "whole_s": time.perf_counter() - started}))
"""


def real_rows(folder: Path) -> list[dict]:
    """Questions with options and a response, from Video-R1's result files."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        results = content.get("questions") or content.get("results") if isinstance(content, dict) else []
        for row in results if isinstance(results, list) else []:
            response = row.get("model_response") or row.get("output")
            if response:
                options = row.get("options") or []
                rows.append(
                    {"question": row["problem"], "options": options, "answer": row["solution"], "response": response}
                )
    return rows


def own_rows() -> list[dict]:
    """The same from the synthetic world, for who has no traces."""
    from videor2.data.examples import read_examples
    from videor2.synth.build import SynthConfig, build

    with tempfile.TemporaryDirectory() as folder:
        path = build(SynthConfig("train", 200, seed=0, questions=3, mix="distilled", words=True), Path(folder))
        examples = read_examples(path)
    return [
        {
            "question": example.sample.question,
            "options": list(example.sample.options),
            "answer": example.sample.answer,
            "response": example.response,
        }
        for example in examples
    ]


def changed(rows: list[dict], n: int, seed: int) -> Iterator[dict]:
    """n rows: the real ones over and over, with numbers moved, names swapped and a sentence put in front."""
    rng = random.Random(seed)
    names = ["Jessica", "Michael", "Sarah", "Mary", "John", "Ethan", "Kevin", "Ava"]
    for i in range(n):
        row = rows[i % len(rows)]
        swap = dict(zip(names, rng.sample(names, len(names)), strict=True))
        pattern = re.compile("|".join(names) + r"|(?<=\s)\d{2,3}(?=\s)")

        def other(match: re.Match[str], swap: dict = swap) -> str:
            return swap.get(match[0]) or str(int(match[0]) + rng.randrange(5))

        said = pattern.sub(other, row["response"]).replace("<think>", f"<think>Take {i}, seen anew.\n", 1)
        yield row | {"id": str(i), "response": said}


def measure(log: Path, workers: int) -> dict:
    """One audit in a process of its own: seconds, and peak memory with its workers."""
    with tempfile.TemporaryDirectory() as out:
        script = Path(out) / "audit_once.py"
        script.write_text(AUDIT, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, str(script), str(log), str(Path(out) / "run"), str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.1)
        output = process.stdout.read() if process.stdout else ""
        if process.returncode:
            sys.exit(f"the audit ended with code {process.returncode}")
        return json.loads(output.splitlines()[-1]) | {"rss_mb": peak / 2**20}


def resident(pid: int) -> int:
    """Bytes of the process and all below it."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} rows instead of {ROWS:,}")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--traces", type=Path, default=TRACES, help="a folder of Video-R1 result files")
    arguments = parser.parse_args()
    rows = real_rows(arguments.traces) if arguments.traces.is_dir() else own_rows()
    n = QUICK if arguments.quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "responses.jsonl"
        with log.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in changed(rows, n, seed=0))
        size = log.stat().st_size
        found: dict[int, list[dict]] = {1: [], 2: []}
        for _ in range(arguments.rounds):
            for workers, runs in found.items():
                runs.append(measure(log, workers))
                print(f"{workers} worker(s): {runs[-1]}", file=sys.stderr)
    rate = {workers: median(n / one["scoring_s"] for one in runs) for workers, runs in found.items()}
    print(
        json.dumps(
            {
                "rows": n,
                "characters_per_row": round(size / n),
                "rows_per_s_1": round(rate[1]),
                "rows_per_s_2": round(rate[2]),
                "workers_ratio": round(rate[2] / rate[1], 2),
                "whole_s_1": round(median(one["whole_s"] for one in found[1]), 1),
                "whole_s_2": round(median(one["whole_s"] for one in found[2]), 1),
                "peak_rss_mb": round(max(one["rss_mb"] for one in found[1])),
                "peak_rss_mb_2": round(max(one["rss_mb"] for one in found[2])),
            }
        )
    )


if __name__ == "__main__":
    main()
