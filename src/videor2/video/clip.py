"""What reading a video gives: frames with their times, facts about the file, or an error that names it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videor2.errors import InputError


class VideoError(InputError):
    """A file that gives no frames; the message names the file, what is wrong and the fix."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file says about itself. Width and height are those of the upright picture."""

    path: Path
    container: str
    codec: str
    width: int
    height: int
    duration_s: float
    native_fps: float | None
    frame_count: int | None
    rotation: int
    has_audio: bool


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames of a video and when a player shows them.

    frames: uint8 RGB [T, H, W, 3], upright. timestamps_s: float64 [T], the presentation time of each frame in
    seconds from the start of the video; strictly increasing unless `padded`. duration_s: of the whole video,
    whatever part was read. fps: frames per second of the sampling. native_fps: of the file, None where it
    does not say. warnings: what is wrong with the file and missing or damaged here.
    """

    frames: NDArray[np.uint8]
    timestamps_s: NDArray[np.float64]
    duration_s: float
    fps: float
    native_fps: float | None
    path: Path
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            found = f"{self.frames.dtype} {list(self.frames.shape)}"
            raise ValueError(f"{self.path}: frames are uint8 [T, H, W, 3], not {found}")
        if self.timestamps_s.shape != (len(self.frames),) or not len(self.frames):
            raise ValueError(f"{self.path}: {len(self.frames)} frames, timestamps {list(self.timestamps_s.shape)}")
        if (np.diff(self.timestamps_s) < 0).any():
            raise ValueError(f"{self.path}: timestamps go backwards: {self.timestamps_s.tolist()}")

    def __len__(self) -> int:
        return len(self.frames)

    def padded(self, multiple: int) -> "Clip":
        """This clip, its last frame and time repeated until T is a multiple, as temporal patches need."""
        if multiple < 1:
            raise ValueError(f"{self.path}: pad to a multiple of 1 or more, not {multiple}")
        missing = -len(self) % multiple
        if not missing:
            return self
        return replace(
            self,
            frames=np.concatenate([self.frames, np.repeat(self.frames[-1:], missing, axis=0)]),
            timestamps_s=np.concatenate([self.timestamps_s, np.repeat(self.timestamps_s[-1:], missing)]),
        )
