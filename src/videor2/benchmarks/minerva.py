"""MINERVA: questions that take two or more skills and several moments of a video."""

from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

KEPT = ("category", "question_type", "split", "length")


def original(row: Row) -> Sample:
    """A row of the authors' JSON: key, video_id, question, answer_choice_0 to 4, answer_id from 0, reasoning."""
    options = row.options([row.need(f"answer_choice_{i}") for i in range(5)], "answer_choice_0")
    return _sample(row, options, row.letter_at(row.need("answer_id"), options, "answer_id"), row.text("key"))


def hub(row: Row) -> Sample:
    """A row of the hub copy that the paper used: question_id, videoID, options ("A. ..."), answer (a letter)."""
    options = row.options(row.need("options"), "options")
    return _sample(row, options, row.letter(row.need("answer"), options), row.text("question_id"))


def _sample(row: Row, options: tuple[str, ...], answer: str, name: str) -> Sample:
    video = row.text("video_id", "videoID")
    return Sample(
        id=name,
        question=row.text("question"),
        options=options,
        answer=answer,
        video=row.folder.find(f"videos/{video}.mp4", f"{video}.mp4"),
        subtitles=row.folder.file(f"subtitles/{video}.srt"),
        meta=row.keep(*KEPT) | {"video_id": video},
    )


MINERVA = Benchmark(
    name="MINERVA",
    slug="minerva",
    version=1,
    group="reasoning",
    source=Source("arXiv 2505.00681", "mmaaz60/minerva", "test", ("*.parquet", "minerva.json"), ("videos*",)),
    rows=1515,
    kinds=("choice",),
    metric="accuracy over rows (MCQ-Accuracy), also by category. An answer that cannot be read is wrong; lmms-eval "
    "draws a random option. The reasoning-trace rating (MiRA) needs a judge and is not computed.",
    checked="fields and metric: lmms-eval minerva and the field lists of the authors and of the copy; 1,431 real rows "
    "in the Video-R1 layout (84 of 1,515 were not convertible there)",
    layouts=(
        Layout({"": ("minerva.json", "minerva*.json")}, original, marks=("answer_choice_0", "answer_id", "video_id")),
        Layout({"": ("*.parquet", "data/*.parquet")}, hub, marks=("question_id", "videoID", "options", "answer")),
    ),
    prompt_layout=lambda sample: Prompt(before="Choose the best answer to this question about the video."),
    breakdown=KEPT,
    has_subtitles=True,
)
