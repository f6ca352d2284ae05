"""Names of benchmarks as harnesses write them, and the paper's table."""

import pytest

from videor2.benchmarks.names import GENERIC, REASONING, canonical
from videor2.benchmarks.paper import ABLATION, PAPER


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mvbench_think_action_sequence", ("MVBench", "action_sequence")),
        ("mvbench", ("MVBench", "")),
        ("OpenGVLab/MVBench", ("MVBench", "")),
        ("MVBench_MP4_1fps", ("MVBench", "")),
        ("Video-MME_64frame", ("VideoMME", "")),
        ("Video-MME_8frame_subs", ("VideoMME", "subtitles")),
        ("videomme_w_subtitle", ("VideoMME", "subtitles")),
        ("eval_videomme.json", ("VideoMME", "")),
        ("20260102_000000_samples_minerva_think.jsonl", ("MINERVA", "")),
        ("minverva_think", ("MINERVA", "")),
        ("video_mmmu_perception_think", ("Video-MMMU", "perception")),
        ("VideoMMMU", ("Video-MMMU", "")),
        ("tempcompass_complete_think", ("TempCompass", "")),
        ("TempCompass_multi-choice", ("TempCompass", "multi_choice")),
        ("TempCompass_YorN", ("TempCompass", "yes_no")),
        ("mlvu_dev_think", ("MLVU", "")),
        ("mlvu_test", ("MLVU", "test")),
        ("longvideobench_val_v_think", ("LongVideoBench", "")),
        ("videomathqa_mbin", ("VideoMathQA", "mbin")),
        ("vsibench_think", ("VSI-Bench", "")),
        ("mmaaz60/VSI_Bench", ("VSI-Bench", "")),
        ("mmvu_val_think", ("MMVU", "")),
        ("scivideobench_think", ("SciVideoBench", "")),
    ],
)
def test_a_harness_name_becomes_the_display_name_and_the_task(name: str, expected: tuple[str, str]) -> None:
    assert canonical(name) == expected


@pytest.mark.parametrize(
    "name", ["my_bench", "Video-MME-v2", "VSI-Bench-Debiased", "MMBench-Video", "", "mmvet", "20260102"]
)
def test_another_benchmark_keeps_its_name(name: str) -> None:
    assert canonical(name) == (name, "")


def test_display_names_are_their_own_canonical_names() -> None:
    assert [canonical(name)[0] for name in (*GENERIC, *REASONING)] == [*GENERIC, *REASONING]


def test_the_paper_has_every_benchmark_for_every_model() -> None:
    assert all(list(row) == [*GENERIC, *REASONING] for row in PAPER.values())


def test_the_averages_of_the_per_benchmark_table_are_the_last_row_of_the_ablation() -> None:
    # The paper's rows for its own model and its ablation agree to the rounding of one decimal.
    row, arm = PAPER["Video-R2"], ABLATION["+ SFT + GRPO + TAR + gate"]
    for metric in ("accuracy", "tac", "vas"):
        average = getattr(arm, metric)
        for group, printed in ((GENERIC, average.generic), (REASONING, average.reasoning), (row, average.overall)):
            assert sum(getattr(row[b], metric) for b in group) / len(group) == pytest.approx(printed, abs=0.07)
