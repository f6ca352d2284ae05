"""One process, DDP and FSDP2 on two: with one global batch, the same completions and the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "train.py"
FSDP2 = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}
COMPARED = ("loss", "grad_norm", "kl", "reward", "entropy", "completions/mean_length")


def run(out: Path, model: Path, data: Path, *settings: str, processes: int = 1, env: dict[str, str] | None = None):
    """The logged steps of a run; each step is over two prompts."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, SCRIPT, model, data, out, 2 // processes, *settings]
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | (env or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((out / "history.json").read_text())["history"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, untrained: Path, world: Path) -> list[dict[str, float]]:
    return run(tmp_path_factory.mktemp("alone"), untrained, world)


@pytest.mark.parametrize("env", [{}, FSDP2], ids=["DDP", "FSDP2"])
def test_two_processes_train_as_one(
    tmp_path: Path, untrained: Path, world: Path, alone: list[dict[str, float]], env: dict[str, str]
) -> None:
    together = run(tmp_path, untrained, world, processes=2, env=env)
    assert len(together) == len(alone) == 3
    assert alone[0]["grad_norm"] > 0
    for ours, expected in zip(together, alone, strict=True):
        for name in COMPARED:
            assert ours[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-4), name


def test_a_prefix_shared_or_copied_gives_the_same_run(
    tmp_path: Path, untrained: Path, world: Path, alone: list[dict[str, float]]
) -> None:
    # Copies are sampled by transformers itself, from other noise: only what does not depend on it can be compared.
    greedy = ["top_k=1", "learning_rate=0.01"]
    shared = run(tmp_path / "shared", untrained, world, *greedy)
    copies = run(tmp_path / "copies", untrained, world, *greedy, "share_prefix=false")
    for ours, expected in zip(shared, copies, strict=True):
        assert ours["reward"] == pytest.approx(expected["reward"])
        assert ours["entropy"] == pytest.approx(expected["entropy"], rel=1e-4)
        assert ours["kl"] == pytest.approx(expected["kl"], rel=1e-3, abs=1e-6)
