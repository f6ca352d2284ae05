"""The scores: accuracy, format, consistency (TAC), temporal alignment (TAR). Rewards and metrics alike."""

from videor2.scores.score import Score, Status

__all__ = ["Score", "Status"]
