"""Write the time and the subtitles onto frames, so that a model can read them there."""

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from videor2.video.clip import Clip
from videor2.video.subtitles import Cue, at

log = logging.getLogger(__name__)

Position: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right"]

MIN_SIDE = 64
"""Frames with a side below this have no room for letters that can be read."""
# At 224 pixels digits are 13 pixels high, the height of a vision patch.
SIZE_PER_SIDE = 0.08
MIN_SIZE = 14
MARGIN_PER_SIDE = 0.02
# On white, the worst background, this leaves white letters a contrast of 10 to 1; beside it the picture shows.
BOX = (0, 0, 0, 190)
# Subtitles that need more of the frame than this get smaller letters, then lose their end.
MAX_SUBTITLE_HEIGHT = 0.4
SMALLEST_SUBTITLE = 0.75
# A frame on screen while the second turns belongs to the new one: at 29.97 fps the frame shown at 1 s came at 0.967.
MAX_TURN_S = 0.05
# What Unicode does not decompose and the built-in font lacks.
PLAINER = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "\u00a0": " ", "•": "*", "♪": "~", "ß": "ss", "æ": "ae"}
    | {"Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
)


def burn(
    clip: Clip,
    *,
    timestamps: bool = True,
    subtitles: Sequence[Cue] | None = None,
    position: Position = "top-left",
    font: Path | str | None = None,
) -> Clip:
    """A copy of the clip with each frame's time in a corner and its subtitles at the bottom.

    White letters on a dark box, as high as 8 % of the shorter side. Long subtitles are wrapped. The built-in
    font is Latin without accents, which are dropped; for other scripts pass the file of a `font`, used for
    subtitles. Raises ValueError for frames with a side below 64 pixels and for a font that cannot be opened.
    """
    height, width = clip.frames.shape[1:3]
    if min(height, width) < MIN_SIDE:
        size = f"{width}x{height}"
        raise ValueError(f"{clip.path}: frames of {size} are too small to write on, it takes {MIN_SIDE} a side")
    pen = _Pen(width, height, font)
    frames = clip.frames.copy()
    turn_s = min(MAX_TURN_S, 1 / clip.native_fps - 1e-6) if clip.native_fps else 0.0
    for frame, t_s in zip(frames, clip.timestamps_s.tolist(), strict=True):
        raised = 0
        if timestamps:
            label = pen.label(clock(t_s + turn_s))
            _paste(frame, label, position, pen.margin)
            raised = len(label) + pen.margin if position.startswith("bottom") else 0
        words = at(subtitles, t_s) if subtitles else ""
        if words:
            _paste(frame, pen.subtitle(words), "bottom", pen.margin, raised)
    if pen.missing:
        some = "".join(sorted(pen.missing)[:10])
        log.warning("%s: no letters for %r of its subtitles in this font; pass font=", clip.path, some)
    return replace(clip, frames=frames)


def clock(t_s: float) -> str:
    """A time in seconds as a player shows it, MM:SS, with hours from one hour on.

    >>> clock(75.9), clock(3600)
    ('01:15', '01:00:00')
    """
    minutes, seconds = divmod(int(t_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _paste(frame: NDArray[np.uint8], patch: NDArray[np.uint8], where: str, margin: int, raised: int = 0) -> None:
    """Blend a patch, RGBA [h, w, 4], into a frame [H, W, 3]: in a corner, or in the middle of the bottom."""
    height, width = frame.shape[:2]
    h, w = patch.shape[:2]
    top = margin if where.startswith("top") else height - margin - h - raised
    left = {"left": margin, "right": width - margin - w}.get(where.rpartition("-")[2], (width - w) // 2)
    under = frame[top : top + h, left : left + w]
    alpha = patch[..., 3:].astype(np.uint16)
    under[:] = (patch[..., :3] * alpha + under * (255 - alpha) + 127) // 255


class _Pen:
    """Draws texts for frames of one size, each text once."""

    def __init__(self, width: int, height: int, font: Path | str | None) -> None:
        side = min(width, height)
        self.margin = max(1, round(MARGIN_PER_SIDE * side))
        self.missing: set[str] = set()
        self._size = max(MIN_SIZE, round(SIZE_PER_SIDE * side))
        self._room = width - 2 * self.margin - 2 * _padding(self._size)
        self._height = height
        self._font = font
        self._labels: dict[str, NDArray[np.uint8]] = {}
        self._subtitles: dict[str, NDArray[np.uint8]] = {}
        _opened(font, self._size)

    def label(self, text: str) -> NDArray[np.uint8]:
        """A short text in one line of the built-in font, RGBA [h, w, 4]."""
        if text not in self._labels:
            sizes = range(self._size, 1, -1)
            fonts = (_opened(None, size) for size in sizes)
            font = next(f for f in fonts if f.getlength(text) <= self._room or f.size == 2)
            self._labels[text] = _boxed([text], font)
        return self._labels[text]

    def subtitle(self, text: str) -> NDArray[np.uint8]:
        """A text in as many lines as it takes, RGBA [h, w, 4]."""
        if text not in self._subtitles:
            lines, font = self._fitted(text)
            self._subtitles[text] = _boxed(lines, font)
        return self._subtitles[text]

    def _fitted(self, text: str) -> tuple[list[str], ImageFont.FreeTypeFont]:
        for size in range(self._size, round(self._size * SMALLEST_SUBTITLE) - 1, -1):
            font = _opened(self._font, size)
            lines = self._wrapped(self._drawable(text, font), font)
            fitting = max(1, int(self._height * MAX_SUBTITLE_HEIGHT) // _line_height(font))
            if len(lines) <= fitting:
                return lines, font
        last = lines[fitting - 1]
        while font.getlength(f"{last}...") > self._room:
            last = last[:-1]
        return [*lines[: fitting - 1], f"{last.rstrip()}..."], font

    def _wrapped(self, text: str, font: ImageFont.FreeTypeFont) -> list[str]:
        """Lines that fit, broken between words, and inside those that are longer than a line."""
        lines = []
        for paragraph in text.split("\n"):
            line = ""
            for word in paragraph.split():
                joined = f"{line} {word}" if line else word
                if font.getlength(joined) <= self._room:
                    line = joined
                    continue
                lines += [line] if line else []
                line = word
                while font.getlength(line) > self._room and len(line) > 1:
                    fits = len(line) - 1
                    while fits > 1 and font.getlength(line[:fits]) > self._room:
                        fits -= 1
                    lines.append(line[:fits])
                    line = line[fits:]
            lines.append(line)
        return lines

    def _drawable(self, text: str, font: ImageFont.FreeTypeFont) -> str:
        """The text in characters that the font has, without accents where it has none with them."""
        drawable = ""
        for character in text:
            choices = character, _plainer(character)
            fitting = next((c for c in choices if all(d.isspace() or _has(font, d) for d in c)), None)
            if fitting is None:
                self.missing.add(character)
            drawable += character if fitting is None else fitting
        return drawable


@cache
def _opened(path: Path | str | None, size: int) -> ImageFont.FreeTypeFont:
    """A font from a file, or the built-in one."""
    try:
        font = ImageFont.load_default(size) if path is None else ImageFont.truetype(str(path), size)
    except OSError as error:
        raise ValueError(f"{path}: no font that can be opened; pass a .ttf, .otf or .ttc file") from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow is built without FreeType, which draws letters; install its usual wheel")
    return font


@cache
def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Whether the font draws the character itself, not the sign for one that it lacks."""
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


def _plainer(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", character.translate(PLAINER))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _padding(size: float) -> int:
    return max(2, round(size / 6))


def _line_height(font: ImageFont.FreeTypeFont) -> int:
    return sum(font.getmetrics())


def _boxed(lines: Sequence[str], font: ImageFont.FreeTypeFont) -> NDArray[np.uint8]:
    """Centred lines of white letters on a dark box, RGBA [h, w, 4]."""
    padding, line_height = _padding(font.size), _line_height(font)
    lengths = [round(font.getlength(line)) for line in lines]
    width, height = max(lengths) + 2 * padding, len(lines) * line_height + 2 * padding
    image = Image.new("RGBA", (width, height), BOX)
    draw = ImageDraw.Draw(image)
    for k, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        draw.text(((width - length) / 2, padding + k * line_height), line, "white", font)
    return np.asarray(image)
