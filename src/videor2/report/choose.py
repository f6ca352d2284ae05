"""Choose the samples that a report shows, by a fixed rule that flatters nobody.

The samples are shared out between the kinds of outcome (better, no change, worse) in proportion to how many
questions each has, and none that occurs is left out. Within a kind, the task shown least so far comes first,
then the clip shown least so far, then the order of the ids' SHA-256: nobody chose it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from videor2.report.run import Row, Run

PHASES: Final = ("before", "after")
COMPARED: Final = {"accuracy": "accuracy", "consistency": "agreement", "alignment_f1": "alignment"}
"""The scores that tell better from worse, the weightiest first; the next counts where one is equal or missing."""

KINDS: Final = ("better", "no change", "worse")
SINGLE_KINDS: Final = ("right", "partly right", "wrong", "reasoning disagrees", "not scored")


@dataclass(frozen=True, slots=True)
class Case:
    """A question's responses, in the order of the phases, and what kind of outcome it is; `why` names the score."""

    rows: tuple[Row, ...]
    kind: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen cases in the order of their kinds, and for each kind how many are shown of how many."""

    cases: tuple[Case, ...]
    shown: Mapping[str, tuple[int, int]]
    compared: bool
    decoding: str


def choose(run: Run, samples: int) -> Choice:
    """At most `samples` cases of a run: greedy responses where there are some, else the first of each question."""
    greedy = [row for row in run.rows if row.decoding in (None, "greedy")]
    cases = _cases(greedy or run.rows)
    compared = any(len(case.rows) == len(PHASES) for case in cases)
    if compared:
        cases = [case for case in cases if len(case.rows) == len(PHASES)]
    kinds = KINDS if compared else SINGLE_KINDS
    totals = {kind: total for kind in kinds if (total := sum(case.kind == kind for case in cases))}
    quota = share_out(totals, samples)
    chosen = _pick(cases, quota)
    shown = {kind: (quota[kind], total) for kind, total in totals.items()}
    decodings = {row.decoding or "" for case in cases for row in case.rows}
    return Choice(tuple(chosen), shown, compared, decodings.pop() if len(decodings) == 1 else "")


def share_out(totals: Mapping[str, int], seats: int) -> dict[str, int]:
    """Seats for each kind: one each, the rarest first, then by the highest averages (D'Hondt).

    >>> share_out({"better": 60, "no change": 38, "worse": 2}, 12)
    {'better': 7, 'no change': 4, 'worse': 1}
    """
    given = dict.fromkeys(totals, 0)
    for kind in sorted(totals, key=lambda kind: totals[kind])[:seats]:
        given[kind] = min(1, totals[kind])
    while sum(given.values()) < min(seats, sum(totals.values())):
        open_kinds = [kind for kind in totals if given[kind] < totals[kind]]
        given[max(open_kinds, key=lambda kind: totals[kind] / (given[kind] + 1))] += 1
    return given


def _cases(rows: Iterable[Row]) -> list[Case]:
    """One case a question; of several responses in the same phase, the first."""
    questions: dict[tuple[str, str], dict[str | None, Row]] = {}
    for row in rows:
        questions.setdefault((row.benchmark, row.id), {}).setdefault(row.phase, row)
    cases = []
    for phases in questions.values():
        if phases.keys() >= set(PHASES):
            before, after = (phases[phase] for phase in PHASES)
            cases.append(Case((before, after), *_change(before, after)))
        else:
            row = next(iter(phases.values()))
            cases.append(Case((row,), _single(row)))
    return cases


def _change(before: Row, after: Row) -> tuple[str, str]:
    for field, name in COMPARED.items():
        old, new = getattr(before, field), getattr(after, field)
        if old is not None and new is not None and abs(new - old) > 1e-9:
            return ("better" if new > old else "worse"), name
    return "no change", ""


def _single(row: Row) -> str:
    if row.consistency is not None and row.consistency < 0.5:
        return "reasoning disagrees"
    if row.accuracy is None:
        return "not scored"
    return "right" if row.accuracy >= 1 else "partly right" if row.accuracy > 0 else "wrong"


def _pick(cases: Sequence[Case], quota: Mapping[str, int]) -> list[Case]:
    """Fill the quota, scarce kinds first so that they have the freest choice of tasks; give in the order of kinds."""
    tasks: Counter[tuple[str, str]] = Counter()
    videos: Counter[str] = Counter()
    digests = {id(case): hashlib.sha256(case.rows[0].id.encode("utf-8", "replace")).hexdigest() for case in cases}
    picked: dict[str, list[Case]] = {}
    for kind in sorted(quota, key=lambda kind: quota[kind]):
        left = [case for case in cases if case.kind == kind]
        for _ in range(quota[kind]):

            def order(case: Case) -> tuple[int, int, str]:
                row = case.rows[0]
                return tasks[row.benchmark, row.task], videos[row.video], digests[id(case)]

            case = min(left, key=order)
            left.remove(case)
            tasks[case.rows[0].benchmark, case.rows[0].task] += 1
            videos[case.rows[0].video] += 1
            picked.setdefault(kind, []).append(case)
    return [case for kind in quota for case in picked.get(kind, ())]
