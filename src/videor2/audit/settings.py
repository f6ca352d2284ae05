"""What an audit is to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How logs are read, who judges, and what is asked.

    format, mapping: see `data.logs.open_log`. annotations, join_key: see `data.logs.Annotations`. judges: one or two
    of what `parse_judge` reads; the first decides, the second is compared with it. vas, model_claims: ask a model
    judge to rate the visual evidence, and to read the claims instead of the grammar. cache: the file of a model's
    replies, `judge.sqlite` in the run directory where None. workers: processes; None takes all cores for long logs.
    """

    format: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    annotations: Path | None = None
    join_key: str | None = None
    judges: tuple[str, ...] = ("rules",)
    vas: bool = True
    model_claims: bool = False
    cache: Path | None = None
    max_requests: int | None = None
    concurrency: int = 32
    deadline_s: float | None = None
    timeout_s: float = 60.0
    workers: int | None = None
    videos: Path | None = None
    compare_paper: bool = False
    seed: int = 0
