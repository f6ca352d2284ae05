"""Training configs: YAML files, checked whole before anything is loaded."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, ValidationError

from videor2.errors import InputError
from videor2.video.store import VideoConfig


class ConfigError(InputError):
    """A config that cannot be used; the message names the file, the field and the fix."""


class Strict(BaseModel):
    """A part of a config in which an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunSettings(Strict):
    """What every recipe says."""

    model: str
    """`tiny`, `tiny-untrained`, a path or a hub id."""
    out: Path
    seed: int = 0
    instruction: str = ""
    """What every question is followed by; general models need to be told to think and to cite times."""
    video: VideoConfig = VideoConfig()
    cache_mb: PositiveInt = 1024
    bf16: bool = False
    threads: PositiveInt | None = None
    """Of torch on a CPU; more than there are cores starve each other."""
    max_grad_norm: PositiveFloat = 1.0
    logging_steps: PositiveInt = 1
    save_steps: PositiveInt = 100
    report_to: tuple[str, ...] = ()


def trainer_arguments(settings: RunSettings) -> dict[str, Any]:
    """The arguments of transformers' `Trainer` that follow from any recipe."""
    import torch

    return {
        "max_grad_norm": settings.max_grad_norm,
        "bf16": settings.bf16,
        "use_cpu": not torch.cuda.is_available(),
        "seed": settings.seed,
        "data_seed": settings.seed,
        "logging_steps": settings.logging_steps,
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "report_to": list(settings.report_to) or "none",
        "remove_unused_columns": False,
        "disable_tqdm": True,
        **({"gradient_checkpointing": True} if torch.cuda.is_available() else {}),
    }


C = TypeVar("C", bound=BaseModel)


def load_config(path: Path | str, schema: type[C], overrides: list[str] | None = None) -> C:
    """A config from a YAML file, with `key=value` overrides; dots reach into it (`stages.0.max_steps=10`).

    Raises ConfigError that names the field.
    """
    path = Path(path)
    try:
        fields: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: a config is a mapping of fields to values")
    for override in overrides or []:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override}: an override is key=value")
        _set(fields, key.split("."), yaml.safe_load(value), override)
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        wrong = [f"`{'.'.join(str(p) for p in e['loc'])}`: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"{path}: {'; '.join(wrong)}") from None


def _set(node: Any, keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict):
            node = node.setdefault(key, {})
        else:
            raise ConfigError(f"{override}: there is no `{key}` to reach into")
    if isinstance(node, list) and keys[-1].isdigit() and int(keys[-1]) < len(node):
        node[int(keys[-1])] = value
    elif isinstance(node, dict):
        node[keys[-1]] = value
    else:
        raise ConfigError(f"{override}: there is no `{keys[-1]}` to set")
