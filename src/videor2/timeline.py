"""Intervals on a video's timeline: timestamped claims in reasoning, events that really happened."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from videor2.timestamps import Timestamp, by_sentence, timestamps

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
    shared = overlap_s(a, b)
    union = (a.end_s - a.start_s) + (b.end_s - b.start_s) - shared
    if union == 0:
        return 1.0 if a.start_s == b.start_s else 0.0
    return shared / union


def claims(text: str) -> list[Claim]:
    """What a text says happened when: each timestamp with the words it belongs to, in order of mention.

    The words are the sentence, or the clause where one sentence has several timestamps and they separate clearly,
    without the time itself and what led up to it: they are to be compared with sentences of events. A timestamp on
    a line of its own belongs to the next sentence, if that has none. A moment that nothing is said about keeps its
    sentence as it stands.

    >>> claims("At 00:03 a red ball appears and at 00:07 it vanishes.")
    [Claim(start_s=3.0, end_s=3.0, sentence='a red ball appears'), Claim(start_s=7.0, end_s=7.0, sentence='it vanishes')]
    >>> claims("**[00:03 - 00:05]**\\nA dog runs.")
    [Claim(start_s=3.0, end_s=5.0, sentence='A dog runs')]
    """
    found: list[Claim] = []
    heading: list[Timestamp] = []
    heading_text = ""
    for begin, end, stamps in by_sentence(text):
        if heading:
            words = heading_text if stamps else _tidy(text[begin:end])
            found += [Claim(stamp.start_s, stamp.end_s, words or heading_text) for stamp in heading]
            heading = []
        if not stamps:
            continue
        told = list(_told(text, begin, end, stamps))
        if any(words for _, words in told):
            found += [Claim(stamp.start_s, stamp.end_s, words) for stamp, words in told]
        else:
            heading, heading_text = stamps, text[begin:end]
    return found + [Claim(stamp.start_s, stamp.end_s, heading_text) for stamp in heading]


# What stands between the words of a clause and its timestamp, and goes with the timestamp: hedges, one preposition.
_HEDGES = frozenset(
    "around about approximately approx approx. roughly exactly precisely nearly just the timestamp timestamps time times mark "
    "sometime ~".split()
)
_PREPOSITIONS = frozenset(
    "at from between during by in on near until till since before after for through to see @".split()
)
_OPENERS = "([{<\"'*_`“‘~≈@"
_TRAILING = re.compile(
    r"[)\]}>\"'*_`”’»]*(?:[\s-]?(?:marks?|timestamps?|point|range|window|segment|interval)\b)?"
    r"(?:\s(?:in|into|of)\s(?:the|this|our)\s(?:video|clip|footage|recording|film|movie|scene|lecture|match|game|song)\b"
    r"|\sinto\sit\b|\sin(?=\s*(?:[,.;:!?]|$)))?[)\]}>\"'*_`”’»]*\s*(?:[:,|→]|[-–—]+>?(?=\s))?",
    re.IGNORECASE,
)
_START_OF_LINE = re.compile(
    r"(?:[-*•–—>#|]+\s+|\d{1,2}[.)]\s+|[A-Ha-h][.)]\s+|[,;:.…]\s*|(?:and|but|then|so|while|or|whereas)\b\s*)+",
    re.IGNORECASE,
)
_TAIL_OF_LINE = re.compile(r"(?:[\s.,;:!–—-]|\s(?:and|but|then|or|while))+$", re.IGNORECASE)
_SEPARATOR = r"(?:[;,|\n–—→]|->|\b(?:and|then|but|while|whereas|so)\b)"
_AT_END = re.compile(rf"{_SEPARATOR}(?:\s*(?:{_SEPARATOR}|finally|later|again))*\s*$", re.IGNORECASE)
_AT_START = re.compile(rf"[)\]}}>\"'*_`”’»]*\s*(?={_SEPARATOR})", re.IGNORECASE)
_STRONG = re.compile(r"[;\n]|,\s(?:and|then|but|while|whereas|so)\b", re.IGNORECASE)
_WEAK = re.compile(r"\b(?:and|then|but|while|whereas)\b|,\s", re.IGNORECASE)
_JOINING = re.compile(rf"(?:\s|{_SEPARATOR}|[&/]|or\b|again\b)*", re.IGNORECASE)
_NO_CLAUSE = frozenset(
    "in on at with by of to from near into onto under over behind for as again too also respectively".split()
)


def _told(text: str, begin: int, end: int, stamps: list[Timestamp]) -> Iterator[tuple[Timestamp, str]]:
    """Each timestamp of a sentence with its words; empty where the sentence has none."""
    extents = [_extent(text, begin, end, stamp) for stamp in stamps]
    whole = _without(text, begin, end, extents)
    if len(stamps) == 1:
        yield stamps[0], whole
        return
    cuts = _cuts(text, begin, end, stamps, extents)
    i = 0
    for left, right in zip([begin, *cuts], [*cuts, end], strict=True):
        words = _without(text, left, right, extents)
        while i < len(stamps) and stamps[i].begin < right:
            yield stamps[i], words or whole
            i += 1


def _extent(text: str, begin: int, end: int, stamp: Timestamp) -> tuple[int, int]:
    """The timestamp with the brackets, preposition and punctuation that go with it."""
    at = stamp.begin
    has_preposition = False
    while at > begin:
        while at > begin and text[at - 1] in _OPENERS:
            at -= 1
        while at > begin and text[at - 1].isspace():
            at -= 1
        word_begin = max(text.rfind(" ", begin, at) + 1, begin)
        word = text[word_begin:at].lstrip(_OPENERS).lower()
        if word in _PREPOSITIONS and not has_preposition:
            has_preposition = True
        elif word not in _HEDGES and not (word in ("starting", "beginning") and _opens(text, begin, word_begin)):
            break
        at = word_begin
    trailing = _TRAILING.match(text, stamp.end, end)
    return at, trailing.end() if trailing else stamp.end


def _opens(text: str, begin: int, at: int) -> bool:
    """Does a clause begin here?"""
    before = text[begin:at].rstrip()
    return not before or before[-1] in ",;(-–—"


def _without(text: str, begin: int, end: int, extents: list[tuple[int, int]]) -> str:
    """The words of a stretch of text without its timestamps and what joins them."""
    pieces: list[str] = []
    at = begin
    for left, right in extents:
        if left >= end:
            break
        if left >= begin:
            if not pieces or not _JOINING.fullmatch(text, at, left):
                pieces.append(text[at:left])
            at = right
    pieces.append(text[at:end])
    return _tidy(" ".join(pieces))


def _tidy(words: str) -> str:
    words = " ".join(words.replace("**", " ").split()).strip(" ,;:-–—|→>*_`")
    head = _START_OF_LINE.match(words)
    if head:
        words = words[head.end() :]
    words = _TAIL_OF_LINE.sub("", words.replace(" ,", ","))
    if words.count('"') == 1:
        words = words.strip('"')
    if words.count("(") != words.count(")"):
        words = words.replace("(", "").replace(")", "").rstrip()
    return words if any(map(str.isalnum, words)) else ""


def _cuts(text: str, begin: int, end: int, stamps: list[Timestamp], extents: list[tuple[int, int]]) -> list[int]:
    """Where a sentence falls into clauses, each with words of its own around its timestamps."""
    cuts: list[int] = []
    since = begin
    for i in range(len(stamps) - 1):
        left, right = extents[i][1], extents[i + 1][0]
        alone = _JOINING.fullmatch(text, left, right) is not None
        if alone and right == stamps[i + 1].begin:
            continue  # "at 00:05 and 00:41": one list
        next_begin = extents[i + 2][0] if i + 2 < len(extents) else end
        before, after = _without(text, since, left, extents), _without(text, right, next_begin, extents)
        cut = _cut(text, stamps[i].end, right, bool(before), bool(after))
        if cut is None:
            continue
        mine, rest = _without(text, since, cut, extents), _without(text, cut, end, extents)
        balanced = text.count("(", since, cut) == text.count(")", since, cut)
        if mine and rest and balanced and rest.split(maxsplit=1)[0].lower() not in _NO_CLAUSE:
            cuts.append(cut)
            since = cut
    return cuts


def _cut(text: str, left: int, right: int, told_before: bool, told_after: bool) -> int | None:
    """Where the words between two timestamps part: those of the first, those of the second."""
    gap = text[left:right]
    if match := _AT_END.search(gap):
        return left + match.start()
    if told_before and (match := _AT_START.match(gap)):
        return left + match.end()
    for separator in (_STRONG, _WEAK):
        if match := separator.search(gap.lstrip(", ")):
            return right - len(gap.lstrip(", ")) + match.start()
    if told_after and not told_before:  # "1:33 ribosomes 2:12 nucleus"
        return right
    return None


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


def read_events(obj: Mapping[str, Any] | Iterable[Mapping[str, Any]], *, strict: bool = True) -> list[Event]:
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
    entries: Iterable[tuple[Any, Any]]
    if isinstance(obj, Mapping):
        entries = {key.strip(): sentence for key, sentence in obj.items()}.items()
    elif isinstance(obj, Iterable) and not isinstance(obj, str):
        entries = enumerate(obj)
    else:
        raise ValueError(f"events are a dict or a list, not {type(obj).__name__}")
    events: dict[Event, None] = {}
    for place, entry in entries:
        try:
            event = _keyed_event(place, entry) if isinstance(obj, Mapping) else _listed_event(place, entry)
        except ValueError as e:
            if strict:
                raise
            logger.warning("event left out: %s", e)
        else:
            if event.sentence:
                events[event] = None
    return list(events)


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
