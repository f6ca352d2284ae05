"""Clips are read once, ahead of need, within the memory that was given."""

import threading
from pathlib import Path

import pytest

from videor2.data import read_examples
from videor2.video import VideoError
from videor2.video.store import ClipStore, VideoConfig

CONFIG = VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False)


@pytest.fixture
def videos(world: Path) -> list[str]:
    return sorted({str(example.sample.video) for example in read_examples(world)})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_is_read_once(videos: list[str], workers: int) -> None:
    clips = ClipStore(CONFIG, workers=workers)
    clips.fetch_ahead((video, None) for video in videos)
    first = [clips.get(video) for video in videos]
    clips.fetch_ahead((video, None) for video in videos)
    assert [clips.get(video) for video in videos] == first
    assert clips.reads == len(videos)


def test_clips_are_read_before_they_are_asked_for(videos: list[str]) -> None:
    clips = ClipStore(CONFIG, workers=2)
    clips.fetch_ahead((video, None) for video in videos)
    clips._workers.shutdown(wait=True)
    assert clips.reads == len(videos)
    assert not clips._pending  # or every clip ever read would stay in memory
    assert len(clips.get(videos[0]).frames) > 0
    assert clips.reads == len(videos)


def test_a_video_that_cannot_be_read_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    clips = ClipStore(CONFIG, workers=1)
    clips.fetch_ahead([(str(broken), None)])
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        clips.get(str(broken))
    assert clips.reads == 1


def test_memory_is_bounded(videos: list[str]) -> None:
    one = ClipStore(CONFIG).get(videos[0]).frames.nbytes
    clips = ClipStore(CONFIG, workers=2)
    clips._limit = 2 * one
    clips.fetch_ahead((video, None) for video in videos)
    clips._workers.shutdown(wait=True)
    assert clips._size <= clips._limit
    assert len(clips._clips) <= 2


def test_many_threads_may_ask_at_once(videos: list[str]) -> None:
    clips = ClipStore(CONFIG, workers=2)
    clips.fetch_ahead((video, None) for video in videos)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(sum(len(clips.get(v).frames) for v in videos))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(set(found)) == 1
    assert len(found) == 4


def test_a_part_of_a_video_is_read_by_its_name(world: Path) -> None:
    video = str(next(world.parent.rglob("*.mp4")))
    store = ClipStore(VideoConfig(fps=2.0, max_frames=32, max_pixels=32 * 32, timestamps=False))
    whole, part = store.get(video), store.get(f"{video}#t=2,5")
    assert part.timestamps_s[0] >= 2.0 - 1e-6
    assert part.timestamps_s[-1] <= 5.0
    assert len(part) < len(whole)
