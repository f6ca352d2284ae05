"""Answers to questions about videos, and G sampled completions per prompt with the prompt computed once.

The prompts are read in one pass, their caches are repeated G times, and transformers' `generate` goes on from there.
Tokens are drawn by the Gumbel trick from noise that belongs to a completion and not to a process: which completions
a seed gives depends neither on how many processes share the batch nor on what was sampled before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache, GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation import (
    MinPLogitsWarper,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from videor2.models.cache import repeat_prefill
from videor2.models.load import without_adapters
from videor2.models.prompt import EncodedPrompt, encode_prompt, join_videos, messages
from videor2.models.seeds import completion_seed
from videor2.models.shared_prefix import prompt_position_ids
from videor2.sample import Sample
from videor2.video.store import ClipStore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

VISION_TOKENS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")


def vision_token_ids(processor: "ProcessorMixin") -> list[int]:
    """The tokens that stand for pixels or mark where pixels are; a model must not write them."""
    ids = [getattr(processor, name, None) for name in VISION_TOKENS]
    return [token for token in ids if token is not None]


def generate(
    model: "PreTrainedModel",
    processor: "ProcessorMixin",
    samples: Sequence[Sample],
    clips: ClipStore,
    *,
    instruction: str = "",
    temperature: float = 0.0,
    seed: int = 0,
    max_new_tokens: int = 1024,
    batch_size: int = 8,
    on_batch: Callable[[int], None] | None = None,
) -> list[str]:
    """The model's response to each sample, in order.

    temperature 0 is greedy; else tokens are drawn from the softmax at that temperature, from generators seeded
    with `seed` and the sample's place. `on_batch` is told how many responses are done. Raises VideoError for a clip
    that cannot be read.
    """
    config = generation_config(model, processor, temperature=temperature, max_new_tokens=max_new_tokens)
    responses: dict[int, str] = {}
    for rows in _batches(samples, batch_size):
        prompts = []
        for sample in (samples[row] for row in rows):
            batch_clips = [clips.get(sample.video, sample.subtitles)] if sample.video else []
            chat = messages(sample, instruction=instruction)
            prompts.append(encode_prompt(processor, chat, batch_clips).to(model.device))
        sampled = rollout(
            model,
            prompts,
            config=config,
            suppress=vision_token_ids(processor),
            seeds=[completion_seed(seed, row) for row in rows],
        )
        texts = processor.batch_decode(sampled.completion_ids, skip_special_tokens=True)
        responses.update(zip(rows, texts, strict=True))
        if on_batch:
            on_batch(len(responses))
    return [responses[row] for row in range(len(samples))]


def _batches(samples: Sequence[Sample], size: int) -> Iterator[list[int]]:
    """Rows with a video and rows without, never in one batch."""
    for has_video in (True, False):
        rows = [row for row, sample in enumerate(samples) if (sample.video is not None) == has_video]
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def generation_config(
    model: "PreTrainedModel", processor: "ProcessorMixin", *, temperature: float, max_new_tokens: int
) -> GenerationConfig:
    """How a response is written: greedily at temperature 0, up to what ends it or `max_new_tokens`."""
    return GenerationConfig(
        do_sample=temperature > 0,
        temperature=temperature or None,
        max_new_tokens=max_new_tokens,
        pad_token_id=processor.tokenizer.pad_token_id,
        eos_token_id=end_token_ids(model, processor),
    )


def end_token_ids(model: "PreTrainedModel", processor: "ProcessorMixin") -> list[int]:
    """What ends a response: the tokenizer's end of sequence, and what the model's own generation config adds."""
    own = model.generation_config.eos_token_id
    more = own if isinstance(own, list) else [] if own is None else [own]
    return sorted({processor.tokenizer.eos_token_id, *more})


@dataclass(frozen=True, slots=True)
class Rollouts:
    """B completions, those of a prompt side by side; each ends with its end of sequence, unless it was cut off."""

    completion_ids: list[torch.Tensor]
    """(C_i,) each."""
    log_probs: list[torch.Tensor]
    """(C_i,) each: of the tokens under softmax(logits / temperature), before any of them is suppressed."""


def rollout(
    model: "PreTrainedModel",
    prompts: Sequence[EncodedPrompt],
    *,
    config: GenerationConfig,
    num_generations: int | Sequence[int] = 1,
    suppress: Sequence[int] = (),
    seeds: Sequence[int] | None = None,
) -> Rollouts:
    """Continue each prompt G = `num_generations` times, or each its own number of times.

    config: as for `generate`; its `do_sample` decides between sampling and greedy. suppress: tokens that are never
    written. seeds: one per completion (B of them), needed for sampling. Raises ValueError for a number of
    seeds that does not fit.
    """
    repeats = [num_generations] * len(prompts) if isinstance(num_generations, int) else num_generations
    if config.do_sample and len(seeds or ()) != sum(repeats):
        raise ValueError(f"{sum(repeats)} completions to sample, {len(seeds or ())} seeds")
    input_ids = left_padded([prompt.input_ids for prompt in prompts], config.pad_token_id)
    attention_mask = left_padded([torch.ones_like(prompt.input_ids) for prompt in prompts], 0)
    recorder = _LogProbs(input_ids.shape[1], (config.temperature or 1.0) if config.do_sample else 1.0)
    # In this order: the log-probs are of the model's own distribution, the noise falls on what is left of it.
    processors = [recorder, *choosers(config, suppress=suppress, seeds=seeds or (), device=input_ids.device)]
    places = torch.arange(len(prompts)).repeat_interleave(torch.tensor(repeats)).to(input_ids.device)
    with torch.no_grad():
        cache, deltas = prefill(model, [EncodedPrompt(p.input_ids[:-1], p.video) for p in prompts])
        output = decode(
            model,
            input_ids[places],
            attention_mask[places],
            repeat_prefill(cache, places, room=config.max_new_tokens + 1),
            deltas[places],
            config=config,
            processors=processors,
        )
    completions = trimmed(output[:, input_ids.shape[1] :], config.eos_token_id)
    log_probs = recorder.of(output)
    return Rollouts(completions, [row[: len(c)] for row, c in zip(log_probs, completions, strict=True)])


def prefill(model: "PreTrainedModel", prompts: Sequence[EncodedPrompt]) -> tuple[DynamicCache, torch.Tensor]:
    """The cache of B prompts padded on the left, and (B, 1): by how much positions run ahead of the count of tokens.

    The prompts, or beginnings of prompts, end with text; positions behind them go on from those of its last token.
    """
    base = without_adapters(model)
    positions = [prompt_position_ids(base, prompt) for prompt in prompts]
    cache = DynamicCache(config=base.config)
    model(
        input_ids=left_padded([prompt.input_ids for prompt in prompts], 0),
        attention_mask=left_padded([torch.ones_like(prompt.input_ids) for prompt in prompts], 0),
        position_ids=torch.stack([left_padded(list(axis), 0) for axis in zip(*positions, strict=True)]),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **join_videos(prompts),
    )
    return cache, torch.stack([p[0, -1:] + 1 - p.shape[1] for p in positions])


def decode(
    model: "PreTrainedModel",
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    cache: DynamicCache,
    deltas: torch.Tensor,
    *,
    config: GenerationConfig,
    processors: Sequence[LogitsProcessor],
) -> torch.Tensor:
    """(B, P + C): prompts of which the cache holds all but the last token or tokens, and what is written behind them.

    input_ids, attention_mask: (B, P), padding where the mask is 0, wherever that is. deltas: (B, 1), as `prefill`
    gives them. processors: they decide the tokens, see `choosers`; the greatest of their scores is written.
    """
    # From it and from the mask `generate` takes the positions it goes on with.
    without_adapters(model).model.rope_deltas = deltas
    output: torch.Tensor = model.generate(
        input_ids=input_ids,
        attention_mask=attention_mask,
        past_key_values=cache,
        generation_config=GenerationConfig.from_dict(config.to_dict() | _GREEDY),
        logits_processor=LogitsProcessorList(processors),
    )
    return output


_GREEDY = {
    "do_sample": False,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "min_p": None,
    "suppress_tokens": None,
}
"""What `generate` is told: `choosers` add the noise that makes its greedy choice a draw."""


def choosers(
    config: GenerationConfig, *, suppress: Sequence[int], seeds: Sequence[int], device: torch.device
) -> list[LogitsProcessor]:
    """What makes of the model's logits scores of which the greatest is to be written; none of `suppress` ever is."""
    processors: list[LogitsProcessor] = []
    if suppress:
        processors.append(SuppressTokensLogitsProcessor(list(suppress), device=device))
    if config.do_sample:
        processors += [*_warpers(config), _GumbelNoise(seeds, device)]
    return processors


def left_padded(rows: Sequence[torch.Tensor], value: int) -> torch.Tensor:
    """Rows of different lengths as one tensor, `value` before the shorter ones."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value, padding_side="left")


def trimmed(completions: torch.Tensor, eos: int | Sequence[int]) -> list[torch.Tensor]:
    """(B, C) tokens as B rows, each up to and including its first end of sequence."""
    ends = torch.isin(completions, torch.as_tensor(eos, device=completions.device))
    lengths = torch.where(ends.any(1), ends.int().argmax(1) + 1, completions.shape[1])
    return [row[:length] for row, length in zip(completions, lengths.tolist(), strict=True)]


def _warpers(config: GenerationConfig) -> list[LogitsProcessor]:
    """What the config says about sampling, in the order of `generate`."""
    warpers: list[LogitsProcessor] = []
    if config.temperature not in (None, 1.0):
        warpers.append(TemperatureLogitsWarper(config.temperature))
    if config.top_k:
        warpers.append(TopKLogitsWarper(config.top_k))
    if config.top_p is not None and config.top_p < 1.0:
        warpers.append(TopPLogitsWarper(config.top_p))
    if config.min_p is not None:
        warpers.append(MinPLogitsWarper(config.min_p))
    return warpers


class _LogProbs(LogitsProcessor):  # type: ignore[misc]
    """Notes the log-prob of each token that was chosen, and keeps the scores of one step alone."""

    def __init__(self, prompt_length: int, temperature: float) -> None:
        self._prompt_length = prompt_length
        self._temperature = temperature
        self._chosen: list[torch.Tensor] = []
        self._last: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._note(input_ids)
        self._last = (scores / self._temperature).log_softmax(-1)
        return scores

    def _note(self, input_ids: torch.Tensor) -> None:
        if self._last is not None:
            token = input_ids[:, self._prompt_length + len(self._chosen)]
            self._chosen.append(self._last.gather(1, token[:, None])[:, 0])
            self._last = None

    def of(self, output: torch.Tensor) -> torch.Tensor:
        """(B, C): the log-probs of the tokens behind the prompt."""
        if self._prompt_length + len(self._chosen) < output.shape[1]:
            self._note(output)
        return torch.stack(self._chosen, dim=1)[:, : output.shape[1] - self._prompt_length]


class _GumbelNoise(LogitsProcessor):  # type: ignore[misc]
    """Makes the greatest score a draw from the softmax of the scores; each row has a generator of its own."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.empty_like(scores, dtype=torch.float32)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return scores - noise.log().to(scores.dtype)
