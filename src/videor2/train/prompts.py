"""Prompts of a training batch as the model reads them: each group's clip read once, what cannot be read set aside."""

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from trl.trainer.utils import is_async_callable

from videor2.models.prompt import EncodedPrompt, Message, encode_prompt
from videor2.video import SubtitleError, VideoError
from videor2.video.store import ClipStore, Source

if TYPE_CHECKING:
    from transformers import ProcessorMixin

log = logging.getLogger("videor2.train")

RewardFunction = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a prompt cannot be trained on."""

    why: Literal["video", "length"]
    source: str
    """The video that could not be read, or the first words of a prompt that is too long."""
    detail: str


@dataclass(frozen=True, slots=True)
class LoadedPrompt:
    """A prompt that is ready for the model, or a stand-in of two tokens for one that was set aside."""

    encoded: EncodedPrompt
    skipped: Skipped | None = None


class PromptLoader:
    """Turns chats into what the model reads.

    max_tokens: prompts that are longer are set aside. A video that cannot be read sets its prompt aside too; each is
    warned of once.
    """

    def __init__(self, processor: "ProcessorMixin", clips: ClipStore, *, max_tokens: int | None = None) -> None:
        self._processor = processor
        self._clips = clips
        self._max_tokens = max_tokens
        self._warned: set[Skipped] = set()

    def load(self, prompts: Sequence[list[Message]]) -> list[LoadedPrompt]:
        """A batch of B prompts; equal neighbours (a group) are read and encoded once and share one object."""
        loaded: list[LoadedPrompt] = []
        for index, prompt in enumerate(prompts):
            same = index > 0 and prompt == prompts[index - 1]
            loaded.append(loaded[-1] if same else self._load(prompt))
        return loaded

    def fetch_ahead(self, prompts: Iterable[list[Message]]) -> None:
        """Start to read the clips of prompts that come next."""
        self._clips.fetch_ahead(dict.fromkeys(source for prompt in prompts for source in sources(prompt)))

    def _load(self, prompt: list[Message]) -> LoadedPrompt:
        try:
            clips = [self._clips.get(*source) for source in sources(prompt)]
        except (VideoError, SubtitleError) as error:
            return self._set_aside(Skipped("video", sources(prompt)[0][0], str(error)))
        encoded = encode_prompt(self._processor, prompt, clips)
        length = len(encoded.input_ids)
        if self._max_tokens is not None and length > self._max_tokens:
            of_video = int((encoded.input_ids == self._processor.video_token_id).sum())
            words = " ".join(part.get("text") or "" for m in prompt for part in m["content"] if part["type"] == "text")
            detail = (
                f"its prompt has {length} tokens, {of_video} of them video, and max_prompt_tokens is "
                f"{self._max_tokens}: lower video.max_frames or video.max_pixels, or raise the limit"
            )
            return self._set_aside(Skipped("length", words[:60], detail))
        return LoadedPrompt(encoded)

    def _set_aside(self, skipped: Skipped) -> LoadedPrompt:
        if skipped not in self._warned:
            self._warned.add(skipped)
            log.warning("skipping the group of %r: %s", skipped.source, skipped.detail)
        end = self._processor.tokenizer.eos_token_id
        return LoadedPrompt(EncodedPrompt(torch.tensor([end, end])), skipped)


def skipping(func: RewardFunction, is_set_aside: Callable[[int], bool]) -> RewardFunction:
    """A reward function that is not asked about rows set aside: their reward is None.

    func: one of TRL's kind, a coroutine function or not; reward models, and their names, stay as they are.
    """
    if isinstance(func, (str, torch.nn.Module)):
        return func

    def kept(columns: dict[str, Any]) -> list[int]:
        return [row for row in range(len(columns["completions"])) if not is_set_aside(row)]

    def spread(values: Sequence[Any], rows: list[int], count: int) -> list[Any]:
        found = dict(zip(rows, values, strict=True))
        return [found.get(row) for row in range(count)]

    def only(columns: dict[str, Any], rows: list[int]) -> dict[str, Any]:
        count = len(columns["completions"])
        some = {
            name: [value[row] for row in rows] if isinstance(value, list) and len(value) == count else value
            for name, value in columns.items()
        }
        if log_extra := columns.get("log_extra"):
            some["log_extra"] = lambda column, values: log_extra(column, spread(values, rows, count))
        return some

    @functools.wraps(func)
    def scored(**columns: Any) -> list[float | None]:
        rows = kept(columns)
        return spread(func(**only(columns, rows)) if rows else [], rows, len(columns["completions"]))

    @functools.wraps(func)
    async def scored_async(**columns: Any) -> list[float | None]:
        rows = kept(columns)
        return spread(await func(**only(columns, rows)) if rows else [], rows, len(columns["completions"]))

    return scored_async if is_async_callable(func) else scored


def sources(prompt: list[Message]) -> list[Source]:
    """The videos of a chat, in order, each with its subtitle file."""
    return [
        (part["video"], part.get("subtitles"))
        for message in prompt
        if not isinstance(message["content"], str)
        for part in message["content"]
        if part["type"] == "video"
    ]
