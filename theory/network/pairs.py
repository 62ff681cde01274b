"""Pairs: a weight as the sum of two products, all pairs of two groups of neurons allowed (theory/PROOFS.md, 4.9 c, d).

N values of one group and what M values of the other leave of w are N + M independent uniform points of an interval;
some pair of products is within eta of w where two points of different groups are neighbours closer than eta. How often
that fails is known exactly, by the theory of runs. Every neuron has R values and every two neurons R^2 pairs, so the
cost is of order 1/(sqrt(eta) R): another half power better than 4.9 (b).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from theory.network.halves import group_sizes
from theory.network.kept import SAFE, Array, log_law, log_masses
from theory.numerics.check import accuracy, draw_count, natural, positive_int, real
from theory.numerics.logspace import logsumexp

_LEASTS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97, 0.985, 0.995)
"""Least b of a usable neuron, tried; any in (1/2, 1) is valid."""

_CELLS = 8
_LEVELS = 16
_EXACT = 2048
"""Points up to which the runs are counted; beyond, the closed form stands for them."""

_MOST_DRAWS, _MOST_VALUES = 10**4, 10**6
"""Draws of an element, and values of a group, up to which the points are counted by convolution (4.9, Rounding)."""

_TILTS = np.concatenate([[0.0], np.geomspace(1e-10, 1.0, 120)[:-1]])


@lru_cache(maxsize=1)
def _log_factorials() -> Array:
    from scipy.special import gammaln

    table: Array = gammaln(np.arange(2 * _EXACT + 2) + 1.0)
    return table


def _log_binomial(n: NDArray[np.int64], k: NDArray[np.int64]) -> Array:
    n, k = np.broadcast_arrays(n, k)
    inside = (k >= 0) & (k <= n)
    part = np.where(inside, k, 0)
    table = _log_factorials()
    return np.where(inside, table[n] - table[part] - table[n - part], -np.inf)


def _log_apart(N: NDArray[np.int64], M: NDArray[np.int64], t: float) -> Array:
    """`log_apart_prob` for all pairs of N >= 1 and M >= 1, shape (len(N), len(M)); rounded up."""
    rows, cols = N[:, None], M[None, :]
    if max(N.max(), M.max()) > _EXACT:
        meet = np.expm1(-t * rows) * np.expm1(-t * cols)
        closed: Array = np.log1p(-np.minimum(meet, 1.0 - 1e-16)) * (1.0 - SAFE)
        return math.floor(min((1.0 - 1e-14) / t, 1e300)) * closed
    rows, cols = rows[..., None], cols[..., None]
    s = np.arange(1, int(min(N.max(), M.max())) + 1)
    total = rows + cols
    with np.errstate(divide="ignore"):
        same_1, same_2 = _log_binomial(rows - 1, s - 1), _log_binomial(cols - 1, s - 1)
        more_1, more_2 = _log_binomial(rows - 1, s), _log_binomial(cols - 1, s)
        odd = math.log(2.0) + same_1 + same_2 + total * np.log(np.maximum(0.0, 1.0 - (2 * s - 1) * t))
        even = np.logaddexp(more_1 + same_2, same_1 + more_2) + total * np.log(np.maximum(0.0, 1.0 - 2 * s * t))
    summed: Array = np.logaddexp.reduce(np.logaddexp(odd, even), axis=2) - _log_binomial(rows + cols, rows)[..., 0]
    return np.minimum(0.0, summed + 1e-9)


def log_apart_prob(N: int, M: int, *, t: float) -> float:
    """Log of P(no two points of different kind are within t), N and M points of two kinds independent U[0, 1].

    At most 0; exact up to 1e-8, rounded up, for N, M <= 2048, and beyond at most floor(1/t) log(1 - (1-e^(-Nt))
    (1-e^(-Mt))). N, M >= 0, t in (0, 1]. Proved in theory/PROOFS.md, 4.9 (c): the sum over c of P(c changes of kind
    in a random order) (1 - c t)^(N+M).

    Examples
    --------
    >>> round(math.exp(log_apart_prob(1, 1, t=0.1)), 6)  # (1 - t)^2
    0.81
    >>> log_apart_prob(3, 0, t=0.1)
    0.0
    """
    N, M, t = natural("N", N), natural("M", M), real("t", t, "(0, 1]")
    if not 0.0 < t <= 1.0:
        raise ValueError(f"t must be in (0, 1], got t={t}")
    if N == 0 or M == 0:
        return 0.0
    return float(_log_apart(np.array([N]), np.array([M]), t * (1.0 - 2.0**-40))[0, 0])


class _Points:
    """How many values of a neuron fall into the interval of 4.9 (d): its least law, and of m neurons together."""

    def __init__(self, least: float, R: int) -> None:
        ends = np.linspace(1.0 - least, 0.0, _CELLS + 1)
        log_cdf = log_law(ends, R)
        self.R = R
        self.log_none = float(log_cdf[0])
        self.log_mass = log_masses(log_cdf)
        self.hit = (2.0 * least - 1.0) / (2.0 * (1.0 - ends[1:])) * (1.0 - 2.0**-40)
        self.mean = R * float(np.exp(self.log_mass) @ self.hit)
        missed = R * np.log1p(-self.hit[:, None] * (1.0 - _TILTS))
        generating = np.logaddexp.reduce(self.log_mass[:, None] + missed, axis=0)
        self._log_generating = np.logaddexp(self.log_none, generating)

    def log_fewer(self, m: int, counts: NDArray[np.int64]) -> Array:
        """Upper bounds of log P(m neurons have fewer than so many points), for counts >= 1; nondecreasing."""
        powers = (counts[:, None] - 1.0) * np.concatenate([[0.0], np.log(_TILTS[1:])])
        log_together = m * self._log_generating
        log_tail = log_together - powers + 1e-13 * (np.abs(log_together) + np.abs(powers))
        log_tail[counts > 1, 0] = np.inf
        found: Array = np.minimum(0.0, log_tail.min(axis=1))
        top = int(counts.max())
        if self.R <= _MOST_DRAWS and m * self.R <= _MOST_VALUES and top <= _EXACT:
            tail = np.cumsum(self._counts(m, top))[counts - 1]
            found = np.minimum(found, np.log(tail + 1e-290))
        found = np.minimum(0.0, found + 1e-7 + SAFE * np.abs(found))
        return np.maximum.accumulate(found)

    def _counts(self, m: int, top: int) -> Array:
        """P(m neurons have k points) for k < top, by convolutions of positive numbers."""
        from scipy.special import gammaln

        k = np.arange(min(self.R, top - 1) + 1)
        choices = math.lgamma(self.R + 1.0) - gammaln(k + 1.0) - gammaln(self.R - k + 1.0)
        one = np.zeros(top)
        one[0] = math.exp(self.log_none)
        for log_mass, hit in zip(self.log_mass, self.hit, strict=True):
            one[: k.size] += np.exp(log_mass + choices + k * math.log(hit) + (self.R - k) * math.log1p(-hit))
        together = np.zeros(top)
        together[0] = 1.0
        while m:
            if m & 1:
                together = np.convolve(together, one)[:top]
            m >>= 1
            one = np.convolve(one, one)[:top] if m else one
        return together


@lru_cache(maxsize=256)
def _points(least: float, R: int) -> _Points:
    return _Points(least, R)


@lru_cache(maxsize=65536)
def _log_miss(eta: float, R: int, sizes: tuple[int, int], least: float, enough: int) -> float:
    """The bound of 4.9 (d), neurons of b >= least usable; numbers of points beyond ``enough`` are not told apart."""
    t = eta / (2.0 * least - 1.0) * (1.0 - 2.0**-40)
    points = _points(least, R)
    levels, weights = [], []
    for size in sizes:
        top = max(1, min(math.ceil(min(1.3 * size * points.mean, 1e15)), enough, size * R))
        counts = np.unique(np.linspace(1, top, _LEVELS).round().astype(np.int64))
        log_cdf = np.append(points.log_fewer(size, counts), 0.0)
        levels.append(counts)
        weights.append(np.append(log_cdf[0], log_masses(log_cdf)))
    none = np.logaddexp(weights[0][0], weights[1][0])
    meets = weights[0][1:, None] + weights[1][None, 1:] + (-np.inf if t >= 1.0 else _log_apart(levels[0], levels[1], t))
    return min(0.0, logsumexp([float(none), *meets.ravel().tolist()]) + SAFE)


def pairs_log_miss_bound(eta: float, R: int, *, n: int) -> float:
    """Log of a bound on P(no products of two neurons of one sign, one of each group, have a sum within eta of w).

    At most 0; safe side, for every weight w in [-1, 1], with the draw of b shared by all outputs. eta in (0, 1] is the
    error allowed; R >= 1 the draws of each element; n >= 1 the neurons for one input coordinate and sign, in two groups
    of n/2 (0 for n = 1). For R = 1 the sign of a neuron is the sign of its b, so that each group of one sign has the n
    neurons of both. Proved in theory/PROOFS.md, 4.9 (d).

    Examples
    --------
    >>> pairs_log_miss_bound(0.01, 10, n=16) < math.log(0.01)
    True
    """
    eta, R, n = accuracy("eta", eta), draw_count("R", R), positive_int("n", n)
    if n == 1:
        return 0.0
    both = 2 if R == 1 else 1
    one, other = group_sizes(n, 2)
    return min(_log_miss(eta, R, (both * one, both * other), least, _enough(eta)) for least in _LEASTS)


def _enough(eta: float) -> int:
    """Points of each group with which a miss is far below every probability in use."""
    return math.ceil(min(2e15, 40.0 / math.sqrt(eta)) + 40.0)
