"""The GRPO recipe: accuracy + format + gate x temporal alignment, on questions about videos."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from videor2.data.examples import Example, read_examples
from videor2.models.load import load_model
from videor2.models.prompt import messages
from videor2.rewards import RewardConfig
from videor2.rewards.trl import make_rewards
from videor2.train.checkpoints import last_whole
from videor2.train.checks import check
from videor2.train.config import RunSettings, Schedule, Strict, peft_config, trainer_arguments
from videor2.train.launch import save_trained, weights_dtype, world_size
from videor2.train.progress import report_progress, write_history
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import GRPOConfig

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
    judge: str = "rules"
    """Who reads what a reasoning concludes: `rules`, `openai:URL#NAME`, or `rules then openai:URL#NAME`."""
    judge_concurrency: PositiveInt = 32
    judge_deadline_s: PositiveFloat = 120.0
    """For all of a step's reasonings together; what is not read by then drops its group's reward for that step."""

    @model_validator(mode="after")
    def _rewards_something(self) -> Self:
        if not self.accuracy + self.format + self.gated_alignment:
            raise ValueError("accuracy, format and gated_alignment are all 0: there is nothing to learn")
        return self

    @property
    def alignment(self) -> RewardConfig:
        """How claims are matched with events, in the reward and in the metric alike."""
        return RewardConfig(self.variant, self.buffer_s, self.threshold, self.max_claim_s)


class VLLMSettings(Strict):
    """Rollouts by vLLM: in the training's processes on their GPUs, or, for prompts of text alone, on a server.

    Names and defaults are TRL's, without their `vllm_` and `vllm_server_`.
    """

    mode: Literal["server", "colocate"] = "colocate"
    base_url: str | None = None
    """Of the server; else `host` and `port` say where it is."""
    host: str = "0.0.0.0"
    port: int = Field(default=8000, ge=1, le=65535)
    group_port: int = Field(default=51216, ge=1, le=65535)
    """Over which the server is sent the new weights."""
    server_timeout: PositiveFloat = 240.0
    """Seconds to wait for the server to be up."""
    gpu_memory_utilization: float = Field(default=0.3, gt=0, lt=1)
    """Share of each GPU that is vLLM's; like the next one a matter of `colocate`: a server has flags of its own."""
    tensor_parallel_size: PositiveInt = 1
    max_model_length: PositiveInt | None = None
    enable_sleep_mode: bool = False
    """Leave the GPU to the update while there is nothing to generate."""
    importance_sampling_correction: bool = True
    """Weigh completions by how likely the trained weights make what vLLM's kernels sampled."""
    importance_sampling_mode: Literal["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] = (
        "sequence_mask"
    )
    importance_sampling_clip_max: PositiveFloat | None = 3.0
    importance_sampling_clip_min: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        low, high = self.importance_sampling_clip_min, self.importance_sampling_clip_max
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"importance_sampling_clip_min ({low}) is to be below importance_sampling_clip_max ({high})"
            )
        if low is None and high is None and self.importance_sampling_mode.endswith("truncate"):
            raise ValueError(f"{self.importance_sampling_mode} needs an importance_sampling_clip_max or _min")
        if self.base_url and self.mode == "colocate":
            raise ValueError("base_url is a server's, and mode is colocate: leave one out, or set mode to server")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """What `GRPOConfig` calls them."""
        servers = {name: f"vllm_server_{name}" for name in ("base_url", "host", "port")}
        return {"use_vllm": True} | {servers.get(name, f"vllm_{name}"): value for name, value in self}


class GRPOSettings(RunSettings, Schedule):
    """A whole recipe of GRPO.

    A device takes `prompts_per_step` prompts, each with all its G completions, so a group is never split over devices
    and its prompt is computed once. An optimizer step sees `prompts_per_step` x devices x `gradient_accumulation`
    prompts.
    """

    model: str = "tiny"
    data: list[Path] = Field(min_length=1)
    num_generations: int = Field(default=8, ge=2)
    """G, the completions per prompt."""
    prompts_per_step: PositiveInt = 1
    """Prompts per device and forward pass."""
    steps_per_generation: PositiveInt | None = None
    """Forward passes that one rollout feeds; as many as `gradient_accumulation` if not given."""
    learning_rate: PositiveFloat = 1e-6
    beta: NonNegativeFloat = 0.04
    """Weight of the KL term against the model that training starts from; 0 needs no such model."""
    use_bias_correction_kl: bool = True
    """Weigh the KL term with the ratio of policy to sampler, as DeepSeek-V3.2 does (arXiv 2512.02556)."""
    loss: Literal["grpo", "dr_grpo", "dapo", "bnpo"] = "grpo"
    num_iterations: PositiveInt = 1
    """Mu: how often a rollout is learned from."""
    epsilon: PositiveFloat = 0.2
    """How far the ratio of policy to sampler may move from 1 before it is clipped."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Over what the standard deviation is taken that divides advantages."""
    temperature: PositiveFloat = 1.0
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: NonNegativeInt = 0
    """0 keeps all tokens."""
    max_prompt_tokens: PositiveInt | None = None
    """Longer prompts, the video's tokens included, are skipped; nothing is ever cut."""
    max_completion_length: PositiveInt = 1024
    rewards: RewardSettings = RewardSettings()
    freeze_vision: bool = True
    share_prefix: bool = True
    """Compute a group's prompt once, not once per completion."""
    skip_zero_variance: bool = False
    """Do not update on groups whose rewards are all the same: they have no advantage, and only the KL term acts."""
    decode_workers: NonNegativeInt = 2
    """Threads that decode the clips of coming steps."""
    max_video_failures: float = Field(default=0.05, ge=0, le=1)
    """Share of the videos that may be unreadable before the run stops; a single one never stops it."""
    max_failed_steps: PositiveInt = 3
    """Steps in a row in which the judge may fail before the run stops."""
    vllm: VLLMSettings | None = None
    log_completions: bool = False
    """Print prompts and completions, and write them to `completions/` as Parquet."""


def train(settings: GRPOSettings, *, resume: bool = False) -> Path:
    """Run GRPO and save the model and `history.jsonl` (the metrics of each step) to `settings.out`."""
    import torch
    from transformers import set_seed

    examples = [example for path in settings.data for example in read_examples(path)]
    check(settings, examples, world_size())
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
    trainer = build_trainer(settings, examples)
    trainer.train(resume_from_checkpoint=last_whole(settings.out) if resume else None)
    save_trained(trainer, settings.out)
    if trainer.accelerator.is_main_process:
        write_history(settings.out, trainer.state.log_history)
    return settings.out


def build_trainer(settings: GRPOSettings, examples: list[Example]) -> "VideoGRPOTrainer":
    """The trainer of a recipe, model loaded and ready to train on the examples."""
    from videor2.judges.llm import parse_judge
    from videor2.judges.pool import JudgePool
    from videor2.train.video_grpo import VideoGRPOTrainer

    args = arguments(settings)  # before the model: to load it, FSDP and DeepSpeed must know how to shard
    model, processor = load_model(
        settings.model, seed=settings.seed, dtype=weights_dtype(adapters=settings.lora is not None)
    )
    if settings.freeze_vision:
        model.model.visual.requires_grad_(False)
    rewards = settings.rewards
    judge = JudgePool(
        parse_judge(rewards.judge), concurrency=rewards.judge_concurrency, deadline_s=rewards.judge_deadline_s
    )
    trainer = VideoGRPOTrainer(
        model,
        make_rewards(rewards.alignment, judge=judge),
        args=args,
        train_dataset=dataset(examples, instruction=settings.instruction),
        processing_class=processor,
        peft_config=peft_config(settings.lora),
        clips=ClipStore(settings.video, cache_mb=settings.cache_mb, workers=settings.decode_workers),
        share_prefix=settings.share_prefix,
        skip_zero_variance=settings.skip_zero_variance,
        max_prompt_tokens=settings.max_prompt_tokens,
        max_video_failures=settings.max_video_failures,
        max_failed_steps=settings.max_failed_steps,
    )
    report_progress(trainer, "grpo")
    return trainer


def arguments(settings: GRPOSettings) -> "GRPOConfig":
    """What TRL is told."""
    from trl import GRPOConfig

    weights = settings.rewards
    return GRPOConfig(
        output_dir=str(settings.out),
        per_device_train_batch_size=settings.prompts_per_step * settings.num_generations,
        steps_per_generation=settings.steps_per_generation,
        num_generations=settings.num_generations,
        num_iterations=settings.num_iterations,
        max_completion_length=settings.max_completion_length,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        beta=settings.beta,
        use_bias_correction_kl=settings.use_bias_correction_kl,
        epsilon=settings.epsilon,
        loss_type=settings.loss,
        scale_rewards=settings.scale_rewards,
        reward_weights=[weights.accuracy, weights.format, weights.gated_alignment],
        log_completions=settings.log_completions,
        **(settings.vllm.arguments if settings.vllm else {}),
        **trainer_arguments(settings, settings),
    )


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
