"""The neuron of 4.9: it keeps the largest of R draws of b, whatever the outputs want, and has R draws of each a.

Private: the public functions are in ``theory.network.halves`` and ``theory.network.pairs``. b is U[-1, 1] times the
sign wanted, so the kept b is the largest of R draws U[-1, 1], with log F(1 - y) = R log(1 - y/2) for its law F.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.numerics.logspace import logsumexp

Array = NDArray[np.float64]

SAFE = 1e-11
"""Added to every logarithm here, and taken off its size relatively: far above the rounding (4.9, Rounding)."""

_CELLS = 400


def safe_log(value: float) -> float:
    """The logarithm of a probability, raised by more than its rounding error, at most 0."""
    return min(0.0, value + SAFE * max(1.0, abs(value))) if value > -math.inf else value


def log_law(y: Array, R: int) -> Array:
    """log P(kept b <= 1 - y) for 0 <= y <= 1."""
    return float(R) * np.log1p(-y / 2.0)


def log_masses(log_cdf: Array) -> Array:
    """Upper bounds of the log of F(e_(k+1)) - F(e_k), from the logs of F at the ends e_0 < e_1 < ... of the cells."""
    gap = log_cdf[1:] - log_cdf[:-1] + 2.0**-48 * np.abs(log_cdf[:-1])
    with np.errstate(divide="ignore"):
        masses: Array = log_cdf[1:] + np.log(-np.expm1(-gap))
    return masses


def _ends(low: float, R: int) -> Array:
    """1 - e for the ends e of cells from e = low to 1: equal cells, and ends of equal probability; decreasing."""
    equal = np.linspace(0.0, 1.0 - low, _CELLS + 1)
    quantiles = -2.0 * np.expm1(np.log(np.linspace(1.0, 0.02, 50)) / R)
    return np.unique(np.concatenate([equal, quantiles[quantiles < 1.0 - low]]))[::-1]


@lru_cache(maxsize=4096)
def log_miss(aim: float, reach: float, R: int) -> float:
    """Upper bound of log P(no draw of a brings a b within ``reach`` of ``aim``), b kept for the sign wanted.

    For every aim of at most this size, in [0, 1]; reach > 0. -inf where the empty neuron serves.
    """
    if aim <= reach:
        return -math.inf
    low, high = (aim - reach) * (1.0 - 2.0**-50), (aim + reach) * (1.0 + 2.0**-50)
    y = _ends(low, R)
    b = 1.0 - y
    p = np.where(b >= high, reach / np.maximum(b, high), np.maximum(0.0, (1.0 - low / np.maximum(b, low)) / 2.0))
    p = np.minimum(p, reach / np.maximum(b, reach)) * (1.0 - 2.0**-40) - np.where(b < high, 2.0**-50, 0.0)
    worse = np.clip(np.minimum(p[1:], p[:-1]), 0.0, 0.5)
    log_cdf = log_law(y, R)
    cells: Any = log_masses(log_cdf) + float(R) * np.log1p(-worse)
    return safe_log(logsumexp([float(log_cdf[0]), *cells.tolist()]))
