"""synth: questions about the embedded world, from files that `videor2 data synth` writes."""

from typing import Any

from pydantic import ValidationError

from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample


def sample(row: Row) -> Sample:
    """A row of the training file format: the fields of `Sample`, paths relative to the file."""
    fields: dict[str, Any] = {key: value for key, value in row.fields.items() if key != "response"}
    for field in ("video", "subtitles"):
        if isinstance(fields.get(field), str):
            fields[field] = str((row.file.parent / fields[field]).absolute())
    try:
        return Sample.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise row.error(f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}") from None


SYNTH = Benchmark(
    name="synth",
    slug="synth",
    version=1,
    group="synthetic",
    source=Source("videor2", "", "test", ("*.jsonl",), ("clips/*",)),
    rows=0,
    kinds=("choice",),
    metric="accuracy over rows, also by task",
    checked="files that `videor2 data synth` wrote",
    layouts=(Layout({"": ("test.jsonl", "eval.jsonl", "*.jsonl")}, sample, marks=("id", "question", "answer")),),
)
