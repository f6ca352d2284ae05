"""The pool: many requests at once, one deadline, and a failure that stays its own."""

import asyncio
import re
import threading
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest

from judge_server import Body, JudgeServer, claims, compares, judge_of, rates
from videor2.answers import Value
from videor2.errors import InputError
from videor2.judges import Conclusion, conclude
from videor2.judges.loops import PerLoop, run_sync
from videor2.judges.pool import JudgePool, Request
from videor2.judges.verdicts import Comparison
from videor2.timeline import Claim

B = Conclusion(Value("letter", "B"), "judge")


def requests(n: int) -> list[Request]:
    return [Request(f"reasoning {i}", "Which?", ("left", "right"), "choice") for i in range(n)]


def run(pool: JudgePool, asked: list[Request]) -> list[Conclusion]:
    return asyncio.run(pool.conclude_all(asked))


class Slow:
    """A judge that takes its time, and counts."""

    def __init__(self, seconds: float = 0.05) -> None:
        self.seconds = seconds
        self.asked: Counter[str] = Counter()
        self.running = self.most = 0

    async def __call__(self, think: str, **_: Any) -> Conclusion:
        self.asked[think] += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        return Conclusion(B.value, "judge", think)


def test_conclusions_come_in_the_order_of_the_requests() -> None:
    found = run(JudgePool(Slow(0)), requests(5))
    assert [c.evidence for c in found] == [f"reasoning {i}" for i in range(5)]


def test_requests_run_together() -> None:
    judge = Slow(0.1)
    start = time.perf_counter()
    run(JudgePool(judge), requests(16))
    assert judge.most == 16
    assert time.perf_counter() - start < 1.0


def test_no_more_run_than_the_pool_allows() -> None:
    judge = Slow(0.01)
    run(JudgePool(judge, concurrency=3), requests(10))
    assert judge.most == 3


def test_calls_in_one_loop_share_the_places() -> None:
    judge = Slow(0.01)
    pool = JudgePool(judge, concurrency=3)

    async def one_by_one() -> None:
        await asyncio.gather(*(pool.conclude_all([request]) for request in requests(10)))

    asyncio.run(one_by_one())
    assert judge.most == 3


def test_equal_requests_are_asked_once_and_all_answered() -> None:
    judge = Slow(0)
    first, second = requests(2)
    found = run(JudgePool(judge), [first, second, first, first])
    assert judge.asked == {"reasoning 0": 1, "reasoning 1": 1}
    assert [c.evidence for c in found] == ["reasoning 0", "reasoning 1", "reasoning 0", "reasoning 0"]


def test_the_same_reasoning_to_another_question_is_another_request() -> None:
    judge = Slow(0)
    run(JudgePool(judge), [Request("so B", "Most likely?"), Request("so B", "Least likely?")])
    assert judge.asked["so B"] == 2


def test_one_deadline_ends_the_wait_for_all() -> None:
    async def judge(think: str, **_: Any) -> Conclusion:
        await asyncio.sleep(0 if think == "reasoning 0" else 60)
        return B

    start = time.perf_counter()
    found = run(JudgePool(judge, concurrency=2, deadline_s=0.2), requests(6))  # the last ones wait for a place
    assert time.perf_counter() - start < 2.0
    assert found == [B] + [Conclusion(None, "error", "no reply within 0.2 s")] * 5


def test_a_judge_that_does_not_let_go_is_left_behind() -> None:
    async def clingy(_: str, **__: Any) -> Conclusion:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return B

    async def timed() -> float:
        start = time.perf_counter()
        [found] = await JudgePool(clingy, deadline_s=0.1).conclude_all(requests(1))
        assert found.how == "error"
        return time.perf_counter() - start

    assert asyncio.run(timed()) < 3.0


def test_what_was_too_late_takes_no_place_from_the_next_call() -> None:
    judge = Slow(60)
    pool = JudgePool(judge, concurrency=2, deadline_s=0.1)

    async def twice() -> list[Conclusion]:
        await pool.conclude_all(requests(4))
        assert judge.running == 0
        judge.seconds = 0
        return await pool.conclude_all(requests(4))

    assert [c.how for c in asyncio.run(twice())] == ["judge"] * 4


def test_a_judge_that_raises_fails_its_own_request_alone() -> None:
    async def judge(think: str, **_: Any) -> Conclusion:
        if think == "reasoning 1":
            raise ConnectionError("no route to host")
        return B

    assert run(JudgePool(judge), requests(3)) == [
        B,
        Conclusion(None, "error", "ConnectionError: no route to host"),
        B,
    ]


def test_a_cancelled_call_cancels_what_it_asked() -> None:
    judge = Slow(60)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(JudgePool(judge).conclude_all(requests(3)), timeout=0.05)
        await asyncio.sleep(0)
        assert judge.running == 0

    asyncio.run(give_up())


def test_the_rules_run_inline() -> None:
    found = run(JudgePool(conclude), [Request("So the answer is B.", options=("left", "right"))])
    assert found == [conclude("So the answer is B.", options=("left", "right"))]


def test_a_plain_function_runs_in_threads_beside_each_other() -> None:
    together = threading.Barrier(4, timeout=5)

    def judge(_: str, **__: Any) -> Conclusion:
        together.wait()  # passed only by four at a time
        return B

    assert run(JudgePool(judge), requests(4)) == [B] * 4


def test_a_plain_function_meets_the_deadline_too() -> None:
    release = threading.Event()

    def judge(_: str, **__: Any) -> Conclusion:
        release.wait(10)
        return B

    start = time.perf_counter()
    assert [c.how for c in run(JudgePool(judge, deadline_s=0.1), requests(2))] == ["error"] * 2
    assert time.perf_counter() - start < 5
    release.set()


def test_a_partial_of_a_coroutine_function_is_awaited() -> None:
    async def judge(think: str, *, says: Conclusion, **_: Any) -> Conclusion:
        return says

    assert run(JudgePool(partial(judge, says=B)), requests(2)) == [B, B]


def test_nothing_asked_is_nothing_answered() -> None:
    assert run(JudgePool(Slow()), []) == []


def test_one_pool_serves_many_loops() -> None:
    pool = JudgePool(Slow(0.01), concurrency=2)
    for _ in range(3):
        assert [c.how for c in run(pool, requests(6))] == ["judge"] * 6


def test_one_pool_serves_loops_in_several_threads_at_once() -> None:
    pool = JudgePool(Slow(0.01), concurrency=2)
    found: list[list[Conclusion]] = []
    threads = [threading.Thread(target=lambda: found.append(run(pool, requests(6)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(conclusions) for conclusions in found] == [6] * 4


@pytest.mark.parametrize("settings", [{"concurrency": 0}, {"deadline_s": 0}, {"deadline_s": float("nan")}])
def test_a_pool_without_room_is_refused(settings: Any) -> None:
    with pytest.raises(ValueError, match="a pool needs room"):
        JudgePool(conclude, **settings)


def test_each_loop_has_an_object_of_its_own_and_closed_loops_are_forgotten() -> None:
    objects = PerLoop(object)

    async def twice() -> tuple[object, object]:
        return objects.get(), objects.get()

    first, again = asyncio.run(twice())
    other, _ = asyncio.run(twice())
    assert first is again
    assert other is not first
    assert len(objects._made) == 1


def test_a_coroutine_can_be_run_from_inside_a_running_loop() -> None:
    async def inner() -> int:
        await asyncio.sleep(0)
        return 3

    async def outer() -> int:
        return run_sync(inner())

    assert (run_sync(inner()), asyncio.run(outer())) == (3, 3)


# Many questions of other kinds.


def test_ratings_claims_and_comparisons_come_in_order(server: JudgeServer) -> None:
    def number(body: Body) -> str:
        return str(re.findall(r"reasoning (\d+)", body["messages"][1]["content"])[0])

    pool = JudgePool(judge_of(server.url))
    asked = requests(6)
    server.script = lambda body: rates(int(number(body)))
    assert [one.value for one in asyncio.run(pool.rate_all(asked))] == list(range(6))
    server.script = lambda body: claims((f"00:0{number(body)}", "a ball falls"))
    assert [one.claims for one in asyncio.run(pool.claims_all(asked))] == [
        (Claim(i, i, "a ball falls"),) for i in range(6)
    ]
    server.script = lambda body: compares(["yes", "no", "undetermined"][int(number(body)) % 3])
    pairs = [Comparison(request.think, "left") for request in asked]
    assert [one.same for one in asyncio.run(pool.compare_all(pairs))] == ["yes", "no", "undetermined"] * 2


def test_the_rules_give_no_ratings_and_say_what_does() -> None:
    with pytest.raises(InputError, match="the judge rules gives no rating: name a model"):
        asyncio.run(JudgePool(conclude).rate_all(requests(1)))


def test_progress_adds_up_to_all_requests(server: JudgeServer) -> None:
    server.script = lambda _: rates(5)
    steps: list[int] = []
    asked = [*requests(5), *requests(3)]
    asyncio.run(JudgePool(judge_of(server.url), concurrency=2).rate_all(asked, on_done=steps.append))
    assert sum(steps) == 8
    assert sorted(steps) == [1, 1, 2, 2, 2]


def test_progress_counts_what_was_too_late() -> None:
    steps: list[int] = []
    asyncio.run(JudgePool(Slow(60), deadline_s=0.1).conclude_all(requests(3), on_done=steps.append))
    assert sum(steps) == 3


def test_without_a_deadline_the_slowest_reply_is_waited_for() -> None:
    found = run(JudgePool(Slow(0.3), deadline_s=None, concurrency=1), requests(3))
    assert [c.how for c in found] == ["judge"] * 3
    assert "deadline_s=None" in repr(JudgePool(conclude, deadline_s=None))


def test_bad_input_ends_the_call_at_once() -> None:
    asked: list[str] = []

    async def judge(think: str, **_: Any) -> Conclusion:
        asked.append(think)
        await asyncio.sleep(0.01)
        raise InputError("replies.sqlite: no cache of replies: delete it")

    with pytest.raises(InputError, match="delete it"):
        run(JudgePool(judge, concurrency=2, deadline_s=None), requests(50))
    assert len(asked) <= 4


def test_many_requests_take_few_tasks_and_sockets(server: JudgeServer) -> None:
    server.script = lambda _: rates(5)
    pool = JudgePool(judge_of(server.url, timeout_s=60), concurrency=32, deadline_s=None)
    most = {"tasks": 0, "connections": 0}

    def look(_: int) -> None:
        most["tasks"] = max(most["tasks"], len(asyncio.all_tasks()))
        most["connections"] = max(most["connections"], server.connections)

    found = asyncio.run(pool.rate_all(requests(300), on_done=look))
    assert [one.value for one in found] == [5] * 300
    assert len(server.requests) == 300
    assert server.most_in_flight <= 32
    assert most["connections"] <= 32
    assert most["tasks"] <= 2 * 32 + 2


def test_ten_thousand_requests_to_the_rules_are_no_trouble() -> None:
    found = run(JudgePool(conclude, deadline_s=None), [Request(f"So it is {i}.") for i in range(10_000)])
    assert len(found) == 10_000
