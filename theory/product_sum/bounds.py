"""The subset-sum construction with re-sampling: logarithmic width with every constant known (theory/PROOFS.md, 4.7).

A weight w and a half s(h) or s(-h) of its input are served by a subset of the products a*b of N hidden neurons that
look at that input coordinate. Every entry has R draws. A neuron keeps its draw of b with the largest abs(b); its sign
says which half the neuron serves. Then two disjoint groups of neurons work one after the other:

shift      positive products of at most 2 reach are added up until w - sum is in [-reach, reach]
group      sums that cover [-reach, reach], by the tail of statement 3.3 or its formula 3.7

All bounds hold for every R >= 1 and for every target weight in [-1, 1], and one set of neurons serves both signs and
all outputs. Logs are natural.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from theory.coverage.lower_bound import tail_of
from theory.network.layers import Domain, check_widths, layers
from theory.network.width import layer_etas
from theory.numerics.check import accuracy, draw_count, open_probability
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import logsumexp
from theory.numerics.rounding import probability_above
from theory.product_sum.steps import log_share_failure_bound, log_shift_failure_bound, neuron_steps

REACH = 0.375
"""Half width of the interval that the sums must cover; any value in (0, 1/2] is valid."""

_CELLS = 32.0
"""Cells of the dynamic programme per unit of log(v/(1-v))."""

_MIN_UNIT, _MIN_TAIL = 1e-6, 1e-15
"""Least accuracy and failure probability for which the dynamic programme runs; its formula serves below."""

MIN_DELTA = 1e-30
"""Smallest failure probability of one weight and one sign."""

_LIMIT = 10**5


@dataclass(frozen=True)
class Design:
    """Neurons for one input coordinate, and how they are used.

    Attributes
    ----------
    neurons : int
        N = shift + group, both signs together.
    reach : float
        Half width of the interval that the group covers.
    shift, group : int
        Neurons of the shift and of the covering group, 0 where the shift comes close enough.
    failure_bound : float
        Upper bound on the probability that one weight, for one sign, is not made within eta.
    """

    neurons: int
    reach: float
    shift: int
    group: int
    failure_bound: float


def _shift_neurons(log_delta: float, R: int, reach: float) -> int:
    return smallest_n(lambda n: log_shift_failure_bound(n, R, reach=reach), log_delta, limit=_LIMIT)


def unit_accuracy(eta: float, reach: float) -> float:
    """The accuracy eta where the interval [-reach, reach] is [-1, 1]; rounded down.

    Examples
    --------
    >>> unit_accuracy(0.25, 0.5) < 0.5
    True
    """
    return math.nextafter(eta / reach, 0.0)


def required_neurons(eta: float, delta: float, *, R: int) -> Design:
    """Neurons per input coordinate that make one weight within eta, for one sign, with probability 1 - delta.

    Sufficient for every weight in [-1, 1]. eta in [1e-12, 1];
    delta in [1e-30, 1) for one weight and one sign; R >= 1 draws of each element. Raises ValueError if more than 1e5
    neurons would be needed. Proved in theory/PROOFS.md, 4.7. The construction is that of key pensia2020; the proof and
    constants are ours.

    Examples
    --------
    >>> required_neurons(0.01, 0.05, R=1).neurons < 200, required_neurons(0.01, 0.05, R=10).neurons < 35
    (True, True)
    >>> required_neurons(0.6, 0.01, R=1).group  # the shift alone comes close enough
    0
    """
    eta, delta, R = accuracy("eta", eta), open_probability("delta", delta), draw_count("R", R)
    if eta < 1e-12:
        raise ValueError(f"eta must be at least 1e-12, got eta={eta}")
    if delta < MIN_DELTA:
        raise ValueError(f"delta must be at least {MIN_DELTA} for one weight and one sign, got delta={delta}")
    return _best_design(eta, delta, R)


@lru_cache(maxsize=4096)
def _best_design(eta: float, delta: float, R: int) -> Design:
    """Half of delta for the group, the rest for the shift; the shift alone where it comes close enough."""
    if eta >= REACH:
        reach = min(0.5, eta)
        shift = _shift_neurons(math.log(delta), R, reach)
        return Design(shift, reach, shift, 0, _sum_up(0.0, shift, R, reach))
    group, tail = covering_group(eta, 0.5 * delta, R)
    shift = _shift_neurons(math.log((delta - tail) * (1.0 - 1e-12)), R, REACH)
    return Design(shift + group, REACH, shift, group, _sum_up(tail, shift, R, REACH))


def covering_group(eta: float, delta: float, R: int, *, usable: float = 0.5) -> tuple[int, float]:
    """Neurons that cover [-REACH, REACH] within eta < REACH, and the probability that they do not, at most delta.

    By the formula, or by the dynamic programme where that takes fewer and is quick. ``usable`` is the probability that
    a neuron serves: 1/2 where a ReLU follows. delta in (0, 1); R >= 1 draws of each element. Proved in
    theory/PROOFS.md, 4.7, Lemmas B and C.

    Examples
    --------
    >>> covering_group(0.1, 0.1, 1)[0] > covering_group(0.1, 0.1, 1, usable=1.0)[0]
    True
    """
    unit = unit_accuracy(eta, REACH)
    group, tail = _group_by_formula(unit, delta, R, usable)
    if unit >= _MIN_UNIT and delta >= 0.5 * _MIN_TAIL:
        group, tail = _group_by_programme(unit, delta, R, usable, group, tail)
    return group, tail


def _group_by_formula(unit: float, delta: float, R: int, usable: float) -> tuple[int, float]:
    """Neurons that cover [-1, 1] with accuracy unit, and the probability that they do not, at most delta."""

    def bound(n: int) -> float:
        return log_share_failure_bound(n, R, reach=REACH, start=0.5 * unit, missing=0.25 * unit, usable=usable)

    group = smallest_n(bound, math.log(delta), limit=_LIMIT)
    return group, probability_above(bound(group))


def _group_by_programme(unit: float, delta: float, R: int, usable: float, most: int, tail: float) -> tuple[int, float]:
    """The same by the dynamic programme if fewer do than ``most``, whose tail is given."""
    start, stop = 0.5 * unit, math.nextafter(1.0 - 0.25 * unit, 2.0)
    cells = math.ceil(_CELLS * (math.log(stop / (1.0 - stop)) - math.log(start)))
    share = tail_of(R, start, stop, neuron_steps(REACH, R, usable=usable), cells)
    found = next((n for n in range(most) if share.up_to(n) <= delta), None)  # step by step: it runs no further
    return (most, tail) if found is None else (found, share.up_to(found))


def _sum_up(tail: float, shift: int, R: int, reach: float) -> float:
    return min(1.0, (tail + math.exp(log_shift_failure_bound(shift, R, reach=reach))) * (1.0 + 1e-13))


def network_designs(
    widths: Sequence[int], eps: float, *, delta: float, R: int, domain: Domain = "l2"
) -> tuple[Design, ...]:
    """One design for each layer, equal shares of delta for all weights and signs.

    Layer 2i-1 of the source needs d_(i-1) times the design's neurons. Parameters are those of `MainTheorem`; delta in
    (0, 1), at least 1e-30 for each weight and sign. Proved in theory/PROOFS.md, 4.7 (with 4.2 and the union bound).

    Examples
    --------
    >>> [design.neurons < 1000 for design in network_designs([8, 8, 8], 0.1, delta=0.01, R=1)]
    [True, True]
    """
    d = check_widths(widths)
    weights = sum(out * into for into, out in layers(d))
    share = open_probability("delta", delta) / (2.0 * weights) * (1.0 - 1e-15)
    if share < MIN_DELTA:
        raise ValueError(
            f"delta must leave at least {MIN_DELTA} for each of the {2 * weights} weights and signs, got delta={delta}"
        )
    return tuple(required_neurons(eta, share, R=R) for eta in layer_etas(d, eps, domain=domain))


def required_n(widths: Sequence[int], eps: float, *, delta: float, R: int, domain: Domain = "l2") -> tuple[int, ...]:
    """n_i with D_(2i-1) = 2 d_(i-1) n_i: half the neurons of `network_designs`, rounded up.

    Sufficient (safe side). Parameters are those of `network_designs`. Proved in theory/PROOFS.md, 4.7.

    Examples
    --------
    >>> required_n([8, 8, 8], 0.1, delta=0.01, R=1) > required_n([8, 8, 8], 0.1, delta=0.01, R=10)
    True
    """
    designs = network_designs(widths, eps, delta=delta, R=R, domain=domain)
    return tuple(max(1, (design.neurons + 1) // 2) for design in designs)


def log_network_failure_bound(widths: Sequence[int], designs: Sequence[Design]) -> float:
    """Log of sum_i 2 d_i d_(i-1) failure_i, the union bound over weights and signs.

    Safe side; may exceed 0, and is -inf if no design can fail. Widths d_0, ..., d_l, and a design for each layer, made
    for the eta of 4.2. Proved in theory/PROOFS.md, 4.7.

    Examples
    --------
    >>> designs = network_designs([3, 2], 0.1, delta=0.01, R=4)
    >>> log_network_failure_bound([3, 2], designs) <= math.log(0.01)
    True
    """
    terms = zip(layers(check_widths(widths)), designs, strict=True)
    return logsumexp(math.log(2.0 * out * into) + _log(one.failure_bound) for (into, out), one in terms)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0.0 else -math.inf
