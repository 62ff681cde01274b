"""Sides of statements 4.2 to 4.5 and of their convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from sims.checks.check import Fact
from sims.checks.sides.exact import (
    LARGEST_DELTA,
    TINIEST,
    at_least,
    at_most,
    ball,
    fact,
    is_above_exp,
    is_below_rest,
    log,
)
from theory.network import convolution, corner, gadget, width
from theory.network.convolution import ConvolutionTheorem
from theory.network.question import MainTheorem

LARGE = (7, 784, 50, 2, 1, 7, 3)
POINTS = (
    (LARGE, 1e-6, 1e-300, 10),
    (LARGE, 1e-8, 1e-30, 1),
    ((784, 300, 10), 1e-9, 1e-40, 10**6),
    ((1, 1), 1.0, LARGEST_DELTA, 1),
    ((4, 8, 3), 1e-9, TINIEST, 3),
    ((2, 50, 7, 1), 1e-7, 1e-210, 2),
    ((3, 1, 2), 1e-9, 1e-120, 10),
)


def checks() -> list[Fact]:
    """Statements 4.2 to 4.5."""
    return [
        fact("4.2", "eta_i below", _etas),
        fact("4.3", "log P(miss) above", _windows),
        fact("4.4", "log bound above, success below, n and R large enough", _theorem),
        fact("4.4 (conv)", "eta_i below, log bound above, n large enough", _convolutions),
        fact("4.5", "n of the recalled formula, the least", _recalled),
        fact("4.5 (c)", "R of the corner, the least", _corner),
        fact("4.5 (d)", "n of the repair, the least of its formula", _repaired),
    ]


def _eta(widths: Sequence[int], i: int, eps: float, taps: int = 1, *, linf: bool = False) -> Any:
    e = ball(eps) / ball(widths[0]).sqrt() if linf else ball(eps)
    return e.log1p() / ((len(widths) - 1) * taps * ball(widths[i] * widths[i - 1]).sqrt())


def _log_miss(eta: Any, R: int) -> Any:
    log_miss = R * (-eta / 4).log1p()
    if log_miss > -1:
        return (-(log_miss.expm1() ** 2)).log1p()
    return log_miss + (2 - log_miss.exp()).log()


def _log_failure(widths: Sequence[int], eps: float, R: int, n: Sequence[int], taps: int = 1) -> Any:
    total = ball(0)
    for i, count in enumerate(n, start=1):
        total += 2 * taps * widths[i] * widths[i - 1] * (count * _log_miss(_eta(widths, i, eps, taps), R)).exp()
    return total.log()


def _etas() -> Iterator[bool]:
    for widths, eps, _, _ in POINTS:
        for linf in (False, True):
            etas = width.layer_etas(widths, eps, domain="linf" if linf else "l2")
            yield from (at_most(eta, _eta(widths, i, eps, linf=linf)) for i, eta in enumerate(etas, start=1))


def _windows() -> Iterator[bool]:
    for eta in (1e-9, 0.3, 1e-140, 1.0):
        for R, n in ((1, 1), (10, 12345), (3, 10**15)):
            yield at_least(gadget.log_weight_miss_bound(eta, R, n=n), n * _log_miss(ball(eta), R))


def _theorem() -> Iterator[bool]:
    for widths, eps, delta, R in POINTS:
        n = width.required_n_ours(widths, eps, delta=delta, R=R)
        true = _log_failure(widths, eps, R, n)
        yield bool(true <= log(delta))
        yield at_least(width.log_failure_bound(widths, eps, R=R, n=n), true)
        yield is_above_exp(width.failure_bound(widths, eps, R=R, n=n), true)
        lower = MainTheorem(widths=widths, eps=eps, R=R).success_lower(n)
        yield lower == 0.0 or is_below_rest(lower, true)
        for factor in (0.5, 0.999):  # where the bound is nearly 1, and above it
            few = [max(1, math.floor(factor * count)) for count in n]
            yield at_least(width.log_failure_bound(widths, eps, R=R, n=few), _log_failure(widths, eps, R, few))
    for step in range(40):  # many n that are just enough
        widths, eps, delta = (LARGE, (2, 2), (1, 784, 3))[step % 3], 1e-6 / (1 + step), 1e-290 * 3.0**step
        n = width.required_n_ours(widths, eps, delta=delta, R=10)
        yield bool(_log_failure(widths, eps, 10, n) <= log(delta))
    for widths, eps, delta in (((1, 1), 1.0, 0.01), ((3, 5, 2), 1e-7, 1e-250)):
        R = width.required_R_for_minimal_width(widths, eps, delta=delta)
        yield bool(_log_failure(widths, eps, R, [1] * (len(widths) - 1)) <= log(delta))


def _convolutions() -> Iterator[bool]:
    for kernel in (1, 2, 3, 7):
        for eps in (1.0, 0.3, 1e-3, 1e-9, 0.123, 0.7):
            found = convolution.tap_eps(eps, kernel)
            yield found == eps if kernel == 1 else at_most(found, (ball(eps).log1p() / kernel**2).expm1())
            yield at_least(convolution.with_taps(-9 * eps, kernel), ball(-9 * eps) + log(kernel**2))
            yield at_most(convolution.log_share(eps / 2, kernel), log(eps / 2) - log(kernel**2))
        for widths, eps, delta, R in POINTS:
            n = convolution.convolution_required_n(widths, eps, delta=delta, kernel=kernel, R=R)
            true = _log_failure(widths, eps, R, n, kernel**2)
            yield bool(true <= log(delta))
            yield at_least(convolution.convolution_log_failure_bound(widths, eps, kernel=kernel, R=R, n=n), true)
            asked = ConvolutionTheorem(widths=widths, eps=eps, R=R, kernel=kernel, side=7)
            yield asked.source_width(delta).n == n
            yield asked.success_lower(n) == 0.0 or is_below_rest(asked.success_lower(n), true)


def _forms(widths: Sequence[int], i: int, eps: float, delta: float) -> tuple[Any, Any, Any]:
    depth, product = len(widths) - 1, widths[i - 1] * widths[i]
    K = 8 * depth * widths[i - 1] * ball(widths[i]).sqrt() / ball(eps)
    return K, log(2 * depth * product / Fraction(delta)), log(4 * depth * product / Fraction(delta))


def _is_ceiling(n: int, exact: Any) -> bool:
    return at_least(n, exact) and (n == 1 or at_most(n - 1, exact))


def _recalled() -> Iterator[bool]:
    for widths, eps, delta, R in POINTS:
        for i, n in enumerate(width.required_n_recalled(widths, eps, delta=delta, R=R), start=1):
            K, share, _ = _forms(widths, i, eps, delta)
            yield _is_ceiling(n, (K / R) ** 2 * share)


def _repaired() -> Iterator[bool]:
    for widths, eps, delta, first in POINTS:
        for R in (first, 10**12):
            for i, n in enumerate(width.required_n_repaired(widths, eps, delta=delta, R=R), start=1):
                K, share, longer = _forms(widths, i, eps, delta)
                if K * longer <= R:
                    yield n == 1
                else:
                    yield _is_ceiling(n, ball(Fraction(1602, 640)) * share * (1 if R >= K else (K / R) ** 2))
    for R in (295, 296, 297):  # widths 1 1, eps = delta = .1: K (L + log 2) = 295.1
        yield width.required_n_repaired((1, 1), 0.1, delta=0.1, R=R) == ((8,) if R < 296 else (1,))


def _corner() -> Iterator[bool]:
    for eps in (1e-17, 1e-9, 0.01, 1.0):
        for delta in (TINIEST, 1e-20, 0.3, LARGEST_DELTA):
            yield _is_ceiling(corner.corner_R(eps, delta), 8 * log(2 / Fraction(delta)).sqrt() / ball(eps))
