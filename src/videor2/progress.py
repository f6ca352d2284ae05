"""How far a long run is, at what rate, and how long it will take: a bar on a terminal, else a line now and then."""

import logging
import time
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

log = logging.getLogger(__name__)

FIRST_LINE_S: Final = 10.0
LINE_EVERY_S: Final = 30.0


class Progress:
    """Counts what is done of `total` (None: not known). `note` is what else there is to tell. Short runs log nothing.

    >>> with Progress("judging", total=1000, unit="responses") as progress:
    ...     progress.advance(250)
    ...     progress.line(10.0)
    'judging: 250 of 1,000 responses, 25 a second, 0:00:30 left'
    """

    def __init__(self, title: str, *, total: int | None = None, unit: str = "") -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = 0
        self.note = ""
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._terminal = console.is_terminal
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task(title, total=total, rate="", note="")

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._next_line = self._started + FIRST_LINE_S
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, n: int = 1) -> None:
        """So many more are done."""
        self.done += n
        now = time.monotonic()
        rate = f"{self.done / max(now - self._started, 1e-9):.3g}/s"
        self._bar.update(self._task, advance=n, rate=rate, note=self.note)
        if not self._terminal and now >= self._next_line:
            log.info("%s", self.line(now - self._started))
            self._next_line = now + LINE_EVERY_S

    def line(self, seconds: float) -> str:
        """What there is to tell after so many seconds."""
        rate = self.done / max(seconds, 1e-9)
        of = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.title}: {self.done:,}{of} {self.unit}".rstrip(), f"{rate:.3g} a second"]
        if self.total is not None and self.done:
            parts.append(f"{timedelta(seconds=round((self.total - self.done) / rate))} left")
        return ", ".join([*parts, *([self.note] if self.note else [])])
