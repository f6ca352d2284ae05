"""Replies of servers, kept on disk: what was asked once is not asked again, also after a crash.

An SQLite file in WAL mode, which several processes and threads may use at once. A reply is found by the SHA-256 of
all that determines it: the conversation, the model's name, the sampling settings and the schema. The server's
address is not among them, so that a restart on another port repeats nothing; a cache is for one set of weights
under one name.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from videor2.errors import InputError

T = TypeVar("T")

APPLICATION_ID: Final = 0x76723272  # "vr2r": a replies file of ours, and no other program's database
FORMAT: Final = 1
BUSY_S: Final = 30.0
"""How long to wait for another process to finish its write, which takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote; `cut` where it ran into the limit of tokens."""

    text: str
    cut: bool


def request_key(payload: Mapping[str, Any], schema: Mapping[str, Any]) -> bytes:
    """The key of a request: SHA-256 of its payload and of the schema that its reply is to follow.

    The schema counts whether or not the server takes schemas: the reply is read by the same rules.
    """
    said = json.dumps([payload, schema], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).digest()


class ReplyCache:
    """The file of replies, made where it is missing. Usable from any thread; `close` it, or use it as a context.

    Raises `InputError` where the file is broken or not one of ours, at the start or whenever that shows.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._db = self._checked(self._open)

    def __repr__(self) -> str:
        return f"ReplyCache({str(self.path)!r})"

    def __enter__(self) -> "ReplyCache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self) -> int:
        """How many replies there are."""
        [count] = self._checked(lambda: self._db.execute("SELECT count(*) FROM replies").fetchone())
        return int(count)

    def get(self, key: bytes) -> Completion | None:
        """The reply to a request, None where there is none yet."""
        row = self._checked(lambda: self._db.execute("SELECT text, cut FROM replies WHERE key = ?", [key]).fetchone())
        return Completion(row[0], bool(row[1])) if row else None

    def put(self, key: bytes, completion: Completion, *, model: str) -> None:
        """Keep a reply, unless there is one: it survives this process being killed as soon as this returns."""
        row = (key, model, completion.text, completion.cut)
        self._checked(lambda: self._db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", row))

    def close(self) -> None:
        """Close the file; it cannot be used afterwards."""
        with self._lock:
            self._db.close()

    def _checked(self, action: Callable[[], T]) -> T:
        try:
            with self._lock:
                return action()
        except sqlite3.ProgrammingError:  # used after it was closed: a fault of the caller, not of the file
            raise
        except sqlite3.OperationalError as e:
            raise InputError(
                f"{self.path}: cannot use the cache of replies ({e}): mend that, or name another file"
            ) from e
        except sqlite3.DatabaseError as e:
            raise InputError(f"{self.path}: no cache of replies ({e}): delete it, or name another file") from e

    def _open(self) -> sqlite3.Connection:
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise InputError(f"{self.path}: no place for a cache of replies: name a file in a folder that exists")
        # One connection behind a lock: each use takes microseconds. Autocommit: each reply is a transaction.
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        [application], [version] = (db.execute(f"PRAGMA {name}").fetchone() for name in _STAMPS)
        [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or tables):
            raise InputError(f"{self.path}: a database of another program: name another file for the replies")
        if version > FORMAT:
            raise InputError(f"{self.path}: replies of a newer videor2: update it, or name another file")
        _in_wal_mode(db)
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last replies, a killed process none
        if version < FORMAT:  # of several processes that find no file, one makes the table and the others wait
            db.execute("BEGIN IMMEDIATE")
            db.execute(_TABLE)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute("COMMIT")


def _in_wal_mode(db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. Unlike other statements this one does not wait while another process does
    the same. Where the file system has no shared memory SQLite stays in its older, slower mode.
    """
    end = time.monotonic() + BUSY_S
    while True:
        try:
            with closing(db.execute("PRAGMA journal_mode = WAL")):
                return
        except sqlite3.ProgrammingError:  # used after it was closed: a fault of the caller, not of the file
            raise
        except sqlite3.OperationalError as e:
            if "locked" not in str(e) or time.monotonic() > end:
                raise
        time.sleep(0.01)


_STAMPS = ("application_id", "user_version")
_TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key BLOB PRIMARY KEY, model TEXT NOT NULL, text TEXT NOT NULL, cut INTEGER NOT NULL
) WITHOUT ROWID
"""
