"""The law of a product a*b of two independent U[-1, 1] variables, and a log-space quadrature for small events.

Private: the public functions are in ``theory.network.gadget`` and ``theory.network.width``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from theory.numerics.logspace import logsumexp

NODES_PER_PANEL = 24
HALVINGS = 60


def cdf_part(z: float) -> float:
    """H(z) = z - z log|z|, twice the antiderivative of the density (1/2) log(1/|z|); odd, H(0) = 0, H(1) = 1."""
    return z - z * math.log(abs(z)) if z else 0.0


def _upper_tail(y: float) -> float:
    """H(1) - H(1-y) = y + (1-y) log(1-y) for 0 <= y <= 1, by its series sum_k y^k / (k(k-1)) while y is small."""
    if y > 0.1:
        return y + (1.0 - y) * math.log1p(-y) if y < 1.0 else 1.0
    return math.fsum(y**k / (k * (k - 1)) for k in range(2, 20))


def product_interval_prob(w: float, eta: float) -> float:
    """P(abs(a*b - w) <= eta) for a, b independent U[-1, 1], abs(w) <= 1; relative rounding error about 1e-14.

    With H(z) = z - z log|z| it is (H(min(1, w+eta)) - H(w-eta)) / 2 for w >= 0. The difference cancels in three
    places, so it is rearranged: both ends of one sign and eta small against w (through atanh), the upper end beyond 1
    (through the tail series), and ends of opposite sign (a sum of two positive terms, H being odd).
    """
    w = abs(w)
    low = w - eta
    below_one = (1.0 - w) - eta  # 1 - (w + eta); negative when the interval sticks out of [-1, 1]
    if low <= 0.0:
        upper = cdf_part(w + eta) if below_one > 0.0 else 1.0
        return (upper + cdf_part(-low)) / 2.0
    if below_one <= 0.0:
        return _upper_tail((1.0 - w) + eta) / 2.0
    x = eta / w
    if x > 0.3:
        return (cdf_part(w + eta) - cdf_part(low)) / 2.0
    # 2 eta - (w+eta) log(w+eta) + (w-eta) log(w-eta) = -2w (atanh x - x) - eta (log(w+eta) + log(w-eta))
    atanh_rest = math.fsum(x**k / k for k in range(3, 40, 2))
    # (the rounding errors of w+eta and w-eta are opposite where the logarithms are small)
    return -w * atanh_rest - eta * (math.log(w + eta) + math.log(low)) / 2.0


@cache
def _unit_mesh() -> tuple[Any, Any]:
    """Gauss-Legendre nodes and weights on [0, 1], in panels that halve towards both ends."""
    import numpy as np

    x, weight = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    near_zero = 0.5 ** np.arange(HALVINGS, 0, -1)
    near_one = 1.0 - 0.5 ** np.arange(2, 52)
    cuts = np.concatenate(([0.0], near_zero, near_one, [1.0]))
    width = np.diff(cuts)[:, None]
    return (cuts[:-1, None] + width * (x + 1.0) / 2.0).ravel(), (width * weight / 2.0).ravel()


def log_integral(log_f: Callable[[Any], Any], length: float) -> float:
    """Natural log of the integral of exp(log_f(v)) for v in [0, length].

    Works for integrands as small as exp(-1e300): the largest value is factored out. The mesh is graded towards 0,
    `length` and the highest point of the integrand, so a peak of any width at an end, or one in between, is resolved.
    `log_f` takes and returns an array and may return -inf. Resolution is relative at 0: put the delicate end there.

    Examples
    --------
    >>> import numpy as np
    >>> round(log_integral(lambda v: -1e6 * v, 1.0) / math.log(1e-6), 12)
    1.0
    """
    import numpy as np

    if length <= 0.0:
        return -math.inf
    unit, unit_weights = _unit_mesh()

    def clean(v: Any) -> Any:
        with np.errstate(divide="ignore"):
            return log_f(v)

    v = unit * length
    left, right = 0.0, length
    for _ in range(4):
        best = int(np.argmax(clean(v)))
        left, right = float(v[max(best - 1, 0)]), float(v[min(best + 1, v.size - 1)])
        peak = float(v[best])
        v = np.linspace(left, right, 65)
    parts = []
    for start, span in ((0.0, peak), (peak, length - peak)):
        if span > 0.0:
            values = clean(start + unit * span)
            top = float(np.max(values))
            if top > -math.inf:
                total = float(np.sum(np.exp(values - top) * unit_weights))
                parts.append(top + math.log(total) + math.log(span))
    return logsumexp(parts)


def log_one_b_success(w: float, eta: float, R: int) -> float:
    """log P(one draw of b > 0 and some of R draws of a give abs(ab-w) <= eta), for 0 < eta < w <= 1.

    It is (1/2) times the integral over b in [c, 1] of 1-(1-p(b))^R, c = w-eta, p(b) half the good interval of a.
    """
    import numpy as np

    c = w - eta
    below_one = (1.0 - w) - eta

    def hit(p: Any) -> Any:
        return np.log(-np.expm1(R * np.log1p(-p)))

    # b = c + v: the a-interval [c/b, 1] until b = w + eta, then [c/b, (w+eta)/b] of half length eta/b
    parts = [log_integral(lambda v: hit(v / (2.0 * (c + v))), min(2.0 * eta, (1.0 - w) + eta))]
    if below_one > 0.0:
        parts.append(log_integral(lambda v: hit(eta / (w + eta + v)), below_one))
    return math.log(0.5) + logsumexp(parts)


def log_best_b(w: float, eta: float, R: int, *, miss: bool) -> float:
    """log P(success or miss) when the b with the largest p(b) is kept.

    p(b) rises from 0 at b = c = w-eta to its top at b = min(1, w+eta), then falls as eta/b: {p > t} is one interval,
    of length len(t) = min(1, eta/t) - c/(1-2t) while t < top, so P(best p <= t) = (1-len(t)/2)^R, and
    E (1-p)^R = (1-top)^R + integral over t in [0, top] of R (1-t)^(R-1) (1-len(t)/2)^R.
    Near its zero, len is written with v = top - t, which keeps full relative precision.
    """
    import numpy as np

    below_one = (1.0 - w) - eta
    inner = below_one > 0.0
    top = eta / (w + eta) if inner else ((1.0 - w) + eta) / 2.0

    def log_f(t: Any, length: Any) -> Any:
        log_none = R * np.log1p(-length / 2.0)
        log_hits = log_none if miss else np.log(-np.expm1(log_none))
        return math.log(R) + (R - 1) * np.log1p(-t) + log_hits

    def below_eta(v: Any) -> Any:  # t <= eta: b may go up to 1
        t = min(eta, top) - v
        return log_f(t, (max(below_one, 0.0) + 2.0 * v) / (1.0 - 2.0 * t))

    def above_eta(v: Any) -> Any:  # eta < t <= top: b may go up to eta/t
        t = top - v
        return log_f(t, (w + eta) * v / (t * (1.0 - 2.0 * t)))

    parts = [log_integral(below_eta, min(eta, top))]
    if inner:
        parts.append(log_integral(above_eta, eta * below_one / (w + eta)))
    if miss:
        parts.append(R * math.log1p(-top))
    return logsumexp(parts)
