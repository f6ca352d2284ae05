"""How sure a mean is: percentile bootstrap over rows; and whether two runs differ: exact McNemar."""

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


def bootstrap_macro(
    groups: Sequence[Sequence[float] | NDArray[np.float64]],
    *,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Mean of the groups' means, each group counting once; rows are resampled within their group.

    The average over benchmarks of different size. Raises ValueError where there is no group, or as `bootstrap_mean`.

    >>> bootstrap_macro([[1, 1, 1, 1], [0]]).mean
    0.5
    """
    if not len(groups):
        raise ValueError("an average over groups needs at least one")
    samples = [np.asarray(group, dtype=np.float64) for group in groups]
    means = [bootstrap_mean(sample, resamples=1).mean for sample in samples]  # checks each group, too
    rng = np.random.default_rng(seed)
    resampled = np.mean([_resampled_means(sample, rng, resamples) for sample in samples], axis=0)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.mean(means)), float(low), float(high))


def mcnemar(a: Sequence[float] | NDArray[np.float64], b: Sequence[float] | NDArray[np.float64]) -> float:
    """Exact McNemar test on paired values of 0 and 1, (n,) each: the two-sided p-value.

    Only rows on which the two differ tell them apart; under the null hypothesis either is right on half of those.
    1.0 where they never differ. Raises ValueError for unequal lengths or a value that is neither 0 nor 1.

    >>> round(mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]), 4), mcnemar([1, 0], [1, 0])
    (0.0625, 1.0)
    """
    from scipy.special import bdtr  # loaded where it is needed: it is large

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired values come from the same rows: {first.shape} against {second.shape}")
    if not np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        raise ValueError("McNemar's test compares values of 0 and 1")
    only_a, only_b = int((first > second).sum()), int((second > first).sum())
    if only_a == only_b:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


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
