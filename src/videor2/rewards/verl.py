"""The reward for verl (0.9): accuracy + format + gate * alignment of one response.

    reward.custom_reward_function.path=pkg://videor2.rewards.verl
    reward.custom_reward_function.name=compute_score_async

verl asks for one response at a time and knows no missing reward, nor which responses are one group. A failed judge
therefore gets time: it is asked again for `patience_s` seconds, and then JudgeFailed is raised. verl's trainers drop
a rollout or a group that raised, or stop; the reward manager `limited` alone makes a reward of 0 of it, which is a
disadvantage made of an outage: do not use it.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from videor2.judges.loops import run_sync
from videor2.rewards.adapt import JudgeFailed, Settings, logged, read_rollout, score

logger = logging.getLogger(__name__)

_FROM_VERL = ("reward_router_address", "reward_model_tokenizer")
"""What verl adds to `reward_kwargs` where a reward model is configured."""

_MAX_PAUSE_S = 30.0


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **reward_kwargs: Any,
) -> dict[str, float | None]:
    """The reward of one response as `score`, with its parts; see `videor2.rewards.adapt.logged`.

    ground_truth: the answer, or a JSON object of answer, events, question, options, kind. extra_info: may have the
    same fields; the ground truth goes first. reward_kwargs: those of `adapt.Settings.read`, and `patience_s` (600):
    for how long a failed judge is asked again. Raises InputError for data or settings that cannot be used, and
    JudgeFailed.

    >>> row = {"answer": "B", "events": {"00:03": "a red ball appears"}, "options": ["a cube", "a ball"]}
    >>> response = "<think>At 00:03 a red ball appears. So the answer is B.</think><answer>B</answer>"
    >>> compute_score("synth", response, row)["score"]
    3.0
    """
    return run_sync(_score(data_source, solution_str, ground_truth, extra_info, reward_kwargs))


async def compute_score_async(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **reward_kwargs: Any,
) -> dict[str, float | None]:
    """As `compute_score`, for a judge behind a server: all responses of a worker wait at the same time."""
    return await _score(data_source, solution_str, ground_truth, extra_info, reward_kwargs)


async def _score(
    data_source: str,
    response: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None,
    reward_kwargs: Mapping[str, Any],
) -> dict[str, float | None]:
    given = {name: value for name, value in reward_kwargs.items() if name not in _FROM_VERL}
    patience_s = float(given.pop("patience_s", 600.0))
    settings = Settings.read(given)
    row = (extra_info or {}).get("index", "?")
    where = f"data source {data_source!r}, row {row}"
    rollout = read_rollout(response, ground_truth, extra_info, where=where, weights=settings.weights)
    until, pause = time.monotonic() + patience_s, 1.0
    while True:
        [parts] = await score([rollout], settings)
        total = parts.total(settings.weights)
        if total is not None:
            return {"score": total, **logged(parts)}
        reason = parts.gated_alignment.score.detail
        if time.monotonic() + pause > until:
            raise JudgeFailed(f"{where}: no reward after {patience_s:g} s of asking: {reason}")
        logger.warning("%s: no reward yet, asking again in %.0f s: %s", where, pause, reason)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE_S)
