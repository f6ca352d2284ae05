"""What a summary says of runs, benchmarks and pairs of runs."""

import json
from pathlib import Path

import pytest

from videor2.records import measure
from videor2.sample import Sample
from videor2.scores.stats import bootstrap_macro, mcnemar
from videor2.summary import summarise_runs, verdict

AGREES = "<think>It is the dog, so B.</think><answer>B</answer>"
DIFFERS = "<think>It is the cat, so A.</think><answer>B</answer>"


def record(name: str, response: str, *, run: str = "m", benchmark: str = "MVBench", task: str = "", **fields):
    fields = {"question": "Who runs?", "options": ("the cat", "the dog"), "answer": "B"} | fields
    return measure(Sample(id=name, benchmark=benchmark, task=task, **fields), response) | {"model": run}


def test_a_benchmark_counts_once_however_many_rows_and_tracks_it_has() -> None:
    rows = [record(str(i), AGREES) for i in range(9)]
    rows += [record(f"{track}{i}", DIFFERS, benchmark="Video-MMMU", task=track) for track in ("p", "c") for i in "12"]
    [run] = summarise_runs(rows)["runs"].values()
    assert run["metrics"]["tac"]["mean"] == pytest.approx(9 / 13)
    assert run["macro"]["overall"]["benchmarks"] == 2
    assert run["macro"]["overall"]["metrics"]["tac"]["mean"] == 0.5
    assert "generic" not in run["macro"]  # one benchmark is no average
    assert set(run["by_benchmark"]["Video-MMMU"]["by_task"]) == {"p", "c"}


def test_a_benchmark_that_is_none_of_the_eleven_is_in_no_published_average() -> None:
    rows = [record("1", AGREES), record("2", AGREES, benchmark="mine")]
    [run] = summarise_runs(rows)["runs"].values()
    assert run["macro"] == {}


def test_strict_counts_what_is_undetermined_as_inconsistent_and_leaves_out_what_failed() -> None:
    unclear = record("2", "<think>Hard to say.</think><answer>B</answer>")
    failed = record("3", AGREES)
    failed["scores"]["consistency"] |= {"value": None, "status": "error"}
    [run] = summarise_runs([record("1", AGREES), unclear, failed])["runs"].values()
    assert run["metrics"]["tac"] == pytest.approx({"mean": 1.0, "low": 1.0, "high": 1.0, "coverage": 1 / 3})
    assert run["metrics"]["tac_strict"]["mean"] == 0.5
    assert run["consistency"] == {"consistent": 1, "undetermined": 1, "error": 1}


@pytest.mark.parametrize(
    ("response", "word"),
    [
        (AGREES, "consistent"),
        (DIFFERS, "inconsistent"),
        ("<think>Hard to say.</think><answer>B</answer>", "undetermined"),
        ("B", "no reasoning"),
        ("<think>It is the dog, so B.</think>", "no answer"),
    ],
)
def test_each_response_has_one_verdict(response: str, word: str) -> None:
    assert verdict(record("1", response)) == word


def test_runs_are_compared_on_the_questions_that_both_answered() -> None:
    first = [record(str(i), DIFFERS, run="a") for i in range(12)]
    second = [record(str(i), AGREES, run="b") for i in range(2, 14)]
    [pair] = summarise_runs(first + second)["comparisons"]
    assert (pair["a"], pair["b"], pair["n"]) == ("a", "b", 10)
    assert pair["metrics"]["tac"]["mean"] == 1.0
    assert pair["metrics"]["tac"]["p"] == pytest.approx(2 * 0.5**10)
    assert pair["metrics"]["accuracy"]["p"] == 1.0


def test_equal_ids_of_different_questions_are_not_compared() -> None:
    rows = [record("1", AGREES, run="a"), record("1", AGREES, run="b", question="Who sleeps?")]
    assert summarise_runs(rows)["comparisons"] == []
    nameless = [record("1", AGREES, run=run, question="") for run in "ab"]
    assert summarise_runs(nameless)["comparisons"] == []


def test_ids_that_repeat_are_counted() -> None:
    [run] = summarise_runs([record("1", AGREES), record("1", DIFFERS), record("1", AGREES, task="t")])["runs"].values()
    assert run["duplicates"] == 1
    assert run["n"] == 3


def test_the_published_count_equals_the_published_script(shared_data: Path) -> None:
    """Sets of (think, answer, gold) with the script's own results."""
    for text in (shared_data / "parity" / "dev" / "tac.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(text)
        options = tuple(f"option number {i}" for i in range(case["num_options"]))
        rows = []
        for i, item in enumerate(case["items"]):
            think = f"So the answer is {item['think']}." if item["think"] else "Hard to say."
            answer = f"<answer>{item['answer']}</answer>" if item["answer"] else ""
            sample = {"options": options, "answer": item["gold"]}
            rows.append(record(str(i), f"<think>{think}</think>{answer}", **sample))
        [run] = summarise_runs(rows)["runs"].values()
        assert run["metrics"]["tac_paper"]["mean"] == pytest.approx(case["reference_tac"]), case["id"]
        assert run["metrics"]["tac_paper"]["coverage"] == 1.0
        determined = case["agreement_determined"]
        assert run["metrics"].get("tac", {}).get("mean") == (None if determined is None else pytest.approx(determined))


def test_an_average_over_groups_is_as_sure_as_its_groups() -> None:
    few, many = [1.0, 0.0] * 4, [1.0, 0.0] * 400
    both = bootstrap_macro([few, many])
    assert both.mean == 0.5
    assert bootstrap_macro([many, many]).half_width < both.half_width < bootstrap_macro([few]).half_width


def test_an_average_over_no_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_macro([])


def test_mcnemar_is_the_sign_test_of_the_rows_that_differ() -> None:
    from scipy.stats import binomtest

    a, b = [1] * 20 + [0] * 20 + [1] * 9, [1] * 20 + [1] * 20 + [0] * 9
    assert mcnemar(a, b) == pytest.approx(binomtest(9, 29).pvalue)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_is_for_right_and_wrong_alone() -> None:
    with pytest.raises(ValueError, match="0 and 1"):
        mcnemar([0.5], [1])
