"""What a sampled response is drawn from: seeds that belong to a completion and not to a process or a batch."""

import hashlib

import numpy as np

from videor2.sample import Sample


def completion_seed(*place: int) -> int:
    """The seed of the completion at a place, such as (seed, step, row): unlike those of its neighbours."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1)


def question_seed(seed: int, sample: Sample) -> int:
    """The seed of a question's response: of the run's seed and which question it is, and of nothing else.

    >>> question_seed(0, Sample(id="7", question="?")) == question_seed(0, Sample(id="7", question="Why?"))
    True
    """
    name = "\0".join((sample.benchmark, sample.task, sample.id)).encode()
    return completion_seed(seed, int.from_bytes(hashlib.sha256(name).digest()[:8]))
