"""SciVideoBench: research-level questions on videos of scientific experiments, ten options."""

from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

KEPT = ("question_type", "discipline", "subject", "category")


def sample(row: Row) -> Sample:
    """A row: video_id, question_id, question, options {A..J}, answer (a letter), question_type, discipline, subject."""
    published = row.need("options")
    if isinstance(published, dict):  # parquet keeps a place for every letter
        published = {letter: text for letter, text in published.items() if text is not None}
    options = row.options(published, "options")
    video = row.text("video_id")
    return Sample(
        id=f"{video}-{row.get('question_id', row.number)}-{row.number}",
        question=row.text("question"),
        options=options,
        answer=row.letter(row.need("answer"), options),
        video=row.folder.find(f"videos/jove_{video}.mp4", f"jove_{video}.mp4", f"videos/{video}.mp4"),
        duration_s=row.seconds("video_duration"),
        meta=row.keep(*KEPT) | {"video_id": video},
    )


SCIVIDEOBENCH = Benchmark(
    name="SciVideoBench",
    slug="scivideobench",
    version=1,
    group="reasoning",
    source=Source(
        "arXiv 2510.08559",
        "groundmore/scivideobench",
        "test",
        ("scivideobench_1k.jsonl", "*.parquet"),
        ("*.zip", "videos/**"),
        "academic use only; access by the authors",
    ),
    rows=1000,
    kinds=("choice",),
    metric="accuracy over rows, also by question type and discipline. An answer that cannot be read is wrong; the "
    "official code draws a random option. Times in a question stay times; the official code turns them into frame "
    "numbers.",
    checked="fields: the example of the authors' README; metric and breakdown: their lmms-eval task. No real rows",
    layouts=(
        Layout(
            {"": ("scivideobench_1k.jsonl", "*.jsonl", "*.parquet", "data/*.parquet")},
            sample,
            marks=("video_id", "question", "options", "answer", "question_type"),
        ),
    ),
    breakdown=KEPT,
)
