"""Which frames of a video to look at: a choice over presentation times, without any file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Matroska rounds times to milliseconds: at 30 fps its frame 20 is stamped 0.667 s and meant for 0.6667 s.
MAX_ROUNDING_S = 5e-4


@dataclass(frozen=True, slots=True)
class Choice:
    """Indices of the chosen frames, strictly increasing, and how many there are per second of video."""

    indices: NDArray[np.int64]
    fps: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many frames to take, and from where. Seconds; None bounds nothing.

    With `fps`: the frame on screen (the last one with time <= t) at start_s, start_s + 1 / fps, ... before
    the end. More than `max_frames` of those are thinned evenly, first and last kept; fewer than `min_frames`
    are replaced by `min_frames` spread evenly. With `max_frames` alone: that many, evenly from the first
    frame to the last. With neither: all. No frame is taken twice, so a video with few frames gives fewer.

    >>> times_s = np.arange(10) / 5
    >>> Sampling(fps=2).choose(times_s, 2.0).indices
    array([0, 2, 5, 7])
    >>> Sampling(max_frames=4).choose(times_s, 2.0).indices
    array([0, 3, 6, 9])
    """

    fps: float | None = None
    max_frames: int | None = None
    min_frames: int = 1
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise ValueError(f"fps is a number above 0, not {self.fps}")
        if self.min_frames < 1 or (self.max_frames is not None and self.max_frames < self.min_frames):
            raise ValueError(f"1 <= min_frames <= max_frames is needed, not {self.min_frames}, {self.max_frames}")
        if not 0 <= self.start_s < np.inf:
            raise ValueError(f"start_s is 0 or more, not {self.start_s}")
        if self.end_s is not None and not self.end_s > self.start_s:
            raise ValueError(f"end_s is after start_s, not {self.end_s} with start_s {self.start_s}")

    def choose(self, times_s: NDArray[np.float64], duration_s: float, *, tick_s: float = 0.0) -> Choice:
        """Choose out of frames shown at `times_s` [N], increasing, with resolution `tick_s`.

        Raises ValueError where the video ends before `start_s`.
        """
        if self.start_s >= duration_s:
            raise ValueError(f"it lasts {duration_s:.3f} s, start_s is {self.start_s:.3f}")
        slack_s = min(tick_s / 2, MAX_ROUNDING_S) + 1e-9
        end_s = duration_s if self.end_s is None else min(self.end_s, duration_s)
        span_s = end_s - self.start_s
        first = int(_on_screen(times_s, np.array([self.start_s]), slack_s)[0])
        last = max(first, int(np.searchsorted(times_s, end_s - slack_s)) - 1)
        available = last - first + 1

        if self.fps is None:
            asked = available if self.max_frames is None else min(self.max_frames, available)
            if asked == available:
                indices = np.arange(first, last + 1, dtype=np.int64)
            else:
                indices = _on_screen(times_s, _spread(times_s[first], times_s[last], asked), slack_s)
            return Choice(np.unique(indices), len(np.unique(indices)) / span_s)

        grid = max(1, int(np.ceil(span_s * self.fps - 1e-6)))
        if grid < self.min_frames:
            instants = _spread(times_s[first], times_s[last], min(self.min_frames, available))
        elif self.max_frames is None or grid <= self.max_frames:
            instants = self.start_s + np.arange(grid) / self.fps
        else:
            instants = self.start_s + np.rint(_spread(0, grid - 1, self.max_frames)) / self.fps
        indices = np.unique(_on_screen(times_s, instants, slack_s))
        return Choice(indices, self.fps if len(indices) == grid else len(indices) / span_s)


def _on_screen(times_s: NDArray[np.float64], instants_s: NDArray[np.float64], slack_s: float) -> NDArray[np.int64]:
    """The last frame that started by each instant; the first one where none has."""
    return np.maximum(np.searchsorted(times_s, instants_s + slack_s, side="right") - 1, 0)


def _spread(low: float, high: float, count: int) -> NDArray[np.float64]:
    """`count` points from low to high, both included; the middle for one."""
    return np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])
