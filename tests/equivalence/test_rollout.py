"""A rollout that reads each prompt once writes what `generate` writes on G copies of it."""

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

from families import EOS, FAMILIES, IMAGE, VIDEO, VISION_END, VISION_START, VOCABULARY, prompt, tiny, words
from videor2.models.generate import rollout
from videor2.models.prompt import EncodedPrompt
from videor2.models.seeds import completion_seed
from videor2.models.shared_prefix import Group, pack, share_prefixes


def config(*, sample: bool, length: int = 12, **fields) -> GenerationConfig:
    return GenerationConfig(do_sample=sample, max_new_tokens=length, pad_token_id=EOS, eos_token_id=EOS, **fields)


def seeds(count: int, *, seed: int = 0) -> list[int]:
    return [completion_seed(seed, row) for row in range(count)]


def prompts(family: str) -> list[EncodedPrompt]:
    """Of different lengths, with clips of different sizes."""
    return [prompt(family, seed=i, text=3 + 4 * i, grid=(2 + i, 4, 4)) for i in range(3)]


def by_copies(model: PreTrainedModel, one: EncodedPrompt, length: int) -> list[int]:
    ids = one.input_ids[None]
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == VIDEO).long() * 2,
        max_new_tokens=length,
        do_sample=False,
        pad_token_id=EOS,
        eos_token_id=EOS,
        **one.video,
    )[0, ids.shape[1] :]
    return output.tolist()


@pytest.mark.parametrize("shared_attention", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_is_token_identical_to_generate_on_copies(family: str, shared_attention: bool) -> None:
    model = tiny(family)
    expected = [by_copies(model, one, 12) for one in prompts(family)]
    if shared_attention:
        share_prefixes(model)
    sampled = rollout(model, prompts(family), config=config(sample=False), num_generations=3)
    assert [c.tolist() for c in sampled.completion_ids] == [tokens for tokens in expected for _ in range(3)]


@pytest.mark.parametrize("family", FAMILIES)
def test_sampling_log_probs_agree_with_the_log_prob_pass(family: str) -> None:
    model = tiny(family)
    share_prefixes(model)
    chosen = prompts(family)
    sampled = rollout(model, chosen, config=config(sample=True, temperature=0.7), num_generations=4, seeds=seeds(12))
    assert len({tuple(c.tolist()) for c in sampled.completion_ids}) > 6
    groups = [Group(p, sampled.completion_ids[4 * i : 4 * i + 4]) for i, p in enumerate(chosen)]
    packed = pack(model, groups)
    with torch.no_grad():
        logits = model(**packed.inputs).logits / 0.7
    log_probs = logits.log_softmax(-1).gather(-1, packed.labels[..., None])[..., 0]
    torch.testing.assert_close(log_probs[0], torch.cat(sampled.log_probs), atol=1e-5, rtol=0)


def test_vision_tokens_are_never_written() -> None:
    model = tiny("qwen2_5_vl")
    with torch.no_grad():  # a model that would write nothing else
        model.lm_head.weight[[IMAGE, VIDEO, VISION_START, VISION_END]] *= 100
    suppress = (IMAGE, VIDEO, VISION_START, VISION_END)
    for sample in (True, False):
        settings = config(sample=sample, length=30)
        free = rollout(model, prompts("qwen2_5_vl"), config=settings, num_generations=4, seeds=seeds(12))
        kept = rollout(
            model, prompts("qwen2_5_vl"), config=settings, num_generations=4, seeds=seeds(12), suppress=suppress
        )
        assert set(torch.cat(free.completion_ids).tolist()) & set(suppress)
        assert not set(torch.cat(kept.completion_ids).tolist()) & set(suppress)


def test_a_completion_ends_with_its_end_of_sequence() -> None:
    model = tiny("qwen2_5_vl")
    with torch.no_grad():
        model.lm_head.weight[EOS] *= 30
    sampled = rollout(model, prompts("qwen2_5_vl"), config=config(sample=True), num_generations=8, seeds=seeds(24))
    lengths = [len(c) for c in sampled.completion_ids]
    assert min(lengths) < 12
    for completion, log_probs in zip(sampled.completion_ids, sampled.log_probs, strict=True):
        assert len(completion) == len(log_probs)
        assert EOS not in completion[:-1]
        assert len(completion) == 12 or completion[-1] == EOS


def test_what_a_seed_gives_does_not_depend_on_the_rest_of_the_batch() -> None:
    model = tiny("qwen2_5_vl")
    chosen = prompts("qwen2_5_vl")
    together = rollout(model, chosen, config=config(sample=True), num_generations=2, seeds=seeds(6))
    alone = rollout(model, chosen[2:], config=config(sample=True), num_generations=2, seeds=seeds(6)[4:])
    assert [c.tolist() for c in together.completion_ids[4:]] == [c.tolist() for c in alone.completion_ids]


def test_tokens_are_drawn_from_the_softmax_at_the_temperature() -> None:
    model = tiny("qwen2_5_vl")
    one = EncodedPrompt(words(5, seed=0))
    with torch.no_grad():
        model.lm_head.weight *= 3
        probabilities = (model(input_ids=one.input_ids[None]).logits[0, -1] / 0.8).softmax(-1)
    draws = 4000
    settings = config(sample=True, length=1, temperature=0.8)
    sampled = rollout(model, [one], config=settings, num_generations=draws, seeds=seeds(draws))
    counts = torch.cat(sampled.completion_ids).bincount(minlength=VOCABULARY)
    error = (counts / draws - probabilities).abs()
    assert (error <= 4.5 * (probabilities * (1 - probabilities) / draws).sqrt() + 1e-3).all()


@pytest.mark.parametrize("limit", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}])
def test_what_the_config_cuts_off_is_not_drawn(limit: dict[str, float]) -> None:
    model = tiny("qwen2_5_vl")
    greedy = rollout(model, prompts("qwen2_5_vl"), config=config(sample=False))
    cut = rollout(model, prompts("qwen2_5_vl"), config=config(sample=True, **limit), seeds=seeds(3))
    assert [c.tolist() for c in cut.completion_ids] == [c.tolist() for c in greedy.completion_ids]


def test_too_few_seeds_are_an_error() -> None:
    with pytest.raises(ValueError, match="6 completions to sample, 5 seeds"):
        rollout(
            tiny("qwen2_5_vl"), prompts("qwen2_5_vl"), config=config(sample=True), num_generations=2, seeds=seeds(5)
        )
