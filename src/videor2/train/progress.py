"""What a running training tells: one line now and then, with the time that is left."""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback

log = logging.getLogger("videor2.train")

SHOWN = {"loss": "loss", "reward": "reward", "kl": "KL", "alignment/gate": "gate", "alignment/tar": "TAR"}
"""Which of the logged figures the line shows, and by what name."""


def report_progress(trainer: "Trainer", title: str) -> None:
    """Let a trainer log steps done, the main figures and the time left, instead of printing all it knows."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_progress(title))


def _progress(title: str) -> "TrainerCallback":
    from transformers import TrainerCallback

    class Progress(TrainerCallback):  # type: ignore[misc]
        started = 0.0
        first_step = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.started, self.first_step = time.perf_counter(), state.global_step

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if not state.is_world_process_zero or "train_runtime" in logs:
                return
            done = state.global_step - self.first_step
            seconds = (time.perf_counter() - self.started) / max(done, 1) * (state.max_steps - state.global_step)
            shown = [f"{name} {float(logs[key]):.3g}" for key, name in SHOWN.items() if key in logs]
            left = timedelta(seconds=round(seconds))
            log.info(
                "%s: step %d of %d, %s, %s left", title, state.global_step, state.max_steps, ", ".join(shown), left
            )

    return Progress()


def write_history(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write what a trainer logged to `history.jsonl`, an entry a line."""
    with (folder / "history.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
