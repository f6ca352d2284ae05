"""Rollouts on vLLM: what its engine is handed for a prompt with a video, by TRL's and vLLM's documented interfaces."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trl.generation import vllm_generation
from trl.generation.vllm_generation import VLLMGeneration

from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models.load import load_model
from videor2.models.prompt import messages
from videor2.sample import Sample
from videor2.train.prompts import PromptLoader
from videor2.train.vllm_video import VideoEngine, attach_videos
from videor2.video.store import ClipStore, VideoConfig


class Engine:
    """Stands in for `vllm.LLM`: repeats a video token as often as the processor would, and notes what it was given."""

    def __init__(self, video_token: int, tokens_per_video: int) -> None:
        self.video_token, self.tokens_per_video = video_token, tokens_per_video
        self.requests: list[dict[str, Any]] = []
        self.awake: list[str] = []

    def generate(self, requests: list[dict[str, Any]], sampling_params: Any, use_tqdm: bool) -> list[Any]:
        self.requests = requests
        return [SimpleNamespace(prompt_token_ids=self._repeated(request)) for request in requests]

    def _repeated(self, request: dict[str, Any]) -> list[int]:
        ids = request["prompt_token_ids"]
        return [t for i in ids for t in ([i] * self.tokens_per_video if i == self.video_token else [i])]

    def wake_up(self, tags: list[str]) -> None:
        self.awake += tags


@pytest.fixture(scope="module")
def prepared(untrained: Path, world: Path) -> Any:
    _, processor = load_model(str(untrained))
    clips = ClipStore(VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False))
    sample = read_examples(world)[0].sample
    video = messages(sample)
    chats = [video, video, messages(Sample(id="text", question="Which?", options=("a", "b")))]
    loaded = PromptLoader(processor, clips).load(chats)
    # Qwen3-VL writes a time and markers around each frame: what one video token becomes is more than copies of it.
    return processor, clips, chats, loaded


def generate(engine: VideoEngine, loaded: Any) -> Any:
    rows = [{"prompt_token_ids": entry.encoded.input_ids.tolist()} for entry in loaded]
    return engine.generate(rows, sampling_params=None, use_tqdm=False)


def test_a_request_has_the_clip_and_the_prompt_before_its_video_token_is_repeated(prepared: Any) -> None:
    processor, clips, chats, loaded = prepared
    llm = Engine(processor.video_token_id, 1)
    engine = VideoEngine(llm, processor)
    engine.prepare(chats, loaded, clips)
    with pytest.raises(RuntimeError, match="its release lays videos out differently"):
        generate(engine, loaded)  # this engine repeats nothing, so it read other prompts
    first, second, text = llm.requests
    assert first is second
    assert first["prompt_token_ids"].count(processor.video_token_id) == 1
    frames, metadata = first["multi_modal_data"]["video"]
    assert len(frames) == len(metadata["frames_indices"])
    assert metadata["do_sample_frames"] is False
    times = [index / metadata["fps"] for index in metadata["frames_indices"]]
    assert times == pytest.approx(clips.get(chats[0][0]["content"][0]["video"]).timestamps_s.tolist(), abs=1e-3)
    assert "multi_modal_data" not in text
    assert text["prompt_token_ids"] == loaded[2].encoded.input_ids.tolist()


def test_what_vllm_read_must_be_what_the_trainer_reads(prepared: Any) -> None:
    processor, clips, chats, loaded = prepared
    engine = VideoEngine(Engine(processor.video_token_id, 1), processor)
    engine.prepare(chats[2:], loaded[2:], clips)
    assert len(generate(engine, loaded[2:])) == 1
    with pytest.raises(RuntimeError, match="3 prompts to answer, 1 prepared"):
        generate(engine, loaded)


def test_everything_else_is_the_engine_itself(prepared: Any) -> None:
    processor, *_ = prepared
    llm = Engine(0, 1)
    generation = SimpleNamespace(mode="colocate", tensor_parallel_size=1, llm=llm)
    attach_videos(generation, processor)
    generation.llm.wake_up(tags=["weights"])
    assert llm.awake == ["weights"]


@pytest.mark.parametrize(
    ("mode", "parallel", "message"), [("server", 1, "vllm.mode=server"), ("colocate", 2, "tensor_parallel_size > 1")]
)
def test_what_videos_cannot_be_sent_to_is_refused(mode: str, parallel: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        attach_videos(SimpleNamespace(mode=mode, tensor_parallel_size=parallel, llm=None), None)


def test_trl_calls_the_engine_as_expected() -> None:
    source = inspect.getsource(VLLMGeneration.generate)
    call = "self.llm.generate(vllm_prompts, sampling_params=sampling_params, use_tqdm=False)"
    assert call in source, f"TRL's VLLMGeneration.generate no longer calls {call}: see videor2/train/vllm_video.py"
    assert '"prompt_token_ids": ids' in source
    assert "self.mode" in inspect.getsource(VLLMGeneration.__init__)
    assert "tensor_parallel_size" in inspect.signature(VLLMGeneration.__init__).parameters
    assert "video" not in inspect.getsource(vllm_generation), "TRL may have learnt to send videos itself: use that"
