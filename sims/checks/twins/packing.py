"""Independent computations about counting (5): lattices of networks, digits, optima by brute force; no theory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

Array = np.ndarray


def integer_matrices(rows: int, columns: int, size: int) -> Array:
    """All integer matrices of spectral norm at most size, exactly; one side is 1, or both are at most 2."""
    span = np.arange(-size, size + 1)
    found = np.array(np.meshgrid(*[span] * (rows * columns), indexing="ij")).reshape(rows * columns, -1).T
    squares, m = (found**2).sum(axis=1), size**2
    inside = squares <= m
    if min(rows, columns) > 1:  # the larger eigenvalue of A A' is at most m: trace <= 2m, m^2 - m trace + det >= 0
        det = (found[:, 0] * found[:, 3] - found[:, 1] * found[:, 2]) ** 2
        inside = (squares <= 2 * m) & (m * m - m * squares + det >= 0)
    return np.asarray(found[inside].reshape(-1, rows, columns))


def lattice_bits(widths: Sequence[int], size: int) -> float:
    """log2 of a number of networks of norm <= 1 that differ by at least 1/size at some unit vector.

    One layer runs through the integer matrices over size, the others pass coordinates on; outputs at the vectors +-e_i
    are integers over size, so two networks that differ there at all are at least 1/size apart.
    """
    layers, best = list(itertools.pairwise(widths)), 0
    first, last = min(widths[1:]), min(widths[:-1])
    for place, (d_out, d_in) in ((0, (first, layers[0][0])), (len(layers) - 1, (layers[-1][1], last))):
        matrices = integer_matrices(d_out, d_in, size)
        x = np.concatenate([np.eye(widths[0], dtype=int), -np.eye(widths[0], dtype=int)])
        h = np.broadcast_to(x, (len(matrices), *x.shape))
        for i, (a, b) in enumerate(layers):
            if i:
                h = np.maximum(h, 0)
            if i == place:
                weights = np.zeros((len(matrices), b, a), int)
                weights[:, :d_out, :d_in] = matrices
                h = h @ weights.transpose(0, 2, 1)
            else:
                h = h @ np.eye(a, b, dtype=int)
        best = max(best, len(np.unique(h.reshape(len(matrices), -1), axis=0)))
    return math.log2(best)


def packing_bits(widths: Sequence[int], eps: float) -> float:
    """The bits of 5.1 by their formulas."""
    if len(widths) == 2:
        return max(0.0, widths[0] * widths[1] * math.log2(1 / (2 * eps)))
    first = widths[0] * min(widths[1:]) * math.log2(1 / (4 * eps))
    return max(0.0, first, widths[-1] * min(widths[:-1]) * math.log2(1 / (8**0.5 * eps)))


def digit_sums(m: int, R: int) -> int:
    """How many sums m elements reach that offer r (R+1)^k, r = 1..R, or nothing: an enumeration."""
    sums = {0}
    for k in range(m):
        sums = {s + r * (R + 1) ** k for s in sums for r in range(R + 1)}
    return len(sums)


def sparse_networks(m: int, R: int, most: int) -> int:
    """Choices of at most ``most`` of m elements with R draws each."""
    return sum(math.comb(m, j) * R**j for j in range(most + 1))


def cheapest(
    n_of: Callable[[int], int], price_value: float, price_draw: float, last: int
) -> tuple[Fraction, set[tuple[int, int]]]:
    """Least cost over R = 1..last with n(R) candidates, and all (n, R) that cost it."""
    costs = {}
    for R in range(1, last + 1):
        n = n_of(R)
        costs[n, R] = Fraction(price_value) * n + Fraction(price_draw) * n * R
    least = min(costs.values())
    return least, {pair for pair, cost in costs.items() if cost == least}


def cheapest_draws(miss: Fraction, delta: float, price_value: float, price_draw: float, last: int) -> Fraction:
    """Least cost of n candidates with R draws each, n, R = 1..last, with miss^(nR) <= delta: every pair tried."""
    powers = [Fraction(1)]
    while powers[-1] > Fraction(delta):
        powers.append(powers[-1] * miss)
    enough = len(powers) - 1
    pairs = itertools.product(range(1, last + 1), repeat=2)
    return min(Fraction(price_value) * n + Fraction(price_draw) * n * R for n, R in pairs if n * R >= enough)
