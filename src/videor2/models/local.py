"""A transformers model in this process as a backend: it computes while threads read the clips that come next.

Questions about one video come together and share its computation (`models/video_prefix.py`). One pool of threads reads
clips, one thread makes model inputs of them, and the model takes the inputs batch by batch; each stage is a bounded
number of clips ahead of the next. What a question is answered does not depend on the batch it is in (up to rounding),
so a run that was resumed, or shared among processes, gives what one run in one process gives.
"""

import copy
import gc
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from videor2.errors import InputError
from videor2.models.backend import Answered, Decoding, Question
from videor2.models.generate import generation_config, vision_token_ids
from videor2.models.load import load_model
from videor2.models.prompt import turn
from videor2.models.seeds import question_seed
from videor2.models.sharding import grouped
from videor2.models.video_prefix import Prefix, SharedPrompts, complete, encode_shared, read_prefixes
from videor2.video.store import ClipStore, VideoConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

log = logging.getLogger(__name__)

T = TypeVar("T")

GOOD_BATCHES = 16
"""After so many batches without running out of memory, larger ones are tried again."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Questions that cannot be asked, and why."""

    rows: list[int]
    error: str


@dataclass(slots=True, eq=False)
class _Group:
    """The questions about one video, ready for the model."""

    rows: list[int]
    prompts: SharedPrompts
    left: int
    """How many are still to be answered."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with what its prompt has beyond its group's."""

    row: int
    seed: int
    group: _Group
    suffix: torch.Tensor


class LocalBackend:
    """A model of the Qwen-VL families: `tiny`, a checkpoint's folder or a hub id.

    It runs on the GPU that LOCAL_RANK names, or the first, or the CPU. batch_size: questions answered at once; a batch
    for which memory does not suffice is halved. workers: threads that read clips; 0 reads each when the
    model asks for it, nothing ahead. cache_mb: frames in memory. Raises InputError for a model that cannot be used.
    """

    def __init__(
        self,
        model: str,
        *,
        video: VideoConfig,
        decoding: Decoding,
        batch_size: int = 8,
        workers: int = 1,
        cache_mb: int = 1024,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size: at least 1, not {batch_size}")
        self.model, self.processor = _load(model)
        self.decoding = decoding
        self.waited_s = 0.0
        """How long the model has waited for clips."""
        self._video = video
        self._batch_size = self._size = batch_size
        self._good_batches = 0
        self._workers = workers
        self._cache_mb = cache_mb
        self._kept: dict[_Group, Prefix] = {}
        # A tokenizer must not be used by two threads at once.
        self._encoder = copy.deepcopy(self.processor)
        self._config = generation_config(
            self.model, self.processor, temperature=decoding.temperature, max_new_tokens=decoding.max_new_tokens
        )
        self._suppress = vision_token_ids(self.processor)
        self._placeholders = (self.processor.video_token, self.processor.image_token)

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answered]]:
        """The index of each question and what came of it, a batch at a time; those about one video come together."""
        clips = ClipStore(self._video, cache_mb=self._cache_mb, workers=self._workers)
        groups = self._encoded(questions, clips)
        ready = _ahead(groups, self._batch_size) if self._workers else groups
        waiting: deque[_Asked] = deque()
        self._kept.clear()
        with closing(clips), closing(ready):
            while (group := self._next(ready)) is not None:
                if isinstance(group, _Refused):
                    yield from ((row, Answered(None, error=group.error)) for row in group.rows)
                    continue
                for row, suffix in zip(group.rows, group.prompts.suffixes, strict=True):
                    waiting.append(_Asked(row, question_seed(self.decoding.seed, questions[row].sample), group, suffix))
                while len(waiting) >= self._size:
                    yield from self._answer([waiting.popleft() for _ in range(self._size)])
            while waiting:
                yield from self._answer([waiting.popleft() for _ in range(min(self._size, len(waiting)))])
        log.debug("the model has waited %.1f s for clips in all", self.waited_s)

    def _next(self, groups: Iterator[_Group | _Refused]) -> _Group | _Refused | None:
        started = time.perf_counter()
        group = next(groups, None)
        self.waited_s += time.perf_counter() - started
        return group

    def _encoded(self, questions: Sequence[Question], clips: ClipStore) -> Generator[_Group | _Refused]:
        """The prompts of each video's questions; clips are fetched as far ahead as batches need and memory allows."""
        groups = grouped(questions)
        samples = [questions[rows[0]].sample for rows in groups]
        sources = [(sample.video, sample.subtitles) for sample in samples if sample.video is not None]
        ahead = max(min(clips.room(), 2 * self._batch_size), self._workers)
        at = 0
        for rows, sample in zip(groups, samples, strict=True):
            if sample.video is None:
                yield from self._encode(questions, rows, clips)
                continue
            clips.fetch_ahead(sources[at : at + ahead])
            yield from self._encode(questions, rows, clips)
            clips.discard(sample.video, sample.subtitles)
            at += 1

    def _encode(
        self, questions: Sequence[Question], rows: Sequence[int], clips: ClipStore
    ) -> Iterator[_Group | _Refused]:
        askable = []
        for row in rows:
            if token := next((token for token in self._placeholders if token in questions[row].text), None):
                yield _Refused([row], f"the question's text has {token}, which stands for pixels: take it out")
            else:
                askable.append(row)
        if not askable:
            return
        sample = questions[askable[0]].sample
        chats = [[turn(questions[row].text, video=sample.video, subtitles=sample.subtitles)] for row in askable]
        try:
            clip = clips.get(sample.video, sample.subtitles) if sample.video is not None else None
            prompts = encode_shared(self._encoder, chats, clip)
        except (ValueError, OSError, MemoryError) as error:  # unreadable, or of a size that the processor refuses
            yield _Refused(askable, str(error) or type(error).__name__)
        else:
            yield _Group(askable, prompts, left=len(askable))

    def _answer(self, batch: list[_Asked]) -> Iterator[tuple[int, Answered]]:
        """Answers of a batch, in smaller ones where memory does not suffice for the whole of it."""
        try:
            completions = self._complete(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
        else:
            texts = self.processor.batch_decode(completions, skip_special_tokens=True)
            for asked, text, completion in zip(batch, texts, completions, strict=True):
                yield asked.row, Answered(text, tokens=len(completion))
            return
        # Out of the `except`, whose error would keep the tensors of the failed batch alive.
        self._kept.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._good_batches = 0
        if len(batch) > 1:
            self._size = len(batch) // 2
            log.warning("out of memory with %d questions at once: going on with %d", len(batch), self._size)
            while batch:
                size = self._size  # it may shrink again on the way
                yield from self._answer(batch[:size])
                batch = batch[size:]
            return
        [asked] = batch
        asked.group.left -= 1
        tokens = len(asked.group.prompts.prefix.input_ids) + len(asked.suffix)
        advice = f"its prompt has {tokens} tokens: lower video.max_frames or video.max_pixels"
        yield asked.row, Answered(None, error=f"out of memory, and {advice} ({reason})")

    def _complete(self, batch: list[_Asked]) -> list[torch.Tensor]:
        """The completions of a batch; a video of which more questions wait stays computed for them."""
        counts = Counter(asked.group for asked in batch)
        groups = list(counts)
        computed = self._computed(groups)
        self._kept = {group: computed[group].clone() for group in groups if group.left > counts[group]}
        completions = complete(
            self.model,
            [computed[group] for group in groups],
            [groups.index(asked.group) for asked in batch],
            [asked.suffix.to(self.model.device) for asked in batch],
            config=self._config,
            suppress=self._suppress,
            seeds=[asked.seed for asked in batch],
        )
        for group in groups:
            group.left -= counts[group]
        self._good_batches += 1
        if self._good_batches % GOOD_BATCHES == 0:
            self._size = min(2 * self._size, self._batch_size)
        return completions

    def _computed(self, groups: Sequence[_Group]) -> dict[_Group, Prefix]:
        new = [group for group in groups if group not in self._kept]
        if not new:
            return self._kept
        prefixes = read_prefixes(self.model, [group.prompts.prefix.to(self.model.device) for group in new])
        return self._kept | dict(zip(new, prefixes, strict=True))


def _load(name: str) -> tuple["PreTrainedModel", "ProcessorMixin"]:
    try:
        model, processor = load_model(name)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: no model that can be loaded: {str(error).partition(chr(10))[0]}") from error
    layers = getattr(model.config.get_text_config(), "layer_types", None) or ()
    if not hasattr(model.model, "get_rope_index") or "sliding_attention" in layers:
        raise InputError(
            f"{name}: {type(model).__name__} is not a Qwen-VL model with full attention; "
            f"serve it with vLLM and give its address as openai:URL#NAME"
        )
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), processor


def _ahead(items: Iterator[T], size: int) -> Generator[T]:
    """The items, made in order by a thread, up to `size` of them before they are asked for."""
    with ThreadPoolExecutor(1, thread_name_prefix="encode") as thread:
        pending = deque(thread.submit(next, items, None) for _ in range(size))
        try:
            while (item := pending.popleft().result()) is not None:
                pending.append(thread.submit(next, items, None))
                yield item
        finally:
            for future in pending:
                future.cancel()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, on a GPU or for PyTorch, NumPy or Python on a CPU.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
    True
    >>> is_out_of_memory(RuntimeError("The size of tensor a (3) must match the size of tensor b (2)"))
    False
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    signs = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
