"""Do two judges agree beyond chance? Cohen's kappa (Educational and Psychological Measurement 20, 1960)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_DEFINED = 0.9
"""Share of resamples that must have a kappa: an interval over fewer would be one over the lucky ones."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges on the same n rows.

    `table[i][j]` counts the rows that the first put into `labels[i]` and the second into `labels[j]`. `observed` is
    the share of rows where they agree, None for no rows. `kappa` is None where chance alone would agree always, the
    bounds of its bootstrap interval also where resampling would; `reason` says so.
    """

    n: int
    observed: float | None
    kappa: float | None
    low: float | None
    high: float | None
    labels: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    reason: str = ""


def cohens_kappa(
    first: Sequence[str],
    second: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Agreement:
    """Agreement of two judges over categories beyond what their habits would give: (observed - chance) / (1 - chance).

    first, second: the category that each gave to row i, length n; leave out rows that one of them failed on. labels:
    the categories in the order of the table, None for those that occur, sorted. The interval is a percentile
    bootstrap over rows. Raises ValueError for unequal lengths, a category that is not among the labels, or a level
    that is not between 0 and 1.

    >>> agreement = cohens_kappa(["yes", "yes", "no", "no"], ["yes", "no", "no", "no"])
    >>> agreement.observed, agreement.kappa, agreement.table
    (0.75, 0.5, ((2, 0), (1, 1)))
    >>> cohens_kappa(["yes"] * 9, ["yes"] * 9).reason
    "both judges said 'yes' each time, as chance would: kappa is not defined"
    """
    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, not {level}")
    pairs = Counter(zip(first, second, strict=True))
    known = tuple(labels) if labels is not None else tuple(sorted({*first, *second}))
    place = {label: i for i, label in enumerate(known)}
    table = np.zeros((len(known), len(known)), dtype=np.int64)
    for (a, b), count in pairs.items():
        if a not in place or b not in place:
            raise ValueError(f"a judge said {a if a not in place else b!r}, which is none of {', '.join(known)}")
        table[place[a], place[b]] = count
    n = int(table.sum())
    rows = tuple(tuple(row) for row in table.tolist())
    if n == 0:
        return Agreement(0, None, None, None, None, known, rows, "no rows that both judges decided")
    observed = float(np.trace(table)) / n
    kappa = float(_kappa(table[None])[0])
    if np.isnan(kappa):
        reason = f"both judges said {first[0]!r} each time, as chance would: kappa is not defined"
        return Agreement(n, observed, None, None, None, known, rows, reason)
    constant = next((judge for judge in (first, second) if len(set(judge)) == 1), None)
    if constant is not None:
        reason = f"one judge said {constant[0]!r} each time: kappa is 0 whatever the other says"
        return Agreement(n, observed, kappa, None, None, known, rows, reason)
    # Drawing rows with replacement draws the cells of the table from the multinomial of their shares.
    drawn = np.random.default_rng(seed).multinomial(n, table.ravel() / n, size=resamples)
    kappas = _kappa(drawn.reshape(resamples, *table.shape))
    defined = kappas[~np.isnan(kappas)]
    if len(defined) < MIN_DEFINED * resamples:
        reason = f"too few rows for an interval: {1 - len(defined) / resamples:.0%} of resamples have one category only"
        return Agreement(n, observed, kappa, None, None, known, rows, reason)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(n, observed, kappa, float(low), float(high), known, rows)


def _kappa(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Kappa of tables (R, K, K) of the same n, NaN where chance agrees always: (R,).

    In whole numbers up to the one division, so that full agreement is 1 and full chance is found exactly.
    """
    n = tables.sum(axis=(1, 2))
    agreed = n * np.trace(tables, axis1=1, axis2=2)
    chance = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1)
    best = n * n - chance
    kappas: NDArray[np.float64] = np.full(len(tables), np.nan)
    np.divide(agreed - chance, best, out=kappas, where=best > 0)
    return kappas
