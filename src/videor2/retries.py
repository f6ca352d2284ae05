"""Asking an HTTP server again: what may work the next time, and how long to wait until then."""

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from videor2.errors import InputError

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S: Final = 60.0
"""A server that asks to be left alone for longer will not answer in time for anyone."""
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class TransientError(Exception):
    """It may work the next time, `after_s` from now if the server said so."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


def backoff_s(tries: int, jitter: random.Random) -> float:
    """The wait after so many tries: twice as long each time, and never the same for all that failed together."""
    return FIRST_WAIT_S * 2.0 ** (tries - 1) * jitter.uniform(0.5, 1.0)


def retry_after_s(header: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None where it holds neither.

    >>> [retry_after_s(header) for header in ("2", "0.5", "soon", None)]
    [2.0, 0.5, None, None]
    """
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def openai_base(url: str) -> str:
    """The base of an OpenAI-compatible server, however it is written. Raises InputError for what is no URL of one.

    >>> openai_base("http://localhost:8000"), openai_base("http://h/v1/chat/completions/")
    ('http://localhost:8000/v1', 'http://h/v1')
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{url!r} is no URL of a server: write it as http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise InputError(f"the URL of {parts.hostname} has a password in it: set OPENAI_API_KEY instead")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"
