"""One model that answers many requests at a time, in a thread of its own.

Requests join and leave between two tokens: each prompt is read alone, as soon as there is room, and its cache is put
beside those of the rows that are being written. A row is padded on the left, its positions and its noise are its own,
so what a request gets does not depend on its neighbours.
"""

import copy
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache, GenerationConfig, LogitsProcessor

from videor2.models.generate import choosers, end_token_ids, vision_token_ids
from videor2.models.prompt import video_metadata
from videor2.serve.batch import Batch, Job, Piece, Prompt, Row, SamplingParams
from videor2.serve.media import Conversation
from videor2.serve.protocol import RequestError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

logger = logging.getLogger(__name__)


class Engine:
    """Writes up to `max_batch` completions at a time; the others wait, first come, first served."""

    def __init__(self, model: "PreTrainedModel", processor: "ProcessorMixin", *, max_batch: int = 8) -> None:
        self.model = model.eval()
        self.processor = processor
        self.max_batch = max_batch
        self._suppress = vision_token_ids(processor)
        self._ends = frozenset(end_token_ids(model, processor))
        # A tokenizer that encodes in one thread must not decode in another.
        self._tokenizer = copy.deepcopy(processor.tokenizer)
        self._encoding = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._closed = False
        self._batch: Batch | None = None
        self._joining = 0
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def context(self) -> int:
        """Tokens that the model reads and writes at most."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    @property
    def waiting(self) -> int:
        """Requests that have no place yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Completions that have a place."""
        batch = self._batch
        return self._joining + (len(batch.rows) if batch else 0)

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._thread.is_alive() and not self._closed

    def encode(self, conversation: Conversation) -> Prompt:
        """Tensors of a conversation; raises RequestError where it is too long or has what the model cannot see."""
        inputs: dict[str, Any] = {}
        if conversation.clips:
            inputs |= {
                "videos": [clip.frames for clip in conversation.clips],
                "video_metadata": [video_metadata(clip, self.processor) for clip in conversation.clips],
                "do_sample_frames": False,
            }
        if conversation.images:
            if getattr(self.processor, "image_processor", None) is None:
                raise RequestError("this model takes no images", code="invalid_image")
            inputs["images"] = list(conversation.images)
        words = [part["text"] for turn in conversation.chat for part in turn["content"] if part["type"] == "text"]
        for token in (self.processor.image_token, self.processor.video_token):
            if any(token in text for text in words):
                raise RequestError(f"a text has {token}, which stands for pixels: take it out")
        try:
            with self._encoding:
                text = self.processor.apply_chat_template(conversation.chat, tokenize=False, add_generation_prompt=True)
                batch = self.processor(text=[text], return_tensors="pt", **inputs)
        except ValueError as e:  # such as a picture much longer than wide
            raise RequestError(f"the model's processor refuses this: {e}") from e
        names = ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw", "second_per_grid_ts")
        vision = {name: torch.as_tensor(batch[name]) for name in names if batch.get(name) is not None}
        ids = batch["input_ids"]
        room = self.context - ids.shape[1]
        if room < 1:
            raise RequestError(
                f"the prompt has {ids.shape[1]} tokens, more than this model's maximum context length of "
                f"{self.context} leaves room for: send fewer or smaller frames",
                code="context_length_exceeded",
            )
        return Prompt(ids[0], self._positions(ids, vision), vision, room)

    def _positions(self, ids: torch.Tensor, vision: dict[str, torch.Tensor]) -> torch.Tensor:
        config = self.model.config
        kinds = (ids == config.image_token_id).long() + (ids == config.video_token_id).long() * 2
        grids = {name: value for name, value in vision.items() if not name.startswith("pixel")}
        positions, _ = self.model.model.get_rope_index(
            ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds, **grids
        )
        return torch.as_tensor(positions[:, 0])

    def submit(self, prompt: Prompt, sampling: SamplingParams, emit: Callable[[Piece | RequestError], None]) -> Job:
        """Queue a request. Raises RequestError where the engine is closed or can never write so many completions."""
        if sampling.n > self.max_batch:
            raise RequestError(f"n: at most {self.max_batch} completions a request, not {sampling.n}")
        job = Job(prompt, sampling, emit)
        with self._changed:
            if not self.alive:
                raise RequestError("the server is shutting down", status=503, code="unavailable")
            self._waiting.append(job)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Stop at the next token; who still waits gets an error."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        with torch.inference_mode():
            while True:
                joining = self._admitted()
                if joining is None:
                    break
                for job in joining:
                    self._prefill(job)
                    self._joining -= job.sampling.n
                self._step()
        self._fail("the server is shutting down", 503)

    def _admitted(self) -> list[Job] | None:
        """The jobs that there is room for now, waiting until there is work; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting or self._batch)
            if self._closed:
                return None
            joining: list[Job] = []
            free = self.max_batch - self.running
            while self._waiting and (self._waiting[0].cancelled or self._waiting[0].sampling.n <= free):
                job = self._waiting.popleft()
                if not job.cancelled:
                    free -= job.sampling.n
                    joining.append(job)
            self._joining = sum(job.sampling.n for job in joining)
            return joining

    def _prefill(self, job: Job) -> None:
        """Read a prompt, write its first token, and put its rows beside the others."""
        device = self.model.device
        prompt, sampling = job.prompt, job.sampling
        try:
            cache = DynamicCache(config=self.model.config)
            output = self.model(
                input_ids=prompt.input_ids[None].to(device),
                attention_mask=torch.ones_like(prompt.input_ids[None]).to(device),
                position_ids=prompt.positions[:, None].to(device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                **{name: value.to(device) for name, value in prompt.vision.items()},
            )
            config = GenerationConfig(
                do_sample=sampling.temperature > 0, temperature=sampling.temperature or None, top_p=sampling.top_p
            )
            position = int(prompt.positions.max()) + 1
            rows = [
                Row(job, choice, self._tokenizer, position, self._choosers(config, seed))
                for choice, seed in enumerate(sampling.seeds())
            ]
            n = sampling.n
            layers = [(layer.keys.repeat(n, 1, 1, 1), layer.values.repeat(n, 1, 1, 1)) for layer in cache.layers]
            mask = torch.ones(n, len(prompt.input_ids), dtype=torch.long, device=device)
            going_on = self._choose(rows, output.logits[:, -1].repeat(n, 1))
            batch = Batch(rows, layers, mask).of(going_on)
            if batch is not None:
                self._batch = self._batch.beside(batch) if self._batch else batch
        except Exception as e:  # one prompt's fault, such as its size, must not end the others
            logger.exception("a prompt of %d tokens failed", len(prompt.input_ids))
            job.emit(RequestError(f"the model failed on this prompt: {e}", status=500, code="model_error"))

    def _step(self) -> None:
        """One more token for each row."""
        if self._batch is None:
            return
        alive = [place for place, row in enumerate(self._batch.rows) if not row.job.cancelled]
        try:
            self._batch = self._batch.of(alive)
            if self._batch is not None:
                logits = self._batch.forward(self.model)
                self._batch = self._batch.of(self._choose(self._batch.rows, logits))
        except Exception as e:  # the thread must live to answer the next request
            logger.exception("a batch of %d completions failed", self.running)
            self._fail(f"the model failed: {e}", 500, waiting=False)

    def _choosers(self, config: GenerationConfig, seed: int) -> list[LogitsProcessor]:
        return choosers(config, suppress=self._suppress, seeds=[seed], device=self.model.device)

    def _choose(self, rows: Sequence[Row], logits: torch.Tensor) -> list[int]:
        """Give each row its next token, from logits (B, V); the places of the rows that go on."""
        tokens = [row.choose(own[None]) for row, own in zip(rows, logits.float(), strict=True)]
        return [place for place, row in enumerate(rows) if row.take(tokens[place], tokens[place] in self._ends)]

    def _fail(self, why: str, status: int, *, waiting: bool = True) -> None:
        jobs = [row.job for row in self._batch.rows] if self._batch else []
        self._batch = None
        if waiting:
            jobs += self._waiting
            self._waiting.clear()
        for job in dict.fromkeys(jobs):
            job.emit(RequestError(why, status=status, code="unavailable"))
