"""The same evaluation on a Ray cluster: a pool of actors, each with the model loaded once.

Questions go through Ray Data in parts of a few videos; those about one video stay together, so that it is read once.
Answers come back part by part. Each is what one process would have given, as it depends neither on the batch nor on
who computes it (see `models/local.py`). Where an actor dies, Ray starts another in its place and its part is asked
again. A part that no actor survives is asked once more video by video, so that a file that crashes a decoder costs its
own questions alone.

All nodes must have `videor2` installed, and see videos and the model's folder under the same paths.
"""

import importlib.util
import logging
import os
import pickle
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from videor2.errors import InputError
from videor2.models.backend import Answered, Backend, Decoding, Question
from videor2.models.sharding import grouped
from videor2.processes import process_rank
from videor2.video.store import ClipStore, VideoConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import ProcessorMixin

    from videor2.models.prompt import Message
    from videor2.train.prompts import LoadedPrompt

log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 200 * 2**20
"""For a Ray of our own: questions and answers are all that it carries."""
RETRIES = 2
"""How often a part is asked again when the actor that had it died."""
CONNECT_S = 10.0
"""How long a cluster may take to answer."""
BATCHES_PER_PART = 4
"""Clips are read ahead within a part; much larger ones would come late and be dear to lose."""

Part = list[list[int]]
"""Some groups of questions, each about one video, by their indices."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How many actors, and what Ray reserves for each of them."""

    actors: int
    cpus: int
    gpus: int


class RayBackend:
    """A model that the actors of a Ray cluster answer with: `tiny`, a checkpoint's folder or a hub id.

    batch_size: questions answered at once by an actor. workers: threads of an actor that read clips. actors: how
    many; else one for each GPU of the cluster, or, without any, for as many CPUs as PyTorch uses threads here.
    address: of the cluster; else the one that this process is connected to, that RAY_ADDRESS names or that `ray start`
    has started here; if there is none, or for `local`, Ray runs on this machine while questions are answered.

    Actors that have vLLM installed answer with it (but for `tiny`), the rest with transformers. Raises InputError
    without Ray, and under torchrun, which shares questions out by itself.
    """

    def __init__(
        self,
        model: str,
        *,
        video: VideoConfig,
        decoding: Decoding,
        batch_size: int = 8,
        workers: int = 1,
        actors: int | None = None,
        address: str | None = None,
    ) -> None:
        for name in ("ray", "pandas"):
            if importlib.util.find_spec(name) is None:
                raise InputError(f"--engine ray needs {name}: pip install 'videor2[ray]'")
        if process_rank()[1] > 1:
            raise InputError("--engine ray starts processes of its own: start it once, without torchrun")
        if batch_size < 1:
            raise InputError(f"batch_size: at least 1, not {batch_size}")
        if actors is not None and actors < 1:
            raise InputError(f"actors: at least 1, not {actors}")
        self._model = model
        self._options = {"video": video, "decoding": decoding, "batch_size": batch_size, "workers": workers}
        self._batch_size = batch_size
        self._actors = actors
        self._address = address

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answered]]:
        """The index of each question and what came of it, a part at a time; those about one video come together."""
        left = grouped(questions)
        if not left:
            return
        with _cluster(self._address):
            pool = self._pool()
            for size in (part_size(len(questions), pool.actors, self._batch_size), 1):
                done = set()
                for row, answered in self._ask(questions, list(parts(left, size)), pool):
                    done.add(row)
                    yield row, answered
                left = [group for group in left if group[0] not in done]
                if not left:
                    return
                log.warning("no actor survived the questions about %d videos", len(left))
        error = f"the process that was to answer died, {1 + RETRIES} times with no other video: check the video"
        yield from ((row, Answered(None, error=error)) for row in chain.from_iterable(left))

    def _pool(self) -> Pool:
        import ray
        import torch

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return plan(nodes, threads=torch.get_num_threads(), actors=self._actors)

    def _ask(self, questions: Sequence[Question], todo: Sequence[Part], pool: Pool) -> Iterator[tuple[int, Answered]]:
        """The answers of all parts but those that no actor survived."""
        import ray.data
        from ray.exceptions import RayActorError

        actors = min(pool.actors, len(todo))
        log.info("%d parts for %d actors with %d CPUs and %d GPUs each", len(todo), actors, pool.cpus, pool.gpus)
        # Ray restarts actors, and asks again what they were asked, without end: the tally is what ends it.
        tally = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tally).remote()
        # Ray Data puts values into columns of a type; as bytes, questions and answers come out as they went in.
        items = [{"part": pickle.dumps([(row, questions[row]) for row in chain.from_iterable(part)])} for part in todo]
        answers = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor,
            batch_size=1,
            fn_constructor_kwargs={
                "model": self._model,
                "options": self._options,
                "tally": tally,
                "loads": (1 + RETRIES) * actors,
            },
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus or None,
        )
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # who asks shows the progress
        answers.context.enable_progress_bars = False
        answers.context.print_on_execution_start = False
        try:
            for row in answers.iter_rows():
                found: list[tuple[int, Answered]] | str = pickle.loads(row["answers"])
                if isinstance(found, str):
                    raise InputError(found)
                yield from found
        except RayActorError as error:
            reason = str(error).strip().splitlines()[-1]
            raise InputError(f"{self._model}: no actor could be started: {reason}") from error


def plan(nodes: Sequence[dict[str, float]], *, threads: int, actors: int | None = None) -> Pool:
    """The actors of a cluster, given what its nodes have, and what each actor gets.

    One for each GPU, which shares its node's CPUs; without GPUs, one for each `threads` CPUs of a node. actors: so many
    instead. Raises InputError for a cluster that has nothing to compute with.

    >>> plan([{"CPU": 8}, {"CPU": 64, "GPU": 8}, {"CPU": 32, "GPU": 4}], threads=4)
    Pool(actors=12, cpus=8, gpus=1)
    >>> plan([{"CPU": 16}, {"CPU": 6}], threads=4)
    Pool(actors=5, cpus=4, gpus=0)
    >>> plan([{"CPU": 16}], threads=16, actors=4)
    Pool(actors=4, cpus=4, gpus=0)
    """
    with_gpus = [node for node in nodes if node.get("GPU", 0) >= 1]
    if with_gpus:
        cpus = min(int(node.get("CPU", 0) // node["GPU"]) for node in with_gpus)
        return Pool(actors or sum(int(node["GPU"]) for node in with_gpus), cpus, gpus=1)
    free = [int(node.get("CPU", 0)) for node in nodes]
    if not any(free):
        raise InputError("the Ray cluster has neither a GPU nor a CPU for actors: add a worker node")
    cpus = min(threads, max(free))
    if actors is not None:
        cpus = max(min(cpus, sum(free) // actors), 1)
    return Pool(actors or sum(node // cpus for node in free), cpus, gpus=0)


def part_size(questions: int, actors: int, batch_size: int) -> int:
    """How many questions a part should have: some batches of them, and several parts for each actor if that can be.

    >>> [part_size(questions, actors=4, batch_size=8) for questions in (4, 32, 320, 32000)]
    [1, 8, 20, 32]
    """
    least = min(batch_size, -(-questions // actors))
    return max(least, min(BATCHES_PER_PART * batch_size, -(-questions // (BATCHES_PER_PART * actors))))


def parts(groups: Sequence[list[int]], size: int) -> Iterator[Part]:
    """The groups, in order, in parts of at least `size` questions (but for the last).

    >>> list(parts([[0, 2], [1], [3], [4]], 3))
    [[[0, 2], [1]], [[3], [4]]]
    """
    part: Part = []
    for group in groups:
        part.append(group)
        if sum(map(len, part)) >= size:
            yield part
            part = []
    if part:
        yield part


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to Ray, or one of our own that ends with it."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    named = address or os.environ.get("RAY_ADDRESS")
    try:
        if named and named != "local":
            _reach(named)
            ray.init(named, **quiet)
        else:
            _start_or_join(address, quiet)
    except ConnectionError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{named}: no Ray cluster lets us in ({reason}); for one with tokens set RAY_AUTH_MODE=token"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _start_or_join(address: str | None, options: dict[str, Any]) -> None:
    """Start Ray on this machine, or, if no address is given, join what `ray start` has started here.

    Not "auto", which joins whatever it finds: the Ray of another run ends with that run.
    """
    import ray

    try:
        ray.init(address, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **options)
    except ValueError:  # by which Ray says that there is one, and that its memory is not for us to decide
        ray.init(**options)


def _reach(address: str) -> None:
    """Raise ConnectionError where nothing answers: Ray itself would try for minutes, then exit."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return  # "auto"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise ConnectionError(str(error)) from None


class _Tally:
    """Counts what actors begin, in a process of its own: one that died on it cannot tell."""

    def __init__(self) -> None:
        self._begun: Counter[int | None] = Counter()

    def begin(self, part: int | None) -> int:
        """How often the part (None: the loading of the model) has been begun, this time included."""
        self._begun[part] += 1
        return self._begun[part]

    def loaded(self) -> None:
        """A model was loaded: where actors died before, it was not for that."""
        del self._begun[None]


class _Actor:
    """What Ray Data runs in a process of its own: a model, and parts of the questions that come one by one."""

    def __init__(self, model: str, options: dict[str, Any], tally: Any, loads: int) -> None:
        import ray

        os.environ.pop("LOCAL_RANK", None)  # an actor sees one GPU, whatever a launcher has said
        self._begin: Callable[[int | None], int] = lambda part: ray.get(tally.begin.remote(part))
        self._backend: Backend | None = None
        self._refusal = f"{model}: {loads} processes died while they loaded it: check that memory suffices"
        if self._begin(None) > loads:
            return
        try:
            self._backend = _open(model, **options)
        except InputError as error:  # who asks is to have it as it is, and not as an actor that could not be started
            self._refusal = str(error)
        ray.get(tally.loaded.remote())

    def __call__(self, batch: "dict[str, NDArray[Any]]") -> dict[str, list[bytes]]:
        [part] = batch["part"]
        return {"answers": [pickle.dumps(self._answer(pickle.loads(part)))]}

    def _answer(self, part: list[tuple[int, Question]]) -> list[tuple[int, Answered]] | str:
        """The answers, none where too many actors died of the questions, or why nothing can be answered."""
        if self._backend is None:
            return self._refusal
        rows, questions = zip(*part, strict=True)
        if self._begin(rows[0]) > 1 + RETRIES:
            return []
        try:
            return [(rows[index], answered) for index, answered in self._backend.answer(questions)]
        except InputError as error:
            return str(error)


def _open(model: str, *, video: VideoConfig, decoding: Decoding, batch_size: int, workers: int) -> Backend:
    """The model as this actor can run it best."""
    if model == "tiny" or importlib.util.find_spec("vllm") is None:
        from videor2.models.local import LocalBackend

        return LocalBackend(model, video=video, decoding=decoding, batch_size=batch_size, workers=workers)
    from transformers import AutoProcessor
    from vllm import LLM, SamplingParams

    try:
        processor = AutoProcessor.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise InputError(f"{model}: no model that can be loaded: {str(error).partition(chr(10))[0]}") from error
    llm = LLM(model=model, limit_mm_per_prompt={"video": 1, "image": 0})
    return VllmBackend(llm, processor, SamplingParams, video=video, decoding=decoding, workers=workers)


class VllmBackend:
    """vLLM in this process as a backend, fed the frames that a transformers model would get.

    llm: vLLM's `LLM`. sampling_params: vLLM's `SamplingParams`. All questions of a call are handed over at once, for
    vLLM batches them itself. Prompts are checked to be read token for token as transformers reads them. Responses under
    sampling are draws of vLLM's own; a draw depends on the run's seed and the question alone.

    Written by vLLM's documented interface (`LLM.generate` with `prompt_token_ids` and `multi_modal_data`,
    `SamplingParams`) and tested with an engine that stands in for it; it has not been run on vLLM.
    """

    def __init__(
        self,
        llm: Any,
        processor: "ProcessorMixin",
        sampling_params: Callable[..., Any],
        *,
        video: VideoConfig,
        decoding: Decoding,
        workers: int = 1,
    ) -> None:
        from videor2.models.generate import vision_token_ids
        from videor2.train.vllm_video import VideoEngine

        self._engine = VideoEngine(llm, processor)
        self._longest = llm.llm_engine.model_config.max_model_len - decoding.max_new_tokens
        self._processor = processor
        self._sampling_params = sampling_params
        self._suppress = dict.fromkeys(vision_token_ids(processor), -100.0)
        self._video = video
        self._decoding = decoding
        self._workers = workers

    def answer(self, questions: Sequence[Question]) -> Iterator[tuple[int, Answered]]:
        """The index of each question and what came of it: first what cannot be asked, then all responses."""
        from videor2.models.seeds import question_seed

        clips = ClipStore(self._video, workers=self._workers)
        samples = [questions[group[0]].sample for group in grouped(questions)]
        clips.fetch_ahead((sample.video, sample.subtitles) for sample in samples if sample.video is not None)
        asked: list[tuple[int, list[Message], LoadedPrompt]] = []
        with closing(clips):
            for group in grouped(questions):
                for row, chat, prompt in self._prompts(questions, group, clips):
                    if isinstance(prompt, Answered):
                        yield row, prompt
                    else:
                        asked.append((row, chat, prompt))
            if not asked:
                return
            rows, chats, prompts = zip(*asked, strict=True)
            self._engine.prepare(chats, prompts, clips)
        outputs = self._engine.generate(
            [{"prompt_token_ids": prompt.encoded.input_ids.tolist()} for prompt in prompts],
            sampling_params=[
                self._sampling_params(
                    temperature=self._decoding.temperature,
                    max_tokens=self._decoding.max_new_tokens,
                    seed=question_seed(self._decoding.seed, questions[row].sample),
                    logit_bias=self._suppress,
                )
                for row in rows
            ],
            use_tqdm=False,
        )
        for row, output in zip(rows, outputs, strict=True):
            [completion] = output.outputs
            yield row, Answered(completion.text, tokens=len(completion.token_ids))

    def _prompts(
        self, questions: Sequence[Question], group: Sequence[int], clips: ClipStore
    ) -> "Iterator[tuple[int, list[Message], LoadedPrompt | Answered]]":
        """The chat of each question about a video, and how transformers reads it or why it cannot be asked."""
        import torch

        from videor2.models.prompt import EncodedPrompt, turn
        from videor2.models.video_prefix import encode_shared
        from videor2.train.prompts import LoadedPrompt

        placeholders = (self._processor.video_token, self._processor.image_token)
        sample = questions[group[0]].sample
        askable: list[tuple[int, list[Message]]] = []
        for row in group:
            text = questions[row].text
            chat = [turn(text, video=sample.video, subtitles=sample.subtitles)]
            if token := next((token for token in placeholders if token in text), None):
                error = f"the question's text has {token}, which stands for pixels: take it out"
                yield row, chat, Answered(None, error=error)
            else:
                askable.append((row, chat))
        if not askable:
            return
        try:
            clip = clips.get(sample.video, sample.subtitles) if sample.video is not None else None
            shared = encode_shared(self._processor, [chat for _, chat in askable], clip)
        except (ValueError, OSError, MemoryError) as failure:  # unreadable, or of a size that the processor refuses
            answered = Answered(None, error=str(failure) or type(failure).__name__)
            yield from ((row, chat, answered) for row, chat in askable)
            return
        for (row, chat), suffix in zip(askable, shared.suffixes, strict=True):
            ids = torch.cat([shared.prefix.input_ids, suffix])
            if len(ids) > self._longest:
                error = f"a prompt of {len(ids)} tokens, and {self._longest} are room for: lower video.max_frames"
                yield row, chat, Answered(None, error=error)
            else:
                yield row, chat, LoadedPrompt(EncodedPrompt(ids))
