"""Where the clip of a record lies, and how the page refers to it."""

import base64
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

from videor2.span import split_span

MAX_CLIP_BYTES: Final = 12 * 2**20
MAX_PAGE_BYTES: Final = 64 * 2**20
"""What is larger is linked to, not embedded: a browser chokes on a page of a gigabyte."""

MAX_EMBEDDED: Final = 12
"""A page that shows more clips than this links to all of them."""

MIME: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}
UNPLAYED: Final = (".avi", ".flv", ".mpg", ".mpeg", ".ts", ".wmv")


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip as the page has it: `src` is a data URI, or where it lies if it is not embedded, or empty."""

    src: Markup | str
    name: str
    note: str = ""


@dataclass(frozen=True)
class Library:
    """Where the clips of a run are looked for: in `videos` if given, else where the records say, seen from `folder`.

    In `videos` a clip is found by its path or the end of it, else by its name in any folder, else by its name with
    another ending.
    """

    folder: Path
    videos: Path | None = None

    def find(self, name: str) -> tuple[Path | None, str]:
        """The clip's file, of a part of a video the whole; or None and what to tell the reader."""
        name = str(split_span(name)[0])
        if self.videos is not None:
            return self._in_videos(name, self.videos)
        path = self.folder / name
        return (path, "") if path.is_file() else (None, f"Clip not found: {name} (--videos says where)")

    def _in_videos(self, name: str, videos: Path) -> tuple[Path | None, str]:
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
        for i in range(len(parts)):
            path = videos.joinpath(*parts[i:])
            if path.suffix.lower() in (*MIME, *UNPLAYED) and path.is_file():
                return path, ""
        by_name, by_stem = self._files
        last = PurePath(parts[-1]) if parts else PurePath()
        known = last.suffix.lower() in (*MIME, *UNPLAYED)
        found = by_name.get(last.name) or by_stem.get(last.stem if known else last.name, [])
        if len(found) > 1:
            return None, f"Clip not told apart: {len(found)} files in {videos} are called {last.name}"
        return (found[0], "") if found else (None, f"Clip not found in {videos}: {name}")

    @cached_property
    def _files(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        by_name: dict[str, list[Path]] = defaultdict(list)
        by_stem: dict[str, list[Path]] = defaultdict(list)
        for folder, _, names in os.walk(self.videos or self.folder):
            for name in names:
                path = Path(folder, name)
                if path.suffix.lower() in (*MIME, *UNPLAYED):
                    by_name[name].append(path)
                    by_stem[path.stem].append(path)
        return by_name, by_stem

    def owns(self, path: Path) -> bool:
        """Does the file lie where the run keeps its clips? A log may name any file, and only these are copied."""
        resolved = path.resolve()
        return any(resolved.is_relative_to(home.resolve()) for home in (self.folder, self.videos) if home is not None)


def embedded(path: Path) -> Markup:
    """The clip as a data URI."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Markup(f"data:{MIME[path.suffix.lower()]};base64,{data}")


def linked(path: Path, page: Path) -> str:
    """The clip's address as seen from the page: relative where both move together, else its file URI.

    >>> linked(Path("/runs/clips/a 1.mp4"), Path("/runs/audit/report.html"))
    '../clips/a%201.mp4'
    """
    path, home = Path(os.path.abspath(path)), Path(os.path.abspath(page)).parent  # noqa: PTH100 (keeps links)
    if home.parent != home and path.is_relative_to(home.parent) and home.parent != Path(home.anchor):
        return quote(os.path.relpath(path, home).replace(os.sep, "/"))
    return path.as_uri()


def unplayable(path: Path) -> str:
    """Why browsers do not play the file, if they do not."""
    return "" if path.suffix.lower() in MIME else f"{path.name}: browsers play no {path.suffix or 'such'} files"


def sources(found: Sequence[tuple[str, Library]], page: Path) -> list[Clip]:
    """The clips with these names as the page has them: all embedded where they are few and small, else all linked."""
    located = [(name, library, *library.find(name)) for name, library in found]
    playable = {path: library for _, library, path, _ in located if path and not unplayable(path)}
    few = len(playable) <= MAX_EMBEDDED and sum(path.stat().st_size for path in playable) <= MAX_CLIP_BYTES
    clips = []
    for name, library, path, note in located:
        if path is None or path not in playable:
            clips.append(Clip("", PurePosixPath(name).name, note or (unplayable(path) if path else "")))
        else:
            clips.append(Clip(embedded(path) if few and library.owns(path) else linked(path, page), path.name))
    return clips
