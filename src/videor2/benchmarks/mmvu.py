"""MMVU, validation: expert questions in 27 subjects, with five options or open."""

from collections.abc import Sequence
from typing import Any

from videor2.benchmarks.metrics import Scored, mean_of_rows
from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.numerals import find_numbers
from videor2.sample import Kind, Sample

DISCIPLINES = {
    "Science": "Biology Chemistry Modern_Physics Astronomy Geography Materials_Science Neurobiology Electromagnetism "
    "Thermodynamics Mechanics",
    "Engineering": "Civil_Engineering Electrical_Engineering Mechanical_Engineering Biomedical_Engineering "
    "Electronics_and_Communication Computer_Science",
    "Healthcare": "Clinical_Medicine Basic_Medicine Preventive_Medicine Pharmacy Dentistry",
    "Humanities and Social Science": "Art Literature History Law Economics Management",
}
DISCIPLINE = {subject: discipline for discipline, subjects in DISCIPLINES.items() for subject in subjects.split()}
HUB = "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/"


def sample(row: Row) -> Sample:
    """A row: id, question_type, question, choices {A..E} (empty where open), answer, video (a URL) or video_path."""
    video = row.text("video_path", "video").removeprefix(HUB).removeprefix("./")
    subject = video.split("/")[-2] if "/" in video else ""
    answer = row.text("answer")
    fields: dict[str, Any] = {"kind": open_kind(answer), "answer": answer}
    task = row.text("question_type").replace("-", "_")
    if task == "multiple_choice":
        options = row.options(row.need("choices"), "choices")
        fields = {"options": options, "answer": row.letter(answer, options)}
    return Sample(
        id=row.text("id"),
        question=row.text("question"),
        video=row.folder.find(video, f"videos/{video}"),
        task=task,
        meta={"subject": subject, "discipline": DISCIPLINE.get(subject, "")},
        **fields,
    )


def open_kind(answer: str) -> Kind:
    """Open answers are numbers where they are nothing else, else texts ("150 µV": the unit counts).

    >>> [open_kind(answer) for answer in ("-1.5", "six", "84 g/mol", "E", "second")]
    ['number', 'number', 'text', 'text', 'text']
    """
    spans = [(number.start, number.end) for number in find_numbers(answer)]
    return "number" if spans == [(0, len(answer))] else "text"


def complete(row: Row, converted: Sample) -> Sample:
    """The Video-R1 row layout keeps the subject in the path."""
    subject = row.text("path").split("/")[-2]
    update: dict[str, Any] = {"meta": {"subject": subject, "discipline": DISCIPLINE.get(subject, "")}}
    update["task"] = "multiple_choice" if converted.kind == "choice" else "open_ended"
    if update["task"] == "open_ended":
        update["kind"] = open_kind(converted.answer or "")
    return converted.model_copy(update=update)


def multiple_choice(rows: Sequence[Scored]) -> float | None:
    """Accuracy of the questions with options."""
    return mean_of_rows([row for row in rows if row.task != "open_ended"])


MMVU = Benchmark(
    name="MMVU",
    slug="mmvu",
    version=1,
    group="reasoning",
    source=Source("arXiv 2501.12380", "yale-nlp/MMVU", "validation", ("validation.json",), ("videos/**",)),
    rows=1000,
    kinds=("choice", "number", "text"),
    metric="accuracy of the 625 questions with options. The authors also count the 375 open ones as a language model "
    "judges them; ours scores those by equal words or numbers, a lower bound, and keeps them apart (by_task).",
    checked="fields: the authors' validation.json, 1,000 rows; disciplines and metric: lmms-eval mmvu. The scorer of "
    "arXiv 2511.23478 takes questions with options only",
    layouts=(
        Layout(
            {"": ("validation.json", "data/validation.json", "*.parquet", "data/validation-*.parquet")},
            sample,
            marks=("question_type", "choices", "answer"),
        ),
    ),
    prompt_layout=lambda sample: Prompt(question="Question: {question}", option="{letter}: {text}"),
    headline=multiple_choice,
    breakdown=("discipline",),
    converted_from=complete,
)
