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


AUDITED = {
    "accuracy": "accuracy",
    "tac": "TAC",
    "tac_strict": "strict",
    "tac_paper": "as published",
    "vas": "VAS",
    "alignment_f1": "align. F1",
    "format": "format",
}
"""Metrics of an audit and the heads of their columns."""


def audited(summary: dict[str, Any]) -> str:
    """The summary of an audit: a row for each run and, of a single run, for each benchmark; then who disagrees."""
    runs = summary["runs"]
    shown = [name for name in AUDITED if any(name in run["metrics"] for run in runs.values())]
    table = Table(title=f"{summary['n']:,} responses, percent, ± half of the 95 % interval")
    table.add_column("")
    for head in ("n", *(AUDITED[name] for name in shown), "coverage"):
        table.add_column(head, justify="right")
    for name, run in runs.items():
        table.add_row(name, *_figures(run, shown), end_section=len(runs) == 1)
        if len(runs) == 1 and len(run["by_benchmark"]) > 1:
            for benchmark, part in run["by_benchmark"].items():
                table.add_row(f"  {benchmark or '(no benchmark)'}", *_figures(part, shown))
            for group, macro in run["macro"].items():
                row = _figures({"n": f"{macro['benchmarks']} benchmarks", "metrics": macro["metrics"]}, shown)
                table.add_row(f"  mean, {group}", *row)
    return "\n".join([_render(table), *_remarks(summary)])


def _figures(part: dict[str, Any], shown: list[str]) -> list[str]:
    metrics = part["metrics"]
    covered = metrics.get("tac", {}).get("coverage")
    n = part["n"] if isinstance(part["n"], str) else f"{part['n']:,}"
    return [
        n,
        *(_plus_minus(metrics.get(name)) for name in shown),
        "-" if covered is None else f"{100 * covered:.0f} %",
    ]


def _plus_minus(interval: dict[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{100 * interval['mean']:.1f} ±{50 * (interval['high'] - interval['low']):.1f}"


def _remarks(summary: dict[str, Any]) -> list[str]:
    """What a table has no place for: verdicts, states, comparisons, agreement of judges, rows left out."""
    lines = []
    for name, run in summary["runs"].items():
        head = f"{name}: " if len(summary["runs"]) > 1 else ""
        verdicts = ", ".join(f"{word} {n:,}" for word, n in run["consistency"].items())
        states = ", ".join(f"{state.replace('_', ' ')} {n:,}" for state, n in run["states"].items())
        lines.append(f"{head}reasoning and answer: {verdicts}; blocks: {states}")
        if run["duplicates"]:
            lines.append(f"{head}{run['duplicates']:,} responses have an id that the run has already: repeats?")
    for pair in summary["comparisons"]:
        told = [
            f"{AUDITED[name]} {_interval(change, signed=True)}" + (f" p={change['p']:.2g}" if "p" in change else "")
            for name, change in pair["metrics"].items()
            if name in ("accuracy", "tac", "vas", "alignment_f1")
        ]
        lines.append(f"{pair['b']} minus {pair['a']}, {pair['n']:,} shared questions: {'; '.join(told)}")
    agreement = summary.get("agreement")
    if agreement:
        kappa = "none" if agreement["kappa"] is None else f"{agreement['kappa']:.2f}"
        lines.append(f"{agreement['a']} and {agreement['b']}: Cohen's kappa {kappa} over {agreement['n']:,} verdicts")
    if "paper" in summary:
        lines += _published(summary)
    return lines


def _published(summary: dict[str, Any]) -> list[str]:
    """The paper's figures, averaged over the benchmarks that they are shown for."""
    lines = ["Published (arXiv 2511.23478), not measured here:"]
    for model, rows in summary["paper"].items():
        told = []
        for metric in ("accuracy", "tac", "vas"):
            values = [row[metric] for row in rows.values() if row[metric] is not None]
            told += [f"{AUDITED[metric]} {sum(values) / len(values):.1f}"] if values else []
        lines.append(f"  {model}, mean over {len(rows)} benchmarks: {', '.join(told)}")
    return lines


def evaluated(summary: dict[str, Any]) -> str:
    """The summary of an evaluation: each benchmark's official figure, then what an audit tells."""
    table = Table(title="As the benchmarks' authors define it, percent")
    for head in ("benchmark", "version", "official", "n", "scored"):
        table.add_column(head, justify="left" if head == "benchmark" else "right")
    for part in summary["official"]:
        value = "-" if part["value"] is None else f"{100 * part['value']:.1f}"
        table.add_row(part["benchmark"], str(part["version"]), value, f"{part['n']:,}", f"{part['scored']:,}")
    failed = summary["failed"]
    lines = [_render(table), audited(summary)]
    if failed:
        lines.append(f"{len(failed):,} questions have no answer, the first: {failed[0]['reason']}")
    return "\n".join(lines)


def listed(rows: list[dict[str, Any]]) -> str:
    """The benchmarks: slug, version, number of questions, kinds of answers, source."""
    table = Table()
    for head in ("benchmark", "version", "questions", "answers", "source"):
        table.add_column(head, justify="right" if head in ("version", "questions") else "left")
    for row in rows:
        count = f"{row['rows']:,}" if row["rows"] else "any"
        source = f"{row['paper']} {row['hub']}".strip()
        table.add_row(row["slug"], str(row["version"]), count, ", ".join(row["kinds"]), source)
    return _render(table)


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
