import json
from pathlib import Path

import pytest

from videor2.quickstart import QuickstartError, QuickstartSettings, quickstart

SMALL = QuickstartSettings(train_clips=4, test_clips=3, questions=2, steps=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quickstart")
    quickstart(out, SMALL)
    return out


def test_the_summary_holds_both_measurements_with_intervals(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["n"] == 6
    for part in (summary, summary["sampled"]):
        for phase in ("before", "after"):
            for metric in ("accuracy", "tac", "alignment_f1", "format"):
                interval = part[phase][metric]
                assert 0 <= interval["low"] <= interval["mean"] <= interval["high"] <= 1
    assert set(summary["seconds"]) >= {"clips", "evaluate before", "train", "evaluate after"}


def test_a_record_holds_the_response_its_scores_and_a_clip_that_is_there(run: Path) -> None:
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    assert len(records) == 6 * 2 * 2
    for record in records:
        assert {"id", "benchmark", "task", "question", "options", "answer", "kind", "response", "model"} <= set(record)
        assert (run / record["video"]).is_file()
        assert set(record["scores"]) >= {"accuracy", "format", "consistency", "alignment_f1"}
        for score in record["scores"].values():
            assert (score["value"] is None) == (score["status"] != "ok")


def test_the_report_is_one_file_that_needs_no_network(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "data:video/mp4;base64," in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_a_finished_run_is_not_run_again(run: Path) -> None:
    before = (run / "grpo" / "model.safetensors").stat().st_mtime_ns
    quickstart(run, SMALL)
    assert (run / "grpo" / "model.safetensors").stat().st_mtime_ns == before


def test_a_run_with_other_settings_is_refused(run: Path) -> None:
    with pytest.raises(QuickstartError, match="other settings"):
        quickstart(run, QuickstartSettings(seed=1))
