"""Video-MME: 2,700 questions on 900 videos, short, medium and long, with and without subtitles."""

from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

KEPT = ("duration", "domain", "sub_category", "task_type")


def sample(row: Row) -> Sample:
    """A hub row: videoID, question_id, question, options ("A. ..."), answer (a letter), duration, domain, ..."""
    options = row.options(row.need("options", "candidates"), "options")
    video = row.text("videoID", "video")
    return Sample(
        id=row.text("question_id"),
        question=row.text("question"),
        options=options,
        answer=row.letter(row.need("answer"), options),
        video=row.folder.find(f"data/{video}.mp4", f"videos/{video}.mp4", f"video/{video}.mp4"),
        subtitles=row.folder.file(f"subtitle/{video}.srt") or row.folder.file(f"subtitles/{video}.srt"),
        meta=row.keep(*KEPT) | {"video_id": video},
    )


VIDEOMME = Benchmark(
    name="VideoMME",
    slug="videomme",
    version=1,
    group="generic",
    source=Source(
        "arXiv 2405.21075",
        "lmms-lab/Video-MME",
        "test",
        ("videomme/*.parquet",),
        ("videos_chunked_*.zip", "subtitle.zip"),
    ),
    rows=2700,
    kinds=("choice",),
    metric="accuracy over rows, also by duration; with subtitles it is a run of its own. A response without a letter "
    "or an option's text is wrong; lmms-eval takes any capital A to D in it.",
    checked="fields, breakdown and metric: lmms-eval videomme; 2,700 real rows that kept the hub's fields",
    layouts=(
        Layout(
            {"": ("videomme/*.parquet", "test-*.parquet", "videomme.parquet")},
            sample,
            marks=("question_id", "videoID", "options", "answer"),
        ),
    ),
    prompt_layout=lambda sample: Prompt(
        before="Choose the best answer to this question about the video"
        + (" and its subtitles." if sample.subtitles else ".")
    ),
    breakdown=KEPT,
    has_subtitles=True,
    converted_from=lambda row, sample: sample.model_copy(update={"meta": sample.meta | row.keep(*KEPT)}),
)
