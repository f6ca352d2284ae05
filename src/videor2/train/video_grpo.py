"""GRPO on video: TRL's `GRPOTrainer`, with the prompt and its clip computed once per group.

The algorithm is TRL's. For G completions o_1..o_G of a prompt q with rewards r_i, the advantage of each is
A_i = (r_i - mean(r)) / std(r), and the loss of a token is -min(w A_i, clip(w, 1 - eps, 1 + eps) A_i) + beta KL,
w the ratio of the policy to the one that sampled (DeepSeekMath, arXiv 2402.03300). What differs here:

- A prompt may hold `{"type": "video", "video": path}`. TRL hands a video to `generate` and then computes
  log-probs without it; here rollout, reference and policy read the same frames.
- Each clip is read and encoded once per group, and so is the prompt, in the rollout (`models.generate`) and in
  every log-prob pass (`models.shared_prefix`), with the gradients of G copies. Groups stay whole on their process.
- Tokens that stand for pixels cannot be sampled. Which completions are sampled follows from the seed, the step and
  the place in the batch alone.
- A group whose video cannot be read, or whose prompt is too long, is left out and counted.
- A checkpoint in the middle of a batch that is used for several updates holds that batch.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object
from torch.utils.data import Sampler
from trl import GRPOConfig, GRPOTrainer
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import split_pixel_values_by_grid, split_tensor_dict, unsplit_pixel_values_by_grid

from videor2.errors import InputError
from videor2.models.generate import rollout, vision_token_ids
from videor2.models.prompt import EncodedPrompt, Message, join_videos
from videor2.models.seeds import completion_seed
from videor2.models.shared_prefix import share_prefixes
from videor2.rewards.trl import FAILED
from videor2.train.groups import EpochSampler, check_batch, runs, shuffle_groups
from videor2.train.limits import (
    FailedSteps,
    TrainingError,
    UnreadableVideos,
    is_out_of_memory,
    out_of_memory,
)
from videor2.train.log_probs import LogProbs, Rows, copied_log_probs, shared_log_probs
from videor2.train.prompts import LoadedPrompt, PromptLoader, skipping, sources
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin


class VideoGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's `GRPOTrainer` for prompts with a video; everything else is as documented there.

    clips: reads the videos that prompts name. `train_dataset` has a conversational `prompt` column, whose user
    turn may start with a part `{"type": "video", "video": path, "subtitles": path or None}`; its other columns reach
    the reward functions. Batches of prompts with images are left to TRL.

    share_prefix: compute a prompt once per group; False computes it per completion, as TRL does.
    skip_zero_variance: leave out groups whose completions all have one reward, and their KL term with them.
    max_prompt_tokens: longer prompts are left out. max_video_failures: share of the set's videos that may be
    unreadable. max_failed_steps: steps in a row that may lack rewards because a judge failed.

    Raises InputError where batch sizes would spread a group over processes, TrainingError where a run cannot go on.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        reward_funcs: Sequence[Callable[..., Any]],
        *,
        args: GRPOConfig,
        processing_class: "ProcessorMixin",
        clips: ClipStore,
        share_prefix: bool = True,
        skip_zero_variance: bool = False,
        max_prompt_tokens: int | None = None,
        max_video_failures: float = 0.05,
        max_failed_steps: int = 3,
        **kwargs: Any,
    ) -> None:
        for name in ("tools", "environment_factory", "rollout_func"):
            if kwargs.get(name):
                raise InputError(f"{name}: prompts with videos are answered in one turn; use TRL's own GRPOTrainer")
        if args.dataloader_num_workers:
            raise InputError(
                f"dataloader_num_workers={args.dataloader_num_workers}: clips are read in threads of this process; "
                "set it to 0 and give ClipStore `workers`"
            )
        check_batch(
            per_device=args.per_device_train_batch_size,
            steps_per_generation=args.steps_per_generation,
            num_generations=args.num_generations,
        )
        self.clips = clips
        self.share_prefix = share_prefix
        self.skip_zero_variance = skip_zero_variance
        self._prompts = PromptLoader(processing_class, clips, max_tokens=max_prompt_tokens)
        self._suppress = vision_token_ids(processing_class)
        self._chats: list[list[Message]] = []
        self._loaded: list[LoadedPrompt] = []
        self._rows: list[EncodedPrompt] = []
        self._training_batch = self._chats, self._loaded
        self._fresh_logps: torch.Tensor | None = None
        self._buffered_inputs: list[dict[str, Any]] | None = None
        self._generated_s = 0.0
        self._update_s = 0.0
        # vLLM takes a bias, transformers a list.
        unwritten = (
            {"logit_bias": dict.fromkeys(self._suppress, -100.0)}
            if args.use_vllm
            else {"suppress_tokens": self._suppress}
        )
        args.generation_kwargs = unwritten | (args.generation_kwargs or {})
        super().__init__(
            model=model,
            reward_funcs=[skipping(func, self._is_set_aside) for func in reward_funcs],
            args=args,
            processing_class=processing_class,
            **kwargs,
        )
        self._failed_steps = FailedSteps(max_failed_steps)
        self._unreadable = UnreadableVideos(max_video_failures, _count_videos(self.train_dataset))
        self.data_collator = self._collate
        if share_prefix:
            share_prefixes(self.accelerator.unwrap_model(self.model))
            if self.ref_model is not None:
                share_prefixes(self.accelerator.unwrap_model(self.ref_model))
        if self.use_vllm:
            from videor2.train.vllm_video import attach_videos

            attach_videos(self.vllm_generation, processing_class)

    # Batches

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        plain = super()._get_train_sampler(dataset)
        return EpochSampler(
            plain.data_source,
            mini_repeat_count=plain.mini_repeat_count,
            batch_size=plain.batch_size,
            repeat_count=plain.repeat_count,
            shuffle=plain.shuffle,
            seed=self.args.seed,
            epoch=lambda: int((self.state.epoch or 0) + 1e-6),
        )

    def _collate(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Called one batch ahead of need: the clips of the next batch are read while this one trains."""
        self._prompts.fetch_ahead(row["prompt"] for row in rows if isinstance(row["prompt"], list))
        return rows

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """The next micro-batch, as TRL's, except that shuffling keeps groups whole."""
        if not self.model.training:
            return self._generate_and_score_completions(generation_batch)
        steps = self.args.steps_per_generation
        if self._step % (steps * self.num_iterations) != 0 and self._buffered_inputs is not None:
            self._chats, self._loaded = self._training_batch  # an evaluation may have come between
        else:
            batch = split_pixel_values_by_grid(self._generate_and_score_completions(generation_batch))
            order = torch.Generator().manual_seed(self._seed_of(-1))
            batch = shuffle_groups(batch, self.num_generations, order)
            self._buffered_inputs = [unsplit_pixel_values_by_grid(part) for part in split_tensor_dict(batch, steps)]
            self._training_batch = self._chats, self._loaded
        return self._buffered_inputs[self._step % steps]

    def _seed_of(self, row: int) -> int:
        """The seed of a row of the generation batch, counted over all processes."""
        mode = 0 if self.model.training else 1
        return completion_seed(self.args.seed, mode, self._step, row + 1)

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], Any, dict[str, Any]]:
        """Encode a generation batch of B prompts; equal neighbours (a group) are encoded once."""
        self._loaded, self._rows = [], []
        if _is_for_trl(prompts):
            result: tuple[list[list[int]], Any, dict[str, Any]] = super()._tokenize_prompts(prompts)
            return result
        with self._seconds("decode"):
            self._chats = prompts
            self._loaded = self._prompts.load(prompts)
            self._rows = [loaded.encoded for loaded in self._loaded]
        skipped = {entry.skipped for entry in self._loaded if entry.skipped}
        self._unreadable.add(gather_object(list(skipped)))
        # Only transformers' own rollout takes a copy of the clip for each completion.
        fields: dict[str, Any] = {} if self.share_prefix or self.use_vllm else join_videos(self._rows)
        if fields:
            video_id = self.processing_class.video_token_id
            fields["mm_token_type_ids"] = [(row.input_ids == video_id).long().mul(2).tolist() for row in self._rows]
        return [row.input_ids.tolist() for row in self._rows], None, fields

    # Rollout

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], images: Any, multimodal_fields: Any, num_generations: int, **kwargs: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        with self._seconds("rollout"):
            if self.use_vllm and self._rows:
                self.vllm_generation.llm.prepare(self._chats, self._loaded, self.clips)
            if self._rows and self.share_prefix and not self.use_vllm:
                return self._rollout()
            result: tuple[list[list[int]], list[list[float]] | None] = super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, **kwargs
            )
            return result

    def _rollout(self) -> tuple[list[list[int]], list[list[float]]]:
        """Completions and the log-probs they were sampled with; those set aside are an end of sequence alone."""
        end = self.processing_class.tokenizer.eos_token_id
        completion_ids = [[end] for _ in self._rows]
        log_probs = [[0.0] for _ in self._rows]
        kept = [run for run in runs(self._rows) if not self._is_set_aside(run.rows[0])]
        first = self.accelerator.process_index * len(self._rows)
        rows = [row for run in kept for row in run.rows]
        # A process without a readable prompt takes part all the same: sharded weights are gathered by all.
        prompts = [run.prompt for run in kept] or [self._rows[0]]
        with (
            unwrap_model_for_generation(
                self.model_wrapped,
                self.accelerator,
                gather_deepspeed3_params=self.args.ds3_gather_for_generation,
                generation_kwargs=self.generation_kwargs,
                gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
            ) as model,
            self._dist.summon_full_params(self.model_wrapped, recurse=False),
            self.accelerator.autocast(),
        ):
            sampled = rollout(
                model,
                [prompt.to(self.accelerator.device) for prompt in prompts],
                config=self.generation_config,
                num_generations=[len(run.rows) for run in kept] or [1],
                suppress=self._suppress,
                seeds=[self._seed_of(first + row) for row in rows or [0]],
            )
        for row, ids, logps in zip(rows, sampled.completion_ids, sampled.log_probs, strict=bool(rows)):
            completion_ids[row], log_probs[row] = ids.tolist(), logps.tolist()
        return completion_ids, log_probs

    # Rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        except (RuntimeError, MemoryError) as error:
            self._explain(error)
            raise
        if self._loaded:
            # TRL shuffles and splits every tensor of this dict by row: the index keeps rows and clips together.
            output["encoded_index"] = torch.arange(len(self._loaded), device=self.accelerator.device)
            self._leave_out(output)
        self._generated_s += time.perf_counter() - started
        return output

    def _leave_out(self, output: dict[str, Any]) -> None:
        """Take groups that teach nothing out of the loss, and count them."""
        mask = output["completion_mask"]
        set_aside = torch.tensor([self._is_set_aside(row) for row in range(len(mask))], device=mask.device)
        flat = torch.zeros_like(set_aside)
        for run in runs(self._rows):
            flat[list(run.rows)] = bool((output["advantages"][list(run.rows)] == 0).all())
        for why in ("video", "length"):
            rows = [entry.skipped is not None and entry.skipped.why == why for entry in self._loaded]
            self._count(f"groups/skipped_{why}", torch.tensor(rows, device=mask.device))
        self._count("groups/zero_variance", flat & ~set_aside)
        left_out = set_aside | flat if self.skip_zero_variance else set_aside
        output["completion_mask"] = mask.masked_fill(left_out[:, None], 0)
        output["num_items_in_batch"] = self.accelerator.gather(output["completion_mask"].sum()).sum()
        if bool(self.accelerator.gather(set_aside).all()):
            reasons = {entry.skipped.detail for entry in self._loaded if entry.skipped}
            raise TrainingError(f"no prompt of this step can be trained on: {'; '.join(sorted(reasons)[:2])}")

    def _count(self, name: str, rows: torch.Tensor) -> None:
        """Note how many groups these rows are, over all processes."""
        groups = self.accelerator.gather(rows.float().sum()).sum().item() / self.num_generations
        self._note(name, groups)

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> torch.Tensor:
        with self._seconds("reward"):
            rewards: torch.Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        # Shares are gathered, so that all processes come to one decision.
        failed = self.accelerator.gather(
            torch.tensor(max(self._pending_metrics.get(FAILED, [0.0])), device=rewards.device)
        )
        if self.model.training and self._failed_steps.add(failed.max().item()):
            self._save_checkpoint(self.model, trial=None)
            raise TrainingError(
                f"rewards could not be computed in {self._failed_steps.limit} steps in a row (the judge failed; "
                f"see the warnings above). Checkpoint: {self._checkpoint()}; mend the judge and resume"
            )
        return rewards

    def _is_set_aside(self, row: int) -> bool:
        return bool(self._loaded) and self._loaded[row].skipped is not None

    # Log-probs and loss

    def _compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        if "encoded_index" in inputs:
            self._rows = [self._loaded[index].encoded for index in inputs["encoded_index"].tolist()]
        self._fresh_logps = None
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        sampled = inputs.get("sampling_per_token_logps")
        every = self.args.steps_per_generation * self.num_iterations
        if sampled is not None and self._step % every < self.args.gradient_accumulation_steps:
            # Before the first update the policy is the one that sampled: what differs is arithmetic.
            difference = ((self._fresh_logps - sampled).abs() * inputs["completion_mask"]).nan_to_num().max()
            self._note("rollout/max_logp_difference", self.accelerator.gather(difference).max().item())
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **images: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Log-probs (B, C) of the completions under their prompts with their clips; entropies (B, C) if wanted."""
        if not self._rows:
            result: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None] = (
                super()._get_per_token_logps_and_entropies(
                    model,
                    input_ids,
                    attention_mask,
                    logits_to_keep,
                    batch_size=batch_size,
                    compute_entropy=compute_entropy,
                    compute_aux_loss=compute_aux_loss,
                    **images,
                )
            )
            return result
        if len(self._rows) != len(input_ids):
            raise RuntimeError(f"{len(input_ids)} sequences but {len(self._rows)} prompts: TRL's batching has changed")
        forward = shared_log_probs if self.share_prefix else copied_log_probs
        step = batch_size or len(input_ids)
        outputs: list[LogProbs] = []
        for start in range(0, len(input_ids), step):
            part = slice(start, start + step)
            rows = Rows(self._rows[part], input_ids[part], attention_mask[part], logits_to_keep)
            with self.accelerator.autocast():
                outputs.append(forward(model, rows, router=compute_aux_loss))
        log_probs = torch.cat([output.log_probs for output in outputs])
        self._fresh_logps = log_probs.detach()
        return (
            log_probs,
            torch.cat([output.entropies for output in outputs]) if compute_entropy else None,
            torch.stack([output.aux_loss for output in outputs]).mean() if compute_aux_loss else None,
        )

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """TRL's, timed, with an error that explains itself where memory does not suffice."""
        started, self._generated_s = time.perf_counter(), 0.0
        try:
            loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        except (RuntimeError, MemoryError) as error:
            self._explain(error)
            raise
        self._update_s += time.perf_counter() - started - self._generated_s
        if self._step % self.current_gradient_accumulation_steps == 0:
            self._note("seconds/update", self._update_s)
            self._update_s = 0.0
        return loss

    def _explain(self, error: BaseException) -> None:
        if is_out_of_memory(error):
            raise out_of_memory(error, self._rows, self.args, self.max_completion_length) from error

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """TRL's, with what it takes to go on from here: how far the batch in use has been used."""
        folder = self._checkpoint()
        folder.mkdir(parents=True, exist_ok=True)
        chats, _ = self._training_batch
        unfinished = self._step % (self.args.steps_per_generation * self.num_iterations) != 0
        state = {
            "step": self._step,
            "batch": self._buffered_inputs if unfinished else None,
            "chats": json.dumps(chats if unfinished else []),
            "failed_steps": self._failed_steps.in_a_row,
            "unreadable": self._unreadable.found,
        }
        # Before the rest: a checkpoint counts as whole when its trainer state is there, which comes last.
        torch.save(state, folder / _rollouts_file(self.accelerator.process_index))
        super()._save_checkpoint(model, trial)

    def _checkpoint(self) -> Path:
        return Path(self._get_output_dir(trial=None)) / f"checkpoint-{self.state.global_step}"

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        path = Path(checkpoint or os.devnull) / _rollouts_file(self.accelerator.process_index)
        if path.is_file():
            state = torch.load(path, map_location=self.accelerator.device, weights_only=True)
            self._step = state["step"]
            self._buffered_inputs = state["batch"]
            self._failed_steps.in_a_row = state["failed_steps"]
            self._unreadable.found = state["unreadable"]
            chats = json.loads(state["chats"])
            self._training_batch = chats, self._prompts.load(chats)

    # Metrics

    def _note(self, name: str, value: float) -> None:
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    @contextmanager
    def _seconds(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._note(f"seconds/{part}", time.perf_counter() - started)


def _rollouts_file(process: int) -> str:
    return f"rollouts_{process}.pt"


def _is_for_trl(prompts: Sequence[Any]) -> bool:
    """Whether prompts are plain strings or hold images; raises InputError for images beside videos."""
    if not all(isinstance(prompt, list) for prompt in prompts):
        return True
    images = any(
        part["type"] == "image"
        for prompt in prompts
        for message in prompt
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    if images and any(sources(prompt) for prompt in prompts):
        raise InputError("one batch has prompts with images and prompts with videos: train on them one after another")
    return images


def _count_videos(dataset: Any) -> int:
    """How many videos a training set names; 0 for a stream, which cannot be counted."""
    if not hasattr(dataset, "__len__"):
        return 0
    return len({source for prompt in dataset["prompt"] if isinstance(prompt, list) for source in sources(prompt)})
