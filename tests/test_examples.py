from pathlib import Path

import pytest

from videor2.data.examples import DataError, Example, read_examples, write_examples
from videor2.sample import Sample
from videor2.timeline import Event


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sample = Sample(
        id="1",
        question="Which?",
        options=("a", "b"),
        answer="B",
        video=str(tmp_path / "clips" / "1.mp4"),
        events=(Event(1.0, 2.5, "a dog barks"),),
        meta={"source": "test"},
    )
    written = [
        Example(sample, "<think>x</think><answer>B</answer>"),
        Example(Sample(id="2", question="Why?")),
    ]
    assert write_examples(tmp_path / "rows.jsonl", written) == 2
    assert read_examples(tmp_path / "rows.jsonl") == written


def test_a_dataset_can_be_moved_as_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    write_examples(folder / "rows.jsonl", [Example(Sample(id="1", question="?", video=str(folder / "v.mp4")))])
    folder.rename(tmp_path / "there")
    [example] = read_examples(tmp_path / "there" / "rows.jsonl")
    assert example.sample.video == str(tmp_path / "there" / "v.mp4")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "a row is an object"),
        ('{"id": "1"}', "`question`: Field required"),
        ('{"id": "1", "question": "?", "colour": 1}', "`colour`: Extra inputs are not permitted"),
        ('{"id": "1", "question": "?", "response": 3}', "`response` is text"),
    ],
)
def test_a_bad_row_is_told_with_file_and_number(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "0", "question": "?"}\n\n' + line + "\n")
    with pytest.raises(DataError) as error:
        read_examples(path)
    assert str(error.value).startswith(f"{path}: row 3: ")
    assert told in str(error.value)


def test_a_missing_and_an_empty_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_examples(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no rows"):
        read_examples(tmp_path / "empty.jsonl")
