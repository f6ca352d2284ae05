"""A run that is killed and started again goes on as if nothing had happened."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from videor2.train.checkpoints import last_whole

SCRIPT = Path(__file__).parent / "train.py"
COMPARED = ("step", "loss", "grad_norm", "learning_rate", "kl", "reward", "entropy")
# Eighteen questions, two a step: the second epoch begins with the tenth step.
PLAIN = ("max_steps=12", "num_train_epochs=2")
REUSED = ("max_steps=6", "num_iterations=2", "steps_per_generation=2", "gradient_accumulation_steps=1")


def start(out: Path, model: Path, data: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(part) for part in (sys.executable, SCRIPT, model, data, out, 2, *settings)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def history(out: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((out / "history.json").read_text())
    return content


@pytest.mark.parametrize(("settings", "kill_at"), [(PLAIN, 10), (REUSED, 3)], ids=["second-epoch", "reused-batch"])
def test_a_killed_run_repeats_the_unbroken_one(
    tmp_path: Path, untrained: Path, world: Path, settings: tuple[str, ...], kill_at: int
) -> None:
    assert start(tmp_path / "unbroken", untrained, world, *settings).returncode == 0
    killed = start(tmp_path / "broken", untrained, world, *settings, f"kill_at={kill_at}")
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "broken" / "history.json").exists()
    resumed = start(tmp_path / "broken", untrained, world, *settings)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    unbroken, broken = history(tmp_path / "unbroken"), history(tmp_path / "broken")
    assert len(unbroken["history"]) == len(broken["history"])
    for ours, expected in zip(broken["history"], unbroken["history"], strict=True):
        for name in COMPARED:  # of a batch that is used again there is no reward
            assert (name in ours) == (name in expected)
            assert name not in ours or ours[name] == pytest.approx(expected[name], rel=1e-6), (expected["step"], name)


def test_no_video_is_read_to_catch_up(tmp_path: Path, untrained: Path, world: Path) -> None:
    start(tmp_path, untrained, world, "max_steps=6", "kill_at=5")
    assert start(tmp_path, untrained, world, "max_steps=6").returncode == 0
    # One step is left, over two prompts, and the next batch is read ahead.
    assert history(tmp_path)["reads"] <= 4


def test_a_checkpoint_that_was_not_finished_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert last_whole(tmp_path) is None
    for step in (2, 10, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    (tmp_path / "checkpoint-12" / "trainer_state.json").write_text('{"global_st')
    (tmp_path / "checkpoint-2" / "trainer_state.json").unlink()
    assert last_whole(tmp_path) == str(tmp_path / "checkpoint-10")
    assert "checkpoint-12: was not written to its end" in caplog.text
