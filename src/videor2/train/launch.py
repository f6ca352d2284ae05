"""How a training was started: on how many processes, on what, with whole or sharded weights.

torchrun and `accelerate launch` tell their processes by environment variables, read here before torch is loaded.
"""

import os
from typing import TYPE_CHECKING, Any

from videor2.processes import process_rank

if TYPE_CHECKING:
    from pathlib import Path

    import torch

TRUE = ("1", "true", "yes", "on")


def world_size() -> int:
    """The number of processes that train together."""
    return process_rank()[1]


def is_sharded() -> bool:
    """Whether the weights are split over the processes, by FSDP or DeepSpeed."""
    return _set("ACCELERATE_USE_FSDP") or _set("ACCELERATE_USE_DEEPSPEED")


def on_cpu() -> bool:
    """Whether to train on CPUs: there is no CUDA GPU, or `accelerate launch --cpu` said so."""
    import torch

    return not torch.cuda.is_available() or _set("ACCELERATE_USE_CPU")


def weights_dtype(*, adapters: bool) -> "torch.dtype":
    """The dtype to load a model in for training.

    A bfloat16 weight has 8 bits: an update of 1e-6 is lost on it. So what is trained is kept in float32, by ourselves
    where nobody else does: PEFT keeps adapters, and FSDP and DeepSpeed the weights that they shard, in float32 already.
    """
    import torch

    return torch.bfloat16 if not on_cpu() and (adapters or is_sharded()) else torch.float32


def save_trained(trainer: Any, out: "Path", *, dtype: "torch.dtype | None" = None) -> None:
    """Save a trainer's model and processor in a folder; every process has to call it.

    Adapters are merged into the model; of a sharded model they are saved by themselves, for no process holds the
    weights to merge them into.
    """
    from videor2.models.load import save_model

    if is_sharded():
        trainer.save_model(str(out))  # gathers the shards
    elif trainer.accelerator.is_main_process:
        save_model(trainer.model, trainer.processing_class, out, dtype=dtype)
    trainer.accelerator.wait_for_everyone()


def _set(name: str) -> bool:
    return os.environ.get(name, "").lower() in TRUE
