"""What happens in a clip: coloured shapes that appear, vanish, move and change colour, with exact times.

A `World` is a timeline only; `render` draws it, `questions` asks about it. Everything is drawn from one
`numpy` generator, so a seed names a clip. Which split a world belongs to follows from its own timeline, so the
train and test splits share no timeline whatever the seeds.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from videor2.timeline import Event

COLOURS = ("red", "green", "blue", "yellow", "white", "purple")
SHAPES = ("circle", "square", "triangle")
PLACES = ("top left", "top right", "bottom left", "bottom right")
DURATION_S = 10
TEST_SHARE = 1 / 8
"""Share of all possible timelines that are kept for the test split."""

Action = Literal["appears", "vanishes", "moves", "turns"]
Split = Literal["train", "test"]

_CROWDED: tuple[Action, ...] = ("vanishes", "moves", "turns")
_USUAL: tuple[Action, ...] = ("appears",) * 5 + ("vanishes",) * 2 + ("moves",) * 2 + ("turns",)
"""What may happen next, each as likely as it is often here."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Thing:
    """A shape as it looks at one moment."""

    colour: str
    shape: str

    @property
    def name(self) -> str:
        """Colour and shape, as reasoning names it: `the red circle`."""
        return f"the {self.colour} {self.shape}"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: `thing` (as it looked before) does `action` at `at_s`, and is `after` in `place` from then on."""

    at_s: int
    action: Action
    thing: Thing
    after: Thing
    place: str

    @property
    def sentence(self) -> str:
        """The event in words, without its time.

        >>> red = Thing("red", "circle")
        >>> Happening(3, "turns", red, Thing("blue", "circle"), "top left").sentence
        'the red circle turns blue'
        """
        end = {"moves": f" to the {self.place}", "turns": f" {self.after.colour}"}.get(self.action, "")
        return f"{self.thing.name} {self.action}{end}"


@dataclass(frozen=True, slots=True)
class World:
    """The timeline of one clip, in the order of time; no two happenings share a second."""

    happenings: tuple[Happening, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """The reference events of the clip."""
        return tuple(Event(float(h.at_s), float(h.at_s), h.sentence) for h in self.happenings)

    @property
    def split(self) -> Split:
        """The split that this timeline belongs to, from its own hash."""
        digest = hashlib.sha256(repr([(h.at_s, h.sentence, h.place) for h in self.happenings]).encode()).digest()
        return "test" if int.from_bytes(digest[:4]) / 2**32 < TEST_SHARE else "train"

    def visible(self, at_s: float) -> dict[str, Thing]:
        """What is to be seen at a time, by place; an event counts from its own second on."""
        seen: dict[str, Thing] = {}
        for h in self.happenings:
            if h.at_s > at_s:
                break
            seen = {place: thing for place, thing in seen.items() if thing != h.thing}
            if h.action != "vanishes":
                seen[h.place] = h.after
        return seen


def draw_world(rng: np.random.Generator, *, split: Split, events: tuple[int, int] = (2, 4)) -> World:
    """A random world of one split, with a number of events between the two bounds (inclusive)."""
    while True:
        world = _draw(rng, int(rng.integers(events[0], events[1] + 1)))
        if world.split == split:
            return world


def _draw(rng: np.random.Generator, count: int) -> World:
    times = sorted(rng.choice(np.arange(1, DURATION_S - 1), size=count, replace=False).tolist())
    fresh = [Thing(c, s) for c in COLOURS for s in SHAPES]
    rng.shuffle(fresh)
    seen: dict[str, Thing] = {}
    happenings: list[Happening] = []
    for at_s in times:
        action = _draw_action(rng, len(seen))
        if action == "appears":
            thing = after = fresh.pop()
            place = pick(rng, [p for p in PLACES if p not in seen])
        else:
            source = pick(rng, sorted(seen))
            thing = after = seen.pop(source)
            place = source
            if action == "moves":
                place = pick(rng, [p for p in PLACES if p not in seen and p != source])
            if action == "turns":
                # A name is used once in a clip, so that a name always means one thing.
                after = pick(rng, [t for t in fresh if t.shape == thing.shape and t.colour != thing.colour])
                fresh.remove(after)
        if action != "vanishes":
            seen[place] = after
        happenings.append(Happening(at_s, action, thing, after, place))
    return World(tuple(happenings))


def _draw_action(rng: np.random.Generator, visible: int) -> Action:
    if visible == 0:
        return "appears"
    if visible >= len(PLACES) - 1:
        return pick(rng, _CROWDED)
    return pick(rng, _USUAL)


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items, each as likely."""
    return items[int(rng.integers(len(items)))]
