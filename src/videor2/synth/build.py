"""Write a split of the synthetic world: H.264 clips and a file of examples beside them.

Every clip has its own random stream, named by seed, split and number, so a clip comes out the same whatever else
is written, and in whatever order.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from videor2.data.examples import Example, write_examples
from videor2.errors import InputError
from videor2.sample import Sample
from videor2.synth import render
from videor2.synth.questions import FAMILIES, Family, Question, ask
from videor2.synth.reasoning import MIXES, MixName, clock, draw_manner, respond
from videor2.synth.world import DURATION_S, Split, World, draw_world
from videor2.video.write import write


@dataclass(frozen=True, slots=True)
class SynthConfig:
    """What to write: `clips` clips, `questions` questions about each, reasoning drawn from the mix.

    With `words`, events are given in words in the prompt and no clip is written: cheap rows that teach reasoning.
    """

    split: Split
    clips: int
    seed: int = 0
    questions: int = len(FAMILIES)
    mix: MixName | None = None
    families: tuple[Family, ...] = FAMILIES
    words: bool = False

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise InputError(f"clips: at least 1, not {self.clips}")
        if not 1 <= self.questions <= len(self.families):
            raise InputError(f"questions: 1 to {len(self.families)} a clip, one of a family, not {self.questions}")
        if self.mix is not None and self.mix not in MIXES:
            raise InputError(f"mix: one of {', '.join(MIXES)}, not {self.mix}")


def families(names: Sequence[str] | None) -> tuple[Family, ...]:
    """The families of questions by name, all of them for None; raises InputError for a name that is none."""
    unknown = [name for name in names or () if name not in FAMILIES]
    if unknown:
        raise InputError(f"family: one of {', '.join(FAMILIES)}, not {unknown[0]}")
    return tuple(family for family in FAMILIES if not names or family in names)


def build(config: SynthConfig, out: Path, *, name: str | None = None, workers: int | None = None) -> Path:
    """Write `out/{name}.jsonl` and, unless `words`, its clips in `out/{name}/`; gives the path of the file."""
    name = name or config.split
    folder = None if config.words else out / name
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.jsonl"
    write_examples(path, _examples(config, folder, workers or os.cpu_count() or 1))
    return path


def _examples(config: SynthConfig, folder: Path | None, workers: int) -> Iterator[Example]:
    numbers = range(config.clips)
    if folder is None or workers == 1:
        for number in numbers:
            yield from _clip(config, folder, number)
        return
    with ProcessPoolExecutor(workers) as pool:
        for examples in pool.map(_clip, repeat(config), repeat(folder), numbers, chunksize=16):
            yield from examples


def _clip(config: SynthConfig, folder: Path | None, number: int) -> list[Example]:
    rng = np.random.default_rng([config.seed, ("train", "test").index(config.split), int(config.words), number])
    world, questions = _draw(config, rng)
    video = None
    if folder is not None:
        path = folder / f"{number:05d}.mp4"
        write(path, render.frames(world, rng), fps=render.FPS)
        video = str(path)
    return [_example(config, world, q, f"{number:05d}-{q.family}", video, rng) for q in questions]


def _draw(config: SynthConfig, rng: np.random.Generator) -> tuple[World, Sequence[Question]]:
    """A world that offers enough questions, and those questions."""
    while True:
        world = draw_world(rng, split=config.split)
        asked = [ask(world, family, rng, split=config.split) for family in config.families]
        possible = [question for question in asked if question is not None]
        if len(possible) >= config.questions:
            chosen = sorted(rng.choice(len(possible), size=config.questions, replace=False).tolist())
            return world, [possible[i] for i in chosen]


def _example(
    config: SynthConfig,
    world: World,
    question: Question,
    name: str,
    video: str | None,
    rng: np.random.Generator,
) -> Example:
    manner = draw_manner(question.family, MIXES[config.mix], rng) if config.mix else None
    text = question.text if video else f"{_in_words(world)}\n{question.text}"
    sample = Sample(
        id=f"synth-{config.split}-{name}",
        question=text,
        options=question.options,
        answer=question.gold,
        kind=question.kind,
        video=video,
        duration_s=float(DURATION_S),
        events=world.events,
        benchmark="synth",
        task=question.family,
        meta={"manner": manner} if manner else {},
    )
    return Example(sample, respond(world, question, manner, rng) if manner else None)


def _in_words(world: World) -> str:
    return "Seen: " + "; ".join(f"{clock(h.at_s)} {h.sentence}" for h in world.happenings) + "."
