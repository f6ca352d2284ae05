"""Rollouts on vLLM for prompts with videos.

TRL's `VLLMGeneration` hands token ids and images to `llm.generate`; it has no place for videos. Here the engine that
it calls is wrapped: each request gets the frames of its clip as `multi_modal_data`, and the prompt as it is before its
video token is repeated, for vLLM repeats that itself. What vLLM then read must be what the trainer's model reads, token
for token; a difference stops the run, as it would train on other prompts than were answered.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from videor2.errors import InputError
from videor2.models.prompt import Message, video_metadata
from videor2.train.prompts import LoadedPrompt, sources
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from transformers import ProcessorMixin


class VideoEngine:
    """vLLM's `LLM`, for which `prepare` says what the next call of `generate` is about."""

    def __init__(self, llm: Any, processor: "ProcessorMixin") -> None:
        self._llm = llm
        self._processor = processor
        self._requests: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def prepare(self, chats: Sequence[list[Message]], loaded: Sequence[LoadedPrompt], clips: ClipStore) -> None:
        """The prompts of the next call, a row each, in the order in which it will have them."""
        self._requests = []
        for row, (chat, entry) in enumerate(zip(chats, loaded, strict=True)):
            if row and entry is loaded[row - 1]:
                self._requests.append(self._requests[-1])
            elif entry.skipped or not sources(chat):
                self._requests.append({"prompt_token_ids": entry.encoded.input_ids.tolist()})
            else:
                self._requests.append(self._with_video(chat, clips))

    def _with_video(self, chat: list[Message], clips: ClipStore) -> dict[str, Any]:
        text = self._processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        videos = []
        for source in sources(chat):
            clip = clips.get(*source)
            metadata = video_metadata(clip, self._processor)
            videos.append(
                (
                    clip.frames,
                    {
                        "fps": metadata.fps,
                        "frames_indices": metadata.frames_indices,
                        "total_num_frames": metadata.total_num_frames,
                        "do_sample_frames": False,
                    },
                )
            )
        return {
            "prompt_token_ids": self._processor.tokenizer(text)["input_ids"],
            "multi_modal_data": {"video": videos if len(videos) > 1 else videos[0]},
            "mm_processor_kwargs": {"do_sample_frames": False, "fps": videos[0][1]["fps"]},
        }

    def generate(self, prompts: list[dict[str, Any]], **kwargs: Any) -> Any:
        """vLLM's outputs for the rows that were prepared; raises RuntimeError where it read them otherwise."""
        if len(prompts) != len(self._requests):
            raise RuntimeError(f"{len(prompts)} prompts to answer, {len(self._requests)} prepared: TRL has changed")
        outputs = self._llm.generate(self._requests, **kwargs)
        for row, (prompt, output) in enumerate(zip(prompts, outputs, strict=True)):
            read, meant = list(output.prompt_token_ids), list(prompt["prompt_token_ids"])
            if read != meant:
                raise RuntimeError(
                    f"row {row}: vLLM read a prompt of {len(read)} tokens where the trainer's model reads "
                    f"{len(meant)}; its release lays videos out differently. Use one that agrees with transformers, or "
                    "roll out without vLLM"
                )
        return outputs


def attach_videos(generation: Any, processor: "ProcessorMixin") -> None:
    """Let TRL's `VLLMGeneration` answer prompts with videos; raises InputError where it cannot."""
    if generation.mode != "colocate":
        raise InputError("vllm.mode=server: TRL sends a server no videos; set vllm.mode=colocate")
    if generation.tensor_parallel_size > 1:
        raise InputError("vllm.tensor_parallel_size > 1: clips are not sent between processes; set it to 1")
    generation.llm = VideoEngine(generation.llm, processor)
