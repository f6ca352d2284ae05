"""Checkpoints to go on from."""

import json
import logging
from pathlib import Path

log = logging.getLogger("videor2.train")


def last_whole(out: Path) -> str | None:
    """The newest checkpoint in a run's folder that was written to its end; None where there is none.

    A run that is killed while it writes one leaves it without its trainer state, which is written last.
    """
    checkpoints = [path for path in out.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    for path in sorted(checkpoints, key=_step, reverse=True):
        try:
            state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            log.warning("%s: was not written to its end, passed over", path)
            continue
        if state.get("global_step") == _step(path):
            return str(path)
    return None


def _step(path: Path) -> int:
    return int(path.name.removeprefix("checkpoint-"))
