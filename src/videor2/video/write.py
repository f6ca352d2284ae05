"""Encode frames as an H.264 MP4 that every player and browser shows, with the same bytes on every run."""

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from numpy.typing import NDArray

MAX_CRF = 51
# The NTSC rates are multiples of 1000/1001; nothing in use needs a larger denominator.
MAX_RATE_DENOMINATOR = 1001


def write(
    path: Path | str,
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    *,
    fps: float | Fraction,
    crf: int = 23,
) -> None:
    """Write frames, uint8 RGB [T, H, W, 3] or an iterable of [H, W, 3], as an MP4 (H.264, faststart).

    The same frames give the same bytes with the same FFmpeg. The file appears at `path` only once complete.
    Raises ValueError where there is no frame, a frame is not uint8 [H, W, 3] of the first one's size, a side is
    odd (4:2:0 halves it), or `fps` or `crf` is out of range.
    """
    path = Path(path)
    rate = _rate(path, fps)
    if not 0 <= crf <= MAX_CRF:
        raise ValueError(f"{path}: crf is 0 (lossless) to {MAX_CRF}, not {crf}")
    checked = _checked(path, frames)
    first = next(checked, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _encode(part, chain([first], checked), first.shape[1], first.shape[0], rate, crf)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _rate(path: Path, fps: float | Fraction) -> Fraction:
    """`fps` as a fraction that containers can store."""
    rate = Fraction(fps).limit_denominator(MAX_RATE_DENOMINATOR) if 0 < fps <= 1000 else Fraction(0)
    if rate == 0:
        raise ValueError(f"{path}: fps is above 0 (at least 1/{MAX_RATE_DENOMINATOR}) and at most 1000, not {fps}")
    return rate


def _checked(path: Path, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The frames one by one, each fit for the encoder."""
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            found = f"{frame.dtype} {list(frame.shape)}"
            raise ValueError(f"{path}: frame {index} is {found}; pass uint8 RGB [H, W, 3]")
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(f"{path}: frame {index} is {list(frame.shape)}, frame 0 {list(shape)}; pass one size")
        height, width = frame.shape[:2]
        if height % 2 or width % 2 or not height or not width:
            raise ValueError(f"{path}: frames are {width}x{height}; 4:2:0 needs even sides: crop or pad by one")
        yield np.ascontiguousarray(frame)


def _encode(path: Path, frames: Iterable[NDArray[np.uint8]], width: int, height: int, rate: Fraction, crf: int) -> None:
    with av.open(
        str(path.absolute()), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
    ) as container:
        stream = container.add_stream(
            "libx264", rate=rate, options={"crf": str(crf), "preset": "fast", "flags": "+bitexact", "mbtree": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        # x264's decisions depend on the number of threads; its macroblock tree, switched off above, on what freed
        # memory happens to hold, where the processor has AVX-512.
        codec.thread_count = 1
        # Untagged, a reader guesses the matrix from the height, and colours shift.
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        reformatter = VideoReformatter()
        for index, pixels in enumerate(frames):
            frame = reformatter.reformat(
                av.VideoFrame.from_ndarray(pixels, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
