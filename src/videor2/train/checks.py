"""What can be known to fail before any weight is loaded.

Each error names the key to change and the nearest values that fit. That a group lies whole on one process needs no
check: a device's batch is counted in prompts, and each brings all its completions.
"""

import logging
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from videor2.data.examples import DataError, Example
from videor2.errors import InputError
from videor2.judges.llm import parse_judge
from videor2.train.config import ConfigError
from videor2.train.launch import is_sharded

if TYPE_CHECKING:
    from videor2.train.grpo import GRPOSettings
    from videor2.train.sft import SFTSettings

log = logging.getLogger(__name__)


def check(settings: "GRPOSettings", examples: Sequence[Example], world_size: int = 1) -> None:
    """Whether a recipe of GRPO can train on these examples with this many processes.

    Raises ConfigError, or DataError where it is the examples that do not fit.
    """
    _check_model(settings)
    _check_reporters(settings.report_to)
    try:
        parse_judge(settings.rewards.judge)
    except InputError as error:
        raise ConfigError(f"`rewards.judge`: {error}") from None
    _check_vllm(settings, examples, world_size)
    _check_answers(settings, examples)
    _check_files(settings, examples)
    _check_rollout_size(settings, len(examples), world_size)


def check_stages(settings: "SFTSettings", sizes: Sequence[int], world_size: int = 1) -> None:
    """Whether a recipe of fine-tuning can train on stages of so many examples; raises ConfigError."""
    _check_reporters(settings.report_to)
    if is_sharded() and len(settings.stages) > 1:
        raise ConfigError(f"`stages`: sharded weights train one stage, and there are {len(sizes)}: run them one by one")
    if is_sharded() and settings.save_dtype is not None:
        raise ConfigError("`save_dtype`: sharded weights are saved as they are trained: leave it out")
    for number, (stage, size) in enumerate(zip(settings.stages, sizes, strict=True)):
        if size < world_size:
            raise ConfigError(
                f"`stages.{number}.data`: {size} examples for {world_size} processes: "
                f"start at most {size}, or give more data"
            )
        per_step = stage.batch_size * world_size * stage.gradient_accumulation
        if size < per_step:
            log.warning("stage %s: %d examples do not fill one step of %d", stage.name, size, per_step)


def _check_model(settings: "GRPOSettings") -> None:
    if settings.model == "tiny-untrained":
        raise ConfigError("`model`: tiny-untrained has nothing to say yet: fine-tune it first, or take `tiny`")


def _check_reporters(names: Sequence[str]) -> None:
    if not names:
        return
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    installed = get_available_reporting_integrations()
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            known = get_close_matches(name, INTEGRATION_TO_CALLBACK) or sorted(INTEGRATION_TO_CALLBACK)
            raise ConfigError(f"`report_to`: there is no {name!r}; did you mean {_alternatives(known)}?")
        if name not in installed:
            raise ConfigError(f"`report_to`: {name} is not installed; installed: {', '.join(installed) or 'none'}")


def _check_vllm(settings: "GRPOSettings", examples: Sequence[Example], world_size: int) -> None:
    vllm = settings.vllm
    if vllm is None:
        return
    if find_spec("vllm") is None:
        raise ConfigError("`vllm`: vllm is not installed: pip install 'trl[vllm]', or leave `vllm` out")
    if any(example.sample.video for example in examples):
        # `videor2.train.vllm_video` hands clips to an engine in this process, and to no other.
        if vllm.mode == "server":
            raise ConfigError("`vllm.mode`: TRL sends a server no videos: set it to colocate")
        if vllm.tensor_parallel_size > 1:
            raise ConfigError("`vllm.tensor_parallel_size`: clips are not sent between processes: set it to 1")
    if vllm.mode == "colocate" and world_size % vllm.tensor_parallel_size:
        near = _nearest(vllm.tensor_parallel_size, lambda size: world_size % size == 0)
        raise ConfigError(
            f"`vllm.tensor_parallel_size`: {vllm.tensor_parallel_size} does not divide the {world_size} processes; "
            f"nearest that does: {_alternatives(near)}"
        )
    prompt, completion = settings.max_prompt_tokens or 0, settings.max_completion_length
    if vllm.max_model_length is not None and vllm.max_model_length < prompt + completion:
        raise ConfigError(
            f"`vllm.max_model_length`: {vllm.max_model_length} tokens hold no prompt of {prompt} and completion of "
            f"{completion}: at least {prompt + completion}"
        )


def _check_answers(settings: "GRPOSettings", examples: Sequence[Example]) -> None:
    for example in examples:
        if example.sample.answer is None:
            raise DataError(f"{example.sample.id}: no `answer` to compare with; GRPO needs one in every row")
    if settings.rewards.gated_alignment and not any(example.sample.events for example in examples):
        log.warning(
            "no example has `events`, so the alignment reward never applies; rewards.gated_alignment=0 says the same"
        )


def _check_files(settings: "GRPOSettings", examples: Sequence[Example]) -> None:
    """Few missing clips are skipped in training as unreadable ones are; more than that is a wrong path."""
    named = {path: e.sample.id for e in examples for path in (e.sample.video, e.sample.subtitles) if path}
    missing = [path for path in named if not Path(path).is_file()]
    if not missing:
        return
    found = f"{missing[0]} (of {named[missing[0]]}): no such file; {len(missing)} of {len(named)} are missing"
    if len(missing) == len(named) or len(missing) > max(1, settings.max_video_failures * len(named)):
        raise DataError(f"{found}, and `max_video_failures` is {settings.max_video_failures:g}")
    log.warning("%s", found)


def _check_rollout_size(settings: "GRPOSettings", size: int, world_size: int) -> None:
    accumulated = settings.gradient_accumulation
    passes = settings.steps_per_generation or accumulated

    def aligned(steps: int) -> bool:
        return steps % accumulated == 0 or accumulated % steps == 0

    if not aligned(passes):
        raise ConfigError(
            f"`steps_per_generation`: {passes} neither divides `gradient_accumulation` ({accumulated}) nor is a "
            f"multiple of it, so optimizer steps would straddle rollouts; nearest that fits: "
            f"{_alternatives(_nearest(passes, aligned))}"
        )
    rollout = settings.prompts_per_step * world_size * passes
    if size < rollout:
        if fits := size // (world_size * passes):
            advice = f"prompts_per_step={fits} fits"
        elif fits := size // world_size:
            fewer = "prompts_per_step=1 with " if settings.prompts_per_step > 1 else ""
            if settings.steps_per_generation:
                advice = f"{fewer}steps_per_generation={next(n for n in range(fits, 0, -1) if aligned(n))} fits"
            else:
                advice = f"{fewer}gradient_accumulation={fits} fits"
        else:
            advice = f"start at most {size} processes"
        raise ConfigError(
            f"`prompts_per_step`: a rollout takes {rollout} prompts ({settings.prompts_per_step} x {world_size} "
            f"processes x {passes} forward passes), and there are {size}: {advice}"
        )
    left = size % rollout
    if left:
        log.warning("%d of %d examples are left out of each epoch: rollouts take %d at a time", left, size, rollout)


def _nearest(value: int, fits: Callable[[int], bool]) -> list[int]:
    """The values that fit next below and next above, as far as there are any."""
    below = (n for n in range(value - 1, 0, -1) if fits(n))
    above = (n for n in range(value + 1, 2 * value + 100) if fits(n))
    return [n for n in (next(below, None), next(above, None)) if n is not None]


def _alternatives(values: Sequence[object]) -> str:
    return " or ".join(map(str, values))
