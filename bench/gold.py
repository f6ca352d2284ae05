"""The embedded judge against careful readers: what it concludes, and whether it calls a response consistent.

Reads labelled traces, one JSON object a line: `response`, `question`, `options`, and `labels` with `think_conclusion`
(a letter, a number, a text, NONE or AMBIGUOUS), `consistent` (true, false, null) and `polarity_note` ("least" where
the question asks for what holds least). Three figures, each with its 95 % Wilson interval:

- of the conclusions that the judge determines, the share that is right;
- of the reasonings that have a conclusion, the share where it determines one;
- of the rows labelled true or false, the share whose verdict is that one; undetermined counts as wrong. Beside it
  the same among the rows with a verdict.

A conclusion in words has no canonical value: where the label is a text, ours is right if both are alike (rapidfuzz
token set ratio) or the verdict that it led to is.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rapidfuzz import fuzz

from videor2.answers import normalise_text
from videor2.scores.consistency import Consistency, consistency

GOLD = Path(__file__).parents[2] / "shared" / "data" / "gold"
ALIKE = 85.0
Z = 1.959964
OPEN_LABELS = ("NONE", "AMBIGUOUS")
VERDICTS = ("true", "false", "undetermined")

Verdict = Literal["true", "false", "undetermined"]
Found = Literal["right", "wrong", "undetermined"]


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled trace beside what the judge says of it."""

    id: str
    concluded: str
    """The labelled conclusion; NONE and AMBIGUOUS where there is none."""
    consistent: bool | None
    least: bool
    ours: Consistency

    @property
    def verdict(self) -> Verdict:
        value = self.ours.score.value
        return "undetermined" if value is None else "true" if value else "false"

    @property
    def found(self) -> Found:
        value = self.ours.conclusion.value
        if value is None:
            return "undetermined"
        if self.concluded in OPEN_LABELS:
            return "wrong"
        right = str(value) == self.concluded or (value.kind == "text" and self._alike(value.canonical))
        return "right" if right else "wrong"

    @property
    def agrees(self) -> bool:
        """Whether the verdict is the labelled one."""
        return self.verdict == _name(self.consistent)

    def _alike(self, text: str) -> bool:
        return fuzz.token_set_ratio(text, normalise_text(self.concluded)) >= ALIKE or (
            self.consistent is not None and self.agrees
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its counts."""

    hits: int
    n: int

    def as_json(self) -> dict[str, float | int | None]:
        """Counts, share and Wilson interval; the shares are None where n is 0."""
        if not self.n:
            return {"hits": 0, "n": 0, "share": None, "low": None, "high": None}
        low, high = self.interval()
        return {"hits": self.hits, "n": self.n, "share": self.hits / self.n, "low": low, "high": high}

    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval: sound for few rows and for shares near 1."""
        p, n = self.hits / self.n, self.n
        middle, half = p + Z**2 / (2 * n), Z * (p * (1 - p) / n + Z**2 / (4 * n**2)) ** 0.5
        return max(0.0, (middle - half) / (1 + Z**2 / n)), min(1.0, (middle + half) / (1 + Z**2 / n))

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = self.interval()
        return f"{self.hits}/{self.n} = {100 * self.hits / self.n:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def read(path: Path) -> list[Row]:
    """Judge every labelled trace of a file."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            labels = row["labels"]
            judged = consistency(row["response"], question=row["question"], options=row["options"])
            rows.append(
                Row(
                    id=row["id"],
                    concluded=str(labels["think_conclusion"]),
                    consistent=labels["consistent"],
                    least=labels.get("polarity_note") == "least",
                    ours=judged,
                )
            )
        except (json.JSONDecodeError, KeyError) as error:
            raise SystemExit(f"{path}, line {number}: not a labelled trace ({error!r})") from error
    return rows


def figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """The three figures, and the third among the rows with a verdict."""
    determined = [row for row in rows if row.found != "undetermined"]
    concluding = [row for row in rows if row.concluded not in OPEN_LABELS]
    labelled = [row for row in rows if row.consistent is not None]
    judged = [row for row in labelled if row.verdict != "undetermined"]
    return {
        "conclusion_right": Figure(sum(row.found == "right" for row in determined), len(determined)),
        "coverage": Figure(sum(row.found != "undetermined" for row in concluding), len(concluding)),
        "consistent_right": Figure(sum(row.agrees for row in labelled), len(labelled)),
        "consistent_right_where_judged": Figure(sum(row.agrees for row in judged), len(judged)),
    }


def report(name: str, rows: Sequence[Row]) -> None:
    """Print the figures and both tables of some rows."""
    print(f"{name}: {len(rows)} rows")
    for figure, value in figures(rows).items():
        print(f"  {figure.replace('_', ' '):<31}{value}")
    found: Counter[tuple[str, str]] = Counter(
        (row.concluded if row.concluded in OPEN_LABELS else "concludes", row.found) for row in rows
    )
    _table("conclusion", ("concludes", *OPEN_LABELS), ("right", "wrong", "undetermined"), found)
    verdicts: Counter[tuple[str, str]] = Counter((_name(row.consistent), row.verdict) for row in rows)
    _table("consistent", VERDICTS, VERDICTS, verdicts)


def _table(title: str, labels: Iterable[str], ours: Sequence[str], counts: Counter[tuple[str, str]]) -> None:
    print(f"  {title + ': label, ours':<31}" + "".join(f"{column:>14}" for column in ours))
    for label in labels:
        print(f"  {label:<31}" + "".join(f"{counts[label, column]:>14}" for column in ours))


def show_errors(rows: Iterable[Row]) -> None:
    """Print every row where the conclusion or the verdict is not the labelled one."""
    for row in rows:
        missed = row.found == "undetermined" and row.concluded not in OPEN_LABELS
        if row.found != "wrong" and not missed and row.agrees:
            continue
        ours = row.ours.conclusion
        left_open = f" ({' or '.join(ours.candidates)})" if ours.candidates else ""
        print(f"{row.id}: {row.concluded[:40]}, {_name(row.consistent)}; ours {ours.value}{left_open}, {row.verdict}")
        print(f"    {ours.how}: {' '.join(ours.evidence.split())[:160]}")


def _name(consistent: bool | None) -> Verdict:
    return "undetermined" if consistent is None else "true" if consistent else "false"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", type=Path, help=f"labelled traces (default {GOLD}/*.jsonl)")
    parser.add_argument("--errors", action="store_true", help="list the rows that are not as labelled")
    parser.add_argument("--quick", action="store_true", help="no effect: it takes a second")
    args = parser.parse_args()
    files: list[Path] = args.files or sorted(GOLD.glob("*.jsonl"))
    if not files:
        sys.exit(f"{GOLD}: no *.jsonl there; name files of labelled traces")
    if missing := [str(path) for path in files if not path.is_file()]:
        sys.exit(f"{', '.join(missing)}: no such file; name files of labelled traces")
    parts = {path.stem: read(path) for path in files}
    rows = [row for part in parts.values() for row in part]
    groups = {**parts, "together": rows} if len(parts) > 1 else dict(parts)
    groups |= {"least": [row for row in rows if row.least], "plain": [row for row in rows if not row.least]}
    for name, group in groups.items():
        report(name, group)
    if args.errors:
        show_errors(rows)
    whole = {name: {key: value.as_json() for key, value in figures(group).items()} for name, group in groups.items()}
    print(json.dumps(whole))


if __name__ == "__main__":
    main()
