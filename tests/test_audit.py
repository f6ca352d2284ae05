"""`videor2 audit`: logs in, a run directory out."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from judge_server import Body, JudgeServer, Reply, claims, compares, rates, says
from videor2.audit import AuditSettings, audit
from videor2.errors import InputError
from videor2.records import read_records

OPTIONS = ["A. the cat", "B. the dog"]
AGREES = "<think>It is the dog, so B.</think><answer>B</answer>"
DIFFERS = "<think>It is the cat, so A.</think><answer>B</answer>"
UNCLEAR = "<think>Nothing can be seen.</think><answer>B</answer>"


def row(name: str, response: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "question": "Who runs?",
        "options": OPTIONS,
        "answer": "B",
        "response": response,
    } | fields


def write_log(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "model.jsonl", row("1", AGREES), row("2", DIFFERS), row("3", UNCLEAR), row("4", "B"))


@pytest.fixture
def server(server: JudgeServer) -> JudgeServer:
    server.script = by_question()
    return server


def by_question(**replies: Reply):
    """A script that answers each kind of question in its own way."""
    known = {"conclusion": says("B", "It is"), "rating": rates(7), "claims": claims(), "comparison": compares("yes")}

    def script(body: Body) -> Reply:
        name = body["response_format"]["json_schema"]["name"]
        return (known | replies)[name]

    return script


def kinds(server: JudgeServer) -> list[str]:
    return [body["response_format"]["json_schema"]["name"] for body in server.requests]


def test_an_audit_leaves_a_run_directory(log: Path, tmp_path: Path) -> None:
    summary = audit([log], tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "records.jsonl",
        "summary.json",
        "run.json",
        "report.html",
    }
    assert json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8")) == summary
    assert summary["n"] == 4
    assert summary["metrics"]["accuracy"]["mean"] == 1.0
    assert summary["metrics"]["tac"] | {"low": 0, "high": 0} == {"mean": 0.5, "low": 0, "high": 0, "coverage": 0.5}
    assert summary["runs"]["model"]["consistency"] == {
        "consistent": 1,
        "inconsistent": 1,
        "undetermined": 1,
        "no reasoning": 1,
    }
    assert "vas" not in summary["metrics"]  # no judge, no VAS
    facts = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert facts["command"] == "audit"
    assert facts["settings"]["judges"] == ["rules"]


def test_a_record_says_where_it_came_from_and_who_judged(log: Path, tmp_path: Path) -> None:
    audit([log], tmp_path / "out")
    second = read_records(tmp_path / "out" / "records.jsonl")[1]
    assert second["log"] == {"file": str(log), "row": 2}
    assert second["model"] == "model"
    consistency = second["scores"]["consistency"]
    assert (consistency["conclusion"], consistency["answer"], consistency["judge"]) == ("A", "B", "rules")
    assert consistency["evidence"] in second["response"]


def test_runs_have_names_and_are_compared(tmp_path: Path) -> None:
    before = write_log(tmp_path / "x.jsonl", *(row(str(i), DIFFERS) for i in range(8)))
    after = write_log(tmp_path / "y.jsonl", *(row(str(i), AGREES) for i in range(8)))
    summary = audit([f"before={before}", f"after={after}"], tmp_path / "out")
    assert list(summary["runs"]) == ["before", "after"]
    [pair] = summary["comparisons"]
    assert (pair["a"], pair["b"], pair["n"]) == ("before", "after", 8)
    assert pair["metrics"]["tac"]["mean"] == 1.0
    assert pair["metrics"]["tac"]["p"] < 0.01


def test_bad_rows_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = write_log(tmp_path / "m.jsonl", row("1", AGREES), '{"id": "2", "resp', row("3", None), row("4", AGREES))
    with caplog.at_level(logging.WARNING):
        summary = audit([log], tmp_path / "out")
    assert summary["n"] == 2
    assert summary["logs"][0]["bad"] == 2
    assert [bad["row"] for bad in summary["bad_rows"]] == [2, 3]
    assert "m.jsonl: 2 rows left out, the first: row 2" in caplog.text


def test_nothing_to_score_is_an_error_with_the_reason(tmp_path: Path) -> None:
    log = write_log(tmp_path / "m.jsonl", row("1", AGREES, answer="Z"))
    with pytest.raises(InputError, match=r"no response could be scored: .*m\.jsonl: row 1: "):
        audit([log], tmp_path / "out")


def test_a_file_that_is_no_log_does_not_stop_the_others(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.jsonl"
    other.write_text('{"colour": "red"}\n', encoding="utf-8")
    summary = audit([log, other], tmp_path / "out")
    assert summary["n"] == 4
    assert "notes.jsonl" in next(entry["problem"] for entry in summary["logs"] if "problem" in entry)


def test_annotations_that_fit_nothing_are_an_error_that_says_so(log: Path, tmp_path: Path) -> None:
    annotations = write_log(tmp_path / "a.jsonl", {"id": "x1", "question": "Other?", "answer": "A"})
    with pytest.raises(InputError, match="0 of 4"):
        audit([log], tmp_path / "out", AuditSettings(annotations=annotations))


def test_annotations_add_what_a_log_lacks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = write_log(tmp_path / "m.jsonl", *({"id": str(i), "response": AGREES} for i in range(4)))
    annotations = write_log(
        tmp_path / "a.jsonl",
        *({"id": str(i), "question": "Who runs?", "options": OPTIONS, "answer": "A"} for i in range(3)),
    )
    with caplog.at_level(logging.INFO):
        summary = audit([log], tmp_path / "out", AuditSettings(annotations=annotations))
    assert "3 of 4" in caplog.text
    assert summary["logs"][0]["joined"] == 3
    assert summary["metrics"]["accuracy"]["mean"] == 0.0
    assert summary["metrics"]["accuracy"]["coverage"] == 0.75


def test_reference_events_give_temporal_alignment(tmp_path: Path) -> None:
    events = [{"start_s": 3, "end_s": 4, "sentence": "a red ball rolls in"}]
    said = "<think>At 00:03 a red ball rolls in. So B.</think><answer>B</answer>"
    log = write_log(tmp_path / "m.jsonl", row("1", said, events=events), row("2", AGREES))
    summary = audit([log], tmp_path / "out")
    assert summary["metrics"]["alignment_f1"] | {"low": 0, "high": 0} == {
        "mean": 1.0,
        "low": 0,
        "high": 0,
        "coverage": 0.5,
    }
    assert read_records(tmp_path / "out" / "records.jsonl")[0]["claims"][0]["event"] == 0


def test_another_commands_run_is_not_written_over(log: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text('{"command": "quickstart"}', encoding="utf-8")
    with pytest.raises(InputError, match="videor2 quickstart"):
        audit([log], tmp_path / "out")


def test_two_workers_write_what_one_writes(tmp_path: Path) -> None:
    log = write_log(tmp_path / "m.jsonl", *(row(str(i), [AGREES, DIFFERS, UNCLEAR][i % 3]) for i in range(1200)), "{")
    for workers in (1, 2):
        audit([log], tmp_path / f"out{workers}", AuditSettings(workers=workers))
    one, two = ((tmp_path / f"out{n}" / "records.jsonl").read_bytes() for n in (1, 2))
    assert one == two
    first, second = (json.loads((tmp_path / f"out{n}" / "summary.json").read_text(encoding="utf-8")) for n in (1, 2))
    assert first == second


def test_a_model_judge_decides_and_rates(log: Path, tmp_path: Path, server: JudgeServer) -> None:
    judge = f"openai:{server.url}#m"
    summary = audit([log], tmp_path / "out", AuditSettings(judges=(judge,)))
    assert sorted(kinds(server)) == ["conclusion"] * 3 + ["rating"] * 3
    assert summary["metrics"]["tac"]["mean"] == 1.0  # the judge says B each time
    assert summary["metrics"]["vas"] == pytest.approx({"mean": 0.7, "low": 0.7, "high": 0.7, "coverage": 0.75})
    assert summary["runs"]["model"]["judged_by"] == {judge: 3, "rules": 1}


def test_an_audit_again_asks_nothing_again(log: Path, tmp_path: Path, server: JudgeServer) -> None:
    settings = AuditSettings(judges=(f"openai:{server.url}#m",))
    first = audit([log], tmp_path / "out", settings)
    asked = len(server.requests)
    assert audit([log], tmp_path / "out", settings) == first
    assert len(server.requests) == asked


def test_a_cascade_asks_only_for_what_rules_leave_open(log: Path, tmp_path: Path, server: JudgeServer) -> None:
    judge = f"openai:{server.url}#m"
    summary = audit([log], tmp_path / "out", AuditSettings(judges=(f"rules then {judge}",), vas=False))
    assert kinds(server) == ["conclusion"]
    assert "Nothing can be seen." in server.asked()[0]
    assert summary["runs"]["model"]["consistency"] == {"consistent": 2, "inconsistent": 1, "no reasoning": 1}
    assert summary["runs"]["model"]["judged_by"] == {"rules": 3, judge: 1}


def test_two_judges_are_compared(log: Path, tmp_path: Path, server: JudgeServer) -> None:
    judges = ("rules", f"openai:{server.url}#m")
    summary = audit([log], tmp_path / "out", AuditSettings(judges=judges))
    assert kinds(server) == ["conclusion"] * 3
    agreement = summary["agreement"]
    assert (agreement["a"], agreement["b"], agreement["n"]) == (*judges, 3)
    assert agreement["observed"] == pytest.approx(1 / 3)
    assert summary["metrics"]["tac"]["mean"] == 0.5  # the first judge decides


def test_a_judge_that_is_away_gives_no_score_and_no_zero(log: Path, tmp_path: Path, server: JudgeServer) -> None:
    server.script = lambda _: Reply(status=403)
    summary = audit([log], tmp_path / "out", AuditSettings(judges=(f"openai:{server.url}#m",)))
    assert "tac" not in summary["metrics"]
    assert "vas" not in summary["metrics"]
    assert summary["runs"]["model"]["consistency"] == {"error": 3, "no reasoning": 1}
    [first, *_] = read_records(tmp_path / "out" / "records.jsonl")
    assert first["scores"]["vas"]["status"] == "error"


def test_a_budget_is_kept_and_the_next_audit_goes_on(
    log: Path, tmp_path: Path, server: JudgeServer, caplog: pytest.LogCaptureFixture
) -> None:
    judge = f"openai:{server.url}#m"
    with caplog.at_level(logging.WARNING):
        audit([log], tmp_path / "out", AuditSettings(judges=(judge,), max_requests=2))
    assert len(server.requests) == 2
    assert "4 questions were not asked: the budget is spent; run again to go on" in caplog.text
    summary = audit([log], tmp_path / "out", AuditSettings(judges=(judge,)))
    assert len(server.requests) == 6
    assert summary["metrics"]["vas"]["coverage"] == 0.75


def test_free_texts_that_agree_in_part_are_put_to_the_model(tmp_path: Path, server: JudgeServer) -> None:
    said = "<think>So the answer is a man who walks his dog near the lake at dawn.</think><answer>{}</answer>"
    answer = "Someone taking the dog for a walk early in the morning by the water"
    log = write_log(
        tmp_path / "m.jsonl", {"id": "1", "question": "What?", "answer": "x y", "response": said.format(answer)}
    )
    server.script = by_question(conclusion=says("a man who walks his dog near the lake at dawn"))
    rules = audit([log], tmp_path / "rules")
    assert rules["runs"]["m"]["consistency"] == {"undetermined": 1}
    summary = audit([log], tmp_path / "out", AuditSettings(judges=(f"openai:{server.url}#m",), vas=False))
    assert kinds(server) == ["conclusion", "comparison"]
    assert summary["runs"]["m"]["consistency"] == {"consistent": 1}


def test_a_model_reads_the_claims_where_it_is_asked_to(tmp_path: Path, server: JudgeServer) -> None:
    events = [{"start_s": 3, "end_s": 4, "sentence": "a red ball rolls in"}]
    log = write_log(tmp_path / "m.jsonl", row("1", AGREES, events=events))
    server.script = by_question(claims=claims(("00:03", "a red ball rolls in")))
    settings = AuditSettings(judges=(f"openai:{server.url}#m",), vas=False, model_claims=True)
    summary = audit([log], tmp_path / "out", settings)
    assert summary["metrics"]["alignment_f1"]["mean"] == 1.0


def test_the_papers_rows_stand_beside(tmp_path: Path) -> None:
    log = write_log(tmp_path / "m.jsonl", row("1", AGREES, benchmark="MVBench"))
    summary = audit([log], tmp_path / "out", AuditSettings(compare_paper=True))
    assert summary["paper"]["Video-R2"] == {"MVBench": {"accuracy": 67.5, "tac": 82.4, "vas": 76.5}}


def test_an_audit_that_was_killed_repeats_no_request(tmp_path: Path, server: JudgeServer) -> None:
    said = [f"<think>Take {i}, unclear.</think><answer>B</answer>" for i in range(40)]
    log = write_log(tmp_path / "m.jsonl", *(row(str(i), text) for i, text in enumerate(said)))
    server.script = lambda _: says("B", after_s=0.05)
    command = [sys.executable, "-m", "videor2", "audit", str(log), "--out", str(tmp_path / "out"), "--no-vas"]
    command += ["--judge", f"openai:{server.url}#m", "--concurrency", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while len(server.requests) < 11:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    answered = len(server.requests) - 2  # the last two may not have been written down
    subprocess.run(command, check=True, capture_output=True)
    assert len(server.requests) <= 40 + 2
    assert answered >= 9
    asked = server.asked()
    assert len(set(asked)) == 40
    assert len(asked) - len(set(asked)) <= 2
    assert (
        json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["metrics"]["tac"]["coverage"] == 1
    )


def test_of_a_run_directory_only_its_records_are_read(log: Path, tmp_path: Path) -> None:
    audit([log], tmp_path / "out")
    (tmp_path / "out" / "before.jsonl").write_bytes((tmp_path / "out" / "records.jsonl").read_bytes())
    assert audit([tmp_path / "out"], tmp_path / "again")["n"] == 4


def test_no_torch_for_an_audit_by_rules(log: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom videor2.audit import audit\n"
        "audit([sys.argv[1]], Path(sys.argv[2]))\n"
        "print([m for m in ('torch', 'transformers', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(log), str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_real_log_gives_a_summary_or_a_reason(shared_data: Path, tmp_path: Path) -> None:
    files = [path for path in sorted((shared_data / "traces").rglob("*")) if path.is_file()]
    assert files
    read, refused = {}, {}
    for i, path in enumerate(files):
        try:
            read[path.name] = audit([path], tmp_path / str(i))["n"]
        except InputError as error:
            refused[path.name] = str(error)
    assert all(name in reason and "\n" not in reason for name, reason in refused.items())
    assert read["Qwen2.5-VL-7B-Instruct_muma_questions_both.json"] == 900
    assert read["jike338_debug_log_3b.txt"] > 2000
    assert len(read) >= len(files) - 1  # a data set without responses


def test_the_command_prints_a_table_and_where_the_report_is(videor2, log: Path, tmp_path: Path) -> None:
    done = videor2("audit", log, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "TAC" in done.stdout
    assert "reasoning and answer: " in done.stdout
    assert str(tmp_path / "out" / "report.html") in done.stdout
    told = json.loads(videor2("audit", log, "--out", tmp_path / "out", "--json").stdout)
    assert told["n"] == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl"),
        (["{log}", "--judge", "gpt"], "no judge 'gpt'"),
        (["{log}", "--judge", "rules", "--judge", "rules", "--judge", "rules"], "3 judges"),
        (["{log}", "--map", "question"], "--map question: write it as question=COLUMN"),
        (["{log}", "--annotations", "none.json"], "none.json"),
        (["{log}", "--format", "tables"], "tables"),
    ],
)
def test_bad_arguments_are_one_line(videor2, log: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    filled = [argument.format(log=log) for argument in arguments]
    done = videor2("audit", *filled, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
