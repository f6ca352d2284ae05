"""The benchmarks' names: one display name for all the ways in which harnesses and files write it."""

import re

GENERIC = ("MVBench", "VideoMME", "TempCompass", "MLVU", "LongVideoBench")
REASONING = ("VideoMathQA", "Video-MMMU", "MMVU", "VSI-Bench", "MINERVA", "SciVideoBench")
"""The two groups that arXiv 2511.23478 averages over, in the order of its tables."""

_SQUEEZED = {re.sub("[^a-z0-9]", "", name.lower()): name for name in (*GENERIC, *REASONING)}
_SQUEEZED |= {"minverva": "MINERVA", "synth": "synth"}

_NOISE = frozenset(
    {
        *("think", "thinking", "nothink", "direct", "cot", "complete", "full", "group", "all", "gen", "mp4", "v", "i"),
        *("val", "validation", "dev", "eval", "samples", "results", "output"),
        *("json", "jsonl", "parquet", "csv", "tsv", "xlsx"),
    }
)
"""What says how a benchmark was run, or which of its files it is, and not which task."""

_SAMPLING = re.compile(r"\d+(?:frames?|fps)?|frames?|fps")
_OTHER_BENCHMARK = re.compile(r"v\d+|plus|pro|debiased|train")
"""Rest of a name that makes it another benchmark (Video-MME-v2, VSI-Bench-Debiased)."""

_TASKS = {
    ("TempCompass", "mcq"): "multi_choice",
    ("TempCompass", "yorn"): "yes_no",
    ("VideoMME", "w_subtitle"): "subtitles",
    ("VideoMME", "w_subs"): "subtitles",
    ("VideoMME", "subs"): "subtitles",
    ("VideoMME", "w_subtitles"): "subtitles",
    ("VideoMathQA", "mcq_w_subtitles"): "mcq_subtitles",
    ("VideoMathQA", "mbin_w_subtitles"): "mbin_subtitles",
}


def canonical(name: str) -> tuple[str, str]:
    """Display name and task of a benchmark as harnesses, hubs and files name it; an unknown name stays as it is.

    >>> canonical("mvbench_think_action_sequence"), canonical("Video-MME_64frame")
    (('MVBench', 'action_sequence'), ('VideoMME', ''))
    >>> canonical("video_mmmu_perception_think"), canonical("lmms-lab/Video-MME"), canonical("my_bench")
    (('Video-MMMU', 'perception'), ('VideoMME', ''), ('my_bench', ''))
    """
    words = re.findall("[a-z0-9]+", name.rsplit("/", 1)[-1].lower())
    while len(words) > 1 and (words[0] in _NOISE or words[0].isdigit()):
        words = words[1:]
    for n in range(len(words), 0, -1):
        display = _SQUEEZED.get("".join(words[:n]))
        if display:
            rest = words[n:]
            if any(_OTHER_BENCHMARK.fullmatch(word) for word in rest):
                break
            task = "_".join(word for word in rest if word not in _NOISE and not _SAMPLING.fullmatch(word))
            return display, _TASKS.get((display, task), task)
    return name, ""
