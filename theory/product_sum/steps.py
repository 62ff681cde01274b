"""Steps of the subset-sum construction (4.7): the drift of one neuron, the shift, and both as formulas."""

from __future__ import annotations

import math
from functools import lru_cache

from theory.coverage import DRIFT_PROVED
from theory.numerics.check import accuracy, draw_count, natural, open_probability, real
from theory.numerics.logspace import exp_up

MEETING_SHARE = 0.75
"""Two closed subsets of [-1, 1] of this share have every z in [-1, 1] as a sum (4.7, Lemma C)."""

SAFE = 1e-9
"""Far above the rounding of the sums in this module."""


def drift_constant(reach: float, R: int) -> float:
    """The drift that one neuron gives to one sign: c in E v' >= v + c (1-v)(1-(1-v)^R).

    Returns (tau/2) (0.307 I(tau, 2 tau) + I(2 tau, 1)), I(x, y) the integral of R b^(R-2) over [x, y]; rounded down.
    reach in (0, 1/2] is the half width tau of the interval to cover; R >= 1 draws of each element. Proved in
    theory/PROOFS.md, 4.7, Lemma B.

    Examples
    --------
    >>> round(drift_constant(0.25, 1), 4)
    0.1132
    >>> round(drift_constant(0.5, 10**9), 4)
    0.0768
    """
    tau, R = _reach(reach), draw_count("R", R)
    near, far = _moment(tau, 2 * tau, R), _moment(2 * tau, 1.0, R)
    return 0.5 * tau * (DRIFT_PROVED * near + far) * (1.0 - 1e-12)


def _moment(x: float, y: float, R: int) -> float:
    """Integral of R b^(R-2) over [x, y]: E[1/b; x <= b <= y] for b the largest of R draws U[0, 1]."""
    if R == 1:
        return math.log(y / x)
    return R / (R - 1) * (y ** (R - 1) - x ** (R - 1))


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
    both signs together; reach and R are those of `drift_constant`. Proved in theory/PROOFS.md, 4.7, Lemma A.

    Examples
    --------
    >>> log_shift_failure_bound(0, 1, reach=0.25)
    0.0
    >>> log_shift_failure_bound(160, 1, reach=0.25) < math.log(1e-6)
    True
    """
    n, R, reach = natural("n", n), draw_count("R", R), _reach(reach)
    return min(0.0, min(s * (1.0 - reach) + n * value for s, value in _log_laplace(reach, R)) + SAFE)


def share_tail_closed_form(n: int, *, start: float, c: float) -> float:
    """Upper bound (3/(4 start)) (1 - c/8)^n on P(v_n < 3/4), v_0 = start, where E v' >= v + c v(1-v).

    In (0, 1], rounded up; far above `theory.coverage.share_failure_bound`, but a formula. n >= 0 steps, start in (0,
    3/4], c in (0, 1]. Proved in theory/PROOFS.md, 4.7, Lemma D.

    Examples
    --------
    >>> share_tail_closed_form(0, start=0.75, c=0.5)
    1.0
    >>> round(share_tail_closed_form(100, start=0.075, c=0.8), 9)  # 10 * 0.9**100
    0.000265614
    """
    n, start, c = natural("n", n), real("start", start, "(0, 3/4]"), real("c", c, "(0, 1]")
    if not 0.0 < start <= MEETING_SHARE:
        raise ValueError(f"start must be in (0, 3/4], got start={start}")
    if not 0.0 < c <= 1.0:
        raise ValueError(f"c must be in (0, 1], got c={c}")
    log_bound = math.log(0.75) - math.log(start) + n * math.log1p(-c / 8.0)
    return min(1.0, exp_up(min(0.0, log_bound)) * (1.0 + 1e-12))


def neurons_closed_form(eta: float, delta: float) -> int:
    """Neurons that suffice for one weight and one sign, as a formula: 142 log(1/eta) + 149 log(4/delta).

    Sufficient for every R >= 1 and every weight in [-1, 1]; rounded up. `required_neurons` is far smaller. eta in (0,
    1], delta in (0, 1). Proved in theory/PROOFS.md, 4.7, Corollary: n = O(log(1/eta) + log(1/delta)) with its
    constants.

    Examples
    --------
    >>> neurons_closed_form(1.0, 0.5)  # 149 log 8
    310
    """
    eta, delta = accuracy("eta", eta), open_probability("delta", delta)
    return math.ceil((-142.0 * math.log(eta) + 149.0 * (math.log(4.0) - math.log(delta))) * (1.0 + 1e-12))
