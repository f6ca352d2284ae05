"""The debug log of Video-R1's GRPO trainer and of its descendants: content, solution and reward of each rollout.

    ------------- 17-14-54-02-959598 Accuracy reward: 0.0 -------------
    Content: <think>...</think><answer>B</answer>
    Solution: <answer>D</answer>

Some write the question between, as `problem: ...`.
"""

import re
from pathlib import Path

from videor2.data.logs.logged import Logged, Record, Schema, Source, logged
from videor2.data.logs.prompts import question_of
from videor2.data.logs.values import BadRow, answer_of

_CONTENT = re.compile(r"^Content: ?", re.MULTILINE)
_SOLUTION = re.compile(r"^Solution:", re.MULTILINE)
_PROBLEM = re.compile(r"^problem: (.*?)(?=^\w+:|\Z)", re.MULTILINE | re.DOTALL)
_HALF_HEAD = re.compile(r"\n-{5,}[^\n]*\Z")


def _fits(record: Record) -> bool:
    return record.keys() == {"time", "reward", "text"}


def _source(path: Path, _header: Record) -> Source:
    return Source(path, path.stem)


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    text = str(record.get("text", "")).replace("\r\n", "\n")
    content = _CONTENT.search(text)
    if content is None:
        raise BadRow("a rollout without `Content:`; was the log cut off here?")
    solutions = list(_SOLUTION.finditer(text, content.end()))
    if not solutions:
        raise BadRow("a rollout without `Solution:`; was the log cut off here?")
    solution = solutions[-1]  # a response may have one of its own
    answer = _HALF_HEAD.sub("", text[solution.end() :]).strip()
    if "<answer>" in answer and "</answer>" not in answer:
        raise BadRow("the solution is cut off")
    problem = _PROBLEM.search(text[: content.start()])
    return [
        logged(
            source,
            row,
            id=row,
            response=text[content.end() : solution.start()].removesuffix("\n"),
            question=question_of(problem[1].strip()) if problem else "",
            answer=answer_of(answer, "Solution"),
            ids={"time": record.get("time")},
        )
    ]


SCHEMA = Schema("video-r1-debug", "lines `----- ... Accuracy reward: X -----`", _fits, _read, _source)
