"""Sides of statements 6.1 and 6.2."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from sims.checks.check import Fact
from sims.checks.sides.exact import at_least, at_most, ball, fact, is_above_exp, is_below_rest, just_below, log
from theory import recycling as theory
from theory import subset_sum
from theory.numerics import rounding
from theory.recycling.moments import expected_good


def checks() -> list[Fact]:
    """Statements 6.1 and 6.2."""
    return [
        fact("6.1", "certain failures below, down to the smallest floats", _certain),
        fact("6.1", "expected number above, necessary n where it equals 1 - delta", _upper),
        fact("6.2", "failure above, n where it just exceeds delta", _lower),
    ]


def _certain() -> Iterator[bool]:
    for n in (1, 2, 5, 30, 1000, 1022, 1030, 1060, 1072):
        for eps, alpha in ((0.01, 0.5), (1e-9, 1.0), (0.3, 0.4)):
            a, e = Fraction(alpha), Fraction(eps)
            true = ((1 + (a - e) / n) / 2) ** n + max(Fraction(0), (1 - a - e) / 2) ** n
            yield at_most(theory.certain_failure(n, eps=eps, alpha=alpha), true)
        for eps in (0.01, 0.4):
            e, low = Fraction(eps), (1 + (1 - Fraction(eps)) / n) / 2
            true = Fraction(2 * n, n + 1) * (low ** (n + 1) - Fraction(1, 2 ** (n + 1)))
            true += Fraction(2, n + 1) * (Fraction(1, 2) - e) ** (n + 1)
            yield at_most(theory.certain_failure(n, eps=eps, alpha="uniform"), true)
    for eps in (0.01, 1e-30, 0.3):
        yield at_most(theory.certain_failure(0, eps=eps, alpha=1.0), 1)
        yield at_most(theory.certain_failure(0, eps=eps, alpha="uniform"), 1 - Fraction(eps))


def _upper() -> Iterator[bool]:
    for n in (1, 2, 3, 4):
        for eps, alpha in ((0.01, 0.3), (1e-3, 0.7), (1e-9, 1.0)):
            found = theory.success_prob_upper(n, eps=eps, alpha=alpha)
            certain = 1 - Fraction(theory.certain_failure(n, eps=eps, alpha=alpha))
            yield at_least(found, min(certain, expected_good(n, alpha=alpha, eps=eps, uniform=False)))
    for n in range(8, 20):
        found = theory.success_prob_upper(n, eps=0.01, alpha=0.5)
        yield at_least(found, 1 - Fraction(theory.certain_failure(n, eps=0.01, alpha=0.5)))
    for eps, n in ((0.02, 4), (0.01, 5), (0.007, 5), (0.003, 6), (0.0021, 6)):  # 1 - delta is the bound itself
        bound = theory.success_prob_upper(n, eps=eps, alpha=0.5)
        if 0.5 <= bound < 1.0 - 2.0 * theory.certain_failure(n, eps=eps, alpha=0.5):
            yield theory.necessary_n(eps, 1.0 - bound, alpha=0.5) <= n


def _lower() -> Iterator[bool]:
    for eps in (0.01, 0.1, 1e-3, 0.03, 0.2):
        pairs = [Fraction(theory.success_prob_pairs(n, eps=eps, alpha=0.5)) for n in range(4)]
        subsets = [ball(subset_sum.log_failure_prob_bound(n, 1, eps=eps, alpha=0.5)) for n in range(4)]
        each = [(log(1 - p)).min(s) for p, s in zip(pairs, subsets, strict=True)]
        for n, best in (
            (1, each[1]),
            (2, each[2].min(2 * each[1])),
            (3, each[3].min(each[2] + each[1]).min(3 * each[1])),
        ):
            found = theory.log_failure_prob_bound(n, eps=eps, alpha=0.5)
            yield at_least(found, best)
            yield is_above_exp(theory.failure_prob_bound(n, eps=eps, alpha=0.5), best)
            yield is_below_rest(theory.success_prob_lower(n, eps=eps, alpha=0.5), best)
    for eps in (0.1, 0.03):
        for n in (5, 6, 7, 8, 10, 12):
            bound = theory.log_failure_prob_bound(n, eps=eps, alpha=0.5)
            delta = just_below(ball(bound).exp())  # which n just misses
            enough = theory.required_n(eps, delta, alpha=0.5)
            yield bool(ball(theory.log_failure_prob_bound(enough, eps=eps, alpha=0.5)) <= log(delta))
    for x in (Fraction(1, 3), Fraction(2, 3), Fraction(1, 10), Fraction(10, 7), Fraction(-1, 3)):
        yield at_least(rounding.above(x), x) and at_most(rounding.below(x), x)
    for value in (0.3, 1e-9, 0.9):
        yield at_most(rounding.lowered(value), Fraction(value) - Fraction(value) / 2**53)
        yield at_least(rounding.raised(value), Fraction(value) + Fraction(value) / 2**53)
