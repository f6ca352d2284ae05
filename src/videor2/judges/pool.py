"""Many questions at once: the reasonings of a training step, or of a whole log, go to the judge together."""

import asyncio
import inspect
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, cast

from videor2.errors import InputError
from videor2.judges.conclusion import AsyncJudge, Conclusion, Judge, Request
from videor2.judges.llm import Asks
from videor2.judges.loops import PerLoop
from videor2.judges.prompts import CLAIMS, COMPARISON, RATING
from videor2.judges.questions import Question
from videor2.judges.rules import conclude
from videor2.judges.verdicts import Claimed, Comparison, Rating, Verdict

__all__ = ["JudgePool", "Request"]

logger = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")

OnDone = Callable[[int], None]
"""Called with the number of requests that were settled just now; over a call they add up to all of them."""

CONCURRENCY = 32
DEADLINE_S = 120.0
LETTING_GO_S = 1.0
"""How long after the deadline a judge may take to close its connections."""


class JudgePool:
    """A judge that is asked many things at once.

    At most `concurrency` requests run at a time, in all calls of one event loop together, however many there are.
    `deadline_s` holds for a call with all its requests; None waits for as long as the judge takes. The embedded
    rules run inline, for they take microseconds; any other judge that is no coroutine function runs in threads, so
    it must stand being called from several. Raises ValueError where concurrency or deadline leave no room.
    """

    def __init__(
        self, judge: Judge | AsyncJudge, *, concurrency: int = CONCURRENCY, deadline_s: float | None = DEADLINE_S
    ) -> None:
        if concurrency < 1 or (deadline_s is not None and not deadline_s > 0):
            raise ValueError(f"a pool needs room to ask: concurrency {concurrency}, deadline {deadline_s} s")
        self.judge = judge
        self.concurrency = concurrency
        self.deadline_s = deadline_s
        self._slots = PerLoop(lambda: asyncio.Semaphore(concurrency))

    def __repr__(self) -> str:
        deadline = "None" if self.deadline_s is None else f"{self.deadline_s:g}"
        return f"JudgePool({self.judge!r}, concurrency={self.concurrency}, deadline_s={deadline})"

    async def conclude_all(self, requests: Sequence[Request], *, on_done: OnDone | None = None) -> list[Conclusion]:
        """The conclusion of each request, in order; equal ones are asked once.

        What has no reply by the deadline has an `error` for its conclusion. So has a request whose judge raised;
        the others keep theirs. An `InputError` alone, as of a broken cache, ends the call.
        """
        if _is_async(self.judge):
            judge = cast(AsyncJudge, self.judge)
            return await self._all(partial(_put_to, judge), requests, _no_conclusion, on_done)
        plain = cast(Judge, self.judge)
        if plain is conclude:
            return await self._all(partial(_at_once, plain), requests, _no_conclusion, on_done)
        with _threads(min(self.concurrency, len(requests))) as threads:
            return await self._all(partial(_in_a_thread, plain, threads), requests, _no_conclusion, on_done)

    async def rate_all(self, requests: Sequence[Request], *, on_done: OnDone | None = None) -> list[Rating]:
        """How much visual evidence each reasoning claims, as `conclude_all` asks. Raises `InputError` for a judge
        that is no model.
        """
        return await self._ask_all(RATING, requests, on_done)

    async def claims_all(self, requests: Sequence[Request], *, on_done: OnDone | None = None) -> list[Claimed]:
        """What each reasoning says happens when, as `conclude_all` asks. Raises `InputError` for a judge that is no
        model.
        """
        return await self._ask_all(CLAIMS, requests, on_done)

    async def compare_all(self, requests: Sequence[Comparison], *, on_done: OnDone | None = None) -> list[Verdict]:
        """Whether each answer says what its reasoning concludes, as `conclude_all` asks. Raises `InputError` for a
        judge that is no model.
        """
        return await self._ask_all(COMPARISON, requests, on_done)

    async def _ask_all(self, question: Question[R, T], requests: Sequence[R], on_done: OnDone | None) -> list[T]:
        if not isinstance(self.judge, Asks):
            name = "rules" if self.judge is conclude else repr(self.judge)
            raise InputError(f"the judge {name} gives no {question.name}: name a model, as openai:URL#NAME")
        return await self._all(partial(self.judge.ask, question), requests, question.failed, on_done)

    async def _all(
        self,
        ask: Callable[[R], Awaitable[T]],
        requests: Sequence[R],
        failed: Callable[[str], T],
        on_done: OnDone | None,
    ) -> list[T]:
        """The reply to each request. There are never more tasks than may run, for a log has thousands of requests."""
        asked = Counter(requests)
        end = None if self.deadline_s is None else time.monotonic() + self.deadline_s
        left = iter(asked)
        found: dict[R, T] = {}
        running: dict[asyncio.Task[T], R] = {}

        def settle(request: R, reply: T) -> None:
            found[request] = reply
            if on_done:
                on_done(asked[request])

        try:
            while True:
                while len(running) < self.concurrency and (request := next(left, None)) is not None:
                    running[asyncio.ensure_future(self._slotted(ask, request))] = request
                if not running:
                    break
                remaining = None if end is None else max(0.0, end - time.monotonic())
                done, _ = await asyncio.wait(running, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    settle(running.pop(task), _result(task, failed))
                if end is not None and time.monotonic() >= end:
                    break
        finally:
            for task in running:
                task.cancel()
        if running:  # a judge that does not let go is left behind
            await asyncio.wait(running, timeout=LETTING_GO_S)
        for request in asked:
            if request not in found:
                settle(request, failed(f"no reply within {self.deadline_s:g} s"))
        return [found[request] for request in requests]

    async def _slotted(self, ask: Callable[[R], Awaitable[T]], request: R) -> T:
        async with self._slots.get():
            return await ask(request)


async def _put_to(judge: AsyncJudge, request: Request) -> Conclusion:
    return await judge(
        request.think, question=request.question, options=request.options, answer_kind=request.answer_kind
    )


async def _at_once(judge: Judge, request: Request) -> Conclusion:
    return request.put_to(judge)


async def _in_a_thread(judge: Judge, threads: ThreadPoolExecutor, request: Request) -> Conclusion:
    return await asyncio.get_running_loop().run_in_executor(threads, partial(request.put_to, judge))


@contextmanager
def _threads(n: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for in the end: one may hang in a judge past the deadline."""
    threads = ThreadPoolExecutor(max(1, n), thread_name_prefix="judge")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _no_conclusion(reason: str) -> Conclusion:
    return Conclusion(None, "error", reason)


def _result(task: asyncio.Task[T], failed: Callable[[str], T]) -> T:
    if task.cancelled():
        return failed("the judge gave up on the request")
    raised = task.exception()
    if raised is None:
        return task.result()
    if isinstance(raised, InputError):
        raise raised
    logger.debug("the judge raised", exc_info=raised)
    return failed(f"{type(raised).__name__}: {raised}")


def _is_async(judge: Judge | AsyncJudge) -> bool:
    """Whether calling it gives a coroutine: a function, a partial of one, or an object with such a `__call__`."""
    while isinstance(judge, partial):
        judge = judge.func
    return inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(type(judge).__call__)
