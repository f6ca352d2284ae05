"""Completions that are being written side by side: their text, token by token, and what the model remembers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, LogitsProcessor

from videor2.models.cache import PreallocatedLayer
from videor2.models.seeds import completion_seed
from videor2.serve.protocol import RequestError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Finish = Literal["stop", "length"]
Layers = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values (B, H, L, D) of each layer."""

ROOM = 256
"""Tokens that fit into a cache before it is copied into a larger one."""
UNFINISHED = "\N{REPLACEMENT CHARACTER}"
MAX_CHARACTER_BYTES = 4
"""Of UTF-8: after as many tokens, a character that is not there yet never will be."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as the model reads it."""

    input_ids: torch.Tensor
    """(P,)"""
    positions: torch.Tensor
    """(3, P): time, height and width, as in mRoPE."""
    vision: dict[str, torch.Tensor]
    room: int
    """How many tokens the model can write behind it."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How completions are written. temperature 0 is greedy; the first of `n` is drawn with `seed` itself."""

    temperature: float
    top_p: float
    seed: int
    max_tokens: int
    stop: tuple[str, ...] = ()
    n: int = 1

    def seeds(self) -> list[int]:
        """One for each completion."""
        return [self.seed, *(completion_seed(self.seed, choice) for choice in range(1, self.n))]


@dataclass(frozen=True, slots=True)
class Piece:
    """What a token adds to a completion: often some text, sometimes none, at the end why it ended."""

    choice: int
    token_id: int
    text: str
    finish: Finish | None


@dataclass(eq=False, slots=True)
class Job:
    """A request on its way. `emit` gets its pieces, or the one error that ended it, in the engine's thread."""

    prompt: Prompt
    sampling: SamplingParams
    emit: Callable[[Piece | RequestError], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Nobody waits for it any more: its place is free before the next token. Safe from any thread."""
        self.cancelled = True


@dataclass(eq=False, slots=True)
class Row:
    """A completion that is being written."""

    job: Job
    choice: int
    tokenizer: Any
    position: int
    """Where its next token stands."""
    choosers: Sequence[LogitsProcessor]
    """Those of `models.generate`, with noise of the row's own."""
    ids: list[int] = field(default_factory=list)
    held: str = ""
    """Text that may turn out to be the beginning of a stop string."""
    shown: tuple[int, int] = (0, 0)
    """The text of ids[:end] is out, and what follows is read together with ids[start:]."""

    def choose(self, scores: torch.Tensor) -> int:
        """The next token by logits (1, V)."""
        for chooser in self.choosers:
            scores = chooser(None, scores)
        return int(scores.argmax())

    def take(self, token: int, ends: bool) -> bool:
        """Add a token and tell the job; whether the row goes on."""
        sampling = self.job.sampling
        self.ids.append(token)
        self.position += len(self.ids) > 1
        finish: Finish | None = "stop" if ends else "length" if len(self.ids) == sampling.max_tokens else None
        text = self.held + self._new_text(last=finish is not None)
        found = [place for place in (text.find(stop) for stop in sampling.stop) if place >= 0]
        if found:
            text, finish = text[: min(found)], "stop"
        held = 0 if finish else max((_overlap(text, stop) for stop in sampling.stop), default=0)
        self.held = text[len(text) - held :]
        self.job.emit(Piece(self.choice, token, text[: len(text) - held], finish))
        return finish is None

    def _new_text(self, *, last: bool) -> str:
        # Of a few tokens before as well: some tokenizers write a token differently at the beginning of a text.
        start, end = self.shown
        before = self.tokenizer.decode(self.ids[start:end], skip_special_tokens=True)
        text = self.tokenizer.decode(self.ids[start:], skip_special_tokens=True)
        unclear = len(text) <= len(before) or text.endswith(UNFINISHED)
        if unclear and not last and len(self.ids) - end < MAX_CHARACTER_BYTES:
            return ""
        self.shown = (end, len(self.ids))
        return str(text[len(before) :])


def _overlap(text: str, stop: str) -> int:
    """The longest end of the text with which the stop string could begin."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


@dataclass(eq=False, slots=True)
class Batch:
    """Rows and what the model remembers of them: mask (B, L) is 1 where a row has a token."""

    rows: list[Row]
    layers: Layers
    mask: torch.Tensor
    _cache: DynamicCache | None = None
    _end: int = 0
    """The length at which the cache is full."""

    def forward(self, model: "PreTrainedModel") -> torch.Tensor:
        """Read each row's last token: logits (B, V)."""
        if self._cache is None or self.mask.shape[1] >= self._end:
            self._cache = DynamicCache()
            self._cache.layers.extend(PreallocatedLayer(keys, values, ROOM) for keys, values in self.layers)
            self._end = self.mask.shape[1] + ROOM
        self.mask = pad(self.mask, (0, 1), value=1)
        positions = torch.tensor([row.position for row in self.rows], device=self.mask.device)
        output = model(
            input_ids=torch.tensor([row.ids[-1:] for row in self.rows], device=self.mask.device),
            attention_mask=self.mask,
            position_ids=positions[None, :, None].expand(3, -1, 1),
            past_key_values=self._cache,
            use_cache=True,
        )
        self.layers = [(layer.keys, layer.values) for layer in self._cache.layers]
        return torch.as_tensor(output.logits[:, -1])

    def of(self, places: Sequence[int]) -> "Batch | None":
        """The batch with these of its rows alone, no longer than they need; None for none."""
        if len(places) == len(self.rows):
            return self
        if not places:
            return None
        kept = torch.tensor(places, device=self.mask.device)
        mask = self.mask[kept]
        start = int(mask.any(0).int().argmax())
        layers = [(keys[kept, :, start:], values[kept, :, start:]) for keys, values in self.layers]
        return Batch([self.rows[place] for place in places], layers, mask[:, start:])

    def beside(self, other: "Batch") -> "Batch":
        """Both in one batch, the shorter padded on the left."""
        batches = (self, other)
        length = max(batch.mask.shape[1] for batch in batches)
        missing = [length - batch.mask.shape[1] for batch in batches]
        mask = torch.cat([pad(b.mask, (m, 0)) for b, m in zip(batches, missing, strict=True)])

        def stacked(states: Sequence[torch.Tensor]) -> torch.Tensor:
            return torch.cat([pad(state, (0, 0, m, 0)) for state, m in zip(states, missing, strict=True)])

        layers = [
            (stacked([mine[0], its[0]]), stacked([mine[1], its[1]]))
            for mine, its in zip(self.layers, other.layers, strict=True)
        ]
        return Batch([*self.rows, *other.rows], layers, mask)
