"""MVBench: 20 temporal tasks of 200 questions about short clips."""

from videor2.benchmarks.metrics import mean_of_tasks
from videor2.benchmarks.prompts import Prompt
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample

VIDEOS = {
    "action_sequence": ("star/Charades_v1_480", "star/Charades_segment"),
    "action_prediction": ("star/Charades_v1_480", "star/Charades_segment"),
    "action_antonym": ("ssv2_video", "ssv2_video_mp4"),
    "fine_grained_action": ("Moments_in_Time_Raw/videos",),
    "unexpected_action": ("FunQA_test/test",),
    "object_existence": ("clevrer/video_validation",),
    "object_interaction": ("star/Charades_v1_480", "star/Charades_segment"),
    "object_shuffle": ("perception/videos",),
    "moving_direction": ("clevrer/video_validation",),
    "action_localization": ("sta/sta_video", "sta/sta_video_segment"),
    "scene_transition": ("scene_qa/video",),
    "action_count": ("perception/videos",),
    "moving_count": ("clevrer/video_validation",),
    "moving_attribute": ("clevrer/video_validation",),
    "state_change": ("perception/videos",),
    "fine_grained_pose": ("nturgbd", "nturgbd_convert"),
    "character_order": ("perception/videos",),
    "egocentric_navigation": ("vlnqa",),
    "episodic_reasoning": ("tvqa/frames_fps3_hq", "tvqa/video_fps3_hq_segment"),
    "counterfactual_inference": ("clevrer/video_validation",),
}
"""Folders of videos by task; the second, where there is one, holds them cut or converted already."""


def sample(row: Row) -> Sample:
    """A row of `json/TASK.json`, or of the hub's viewer: video, question, candidates, answer (a text), start, end."""
    options = row.options(row.need("candidates"), "candidates", at_least=1)
    answer, meta = row.letter_of_text(row.need("answer"), options)
    folders = VIDEOS.get(row.task, ("",))
    video = row.folder.find(
        *(f"{top}{folder}/{row.text('video')}" for folder in folders for top in ("video/", "videos/", ""))
    )
    if row.get("end") is not None and "_segment/" not in video:
        meta["clip_s"] = [row.seconds("start") or 0.0, row.seconds("end")]
    return Sample(
        id=f"{row.task}-{row.number}",
        question=row.text("question"),
        options=options,
        answer=answer,
        video=video,
        task=row.task,
        meta=meta,
    )


def complete(row: Row, converted: Sample) -> Sample:
    """The Video-R1 row layout keeps the clip's bounds."""
    bounds = [row.seconds("start"), row.seconds("end")]
    return converted.model_copy(update={"meta": {"clip_s": bounds}}) if None not in bounds else converted


MVBENCH = Benchmark(
    name="MVBench",
    slug="mvbench",
    version=1,
    group="generic",
    source=Source("arXiv 2311.17005", "OpenGVLab/MVBench", "train", ("json/*.json",), ("video/*",)),
    rows=4000,
    kinds=("choice",),
    metric="accuracy, mean over the 20 tasks; all have 200 questions, so it is the mean over rows too. A response "
    "without an answer is wrong; lmms-eval leaves it out of the mean.",
    checked="metric, tasks, video folders and clip bounds: the authors' mvbench.ipynb; fields: lmms-eval; 3,586 "
    "real rows in the Video-R1 layout",
    layouts=(
        Layout(
            {task: (f"json/{task}.json", f"{task}.json", f"{task}/*.parquet") for task in VIDEOS},
            sample,
            marks=("candidates", "question", "answer", "video"),
        ),
    ),
    prompt_layout=lambda sample: Prompt(
        question="Question: {question}", options="Options:", option="({letter}) {text}"
    ),
    headline=mean_of_tasks,
    converted_from=complete,
    video_notes={
        "fine_grained_pose": "videos of NTU RGB+D come from its authors on request, not from the hub",
        "episodic_reasoning": "the hub has folders of frames, 3 a second; make videos of them in video/tvqa/"
        "video_fps3_hq_segment",
    },
)
