"""Clips as a model is to see them, read once and kept in a bounded amount of memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from videor2.span import split_span
from videor2.video.clip import Clip
from videor2.video.read import read

Source = tuple[str, str | None]
"""A video file, or a part of one as `span` names it, and its subtitle file, if any."""


class VideoConfig(BaseModel):
    """How frames are drawn from a video: how many a second, how many at most, how large, what is written on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: PositiveFloat = 2.0
    max_frames: PositiveInt = 32
    max_pixels: PositiveInt = 360 * 420
    timestamps: bool = True
    """Write each frame's time on it."""


class ClipStore:
    """Reads clips, and keeps the most recently used in memory, up to `cache_mb` megabytes of frames.

    workers: threads that read what `fetch_ahead` names; 0 reads each clip when it is asked for.
    """

    def __init__(self, config: VideoConfig, *, cache_mb: int = 1024, workers: int = 0) -> None:
        self.config = config
        self.reads = 0
        """How many times a video was opened."""
        self._limit = cache_mb * 2**20
        self._size = 0
        self._clips: OrderedDict[Source, Clip] = OrderedDict()
        self._pending: dict[Source, Future[Clip]] = {}
        self._lock = threading.RLock()  # a reading that is done at once settles within fetch_ahead
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="clips") if workers else None

    def get(self, video: str, subtitles: str | None = None) -> Clip:
        """The clip of a video, with its subtitles written on it if there are any; raises VideoError."""
        source = (video, subtitles)
        with self._lock:
            if source in self._clips:
                self._clips.move_to_end(source)
                return self._clips[source]
            pending = self._pending.get(source)
        if pending is None:
            return self._read(source)
        try:
            return pending.result()
        finally:
            with self._lock:
                self._pending.pop(source, None)

    def fetch_ahead(self, sources: Iterable[Source]) -> None:
        """Start to read the videos (each with its subtitles or None) that will be asked for next; never raises."""
        if self._workers is None:
            return
        with self._lock:
            for source in sources:
                if source not in self._clips and source not in self._pending:
                    reading = self._workers.submit(self._read, source)
                    self._pending[source] = reading
                    reading.add_done_callback(partial(self._settle, source))

    def room(self) -> int:
        """How many clips of the greatest size fit in memory, one at least."""
        return max(self._limit // (self.config.max_frames * self.config.max_pixels * 3), 1)

    def discard(self, video: str, subtitles: str | None = None) -> None:
        """Forget a clip that will not be asked for again, so that it takes no room from those to come."""
        with self._lock:
            if clip := self._clips.pop((video, subtitles), None):
                self._size -= clip.frames.nbytes

    def close(self) -> None:
        """Start no more readings ahead of need; one that runs comes to its end."""
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _settle(self, source: Source, reading: "Future[Clip]") -> None:
        """A clip that was read is kept by the cache alone; an error waits for who asks."""
        if not reading.cancelled() and reading.exception() is None:
            with self._lock:
                self._pending.pop(source, None)

    def _read(self, source: Source) -> Clip:
        video, subtitles = source
        config = self.config
        with self._lock:
            self.reads += 1
        path, start_s, end_s = split_span(video)
        clip = read(
            path,
            fps=config.fps,
            max_frames=config.max_frames,
            max_pixels=config.max_pixels,
            start_s=start_s,
            end_s=end_s,
        )
        if config.timestamps or subtitles:
            from videor2.video.overlay import burn
            from videor2.video.subtitles import load

            cues = load(Path(subtitles)) if subtitles else None
            clip = burn(clip, timestamps=config.timestamps, subtitles=cues)
        with self._lock:
            if source not in self._clips:
                self._clips[source] = clip
                self._size += clip.frames.nbytes
            while self._size > self._limit and len(self._clips) > 1:
                _, oldest = self._clips.popitem(last=False)
                self._size -= oldest.frames.nbytes
        return clip
