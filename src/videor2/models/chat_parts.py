"""A clip as parts of a chat message: pictures, frames of a video, or a video file, in base64."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import numpy as np
from PIL import Image

from videor2.errors import InputError
from videor2.video.clip import Clip

Part = dict[str, Any]

JPEG_QUALITY: Final = 95
MP4_CRF: Final = 12
MP4_LEAST_FPS: Final = 1e-3


def thinned(clip: Clip, most: int | None) -> Clip:
    """At most so many of its frames, spread evenly."""
    if most is None or most >= len(clip):
        return clip
    kept = np.rint(np.linspace(0, len(clip) - 1, most)).astype(int) if most > 1 else np.array([len(clip) // 2])
    return replace(
        clip, frames=clip.frames[kept], timestamps_s=clip.timestamps_s[kept], fps=clip.fps * most / len(clip)
    )


def image_parts(clip: Clip) -> Iterator[Part]:
    """Its frames as JPEG images, each after its time as text."""
    for time_s, picture in zip(clip.timestamps_s.tolist(), pictures(clip, "JPEG"), strict=True):
        yield {"type": "text", "text": f"<{time_s:.1f} seconds>"}
        yield {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}


def video_part(kind: str, *payloads: str) -> Part:
    """A video of a media type: a file, or as many frames as there are payloads."""
    return {"type": "video_url", "video_url": {"url": f"data:{kind};base64,{','.join(payloads)}"}}


def pictures(clip: Clip, kind: Literal["JPEG", "PNG"]) -> list[str]:
    """Each frame, encoded, in base64."""
    options: dict[str, Any] = {"quality": JPEG_QUALITY, "subsampling": 0} if kind == "JPEG" else {"compress_level": 1}
    return [_base64(_picture(frame, kind, options)) for frame in clip.frames]


def _picture(frame: Any, kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, kind, **options)
    return buffer.getvalue()


def mp4_base64(clip: Clip) -> str:
    """A clip, times and all, as a video of its sampling rate; odd sides lose a row or column."""
    from videor2.video.write import write

    height, width = (side // 2 * 2 for side in clip.frames.shape[1:3])
    with TemporaryDirectory(prefix="videor2-") as folder:
        path = Path(folder, "clip.mp4")
        write(path, clip.frames[:, :height, :width], fps=max(clip.fps, MP4_LEAST_FPS), crf=MP4_CRF)
        return file_base64(str(path))


def file_base64(path: str) -> str:
    """A file in base64; raises InputError."""
    try:
        return _base64(Path(path).read_bytes())
    except OSError as e:
        raise InputError(f"{path}: {e.strerror or e}; check the path") from e


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
