"""The main theorem by two neurons a weight (theory/PROOFS.md, 4.9): failure bounds and widths of whole networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from theory.network.halves import halves_log_miss_bound
from theory.network.layers import Domain, Statement, check_counts, check_widths, layer_etas, layers
from theory.network.pairs import pairs_log_miss_bound
from theory.numerics.check import draw_count, open_probability
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT
from theory.numerics.logspace import logsumexp

_BOUNDS = {"halves": halves_log_miss_bound, "pairs": pairs_log_miss_bound}

_ROUNDING = 1e-12
_LARGEST = 2**60


def _log_miss(eta: float, R: int, statement: Statement, n: int) -> float:
    if statement not in _BOUNDS:
        raise ValueError(f"statement must be 'halves' or 'pairs', got statement={statement!r}")
    return _BOUNDS[statement](eta, R, n=n)


def parts_log_failure_bound(
    widths: Sequence[int], eps: float, *, R: int, n: int | Sequence[int], statement: Statement, domain: Domain = "l2"
) -> float:
    """Natural log of the union bound sum_i 2 d_i d_(i-1) miss_i(n_i) on the failure probability, statement 4.9.

    Safe side: above the log of the probability that no masks and re-samplings reach sup error eps. May exceed 0; -inf
    if no weight can be missed. Parameters are those of `MainTheorem`, statement "halves" or "pairs"; n >= 1 neurons per
    input coordinate and sign, both groups together, one number for all layers or one for each: group j of k = 2 has the
    neurons j n // 2, ..., (j+1) n // 2 - 1 of its sign. Proved in theory/PROOFS.md, 4.9.

    Examples
    --------
    >>> parts_log_failure_bound([4, 4], 0.1, R=100, n=40, statement="pairs") < math.log(1e-9)
    True
    """
    d, R = check_widths(widths), draw_count("R", R)
    terms = zip(layers(d), layer_etas(d, eps, domain=domain), check_counts(d, n), strict=True)
    logs = [math.log(2.0 * out * into) + _log_miss(eta, R, statement, count) for (into, out), eta, count in terms]
    value, largest = logsumexp(logs), max((abs(one) for one in logs if one > -math.inf), default=0.0)
    return value if value == -math.inf else value + 16 * UNIT * (abs(value) + largest + len(logs))


def required_n_parts(
    widths: Sequence[int], eps: float, *, delta: float, R: int, statement: Statement, domain: Domain = "l2"
) -> tuple[int, ...]:
    """n_1, ..., n_l for which `parts_log_failure_bound` is at most log delta: equal shares of delta, then trimmed.

    Safe side: the bound is evaluated at the result. Parameters are those of `parts_log_failure_bound`; delta in (0, 1).
    Raises ValueError if n would exceed 2**60. Proved in theory/PROOFS.md, 4.9.

    Examples
    --------
    >>> one, two = (required_n_parts([8, 8], 0.1, delta=0.01, R=10, statement=s) for s in ("halves", "pairs"))
    >>> one > two
    True
    """
    d, R = check_widths(widths), draw_count("R", R)
    log_delta = math.log(open_probability("delta", delta)) - _ROUNDING
    etas = layer_etas(d, eps, domain=domain)
    share = log_delta - math.log(2.0 * sum(out * into for into, out in layers(d))) - _ROUNDING
    counts: list[int] = []
    for eta in etas:
        try:
            counts.append(smallest_n(partial(_log_miss, eta, R, statement), share, lo=1, limit=_LARGEST))
        except ValueError as error:
            raise ValueError(f"eps must be large enough for n <= 2**60, got eps={eps} with R={R}") from error
    terms = [math.log(2.0 * out * into) for into, out in layers(d)]
    misses = [_log_miss(eta, R, statement, count) for eta, count in zip(etas, counts, strict=True)]
    for i, eta in enumerate(etas):
        others = [term + miss for j, (term, miss) in enumerate(zip(terms, misses, strict=True)) if j != i]

        def bound(count: int, i: int = i, eta: float = eta, others: Sequence[float] = tuple(others)) -> float:
            return logsumexp([*others, terms[i] + _log_miss(eta, R, statement, count)])

        counts[i] = smallest_n(bound, log_delta, lo=1, limit=_LARGEST, guess=counts[i])
        misses[i] = _log_miss(eta, R, statement, counts[i])
    return tuple(counts)
