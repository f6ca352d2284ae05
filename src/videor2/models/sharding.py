"""Which questions about videos belong together, and which process answers them."""

from collections.abc import Sequence

from videor2.models.backend import Question


def grouped(questions: Sequence[Question]) -> list[list[int]]:
    """The indices of the questions about each video (with its subtitles), in order; one without is by itself."""
    groups: dict[object, list[int]] = {}
    for index, question in enumerate(questions):
        sample = question.sample
        groups.setdefault((sample.video, sample.subtitles) if sample.video is not None else index, []).append(index)
    return list(groups.values())


def shard(questions: Sequence[Question], rank: int, world: int) -> list[int]:
    """The indices of the questions that process `rank` of `world` answers, in order.

    Together the processes answer each question once. Those about one video stay together, and reading it counts as
    much as answering one of them; every process comes to the same split. Raises ValueError for a rank that is none.

    >>> from videor2.sample import Sample
    >>> ask = lambda video: Question(Sample(id="1", question="?", video=video), "?")
    >>> [shard([ask("a"), ask("b"), ask("a"), ask("c")], rank, 2) for rank in range(2)]
    [[0, 2], [1, 3]]
    """
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: a rank is 0 to {world - 1}")
    loads = [0] * world
    mine: list[int] = []
    for group in sorted(grouped(questions), key=len, reverse=True):  # the largest first, each to who has least
        least = loads.index(min(loads))
        loads[least] += len(group) + (questions[group[0]].sample.video is not None)
        if least == rank:
            mine += group
    return sorted(mine)
