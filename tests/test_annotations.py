"""What a data set knows is joined to a log's responses by the key that fits, and never to another question."""

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videor2.data.logs import Annotations, Logged, open_log
from videor2.errors import InputError
from videor2.sample import Sample
from videor2.timeline import Event

DATA = [
    {"question_id": "q1", "question": "Which colour?", "options": ["A. red", "B. blue"], "answer": "B",
     "video": "a.mp4", "events": {"00:03": "a ball appears"}, "duration": 12},
    {"question_id": "q2", "question": "How many?", "answer": 4, "video": "a.mp4"},
    {"question_id": "q3", "question": "How many?", "answer": 5, "video": "b.mp4"},
]  # fmt: skip


@pytest.fixture
def annotations(tmp_path: Path) -> Annotations:
    return load(tmp_path, DATA)


def load(tmp_path: Path, data: object, **options: Any) -> Annotations:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return Annotations.load(path, **options)


def response(id: str = "0", question: str = "", **fields: Any) -> Logged:
    known = {"id": id, "question": question, "kind": "text", "meta": {"id": id}, **fields}
    return Logged(Sample(**known), "x")


def test_what_the_log_leaves_open_is_filled_in(annotations: Annotations) -> None:
    joined = annotations.join(response("q1"))
    assert joined is not None
    assert joined.sample == Sample(
        id="q1", question="Which colour?", options=("red", "blue"), answer="B", kind="choice", video="a.mp4",
        events=(Event(3, 3, "a ball appears"),), duration_s=12, meta={"id": "q1", "joined_on": "question_id"},
    )  # fmt: skip


def test_what_the_log_says_wins(annotations: Annotations) -> None:
    own = response("q2", "How many?", answer="7", kind="number", video="mine.mp4", benchmark="MVBench", task="t")
    joined = annotations.join(own)
    assert joined is not None
    assert (joined.sample.answer, joined.sample.video, joined.sample.benchmark) == ("7", "mine.mp4", "MVBench")


def test_a_repeat_belongs_to_its_question(annotations: Annotations) -> None:
    joined = annotations.join(response("q1#2", meta={"id": "q1"}))
    assert joined is not None
    assert joined.sample.id == "q1#2"


def test_an_id_of_the_same_name_is_the_key(annotations: Annotations) -> None:
    found = annotations.find(response("17", meta={"question_id": "q3"}))
    assert found is not None
    assert (found[0].answer, found[1]) == ("5", "question_id")


def test_doc_id_is_the_number_of_the_row(annotations: Annotations) -> None:
    found = annotations.find(response("2", meta={"doc_id": 2}))
    assert found is not None
    assert (found[0].answer, found[1]) == ("5", "row")
    assert annotations.find(response("9", meta={"doc_id": 9})) is None


def test_equal_numbers_of_two_numberings_join_nothing(annotations: Annotations) -> None:
    assert annotations.find(response("q1", "Who is it?")) is None
    assert annotations.find(response("0", "Who is it?", meta={"doc_id": 0})) is None


def test_the_number_of_a_line_is_no_id(tmp_path: Path) -> None:
    log = tmp_path / "debug_log.txt"
    log.write_text("----- 01-02 Accuracy reward: 1.0 -----\nContent: x\nSolution: A\n")
    opened = open_log(log)
    (one,) = [one for number, raw in opened.rows() for one in opened.read(number, raw)]
    assert one.sample.id == "1"
    assert load(tmp_path, [{"id": 1, "question": "Q?", "answer": "A"}]).find(one) is None


def test_the_question_is_the_key_where_no_id_fits(annotations: Annotations) -> None:
    found = annotations.find(response("x", "Which  colour"))
    assert found is not None
    assert (found[0].id, found[1]) == ("q1", "question")


def test_of_equal_questions_the_video_decides(annotations: Annotations) -> None:
    found = annotations.find(response("x", "How many?", video="/data/b.webm"))
    assert found is not None
    assert found[0].id == "q3"
    assert annotations.find(response("x", "How many?")) is None


def test_a_letter_follows_its_option_to_another_order(annotations: Annotations) -> None:
    joined = annotations.join(response("q1", options=("blue", "red"), kind="choice"))
    assert joined is not None
    assert (joined.sample.answer, joined.sample.options) == ("A", ("blue", "red"))


def test_a_letter_gets_the_options_that_it_is_one_of(annotations: Annotations) -> None:
    joined = annotations.join(response("q1", answer="A", kind="choice"))
    assert joined is not None
    assert (joined.sample.answer, joined.sample.options) == ("A", ("red", "blue"))
    beyond = annotations.join(response("q1", answer="D", kind="choice"))
    assert beyond is not None
    assert (beyond.sample.answer, beyond.sample.options) == ("D", ())


def test_a_key_that_is_forced_is_the_only_one(tmp_path: Path) -> None:
    forced = load(tmp_path, [{**row, "nr": i} for i, row in enumerate(DATA)], key="nr")
    found = forced.find(response("1"))
    assert found is not None
    assert (found[0].answer, found[1]) == ("4", "nr")
    assert forced.find(response("x", "Which colour?")) is None
    with pytest.raises(InputError, match="no field `uid` to join on; found: question_id, question"):
        load(tmp_path, DATA, key="uid")


def test_values_that_are_not_unique_are_no_key(tmp_path: Path) -> None:
    twice = load(tmp_path, [{"id": 1, "question": "A?"}, {"id": 1, "question": "B?"}, {"id": 2, "question": "C?"}])
    assert twice.find(response("1")) is None
    assert twice.find(response("2")) is not None


def test_how_many_there_are_and_how_they_look(annotations: Annotations) -> None:
    assert len(annotations) == 3
    assert annotations.examples(2) == {"question_id": ("q1", "q2")}


def test_every_container_is_read(tmp_path: Path, annotations: Annotations) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DATA))
    pq.write_table(
        pa.Table.from_pylist([{**row, "answer": str(row["answer"])} for row in DATA]), tmp_path / "a.parquet"
    )
    (tmp_path / "by_id.json").write_text(json.dumps({row["question_id"]: row for row in DATA}))
    (tmp_path / "nested.json").write_text(json.dumps({"info": {"version": 1}, "questions": DATA}))
    for name in ("a.jsonl", "a.parquet", "by_id.json", "nested.json"):
        loaded = Annotations.load(tmp_path / name)
        found = loaded.find(response("q1"))
        assert found is not None, name
        assert found[0].events == (Event(3, 3, "a ball appears"),), name
        assert len(loaded) == 3, name
    (tmp_path / "a.csv").write_text('id,question,answer,events\nq1,Which?,red,"{""00:03"": ""a ball""}"\n')
    found = Annotations.load(tmp_path / "a.csv").find(response("q1"))
    assert found is not None
    assert (found[0].answer, found[0].events) == ("red", (Event(3, 3, "a ball"),))


def test_a_bad_annotation_is_counted_and_the_others_join(tmp_path: Path) -> None:
    some = load(tmp_path, [{"question": "Q?", "events": {"then": "x"}}, *DATA])
    assert len(some) == 3
    assert some.bad == ((1, "events: 'then' is no time; write MM:SS, HH:MM:SS or a range MM:SS-MM:SS"),)
    found = some.find(response("x", meta={"doc_id": 1}))
    assert found is not None
    assert found[0].id == "q1"
    assert some.find(response("x", meta={"doc_id": 0})) is None


def test_a_file_without_annotations_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotations.json: no rows with any of: question"):
        load(tmp_path, [{"lr": 1}])
    with pytest.raises(InputError, match=r"no annotations in it; row 1: `answer` is a list of 2"):
        load(tmp_path, [{"question": "Q?", "answer": ["A", "B"]}])


def test_an_answer_that_is_no_option_spoils_its_row_alone(shared_data: Path) -> None:
    needle = Annotations.load(shared_data / "benchmarks" / "original" / "MLVU_2_needle.json")
    assert [row for row, _ in needle.bad] == [35, 339]
    assert len(needle) > 300


def test_annotations_travel_to_other_processes(annotations: Annotations) -> None:
    assert pickle.loads(pickle.dumps(annotations)) == annotations


def test_a_real_data_set_joins_a_log_in_the_shape_of_lmms_eval(shared_data: Path, tmp_path: Path) -> None:
    """Video-MME's questions, beside a log without `doc` whose prompts are cut down to the question's words."""
    data = shared_data / "benchmarks" / "video_r1_style" / "videomme.json"
    annotations = Annotations.load(data)
    assert len(annotations) == 2700
    rows = json.loads(data.read_text(encoding="utf-8"))[:50]
    path = tmp_path / "m" / "20260101_000000_samples_videomme.jsonl"
    path.parent.mkdir()
    with path.open("w") as file:
        for i, row in enumerate(rows):
            options = "\n".join(row["options"])
            line = {
                "doc_id": i,
                "input": f"{row['question']}\n{options}",
                "target": "None",
                "filtered_resps": ["<answer>A</answer>"],
            }
            file.write(json.dumps(line) + "\n")
    log = open_log(path)
    joined = [annotations.join(one) for number, raw in log.rows() for one in log.read(number, raw)]
    assert [one.sample.answer for one in joined if one] == [row["answer"] for row in rows]
    assert {one.sample.meta["joined_on"] for one in joined if one} == {"row"}
