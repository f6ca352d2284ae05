"""A process that is killed while it judges loses no reply: what was answered is never asked again."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_server import Body, JudgeServer, Reply, claims, compares, rates, says

CONCURRENCY = 4

PROCESS = """
import asyncio, json, sys
from videor2.judges import Request
from videor2.judges.budget import Budget
from videor2.judges.cache import ReplyCache
from videor2.judges.llm import parse_judge
from videor2.judges.pool import JudgePool
from videor2.judges.verdicts import Comparison

async def main(url, path, n, concurrency):
    requests = [Request(f"reasoning {i}", "Where?", ("left", "right")) for i in range(n)]
    budget = Budget()
    with ReplyCache(path) as cache:
        judge = parse_judge(f"openai:{url}#m", cache=cache, budget=budget, timeout_s=60)
        pool = JudgePool(judge, concurrency=concurrency, deadline_s=None)
        found = [
            [c.how for c in await pool.conclude_all(requests)],
            [r.value for r in await pool.rate_all(requests)],
            [len(c.claims) for c in await pool.claims_all(requests)],
            [v.same for v in await pool.compare_all([Comparison(r.think, "left") for r in requests])],
        ]
    print(json.dumps({"found": found, "sent": budget.sent, "cached": budget.cached}))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""

REPLIES: dict[str, Callable[[], Reply]] = {
    "conclusion": lambda: says("A"),
    "rating": lambda: rates(6),
    "claims": lambda: claims(("00:03", "a ball falls")),
    "comparison": lambda: compares("yes"),
}


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer().running() as running:
        yield running


def judging(server: JudgeServer, path: Path, n: int) -> subprocess.Popen[str]:
    arguments = [server.url, str(path), str(n), str(CONCURRENCY)]
    return subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], stdout=subprocess.PIPE, text=True)


def question_of(body: Body) -> str:
    return str(body["response_format"]["json_schema"]["name"])


@pytest.mark.parametrize("answered", [0, 7, 25, 60])
def test_after_kill_9_no_reply_is_asked_for_twice(server: JudgeServer, tmp_path: Path, answered: int) -> None:
    n, left = 16, [answered]
    replied: Counter[str] = Counter()
    stuck: list[Body] = []

    def script(body: Body) -> Reply:
        if not left[0]:
            stuck.append(body)  # all places of the process fill with requests that get no reply
            return Reply(drop=True, after_s=30)
        left[0] -= 1
        replied[json.dumps(body["messages"])] += 1
        return REPLIES[question_of(body)]()

    server.script = script
    path = tmp_path / "replies.sqlite"
    first = judging(server, path, n)
    until(lambda: len(stuck) == CONCURRENCY)  # so that no answered one is still on its way to the cache
    first.send_signal(signal.SIGKILL)
    assert first.communicate(timeout=10)[0] == ""
    assert first.returncode == -signal.SIGKILL

    left[0] = 10**6
    second = judging(server, path, n)
    said = json.loads(second.communicate(timeout=60)[0])
    assert said["found"] == [["judge"] * n, [6] * n, [1] * n, ["yes"] * n]
    assert (said["cached"], said["sent"]) == (answered, 4 * n - answered)
    assert len(replied) == 4 * n
    assert set(replied.values()) == {1}


def test_two_processes_on_one_cache_ask_no_more_than_they_must(server: JudgeServer, tmp_path: Path) -> None:
    server.script = lambda body: REPLIES[question_of(body)]()
    path = tmp_path / "replies.sqlite"
    both = [judging(server, path, 8) for _ in range(2)]
    said = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert said[0]["found"] == said[1]["found"]
    third = json.loads(judging(server, path, 8).communicate(timeout=60)[0])
    assert (third["sent"], third["cached"]) == (0, 32)


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
    end = time.perf_counter() + timeout_s
    while not condition():
        assert time.perf_counter() < end
        time.sleep(0.01)
