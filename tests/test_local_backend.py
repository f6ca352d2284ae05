"""A model in this process answers many questions, and what fails for one of them stops no other."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models import local
from videor2.models.backend import Answered, Decoding, Question
from videor2.models.generate import generate
from videor2.models.local import LocalBackend
from videor2.models.prompt import question_text
from videor2.models.sharding import shard
from videor2.processes import process_rank
from videor2.sample import Sample
from videor2.video.store import ClipStore, VideoConfig

VIDEO = VideoConfig(fps=2, max_frames=20, max_pixels=1024, timestamps=False)
GREEDY = Decoding(max_new_tokens=6)


@pytest.fixture(scope="module")
def questions(world: Path) -> list[Question]:
    """Three about each of six clips, those about a clip not side by side, and two without a clip."""
    samples = [example.sample for example in read_examples(world)]
    samples = [sample for start in range(3) for sample in samples[start::3]]
    samples.insert(4, Sample(id="words", question="Seen: 00:03 the red circle appears.\nHow many?"))
    samples.append(Sample(id="more words", question="Seen: nothing.\nHow many?"))
    return [Question(sample, question_text(sample)) for sample in samples]


@pytest.fixture(scope="module")
def make(untrained: Path) -> Callable[..., LocalBackend]:
    def backend(decoding: Decoding = GREEDY, **options) -> LocalBackend:
        return LocalBackend(str(untrained), video=VIDEO, decoding=decoding, **options)

    return backend


@pytest.fixture(scope="module")
def alone(make: Callable[..., LocalBackend], questions: list[Question]) -> list[str]:
    """What each question is answered by itself."""
    backend, clips = make(), ClipStore(VIDEO)
    samples = [question.sample for question in questions]
    return [generate(backend.model, backend.processor, [s], clips, max_new_tokens=6)[0] for s in samples]


def answers(backend: LocalBackend, questions: Sequence[Question]) -> list[Answered]:
    found = dict(backend.answer(questions))
    return [found[index] for index in range(len(questions))]


def responses(backend: LocalBackend, questions: Sequence[Question]) -> list[str | None]:
    return [answered.response for answered in answers(backend, questions)]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (4, 1), (64, 2)])
def test_each_question_is_answered_as_if_it_were_alone(make, questions, alone, batch_size, workers) -> None:
    found = answers(make(batch_size=batch_size, workers=workers), questions)
    assert [answered.response for answered in found] == alone
    assert all(answered.tokens and 1 <= answered.tokens <= 6 and not answered.error for answered in found)


def test_questions_about_one_video_come_together(make, questions) -> None:
    order = [questions[index].sample.video for index, _ in make(batch_size=2).answer(questions)]
    assert len(order) == len(questions)
    runs = [video for i, video in enumerate(order) if video and video != order[i - 1]]
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize("batch_size", [2, 4, 8])
def test_a_video_is_computed_once_whatever_the_batches(make, questions, batch_size) -> None:
    backend = make(batch_size=batch_size)
    videos = []
    hook = backend.model.model.visual.register_forward_hook(
        lambda _m, args, kwargs, _o: videos.append(len(kwargs["grid_thw"])), with_kwargs=True
    )
    answers(backend, questions)
    hook.remove()
    assert sum(videos) == 6


def test_a_clip_that_cannot_be_read_costs_its_own_questions(make, questions, alone, tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    bad = [Question(Sample(id=name, question="?", video=str(broken)), "?") for name in "ab"]
    missing = Question(Sample(id="c", question="?", video=questions[0].sample.video, subtitles="none.srt"), "?")
    found = answers(make(batch_size=4), [bad[0], *questions, bad[1], missing])
    assert [answered.response for answered in found[1:-2]] == alone
    assert found[0] == found[-2]
    assert found[0].response is None
    assert "broken.mp4" in found[0].error
    assert "none.srt" in found[-1].error


def test_a_question_that_speaks_of_pixels_is_refused_alone(make, questions, alone) -> None:
    sample = questions[0].sample
    found = answers(make(), [Question(sample, "What is <|video_pad|>?"), *questions[:8]])
    assert "<|video_pad|>" in found[0].error
    assert [answered.response for answered in found[1:]] == alone[:8]


@contextmanager
def memory_for(backend: LocalBackend, rows: int, error: Exception) -> Iterator[None]:
    """A model that runs out of memory with more than so many rows at once."""

    def refuse(_module, _args, kwargs) -> None:
        if kwargs["input_ids"].shape[0] > rows:
            raise error

    hook = backend.model.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch_and_goes_on(make, questions, alone, error, caplog) -> None:
    backend = make(batch_size=8)
    with memory_for(backend, 2, error), caplog.at_level(logging.WARNING):
        assert responses(backend, questions) == alone
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "out of memory with 8 questions at once",
        "out of memory with 4 questions at once",
    ]


def test_larger_batches_are_tried_again_when_there_is_memory(make, questions, monkeypatch) -> None:
    monkeypatch.setattr(local, "GOOD_BATCHES", 2)
    backend = make(batch_size=4)
    with memory_for(backend, 1, MemoryError()):
        answers(backend, questions[:3])
    assert backend._size < 4
    answers(backend, questions)
    assert backend._size == 4


def test_a_question_too_large_for_memory_is_an_error_of_its_own(make, questions, alone) -> None:
    backend = make(batch_size=4)
    huge = Question(questions[3].sample, "word " * 400)

    def refuse(_module, _args, kwargs) -> None:
        if kwargs["input_ids"].shape[1] > 300:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = backend.model.register_forward_pre_hook(refuse, with_kwargs=True)
    found = answers(backend, [huge, *questions])
    hook.remove()
    assert found[0].response is None
    assert "out of memory" in found[0].error
    assert "tokens" in found[0].error
    assert [answered.response for answered in found[1:]] == alone


def test_other_errors_of_the_model_are_raised(make, questions) -> None:
    backend = make()
    with (
        memory_for(backend, 0, RuntimeError("device-side assert triggered")),
        pytest.raises(RuntimeError, match="assert"),
    ):
        answers(backend, questions)


def test_a_draw_depends_on_the_seed_and_on_the_question_alone(make, questions) -> None:
    def drawn(seed: int, asked: Sequence[Question], batch_size: int = 8) -> dict[str, str | None]:
        found = responses(make(Decoding(1.0, 6, seed), batch_size=batch_size), asked)
        return {question.sample.id: response for question, response in zip(asked, found, strict=True)}

    whole = drawn(1, questions)
    rest = [questions[index] for index in (11, 3, 4, 0)]
    assert drawn(1, rest, batch_size=3) == {question.sample.id: whole[question.sample.id] for question in rest}
    other = drawn(2, questions)
    assert sum(whole[name] != other[name] for name in whole) > len(whole) // 2


def test_threads_end_with_who_asks(make, questions) -> None:
    stream = make(batch_size=1, workers=2).answer(questions)
    next(stream)
    stream.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("encode")]


@pytest.mark.parametrize(
    ("config", "told"), [(None, "no such folder"), ("{}", "no model"), ('{"model_type": "bert"}', "no model")]
)
def test_a_model_that_cannot_be_used_is_told(tmp_path: Path, config: str | None, told: str) -> None:
    folder = tmp_path / "model"
    if config is not None:
        folder.mkdir()
        (folder / "config.json").write_text(config)
    with pytest.raises(InputError, match=told):
        LocalBackend(str(folder), video=VIDEO, decoding=GREEDY)


def test_clips_that_were_used_take_no_room(world: Path) -> None:
    videos = sorted({str(example.sample.video) for example in read_examples(world)})
    clips = ClipStore(VIDEO, workers=1)
    for video in videos:
        clips.get(video)
        clips.discard(video)
        clips.discard(video)
    assert clips._size == 0
    assert ClipStore(VIDEO, cache_mb=1).room() == 2**20 // (20 * 1024 * 3)
    assert ClipStore(VideoConfig(), cache_mb=1).room() == 1


def test_a_closed_store_starts_no_more_readings(world: Path) -> None:
    videos = sorted({str(example.sample.video) for example in read_examples(world)})
    clips = ClipStore(VIDEO, workers=1)
    clips.fetch_ahead((video, None) for video in videos)
    clips.close()
    assert clips._workers is not None
    clips._workers.shutdown(wait=True)
    assert clips.reads < len(videos)


def about(videos: Sequence[str | None]) -> list[Question]:
    return [Question(Sample(id=str(i), question="?", video=video), "?") for i, video in enumerate(videos)]


@given(st.lists(st.sampled_from([None, *"abcdefgh"]), max_size=60), st.integers(1, 8))
def test_processes_share_questions_evenly_and_keep_those_about_a_video_together(videos, world) -> None:
    shares = [shard(about(videos), rank, world) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(len(videos)))
    seen = [{videos[index] for index in share if videos[index]} for share in shares]
    assert sum(map(len, seen)) == len(set().union(*seen))
    loads = [len(share) + len(watched) for share, watched in zip(shares, seen, strict=True)]
    largest = max((videos.count(video) + 1 for video in videos if video), default=1)
    assert max(loads) - min(loads) <= largest


def test_shares_of_two_processes_give_what_one_gives(make, questions, alone) -> None:
    found = {}
    for rank in range(2):
        mine = shard(questions, rank, 2)
        for index, answered in make(batch_size=3).answer([questions[index] for index in mine]):
            found[mine[index]] = answered.response
    assert [found[index] for index in range(len(questions))] == alone


def test_a_process_learns_its_rank_from_its_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert process_rank() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert process_rank() == (2, 4)
    with pytest.raises(ValueError, match="rank 4 of 4"):
        shard([], 4, 4)
