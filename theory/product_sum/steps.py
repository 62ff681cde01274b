"""Steps of the subset-sum construction (4.7): what one neuron adds to the share, the shift, and both as formulas."""

from __future__ import annotations

import math
from functools import lru_cache

from theory.coverage.potential import log_odds, potential_factor
from theory.coverage.tail import Step
from theory.numerics.check import accuracy, draw_count, natural, open_probability, real

SAFE = 1e-9
"""Far above the rounding of the sums in this module."""

_PARTS = 64
"""Equally likely parts of the b of at least 2 reach, for `neuron_factor`."""


def neuron_steps(reach: float, R: int, *, parts: int = 2, usable: float = 0.5) -> tuple[Step, ...]:
    """What one neuron is for one sign, as the kinds of a step of `theory.coverage.tail.Tail`.

    Usable, with probability 1/2 where a ReLU follows, and with its largest b in a cell: given beta = abs(b) its
    contributions have, in units of the reach, density x/2 on [-1/x, 1/x], x = reach/beta. Each cell is taken at its
    worse end; a beta below the reach counts for nothing.

    reach in (0, 1/2] is the half width of the interval to cover; R >= 1 draws of each element; ``parts``: equally
    likely cells of the b of at least 2 reach, any number is valid; ``usable``: 1 where no ReLU follows (4.10). Proved
    in theory/PROOFS.md, 4.7, Lemma B.

    Examples
    --------
    >>> [(round(step.weight, 4), round(step.x, 4)) for step in neuron_steps(0.25, 1)]
    [(0.125, 0.3333), (0.125, 0.25), (0.125, 1.0)]
    """
    tau, R = _reach(reach), draw_count("R", R)
    middle = min(1.0, 2.0 * tau)
    steps = []
    if middle < 1.0:
        low = -math.expm1(R * math.log(middle))  # P(beta > 2 reach)
        for k in range(parts):
            # the cell ends at y^(1/R), y = 1 - low (1 - (k+1)/cells); raised, which lowers x
            rest = 1.0 - (k + 1.0) / parts
            end = min(1.0, math.exp(math.log1p(-low * rest) / R) * (1.0 + 2.0**-48))
            steps.append(Step(usable * low / parts * (1.0 - 2.0**-46), tau / end * (1.0 - 2.0**-50)))
    between = math.exp(R * math.log(middle)) - math.exp(R * math.log(tau))
    if between > 1e-6:
        steps.append(Step(usable * (between - 2.0**-40), 1.0))
    return tuple(steps)


def neuron_factor(reach: float, R: int, *, usable: float = 0.5) -> float:
    """What one neuron multiplies 1/v - 1 by for one sign, on average, at most; in (0, 1), rounded up.

    Parameters are those of `neuron_steps`. Proved in theory/PROOFS.md, 4.7, Lemma C (with 3.7).

    Examples
    --------
    >>> round(neuron_factor(0.3, 1), 3), round(neuron_factor(0.3, 10), 3)
    (0.924, 0.638)
    """
    steps = neuron_steps(reach, R, parts=_PARTS, usable=usable)
    less = sum(step.weight * (1.0 - potential_factor(1 if step.x > 0.5 else R, x=min(0.5, step.x))) for step in steps)
    return 1.0 - less * (1.0 - 1e-12)


def _reach(value: float) -> float:
    number = real("reach", value, "(0, 1/2]")
    if not 0.0 < number <= 0.5:
        raise ValueError(f"reach must be in (0, 1/2], got reach={value}")
    return number


@lru_cache(maxsize=256)
def _log_laplace(reach: float, R: int) -> tuple[tuple[float, float], ...]:
    """Pairs (s, upper bound of log E exp(-s Z)), Z the largest usable product of at most 2 reach, 0 if there is none.

    E exp(-sZ) = 1 - integral of s exp(-sz) P(Z > z), by a lower sum: cells of z with their right end, cells of equal
    probability of b with the worse end (the hit probability rises in b up to 2 reach and falls beyond).
    """
    import numpy as np

    top = 2.0 * reach
    b = np.linspace(0.0, 1.0, 257)[:, None] ** (1.0 / R)
    z = np.linspace(0.0, top, 129)
    p = np.maximum(0.0, (np.minimum(top, b) - z) / (2.0 * np.maximum(b, 1e-300)) - 2.0**-48)
    hit = -np.expm1(R * np.log1p(-np.minimum(p, 0.5)))
    tail = 0.5 * np.minimum(hit[1:], hit[:-1]).mean(axis=0)[1:]
    pairs = []
    for s in np.geomspace(0.5, 400.0, 60).tolist():
        drop = np.exp(-s * z[:-1]) - np.exp(-s * z[1:])
        pairs.append((s, math.log1p(-float(drop @ tail) * (1.0 - SAFE))))
    return tuple(pairs)


def log_shift_failure_bound(n: int, R: int, *, reach: float) -> float:
    """Log of a bound on P(n neurons cannot bring a target w in [0, 1] into [-reach, reach] by positive products).

    Returns min over s of s (1-reach) + n log E exp(-s Z), at most 0; rounded up, nonincreasing in n. n >= 0 neurons,
    both signs together; reach and R are those of `neuron_steps`. Proved in theory/PROOFS.md, 4.7, Lemma A.

    Examples
    --------
    >>> log_shift_failure_bound(0, 1, reach=0.25)
    0.0
    >>> log_shift_failure_bound(160, 1, reach=0.25) < math.log(1e-6)
    True
    """
    n, R, reach = natural("n", n), draw_count("R", R), _reach(reach)
    return min(0.0, min(s * (1.0 - reach) + n * value for s, value in _log_laplace(reach, R)) + SAFE)


def log_share_failure_bound(
    n: int, R: int, *, reach: float, start: float, missing: float, usable: float = 0.5
) -> float:
    """Log of ((1-missing)/missing) (1/start - 1) factor^n, at most 0: a bound on P(v_n < 1 - missing), v_0 = start.

    factor is `neuron_factor`. Rounded up, nonincreasing in n. n >= 0 neurons, both signs together; start and missing in
    (0, 1). Proved in theory/PROOFS.md, 4.7, Lemma C.

    Examples
    --------
    >>> round(log_share_failure_bound(200, 1, reach=0.3, start=0.1, missing=0.1), 1)
    -11.3
    """
    n, logs = natural("n", n), log_odds(start, missing)
    return min(0.0, logs + n * math.log(neuron_factor(reach, R, usable=usable)) * (1.0 - 1e-13))


def neurons_closed_form(eta: float, delta: float) -> int:
    """Neurons that suffice for one weight and one sign, as a formula: 25.4 log(1/eta) + 19.2 log(12/delta).

    Sufficient for every R >= 1 and every weight in [-1, 1]; rounded up. `required_neurons` is smaller, above all for R
    > 1. eta in (0, 1], delta in (0, 1). Proved in theory/PROOFS.md, 4.7, Corollary: n = O(log(1/eta) + log(1/delta))
    with its constants.

    Examples
    --------
    >>> neurons_closed_form(0.01, 0.05), neurons_closed_form(1.0, 0.5)
    (223, 62)
    """
    eta, delta = accuracy("eta", eta), open_probability("delta", delta)
    return math.ceil((-25.4 * math.log(eta) + 19.2 * (math.log(12.0) - math.log(delta))) * (1.0 + 1e-12))
