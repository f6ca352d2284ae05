"""Which of the processes that a launcher started together this is."""

import os


def process_rank() -> tuple[int, int]:
    """Which process this is, and of how many, as torchrun and accelerate say: RANK and WORLD_SIZE."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
