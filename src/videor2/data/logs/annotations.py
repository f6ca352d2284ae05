"""Annotations: what a data set knows of its questions, joined to the responses of a log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from videor2.answers import letter_of, normalise_text
from videor2.data.logs import rows
from videor2.data.logs.detect import open_rows
from videor2.data.logs.log import parse
from videor2.data.logs.logged import KEYS, Logged, Record, Source, logged
from videor2.data.logs.values import BadRow
from videor2.errors import InputError
from videor2.sample import Sample

ROW = "row"
"""The key of lmms-eval's `doc_id`: the number of the question in its data set, from 0."""
QUESTION = "question"
"""The key where no id fits: the question's words, and the video where several ask the same."""

_TELLING = [name for known in ("question", "answer", "events") for name in rows.NAMES[known]]
"""One of these is in every row of annotations."""

_REPEAT = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Annotations:
    """Questions with answers, options, events; found by their ids or their words."""

    path: Path
    samples: tuple[Sample | None, ...]
    """By the number of their row; None for one that cannot be used."""
    key: str | None = None
    """The one field to join on, where the user said so."""
    by_key: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Field, its value, number of the sample. Values that are not unique are left out."""
    by_question: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    bad: tuple[tuple[int, str], ...] = ()
    """Rows that cannot be used, from 1, and why; whoever joins says so."""

    @classmethod
    def load(cls, path: Path | str, *, key: str | None = None) -> "Annotations":
        """Read a JSON list or object by id, JSON Lines, CSV, Excel or Parquet file.

        Raises InputError, naming the file, where it cannot be read, has no row that can be used, or no field `key`.
        """
        path = Path(path)
        samples: list[Sample | None] = []
        bad: list[tuple[int, str]] = []
        by_key: dict[str, dict[str, int]] = {}
        repeated: set[tuple[str, str]] = set()
        by_question: dict[str, list[int]] = {}
        record: Record = {}
        for number, raw in open_rows(path, _TELLING).rows():
            index = len(samples)
            samples.append(None)
            try:
                record = _record(raw)
                sample = _sample(path, number, record)
            except BadRow as error:
                bad.append((number, str(error)))
                continue
            samples[index] = sample
            for name in {key} if key else KEYS:
                value = record.get(name)
                if isinstance(value, (str, int)):
                    known = by_key.setdefault(name, {})
                    if known.setdefault(str(value), index) != index:
                        repeated.add((name, str(value)))
            if sample.question:
                by_question.setdefault(_words(sample.question), []).append(index)
        if len(bad) == len(samples):
            raise InputError(f"{path}: no annotations in it" + (f"; row {bad[0][0]}: {bad[0][1]}" if bad else ""))
        if key and key not in by_key:
            raise InputError(f"{path}: no field `{key}` to join on; found: {rows.found(record)}")
        for name, value in repeated:
            del by_key[name][value]
        return cls(
            path, tuple(samples), key, by_key, {text: tuple(ids) for text, ids in by_question.items()}, tuple(bad)
        )

    def __len__(self) -> int:
        return len(self.samples) - len(self.bad)

    def examples(self, n: int = 3) -> dict[str, tuple[str, ...]]:
        """The first values of each field that can be joined on, for a message where few rows were."""
        return {name: tuple(known)[:n] for name, known in self.by_key.items()}

    def find(self, logged: Logged) -> tuple[Sample, str] | None:
        """The annotation of a response and the key by which it was found, None where there is none.

        A field of the same name goes first, then every id of the response against every field, `ROW`, `QUESTION`.
        Ids of two numberings can be equal by chance, so where both sides have a question it must be the same.
        """
        sample = logged.sample
        meta = sample.meta
        ids = {name: str(meta[name]) for name in KEYS if name in meta}
        if self.key:
            tries = [
                (self.key, value) for value in (str(meta.get(self.key)), _REPEAT.sub("", sample.id), *ids.values())
            ]
        else:
            names = [name for name in KEYS if name in self.by_key]
            tries = [(name, ids[name]) for name in names if name in ids]
            tries += [(name, value) for name in names for value in ids.values()]
        for name, value in tries:
            index = self.by_key.get(name, {}).get(value)
            found = None if index is None else self.samples[index]
            if found and (self.key or _same_question(sample, found)):
                return found, name
        if self.key:
            return None
        number: Any = meta.get("doc_id")
        found = self.samples[number] if isinstance(number, int) and 0 <= number < len(self.samples) else None
        if found and _same_question(sample, found):
            return found, ROW
        return self._by_question(sample)

    def _by_question(self, sample: Sample) -> tuple[Sample, str] | None:
        indices = self.by_question.get(_words(sample.question), ()) if sample.question else ()
        alike = [one for one in map(self.samples.__getitem__, indices) if one]
        if len(alike) > 1:
            alike = [one for one in alike if _stem(one.video) == _stem(sample.video)]
        return (alike[0], QUESTION) if len(alike) == 1 else None

    def join(self, logged: Logged) -> Logged | None:
        """The response with what the log leaves open filled in; None where no annotation belongs to it.

        What the log says wins. The key is noted in the sample's `meta` as `joined_on`.
        """
        found = self.find(logged)
        if found is None:
            return None
        ours, theirs = logged.sample, found[0]
        options = ours.options or (theirs.options if _letter_fits(ours, theirs) else ())
        answer, kind = ours.answer, ours.kind
        if answer is None:
            answer, kind = _answer_under(options, theirs)
        elif options and not ours.options:
            answer, kind = letter_of(answer, options), "choice"
        return replace(
            logged,
            sample=Sample(
                id=ours.id,
                question=ours.question or theirs.question,
                options=options,
                answer=answer,
                kind=kind,
                video=ours.video or theirs.video,
                subtitles=ours.subtitles or theirs.subtitles,
                duration_s=ours.duration_s if ours.duration_s is not None else theirs.duration_s,
                events=ours.events or theirs.events,
                benchmark=ours.benchmark or theirs.benchmark,
                task=ours.task or theirs.task,
                meta={**ours.meta, "joined_on": found[1]},
            ),
        )


def _answer_under(options: tuple[str, ...], theirs: Sample) -> tuple[str | None, Any]:
    """The annotation's answer as a letter of these options, which may be in another order than its own."""
    if theirs.answer is None or theirs.kind != "choice" or not options or options == theirs.options:
        return theirs.answer, theirs.kind
    if not theirs.options:
        return letter_of(theirs.answer, options), "choice"
    index = ord(theirs.answer) - ord("A")
    text = theirs.options[index] if index < len(theirs.options) else ""
    return letter_of(text, options), "choice"


def _letter_fits(ours: Sample, theirs: Sample) -> bool:
    return ours.answer is None or letter_of(ours.answer, theirs.options) is not None


def _same_question(a: Sample, b: Sample) -> bool:
    """Whether two questions may be one: the same words, or all of one within the other's prompt."""
    if not a.question or not b.question:
        return True
    ours, theirs = _words(a.question), _words(b.question)
    return ours == theirs or theirs in ours or ours in theirs


@lru_cache(maxsize=65536)
def _words(text: str) -> str:
    return normalise_text(text)


def _stem(video: str | None) -> str:
    return Path(video).stem if video else ""


def _record(raw: bytes | dict[str, Any] | BadRow) -> dict[str, Any]:
    if isinstance(raw, BadRow):
        raise raw
    return parse(raw) if isinstance(raw, bytes) else raw


def _sample(path: Path, number: int, record: Record) -> Sample:
    identity = rows.field_of(record, "id", {})
    own = number if identity is None else identity
    return logged(Source(path, ""), number, id=own, response="", **rows.asked(record, {})).sample
