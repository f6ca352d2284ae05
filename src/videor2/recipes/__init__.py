"""Training recipes, one YAML file each, and how to launch them on GPUs: `accelerate/`, accelerate's own config files.

videor2 train grpo --config tiny_grpo
accelerate launch --config_file "$(python -m videor2.recipes fsdp2)" -m videor2 train grpo --config qwen2_5_vl_7b_grpo
"""

from importlib.resources import files
from pathlib import Path

from videor2.errors import InputError

FOLDER = Path(str(files(__name__)))


def recipe(name: str) -> Path:
    """The path of a shipped recipe, such as `tiny_grpo`; raises InputError that lists them all."""
    return _shipped(FOLDER, name, "recipe")


def launch_config(name: str) -> Path:
    """The path of a config for `accelerate launch`: a shipped one such as `fsdp2`, or a file of one's own.

    Raises InputError that lists those that are shipped.
    """
    own = Path(name)
    return own if own.suffix and own.is_file() else _shipped(FOLDER / "accelerate", name, "launch config")


def _shipped(folder: Path, name: str, kind: str) -> Path:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise InputError(f"no {kind} {name!r}; there are: {known}")
    return path
