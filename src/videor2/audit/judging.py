"""The second look at a log's records: what a model is asked, and what needs sentence embeddings.

Records stream from one file to another. Replies are cached, so that an audit that was killed repeats no request.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from videor2.audit.settings import AuditSettings
from videor2.errors import InputError
from videor2.judges.budget import Budget
from videor2.judges.cache import ReplyCache
from videor2.judges.conclusion import Conclusion, Request
from videor2.judges.llm import Cascade, judged_by, parse_judge
from videor2.judges.pool import JudgePool
from videor2.judges.rules import conclude
from videor2.judges.verdicts import Comparison
from videor2.progress import Progress
from videor2.records import RULES, Record, aligned, interval, iterate_records, judged, write_records
from videor2.scores.agreement import cohens_kappa
from videor2.scores.consistency import Consistency, Unjudged, right_alike
from videor2.scores.grounding import vas
from videor2.scores.score import Score
from videor2.summary import verdict
from videor2.trace import Trace

log = logging.getLogger(__name__)

T = TypeVar("T")

Kind = Callable[[Sequence[Record], Progress], Coroutine[Any, Any, None]]
"""A kind of question, put to a chunk of records."""

CHUNK_PER_PLACE: Final = 16
"""Records in memory for each request that may run: at a chunk's end places stand empty for one reply in 16."""
ALIGNED_CHUNK: Final = 512


class Judging:
    """What is still to be done to records that were scored by rules.

    Raises `InputError` for a judge that there is none of, or a broken cache.
    """

    def __init__(self, settings: AuditSettings, out: Path) -> None:
        if not 1 <= len(settings.judges) <= 2:
            raise InputError(f"{len(settings.judges)} judges: name one, or two to compare them")
        self.settings = settings
        self.budget = Budget(settings.max_requests)
        self._cache_path = settings.cache or out / "judge.sqlite"
        self._cache: ReplyCache | None = None
        self._pools = [
            JudgePool(self._judge(name), concurrency=settings.concurrency, deadline_s=None) for name in settings.judges
        ]
        self._end = None if settings.deadline_s is None else time.monotonic() + settings.deadline_s
        self._verdicts: tuple[list[str], list[str]] = ([], [])

    def _judge(self, name: str) -> Any:
        judge = parse_judge(name)  # a wrong name is told before a file is made
        if judge is conclude:
            return judge
        if self._cache is None:
            self._cache_path.parent.mkdir(parents=True, exist_ok=True)
            self._cache = ReplyCache(self._cache_path)
        return parse_judge(name, cache=self._cache, budget=self.budget, timeout_s=self.settings.timeout_s)

    @property
    def first(self) -> JudgePool:
        """The judge whose verdict a record holds."""
        return self._pools[0]

    @property
    def asks(self) -> bool:
        """Is any of the judges a model?"""
        return any(pool.judge is not conclude for pool in self._pools)

    def run(self, source: Path, target: Path, *, total: int, timed: bool) -> dict[str, Any] | None:
        """Finish the records of `source` into `target`; `timed` where some have reference events.

        Gives how far two judges agree, None where there is one.
        """
        if not (self.asks or timed or len(self._pools) == 2):
            source.replace(target)
            return None
        kinds = self._kinds()
        title = "asking the judge" if self.asks else "comparing claims with events"
        with Progress(
            title, total=total * max(1, len(kinds)), unit="questions" if self.asks else "responses"
        ) as progress:
            write_records(target, aligned(self._finished(iterate_records(source), kinds, progress)))
        source.unlink()
        if self._cache is not None:
            self._cache.close()
        self._tell()
        return self._agreement()

    def _kinds(self) -> list[Kind]:
        """What is asked of each record, in turn."""
        kinds: list[Kind] = []
        if self.first.judge is not conclude:
            kinds.append(self._conclude)
            if self.settings.vas:
                kinds.append(self._rate)
            if self.settings.model_claims:
                kinds.append(self._claim)
        if len(self._pools) == 2:
            kinds.append(self._second)
        return kinds

    def _finished(self, records: Iterator[Record], kinds: Sequence[Kind], progress: Progress) -> Iterator[Record]:
        size = CHUNK_PER_PLACE * self.settings.concurrency if self.asks else ALIGNED_CHUNK
        with asyncio.Runner() as runner:
            while chunk := list(islice(records, size)):
                for kind in kinds:
                    runner.run(kind(chunk, progress))
                if not kinds:
                    progress.advance(len(chunk))
                yield from chunk

    async def _conclude(self, chunk: Sequence[Record], progress: Progress) -> None:
        """Put a model's conclusions in the place of the rules' ones; a cascade keeps those that the rules found."""
        todo = [record for record in chunk if _answered(record)]
        if isinstance(self.first.judge, Cascade):
            todo = [record for record in todo if record["scores"]["consistency"]["how"] == "undetermined"]
        for record, found, judge in await self._conclusions(todo, self.first, progress, len(chunk)):
            record["scores"]["consistency"] = judged(found, judge)
            record["scores"]["tac_paper"] = right_alike(
                found, record["answer"], record["kind"], record["options"]
            ).row()

    async def _conclusions(
        self, todo: Sequence[Record], pool: JudgePool, progress: Progress, total: int
    ) -> list[tuple[Record, Consistency, str]]:
        unjudged = [_unjudged(record) for record in todo]
        requests = [one.request for one in unjudged if one.request]
        conclusions = iter(await self._put(pool.conclude_all, pool, requests, progress, total))
        found = []
        for record, one in zip(todo, unjudged, strict=True):
            conclusion = next(conclusions) if one.request else None
            judge = judged_by(pool.judge, conclusion) if conclusion else RULES
            found.append((record, one.judged(conclusion), judge))
        await self._compare_texts(found, unjudged, pool)
        return found

    async def _compare_texts(
        self, found: list[tuple[Record, Consistency, str]], unjudged: Sequence[Unjudged], pool: JudgePool
    ) -> None:
        """Free texts that agree in part: let the model say whether they say the same."""
        open_rows = [i for i, (_, one, _) in enumerate(found) if _texts_in_part(one)]
        if not open_rows or pool.judge is conclude:
            return
        requests = []
        for i in open_rows:
            record, one = found[i][0], unjudged[i]
            think = one.request.think if one.request else ""
            requests.append(Comparison(think, one.given, record["question"] or None, tuple(record["options"])))
        pool.deadline_s = self._remaining_s()
        for i, reply in zip(open_rows, await pool.compare_all(requests), strict=True):
            record, compared, _ = found[i]
            said = f"concludes {compared.conclusion.value}, answers {compared.answer}"
            if reply.same is None:
                score = Score.error(reply.error)
            elif reply.same == "undetermined":
                continue
            else:
                score = Score.ok(float(reply.same == "yes"), f"{said}: the judge compared the texts")
            found[i] = (record, replace(compared, score=score), judged_by(pool.judge, _BY_MODEL))

    async def _rate(self, chunk: Sequence[Record], progress: Progress) -> None:
        """Add the rating of the visual evidence."""
        todo = [record for record in chunk if record["words"]["think"]]
        ratings = await self._put(self.first.rate_all, self.first, [_request(r) for r in todo], progress, len(chunk))
        for record in chunk:
            record["scores"]["vas"] = Score.abstain("no reasoning").row()
        for record, rating in zip(todo, ratings, strict=True):
            record["scores"]["vas"] = vas(rating).row()

    async def _claim(self, chunk: Sequence[Record], progress: Progress) -> None:
        """Put the claims that a model reads in the place of the grammar's; none where it fails."""
        todo = [record for record in chunk if record["words"]["think"]]
        replies = await self._put(self.first.claims_all, self.first, [_request(r) for r in todo], progress, len(chunk))
        for record, reply in zip(todo, replies, strict=True):
            if reply.claims is None:
                record["scores"]["alignment_f1"] = Score.error(reply.error).row()
                continue
            record["claims"] = [interval(claim) for claim in reply.claims]

    async def _second(self, chunk: Sequence[Record], progress: Progress) -> None:
        """Ask the second judge for its own verdict, and note both."""
        pool = self._pools[1]
        todo = [record for record in chunk if _answered(record)]
        for record, found, judge in await self._conclusions(todo, pool, progress, len(chunk)):
            record["second"] = judged(found, judge)
            both = verdict(record), verdict(record | {"scores": {"consistency": record["second"]}})
            if "error" not in both:
                for said, verdicts in zip(both, self._verdicts, strict=True):
                    verdicts.append(said)

    async def _put(
        self,
        ask: Callable[..., Awaitable[list[T]]],
        pool: JudgePool,
        requests: Sequence[Request],
        progress: Progress,
        total: int,
    ) -> list[T]:
        """Ask, and count all `total` records of the chunk as done: those that need no asking at once."""

        def done(n: int) -> None:
            progress.note = f"{self.budget.sent:,} requests, {self.budget.cached:,} from the cache"
            progress.advance(n)

        progress.advance(total - len(requests))
        pool.deadline_s = self._remaining_s()
        return await ask(requests, on_done=done)

    def _remaining_s(self) -> float | None:
        return None if self._end is None else max(1e-3, self._end - time.monotonic())

    def _tell(self) -> None:
        if not self.asks:
            return
        budget = self.budget
        log.info(
            "the judge: %d requests (%d repeated), %d replies from %s",
            budget.sent,
            budget.retried,
            budget.cached,
            self._cache_path,
        )
        if budget.unasked:
            log.warning("%d questions were not asked: the budget is spent; run again to go on", budget.unasked)
        elif budget.failed:
            log.warning("%d questions got no reply and have no score; run again to ask them again", budget.failed)

    def _agreement(self) -> dict[str, Any] | None:
        if len(self._pools) < 2:
            return None
        first, second = ("rules" if pool.judge is conclude else repr(pool.judge) for pool in self._pools)
        return {"a": first, "b": second} | asdict(cohens_kappa(*self._verdicts, seed=self.settings.seed))


_BY_MODEL: Final = Conclusion(None, "judge")


def _answered(record: Record) -> bool:
    """Is there a reasoning and an answer to compare it with?"""
    return bool(record["words"]["think"] and record["scores"]["consistency"]["answer"])


def _unjudged(record: Record) -> Unjudged:
    return Unjudged.read(
        Trace.parse(record["response"]).with_untagged_answer(),
        question=record["question"] or None,
        options=record["options"],
        kind=record["kind"],
    )


def _request(record: Record) -> Request:
    think = Trace.parse(record["response"]).think or ""
    return Request(think, record["question"] or None, tuple(record["options"]), record["kind"])


def _texts_in_part(found: Consistency) -> bool:
    return found.score.status == "abstain" and found.conclusion.value is not None and found.answer is not None
