"""The timestamp grammar: which moments of the video a text names.

Models write `01:45`, `from 8 to 12 seconds`, `the two-minute mark`, `1 h 5 m in`. The same digits are scores,
ratios, verses, clock faces and lengths. So the grammar has four levels, a module each:

1. `sentences`: no mention crosses a sentence, and the words around one are looked up in its own.
2. `lexer`: the parts that could be a time: a clock (`1:05`), a quantity (`2 min 5 s`), an indexed second (`second 4`,
   `t=3.2`), an ordinal (`5th second`), an opening (`first minute`), a bare number.
3. `parser`: parts joined to mentions by what stands between them: a range, a pair in brackets, a list that shares
   its unit.
4. `judge`: a clock is a moment unless the words on both sides say otherwise (`3:2 for the red team`, `the phone shows
   9:41`); a quantity is a length unless they say it is a moment (`at`, `mark`, `into the video`).

Conventions: a moment has `start_s == end_s`; "around" does not widen; "before", "after", "until" and "from X to the
end" give the named time; "the first N seconds" is `[0, N]`, "the last N seconds" needs the duration and gives
nothing; "the third minute" is `[120, 180]`, but "the 5th second" is 5; a reversed range is swapped. Lengths, offsets
("ten seconds later"), frame numbers, times of day and invalid values (`00:75`) give nothing. English only.

Every look to the left or right of a mention is bounded, so time is linear in the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from videor2.timestamps.judge import moments
from videor2.timestamps.lexer import could_hold_parts, has_units, read_parts
from videor2.timestamps.parser import mentions_at
from videor2.timestamps.sentences import Sentence, lowered, sentence_spans

__all__ = ["Timestamp", "by_sentence", "sentence_spans", "timestamps"]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment or interval that a text names, in seconds, and the characters `text[begin:end]` that name it."""

    start_s: float
    end_s: float
    begin: int
    end: int


def timestamps(text: str) -> list[Timestamp]:
    """All moments and intervals of the video that a text names, in order of mention.

    >>> [(t.start_s, t.end_s) for t in timestamps("At 01:05 he waves; from 2m10s to 2m30s he runs for 20 seconds.")]
    [(65.0, 65.0), (130.0, 150.0)]
    >>> timestamps("Team A leads 3:2 when the clock on the wall reads 10:45.")
    []
    """
    return [stamp for _, _, stamps in by_sentence(text) for stamp in stamps]


def by_sentence(text: str) -> Iterator[tuple[int, int, list[Timestamp]]]:
    """The sentences of a text as (begin, end), each with the timestamps in it.

    >>> text = "At 2 s it starts, e.g. slowly. Done."
    >>> [(text[b:e], len(stamps)) for b, e, stamps in by_sentence(text)]
    [('At 2 s it starts, e.g. slowly.', 1), ('Done.', 0)]
    """
    low = lowered(text)
    for begin, end in sentence_spans(text):
        with_units = has_units(low, begin, end)
        if with_units or could_hold_parts(low, begin, end):
            yield begin, end, _read(Sentence(text, low, begin, end), with_units)
        else:
            yield begin, end, []


def _read(s: Sentence, with_units: bool) -> list[Timestamp]:
    parts = read_parts(s, with_units)
    stamps: list[Timestamp] = []
    i = 0
    while i < len(parts):
        mentions, used = mentions_at(s, parts, i)
        i += used
        if mentions:
            last = (stamps[-1].begin, stamps[-1].end) if stamps else None
            for m in moments(s, mentions, last):
                stamps.append(Timestamp(min(m.start_s, m.end_s), max(m.start_s, m.end_s), m.begin, m.end))
    return stamps
