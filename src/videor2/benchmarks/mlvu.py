"""MLVU dev: seven multiple-choice tasks on long videos, two of free generation."""

from typing import Any

from videor2.benchmarks.metrics import judged, mean_of_tasks, right
from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample
from videor2.scores.score import Score

FILES = ("1_plotQA", "2_needle", "3_ego", "4_count", "5_order", "6_anomaly_reco", "7_topic_reasoning")
GENERATION = ("8_sub_scene", "9_summary")
JUDGE = judged("free generation (G-Avg) is rated by a language model")


def sample(row: Row) -> Sample:
    """A row of `json/N_TASK.json` (video, question, candidates, answer as a text, duration), or of the hub.

    The hub's rows have video_name, task_type and the letter as answer, with the options in the question as well.
    """
    task = str(row.get("task_type") or row.task)
    video = row.text("video", "video_name")
    fields: dict[str, Any] = {"answer": row.get("answer"), "kind": "text"}
    if row.get("candidates") is not None:
        options = row.options(row.need("candidates"), "candidates")
        answer = str(row.get("answer", "")).strip()
        letter, meta = (
            (row.letter(answer, options), {})
            if "video_name" in row.fields and len(answer.strip("().")) == 1
            else row.letter_of_text(answer, options)
        )
        fields = {"options": options, "answer": letter, "meta": meta}
    elif task not in ("sub_scene", "summary"):
        row.need("candidates")
    folder = next((name for name in FILES + GENERATION if name.endswith(task)), task)
    return Sample(
        id=f"{task}-{row.number}",
        question=row.text("question").split("\n(A)")[0],
        video=row.folder.find(f"video/{folder}/{video}", f"video/{video}", f"videos/{video}", video),
        duration_s=row.seconds("duration"),
        task=task,
        **fields,
    )


def score(sample: Sample, response: str, style: Any) -> Score:
    """Value equality; what is generated freely needs a judge."""
    return JUDGE(sample, response, style) if sample.task in ("sub_scene", "summary") else right(sample, response, style)


MLVU = Benchmark(
    name="MLVU",
    slug="mlvu",
    version=1,
    group="generic",
    source=Source(
        "arXiv 2406.04264", "MLVU/MVLU", "dev", ("MLVU/json/*.json",), ("MLVU/video/**",), "licence terms of MLVU"
    ),
    rows=2172,
    kinds=("choice", "text"),
    metric="M-Avg: accuracy, mean over the 7 multiple-choice tasks. Options of the same text are one answer. G-Avg "
    "(sub_scene, summary: optional) is a language model's rating: it abstains.",
    checked="fields and video folders: the authors' nine JSON files, 2,593 rows; M-Avg: lmms-eval mlvu. The authors' "
    "early script averages rows instead; rows per task differ, so the two differ",
    layouts=(
        Layout(
            {name.split("_", 1)[1]: (f"json/{name}.json", f"MLVU/json/{name}.json") for name in FILES + GENERATION},
            sample,
            marks=("video", "question", "answer", "question_type"),
        ),
        Layout({"": ("*.parquet", "data/*.parquet")}, sample, marks=("video_name", "question", "answer", "task_type")),
    ),
    prompt_layout=lambda sample: Prompt(option="({letter}) {text}"),
    row_score=score,
    headline=mean_of_tasks,
    optional_tasks=("sub_scene", "summary"),
    broken={
        "needle:35": "the answer is worded as none of the options",
        "needle:339": "the answer is worded as none of the options",
        "topic_reasoning:27": "question and options are empty",
    },
)
