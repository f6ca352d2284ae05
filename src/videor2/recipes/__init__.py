"""Training recipes, one YAML file each; `videor2 train sft|grpo --config FILE`."""

from importlib.resources import files
from pathlib import Path

from videor2.errors import InputError


def recipe(name: str) -> Path:
    """The path of a shipped recipe, such as `tiny_grpo`; raises InputError that lists them all."""
    folder = Path(str(files(__name__)))
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise InputError(f"no recipe {name!r}; there are: {known}")
    return path
