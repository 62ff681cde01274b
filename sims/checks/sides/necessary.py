"""Sides of statements 5.1 to 5.3."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sims.checks.check import Fact
from sims.checks.sides.exact import LARGEST_DELTA, TINIEST, at_least, at_most, ball, fact, log
from theory import necessary as theory

WIDTHS = ((10, 10), (1, 3), (784, 300, 10), (7, 5, 3, 1))
EPS = (2.0**-11, 0.1, 1e-9, 1e-300)


def checks() -> list[Fact]:
    """Statements 5.1 to 5.3."""
    return [
        fact("5.1", "log2 of a packing below", _packings),
        fact("5.2", "bits of an element above", _every_bits),
        fact("5.3", "necessary parameters, the least", _params),
    ]


def _packing(widths: tuple[int, ...], eps: float) -> Any:
    """Bits times log 2."""
    e = Fraction(eps)
    if len(widths) == 2:
        return -widths[0] * widths[1] * log(2 * e)
    ends = (widths[0] * min(widths[1:]) * -log(4 * e), min(widths[:-1]) * widths[-1] * -log(8 * e * e) / 2)
    return ends[0].max(ends[1])


def _bits(R: int, density: float) -> Any:
    """Bits times log 2."""
    q = Fraction(density)
    if q * (R + 1) >= R:
        return log(R + 1)
    return ball(q) * log(R / q) - ball(1 - q) * log(1 - q)


def _packings() -> Iterator[bool]:
    for widths in WIDTHS:
        for eps in EPS:
            found, true = theory.log2_packing(widths, eps), _packing(widths, eps) / log(2)
            yield found == 0.0 or (at_most(found, true) and at_least(found, true * (1 - ball(1e-15))))


def _every_bits() -> Iterator[bool]:
    for R in (1, 2, 6, 7, 10**18):
        for density in (1.0, 0.5, 0.11, 1e-9, TINIEST, LARGEST_DELTA):
            found, true = theory.bits_per_param(R, density=density), _bits(R, density) / log(2)
            yield at_least(found, true) and at_most(found, true * (1 + ball(1e-15)) + ball(TINIEST))
            yield at_least(theory.log2_networks(5, R, density=density), 5 * true)


def _params() -> Iterator[bool]:
    for widths in WIDTHS:
        for eps in EPS:
            for R, density, delta in ((1, 1.0, 0.3), (5, 0.2, TINIEST), (3, 0.9, 0.9999), (6, 1e-9, 0.01)):
                exact = (_packing(widths, eps) + log(1 - Fraction(delta))) / _bits(R, density)
                n = theory.necessary_params(widths, eps, delta=delta, R=R, density=density)
                yield at_least(n, exact) and (n == 0 or at_most(n - 1, exact))
    for k in range(3, 40):  # 100 (k-1) - 1 bits exactly
        yield theory.necessary_params([10, 10], 2.0**-k, delta=0.5, R=1) == 100 * (k - 1) - 1
