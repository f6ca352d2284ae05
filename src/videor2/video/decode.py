"""Decode the wanted frames of a file: only what leads up to them, in several places at once."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videor2.video import source
from videor2.video.clip import VideoError
from videor2.video.picture import Canvas
from videor2.video.source import Damage, KeyPackets, Packets, Timeline

# Each thread holds a decoder with frames of the file's own size.
MAX_THREADS = 4
# A seek empties the decoder: to pass over fewer packets than this it is quicker to decode them.
MIN_SKIPPED_PACKETS = 8
# Work for one thread at a time, where a key packet allows to part it.
MIN_RUN_PACKETS = 32
# Where the decoder can leave out frames that no other refers to. HEVC is not among them: frames of a higher
# temporal layer may refer to those it would leave out.
SKIPS_NON_REFERENCE = frozenset({"h264", "mpeg2video", "mpeg4"})


@dataclass(frozen=True, slots=True)
class _Run:
    """Wanted frames that are decoded in one go from a key packet; the first goes into row `row`."""

    key_pts: int
    key_dts: int
    row: int
    pts: list[int]


def draw_wanted(
    container: InputContainer,
    stream: VideoStream,
    path: Path,
    timeline: Timeline,
    indices: NDArray[np.int64],
    canvas: Canvas,
    threads: int,
) -> Damage:
    """Draw frames of a timeline of packets, by increasing index. One that does not come stays undrawn.

    The stream is one that has not decoded yet. Each further thread opens the file again: decoders that start
    at different key packets never wait for each other, as the threads inside one decoder do.
    """
    if timeline.positions is None or timeline.keys is None:
        raise ValueError(f"{path}: only a timeline of packets tells where to seek")
    if not len(timeline.keys.pts):
        return Damage()
    threads = threads or default_threads()
    runs = list(_runs(timeline.pts[indices], timeline.positions[indices], timeline.keys, part=threads > 1))
    workers = min(threads, len(runs))
    queue: SimpleQueue[_Run] = SimpleQueue()
    for run in runs:
        queue.put(run)

    def work_on(container: InputContainer, stream: VideoStream) -> Damage:
        use_threads(stream, threads // workers)
        damage = Damage()
        while run := _take(queue):
            met = Damage()
            complete = _draw_run(container, stream, run, canvas, met)
            if met.undecodable_packets or met.corrupt_frames:
                # What a decoder makes of lost references depends on its threads and on what it left out.
                met = Damage()
                with source.opened(path) as (another, its_stream):
                    use_threads(its_stream, 1)
                    complete = _draw_run(another, its_stream, run, canvas, met, leave_out=False)
            damage.add(met)
            while not complete and _take(queue):
                pass  # the whole file will be decoded instead: spare all threads the rest
        return damage

    def work() -> Damage:
        with source.opened(path) as (another, its_stream):
            return work_on(another, its_stream)

    with ThreadPoolExecutor(max(1, workers - 1)) as pool:
        others = [pool.submit(work) for _ in range(workers - 1)]
        try:
            damage = work_on(container, stream)
        finally:
            while _take(queue):
                pass  # interrupted: the other threads have no more to do
        for other in others:
            damage.add(other.result())
    return damage


def use_threads(stream: VideoStream, threads: int) -> None:
    """Let one decoder use so many threads, 0 for the default. Before its first frame."""
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = threads or default_threads()


def default_threads() -> int:
    """The processors this process may use, up to four."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not tell
        processors = os.cpu_count() or 1
    return min(MAX_THREADS, processors)


def _runs(pts: NDArray[np.int64], positions: NDArray[np.int64], keys: KeyPackets, *, part: bool) -> Iterator[_Run]:
    """Split wanted frames where a seek saves decoding; to `part` the work, also at other key packets."""
    # Frames shown before a key frame may lie behind it in the file and need the key frame before.
    nearest = np.maximum(np.searchsorted(keys.pts, pts, side="right") - 1, 0).tolist()
    run: _Run | None = None
    start = reached = 0
    for row, (frame_pts, position, key) in enumerate(zip(pts.tolist(), positions.tolist(), nearest, strict=True)):
        skipped = keys.positions[key] - reached
        long_enough = part and skipped > 0 and reached - start >= MIN_RUN_PACKETS
        if run is None or skipped > MIN_SKIPPED_PACKETS or long_enough:
            if run is not None:
                yield run
            run = _Run(int(keys.pts[key]), int(keys.dts[key]), row, [])
            start = int(keys.positions[key])
        run.pts.append(frame_pts)
        reached = max(reached, position)
    if run is not None:
        yield run


def _draw_run(
    container: InputContainer,
    stream: VideoStream,
    run: _Run,
    canvas: Canvas,
    damage: Damage,
    *,
    leave_out: bool = True,
) -> bool:
    """Draw the frames of a run, if possible without decoding those between; whether all of them came."""
    rows = {pts: run.row + k for k, pts in enumerate(run.pts)}
    packets = _from_key(container, stream, run)
    leave_out = leave_out and stream.codec_context.name in SKIPS_NON_REFERENCE
    for frame in _decode(stream, packets, set(rows), damage, leave_out=leave_out):
        row = None if frame.pts is None else rows.pop(frame.pts, None)
        if row is not None:
            damage.corrupt_frames += frame.is_corrupt
            canvas.draw(row, frame)
    return not rows


def _take(queue: "SimpleQueue[_Run]") -> _Run | None:
    try:
        return queue.get_nowait()
    except Empty:
        return None


def _from_key(container: InputContainer, stream: VideoStream, run: _Run) -> Packets:
    """The packets from the run's key packet on; none where no seek leads there."""
    # Some formats index presentation times, some decoding times.
    for target in dict.fromkeys((run.key_pts, run.key_dts)):
        try:
            container.seek(target, stream=stream)
        except av.FFmpegError:
            continue
        found = False
        for packet in source.packets(container, stream, Damage()):  # the scan has told of it
            found = found or (packet.is_keyframe and packet.pts == run.key_pts)
            if found:
                yield packet
            elif packet.dts is not None and packet.dts > run.key_dts:
                break
        if found:
            return


def _decode(
    stream: VideoStream, packets: Packets, wanted: set[int], damage: Damage, *, leave_out: bool
) -> Iterator[VideoFrame]:
    """Decode until the packets of all wanted pts are in, then let the decoder run empty.

    leave_out: not those others that no frame refers to.
    """
    coming = set(wanted)
    for packet in packets:
        if leave_out:
            stream.codec_context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
        coming.discard(packet.pts)
        yield from _frames_of(stream, packet, damage)
        if not coming:
            break
    yield from _frames_of(stream, None, damage)


def _frames_of(stream: VideoStream, packet: "Packet[VideoStream] | None", damage: Damage) -> list[VideoFrame]:
    """What the decoder gives for a packet, and for None what it still holds; nothing for a damaged packet."""
    try:
        frames: list[VideoFrame] = stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        damage.undecodable_packets += 1
        damage.first = damage.first or source.reason(error)
        return []
    return frames


def every_frame(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[tuple[int, VideoFrame]]:
    """All frames in the order shown, with increasing pts, counted up where the file has none."""
    by_decoding_time = source.untimed(container, stream)
    if by_decoding_time:
        stream.codec_context.thread_type = "SLICE"  # else a frame has the decoding time of a later one
    rate = source.declared_fps(stream) or 25.0
    step = max(1, round(1 / (rate * source.tick_s(stream))))
    last: int | None = None
    for packet in chain(source.packets(container, stream, damage), [None]):
        for frame in _frames_of(stream, packet, damage):
            pts = frame.dts if by_decoding_time else frame.pts
            if pts is None:
                pts = 0 if last is None else last + step
            if last is not None and pts <= last:
                damage.out_of_order += 1
                continue
            last = pts
            yield pts, frame


def draw_while_decoding_all(
    container: InputContainer, stream: VideoStream, pts: NDArray[np.int64], canvas: Canvas
) -> None:
    """Draw the frames shown at `pts` [T] out of all of them."""
    rows = {pts: row for row, pts in enumerate(pts.tolist())}
    for frame_pts, frame in every_frame(container, stream, Damage()):
        row = rows.pop(frame_pts, None)
        if row is not None:
            canvas.draw(row, frame)
        if not rows:
            return


def timeline_by_decoding(
    container: InputContainer, stream: VideoStream, path: Path, damage: Damage, origin: Fraction | None = None
) -> Timeline:
    """The timeline of the frames that really come out. Raises VideoError where none does."""
    shown: list[int] = []
    end = 0
    for pts, frame in every_frame(container, stream, damage):
        shown.append(pts)
        end = pts + (frame.duration or 0)
    if not shown:
        because = f" ({damage.first})" if damage.first else ""
        raise VideoError(f"{path}: no frame of its video stream can be decoded{because}; get it or encode it again")
    return source.timeline(container, stream, np.array(shown, np.int64), end, origin=origin)
