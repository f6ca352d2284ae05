"""Inline SVG marks: dot and whiskers, curves, timelines.

Horizontal places are percentages and heights are pixels, with no viewBox: a chart fills whatever width it gets and
its text keeps its size. Colours are the style sheet's, by class.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from videor2.report.run import Estimate
from videor2.timeline import format_interval, format_time

Points = Sequence[tuple[float, float]]

WHISKER_HEIGHT: Final = 11
CURVE_HEIGHT: Final = 110
ROW_HEIGHT: Final = 34


def whisker(estimate: Estimate, *, low: float = 0.0, high: float = 1.0, kind: str = "") -> Markup:
    """A dot at the mean and a line over the interval, on an axis from `low` to `high`, with 0 marked if inside."""
    zero = _line(_percent(0, low, high), 0, WHISKER_HEIGHT, "zero") if low < 0 < high else Markup()
    return _svg(
        WHISKER_HEIGHT,
        [_axis(WHISKER_HEIGHT / 2), zero, *_dot(estimate, WHISKER_HEIGHT / 2, low, high, kind)],
    )


def dumbbell(before: Estimate | None, after: Estimate | None) -> Markup:
    """Dot and whiskers of before above those of after, on one axis from 0 to 1."""
    rows = ((before, 5.0, "before"), (after, 14.0, "after"))
    marks = [_line(f"{x}%", 0, 19, "edge") for x in (0, 50, 100)]
    for estimate, y, kind in rows:
        if estimate:
            marks += _dot(estimate, y, 0, 1, kind)
    return _svg(19, marks)


def reach(differences: Iterable[Estimate]) -> float:
    """The half-width of an axis, a multiple of 0.05, on which all differences and their intervals fit.

    >>> reach([Estimate(0.12, 0.02, 0.22), Estimate(-0.01)])
    0.25
    """
    ends = [abs(x) for d in differences for x in (d.mean, d.low, d.high) if x is not None]
    return max(1, math.ceil(max(ends, default=0) * 20 - 1e-9)) / 20


def smooth(points: Points) -> list[tuple[float, float]]:
    """A centred running mean over a tenth of the points, at least 3, over fewer at both ends.

    >>> smooth([(1, 0.0), (2, 3.0), (3, 0.0)])
    [(1, 1.5), (2, 1.0), (3, 1.5)]
    """
    half = max(1, len(points) // 20)
    values = [y for _, y in points]
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return [(x, sum(window) / len(window)) for (x, _), window in zip(points, windows, strict=True)]


def curve(points: Points, *, label: str, high: float | None = None) -> Markup:
    """Raw points, faint, behind their running mean, over training steps. The axis starts at 0, or below if need be.

    `high` is the top of the axis; by default a round number above the points.
    """
    ys = [y for _, y in points]
    top = high if high is not None else _round_up(max(*ys, 1e-9))
    bottom = min(0.0, -_round_up(max(-min(ys), 1e-9))) if min(ys) < 0 else 0.0
    first, last = points[0][0], points[-1][0]
    smoothed = smooth(points)

    def place(x: float, y: float) -> str:
        return f"{100 * (x - first) / ((last - first) or 1):.2f} {100 - 100 * (y - bottom) / (top - bottom):.2f}"

    # A zero-length stroke with round caps is a dot that the uneven scale of the inner box leaves round.
    raw = "".join(f"M{place(x, y)}h0" for x, y in points)
    line = "M" + "L".join(place(x, y) for x, y in smoothed)
    height = CURVE_HEIGHT - 18
    grid = [
        Markup('<line class="{}" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format("axis" if y == height else "edge", y=y)
        for y in (0.5, height / 2, height)
    ]
    inner = Markup(
        '<svg y="0" width="100%" height="{}" viewBox="0 0 100 100" preserveAspectRatio="none" class="plot">'
        '<path class="raw" d="{}"/><path class="mean" d="{}"/></svg>'
    ).format(height, raw, line)
    texts = [
        _text("-6", 9, figure(top), "end"),
        _text("-6", height, figure(bottom), "end"),
        _text("0", CURVE_HEIGHT - 4, f"step {first:g}", "start"),
        _text("100%", CURVE_HEIGHT - 4, f"{last:g}", "end"),
    ]
    said = f"{label}: {figure(smoothed[0][1])} at step {first:g}, {figure(smoothed[-1][1])} at step {last:g}"
    return _svg(CURVE_HEIGHT, [*grid, inner, *texts], label=said, kind="curve")


State = Literal["matched", "unmatched", "plain"]
"""Of a claim: does it match an event? `plain` where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at a time: an event, or a claim and the index of the event that it matched."""

    start_s: float
    end_s: float
    text: str
    state: State = "plain"
    event: int | None = None


def timeline(duration_s: float, events: Sequence[Mark], claims: Sequence[tuple[str, Sequence[Mark]]]) -> Markup:
    """Events as a row of numbered ticks, claims as a row of dots, matches linked, and a playhead.

    claims: one row, which lies below the events, or two (before, after), which lie above and below. What is claimed
    after the end is drawn at the end.
    """
    above = [claims[0]] if len(claims) > 1 else []
    rows = [*above, ("events", events), *claims[len(above) :]]
    ys = [ROW_HEIGHT * i + 14.0 for i in range(len(rows))]
    event_y, bottom = ys[len(above)], ys[-1] + 14
    parts: list[Markup] = []
    for name, y in zip((name for name, _ in rows), ys, strict=True):
        parts += [_axis(y), _text("-10", y + 4, name, "end", "row")]
    for (name, marks), y in zip(rows, ys, strict=True):
        if name == "events":
            continue
        for mark in marks:
            if mark.event is not None and 0 <= mark.event < len(events):
                x1, x2 = _middle(mark, duration_s), _middle(events[mark.event], duration_s)
                parts.append(Markup('<line class="link" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x1, y, x2, event_y))
    parts += _ticks(events, event_y, duration_s)
    for (name, marks), y in zip(rows, ys, strict=True):
        if name != "events":
            parts += [_claim(mark, y, duration_s) for mark in marks]
    for at_s in _axis_times(duration_s):
        x = _percent(at_s, 0, duration_s)
        parts += [_line(x, bottom - 3, bottom + 1, "axis"), _text(x, bottom + 13, format_time(at_s), "middle")]
    parts.append(Markup('<line class="playhead" x1="0" x2="0" y1="0" y2="{}"/>').format(bottom))
    said = f"Timeline of {format_time(duration_s)}: {len(events)} events; " + "; ".join(
        f"{name}: {sum(m.state == 'matched' for m in marks)} of {len(marks)} claims matched" for name, marks in claims
    )
    return _svg(bottom + 17, parts, label=said, kind="timeline")


def _ticks(events: Sequence[Mark], y: float, duration_s: float) -> Iterable[Markup]:
    numbered_until = -math.inf
    for number, event in enumerate(events, start=1):
        x = _percent(event.start_s, 0, duration_s)
        width = 100 * (min(event.end_s, duration_s) - event.start_s) / duration_s
        span = Markup('<rect x="{}" y="{}" width="{:.2f}%" height="6"/>').format(x, y - 3, max(0.0, width))
        tick = _line(x, y - 7, y + 7, "tick")
        title = _title(f"Event {number}, {format_interval(event.start_s, event.end_s)}: {event.text}")
        middle = 100 * event.start_s / duration_s
        label = Markup()
        if middle - numbered_until >= 3:  # closer ones would print over each other on a phone
            label = Markup('<text class="number" x="{}" dx="4" y="{}">{}</text>').format(x, y - 6, number)
            numbered_until = middle
        yield Markup('<g class="event" data-t="{}">{}{}{}{}</g>').format(event.start_s, title, span, tick, label)


def _claim(mark: Mark, y: float, duration_s: float) -> Markup:
    late = ", after the end" if mark.start_s > duration_s else ""
    match = {
        "matched": f"matches event {(mark.event or 0) + 1}",
        "unmatched": "matches no event",
        "plain": "not compared with events",
    }[mark.state]
    title = _title(f"Claim, {format_interval(mark.start_s, mark.end_s)}{late}, {match}: {mark.text}")
    x1, x2 = (_percent(at_s, 0, duration_s) for at_s in (mark.start_s, mark.end_s))
    span = Markup('<line class="span" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(x1, x2, y=y) if x1 != x2 else ""
    dot = Markup('<circle cx="{}" cy="{}" r="4.5"/>').format(_middle(mark, duration_s), y)
    return Markup('<g class="claim {}" data-t="{}">{}{}{}</g>').format(mark.state, mark.start_s, title, span, dot)


def _middle(mark: Mark, duration_s: float) -> str:
    return _percent((mark.start_s + min(mark.end_s, duration_s)) / 2, 0, duration_s)


def _axis_times(duration_s: float) -> list[float]:
    """Round times from 0 on, at most seven."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
    step = next((step for step in steps if duration_s / step <= 6), 3600 * math.ceil(duration_s / 6 / 3600))
    return [step * i for i in range(int(duration_s / step + 1e-6) + 1)]


def _dot(estimate: Estimate, y: float, low: float, high: float, kind: str) -> list[Markup]:
    marks = []
    if estimate.low is not None and estimate.high is not None:
        x1, x2 = _percent(estimate.low, low, high), _percent(estimate.high, low, high)
        marks.append(Markup('<line class="whisker {}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(kind, x1, x2, y=y))
    x = _percent(estimate.mean, low, high)
    return [*marks, Markup('<circle class="dot {}" cx="{}" cy="{}" r="3"/>').format(kind, x, y)]


def _axis(y: float) -> Markup:
    return Markup('<line class="axis" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=y)


def _line(x: str, y1: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{x}" x2="{x}" y1="{}" y2="{}"/>').format(kind, y1, y2, x=x)


def _text(x: str, y: float, text: str, anchor: str, kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _title(text: str) -> Markup:
    return Markup("<title>{}</title>").format(text)


def _svg(height: float, parts: Iterable[Markup], *, label: str = "", kind: str = "") -> Markup:
    """A chart. Without a label it repeats figures that are printed beside it, and a screen reader skips it."""
    named = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="chart {}" width="100%" height="{:g}" {}>{}</svg>').format(
        kind, height, named, Markup().join(parts)
    )


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * (min(max(value, low), high) - low) / (high - low):.2f}%"


def _round_up(value: float) -> float:
    """The next number of 1, 1.5, 2, 3, 5, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step for m in (1, 1.5, 2, 3, 5, 8, 10) if (step := m * power) >= value * (1 - 1e-9))


def figure(value: float) -> str:
    """A number in three significant figures, without an exponent where it is readable.

    >>> figure(0.12345), figure(-2.0), figure(12345.6), figure(1e-6)
    ('0.123', '−2', '12,346', '1.0e-06')
    """
    readable = value == 0 or 1e-4 <= abs(value) < 1e5
    return (f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−") if readable else f"{value:.1e}"
