"""Video-MMMU: what a lecture teaches, on three tracks, and the gain over not having watched it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from videor2.answers import letter_of
from videor2.benchmarks.metrics import Scored, mean_of_rows, right
from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.numerals import read_number
from videor2.sample import Kind, Sample

DISCIPLINES = {
    "Art": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Science": "Biology Chemistry Geography Math Physics",
    "Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Humanities": "History Literature Sociology Psychology",
    "Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials "
    "Mechanical_Engineering",
}
DISCIPLINE = {subject: discipline for discipline, subjects in DISCIPLINES.items() for subject in subjects.split()}
QUESTION_ONLY = "adaptation_question_only"


def unpack(document: Any) -> Iterable[Mapping[str, Any]]:
    """Rows of the authors' JSON: one track, its questions by number."""
    (questions,) = document.values()
    rows: Iterable[Mapping[str, Any]] = questions.values()
    return rows


def sample(row: Row) -> Sample:
    """A row: id ("validation_Math_15"), question, options (bare), answer; only Adaptation has question_type.

    Open questions have no options; their answer is a number, several ("['24/7', '3.43']"), or a letter in the picture.
    """
    name, answer = row.text("id"), row.text("answer")
    subject = "_".join(name.split("_")[1:-1])
    published = row.get("options") or ()
    if isinstance(published, str):
        published = re.findall(r"'((?:[^'\\]|\\.)*)'", published)
    meta: dict[str, Any] = {"video_id": name, "subject": subject, "discipline": DISCIPLINE.get(subject, "")}
    options: tuple[str, ...] = ()
    kind: Kind = "choice"
    if len(published):
        options = row.options(published, "options")
        answer = row.letter(answer, options)
    else:
        answer, *further = re.findall(r"[^\[\]',\s][^\[\]',]*", answer) if answer.startswith("[") else [answer]
        meta |= {"accepted": further} if further else {}
        kind = "number" if read_number(answer) is not None else "choice" if letter_of(answer) else "text"
    folder = meta["discipline"]
    videos = [f"{folder}/{name}.mp4", f"videos/{folder}/{name}.mp4", f"videos/{name}.mp4", f"{name}.mp4"]
    if row.task == QUESTION_ONLY:
        videos = [f"question_only/{name}_image.mp4"]
    return Sample(
        id=f"{row.task}-{name}",
        question=row.text("question"),
        options=options,
        answer=answer,
        kind=kind,
        video=row.folder.find(*videos),
        task=row.task,
        meta=meta,
    )


def complete(row: Row, converted: Sample) -> Sample:
    """The Video-R1 row layout keeps the video's name, and with it the subject, but not the track."""
    name = row.text("path").rsplit("/", 1)[-1].removesuffix(".mp4")
    subject = "_".join(name.split("_")[1:-1])
    meta = {"video_id": name, "subject": subject, "discipline": DISCIPLINE.get(subject, "")}
    return converted.model_copy(update={"meta": meta})


def gain(rows: Sequence[Scored]) -> dict[str, float | None]:
    """Delta knowledge: the share of what was unknown before the video (question only) that is known after it."""
    after = mean_of_rows([row for row in rows if row.task == "adaptation"])
    before = mean_of_rows([row for row in rows if row.task == QUESTION_ONLY])
    if after is None or before is None or before == 1:
        return {"delta_knowledge": None}
    return {"delta_knowledge": (after - before) / (1 - before)}


def prompt(sample: Sample) -> Prompt:
    """Adaptation asks to use what the video teaches; the other tracks warn of the quiz that its last frame shows."""
    if sample.task == "adaptation":
        return Prompt(
            before="Learn from the video, then use what you learned to answer. The picture that belongs to the "
            "question is the last frame of the video."
        )
    if sample.task == QUESTION_ONLY:
        return Prompt(before="The video shows the picture that belongs to the question.")
    return Prompt(after="The quiz in the last frame of the video is another question; ignore it.")


VIDEO_MMMU = Benchmark(
    name="Video-MMMU",
    slug="video_mmmu",
    version=1,
    group="reasoning",
    source=Source(
        "arXiv 2501.13826", "lmms-lab/VideoMMMU", "test", ("*/test-*.parquet",), ("*.zip",), "access request on the hub"
    ),
    rows=900,
    kinds=("choice", "number"),
    metric="accuracy over rows: of the three tracks, each with 300, and overall; delta knowledge = (adaptation - "
    "question only) / (1 - question only). Open numbers must be equal to two decimals; the official rule also takes "
    "an answer that contains the reference's characters.",
    checked="fields: the authors' three JSON files, 900 rows (15 have LaTeX with lost backslashes, kept as published)"
    "; metric, subjects and gain: lmms-eval videommmu and the "
    "authors' README",
    layouts=(
        Layout(
            {
                "perception": ("*erception.json", "Perception/*.parquet"),
                "comprehension": ("*omprehension.json", "Comprehension/*.parquet"),
                "adaptation": ("*daptation.json", "Adaptation/*.parquet"),
                QUESTION_ONLY: ("*daptation.json", "Adaptation/*.parquet"),  # the same questions, other videos
            },
            sample,
            marks=("id", "question", "options", "answer"),
            unpack=unpack,
        ),
    ),
    prompt_layout=prompt,
    row_score=lambda sample, response, style: right(sample, response, style, decimals=2),
    breakdown=("discipline",),
    extras=gain,
    optional_tasks=(QUESTION_ONLY,),
    converted_from=complete,
)
