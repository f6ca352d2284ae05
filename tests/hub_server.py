"""As much of the Hugging Face hub as `snapshot_download` asks for, on loopback."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """Data sets by id: the files of each. `gated` ones give their files to whoever has `token`."""

    files: dict[str, dict[str, bytes]]
    gated: frozenset[str] = frozenset()
    token: str = "hf_right"
    cut_off: dict[str, int] = field(default_factory=dict)
    """Paths whose first answer ends after so many bytes, as when a line breaks."""
    status: int = 200
    """Other than 200: what all requests are answered with."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range of each."""
    port: int = 0

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def fetched(self) -> list[str]:
        """Paths of the files whose content was asked for."""
        return [path.split("/", 6)[-1] for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]

    def commit(self, repo: str) -> str:
        """Changes with the content."""
        return hashlib.sha1(repr(sorted(self.files[repo].items())).encode()).hexdigest()


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve it until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self.handle_request()

        def do_GET(self) -> None:
            self.handle_request()

        def handle_request(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            hub.requests.append((self.command, path, self.headers.get("Range", "")))
            if hub.status != 200:
                self.reply(hub.status, b"{}")
            elif path.startswith("api/datasets/"):
                self.answer_api(path.removeprefix("api/datasets/").split("/"))
            elif path.startswith("datasets/"):
                self.answer_file(path.removeprefix("datasets/").split("/", 4))
            else:
                self.reply(404, b"{}")

        def answer_api(self, parts: list[str]) -> None:
            repo = "/".join(parts[:2])
            if repo not in hub.files:
                self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif parts[2:3] == ["tree"]:
                tree = [
                    {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
                    for path, content in hub.files[repo].items()
                ]
                self.reply(200, json.dumps(tree).encode())
            else:
                facts = {"id": repo, "sha": hub.commit(repo), "gated": "auto" if repo in hub.gated else False}
                self.reply(200, json.dumps(facts).encode())

        def answer_file(self, parts: list[str]) -> None:
            repo, path = "/".join(parts[:2]), parts[4]
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if repo in hub.gated and given != hub.token:
                self.reply(403 if given else 401, b"", {"X-Error-Code": "GatedRepo"})
                return
            content = hub.files[repo][path]
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": hub.commit(repo)}
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if self.command == "GET" and path in hub.cut_off:
                self.reply(200, content, headers, send=hub.cut_off.pop(path))
                self.close_connection = True
            else:
                self.reply(206 if start else 200, content[start:], headers)

        def reply(
            self, status: int, content: bytes, headers: Mapping[str, str] | None = None, *, send: int | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content[:send])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
