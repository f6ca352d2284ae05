"""Objects that live in one event loop, for code that is called from many.

TRL runs rewards in a loop of its own on a daemon thread, `asyncio.run` makes a new loop each time, and a
connection or a semaphore of one loop is of no use in another.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One `make()` for each event loop. Safe to call from several threads."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        self._lock = threading.Lock()

    def get(self) -> T:
        """The object of the running loop. Raises RuntimeError where none runs."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._made:
                # What belongs to a closed loop refers to it, so that weak references would never let go.
                self._made = {known: made for known, made in self._made.items() if not known.is_closed()}
                self._made[loop] = self._make()
            return self._made[loop]


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, also where a loop runs already, as in a notebook: there it takes a thread of its own.

    >>> async def double(x): return 2 * x
    >>> run_sync(double(4))
    8
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
