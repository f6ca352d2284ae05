"""Subtitle files as people have them: any encoding, styled, numbered or not, and broken ones refused."""

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.video.subtitles import Cue, SubtitleError, at, load

SRT = """1
00:00:01,000 --> 00:00:02,500
Où est le café?

2
00:00:03,000 --> 00:00:04,000
<i>Là-bas</i>, à côté.
C'est ouvert.
"""
CUES = [Cue(1.0, 2.5, "Où est le café?"), Cue(3.0, 4.0, "Là-bas, à côté.\nC'est ouvert.")]


def file(tmp_path: Path, content: str | bytes, name: str = "some.srt") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


class TestRealFiles:
    @pytest.mark.parametrize(
        ("name", "count", "first"),
        [
            ("cdownsrt_ascii.srt", 3, Cue(27.0, 30.73, "ascii")),
            ("mdn_friday.vtt", 5, Cue(0.0, 0.999, "Hildy!")),
            ("mdn_sintel-en.vtt", 14, Cue(0.0, 12.0, "[Test]")),
            ("pysrt_bom-utf-16-be.srt", 7, None),
            ("pysrt_bom-utf-32-le.srt", 7, None),
            ("pysrt_bom-utf-8.srt", 7, None),
            ("pysrt_no-indexes.srt", 7, None),
            ("pysrt_empty.srt", 5, None),
            ("pysrt_utf-8.srt", 1332, Cue(1.0, 4.0, "Downloaded From www.AllSubs.org")),
            ("pysrt_windows-1252.srt", 1332, Cue(1.0, 4.0, "Downloaded From www.AllSubs.org")),
        ],
    )
    def test_cues_are_all_there(self, shared_data: Path, name: str, count: int, first: Cue | None) -> None:
        cues = load(shared_data / "subtitles" / name)
        opening = "About 2 months ago I found myself on\nthe comment section of YouTube"
        assert len(cues) == count
        assert cues[0] == (first or Cue(6.5, 9.0, opening))
        assert all("-->" not in cue.text and "<" not in cue.text and "\r" not in cue.text for cue in cues)

    def test_windows_1252_says_the_same_as_utf_8(self, shared_data: Path) -> None:
        folder = shared_data / "subtitles"
        assert load(folder / "pysrt_windows-1252.srt") == load(folder / "pysrt_utf-8.srt")

    def test_a_file_without_milliseconds_is_refused(self, shared_data: Path) -> None:
        path = shared_data / "subtitles" / "pysrt_invalid.srt"
        with pytest.raises(SubtitleError, match=rf"^{path}, line 2: not a range of times: '00:00:01 --> 00:00:10'"):
            load(path)

    def test_styling_is_stripped(self, shared_data: Path) -> None:
        cues = load(shared_data / "subtitles" / "pysrt_capability_tester.srt")
        text = "\n".join(cue.text for cue in cues)
        assert "This should be an E with an accent: È\n日本語" in text
        assert "2<3,5>1,4<6" in text  # no tag
        assert "{normal text}" in text  # no tag either
        for tag in ("<b>", "</i>", "<font", r"{\an8}", "{Y:", r"\h", r"\N"):
            assert tag not in text


class TestEncodings:
    @pytest.mark.parametrize(
        "encoding",
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp1252", "latin-1"],
    )
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_it_is_found_out(self, tmp_path: Path, encoding: str, newline: str) -> None:
        content = SRT.replace("\n", newline).encode(encoding)
        assert load(file(tmp_path, content)) == CUES

    def test_it_can_be_told(self, tmp_path: Path) -> None:
        path = file(tmp_path, "1\n00:00:01,000 --> 00:00:02,000\nпривет\n".encode("koi8-r"))
        assert load(path, encoding="koi8-r") == [Cue(1.0, 2.0, "привет")]
        with pytest.raises(SubtitleError, match="not ascii from byte"):
            load(path, encoding="ascii")
        with pytest.raises(SubtitleError, match="no encoding 'kanji'"):
            load(path, encoding="kanji")


class TestWebVTT:
    def test_notes_styles_names_and_settings_are_no_words(self, tmp_path: Path) -> None:
        content = (
            "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE\nseen 00:01 --> twice\n\n"
            "opening\n00:01.000 --> 00:02.000 align:start line:80%\n<v Ann>Fish &amp; <c.loud>chips</c>?\n\n"
            "NOTE not said\n\n01:00:03.500 --> 01:00:04.000\nwell <01:00:03.700>I <01:00:03.900>never\n"
        )
        cues = load(file(tmp_path, content, "some.vtt"))
        assert cues == [Cue(1.0, 2.0, "Fish & chips?"), Cue(3603.5, 3604.0, "well I never")]

    def test_a_header_alone_is_empty(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            assert load(file(tmp_path, "WEBVTT\n", "some.vtt")) == []
        assert "some.vtt: no subtitles in it" in caplog.text


class TestBrokenFiles:
    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe"])
    def test_an_empty_file_gives_nothing_and_a_warning(
        self, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            assert load(file(tmp_path, content)) == []
        assert "no subtitles in it" in caplog.text

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("Once upon a time.\nThe end.\n", "not subtitles"),
            ('{"cues": []}', "not subtitles"),
            ("1\n00:00:01,000 --> 00:00:02,000\nfine\n\n2\n00:00:03,000 -> 00:00:x4,000 -->\nbad\n", "line 6"),
            ("1\n00:00:01,000 --> tomorrow\nbad\n", "line 2"),
            ("{0}{25}Hello\n{26}{50}there\n", r"not subtitles|microdvd"),
            (b"\x00\x01\x02\xff\xfe\xfd" * 50, "some.srt"),
        ],
    )
    def test_what_is_no_subtitle_file_is_an_error(self, tmp_path: Path, content: str | bytes, why: str) -> None:
        path = file(tmp_path, content)
        with pytest.raises(SubtitleError, match=why) as raised:
            load(path)
        assert str(raised.value).startswith(str(path))
        assert "\n" not in str(raised.value)

    def test_a_missing_file_and_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(SubtitleError, match="no such file"):
            load(tmp_path / "nowhere.srt")
        with pytest.raises(SubtitleError, match="a folder"):
            load(tmp_path)

    def test_cues_that_end_before_they_start_are_left_out(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        content = SRT.replace("00:00:02,500", "00:00:00,500")
        with caplog.at_level(logging.WARNING):
            assert load(file(tmp_path, content)) == CUES[1:]
        assert "1 cues left out" in caplog.text


class TestAt:
    def test_the_end_is_excluded(self) -> None:
        assert [at(CUES, t) for t in (0.999, 1.0, 2.499, 2.5)] == ["", CUES[0].text, CUES[0].text, ""]

    def test_overlapping_cues_come_together(self) -> None:
        assert at([Cue(0, 5, "one"), Cue(2, 3, "two")], 2) == "one\ntwo"

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4), st.text("abc é", min_size=1)), max_size=20))
    def test_what_is_written_is_read(self, rows: list[tuple[int, int, str]]) -> None:
        import tempfile

        def stamp(ms: int) -> str:
            return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"

        content = "".join(
            f"{k}\n{stamp(start)} --> {stamp(start + length)}\n{text}\n\n"
            for k, (start, length, text) in enumerate(rows, 1)
        )
        expected = [
            Cue(start / 1000, (start + length) / 1000, " ".join(text.split()))
            for start, length, text in rows
            if text.strip()
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "some.srt"
            path.write_text(content, encoding="utf-8")
            assert load(path) == sorted(expected, key=lambda cue: (cue.start_s, cue.end_s))
