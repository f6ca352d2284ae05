"""The tables of completions that TRL's GRPO trainer logs: step, prompt, completion, a column a reward, advantage.

Columns of the data set are there where a reward function logged them (`solution`, `answer`).
"""

from pathlib import Path

from videor2.data.logs.logged import Logged, Record, Schema, Source, first_of, ids_of, logged
from videor2.data.logs.messages import completion_text, prompt_text
from videor2.data.logs.prompts import question_of
from videor2.data.logs.values import BadRow, answer_of, options_of


def _fits(record: Record) -> bool:
    return "prompt" in record and "completion" in record and ("advantage" in record or "step" in record)


def _source(path: Path, _header: Record) -> Source:
    """Its files are `{output_dir}/completions/completions_{step}.parquet`."""
    folder = path.absolute().parent
    return Source(path, folder.parent.name if folder.name == "completions" else path.stem)


def _read(record: Record, row: int, source: Source) -> list[Logged]:
    if "completion" not in record:
        raise BadRow(f"no `completion` (found: {', '.join(list(record)[:8])})")
    if record["completion"] is None:
        raise BadRow("no response: `completion` is null")
    return [
        logged(
            source,
            row,
            id=f"{record.get('step', 0)}/{row}",
            response=completion_text(record["completion"]),
            question=question_of(prompt_text(record.get("prompt"))),
            options=options_of(record.get("options")),
            answer=answer_of(first_of(record, "solution", "answer", "ground_truth")),
            ids=ids_of(record),
        )
    ]


SCHEMA = Schema("trl", "`prompt`, `completion` and `advantage`", _fits, _read, _source)
