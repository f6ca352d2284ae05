"""Prompts for the Qwen-VL families: frame times arrive as numbers, and the positions follow from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from videor2.models import tiny
from videor2.models.prompt import encode, messages
from videor2.sample import Sample
from videor2.video.clip import Clip

SAMPLE = Sample(id="1", question="Which?", video="v.mp4")


def clip(fps: float, frames: int = 8) -> Clip:
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 32, 32, 3), dtype=np.uint8)
    return Clip(pixels, np.arange(frames) / fps, frames / fps, fps, 30.0, Path("noise.mp4"))


@pytest.fixture(scope="module")
def qwen2_5(untrained: Path):
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    size = {"patch_size": 8, "size": {"shortest_edge": 1024, "longest_edge": 1024 * 128}}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**size),
        chat_template=tiny.CHAT_TEMPLATE,
    )
    token = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
            "window_size": 32,
            "tokens_per_second": 2,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    torch.manual_seed(0)
    return Qwen2_5_VLForConditionalGeneration(config).eval(), processor


@pytest.mark.parametrize(("fps", "steps"), [(2.0, [0, 2, 4, 6]), (4.0, [0, 1, 2, 3]), (1.6, [0, 2, 5, 7])])
def test_qwen2_5_positions_advance_by_two_a_second_of_true_time(qwen2_5, fps: float, steps: list[int]) -> None:
    model, processor = qwen2_5
    batch = encode(processor, [messages(SAMPLE)], [clip(fps)])
    assert batch["second_per_grid_ts"] == pytest.approx([2 / fps])
    positions, _ = model.model.get_rope_index(
        batch["input_ids"],
        video_grid_thw=batch["video_grid_thw"],
        second_per_grid_ts=torch.as_tensor(batch["second_per_grid_ts"]),
        attention_mask=batch["attention_mask"],
        mm_token_type_ids=batch["mm_token_type_ids"],
    )
    temporal = positions[0, 0][batch["mm_token_type_ids"][0] == 2]
    assert (temporal - temporal[0]).unique().tolist() == steps


def test_qwen2_5_sees_frames_and_their_rate(qwen2_5) -> None:
    model, processor = qwen2_5
    with torch.inference_mode():
        slow, fast = (model(**encode(processor, [messages(SAMPLE)], [clip(fps)])).logits[0, -1] for fps in (1.0, 4.0))
    assert (slow - fast).abs().max() > 1e-6
