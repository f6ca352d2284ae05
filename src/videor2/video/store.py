"""Clips as a model is to see them, read once and kept in a bounded amount of memory."""

import threading
from collections import OrderedDict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from videor2.video.clip import Clip
from videor2.video.read import read


class VideoConfig(BaseModel):
    """How frames are drawn from a video: how many a second, how many at most, how large, what is written on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: PositiveFloat = 2.0
    max_frames: PositiveInt = 32
    max_pixels: PositiveInt = 360 * 420
    timestamps: bool = True
    """Write each frame's time on it."""


class ClipStore:
    """Reads clips, and keeps the most recently used in memory, up to `cache_mb` megabytes of frames."""

    def __init__(self, config: VideoConfig, *, cache_mb: int = 1024) -> None:
        self.config = config
        self._limit = cache_mb * 2**20
        self._size = 0
        self._clips: OrderedDict[tuple[str, str | None], Clip] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, video: str, subtitles: str | None = None) -> Clip:
        """The clip of a video, with its subtitles written on it if there are any; raises VideoError."""
        key = (video, subtitles)
        with self._lock:
            if key in self._clips:
                self._clips.move_to_end(key)
                return self._clips[key]
        clip = self._read(video, subtitles)
        with self._lock:
            if key not in self._clips:
                self._clips[key] = clip
                self._size += clip.frames.nbytes
            while self._size > self._limit and len(self._clips) > 1:
                _, oldest = self._clips.popitem(last=False)
                self._size -= oldest.frames.nbytes
        return clip

    def _read(self, video: str, subtitles: str | None) -> Clip:
        config = self.config
        clip = read(Path(video), fps=config.fps, max_frames=config.max_frames, max_pixels=config.max_pixels)
        if config.timestamps or subtitles:
            from videor2.video.overlay import burn
            from videor2.video.subtitles import load

            cues = load(Path(subtitles)) if subtitles else None
            clip = burn(clip, timestamps=config.timestamps, subtitles=cues)
        return clip
