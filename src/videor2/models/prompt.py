"""From a sample and its clip to what the model reads: chat messages, then tensors.

Frame times reach the model exactly. Qwen3-VL writes them into the prompt from `frames_indices / fps`, so indices
are milliseconds at 1000 fps; Qwen2.5-VL takes the seconds between frames from `fps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from videor2.sample import Sample

if TYPE_CHECKING:
    import torch
    from transformers import BatchFeature, ProcessorMixin

    from videor2.video.clip import Clip

Message = dict[str, Any]

VIDEO_FIELDS = ("pixel_values_videos", "video_grid_thw", "second_per_grid_ts")
"""What processors of the Qwen-VL families make of videos, each with a row (or rows) per video."""


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """One prompt as the model reads it."""

    input_ids: "torch.Tensor"
    """(P,)"""
    video: dict[str, "torch.Tensor"] = field(default_factory=dict)
    """The tensors of its videos by name; empty for a prompt of text alone."""

    def to(self, device: "torch.device | str") -> "EncodedPrompt":
        """The prompt on a device."""
        return EncodedPrompt(self.input_ids.to(device), {k: v.to(device) for k, v in self.video.items()})


THINK_INSTRUCTION = (
    "Watch the video and reason step by step between <think> and </think>: cite what you see with its time as "
    "MM:SS. Then give only the final answer between <answer> and </answer>."
)
"""What general models are told to do; the tiny model was trained without it."""


def question_text(sample: Sample, *, instruction: str = "") -> str:
    """The question with its lettered options, and the instruction if there is one.

    >>> print(question_text(Sample(id="1", question="Which is first?", options=("red", "blue"))))
    Which is first?
    A. red
    B. blue
    """
    options = [f"{chr(ord('A') + i)}. {option}" for i, option in enumerate(sample.options)]
    return "\n".join([sample.question, *options, *([instruction] if instruction else [])])


def messages(sample: Sample, *, instruction: str = "", response: str | None = None) -> list[Message]:
    """The chat: one user turn with the video (if the sample has one) and the question; then the response, if given."""
    chat = [turn(question_text(sample, instruction=instruction), video=sample.video, subtitles=sample.subtitles)]
    if response is not None:
        chat.append({"role": "assistant", "content": [{"type": "text", "text": response}]})
    return chat


def turn(text: str, *, video: str | None = None, subtitles: str | None = None) -> Message:
    """A turn of the user: the video, if there is one, then the text."""
    content: list[dict[str, str | None]] = [{"type": "text", "text": text}]
    if video is not None:
        content.insert(0, {"type": "video", "video": video, "subtitles": subtitles})
    return {"role": "user", "content": content}


def encode(
    processor: "ProcessorMixin",
    chats: Sequence[list[Message]],
    clips: Sequence["Clip"],
    *,
    padding_side: str = "left",
) -> "BatchFeature":
    """Tensors of a batch of B chats, padded to the longest.

    clips: the clips of the chats that have a video, in their order. A chat that ends with the user's turn is
    continued by the model, so the assistant's turn is opened for it.
    """
    texts = [
        processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=chat[-1]["role"] == "user")
        for chat in chats
    ]
    videos: dict[str, Any] = {}
    if clips:
        videos = {
            "videos": [clip.frames for clip in clips],
            "video_metadata": [video_metadata(clip, processor) for clip in clips],
            "do_sample_frames": False,
        }
    return processor(text=texts, padding=True, padding_side=padding_side, return_tensors="pt", **videos)


def encode_prompt(processor: "ProcessorMixin", chat: list[Message], clips: Sequence["Clip"]) -> EncodedPrompt:
    """One chat and the clips of its videos, to be continued by the model."""
    import torch

    batch = encode(processor, [chat], clips)
    video = {name: torch.as_tensor(batch[name]) for name in VIDEO_FIELDS if batch.get(name) is not None}
    return EncodedPrompt(batch["input_ids"][0], video)


def join_videos(prompts: Sequence[EncodedPrompt]) -> dict[str, "torch.Tensor"]:
    """The video tensors of some prompts, one after another, as the model takes them."""
    import torch

    names = dict.fromkeys(name for prompt in prompts for name in prompt.video)
    return {name: torch.cat([p.video[name] for p in prompts if name in p.video]) for name in names}


def video_metadata(clip: "Clip", processor: "ProcessorMixin") -> Any:
    """What tells a processor (or vLLM) when each frame of a clip was: transformers' `VideoMetadata`."""
    from transformers.video_utils import VideoMetadata

    # Qwen2.5-VL derives the sampled rate as fps * frames / total, Qwen3-VL each time as index / fps: two dialects.
    if type(processor).__name__.startswith("Qwen3"):
        indices = [round(t * 1000) for t in clip.timestamps_s.tolist()]
        return VideoMetadata(total_num_frames=len(clip.frames), fps=1000.0, frames_indices=indices)
    return VideoMetadata(total_num_frames=len(clip.frames), fps=clip.fps, frames_indices=list(range(len(clip.frames))))
