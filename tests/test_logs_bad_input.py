"""Bad input: rows that can be read are read, and each reason is one line that says what to do."""

import json
import math
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videor2.data.logs import BadRow, Log, Logged, find_logs, open_log
from videor2.data.logs.log import SCHEMAS
from videor2.data.logs.logged import Source
from videor2.errors import InputError

ROW = {"id": "1", "question": "Q?", "response": "<think>x</think><answer>A</answer>", "answer": "A"}


def read(log: Log) -> tuple[list[Logged], dict[int, str]]:
    good: list[Logged] = []
    bad = {}
    for number, raw in log.rows():
        try:
            good += log.read(number, raw)
        except BadRow as error:
            bad[number] = str(error)
    return good, bad


def write(path: Path, *lines: str | bytes | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    as_bytes = [
        line if isinstance(line, bytes) else (json.dumps(line) if isinstance(line, dict) else line).encode()
        for line in lines
    ]
    path.write_bytes(b"".join(line + b"\n" for line in as_bytes))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt", "a.xlsx", "a.eval"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b" \n" if name == "a.jsonl" else b"")
    with pytest.raises(InputError, match=r"the file is empty; was the run interrupted"):
        open_log(tmp_path / name)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_logs([tmp_path / "nothing.jsonl"])
    with pytest.raises(InputError, match="no such file"):
        open_log(tmp_path / "nothing.jsonl")


def test_a_folder_without_logs(tmp_path: Path) -> None:
    write(tmp_path / "config.json", {"lr": 1})
    write(tmp_path / "notes.txt", "hello")
    with pytest.raises(InputError, match=r"a folder without logs \(looked for .jsonl"):
        find_logs([tmp_path])


def test_each_file_of_a_folder_is_read_by_its_own_format(tmp_path: Path) -> None:
    write(tmp_path / "a" / "plain.jsonl", ROW)
    write(
        tmp_path / "b" / "20260101_000000_samples_mvbench.jsonl", {"doc_id": 0, "input": "Q?", "filtered_resps": ["x"]}
    )
    write(tmp_path / "b" / "20260101_000000_results.json", {"results": {"mvbench": {"question": 1, "response": 2}}})
    write(tmp_path / ".cache" / "x.jsonl", ROW)
    write(tmp_path / "c.txt", "----- 01-02 Accuracy reward: 1.0 -----", "Content: x", "Solution: A")
    found = find_logs([tmp_path])
    assert [(path.name, open_log(path).format) for path in found] == [
        ("c.txt", "video-r1-debug"), ("plain.jsonl", "rows"), ("20260101_000000_samples_mvbench.jsonl", "lmms-eval"),
    ]  # fmt: skip


def test_a_file_named_twice_is_one_log(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW)
    assert find_logs([path, tmp_path, path]) == [path]


def test_a_row_of_another_format_is_bad_and_says_which(tmp_path: Path) -> None:
    path = write(tmp_path / "samples_x.jsonl", {"doc_id": 0, "input": "Q?", "filtered_resps": ["x"]}, ROW, {"lr": 1})
    good, bad = read(open_log(path))
    assert len(good) == 1
    assert bad == {
        2: "a row of rows in a log of lmms-eval, whose rows have `doc_id` and `filtered_resps`",
        3: "no text in `resps` or `filtered_resps` (found: lr)",
    }


def test_no_log_says_what_was_found_and_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"lr": 1, "loss": 0.5})
    with pytest.raises(InputError) as error:
        open_log(path)
    assert str(error.value) == (
        f"{path}: no log that is known (found: lr, loss); name its fields with --map question=FIELD "
        "--map response=FIELD, or its format with --format"
    )


def test_a_format_or_mapping_that_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW)
    with pytest.raises(InputError, match="no format `nonsense`; there are: video-r1-debug, inspect"):
        open_log(path, format="nonsense")
    with pytest.raises(InputError, match="not a log of trl, whose rows have `prompt`"):
        open_log(path, format="trl")
    with pytest.raises(InputError, match="--map response=text: no such field; found: id, question"):
        open_log(path, mapping={"question": "question", "response": "text"})
    with pytest.raises(InputError, match="no field `prediction` to map; there are: response"):
        open_log(path, mapping={"prediction": "response"})
    with pytest.raises(InputError, match="--map is for plain rows"):
        open_log(path, mapping={"question": "question"}, format="trl")


def test_a_line_over_the_limit_is_a_bad_row_and_the_next_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW, {**ROW, "response": "x" * 5_000_000}, ROW)
    good, bad = read(open_log(path, limit=2**20))
    assert len(good) == 2
    assert bad == {2: "a line of more than 1 MiB; is it one JSON document? then rename it to .json"}
    assert len(read(open_log(path))[0]) == 3


def test_a_line_of_200_mb_is_not_held_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW)
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b'{"question": "')
        file.truncate(200 * 2**20)
    tracemalloc.start()
    good, bad = read(open_log(path, limit=2**22))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(good) == 1
    assert list(bad) == [2]
    assert peak < 16 * 2**20


def test_one_long_line_of_json_streams_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    row = json.dumps({**ROW, "response": "x" * 100_000}).encode()
    with path.open("wb") as file:
        file.write(b'{"results": [' + row)
        for _ in range(2000):
            file.write(b", " + row)
        file.write(b"]}")
    assert path.stat().st_size > 200e6
    tracemalloc.start()
    count = sum(1 for _ in open_log(path).rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2001
    assert peak < 16 * 2**20


def test_bytes_that_are_not_utf8_are_a_bad_row(tmp_path: Path) -> None:
    broken = json.dumps({**ROW, "response": "caf?"}).encode().replace(b"?", b"\xe9")
    good, bad = read(open_log(write(tmp_path / "a.jsonl", ROW, broken, ROW)))
    assert len(good) == 2
    assert bad[2].startswith("not UTF-8 (byte ")
    assert bad[2].endswith("is 0xe9); save it as UTF-8")
    csv = write(tmp_path / "a.csv", "question,response", b"Q?,caf\xe9", "Q?,ok")
    good, bad = read(open_log(csv))
    assert [one.response for one in good] == ["ok"]
    assert bad == {2: "the response holds bytes that are not UTF-8; save the file as UTF-8"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_other_unicode_encodings_are_read(tmp_path: Path, encoding: str, name: str) -> None:
    row = {"question": "出口?", "response": "caf\u00e9"}
    text = {
        "a.jsonl": json.dumps(row, ensure_ascii=False) + "\n" + json.dumps(row) + "\n",
        "a.json": json.dumps([row, row], ensure_ascii=False),
        "a.csv": "question,response\n出口?,caf\u00e9\n出口?,caf\u00e9\n",
    }[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    good, bad = read(open_log(tmp_path / name))
    assert bad == {}
    assert [(one.sample.question, one.response) for one in good] == [("出口?", "caf\u00e9")] * 2


def test_a_parquet_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([ROW] * 100), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"unreadable after 0 rows \(.*\); is it cut off\? copy it again"):
        open_log(path)
    assert find_logs([tmp_path]) == [path]  # a log all the same: it is not passed over in silence


def test_a_json_document_that_is_cut_off_gives_its_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = json.dumps({"results": [{**ROW, "id": i, "response": "x" * 1000} for i in range(500)]})
    path.write_text(text[: len(text) // 2])
    log = open_log(path)
    rows: list[Any] = []
    with pytest.raises(InputError, match="the document is cut off after 250 records"):
        rows.extend(log.rows())
    assert len(rows) == 250


def test_a_json_document_with_an_error_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([ROW] * 50)[:-1] + ", {oops}, " + json.dumps(ROW) + "]" + " " * 1000)
    with pytest.raises(InputError, match=r"is not JSON .* after 50 records"):
        list(open_log(path).rows())


def test_an_archive_that_is_cut_off_gives_its_whole_samples(tmp_path: Path) -> None:
    whole = tmp_path / "whole.eval"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps({"eval": {"model": "org/m", "task": "t"}}))
        for i in range(3):
            output = {"choices": [{"message": {"content": f"answer {i}"}}]}
            archive.writestr(f"samples/{i}.json", json.dumps({"id": i, "epoch": 1, "input": "Q?", "output": output}))
    data = whole.read_bytes()
    cut = tmp_path / "cut.eval"
    cut.write_bytes(data[: data.index(b"samples/2.json") + 40])
    log = open_log(cut)
    rows: list[Any] = []
    with pytest.raises(InputError, match="the archive is cut off; 2 whole samples were read"):
        rows.extend(log.rows())
    responses = [one for number, raw in rows for one in log.read(number, raw)]
    assert [(one.response, one.run) for one in responses] == [("answer 0", "org/m"), ("answer 1", "org/m")]


def test_an_archive_with_zstd_says_how_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "{}")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x14\x00\x00\x00\x00\x00", b"\x14\x00\x00\x00\x5d\x00"))
    with pytest.raises(InputError, match=r"newer logs use zstd.*inspect log convert"):
        open_log(path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"response": None}, "no response: `response` is null; did the generation fail?"),
        ({"response": math.nan}, "no response: `response` is null; did the generation fail?"),
        ({"response": {"text": "x"}}, "`response` is a dict, not a text: \"{'text': 'x'}\""),
        ({"answer": ["A", "B"]}, "`answer` is a list of 2; give one answer a row"),
        ({"answer": "E", "options": ["red", "blue"]}, "the answer 'E' is none of the 2 options: 'red | blue'"),
        ({"options": 3}, "options are no list: '3'"),
        ({"events": {"frame 12": "x"}}, "events: 'frame 12' is no time; write MM:SS, HH:MM:SS or a range MM:SS-MM:SS"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    good, bad = read(open_log(write(tmp_path / "a.jsonl", ROW, {**ROW, **fields})))
    assert len(good) == 1
    assert bad == {2: reason}


def test_a_line_that_is_no_object_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW, '{"id": 1, "que', "[1, 2]", "", "[" * 200_000)
    good, bad = read(open_log(path))
    assert len(good) == 1
    assert bad.pop(5).startswith("not JSON that can be read (maximum recursion depth exceeded")
    assert bad == {
        2: "not JSON (Unterminated string starting at at column 11); is the line cut off?",
        3: "not an object but a list",
    }


def test_an_answer_without_options_keeps_its_letter(tmp_path: Path) -> None:
    (one,), _ = read(open_log(write(tmp_path / "a.jsonl", {**ROW, "answer": "(c)"})))
    assert (one.sample.answer, one.sample.kind, one.sample.options) == ("C", "choice", ())


def test_a_choice_without_options_and_letter_is_words(tmp_path: Path) -> None:
    row = {**ROW, "answer": "the red ball on the table", "problem_type": "multiple choice"}
    (one,), _ = read(open_log(write(tmp_path / "a.jsonl", row)))
    assert (one.sample.answer, one.sample.kind) == ("the red ball on the table", "text")


def test_equal_ids_are_kept(tmp_path: Path) -> None:
    good, _ = read(open_log(write(tmp_path / "a.jsonl", ROW, ROW)))
    assert [one.sample.id for one in good] == ["1", "1"]


def test_a_csv_row_with_too_many_cells(tmp_path: Path) -> None:
    good, bad = read(open_log(write(tmp_path / "a.csv", "question,response", "Q?,a,b", "Q?,ok", "Q?,")))
    assert [one.response for one in good] == ["ok"]
    assert bad[2] == "3 cells for 2 columns; is a quote missing?"
    assert bad[4].startswith("no response")


def test_compressed_files_are_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\x1f\x8b\x08xxx")
    with pytest.raises(InputError, match="a compressed file; unpack it first"):
        open_log(tmp_path / "a.jsonl")


def test_a_log_travels_to_other_processes(tmp_path: Path) -> None:
    log = pickle.loads(pickle.dumps(open_log(write(tmp_path / "a.jsonl", ROW))))
    ((number, raw),) = log.rows()
    assert isinstance(raw, bytes)
    assert log.read(number, raw)[0].row == 1
    too_long = pickle.loads(pickle.dumps(BadRow("why")))
    with pytest.raises(BadRow, match="why"):
        log.read(1, too_long)


def test_reading_logs_loads_neither_torch_nor_what_a_log_does_not_need() -> None:
    code = "import sys, videor2.data.logs; print([m for m in ('torch', 'pyarrow', 'openpyxl') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


KEYS = sorted({
    "doc_id", "doc", "resps", "filtered_resps", "input", "target", "index", "prediction", "candidates", "A", "B",
    "thinking", "problem", "output", "solution", "options", "process", "prompt", "completion", "step", "epoch",
    "choices", "id", "video-llm-prediction", "gt-answer", "question", "response", "kind", "answer", "events", "time",
    "reward", "text", "correct_choice", "message", "content", "role", "video", "duration",
})  # fmt: skip
TEXTS = st.sampled_from(
    ["", "A", "(b) x", "Q?\nA. x\nB. y", "['x', 'y']", "Content: x\nSolution: A", "nan", "[", "\ud800"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(KEYS), v, max_size=3), max_leaves=6
)


NEEDED = {
    "video-r1-debug": ["time", "reward", "text"],
    "inspect": ["input", "output", "epoch"],
    "lmms-eval": ["doc_id", "filtered_resps"],
    "tempcompass": ["video-llm-prediction"],
    "video-r1": ["problem", "output"],
    "trl": ["prompt", "completion", "step"],
    "vlmevalkit": ["index", "prediction"],
    "videor2": ["id", "question", "response", "kind"],
    "rows": ["question", "response"],
}


@pytest.mark.parametrize("format", SCHEMAS)
@settings(max_examples=60)
@given(data=st.data(), record=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_whatever_is_in_a_row_it_is_read_or_bad(format: str, data: st.DataObject, record: dict[str, Any]) -> None:
    if data.draw(st.booleans()):
        record |= {key: data.draw(VALUES) for key in NEEDED[format]}
    log = Log(Path("a.json"), format, Source(Path("a.json"), "run"), "document")
    try:
        read = log.read(1, record)
    except BadRow:
        return
    for one in read:
        assert isinstance(one.response, str)
        assert isinstance(one.sample.question, str)
