"""A run's records in the format of another harness, so that its viewers and scripts can read them.

lmms-eval: the samples files of its versions up to 0.3.5, which keep each question as `doc`: the scorers of arXiv
2511.23478 read nothing newer, and newer readers leave out what they do not know. Its `*_results.json` lies beside.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_uppercase
from typing import Any, BinaryIO, Final, Literal

from videor2 import __version__
from videor2.benchmarks.names import canonical
from videor2.benchmarks.registry import benchmarks
from videor2.benchmarks.spec import Benchmark
from videor2.data.logs.values import options_of
from videor2.errors import InputError
from videor2.records import Record, iterate_records, line
from videor2.rundir import write_json
from videor2.sample import Kind
from videor2.scores.score import Score

log = logging.getLogger(__name__)

KINDS: Final[Mapping[Kind, str]] = {
    "choice": "multiple-choice",
    "number": "numerical",
    "regression": "regression",
    "ocr": "ocr",
    "text": "open-ended",
}
"""What a `doc` without a type of its own says of its kind of question."""


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark in lmms-eval: its tasks' names, their metric, and the fields of its `doc`."""

    name: str
    """With `{task}` where each task is a file of its own."""
    metric: str = "accuracy"
    prediction: str = "pred_answer"
    """The field of the metric that holds what the model answered."""
    options: str = "options"
    labels: Literal["none", "lines", "keys"] = "lines"
    """Options as bare texts, as lines ("A. left"), or as an object by letters."""
    answer: Literal["letter", "text", "index"] = "letter"
    answer_field: str = "answer"
    video: str = "video"
    task_field: str = "task_type"
    """Where the task is one of several in a file."""
    percent: bool = True
    """Whether its aggregated metric is in percent."""


TASKS: Final[Mapping[str, Task]] = {
    "mvbench": Task("mvbench_{task}", "mvbench_accuracy", options="candidates", labels="none", answer="text"),
    "videomme": Task("videomme", "videomme_perception_score", video="videoID"),
    "tempcompass": Task("tempcompass_{task}", "tempcompass_perception_score", video="video_id"),
    "mlvu": Task("mlvu_dev", "mlvu_percetion_score", options="candidates", labels="none", video="video_name"),  # sic
    "longvideobench": Task(
        "longvideobench_val_v",
        "lvb_acc",
        "parsed_pred",
        options="candidates",
        labels="none",
        answer="index",
        answer_field="correct_choice",
        video="video_path",
        percent=False,
    ),
    "videomathqa": Task("videomathqa_{task}", "videomathqa_perception_score", video="videoID"),
    "video_mmmu": Task("video_mmmu_{task}", "mmmu_acc", "parsed_pred", labels="none", percent=False),
    "mmvu": Task("mmvu_val", "accuracy", options="choices", labels="keys", video="video_path"),
    "vsi_bench": Task(
        "vsibench", "vsibench_score", "prediction", answer_field="ground_truth", task_field="question_type"
    ),
    "minerva": Task("minerva", "minerva_perception_score", video="videoID"),
    "scivideobench": Task("scivideobench", "scivideobench_acc", labels="keys", video="video_id"),
}
"""By slug. A benchmark that lmms-eval has not is named by its slug, each task a file."""


@dataclass(slots=True)
class Part:
    """What is written of one task of one model."""

    file: BinaryIO
    path: Path
    task: Task
    benchmark: Benchmark | None
    asked: int = 0
    scored: list[tuple[dict[str, Any], Score]] = field(default_factory=list)
    hashes: Any = field(default_factory=hashlib.sha256)

    @property
    def part(self) -> Path:
        """Where the file lies until it is complete."""
        return self.path.with_name(f".{self.path.name}.part")


def export_lmms_eval(run_dir: Path, out: Path | None = None) -> list[Path]:
    """Write the records of a run as lmms-eval writes its samples; gives the files, samples before results.

    out: the folder above those of the models; `lmms-eval` in the run directory where None. Each model's folder holds
    `TIME_samples_TASK.jsonl` for every task and one `TIME_results.json`; TIME is the run's start in UTC. Records are
    read one at a time, files appear when they are complete, and a second export replaces the first.

    Questions that have no response are left out and counted (`n-samples`). `doc_id` counts the run's questions of a
    task. Raises InputError where there are no records.
    """
    records = run_dir / "records.jsonl"
    if not records.is_file():
        raise InputError(f"{records}: no such file; give the directory of a finished run")
    out = run_dir / "lmms-eval" if out is None else out
    facts = _facts(run_dir)
    time = _time(facts, records)
    parts: dict[tuple[str, str], Part] = {}
    try:
        with ExitStack() as stack:
            for record in iterate_records(records):
                task, name = _task_of(record)
                key = (sanitised(str(record.get("model") or run_dir.name)), name)
                if key not in parts:
                    path = out / key[0] / f"{time}_samples_{name}.jsonl"
                    parts[key] = _open(path, task, record["benchmark"], stack)
                _write(parts[key], record, facts)
    except BaseException:
        for part in parts.values():
            part.part.unlink(missing_ok=True)
        raise
    if not parts:
        raise InputError(f"{records}: no records in it; run the evaluation to its end")
    for part in parts.values():
        part.part.replace(part.path)
    silent = sum(part.asked - len(part.scored) for part in parts.values())
    if silent:
        log.warning("%d questions without a response are left out of the export", silent)
    return [part.path for part in parts.values()] + list(_write_results(parts, out, time, facts))


EXPORTS: Final[Mapping[str, Callable[[Path, Path | None], list[Path]]]] = {"lmms-eval": export_lmms_eval}
"""The formats that `--export` knows: from a run directory and a folder (or None) to the files that were written."""


def find_export(name: str) -> Callable[[Path, Path | None], list[Path]]:
    """The export of that name. Raises InputError, which lists what there is."""
    if name not in EXPORTS:
        raise InputError(f"no export {name!r}; there is {', '.join(EXPORTS)}")
    return EXPORTS[name]


def sanitised(model: str) -> str:
    """The name of a model's folder as lmms-eval makes it: the last two parts, without what no file name may have.

    >>> sanitised("Qwen/Qwen2.5-VL-7B-Instruct"), sanitised("runs/sft/checkpoint-30/"), sanitised("openai:http://h/v1#m")
    ('Qwen__Qwen2.5-VL-7B-Instruct', 'sft__checkpoint-30', 'm')
    """
    if model.startswith("openai:"):
        model = model.rpartition("#")[2]
    name = re.sub(r'["<>:/|\\?*\[\]]+', "__", "/".join(model.rstrip("/").split("/")[-2:]))
    return name if name.strip(".") else "model"


def document(record: Record, task: Task) -> dict[str, Any]:
    """The question as lmms-eval's `doc` of that task has it: the published fields that the record kept, renamed back.

    Options are in the shape that the task publishes them in, unless a reader would take that for other options.
    """
    options, answer, kind = record["options"], record["answer"], record["kind"]
    meta = {key: value for key, value in (record.get("meta") or {}).items() if value is not None}
    doc: dict[str, Any] = {"id": record["id"], "question_id": record["id"]} | meta
    doc["question"] = record["question"]
    if record["task"] or kind != "choice":
        doc.setdefault("question_type", KINDS[kind])
    if record["task"] and "{task}" not in task.name:
        doc[task.task_field] = record["task"]
    if record["video"]:
        doc[task.video] = Path(record["video"]).name
    if "subtitles_json" in doc:
        doc["subtitle_path"] = Path(doc.pop("subtitles_json")).name
    if record["duration_s"] is not None:
        doc.setdefault("duration", record["duration_s"])
    doc[task.options] = _shaped(options, task.labels) if options else None
    if answer is not None:
        doc[task.answer_field] = _answer(answer, options, task.answer)
    return doc


def _shaped(options: list[str], labels: str) -> Any:
    lines = [f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options, strict=False)]
    keys = dict(zip(ascii_uppercase, options, strict=False))
    shapes: dict[str, Any] = {"none": list(options), "lines": lines, "keys": keys}
    # An option "N/A" or ones that begin with letters of their own read as something else in some shapes.
    faithful = [shape for shape in (shapes[labels], lines, keys) if options_of(shape) == tuple(options)]
    return faithful[0] if faithful else shapes[labels]


def _answer(answer: str, options: list[str], form: str) -> Any:
    index = ascii_uppercase.find(answer) if len(answer) == 1 else -1
    if not 0 <= index < len(options) or form == "letter":
        return answer
    if form == "index":
        return index
    # An option that is a single letter reads as the option's own letter.
    return options[index] if len(options[index].strip()) > 1 else answer


def _task_of(record: Record) -> tuple[Task, str]:
    """The record's task and its name as a part of a file's name."""
    known = _benchmark(record["benchmark"])
    slug = known.slug if known else re.sub(r"\W+", "_", record["benchmark"].lower()).strip("_") or "records"
    task = TASKS.get(slug) or Task(f"{slug}_{{task}}")
    name = task.name.format(task=re.sub(r"\W+", "_", record["task"]))
    return task, name.strip("_")


def _benchmark(name: str) -> Benchmark | None:
    display = canonical(name)[0]
    return next((benchmark for benchmark in benchmarks() if display in (benchmark.name, benchmark.slug)), None)


def _open(path: Path, task: Task, benchmark: str, stack: ExitStack) -> Part:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    return Part(stack.enter_context(part.open("wb")), path, task, _benchmark(benchmark))


def _write(part: Part, record: Record, facts: Mapping[str, Any]) -> None:
    number = part.asked
    part.asked += 1
    if record["state"] == "failed":
        return
    task, response = part.task, record["response"]
    doc = document(record, task)
    prompt = record.get("prompt") or _question(record)
    official, answered = record["scores"]["accuracy"], record["scores"]["consistency"].get("answer")
    target = str(doc.get(task.answer_field))
    doc_hash = _hash(json.dumps(doc, indent=2, ensure_ascii=False))
    row = {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {"0": _generation(facts)},
        "input": prompt,
        "resps": [[response]],
        "filtered_resps": [response],
        "doc_hash": doc_hash,
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(target),
        task.metric: {
            "question_id": record["id"],
            task.prediction: answered if answered is not None else "",
            "answer": record["answer"],
            "score": official["value"],
        }
        | ({"gt_answer": record["answer"]} if task.metric == "mvbench_accuracy" else {}),
    }
    part.file.write(line(row))
    part.hashes.update(f"sample_{number}{doc_hash}".encode())
    kept = {name: record.get(name) for name in ("id", "task", "kind", "meta")}
    part.scored.append((kept, Score(**official)))


def _question(record: Record) -> str:
    """What a record without its prompt was asked, as plain lines."""
    letters = zip(ascii_uppercase, record["options"], strict=False)
    return "\n".join([record["question"], *(f"{letter}. {text}" for letter, text in letters)])


def _write_results(
    parts: Mapping[tuple[str, str], Part], out: Path, time: str, facts: Mapping[str, Any]
) -> Iterator[Path]:
    """The aggregated metrics of each model."""
    for model in dict.fromkeys(model for model, _ in parts):
        mine = {name: part for (owner, name), part in parts.items() if owner == model}
        path = out / model / f"{time}_results.json"
        generation = _generation(facts)
        content = {
            "results": {name: {"alias": name, f"{part.task.metric},none": _value(part)} for name, part in mine.items()},
            "group_subtasks": {name: [] for name in mine},
            "configs": {
                name: {
                    "task": name,
                    "output_type": "generate_until",
                    "generation_kwargs": generation,
                    "metric_list": [{"metric": part.task.metric, "higher_is_better": True}],
                }
                for name, part in mine.items()
            },
            "versions": {name: part.benchmark.version if part.benchmark else 1 for name, part in mine.items()},
            "n-shot": dict.fromkeys(mine, 0),
            "higher_is_better": {name: {part.task.metric: True} for name, part in mine.items()},
            "n-samples": {name: {"original": part.asked, "effective": len(part.scored)} for name, part in mine.items()},
            "config": {
                "model": "videor2",
                "model_args": f"pretrained={_settings(facts).get('model', model)}",
                "limit": _settings(facts).get("limit"),
                "gen_kwargs": generation,
                "random_seed": facts.get("seed"),
            },
            "date": time,
            "task_hashes": {name: part.hashes.hexdigest() for name, part in mine.items()},
            "model_source": "videor2",
            "model_name": model,
            "model_name_sanitized": model,
            "videor2_version": facts.get("version", __version__),
        }
        write_json(path, content)
        yield path


def _value(part: Part) -> float | None:
    """The official figure of the task's rows."""
    if part.benchmark:
        value = part.benchmark.summarise(part.scored)["value"]
    else:
        values = [score.value for _, score in part.scored if score.value is not None]
        value = sum(values) / len(values) if values else None
    return None if value is None else round(100 * value if part.task.percent else value, 5)


def _facts(run_dir: Path) -> dict[str, Any]:
    """What `run.json` says; nothing where there is none, as beside records that were copied."""
    path = run_dir / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{path}: not a run's description ({error}); remove it or run again") from None
    return facts if isinstance(facts, dict) else {}


def _settings(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = facts.get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _generation(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How responses were decoded, in the names of `generation_kwargs`."""
    decoding = _settings(facts).get("decoding")
    if not isinstance(decoding, Mapping):
        return {}
    temperature = decoding.get("temperature", 0.0)
    return {
        "max_new_tokens": decoding.get("max_new_tokens"),
        "temperature": temperature,
        "do_sample": bool(temperature),
    }


def _time(facts: Mapping[str, Any], records: Path) -> str:
    try:
        started = datetime.fromisoformat(str(facts["started"])).astimezone(UTC)
    except (KeyError, ValueError):
        started = datetime.fromtimestamp(records.stat().st_mtime, UTC)
    return started.strftime("%Y%m%d_%H%M%S")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
