"""A step of GRPO on video: the prompt computed once per group, against once per completion.

The other side is what TRL's transformers path does with a prompt that it can encode: G copies of the prompt in the
rollout and in each log-prob pass. Both sides have the same model, prompt and completions; sides alternate, each after
a warm-up, and medians are compared. The model is a small random Qwen2.5-VL, so only ratios mean something.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)
from transformers.utils import logging as transformers_logging
from trl.trainer.utils import add_fused_lm_head

from videor2.models import tiny
from videor2.models.generate import rollout
from videor2.models.prompt import EncodedPrompt, join_videos
from videor2.models.shared_prefix import Group, pack, share_prefixes

P, C, G = 1215, 96, 8
GRID = (32, 12, 12)
PATCH = 14

Model = Qwen2_5_VLForConditionalGeneration


def build() -> tuple[Model, Qwen2_5_VLProcessor]:
    """The model and a processor that speaks its tokens."""
    tokenizer = tiny.build_tokenizer([])
    sizes = {"patch_size": PATCH}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**sizes),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes),
        chat_template=tiny.CHAT_TEMPLATE,
    )
    token = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 256,
            "intermediate_size": 704,
            "num_hidden_layers": 6,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 6, 6]},
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "patch_size": PATCH,
            "out_hidden_size": 256,
            "fullatt_block_indexes": [1, 3],
            "window_size": 112,
            "tokens_per_second": 2,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    torch.manual_seed(0)
    return Qwen2_5_VLForConditionalGeneration(config), processor


def group(model: Model) -> Group:
    """A prompt of P tokens with one clip, and G completions of C tokens."""
    config = model.config
    frames, height, width = GRID
    video = [config.vision_start_token_id, *[config.video_token_id] * (frames * height * width // 4)]
    video.append(config.vision_end_token_id)
    words = torch.randint(300, config.text_config.vocab_size - 8, (P - len(video),))
    prompt = EncodedPrompt(
        torch.cat([torch.tensor(video), words]),
        {
            "pixel_values_videos": torch.randn(frames * height * width, 3 * 2 * PATCH * PATCH),
            "video_grid_thw": torch.tensor([GRID]),
            "second_per_grid_ts": torch.tensor([1.0]),
        },
    )
    return Group(prompt, [torch.randint(300, config.text_config.vocab_size - 8, (C,)) for _ in range(G)])


def log_probs_of_copies(model: Model, one: Group) -> torch.Tensor:
    """(G, C), each completion behind a copy of its prompt."""
    ids = torch.stack([torch.cat([one.prompt.input_ids, completion]) for completion in one.completions])
    labels = ids.clone()
    labels[:, :-C] = -100
    output = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == model.config.video_token_id).long() * 2,
        labels=labels,
        fused_lm_head=True,
        **join_videos([one.prompt] * G),
    )
    return output.log_probs[:, -C:]


def log_probs_shared(model: Model, one: Group) -> torch.Tensor:
    """(G, C), all completions behind one prompt."""
    packed = pack(model, [one])
    output = model(**packed.inputs, shift_labels=packed.labels, fused_lm_head=True)
    return packed.unpack(output.log_probs, width=C)


def forward_backward(log_probs: Callable[[Model, Group], torch.Tensor], model: Model, one: Group) -> torch.Tensor:
    """One log-prob pass with gradients, as under advantages of either sign."""
    model.zero_grad()
    values = log_probs(model, one)
    (values.mean(1) * torch.linspace(-1, 1, G)).sum().backward()
    return values.detach()


def greatest_differences(model: Model, one: Group) -> tuple[float, float]:
    """Of log-probs, and of gradients relative to the greatest of their parameter."""
    theirs = forward_backward(log_probs_of_copies, model, one)
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    ours = forward_backward(log_probs_shared, model, one)
    relative = [
        ((parameter.grad - gradients[name]).abs().max() / gradients[name].abs().max()).item()
        for name, parameter in model.named_parameters()
        if gradients[name].abs().max() > 1e-6  # what is zero but for rounding has no relative error
    ]
    return (ours - theirs).abs().max().item(), max(relative)


def prefill_of_copies(model: Model, one: Group) -> None:
    """The first token of G completions, as `generate` makes it."""
    ids = one.prompt.input_ids.repeat(G, 1)
    model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == model.config.video_token_id).long() * 2,
        generation_config=sampling(model),
        **join_videos([one.prompt] * G),
    )


def prefill_shared(model: Model, one: Group) -> None:
    """The same, the prompt read once."""
    rollout(model, [one.prompt], config=sampling(model), num_generations=G, seeds=range(G))


def sampling(model: Model) -> GenerationConfig:
    ends = {
        "pad_token_id": model.config.text_config.pad_token_id,
        "eos_token_id": model.config.text_config.eos_token_id,
    }
    return GenerationConfig(do_sample=True, top_k=0, max_new_tokens=1, disable_compile=True, **ends)


def whole_step(share: bool, folder: str) -> Callable[[], None]:
    """A training step of the trainer itself: rollout of C tokens, reference, policy, backward, optimizer."""
    from datasets import Dataset
    from trl import GRPOConfig

    from videor2.train.prompts import LoadedPrompt, PromptLoader
    from videor2.train.video_grpo import VideoGRPOTrainer
    from videor2.video.store import ClipStore, VideoConfig

    model, processor = build()
    # TRL loads the reference from where the policy came from.
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder)
    loaded = LoadedPrompt(group(model).prompt)

    class OnePrompt(PromptLoader):
        """The same encoded prompt for every row: decoding is not what is timed."""

        def load(self, prompts: Any) -> list[LoadedPrompt]:
            return [loaded] * len(prompts)

    async def even_tokens(completion_ids: list[list[int]], **columns: Any) -> list[float]:
        return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]

    args = GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=G,
        num_generations=G,
        max_completion_length=C,
        generation_kwargs={"min_new_tokens": C},
        beta=0.04,
        bf16=False,
        use_cpu=True,
        report_to="none",
        remove_unused_columns=False,
        gradient_checkpointing=False,
    )
    clips = ClipStore(VideoConfig())
    rows = Dataset.from_list([{"prompt": [{"role": "user", "content": [{"type": "text", "text": "?"}]}]}] * 2)
    trainer = VideoGRPOTrainer(
        model, [even_tokens], args=args, processing_class=processor, clips=clips, train_dataset=rows, share_prefix=share
    )
    trainer._prompts = OnePrompt(processor, clips)
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1
    batch = [rows[0]] * G

    def step() -> None:
        trainer.model.train()
        trainer.training_step(trainer.model, batch, None)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()

    return step


def ratio(theirs: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> float:
    """Median seconds of the one by median seconds of the other, alternating.

    Each side runs twice in a row and the second run counts: the first one also asks the system again for the memory
    that the other side gave back, which a training does not do at every step.
    """
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(rounds):
        for name, side in (("theirs", theirs), ("ours", ours)):
            side()
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{medians['theirs']:.2f} s against {medians['ours']:.2f} s", file=sys.stderr)
    return medians["theirs"] / medians["ours"]


def peak_mb(side: str) -> float:
    """Memory that a forward and backward pass takes at its peak, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--peak", side], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def taken_by_a_pass(side: str) -> float:
    """What `peak_mb` asks its process for: the greatest resident memory of the pass over that before it (Linux)."""
    model, _ = build()
    add_fused_lm_head(model, outputs=("log_probs",))
    share_prefixes(model)
    one = group(model)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of what came before
    before = _status_mb("VmRSS")
    forward_backward({"ours": log_probs_shared, "theirs": log_probs_of_copies}[side], model, one)
    return _status_mb("VmHWM") - before


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers_logging.set_verbosity_error()
    if options.peak:
        print(taken_by_a_pass(options.peak))
        return
    rounds = 1 if options.quick else 5
    model, _ = build()
    add_fused_lm_head(model, outputs=("log_probs",))
    one = group(model)
    share_prefixes(model)
    log_prob_difference, gradient_difference = greatest_differences(model, one)
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        report = {
            "p": P,
            "c": C,
            "g": G,
            "ideal_ratio": round(G * (P + C) / (P + G * C), 2),
            "forward_backward_ratio": ratio(
                lambda: forward_backward(log_probs_of_copies, model, one),
                lambda: forward_backward(log_probs_shared, model, one),
                rounds,
            ),
            "prefill_ratio": ratio(
                lambda: prefill_of_copies(model, one), lambda: prefill_shared(model, one), max(rounds, 3)
            ),
            "step_ratio": ratio(whole_step(False, a), whole_step(True, b), min(rounds, 3)),
            "peak_memory_ratio": peak_mb("ours") / peak_mb("theirs"),
            "max_logprob_diff": log_prob_difference,
            "max_grad_rel_diff": gradient_difference,
        }
    print(
        json.dumps(
            {name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in report.items()}
        )
    )


if __name__ == "__main__":
    main()
