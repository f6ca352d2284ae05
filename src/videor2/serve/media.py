"""The pictures and videos of a request: fetched or decoded within limits, in the order in which the chat names them."""

import base64
import binascii
import io
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videor2.models.prompt import Message as TemplateMessage
from videor2.serve.protocol import ChatRequest, ImagePart, Message, Part, RequestError, TextPart, VideoArguments
from videor2.video.clip import Clip
from videor2.video.store import ClipStore, VideoConfig

Pixels = NDArray[np.uint8]

MAX_IMAGE_PIXELS: Final = 64_000_000
FRAME_TYPES: Final = ("video/jpeg", "video/jpg", "video/png")
FETCH_TIMEOUT_S: Final = 60.0
SENT: Final = Path("video")
"""What a clip that no file holds is called in messages."""


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """How videos are read and what a request may ask for.

    video: how files are sampled where the request does not say. max_frames: of all videos and pictures of a
    request together. max_mb: of a fetched file. allow_http: fetch http and https URLs. files: a folder whose files
    may be named as file:// URLs.
    """

    video: VideoConfig = field(default_factory=VideoConfig)
    max_frames: int = 768
    max_mb: int = 256
    allow_http: bool = False
    files: Path | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's messages for a chat template, and what stands where they name a video or an image."""

    chat: list[TemplateMessage]
    clips: tuple[Clip, ...]
    images: tuple[Pixels, ...]


def read_conversation(request: ChatRequest, config: MediaConfig) -> Conversation:
    """The messages with their media decoded; raises RequestError that names the part at fault."""
    reader = _Reader(request.mm_processor_kwargs, config)
    chat = [reader.message(number, message) for number, message in enumerate(request.messages)]
    times = request.mm_processor_kwargs.timestamps_s
    if times is not None and reader.drawn != 1:
        raise RequestError(f"timestamps_s belong to one video of frames, the request has {reader.drawn}")
    return Conversation(chat, tuple(reader.clips), tuple(reader.images))


class _Reader:
    """Goes through the parts of one request."""

    def __init__(self, arguments: VideoArguments, config: MediaConfig) -> None:
        self.clips: list[Clip] = []
        self.images: list[Pixels] = []
        self.drawn = 0
        """Videos that came as frames."""
        self._arguments = arguments
        self._config = config
        self._frames = 0

    def message(self, number: int, message: Message) -> TemplateMessage:
        """One message for the chat template."""
        content: list[dict[str, str]] = []
        as_video: list[Pixels] = []
        for place, part in enumerate(message.content):
            try:
                if isinstance(part, ImagePart) and self._arguments.frames_as_video:
                    if not as_video:
                        content.append({"type": "video"})
                        self.clips.append(_PLACEHOLDER)
                        slot = len(self.clips) - 1
                    as_video.append(self._image(part.image_url.url))
                else:
                    content.append(self._part(part))
            except RequestError as e:
                where = f"messages.{number}.content.{place}"
                raise RequestError(f"{where}: {e}", status=e.status, code=e.code) from e
        if as_video:
            self.clips[slot] = self._clip(as_video)
        return {"role": message.role, "content": content}

    def _part(self, part: Part) -> dict[str, str]:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        if isinstance(part, ImagePart):
            self.images.append(self._image(part.image_url.url))
            return {"type": "image"}
        self.clips.append(self._video(part.video_url.url))
        return {"type": "video"}

    def _count(self, frames: int) -> None:
        self._frames += frames
        if self._frames > self._config.max_frames:
            message = f"at most {self._config.max_frames} frames and images a request, not {self._frames}"
            raise RequestError(message, code="too_many_frames")

    def _image(self, url: str) -> Pixels:
        self._count(1)
        return _picture(self._bytes(url, "image/"))

    def _video(self, url: str) -> Clip:
        kind, payload = _split_data_uri(url) if url.startswith("data:") else ("", "")
        if kind in FRAME_TYPES:
            frames = payload.split(",")
            self._count(len(frames))
            return self._clip([_picture(_from_base64(frame)) for frame in frames])
        video = self._config.video.model_copy(update=self._arguments.sampling)
        if video.max_frames > self._config.max_frames:  # before it is decoded
            self._count(video.max_frames)
        with tempfile.TemporaryDirectory(prefix="videor2-") as folder:
            path = self._local_file(url) if url.startswith("file:") else Path(folder, "video")
            if not url.startswith("file:"):
                path.write_bytes(self._bytes(url, "video/"))
            try:
                clip = ClipStore(video, cache_mb=0).get(str(path))
            except ValueError as e:  # unreadable, or too small to write times on
                raise RequestError(str(e).replace(f"{path}: ", ""), code="invalid_video") from e
        self._count(len(clip))
        return clip

    def _clip(self, frames: Sequence[Pixels]) -> Clip:
        """Frames that the client drew, with their times."""
        self.drawn += 1
        sizes = sorted({(frame.shape[1], frame.shape[0]) for frame in frames})
        if len(sizes) > 1:
            raise RequestError(f"the frames of a video have one size, not {sizes}", code="invalid_video")
        times = self._arguments.timestamps_s
        if times is None:
            fps = self._arguments.fps or self._config.video.fps
            times = [index / fps for index in range(len(frames))]
        elif len(times) != len(frames) or sorted(times) != times or not all(map(math.isfinite, times)):
            raise RequestError(f"timestamps_s: {len(frames)} increasing times for {len(frames)} frames are needed")
        span_s = times[-1] - times[0]
        fps = self._arguments.fps or ((len(times) - 1) / span_s if span_s else self._config.video.fps)
        return Clip(np.stack(frames), np.asarray(times), times[-1] + 1 / fps, fps, None, SENT)

    def _bytes(self, url: str, kind: str) -> bytes:
        scheme = urlsplit(url[:100]).scheme
        if scheme == "data":
            found, payload = _split_data_uri(url)
            if not found.startswith(kind):
                raise RequestError(f"a data URI of {kind}*, not {found or 'nothing'}", code="invalid_url")
            return _from_base64(payload)
        if scheme in ("http", "https"):
            return self._fetched(url)
        if scheme == "file":
            return self._local_file(url).read_bytes()
        raise RequestError(f"a data URI is needed, not {url[:40]!r}", code="invalid_url")

    def _local_file(self, url: str) -> Path:
        folder = self._config.files
        if folder is None:
            raise RequestError("this server reads no files: send a data URI", code="invalid_url")
        path = Path(unquote(urlsplit(url).path)).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise RequestError("no such file in the folder that this server may read", code="invalid_url")
        return path

    def _fetched(self, url: str) -> bytes:
        if not self._config.allow_http:
            raise RequestError("this server fetches no URLs: send a data URI", code="invalid_url")
        limit = self._config.max_mb * 2**20
        data = bytearray()
        try:
            with httpx.stream("GET", url, timeout=FETCH_TIMEOUT_S, follow_redirects=True) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > limit:
                        raise RequestError(f"the file at the URL is larger than {self._config.max_mb} MB")
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise RequestError(f"the URL cannot be fetched: {e}", code="invalid_url") from e
        return bytes(data)


_PLACEHOLDER: Final = Clip(np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1), 1.0, 1.0, None, SENT)


def _split_data_uri(url: str) -> tuple[str, str]:
    """Media type and payload of `data:TYPE;base64,PAYLOAD`."""
    head, comma, payload = url.partition(",")
    kind, *flags = head.removeprefix("data:").lower().split(";")
    if not comma or "base64" not in flags:
        raise RequestError("a data URI is written as data:TYPE;base64,...", code="invalid_url")
    return kind, payload


def _from_base64(payload: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as e:
        raise RequestError(f"its base64 is broken: {e}", code="invalid_base64") from e


def _picture(data: bytes) -> Pixels:
    """uint8 RGB [H, W, 3]."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_IMAGE_PIXELS:
                raise RequestError(f"a picture of {image.width}x{image.height} is too large", code="invalid_image")
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise RequestError(f"not a picture that can be read: {e}", code="invalid_image") from e
