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
