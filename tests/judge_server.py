"""A server that speaks the OpenAI chat protocol over real HTTP on loopback, and answers as a test scripts it."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from videor2.judges.chat import ChatModel
from videor2.judges.llm import LLMJudge

Body = dict[str, Any]


@dataclass
class Reply:
    """What goes back over the wire. `content` is what the model says; `raw` replaces the whole body."""

    content: str | None = None
    status: int = 200
    after_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    finish: str = "stop"
    drop: bool = False
    """Close the connection without a word."""
    meet: threading.Barrier | None = None
    """Answer when as many requests are here."""

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        message = {"role": "assistant", "content": self.content}
        return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": self.finish}]}).encode()


def says(conclusion: Any, evidence: str = "", **how: Any) -> Reply:
    """A well-formed verdict."""
    return Reply(json.dumps({"evidence": evidence, "conclusion": conclusion}), **how)


def rates(score: Any, rationale: str = "", **how: Any) -> Reply:
    """A well-formed rating."""
    return Reply(json.dumps({"rationale": rationale, "score": score}), **how)


def claims(*claims: tuple[str, str], **how: Any) -> Reply:
    """A well-formed list of times and what happens then."""
    return Reply(json.dumps({"claims": [{"time": t, "sentence": s} for t, s in claims]}), **how)


def compares(same: Any, evidence: str = "", **how: Any) -> Reply:
    """A well-formed comparison."""
    return Reply(json.dumps({"evidence": evidence, "same": same}), **how)


def judge_of(url: str, name: str = "m", **settings: Any) -> LLMJudge:
    """A judge that asks the server."""
    return LLMJudge(ChatModel(url, name, **settings))


Script = Callable[[Body], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a connection that finds the queue full tries again a second later

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)


class JudgeServer:
    """The server of a test: set `script`, read `requests`."""

    def __init__(self) -> None:
        self.script: Script = lambda _: says("B")
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.most_in_flight = 0
        self.connections = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def in_order(self, *replies: Reply) -> None:
        """Answer with these, one after another, whatever is asked; the last one again and again."""
        left = list(replies)
        self.script = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def asked(self) -> list[str]:
        """The last user message of each request."""
        return [request["messages"][-1]["content"] for request in self.requests]

    @contextmanager
    def running(self) -> Iterator["JudgeServer"]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def _answer(self, path: str, headers: dict[str, str], body: Body) -> Reply:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            self.paths.append(path)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            reply = self.script(body)
        time.sleep(reply.after_s)
        if reply.meet:
            reply.meet.wait(timeout=10)
        with self._lock:
            self._in_flight -= 1
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with server._lock:
                    server.connections += 1

            def finish(self) -> None:
                super().finish()
                with server._lock:
                    server.connections -= 1

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = server._answer(self.path, dict(self.headers), body)
                if reply.drop:
                    self.close_connection = True
                    return
                data = reply.body()
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # the client did not wait
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
