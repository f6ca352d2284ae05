"""Log-probs of G completions of one prompt, the prompt computed once.

In GRPO every completion of a group follows the same prompt, and with a video the prompt is nearly all there is.
Computed per completion it costs G (P + C) tokens, and the vision tower G times. Here a group is one row of P + G C:

    prompt[:-1] | prompt[-1] completion_1[:-1] | prompt[-1] completion_2[:-1] | ...

in which a completion attends to the prompt and to itself, and its positions go on from the prompt's (3-D positions
of a video included). Log-probs and gradients are those of G copies. Several groups, with prompts of any length and
completions of any length, lie one after another in the row; nothing is padded.

The block mask is never built: attention runs block by block, so its cost is P²/2 + G C (P + C) and not (P + G C)². That
is a function registered through transformers' `AttentionInterface`; the models are stock, and as the row is an
ordinary forward pass, gradient checkpointing, LoRA, DDP, FSDP and ZeRO-3 work as they do for any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from videor2.errors import InputError
from videor2.models.load import without_adapters
from videor2.models.prompt import EncodedPrompt, join_videos

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ATTENTION = "shared_prefix"
IGNORED = -100
"""Label of a position that predicts nothing."""


@dataclass(frozen=True, slots=True)
class Group:
    """A prompt and the completions that follow it."""

    prompt: EncodedPrompt
    completions: Sequence[torch.Tensor]
    """G tensors (C_i,); one of length 0 is scored nowhere."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where a group lies in the row: its prompt from `start`, then its completions of `lengths` tokens."""

    start: int
    prefix: int
    lengths: tuple[int, ...]
    gather: torch.Tensor | None
    """(G C,): each completion's tokens, padded to the longest; None where all have one length."""
    scatter: torch.Tensor | None
    """The places in (G C,) that hold a token and not padding."""

    @property
    def tokens(self) -> int:
        """Of the whole group."""
        return self.prefix + sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Layout:
    """How groups lie in a row of L tokens; the model's attention reads it."""

    blocks: tuple[Block, ...]
    predicting: torch.Tensor
    """(N,): the places in the row whose next token belongs to a completion."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Groups as one row. `model(**inputs).logits` is (1, N, V): only the places that predict a completion's token."""

    inputs: dict[str, Any]
    labels: torch.Tensor
    """(1, N): the tokens predicted."""
    lengths: tuple[int, ...]
    """Tokens of each completion, in the order of the groups."""

    def unpack(self, values: torch.Tensor, *, width: int, fill: float = 0.0) -> torch.Tensor:
        """(1, N) values of the predicted tokens as (B, width), a row per completion, `fill` behind its end."""
        rows = torch.split(values[0], [max(length, 1) for length in self.lengths])
        padded = [
            torch.nn.functional.pad(row[:length], (0, width - length), value=fill)
            for row, length in zip(rows, self.lengths, strict=True)
        ]
        return torch.stack(padded)


def share_prefixes(model: "PreTrainedModel") -> None:
    """Let a Qwen-VL model read packed rows; everything else it does stays as it is. Can be called again.

    Its text attention runs on PyTorch's SDPA from here on. Raises InputError for another kind of model, or one whose
    attention is not full.
    """
    model = without_adapters(model)
    if not hasattr(model.model, "get_rope_index"):
        raise InputError(f"{type(model).__name__}: shared prefixes are for Qwen-VL models; set share_prefix=false")
    text = model.config.get_text_config()
    if "sliding_attention" in (getattr(text, "layer_types", None) or ()):
        raise InputError(
            f"{type(model).__name__}: shared prefixes need full attention in every layer; set share_prefix=false"
        )
    if text._attn_implementation == ATTENTION:
        return
    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation({"text_config": ATTENTION})
    model.model.language_model.register_forward_hook(_keep_predicting, with_kwargs=True)


def pack(model: "PreTrainedModel", groups: Sequence[Group]) -> Packed:
    """Lay groups in one row for a model that `share_prefixes` has prepared.

    Raises ValueError for a prompt of fewer than two tokens.
    """
    model = without_adapters(model)
    device = groups[0].prompt.input_ids.device
    ids: list[torch.Tensor] = []
    positions: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    predicting: list[torch.Tensor] = []
    blocks: list[Block] = []
    start = 0
    for group in groups:
        prompt_ids = group.prompt.input_ids
        if len(prompt_ids) < 2:
            raise ValueError("a prompt of fewer than two tokens has no prefix to share")
        prompt_positions = prompt_position_ids(model, group.prompt)
        prefix = len(prompt_ids) - 1
        ids.append(prompt_ids[:-1])
        positions.append(prompt_positions[:, :-1])
        # A completion that counts for nothing still needs a place: its group must keep its G rows.
        lengths = tuple(max(len(completion), 1) for completion in group.completions)
        for completion, length in zip(group.completions, lengths, strict=True):
            ids.append(torch.cat([prompt_ids[-1:], completion[:-1]]))
            positions.append(prompt_positions[:, -1:] + torch.arange(length, device=device))
            labels.append(completion if len(completion) else torch.full((1,), IGNORED, device=device))
        blocks.append(_block(start, prefix, lengths, device))
        predicting.append(torch.arange(start + prefix, start + blocks[-1].tokens, device=device))
        start += blocks[-1].tokens
    inputs = {
        "input_ids": torch.cat(ids)[None],
        "position_ids": torch.cat(positions, dim=1)[:, None],
        "shared_prefix": Layout(tuple(blocks), torch.cat(predicting)),
        "use_cache": False,
        **join_videos([group.prompt for group in groups]),
    }
    completion_lengths = tuple(len(completion) for group in groups for completion in group.completions)
    return Packed(inputs, torch.cat(labels)[None], completion_lengths)


def _block(start: int, prefix: int, lengths: tuple[int, ...], device: torch.device) -> Block:
    longest = max(lengths)
    if min(lengths) == longest:
        return Block(start, prefix, lengths, None, None)
    counts = torch.tensor(lengths, device=device)[:, None]
    places = torch.arange(longest, device=device)[None]
    first = counts.cumsum(0) - counts
    gather = (first + torch.minimum(places, counts - 1)).flatten()
    return Block(start, prefix, lengths, gather, (places < counts).flatten().nonzero()[:, 0])


def prompt_position_ids(model: "PreTrainedModel", prompt: EncodedPrompt) -> torch.Tensor:
    """(3, P): where each token of a prompt stands in time, height and width."""
    ids = prompt.input_ids[None]
    if not prompt.video:
        return torch.arange(ids.shape[1], device=ids.device).expand(3, -1)
    video = {name: value for name, value in prompt.video.items() if name != "pixel_values_videos"}
    positions, _ = model.model.get_rope_index(
        ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == model.config.video_token_id).long() * 2,
        **video,
    )
    return torch.as_tensor(positions[:, 0])


def _keep_predicting(module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
    """After the last layer, only what predicts a completion's token goes on to the vocabulary."""
    layout: Layout | None = kwargs.get("shared_prefix")
    if layout is not None:
        output.last_hidden_state = output.last_hidden_state.index_select(1, layout.predicting)
    return output


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    shared_prefix: Layout | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a packed row; without a layout, transformers' SDPA. Tensors (1, H, L, D); returns (1, L, H, D)."""
    if shared_prefix is None:
        output: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output
    # Under autocast rotary embeddings leave float32, which SDPA would cast by itself but for the mask's own type.
    query, key = query.to(value.dtype), key.to(value.dtype)
    options = {"dropout_p": kwargs.get("dropout", 0.0), "scale": kwargs.get("scaling")}
    # What the last layer makes of a prompt nobody reads: only its keys and values count there.
    last: bool = module.layer_idx == module.config.num_hidden_layers - 1
    parts = [
        part for block in shared_prefix.blocks for part in _attend(block, query, key, value, options, skip_prompt=last)
    ]
    return torch.cat(parts)[None], None


def _attend(
    block: Block,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    options: dict[str, Any],
    *,
    skip_prompt: bool,
) -> Iterator[torch.Tensor]:
    """The prompt's output (P - 1, H, D), zeros if it is skipped; then the completions' (sum of lengths, H, D)."""
    prompt = slice(block.start, block.start + block.prefix)
    rest = slice(prompt.stop, block.start + block.tokens)
    gqa = query.shape[1] != key.shape[1]
    prompt_key, prompt_value = key[:, :, prompt], value[:, :, prompt]
    if skip_prompt:
        yield query.new_zeros(block.prefix, query.shape[1], query.shape[3])
    else:
        out = scaled_dot_product_attention(
            query[:, :, prompt], prompt_key, prompt_value, is_causal=True, enable_gqa=gqa, **options
        )
        yield out[0].transpose(0, 1)

    groups = len(block.lengths)

    def by_completion(states: torch.Tensor) -> torch.Tensor:
        states = states[0, :, rest]
        if block.gather is not None:
            states = states.index_select(1, block.gather)
        return states.reshape(states.shape[0], groups, -1, states.shape[2]).transpose(0, 1)

    def with_prompt(prompt_states: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        return torch.cat([prompt_states.expand(groups, -1, -1, -1), by_completion(states)], dim=2)

    queries, keys, values = by_completion(query), with_prompt(prompt_key, key), with_prompt(prompt_value, value)
    out = _causal_lower_right(queries, keys, values, options).transpose(1, 2).flatten(0, 1)
    yield out if block.scatter is None else out.index_select(0, block.scatter)


def _causal_lower_right(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor:
    """Attention (B, H, C, D) in which the last query sees all K keys, the one before it all but one, and so on."""
    (batch, heads, length, size), kv_heads, seen = query.shape, key.shape[1], key.shape[2]
    if query.is_cuda:  # flash kernels have this mask built in
        bias = causal_lower_right(length, seen)
        return scaled_dot_product_attention(query, key, value, attn_mask=bias, enable_gqa=heads != kv_heads, **options)
    # The CPU's are faster on fewer, longer rows: heads that share a key lie in one.
    mask = torch.ones(length, seen, dtype=torch.bool, device=query.device).tril(seen - length)
    out = scaled_dot_product_attention(
        query.reshape(batch, kv_heads, -1, size), key, value, attn_mask=mask.repeat(heads // kv_heads, 1), **options
    )
    return out.reshape(batch, heads, length, -1)
