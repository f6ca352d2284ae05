"""Questions that share a computed video are answered as if each had been asked by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
)

from families import EOS, FAMILIES, VIDEO, prompt, tiny, words
from videor2.data import read_examples
from videor2.models.generate import rollout
from videor2.models.load import load_model
from videor2.models.prompt import EncodedPrompt, encode, encode_prompt, messages, turn
from videor2.models.seeds import completion_seed
from videor2.models.shared_prefix import prompt_position_ids
from videor2.models.tiny import CHAT_TEMPLATE, build_processor, build_tokenizer
from videor2.models.video_prefix import complete, encode_shared, read_prefixes
from videor2.video.clip import Clip
from videor2.video.store import ClipStore, VideoConfig

LENGTH = 12
QUESTIONS = ((0, 9), (0, 5), (0, 14), (1, 5), (2, 7), (2, 1))
"""Which video, and how many tokens behind what the questions about it share."""


def config(*, sample: bool = False, length: int = LENGTH, **fields) -> GenerationConfig:
    return GenerationConfig(do_sample=sample, max_new_tokens=length, pad_token_id=EOS, eos_token_id=EOS, **fields)


def prefixes(family: str) -> list[EncodedPrompt]:
    """Of different lengths, with clips of different sizes."""
    return [prompt(family, seed=i, text=12 + 2 * i, grid=(2 + i, 4, 4)) for i in range(3)]


def suffixes() -> list[torch.Tensor]:
    return [words(length, seed=row) for row, (_, length) in enumerate(QUESTIONS)]


def whole_prompts(family: str) -> list[EncodedPrompt]:
    shared = prefixes(family)
    return [
        EncodedPrompt(torch.cat([shared[place].input_ids, suffix]), shared[place].video)
        for (place, _), suffix in zip(QUESTIONS, suffixes(), strict=True)
    ]


@dataclass
class Logits:
    """Those of each step's last token (B, V), as the model's head gives them."""

    model: PreTrainedModel
    steps: list[torch.Tensor] = field(default_factory=list)

    def __enter__(self) -> "Logits":
        self._hook = self.model.lm_head.register_forward_hook(lambda _m, _i, out: self.steps.append(out[:, -1].clone()))
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


def one_by_one(model: PreTrainedModel, one: EncodedPrompt, **fields) -> tuple[list[int], torch.Tensor]:
    """What transformers' own `generate` writes on a prompt alone, and its logits (C, V)."""
    ids = one.input_ids[None]
    with Logits(model) as logits:
        output = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == VIDEO).long() * 2,
            generation_config=config(**fields),
            **one.video,
        )
    return output[0, ids.shape[1] :].tolist(), torch.cat(logits.steps)


def shared(model: PreTrainedModel, family: str, **fields) -> tuple[list[list[int]], torch.Tensor]:
    """The completions of all questions, and their logits (C, B, V)."""
    computed = read_prefixes(model, prefixes(family))
    with Logits(model) as logits:
        found = complete(model, computed, [place for place, _ in QUESTIONS], suffixes(), config=config(**fields))
    return [row.tolist() for row in found], torch.stack(logits.steps)


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_and_logits_are_those_of_each_question_asked_alone(family: str, penalty: float) -> None:
    model = tiny(family)
    completions, logits = shared(model, family, repetition_penalty=penalty)
    for row, one in enumerate(whole_prompts(family)):
        expected, expected_logits = one_by_one(model, one, repetition_penalty=penalty)
        assert completions[row] == expected
        torch.testing.assert_close(logits[: len(expected), row], expected_logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_go_on_from_the_text_where_the_time_of_a_long_video_runs_ahead_of_it(family: str) -> None:
    """Teacher-forced: the logits of each written token are those of one pass over the whole sequence."""
    model = tiny(family)
    long = prompt(family, seed=3, text=4, grid=(9, 4, 4))
    suffix = words(3, seed=1)
    computed = read_prefixes(model, [long])
    with Logits(model) as logits:
        [found] = complete(model, computed, [0], [suffix], config=config())
    positions = prompt_position_ids(model, long)
    behind = torch.cat([suffix, found])
    with torch.no_grad():
        expected = model(
            input_ids=torch.cat([long.input_ids, behind])[None],
            position_ids=torch.cat([positions, positions[:, -1:] + 1 + torch.arange(len(behind))], dim=1)[:, None],
            **long.video,
        ).logits[0, -len(found) - 1 : -1]
    torch.testing.assert_close(torch.cat(logits.steps), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_computed_prefix_can_be_kept_for_more_questions(family: str) -> None:
    model = tiny(family)
    expected, _ = shared(model, family)
    computed = read_prefixes(model, prefixes(family))
    kept = [prefix.clone() for prefix in computed]
    for rows in ([0, 3, 4], [1, 2, 5]):
        places, behind = [QUESTIONS[row][0] for row in rows], [suffixes()[row] for row in rows]
        found = complete(model, [prefix.clone() for prefix in kept], places, behind, config=config())
        assert [completion.tolist() for completion in found] == [expected[row] for row in rows]


def test_prompts_of_words_and_of_videos_go_together() -> None:
    model = tiny("qwen2_5_vl")
    text = EncodedPrompt(words(8, seed=9))
    computed = read_prefixes(model, [*prefixes("qwen2_5_vl"), EncodedPrompt(text.input_ids[:-1])])
    *_, found = complete(model, computed, [0, 3], [suffixes()[0], text.input_ids[-1:]], config=config())
    [expected] = rollout(model, [text], config=config()).completion_ids
    assert found.tolist() == expected.tolist()


def test_a_draw_is_the_one_of_the_question_alone() -> None:
    model = tiny("qwen2_5_vl")
    seeds = [completion_seed(7, row) for row in range(len(QUESTIONS))]
    settings = config(sample=True, temperature=0.8)
    found = complete(
        model,
        read_prefixes(model, prefixes("qwen2_5_vl")),
        [place for place, _ in QUESTIONS],
        suffixes(),
        config=settings,
        seeds=seeds,
    )
    alone = rollout(model, whole_prompts("qwen2_5_vl"), config=settings, seeds=seeds).completion_ids
    assert [row.tolist() for row in found] == [row.tolist() for row in alone]
    assert len({tuple(row.tolist()) for row in found}) == len(QUESTIONS)


def test_too_few_seeds_are_an_error() -> None:
    model = tiny("qwen2_5_vl")
    computed = read_prefixes(model, prefixes("qwen2_5_vl"))
    with pytest.raises(ValueError, match="2 completions to sample, 1 seeds"):
        complete(model, computed, [0, 1], suffixes()[:2], config=config(sample=True), seeds=[1])


VIDEO_CONFIG = VideoConfig(fps=2, max_frames=20, max_pixels=1024, timestamps=False)


def test_the_shipped_model_answers_questions_about_a_clip_as_if_each_had_been_asked_alone(world: Path) -> None:
    model, processor = load_model("tiny")
    samples = [example.sample for example in read_examples(world)][:3]
    assert len({sample.video for sample in samples}) == 1
    clip = ClipStore(VIDEO_CONFIG).get(str(samples[0].video))
    chats = [messages(sample) for sample in samples]
    ends = {"eos_token_id": processor.tokenizer.eos_token_id, "pad_token_id": processor.tokenizer.pad_token_id}
    settings = GenerationConfig(do_sample=False, max_new_tokens=60, **ends)
    prompts = encode_shared(processor, chats, clip)
    computed = read_prefixes(model, [prompts.prefix])
    with Logits(model) as logits:
        found = complete(model, computed, [0, 0, 0], prompts.suffixes, config=settings)
    for row, chat in enumerate(chats):
        batch = encode(processor, [chat], [clip])
        with Logits(model) as alone:
            output = model.generate(**batch, generation_config=settings)[0, batch["input_ids"].shape[1] :]
        assert found[row].tolist() == output.tolist()
        together = torch.stack(logits.steps)[: len(output), row]
        torch.testing.assert_close(together, torch.cat(alone.steps), atol=1e-5, rtol=1e-6)


def processor_of(family: str) -> Any:
    tokenizer = build_tokenizer(["Which of these is first?"])
    if family == "qwen3_vl":
        return build_processor(tokenizer)
    kind = {"qwen2_vl": Qwen2VLProcessor, "qwen2_5_vl": Qwen2_5_VLProcessor}[family]
    sizes = {"patch_size": 8, "size": {"shortest_edge": 1024, "longest_edge": 1024 * 128}}
    return kind(
        image_processor=Qwen2VLImageProcessor(**sizes),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes),
        chat_template=CHAT_TEMPLATE,
    )


QUESTIONS_IN_WORDS = (
    "Which is first?",
    "Which is first? A. red\nB. café",
    " ",
    "\n\nWhich of these?",
    "Which is first?",
)


@pytest.mark.parametrize("asked", [QUESTIONS_IN_WORDS, QUESTIONS_IN_WORDS[:1], QUESTIONS_IN_WORDS[::4]])
@pytest.mark.parametrize("family", FAMILIES)
def test_shared_prompts_are_those_that_the_processor_makes_of_each_chat(family: str, asked: Sequence[str]) -> None:
    processor = processor_of(family)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 64, 3), dtype=np.uint8)
    clip = Clip(pixels, np.arange(6) / 2, 3.0, 2.0, 8.0, Path("noise.mp4"))
    chats = [[turn(text, video="noise.mp4")] for text in asked]
    shared_prompts = encode_shared(processor, chats, clip)
    for chat, suffix in zip(chats, shared_prompts.suffixes, strict=True):
        one = encode_prompt(processor, chat, [clip])
        assert torch.cat([shared_prompts.prefix.input_ids, suffix]).tolist() == one.input_ids.tolist()
        assert len(suffix) >= 1
        for name, value in one.video.items():
            assert torch.equal(shared_prompts.prefix.video[name], value)


def test_chats_that_begin_otherwise_share_nothing() -> None:
    processor = processor_of("qwen3_vl")
    clip = Clip(np.zeros((4, 32, 32, 3), np.uint8), np.arange(4) / 2, 2.0, 2.0, 8.0, Path("noise.mp4"))
    chats = [[{"role": role, "content": turn("?", video="noise.mp4")["content"]}] for role in ("user", "system")]
    with pytest.raises(ValueError, match="do not begin alike"):
        encode_shared(processor, chats, clip)
