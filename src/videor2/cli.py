"""The commands. Thin: each reads its arguments, calls one function, prints what came of it.

Exit codes: 0 done, 2 bad input (one line that names file, row and fix), 130 interrupted (and resumable).
"""

import json
import logging
import os
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from videor2 import __version__
from videor2.errors import InputError
from videor2.processes import process_rank
from videor2.synth.reasoning import MixName
from videor2.synth.world import Split

app = typer.Typer(
    help="Measure and train video language models whose reasoning agrees with their answer and points at the video.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Post-train a video language model.", no_args_is_help=True)
data_app = typer.Typer(help="Make and check datasets.", no_args_is_help=True)
app.add_typer(train_app, name="train")
app.add_typer(data_app, name="data")

Style = Literal["think", "direct"]
Media = Literal["frames", "video", "file"]
Engine = Literal["local", "ray"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
ComparePaper = Annotated[bool, typer.Option("--compare-paper", help="Put the published figures beside.")]
Config = Annotated[Path, typer.Option(help="A YAML recipe, or the name of a shipped one.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Fields to change, as key=value; dots reach in.")]
Resume = Annotated[bool, typer.Option(help="Go on from the last checkpoint, if there is one.")]
QUIET = {
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""What the environment may say otherwise."""


def main() -> None:
    """Run the command line; what is wrong with the input becomes one line on stderr and exit code 2."""
    # Progress bars and advice of the libraries below are not for the reader of a command's output.
    for name, quiet in QUIET.items():
        os.environ.setdefault(name, quiet)
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("videor2").setLevel(logging.WARNING if _process() else logging.INFO)
    try:
        app()
    except (InputError, ModuleNotFoundError) as error:
        who = f"videor2, process {_process()}" if _process() else "videor2"
        print(f"{who}: {' '.join(_explain(error).split())}", file=sys.stderr)
        sys.exit(2)


def _process() -> int:
    """This process's number among those that a launcher started together; the first one speaks for all."""
    return process_rank()[0]


def _explain(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"this command needs `{error.name}`: pip install 'videor2[train]'"
    return str(error)


@app.command()
def quickstart(
    out: Annotated[Path, typer.Option(help="The run directory.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(help="Decides clips, training and sampling.")] = 0,
    steps: Annotated[int, typer.Option(help="Steps of GRPO.", min=1)] = 40,
    clips: Annotated[int, typer.Option(help="Held-out clips, three questions each.", min=1)] = 128,
    as_json: Json = False,
) -> None:
    """Write clips, measure the tiny model, train it by GRPO, measure again, and report; minutes on two cores."""
    from videor2.quickstart import QuickstartSettings
    from videor2.quickstart import quickstart as run
    from videor2.report.text import before_and_after

    summary = run(out, QuickstartSettings(seed=seed, steps=steps, test_clips=clips))
    print(json.dumps(summary) if as_json else f"{before_and_after(summary)}\n\n{out / 'report.html'}")


@app.command()
def ask(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    question: Annotated[str, typer.Argument(help="What to ask about it.")],
    option: Annotated[list[str] | None, typer.Option(help="An answer to choose from; repeat for each.")] = None,
    model: Annotated[str, typer.Option(help="`tiny`, a checkpoint's folder, or a hub id.")] = "tiny",
    subtitles: Annotated[Path | None, typer.Option(help="A subtitle file, written on the frames.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a question about a video and see the reasoning, its timestamped claims and the answer."""
    from videor2.ask import ask as run
    from videor2.report.text import answered

    reply = run(video, question, options=tuple(option or ()), model=model, subtitles=subtitles)
    print(json.dumps(asdict(reply)) if as_json else answered(reply))


@app.command()
def audit(
    logs: Annotated[
        list[str], typer.Argument(help="Files, or folders to search; NAME=PATH names the run.", metavar="LOG...")
    ],
    out: Annotated[Path, typer.Option(help="The run directory.")] = Path("runs/audit"),
    judge: Annotated[
        list[str] | None,
        typer.Option(help="`rules`, `openai:URL#NAME` or `rules then openai:URL#NAME`; twice to compare two judges."),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Questions, options, answers or events that logs lack.")
    ] = None,
    join_key: Annotated[str | None, typer.Option(help="The annotations' field that identifies a row.")] = None,
    log_format: Annotated[
        str | None, typer.Option("--format", help="The logs' format, where it is not detected.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option("--map", help="A field of plain rows, as question=COLUMN; repeat for each.")
    ] = None,
    vas: Annotated[bool, typer.Option(help="Let a model judge rate the visual evidence.")] = True,
    model_claims: Annotated[bool, typer.Option(help="Let a model judge read the timestamped claims.")] = False,
    max_requests: Annotated[int | None, typer.Option(help="Requests that the judge may get.", min=0)] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1)] = 32,
    deadline_s: Annotated[float | None, typer.Option(help="Seconds that judging may take in all.", min=0)] = None,
    timeout_s: Annotated[float, typer.Option(help="Seconds for one request.", min=0)] = 60.0,
    cache: Annotated[Path | None, typer.Option(help="Where replies are kept; judge.sqlite in OUT if absent.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that score; by the logs' size if absent.", min=1)
    ] = None,
    videos: Annotated[Path | None, typer.Option(help="A folder of clips that the report plays.")] = None,
    compare_paper: ComparePaper = False,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Json = False,
) -> None:
    """Read logs of any harness: accuracy, TAC, VAS and temporal alignment, with coverage, intervals and evidence."""
    from videor2.audit import AuditSettings
    from videor2.audit import audit as run
    from videor2.report.text import audited

    settings = AuditSettings(
        format=log_format,
        mapping=_mapping(field),
        annotations=annotations,
        join_key=join_key,
        judges=tuple(judge or ("rules",)),
        vas=vas,
        model_claims=model_claims,
        cache=cache,
        max_requests=max_requests,
        concurrency=concurrency,
        deadline_s=deadline_s,
        timeout_s=timeout_s,
        workers=workers,
        videos=videos,
        compare_paper=compare_paper,
        seed=seed,
    )
    summary = run(logs, out, settings)
    print(json.dumps(summary) if as_json else f"{audited(summary)}\n\n{out / 'report.html'}")


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Option(help="`tiny`, a checkpoint's folder, a hub id, or openai:URL#NAME.")] = "tiny",
    benchmark: Annotated[str, typer.Option(help="Names, separated by commas, or `all`.")] = "synth",
    data_root: Annotated[Path, typer.Option(help="The folder that holds the benchmarks.")] = Path("data"),
    out: Annotated[Path, typer.Option(help="The run directory.")] = Path("runs/eval"),
    style: Annotated[Style, typer.Option(help="Ask for reasoning, or for the answer at once.")] = "think",
    prompt_file: Annotated[
        Path | None, typer.Option(help="What to ask for, in the words of a model's training.")
    ] = None,
    subtitles: Annotated[bool, typer.Option(help="Write subtitles on the frames, where there are some.")] = False,
    timestamps: Annotated[bool | None, typer.Option(help="Write its time on each frame.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second.", min=0)] = None,
    max_frames: Annotated[int | None, typer.Option(help="Frames of a video at most.", min=1)] = None,
    max_pixels: Annotated[int | None, typer.Option(help="Pixels of a frame at most.", min=1)] = None,
    temperature: Annotated[float, typer.Option(help="0 is greedy.", min=0)] = 0.0,
    max_new_tokens: Annotated[int | None, typer.Option(help="Tokens of a response at most.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of sampling and the bootstrap.")] = 0,
    limit: Annotated[
        int | None, typer.Option(help="So many questions of each benchmark, spread evenly.", min=1)
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Questions at a time, of a model in this process.", min=1)] = 8,
    workers: Annotated[int, typer.Option(help="Threads that read clips ahead.", min=0)] = 1,
    concurrency: Annotated[int, typer.Option(help="Requests at a time, to a server.", min=1)] = 8,
    media: Annotated[Media, typer.Option(help="What a server is sent.")] = "frames",
    engine: Annotated[Engine, typer.Option(help="This machine, or a Ray cluster.")] = "local",
    export: Annotated[str | None, typer.Option(help="Write the answers in a harness's format, too: lmms-eval.")] = None,
    download: Annotated[bool, typer.Option(help="Fetch what the data root lacks from the Hugging Face hub.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the benchmarks and do nothing else.")] = False,
    as_json: Json = False,
) -> None:
    """Run a model over benchmarks, each scored as its authors define; a run that was killed goes on."""
    if show:
        _list_benchmarks(as_json)
        return
    from videor2.evaluate import EvalSettings, default_video
    from videor2.evaluate import evaluate as run
    from videor2.models.backend import Decoding
    from videor2.report.text import evaluated

    changed = {"fps": fps, "max_frames": max_frames, "max_pixels": max_pixels, "timestamps": timestamps}
    video = default_video(model).model_copy(update={key: value for key, value in changed.items() if value is not None})
    names = tuple(name.strip() for name in benchmark.split(",") if name.strip())
    tokens = max_new_tokens or (128 if model == "tiny" else 1024)
    settings = EvalSettings(
        model=model,
        benchmarks=names,
        data_root=data_root,
        style=style,
        prompt_file=prompt_file,
        subtitles=subtitles,
        video=video,
        decoding=Decoding(temperature, tokens, seed),
        limit=limit,
        batch_size=batch_size,
        workers=workers,
        concurrency=concurrency,
        media=media,
        engine=engine,
        download=download,
        export=export,
        seed=seed,
    )
    summary = run(settings, out)
    if summary is not None:
        print(json.dumps(summary) if as_json else f"{evaluated(summary)}\n\n{out / 'report.html'}")


@app.command()
def score(
    metric: Annotated[str, typer.Argument(help="alignment, accuracy, format, consistency or claims.")],
    variant: Annotated[str, typer.Option(help="Of alignment: f1 or precision_greedy.")] = "f1",
    buffer_s: Annotated[float, typer.Option(help="Of alignment: seconds a claim may be off.", min=0)] = 2.0,
    threshold: Annotated[float, typer.Option(help="Of alignment: least cosine similarity.", min=-1, max=1)] = 0.75,
    max_claim_s: Annotated[float, typer.Option(help="Of alignment: longest claim of f1.", min=0)] = 30.0,
) -> None:
    """Score JSON lines from stdin, one row out for each row in: `videor2 score format < rows.jsonl`."""
    from videor2.commands.score import run

    run(
        metric,
        sys.stdin,
        sys.stdout,
        variant=variant,
        buffer_s=buffer_s,
        threshold=threshold,
        max_claim_s=max_claim_s,
    )


@train_app.command()
def sft(config: Config, overrides: Overrides = None, resume: Resume = False, as_json: Json = False) -> None:
    """Supervised fine-tuning on timestamped reasoning."""
    from videor2.train import sft as recipe
    from videor2.train.config import load_config

    settings = load_config(_recipe(config), recipe.SFTSettings, overrides)
    _print_model(recipe.train(settings, resume=resume), as_json)


@train_app.command()
def grpo(config: Config, overrides: Overrides = None, resume: Resume = False, as_json: Json = False) -> None:
    """GRPO with accuracy, format and gated temporal alignment as rewards."""
    from videor2.train import grpo as recipe
    from videor2.train.config import load_config

    settings = load_config(_recipe(config), recipe.GRPOSettings, overrides)
    _print_model(recipe.train(settings, resume=resume), as_json)


@data_app.command()
def synth(
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    split: Annotated[Split, typer.Option(help="Train and test share no timeline.")] = "train",
    clips: Annotated[int, typer.Option(help="How many clips.")] = 100,
    questions: Annotated[int, typer.Option(help="Questions about each clip.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    mix: Annotated[MixName | None, typer.Option(help="Write responses to learn, reasoning in this way.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="A family of questions; repeat; all if absent.")] = None,
    words: Annotated[bool, typer.Option(help="Give events in words and write no clips.")] = False,
    name: Annotated[str | None, typer.Option(help="The file's name; the split's if absent.")] = None,
    as_json: Json = False,
) -> None:
    """Write H.264 clips of a world whose every event is known, and questions about them."""
    from videor2.synth.build import SynthConfig, build, families

    config = SynthConfig(split, clips, seed, questions, mix, families(family), words)
    path = build(config, out, name=name)
    print(json.dumps({"path": str(path)}) if as_json else path)


@data_app.command()
def validate(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Benchmarks, `all`, or training files; what lies in the root if absent.", metavar="NAME..."
        ),
    ] = None,
    data_root: Annotated[Path, typer.Option(help="The folder that holds the benchmarks.")] = Path("data"),
    videos: Annotated[bool, typer.Option(help="Look at the videos, too.")] = True,
    as_json: Json = False,
) -> None:
    """Check benchmarks and training files: every row reads, every reference scores 1, every video is there."""
    from videor2.commands.validate import run
    from videor2.report.validation import validated

    reports, ok = run(names or (), data_root, videos=videos)
    print(json.dumps([report.row() for report in reports]) if as_json else validated(reports))
    if not ok:
        sys.exit(2)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    videos: Annotated[Path | None, typer.Option(help="A folder of clips that the page plays.")] = None,
    compare_paper: ComparePaper = False,
) -> None:
    """Write one page that compares runs; it works offline."""
    from videor2.report import write_reports

    print(write_reports(runs, out, videos=videos, compare_paper=compare_paper))


@app.command()
def serve(
    model: Annotated[str, typer.Option(help="`tiny`, a checkpoint's folder, or a hub id.")] = "tiny",
    host: Annotated[str, typer.Option(help="Where to listen; loopback if absent.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    name: Annotated[str | None, typer.Option(help="What clients call the model.")] = None,
    max_batch: Annotated[int, typer.Option(help="Completions written at a time.", min=1)] = 8,
    allow_http: Annotated[bool, typer.Option(help="Fetch media that requests name by http(s) URLs.")] = False,
    files: Annotated[Path | None, typer.Option(help="A folder whose files requests may name by file:// URLs.")] = None,
) -> None:
    """Serve a model over the OpenAI chat protocol, with images and videos; VIDEOR2_API_KEY, if set, is asked for."""
    from videor2.serve import serve as run

    key = os.environ.get("VIDEOR2_API_KEY")
    run(model, host=host, port=port, name=name, api_key=key, max_batch=max_batch, allow_http=allow_http, files=files)


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    print(json.dumps({"version": __version__}) if as_json else __version__)


def _mapping(fields: list[str] | None) -> dict[str, str]:
    pairs = [field.partition("=") for field in fields or ()]
    wrong = [name for name, equals, column in pairs if not (name and equals and column)]
    if wrong:
        raise InputError(f"--map {wrong[0]}: write it as question=COLUMN")
    return {name: column for name, _, column in pairs}


def _list_benchmarks(as_json: bool) -> None:
    from videor2.benchmarks.table import rows
    from videor2.report.text import listed

    print(json.dumps(rows()) if as_json else listed(rows()))


def _recipe(config: Path) -> Path:
    from videor2.recipes import recipe

    return config if config.suffix or config.exists() else recipe(str(config))


def _print_model(path: Path, as_json: bool) -> None:
    if not _process():
        print(json.dumps({"model": str(path)}) if as_json else path)
