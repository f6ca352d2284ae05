"""Batches of whole groups: the completions of a prompt stay together, on one process and in one micro-batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from trl.trainer.utils import RepeatSampler

from videor2.errors import InputError
from videor2.models.prompt import EncodedPrompt


class EpochSampler(RepeatSampler):  # type: ignore[misc]
    """TRL's sampler of prompts, with an order that follows from seed and epoch alone.

    TRL's own draws each epoch's order from a generator that no checkpoint holds, so that a run resumed in its second
    epoch goes through the first one's order again. The first epoch's order is the same here as there.
    """

    def __init__(self, *args: Any, epoch: Callable[[], int], seed: int, **kwargs: Any) -> None:
        super().__init__(*args, seed=seed, **kwargs)
        self._epoch = epoch
        self._seed = seed

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            self.generator.manual_seed(self._seed + self._epoch())
        yield from super().__iter__()


def check_batch(*, per_device: int, steps_per_generation: int, num_generations: int) -> None:
    """Raise InputError where a process would hold parts of a group, and name the nearest sizes that fit."""
    rows = per_device * steps_per_generation
    if rows % num_generations:
        below = rows // num_generations * num_generations
        nearest = " or ".join(str(size) for size in (below, below + num_generations) if size)
        raise InputError(
            f"per_device_train_batch_size={per_device} x steps_per_generation={steps_per_generation} are {rows} "
            f"completions for each process, no multiple of num_generations={num_generations}: a group would be spread "
            f"over processes. The nearest numbers that fit: {nearest}"
        )


def shuffle_groups(batch: dict[str, Any], size: int, generator: torch.Generator) -> dict[str, Any]:
    """The rows of every tensor in another order, the same for all, in which groups of `size` rows stay together."""
    rows = next(len(value) for value in batch.values() if torch.is_tensor(value) and value.dim())
    order = torch.randperm(rows // size, generator=generator)
    index = (order[:, None] * size + torch.arange(size)).flatten()

    def shuffled(value: Any) -> Any:
        if torch.is_tensor(value):
            return value[index.to(value.device)] if value.dim() else value
        return [value[i] for i in index.tolist()] if isinstance(value, Sequence) else value

    return {name: shuffled(value) for name, value in batch.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring rows of a batch that follow the same prompt."""

    prompt: EncodedPrompt
    rows: tuple[int, ...]


def runs(prompts: Sequence[EncodedPrompt]) -> list[Run]:
    """The rows of a batch by prompt; rows share one that is the same object."""
    numbered = groupby(enumerate(prompts), key=lambda entry: id(entry[1]))
    batches = [list(entries) for _, entries in numbered]
    return [Run(entries[0][1], tuple(row for row, _ in entries)) for entries in batches]
