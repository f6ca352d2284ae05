"""What a run was: command, model, machine, settings and times, from its `run.json`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from videor2.report.run import Run, to_part

Pairs = list[tuple[str, Any]]


def names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, or their paths where two are called the same."""
    found = [folder.resolve().name for folder in folders]
    return found if len(set(found)) == len(found) else [str(folder) for folder in folders]


def heading(folder: Path, info: Mapping[str, Any]) -> str:
    """The command without its options; the folder's name where no command is known."""
    words = str(info.get("command") or "").split()
    options = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    if not words[:options]:
        return folder.resolve().name
    return " ".join(words[:options] if words[0].endswith("videor2") else ["videor2", *words[:options]])


def facts(run: Run) -> list[str]:
    """The parts of the line under the title: what was run on what, when and where."""
    n = run.summary.get("n")
    model = run.record(run.rows[0]).model if run.rows else ""
    benchmarks = sorted({row.benchmark for row in run.rows if row.benchmark})
    parts = [
        f"model {model}" if model else "",
        f"{n:,} questions" if isinstance(n, int) else "",
        ", ".join(benchmarks) if len(benchmarks) <= 3 else f"{len(benchmarks)} benchmarks",
        *circumstances(run.info),
    ]
    return [part for part in parts if part]


def circumstances(info: Mapping[str, Any]) -> list[str]:
    """When, how long, where and with what seed."""
    started, finished = _moment(info.get("started")), _moment(info.get("finished"))
    machine = info.get("machine")
    parts = [
        f"{started:%Y-%m-%d %H:%M}" if started else "",
        took((finished - started).total_seconds()) if started and finished else "",
        ", ".join(str(part) for part in machine.values() if part) if isinstance(machine, Mapping) else machine,
        f"seed {info['seed']}" if info.get("seed") is not None else "",
    ]
    return [str(part) for part in parts if part]


def described(info: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[Pairs, Pairs, Pairs]:
    """For the end of the page: what the run was (with versions), its settings, its time by stage."""
    seconds = to_part(summary, "seconds") or to_part(info, "seconds")
    return _flat(_about(info)), _flat(to_part(info, "settings")), [(stage, took(s)) for stage, s in _flat(seconds)]


def _about(info: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: info.get(key) for key in ("command", "version", "seed", "started", "finished", "machine")}
    for key in ("started", "finished"):
        moment = _moment(kept[key])
        kept[key] = moment.isoformat(sep=" ", timespec="seconds") if moment else kept[key]
    return {key: value for key, value in kept.items() if value is not None} | dict(to_part(info, "versions"))


def _moment(value: Any) -> datetime | None:
    """A time as ISO 8601 or as seconds since 1970, in UTC unless it says otherwise."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, tz=UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Pairs:
    """Nested settings as dotted names.

    >>> _flat({"a": {"b": 1, "c": {}}, "d": [2, 3]})
    [('a.b', 1), ('d', '2, 3')]
    """
    rows: Pairs = []
    for key, value in fields.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            plain = isinstance(value, list) and not any(isinstance(part, list | dict) for part in value)
            rows.append((f"{prefix}{key}", ", ".join(map(str, value)) if plain else value))
    return rows


def took(seconds: Any) -> str:
    """Seconds in words.

    >>> took(3.21), took(252), took(7260)
    ('3.2 s', '4 min 12 s', '2 h 1 min')
    """
    if not isinstance(seconds, int | float):
        return str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
