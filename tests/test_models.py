"""The tiny model, and how samples and clips become what a model reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models.generate import generate, vision_token_ids
from videor2.models.load import load_model
from videor2.models.prompt import encode, messages
from videor2.sample import Sample
from videor2.video.clip import Clip
from videor2.video.store import ClipStore, VideoConfig

VIDEO = VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False)


@pytest.fixture(scope="module")
def tiny(untrained: Path):
    return load_model(str(untrained))


def clip(frames: int = 4, seed: int = 0) -> Clip:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 32, 32, 3), dtype=np.uint8)
    return Clip(pixels, np.arange(frames) / 2, frames / 2, 2.0, 8.0, Path("noise.mp4"))


@pytest.mark.parametrize("text", [" 00:07", " the white circle", " the top left", "<3.2 seconds>", " 11", "<think>"])
def test_times_objects_and_places_are_one_token(tiny, text: str) -> None:
    assert len(tiny[1].tokenizer(text)["input_ids"]) == 1


@pytest.mark.parametrize("text", ["At 00:03 a café zürich 視頻 appears\n\tnow.", "T-shirt, 12:75? <b>x</b>"])
def test_any_text_is_read_and_written_back(tiny, text: str) -> None:
    tokenizer = tiny[1].tokenizer
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_model_is_a_qwen3_vl_of_a_few_million_parameters(tiny) -> None:
    model, processor = tiny
    assert type(model).__name__ == "Qwen3VLForConditionalGeneration"
    assert type(processor).__name__ == "Qwen3VLProcessor"
    assert 2e6 < sum(p.numel() for p in model.parameters()) < 4e6


def test_the_seed_decides_the_weights() -> None:
    one, two, other = (load_model("tiny-untrained", corpus=["a b"], seed=s)[0] for s in (1, 1, 2))
    name = "model.visual.patch_embed.proj.weight"
    assert torch.equal(one.state_dict()[name], two.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])


def test_the_prompt_names_each_pair_of_frames_by_its_time(tiny) -> None:
    processor = tiny[1]
    sample = Sample(id="1", question="Which?", options=("a", "b"), video="v.mp4")
    uneven = replace(clip(4), timestamps_s=np.array([0.0, 1.0, 3.5, 3.9]))
    batch = encode(processor, [messages(sample)], [uneven])
    text = processor.tokenizer.decode(batch["input_ids"][0])
    assert "<0.5 seconds>" in text
    assert "<3.7 seconds>" in text
    assert text.endswith("Which?\nA. a\nB. b<|im_end|>\n<|im_start|>assistant\n")
    assert (batch["mm_token_type_ids"] == 2).sum() == 2 * 4


def test_a_padded_batch_gives_the_same_logits_as_each_row_alone(tiny) -> None:
    model, processor = tiny
    short = Sample(id="1", question="Which?", video="v.mp4")
    long = Sample(id="2", question="Which of these objects appears first in the clip?", video="v.mp4")
    clips = [clip(4, 1), clip(8, 2)]
    with torch.inference_mode():
        both = model(**encode(processor, [messages(short), messages(long)], clips)).logits[:, -1]
        for row, sample in enumerate((short, long)):
            alone = model(**encode(processor, [messages(sample)], [clips[row]])).logits[0, -1]
            torch.testing.assert_close(both[row], alone, atol=1e-4, rtol=1e-4)


def test_pixels_reach_the_logits(tiny) -> None:
    model, processor = tiny
    chat = [messages(Sample(id="1", question="Which?", video="v.mp4"))]
    with torch.inference_mode():
        one, other = (model(**encode(processor, chat, [clip(4, seed)])).logits[0, -1] for seed in (1, 2))
    assert (one - other).abs().max() > 1e-3


def test_greedy_answers_do_not_depend_on_their_neighbours_and_come_in_order(tiny, world: Path) -> None:
    model, processor = tiny
    clips = ClipStore(VIDEO)
    samples = [e.sample for e in read_examples(world)][:4]
    samples.insert(1, Sample(id="words", question="Which?"))
    together = generate(model, processor, samples, clips, max_new_tokens=6, batch_size=4)
    alone = [generate(model, processor, [s], clips, max_new_tokens=6)[0] for s in samples]
    assert together == alone


def test_a_question_without_video_is_answered_the_same_after_one_with(tiny, world: Path) -> None:
    model, processor = tiny
    clips = ClipStore(VIDEO)
    words = [Sample(id="words", question="Seen: 00:03 the red circle appears; 00:05 it vanishes.\nHow many?")]
    model.model.rope_deltas = None
    first = generate(model, processor, words, clips, max_new_tokens=12)
    generate(model, processor, [read_examples(world)[0].sample], clips, max_new_tokens=2)
    assert generate(model, processor, words, clips, max_new_tokens=12) == first


def test_sampling_is_decided_by_its_seed(tiny, world: Path) -> None:
    model, processor = tiny
    clips = ClipStore(VIDEO)
    samples = [read_examples(world)[0].sample]
    one, same, other = (
        generate(model, processor, samples, clips, temperature=1.0, seed=seed, max_new_tokens=8) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_tokens_that_stand_for_pixels_are_never_written(tiny, world: Path) -> None:
    model, processor = tiny
    banned = vision_token_ids(processor)
    assert {processor.tokenizer.decode([t]) for t in banned} == {
        "<|image_pad|>",
        "<|video_pad|>",
        "<|vision_start|>",
        "<|vision_end|>",
    }
    bias = torch.zeros(len(processor.tokenizer))
    bias[banned] = 50.0
    head = model.lm_head.register_forward_hook(lambda _m, _i, logits: logits + bias)
    try:
        sample = [read_examples(world)[0].sample]
        [text] = generate(model, processor, sample, ClipStore(VIDEO), max_new_tokens=5)
    finally:
        head.remove()
    assert "<|" not in text


def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_model("./nowhere")


def test_clips_are_read_once_and_memory_is_bounded(world: Path) -> None:
    videos = sorted({e.sample.video for e in read_examples(world)})
    store = ClipStore(VIDEO)
    assert store.get(videos[0]) is store.get(videos[0])
    size = store.get(videos[0]).frames.nbytes
    small = ClipStore(VIDEO.model_copy(update={"max_pixels": 128 * 128}), cache_mb=2)
    kept = [small.get(video) for video in videos]
    assert size == 20 * 32 * 32 * 3
    assert small.get(videos[-1]) is kept[-1]
    assert small.get(videos[0]) is not kept[0]
