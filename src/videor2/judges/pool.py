"""Many conclusions at once: a step's reasonings go to the judge together, and an outage ends at one deadline."""

import asyncio
import inspect
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from videor2.judges.conclusion import AsyncJudge, Conclusion, Judge, Request
from videor2.judges.loops import PerLoop
from videor2.judges.rules import conclude

__all__ = ["JudgePool", "Request"]

logger = logging.getLogger(__name__)

CONCURRENCY = 32
DEADLINE_S = 120.0
LETTING_GO_S = 1.0
"""How long after the deadline a judge may take to close its connections."""


class JudgePool:
    """A judge that is asked many things at once.

    At most `concurrency` requests run at a time, in all calls of one event loop together. The embedded rules
    run inline, for they take microseconds; any other judge that is no coroutine function runs in threads, so it
    must stand being called from several. Raises ValueError where concurrency or deadline leave no room.
    """

    def __init__(
        self, judge: Judge | AsyncJudge, *, concurrency: int = CONCURRENCY, deadline_s: float = DEADLINE_S
    ) -> None:
        if concurrency < 1 or not deadline_s > 0:
            raise ValueError(f"a pool needs room to ask: concurrency {concurrency}, deadline {deadline_s} s")
        self.judge = judge
        self.concurrency = concurrency
        self.deadline_s = deadline_s
        self._slots = PerLoop(lambda: asyncio.Semaphore(concurrency))

    def __repr__(self) -> str:
        return f"JudgePool({self.judge!r}, concurrency={self.concurrency}, deadline_s={self.deadline_s:g})"

    async def conclude_all(self, requests: Sequence[Request]) -> list[Conclusion]:
        """The conclusion of each request, in order; equal ones are asked once.

        One deadline for all of them: what has no reply by then has an `error` for its conclusion. So has a
        request whose judge raised; the others keep theirs.
        """
        distinct = list(dict.fromkeys(requests))
        if not distinct:
            return []
        threads = ThreadPoolExecutor(min(self.concurrency, len(distinct)), thread_name_prefix="judge")
        tasks = [asyncio.ensure_future(self._ask(request, threads)) for request in distinct]
        try:
            await asyncio.wait(tasks, timeout=self.deadline_s)
            late = {task for task in tasks if task.cancel()}
            if late:  # a judge that does not let go is left behind
                await asyncio.wait(late, timeout=LETTING_GO_S)
        finally:
            for task in tasks:
                task.cancel()
            threads.shutdown(wait=False, cancel_futures=True)
        found = {
            request: self._too_late() if task in late else _result(task)
            for request, task in zip(distinct, tasks, strict=True)
        }
        return [found[request] for request in requests]

    async def _ask(self, request: Request, threads: ThreadPoolExecutor) -> Conclusion:
        if self.judge is conclude:
            return request.put_to(conclude)
        async with self._slots.get():
            if not _is_async(self.judge):
                judge = cast(Judge, self.judge)
                return await asyncio.get_running_loop().run_in_executor(threads, partial(request.put_to, judge))
            return await cast(AsyncJudge, self.judge)(
                request.think,
                question=request.question,
                options=request.options,
                answer_kind=request.answer_kind,
            )

    def _too_late(self) -> Conclusion:
        return Conclusion(None, "error", f"no reply within {self.deadline_s:g} s")


def _result(task: "asyncio.Future[Conclusion]") -> Conclusion:
    if task.cancelled():
        return Conclusion(None, "error", "the judge gave up on the request")
    raised = task.exception()
    if raised is None:
        return task.result()
    logger.debug("the judge raised", exc_info=raised)
    return Conclusion(None, "error", f"{type(raised).__name__}: {raised}")


def _is_async(judge: Judge | AsyncJudge) -> bool:
    """Whether calling it gives a coroutine: a function, a partial of one, or an object with such a `__call__`."""
    while isinstance(judge, partial):
        judge = judge.func
    return inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(type(judge).__call__)
