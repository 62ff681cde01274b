"""The draws of the last variable, counted as what they are: R independent attempts (theory/PROOFS.md, 2.2 (c)).

Given the other variables the last one fails with probability (1 - v)^R at most, v the share of its values that reach
the target, and v >= A^2/D for the mean A and the mean square D of any count of good sums over one value. So
(1 - v)^R <= B/(1 + R' A^2/(D - A^2)): the second moment of R' > R draws, at the price of a factor B.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from theory.numerics.irwin_hall import Array, hit_table
from theory.subset_sum.cells import CELLS, Sheet, StepLaw
from theory.subset_sum.second_moment import overlap_table
from theory.subset_sum.weighted import certified_success

MAX_VARIABLES = 10
"""Largest n of the bound."""

MAX_DRAWS = 100
"""Largest number n R of draws of the bound."""

_MORE = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
"""R'/R."""

_CURVES, _TILTS, _LAST_TILTS = (-1.0, 1.0), (-2.0, 0.0, 2.0), (-0.75, 0.0, 0.75)
"""Weights exp(curve x^2/(n R) + tilt x/R) of the draws and exp(tilt x) of the last one: any are valid."""


def price(R: int, more: float) -> float:
    """B = max over z >= 0 of (1 + R' z)/(1 + z)^R with R' = ``more`` R, more >= 1, R >= 2; rounded up.

    Examples
    --------
    >>> price(10, 1.0), round(price(10, 2.0), 4)
    (1.000000000001, 1.2294)
    """
    z = (more - 1.0) / (more * (R - 1))
    return (1.0 + more * R * z) / (1.0 + z) ** R * (1.0 + 1e-12)


def _pairs(law: StepLaw, lasts: list[StepLaw], R: int, sheet: Sheet, hits: Array, scale: Array) -> tuple[Array, Array]:
    """E[g g' N_k N_k'] times ``scale`` with the same value of the last variable, and with two of them.

    Shape (lasts, lasts, n, n), sizes k, k' = 0..n-1 without the last value; ``hits``, shape (lasts, n), the masses of
    good sums; ``scale``, shape (n, n, n): the law of the common part j over p_k p_k'.
    """
    n, number = len(scale), len(lasts)
    masses = law.coefficients(n - 1)
    G = [sheet.window(k, masses[k]) for k in range(n)]
    one_more = [law.coefficients(n - 1, last) for last in lasts]
    W = [[sheet.window(k + 1, each[k]) for k in range(n)] for each in one_more]
    power = law.mass(0.0) ** np.arange((n - 1) * R + 1)
    out = np.zeros((2, number, number, n, n))
    for j in range(n):
        kept, size = slice(j, n), n - j
        nodes = np.stack(G[:size]).reshape(size, -1)
        ends = [np.stack(each[:size]).reshape(size, -1) for each in W]
        others = np.maximum(0, (n - 1) * R + j - np.add.outer(np.arange(j, n), np.arange(j, n)))
        factor = scale[j, kept, kept] * power[others]
        middle = sheet.density(j, masses[j]) * sheet.mesh.weights if j else None
        for d in range(number):
            for e in range(d + 1):
                common = sheet.density(j + 1, law.coefficients(j, lasts[d].times(lasts[e]))[j]) * sheet.mesh.weights
                same = (nodes * common.ravel()) @ nodes.T
                if middle is None:
                    apart = np.outer(hits[d, :size], hits[e, :size])
                else:
                    apart = (ends[d] * middle.ravel()) @ ends[e].T
                out[0, d, e, kept, kept] = out[0, e, d, kept, kept] = out[0, d, e, kept, kept] + same * factor
                out[1, d, e, kept, kept] += apart * factor
                if e < d:
                    out[1, e, d, kept, kept] += apart.T * factor
    return out[0], out[1]


def log_failure_last(n: int, R: int, *, eps: float, alpha: float) -> float:
    """Proved upper bound on log P(failure), rounded up, by the draws of the last variable.

    In [-inf, 0]. Proved in theory/PROOFS.md, 2.2 (c).

    ``n``, ``R``: variables, 2 to MAX_VARIABLES, and draws of each, >= 2, n R <= MAX_DRAWS; ``eps``: accuracy in
    [check.MIN_EPS, 1]; ``alpha``: target in [0, 1], > eps.

    Examples
    --------
    >>> round(math.exp(log_failure_last(5, 10, eps=1e-3, alpha=0.5)), 4)
    0.0078
    """
    laws = [StepLaw.near(curve / (n * R), tilt / R) for curve in _CURVES for tilt in _TILTS]
    lasts = [StepLaw.near(0.0, tilt) for tilt in _LAST_TILTS]
    a, e = Fraction(alpha), Fraction(eps)
    sheet = Sheet(n, CELLS * (n // 2 + 3), n + 1, alpha=a, eps=e)
    shape = (len(laws), len(lasts), n)
    M, v = np.empty((2, *shape, *shape)), np.empty(shape)
    p = np.array(hit_table(n, alpha=alpha, eps=eps)[1 : n + 1])
    scale = overlap_table(n - 1, R) / np.outer(p, p)
    others = (n - 1) * R - np.arange(n)
    for i, one in enumerate(laws):
        for d, last in enumerate(lasts):
            v[i, d] = one.hits(n - 1, alpha=a, eps=e, last=last) * one.mass(0.0) ** others / p
        for o in range(i + 1):
            product = one.times(laws[o])
            hits = np.stack([product.hits(n - 1, alpha=a, eps=e, last=last) for last in lasts])
            for x, moments in enumerate(_pairs(product, lasts, R, sheet, hits, scale)):
                M[x, i, :, :, o] = moments.transpose(0, 2, 1, 3)
                M[x, o, :, :, i] = moments.transpose(1, 3, 0, 2)
    size = math.prod(shape)
    same, apart = M.reshape(2, size, size)
    failures = [
        price(R, more) * (1.0 - certified_success(v.ravel(), same / (more * R) + (1.0 - 1.0 / (more * R)) * apart))
        for more in _MORE
    ]
    return min(0.0, math.log(min(failures)) + 1e-15)
