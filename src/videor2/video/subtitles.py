"""Read subtitle files into cues, whatever their encoding, and tell what is said at a time."""

import html
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import charset_normalizer
import pysubs2

from videor2.errors import InputError

log = logging.getLogger(__name__)

FORMATS = ("srt", "vtt", "ass", "ssa")
# The longer first: the mark of UTF-32 begins with that of UTF-16.
BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
WIDE_FORMS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
# The more common first, for texts too short to tell them apart by how little disorder (chaos) each finds.
PAGES = ["cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1256", "cp1255", "cp932", "big5", "gb18030", "cp949"]
TIED_CHAOS = 0.08
EXAMPLE = "00:00:01,000 --> 00:00:02,500"
TIME = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
TIMES_LINE = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(\s|$)")
LOOKS_LIKE_TIMES = re.compile(r"\s*\d+:\d.*-->|.*-->\s*\d+:\d")
VTT_INLINE_TIME = re.compile(rf"<{TIME}>")
# In SRT braces are text unless they hold an ASS override, {\an8}, or a MicroDVD one, {y:i}.
OVERRIDE = re.compile(r"\{\\[^}]*\}|\{[A-Za-z]:[^}]*\}")


class SubtitleError(InputError):
    """A subtitle file that cannot be read; the message names the file, the line and the fix."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text on screen from start_s, included, to end_s, excluded. Lines are separated by newlines."""

    start_s: float
    end_s: float
    text: str


def load(path: Path | str, *, encoding: str | None = None) -> list[Cue]:
    """Read an SRT, WebVTT, SSA or ASS file: cues in order of time, their styling removed, empty ones left out.

    The encoding is found by byte order mark, then as UTF-8, then by the statistics of charset-normalizer,
    unless it is given. A file without cues gives none and a warning in the log. Raises SubtitleError where the
    file is missing, is no subtitle file, or a line of times cannot be read.
    """
    path = Path(path)
    text = _text(path, encoding).replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n ")
    is_vtt = text.startswith("WEBVTT")
    if not text.strip() or (is_vtt and "-->" not in text):
        log.warning("%s: no subtitles in it", path)
        return []
    is_ass = "[Script Info]" in text or "[V4" in text
    if not is_ass:
        _check_times(path, text)
    try:
        parsed = pysubs2.SSAFile.from_string(_bare_vtt(text) if is_vtt else text)
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        why = "no line of times in it" if "-->" not in text else str(error)
        raise SubtitleError(f"{path}: not subtitles ({why}); a cue begins with a line like {EXAMPLE}") from error
    if parsed.format not in FORMATS:
        raise SubtitleError(f"{path}: {parsed.format} subtitles; convert them to SRT or WebVTT")

    cues = []
    backwards = 0
    for event in parsed:
        words = _plain(event, is_ass=is_ass, is_vtt=is_vtt)
        backwards += event.end < event.start
        if words and event.end >= event.start and not event.is_comment:
            cues.append(Cue(event.start / 1000, event.end / 1000, words))
    if backwards:
        log.warning("%s: %d cues left out, they end before they start", path, backwards)
    if not cues:
        log.warning("%s: no subtitles in it", path)
    return sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))


def at(cues: Sequence[Cue], t_s: float) -> str:
    """What is on screen at a time in seconds; empty where nothing is.

    >>> at([Cue(1.0, 2.0, "Hello."), Cue(1.5, 3.0, "Who is there?")], 1.5)
    'Hello.\\nWho is there?'
    >>> at([Cue(1.0, 2.0, "Hello.")], 2.0)
    ''
    """
    return "\n".join(cue.text for cue in cues if cue.start_s <= t_s < cue.end_s)


def _text(path: Path, encoding: str | None) -> str:
    if path.is_dir():
        raise SubtitleError(f"{path}: a folder, not a subtitle file; name a file in it")
    if not path.exists():
        raise SubtitleError(f"{path}: no such file; check the path as seen from {Path.cwd()}")
    raw = path.read_bytes()
    known = encoding or _unicode_form(raw)
    try:
        return raw.decode(known or "utf-8")
    except LookupError as error:
        raise SubtitleError(f"{path}: there is no encoding {encoding!r}; try utf-8 or cp1252") from error
    except UnicodeDecodeError as error:
        if known:
            raise SubtitleError(f"{path}: not {known} from byte {error.start} on; save it as UTF-8") from error
    guesses = list(charset_normalizer.from_bytes(raw, cp_isolation=PAGES))
    if not guesses:
        raise SubtitleError(f"{path}: in no encoding that can be told; save it as UTF-8 or pass encoding=")
    least = min(guess.chaos for guess in guesses)
    tied = [guess for guess in guesses if guess.chaos <= least + TIED_CHAOS]
    guess = min(tied, key=lambda guess: PAGES.index(guess.encoding))
    log.info("%s: read as %s", path, guess.encoding)
    return str(guess)


def _unicode_form(raw: bytes) -> str | None:
    """What form of Unicode a byte order mark tells, or the arrow that every cue has; None for UTF-8."""
    marked = (name for mark, name in BYTE_ORDER_MARKS.items() if raw.startswith(mark))
    arrows = ((name, raw.find("-->".encode(name))) for name in WIDE_FORMS)
    # Big-endian text read one byte off looks little-endian.
    aligned = (name for name, place in arrows if place >= 0 and place % len("-".encode(name)) == 0)
    return next(chain(marked, aligned), None)


def _check_times(path: Path, text: str) -> None:
    """A parser would take a line of times that it cannot read for words of the cue before."""
    for number, line in enumerate(text.splitlines(), 1):
        if LOOKS_LIKE_TIMES.match(line) and not TIMES_LINE.match(line):
            raise SubtitleError(f"{path}, line {number}: not a range of times: {line.strip()!r}; write {EXAMPLE}")


def _bare_vtt(text: str) -> str:
    """WebVTT without what its parser takes for words: notes, styles, names of cues, times within cues."""
    blocks = []
    for block in re.split(r"\n[ \t]*\n", VTT_INLINE_TIME.sub("", text)):
        lines = block.strip("\n").split("\n")
        times = next((k for k, line in enumerate(lines) if TIMES_LINE.match(line)), None)
        if times is not None and not lines[0].startswith("NOTE"):
            blocks.append("\n".join(lines[times:]))
    return "\n\n".join(["WEBVTT", *blocks, ""])


def _plain(event: pysubs2.SSAEvent, *, is_ass: bool, is_vtt: bool) -> str:
    text = event.plaintext if is_ass else OVERRIDE.sub("", event.text)
    text = text.replace(r"\h", " ").replace(r"\N", "\n")
    if is_vtt:
        text = html.unescape(text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
