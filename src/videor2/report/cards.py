"""What a sample's card shows: the clip, and each response with its claims found in its text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from videor2.report.charts import Mark, State, timeline
from videor2.report.choose import Case
from videor2.report.clips import MAX_CLIP_BYTES, MAX_PAGE_BYTES, Clip, Library, embedded, unplayable
from videor2.report.run import Claimed, Record, Run, Scored
from videor2.timestamps import by_sentence
from videor2.trace import Trace


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; with a claim, `stamp` is its time as written and `lead` and `tail` the words around it."""

    lead: str
    claim: Mark | None = None
    stamp: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Pane:
    """One response. `loose` are the claims that are not found in the text as one passage of their own."""

    title: str
    kind: str
    pieces: tuple[Piece, ...]
    loose: tuple[Mark, ...]
    malformed: str
    conclusion: str
    answer: str
    scores: dict[str, Scored]
    chosen: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """A sample: the question, its clip and events, and one pane or, before and after training, two."""

    case: Case
    record: Record
    right: int | None
    clip: Clip
    duration_s: float
    events: tuple[Mark, ...]
    panes: tuple[Pane, ...]
    timeline: Markup

    @property
    def compares(self) -> bool:
        """Is there a claim that was compared with events?"""
        marks = [mark for pane in self.panes for mark in (*pane.loose, *(p.claim for p in pane.pieces if p.claim))]
        return any(mark.state != "plain" for mark in marks)


def make_cards(run: Run, cases: Sequence[Case], videos: Path | None = None) -> list[Card]:
    """The cards of the chosen cases; reads their records and their clips, which lie in `videos` if given."""
    library = Library(run.folder, videos)
    clips: dict[str, Clip] = {}
    cards, room = [], MAX_PAGE_BYTES
    for case in cases:
        records = [run.record(row) for row in case.rows]
        name = records[0].video or ""
        if name not in clips:
            clips[name] = _clip(library, name, min(room, MAX_CLIP_BYTES))
        room -= len(clips[name].src)
        cards.append(_card(case, records, clips[name]))
    return cards


def _card(case: Case, records: Sequence[Record], clip: Clip) -> Card:
    record = records[0]
    events = tuple(Mark(e.start_s, e.end_s, e.sentence) for e in record.events)
    panes = [_pane(r, single=len(records) == 1) for r in records]
    claims = [(pane.kind or "claims", _marks(r)) for pane, r in zip(panes, records, strict=True)]
    last = max([e.end_s for e in events], default=0.0) or max([m.end_s for _, ms in claims for m in ms], default=0.0)
    duration_s = max(record.duration_s or 0.0, last)
    drawn = (
        timeline(duration_s, events, claims) if duration_s > 0 and (events or any(ms for _, ms in claims)) else Markup()
    )
    right = _option(record.answer, record) if record.answer else None
    return Card(case, record, right, clip, duration_s, events, tuple(panes), drawn)


def _pane(record: Record, *, single: bool) -> Pane:
    trace = Trace.parse(record.response)
    text = trace.think if trace.state == "ok" and trace.think else record.response
    consistency = record.scores.get("consistency", Scored())
    given = trace.answer if consistency.answer is None else str(consistency.answer)
    pieces, loose = place(text, _marks(record))
    return Pane(
        title="Response" if single else (record.phase or "").capitalize(),
        kind="" if single else record.phase or "",
        pieces=tuple(pieces),
        loose=tuple(loose),
        malformed="" if trace.state == "ok" else trace.state.replace("_", " "),
        conclusion=_named("" if consistency.conclusion is None else str(consistency.conclusion), record),
        answer=_named(given or "", record),
        scores=record.scores,
        chosen=_option(given, record) if given else None,
    )


def _marks(record: Record) -> list[Mark]:
    return [_mark(claim, len(record.events)) for claim in record.claims]


def _mark(claim: Claimed, n_events: int) -> Mark:
    if "event" not in claim.model_fields_set or not n_events:
        return Mark(claim.start_s, claim.end_s, claim.sentence)
    state: State = "unmatched" if claim.event is None else "matched"
    return Mark(claim.start_s, claim.end_s, claim.sentence, state, claim.event)


def place(text: str, claims: Sequence[Mark]) -> tuple[list[Piece], list[Mark]]:
    """Cut a text into pieces so that each claim has one, by its time and its words; and the claims without one.

    A claim's piece is the whole sentence where it is the only claim in it, else its words with its time, else its
    time alone.

    >>> pieces, loose = place("At 00:03 a ball appears. So B.", [Mark(3, 3, "a ball appears")])
    >>> [(piece.lead, piece.stamp, piece.tail) for piece in pieces]
    [('At ', '00:03', ' a ball appears.'), (' So B.', '', '')]
    """
    spans: list[tuple[int, int, int, int, Mark]] = []
    left = list(claims)
    for begin, end, stamps in by_sentence(text):
        stated = []
        for stamp in stamps:
            same = [c for c in left if abs(c.start_s - stamp.start_s) < 0.05 and abs(c.end_s - stamp.end_s) < 0.05]
            if same:
                claim = max(same, key=lambda c: _find(c.text, text, begin, end) is not None)
                left.remove(claim)
                stated.append((stamp.begin, stamp.end, claim))
        if len(stated) == 1:
            spans.append((begin, end, *stated[0]))
            continue
        for i, (stamp_begin, stamp_end, claim) in enumerate(stated):
            since = spans[-1][1] if i else begin
            until = stated[i + 1][0] if i + 1 < len(stated) else end
            words = _find(claim.text, text, since, until) or (stamp_begin, stamp_end)
            spans.append((min(words[0], stamp_begin), max(words[1], stamp_end), stamp_begin, stamp_end, claim))
    pieces, at = [], 0
    for begin, end, stamp_begin, stamp_end, claim in spans:
        if at < begin:
            pieces.append(Piece(text[at:begin]))
        pieces.append(Piece(text[begin:stamp_begin], claim, text[stamp_begin:stamp_end], text[stamp_end:end]))
        at = end
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return pieces, left


def _find(words: str, text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Where the words stand in `text[begin:end]`, whatever the white space between them."""
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    found = re.compile(pattern, re.IGNORECASE).search(text, begin, end) if pattern else None
    return found.span() if found else None


def letter(index: int) -> str:
    """The letter of an option, 0 is A."""
    return chr(ord("A") + index)


def _option(value: str, record: Record) -> int | None:
    """The index of the option that a value names, by letter or by its whole text; None where it names none."""
    names = [letter(i) for i in range(len(record.options))]
    for choices in (names, record.options):
        for i, choice in enumerate(choices):
            if value.strip(" \n().").casefold() == choice.strip(" \n().").casefold():
                return i
    return None


def _named(value: str, record: Record) -> str:
    """A value, and for an option its letter and its text."""
    option = _option(value, record)
    return value if option is None else f"{letter(option)}, {record.options[option]}"


def _clip(library: Library, name: str, room: int) -> Clip:
    if not name:
        return Clip("", "")
    path, note = library.find(name)
    if path is None or unplayable(path):
        return Clip("", Path(name).name, note or (unplayable(path) if path else ""))
    size = path.stat().st_size
    if size * 4 / 3 > room:
        megabytes = f"{size / 2**20:.0f} MB"
        return Clip(path.absolute().as_uri(), path.name, f"Not embedded ({megabytes}): plays where the file lies.")
    return Clip(embedded(path), path.name)
