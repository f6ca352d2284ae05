"""The OpenAI chat protocol as far as this server speaks it, with vLLM's `video_url` parts and `mm_processor_kwargs`.

What a request may hold and this server cannot do is refused, not ignored, where it would change the response.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

UNSUPPORTED: Final[Mapping[str, tuple[Any, ...]]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False, 0),
    "min_p": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "top_k": (-1, 0),
}
"""Fields of other servers, with the values at which they change nothing."""


class RequestError(Exception):
    """A request that gets no completion: an HTTP status and OpenAI's words for it."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI writes it."""
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}


class Url(BaseModel):
    """Where a picture or a video is: a data URI, or what the server was allowed to fetch."""

    url: str


Where = Annotated[Url, BeforeValidator(lambda value: {"url": value} if isinstance(value, str) else value)]


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str


class ImagePart(BaseModel):
    """A picture."""

    type: Literal["image_url"]
    image_url: Where


class VideoPart(BaseModel):
    """A video: an encoded file, or frames as `data:video/jpeg;base64,F1,F2,...` (`video/png` likewise)."""

    type: Literal["video_url"]
    video_url: Where


Part = Annotated[TextPart | ImagePart | VideoPart, Field(discriminator="type")]


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Message(BaseModel):
    """A turn. A plain text is one text part."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[list[Part], BeforeValidator(_as_parts)]


class VideoArguments(BaseModel):
    """`mm_processor_kwargs`: how videos become frames, instead of the server's own settings.

    Of files: `fps`, `max_frames`, `max_pixels` (of a frame), `timestamps` (each frame's time is written on it).
    Frames that the client drew are taken as they are, shown at `timestamps_s`, or from 0 on at `fps`.
    `frames_as_video`: the images of a message are the frames of one video, in place of its first image.
    """

    model_config = ConfigDict(extra="forbid")

    fps: PositiveFloat | None = None
    max_frames: PositiveInt | None = None
    max_pixels: PositiveInt | None = None
    timestamps: bool | None = None
    timestamps_s: list[NonNegativeFloat] | None = None
    frames_as_video: bool = False

    @property
    def sampling(self) -> dict[str, Any]:
        """What replaces fields of the server's `VideoConfig`."""
        return self.model_dump(include={"fps", "max_frames", "max_pixels", "timestamps"}, exclude_none=True)


class StreamOptions(BaseModel):
    """`include_usage`: one more chunk at the end counts the tokens."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What is sent to /v1/chat/completions. `null` means the same as no value."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[Message] = Field(min_length=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    max_tokens: PositiveInt | None = Field(None, validation_alias=AliasChoices("max_completion_tokens", "max_tokens"))
    stop: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        [], max_length=16
    )
    n: int = Field(1, ge=1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    mm_processor_kwargs: VideoArguments = VideoArguments()
    return_token_ids: bool = False
    """As in vLLM: choices have `token_ids`, their end of sequence included."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}

    @model_validator(mode="after")
    def _is_supported(self) -> "ChatRequest":
        for name, value in (self.model_extra or {}).items():
            if value not in UNSUPPORTED.get(name, (value,)):
                raise ValueError(f"{name} is not supported by this server: leave it out")
        return self


def parse_request(body: bytes) -> ChatRequest:
    """A request from its JSON; raises RequestError that names the field."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as e:
        problem = e.errors(include_url=False, include_input=False)[0]
        if problem["type"] == "json_invalid":
            raise RequestError(f"the body is no JSON: {problem['ctx']['error']}", code="invalid_json") from e
        field = ".".join(str(place) for place in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        raise RequestError(f"{field}: {message}" if field else message) from e
