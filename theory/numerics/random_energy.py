"""The random-energy picture size by size: a heuristic, never a bound.

Given the values, the sums of k of them are treated as independent Gaussians, so that the number of good ones is
Poisson. Its rate is the expected number of good sums, tilted by the mean of the n R values: with values of variance v
and their mean Z sqrt(v/(nR)), Z standard normal, a sum of k has mean k Z sqrt(v/(nR)) and variance k v (1 - k/(nR)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping


def success_and_failure(
    n: int, R: int, *, alpha: float, variance: float, log_expected: Mapping[int, float]
) -> tuple[float, float]:
    """E[1 - exp(-lambda)] and E[exp(-lambda)] over Z, lambda summed over the sizes k.

    ``log_expected``: of sizes k >= 1 the logarithm of the expected number of good sums. Where there is one sum only
    (k = n, R = 1) its probability is taken as it is.

    Examples
    --------
    >>> hit, miss = success_and_failure(1, 1, alpha=0.5, variance=1 / 3, log_expected={1: math.log(0.01)})
    >>> round(hit, 9), round(miss, 9)
    (0.01, 0.99)
    """
    import numpy as np

    step = 0.02
    z = step * np.arange(-1900.0, 1901.0)
    weights = step / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * z**2)
    rate = np.zeros_like(z)
    alone = 0.0
    for k, log_count in log_expected.items():
        if log_count == -math.inf:
            continue
        if k == n * R:
            alone -= math.log1p(-min(math.exp(min(log_count, 0.0)), 1.0 - 1e-16))
            continue
        total, left = k * variance, k * variance * (1.0 - k / (n * R))
        tilt = alpha**2 / (2.0 * total) - (alpha - k * z * math.sqrt(variance / (n * R))) ** 2 / (2.0 * left)
        rate += np.exp(np.minimum(log_count + tilt - 0.5 * math.log(left / total), 700.0))
    rate += alone
    return min(1.0, float(weights @ -np.expm1(-rate))), min(1.0, float(weights @ np.exp(-rate)))
