"""The subset-sum construction with re-sampling: logarithmic width with every constant known (theory/PROOFS.md, 4.7).

A weight w and a half s(h) or s(-h) of its input are served by a subset of the products a*b of N hidden neurons that
look at that input coordinate. Every entry has R draws. A neuron keeps its draw of b with the largest abs(b); its sign
says which half the neuron serves. Then three disjoint groups of neurons work one after the other:

shift      positive products of at most 2 reach are added up until w - sum is in [-reach, reach]
first      sums that come close to a share of at least 3/4 of [-reach, reach], by the drift of statement 3.3
second     the same once more: two such sets always meet, whatever the target (4.7, Lemma C)

or, where that is cheaper, one group that covers [-reach, reach] alone. All bounds hold for every R >= 1 and for every
target weight in [-1, 1], and one set of neurons serves both signs and all outputs. Logs are natural.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from theory.coverage import share_failure_bound
from theory.network.layers import Domain, check_widths, layers
from theory.network.width import layer_etas
from theory.numerics.check import accuracy, draw_count, open_probability
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import logsumexp
from theory.product_sum.steps import MEETING_SHARE, drift_constant, log_shift_failure_bound

REACHES = (0.25, 0.3125, 0.375, 0.4375)
"""Half widths of the interval that the sums must cover, tried by `required_neurons`; any value in (0, 1/2] is valid."""

_COARSE, _FINE = 2.0, 6.0
"""Cells of the dynamic programme per step of the drift: to choose the reach, and for the answer."""

MIN_DELTA = 1e-30
"""Smallest failure probability of one weight and one sign: below it the dynamic programme takes too many steps."""

_MIN_FULL = 1e-9
_LIMIT = 10**5


@dataclass(frozen=True)
class Design:
    """Neurons for one input coordinate, and how they are used.

    Attributes
    ----------
    neurons : int
        N = shift + groups * group, both signs together.
    reach : float
        Half width of the interval that the groups cover.
    shift, groups, group : int
        Neurons of the shift, number of covering groups (0, 1 or 2) and neurons in each.
    failure_bound : float
        Upper bound on the probability that one weight, for one sign, is not made within eta.
    """

    neurons: int
    reach: float
    shift: int
    groups: int
    group: int
    failure_bound: float


def _shift_neurons(log_delta: float, R: int, reach: float) -> int:
    return smallest_n(lambda n: log_shift_failure_bound(n, R, reach=reach), log_delta, limit=_LIMIT)


def required_neurons(eta: float, delta: float, *, R: int) -> Design:
    """Neurons per input coordinate that make one weight within eta, for one sign, with probability 1 - delta.

    Sufficient for every weight in [-1, 1]; the best of REACHES and of one or two covering groups. eta in [1e-12, 1];
    delta in [1e-30, 1) for one weight and one sign; R >= 1 draws of each element. Raises ValueError if more than 1e5
    neurons would be needed. Proved in theory/PROOFS.md, 4.7. The construction is that of key pensia2020; the proof and
    constants are ours.

    Examples
    --------
    >>> required_neurons(0.01, 0.01, R=1).neurons < 350
    True
    >>> required_neurons(0.6, 0.01, R=1).groups  # the shift alone comes close enough
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
    """The best reach by a coarse dynamic programme, then a finer one for it."""
    best = Design(_LIMIT, 0.0, 0, 0, 0, 1.0)
    for reach in REACHES:
        best = _improved(best, eta, delta, R, reach, _COARSE)
    if best.groups:
        best = _improved(best, eta, delta, R, best.reach, _FINE)
    if best.neurons == _LIMIT:
        raise ValueError(f"eta and delta must need fewer than {_LIMIT} neurons, got eta={eta}, delta={delta}")
    return best


def _improved(best: Design, eta: float, delta: float, R: int, reach: float, fineness: float) -> Design:
    """The better of ``best`` and of designs with this reach: half of delta for the groups, the rest for the shift."""
    if eta >= reach:
        shift = _shift_neurons(math.log(delta), R, reach)
        found = Design(shift, reach, shift, 0, 0, _sum_up(0.0, shift, R, reach))
        return min(best, found, key=lambda design: design.neurons)
    c = drift_constant(reach, R)
    unit = math.nextafter(eta / reach, 0.0)  # the accuracy where the interval is [-1, 1]
    for groups, stop in ((1, math.nextafter(1.0 - unit / 4.0, 2.0)), (2, MEETING_SHARE)):
        if groups == 1 and unit < _MIN_FULL:
            continue
        span = math.log(stop / (1.0 - stop)) - math.log(0.5 * unit)
        cells = math.ceil(fineness * span / c)  # coarser cells would swallow the drift
        group, tail = 0, 1.0
        while tail > 0.5 * delta and groups * group < best.neurons:  # step by step: so the programme runs no further
            group += 1
            tail = groups * share_failure_bound(group, R, start=0.5 * unit, stop=stop, c=c, cells=cells)
        if tail > 0.5 * delta:
            continue
        shift = _shift_neurons(math.log((delta - tail) * (1.0 - 1e-12)), R, reach)
        found = Design(shift + groups * group, reach, shift, groups, group, _sum_up(tail, shift, R, reach))
        best = min(best, found, key=lambda design: design.neurons)
    return best


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
