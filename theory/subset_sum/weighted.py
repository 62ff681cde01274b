"""The second moment of weighted good sums (theory/PROOFS.md, 2.2 (b)).

A selection with the sum s counts omega(X) exp(theta (T - 2 s)): omega(X) is the product of a step function of every
draw, T the sum of all draws. Linear combinations over two omega, five theta and the size k follow how the expected
number of good sums moves with the sum and the spread of the draws. Two selections with the common part t, the other
draws adding up to r, have the exponent (theta + theta')(r - t) + (theta' - theta)(s - s'), and s - s' is at most 2 eps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from theory.numerics.irwin_hall import UNIT, Array, hit_table
from theory.subset_sum.cells import CELLS, Sheet, StepLaw
from theory.subset_sum.second_moment import overlap_table, success_lower

MAX_VARIABLES = 40
"""Largest n of the bound."""

MAX_DRAWS = 100
"""Largest number n R of draws of the bound."""

MAX_EPS = 0.02
"""Largest eps of the bound: its error terms grow as eps^2."""

CURVES = (-1.0, 1.0)
"""omega is near exp(curve x^2/(n R))."""

_LEVELS = 2
"""theta runs over step times -_LEVELS.._LEVELS."""

_TAYLOR = 6
"""Degree up to which exp is taken exactly by the quadrature; what is beyond is below ERROR / 100."""

ERROR = 1e-9
"""Above the relative rounding of every moment, and what the quadrature leaves of exp."""


def step_of_theta(R: int) -> float:
    """A step in the size of d log E[N | X]/dT, of few bits: any is valid.

    Examples
    --------
    >>> step_of_theta(1), step_of_theta(2), step_of_theta(16)
    (0.5, 0.3125, 0.0625)
    """
    return {1: 0.5, 2: 0.3125}.get(R, math.ceil(1024 / max(R, 4)) / 1024)


@dataclass
class _Moments:
    """Sums over pairs, shape (n - 1, n - 1, exponents): sizes k, k' = 2..n, over p_k p_k'."""

    main: Array
    """s = s' in the exponent."""
    nested: Array
    """The part of pairs of which one is a proper part of the other."""
    tilt: Array
    """What multiplies abs(theta - theta') in the error, to first order."""


def _bend(law: StepLaw, n: int, eps: float) -> tuple[float, float]:
    """A bound on abs(integral of y f_a(u + y) over abs(y) <= eps), a >= 2, and one on every density f_a."""
    top = law.top * max(1.0, law.mass(0.0)) ** n
    return 2 / 3 * eps**3 * law.rise * top, top


def _moments(law: StepLaw, n: int, R: int, exponents: Array, sheet: Sheet, alpha: Fraction, eps: Fraction) -> _Moments:
    rows, draws, number = sheet.rows, n * R, len(exponents)
    masses = law.coefficients(n)
    f = np.stack([sheet.density(max(1, k), masses[max(1, k)]) for k in range(n + 1)])  # f_0 is not used
    G = np.stack([sheet.window(k, masses[k]) for k in range(n + 1)])
    hits = law.hits(n, alpha=alpha, eps=eps)
    falling = np.exp(-sheet.points[:, :, None] * exponents)
    p = np.array(hit_table(n, alpha=float(alpha), eps=float(eps))[: n + 1])
    rest = np.array([law.mass(float(s)) for s in exponents]) ** np.arange(draws + 1)[:, None]
    bend, top = _bend(law, n, float(eps))
    jump = 8 / 3 * float(eps) ** 4 * law.rise * top**2 * np.exp(np.abs(exponents) * float(1 + alpha + eps))
    overlap = overlap_table(n, R)
    out = np.zeros((3, n + 1, n + 1, number))
    for j in range(n + 1):
        reach = CELLS * min(j, n - j + 2)  # G_a needs \\|t\\| <= a + alpha + eps
        nodes = G[: n - j + 1, rows - reach : rows + reach]
        density = sheet.mesh.weights * f[j, rows - reach : rows + reach]
        measure = density[:, :, None] * falling[rows - reach : rows + reach]
        single = np.tensordot(nodes, measure, axes=2) if j else hits[:, None] * np.ones(number)
        for both in range(min(2 * (n - j), draws - j) + 1):
            a = np.arange(max(0, both - (n - j)), both // 2 + 1)
            a = a[j + a >= 2]
            b = both - a
            if not len(a):
                continue
            if j:
                near = min(reach, CELLS * (both // 2 + 2))
                inside = slice(reach - near, reach + near)
                main = np.tensordot(nodes[a, inside] * nodes[b, inside], measure[inside], axes=2)
            else:
                main = (hits[a] * hits[b])[:, None] * np.ones(number)
            first, second = (a > 1)[:, None], (b > 1)[:, None]
            tilt = np.where(first, bend * single[b], jump) + np.where(second, bend * single[a], jump)
            parts = np.stack([main, main * ((a == 0) & (b > 0))[:, None], tilt * (a > 0)[:, None]])
            k, other = j + a, j + b
            parts *= (overlap[j, k, other] / (p[k] * p[other]))[:, None] * rest[draws - j - both]
            out[:, k, other] += parts
            out[:, other, k] += parts * (k != other)[:, None]
    return _Moments(*out[:, 2:, 2:])


def success_weighted(n: int, R: int, *, eps: float, alpha: float) -> float:
    """Proved lower bound on the success probability: the second moment of weighted good sums.

    In [0, 1], rounded down. Proved in theory/PROOFS.md, 2.2 (b).

    ``n``, ``R``: variables, 1 to MAX_VARIABLES, and draws of each, n R <= MAX_DRAWS; ``eps``: accuracy in
    [check.MIN_EPS, MAX_EPS]; ``alpha``: target in [0, 1], > eps.

    Examples
    --------
    >>> success_weighted(8, 5, eps=1e-4, alpha=0.5) > 0.98
    True
    """
    if n < 2:
        return 0.0
    v, d, M, E = weighted_moments(n, R, eps=eps, alpha=alpha)
    size = v.size
    return certified_success(v.ravel(), M.reshape(size, size), d.ravel(), E.reshape(size, size))


def weighted_moments(n: int, R: int, *, eps: float, alpha: float) -> tuple[Array, Array, Array, Array]:
    """First moments v and their errors, second moments M and theirs, each but for rounding.

    v has the shape (omega, theta, n - 1), sizes k = 2..n, M twice that; v is over e_k, M over e_k e_k' of 2.2.
    Parameters are those of `success_weighted`, n >= 2.
    """
    laws, step = [StepLaw.near(curve / (n * R), 0.0) for curve in CURVES], step_of_theta(R)
    theta = step * np.arange(-_LEVELS, _LEVELS + 1.0)
    exponents = step * np.arange(-2 * _LEVELS, 2 * _LEVELS + 1.0)
    place = np.add.outer(np.arange(len(theta)), np.arange(len(theta)))
    gap = np.abs(np.subtract.outer(theta, theta))[:, None, :, None]
    curved, whole = 2 * gap**2 * eps**2 * np.exp(2 * gap * eps), np.expm1(2 * gap * eps) * (1 + 8 * UNIT)
    exact = Fraction(alpha), Fraction(eps)
    degree = min(2 * n - 1, n * R) - 1 + _TAYLOR
    sheet = Sheet(n, CELLS * (n // 2 + 2), math.ceil((degree + 1) / 2), alpha=exact[0], eps=exact[1])
    shape = (len(laws), len(theta), n - 1)
    M, E = np.empty(shape * 2), np.empty(shape * 2)
    for i, one in enumerate(laws):
        for other in range(i + 1):
            found = _moments(one.times(laws[other]), n, R, exponents, sheet, *exact)
            main, nested, tilt = (x[:, :, place].transpose(2, 0, 3, 1) for x in (found.main, found.nested, found.tilt))
            M[i, :, :, other] = M[other, :, :, i] = main
            E[i, :, :, other] = E[other, :, :, i] = gap * tilt + curved * main + whole * nested
    return *_first_moments(laws, theta, n, n * R, alpha, eps), M, E


def _first_moments(
    laws: list[StepLaw], theta: Array, n: int, draws: int, alpha: float, eps: float
) -> tuple[Array, Array]:
    """E[weight; a selection of k values is good]/p_k, and its absolute error: shape (laws, theta, n - 1)."""
    k = np.arange(2, n + 1)
    p = np.array(hit_table(n, alpha=alpha, eps=eps)[2 : n + 1])
    v, d = [], []
    for law in laws:
        hits = law.hits(n, alpha=Fraction(alpha), eps=Fraction(eps))[2:]
        bend, _ = _bend(law, n, eps)
        for each in theta.tolist():
            front = law.mass(each) ** (draws - k) * math.exp(-each * alpha) / p
            v.append(front * hits)
            d.append(front * (abs(each) * bend + each**2 * eps**2 / 2 * math.exp(abs(each) * eps) * hits))
    shape = (len(laws), len(theta), n - 1)
    return np.reshape(v, shape), np.reshape(d, shape)


def certified_success(v: Array, M: Array, v_off: Array | None = None, off: Array | None = None) -> float:
    """(c.v)^2/(c'Mc) rounded down, v and M given with the relative error ERROR and these absolute errors besides.

    Raises RuntimeError where underflow could matter.
    """
    if not np.diag(M).min() > 1e-60:  # far above anything underflow can have lost
        raise RuntimeError(f"a second moment is too small to certify, got {np.diag(M).min()}")
    return success_lower(M, ERROR, combine=True, first=v, first_off=v_off, off=off)
