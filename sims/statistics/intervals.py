"""Intervals and tests for success counts: exact binomial, anytime-valid, and many at once.

Everything goes through the incomplete beta function, so the bounds are exact also for 0 and n successes and for
probabilities near 0, and cost a microsecond.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from numbers import Real


def _numbers(**values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, Real):
            raise ValueError(f"{name} must be a number, got a {type(value).__name__}")


def _counts(successes: int, trials: int) -> tuple[int, int]:
    _numbers(successes=successes, trials=trials)
    if not trials <= 10**18:
        raise ValueError("trials must be at most 10^18")
    if not trials >= 1:
        raise ValueError(f"trials must be at least 1, got trials={trials}")
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must be in [0, {trials}], got successes={successes}")
    return successes, trials


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided confidence interval for a binomial probability.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials, trials >= 1.
    confidence : float
        In (0, 1); each side errs with probability at most (1 - confidence) / 2.

    Returns
    -------
    low, high : float
        low = 0 exactly when successes = 0, high = 1 exactly when successes = trials.

    Source
    ------
    Clopper and Pearson 1934 (``clopper1934``), in the beta form: quantiles of Beta(k, n-k+1) and Beta(k+1, n-k).

    Examples
    --------
    >>> [round(bound, 6) for bound in clopper_pearson(0, 10)]
    [0.0, 0.308497]
    """
    k, n = _counts(successes, trials)
    _numbers(confidence=confidence)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0, 1), got confidence={confidence}")
    return _clopper_pearson(k, n, confidence)


@lru_cache(maxsize=2**16)
def _clopper_pearson(k: int, n: int, confidence: float) -> tuple[float, float]:
    from scipy.special import betainccinv, betaincinv

    tail = (1.0 - confidence) / 2.0
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betainccinv(k + 1, n - k, tail))
    return low, high


def _log_mixture(successes: int, trials: int, p: float) -> float:
    """Logarithm of the Beta(1/2, 1/2) mixture likelihood ratio against success probability p."""
    from scipy.special import betaln, xlog1py, xlogy

    k, m = successes, trials - successes
    return float(betaln(k + 0.5, m + 0.5) - betaln(0.5, 0.5) - xlogy(k, p) - xlog1py(m, -p))


def confidence_sequence(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval that is valid at every time at once, so that one may stop when it is narrow enough.

    With probability at least ``confidence`` the true p lies in the interval after 1, 2, 3, ... trials simultaneously.

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials, trials >= 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        All p at which the mixture likelihood ratio is below 1 / (1 - confidence).

    Source
    ------
    The ratio of the Beta(1/2, 1/2) mixture to p^k (1-p)^(n-k) is a nonnegative martingale under p with mean 1; Ville's
    inequality. Robbins 1970 (``robbins1970``); Beta(1/2, 1/2) is our choice.

    Examples
    --------
    >>> low, high = confidence_sequence(50, 100)
    >>> round(low, 3), round(high, 3)
    (0.338, 0.662)
    """
    k, n = _counts(successes, trials)
    _numbers(confidence=confidence)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0, 1), got confidence={confidence}")
    limit = -math.log1p(-confidence)
    centre = k / n

    def edge(outside: float) -> float:
        """Bisect between the estimate (inside) and an end of [0, 1]; returns the outer, safe side."""
        inside = centre
        for _ in range(200):
            middle = 0.5 * (inside + outside)
            if middle in (inside, outside):
                break
            if _log_mixture(k, n, middle) < limit:
                inside = middle
            else:
                outside = middle
        return outside

    low = 0.0 if k == 0 else edge(0.0)
    high = 1.0 if k == n else edge(1.0)
    return low, high


def band_p_value(successes: int, trials: int, low: float, high: float) -> float:
    """P-value of the hypothesis that the success probability lies in [low, high].

    Returns
    -------
    float
        In [0, 1]: twice the smaller of P(at most k | low) and P(at least k | high), at most 1. Exact binomial tails.
        0 where low > high: bounds that contradict each other cannot both be true.

    Examples
    --------
    >>> band_p_value(50, 100, 0.4, 0.6)
    1.0
    >>> band_p_value(100, 100, 0.0, 0.5) < 1e-29
    True
    """
    from scipy.special import betainc, betaincc

    k, n = _counts(successes, trials)
    _band(low, high)
    if low > high:
        return 0.0
    too_few = 1.0 if k == n else float(betaincc(k + 1, n - k, low))
    too_many = 1.0 if k == 0 else float(betainc(k, n - k + 1, high))
    return min(1.0, 2.0 * min(too_few, too_many))


def band_p_values(counts: Sequence[tuple[int, int]], bands: Sequence[tuple[float, float]]) -> list[float]:
    """`band_p_value` of each (successes, trials) and its (low, high), at once; the same numbers.

    Examples
    --------
    >>> band_p_values([(50, 100), (3, 3)], [(0.4, 0.6), (0.9, 0.1)])
    [1.0, 0.0]
    """
    import numpy as np
    from scipy.special import betainc, betaincc

    for (k, n), (low, high) in zip(counts, bands, strict=True):
        if not (type(k) is type(n) is int and 0 <= k <= n <= 10**18 and n > 0 and 0.0 <= low <= 1.0 >= high >= 0.0):
            return [band_p_value(*one, *band) for one, band in zip(counts, bands, strict=True)]
    if not counts:
        return []
    k, n = np.array(counts, np.int64).T
    low, high = np.array(bands, np.float64).T
    too_few = np.where(k == n, 1.0, betaincc(k + 1, np.maximum(n - k, 1), low))
    too_many = np.where(k == 0, 1.0, betainc(np.maximum(k, 1), n - k + 1, high))
    found = np.minimum(1.0, 2.0 * np.minimum(too_few, too_many))
    values: list[float] = np.where(low > high, 0.0, found).tolist()
    return values


def band_p_value_anytime(successes: int, trials: int, low: float, high: float) -> float:
    """Like ``band_p_value`` but valid when the number of trials was chosen by looking at the data.

    Returns
    -------
    float
        1 / (mixture likelihood ratio at the point of the band that suits the data best), at most 1: by Ville's
        inequality P(it ever falls to q or below) <= q for every p in the band.

    Examples
    --------
    >>> band_p_value_anytime(50, 100, 0.4, 0.6)
    1.0
    """
    k, n = _counts(successes, trials)
    _band(low, high)
    if low > high:
        return 0.0
    best = min(max(k / n, low), high)
    return math.exp(-max(_log_mixture(k, n, best), 0.0))


def _band(low: float, high: float) -> None:
    _numbers(low=low, high=high)
    if not (0.0 <= low <= 1.0 and 0.0 <= high <= 1.0):
        raise ValueError(f"the ends of the band must be in [0, 1], got low={low}, high={high}")


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses Holm's step-down procedure rejects at the given family-wise level.

    Parameters
    ----------
    p_values : sequence of float
        Any dependence among them is allowed.
    level : float
        Probability of one or more false rejections, in (0, 1).

    Returns
    -------
    list of bool
        In the order of ``p_values``.

    Source
    ------
    Holm 1979 (``holm1979``).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03], 0.05)
    [True, False, False]
    """
    _numbers(level=level)
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1), got level={level}")
    for p in p_values:
        _numbers(p_values=p)
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p_values must be in [0, 1], got {p!r}")
    rejected = [False] * len(p_values)
    for rank, which in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if not p_values[which] <= level / (len(p_values) - rank):
            break
        rejected[which] = True
    return rejected
