"""TempCompass: the same temporal facts of 410 videos asked in four forms."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from videor2.benchmarks.metrics import given_answer, judged, right
from videor2.benchmarks.prompts import Style
from videor2.benchmarks.rows import Row
from videor2.benchmarks.spec import Benchmark, Layout, Source
from videor2.sample import Sample
from videor2.scores.score import Score

CAPTION_JUDGE = judged("captioning is scored by a language model that answers a question from the caption")
_OPTION = re.compile(r"(?:(?:Option|Sentence|Caption) [A-D12]:|[A-D]\.)\s*(.*)")
_LABELLED = re.compile(r"(?:Option|Sentence|Caption) ([AB12])(?:[.:].*)?", re.IGNORECASE | re.DOTALL)


def unpack(document: Any) -> Iterator[Mapping[str, Any]]:
    """Rows of the authors' JSON: by video, then by aspect."""
    for video, aspects in document.items():
        for aspect, items in aspects.items():
            yield from ({"video_id": video, "dim": aspect, **item} for item in items)


def sample(row: Row) -> Sample:
    """A row: video_id, dim (the aspect), question (its options are lines of it), answer.

    The answer is "yes" or "no", else the whole line of the right option ("B. dunking", "Sentence A: ...").
    """
    stem, *lines = row.text("question").splitlines()
    video, answer = row.text("video_id"), row.text("answer")
    fields: dict[str, Any] = {"question": stem, "answer": answer, "kind": "text"}
    if row.task in ("multi_choice", "caption_matching") or row.get("options"):
        published = row.get("options") or [line for line in map(str.strip, lines) if line]
        options = [_bare(row, str(line)) for line in published]
        bare = row.options(options, "options" if row.get("options") else "question")
        if len(answer.strip("(). ")) == 1:
            letter = row.letter(answer, bare)
        else:
            letter, _ = row.letter_of_text(_bare(row, answer), bare)
        fields |= {"options": bare, "answer": letter, "kind": "choice"}
    elif row.task == "captioning":
        fields["question"] = row.text("question")
    elif answer.lower() not in ("yes", "no"):
        raise row.error(f"`answer` must be yes or no, not {answer!r:.60}; correct the annotation")
    return Sample(
        id=f"{row.task}-{row.number}",
        video=row.folder.find(f"videos/{video}.mp4", f"video/{video}.mp4"),
        task=row.task,
        meta=row.keep("dim", "mc_question", "mc_answer") | {"video_id": video},
        **fields,
    )


def _bare(row: Row, line: str) -> str:
    match = _OPTION.fullmatch(line.strip())
    if not match:
        raise row.error(f"`question`: {line!r:.60} is no option; a line begins with A. or Option 1:")
    return match[1].strip()


def score(sample: Sample, response: str, style: Style) -> Score:
    """Value equality, also under the authors' labels ("Option 2", "Caption B: ..."); captions need a judge."""
    if sample.task == "captioning":
        return CAPTION_JUDGE(sample, response, style)
    answer, _ = given_answer(response, style)
    labelled = _LABELLED.fullmatch(answer or "") if sample.task == "caption_matching" else None
    if labelled:
        response = f"<answer>{'A' if labelled[1] in 'Aa1' else 'B'}</answer>"
    return right(sample, response, style)


TASKS = {"multi_choice": "multi-choice", "yes_no": "yes_no", "caption_matching": "caption_matching"}

TEMPCOMPASS = Benchmark(
    name="TempCompass",
    slug="tempcompass",
    version=1,
    group="generic",
    source=Source(
        "arXiv 2403.00476", "lmms-lab/TempCompass", "test", ("*/test-*.parquet",), ("tempcompass_videos.zip",)
    ),
    rows=5536,
    kinds=("choice", "text"),
    metric="accuracy over rows by task and aspect. Answers that no rule reads go to a language model officially; here "
    "they are wrong. Captioning (2,004 rows, optional) needs that model: it abstains.",
    checked="fields: the authors' four JSON files, 7,540 rows; scores: equal to the authors' verdicts on all 6,987 "
    "published answers of two models that their rules read, and on 107 of 117 that their language model read",
    layouts=(
        Layout(
            {
                task: (f"questions/{file}.json", f"{file}.json", f"{file}/*.parquet")
                for task, file in (TASKS | {"captioning": "captioning"}).items()
            },
            sample,
            marks=("video_id", "question", "answer"),
            unpack=unpack,
        ),
    ),
    row_score=score,
    breakdown=("dim",),
    optional_tasks=("captioning",),
)
