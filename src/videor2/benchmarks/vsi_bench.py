"""VSI-Bench: space in indoor videos, asked for as an option or as a number."""

from collections.abc import Sequence

from videor2.benchmarks.metrics import Scored, grouped, mean_of_rows, relative_accuracy, right
from videor2.benchmarks.prompts import Prompt, Style
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample
from videor2.scores.score import Score

NUMERIC = ("object_abs_distance", "object_counting", "object_size_estimation", "room_size_estimation")
CHOICE = (
    "object_rel_distance",
    "object_rel_direction_easy",
    "object_rel_direction_medium",
    "object_rel_direction_hard",
    "route_planning",
    "obj_appearance_order",
)
DIRECTION = "object_rel_direction"


def sample(row: Row) -> Sample:
    """A hub row: id, dataset, scene_name, question_type, question, options ("A. ..." or none), ground_truth."""
    task = row.text("question_type")
    if task not in NUMERIC + CHOICE:
        raise row.error(f"`question_type` {task!r} is none of {', '.join(NUMERIC + CHOICE)}")
    options = row.options(row.need("options"), "options") if task in CHOICE else ()
    truth = row.text("ground_truth")
    return Sample(
        id=str(row.get("id", row.number)),
        question=row.text("question"),
        options=options,
        answer=row.letter(truth, options, "ground_truth") if options else truth,
        kind="choice" if options else "regression",
        video=row.folder.find(f"{row.text('dataset')}/{row.text('scene_name')}.mp4"),
        task=task,
        meta=row.keep("dataset", "scene_name"),
    )


def score(sample: Sample, response: str, style: Style) -> Score:
    """MRA for numbers, accuracy for options."""
    metric = relative_accuracy if sample.kind == "regression" else right
    return metric(sample, response, style)


def mean_of_types(rows: Sequence[Scored]) -> float | None:
    """Mean over the eight question types; that of relative direction is the mean of its easy, medium and hard."""
    means = {task: mean_of_rows(group) for task, group in grouped(rows, lambda row: row.task).items()}
    levels = [means.pop(task) for task in list(means) if task.startswith(DIRECTION)]
    known = [mean for mean in levels if mean is not None]
    values = [mean for mean in means.values() if mean is not None] + ([sum(known) / len(known)] if known else [])
    return sum(values) / len(values) if values else None


VSI_BENCH = Benchmark(
    name="VSI-Bench",
    slug="vsi_bench",
    version=1,
    group="reasoning",
    source=Source(
        "arXiv 2412.14171",
        "nyu-visionx/VSI-Bench",
        "test",
        ("test-*.parquet", "test.jsonl"),
        ("arkitscenes.zip", "scannet.zip", "scannetpp.zip"),
    ),
    rows=5130,
    kinds=("choice", "regression"),
    metric="mean over 8 question types of MRA (numbers, ten confidences .50 to .95) or accuracy (options). The number "
    "is read from the whole answer; the official code reads its first word.",
    checked="metric, ties and the mean over types: the authors' thinking-in-space code; 5,130 real rows in the "
    "Video-R1 layout",
    layouts=(
        Layout(
            {"": ("test-*.parquet", "data/test-*.parquet", "test.jsonl", "test.json")},
            sample,
            marks=("question_type", "ground_truth", "scene_name"),
        ),
    ),
    prompt_layout=lambda sample: Prompt(before="The video shows one indoor scene.", options="Options:"),
    row_score=score,
    headline=mean_of_types,
    converted_from=lambda row, sample: sample.model_copy(update={"task": row.text("original_question_type")}),
)
