"""Several questions about one video, the video computed once.

The prompts of questions about a video begin alike, with the video, and it is nearly all there is of them. Here the
vision tower and the text model read what they share once; each question's remaining tokens, and the response to it, go
on from a copy of the cache. A row of a batch is

    padding, prefix | padding, suffix | completion

where prefixes of different videos and suffixes of different lengths are padded apart, and masks and 3-D positions are
those of the prompt alone: answers and logits are the ones of a prompt that was read by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache, GenerationConfig

from videor2.models.cache import PreallocatedLayer
from videor2.models.generate import choosers, decode, left_padded, prefill, trimmed
from videor2.models.prompt import EncodedPrompt, Message, encode_prompt
from videor2.video.clip import Clip

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin


@dataclass(frozen=True, slots=True, eq=False)
class SharedPrompts:
    """Q prompts about one video (or one prompt without): what they begin with, and how each goes on."""

    prefix: EncodedPrompt
    """(P,) tokens that all have in common, and the video."""
    suffixes: tuple[torch.Tensor, ...]
    """Q tensors (S,), each of one token at least."""


@dataclass(slots=True, eq=False)
class Prefix:
    """What a model has computed of a prefix of P tokens."""

    input_ids: torch.Tensor
    """(P,)"""
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    """Keys and values (H, P, D) of each layer."""
    delta: torch.Tensor
    """(1,): by how much positions run ahead of the count of tokens."""

    def clone(self) -> "Prefix":
        """A copy that shares no memory with those it was computed with."""
        layers = [(keys.clone(), values.clone()) for keys, values in self.layers]
        return Prefix(self.input_ids, layers, self.delta)


def encode_shared(processor: "ProcessorMixin", chats: Sequence[list[Message]], clip: Clip | None) -> SharedPrompts:
    """Chats whose first part is the same clip, to be continued by the model; its pixels are processed once.

    Without a clip there is one chat. Raises ValueError for chats that do not begin alike.
    """
    first = encode_prompt(processor, chats[0], [] if clip is None else [clip])
    rows = [first.input_ids]
    if len(chats) > 1:
        rows += _behind_the_video(processor, chats, first.input_ids)
    return SharedPrompts(*_split(rows, first, processor))


def _behind_the_video(
    processor: "ProcessorMixin", chats: Sequence[list[Message]], first: torch.Tensor
) -> list[torch.Tensor]:
    """The tokens of all chats but the first: of the video as the first one has them, then of their own text."""
    texts = [processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    heads, tails = zip(*(text.split(processor.video_token, 1) for text in texts), strict=True)
    ids = [torch.tensor(processor.tokenizer(tail, add_special_tokens=False)["input_ids"]) for tail in tails]
    # A special token stands before the tail, so that it is split into tokens by itself; here that is seen to be so.
    video, tail = first[: -len(ids[0])], first[-len(ids[0]) :]
    if len(set(heads)) > 1 or not torch.equal(tail, ids[0]):
        raise ValueError("these prompts do not begin alike: ask about the video in separate runs")
    return [torch.cat([video, tail]) for tail in ids[1:]]


def _split(
    rows: Sequence[torch.Tensor], first: EncodedPrompt, processor: "ProcessorMixin"
) -> tuple[EncodedPrompt, tuple[torch.Tensor, ...]]:
    """The prefix up to the first token in which rows differ, the last token of each row left to its suffix."""
    shortest = min(len(row) for row in rows) - 1
    differ = torch.stack([row[:shortest] != rows[0][:shortest] for row in rows]).any(0)
    length = int(differ.int().argmax()) if differ.any() else shortest
    if bool((torch.cat([row[length - 1 :] for row in rows]) == processor.video_token_id).any()):
        raise ValueError("prompts about one video must be alike to the end of it and a token beyond")
    return EncodedPrompt(rows[0][:length], first.video), tuple(row[length:] for row in rows)


def read_prefixes(model: "PreTrainedModel", prefixes: Sequence[EncodedPrompt]) -> list[Prefix]:
    """Compute prefixes, all in one pass."""
    with torch.no_grad():
        cache, deltas = prefill(model, prefixes)
    return [
        Prefix(
            prefix.input_ids,
            [
                (s.keys[row, :, -len(prefix.input_ids) :], s.values[row, :, -len(prefix.input_ids) :])
                for s in cache.layers
            ],
            deltas[row],
        )
        for row, prefix in enumerate(prefixes)
    ]


def complete(
    model: "PreTrainedModel",
    prefixes: Sequence[Prefix],
    places: Sequence[int],
    suffixes: Sequence[torch.Tensor],
    *,
    config: GenerationConfig,
    suppress: Sequence[int] = (),
    seeds: Sequence[int] = (),
) -> list[torch.Tensor]:
    """The completions (C,) of B prompts, each the prefix at `places[b]` followed by `suffixes[b]`.

    The prefixes are taken apart on the way, so that no more than a layer of them is in memory twice. config: its
    `do_sample` decides between sampling and greedy. suppress: tokens that are never written. seeds: one per
    prompt, needed for sampling.
    """
    if config.do_sample and len(seeds) != len(suffixes):
        raise ValueError(f"{len(suffixes)} completions to sample, {len(seeds)} seeds")
    of_rows = [prefixes[place] for place in places]
    parts = ([prefix.input_ids for prefix in of_rows], suffixes)
    # Each row is padded with a token of its own: a penalty on repeated tokens is to see no other.
    fills = [prefix.input_ids[:1] for prefix in of_rows]
    input_ids = torch.cat([torch.stack(_filled(part, fills)) for part in parts], dim=1)
    attention_mask = torch.cat([left_padded([torch.ones_like(row) for row in part], 0) for part in parts], dim=1)
    with torch.no_grad():
        cache = _joined(prefixes, places, room=max(map(len, suffixes)) + config.max_new_tokens)
        output = decode(
            model,
            input_ids,
            attention_mask,
            cache,
            torch.stack([prefix.delta for prefix in of_rows]),
            config=config,
            processors=choosers(config, suppress=suppress, seeds=seeds, device=input_ids.device),
        )
    return trimmed(output[:, input_ids.shape[1] :], config.eos_token_id)


def _filled(rows: Sequence[torch.Tensor], fills: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Rows as long as the longest: before the shorter ones stands their fill (1,)."""
    longest = max(map(len, rows))
    return [torch.cat([fill.expand(longest - len(row)), row]) for row, fill in zip(rows, fills, strict=True)]


def _joined(prefixes: Sequence[Prefix], places: Sequence[int], *, room: int) -> DynamicCache:
    """A cache with a row for each of `places`, prefixes padded on the left, and room for that many more tokens."""
    cache = DynamicCache()
    longest = max(len(prefixes[place].input_ids) for place in places)
    for _ in range(len(prefixes[0].layers)):
        layers = [prefix.layers.pop(0) for prefix in prefixes]
        keys, values = (
            # Zeros, as what is masked still takes part with a weight of 0, and 0 times anything may be NaN.
            torch.stack([torch.nn.functional.pad(s, (0, 0, longest - s.shape[1], 0)) for s in states])
            for states in zip(*(layers[place] for place in places), strict=True)
        )
        cache.layers.append(PreallocatedLayer(keys, values, room))
    return cache
