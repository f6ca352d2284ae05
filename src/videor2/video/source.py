"""Open a video file, find its picture stream, and list when its frames are shown without decoding them."""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videor2.video.clip import VideoError

Packets: TypeAlias = Iterator["Packet[VideoStream]"]  # PyAV's class is generic for type checkers alone
# A damaged file is read on past this many errors of its container, then taken to end there.
MAX_DEMUX_ERRORS = 100
VP8_SHOW_FRAME = 0x10  # RFC 6386, 9.1: a bit of the first byte; reference frames that are never shown lack it


@dataclass(slots=True)
class Damage:
    """Counts of what could not be read, and what FFmpeg said first about it."""

    container_errors: int = 0
    corrupt_packets: int = 0
    undecodable_packets: int = 0
    corrupt_frames: int = 0
    out_of_order: int = 0
    first: str = ""

    def add(self, other: "Damage") -> None:
        """Count what another reader of the same file met."""
        self.container_errors += other.container_errors
        self.corrupt_packets += other.corrupt_packets
        self.undecodable_packets += other.undecodable_packets
        self.corrupt_frames += other.corrupt_frames
        self.out_of_order += other.out_of_order
        self.first = self.first or other.first

    def warnings(self) -> tuple[str, ...]:
        """One line per kind of damage."""
        because = f" ({self.first})" if self.first else ""
        kinds = {
            f"read errors in the container{because}": self.container_errors,
            "incomplete or damaged packets": self.corrupt_packets,
            f"packets that cannot be decoded{because}": self.undecodable_packets,
            "frames shown with damage": self.corrupt_frames,
            "frames left out, their times run backwards": self.out_of_order,
        }
        return tuple(f"{kind}: {count}" for kind, count in kinds.items() if count)


@dataclass(frozen=True, slots=True)
class KeyPackets:
    """The packets at which a decoder can start, in the order of the file: int64 [K] each."""

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames of a stream are shown.

    pts: int64 [N], increasing, in ticks of the stream's time base. times_s: float64 [N], the same in seconds
    from `origin`, the second on the file's clock at which a player shows 00:00. positions: int64 [N], the
    place of each frame's packet in the file. positions and keys are None where frames were found by decoding.
    """

    pts: NDArray[np.int64]
    times_s: NDArray[np.float64]
    duration_s: float
    tick_s: float
    native_fps: float | None
    origin: Fraction
    positions: NDArray[np.int64] | None = None
    keys: KeyPackets | None = None
    warnings: tuple[str, ...] = ()


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file's container and its picture stream; the other streams are not read. Raises VideoError."""
    _check_file(path)
    try:
        # Absolute, or FFmpeg takes the "12" of "12:30.mp4" for a protocol.
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path}: not a video, or one cut short ({reason(error)}); get it or encode it again"
        ) from error
    with container:
        stream = _picture_stream(container, path)
        for other in container.streams:
            other.discard = Discard.default if other.index == stream.index else Discard.all
        yield container, stream


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise VideoError(f"{path}: a folder, not a video file; name a file in it")
    if not path.exists():
        raise VideoError(f"{path}: no such file; check the path as seen from {Path.cwd()}")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path}: empty file (0 bytes); copy or download it again")


def reason(error: Exception) -> str:
    """What FFmpeg logged last ("moov atom not found") says more than its error code."""
    logged = getattr(error, "log", None)
    return str(logged[2] if logged else getattr(error, "strerror", None) or error).strip().rstrip(".")


def _picture_stream(container: InputContainer, path: Path) -> VideoStream:
    name = container.format.name
    if name in {"image2", "tty"} or name.endswith("_pipe"):
        raise VideoError(f"{path}: a still image or a text ({name}), not a video; pass a video file")
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        found = ", ".join(_described(stream) for stream in container.streams) or "nothing"
        raise VideoError(f"{path}: no video stream (found: {found}); pass a file that has one")
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise VideoError(f"{path}: no decoder for its video stream in this FFmpeg; encode it again as H.264")
    return stream


def _described(stream: Stream) -> str:
    kind = "cover art" if stream.disposition & Disposition.attached_pic else stream.type
    return f"{kind} {stream.codec_context.name}" if stream.codec_context else str(kind)


def tick_s(stream: VideoStream) -> Fraction:
    """The unit of the stream's timestamps, in seconds."""
    return stream.time_base or Fraction(1, av.time_base)


def declared_fps(stream: VideoStream) -> float | None:
    """Frames per second as the header says; the mean where they vary."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def declared_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """When the video stream ends as the header says, else the container; None where neither does."""
    if stream.duration is not None:
        start = stream.start_time or 0
        return float((start + stream.duration) * tick_s(stream) - _origin(container, stream, start))
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")  # Matroska: 00:01:02.500000000
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None if container.duration is None else float(container.duration / av.time_base)


def packets(container: InputContainer, stream: VideoStream, damage: Damage) -> Packets:
    """The stream's packets from where the container stands on, past damage."""
    while damage.container_errors <= MAX_DEMUX_ERRORS:
        try:
            # The last packet of demux is an empty one that tells a decoder to flush.
            yield from (packet for packet in container.demux(stream) if packet.size)
            return
        except av.FFmpegError as error:
            damage.container_errors += 1
            damage.first = damage.first or reason(error)


def untimed(container: InputContainer, stream: VideoStream) -> bool:
    """Whether packets do not say when their frames are shown: AVI has decoding times alone."""
    return container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


def scan(container: InputContainer, stream: VideoStream, path: Path) -> Timeline | None:
    """The timeline that the packets promise; None where they carry no presentation times.

    Raises VideoError where there are no packets.
    """
    if untimed(container, stream):
        return None
    shown, positions = array("q"), array("q")
    keys: list[tuple[int, int, int]] = []
    end = 0
    last_is_whole = True
    damage = Damage()
    hides_frames = stream.codec_context.name == "vp8"
    for index, packet in enumerate(packets(container, stream, damage)):
        if packet.pts is None:
            return None
        damage.corrupt_packets += packet.is_corrupt
        if packet.is_keyframe:
            keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts, index))
        # An edit list cuts the frames of discarded packets; they are decoded for the sake of later ones.
        if packet.is_discard or (hides_frames and not memoryview(packet)[0] & VP8_SHOW_FRAME):
            continue
        shown.append(packet.pts)
        positions.append(index)
        end = max(end, packet.pts + (packet.duration or 0))
        last_is_whole = not packet.is_corrupt
    if shown and not last_is_whole:
        shown.pop()
        positions.pop()  # a file cut short ends in the middle of a packet
    if not shown:
        because = f" ({damage.first})" if damage.first else ""
        raise VideoError(f"{path}: its video stream holds no frames{because}; get it or encode it again")
    pts, first_of_each = np.unique(np.array(shown), return_index=True)
    return timeline(
        container,
        stream,
        pts,
        end,
        warnings=damage.warnings(),
        positions=np.array(positions)[first_of_each],
        keys=KeyPackets(*np.array(keys, np.int64).reshape(-1, 3).T),
    )


def timeline(
    container: InputContainer,
    stream: VideoStream,
    pts: NDArray[np.int64],
    end: int,
    *,
    origin: Fraction | None = None,
    warnings: tuple[str, ...] = (),
    positions: NDArray[np.int64] | None = None,
    keys: KeyPackets | None = None,
) -> Timeline:
    """Put frames, shown at `pts` [N] until `end`, on the player's clock."""
    base = tick_s(stream)
    fps = _native_fps(stream, pts)
    if end <= pts[-1]:  # the last packet does not say how long: as long as a usual one
        end = int(pts[-1]) + max(1, round(1 / (fps * base)) if fps else 1)
    if origin is None:
        origin = _origin(container, stream, int(pts[0]))
    whole = origin // base
    seconds = (np.append(pts, end) - whole - float(origin / base - whole)) * base.numerator / base.denominator
    duration_s = float(seconds[-1])
    promised_s = declared_duration_s(container, stream)
    if promised_s is not None and promised_s - duration_s > max(1.0, 0.05 * promised_s):
        ends = f"frames end at {duration_s:.3f} s, the header promises {promised_s:.3f} s"
        warnings = (*warnings, f"{ends}: the file seems cut short")
    return Timeline(
        pts,
        seconds[:-1],
        duration_s,
        float(base),
        fps,
        origin,
        positions=positions,
        keys=keys,
        warnings=warnings,
    )


def _native_fps(stream: VideoStream, pts: NDArray[np.int64]) -> float | None:
    """The declared rate where the frames bear it out, else their mean rate."""
    declared = declared_fps(stream)
    if len(pts) < 2:
        return declared
    mean = float((len(pts) - 1) / ((pts[-1] - pts[0]) * float(tick_s(stream))))
    return declared if declared and abs(declared / mean - 1) < 0.02 else mean


def _origin(container: InputContainer, stream: VideoStream, first_pts: int) -> Fraction:
    """Where on the file's clock, in seconds, a player shows 00:00: where its picture or its sound starts.

    Sound before 0 is the lead-in of its encoder, which players drop.
    """
    picture = first_pts * tick_s(stream)
    sound = [
        a.start_time * a.time_base
        for a in container.streams.audio
        if a.start_time is not None and a.time_base is not None
    ]
    return min(picture, max(min(sound, default=picture), Fraction(0)))
