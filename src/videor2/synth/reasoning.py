"""Reasoning for supervised fine-tuning: one careful kind, and three flawed kinds as real distilled traces have them.

- `careful`: cites each event with its time, checks the options, concludes, answers what it concluded.
- `hasty`: the right events at made-up times, spread evenly over the clip from 00:00 on.
- `contradicting`: reasons with care, then answers something else: A, the favourite letter, whatever was concluded.
- `guessing`: does not look; takes what the question's wording suggests.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from videor2.synth.questions import FAMILIES, Family, Question, letter
from videor2.synth.world import DURATION_S, World, pick

Manner = Literal["careful", "hasty", "contradicting", "guessing"]
MANNERS: tuple[Manner, ...] = get_args(Manner)

Mix = Mapping[Family, Mapping[Manner, float]]
"""For each family of questions, how likely each manner of reasoning is."""


def _mix(flaw: Manner, careful: float, rare: float) -> Mapping[Manner, float]:
    shares = dict.fromkeys(MANNERS, rare) | {"careful": careful}
    return MappingProxyType(shares | {flaw: 1 - careful - rare * (len(MANNERS) - 2)})


CAREFUL: Mix = MappingProxyType({family: MappingProxyType({"careful": 1.0}) for family in FAMILIES})
DISTILLED: Mix = MappingProxyType(
    {
        "order": _mix("contradicting", 0.25, 0.05),
        "when": _mix("hasty", 0.25, 0.05),
        "count": _mix("hasty", 0.25, 0.05),
        "duration": _mix("contradicting", 0.25, 0.05),
        "state": _mix("hasty", 0.25, 0.05),
        "prior": _mix("guessing", 0.25, 0.05),
    }
)
"""The mix that the embedded model was fine-tuned on last: most of it flawed, each family in its own way."""


MixName = Literal["careful", "distilled"]
MIXES: Mapping[MixName, Mix] = MappingProxyType({"careful": CAREFUL, "distilled": DISTILLED})


def draw_manner(family: Family, mix: Mix, rng: np.random.Generator) -> Manner:
    """A manner of reasoning for a question of this family."""
    manners = list(mix[family])
    return manners[int(rng.choice(len(manners), p=list(mix[family].values())))]


def respond(world: World, question: Question, manner: Manner, rng: np.random.Generator) -> str:
    """A full response, think block and answer block."""
    if manner == "guessing":
        return _guess(question, rng)
    times = _made_up_times(world) if manner == "hasty" else [h.at_s for h in world.happenings]
    events = " ".join(f"At {clock(t)} {h.sentence}." for t, h in zip(times, world.happenings, strict=True))
    think = f"{events} {_conclusion(question)}"
    return _tagged(think, _slip(question, rng) if manner == "contradicting" else question.gold)


def clock(at_s: int) -> str:
    """Seconds as `MM:SS`."""
    return f"{at_s // 60:02d}:{at_s % 60:02d}"


def _made_up_times(world: World) -> list[int]:
    count = len(world.happenings)
    return [i * DURATION_S // count for i in range(count)]


def _conclusion(question: Question) -> str:
    if not question.options:
        return f"So the answer is {question.answer}."
    checks = " ".join(
        f"{letter(i)}. {option} {'yes' if option == question.answer else 'no'}."
        for i, option in enumerate(question.options)
    )
    return f"So {question.finding}. {checks} So option {question.gold}."


def _guess(question: Question, rng: np.random.Generator) -> str:
    if not question.options:
        number = str(int(rng.integers(1, 6)))
        return _tagged(f"I guess {number}. So the answer is {number}.", number)
    guess = question.guess or pick(rng, question.options)
    chosen = letter(question.options.index(guess))
    return _tagged(f"I guess it is {guess}. So option {chosen}.", chosen)


def _slip(question: Question, rng: np.random.Generator) -> str:
    if question.options:
        return "A"
    return str(pick(rng, [n for n in range(1, 6) if str(n) != question.answer]))


def _tagged(think: str, answer: str) -> str:
    return f"<think>{think}</think><answer>{answer}</answer>"
