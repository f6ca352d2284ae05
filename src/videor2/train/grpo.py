"""The GRPO recipe: accuracy + format + gate x temporal alignment, on questions about videos."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from videor2.data.examples import DataError, Example, read_examples
from videor2.models.load import load_model, save_model
from videor2.models.prompt import messages
from videor2.rewards import RewardConfig
from videor2.rewards.trl import make_rewards
from videor2.train.config import RunSettings, Strict, trainer_arguments
from videor2.train.progress import report_progress, write_history
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from datasets import Dataset

    from videor2.train.video_grpo import VideoGRPOTrainer

log = logging.getLogger(__name__)


class RewardSettings(Strict):
    """The reward: a weighted sum of accuracy, format and gate x TAR."""

    accuracy: NonNegativeFloat = 1.0
    format: NonNegativeFloat = 1.0
    gated_alignment: NonNegativeFloat = 1.0
    variant: Literal["f1", "precision_greedy"] = "f1"
    buffer_s: NonNegativeFloat = 2.0
    threshold: float = Field(default=0.75, ge=-1, le=1)
    max_claim_s: PositiveFloat = 30.0

    @property
    def alignment(self) -> RewardConfig:
        """How claims are matched with events, in the reward and in the metric alike."""
        return RewardConfig(self.variant, self.buffer_s, self.threshold, self.max_claim_s)


class GRPOSettings(RunSettings):
    """A whole recipe of GRPO."""

    model: str = "tiny"
    data: list[Path] = Field(min_length=1)
    num_generations: int = Field(default=8, ge=2)
    """G, the completions per prompt."""
    prompts_per_step: PositiveInt = 1
    """Prompts per device and forward pass."""
    gradient_accumulation: PositiveInt = 1
    max_steps: PositiveInt | None = None
    epochs: PositiveFloat = 1.0
    learning_rate: PositiveFloat = 1e-6
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_ratio: float = Field(default=0.0, ge=0, le=1)
    beta: NonNegativeFloat = 0.04
    """Weight of the KL term against the model that training starts from."""
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = "grpo"
    temperature: PositiveFloat = 1.0
    max_completion_length: PositiveInt = 1024
    rewards: RewardSettings = RewardSettings()
    freeze_vision: bool = True


def train(settings: GRPOSettings, *, resume: bool = False) -> Path:
    """Run GRPO and save the model and `history.jsonl` (the metrics of each step) to `settings.out`."""
    import torch
    from transformers import set_seed

    examples = [example for path in settings.data for example in read_examples(path)]
    for example in examples:
        if example.sample.answer is None:
            raise DataError(f"{example.sample.id}: no `answer` to compare with; GRPO needs one in every row")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
    trainer = build_trainer(settings, examples)
    checkpoints = list(settings.out.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=bool(resume and checkpoints))
    save_model(trainer.model, trainer.processing_class, settings.out)
    if trainer.accelerator.is_main_process:
        write_history(settings.out, trainer.state.log_history)
    return settings.out


def build_trainer(settings: GRPOSettings, examples: list[Example]) -> "VideoGRPOTrainer":
    """The trainer of a recipe, model loaded and ready to train on the examples."""
    from trl import GRPOConfig

    from videor2.train.video_grpo import VideoGRPOTrainer

    model, processor = load_model(settings.model, seed=settings.seed)
    if settings.freeze_vision:
        model.model.visual.requires_grad_(False)
    weights = settings.rewards
    args = GRPOConfig(
        output_dir=str(settings.out),
        per_device_train_batch_size=settings.prompts_per_step * settings.num_generations,
        gradient_accumulation_steps=settings.gradient_accumulation,
        num_generations=settings.num_generations,
        max_completion_length=settings.max_completion_length,
        temperature=settings.temperature,
        beta=settings.beta,
        loss_type=settings.loss,
        reward_weights=[weights.accuracy, weights.format, weights.gated_alignment],
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup_ratio,
        max_steps=settings.max_steps or -1,
        num_train_epochs=settings.epochs,
        **trainer_arguments(settings),
    )
    trainer = VideoGRPOTrainer(
        model,
        make_rewards(weights.alignment),
        args=args,
        train_dataset=dataset(examples, instruction=settings.instruction),
        processing_class=processor,
        clips=ClipStore(settings.video, cache_mb=settings.cache_mb),
    )
    report_progress(trainer, "grpo")
    return trainer


def dataset(examples: list[Example], *, instruction: str = "") -> "Dataset":
    """The examples as TRL takes them: a conversational `prompt`, and the columns that the rewards read."""
    from datasets import Dataset

    return Dataset.from_list([_row(example, instruction) for example in examples])


def _row(example: Example, instruction: str) -> dict[str, Any]:
    sample = example.sample
    return {
        "prompt": messages(sample, instruction=instruction),
        "id": sample.id,
        "question": sample.question,
        "options": list(sample.options),
        "answer": sample.answer,
        "kind": sample.kind,
        "events": json.dumps([{"start_s": e.start_s, "end_s": e.end_s, "sentence": e.sentence} for e in sample.events]),
    }
