"""Intervals on a video's timeline: timestamped claims in reasoning, events that really happened."""

from dataclasses import dataclass


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
