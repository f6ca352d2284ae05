"""Resident memory of reading 128 frames of a ten-minute 1280x720 clip, everything counted, imports too.

Prints one JSON line: {"source_frames", "frames", "seconds", "before_mb", "peak_rss_mb", "frames_mb"}.
`before_mb` is the process with its imports before the first byte of video, `peak_rss_mb` the most it held.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 30
GOP_S = 5
FRAMES = 128
MAX_PIXELS = 360 * 420  # what Video-R2 trains with, arXiv 2511.23478

READER = """
import json, sys, time
from pathlib import Path
from videor2 import video

def status_mb(key):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024

before = status_mb("VmRSS")
started = time.perf_counter()
clip = video.read(sys.argv[1], max_frames=int(sys.argv[2]), max_pixels=int(sys.argv[3]))
print(json.dumps({
    "frames": len(clip), "seconds": round(time.perf_counter() - started, 2), "before_mb": round(before, 1),
    "peak_rss_mb": round(status_mb("VmHWM"), 1), "frames_mb": round(clip.frames.nbytes / 2**20, 1),
}))
"""


def make_clip(path: Path, minutes: float) -> int:
    """Write a 1280x720 H.264 clip and return its number of frames.

    A few seconds of moving noise and shapes are encoded once and their packets repeated: what a reader does
    with the file is the same, and making it takes seconds.
    """
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (90, 160 + FPS * GOP_S, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.gop_size = FPS * GOP_S
        packets = []
        for t in range(FPS * GOP_S):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(texture[:, 8 * t : 8 * t + 1280]), format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, FPS)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        contents = [(bytes(p), p.pts, p.dts, p.is_keyframe, p.time_base) for p in packets]
        rounds = int(minutes * 60 / GOP_S)
        for lap in range(rounds):
            for data, pts, dts, key, time_base in contents:
                packet = av.Packet(data)
                shift = lap * int(GOP_S / time_base)
                packet.pts, packet.dts, packet.time_base = pts + shift, dts + shift, time_base
                packet.is_keyframe, packet.stream = key, stream
                container.mux(packet)
    return rounds * len(contents)


def measure(path: Path) -> dict[str, float]:
    """Read the clip in a process of its own and return what that took."""
    command = [sys.executable, "-c", READER, str(path), str(FRAMES), str(MAX_PIXELS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a clip of one minute")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        source_frames = make_clip(path, minutes=1 if args.quick else 10)
        measure(path)  # warm-up: file cache
        print(json.dumps({"source_frames": source_frames, **measure(path)}))


if __name__ == "__main__":
    main()
