"""Frames spread over a ten-minute 720p clip, at a model's size: ours, torchcodec, decord and transformers' loaders.

Every side gets the same frame numbers of the same file and returns uint8 RGB of 504x280 (at most 360*420 pixels,
sides multiples of 28, as arXiv 2511.23478 trains with), in a process of its own, one after another in turn; a frame
read before the clock starts stands for all that is done once. Medians of the rounds. Peak memory is the process's
VmHWM, imports included. All may use the same processors; each peer runs as it comes and with its threads set:

- ours: as many decoders as processors, up to four, each of one thread, on different parts of the file;
- torchcodec: `get_frames_at`, scaled by its own `Resize`. One FFmpeg thread as it comes; also as many as processors,
  and one decoder for each processor on a part of the frames, as its guide to parallel decoding has it;
- decord: `get_batch` of a reader of the wanted size; FFmpeg chooses its threads as it comes;
- transformers: `load_video`, which gives frames of the file's size, then the bicubic resize of its video processors.
  pyav threads slices alone, torchcodec and decord let FFmpeg choose.

`same_frames`: the peer's presentation times are ours, and so are its frames: averaged over blocks of 4x4 pixels, to be
rid of the sides' different scaling, they differ by less than a level of 255 on average (`pixel_diff`, the worst frame;
`next_frame_diff` is what one frame too late would make). transformers tells no times, its frames are compared alone.
`full_size_diff`: the worst pixel of six frames that nobody scaled.
`cpu_s` counts the seconds of all processors: what is left to compare on a machine with other work.

Peers come from this interpreter or --peer-python. torchcodec needs the shared libraries of FFmpeg 4 to 9: on Debian 12,
`apt-get install libavdevice59 libavfilter8`. A peer that does not run is told under `skipped`.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FPS = 30
LAP_S = 15
WIDTH, HEIGHT = 1280, 720
MAX_PIXELS, MULTIPLE = 360 * 420, 28
SMALL = (504, 280)
BLOCK = 4
CHECKED_FRAMES = 6
MAX_PIXEL_DIFF = 1.0
MAX_TIME_DIFF_S = 1e-4  # decord keeps its times as float32
INSTALL = (
    "pip install decord torchcodec torch torchvision transformers opencv-python; torchcodec needs FFmpeg's libraries"
)
THREADS = len(os.sched_getaffinity(0))


class Frames(NamedTuple):
    """uint8 RGB [T, H, W, 3] and when they are shown, in seconds, where the reader tells."""

    pixels: NDArray[np.uint8]
    times_s: NDArray[np.float64] | None


Rows = list[dict[str, Any]]
Reader = Callable[[str, list[int], bool], Frames]
"""Reads frames of a file by number, of size SMALL or, if told so, of the file's own."""


def with_ours() -> Reader:
    from videor2 import video

    def read(path: str, indices: list[int], full: bool) -> Frames:
        size: dict[str, Any] = {} if full else {"max_pixels": MAX_PIXELS, "multiple": MULTIPLE}
        clip = video.read(path, max_frames=len(indices), end_s=0.5 / FPS if indices == [0] else None, **size)
        return Frames(clip.frames, clip.timestamps_s)

    return read


def with_torchcodec(threads: int, decoders: int) -> Reader:
    from torchcodec.decoders import VideoDecoder  # type: ignore[import-not-found,unused-ignore]
    from torchcodec.transforms import Resize  # type: ignore[import-not-found,unused-ignore]

    def part(path: str, full: bool, indices: list[int]) -> Any:
        scaled = None if full else [Resize(SMALL[::-1])]
        decoder = VideoDecoder(path, num_ffmpeg_threads=threads, transforms=scaled, dimension_order="NHWC")
        return decoder.get_frames_at(indices)

    def read(path: str, indices: list[int], full: bool) -> Frames:
        parts = [p.tolist() for p in np.array_split(np.array(indices), decoders) if len(p)]
        with ThreadPoolExecutor(decoders) as pool:
            batches = list(pool.map(partial(part, path, full), parts))
        if len(batches) == 1:
            return Frames(batches[0].data.numpy(), batches[0].pts_seconds.numpy())
        pixels = np.concatenate([batch.data.numpy() for batch in batches])
        return Frames(pixels, np.concatenate([batch.pts_seconds.numpy() for batch in batches]))

    return read


def with_decord(threads: int) -> Reader:
    from decord import VideoReader, cpu  # type: ignore[import-not-found,unused-ignore]

    def read(path: str, indices: list[int], full: bool) -> Frames:
        width, height = (-1, -1) if full else SMALL
        reader = VideoReader(path, ctx=cpu(0), width=width, height=height, num_threads=threads)
        pixels = reader.get_batch(indices).asnumpy()
        return Frames(pixels, reader.get_frame_timestamp(indices)[:, 0].astype(np.float64))

    return read


def with_transformers(backend: str) -> Reader:
    import torch
    from torchvision.transforms.v2.functional import InterpolationMode, resize
    from transformers.video_utils import load_video

    def read(path: str, indices: list[int], full: bool) -> Frames:
        loaded, _ = load_video(path, backend=backend, sample_indices_fn=lambda metadata, **_: np.array(indices))
        frames = loaded if torch.is_tensor(loaded) else torch.from_numpy(loaded).permute(0, 3, 1, 2)
        if not full:
            frames = resize(frames, SMALL[::-1], InterpolationMode.BICUBIC, antialias=True)
        return Frames(frames.numpy().transpose(0, 2, 3, 1), None)

    return read


PEERS: dict[str, Callable[[], Reader]] = {
    "torchcodec": partial(with_torchcodec, 1, 1),
    f"torchcodec, {THREADS} threads": partial(with_torchcodec, THREADS, 1),
    f"torchcodec, {THREADS} decoders": partial(with_torchcodec, 1, THREADS),
    "decord": partial(with_decord, 0),
    f"decord, {THREADS} threads": partial(with_decord, THREADS),
    "transformers, torchcodec": partial(with_transformers, "torchcodec"),
    "transformers, decord": partial(with_transformers, "decord"),
    "transformers, pyav": partial(with_transformers, "pyav"),
    "transformers, opencv": partial(with_transformers, "opencv"),
    "transformers, torchvision": partial(with_transformers, "torchvision"),
}


def child(side: str, path: str, indices: list[int], full: bool, saved: Path) -> dict[str, float]:
    """Read in this process; what that took, and into `saved` what to compare with the other sides."""
    read = with_ours() if side == "ours" else PEERS[side]()
    read(path, [0], full)
    started, cpu_started = time.perf_counter(), time.process_time()
    frames = read(path, indices, full)
    seconds, cpu_s, rss_mb = time.perf_counter() - started, time.process_time() - cpu_started, peak_rss_mb()
    width, height = (WIDTH, HEIGHT) if full else SMALL
    if frames.pixels.shape != (len(indices), height, width, 3):
        raise RuntimeError(f"{side}: {len(indices)} frames asked for, {frames.pixels.shape} came")
    pixels = frames.pixels if full else averaged(frames.pixels)
    np.savez(saved, pixels=pixels, times_s=[] if frames.times_s is None else frames.times_s)
    return {"s": seconds, "cpu_s": cpu_s, "rss_mb": rss_mb}


def averaged(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means over blocks of pixels [T, H, W, 3]: the different kernels that the sides scale with leave little there."""
    width, height = SMALL
    shape = (height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return np.stack([frame.reshape(shape).mean(axis=(1, 3), dtype=np.float32) for frame in pixels])


def peak_rss_mb() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def make_clip(path: Path, lap: int, laps: int, gop: int) -> None:
    """Write a 1280x720 H.264 clip of x264's usual kind: preset medium, crf 23, three B-frames, pyramid.

    Scenes of three to six seconds: a camera that pans and zooms over a texture with the spectrum of photographs,
    things that cross it, grain. `lap` frames are encoded and their packets repeated `laps` times, each from a key
    frame on: to who seeks and decodes that is the same, and making the clip takes a minute.
    """
    import av

    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w", options={"movflags": "+faststart"}) as container:
        x264 = f"keyint={gop}:min-keyint={gop}:scenecut=0:sliced-threads=0"
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "x264-params": x264})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        packets = []
        for index, frame in enumerate(scenes(lap)):
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        contents = [(bytes(p), p.pts, p.dts, p.is_keyframe, p.time_base) for p in packets]
        for start in range(0, laps * lap, lap):
            for data, pts, dts, key, time_base in contents:
                packet = av.Packet(data)
                shift = int(Fraction(start, FPS) / time_base)
                packet.pts, packet.dts, packet.time_base = pts + shift, dts + shift, time_base
                packet.is_keyframe, packet.stream = key, stream
                container.mux(packet)
    part.replace(path)


def scenes(count: int) -> Iterator[Any]:
    """Frames [yuv420p] of scenes of a moving camera."""
    import av
    from av.video.reformatter import VideoReformatter

    rng = np.random.default_rng(0)
    reformatter = VideoReformatter()
    grain = rng.normal(0, 3, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.int16)
    left = 0
    for _ in range(count):
        if left == 0:
            length = left = int(rng.integers(3 * FPS, 6 * FPS))
            ground = texture(rng, 1200, 2000)
            things = [(texture(rng, *rng.integers(60, 260, 2)), rng.uniform(0, 1, 4)) for _thing in range(4)]
            begin, end = rng.uniform(0, 1, (2, 3))
        t = 1 - left / length
        left -= 1
        x, y, zoom = begin + (end - begin) * t
        width = int(1280 + 600 * zoom)
        height = width * HEIGHT // WIDTH
        top, start = int(y * (1200 - height)), int(x * (2000 - width))
        view = av.VideoFrame.from_ndarray(np.ascontiguousarray(ground[top : top + height, start : start + width]))
        pixels = reformatter.reformat(view, WIDTH, HEIGHT, "rgb24").to_ndarray()
        for thing, (x0, y0, x1, y1) in things:
            row = int((y0 + (y1 - y0) * t) * (HEIGHT - len(thing)))
            column = int((x0 + (x1 - x0) * t) * (WIDTH - thing.shape[1]))
            pixels[row : row + len(thing), column : column + thing.shape[1]] = thing
        a, b = rng.integers(0, 64, 2)
        noisy = np.clip(pixels + grain[a : a + HEIGHT, b : b + WIDTH], 0, 255).astype(np.uint8)
        yield reformatter.reformat(av.VideoFrame.from_ndarray(noisy), format="yuv420p")


def texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """RGB [height, width, 3] whose amplitudes fall with frequency, as those of photographs do."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    planes = []
    for _ in range(3):
        phases = np.exp(2j * np.pi * rng.random(frequency.shape))
        plane = np.fft.irfft2(phases / frequency**1.2, (height, width))
        planes.append(plane / plane.std() * 45 + rng.uniform(80, 170))
    mixed = 0.7 * planes[0][..., None] + 0.3 * np.stack(planes, axis=-1)
    pixels: NDArray[np.uint8] = np.clip(mixed, 0, 255).astype(np.uint8)
    return pixels


class Run(NamedTuple):
    """What one process measured, and the frames (of the full size, or averages of blocks) and times it got."""

    taken: dict[str, float]
    pixels: NDArray[np.float32]
    times_s: NDArray[np.float64]


class Bench:
    """One clip: runs each side in processes of its own."""

    def __init__(self, clip: Path, count: int, peer_python: str, folder: Path) -> None:
        self._clip, self._count, self._folder = clip, count, folder
        self._peer_python = peer_python

    def run(self, side: str, frames: int, *, full: bool = False) -> Run:
        # What is on screen at evenly spread times from the first frame to the last.
        indices = np.floor(np.linspace(0, self._count - 1, frames) + 1e-6).astype(int).tolist()
        saved = self._folder / "run.npz"
        job = {"side": side, "path": str(self._clip), "indices": indices, "full": full, "saved": str(saved)}
        python = sys.executable if side == "ours" else self._peer_python
        command = [python, __file__, "--child", json.dumps(job)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode and side == "ours":
            raise RuntimeError(done.stderr)
        if done.returncode:
            raise ChildError(next((s for s in reversed(done.stderr.splitlines()) if s.strip()), "no message"))
        taken = json.loads(done.stdout.splitlines()[-1])
        told = "{s:.2f} s, {cpu_s:.2f} s of processors, {rss_mb:.0f} MB".format(**taken)
        print(f"{frames} frames{' of full size' if full else ''}, {side}: {told}", file=sys.stderr)
        with np.load(saved) as arrays:
            return Run(taken, arrays["pixels"].astype(np.float32), arrays["times_s"])


class ChildError(RuntimeError):
    """What a peer that did not run said last."""


def check(bench: Bench, peers: list[str]) -> tuple[dict[str, float], list[dict[str, str]]]:
    """How far full-size frames are from ours, in levels of 255 at the worst pixel; and the peers that do not run."""
    reference = bench.run("ours", CHECKED_FRAMES, full=True)
    worst, skipped = {}, []
    for peer in peers:
        try:
            run = bench.run(peer, CHECKED_FRAMES, full=True)
            worst[peer] = float(np.abs(run.pixels - reference.pixels).max())
        except ChildError as error:
            skipped.append({"peer": peer, "why": str(error), "install": INSTALL})
    return worst, skipped


def compare(bench: Bench, frames: int, full_size_diff: dict[str, float], rounds: int) -> tuple[dict[str, float], Rows]:
    """What ours takes, and one row for each peer, the fastest first."""
    taken: dict[str, list[dict[str, float]]] = {side: [] for side in ("ours", *full_size_diff)}
    agreement: dict[str, dict[str, Any]] = {}
    reference = bench.run("ours", frames)  # also the warm-up
    for number in range(rounds):
        for side in list(taken)[:: -1 if number % 2 else 1]:
            run = bench.run(side, frames)
            taken[side].append(run.taken)
            agreement[side] = agree(run, reference)
    middle = {
        side: {key: round(median(run[key] for run in runs), 3) for key in ("s", "cpu_s", "rss_mb")}
        for side, runs in taken.items()
    }
    our = {"frames": frames, **{f"ours_{key}": value for key, value in middle.pop("ours").items()}}
    return our, [
        {
            **our,
            "peer": peer,
            **{f"peer_{key}": value for key, value in its.items()},
            "speedup": round(its["s"] / our["ours_s"], 3),
            "speedup_cpu": round(its["cpu_s"] / our["ours_cpu_s"], 3),
            "rss_ratio": round(our["ours_rss_mb"] / its["rss_mb"], 3),
            **agreement[peer],
            "full_size_diff": full_size_diff.get(peer),
        }
        for peer, its in sorted(middle.items(), key=lambda item: item[1]["s"])
    ]


def agree(run: Run, reference: Run) -> dict[str, Any]:
    """Whether a side got our frames, and how near they are."""
    differences = [float(np.abs(a - b).mean()) for a, b in zip(run.pixels, reference.pixels, strict=True)]
    timed = bool(len(run.times_s))
    same_times = not timed or bool(np.abs(run.times_s - reference.times_s).max() < MAX_TIME_DIFF_S)
    return {
        "same_frames": same_times and max(differences) < MAX_PIXEL_DIFF,
        "pixel_diff": round(max(differences), 3),
        "times_compared": timed,
    }


def next_frame_diff(clip: Path) -> float:
    """How much a frame one too late would differ: the mean over a second of the clip, in levels of 255."""
    from videor2 import video

    frames = video.read(clip, end_s=1.0, max_pixels=MAX_PIXELS, multiple=MULTIPLE).frames
    return round(float(np.abs(np.diff(averaged(frames), axis=0)).mean()), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a clip of one minute, one round")
    parser.add_argument("--frames", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--gop", type=int, default=250, help="frames from one key frame to the next")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, metavar="PEER")
    parser.add_argument("--peer-python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        job = json.loads(args.child)
        print(json.dumps(child(**{**job, "saved": Path(job["saved"])})))
        return

    minutes = 1 if args.quick else 10
    lap = math.ceil(LAP_S * FPS / args.gop) * args.gop
    laps = math.ceil(minutes * 60 * FPS / lap)
    clips = Path(tempfile.gettempdir()) / "videor2-bench"
    clips.mkdir(exist_ok=True)
    clip = clips / f"{minutes}min-gop{args.gop}.mp4"
    if not clip.exists():
        print(f"encoding {clip}", file=sys.stderr)
        make_clip(clip, lap, laps, args.gop)
    about = {"frames": laps * lap, "gop": args.gop, "mb": round(clip.stat().st_size / 2**20, 1)}
    ours, results = [], []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(clip, laps * lap, args.peer_python, Path(folder))
        full_size_diff, skipped = check(bench, args.peers)
        for frames in args.frames:
            our, rows = compare(bench, frames, full_size_diff, 1 if args.quick else args.rounds)
            ours.append(our)
            results += rows
    told = {
        "clip": about,
        "threads": THREADS,
        "next_frame_diff": next_frame_diff(clip),
        "skipped": skipped,
        "ours": ours,
    }
    print(json.dumps({**told, "results": results}))


if __name__ == "__main__":
    main()
