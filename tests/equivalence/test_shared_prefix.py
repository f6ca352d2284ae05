"""One packed row per group gives what G copies of the prompt give: log-probs, loss and every gradient."""

from collections.abc import Callable, Sequence

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from families import FAMILIES, IMAGE, VIDEO, prompt, tiny, words
from videor2.errors import InputError
from videor2.models.load import without_adapters
from videor2.models.prompt import EncodedPrompt, join_videos
from videor2.models.shared_prefix import Group, pack, share_prefixes

TOLERANCE = {torch.float64: (1e-9, 1e-9), torch.float32: (1e-5, 1e-4)}
"""Of log-probs, and of gradients relative to the greatest of their parameter."""


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Double precision throughout: models do norms and rotary embeddings in float32 whatever their dtype."""
    monkeypatch.setattr(torch, "float32", torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    return torch.float64


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return torch.float32 if request.param == "float32" else request.getfixturevalue("float64")


def groups(family: str, shapes: Sequence[Sequence[int]], dtype: torch.dtype) -> list[Group]:
    """A group per entry, with completions of the lengths given; prompts differ in length and in their clip's size."""
    return [
        Group(
            prompt(family, seed=i, text=4 + 3 * i, grid=(2 + i, 4, 4 + 4 * (i % 2)), dtype=dtype),
            [words(length, seed=100 * i + j) for j, length in enumerate(lengths)],
        )
        for i, lengths in enumerate(shapes)
    ]


def chosen(logits: Tensor, tokens: Tensor) -> Tensor:
    return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


def by_copies(model: nn.Module, all_groups: Sequence[Group]) -> list[Tensor]:
    """Each completion with a copy of its prompt, alone in a stock forward pass."""
    log_probs = []
    for group in all_groups:
        for completion in group.completions:
            ids = torch.cat([group.prompt.input_ids, completion])[None]
            logits = model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                mm_token_type_ids=(ids == VIDEO).long() * 2 + (ids == IMAGE).long(),
                use_cache=False,
                **group.prompt.video,
            ).logits[0]
            log_probs.append(chosen(logits[len(group.prompt.input_ids) - 1 : -1], completion))
    return log_probs


def shared(model: nn.Module, all_groups: Sequence[Group]) -> list[Tensor]:
    packed = pack(model, all_groups)
    values = chosen(model(**packed.inputs).logits, packed.labels.clamp(min=0))
    rows = packed.unpack(values, width=max(packed.lengths))
    return [row[:length] for row, length in zip(rows, packed.lengths, strict=True)]


def loss_of(log_probs: Sequence[Tensor]) -> Tensor:
    """Something to differentiate in which every completion weighs otherwise, as under advantages."""
    return torch.stack([(i + 1) * (-1) ** i * row.mean() for i, row in enumerate(log_probs)]).sum()


def results(
    model: nn.Module, way: Callable[[nn.Module, Sequence[Group]], list[Tensor]], all_groups: Sequence[Group]
) -> tuple[list[Tensor], Tensor, dict[str, Tensor]]:
    model.zero_grad()
    log_probs = way(model, all_groups)
    loss = loss_of(log_probs)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return [row.detach() for row in log_probs], loss.detach(), gradients


def assert_equal(model: nn.Module, all_groups: Sequence[Group], dtype: torch.dtype) -> None:
    share_prefixes(without_adapters(model))
    atol, gradient_rtol = TOLERANCE[dtype]
    expected, expected_loss, expected_gradients = results(model, by_copies, all_groups)
    found, loss, gradients = results(model, shared, all_groups)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=atol, rtol=0)
    torch.testing.assert_close(loss, expected_loss, atol=10 * atol, rtol=atol)
    assert gradients.keys() == expected_gradients.keys()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert gradients.keys() == trained
    scale = max(g.abs().max() for g in expected_gradients.values())
    for name, gradient in expected_gradients.items():
        error = (gradients[name] - gradient).abs().max()
        assert error <= gradient_rtol * max(gradient.abs().max(), 1e-3 * scale), name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lengths", [[7], [5, 5, 5], [3, 9, 1, 6, 2, 8, 4, 7]], ids=["one", "even", "eight-ragged"])
def test_a_group_in_one_row_is_worth_its_copies(family: str, lengths: list[int], dtype: torch.dtype) -> None:
    assert_equal(tiny(family, dtype=dtype), groups(family, [lengths], dtype), dtype)


@pytest.mark.parametrize("family", FAMILIES)
def test_several_groups_share_a_row(family: str, float64: torch.dtype) -> None:
    assert_equal(tiny(family, dtype=float64), groups(family, [[3, 5], [4, 4, 4], [1]], float64), float64)


def test_prompts_with_and_without_a_clip_share_a_row(float64: torch.dtype) -> None:
    video = groups("qwen2_5_vl", [[3, 5]], float64)
    text = Group(EncodedPrompt(words(6, seed=1)), [words(4, seed=2), words(2, seed=3)])
    assert_equal(tiny("qwen2_5_vl", dtype=float64), [text, *video, text], float64)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_lora(family: str, float64: torch.dtype) -> None:
    model = get_peft_model(tiny(family, dtype=float64), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, so that nothing would be learnt about A
            nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
    model = model.double().eval()
    assert_equal(model, groups(family, [[3, 5], [4]], float64), float64)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_the_vision_tower_frozen(family: str, float64: torch.dtype) -> None:
    model = tiny(family, dtype=float64)
    model.model.visual.requires_grad_(False)
    assert_equal(model, groups(family, [[3, 5], [4]], float64), float64)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_with_gradient_checkpointing_the_prefix_is_still_shared(
    family: str, reentrant: bool, float64: torch.dtype
) -> None:
    model = tiny(family, dtype=float64)
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    assert_equal(model, groups(family, [[3, 5], [4]], float64), float64)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vision_tower_and_the_prompt_run_once_per_group(family: str) -> None:
    model = tiny(family)
    share_prefixes(model)
    seen: dict[str, list[int]] = {"patches": [], "tokens": [], "scored": []}
    model.model.visual.register_forward_pre_hook(lambda _, args: seen["patches"].append(len(args[0])))
    model.model.language_model.layers[0].register_forward_pre_hook(
        lambda _, args: seen["tokens"].append(args[0].shape[1])
    )
    model.lm_head.register_forward_pre_hook(lambda _, args: seen["scored"].append(args[0].shape[1]))
    all_groups = groups(family, [[6, 2, 3], [5, 5]], torch.float32)
    shared(model, all_groups)
    prompts = [len(group.prompt.input_ids) for group in all_groups]
    assert seen["patches"] == [len(join_videos([group.prompt for group in all_groups])["pixel_values_videos"])]
    assert seen["tokens"] == [sum(prompts) - len(prompts) + 6 + 2 + 3 + 5 + 5]
    assert seen["scored"] == [6 + 2 + 3 + 5 + 5]


def test_a_completion_without_tokens_is_scored_nowhere() -> None:
    model = tiny("qwen2_5_vl")
    share_prefixes(model)
    group = groups("qwen2_5_vl", [[3, 4]], torch.float32)[0]
    with_empty = Group(group.prompt, [group.completions[0], words(0, seed=0), group.completions[1]])
    packed = pack(model, [with_empty])
    rows = packed.unpack(chosen(model(**packed.inputs).logits, packed.labels.clamp(min=0)), width=4)
    assert packed.lengths == (3, 0, 4)
    assert rows[1].tolist() == [0, 0, 0, 0]
    torch.testing.assert_close([rows[0, :3], rows[2]], shared(model, [group]))


def test_a_prepared_model_is_still_itself() -> None:
    plain, prepared = tiny("qwen3_vl"), tiny("qwen3_vl")
    share_prefixes(prepared)
    share_prefixes(prepared)
    group = groups("qwen3_vl", [[4, 4]], torch.float32)
    torch.testing.assert_close(by_copies(prepared, group), by_copies(plain, group), atol=0, rtol=0)


def test_a_model_of_another_kind_is_refused() -> None:
    config = Qwen2Config(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(InputError, match="Qwen2ForCausalLM: shared prefixes are for Qwen-VL models; set share_prefix"):
        share_prefixes(Qwen2ForCausalLM(config))


def test_a_model_with_sliding_attention_is_refused() -> None:
    model = tiny("qwen2_5_vl")
    model.config.text_config.layer_types = ["full_attention", "sliding_attention", "full_attention"]
    with pytest.raises(InputError, match="full attention in every layer"):
        share_prefixes(model)
