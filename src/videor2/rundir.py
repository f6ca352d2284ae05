"""A run directory's `run.json`: which command, with what settings, on which machine and versions, when."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from videor2 import __version__
from videor2.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def about(command: str, settings: dict[str, Any], *, seed: int, packages: Iterable[str] = ()) -> dict[str, Any]:
    """What `run.json` holds when a run starts. `settings` must be JSON; absent packages are left out."""
    return {
        "command": command,
        "version": __version__,
        "seed": seed,
        "started": now(),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}, {platform.system()}",
        "settings": settings,
        "versions": _versions(packages) | {"python": platform.python_version()},
    }


def plain(settings: "DataclassInstance") -> dict[str, Any]:
    """Settings as JSON: what is no JSON by itself becomes its fields or its text."""
    return dict(json.loads(json.dumps(asdict(settings), default=_json)))


def read_about(out: Path, command: str) -> dict[str, Any] | None:
    """The `run.json` of an earlier start of the same command, None where there is none.

    Raises `InputError` where the directory holds another command's run.
    """
    path = out / "run.json"
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        made_by = facts["command"]
    except (ValueError, LookupError, TypeError):
        raise InputError(f"{path}: not a run's description; choose another --out or remove the folder") from None
    if made_by != command:
        raise InputError(f"{out}: holds a run of `videor2 {made_by}`; choose another --out or remove it")
    return dict(facts)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file; it appears when it is complete."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
