"""Sides of statements 7.1 to 7.6."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from sims.checks.check import Fact
from sims.checks.sides.exact import at_least, at_most, ball, fact, just_below, log
from theory import binary_weights as theory
from theory.binary_weights import BinaryWeights, law


def checks() -> list[Fact]:
    """Statements 7.1, 7.2, 7.4 and 7.6."""
    return [
        fact("7.1", "success on both sides, enclosures of tails, least n at ties", _laws),
        fact("7.2", "closed form above, guaranteed error above", _forms),
        fact("7.4", "necessary n where counting gives equality", _counting),
        fact("7.6", "the union bound of a design, exactly", _deep),
    ]


def _below(n: int, k: int, R: int) -> Fraction:
    """P(Bin(n, 1 - 2^-R) < k)."""
    p = Fraction(1, 2**R)
    return sum((math.comb(n, j) * (1 - p) ** j * p ** (n - j) for j in range(min(k, n + 1))), Fraction(0))


def _laws() -> Iterator[bool]:
    for n, R, eps in ((7, 1, 0.1), (40, 2, 0.02), (33, 1, 0.03), (12, 3, 0.05), (90, 1, 0.011)):
        asked = BinaryWeights(R=R, eps=eps, alpha=0.77)
        count = math.ceil((Fraction(0.77) - Fraction(eps)) / (2 * Fraction(eps)))
        true = 1 - _below(n, count, R)
        yield at_most(asked.success_lower(n), true) and at_least(asked.success_upper(n), true)
    for n, k, R, bits in ((300, 160, 1, 64), (400, 380, 3, 64), (250, 100, 1, 96), (500, 260, 1, 53)):
        hit, miss = law.tail(n, k, R, bits)
        true = _below(n, k, R)
        yield miss.overlaps(ball(true)) and hit.overlaps(ball(1 - true))
        yield not (miss < ball(true) or miss > ball(true))
    for k in (2, 3, 9, 10**9):  # at R = 1 P(N < k) = 1/2 for n = 2k - 1
        eps = 1.0 / (2 * k + 1)
        eps = eps if (2 * k + 1) * Fraction(eps) >= 1 else math.nextafter(eps, 1.0)
        if theory.signs_needed(eps, alpha="worst") == k:
            yield theory.required_n(eps, 0.5, R=1) == 2 * k - 1
    for k in (3, 5, 8):  # P(N < k) = delta exactly
        n, eps = 2 * k + 2, 1.0 / (2 * k + 0.5)
        if theory.signs_needed(eps, alpha="worst") == k:
            yield theory.required_n(eps, float(_below(n, k, 1)), R=1) == n
            yield theory.required_n(eps, just_below(_below(n, k, 1)), R=1) == n + 1


def _forms() -> Iterator[bool]:
    for parts in range(1, 120, 2):  # certain signs: 1/(2k+1)
        k = (parts - 1) // 2
        n, R = max(1, k), 2000 if k else 1
        found = theory.guaranteed_error_exact(n, R, 0.05 if k else 0.25)
        yield at_least(Fraction(found) * (2 * n + 1 if k else 1), 1)
    for eps in (0.01, 1e-3, 0.2):
        for R in (1, 3):
            count, q = theory.signs_needed(eps, alpha="worst"), Fraction(2**R - 1, 2**R)
            assert count is not None
            for whole in range(3 * count, 3 * count + 12):
                # root^2 = n is L/(2q) = (sqrt n - (K-1)/sqrt n)^2 q: a delta at which the formula is just above n
                root = math.sqrt(whole)
                half = (float(q) * root - (count - 1) / root) ** 2
                delta = math.exp(-2.0 * half) * (1.0 - 1e-15)
                if 0.0 < delta < 1.0:
                    half_ball = -log(delta) / 2
                    exact = (half_ball.sqrt() + (half_ball + 4 * ball(q) * (count - 1)).sqrt()) / (2 * ball(q))
                    yield at_least(theory.required_n_closed_form(eps, delta, R=R), exact**2)


def _counting() -> Iterator[bool]:
    yield theory.necessary_n_shared_gain(0.25, 0.625, R=1, d=2) == 0  # (1 + n)^2 (1/4)(3/2) >= 3/8
    for k in (3, 10, 50):
        yield theory.necessary_n(2.0**-k, 0.5, R=1) == 2 ** (k - 1) - 1
    for eps, delta, R, d in ((1e-3, 0.05, 1, 2), (1e-3, 0.05, 3, 10), (0.01, 0.3, 2, 5)):
        n, q = theory.necessary_n_shared_gain(eps, delta, R=R, d=d), Fraction(2**R - 1, 2**R)
        e = Fraction(eps)

        def reach(n: int, q: Fraction = q, e: Fraction = e, d: int = d) -> Fraction:
            return (1 + 2 * q * n) ** d * e ** (d - 1) * (e + (1 + e) * d / 2)

        yield reach(n) >= 1 - Fraction(delta) > reach(n - 1)


def _deep() -> Iterator[bool]:
    for eps, delta, depth in ((0.05, 0.3, 3), (0.02, 0.2, 4), (0.05, 0.05, 5), (0.01, 0.5, 3), (0.1, 0.01, 2)):
        found = theory.required_width_deep(eps, delta, R=1, depth=depth)
        users = (depth - 2) * found.carriers + 1
        ones = users * _below(found.ones, found.base - 1, 1)
        carriers = ((depth - 3) * found.carriers + 1) * _below(found.carriers, found.base, 1) if depth > 2 else 0
        yield ones + carriers <= Fraction(delta)
        tight = just_below(ones + carriers)  # this design just misses it
        again = theory.required_width_deep(eps, tight, R=1, depth=depth)
        users = (depth - 2) * again.carriers + 1
        ones = users * _below(again.ones, again.base - 1, 1)
        carriers = ((depth - 3) * again.carriers + 1) * _below(again.carriers, again.base, 1) if depth > 2 else 0
        yield ones + carriers <= Fraction(tight)
