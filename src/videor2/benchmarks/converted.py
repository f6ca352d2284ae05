"""The Video-R1 row layout: other benchmarks' questions as `problem`, `options`, `solution`, `path`.

Training and evaluation repositories pass benchmarks around in it, so users have these files too. What it drops (the
task, the duration, the original id) is not made up: samples of it have fewer parts to break a score down by.
"""

import re

from videor2.answers import infer_kind, normalise_options
from videor2.benchmarks.rows import Row
from videor2.sample import Kind, Sample

_TAGS = re.compile(r"</?answer>", re.IGNORECASE)
_KINDS: dict[str, Kind] = {"regression": "regression", "numerical": "number", "OCR": "ocr", "open-ended": "text"}


def is_row(row: Row) -> bool:
    """Whether a row has the fields of this layout."""
    return {"problem", "solution"} <= row.fields.keys()


def sample(row: Row) -> Sample:
    """The row's question."""
    answer = _TAGS.sub("", row.text("solution")).strip()
    published = row.get("options") or ()
    problem_type = str(row.get("problem_type", ""))
    kind: Kind = _KINDS.get(problem_type) or ("choice" if published else infer_kind(answer))
    options: tuple[str, ...] = ()
    # Options that a picture in the video shows are published as bare labels, "A. ", "B. ".
    if kind == "choice" and any(text.strip() for text in normalise_options(list(map(str, published)))):
        options = row.options(published, "options", at_least=1)
    if options:
        answer = row.letter(answer, options, "solution")
    path = str(row.get("path", "")).removeprefix("./")
    return Sample(
        id=str(row.get("problem_id", row.number)),
        question=row.text("problem"),
        options=options,
        answer=answer,
        kind=kind,
        video=row.folder.find(path, f"videos/{path}") if path else None,
        meta=row.keep("original_question_type"),
    )
