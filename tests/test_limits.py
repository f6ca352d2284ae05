"""What stops a run, and what it says."""

from types import SimpleNamespace

import pytest
import torch

from videor2.models.prompt import EncodedPrompt
from videor2.train.limits import FailedSteps, TrainingError, UnreadableVideos, is_out_of_memory, out_of_memory
from videor2.train.prompts import Skipped


def unreadable(name: str) -> Skipped:
    return Skipped("video", name, f"{name}: no video stream")


def test_one_unreadable_video_never_stops_a_run() -> None:
    count = UnreadableVideos(0.05, total=3)
    count.add([unreadable("a.mp4"), unreadable("a.mp4"), Skipped("length", "Which?", "too long")])
    assert list(count.found) == ["a.mp4"]


def test_more_than_the_share_that_is_allowed_stops_it() -> None:
    count = UnreadableVideos(0.05, total=60)
    count.add([unreadable(f"{i}.mp4") for i in range(3)])
    with pytest.raises(
        TrainingError, match=r"4 of 60 videos .* max_video_failures=0.05 allows: 0.mp4: no video stream"
    ):
        count.add([unreadable("3.mp4")])


def test_failed_steps_count_only_in_a_row() -> None:
    steps = FailedSteps(2)
    assert [steps.add(share) for share in (0.5, 0.0, 0.1, 1.0)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("batch", "checkpointing", "advice"),
    [
        (16, False, r"halve prompts_per_step \(now 2\) and double gradient_accumulation"),
        (8, False, "set gradient_checkpointing=true"),
        (8, True, "halve video.max_frames or video.max_pixels"),
    ],
)
def test_the_setting_that_halves_memory_is_named(batch: int, checkpointing: bool, advice: str) -> None:
    prompt = EncodedPrompt(torch.ones(700, dtype=torch.long), {"pixel_values_videos": torch.zeros(2400, 3)})
    args = SimpleNamespace(per_device_train_batch_size=batch, num_generations=8, gradient_checkpointing=checkpointing)
    error = out_of_memory(torch.OutOfMemoryError("CUDA out of memory."), [prompt] * 8, args, 1024)
    with pytest.raises(TrainingError, match=rf"1 prompts of up to P=700 tokens \(2400 patches .*C=1024: {advice}"):
        raise error


def test_other_errors_are_no_lack_of_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
