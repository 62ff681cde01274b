"""Neurons that make one entry of a product of two random matrices, nothing between them (theory/PROOFS.md, 4.10 (c)).

An inner neuron keeps one draw of its first weight, the one with the largest abs(b), and looks at one coordinate. No
ReLU stands between: whatever the sign of b it serves every weight, with contributions a beta, beta = abs(b). A shift
brings the target into [-reach, reach], as in 4.7; then the rest is made by

picks       one neuron of a group whose contribution is near enough by itself: of order 1/(eta R) neurons, or one
subset-sum  a group of neurons whose sums cover [-reach, reach] by Lemmas B and C of 4.7: of order log(1/eta)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from theory.numerics.check import accuracy, draw_count, natural, open_probability, real
from theory.numerics.invert import smallest_n
from theory.product_sum import REACH, covering_group

Array = NDArray[np.float64]
Entries = Literal["least", "subset-sum", "picks"]
CONSTRUCTIONS: tuple[Entries, ...] = get_args(Entries)

REACHES = (0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5)
"""Half widths of the interval left by the shift that are tried; any value in (0, 1/2] is valid."""

MIN_ETA, MIN_DELTA = 1e-12, 1e-30
"""Smallest error and failure probability of one entry."""

_LIMIT = 2**60
_UP = 1.0 + 1e-12
_SHIFTS = 8
"""So many more neurons than necessary are tried for the shift of a design with picks."""


@dataclass(frozen=True)
class EntryDesign:
    """Inner neurons for one input coordinate, and how they are used.

    Attributes
    ----------
    neurons : int
        shift + group.
    construction : {"subset-sum", "picks"}
        What follows the shift.
    reach : float
        Half width of the interval that the shift leaves.
    shift, group : int
        Neurons of the shift, and of the group, 0 where the shift comes close enough.
    failure_bound : float
        Upper bound on the probability that one entry is not made within eta.
    """

    neurons: int
    construction: Entries
    reach: float
    shift: int
    group: int
    failure_bound: float


def _reach(value: float) -> float:
    number = real("reach", value, "(0, 1/2]")
    if not 0.0 < number <= 0.5:
        raise ValueError(f"reach must be in (0, 1/2], got reach={value}")
    return number


@lru_cache(maxsize=1)
def _levels() -> Array:
    """Levels of the distribution function of beta^R: fine near 0, since beta is near 1 where R is large."""
    return np.concatenate([[0.0], np.geomspace(1e-30, 2.0**-7, 200), np.linspace(2.0**-7, 1.0, 255)[1:]])


def _log_misses(low: Array, high: Array, R: int) -> Array:
    """Upper bounds on the log of P(no contribution in [low, high] | beta), a row for every cell of beta.

    Given beta one draw hits with probability (min(high, beta) - low)^+ / (2 beta), which rises in beta up to ``high``
    and falls beyond: on a cell it is at least its value at the worse end.
    """
    with np.errstate(divide="ignore"):
        beta = np.exp(np.log(_levels()) / R)[:, None]
    hit = np.maximum(0.0, (np.minimum(high, beta) - low) / (2.0 * np.maximum(beta, 1e-300)) - 2.0**-45)
    logs = R * np.log1p(-np.minimum(hit, 0.5))
    return np.asarray(np.maximum(logs[1:], logs[:-1]), np.float64)


@lru_cache(maxsize=256)
def _log_laplace(reach: float, R: int) -> tuple[Array, Array]:
    """Slopes s and upper bounds of log E exp(-s Z), Z the largest contribution in (0, 2 reach], 0 if there is none.

    E exp(-sZ) = exp(-2 reach s) + sum over cells of (exp(-s z_j) - exp(-s z_(j+1))) P(Z < z), z_j < z < z_(j+1).
    """
    z = np.linspace(0.0, 2.0 * reach, 161)
    miss = np.minimum(1.0, np.diff(_levels()) @ np.exp(_log_misses(z[1:], np.full(160, 2.0 * reach), R)) * _UP)
    s = np.geomspace(0.5, 2000.0, 90)
    falls = np.exp(-np.outer(s, z))
    total = (falls[:, -1] + (falls[:, :-1] - falls[:, 1:]) @ miss) * _UP + 1e-13
    return s, np.minimum(0.0, np.log(total) + 1e-12)


def log_plain_shift_failure_bound(n: int, R: int, *, reach: float) -> float:
    """Log of a bound on P(n neurons cannot bring a target in [0, 1] into [-reach, reach] by positive contributions).

    At most 0; rounded up, nonincreasing in n >= 0. reach in (0, 1/2], R >= 1 draws of each element. Proved in
    theory/PROOFS.md, 4.10 (c).

    Examples
    --------
    >>> log_plain_shift_failure_bound(0, 1, reach=0.25)
    0.0
    >>> log_plain_shift_failure_bound(80, 1, reach=0.25) < math.log(1e-6)
    True
    """
    n, R, reach = natural("n", n), draw_count("R", R), _reach(reach)
    s, logs = _log_laplace(reach, R)
    return min(0.0, float(np.min(s * (1.0 - reach) + n * logs)) + 1e-9)


@lru_cache(maxsize=1024)
def _log_neuron_miss(eta: float, R: int, reach: float) -> float:
    """Upper bound on the log of P(one neuron has no contribution within eta of reach), at most 0."""
    logs = _log_misses(np.array([max(0.0, reach - eta)]), np.array([reach + eta]), R)[:, 0]
    share = np.diff(_levels())
    hit, miss = float(share @ -np.expm1(logs)) / _UP, float(share @ np.exp(logs)) * _UP
    return min(math.log1p(-hit), math.log(miss), 0.0) * (1.0 - 1e-12)


def log_pick_failure_bound(n: int, eta: float, R: int, *, reach: float) -> float:
    """Log of a bound on P(none of n neurons contributes within eta of a target in [-reach, reach]).

    At most 0; rounded up, nonincreasing in n >= 0; the worst targets are +-reach. eta in [1e-12, reach]; reach and R
    are those of `log_plain_shift_failure_bound`. Proved in theory/PROOFS.md, 4.10 (c).

    Examples
    --------
    >>> hit = 0.1 - 0.2 * math.log(1.5) - 0.1 * math.log(0.6)  # (min(b, .6) - .4)/(2 b) over b in [.4, 1]
    >>> 0.99 * math.log(1 - hit) > log_pick_failure_bound(1, 0.1, 1, reach=0.5) > math.log(1 - hit)
    True
    """
    n, eta, R, reach = natural("n", n), _eta(eta), draw_count("R", R), _reach(reach)
    if eta > reach:
        raise ValueError(f"eta must be at most reach={reach}, got eta={eta}")
    return n * _log_neuron_miss(eta, R, reach)


def _eta(value: float) -> float:
    eta = accuracy("eta", value)
    if eta < MIN_ETA:
        raise ValueError(f"eta must be at least {MIN_ETA}, got eta={eta}")
    return eta


def required_neurons(eta: float, delta: float, *, R: int, construction: Entries = "least") -> EntryDesign:
    """Inner neurons per input coordinate that make one entry within eta with probability 1 - delta.

    Sufficient for every entry in [-1, 1]. eta in [1e-12, 1]; delta in [1e-30, 1) for one entry; R >= 1 draws of each
    element; "least" takes the construction that needs fewer neurons. Proved in theory/PROOFS.md, 4.10 (c).

    Examples
    --------
    >>> required_neurons(0.01, 0.01, R=1).construction, required_neurons(0.01, 1e-6, R=10**6).neurons
    ('subset-sum', 2)
    """
    eta, delta, R = _eta(eta), open_probability("delta", delta), draw_count("R", R)
    if delta < MIN_DELTA:
        raise ValueError(f"delta must be at least {MIN_DELTA} for one entry, got delta={delta}")
    if construction not in CONSTRUCTIONS:
        raise ValueError(f"construction must be one of {CONSTRUCTIONS}, got construction={construction!r}")
    return _best_design(eta, delta, R, construction)


@lru_cache(maxsize=4096)
def _best_design(eta: float, delta: float, R: int, construction: Entries) -> EntryDesign:
    found = [] if construction == "subset-sum" else [_with_picks(eta, delta, R, reach) for reach in REACHES]
    if construction != "picks":
        found.append(_with_sums(eta, delta, R))
    return min(found, key=lambda one: one.neurons)


def _shift(delta: float, R: int, reach: float) -> int:
    return smallest_n(lambda n: log_plain_shift_failure_bound(n, R, reach=reach), math.log(delta), limit=_LIMIT)


def _with_picks(eta: float, delta: float, R: int, reach: float) -> EntryDesign:
    """The best number of neurons for the shift among the first that leave anything to the picks."""
    least, best = _shift(delta * (1.0 - 1e-6), R, reach), None
    for shift in range(least, least + (_SHIFTS if eta < reach else 1)):
        failed = math.exp(log_plain_shift_failure_bound(shift, R, reach=reach)) * _UP
        group = 0
        if eta < reach:
            rest = math.log((delta - failed) * (1.0 - 1e-9))
            group = smallest_n(lambda n: log_pick_failure_bound(n, eta, R, reach=reach), rest, limit=_LIMIT)
            failed = (failed + math.exp(log_pick_failure_bound(group, eta, R, reach=reach))) * _UP
        found = EntryDesign(shift + group, "picks", reach, shift, group, min(1.0, failed))
        best = found if best is None or found.neurons < best.neurons else best
    assert best is not None
    return best


def _with_sums(eta: float, delta: float, R: int) -> EntryDesign:
    """Half of delta for the group, the rest for the shift; the shift alone where it comes close enough."""
    reach, group, tail = min(0.5, max(eta, REACH)), 0, 0.0
    if eta < REACH:
        group, tail = covering_group(eta, 0.5 * delta, R, usable=1.0)
    shift = _shift((delta - tail) * (1.0 - 1e-6), R, reach)
    failed = (tail + math.exp(log_plain_shift_failure_bound(shift, R, reach=reach))) * _UP
    return EntryDesign(shift + group, "subset-sum", reach, shift, group, min(1.0, failed))


def entry_failure_bound(neurons: int, eta: float, R: int, *, construction: Entries = "least") -> float:
    """Upper bound on P(one entry is not made within eta by so many neurons): the least power of 2 proved enough.

    In [2^-99, 1], nonincreasing in neurons >= 0. Parameters are those of `required_neurons`.

    Examples
    --------
    >>> entry_failure_bound(0, 0.5, 1), entry_failure_bound(200, 0.5, 1) < 1e-6
    (1.0, True)
    """
    neurons, low, high = natural("neurons", neurons), 0, math.floor(-math.log2(MIN_DELTA))
    while low < high:
        middle = (low + high + 1) // 2
        if required_neurons(eta, 2.0**-middle, R=R, construction=construction).neurons <= neurons:
            low = middle
        else:
            high = middle - 1
    return 2.0**-low
