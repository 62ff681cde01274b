"""Sides of statements 8: how many bits a ticket needs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sims.checks.check import Fact
from sims.checks.sides.exact import TINIEST, at_least, at_most, ball, fact, log
from theory import bits as theory
from theory.bits import DrawCode, Histogram, Laws
from theory.bits.choice import most_draws

EPS = (0.5, 0.3, 0.01, 1e-9, 1e-60)
_HAIR = Fraction(1, 2**300)

FIXED = ((0.5, 0.0, 1), (0.3, 0.9, 2), (0.01, -1.0, 1), (1e-9, 0.5, 1), (0.07, 0.97, 4))
"""eps, alpha and d of fixed blocks."""


def checks() -> list[Fact]:
    """Statements 8.1 to 8.5."""
    return [
        fact("8.1", "necessary bits and codewords below", _limits),
        fact("8.2", "entropy of coin tosses and of a uniform block", _entropies),
        fact("8.3", "uniform laws and three cells, enclosed", _mismatches),
        fact("8.4", "misses and draws of a fixed block, enclosed", _capped),
        fact("8.5", "largest R of a budget, least mean rank", _budgets),
    ]


def _log2(x: Any) -> Any:
    return (x.log() if hasattr(x, "log") else log(x)) / log(2)


def _limits() -> Iterator[bool]:
    for eps in EPS:
        for d in (1, 2, 4):
            true = -d * _log2(Fraction(eps)) + ball(_HAIR)  # a whole number at eps = 1/2
            found = theory.necessary_bits(DrawCode(eps=eps, d=d))
            yield at_most(found, true) and at_least(found, true * (1 - ball(1e-15)))
            for delta in (0.01, 0.5, TINIEST):
                true = -d * _log2(Fraction(eps)) + _log2(1 - Fraction(delta)) + ball(_HAIR)
                yield at_most(theory.necessary_log2_codewords(eps, delta, d=d), true.max(ball(0)))
        law = Histogram((-0.7, 0.1, 0.4), (0.3, 0.6))
        h = sum((s * _log2((b - a) / s) for a, b, s in (_exact(c) for c in law.cells)), ball(0))
        laws = Laws(target=law, source=theory.UNIFORM, eps=eps)
        yield at_most(theory.necessary_bits(laws), (h - _log2(2 * Fraction(eps))).max(ball(0)))
        yield at_most(theory.entropy_bits(law), h)


def _exact(cell: tuple[Fraction, Fraction, Fraction]) -> tuple[Any, ...]:
    return tuple(ball(part) for part in cell)


def _hit(eps: float, alpha: float, d: int) -> Fraction:
    width = Fraction(eps)
    return ((width + min(width, 1 - abs(Fraction(alpha)))) / 2) ** d


def _coin(p: Any) -> Any:
    """H2(p)/p in bits."""
    return -_log2(p) - (1 - p) / p * (-p).log1p() / log(2)


def _entropies() -> Iterator[bool]:
    for eps, alpha, d in FIXED:
        one, true = DrawCode(eps=eps, alpha=alpha, d=d), _coin(ball(_hit(eps, alpha, d)))
        yield at_most(theory.index_bits_lower(one), true) and at_least(theory.index_bits_bound(one), true)
        low, high = theory.mean_log2_index(one)
        p, gamma = ball(_hit(eps, alpha, d)), ball(0).const_euler()
        yield at_most(low, -_log2(p)) and at_most(low, high)
        yield at_least(high, -_log2(p) - gamma / log(2))
        left = p / 2 * (2 + p - p.log())
        yield at_most(low, (-p.log() - gamma + left) / log(2))
    for eps in EPS:
        for d in (1, 2, 4):
            e = ball(Fraction(eps))
            mean = ((1 + e * (2 * log(2) - 1)) / e) ** d
            yield at_least(theory.index_bits_bound(DrawCode(eps=eps, d=d)), _coin(1 / mean))
            p = ball(Fraction(eps) ** d)
            inverse = d * (-_log2(Fraction(eps)) + e * (1 / log(2) - 1))
            yield at_most(theory.index_bits_lower(DrawCode(eps=eps, d=d)), inverse + (1 - (p + p * p) / 2) / log(2))


def _mean_log(u: Fraction, v: Fraction) -> Any:
    """Mean of log over [u, v], by the antiderivative."""
    if u == v:
        return log(u)
    return (ball(v) * log(v) - (ball(u) * log(u) if u else 0)) / ball(v - u) - 1


def _mismatches() -> Iterator[bool]:
    for eps in EPS:
        for d in (1, 3):
            true = d * ball(Fraction(eps)) * (1 / log(2) - 1)
            low, high = theory.mismatch_bits(DrawCode(eps=eps, d=d))
            yield at_most(low, true) and at_least(high, true)
            low, high = theory.mean_log2_inverse_hit(DrawCode(eps=eps, d=d))
            true -= d * _log2(Fraction(eps))
            yield at_most(low, true) and at_least(high, true)
    # weights on [0, 1/2], draws of density 1/4 below 1/4 and 3/4 above, from -1/4 to 3/4; p is linear near 1/4
    source = Histogram((-0.25, 0.25, 0.75), (1.0, 3.0))
    for step in (2, 3, 5):
        half = Fraction(1, 2**step)
        laws = Laws(target=Histogram((0.0, 0.5), (1.0,)), source=source, eps=float(half))
        near, far, middle = half, 3 * half, min(half, Fraction(1, 4))
        flat = 2 * (Fraction(1, 4) - middle)  # of the length 1/2, on both sides together
        mean = ball(flat) * (log(near) + log(far)) + ball(1 - 2 * flat) * _mean_log(near, far)
        low, high = theory.mean_log2_inverse_hit(laws)
        yield at_most(low, -mean / log(2)) and at_least(high, -mean / log(2))


def _capped() -> Iterator[bool]:
    for eps, alpha, d in FIXED:
        one, p = DrawCode(eps=eps, alpha=alpha, d=d), _hit(eps, alpha, d)
        for R in (1, 2, 100, 10**6, 2**60):
            miss = (R * log(1 - p)).exp()
            draws = (1 - miss) / ball(p)
            low, high = theory.miss_prob(R, one)
            yield at_most(low, miss) and at_least(high, miss)
            low, high = theory.mean_draws(R, one)
            yield at_most(low, draws) and at_least(high, draws)
            hit = ball(Fraction(theory.hit_share(R, one)))
            cost = -(1 - miss) * _log2(hit) - (draws - 1 + miss) * _log2(1 - hit) + 9 * miss
            yield at_least(theory.capped_bits_bound(R, one, exception_bits=9.0), cost)


def _budgets() -> Iterator[bool]:
    for eighths in range(0, 8 * 59 + 1, 7):
        for n in (1, 2, 3, 7):
            R = most_draws(eighths / 8, n)
            yield (R + 1) ** (8 * n) <= 2**eighths < (R + 2) ** (8 * n)
    for eps in EPS:
        true = -_log2(Fraction(eps)) - 1 / log(2)
        yield at_most(theory.rank_log2_lower(eps), true.max(ball(0)))
