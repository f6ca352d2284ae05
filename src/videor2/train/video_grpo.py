"""GRPO on video: TRL's `GRPOTrainer`, with the clip in the rollout and in every log-prob pass alike.

The algorithm is TRL's. For G completions o_1..o_G of a prompt q with rewards r_i, the advantage of each is
A_i = (r_i - mean(r)) / std(r), and the loss of a token is -min(w A_i, clip(w, 1 - eps, 1 + eps) A_i) + beta KL,
w the ratio of the policy to the one that sampled (DeepSeekMath, arXiv 2402.03300). What differs here:

- A prompt may hold `{"type": "video", "video": path}`. TRL hands a video to `generate` and then computes
  log-probs without it; here rollout, reference and policy read the same frames.
- Each clip is read and preprocessed once per group, not once per completion.
- Tokens that stand for pixels cannot be sampled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from trl import GRPOConfig, GRPOTrainer

from videor2.models.generate import vision_token_ids
from videor2.models.prompt import Message, encode
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

VIDEO_FIELDS = ("pixel_values_videos", "video_grid_thw", "second_per_grid_ts")


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt as the model reads it: P token ids and, if there is a clip, its tensors by name."""

    input_ids: list[int]
    video: dict[str, torch.Tensor]


class VideoGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's `GRPOTrainer` for prompts with a video; everything else is as documented there.

    clips: reads the videos that prompts name. `train_dataset` has a conversational `prompt` column, whose user
    turn may start with a part `{"type": "video", "video": path, "subtitles": path or None}`; its other columns reach
    the reward functions.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        reward_funcs: Sequence[Callable[..., Any]],
        *,
        args: GRPOConfig,
        processing_class: "ProcessorMixin",
        clips: ClipStore,
        **kwargs: Any,
    ) -> None:
        self.clips = clips
        self._encoded: list[EncodedPrompt] = []
        self._rows: list[EncodedPrompt] = []
        args.generation_kwargs = {"suppress_tokens": vision_token_ids(processing_class)} | (
            args.generation_kwargs or {}
        )
        super().__init__(
            model=model,
            reward_funcs=list(reward_funcs),
            args=args,
            processing_class=processing_class,
            **kwargs,
        )

    def _tokenize_prompts(self, prompts: list[list[Message]]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Encode a generation batch of B prompts; equal neighbours (a group) are encoded once."""
        self._encoded = []
        for index, prompt in enumerate(prompts):
            same = index > 0 and prompt == prompts[index - 1]
            self._encoded.append(self._encoded[-1] if same else self._encode(prompt))
        self._rows = self._encoded
        fields: dict[str, Any] = self._video_inputs(self._rows)
        if fields:
            video_id = self.model.config.video_token_id
            fields["mm_token_type_ids"] = [
                [2 if token == video_id else 0 for token in row.input_ids] for row in self._rows
            ]
        return [row.input_ids for row in self._rows], None, fields

    def _encode(self, prompt: list[Message]) -> EncodedPrompt:
        clips = [
            self.clips.get(part["video"], part.get("subtitles"))
            for message in prompt
            for part in message["content"]
            if part["type"] == "video"
        ]
        batch = encode(self.processing_class, [prompt], clips)
        video = {name: torch.as_tensor(batch[name]) for name in VIDEO_FIELDS if batch.get(name) is not None}
        return EncodedPrompt(batch["input_ids"][0].tolist(), video)

    @staticmethod
    def _video_inputs(rows: Sequence[EncodedPrompt]) -> dict[str, torch.Tensor]:
        """The video tensors of some rows, one after another, as the model takes them."""
        names = [name for name in VIDEO_FIELDS if any(name in row.video for row in rows)]
        return {name: torch.cat([row.video[name] for row in rows if name in row.video]) for name in names}

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        # TRL shuffles and splits every tensor of this dict by row: the index keeps rows and clips together.
        output["encoded_index"] = torch.arange(len(self._encoded), device=self.accelerator.device)
        return output

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        self._rows = [self._encoded[index] for index in inputs["encoded_index"].tolist()]
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **images: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Log-probs (B, C) of the completions under their prompts with their clips; entropies (B, C) if wanted."""
        if not any(row.video for row in self._rows):
            result: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None] = (
                super()._get_per_token_logps_and_entropies(
                    model,
                    input_ids,
                    attention_mask,
                    logits_to_keep,
                    batch_size=batch_size,
                    compute_entropy=compute_entropy,
                    compute_aux_loss=compute_aux_loss,
                    **images,
                )
            )
            return result
        if len(self._rows) != len(input_ids):
            raise RuntimeError(f"{len(input_ids)} sequences but {len(self._rows)} prompts: TRL's batching has changed")
        step = batch_size or len(input_ids)
        logps, entropies, aux_losses = [], [], []
        for start in range(0, len(input_ids), step):
            part = slice(start, start + step)
            outputs = self._forward(
                model,
                input_ids[part],
                attention_mask[part],
                logits_to_keep,
                self._rows[part],
                compute_aux_loss,
            )
            logps.append(outputs.log_probs[:, -logits_to_keep:])
            if compute_entropy:
                entropies.append(outputs.entropy[:, -logits_to_keep:])
            if compute_aux_loss:
                aux_losses.append(outputs.aux_loss)
        return (
            torch.cat(logps),
            torch.cat(entropies) if entropies else None,
            torch.stack(aux_losses).mean() if aux_losses else None,
        )

    def _forward(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        rows: Sequence[EncodedPrompt],
        aux_loss: bool,
    ) -> Any:
        video = {name: tensor.to(input_ids.device) for name, tensor in self._video_inputs(rows).items()}
        video_id = self.model.config.video_token_id
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-logits_to_keep] = -100
        with self.accelerator.autocast():
            return model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                mm_token_type_ids=(input_ids == video_id).long() * 2,
                labels=labels,
                fused_lm_head=True,
                **video,
                **({"output_router_logits": True} if aux_loss else {}),
            )
