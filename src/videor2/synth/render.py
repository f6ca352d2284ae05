"""Draw a world as video frames: flat shapes in the four quarters of a plain, slightly varied scene."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from videor2.synth.world import DURATION_S, PLACES, Thing, World

SIZE = 128
"""Width and height of a frame in pixels."""
FPS = 8
GLIDE_S = 0.5
"""How long a shape takes to move to another place."""

RGB = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 90, 230),
    "yellow": (240, 220, 50),
    "white": (240, 240, 240),
    "purple": (170, 60, 200),
}
SUPERSAMPLE = 4


def frames(world: World, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of a world, uint8 [SIZE, SIZE, 3], `FPS` a second; `rng` varies scene, sizes and exact centres."""
    ground = tuple(int(v) for v in rng.integers(10, 60, size=3))
    centres = {place: _centre(place, rng) for place in PLACES}
    radius = float(rng.uniform(17, 23))
    last: tuple[object, np.ndarray] | None = None
    for index in range(DURATION_S * FPS):
        placed = _placed(world, index / FPS, centres)
        # Most frames repeat the one before: draw only what changed.
        if last is None or last[0] != placed:
            last = (placed, _draw(placed, radius, ground))
        yield last[1]


def _centre(place: str, rng: np.random.Generator) -> tuple[float, float]:
    quarter = SIZE / 4
    x = quarter * (1 if "left" in place else 3)
    y = quarter * (1 if "top" in place else 3)
    dx, dy = rng.uniform(-6, 6, size=2)
    return x + float(dx), y + float(dy)


def _placed(
    world: World, at_s: float, centres: dict[str, tuple[float, float]]
) -> list[tuple[Thing, tuple[float, float]]]:
    """Each visible shape with its centre; one that is on its way stands between its two places."""
    here = {thing: centres[place] for place, thing in world.visible(at_s).items()}
    for h in world.happenings:
        if h.action == "moves" and h.at_s <= at_s < h.at_s + GLIDE_S:
            before = world.visible(h.at_s - 1)
            source = next(place for place, thing in before.items() if thing == h.thing)
            done = (at_s - h.at_s) / GLIDE_S
            (x0, y0), (x1, y1) = centres[source], centres[h.place]
            here[h.thing] = (x0 + (x1 - x0) * done, y0 + (y1 - y0) * done)
    return sorted(here.items(), key=lambda item: item[0].name)


def _draw(placed: list[tuple[Thing, tuple[float, float]]], radius: float, ground: tuple[int, ...]) -> np.ndarray:
    image = Image.new("RGB", (SIZE * SUPERSAMPLE, SIZE * SUPERSAMPLE), ground)
    pen = ImageDraw.Draw(image)
    for thing, centre in placed:
        x, y = (c * SUPERSAMPLE for c in centre)
        r = radius * SUPERSAMPLE
        fill = RGB[thing.colour]
        match thing.shape:
            case "circle":
                pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            case "square":
                side = 0.88 * r  # about the area of the circle
                pen.rectangle((x - side, y - side, x + side, y + side), fill=fill)
            case "triangle":
                pen.polygon([(x, y - 1.15 * r), (x - 1.1 * r, y + 0.85 * r), (x + 1.1 * r, y + 0.85 * r)], fill=fill)
            case _:
                raise ValueError(f"no way to draw a {thing.shape}")
    return np.asarray(image.reduce(SUPERSAMPLE))
