"""Intervals on a video's timeline: timestamped claims in reasoning, events that really happened."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from videor2.timestamps import Timestamp, by_sentence, timestamps
from videor2.timestamps.clauses import tidy, told

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a text says happened, and when. Seconds; a moment has `start_s == end_s`."""

    start_s: float
    end_s: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Event:
    """What really happened, and when. Seconds; a moment has `start_s == end_s`."""

    start_s: float
    end_s: float
    sentence: str


class Interval(Protocol):
    """Anything with a start and an end: `Claim`, `Event`, `Timestamp`."""

    @property
    def start_s(self) -> float:
        """Seconds from the start of the video."""
        ...

    @property
    def end_s(self) -> float:
        """Seconds from the start of the video, not before `start_s`."""
        ...


def overlap_s(a: Interval, b: Interval) -> float:
    """Seconds that two intervals share; 0 where they only touch, or where one is a moment.

    >>> overlap_s(Claim(2, 8, ""), Event(5, 20, ""))
    3
    """
    return max(0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s))


def gap_s(a: Interval, b: Interval) -> float:
    """Seconds between two intervals; 0 where they touch or overlap.

    >>> gap_s(Claim(2, 8, ""), Event(11, 20, ""))
    3
    """
    return max(0, max(a.start_s, b.start_s) - min(a.end_s, b.end_s))


def iou(a: Interval, b: Interval) -> float:
    """Intersection over union of two intervals, in [0, 1]; two moments have 1 where they are the same, else 0.

    >>> iou(Claim(0, 8, ""), Event(4, 12, ""))
    0.3333333333333333
    """
    span = max(a.end_s, b.end_s) - min(a.start_s, b.start_s)
    return overlap_s(a, b) / span if span else 1.0  # where they do not meet the span is no union, but 0 it is


def claims(text: str) -> list[Claim]:
    """What a text says happened when: each timestamp with the words it belongs to, in order of mention.

    The words are the sentence, or the clause where one sentence has several timestamps and they separate clearly,
    without the time itself and what led up to it: they are to be compared with sentences of events. A timestamp on
    a line of its own belongs to the next sentence, if that has none. A moment that nothing is said about keeps its
    sentence as it stands.

    >>> for claim in claims("At 00:03 a red ball appears and at 00:07 it vanishes."):
    ...     print(claim)
    Claim(start_s=3.0, end_s=3.0, sentence='a red ball appears')
    Claim(start_s=7.0, end_s=7.0, sentence='it vanishes')
    >>> claims("**[00:03 - 00:05]**\\nA dog runs.")
    [Claim(start_s=3.0, end_s=5.0, sentence='A dog runs')]
    """
    found: list[Claim] = []
    heading: list[Timestamp] = []
    heading_text = ""
    for begin, end, stamps in by_sentence(text):
        if heading:
            sentence = (not stamps and tidy(text[begin:end])) or heading_text
            found += [Claim(stamp.start_s, stamp.end_s, sentence) for stamp in heading]
            heading = []
        if not stamps:
            continue
        sentences = told(text, begin, end, [(stamp.begin, stamp.end) for stamp in stamps])
        if any(sentences) or _OPTION.match(text, begin):
            sentences = [sentence or text[begin:end] for sentence in sentences]
            found += [Claim(t.start_s, t.end_s, sentence) for t, sentence in zip(stamps, sentences, strict=True)]
        else:
            heading, heading_text = stamps, text[begin:end]
    return found + [Claim(stamp.start_s, stamp.end_s, heading_text) for stamp in heading]


_OPTION = re.compile(r"[A-J][.)]")
"""`C. 00:30` is a whole option, and no heading of what follows."""

_TIME = r"\+?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)[+.]?"
_KEY = re.compile(rf"{_TIME}(?:\s*(?:-{{1,3}}>?|[–—−~～→…]|\.{{2,3}}|to|until)\s*{_TIME})?", re.IGNORECASE)


def parse_key(key: str) -> tuple[float, float]:
    """Start and end in seconds of an event's key, `"MM:SS[-MM:SS]"`; fractions stay, a reversed range is swapped.

    Judges and data sets write more than they are asked for, so plain seconds ("16", "16s"), hours, other dashes,
    brackets, hedges ("about 00:10") and an open end ("00:05-end": the named time) are read too. As in the published
    reward, seconds above 59 count on ("00:75" is 75 s) and blanks around the key do not matter. Raises ValueError
    where no single moment or interval can be read: "end", "frame 12", "00:12 AM", "00:10-00:12-00:15".

    >>> parse_key("00:10-00:12.5"), parse_key("01:00:05"), parse_key("16s")
    ((10.0, 12.5), (3605.0, 3605.0), (16.0, 16.0))
    """
    match = _KEY.fullmatch(key.strip())
    if match:
        start = _seconds(*match.groups()[:3])
        end = _seconds(*match.groups()[3:]) if match[6] else start
    else:
        stamps = timestamps(f"[{key.strip()}]") if not key.lstrip().startswith("-") else []
        if len(stamps) != 1:
            raise ValueError(f"{key!r} is no time; write MM:SS, HH:MM:SS or a range MM:SS-MM:SS")
        start, end = stamps[0].start_s, stamps[0].end_s
    return min(start, end), max(start, end)


def _seconds(hours: str | None, minutes: str | None, seconds: str) -> float:
    return int(hours or 0) * 3600.0 + int(minutes or 0) * 60.0 + float(seconds)


def read_events(obj: Mapping[str, Any] | Iterable[Any], *, strict: bool = True) -> list[Event]:
    """Events from `{"MM:SS[-MM:SS]": sentence}` or a list of `{start_s, end_s, sentence}`, in the given order.

    Keys that differ only in the blanks around them are one key, and the last sentence wins, as with equal keys in
    JSON; other keys that name the same time are kept, unless they say the same. Events without words are left out.
    What cannot be read (a key that is no time, a sentence that is no text, a missing field, an end before its start)
    raises ValueError that names it. With `strict=False` it is logged as a warning and left out instead: for what a
    judge or a model wrote, which must not stop a run.

    >>> read_events({"00:03": "a ball appears", " 00:03 ": "a cube appears"})
    [Event(start_s=3.0, end_s=3.0, sentence='a cube appears')]
    >>> read_events([{"start_s": 1, "end_s": 2.5, "sentence": "a ball appears"}])
    [Event(start_s=1.0, end_s=2.5, sentence='a ball appears')]
    """
    events: dict[Event, None] = {}
    for read in _readers(obj):
        try:
            event = read()
        except ValueError as e:
            if strict:
                raise
            logger.warning("event left out: %s", e)
        else:
            if event.sentence:
                events[event] = None
    return list(events)


def _readers(obj: Mapping[str, Any] | Iterable[Any]) -> Iterator[Callable[[], Event]]:
    if isinstance(obj, Mapping):
        for key, sentence in {key.strip(): sentence for key, sentence in obj.items()}.items():
            yield partial(_keyed_event, key, sentence)
    elif isinstance(obj, str) or not isinstance(obj, Iterable):
        raise ValueError(f"events are a dict or a list, not {type(obj).__name__}")
    else:
        for i, item in enumerate(obj):
            yield partial(_listed_event, i, item)


def _keyed_event(key: str, sentence: Any) -> Event:
    words = _words_of(repr(key), sentence)
    return Event(*parse_key(key), words) if words else Event(0.0, 0.0, "")


def _listed_event(i: int, item: Any) -> Event:
    if isinstance(item, Event):
        return item
    try:
        start, end, sentence = float(item["start_s"]), float(item["end_s"]), item["sentence"]
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"event {i}: needs start_s and end_s in seconds and a sentence, got {item!r}") from e
    if not 0 <= start <= end:
        raise ValueError(f"event {i}: must have 0 <= start_s <= end_s, got {start} and {end}")
    return Event(start, end, _words_of(str(i), sentence))


def _words_of(place: str, sentence: Any) -> str:
    if sentence is not None and not isinstance(sentence, str):
        raise ValueError(f"event {place}: the sentence must be text, not {type(sentence).__name__}")
    return (sentence or "").strip()


def format_time(seconds: float) -> str:
    """`MM:SS`, or `HH:MM:SS` from one hour on, rounded to the second. Raises ValueError below 0.

    >>> format_time(65.4), format_time(3605)
    ('01:05', '01:00:05')
    """
    if not seconds >= 0:
        raise ValueError(f"a time on the video's timeline is not negative: {seconds}")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:02d}:{rest:02d}" if minutes < 60 else f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def format_interval(start_s: float, end_s: float) -> str:
    """`MM:SS` for a moment, `MM:SS-MM:SS` for an interval, as the keys of events are written.

    >>> format_interval(3, 3), format_interval(3, 75)
    ('00:03', '00:03-01:15')
    """
    start, end = format_time(start_s), format_time(end_s)
    return start if start == end else f"{start}-{end}"
