"""LongVideoBench, validation: referring questions on videos of up to an hour."""

from typing import Any

from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

KEPT = ("duration_group", "question_category", "level", "topic_category", "starting_timestamp_for_subtitles")


def sample(row: Row) -> Sample:
    """A row of lvb_val.json (candidates) or of the hub (option0 to option4), with correct_choice from 0.

    On the hub "N/A" fills the places that a question with fewer options leaves; one that is right is an option.
    """
    published: Any = row.get("candidates")
    if published is None:
        row.need("option0")
        published = [row.fields.get(f"option{i}") for i in range(5)]
        correct = row.need("correct_choice")
        while published and published[-1] in ("N/A", "", None) and len(published) - 1 != correct:
            published.pop()
    name = "candidates" if "candidates" in row.fields else "option0"
    options = row.options(published, name)
    video = row.text("video_path")
    return Sample(
        id=row.text("id"),
        question=row.text("question"),
        options=options,
        answer=row.letter_at(row.need("correct_choice"), options, "correct_choice"),
        video=row.folder.find(f"videos/{video}", f"video/{video}"),
        duration_s=row.seconds("duration"),
        meta=row.keep(*KEPT) | {"subtitles_json": row.folder.file(f"subtitles/{row.get('subtitle_path')}")},
    )


LONGVIDEOBENCH = Benchmark(
    name="LongVideoBench",
    slug="longvideobench",
    version=1,
    group="generic",
    source=Source(
        "arXiv 2407.15754",
        "longvideobench/LongVideoBench",
        "validation",
        ("lvb_val.json", "validation-*.parquet"),
        ("videos.tar.part.*", "subtitles.tar"),
        "terms of LongVideoBench on the hub (non-commercial)",
    ),
    rows=1337,
    kinds=("choice",),
    metric="accuracy over rows, also by duration group (15, 60, 600, 3600 s) and question category. An answer that "
    "cannot be read is wrong; the official code draws a random option. Questions are asked on the video alone, as in "
    "lmms-eval's `_v` task, not with subtitles between the frames.",
    checked="fields: two rows of the authors' lvb_val.json and the hub fields in lmms-eval; metric: lmms-eval; 1,337 "
    "real rows in the Video-R1 layout",
    layouts=(
        Layout(
            {"": ("lvb_val.json", "validation-*.parquet", "data/validation-*.parquet")},
            sample,
            marks=("correct_choice", "question", "video_path"),
        ),
    ),
    breakdown=KEPT[:3],
)
