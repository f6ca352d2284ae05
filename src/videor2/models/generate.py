"""Answer questions about videos with a model: greedy, or sampled from a seed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from videor2.models.prompt import encode, messages
from videor2.sample import Sample
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

VISION_TOKENS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def vision_token_ids(processor: "ProcessorMixin") -> list[int]:
    """The tokens that stand for pixels or mark where pixels are; a model must not write them."""
    ids = [getattr(processor, name, None) for name in VISION_TOKENS]
    return [token for token in ids if token is not None]


def generate(
    model: "PreTrainedModel",
    processor: "ProcessorMixin",
    samples: Sequence[Sample],
    clips: ClipStore,
    *,
    instruction: str = "",
    temperature: float = 0.0,
    seed: int = 0,
    max_new_tokens: int = 1024,
    batch_size: int = 8,
    on_batch: Callable[[int], None] | None = None,
) -> list[str]:
    """The model's response to each sample, in order.

    temperature 0 is greedy; else tokens are drawn from the softmax at that temperature, from a generator seeded
    with `seed`. `on_batch` is told how many responses are done. Raises VideoError for a clip that cannot be read.
    """
    import torch

    torch.manual_seed(seed)
    responses: dict[int, str] = {}
    for rows in _batches(samples, batch_size):
        chats = [messages(samples[row], instruction=instruction) for row in rows]
        batch_clips = [clips.get(s.video, s.subtitles) for s in (samples[row] for row in rows) if s.video]
        inputs = encode(processor, chats, batch_clips).to(model.device)
        # The model keeps the position offset of the last video it saw; a batch without one must not inherit it.
        model.model.rope_deltas = None
        sampling = (
            {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
            if temperature
            else {"do_sample": False}
        )
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                suppress_tokens=vision_token_ids(processor),
                **sampling,
            )
        completions = output[:, inputs["input_ids"].shape[1] :]
        texts = processor.batch_decode(completions, skip_special_tokens=True)
        responses.update(zip(rows, texts, strict=True))
        if on_batch:
            on_batch(len(responses))
    return [responses[row] for row in range(len(samples))]


def _batches(samples: Sequence[Sample], size: int) -> Iterator[list[int]]:
    """Rows with a video and rows without, never in one batch."""
    for has_video in (True, False):
        rows = [row for row, sample in enumerate(samples) if (sample.video is not None) == has_video]
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
