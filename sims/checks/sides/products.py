"""Sides of statement 4.7."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from sims.checks.check import Fact
from sims.checks.sides.exact import TINIEST, at_least, at_most, ball, fact, log, watched
from theory import product_sum as theory
from theory.coverage.tail import Step
from theory.product_sum import bounds, first_moment, steps
from theory.product_sum.parameters import ProductSumParameters


def checks() -> list[Fact]:
    """Statement 4.7 and its part (e)."""
    return [
        fact("4.7", "transform of the largest usable product, on the proof's cells", _laplace),
        fact("4.7", "steps below, factor and closed forms above", _formulas),
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


def _formulas() -> Iterator[bool]:
    for reach, R in itertools.product((0.25, 0.375, 0.1, 0.5), (1, 2, 3, 10)):
        yield from _steps(theory.neuron_steps(reach, R), Fraction(reach), R)
        less = sum(
            Fraction(step.weight) * (1 - _factor(1 if step.x > 0.5 else R, Fraction(min(step.x, 0.5))))
            for step in theory.neuron_steps(reach, R, parts=64)
        )
        yield at_least(theory.neuron_factor(reach, R), 1 - less)
        for n, start, missing in ((0, 0.5, 0.25), (200, 0.1, 0.1), (90, 1e-9, 1e-6)):
            odds = (1 - Fraction(missing)) / Fraction(missing) * (1 / Fraction(start) - 1)
            true = log(odds) + n * log(Fraction(theory.neuron_factor(reach, R)))
            found = theory.log_share_failure_bound(n, R, reach=reach, start=start, missing=missing)
            yield found == 0.0 or at_least(found, true)
    for eta, delta in ((1e-300, 1e-300), (TINIEST, TINIEST), (0.1, 0.5), (1e-12, 1e-9)):
        # move eta until the formula is just above a whole number
        small = max(delta, 1e-300)
        rest = 19.2 * math.log(12.0 / small)
        whole = math.ceil(-25.4 * math.log(eta) + rest)
        for near in (eta, math.exp(-(whole - rest) / 25.4) * (1.0 - 1e-15)):
            if near > 0.0:
                exact = (192 * log(12 / Fraction(small)) - 254 * log(near)) / 10
                yield at_least(theory.neurons_closed_form(near, small), exact)


def _factor(R: int, x: Fraction) -> Fraction:
    return (1 - (1 - x) ** (R + 1)) / ((R + 1) * x)


def _steps(found: Sequence[Step], reach: Fraction, R: int) -> Iterator[bool]:
    """Weights below the probabilities of the cells, x below the reach over the largest beta of the cell."""
    middle = min(Fraction(1), 2 * reach)
    far = [step for step in found if step.x < 1.0]
    for k, step in enumerate(far, start=1):
        low = 1 - middle**R
        end = ball(1 - low * (1 - Fraction(k, len(far)))).root(R)
        yield at_most(step.weight, low / (2 * len(far))) and at_most(step.x, ball(reach) / end)
    for step in found:
        yield step.x < 1.0 or (step.x == 1.0 and at_most(step.weight, (middle**R - reach**R) / 2))


def _designs() -> Iterator[bool]:
    for eta, reach in ((0.3, 0.375), (0.013, 0.3), (1e-9, 0.1), (0.1, 0.11), (0.07, 0.49)):
        yield Fraction(theory.unit_accuracy(eta, reach)) * Fraction(reach) <= Fraction(eta)
    for eta, delta, R in ((0.3, 0.013, 50), (0.013, 0.21, 200)):
        bounds._best_design.cache_clear()
        with watched(bounds, "tail_of") as calls, watched(bounds, "_sum_up") as sums:
            found = theory.required_neurons(eta, delta, R=R)
        yield bool(calls) and bool(sums) and found.failure_bound <= delta
        for (_, start, stop, *_), _ in calls:
            yield 2 * Fraction(start) * Fraction(bounds.REACH) <= Fraction(eta)
            yield 4 * (1 - Fraction(stop)) * Fraction(bounds.REACH) <= Fraction(eta)
        for (tail, shift, *_), _ in sums:
            missed = ball(theory.log_shift_failure_bound(shift, R, reach=bounds.REACH)).exp()
            yield found.shift == shift and at_least(found.failure_bound, ball(tail) + missed)
            by_formula = theory.log_share_failure_bound(
                found.group, R, reach=bounds.REACH, start=eta / bounds.REACH / 2, missing=eta / bounds.REACH / 4
            )
            yield found.group > 0 and 0.0 < tail <= max(delta / 2, math.exp(by_formula))
    for eta, delta in ((0.6, 0.01), (0.5, 1e-6), (0.9, 1e-12)):  # the shift alone
        found = theory.required_neurons(eta, delta, R=3)
        alone = theory.log_shift_failure_bound(found.shift, 3, reach=found.reach)
        yield found.group == 0 and at_least(found.failure_bound, ball(alone).exp())
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
