"""Training configs: YAML files, checked whole before anything is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from videor2.errors import InputError
from videor2.train.launch import on_cpu
from videor2.video.store import VideoConfig

if TYPE_CHECKING:
    from peft import LoraConfig


class ConfigError(InputError):
    """A config that cannot be used; the message names the file, the field and the fix."""


class Strict(BaseModel):
    """A part of a config in which an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraSettings(Strict):
    """Low-rank adapters on the language model's linear layers."""

    rank: PositiveInt = 64
    alpha: PositiveInt = 64
    dropout: float = Field(default=0.05, ge=0, lt=1)


class Schedule(Strict):
    """How fast and how long a training goes."""

    learning_rate: PositiveFloat
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""
    epochs: PositiveFloat = 1.0
    max_steps: PositiveInt | None = None
    """Steps of the optimizer, whatever `epochs` says."""
    gradient_accumulation: PositiveInt = 1


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
    lora: LoraSettings | None = None
    """Train adapters instead of the weights."""
    bf16: bool = False
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, a third more time."""
    threads: PositiveInt | None = None
    """Of torch on a CPU; more than there are cores starve each other."""
    max_grad_norm: PositiveFloat = 1.0
    weight_decay: NonNegativeFloat = 0.0
    logging_steps: PositiveInt = 1
    save_steps: PositiveInt = 100
    report_to: tuple[str, ...] = ()
    """Where metrics go besides `history.jsonl`: `tensorboard`, `wandb`, ..."""


def trainer_arguments(settings: RunSettings, schedule: Schedule) -> dict[str, Any]:
    """The arguments of transformers' `Trainer` that follow from any recipe.

    They fit one process, torchrun and `accelerate launch` alike: processes on CPUs talk over gloo, on GPUs over
    NCCL, and FSDP or DeepSpeed are what accelerate's config file says, through the environment that it sets.
    """
    return {
        "learning_rate": schedule.learning_rate,
        "lr_scheduler_type": schedule.schedule,
        "warmup_steps": schedule.warmup_ratio,
        "num_train_epochs": schedule.epochs,
        "max_steps": schedule.max_steps or -1,
        "gradient_accumulation_steps": schedule.gradient_accumulation,
        "max_grad_norm": settings.max_grad_norm,
        "weight_decay": settings.weight_decay,
        "bf16": settings.bf16,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "use_cpu": on_cpu(),
        "seed": settings.seed,
        "data_seed": settings.seed,
        "logging_steps": settings.logging_steps,
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "report_to": list(settings.report_to) or "none",
        "remove_unused_columns": False,
        "disable_tqdm": True,
    }


def peft_config(lora: LoraSettings | None) -> "LoraConfig | None":
    """What PEFT is told; the vision tower, the embeddings and the head of the language model stay as they are."""
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=r".*language_model.*\.(q|k|v|o|gate|up|down)_proj",
    )


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
