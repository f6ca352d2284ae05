"""Supervised fine-tuning on reasoning over video: TRL's SFTTrainer, with videos in the collator.

A recipe is a list of stages, each with its own data and learning rate, on one model. What differs from plain
text fine-tuning: a batch's clips are read when it is made up, the loss is on the response only, and frame times
reach the model as they are in the file.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from videor2.data.examples import DataError, Example, read_examples
from videor2.models.load import load_model
from videor2.models.prompt import encode, messages, question_text
from videor2.train.checkpoints import last_whole
from videor2.train.checks import check_stages
from videor2.train.config import RunSettings, Schedule, peft_config, trainer_arguments
from videor2.train.launch import save_trained, weights_dtype, world_size
from videor2.train.progress import report_progress, write_history
from videor2.video.store import ClipStore, VideoConfig

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin
    from trl import SFTConfig, SFTTrainer

log = logging.getLogger(__name__)


class Stage(Schedule):
    """One pass over some data."""

    name: str
    data: list[Path] = Field(min_length=1)
    batch_size: PositiveInt = 32
    """Examples per device and forward pass."""
    learning_rate: PositiveFloat = 1e-5
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)


class SFTSettings(RunSettings):
    """A whole recipe of supervised fine-tuning."""

    model: str = "tiny-untrained"
    stages: list[Stage] = Field(min_length=1)
    video: VideoConfig = VideoConfig(fps=1.0, max_frames=128)
    logging_steps: PositiveInt = 10
    save_steps: PositiveInt = 500
    save_dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """The dtype of the saved weights; as trained if not given."""


@dataclass
class SFTCollator:
    """From rows that name examples to tensors: input ids, pixels, and labels on the response's tokens only."""

    processor: "ProcessorMixin"
    examples: Sequence[Example]
    clips: ClipStore
    instruction: str = ""

    def __call__(self, rows: list[dict[str, int]]) -> dict[str, "torch.Tensor"]:
        """A batch of B rows `{"index": i}`, left-padded to the longest."""
        import torch

        examples = [self.examples[row["index"]] for row in rows]
        chats = [messages(e.sample, instruction=self.instruction, response=e.response) for e in examples]
        clips = [self.clips.get(e.sample.video, e.sample.subtitles) for e in examples if e.sample.video]
        batch = dict(encode(self.processor, chats, clips))
        labels = torch.full_like(batch["input_ids"], -100)
        for row, chat in enumerate(chats):
            turn = torch.tensor(self._assistant_turn(chat))
            response = turn[: turn.tolist().index(self.processor.tokenizer.eos_token_id) + 1]
            begin = labels.shape[1] - len(turn)
            span = slice(begin, begin + len(response))
            if not torch.equal(batch["input_ids"][row, span], response):
                raise DataError(f"{examples[row].sample.id}: the response's tokens depend on the prompt before it")
            labels[row, span] = response
        return batch | {"labels": labels}

    def _assistant_turn(self, chat: list[dict[str, Any]]) -> list[int]:
        """The tokens that the chat template puts after the opening of the assistant's turn."""
        template = self.processor.apply_chat_template
        prompt = template(chat[:-1], tokenize=False, add_generation_prompt=True)
        whole = template(chat, tokenize=False)
        ids: list[int] = self.processor.tokenizer(whole.removeprefix(prompt), add_special_tokens=False)["input_ids"]
        return ids


def train(settings: SFTSettings, *, resume: bool = False) -> Path:
    """Run all stages; save the model and `history.jsonl` (the metrics of each step) to `settings.out`."""
    import torch
    from transformers import set_seed

    stages = [(stage, _read(stage)) for stage in settings.stages]
    check_stages(settings, [len(examples) for _, examples in stages], world_size())
    if settings.threads:
        torch.set_num_threads(settings.threads)
    set_seed(settings.seed)
    corpus = (text for _, examples in stages for e in examples for text in _texts(e, settings.instruction))
    # Before the model: to load it, FSDP and DeepSpeed must know of the processes and of how to shard.
    arguments = [_arguments(settings, stage) for stage, _ in stages]
    model, processor = load_model(
        settings.model, corpus=corpus, seed=settings.seed, dtype=weights_dtype(adapters=settings.lora is not None)
    )
    clips = ClipStore(settings.video, cache_mb=settings.cache_mb)
    history: list[dict[str, Any]] = []
    for (stage, examples), args in zip(stages, arguments, strict=True):
        log.info("stage %s: %d examples", stage.name, len(examples))
        trainer = _trainer(settings, stage, model, SFTCollator(processor, examples, clips, settings.instruction), args)
        trainer.train(resume_from_checkpoint=last_whole(Path(args.output_dir)) if resume else None)
        model = trainer.model
        history += [{"stage": stage.name} | entry for entry in trainer.state.log_history]
    save_trained(trainer, settings.out, dtype=getattr(torch, settings.save_dtype or "", None))
    if trainer.accelerator.is_main_process:
        write_history(settings.out, history)
    return settings.out


def _read(stage: Stage) -> list[Example]:
    examples = []
    for path in stage.data:
        rows = read_examples(path)
        for number, example in enumerate(rows, start=1):
            if example.response is None:
                raise DataError(f"{path}: row {number}: no `response` to learn; fine-tuning needs one in every row")
        examples.extend(rows)
    return examples


def _texts(example: Example, instruction: str) -> list[str]:
    return [question_text(example.sample, instruction=instruction), example.response or ""]


def _arguments(settings: SFTSettings, stage: Stage) -> "SFTConfig":
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(settings.out / "stages" / stage.name),
        per_device_train_batch_size=stage.batch_size,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        **trainer_arguments(settings, stage),
    )


def _trainer(
    settings: SFTSettings, stage: Stage, model: "PreTrainedModel", collator: SFTCollator, args: "SFTConfig"
) -> "SFTTrainer":
    from datasets import Dataset
    from trl import SFTTrainer

    trainer = SFTTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_dict({"index": list(range(len(collator.examples)))}),
        data_collator=collator,
        processing_class=collator.processor,
        # A later stage goes on with the adapters of the first.
        peft_config=None if hasattr(model, "peft_config") else peft_config(settings.lora),
    )
    report_progress(trainer, f"sft {stage.name}")
    return trainer
