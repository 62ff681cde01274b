"""One target weight w made by hidden neurons: a product a*b with abs(a*b - w) <= eta.

A hidden neuron has one incoming weight b and, for each output, one outgoing weight a. Since
w h = w s(h) - w s(-h) with s = ReLU, a weight needs two neurons, one with b > 0 and one with b < 0, and **both need
a*b close to w** (theory/PROOFS.md, 4.1). Every element may be drawn R times in total, all entries are U[-1, 1].

Which event a function computes (one neuron, one sign s, one weight w):

=================  ============================================================================================
``window``         some draw of b in s[1-eta/2, 1] and some draw of a within eta/2 of s*w (proved bound, 4.3)
``one_b``          b has its first draw only; some of the R draws of a makes the product good (4.6, exact)
``best_b``         of the R draws of b keep the one which the next a hits most often; R draws of a (4.6, exact)
``any_pair``       some pair among R draws of b and R draws of a (4.6: an exact bracket)
=================  ============================================================================================

The first three are contained in ``any_pair``; of these ``best_b`` is the most probable. In a layer the
draw of b is shared by all outputs of the neuron: ``window`` aims b at the same set for every w, so it may be used for a
whole layer; ``best_b`` aims b at one w and speaks of one weight only.

For R = 1 the last three agree: half of P(abs(ab - w) <= eta). Dropping the neuron gives the product 0, so all neuron
events are certain when abs(w) <= eta; `product_hit_prob` alone does not use this.

Parameters of all functions: eta in (0, 1] is the error allowed for one weight; R >= 1 the draws of each element in
total (``one_b``: of a alone); w in [-1, 1] the weight (of a window: by default the worst one, abs(w) = 1); n >= 1 the
neurons intended for one sign; ``choice`` the event. Logs are natural.
"""

from __future__ import annotations

import contextlib
import math
import sys
from fractions import Fraction
from typing import Any, Literal

from theory.network.layers import at_most_largest
from theory.network.product_law import log_best_b, log_one_b_success, product_interval_prob
from theory.numerics.balls import PRECISION, exact, log_one_minus, precision, up
from theory.numerics.check import accuracy, positive_int, target_value
from theory.numerics.logspace import log1mexp

Choice = Literal["one_b", "best_b"]

SERVING_PROB = 0.5
"""Probability that one draw of b has a given sign, whatever the product a*b is (PROOFS.md, 4.6)."""


def b_window_prob(eta: float, R: int) -> float:
    """Probability q_b that some of R draws of b lies in [1-eta/2, 1] (or in its mirror image, for the other sign).

    In (0, 1). 1 - (1-eta/4)^R, exact. Proved in theory/PROOFS.md, 4.3.

    Examples
    --------
    >>> b_window_prob(0.4, 1)
    0.1
    """
    with precision():
        return float(-_log_miss_window(_a_window_measure(accuracy("eta", eta), None), R).expm1())


def a_window_prob(eta: float, R: int, *, w: float | None = None) -> float:
    """Probability q_a that some of R draws of a is within eta/2 of w.

    In (0, 1]. 1 - (1-p)^R with p half the length of [w-eta/2, w+eta/2] inside [-1, 1]; exact. Proved in
    theory/PROOFS.md, 4.3.

    Examples
    --------
    >>> a_window_prob(0.4, 1), round(a_window_prob(0.4, 1, w=0.0), 12)
    (0.1, 0.2)
    """
    with precision():
        return float(-_log_miss_window(_a_window_measure(accuracy("eta", eta), w), R).expm1())


def window_success_prob(eta: float, R: int, *, w: float | None = None) -> float:
    """Probability q_b q_a that one neuron makes w through the windows, one sign.

    In (0, 1]. Exact for the window event, hence a lower bound of the probability that some pair of draws is good.
    Proved in theory/PROOFS.md, 4.3.

    Examples
    --------
    >>> round(window_success_prob(0.4, 1), 12)
    0.01
    """
    return b_window_prob(eta, R) * a_window_prob(eta, R, w=w)


def log_window_miss_prob(eta: float, R: int, *, w: float | None = None) -> float:
    """Natural log of 1 - q_b q_a, the nearest float; `window_miss_upper` rounds it up.

    At most 0, and at least -1.8e308. With m = 1-q: 1 - q_b q_a = m_b + m_a (1-m_b). Parameters and source are those of
    `window_success_prob`.

    Examples
    --------
    >>> round(log_window_miss_prob(0.4, 1) / math.log(0.99), 12)
    1.0
    >>> round(log_window_miss_prob(0.4, 10_000), 3)  # log(2 * 0.9**10000), far below the smallest double
    -1052.912
    """
    with _precision(R):
        return max(-sys.float_info.max, float(_log_window_miss(accuracy("eta", eta), R, w)))


def window_miss_upper(eta: float, R: int, *, w: float | None = None) -> float:
    """`log_window_miss_prob`, rounded up.

    Examples
    --------
    >>> 0.0 <= window_miss_upper(0.4, 1) - log_window_miss_prob(0.4, 1) < 1e-17
    True
    """
    with _precision(R):
        return min(0.0, up(_log_window_miss(accuracy("eta", eta), R, w)))


def _precision(R: int) -> contextlib.AbstractContextManager[None]:
    """Bits enough for the difference of two logarithms, each R times that of one draw."""
    return precision(PRECISION + at_most_largest("R", R).bit_length())


def _log_window_miss(eta: float, R: int, w: float | None) -> Any:
    """log(1 - q_b q_a) as a ball, q_a >= q_b."""
    log_mb = _log_miss_window(_a_window_measure(eta, None), R)
    log_ma = _log_miss_window(_a_window_measure(eta, w), R)
    success = log_mb.expm1() * log_ma.expm1()
    if success < exact(0.5):
        return (-success).log1p()
    return log_mb + (-(log_ma - log_mb).exp() * log_mb.expm1()).log1p()


def log_weight_miss_bound(eta: float, R: int, *, n: int, w: float | None = None) -> float:
    """Natural log of an upper bound of P(none of n neurons of one sign makes w): n log(1 - q_b q_a).

    At most 0, rounded up: at least the log of the true probability. n and R are at most 2^1000. Proved in
    theory/PROOFS.md, 4.3.

    Examples
    --------
    >>> round(math.exp(log_weight_miss_bound(0.4, 1, n=100)), 6)
    0.366032
    """
    with _precision(R):
        return min(0.0, up(at_most_largest("n", n) * _log_window_miss(accuracy("eta", eta), R, w)))


def product_hit_prob(w: float, eta: float) -> float:
    """P(abs(a*b - w) <= eta) for one draw of a and one of b, both signs of b together; closed form.

    In (0, 1]. Exact up to rounding (relative 1e-14, also for eta = 1e-12). Times `SERVING_PROB` it is the probability
    that a neuron is good and has a given sign: (a, b) -> (-a, -b) keeps the product and the law. Proved in
    theory/PROOFS.md, 4.6: the product has density (1/2) log(1/abs(z)) on [-1, 1].

    Examples
    --------
    >>> round(product_hit_prob(0.0, 0.5), 6)  # H(1/2) with H(z) = z - z log z
    0.846574
    >>> product_hit_prob(0.3, 1.0) == product_hit_prob(-0.3, 1.0)
    True
    """
    return product_interval_prob(target_value("w", w), accuracy("eta", eta))


def neuron_log_success_prob(w: float, eta: float, *, R: int, choice: Choice = "best_b") -> float:
    """Natural log of the probability that one neuron makes w, for one sign.

    At most 0. Exact for the event named, up to quadrature (relative 1e-10); 0 when abs(w) <= eta. Proved in
    theory/PROOFS.md, 4.6.

    Examples
    --------
    >>> same = math.log(SERVING_PROB * product_hit_prob(0.7, 0.05))
    >>> round(neuron_log_success_prob(0.7, 0.05, R=1, choice="one_b") - same, 10)
    0.0
    """
    w, eta, R = abs(target_value("w", w)), accuracy("eta", eta), positive_int("R", R)
    _check_choice(choice)
    if w <= eta:
        return 0.0
    return min(0.0, log_one_b_success(w, eta, R) if choice == "one_b" else log_best_b(w, eta, R, miss=False))


def neuron_log_miss_prob(w: float, eta: float, *, R: int, choice: Choice = "best_b") -> float:
    """Natural log of the probability that one neuron does not make w, for one sign.

    At most 0. Exact for the event named, up to quadrature, down to exp(-1e300); -inf when abs(w) <= eta. For ``one_b``
    it is at least log(1/2), the sign of b being given. Parameters, errors and source are those of
    `neuron_log_success_prob`.

    Examples
    --------
    >>> round(neuron_log_miss_prob(1.0, 0.1, R=305), 3)
    -12.962
    """
    w, eta, R = abs(target_value("w", w)), accuracy("eta", eta), positive_int("R", R)
    _check_choice(choice)
    if w <= eta:
        return -math.inf
    if choice == "one_b":
        return log1mexp(min(0.0, log_one_b_success(w, eta, R)))
    return min(0.0, log_best_b(w, eta, R, miss=True))


def any_pair_log_miss_bracket(w: float, eta: float, *, R: int) -> tuple[float, float]:
    """Lower and upper bound of log P(no pair among R draws of b > 0 and R draws of a has abs(ab - w) <= eta).

    Lower: R log(1-P), P the ``one_b`` success (the draws of b are independent given those of a; Jensen). Upper: the
    ``best_b`` miss. They agree when abs(w) + eta >= 1, where the largest b of the right sign is at least as good as any
    other, and when R = 1 or abs(w) <= eta. In between the exact value is not known to us. Proved in theory/PROOFS.md,
    4.6.

    Examples
    --------
    >>> low, high = any_pair_log_miss_bracket(0.5, 0.1, R=5)
    >>> low < high
    True
    """
    upper = neuron_log_miss_prob(w, eta, R=R, choice="best_b")
    if R == 1 or (1.0 - abs(w)) - eta <= 0.0 or upper == -math.inf:
        return upper, upper
    return min(upper, R * neuron_log_miss_prob(w, eta, R=R, choice="one_b")), upper


def weight_log_miss_prob(w: float, eta: float, *, R: int, n: int, choice: Choice = "best_b") -> float:
    """Natural log of P(none of n neurons intended for one sign makes w): pick the best of n neurons.

    At most 0. n times `neuron_log_miss_prob`: exact for "pick one neuron", an upper bound for "add up several neurons"
    and for neurons whose sign is left open. Proved in theory/PROOFS.md, 4.6.

    Examples
    --------
    >>> round(math.exp(weight_log_miss_prob(0.0, 0.01, R=1, n=1)), 6)
    0.0
    """
    return positive_int("n", n) * neuron_log_miss_prob(w, eta, R=R, choice=choice)


def _log_miss_window(p: Fraction, R: int) -> Any:
    return at_most_largest("R", R) * log_one_minus(p)


def _a_window_measure(eta: float, w: float | None) -> Fraction:
    half = Fraction(eta) / 2
    return (half + (0 if w is None else min(half, 1 - abs(Fraction(target_value("w", w)))))) / 2


def _check_choice(choice: str) -> None:
    if choice not in ("one_b", "best_b"):
        raise ValueError(f"choice must be 'one_b' or 'best_b', got choice={choice!r}")
