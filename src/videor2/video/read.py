"""Read a video: the wanted frames, at the wanted size, with the times at which a player shows them.

First the packets are listed without decoding them, which gives exact times (variable frame rates, reordered
frames, edit lists) and the places where a decoder can start. Then only what leads up to a wanted frame is
decoded. Where that does not give exactly the wanted frames (damage, containers without times), the whole file
is decoded instead: seeking changes how long it takes, never the frames.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videor2.video import decode, source
from videor2.video.clip import Clip, VideoError, VideoInfo
from videor2.video.picture import Canvas
from videor2.video.sampling import Choice, Sampling
from videor2.video.source import Damage, Timeline

log = logging.getLogger(__name__)


def read(
    path: Path | str,
    *,
    fps: float | None = None,
    max_frames: int | None = None,
    min_frames: int = 1,
    max_pixels: int | None = None,
    multiple: int = 1,
    start_s: float | None = None,
    end_s: float | None = None,
    threads: int = 0,
) -> Clip:
    """Read frames of a video: at `fps`, at most `max_frames`, spread evenly; with neither, all of them.

    `Sampling` says which frames; `start_s` and `end_s` bound them, in seconds. They come upright, scaled down
    to at most `max_pixels` (width times height) in their aspect ratio, sides rounded to a `multiple`, pixels
    taken as square. `threads` of the decoder: 0 chooses, up to four. What is damaged is left out, logged and
    told in `Clip.warnings`. Memory: the frames returned and some of the file's own size.

    Raises VideoError where the file gives no frame, ValueError for arguments that ask for none.
    """
    path = Path(path)
    sampling = Sampling(fps, max_frames, min_frames, start_s or 0.0, end_s)
    for name, value, least in (
        ("max_pixels", max_pixels, 1),
        ("multiple", multiple, 1),
        ("threads", threads, 0),
    ):
        if value is not None and value < least:
            raise ValueError(f"{name} is {least} or more, not {value}")

    with source.opened(path) as (container, stream):
        timeline = source.scan(container, stream, path)
        if timeline is not None:
            choice = _choose(sampling, timeline, path)
            canvas = Canvas(len(choice.indices), max_pixels=max_pixels, multiple=multiple)
            damage = decode.draw_wanted(container, stream, path, timeline, choice.indices, canvas, threads)
            frames = canvas.finished()
            if frames is not None:
                return _clip(path, frames, timeline, choice, damage)

    # A frame did not come out where its packet said: only decoding everything tells which frames there are.
    log.info("%s: seeking did not give every frame, decoding all of it", path)
    with source.opened(path) as (container, stream):
        decode.use_threads(stream, 1)
        damage = Damage()
        origin = None if timeline is None else timeline.origin
        timeline = decode.timeline_by_decoding(container, stream, path, damage, origin)
    choice = _choose(sampling, timeline, path)
    canvas = Canvas(len(choice.indices), max_pixels=max_pixels, multiple=multiple)
    with source.opened(path) as (container, stream):
        decode.use_threads(stream, 1)
        decode.draw_while_decoding_all(container, stream, timeline.pts[choice.indices], canvas)
        frames = canvas.finished()
        if frames is None:
            raise VideoError(f"{path}: two readings gave different frames; is it still being written?")
        return _clip(path, frames, timeline, choice, damage)


def _choose(sampling: Sampling, timeline: Timeline, path: Path) -> Choice:
    try:
        return sampling.choose(timeline.times_s, timeline.duration_s, tick_s=timeline.tick_s)
    except ValueError as error:
        raise VideoError(f"{path}: {error}") from error


def _clip(
    path: Path,
    frames: NDArray[np.uint8],
    timeline: Timeline,
    choice: Choice,
    damage: Damage,
) -> Clip:
    warnings = (*timeline.warnings, *damage.warnings())
    for warning in warnings:
        log.warning("%s: %s", path, warning)
    return Clip(
        frames=frames,
        timestamps_s=timeline.times_s[choice.indices],
        duration_s=timeline.duration_s,
        fps=choice.fps,
        native_fps=timeline.native_fps,
        path=path,
        warnings=warnings,
    )


def probe(path: Path | str) -> VideoInfo:
    """What a file says about its video.

    Decodes one frame, the only place where FFmpeg tells the rotation, and lists the packets where the header
    has no duration. Raises VideoError where there is no video stream.
    """
    path = Path(path)
    with source.opened(path) as (container, stream):
        duration_s = source.declared_duration_s(container, stream)
        codec = stream.codec_context
        width, height, rotation = codec.width, codec.height, 0
        for _, frame in decode.every_frame(container, stream, Damage()):
            width, height, rotation = frame.width, frame.height, -frame.rotation % 360
            break
        if duration_s is None:
            with source.opened(path) as (again, its_stream):
                timeline = source.scan(again, its_stream, path)
            if timeline is None:
                with source.opened(path) as (again, its_stream):
                    timeline = decode.timeline_by_decoding(again, its_stream, path, Damage())
            duration_s = timeline.duration_s
        return VideoInfo(
            path=path,
            container=container.format.name,
            codec=codec.codec.canonical_name,
            width=height if rotation % 180 else width,
            height=width if rotation % 180 else height,
            duration_s=duration_s,
            native_fps=source.declared_fps(stream),
            frame_count=stream.frames or None,
            rotation=rotation,
            has_audio=bool(container.streams.audio),
        )
