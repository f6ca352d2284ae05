"""A part of a video, named as the web does: `match.mp4#t=3,7.5` is from 3 s to 7.5 s (W3C Media Fragments)."""

import re
from pathlib import Path

_SPAN = re.compile(r"#t=([0-9.]+)?(?:,([0-9.]+))?$")


def with_span(video: str, start_s: float | None, end_s: float | None) -> str:
    """The name of a part of a video; None is its beginning or its end.

    >>> with_span("match.mp4", 3.0, 7.5), with_span("match.mp4", None, None)
    ('match.mp4#t=3,7.5', 'match.mp4')
    """
    if not start_s and end_s is None:
        return video
    return f"{video}#t={start_s or 0:g}" + ("" if end_s is None else f",{end_s:g}")


def split_span(video: str) -> tuple[Path, float | None, float | None]:
    """The file, and from where to where, in seconds.

    >>> split_span("match.mp4#t=3,7.5")
    (PosixPath('match.mp4'), 3.0, 7.5)
    >>> split_span("a#1.mp4")
    (PosixPath('a#1.mp4'), None, None)
    """
    span = _SPAN.search(video)
    if not span or not any(span.groups()):
        return Path(video), None, None
    start_s, end_s = (float(text) if text else None for text in span.groups())
    return Path(video[: span.start()]), start_s, end_s
