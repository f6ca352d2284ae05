"""A limit on requests: what exceeds it is an error that says so, what is cached costs nothing."""

import asyncio
from pathlib import Path

import pytest

from judge_server import JudgeServer, Reply, judge_of, rates
from videor2.judges import Request
from videor2.judges.budget import Budget
from videor2.judges.cache import ReplyCache
from videor2.judges.llm import parse_judge
from videor2.judges.pool import JudgePool
from videor2.judges.verdicts import Rating


@pytest.fixture
def server(server: JudgeServer) -> JudgeServer:
    server.script = lambda _: rates(7)
    return server


pytestmark = pytest.mark.usefixtures("short_waits")


def requests(n: int) -> list[Request]:
    return [Request(f"reasoning {i}") for i in range(n)]


def rate(server: JudgeServer, asked: list[Request], budget: Budget, cache: ReplyCache | None = None) -> list[Rating]:
    judge = parse_judge(f"openai:{server.url}#m", budget=budget, cache=cache, retries=2)
    return asyncio.run(JudgePool(judge, concurrency=4).rate_all(asked))


def test_beyond_the_budget_every_question_has_an_error_that_says_so(server: JudgeServer) -> None:
    budget = Budget(max_requests=3)
    found = rate(server, requests(10), budget)
    assert [one.value for one in found].count(7) == len(server.requests) == budget.sent == 3
    assert {one.error for one in found} == {"", "not asked: the budget of 3 requests is spent"}
    assert (budget.failed, budget.unasked, budget.retried) == (7, 7, 0)


def test_cached_replies_are_free(server: JudgeServer, tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "replies.sqlite") as cache:
        rate(server, requests(5), Budget(), cache)
        budget = Budget(max_requests=1)
        assert [one.value for one in rate(server, requests(6), budget, cache)] == [7] * 6
        assert (budget.sent, budget.cached, budget.failed) == (1, 5, 0)


def test_with_more_budget_only_the_rest_is_asked(server: JudgeServer, tmp_path: Path) -> None:
    with ReplyCache(tmp_path / "replies.sqlite") as cache:
        rate(server, requests(6), Budget(max_requests=4), cache)
        assert [one.value for one in rate(server, requests(6), Budget(max_requests=2), cache)] == [7] * 6
    assert len(server.requests) == len(set(server.asked())) == 6


def test_tries_count_and_are_counted_apart(server: JudgeServer) -> None:
    server.in_order(Reply(status=503), Reply(status=429, headers={"Retry-After": "0"}), rates(7))
    budget = Budget()
    assert [one.value for one in rate(server, requests(1), budget)] == [7]
    assert (budget.sent, budget.retried, budget.failed, budget.unasked) == (3, 2, 0, 0)


def test_a_failed_question_is_counted_once(server: JudgeServer) -> None:
    server.in_order(Reply(status=503))
    budget = Budget()
    assert "HTTP 503" in rate(server, requests(1), budget)[0].error
    assert (budget.sent, budget.retried, budget.failed, budget.unasked) == (3, 2, 1, 0)


def test_a_budget_may_end_between_two_tries(server: JudgeServer) -> None:
    server.in_order(Reply(status=503))
    budget = Budget(max_requests=2)
    assert "budget of 2 requests is spent" in rate(server, requests(1), budget)[0].error
    assert (budget.sent, budget.failed, budget.unasked) == (2, 1, 1)


def test_a_repair_needs_budget_too(server: JudgeServer) -> None:
    server.in_order(Reply("seven"))
    assert "budget of 1 requests is spent" in rate(server, requests(1), Budget(max_requests=1))[0].error


def test_two_judges_share_a_budget(server: JudgeServer) -> None:
    budget = Budget(max_requests=5)
    for name in ("a", "b"):
        asyncio.run(JudgePool(judge_of(server.url, name, budget=budget)).rate_all(requests(4)))
    assert (budget.sent, budget.unasked, len(server.requests)) == (5, 3, 5)


def test_a_budget_of_nothing_sends_nothing(server: JudgeServer) -> None:
    assert rate(server, requests(2), Budget(max_requests=0))[0].value is None
    assert server.requests == []


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="number of requests"):
        Budget(max_requests=-1)
