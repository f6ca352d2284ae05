"""The HTTP side: /v1/chat/completions, /v1/models and /health, on loopback unless told otherwise.

The event loop only passes messages: media are decoded in threads, the model runs in the engine's.
"""

import asyncio
import json
import logging
import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from videor2.errors import InputError
from videor2.serve.media import MediaConfig, read_conversation
from videor2.serve.protocol import ChatRequest, RequestError, parse_request
from videor2.video.store import VideoConfig

if TYPE_CHECKING:
    from videor2.serve.batch import Job, Piece, Prompt
    from videor2.serve.engine import Engine

logger = logging.getLogger(__name__)

T = TypeVar("T")

CLIENT_LEFT = 499
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server is called and what it takes.

    max_body_mb: of a request. max_requests: at a time, those that wait (their pixels in memory) included;
    more get HTTP 429. media_workers:
    threads that decode pictures and videos.
    """

    name: str
    media: MediaConfig = field(default_factory=MediaConfig)
    api_key: str | None = None
    max_body_mb: int = 256
    max_requests: int = 64
    media_workers: int = 2


def serve(
    model: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
    api_key: str | None = None,
    video: VideoConfig | None = None,
    max_batch: int = 8,
    max_frames: int = 768,
    max_body_mb: int = 256,
    allow_http: bool = False,
    files: Path | None = None,
) -> None:
    """Serve a model until Ctrl-C.

    model: `tiny`, a checkpoint's folder or a hub id. port: 0 takes a free one; the log says which. name: what
    clients call the model, `model` itself if absent. api_key: what clients must send. video: how video files are
    sampled where a request does not say. max_batch: completions written at a time. max_frames: frames and images of
    one request. allow_http, files: whether media may be named by http(s) URLs, and the folder whose files may be named
    by file:// URLs; data URIs alone if absent. Raises InputError for a model that is none and a port that is taken.
    """
    import torch
    import uvicorn

    from videor2.models.load import TINY_VIDEO, load_model
    from videor2.serve.engine import Engine

    video = video or (TINY_VIDEO if model == "tiny" else VideoConfig())
    if video.max_frames > max_frames:
        raise InputError(f"videos have up to {video.max_frames} frames, requests up to {max_frames}: raise max_frames")
    if files is not None and not files.is_dir():
        raise InputError(f"{files}: no such folder")
    if host not in LOOPBACK and not api_key:
        logger.warning("%s: anyone who reaches this machine can use the model; set an API key", host)
    config = ServerConfig(
        name or model,
        MediaConfig(video, max_frames=max_frames, max_mb=max_body_mb, allow_http=allow_http, files=files),
        api_key=api_key,
        max_body_mb=max_body_mb,
    )
    with _bound(host, port) as listening:  # a port that is taken is told before minutes of loading a model
        loaded, processor = load_model(model)
        if not hasattr(loaded.model, "get_rope_index"):
            raise InputError(f"{model}: only the Qwen-VL families are served, not {type(loaded).__name__}")
        engine = Engine(loaded.to("cuda" if torch.cuda.is_available() else "cpu"), processor, max_batch=max_batch)
        app = create_app(engine, config)
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, log_level="warning", timeout_graceful_shutdown=3)
        )
        shown = f"[{host}]" if ":" in host else host
        logger.info("%s on http://%s:%d/v1 (Ctrl-C ends it)", config.name, shown, listening.getsockname()[1])
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            logger.info("ended")
        finally:
            engine.close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as e:
        raise InputError(f"cannot listen on {host}:{port} ({e}): choose another host or port") from e


def create_app(engine: "Engine", config: ServerConfig) -> FastAPI:
    """The application around an engine, which stays its caller's to close."""
    service = _Service(engine, config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.media.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(title="videor2", lifespan=lifespan)
    allowed = [Depends(service.check_key)]
    body = {"content": {"application/json": {"schema": ChatRequest.model_json_schema()}}, "required": True}
    app.get("/health")(service.health)
    app.get("/v1/models", dependencies=allowed)(service.models)
    app.post("/v1/chat/completions", dependencies=allowed, openapi_extra={"requestBody": body}, response_model=None)(
        service.chat
    )

    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> JSONResponse:
        headers = {"Retry-After": "1"} if error.status == 429 else None
        return JSONResponse(error.body, error.status, headers=headers)

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(
            RequestError(error.detail, status=error.status_code, code="not_found").body, error.status_code
        )

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        ours = RequestError(f"a fault of the server: {type(error).__name__}", status=500, code="internal_error")
        return JSONResponse(ours.body, ours.status)  # the traceback is logged by uvicorn

    return app


class _Service:
    """What the routes do."""

    def __init__(self, engine: "Engine", config: ServerConfig) -> None:
        self.engine = engine
        self.config = config
        self.media = ThreadPoolExecutor(config.media_workers, thread_name_prefix="media")
        self._since = int(time.time())
        self._preparing = 0

    async def check_key(self, authorization: Annotated[str, Header()] = "") -> None:
        """Raise RequestError where a key is needed and another one, or none, was sent."""
        if self.config.api_key is None:
            return
        given = authorization.removeprefix("Bearer ").encode()
        if not secrets.compare_digest(given, self.config.api_key.encode()):
            raise RequestError("no valid API key: send it as Authorization: Bearer", status=401, code="invalid_api_key")

    async def health(self) -> JSONResponse:
        """Whether requests are answered, and how many there are."""
        state = {"running": self.engine.running, "waiting": self.engine.waiting}
        alive = self.engine.alive
        return JSONResponse({"status": "ok" if alive else "down", **state}, 200 if alive else 503)

    async def models(self) -> dict[str, Any]:
        """The one model."""
        card = {"id": self.config.name, "object": "model", "created": self._since, "owned_by": "videor2"}
        return {"object": "list", "data": [{**card, "max_model_len": self.engine.context}]}

    async def chat(self, request: Request) -> Response:
        """Answer a conversation, at once or token by token."""
        chat = parse_request(await self._body(request))
        if chat.model != self.config.name:
            message = f"no model {chat.model!r}; this server has {self.config.name!r}"
            raise RequestError(message, status=404, code="model_not_found")
        answered = await _unless_left(request, self._stream(chat) if chat.stream else self._complete(chat))
        return answered or Response(status_code=CLIENT_LEFT)

    async def _body(self, request: Request) -> bytes:
        """The body, read to its end even where it is too long, or the client would not read the refusal."""
        limit, size = self.config.max_body_mb * 2**20, 0
        body = bytearray()
        async for chunk in request.stream():
            size += len(chunk)
            if size <= limit:
                body += chunk
        if size > limit:
            message = f"the body is larger than {self.config.max_body_mb} MB: send fewer or smaller frames"
            raise RequestError(message, code="request_too_large")
        return bytes(body)

    async def _submitted(self, chat: ChatRequest) -> "tuple[Job, asyncio.Queue[Piece | RequestError]]":
        """The request in the engine's queue, and where its pieces come out."""
        from videor2.serve.batch import SamplingParams

        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[Piece | RequestError] = asyncio.Queue()

        def prepare() -> "Prompt":
            return self.engine.encode(read_conversation(chat, self.config.media))

        def emit(piece: "Piece | RequestError") -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it who waited
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        if self._preparing + self.engine.waiting + self.engine.running >= self.config.max_requests:
            raise RequestError("too many requests at a time", status=429, code="rate_limit_exceeded")
        self._preparing += 1
        try:
            prompt = await loop.run_in_executor(self.media, prepare)
        finally:
            self._preparing -= 1
        sampling = SamplingParams(
            temperature=chat.temperature,
            top_p=chat.top_p,
            seed=secrets.randbits(63) if chat.seed is None else chat.seed,
            max_tokens=min(chat.max_tokens or prompt.room, prompt.room),
            stop=tuple(filter(None, chat.stop)),
            n=chat.n,
        )
        return self.engine.submit(prompt, sampling, emit), pieces

    async def _complete(self, chat: ChatRequest) -> Response:
        job, pieces = await self._submitted(chat)
        texts = [""] * chat.n
        ids: list[list[int]] = [[] for _ in texts]
        reasons: dict[int, str] = {}
        try:
            while len(reasons) < chat.n:
                piece = await pieces.get()
                if isinstance(piece, RequestError):
                    raise piece
                texts[piece.choice] += piece.text
                ids[piece.choice].append(piece.token_id)
                if piece.finish:
                    reasons[piece.choice] = piece.finish
        finally:
            job.cancel()
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text},
                "finish_reason": reasons[index],
                "logprobs": None,
                **({"token_ids": ids[index]} if chat.return_token_ids else {}),
            }
            for index, text in enumerate(texts)
        ]
        usage = _usage(job, sum(map(len, ids)))
        return JSONResponse({**self._envelope("chat.completion"), "choices": choices, "usage": usage})

    async def _stream(self, chat: ChatRequest) -> Response:
        job, pieces = await self._submitted(chat)
        return StreamingResponse(self._events(chat, job, pieces), media_type="text/event-stream")

    async def _events(
        self, chat: ChatRequest, job: "Job", pieces: "asyncio.Queue[Piece | RequestError]"
    ) -> AsyncIterator[str]:
        envelope = self._envelope("chat.completion.chunk")
        counted = chat.stream_options.include_usage

        def event(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> str:
            chunk = {**envelope, "choices": choices, **({"usage": usage} if counted else {})}
            return f"data: {json.dumps(chunk)}\n\n"

        def delta(choice: int, content: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
            return {"index": choice, "delta": content, "finish_reason": finish, **more}

        left, tokens = chat.n, 0
        try:
            yield event([delta(choice, {"role": "assistant", "content": ""}) for choice in range(chat.n)])
            while left:
                piece = await pieces.get()
                if isinstance(piece, RequestError):
                    yield f"data: {json.dumps(piece.body)}\n\n"
                    break
                tokens += 1
                left -= piece.finish is not None
                more = {"token_ids": [piece.token_id]} if chat.return_token_ids else {}
                if piece.text or piece.finish or more:
                    yield event([delta(piece.choice, {"content": piece.text}, piece.finish, **more)])
            else:
                if counted:
                    yield event([], _usage(job, tokens))
            yield "data: [DONE]\n\n"
        finally:
            job.cancel()

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.config.name,
        }


def _usage(job: "Job", completion: int) -> dict[str, int]:
    prompt = len(job.prompt.input_ids)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def _unless_left(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None, and the work cancelled, where the client hangs up before."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request.receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        leaving.cancel()
        working.cancel()


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
