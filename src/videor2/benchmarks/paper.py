"""The figures of arXiv 2511.23478 to compare with: per model and benchmark, and the ablation. Percent."""

from collections.abc import Set
from dataclasses import asdict, dataclass
from typing import Any

from videor2.benchmarks.names import GENERIC, REASONING

SOURCE = "arXiv 2511.23478"


@dataclass(frozen=True, slots=True)
class Published:
    """What the paper prints for one model on one benchmark, in percent; TAC and VAS only of reasoning models."""

    accuracy: float
    tac: float | None = None
    vas: float | None = None


@dataclass(frozen=True, slots=True)
class Average:
    """A metric averaged over the 5 generic, the 6 reasoning and all 11 benchmarks, in percent."""

    generic: float
    reasoning: float
    overall: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the ablation; TAC and VAS are None where the model gives no reasoning."""

    accuracy: Average
    tac: Average | None = None
    vas: Average | None = None


_ACCURACY = """
Qwen2.5-VL     68.1 66.1 74.2 67.9 61.3 26.7 50.3 67.2 37.7 35.3 16.4
Video-R1       65.1 64.3 73.5 67.7 57.6 23.6 47.0 64.0 37.8 33.9 26.8
VideoChat-R1   63.6 64.1 74.5 62.5 54.3 24.3 52.0 64.8 33.0 33.8 26.5
VideoChat-R1.5 65.7 64.8 73.9 65.3 53.6 26.4 50.0 67.0 36.1 33.7 25.8
VideoRFT       64.8 64.1 73.8 66.6 57.0 25.2 48.1 66.7 38.5 34.0 25.7
Video-R2       67.5 63.8 74.9 68.3 59.2 28.8 50.8 67.4 39.4 34.9 28.4
"""
_TAC = """
Video-R2       82.4 86.6 88.3 86.1 85.1 63.7 84.6 90.2 78.4 75.1 77.3
VideoRFT       79.0 85.4 86.3 86.7 83.4 66.4 83.5 87.4 71.4 74.7 69.9
VideoChat-R1.5 69.1 82.4 80.5 82.1 85.1 67.9 82.7 92.5 75.2 68.6 74.3
VideoChat-R1   70.7 79.5 79.3 80.4 79.8 68.9 81.4 90.4 73.9 67.3 73.6
Video-R1       77.2 82.2 86.0 77.8 75.6 64.7 79.5 85.0 51.7 67.4 62.7
"""
_VAS = """
Video-R2       76.5 80.1 86.1 78.7 73.2 39.6 49.1 72.5 74.2 73.4 60.5
VideoRFT       71.3 74.1 82.9 64.6 56.2 39.0 40.9 69.7 53.1 63.8 52.9
VideoChat-R1.5 59.1 62.9 74.7 52.2 34.7 29.7 31.1 60.8 42.5 51.4 39.5
VideoChat-R1   59.4 60.5 77.6 53.9 34.8 27.2 29.7 65.3 41.3 43.7 44.6
Video-R1       56.8 55.8 72.6 47.3 33.2 27.6 32.6 51.5 43.5 47.9 36.2
"""


def _by_model(table: str) -> dict[str, dict[str, float]]:
    rows = [line.split() for line in table.strip().splitlines()]
    return {row[0]: dict(zip((*GENERIC, *REASONING), map(float, row[1:]), strict=True)) for row in rows}


def _published() -> dict[str, dict[str, Published]]:
    tac, vas = _by_model(_TAC), _by_model(_VAS)
    return {
        model: {
            benchmark: Published(accuracy, tac.get(model, {}).get(benchmark), vas.get(model, {}).get(benchmark))
            for benchmark, accuracy in row.items()
        }
        for model, row in _by_model(_ACCURACY).items()
    }


PAPER: dict[str, dict[str, Published]] = _published()
"""By model, then by benchmark's display name.

>>> PAPER["Video-R2"]["MVBench"]
Published(accuracy=67.5, tac=82.4, vas=76.5)
"""

ABLATION: dict[str, Arm] = {
    "Qwen2.5-VL, no reasoning": Arm(Average(67.5, 38.9, 51.9)),
    "Qwen2.5-VL, chain of thought": Arm(
        Average(59.6, 37.0, 47.3), Average(63.2, 49.1, 55.5), Average(53.2, 36.9, 44.3)
    ),
    "+ SFT": Arm(Average(60.9, 38.8, 48.9), Average(96.5, 97.1, 96.8), Average(76.8, 63.7, 69.7)),
    "+ SFT + GRPO": Arm(Average(65.9, 41.0, 52.3), Average(82.9, 71.6, 76.8), Average(75.8, 61.5, 61.5)),
    "+ SFT + GRPO + TAR": Arm(Average(66.5, 41.2, 52.7), Average(83.0, 72.9, 77.5), Average(78.4, 62.9, 69.9)),
    "+ SFT + GRPO + TAR + gate": Arm(Average(66.7, 41.6, 53.0), Average(85.7, 78.2, 81.6), Average(78.9, 61.5, 69.4)),
}
"""By arm, in the order of the paper."""


def published_beside(benchmarks: Set[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """The published rows to put beside measured ones: of these benchmarks, or of all where none of them was published.

    >>> published_beside({"MVBench", "mine"})["Video-R2"]
    {'MVBench': {'accuracy': 67.5, 'tac': 82.4, 'vas': 76.5}}
    """
    return {
        model: {name: asdict(row) for name, row in rows.items() if name in benchmarks or benchmarks.isdisjoint(rows)}
        for model, rows in PAPER.items()
    }
