"""When a run has to stop: too many unreadable videos, a judge that stays away, memory that does not suffice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from videor2.errors import InputError
from videor2.models.prompt import EncodedPrompt
from videor2.train.prompts import Skipped


class TrainingError(InputError):
    """A run that cannot go on; the message says what to change, and where the checkpoint lies if there is one."""


@dataclass(slots=True)
class UnreadableVideos:
    """Counts videos that cannot be read against those of the training set."""

    share: float
    """Of the set's videos, above which the run stops; a single one never stops it."""
    total: int
    found: dict[str, str] = field(default_factory=dict)

    def add(self, skipped: Iterable[Skipped]) -> None:
        """Raise TrainingError when these make it too many."""
        for one in skipped:
            if one.why == "video":
                self.found.setdefault(one.source, one.detail)
        if len(self.found) > max(1, self.share * self.total):
            listed = "; ".join(list(self.found.values())[:3])
            raise TrainingError(
                f"{len(self.found)} of {self.total} videos cannot be read, more than max_video_failures="
                f"{self.share:g} allows: {listed}"
            )


@dataclass(slots=True)
class FailedSteps:
    """Counts steps in a row in which rewards could not be computed."""

    limit: int
    in_a_row: int = 0

    def add(self, failed_share: float) -> bool:
        """Whether, with a step in which this share of the completions could not be scored, it is too many."""
        self.in_a_row = self.in_a_row + 1 if failed_share > 0 else 0
        return self.in_a_row >= self.limit


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed, on a GPU or on the CPU."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def out_of_memory(error: BaseException, prompts: Sequence[EncodedPrompt], args: Any, completion: int) -> TrainingError:
    """What did not fit, and the one setting that halves it.

    prompts: those of the batch; args: the GRPOConfig; completion: C, the longest completion.
    """
    distinct = {id(prompt): prompt for prompt in prompts}.values()
    lengths = [len(prompt.input_ids) for prompt in distinct]
    patches = sum(len(p.video["pixel_values_videos"]) for p in distinct if "pixel_values_videos" in p.video)
    if args.per_device_train_batch_size > args.num_generations:
        advice = f"halve prompts_per_step (now {args.per_device_train_batch_size // args.num_generations})"
        advice += " and double gradient_accumulation"
    elif not args.gradient_checkpointing:
        advice = "set gradient_checkpointing=true"
    else:
        advice = "halve video.max_frames or video.max_pixels"
    first = " ".join(str(error).split())[:120]
    return TrainingError(
        f"out of memory: {len(lengths)} prompts of up to P={max(lengths, default=0)} tokens "
        f"({patches} patches in all), G={args.num_generations} completions of up to C={completion}: {advice} ({first})"
    )
