"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

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
