"""What no construction can do without: lower bounds on parameters and on candidates, in one place.

Counting (theory/PROOFS.md, 5.1 and 5.2): a network with m prunable elements of R draws each can become at most (R+1)^m
different functions, while targets of the class hold many functions that are more than 2 eps apart. So **what counting
forbids falls by log2(R+1) with R draws, and no construction gets below it**. The bounds hold for every architecture,
every law of the draws and every way of choosing masks and draws.

Parameters of all functions: d_0, ..., d_l are the widths of the targets, whose layers have spectral norm at most 1; eps
in (0, 1] is the largest Euclidean error over ||x||_2 <= 1; delta in (0, 1) the failure probability, for each target on
its own; R >= 1 the draws of each element; m >= 0 the elements that may be masked or re-sampled, of which at most the
share ``density`` in (0, 1] is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from theory.network.layers import check_widths, depth
from theory.numerics.balls import down, exact, log_one_minus, precision, up
from theory.numerics.check import accuracy, draw_count, natural, open_probability, positive_int

_BITS = 1536
"""Enough for every digit of a necessary number, at densities down to 5e-324."""


def log2_packing(widths: Sequence[int], eps: float) -> float:
    """log2 of a number of targets that are pairwise more than 2 eps apart on the unit ball.

    Rounded down, >= 0. For l = 1: d_0 d_1 log2(1/(2 eps)). For l >= 2 the larger of d_0 min(d_1..d_l)
    log2(1/(4 eps)) and min(d_0..d_(l-1)) d_l log2(1/(sqrt 8 eps)): one layer varies, the others pass it on. Proved in
    theory/PROOFS.md, 5.1.

    Examples
    --------
    >>> round(log2_packing([2, 3], 0.125), 9), round(log2_packing([2, 3, 3], 0.125), 9)
    (12.0, 9.0)
    """
    d, eps = check_widths(widths), accuracy("eps", eps)
    with precision():
        return max(0.0, down(_packing(d, eps)))


def _packing(d: tuple[int, ...], eps: float) -> Any:
    """`log2_packing` as a ball; it may be below 0."""
    if depth(d) == 1:
        return -d[0] * d[1] * _log2(2 * Fraction(eps))
    first, last = d[0] * min(d[1:]), min(d[:-1]) * d[-1]
    return (-first * _log2(4 * Fraction(eps))).max(-last * _log2(8 * Fraction(eps) ** 2) / 2)


def _log2(value: Fraction) -> Any:
    from flint import arb

    return exact(value).log() / arb(2).log()


def bits_per_param(R: int, *, density: float = 1.0) -> float:
    """Bits of choice that one element of R draws gives: log2(R+1), or less if only few elements are kept.

    Returns H2(density) + density log2 R for density <= R/(R+1), else log2(R+1); rounded up. Proved in theory/PROOFS.md,
    5.2.

    Examples
    --------
    >>> round(bits_per_param(1), 9), round(bits_per_param(7), 9)
    (1.0, 3.0)
    >>> round(bits_per_param(1, density=0.11), 4)
    0.4999
    """
    R, density = draw_count("R", R), accuracy("density", density)
    with precision():
        return up(_bits(R, density))


def _bits(R: int, density: float) -> Any:
    """`bits_per_param` as a ball."""
    kept = Fraction(density)
    if kept * (R + 1) >= R:
        return _log2(Fraction(R + 1))
    return exact(kept) * _log2(R / kept) - exact(1 - kept) * log_one_minus(kept) / exact(2.0).log()


def log2_networks(m: int, R: int, *, density: float = 1.0) -> float:
    """log2 of an upper bound on the number of networks that masks and re-sampling make of m elements.

    Returns m bits_per_param(R, density); rounded up, inf beyond all floats. Proved in theory/PROOFS.md, 5.2.

    Examples
    --------
    >>> round(2 ** log2_networks(3, 2), 6)  # every element: masked, or one of two draws
    27.0
    """
    m, R, density = natural("m", m), draw_count("R", R), accuracy("density", density)
    with precision():
        return up(m * _bits(R, density))


def necessary_params(widths: Sequence[int], eps: float, *, delta: float, R: int, density: float = 1.0) -> int:
    """Fewest elements with which every target of the class can be reached within eps with probability 1 - delta.

    Necessary (safe side): with fewer, some target of the class is missed with probability above delta, whatever the
    architecture of the random network and the law of its draws. Proved in theory/PROOFS.md, 5.3; for l = 1, R = 1,
    delta = 1/2 it is Theorem 2 of key pensia2020 as restated.

    Examples
    --------
    >>> necessary_params([10, 10], 2**-11, delta=0.5, R=1)  # 100 * 10 - 1
    999
    >>> necessary_params([10, 10], 2**-11, delta=0.5, R=7)  # a third
    333
    """
    d, eps, delta = check_widths(widths), accuracy("eps", eps), open_probability("delta", delta)
    R, density = draw_count("R", R), accuracy("density", density)
    with precision(_BITS):
        ratio = (_packing(d, eps) + log_one_minus(Fraction(delta)) / exact(2.0).log()) / _bits(R, density)
        least = ratio.lower().ceil().unique_fmpz()
    assert least is not None
    return max(0, int(least))


def necessary_params_pensia(d: int, eps: float) -> float:
    """m >= d^2 log2(1/(2 eps)) - 1, the lower bound of Pensia et al. as restated in later papers.

    Parameters necessary to reach each target with probability 1/2; not rounded, at least 0. Targets are x -> W x, W of
    shape d x d with spectral norm at most 1. Read in restatement (key pensia2020, Theorem 2). Proved here too:
    theory/PROOFS.md, 5.3 with R = 1, delta = 1/2.

    Examples
    --------
    >>> necessary_params_pensia(10, 2**-11)
    999.0
    """
    d, eps = positive_int("d", d), accuracy("eps", eps)
    return max(0.0, -d * d * math.log2(2.0 * eps) - 1.0)


def necessary_params_natale(d: int, eps: float, *, k: int, n: int) -> float:
    """(d^2/2) log2(k/eps)/H2(k/n), the lower bound of Natale et al. for masks of fixed density k/n.

    Not rounded. Targets are x -> W x, W of shape d x d; eps is below 1/16; k of n elements are kept, 1 <= k < n. Read
    (key natale2024); the statement is quoted, its proof is not reproduced here. `necessary_params` with ``density`` is
    what we prove for masks of bounded density.

    Examples
    --------
    >>> necessary_params_natale(2, 0.03125, k=2, n=4)  # 2 log2(64)
    12.0
    """
    d, k, n = positive_int("d", d), positive_int("k", k), positive_int("n", n)
    eps = accuracy("eps", eps)
    if eps >= 1.0 / 16.0:
        raise ValueError(f"eps must be below 1/16 for this statement, got eps={eps}")
    if k >= n:
        raise ValueError(f"k must be below n, got k={k}, n={n}")
    q = k / n
    entropy = -q * math.log2(q) - (1.0 - q) * math.log2(1.0 - q)
    return 0.5 * d * d * math.log2(k / eps) / entropy


def necessary_width(d_in: int, d_out: int, eps: float, *, delta: float, R: int, density: float = 1.0) -> int:
    """Fewest hidden neurons of a random two-layer network for the targets x -> W x.

    W has shape d_out x d_in and spectral norm at most 1.

    Necessary: a network of hidden width D has D (d_in + d_out) elements. Proved in theory/PROOFS.md, 5.3.

    Examples
    --------
    >>> necessary_width(10, 10, 2**-11, delta=0.5, R=1)  # 999/20
    50
    """
    params = necessary_params([d_in, d_out], eps, delta=delta, R=R, density=density)
    return -(-params // (positive_int("d_in", d_in) + positive_int("d_out", d_out)))
