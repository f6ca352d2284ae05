"""`videor2 eval`: a model over benchmarks, resumable."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from videor2.audit import audit
from videor2.benchmarks import benchmarks, find
from videor2.errors import InputError
from videor2.evaluate import EvalSettings, evaluate, spread
from videor2.models.backend import Decoding
from videor2.models.load import TINY_VIDEO
from videor2.records import read_records
from videor2.sample import Sample
from videor2.synth.build import SynthConfig, build

SHORT = Decoding(max_new_tokens=24)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with ten questions about five clips."""
    root = tmp_path_factory.mktemp("data")
    build(SynthConfig("test", 5, seed=3, questions=2), root / "synth")
    return root


def lines(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A whole run on the tiny model."""
    out = tmp_path_factory.mktemp("runs") / "run"
    summary = evaluate(EvalSettings(data_root=data, decoding=Decoding(max_new_tokens=128)), out)
    assert summary is not None
    return out, summary


def test_a_run_directory_holds_answers_records_summary_and_report(done: tuple[Path, dict]) -> None:
    out, summary = done
    assert {path.name for path in out.iterdir()} == {
        "answers.jsonl",
        "records.jsonl",
        "summary.json",
        "run.json",
        "report.html",
    }
    assert summary["n"] == 10
    [official] = summary["official"]
    assert (official["benchmark"], official["version"], official["coverage"]) == ("synth", 1, 1.0)
    assert official["value"] == pytest.approx(summary["metrics"]["accuracy"]["mean"])
    assert "alignment_f1" in summary["metrics"]
    [first, *_] = read_records(out / "records.jsonl")
    assert first["prompt"].startswith(first["question"])


def test_an_audit_reads_what_an_evaluation_wrote(done: tuple[Path, dict], tmp_path: Path) -> None:
    out, summary = done
    again = audit([out / "records.jsonl"], tmp_path / "audit")
    for metric in ("accuracy", "tac", "format", "alignment_f1"):
        assert again["metrics"][metric] == pytest.approx(summary["metrics"][metric])


def test_a_finished_run_asks_nothing_again(data: Path, done: tuple[Path, dict], tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(done[0], out)
    answers = (out / "answers.jsonl").read_bytes()
    summary = evaluate(EvalSettings(data_root=data, decoding=Decoding(max_new_tokens=128)), out)
    assert summary == done[1]
    assert (out / "answers.jsonl").read_bytes() == answers


def test_an_answer_that_was_cut_off_is_asked_again(data: Path, done: tuple[Path, dict], tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(done[0], out)
    path = out / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    summary = evaluate(EvalSettings(data_root=data, decoding=Decoding(max_new_tokens=128)), out)
    assert summary == done[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"style": "direct"}, "style was 'think', now 'direct'"),
        ({"decoding": Decoding(max_new_tokens=64)}, "decoding.max_new_tokens was 128, now 64"),
    ],
)
def test_a_changed_setting_refuses_to_mix(data: Path, done: tuple[Path, dict], change: dict, told: str) -> None:
    settings = EvalSettings(data_root=data, decoding=Decoding(max_new_tokens=128))
    with pytest.raises(InputError, match=told):
        evaluate(replace(settings, **change), done[0])


def test_a_killed_run_goes_on_and_repeats_nothing(data: Path, done: tuple[Path, dict], tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "videor2",
        "eval",
        "--data-root",
        str(data),
        "--out",
        str(out),
        "--batch-size",
        "1",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    answers = out / "answers.jsonl"
    while not answers.exists() or answers.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = answers.read_bytes()
    assert before.count(b"\n") < 10
    subprocess.run(command, check=True, capture_output=True)
    rows = lines(answers)
    assert answers.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert len(rows) == len({row["id"] for row in rows}) == 10
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["metrics"] == done[1]["metrics"]


def test_two_processes_share_the_questions(data: Path, done: tuple[Path, dict], tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "videor2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    told = subprocess.run(
        [*command, "eval", "--data-root", str(data), "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["metrics"] == done[1]["metrics"]  # the first process alone speaks
    shares = [len(lines(out / name)) for name in ("answers.jsonl", "answers.1.jsonl")]
    assert sum(shares) == 10
    assert min(shares) >= 4


def test_a_served_model_answers_token_for_token(data: Path, done: tuple[Path, dict], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "videor2", "serve", "--model", "tiny", "--port", str(port)])
    try:
        while True:
            with suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            assert server.poll() is None
            time.sleep(0.2)
        (tmp_path / "prompt.txt").write_text("", encoding="utf-8")  # the tiny model was trained without instruction
        settings = EvalSettings(
            model=f"openai:http://127.0.0.1:{port}#tiny",
            data_root=data,
            prompt_file=tmp_path / "prompt.txt",
            video=TINY_VIDEO,
            decoding=Decoding(max_new_tokens=128),
            media="video",
        )
        evaluate(settings, tmp_path / "out")
    finally:
        server.terminate()
        server.wait()
    ours = {record["id"]: record["response"] for record in read_records(done[0] / "records.jsonl")}
    assert {record["id"]: record["response"] for record in read_records(tmp_path / "out" / "records.jsonl")} == ours


def test_a_clip_that_cannot_be_read_costs_its_own_questions(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root)
    first = next((root / "synth").rglob("*.mp4"))
    first.write_bytes(b"no video")
    with caplog.at_level(logging.WARNING):
        summary = evaluate(EvalSettings(data_root=root, decoding=SHORT), tmp_path / "out")
    assert summary is not None
    assert len(summary["failed"]) == 2
    assert first.name in summary["failed"][0]["reason"]
    assert "2 questions have no answer" in caplog.text
    assert summary["metrics"]["accuracy"]["coverage"] == 0.8
    assert summary["official"][0]["scored"] == 8


def test_missing_videos_are_counted_before_a_model_is_loaded(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root)
    clips = sorted((root / "synth").rglob("*.mp4"))
    clips[0].unlink()
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="no such folder"):
        evaluate(EvalSettings(model="./nowhere", data_root=root), tmp_path / "out")
    assert "1 of 5 videos are not there" in caplog.text
    for clip in clips[1:]:
        clip.unlink()
    with pytest.raises(InputError, match="none of 5 videos is there"):
        evaluate(EvalSettings(model="./nowhere", data_root=root), tmp_path / "out2")


def test_a_prompt_of_ones_own_is_what_the_model_reads(data: Path, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Answer in tags.\n", encoding="utf-8")
    settings = EvalSettings(data_root=data, decoding=Decoding(max_new_tokens=1), prompt_file=prompt, limit=2)
    evaluate(settings, tmp_path / "out")
    assert all(r["prompt"].endswith("\nAnswer in tags.") for r in read_records(tmp_path / "out" / "records.jsonl"))


def test_a_limit_is_spread_over_the_rows() -> None:
    samples = [Sample(id=str(i), question="?") for i in range(100)]
    assert [sample.id for sample in spread(samples, 4)] == ["0", "25", "50", "75"]
    assert spread(samples, None) == samples == spread(samples, 1000)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--benchmark", "mvbenhc"], "no benchmark 'mvbenhc'"),
        (["--benchmark", "mvbench", "--data-root", "nowhere"], "nowhere"),
        (["--model", "openai:http://localhost:8000"], "openai:URL#NAME"),
        (["--model", "openai:http://127.0.0.1:9#m"], "127.0.0.1:9"),
        (["--prompt-file", "none.txt"], "none.txt"),
        (["--export", "word"], "word"),
    ],
)
def test_bad_input_is_one_line(videor2, data: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    rest = [] if "--data-root" in arguments else ["--data-root", data]
    told_by = videor2("eval", *arguments, *rest, "--out", tmp_path / "out")
    assert told_by.returncode == 2, told_by.stderr
    assert told in told_by.stderr
    assert "Traceback" not in told_by.stderr


def test_the_list_names_all_benchmarks_with_versions(videor2) -> None:
    rows = json.loads(videor2("eval", "--list", "--json").stdout)
    assert [row["slug"] for row in rows] == [benchmark.slug for benchmark in benchmarks()]
    assert all(row["version"] >= 1 and row["kinds"] for row in rows)


REAL = {
    "mvbench": ("video_r1_style/mvbench.json", "mvbench.json"),
    "videomme": ("video_r1_style/videomme.json", "videomme.json"),
    "tempcompass": ("original/TempCompass_multi-choice.json", "multi-choice.json"),
    "mlvu": ("original/MLVU_4_count.json", "json/4_count.json"),
    "longvideobench": ("video_r1_style/longvideobench.json", "longvideobench.json"),
    "videomathqa": ("video_r1_style/videomathqa.jsonl", "videomathqa.jsonl"),
    "video_mmmu": ("original/VideoMMMU_adaptation.json", "adaptation.json"),
    "mmvu": ("original/MMVU_validation.json", "validation.json"),
    "vsi_bench": ("video_r1_style/vsibench.json", "vsibench.json"),
    "minerva": ("video_r1_style/minerva.json", "minerva.json"),
}
"""Published rows; of SciVideoBench there are none here, so its ten are made by us in its layout."""


def scivideobench_rows(n: int) -> list[dict]:
    options = {letter: f"{i} mol of the solution" for i, letter in enumerate("ABCDEFGHIJ", start=1)}
    return [
        {
            "video_id": f"v{i}",
            "question": f"How much is added in step {i}?",
            "options": options,
            "answer": "ABCDEFGHIJ"[i % 10],
            "question_type": "Quantitative",
            "discipline": "Chemistry",
            "subject": "Analytical",
            "category": "x",
        }
        for i in range(n)
    ]


def stand_in(root: Path, shared_data: Path, slug: str) -> None:
    """A benchmark's annotations under a data root, and real clips under the names of the videos of ten rows."""
    folder = root / slug
    folder.mkdir(parents=True)
    if slug in REAL:
        source, name = REAL[slug]
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(shared_data / "benchmarks" / source, folder / name)
    else:
        rows = "\n".join(json.dumps(row) for row in scivideobench_rows(12))
        (folder / "test.jsonl").write_text(rows, encoding="utf-8")
    clips = cycle(sorted((shared_data / "videos").glob("torchcodec_*")))
    for sample in spread(list(find(slug).read(root)), 10):
        path = Path(sample.video or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(next(clips))


def test_a_benchmark_can_be_added_to_a_run(data: Path, shared_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(data, root)
    stand_in(root, shared_data, "mmvu")
    settings = EvalSettings(data_root=root, limit=2, decoding=SHORT)
    evaluate(settings, tmp_path / "out")
    answered = (tmp_path / "out" / "answers.jsonl").read_bytes()
    summary = evaluate(replace(settings, benchmarks=("synth", "mmvu")), tmp_path / "out")
    assert summary is not None
    assert [part["benchmark"] for part in summary["official"]] == ["synth", "MMVU"]
    assert (tmp_path / "out" / "answers.jsonl").read_bytes().startswith(answered)
    assert len(lines(tmp_path / "out" / "answers.jsonl")) == 4


@pytest.mark.parametrize("slug", [benchmark.slug for benchmark in benchmarks() if benchmark.slug != "synth"])
def test_each_benchmark_runs_on_ten_of_its_rows(slug: str, shared_data: Path, tmp_path: Path) -> None:
    stand_in(tmp_path / "data", shared_data, slug)
    settings = EvalSettings(benchmarks=(slug,), data_root=tmp_path / "data", limit=10, decoding=SHORT)
    summary = evaluate(settings, tmp_path / "out")
    assert summary is not None
    [official] = summary["official"]
    assert (official["benchmark"], official["n"]) == (find(slug).name, 10)
    assert summary["failed"] == []
    records = read_records(tmp_path / "out" / "records.jsonl")
    assert all(record["response"] and record["prompt"] for record in records)
    assert all(record["scores"]["accuracy"]["status"] in ("ok", "abstain") for record in records)
