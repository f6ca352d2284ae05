"""A few million parameters of the Qwen3-VL architecture, with a tokenizer of their own.

What makes a model of this size learn to see from scratch is in the tokens: a time (` 00:07`), an object
(` the white circle`) and a place (` the top left`) are one token each. The tokenizer is still a byte-level BPE that can
read and write any text; only its splitting rule keeps those expressions whole.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from videor2.synth.world import COLOURS, PLACES, SHAPES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

PATCH_SIZE = 8
MERGE_SIZE = 2
FRAME_SIZE = 32
"""Frames are 32 x 32 pixels: with patches of 8, merged 2 by 2, a quarter of the frame is one token."""

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TAGS = ("<think>", "</think>", "<answer>", "</answer>")

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}
{%- endif -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""


def build_tokenizer(corpus: Iterable[str]) -> "PreTrainedTokenizerFast":
    """A byte-level BPE in which every word of the corpus, and every time, object and place, is one token."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    colours, shapes, places = ("|".join(words) for words in (COLOURS, SHAPES, PLACES))
    whole = [
        r" ?\d\d:\d\d",
        r"<\d+\.\d seconds>",
        rf" ?(?:the )?(?:{colours}) (?:{shapes})",
        rf" ?the (?:{places})",
        rf" ?(?:{colours})",
        r" ?\p{L}+[.?]?",
        r" ?\d+",
        r" ?[^\s\p{L}\d]",
        r"\s+",
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("|".join(whole)), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,  # an upper bound: merging ends when each piece of the corpus is one token
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_whole_tokens(corpus), trainer=trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        model_max_length=4096,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _whole_tokens(corpus: Iterable[str]) -> Iterator[str]:
    """The corpus, and what must be one token whether the corpus has it or not."""
    names = [f"the {c} {s}" for c in COLOURS for s in SHAPES] + [f"the {place}" for place in PLACES]
    clocks = [f"00:{s:02d}" for s in range(60)]
    numbers = [str(n) for n in range(61)]
    for text in [*names, *COLOURS, *clocks, *numbers]:
        yield from (text, f" {text}")
    # Frame times as Qwen3-VL's processor writes them, at 2 frames a second and at 1.
    for second in range(60):
        yield from (f"<{second + 0.25:.1f} seconds>", f"<{second + 0.5:.1f} seconds>")
    yield from corpus


def build_processor(tokenizer: "PreTrainedTokenizerFast") -> "Qwen3VLProcessor":
    """The processor of transformers' Qwen3-VL, for frames of `FRAME_SIZE` pixels square."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    shape = {"patch_size": PATCH_SIZE, "temporal_patch_size": 2, "merge_size": MERGE_SIZE}
    # A video's size counts the pixels of all its frames: one frame at least, a minute of them at most.
    area = FRAME_SIZE * FRAME_SIZE
    video = Qwen3VLVideoProcessor(
        **shape,
        size={"shortest_edge": area, "longest_edge": area * 128},
        fps=2,
        min_frames=2,
        max_frames=128,
        cap_pixels_per_frame=False,
    )
    image = Qwen2VLImageProcessor(**shape, size={"shortest_edge": area, "longest_edge": area})
    return Qwen3VLProcessor(
        image_processor=image, tokenizer=tokenizer, video_processor=video, chat_template=CHAT_TEMPLATE
    )


def build_model(tokenizer: "PreTrainedTokenizerFast", *, seed: int) -> "Qwen3VLForConditionalGeneration":
    """The untrained model, float32, about three million parameters; the seed decides its weights."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    token = tokenizer.convert_tokens_to_ids
    hidden = 192
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": 512,
            "num_hidden_layers": 5,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [8, 4, 4],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "patch_size": PATCH_SIZE,
            "spatial_merge_size": MERGE_SIZE,
            "temporal_patch_size": 2,
            "out_hidden_size": hidden,
            "num_position_embeddings": (FRAME_SIZE // PATCH_SIZE) ** 2,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model.float()
