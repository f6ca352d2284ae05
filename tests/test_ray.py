"""A Ray cluster answers as one process does, whatever happens to a clip or to an actor."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models.backend import Answered, Backend, Decoding, Question
from videor2.models.load import load_model
from videor2.models.local import LocalBackend
from videor2.models.prompt import question_text
from videor2.models.ray import Pool, RayBackend, VllmBackend, part_size, parts, plan
from videor2.sample import Sample
from videor2.video.store import VideoConfig

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'videor2[ray]'")

VIDEO = VideoConfig(fps=2, max_frames=8, max_pixels=1024, timestamps=False)
GREEDY = Decoding(max_new_tokens=6)
SAMPLING = Decoding(temperature=1.0, max_new_tokens=6, seed=3)


@pytest.fixture(scope="module")
def questions(world: Path) -> list[Question]:
    """Eight: two about each of four clips, those about a clip not side by side."""
    samples = [example.sample for example in read_examples(world)]
    samples = [sample for start in range(2) for sample in samples[start::3][:4]]
    return [Question(sample, question_text(sample)) for sample in samples]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray that was there before: two CPUs on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()


def answers(backend: Backend, questions: Sequence[Question]) -> list[Answered]:
    found: dict[int, Answered] = {}
    for index, answered in backend.answer(questions):
        assert index not in found
        found[index] = answered
    return [found[index] for index in range(len(questions))]


def locally(model: Path, questions: Sequence[Question], decoding: Decoding) -> list[Answered]:
    return answers(LocalBackend(str(model), video=VIDEO, decoding=decoding), questions)


def on_ray(model: Path | str, decoding: Decoding, *, actors: int | None = 2) -> RayBackend:
    return RayBackend(str(model), video=VIDEO, decoding=decoding, batch_size=2, actors=actors)


def about(video: Path, *, name: str) -> Question:
    return Question(Sample(id=name, question="How many?", video=str(video)), "How many?")


def children() -> list[str]:
    return [child.name() for child in psutil.Process().children(recursive=True)]


def test_nothing_to_ask_starts_nothing(untrained) -> None:
    assert list(on_ray(untrained, GREEDY).answer([])) == []
    assert not ray.is_initialized()


def test_an_address_without_a_cluster_is_told(untrained, questions) -> None:
    backend = RayBackend(str(untrained), video=VIDEO, decoding=GREEDY, address="127.0.0.1:1")
    with pytest.raises(InputError, match=r"127.0.0.1:1: no Ray cluster lets us in .*refused"):
        answers(backend, questions)


def test_a_ray_of_our_own_answers_as_one_process_and_is_gone_afterwards(untrained, questions, tmp_path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    asked = [about(broken, name="x"), *questions, about(broken, name="y")]
    backend = RayBackend(str(untrained), video=VIDEO, decoding=GREEDY, batch_size=2, actors=2, address="local")
    found = answers(backend, asked)
    assert found == locally(untrained, asked, GREEDY)
    assert [answered.response is None for answered in found] == [True, *[False] * 8, True]
    assert "broken.mp4" in found[0].error
    assert not ray.is_initialized()
    assert not [name for name in children() if "raylet" in name or name.startswith("ray::")]


class Trap:
    """A clip that an actor waits for and that kills it, a number of times; then it is `behind`, if that is given.

    The file is a pipe without a writer: who opens it is known to be at work on its questions.
    """

    def __init__(self, path: Path, kills: int, behind: Path | None) -> None:
        self.path, self.kills, self.behind = path, kills, behind
        self.killed: set[int] = set()
        os.mkfifo(path)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.is_set() and len(self.killed) < self.kills:
            try:
                pipe = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads
                time.sleep(0.02)
                continue
            # Who reads waits as long as the pipe is open here; one that dies just now is read from no more.
            unread = select.poll()
            unread.register(pipe, 0)
            while not (readers := self._readers()) and not unread.poll(20):
                pass
            if readers and self.behind is not None and len(self.killed | readers) == self.kills:
                self.path.unlink()
                self.path.symlink_to(self.behind)
            for pid in readers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.killed |= readers
            os.close(pipe)

    def _readers(self) -> set[int]:
        found = set()
        for process in psutil.Process().children(recursive=True):
            try:
                links = [str(file.readlink()) for file in Path(f"/proc/{process.pid}/fd").iterdir()]
            except OSError:
                continue
            if str(self.path) in links:
                found.add(process.pid)
        return found

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Callable[..., Trap]]:
    traps: list[Trap] = []

    def build(kills: int, behind: Path | None = None) -> Trap:
        traps.append(Trap(tmp_path / f"trap{len(traps)}.mp4", kills, behind))
        return traps[-1]

    yield build
    for one in traps:
        one.close()


def test_questions_of_an_actor_that_died_are_asked_again(cluster, untrained, questions, trap) -> None:
    caught = trap(kills=1, behind=Path(str(questions[1].sample.video)))
    video = str(questions[1].sample.video)
    asked = [
        Question(q.sample.model_copy(update={"video": str(caught.path)}), q.text) if q.sample.video == video else q
        for q in questions
    ]
    found = answers(on_ray(untrained, SAMPLING), asked)
    assert len(caught.killed) == 1
    assert found == locally(untrained, questions, SAMPLING)
    assert ray.is_initialized()  # it was not ours to end


@pytest.mark.slow  # each death costs the time in which a process imports PyTorch
def test_a_video_that_no_actor_survives_costs_its_own_questions(cluster, untrained, questions, trap) -> None:
    caught = trap(kills=99)
    bad = [about(caught.path, name=name) for name in "xy"]
    found = answers(on_ray(untrained, GREEDY), [*questions[:3], *bad, *questions[3:]])
    assert found[:3] + found[5:] == locally(untrained, questions, GREEDY)
    assert found[3] == found[4]
    assert "died, 3 times" in found[3].error
    assert len(caught.killed) == 6


def test_what_fails_for_all_is_raised_with_its_reason(cluster, tmp_path, questions) -> None:
    with pytest.raises(InputError, match="no such folder"):
        answers(on_ray(tmp_path / "nothing", GREEDY, actors=1), questions)


def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="actors"):
        on_ray("tiny", GREEDY, actors=0)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="without torchrun"):
        on_ray("tiny", GREEDY)


def test_a_missing_ray_is_named_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"pip install 'videor2\[ray\]'"):
        on_ray("tiny", GREEDY)


def test_parts_leave_work_for_each_actor_and_keep_groups_whole() -> None:
    groups = [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert list(parts(groups, part_size(8, actors=2, batch_size=8))) == [groups[:2], groups[2:]]
    assert list(parts(groups, 1)) == [[group] for group in groups]


def test_a_cluster_with_gpus_is_used_by_its_gpus() -> None:
    assert plan([{"CPU": 4, "GPU": 1}, {"CPU": 2, "GPU": 1}], threads=8) == Pool(2, cpus=2, gpus=1)
    assert plan([{"CPU": 4, "GPU": 4}], threads=8, actors=2) == Pool(2, cpus=1, gpus=1)
    with pytest.raises(InputError, match="neither a GPU nor a CPU"):
        plan([{"memory": 1.0}], threads=1)


class Engine:
    """Stands in for `vllm.LLM`: it knows a prompt by its request alone, and answers with the model behind it."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=2000))
        self.params: list[Any] = []

    def generate(self, requests: list[dict[str, Any]], sampling_params: list[Any], use_tqdm: bool) -> list[Any]:
        assert len(requests) == len(sampling_params)
        self.params = sampling_params
        return [self._one(request, params) for request, params in zip(requests, sampling_params, strict=True)]

    def _one(self, request: dict[str, Any], params: Any) -> Any:
        text = self.processor.tokenizer.decode(request["prompt_token_ids"])
        videos = {}
        if "multi_modal_data" in request:
            frames, metadata = request["multi_modal_data"]["video"]
            sampled = metadata.pop("do_sample_frames")
            videos = {"videos": [frames], "video_metadata": [metadata], "do_sample_frames": sampled}
        inputs = self.processor(text=[text], return_tensors="pt", **videos)
        written = self.model.generate(
            **inputs, do_sample=False, max_new_tokens=params.max_tokens, suppress_tokens=list(params.logit_bias)
        )
        ids = written[0, inputs["input_ids"].shape[1] :]
        text = self.processor.decode(ids, skip_special_tokens=True)
        completion = SimpleNamespace(text=text, token_ids=ids.tolist())
        return SimpleNamespace(prompt_token_ids=inputs["input_ids"][0].tolist(), outputs=[completion])


@pytest.fixture(scope="module")
def engine(untrained: Path) -> Engine:
    return Engine(*load_model(str(untrained)))


def on_vllm(engine: Engine, decoding: Decoding = GREEDY) -> VllmBackend:
    return VllmBackend(engine, engine.processor, SimpleNamespace, video=VIDEO, decoding=decoding)


def test_vllm_is_handed_all_that_a_prompt_is_made_of(engine, untrained, questions, tmp_path) -> None:
    words = Question(Sample(id="words", question="How many?"), "How many?")
    asked = [about(tmp_path / "none.mp4", name="x"), *questions, words]
    with torch.no_grad():
        found = answers(on_vllm(engine), asked)
    assert found == locally(untrained, asked, GREEDY)
    assert [params.temperature for params in engine.params] == [0.0] * 9


def test_a_draw_of_vllm_has_a_seed_of_its_question(engine, questions) -> None:
    def seeds(asked: Sequence[Question], seed: int) -> dict[str, int]:
        answers(on_vllm(engine, Decoding(1.0, 2, seed)), asked)
        return {question.sample.id: params.seed for question, params in zip(asked, engine.params, strict=True)}

    alone = seeds(questions[3:4], 1)
    assert seeds(questions[3:5], 1).items() >= alone.items()
    assert seeds(questions[3:4], 2) != alone


def test_vllm_is_not_asked_what_it_cannot_read(engine, questions) -> None:
    pixels = Question(questions[0].sample, "What is <|video_pad|>?")
    long = Question(questions[0].sample, "word " * 2000)
    found = answers(on_vllm(engine), [pixels, long])
    assert "<|video_pad|>" in found[0].error
    assert "tokens" in found[1].error
