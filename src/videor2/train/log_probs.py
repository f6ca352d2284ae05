"""Log-probs of a micro-batch of completions under their prompts, shared or copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel

from videor2.models.prompt import EncodedPrompt, join_videos
from videor2.models.shared_prefix import IGNORED, Group, pack
from videor2.train.groups import runs


@dataclass(frozen=True, slots=True)
class Rows:
    """B completions as TRL batches them: behind left-padded prompts, padded on the right to C = `width` tokens."""

    prompts: Sequence[EncodedPrompt]
    """Of each row; those of a group are one object."""
    input_ids: torch.Tensor
    """(B, P + C)"""
    attention_mask: torch.Tensor
    """(B, P + C), 0 on padding and on rows that do not count."""
    width: int


@dataclass(frozen=True, slots=True)
class LogProbs:
    """Of each token of the completions, (B, C); 0 where nothing is scored."""

    log_probs: torch.Tensor
    entropies: torch.Tensor
    aux_loss: Any
    """Load-balancing loss of a mixture of experts, if it was asked for."""


def shared_log_probs(model: torch.nn.Module, rows: Rows, *, router: bool = False) -> LogProbs:
    """Each prompt computed once for its neighbours' completions; rows without a token to score are left out.

    model: with TRL's fused head, prepared by `share_prefixes`, as wrapped for training. router: ask for the
    load-balancing loss.
    """
    completions = rows.input_ids[:, -rows.width :]
    lengths = rows.attention_mask[:, -rows.width :].sum(1).tolist()
    device = rows.input_ids.device
    scored: list[int] = []
    groups: list[Group] = []
    for run in runs(rows.prompts):
        members = [row for row in run.rows if lengths[row]]
        if members:
            groups.append(Group(run.prompt.to(device), [completions[row, : lengths[row]] for row in members]))
            scored += members
    if not groups:  # a pass all the same: other processes wait for this one's gradients
        groups = [Group(EncodedPrompt(rows.input_ids[0, :2]), [completions[0, :0]])]
    packed = pack(extract_model_from_parallel(model), groups)
    output = model(**packed.inputs, shift_labels=packed.labels, fused_lm_head=True, **_router(router))
    places = torch.tensor(scored, dtype=torch.long, device=device)

    def by_row(values: torch.Tensor) -> torch.Tensor:
        empty = values.new_zeros(len(lengths), rows.width) + 0 * values.sum()
        return empty.index_copy(0, places, packed.unpack(values, width=rows.width)) if scored else empty

    # A reference model is given a head without entropies: nobody asks for its.
    entropies = output.entropy if output.entropy is not None else torch.zeros_like(output.log_probs)
    return LogProbs(by_row(output.log_probs), by_row(entropies), output.aux_loss)


def copied_log_probs(model: torch.nn.Module, rows: Rows, *, router: bool = False) -> LogProbs:
    """Each completion with a copy of its prompt and clip, as TRL computes them; arguments as above."""
    labels = rows.input_ids.masked_fill(rows.attention_mask == 0, IGNORED)
    labels[:, : -rows.width] = IGNORED
    config = extract_model_from_parallel(model).config
    output = model(
        input_ids=rows.input_ids,
        attention_mask=rows.attention_mask,
        mm_token_type_ids=torch.eq(rows.input_ids, config.video_token_id).long() * 2,
        labels=labels,
        fused_lm_head=True,
        **{name: tensor.to(rows.input_ids.device) for name, tensor in join_videos(rows.prompts).items()},
        **_router(router),
    )
    log_probs = output.log_probs[:, -rows.width :]
    entropies = output.entropy[:, -rows.width :] if output.entropy is not None else torch.zeros_like(log_probs)
    return LogProbs(log_probs, entropies, output.aux_loss)


def _router(wanted: bool) -> dict[str, bool]:
    return {"output_router_logits": True} if wanted else {}
