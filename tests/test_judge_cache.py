"""Replies kept on disk: asked once, never again, by any number of processes."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judge_server import JudgeServer, Reply, judge_of, rates, says
from videor2.errors import InputError
from videor2.judges import Request
from videor2.judges.budget import Budget
from videor2.judges.cache import Completion, ReplyCache, request_key
from videor2.judges.llm import LLMJudge, parse_judge
from videor2.judges.prompts import RATING
from videor2.judges.verdicts import Rating

REQUEST = Request("I see a red car.", "What is it?", ("a car", "a dog"))
KEY = bytes(32)


@pytest.fixture
def server(server: JudgeServer) -> JudgeServer:
    server.script = lambda _: rates(7)
    return server


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ReplyCache]:
    with ReplyCache(tmp_path / "replies.sqlite") as opened:
        yield opened


pytestmark = pytest.mark.usefixtures("short_waits")


def rate(judge: LLMJudge, request: Request = REQUEST) -> Rating:
    return asyncio.run(judge.ask(RATING, request))


def test_what_was_asked_is_not_asked_again(server: JudgeServer, cache: ReplyCache) -> None:
    first, again = Budget(), Budget()
    assert rate(judge_of(server.url, cache=cache, budget=first)).value == 7
    assert rate(judge_of(server.url, cache=cache, budget=again)).value == 7
    assert len(server.requests) == cache.count() == 1
    assert (first.sent, first.cached, again.sent, again.cached) == (1, 0, 0, 1)


def test_without_a_cache_it_is(server: JudgeServer) -> None:
    judge = judge_of(server.url)
    assert [rate(judge).value for _ in range(2)] == [7, 7]
    assert len(server.requests) == 2


def test_a_later_process_finds_the_replies(server: JudgeServer, tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path) as cache:
        rate(judge_of(server.url, cache=cache))
    with ReplyCache(path) as cache:
        assert rate(judge_of("http://127.0.0.1:9", cache=cache)).value == 7


def test_the_address_of_the_server_does_not_matter(server: JudgeServer, cache: ReplyCache) -> None:
    rate(judge_of(server.url, cache=cache))
    assert rate(judge_of("http://127.0.0.1:9/other/v1", cache=cache)).value == 7


@pytest.mark.parametrize("change", [{"name": "n"}, {"seed": 1}, {"max_tokens": 9}, {"extra": {"top_k": 1}}])
def test_another_model_or_setting_is_another_request(
    server: JudgeServer, cache: ReplyCache, change: dict[str, Any]
) -> None:
    rate(judge_of(server.url, cache=cache))
    rate(judge_of(server.url, **({"name": "m"} | change), cache=cache))
    assert len(server.requests) == 2


def test_a_refused_schema_makes_no_other_request(server: JudgeServer, cache: ReplyCache) -> None:
    server.script = lambda body: Reply(status=400) if "response_format" in body else rates(7)
    rate(judge_of(server.url, cache=cache))
    asked = len(server.requests)
    assert rate(judge_of(server.url, cache=cache)).value == 7  # a new judge, which does not know of the refusal
    assert len(server.requests) == asked


def test_an_unreadable_reply_is_kept_and_so_is_its_repair(server: JudgeServer, cache: ReplyCache) -> None:
    server.in_order(Reply("seven"), Reply("still seven"))
    failed = rate(judge_of(server.url, cache=cache))
    assert failed.value is None
    assert len(server.requests) == cache.count() == 2
    server.script = lambda _: rates(9)
    assert rate(judge_of(server.url, cache=cache)) == failed
    assert len(server.requests) == 2


def test_that_a_reply_was_cut_off_is_kept(server: JudgeServer, cache: ReplyCache) -> None:
    server.in_order(Reply('{"rationale": "', finish="length"))
    assert rate(judge_of(server.url, cache=cache)) == rate(judge_of(server.url, cache=cache))
    assert "cut off" in rate(judge_of(server.url, cache=cache)).error


@pytest.mark.parametrize("failure", [Reply(status=503), Reply(status=404), Reply(drop=True), Reply(raw=b"{")])
def test_a_failure_is_not_kept(server: JudgeServer, cache: ReplyCache, failure: Reply) -> None:
    server.in_order(failure)
    assert rate(judge_of(server.url, cache=cache, retries=0)).value is None
    assert cache.count() == 0
    server.script = lambda _: rates(7)
    assert rate(judge_of(server.url, cache=cache)).value == 7


def test_the_setting_of_a_judge_passes_its_cache_on(server: JudgeServer, cache: ReplyCache) -> None:
    judge = parse_judge(f"rules then openai:{server.url}#m", cache=cache)
    server.script = lambda _: says("A")
    assert not isinstance(judge, LLMJudge)
    asyncio.run(judge("It is hard to say.", options=("a car", "a dog")))  # type: ignore[arg-type]
    assert cache.count() == 1


def test_any_text_comes_back_as_it_was(cache: ReplyCache) -> None:
    for i, text in enumerate(["", "a\0b", "男\n'\"; --", "x" * 10**6]):
        key = bytes([i]) * 32
        cache.put(key, Completion(text, i % 2 == 0), model="m")
        assert cache.get(key) == Completion(text, i % 2 == 0)
    assert cache.get(KEY + b"other") is None


def test_the_first_reply_stays(cache: ReplyCache) -> None:
    cache.put(KEY, Completion("yes", False), model="m")
    cache.put(KEY, Completion("no", False), model="m")  # of another process that asked at the same time
    assert cache.get(KEY) == Completion("yes", False)


def test_the_key_depends_on_all_and_only_that() -> None:
    payload = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    key = request_key(payload, {"name": "rating"})
    assert key == request_key(dict(reversed(payload.items())), {"name": "rating"})
    assert (
        len({key, request_key(payload, {"name": "claims"}), request_key(payload | {"seed": 1}, {"name": "rating"})})
        == 3
    )


def test_many_threads_share_a_cache(cache: ReplyCache) -> None:
    def work(n: int) -> None:
        for i in range(50):
            cache.put(bytes([n, i]) * 16, Completion(f"{n} {i}", False), model="m")
            assert cache.get(bytes([n, i]) * 16) == Completion(f"{n} {i}", False)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.count() == 400


WRITER = """
import sys
from videor2.judges.cache import Completion, ReplyCache
path, n = sys.argv[1], int(sys.argv[2])
sys.stdin.readline()
with ReplyCache(path) as cache:
    for i in range(50):
        cache.put(bytes([n, i]) * 16, Completion("x" * 2000, False), model="m")
"""


def test_many_processes_make_and_fill_one_cache(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, text=True) for n in range(4)]
    for writer in writers:  # all wait at the same line, so that they open the missing file together
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    for writer in writers:
        assert writer.stdin
        writer.stdin.close()
    with ReplyCache(path) as cache:
        assert cache.count() == 200


# Files that cannot be used.


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error, ReplyCache(path):
        pass
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    path.write_text("these are my notes, and not a database at all" * 100)
    assert "delete it, or name another file" in refused(path)
    assert path.read_text().startswith("these are my notes")


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE notes (text)")
    db.close()
    before = path.read_bytes()
    assert "another program" in refused(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    ReplyCache(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "newer videor2" in refused(path)


def test_a_damaged_cache_is_told_when_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    with ReplyCache(path) as cache:
        for i in range(100):
            cache.put(bytes([i]) * 32, Completion("x" * 3000, False), model="m")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with ReplyCache(path) as cache, pytest.raises(InputError, match="delete it"):
        cache.get(KEY)


@pytest.mark.parametrize("place", [".", "missing/replies.sqlite"])
def test_a_place_that_can_hold_no_file_is_refused(tmp_path: Path, place: str) -> None:
    assert "name a file in a folder that exists" in refused(tmp_path / place)


def test_an_empty_file_becomes_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    path.touch()
    with ReplyCache(path) as cache:
        assert cache.count() == 0
