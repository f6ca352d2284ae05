"""The validation of data as text for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from videor2.benchmarks import Validation, benchmarks

SHOWN = 3
"""Problems of a kind that are told in words."""

PROBLEMS = {
    "unreadable": "cannot be read",
    "failures": "wrong",
    "duplicates": "ids that several rows have",
    "missing_videos": "videos missing",
    "unplayable": "videos that do not play",
}
"""Lists of a `Validation` that make it not ok, and what they are."""


def validated(reports: Sequence[Validation]) -> str:
    """A table with a row for each report, then its first problems, what is known to be broken, and warnings."""
    published = {benchmark.name: benchmark.rows for benchmark in benchmarks()}
    table = Table()
    for head in ("data", "version", "rows", "published", "answers", "score 1", "videos missing", "problems"):
        table.add_column(head, justify="left" if head in ("data", "answers") else "right")
    for report in reports:
        judged = sum(report.judged.values())
        count = published.get(report.benchmark, 0)
        problems = sum(len(getattr(report, name)) for name in PROBLEMS)
        table.add_row(
            report.benchmark,
            str(report.version) if report.version else "-",
            f"{report.rows:,}",
            f"{count:,}" if count else "any",
            ", ".join(f"{kind} {n:,}" for kind, n in report.by_kind.most_common()) or "-",
            f"{report.rows - judged - len(report.failures):,}",
            f"{len(report.missing_videos):,}",
            f"{problems:,}" if problems or report.ok else "no rows",
        )
    return "\n".join([_render(table), *(line for report in reports for line in _words(report))])


def _words(report: Validation) -> list[str]:
    lines = []
    for name, what in PROBLEMS.items():
        found = getattr(report, name)
        lines += [f"{report.benchmark}: {what}: {one}" for one in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"{report.benchmark}: {what}: and {len(found) - SHOWN:,} more")
    lines += [f"{report.benchmark}: {count:,} rows need a judge: {reason}" for reason, count in report.judged.items()]
    if report.known_broken:
        lines.append(f"{report.benchmark}: {len(report.known_broken)} rows are known to be broken and are left out")
    return lines + [f"{report.benchmark}: {warning}" for warning in report.warnings]


def _render(table: Table) -> str:
    console = Console(width=110, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
