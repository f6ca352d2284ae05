"""From decoded frames to one uint8 RGB array: scaled, upright, each in its row."""

import struct
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

MIN_SIDE = 2


class Canvas:
    """The array [T, H, W, 3] that frames are drawn into, one row each, by several threads at once.

    Its size follows from the first frame that comes; frames of another size are scaled to it.
    """

    def __init__(self, count: int, *, max_pixels: int | None = None, multiple: int = 1) -> None:
        self.drawn = np.zeros(count, bool)
        self._max_pixels = max_pixels
        self._multiple = multiple
        self._lock = threading.Lock()
        self._of_thread = threading.local()  # a reformatter serves one thread
        self._pixels: NDArray[np.uint8] | None = None
        self._size = (0, 0)
        self._turn = Turn()

    def draw(self, row: int, frame: VideoFrame) -> None:
        """Convert a frame into its row."""
        pixels = self._prepared(frame)
        width, height = self._size
        if not hasattr(self._of_thread, "reformatter"):
            self._of_thread.reformatter = VideoReformatter()
        picture = self._of_thread.reformatter.reformat(
            frame, width, height, "rgb24", interpolation=_interpolation(frame, width, height), threads=1
        )
        pixels[row] = self._turn.upright(picture.to_ndarray())
        self.drawn[row] = True

    def _prepared(self, frame: VideoFrame) -> NDArray[np.uint8]:
        with self._lock:
            if self._pixels is None:
                self._size = scaled_size(
                    frame.width, frame.height, max_pixels=self._max_pixels, multiple=self._multiple
                )
                self._turn = turn_of(frame)
                width, height = self._size[::-1] if self._turn.swap else self._size
                self._pixels = np.empty((len(self.drawn), height, width, 3), np.uint8)
            return self._pixels

    def finished(self) -> NDArray[np.uint8] | None:
        """The array where every row is drawn, else None."""
        return self._pixels if self.drawn.all() else None


def scaled_size(width: int, height: int, *, max_pixels: int | None = None, multiple: int = 1) -> tuple[int, int]:
    """Width and height within `max_pixels`, never enlarged to reach it, sides multiples of `multiple`.

    The aspect ratio is kept as far as whole multiples allow, and no side falls below 2 or one multiple, even
    where that exceeds `max_pixels`.

    >>> scaled_size(1280, 720, max_pixels=151_200)
    (518, 291)
    >>> scaled_size(1280, 720, max_pixels=151_200, multiple=28)
    (504, 280)
    """
    least = multiple * -(-MIN_SIDE // multiple)
    near_width, near_height = (max(least, round(side / multiple) * multiple) for side in (width, height))
    if max_pixels is None or near_width * near_height <= max_pixels:
        return near_width, near_height
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    fit_width, fit_height = (max(least, int(side * scale / multiple) * multiple) for side in (width, height))
    return fit_width, fit_height


def _interpolation(frame: VideoFrame, width: int, height: int) -> Interpolation:
    if (frame.width, frame.height) == (width, height):
        return Interpolation.BILINEAR  # FFmpeg's own for a change of format alone
    halved = frame.width >= 2 * width and frame.height >= 2 * height
    return Interpolation.AREA if halved else Interpolation.BICUBIC


@dataclass(frozen=True, slots=True)
class Turn:
    """What makes a stored picture upright: rows and columns swapped, then either of them reversed."""

    swap: bool = False
    flip_down: bool = False
    flip_across: bool = False

    def upright(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A view of pixels [H, W, 3]."""
        if self.swap:
            pixels = pixels.transpose(1, 0, 2)
        return pixels[:: -1 if self.flip_down else 1, :: -1 if self.flip_across else 1]


def turn_of(frame: VideoFrame) -> Turn:
    """The nearest quarter turn to the display matrix of the frame.

    The matrix sends column p of row q to column a * p + c * q of row b * p + d * q. Ask once a video: a frame
    and its side data hold each other, so whole pictures wait for the garbage collector.
    """
    side_data: Any = frame.side_data  # PyAV's stub leaves this key out
    try:
        matrix = side_data["DISPLAYMATRIX"]
    except KeyError:
        return Turn()
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(b) > abs(a):
        return Turn(swap=True, flip_down=b < 0, flip_across=c < 0)
    return Turn(flip_down=d < 0, flip_across=a < 0)
