"""Answering questions about clips: how much of the time the model computes, and what a shared video saves.

**Busy share.** The tiny model answers one question about each of many synthetic clips, which lie on disk as H.264
files: the hardest case, as no clip is used twice. `busy_share` is the part of wall-clock time in which the model
computes and does not wait for its next batch. Reading a clip, resizing its frames and making model inputs of them
count as waiting unless they are done by the time they are needed, and so does the start, when nothing is read yet.
Both sides run in one process, alternating, after a warm-up: clips read ahead by threads, and clips read when the model
asks for them.

On a machine without an accelerator the threads that read compete with the model for the cores, and a model that is
slowed down looks busy. So the model gets one thread (`--threads`), as it would have a GPU of its own, and the other
core is left to reading; and `undisturbed_share` tells what the competition costs: the time the model needs when
nothing else runs (its computing time on the side without prefetching) as a part of the wall-clock time with
prefetching. It is the stricter of the two, and means something on a machine that is otherwise idle.

**Shared video.** Q questions about one clip of some 1,200 tokens: transformers' `generate` on a padded batch of Q whole
prompts, against the same batch behind one computed prefix. `one_by_one` is `generate` on one prompt at a time.
`shared_prefix_speedup_Q` is for responses of C = 64 tokens, `first_token_speedup_Q` for the first token alone: what
longer videos and larger models approach. Inputs are encoded beforehand on all sides.
"""

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig
from transformers.utils import logging as transformers_logging

from videor2.data import read_examples
from videor2.models.backend import Decoding, Question
from videor2.models.load import TINY_VIDEO
from videor2.models.local import LocalBackend
from videor2.models.prompt import encode, question_text, turn
from videor2.models.video_prefix import complete, encode_shared, read_prefixes
from videor2.synth.build import SynthConfig, build
from videor2.video.clip import Clip

C = 64
FRAMES, SIDE = 128, 64
"""Of the clip in memory: with patches of 8 merged 2 by 2 and a time for each pair of frames, 1,216 tokens."""


def questions_about(clips: int, folder: Path) -> list[Question]:
    """One about each of some clips that are written for it."""
    path = build(SynthConfig("test", clips, seed=1, questions=1), folder)
    samples = [example.sample for example in read_examples(path)]
    return [Question(sample, question_text(sample)) for sample in samples]


def timed(backend: LocalBackend, questions: list[Question]) -> tuple[float, float]:
    """Seconds in all, and seconds that the model waited."""
    backend.waited_s = 0.0
    started = time.perf_counter()
    answered = dict(backend.answer(questions))
    seconds = time.perf_counter() - started
    failed = [answer.error for answer in answered.values() if answer.error]
    if failed:
        raise RuntimeError(f"{len(failed)} questions were not answered, the first because of: {failed[0]}")
    return seconds, backend.waited_s


def busy(clips: int, rounds: int, batch_size: int) -> dict[str, float]:
    """The shares of time in which the model computes, with prefetching and without."""
    decoding = Decoding(max_new_tokens=128)
    sides = {
        workers: LocalBackend("tiny", video=TINY_VIDEO, decoding=decoding, batch_size=batch_size, workers=workers)
        for workers in (0, 1)
    }
    runs: dict[int, list[tuple[float, float]]] = {workers: [] for workers in sides}
    with tempfile.TemporaryDirectory() as folder:
        questions = questions_about(clips, Path(folder))
        for backend in sides.values():
            timed(backend, questions[: 2 * batch_size])
        for _ in range(rounds):
            for workers, backend in sides.items():
                runs[workers].append(timed(backend, questions))

    def median(workers: int, what: Callable[[float, float], float]) -> float:
        return statistics.median(what(seconds, waited) for seconds, waited in runs[workers])

    seconds = median(1, lambda seconds, _: seconds)
    return {
        "busy_share": median(1, lambda seconds, waited: 1 - waited / seconds),
        "busy_share_without_prefetch": median(0, lambda seconds, waited: 1 - waited / seconds),
        "undisturbed_share": median(0, lambda seconds, waited: seconds - waited) / seconds,
        "questions_per_s": len(questions) / seconds,
        "questions_per_s_without_prefetch": len(questions) / median(0, lambda seconds, _: seconds),
    }


class SharedVideo:
    """Q questions about one clip, encoded for each way to answer them."""

    def __init__(self, backend: LocalBackend, count: int) -> None:
        self.model = backend.model
        processor = backend.processor
        processor.video_processor.size = {"shortest_edge": SIDE**2, "longest_edge": SIDE**2 * FRAMES}
        pixels = np.random.default_rng(0).integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
        clip = Clip(pixels, np.arange(FRAMES) / 2, FRAMES / 2, 2.0, 2.0, Path("noise.mp4"))
        texts = [f"Which object appears after {n} seconds?" + " And then?" * (n % 4) for n in range(count)]
        chats = [[turn(text, video="noise.mp4")] for text in texts]
        self.batch = encode(processor, chats, [clip] * count)
        self.alone = [encode(processor, [chat], [clip]) for chat in chats]
        self.shared = encode_shared(processor, chats, clip)
        ends = {"eos_token_id": processor.tokenizer.eos_token_id, "pad_token_id": processor.tokenizer.pad_token_id}
        self._ends = ends

    def config(self, length: int) -> GenerationConfig:
        return GenerationConfig(do_sample=False, max_new_tokens=length, min_new_tokens=length, **self._ends)

    def by_batch(self, length: int) -> list[list[int]]:
        output = self.model.generate(**self.batch, generation_config=self.config(length))
        return [row.tolist() for row in output[:, self.batch["input_ids"].shape[1] :]]

    def one_by_one(self, length: int) -> list[list[int]]:
        rows = [self.model.generate(**one, generation_config=self.config(length)) for one in self.alone]
        return [row[0, one["input_ids"].shape[1] :].tolist() for row, one in zip(rows, self.alone, strict=True)]

    def behind_one_prefix(self, length: int) -> list[list[int]]:
        prefixes = read_prefixes(self.model, [self.shared.prefix])
        suffixes = self.shared.suffixes
        found = complete(self.model, prefixes, [0] * len(suffixes), suffixes, config=self.config(length))
        return [row.tolist() for row in found]


def speedups(backend: LocalBackend, count: int, rounds: int) -> dict[str, Any]:
    """How many times as fast Q questions are answered behind one computed video."""
    video = SharedVideo(backend, count)
    report: dict[str, Any] = {"prefix_tokens": len(video.shared.prefix.input_ids)}
    for name, length in (("shared_prefix_speedup", C), ("first_token_speedup", 1)):
        sides = (video.by_batch, video.one_by_one, video.behind_one_prefix)
        answers = [side(length) for side in sides]
        seconds: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            for side, taken in zip(sides, seconds, strict=True):
                started = time.perf_counter()
                side(length)
                taken.append(time.perf_counter() - started)
        batch, single, ours = (statistics.median(taken) for taken in seconds)
        print(f"{count} x {length}: {batch:.2f} s, one by one {single:.2f} s, ours {ours:.2f} s", file=sys.stderr)
        report[f"{name}_{count}"] = batch / ours
        report[f"{name}_{count}_one_by_one"] = single / ours
        report[f"same_tokens_{count}"] = report.get(f"same_tokens_{count}", True) and answers[1] == answers[2]
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer clips and rounds")
    parser.add_argument("--threads", type=int, default=1, help="the model's")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.basicConfig(level=logging.WARNING)
    clips, rounds = (64, 1) if options.quick else (128, 3)
    report: dict[str, Any] = {
        "clips": clips,
        "threads": options.threads,
        "batch_size": options.batch_size,
        **busy(clips, rounds, options.batch_size),
    }
    for count in (3, 8):
        report |= speedups(LocalBackend("tiny", video=TINY_VIDEO, decoding=Decoding()), count, rounds)
    report["shared_prefix_speedup"] = report["shared_prefix_speedup_8"]
    print(json.dumps({k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in report.items()}))


if __name__ == "__main__":
    main()
