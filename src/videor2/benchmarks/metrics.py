"""The official metrics of the benchmarks: one row's score, and the means over rows, tasks and groups of rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np

from videor2.answers import letter_of, same
from videor2.benchmarks.prompts import Style
from videor2.numerals import read_number
from videor2.sample import Sample
from videor2.scores.score import Score
from videor2.trace import Trace

MRA_TOLERANCES = 1.0 - np.linspace(0.5, 0.95, 10)
"""Relative errors that still count at the ten confidences .50, .55, ... .95 of VSI-Bench (arXiv 2412.14171)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A row of a run as a summary needs it."""

    id: str
    task: str
    kind: str
    meta: Mapping[str, Any]
    score: Score

    @classmethod
    def of(cls, row: Sample | Mapping[str, Any], score: Score) -> "Scored":
        """From a sample, or from a record of a run, which carries the fields of its sample."""
        fields: Mapping[str, Any] = row.model_dump() if isinstance(row, Sample) else row
        return cls(fields["id"], fields.get("task", ""), fields.get("kind", "choice"), fields.get("meta") or {}, score)


Headline = Callable[[Sequence[Scored]], float | None]


def given_answer(response: str, style: Style) -> tuple[str | None, str]:
    """What a response answers and, where it does not, why.

    A response that was asked for directly may be nothing but the answer; with reasoning asked for, what stands
    outside the tags is none.

    >>> given_answer("<think>red</think><answer>B</answer>", "think"), given_answer("B", "direct")
    (('B', ''), ('B', ''))
    >>> given_answer("It may be B, or", "think")
    (None, 'no answer (no_think)')
    """
    trace = Trace.parse(response)
    if trace.answer is None and style == "direct" and trace.think is None and response.strip():
        return response.strip(), ""
    return trace.answer, "" if trace.answer is not None else f"no answer ({trace.state})"


def right(sample: Sample, response: str, style: Style = "think", *, decimals: int | None = None) -> Score:
    """1 where the answer is the reference's value, else 0; never a part of 1.

    Letters count as letters or as the option's text, and so do `meta["also_right"]`, the letters of options with
    the same text; numbers by value, rounded to `decimals` where given; texts by their words. `meta["accepted"]` are
    further right answers.
    """
    answer, why = given_answer(response, style)
    if not sample.answer:
        return Score.abstain("no reference answer")
    if answer is None:
        return Score.ok(0.0, why)
    if sample.kind == "choice":
        letters = _letters(answer, sample.options)
        is_right = bool(letters & {sample.answer, *sample.meta.get("also_right", ())})
        return Score.ok(is_right, f"{' or '.join(sorted(letters)) or repr(answer[:40])} against {sample.answer}")
    accepted = (sample.answer, *sample.meta.get("accepted", ()))
    if sample.kind in ("number", "regression"):
        is_right = any(_same_number(answer, gold, decimals) for gold in accepted)
    else:
        is_right = any(same(answer, gold, kind="text") for gold in accepted)
    return Score.ok(is_right, f"{answer[:40]!r} against {sample.answer[:40]!r}")


def _letters(answer: str, options: Sequence[str]) -> set[str]:
    """The letter that an answer gives, or those of the options whose text it repeats to the character."""
    if len(answer.strip("(). ")) > 1:
        repeated = {ascii_uppercase[i] for i, option in enumerate(options) if option.strip() == answer.strip()}
        if repeated:
            return repeated
    letter = letter_of(answer, options)
    return {letter} if letter else set()


def _same_number(answer: str, gold: str, decimals: int | None) -> bool:
    a, b = read_number(answer), read_number(gold)
    if a is None or b is None:
        return False
    return a == b or (decimals is not None and round(a, decimals) == round(b, decimals))


def relative_accuracy(sample: Sample, response: str, style: Style = "think") -> Score:
    """MRA: the share of the ten confidences whose tolerance holds the relative error (VSI-Bench, arXiv 2412.14171).

    In the floating point of the official code, ties included.

    >>> sample = Sample(id="1", question="How many chairs?", answer="5", kind="regression")
    >>> [relative_accuracy(sample, a, "direct").value for a in ("5", "4.75", "4.5", "2", "1000")]
    [1.0, 1.0, 0.9, 0.0, 0.0]
    """
    answer, why = given_answer(response, style)
    reference = read_number(sample.answer or "")
    if not reference:
        return Score.abstain(f"MRA needs a reference that is a number other than 0, not {sample.answer!r}")
    given = read_number(answer) if answer is not None else None
    if given is None:
        return Score.ok(0.0, why or f"{answer[:40] if answer else ''!r} is no number")
    try:
        error = abs(float(given) - float(reference)) / abs(float(reference))
    except OverflowError:
        error = float("inf")
    return Score.ok(float((error <= MRA_TOLERANCES).mean()), f"relative error {error:.3g}")


def judged(reason: str) -> Callable[[Sample, str, Style], Score]:
    """A score that abstains: the official metric is a judgement that no rule replaces."""
    return lambda sample, response, style: Score.abstain(reason)


def mean_of_rows(rows: Sequence[Scored]) -> float | None:
    """Mean over the rows that have a value; None where none has."""
    values = [row.score.value for row in rows if row.score.value is not None]
    return sum(values) / len(values) if values else None


def mean_of_tasks(rows: Sequence[Scored]) -> float | None:
    """Mean over tasks of the mean over their rows; over rows where no task is known."""
    return _mean([mean_of_rows(group) for group in grouped(rows, lambda row: row.task).values()])


def mean_of_groups(rows: Sequence[Scored], key: str) -> float | None:
    """Share of groups (rows of equal `meta[key]`) in which every row is right; groups not fully scored are left out."""
    groups = grouped(rows, lambda row: row.meta.get(key, row.id)).values()
    whole = [[row.score.value for row in group] for group in groups]
    return _mean([float(all(v == 1.0 for v in values)) for values in whole if None not in values])


def grouped(rows: Iterable[Scored], key: Callable[[Scored], Any]) -> dict[str, list[Scored]]:
    """Rows by key, in order of appearance; rows without one (None, "") are in none where others have one."""
    groups: dict[str, list[Scored]] = {}
    for row in rows:
        groups.setdefault(str(key(row) if key(row) is not None else ""), []).append(row)
    if len(groups) > 1:
        groups.pop("", None)
    return groups


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
