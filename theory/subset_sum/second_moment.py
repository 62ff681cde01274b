"""Certified second moments of the numbers N_k of good sums with exactly k values (theory/PROOFS.md, 2.2).

``pair_table`` encloses E[1{S good} 1{S' good}] for two sums that share j identical values; ``overlap_table`` gives the
exact law of j for two random selections; ``success_lower`` combines them into a proved lower bound on P(success).
Only nonnegative doubles are added and multiplied, so one relative error, counted in advance, covers every entry.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from theory.numerics.irwin_hall import UNIT, Array, densities, hit_table, windows
from theory.subset_sum.mesh import Mesh

MAX_ORDER = 65
"""Largest number of summands in the tables: n = 64 and one more for a uniform target."""


_RIDGES = (1e-9, 1e-7, 1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)
"""How strongly weights of both signs are held back where the entries are only enclosed."""


@lru_cache(maxsize=32)
def _pair_table(alpha: float, eps: float, order: int) -> tuple[Array, float]:
    high, low, rows = Fraction(alpha) + Fraction(eps), Fraction(alpha) - Fraction(eps), order + 4
    mesh = Mesh((high, low), order)  # exact for f_j G_a G_b with j + max(a, b) <= order
    window = np.stack(list(windows(order - 1, mesh.falling(high, rows), mesh.falling(low, rows), eps)), axis=1)
    cells = window.reshape(2 * rows, order, -1, order).swapaxes(1, 2)  # row, piece, k, node: small matrix products
    p = np.array(hit_table(order, alpha=alpha, eps=eps)[: order + 1])
    p[0] = 1.0  # the empty sum is treated apart
    table = np.zeros((order + 1, order + 1, order + 1))
    table[0] = 1.0
    count = 0
    for j, density in enumerate(densities(order, mesh.rising(rows)), start=1):
        inside = slice(rows - j, rows + j)
        measure = (mesh.weights * density[inside]).reshape(2 * j, -1, 1, order)
        factors = cells[inside, :, : order + 1 - j]
        products = np.matmul(factors * measure, factors.swapaxes(2, 3))
        table[j, j:, j:] = products.sum(axis=(0, 1)) / np.outer(p[j:], p[j:])
        count = measure.size
    table.flags.writeable = False
    return table, (44 * order + count + 10) * UNIT


def pair_table(order: int, *, alpha: float, eps: float) -> tuple[Array, float]:
    """Ratios Q_j(k-j, k'-j) / (p_k p_k') for two sums of k and k' values, j of them the same.

    Returns table (shape (size, size, size), size > order): Entry [j, k, k'] for j <= min(k, k'), 1 for j = 0. Returns
    error: relative error of every entry with j >= 1, first order in UNIT. Proved in theory/PROOFS.md, 2.2.

    ``order``: largest k wanted, 1 <= order <= MAX_ORDER; cached at the next multiple of eight; ``alpha``: target in
    [-1, 1]; ``eps``: accuracy in [check.MIN_EPS, 1].
    """
    return _pair_table(abs(alpha), eps, min(MAX_ORDER, 8 * math.ceil(order / 8)))


@lru_cache(maxsize=16)
def overlap_table(n: int, R: int) -> Array:
    """Law of the number j of identical (variable, draw) elements of two uniformly random selections.

    Returns array of shape (n+1, n+1, n+1). Entry [j, k, k'] is the probability of exactly j for independent selections
    of k and k' elements. Relative error at most (3 n + 9) UNIT to first order. Proved in theory/PROOFS.md, 2.2.

    ``n``: variables, 0 <= n < MAX_ORDER; ``R``: draws of each, >= 1.

    Examples
    --------
    >>> overlap_table(2, 1)[:, 1, 1]
    array([0.5, 0.5, 0. ])
    """
    pascal = np.array([[float(math.comb(m, k)) for k in range(n + 1)] for m in range(n + 1)])
    size = np.arange(n + 1)
    m, k, other = np.ix_(size, size, size)
    rest = np.where(other >= m, other - m, 0)
    possible = (m <= k) & (m <= other) & (rest <= n - k)
    shared = np.where(possible, pascal[k, m] * pascal[n - k, rest] / pascal[n, other], 0.0)  # m common variables
    same = np.cumprod(np.concatenate([[1.0], np.full(n, 1 / R)]))
    differ = np.cumprod(np.concatenate([[1.0], np.full(n, (R - 1) / R)]))
    gap = np.maximum(size[None, :] - size[:, None], 0)
    agree = pascal.T * same[:, None] * differ[gap]  # [j, m]: j of m common variables use the same draw
    out = np.tensordot(agree, shared, axes=1)
    out.flags.writeable = False
    return np.asarray(out)


def normalised_moments(
    n: int, R: int, *, eps: float, alpha: float, uniform: bool, vectors: int = 1
) -> tuple[Array, float]:
    """E[N_k N_k'] / (E[N_k] E[N_k']) with a proved relative error.

    Returns moments (shape (n, n), or (n+1, n+1) if uniform): for k, k' = 1..n, or 0..n. Returns error: relative error
    of every entry. Proved in theory/PROOFS.md, 2.2.

    ``n``, ``R``: variables (1 <= n < MAX_ORDER) and draws of each; ``eps``: accuracy in [check.MIN_EPS, 1];
    ``alpha``: target in [-1, 1], 0 if ``uniform``; ``uniform``: whether the target is U[-1, 1]; then k = 0 belongs
    to the matrix; ``vectors``: number of independent copies of the variables whose good sums are counted together;
    all copies share the target (the vector model is R = 1 with this many vectors).
    """
    shift = int(uniform)
    pairs, error = pair_table(n + shift, alpha=alpha, eps=eps)
    inner = pairs[shift : n + 1 + shift, shift : n + 1 + shift, shift : n + 1 + shift]
    moments = np.einsum("jkl,jkl->kl", overlap_table(n, R), inner)
    if vectors > 1:
        moments = moments / vectors + (vectors - 1) / vectors * inner[0]
    if not uniform:
        moments = moments[1:, 1:]
    if not moments.min() > 1e-100:  # far above anything underflow can have lost
        raise RuntimeError(f"a normalised second moment is too small to certify, got {moments.min()}")
    return moments, 1.01 * (error + (4 * n + 20) * UNIT)


def success_lower(
    moments: Array,
    error: float,
    *,
    combine: bool,
    first: Array | None = None,
    first_off: Array | None = None,
    off: Array | None = None,
) -> float:
    """Proved lower bound on P(some N_k > 0) from the normalised first and second moments.

    In [0, 1]; (c.v)^2 / (c' M c) rounded down. The weights c come from a floating solve: any c is valid. Proved in
    theory/PROOFS.md, 2.2.

    ``moments``: M, e.g. E[N_k N_k'] / (E[N_k] E[N_k']); ``error``: relative error of every entry of M, and of v if it
    is given; ``combine``: whether to combine the N_k linearly, or to take the best single one; ``first``: the first
    moments v in the same units, 1 by default; ``first_off``, ``off``: absolute errors of v and of M besides.

    Examples
    --------
    >>> round(success_lower(np.array([[2.0, 1.0], [1.0, 2.0]]), 0.0, combine=True), 9)
    0.666666667
    """
    size = len(moments)
    if first is None:
        v, v_off = np.ones(size), np.zeros(size)
    else:
        v, v_off = first, error * first + (0.0 if first_off is None else first_off)
    candidates: list[NDArray[np.float64]] = list(np.eye(size)) if first is None else []
    if combine:
        scale = 1.0 / np.sqrt(np.diag(moments))
        scaled = moments * np.outer(scale, scale)
        for ridge in (1e-13, 1e-11, 1e-9, 1e-7, 1e-4) if first is None else _RIDGES:
            weights = scale * np.linalg.solve(scaled + ridge * np.eye(size), scale * v)
            candidates.append(weights / np.abs(weights).max())
    slack = error + 1.01 * (2 * size + 8) * UNIT
    best = 0.0
    for c in candidates:
        held = np.abs(c)
        top = abs(float(c @ v)) - 1.01 * (size + 1) * UNIT * float(held @ v) - float(held @ v_off)
        bottom = float(c @ moments @ c) + slack * float(held @ moments @ held)
        if off is not None:
            bottom += float(held @ off @ held) * (1.0 + slack)
        if top > 0.0:
            best = max(best, top * top / bottom * (1.0 - 16 * UNIT))
    return min(best, 1.0)
