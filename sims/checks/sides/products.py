"""Sides of statement 4.7."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from sims.checks.check import Fact
from sims.checks.sides.exact import TINIEST, at_least, at_most, ball, fact, log, watched
from theory import product_sum as theory
from theory.coverage import DRIFT_PROVED
from theory.product_sum import bounds, first_moment, steps
from theory.product_sum.parameters import ProductSumParameters


def checks() -> list[Fact]:
    """Statement 4.7 and its part (e)."""
    return [
        fact("4.7", "transform of the largest usable product, on the proof's cells", _laplace),
        fact("4.7", "drift below, closed forms above", _formulas),
        fact("4.7", "accuracy and shares that designs are made with, their failures above", _designs),
        fact("4.7", "(e) expected number of good choices above", _choices),
    ]


def _laplace() -> Iterator[bool]:
    """log E exp(-sZ) by the two lower sums of Lemma A, in long doubles (u = 2^-64), without slack."""
    for reach, R in ((0.25, 1), (0.375, 2), (0.4375, 50)):
        top = np.longdouble(2 * reach)
        b = np.linspace(0, 1, 257, dtype=np.longdouble)[:, None] ** (1 / np.longdouble(R))
        z = np.linspace(0, top, 129, dtype=np.longdouble)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(b > 0, np.maximum(0, np.minimum(top, b) - z) / (2 * b), 0)
        hit = -np.expm1(R * np.log1p(-p))
        tail = np.minimum(hit[1:], hit[:-1]).mean(axis=0)[1:] / 2
        found = steps._log_laplace(reach, R)
        for s, value in found[::10]:
            exact = np.log1p(-((np.exp(-s * z[:-1]) - np.exp(-s * z[1:])) @ tail))
            yield bool(exact <= value <= exact + 1e-8)
        for n in (1, 50, 300):
            least = min(0.0, *(s * (1.0 - reach) + n * value for s, value in found))
            yield theory.log_shift_failure_bound(n, R, reach=reach) >= min(0.0, least)


def _moment(x: Fraction, y: Fraction, R: int) -> Any:
    if R == 1:
        return log(y / x)
    return ball(Fraction(R, R - 1) * (y ** (R - 1) - x ** (R - 1)))


def _formulas() -> Iterator[bool]:
    for reach in (0.25, 0.3125, 0.1, 0.5):
        for R in (1, 2, 3, 10):
            tau = Fraction(reach)
            true = ball(tau / 2) * (ball(DRIFT_PROVED) * _moment(tau, 2 * tau, R) + _moment(2 * tau, Fraction(1), R))
            yield at_most(theory.drift_constant(reach, R), true)
    for n, start, c in ((100, 0.07, 0.8), (3, 0.7, 0.3), (300, 1e-9, 0.9), (50, 0.5, 0.05)):
        true_share = Fraction(3, 4) / Fraction(start) * (1 - Fraction(c) / 8) ** n
        yield at_least(theory.share_tail_closed_form(n, start=start, c=c), min(Fraction(1), true_share))
    for eta, delta in ((1e-300, 1e-300), (TINIEST, TINIEST), (0.1, 0.5), (1e-12, 1e-9)):
        # move eta until the formula is just above a whole number
        whole = math.ceil(-142.0 * math.log(eta) + 149.0 * math.log(4.0 / max(delta, 1e-300)))
        for near in (eta, math.exp(-(whole - 149.0 * math.log(4.0 / max(delta, 1e-300))) / 142.0) * (1.0 - 1e-15)):
            if near > 0.0:
                small = max(delta, 1e-300)
                yield at_least(
                    theory.neurons_closed_form(near, small), -142 * log(near) + 149 * log(4 / Fraction(small))
                )


def _designs() -> Iterator[bool]:
    for eta, delta, R in ((0.3, 0.013, 50), (0.013, 0.21, 200)):
        bounds._best_design.cache_clear()
        with watched(bounds, "share_failure_bound") as calls:
            found = theory.required_neurons(eta, delta, R=R)
        starts = {
            2 * Fraction(given["start"]) * Fraction(reach) <= Fraction(eta)
            for _, given in calls
            for reach in bounds.REACHES
            if abs(2 * given["start"] * reach / eta - 1) < 1e-9
        }
        yield bool(calls) and starts == {True}
        yield found.failure_bound <= delta
    for eta, delta in ((0.6, 0.01), (0.5, 1e-6), (0.9, 1e-12)):  # the shift alone
        found = theory.required_neurons(eta, delta, R=3)
        alone = theory.log_shift_failure_bound(found.shift, 3, reach=found.reach)
        yield found.groups == 0 and at_least(found.failure_bound, ball(alone).exp())
    for widths in ((3, 2), (7, 1, 5), (11, 13)):
        with watched(bounds, "required_neurons") as calls:
            theory.network_designs(widths, 1.0, delta=0.3, R=10**6)
        weights = sum(a * b for a, b in itertools.pairwise(widths))
        yield bool(calls) and all(2 * weights * Fraction(given[1]) <= Fraction(0.3) for given, _ in calls)


def _mass(z: Fraction, R: int) -> Any:
    """P(0 < a beta <= z)."""
    z = min(z, Fraction(1))
    if z == 0:
        return ball(0)
    return ball(z) * (1 - log(z)) / 2 if R == 1 else ball(Fraction(R, 2 * (R - 1)) * (z - z**R / R))


def _choices() -> Iterator[bool]:
    for eps, alpha, R in ((0.01, 0.5, 1), (1e-9, 0.7, 1), (1e-7, 0.3, 5), (0.3, 0.9, 2)):
        high, low = Fraction(alpha) + Fraction(eps), Fraction(alpha) - Fraction(eps)
        one = _mass(high, R) - _mass(low, R)
        asked = ProductSumParameters(R=R, eps=eps, alpha=alpha)
        yield at_least(first_moment.log_expected_good_bound(1, asked), (ball(Fraction(R, 2)) * one).log())
        yield at_least(theory.success_prob_upper(1, R, eps=eps, alpha=alpha), (ball(Fraction(R, 2)) * one))
