"""How sure a mean is: percentile bootstrap over rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 22  # row draws held at once, 32 MB of indices


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """The larger distance from the mean to a bound: what a `±` may claim."""
        return max(self.mean - self.low, self.high - self.mean)


def bootstrap_mean(
    values: Sequence[float] | NDArray[np.float64],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Mean of values (n,) with a percentile bootstrap interval.

    Where only two values occur (right or wrong) the resampled means are drawn from the binomial that they
    follow, which is exact and does not depend on n. Raises ValueError for no values, a value that is not
    finite, or a level that is not between 0 and 1.

    >>> interval = bootstrap_mean([1, 1, 1, 0, 1, 0, 1, 1])
    >>> interval.mean, interval.low < 0.75 < interval.high
    (0.75, True)
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"a bootstrap needs a list of at least one value, not shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise ValueError("a bootstrap needs finite values: leave out what has none")
    if not 0 < level < 1:
        raise ValueError(f"level is a share between 0 and 1, not {level}")
    means = _resampled_means(sample, np.random.default_rng(seed), resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high))


def paired_difference(
    a: Sequence[float] | NDArray[np.float64],
    b: Sequence[float] | NDArray[np.float64],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Mean of `a - b` over the same rows (n,), rows resampled in pairs: narrower than two separate intervals.

    Raises ValueError where the two differ in length.

    >>> paired_difference([1, 1, 0, 1], [1, 0, 0, 1]).mean
    0.25
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired values come from the same rows: {first.shape} against {second.shape}")
    return bootstrap_mean(first - second, seed=seed, resamples=resamples, level=level)


def _resampled_means(sample: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    low, high = sample.min(), sample.max()
    n_high = int((sample == high).sum())
    if n_high + int((sample == low).sum()) >= sample.size:
        hits = rng.binomial(sample.size, n_high / sample.size, size=resamples) if low < high else np.zeros(resamples)
        means: NDArray[np.float64] = low + (high - low) * hits / sample.size
        return means
    rows = max(1, _CHUNK // sample.size)
    chunks = [
        sample[rng.integers(0, sample.size, size=(min(rows, resamples - start), sample.size))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(chunks)
