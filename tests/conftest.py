"""Fixtures that several test files share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from judge_server import JudgeServer

# Two busy cores make any test slow now and then; that is no failure of the code under test.
settings.register_profile("videor2", deadline=None)
settings.load_profile("videor2")

SHARED = Path(os.environ.get("VIDEOR2_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real traces, clips and parity vectors; its licences forbid shipping it with the code."""
    if not SHARED.is_dir():
        pytest.skip(f"real test material is not shipped: no folder {SHARED} (set VIDEOR2_TEST_DATA)")
    return SHARED


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small written training split with careful responses: `train.jsonl` beside its clips."""
    from videor2.synth.build import SynthConfig, build

    return build(SynthConfig("train", 6, seed=5, questions=3, mix="careful"), tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Path:
    """An untrained tiny model with a tokenizer of its own, as a checkpoint folder."""
    from videor2.data import read_examples
    from videor2.models.load import load_model, save_model
    from videor2.models.prompt import question_text

    corpus = [t for e in read_examples(world) for t in (question_text(e.sample), e.response)]
    folder = tmp_path_factory.mktemp("untrained")
    save_model(*load_model("tiny-untrained", corpus=corpus, seed=0), folder)
    return folder


@pytest.fixture
def server() -> Iterator["JudgeServer"]:
    """A server that speaks the OpenAI chat protocol on loopback; a test scripts it."""
    from judge_server import JudgeServer

    with JudgeServer().running() as running:
        yield running


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server again at once, and without a key of this machine."""
    from videor2 import retries

    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(scope="session")
def videor2() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, as a user does."""

    def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from videor2.cli import main; main()", *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)

    return run
