"""Post-training: supervised fine-tuning and GRPO, on TRL and accelerate."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videor2.train.video_grpo import VideoGRPOTrainer

__all__ = ["VideoGRPOTrainer"]


def __getattr__(name: str) -> Any:
    """The trainer, imported when it is asked for: configs are checked without loading torch."""
    if name == "VideoGRPOTrainer":
        from videor2.train.video_grpo import VideoGRPOTrainer

        return VideoGRPOTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
