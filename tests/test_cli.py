"""The commands as a user types them, in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_importing_the_package_is_fast_and_loads_no_torch() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import videor2; s = time.perf_counter() - t; "
        "print(s, 'torch' in sys.modules)"
    )
    times = []
    for _ in range(3):
        seconds, torch = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        assert torch == "False"
        times.append(float(seconds))
    assert min(times) < 0.3


@pytest.mark.parametrize(
    "module", ["videor2.cli", "videor2.commands.score", "videor2.report", "videor2.scores.consistency", "videor2.video"]
)
def test_the_core_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package(videor2) -> None:
    from importlib.metadata import version

    assert videor2("version").stdout.strip() == version("videor2")
    assert json.loads(videor2("version", "--json").stdout) == {"version": version("videor2")}


def test_score_writes_a_row_for_each_row(videor2) -> None:
    rows = '{"id": 1, "response": "<think>x</think><answer>B</answer>"}\n{"id": 2, "response": "B"}\n'
    done = videor2("score", "format", stdin=rows)
    assert done.returncode == 0
    assert [(r["id"], r["value"]) for r in map(json.loads, done.stdout.splitlines())] == [(1, 1.0), (2, 0.0)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["score", "format"], "<stdin>: row 1: not JSON"),
        (["score", "beauty"], "no metric 'beauty'"),
        (["ask", "nowhere.mp4", "What?"], "nowhere.mp4"),
        (["train", "grpo", "--config", "none.yaml"], "none.yaml: no such file"),
        (["train", "grpo", "--config", "big"], "no recipe 'big'"),
        (["train", "grpo", "--config", "tiny_grpo", "data=[none.jsonl]"], "none.jsonl: no such file"),
        (["data", "synth", "--out", "x", "--family", "why"], "family: one of order"),
        (["data", "synth", "--out", "x", "--clips", "0"], "clips: at least 1"),
        (["report", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(videor2, arguments: list[str], told: str) -> None:
    done = videor2(*arguments, stdin="{\n")
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_wrong_option_is_exit_code_2(videor2) -> None:
    assert videor2("score", "format", "--colour", "red").returncode == 2


def test_synth_writes_clips_and_says_where(videor2, tmp_path: Path) -> None:
    done = videor2("data", "synth", "--out", tmp_path, "--clips", "1", "--json")
    path = Path(json.loads(done.stdout)["path"])
    assert path == tmp_path / "train.jsonl"
    assert len(list((tmp_path / "train").glob("*.mp4"))) == 1
