"""Tables and answers for a terminal."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from videor2.timeline import format_interval

if TYPE_CHECKING:
    from videor2.ask import Reply

NAMES = {"accuracy": "accuracy", "tac": "TAC", "alignment_f1": "alignment F1", "format": "format"}


def before_and_after(summary: dict[str, Any]) -> str:
    """The summary of a quickstart as a table: each metric before and after, percent with 95 % intervals."""
    table = Table(title=f"{summary['n']} held-out questions, percent, 95 % intervals")
    for column in ("", "metric", "before", "after", "change"):
        table.add_column(column, justify="left" if column in ("", "metric") else "right")
    for decoding, part in (("greedy", summary), ("sampled", summary["sampled"])):
        for metric, name in NAMES.items():
            table.add_row(
                decoding if metric == "accuracy" else "",
                name,
                _interval(part["before"].get(metric)),
                _interval(part["after"].get(metric)),
                _interval(part["difference"].get(metric), signed=True),
                end_section=name == "format",
            )
    seconds = ", ".join(f"{stage} {s:.0f} s" for stage, s in summary["seconds"].items())
    return f"{_render(table)}\n{seconds}"


def answered(reply: "Reply") -> str:
    """A reply: the reasoning, its claims with their times, the answer, and whether they agree."""
    agree = {True: "agree", False: "DISAGREE", None: "cannot be compared: the reasoning concludes nothing"}
    claims = [f"  {format_interval(c.start_s, c.end_s)}  {c.sentence}" for c in reply.claims]
    lines = [
        "Reasoning",
        f"  {reply.think if reply.think is not None else '(none)'}",
        "Claims",
        *(claims or ["  (none)"]),
        f"Answer      {reply.answer if reply.answer is not None else f'(none: {reply.state})'}",
        f"Conclusion  {reply.conclusion if reply.conclusion is not None else '(none)'}",
        f"Reasoning and answer {agree[reply.consistent]}",
    ]
    return "\n".join(lines)


def _interval(interval: dict[str, float] | None, *, signed: bool = False) -> str:
    if interval is None:
        return "-"
    mean, low, high = (100 * interval[key] for key in ("mean", "low", "high"))
    sign = "+" if signed else ""
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _render(table: Table) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
