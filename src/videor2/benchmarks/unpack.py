"""Archives of videos as data sets publish them: zip and tar, whole or cut into parts, unpacked once and safely."""

import io
import re
import shutil
import tarfile
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from videor2.errors import InputError

_NAME: Final = re.compile(
    r"(?P<archive>.+\.(?:tar\.gz|tar\.xz|tar\.bz2|tar|tgz|zip))(?P<part>(?:\.?part)?[._-]?(?:[a-z]{2}|\d{1,4}))?",
    re.IGNORECASE,
)
_BUFFER: Final = 1 << 20


def archives(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of archives and of the files that each is made of, in order; other files are passed over.

    >>> archives(["videos.tar.part.ab", "videos.tar.part.aa", "subtitles.zip", "lvb_val.json"])
    {'subtitles.zip': ['subtitles.zip'], 'videos.tar': ['videos.tar.part.aa', 'videos.tar.part.ab']}
    """
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match:
            found.setdefault(match["archive"], []).append(name)
    return found


def unpack(parts: Sequence[Path], folder: Path) -> int:
    """Unpack the archive that these files make up, in order, into `folder`; gives the number of its files.

    A file that is there at its full size is kept, so that an interrupted run goes on; each file appears when it is
    complete. Links, devices and hidden files are left out. Raises InputError, with nothing written outside
    `folder`, for a member that would lie there, and for an archive that is damaged or encrypted.
    """
    name = parts[0] if len(parts) == 1 else parts[0].with_name(f"{parts[0].name} to {parts[-1].name}")
    count = 0
    try:
        with io.BufferedReader(Parts(parts), _BUFFER) as file:
            for member, size, open_member in _members(file):
                target = _place(folder, member, name)
                if target is None:
                    continue
                count += 1
                if not (target.is_file() and target.stat().st_size == size):
                    _write(target, open_member)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{name}: cannot be unpacked ({why}); remove it and download it again") from None
    except (RuntimeError, NotImplementedError) as error:  # how zipfile tells of a password, or of another compression
        raise InputError(f"{name}: cannot be unpacked here ({error}); unpack it by hand into {folder}") from None
    return count


class Parts(io.RawIOBase):
    """Several files read as one, without a copy of them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.ends = list(accumulate(path.stat().st_size for path in self.paths))
        self.position = 0
        self.open_index = -1
        self.file: IO[bytes] | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes from the start of the first file."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of one file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.ends[-1]}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}")
        self.position = start + offset
        return self.position

    def readinto(self, buffer: Any) -> int:
        """Up to the end of the part that the position is in."""
        index = bisect_right(self.ends, self.position)
        if index == len(self.paths):
            return 0
        if index != self.open_index:
            self._shut()
            self.file, self.open_index = self.paths[index].open("rb"), index
        assert self.file is not None
        begin = self.ends[index - 1] if index else 0
        self.file.seek(self.position - begin)
        view = memoryview(buffer)[: self.ends[index] - self.position]
        data = self.file.read(len(view))
        view[: len(data)] = data
        self.position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the part that is open."""
        self._shut()
        super().close()

    def _shut(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file, self.open_index = None, -1


def _members(file: IO[bytes]) -> Iterator[tuple[str, int, Callable[[], IO[bytes]]]]:
    """Name, size and opener of each file in an archive."""
    if zipfile.is_zipfile(file):
        file.seek(0)
        with zipfile.ZipFile(file) as zipped:
            for entry in zipped.infolist():
                # The upper half of the attributes is a Unix mode where there is one: 0o12 in it is a link.
                if not entry.is_dir() and entry.external_attr >> 28 != 0o12:
                    yield entry.filename, entry.file_size, lambda entry=entry: zipped.open(entry)  # type: ignore[misc]
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        for member in tar:
            if member.isfile():
                yield member.name, member.size, lambda member=member: _tarred(tar, member)  # type: ignore[misc]


def _tarred(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    assert file is not None, "a plain file of a tar can be opened"
    return file


def _place(folder: Path, member: str, archive: Path) -> Path | None:
    """Where a member goes; None for the leftovers of file managers."""
    path = PurePosixPath(member.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", member) or "\0" in member:
        raise InputError(f"{archive}: its member {member!r:.80} would lie outside {folder}; do not use this archive")
    if not path.parts or any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
        return None
    return folder.joinpath(*path.parts)


def _write(target: Path, open_member: Callable[[], IO[bytes]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with open_member() as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, _BUFFER)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
