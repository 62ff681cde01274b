"""Two halves of a weight, made by two neurons one after the other (theory/PROOFS.md, 4.9 a, b).

A weight w of one sign (4.1) is the sum of k products a b, each of one neuron of another group. Every neuron keeps its
largest draw of b of the sign wanted, for all outputs at once. The groups but the last come within a coarse ``reach``
of w/k, and the last one within eta of what is left: only the last one pays for eta, so the cost is of order 1/(eta R),
where one neuron, whose b must be close to 1 too, costs 1/(eta R)^2 (4.4).
"""

from __future__ import annotations

import math
from functools import lru_cache

from theory.network.kept import log_miss
from theory.numerics.check import accuracy, draw_count, open_probability, positive_int
from theory.numerics.logspace import logsumexp

_REACHES = (0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Coarse errors tried; any is valid."""


def group_sizes(n: int, parts: int) -> tuple[int, ...]:
    """Neurons in each of the groups of one sign: group j has those from j n // parts up to (j+1) n // parts."""
    return tuple((j + 1) * n // parts - j * n // parts for j in range(parts))


@lru_cache(maxsize=4096)
def _misses(eta: float, R: int, parts: int) -> tuple[tuple[float, float], ...]:
    """(log miss of a coarse neuron, log miss of a fine one), for each coarse error."""
    found = []
    for reach in (eta / parts, *_REACHES):
        rest = (1.0 / parts + (parts - 1) * reach) * (1.0 + 2.0**-50)
        if eta / parts <= reach and rest < 1.0:
            found.append((log_miss(1.0 / parts, reach, R), log_miss(rest, eta, R)))
    return tuple(found)


def halves_log_miss_bound(eta: float, R: int, *, n: int, parts: int = 2) -> float:
    """Natural log of a bound on P(n neurons of one sign do not make a weight as a sum of ``parts`` products).

    At most 0; safe side, for every weight in [-1, 1] and with the draw of b shared by all outputs. eta in (0, 1] is the
    error allowed; R >= 1 the draws of each element; n >= 1 the neurons for one input coordinate and sign, cut into
    groups of n/parts (0 for n < parts: some group is empty); parts in {2, 3, 4}. Proved in theory/PROOFS.md, 4.9 (b).

    Examples
    --------
    >>> halves_log_miss_bound(0.01, 10, n=100) < math.log(0.01)
    True
    >>> halves_log_miss_bound(0.01, 10, n=1)
    0.0
    """
    eta, R, n = accuracy("eta", eta), draw_count("R", R), positive_int("n", n)
    if parts not in (2, 3, 4):
        raise ValueError(f"parts must be 2, 3 or 4, got parts={parts!r}")
    sizes = group_sizes(n, parts)
    if min(sizes) == 0:
        return 0.0
    return min(0.0, *(_sum_up(coarse, fine, sizes) for coarse, fine in _misses(eta, R, parts)))


def _sum_up(coarse: float, fine: float, sizes: tuple[int, ...]) -> float:
    return logsumexp([*(size * coarse for size in sizes[:-1]), sizes[-1] * fine]) + 1e-15


def halves_closed_form(eta: float, delta: float, *, R: int) -> int:
    """n = 2 ceil(log(2/delta) / ((1-(3/4)^R) (1-(1-eta/4)^R))): neurons of one sign that suffice for one weight.

    Rounded up; sufficient for every weight in [-1, 1], with the draw of b shared by all outputs. eta in (0, 1], delta
    in (0, 1) for one weight and sign, R >= 1. Proved in theory/PROOFS.md, 4.9 (a).

    Examples
    --------
    >>> halves_closed_form(0.01, 0.01, R=1), halves_closed_form(0.01, 0.01, R=100)
    (16956, 48)
    """
    eta, delta, R = accuracy("eta", eta), open_probability("delta", delta), draw_count("R", R)
    serves = -math.expm1(R * math.log(0.75))
    hits = -math.expm1(R * math.log1p(-eta / 4.0))
    return 2 * math.ceil((math.log(2.0) - math.log(delta)) / (serves * hits) * (1.0 + 1e-14))
