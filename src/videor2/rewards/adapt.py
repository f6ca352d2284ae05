"""What the adapters share: settings from keyword arguments, rollouts from ground truth, numbers to log."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from numbers import Number
from typing import Any, Final, cast, get_args

from videor2 import rewards
from videor2.answers import Options, normalise_options
from videor2.errors import InputError
from videor2.judges import AsyncJudge, Judge
from videor2.judges.llm import parse_judge
from videor2.judges.pool import JudgePool
from videor2.rewards import EQUAL, Parts, RewardConfig, Rollout, Weights
from videor2.rewards.trl import completion_text
from videor2.sample import Kind
from videor2.scores.alignment import VARIANTS
from videor2.timeline import Event, read_events

__all__ = [
    "FIELDS",
    "JudgeFailed",
    "Settings",
    "completion_text",
    "failed_groups",
    "logged",
    "pack_ground_truth",
    "read_rollout",
    "score",
]

logger = logging.getLogger(__name__)

FIELDS: Final = ("answer", "events", "question", "options", "kind")
"""What a ground truth may say of a sample."""

_MATCHING: Final = tuple(one.name for one in fields(RewardConfig))


class JudgeFailed(RuntimeError):
    """A response has no reward since its judge failed, told to a framework that knows no missing reward."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to compute rewards, as a framework's configuration can say it."""

    config: RewardConfig = field(default_factory=RewardConfig)
    weights: Weights = EQUAL
    judge: str | Judge | AsyncJudge = "rules"
    concurrency: int = 32
    deadline_s: float = 120.0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Settings":
        """Settings from keyword arguments: `variant`, `buffer_s`, `threshold`, `max_claim_s`, `weights` (by name),
        `judge`, `concurrency`, `deadline_s`. Raises InputError for anything else.

        >>> Settings.read({"buffer_s": 3.0, "weights": {"format": 0.5}}).weights
        Weights(accuracy=1.0, format=0.5, gated_alignment=1.0)
        """
        others = ("weights", "judge", "concurrency", "deadline_s")
        _known("reward setting", given, (*_MATCHING, *others))
        config = RewardConfig(**{name: given[name] for name in _MATCHING if name in given})
        if config.variant not in VARIANTS:
            raise InputError(f"no alignment variant {config.variant!r}; there are: {', '.join(VARIANTS)}")
        rest = {name: given[name] for name in others if name in given}
        if isinstance(rest.get("weights"), Mapping):
            _known("reward", rest["weights"], [one.name for one in fields(Weights)])
            rest["weights"] = Weights(**rest["weights"])
        elif not isinstance(rest.get("weights", EQUAL), Weights):
            raise InputError(f"weights go by name, as {{'accuracy': 1.0}}, not {rest['weights']!r}")
        settings = cls(config, **rest)
        try:
            settings.pool()  # what cannot be a judge should stop the run before its first rollout
        except ValueError as e:
            raise InputError(f"reward settings: {e}") from e
        return settings

    def pool(self) -> JudgePool:
        """The judge's pool, one for equal settings: `concurrency` holds over all calls in one event loop."""
        return _pool(cast(Any, self.judge), self.concurrency, self.deadline_s)


@lru_cache(maxsize=64)
def _pool(judge: Any, concurrency: int, deadline_s: float) -> JudgePool:
    found = parse_judge(judge) if isinstance(judge, str) else judge
    return JudgePool(found, concurrency=concurrency, deadline_s=deadline_s)


def _known(what: str, given: Iterable[str], known: Sequence[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(f"no {what} {unknown[0]!r}; there are: {', '.join(known)}")


async def score(rollouts: Sequence[Rollout], settings: Settings) -> list[Parts]:
    """`videor2.rewards.score` with the given settings."""
    return await rewards.score(rollouts, config=settings.config, judge=settings.pool())


def logged(parts: Parts) -> dict[str, float | None]:
    """The numbers behind a total, always under the same names.

    `accuracy`, `format` and `gated_alignment` are what enters the total before its weight: 0 where a part does not
    apply. `gate`, `tar`, `tar_precision` and `tar_recall` are measurements: None where there is none.
    """
    gated = parts.gated_alignment
    if parts.accuracy.status == "abstain":
        _warn_once(f"accuracy adds nothing to the reward: {parts.accuracy.detail}")
    aligned = gated.alignment if gated.alignment.score.status == "ok" else None
    return {
        "accuracy": parts.accuracy.value or 0.0,
        "format": parts.format.value or 0.0,
        "gated_alignment": gated.score.value or 0.0,
        "gate": gated.gate.value,
        "tar": aligned.score.value if aligned else None,
        "tar_precision": aligned.precision if aligned else None,
        "tar_recall": aligned.recall if aligned else None,
    }


@lru_cache(maxsize=1024)
def _warn_once(message: str) -> None:
    logger.warning(message)


def read_rollout(
    response: Any,
    ground_truth: Any,
    extra: Mapping[str, Any] | None = None,
    *,
    where: str,
    weights: Weights = EQUAL,
) -> Rollout:
    """A response with what its data row says of the question.

    response: its text, or the messages of a conversation.
    ground_truth: the answer alone, or the fields of `FIELDS` as a mapping or a JSON object. extra: a mapping that
    may have them too, among others; the ground truth goes first. Raises InputError, which begins with `where`, for
    what cannot be read and for what a reward of non-zero weight needs: the answer, and events (there may be none
    of them, but the row must say so: `[]`).

    >>> read_rollout("B", '{"answer": "B", "events": {"00:03": "a ball appears"}}', where="row 0").events
    (Event(start_s=3.0, end_s=3.0, sentence='a ball appears'),)
    """
    try:
        row = {name: extra[name] for name in FIELDS if extra.get(name) is not None} if extra else {}
        row |= _fields(ground_truth)
        rollout = Rollout(
            response=completion_text(response),
            question=_words("question", row.get("question")),
            options=_options(row.get("options")),
            kind=_kind(row.get("kind")),
            events=_events(row.get("events")),
            answer=_words("answer", row.get("answer")),
        )
        if weights.accuracy and not (rollout.answer or "").strip():
            raise ValueError("no 'answer'")
        if weights.gated_alignment and "events" not in row:
            raise ValueError("no 'events': say [] where there are none, or give gated_alignment the weight 0")
    except ValueError as e:
        raise InputError(f"{where}: ground truth {_short(ground_truth)}: {e}") from e
    return rollout


def pack_ground_truth(
    answer: str,
    events: Mapping[str, str] | Iterable[Any] = (),
    question: str | None = None,
    options: Options = (),
    kind: Kind | None = None,
) -> str:
    """All that the rewards need of a sample as one JSON string, for frameworks that pass on one string.

    events: as in `videor2.timeline.read_events`. Raises InputError for what no reward could read.

    >>> pack_ground_truth("B", {"00:03-00:04": "a ball appears"}, options=["a cube", "a ball"])
    '{"answer": "B", "events": [{"start_s": 3.0, "end_s": 4.0, "sentence": "a ball appears"}],
      "options": ["a cube", "a ball"]}'
    """
    given = {"answer": answer, "events": events, "question": question, "options": options, "kind": kind}
    read = read_rollout("", {k: v for k, v in given.items() if v is not None}, where="pack_ground_truth")
    row: dict[str, Any] = {
        "answer": read.answer,
        "events": [{"start_s": e.start_s, "end_s": e.end_s, "sentence": e.sentence} for e in read.events],
    }
    if read.question:
        row["question"] = read.question
    if read.options:
        row["options"] = list(read.options)
    if read.kind:
        row["kind"] = read.kind
    return json.dumps(row, ensure_ascii=False)


def _fields(ground_truth: Any) -> dict[str, Any]:
    """The fields of a ground truth; text that begins like a JSON object must be one."""
    if isinstance(ground_truth, str) and ground_truth.lstrip().startswith("{"):
        try:
            ground_truth = json.loads(ground_truth)
        except json.JSONDecodeError as e:
            raise ValueError(f"not JSON ({e}); write it with pack_ground_truth") from None
    if ground_truth is None:
        return {}
    if not isinstance(ground_truth, Mapping):
        return {"answer": ground_truth}
    _known("field", ground_truth, FIELDS)
    # A table of structs has every field in every row, as None where it was not given.
    return {name: value for name, value in ground_truth.items() if value is not None}


def _words(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str | Number):
        raise ValueError(f"{name!r} is text, not {type(value).__name__}")
    return None if value is None else str(value)


def _kind(value: Any) -> Kind | None:
    if value is not None and value not in get_args(Kind):
        raise ValueError(f"no 'kind' {value!r}; there are: {', '.join(get_args(Kind))}")
    kind: Kind | None = value
    return kind


def _options(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return normalise_options({key: text for key, text in value.items() if text is not None})
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"'options' is a list of texts, not {type(value).__name__}")
    options = tuple(value)
    if not all(isinstance(text, str) for text in options):
        raise ValueError("'options' is a list of texts")
    return normalise_options(options)


def _events(value: Any) -> tuple[Event, ...]:
    try:
        if isinstance(value, str):
            value = json.loads(value or "[]")
        return tuple(read_events(() if value is None else value))
    except ValueError as e:
        raise ValueError(f"'events': {e}") from e


def _short(ground_truth: Any) -> str:
    shown = repr(ground_truth)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def failed_groups(groups: Sequence[str], failures: Sequence[str | None], log: logging.Logger, *, noun: str) -> set[str]:
    """The groups in which a response could not be scored, with a warning that counts them.

    groups: of each response; failures: why it could not be scored, None where it could; noun: what the framework
    calls responses.
    """
    failed = {group for group, why in zip(groups, failures, strict=True) if why is not None}
    reasons = [why for why in failures if why is not None]
    if reasons:
        log.warning(
            "no gated alignment for %d of %d groups: %d of %d %s could not be scored (%s)",
            len(failed),
            len(set(groups)),
            len(reasons),
            len(groups),
            noun,
            reasons[0],
        )
    return failed
