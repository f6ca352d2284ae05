"""VideoMathQA: mathematics in 420 videos, with five options (mcq) or as groups of two (mbin)."""

from collections.abc import Sequence

from videor2.benchmarks.metrics import Scored, mean_of_groups, mean_of_rows
from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

KEPT = ("category", "length")


def sample(row: Row) -> Sample:
    """A hub row: question_id, videoID, question, options ("A. ..."), answer (a letter), category, length, steps.

    The four questions of an mbin group share their question_id.
    """
    options = row.options(row.need("options"), "options")
    video, question_id = row.text("videoID"), row.text("question_id")
    task = row.task or ("mcq" if len(options) > 2 else "mbin")
    return Sample(
        id=f"{task}-{question_id}" if task == "mcq" else f"{task}-{question_id}-{row.number}",
        question=row.text("question"),
        options=options,
        answer=row.letter(row.need("answer"), options),
        video=row.folder.find(f"videos/{video}.mp4", f"{video}.mp4"),
        subtitles=row.folder.file(f"subtitles/{video}.srt"),
        task=task,
        meta=row.keep(*KEPT) | {"question_id": question_id},
    )


def complete(row: Row, converted: Sample) -> Sample:
    """The Video-R1 row layout keeps both tasks in one file, with `mbinary_id` on the rows of mbin."""
    task = "mbin" if row.get("mbinary_id") is not None else "mcq"
    question_id = row.text("problem_id")
    return converted.model_copy(
        update={
            "id": f"{task}-{row.get('mbinary_id', question_id)}",
            "task": task,
            "meta": row.keep(*KEPT) | {"question_id": question_id},
        }
    )


def headline(rows: Sequence[Scored]) -> float | None:
    """Accuracy; where only mbin was asked, the share of groups that are right as a whole."""
    mbin = [row for row in rows if row.task == "mbin"]
    return mean_of_groups(mbin, "question_id") if len(mbin) == len(rows) else mean_of_rows(rows)


VIDEOMATHQA = Benchmark(
    name="VideoMathQA",
    slug="videomathqa",
    version=1,
    group="reasoning",
    source=Source(
        "arXiv 2506.05349",
        "MBZUAI/VideoMathQA",
        "test",
        ("videomathqa_*_test.parquet",),
        ("videos.zip", "subtitles.zip"),
    ),
    rows=420,
    kinds=("choice",),
    metric="mcq: accuracy over rows. mbin (1,680 rows, optional): a group of pairs is right where every pair is.",
    checked="fields, grouping and metric: lmms-eval videomathqa, written by the benchmark's authors; 2,100 real rows "
    "in the Video-R1 layout",
    layouts=(
        Layout(
            {
                "mcq": ("videomathqa_mcq_test.parquet", "mcq/*.parquet"),
                "mbin": ("videomathqa_mbin_test.parquet", "videomathqa_m*bin*.parquet", "multi_binary/*.parquet"),
            },
            sample,
            marks=("question_id", "videoID", "options", "answer"),
        ),
    ),
    prompt_layout=lambda sample: Prompt(before="Choose the best answer to this question about the video."),
    headline=headline,
    breakdown=KEPT,
    extras=lambda rows: {
        "mbin_groups": mean_of_groups([row for row in rows if row.task == "mbin"], "question_id"),
    },
    optional_tasks=("mbin",),
    has_subtitles=True,
    converted_from=complete,
)
