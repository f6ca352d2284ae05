"""The gated alignment reward of one GRPO step with a model as judge: one after another, against all at once.

The published reward goes through the completions one by one and asks the judge twice for each: for the claims that
it makes, as JSON, then whether reasoning and answer agree. Ours reads the claims with a grammar, asks for the
conclusion of all completions together, and embeds their sentences meanwhile. `sequential_same_calls_s` is ours with
one request at a time: what is left of the difference when both ask as often. Every request goes over HTTP to a
server in a process of its own that takes `latency_s` for a reply. Sentences are embedded anew in each round.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from statistics import mean, median
from typing import Any

import httpx

from videor2.judges.chat import ChatModel
from videor2.judges.llm import LLMJudge
from videor2.judges.pool import JudgePool
from videor2.rewards import RewardConfig, Rollout, gated_alignment
from videor2.scores.alignment import align
from videor2.scores.embed import Embedder, MiniLM
from videor2.timeline import Claim, Event, read_events
from videor2.trace import Trace

LATENCY_S = 0.1
CONFIG = RewardConfig(variant="precision_greedy")
EXTRACT = 'List each timed statement of this text as JSON, {"MM:SS": "statement"}:\n\n'
JUDGE = "Does this reasoning lead to this answer? Reply True or False.\n\n"
ACTORS = ["a man", "the woman in red", "a small dog", "the goalkeeper", "two children", "the chef"]
ACTIONS = ["opens the door", "picks up the ball", "walks to the left", "sits down", "pours water", "starts to run"]


def step(completions: int, rng: random.Random) -> list[Rollout]:
    """One group: responses that each name most of the video's events, half of them in words of its own, some late."""
    times = sorted(rng.sample(range(50), 6))
    events = tuple(Event(t, t + 2, f"{rng.choice(ACTORS)} {rng.choice(ACTIONS)}") for t in times)
    rollouts = []
    for i in range(completions):
        told = " ".join(_claim(event, f" in take {i}", rng) for event in events if rng.random() < 0.8)
        response = f"<think>{told} So the answer is B.</think><answer>B</answer>"
        rollouts.append(Rollout(response, "What comes first?", ("rain", "sun"), "choice", events))
    return rollouts


def _claim(event: Event, own_words: str, rng: random.Random) -> str:
    seconds = event.start_s + rng.choice((0, 1, 9))
    return f"At 00:{seconds:02.0f}, {event.sentence}{rng.choice(('', own_words))}."


class Handler(BaseHTTPRequestHandler):
    """A model that knows the three requests of this bench."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = body["messages"][-1]["content"]
        if said.startswith(EXTRACT):
            content = json.dumps(dict(re.findall(r"At (\d\d:\d\d), ([^.]+)\.", said)))
        elif said.startswith(JUDGE):
            content = "True"
        else:
            content = json.dumps({"evidence": "So the answer is B.", "conclusion": "B"})
        time.sleep(LATENCY_S)
        data = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(port: Connection) -> None:
    server = Server(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


class Sequential:
    """The published way: two calls for each completion, everything in line."""

    def __init__(self, url: str, model: MiniLM) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._model = model
        self.calls = 0

    def __call__(self, rollouts: list[Rollout]) -> list[float]:
        return [self._reward(rollout) for rollout in rollouts]

    def _reward(self, rollout: Rollout) -> float:
        trace = Trace.parse(rollout.response)
        said = read_events(json.loads(self._ask(EXTRACT + (trace.think or ""))))
        claims = [Claim(e.start_s, e.end_s, e.sentence) for e in said]
        agrees = self._ask(f"{JUDGE}{trace.think}\n\n{trace.answer}") == "True"
        # An embedder of its own remembers nothing of the completion before, as in the published code.
        [aligned] = align([(claims, rollout.events)], variant=CONFIG.variant, embedder=Embedder(self._model))
        return (aligned.score.value or 0.0) * agrees

    def _ask(self, content: str) -> str:
        self.calls += 1
        body = {"model": "judge", "messages": [{"role": "user", "content": content}]}
        reply = self._client.post("/chat/completions", json=body).raise_for_status().json()
        text: str = reply["choices"][0]["message"]["content"]
        return text


class Ours:
    """The reward as TRL calls it, in a loop that stays."""

    def __init__(self, url: str, model: MiniLM, runner: asyncio.Runner, *, concurrency: int) -> None:
        self._pool = JudgePool(LLMJudge(ChatModel(url, "judge")), concurrency=concurrency)
        self._model = model
        self._runner = runner

    def __call__(self, rollouts: list[Rollout]) -> list[float]:
        parts = self._runner.run(
            gated_alignment(rollouts, config=CONFIG, embedder=Embedder(self._model), judge=self._pool)
        )
        failed = [part.score.detail for part in parts if part.score.status == "error"]
        if failed:
            raise RuntimeError(f"the judge of the bench failed: {failed[0]}")
        return [part.score.value or 0.0 for part in parts]


def timed(run: Callable[[list[Rollout]], list[float]], rollouts: list[Rollout]) -> tuple[float, list[float]]:
    start = time.perf_counter()
    values = run(rollouts)
    return time.perf_counter() - start, values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 5 if parser.parse_args().quick else 9
    rollouts = step(8, random.Random(0))

    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    server = spawn.Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    model = MiniLM()
    with asyncio.Runner() as runner:
        sequential = Sequential(url, model)
        ours = Ours(url, model, runner, concurrency=32)
        same_calls = Ours(url, model, runner, concurrency=1)
        sides = {"sequential": sequential, "ours": ours, "same_calls": same_calls}
        for side in sides.values():
            side([replace(rollout, question="warm up") for rollout in rollouts])
        sequential.calls = 0
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        values: dict[str, list[float]] = {}
        for i in range(rounds):
            for name, side in sides.items():
                wall, values[name] = timed(side, rollouts)
                seconds[name].append(wall)
            print(f"round {i + 1}: " + ", ".join(f"{n} {s[-1]:.3f} s" for n, s in seconds.items()), file=sys.stderr)
    server.terminate()

    middle = {name: median(taken) for name, taken in seconds.items()}
    result = {
        "sequential_s": middle["sequential"],
        "ours_s": middle["ours"],
        "speedup": middle["sequential"] / middle["ours"],
        "sequential_same_calls_s": middle["same_calls"],
        "speedup_same_calls": middle["same_calls"] / middle["ours"],
        "completions": len(rollouts),
        "sequential_calls": sequential.calls // rounds,
        "ours_calls": len(rollouts),
        "latency_s": LATENCY_S,
        "mean_reward": mean(values["ours"]),
        "max_score_diff": max(abs(a - b) for a, b in zip(values["sequential"], values["ours"], strict=True)),
    }
    print(json.dumps({k: round(v, 4) for k, v in result.items()}))


if __name__ == "__main__":
    main()
