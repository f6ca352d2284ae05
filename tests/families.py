"""Tiny random models of the Qwen-VL families, and prompts with random clips for them."""

import torch
from transformers import (
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from videor2.models.prompt import EncodedPrompt

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
VOCABULARY = 96
EOS, IMAGE, VIDEO, VISION_START, VISION_END = range(5)
PATCH = 4


def tiny(family: str, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A random model of some 30,000 parameters: three text layers with grouped heads, two vision blocks."""
    torch.manual_seed(seed)
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "bos_token_id": EOS,
        "eos_token_id": EOS,
        "pad_token_id": EOS,
    }
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    tokens = {
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": VISION_START,
        "vision_end_token_id": VISION_END,
    }
    vision = {"depth": 2, "patch_size": PATCH, "temporal_patch_size": 2, "spatial_merge_size": 2, "num_heads": 2}
    if family == "qwen2_vl":
        config = Qwen2VLConfig(
            text_config=text | {"rope_parameters": rope},
            vision_config=vision | {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2},
            **tokens,
        )
        model = Qwen2VLForConditionalGeneration(config)
    elif family == "qwen2_5_vl":
        shape = {"hidden_size": 16, "intermediate_size": 24, "out_hidden_size": 32, "tokens_per_second": 2}
        config = Qwen2_5_VLConfig(
            text_config=text | {"rope_parameters": rope},
            vision_config=vision | shape | {"fullatt_block_indexes": [1], "window_size": 4 * PATCH},
            **tokens,
        )
        model = Qwen2_5_VLForConditionalGeneration(config)
    else:
        shape = {"hidden_size": 16, "intermediate_size": 24, "out_hidden_size": 32, "num_position_embeddings": 64}
        config = Qwen3VLConfig(
            text_config=text | {"rope_parameters": rope | {"mrope_interleaved": True}},
            vision_config=vision | shape | {"deepstack_visual_indexes": [0, 1]},
            tie_word_embeddings=True,
            **tokens,
        )
        model = Qwen3VLForConditionalGeneration(config)
    return model.to(dtype).eval()


def prompt(
    family: str,
    *,
    seed: int = 0,
    text: int = 5,
    grid: tuple[int, int, int] = (3, 4, 4),
    dtype: torch.dtype = torch.float32,
) -> EncodedPrompt:
    """A prompt of one random clip of `grid` patches (time, height, width) between random words."""
    generator = torch.Generator().manual_seed(seed)
    frames, height, width = grid
    words = torch.randint(5, VOCABULARY, (text + 2,), generator=generator).tolist()
    per_frame = [VIDEO] * (height * width // 4)
    if family == "qwen3_vl":  # a time before each frame, and each frame between markers of its own
        visual = [t for i in range(frames) for t in (10 + i, VISION_START, *per_frame, VISION_END)]
    else:
        visual = [VISION_START, *per_frame * frames, VISION_END]
    pixels = torch.randn(frames * height * width, 3 * 2 * PATCH * PATCH, generator=generator).to(dtype)
    video = {"pixel_values_videos": pixels, "video_grid_thw": torch.tensor([grid])}
    if family == "qwen2_5_vl":
        video["second_per_grid_ts"] = torch.tensor([0.75 + seed])
    return EncodedPrompt(torch.tensor(words[:2] + visual + words[2:]), video)


def words(count: int, *, seed: int) -> torch.Tensor:
    """`count` random tokens of text."""
    return torch.randint(5, VOCABULARY, (count,), generator=torch.Generator().manual_seed(seed))
