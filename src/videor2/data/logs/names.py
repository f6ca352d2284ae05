"""Run, benchmark and task out of a file's name."""

from functools import lru_cache

from videor2.benchmarks.names import GENERIC, REASONING, canonical


@lru_cache(maxsize=1024)
def display(name: str) -> str:
    """A benchmark's display name; `canonical` for names that come with every row."""
    return canonical(name)[0]


def by_name(stem: str) -> tuple[str, str, str]:
    """Model, benchmark and task of `{model}_{benchmark}`; the stem itself where it does not end with a known one.

    >>> by_name("my_model_Video-MME_64frame"), by_name("mvbench"), by_name("run_7")
    (('my_model', 'VideoMME', ''), ('mvbench', 'MVBench', ''), ('run_7', '', ''))
    """
    for start in (0, *(i + 1 for i, char in enumerate(stem) if char == "_")):
        benchmark, task = canonical(stem[start:])
        if benchmark in (*GENERIC, *REASONING) and (start or not task):
            return stem[: start - 1] if start else stem, benchmark, task
    return stem, "", ""
