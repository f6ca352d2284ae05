"""Load and save a model with its processor: the tiny one, a folder, or a hub id."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from videor2.errors import InputError
from videor2.models import tiny
from videor2.video.store import VideoConfig

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin

TINY = Path(str(files("videor2") / "models" / "checkpoint"))
"""The fine-tuned tiny model that ships with the package."""
TINY_VIDEO = VideoConfig(fps=2.0, max_frames=20, max_pixels=32 * 32, timestamps=False)
"""What it was trained on."""


def load_model(
    name: str, *, corpus: Iterable[str] = (), seed: int = 0, dtype: "torch.dtype | None" = None
) -> tuple["PreTrainedModel", "ProcessorMixin"]:
    """A model and its processor; float32 on a CPU unless `dtype` says otherwise.

    name: `tiny` (shipped), `tiny-untrained` (its tokenizer learns the words of `corpus`; `seed` decides the
    weights), a path to a checkpoint, or a hub id. Raises InputError for a path that is none.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if name == "tiny-untrained":
        tokenizer = tiny.build_tokenizer(corpus)
        return tiny.build_model(tokenizer, seed=seed), tiny.build_processor(tokenizer)
    source = str(TINY) if name == "tiny" else name
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise InputError(f"{name}: no such folder; give a checkpoint's folder, a hub id, or `tiny`")
    if dtype is None:
        dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    model = AutoModelForImageTextToText.from_pretrained(
        Path(source).expanduser() if Path(source).is_dir() else source, dtype=dtype
    )
    return model, AutoProcessor.from_pretrained(source)


def save_model(
    model: "PreTrainedModel", processor: "ProcessorMixin", path: Path, *, dtype: "torch.dtype | None" = None
) -> None:
    """Save a model (adapters merged) and its processor in a folder, as safetensors."""
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    if dtype is not None:
        model = model.to(dtype)
    model.save_pretrained(path)
    processor.save_pretrained(path)


def without_adapters(model: "PreTrainedModel") -> "PreTrainedModel":
    """The transformers model itself, where PEFT has wrapped it; its adapters stay in its layers."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
