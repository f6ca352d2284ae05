"""One chat completion of an OpenAI-compatible server, asked again while there is hope.

Rate limits (429), server errors (5xx) and lost connections are tried again, after `Retry-After` where the server
says so, else after a wait that doubles; what else goes wrong is wrong for good. A deadline over many requests is
the caller's: all waiting here can be cancelled. With a cache, what was replied once is not asked again; with a
budget, what exceeds it is not asked at all.
"""

import asyncio
import json
import logging
import os
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import httpx

from videor2.judges.budget import Budget
from videor2.judges.cache import Completion, ReplyCache, request_key
from videor2.judges.loops import PerLoop
from videor2.retries import LONGEST_WAIT_S, TransientError, backoff_s, openai_base, retry_after_s

logger = logging.getLogger(__name__)

Message = Mapping[str, str]

SHOWN = 200
"""Characters of a server's error that are passed on."""
_TOO_MANY, _REFUSED = 429, (400, 422)


class ChatError(RuntimeError):
    """The server gave no completion; the message says why, in one line."""


class BudgetSpentError(ChatError):
    """The request was not sent: as many as the budget allows were."""


class _RefusedError(ChatError):
    """The server does not accept the request as it is."""


class ChatModel:
    """A model behind an OpenAI-compatible server, sampled greedily.

    url: the base, "http://localhost:8000/v1"; a bare host gets the "/v1". api_key: None takes OPENAI_API_KEY,
    which a local server does not need. timeout_s: for one try. retries: tries after the first. extra: further
    fields of the request, as `{"chat_template_kwargs": {"enable_thinking": False}}`. cache: where replies are kept,
    None for nowhere. budget: counts the requests of all models that it is given to, and may limit them. Usable from
    any event loop; the connections of a loop close with it. Raises `InputError` on a URL that cannot be asked.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
        max_tokens: int = 2048,
        seed: int = 0,
        extra: Mapping[str, Any] | None = None,
        cache: ReplyCache | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.url = openai_base(url)
        self.model = model
        self.budget = budget or Budget()
        self._cache = cache
        self.timeout_s = timeout_s
        self.retries = retries
        self._key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._settings = {"temperature": 0, "seed": seed, "max_tokens": max_tokens, **(extra or {})}
        self._takes_schemas = True
        self._jitter = random.Random(seed)
        self._clients = PerLoop(lambda: _open_client(self._key))

    def __repr__(self) -> str:
        return f"openai:{self.url}#{self.model}"

    async def complete(self, messages: Sequence[Message], *, name: str, schema: Mapping[str, Any]) -> Completion:
        """The reply to a conversation, held to a JSON schema where the server can.

        A reply that the cache has is not asked for again. A server that refuses schemas is asked without from then
        on. Raises `ChatError` where no try succeeds, which is never kept, and `InputError` for a broken cache.
        """
        plain = {"model": self.model, "messages": list(messages), **self._settings}
        wanted = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        key = request_key(plain, wanted)
        known = self._cache.get(key) if self._cache else None
        if known:
            self.budget.found()
            return known
        try:
            completion = await self._fresh(plain, wanted)
        except ChatError as e:
            self.budget.missed(unasked=isinstance(e, BudgetSpentError))
            raise
        if self._cache:
            self._cache.put(key, completion, model=self.model)
        return completion

    async def _fresh(self, plain: Mapping[str, Any], wanted: Mapping[str, Any]) -> Completion:
        if not self._takes_schemas:
            return await self._retried(plain)
        try:
            return await self._retried({**plain, "response_format": wanted})
        except _RefusedError as refusal:
            completion = await self._retried(plain)  # raises where the schema was not the fault
            if self._takes_schemas:
                logger.info("%r takes no JSON schema and is asked without from now on (%s)", self, refusal)
            self._takes_schemas = False
            return completion

    async def _retried(self, payload: Mapping[str, Any]) -> Completion:
        tries = 0
        while True:
            if not self.budget.take(again=tries > 0):
                raise BudgetSpentError(f"not asked: the budget of {self.budget.max_requests} requests is spent")
            try:
                return await self._once(payload)
            except TransientError as e:
                tries += 1
                if tries > self.retries:
                    raise ChatError(f"{e} (asked {tries} times)") from e
                wait_s = backoff_s(tries, self._jitter) if e.after_s is None else e.after_s
                if wait_s > LONGEST_WAIT_S:
                    raise ChatError(f"{e}: the server asks to wait for {wait_s:.0f} s") from e
            await asyncio.sleep(wait_s)

    async def _once(self, payload: Mapping[str, Any]) -> Completion:
        client = await anext(self._clients.get())
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await client.post(f"{self.url}/chat/completions", json=payload)
        except TimeoutError as e:
            raise TransientError(f"no reply within {self.timeout_s:g} s") from e
        except httpx.RequestError as e:
            raise TransientError(f"{type(e).__name__}: {e}" if str(e) else type(e).__name__) from e
        if response.is_success:
            return _completion(response.content)
        reason = self._reason(response)
        if response.status_code == _TOO_MANY or response.is_server_error:
            raise TransientError(reason, retry_after_s(response.headers.get("retry-after")))
        raise (_RefusedError if response.status_code in _REFUSED else ChatError)(reason)

    def _reason(self, response: httpx.Response) -> str:
        """Status and the server's words, which must not carry the key into a log."""
        words = " ".join(response.text.split())
        if self._key:
            words = words.replace(self._key, "***")
        return f"HTTP {response.status_code}: {words[:SHOWN]}".rstrip(": ")


async def _open_client(key: str) -> AsyncGenerator[httpx.AsyncClient, None]:
    """The same client each time it is asked for. A loop that shuts down ends its generators: that closes it."""
    client = httpx.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else None,
        timeout=None,  # one limit for the whole try is set where it is made
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
    )
    try:
        while True:
            yield client
    finally:
        await client.aclose()


def _completion(body: bytes) -> Completion:
    try:
        choice = json.loads(body)["choices"][0]
        text, cut = choice["message"].get("content") or "", choice.get("finish_reason") == "length"
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        raise TransientError(f"the reply is no chat completion: {body[:SHOWN]!r}") from e
    if not isinstance(text, str):
        raise ChatError(f"the completion is no text but {type(text).__name__}")
    return Completion(text.encode("utf-8", "replace").decode(), cut)  # half an emoji is no UTF-8
