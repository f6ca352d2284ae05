"""A model behind any OpenAI-compatible server: vLLM, SGLang, hosted ones, and `videor2 serve`.

Clips are decoded here, by the same code as for a local model, while earlier requests wait for their answers. What
is not OpenAI's protocol is only sent to servers that name themselves in /v1/models and are known to take it.
"""

import asyncio
import json
import logging
import os
import queue
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import Any, Final, Literal, get_args

import httpx

from videor2.errors import InputError
from videor2.models.backend import Answered, Decoding, Question
from videor2.models.chat_parts import file_base64, image_parts, mp4_base64, pictures, thinned, video_part
from videor2.models.seeds import question_seed
from videor2.models.sharding import grouped
from videor2.retries import LONGEST_WAIT_S, TransientError, backoff_s, openai_base, retry_after_s
from videor2.span import split_span
from videor2.video.clip import Clip
from videor2.video.store import ClipStore, Source, VideoConfig

logger = logging.getLogger(__name__)

Media = Literal["frames", "video", "file"]
"""`frames`: images, each after its time as text, which every server with a vision model takes. `video`: one video part
of frames with their exact times, for vLLM (JPEG) and `videor2 serve` (PNG: lossless). `file`: one video part that is
the file itself, sampled by the server, or an MP4 of the clip where subtitles or times have to be written on it."""

Json = dict[str, Any]

SHOWN: Final = 300
"""Characters of a server's error that are passed on."""
CHECK_TIMEOUT_S: Final = 20.0
_TOO_LARGE: Final = re.compile(
    r"at most|maximum|exceed|too (?:many|long|large|big)|larger than|longer than|context|\blimit", re.IGNORECASE
)


class _FailedError(Exception):
    """No response, and no hope that asking again helps; the message says why, in one line."""


class _TooLargeError(_FailedError):
    """The server takes no prompt of this size."""


class RemoteBackend:
    """A `Backend` over HTTP. `url`: the base, "http://localhost:8000/v1"; a bare host gets the "/v1".

    video: how clips are drawn, here and, for `media="file"`, by the server. concurrency: requests at a time.
    timeout_s: for one try; retries: tries after the first, on 429, 5xx, timeouts and lost connections. workers:
    threads that decode and encode. api_key: None takes OPENAI_API_KEY. extra: more fields for each request. Raises
    InputError for a URL that cannot be asked.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        video: VideoConfig,
        decoding: Decoding,
        media: Media = "frames",
        concurrency: int = 8,
        api_key: str | None = None,
        timeout_s: float = 600,
        retries: int = 3,
        workers: int = 2,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if media not in get_args(Media):
            raise InputError(f"media: one of {', '.join(get_args(Media))}, not {media}")
        if concurrency < 1 or workers < 1:
            raise InputError(f"concurrency and workers: at least 1, not {concurrency} and {workers}")
        self.url = openai_base(url)
        self.name = name
        self.video = video
        self.decoding = decoding
        self.media: Media = media
        self.concurrency = concurrency
        self.timeout_s = timeout_s
        self.retries = retries
        self.workers = workers
        self.extra = dict(extra or {})
        self._key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._jitter = random.Random(decoding.seed)

    def __repr__(self) -> str:
        return f"openai:{self.url}#{self.name}"

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answered]]:
        """See `Backend.answer`. The server is asked for its models before a video is opened."""
        # A thread of its own: the caller may have an event loop, and requests go on while it handles an answer.
        answered: queue.SimpleQueue[tuple[int, Answered] | BaseException | None] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        work = loop.create_task(self._run(questions, answered.put))

        def run() -> None:
            try:
                loop.run_until_complete(work)
                answered.put(None)
            except BaseException as e:  # noqa: BLE001 (raised again in the caller's thread)
                answered.put(e)
            finally:
                loop.close()

        thread = threading.Thread(target=run, name="requests", daemon=True)
        thread.start()
        try:
            while (item := answered.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(work.cancel)
            thread.join()

    async def _run(self, questions: Sequence[Question], put: Callable[[tuple[int, Answered]], None]) -> None:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else None
        limits = httpx.Limits(max_connections=self.concurrency + 1)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=None) as client:
            asking = _Asking(self, client, await self._owner(client), questions)
            numbers = iter(asking.order)

            async def one_after_another() -> None:
                for number in numbers:
                    put((number, await asking.answered(number)))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.concurrency, len(questions))):
                        group.create_task(one_after_another())
            finally:
                asking.close()

    async def _owner(self, client: httpx.AsyncClient) -> str:
        """Who serves the model: `videor2`, `vllm`, `sglang`, ... or nothing.

        Raises InputError where nobody answers, or not for this model.
        """
        try:
            async with asyncio.timeout(min(CHECK_TIMEOUT_S, self.timeout_s)):
                response = await client.get(f"{self.url}/models")
        except (TimeoutError, httpx.RequestError) as e:
            what = f"{type(e).__name__}: {e}".rstrip(": ")
            raise InputError(f"no server answers at {self.url} ({what}): start it, or correct the URL") from e
        if response.status_code in (401, 403):
            raise InputError(f"{self.url} refuses the API key: set OPENAI_API_KEY to a valid one")
        if response.status_code in (404, 405, 501):
            logger.info("%s lists no models; asked for %s all the same", self.url, self.name)
            return ""
        if not response.is_success:
            raise InputError(f"{self.url}/models: {self._reason(response)}: is it an OpenAI-compatible server?")
        try:
            cards = {str(card["id"]): card for card in response.json()["data"]}
        except (ValueError, LookupError, TypeError) as e:
            raise InputError(f"{self.url}/models is no list of models: is it an OpenAI-compatible server?") from e
        if self.name not in cards:
            raise InputError(f"{self.url} has no model {self.name!r}; it has: {', '.join(sorted(cards)) or 'none'}")
        return str(cards[self.name].get("owned_by") or "")

    async def _retried(self, client: httpx.AsyncClient, payload: bytes) -> Json:
        """The reply to a request, asked again while there is hope."""
        tries = 0
        while True:
            try:
                return await self._once(client, payload)
            except TransientError as e:
                tries += 1
                if tries > self.retries:
                    raise _FailedError(f"{e} (asked {tries} times)") from e
                wait_s = backoff_s(tries, self._jitter)
                wait_s = wait_s if e.after_s is None else e.after_s
                if wait_s > LONGEST_WAIT_S:
                    raise _FailedError(f"{e}: the server asks to wait for {wait_s:.0f} s") from e
            await asyncio.sleep(wait_s)

    async def _once(self, client: httpx.AsyncClient, payload: bytes) -> Json:
        headers = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await client.post(f"{self.url}/chat/completions", content=payload, headers=headers)
        except TimeoutError as e:
            raise TransientError(f"no reply within {self.timeout_s:g} s") from e
        except httpx.RequestError as e:
            raise TransientError(f"{type(e).__name__}: {e}" if str(e) else type(e).__name__) from e
        if response.is_success:
            try:
                reply = response.json()
                if isinstance(reply["choices"][0]["message"], dict):
                    return dict(reply)
            except (ValueError, LookupError, TypeError):
                pass
            raise TransientError(f"the reply is no chat completion: {response.text[:SHOWN]!r}")
        reason = self._reason(response)
        if response.status_code == 429 or response.is_server_error:
            raise TransientError(reason, retry_after_s(response.headers.get("retry-after")))
        if response.status_code == 413 or (response.status_code in (400, 422) and _TOO_LARGE.search(response.text)):
            raise _TooLargeError(reason)
        raise _FailedError(reason)

    def _reason(self, response: httpx.Response) -> str:
        """Status and the server's words, which must not carry the key into a log."""
        try:
            words = str(response.json()["error"]["message"])
        except (ValueError, LookupError, TypeError):
            words = response.text
        words = " ".join(words.split())
        if self._key:
            words = words.replace(self._key, "***")
        return f"HTTP {response.status_code}: {words[:SHOWN]}".rstrip(": ")


class _Asking:
    """The questions of one run. Those about a video come together, and the clips of the next are decoded meanwhile."""

    def __init__(
        self, backend: RemoteBackend, client: httpx.AsyncClient, owner: str, questions: Sequence[Question]
    ) -> None:
        self.backend = backend
        self.client = client
        self.owner = owner
        self.questions = questions
        self.order = list(chain.from_iterable(grouped(questions)))
        self.encoders = ThreadPoolExecutor(backend.workers, thread_name_prefix="encode")
        # Room for the clips that are encoded at a time, and for as many that are decoded ahead of them.
        clip_mb = backend.video.max_frames * backend.video.max_pixels * 3 // 2**20 + 1
        self.clips = ClipStore(backend.video, cache_mb=clip_mb * 2 * backend.workers, workers=backend.workers)
        decoded = [source for number in self.order if (source := self._decoded(questions[number]))]
        self._uses = Counter(decoded)
        self._sources = list(dict.fromkeys(decoded))
        self._places = {source: place for place, source in enumerate(self._sources)}

    def close(self) -> None:
        """Read and encode no more."""
        self.encoders.shutdown(wait=False, cancel_futures=True)
        self.clips.close()

    async def answered(self, number: int) -> Answered:
        """What the server makes of a question, with half the frames, and half again, while it finds them too many."""
        question = self.questions[number]
        loop = asyncio.get_running_loop()
        most: int | None = None
        note = ""
        while True:
            try:
                frames, payload = await loop.run_in_executor(self.encoders, self._encode, question, most)
                return _read(await self.backend._retried(self.client, payload), note)
            except _TooLargeError as e:
                if frames <= 1:
                    return Answered(None, error=str(e), note=note)
                most = frames // 2
                note = f"{most} frames: the server refused {frames} ({e})" if not note else _again(note, most)
                logger.info("%s: %s", question.sample.id, note)
            except (_FailedError, ValueError, OSError) as e:  # a clip that cannot be read, or not be written on
                return Answered(None, error=str(e), note=note)
            except Exception as e:  # what nobody thought of in one clip must not end the run over all
                logger.exception("%s: failed", question.sample.id)
                return Answered(None, error=f"{type(e).__name__}: {e}", note=note)

    def _encode(self, question: Question, most: int | None) -> tuple[int, bytes]:
        """How many frames a request shows (at most `most`), and its body."""
        backend = self.backend
        text = {"type": "text", "text": question.text}
        frames = 0
        content, more = [text], Json()
        source = _source(question) if most else self._decoded(question)
        if source is not None:
            clip = thinned(self._clip(source), most)
            parts, more = self._clip_parts(clip)
            frames, content = len(clip), [*parts, text]
        elif question.sample.video is not None:
            frames, more = backend.video.max_frames, self._sampling()
            content = [video_part("video/mp4", file_base64(question.sample.video)), text]
        seed = question_seed(backend.decoding.seed, question.sample)
        body: Json = {
            "model": backend.name,
            "messages": [{"role": "user", "content": content}],
            "temperature": backend.decoding.temperature,
            "top_p": 1.0,
            "max_tokens": backend.decoding.max_new_tokens,
            "seed": seed if self.owner == "videor2" else seed % 2**31,  # what every server takes
            **more,
        }
        if self.owner in ("vllm", "sglang"):
            # Else they apply what the checkpoint's generation config says, greedy or not.
            body |= {"top_k": -1, "repetition_penalty": 1.0}
        return frames, json.dumps(body | backend.extra).encode()

    def _clip(self, source: Source) -> Clip:
        """A clip, while the next ones are read; forgotten with its last question."""
        if source in self._places:
            place = self._places[source] + 1
            self.clips.fetch_ahead(self._sources[place : place + self.backend.workers])
        try:
            return self.clips.get(*source)
        finally:
            self._uses[source] -= 1
            if self._uses[source] <= 0:
                self.clips.discard(*source)

    def _decoded(self, question: Question) -> Source | None:
        """What is to be decoded here for a question, if anything: a file may go as it is."""
        source, config = _source(question), self.backend.video
        if source is None or self.backend.media != "file" or split_span(source[0])[1:] != (None, None):
            return source
        return source if source[1] or (config.timestamps and self.owner != "videor2") else None

    def _sampling(self) -> Json:
        """How the server is to draw frames from a file, as far as it can be told."""
        video = self.backend.video
        if self.owner == "videor2":
            return {"mm_processor_kwargs": video.model_dump()}
        if self.owner == "vllm":
            return {"media_io_kwargs": {"video": {"fps": video.fps, "num_frames": video.max_frames}}}
        return {}

    def _clip_parts(self, clip: Clip) -> tuple[list[Json], Json]:
        """A clip as parts of a message, and the fields of the request that go with them."""
        if self.backend.media == "frames":
            return list(image_parts(clip)), {}
        ours, vllm = self.owner == "videor2", self.owner == "vllm"
        more: Json = {}
        if self.backend.media == "file":
            if ours:
                more = {"mm_processor_kwargs": {"fps": clip.fps, "max_frames": len(clip), "timestamps": False}}
            elif vllm:
                more = {"media_io_kwargs": {"video": {"num_frames": -1}}}
            return [video_part("video/mp4", mp4_base64(clip))], more
        times_s = clip.timestamps_s.tolist()
        if ours:
            part = video_part("video/png", *pictures(clip, "PNG"))
            return [part], {"mm_processor_kwargs": {"timestamps_s": times_s, "fps": clip.fps}}
        part = video_part("video/jpeg", *pictures(clip, "JPEG"))
        # Milliseconds at 1000 fps are exact for models that read frame times; those that read the sampling rate get
        # it as 1000 * frames / total.
        indices = [round(t * 1000) for t in times_s]
        total = max(indices[-1] + 1, round(1000 * len(clip) / clip.fps))
        told: Json = {"num_frames": -1, "fps": 1000, "frames_indices": indices, "total_num_frames": total}
        told |= {"duration": total / 1000, "do_sample_frames": False}
        return [part], {"media_io_kwargs": {"video": told}} if vllm else {}


def _read(reply: Json, note: str) -> Answered:
    message = reply["choices"][0]["message"]
    text, apart = message.get("content") or "", message.get("reasoning_content") or message.get("reasoning")
    if not isinstance(text, str):
        return Answered(None, error=f"the completion is no text but {type(text).__name__}", note=note)
    if isinstance(apart, str) and apart:  # a server's reasoning parser took it out of the response
        text = f"<think>{apart}</think>{text}"
        note = "; ".join(filter(None, [note, "the server gave the reasoning apart: put back as <think>"]))
    usage = reply.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return Answered(text, note=note, tokens=tokens if isinstance(tokens, int) else None)


def _again(note: str, most: int) -> str:
    return f"{most} frames:{note.partition(' frames:')[2]}"


def _source(question: Question) -> Source | None:
    sample = question.sample
    return None if sample.video is None else (sample.video, sample.subtitles)
