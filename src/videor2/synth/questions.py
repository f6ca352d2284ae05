"""Questions about a world, in six families, with their true answers.

`prior` is the family with a trap: it names a scene, and in the train split the scene's usual colour nearly always
is the answer's (an ocean, something blue). In the test split it is any option's. Who does not look fails there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from videor2.sample import Kind
from videor2.synth.world import COLOURS, DURATION_S, SHAPES, Split, Thing, World, pick

Family = Literal["order", "when", "count", "duration", "state", "prior"]
FAMILIES: tuple[Family, ...] = get_args(Family)

SCENES = {
    "red": "sunset",
    "green": "forest",
    "blue": "ocean",
    "yellow": "desert",
    "white": "snow",
    "purple": "twilight",
}
PRIOR_HOLDS = 0.9
"""How often the scene of a `prior` question tells its answer in the train split; in the test split, at chance."""

N_OPTIONS = 4


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer, and the finding that leads from the events to the answer.

    `answer` is the option's text, or a number where there are no options. `guess` is the option that the wording
    alone suggests, if any.
    """

    family: Family
    text: str
    options: tuple[str, ...]
    answer: str
    finding: str
    guess: str | None = None

    @property
    def kind(self) -> Kind:
        """`choice` with options, else `number`."""
        return "choice" if self.options else "number"

    @property
    def gold(self) -> str:
        """The answer as it is written: the letter of the right option, or the number."""
        return letter(self.options.index(self.answer)) if self.options else self.answer


def letter(index: int) -> str:
    """The letter of an option, 0 is A."""
    return chr(ord("A") + index)


def ask(world: World, family: Family, rng: np.random.Generator, *, split: Split) -> Question | None:
    """A random question of a family about a world, or None where the world offers none."""
    return {
        "order": _order,
        "when": _when,
        "count": _count,
        "duration": _duration,
        "state": _state,
        "prior": _prior,
    }[family](world, rng, split)


def _appeared(world: World) -> list[Thing]:
    return [h.thing for h in world.happenings if h.action == "appears"]


def _order(world: World, rng: np.random.Generator, _split: Split) -> Question | None:
    appeared = _appeared(world)
    if len(appeared) < 2:
        return None
    which = pick(rng, ["first", "last", "next"])
    if which == "next":
        index = int(rng.integers(1, len(appeared)))
        text = f"Which object appears right after {appeared[index - 1].name}?"
        found = appeared[index]
    else:
        found = appeared[0 if which == "first" else -1]
        text = f"Which object appears {which}?"
    others = [t.name for t in appeared if t != found]
    return Question("order", text, _options(rng, found.name, others, _names()), found.name, f"it is {found.name}")


def _when(world: World, rng: np.random.Generator, _split: Split) -> Question:
    h = pick(rng, world.happenings)
    same = [other for other in world.happenings if (other.thing, other.action) == (h.thing, h.action)]
    verb = {"appears": "appear", "vanishes": "vanish", "moves": "move", "turns": f"turn {h.after.colour}"}[h.action]
    first = " first" if len(same) > 1 else ""  # a shape may move twice
    return Question("when", f"At which second does {h.thing.name} {verb}{first}?", (), str(same[0].at_s), "")


def _count(world: World, rng: np.random.Generator, _split: Split) -> Question:
    what = pick(rng, ["appear", "event"])
    if what == "appear":
        return Question("count", "How many objects appear?", (), str(len(_appeared(world))), "")
    return Question("count", "How many events happen?", (), str(len(world.happenings)), "")


def _duration(world: World, rng: np.random.Generator, _split: Split) -> Question:
    spans = {}
    for h in world.happenings:
        if h.action == "vanishes":
            born = [b for b in world.happenings if b.action == "appears" and b.thing == h.thing]
            if born:
                spans[h.thing.name] = h.at_s - born[0].at_s
    if spans and rng.random() < 0.5:
        name = pick(rng, sorted(spans))
        text, seconds = f"How long is {name} visible?", spans[name]
    else:
        text = "How long is it from the first event to the last?"
        seconds = world.happenings[-1].at_s - world.happenings[0].at_s
    near = [_seconds(s) for s in range(max(1, seconds - 3), min(DURATION_S, seconds + 4)) if s != seconds]
    answer = _seconds(seconds)
    return Question("duration", text, _options(rng, answer, [], near), answer, f"it is {answer}")


def _state(world: World, rng: np.random.Generator, _split: Split) -> Question:
    at_s = int(rng.integers(1, DURATION_S))
    seen = list(world.visible(at_s).values())
    clock = f"00:{at_s:02d}"
    alone = [t for t in seen if sum(other.shape == t.shape for other in seen) == 1]
    if not alone or rng.random() < 0.3:
        return Question("state", f"How many objects are visible at {clock}?", (), str(len(seen)), "")
    thing = pick(rng, alone)
    text = f"What colour is the {thing.shape} at {clock}?"
    options = _options(rng, thing.colour, [], COLOURS)
    return Question("state", text, options, thing.colour, f"it is {thing.colour}")


def _prior(world: World, rng: np.random.Generator, split: Split) -> Question | None:
    appeared = _appeared(world)
    which = pick(rng, ["first", "last"])
    found = appeared[0 if which == "first" else -1]
    colours = [found.colour, *rng.permutation([c for c in COLOURS if c != found.colour])[: N_OPTIONS - 1]]
    names = [found.name] + [_coloured(rng, str(c), appeared) for c in colours[1:]]
    holds = rng.random() < (PRIOR_HOLDS if split == "train" else 1 / N_OPTIONS)
    guess = 0 if holds else int(rng.integers(1, N_OPTIONS))
    text = f"In this {SCENES[str(colours[guess])]} scene, which object appears {which}?"
    options = tuple(str(name) for name in rng.permutation(names))
    return Question("prior", text, options, found.name, f"it is {found.name}", guess=names[guess])


def _coloured(rng: np.random.Generator, colour: str, appeared: Sequence[Thing]) -> str:
    """A shape of this colour, one of the clip if there is one: the tempting wrong option."""
    here = [t.name for t in appeared if t.colour == colour]
    return here[0] if here else Thing(colour, pick(rng, SHAPES)).name


def _options(rng: np.random.Generator, answer: str, tempting: Sequence[str], rest: Sequence[str]) -> tuple[str, ...]:
    """Shuffled options: the answer, up to two tempting wrong ones, and others up to N_OPTIONS."""
    wrong = [str(t) for t in rng.permutation(list(tempting))[:2]]
    fill = [str(t) for t in rng.permutation([r for r in rest if r != answer and r not in wrong])]
    chosen = [answer, *wrong, *fill][:N_OPTIONS]
    return tuple(str(t) for t in rng.permutation(chosen))


def _names() -> list[str]:
    return [Thing(c, s).name for c in COLOURS for s in SHAPES]


def _seconds(seconds: int) -> str:
    return "1 second" if seconds == 1 else f"{seconds} seconds"
