"""Checks of statement 4.7: subset sums of products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, events
from sims.checks.facts import Pairs, Rng, agree, all_true, equal, never_above
from sims.checks.rare import rare
from sims.checks.sections import convolution_sums
from sims.checks.sides import products as sides
from sims.checks.twins import gadgets as _gadgets
from sims.checks.twins import products as _products
from sims.solver.philox import uniforms
from theory import product_sum as theory
from theory.coverage import expected_share
from theory.coverage.tail import Tail
from theory.product_sum.steps import _log_laplace

UNION = ((-1.0, 0.25),)
"""The set, in units of the reach, that one neuron translates."""


def checks(seed: int) -> list[Check]:
    """Statement 4.7 and its controls."""
    return [
        *_shift(), *_drift(), *_weights(), *_rare(), *_formulas(), *_controls(),
        *convolution_sums.checks(seed), *sides.checks(),
    ]  # fmt: skip


def _shift_simulation(n: int, R: int, reach: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        sums = _products.steps(uniforms(seed, first, trials, 2 * n * R), R, reach).sum(axis=1)
        return np.asarray(sums < 1 - reach)

    return events(f"shift n={n} R={R} reach={reach}", event, 0.12 * n * R, 20_000, 1_000_000)


def _shift() -> Iterator[Check]:
    for n, R, reach in ((24, 1, 0.4375), (10, 3, 0.375), (6, 20, 0.375)):
        bound = math.exp(theory.log_shift_failure_bound(n, R, reach=reach))
        where = f"P(shift fails), n={n} R={R} reach={reach:g}"
        yield _shift_simulation(n, R, reach).upper("4.7", where, bound)


def _drift_simulation(reach: float, R: int) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _products.newly_reached(uniforms(seed, first, trials, 1 + 2 * R), R, reach, UNION)

    return events(f"neuron reach={reach} R={R}", event, 0.2 + 0.1 * R, 200_000, 2_000_000)


SHARE = 0.625
"""The share of `UNION`."""


def _drift() -> Iterator[Check]:
    for reach, R in ((0.25, 1), (0.4375, 1), (0.3125, 4)):
        bound = sum(
            step.weight * (expected_share(SHARE, R, x=step.x) - SHARE) for step in theory.neuron_steps(reach, R)
        )
        where = f"P(newly reached by one neuron), reach={reach:g} R={R} A = {UNION}"
        yield _drift_simulation(reach, R).lower("4.7", where, bound)


def _weight_simulation(n: int, R: int, w: float, eta: float) -> Simulation:
    """n neurons in one group, all choices tried."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _products.misses(uniforms(seed, first, trials, 2 * n * R), R, w, eta)

    return events(f"products n={n} R={R} w={w} eta={eta}", event, 10.0, 10_000, 200_000)


def _built(design: theory.Design, R: int, eta: float, w: float, tried: int) -> Simulation:
    """The shift as in the proof, then every choice of the first ``tried`` neurons of the group."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        draws = uniforms(seed, first, trials, 2 * R * (design.shift + tried))
        rest = _products.residuals(draws[:, : 2 * R * design.shift], R, design.reach, w)
        if not design.group:
            return np.asarray(np.abs(rest) > eta)
        return _products.misses(draws[:, 2 * R * design.shift :], R, rest, eta)

    name = f"design {design.shift} {design.group} R={R} eta={eta} w={w} {tried}"
    return events(name, event, 0.15 * design.shift * R + 5.0, 10_000, 200_000)


def _weights() -> Iterator[Check]:
    delta = 0.3
    for eta, R, w, tried in ((0.25, 1, 1.0, 20), (0.25, 1, -0.6, 18), (0.3, 2, 1.0, 14)):
        enough = theory.required_neurons(eta, delta, R=R).neurons
        where = f"P(none within {eta:g} of {w:g}), required {enough}, tried with {tried}, delta={delta:g} R={R}"
        yield _weight_simulation(min(tried, enough), R, w, eta).upper("4.7", where, delta)
    for eta, R, w, tried in ((0.45, 1, 1.0, 0), (0.4, 2, 0.9, 0), (0.2, 4, 1.0, 7)):
        design = theory.required_neurons(eta, delta, R=R)
        where = f"P(construction misses {w:g}), shift {design.shift}"
        where += f", {min(tried, design.group)} of {design.group} more" if design.group else ""
        where += f", eta={eta:g} delta={delta:g} R={R}"
        yield _built(design, R, eta, w, min(tried, design.group)).upper("4.7", where, delta)


def _rare() -> Iterator[Check]:
    """Failures far below what counts see."""
    one, delta = theory.ProductSum(R=5, eps=0.1), 1e-6
    n = one.required_n(delta)
    yield rare("4.7", f"P(no sum) at required_n={n}, delta={delta:g} R=5 eps=0.1", one, n, delta)
    where = "P(no sum) at n=20, delta=1e-06 R=5 eps=0.1"
    yield rare("4.7", where, one, 20, delta, control="20 neurons")


def _formulas() -> Iterator[Check]:
    yield Fact("4.7", "Lemma A: bound by another quadrature, above it by at most 15 %", _compare_shift)
    yield Fact("4.7", "Lemma A: its lower sum in extended precision, never below it", _compare_lower_sum)
    yield Fact("4.7", "Lemma B: gain of the kinds by quadrature, below it and near it", _compare_kinds)
    yield Fact("4.7", "Lemma C: factor by quadrature, above it and near it", _compare_factor)
    yield Fact("4.7", "accuracy in units of the reach, rounded down", _compare_unit)
    yield Fact("4.7", "designs: their parts fail with probability <= delta", _compare_designs)
    yield Fact("4.7", "corollary: formula, its proof's parts, above the design", _compare_formula)
    yield Fact("4.7", "networks: shares of delta, union bound, half the neurons", _compare_networks)


def _controls() -> Iterator[Check]:
    bound = 2 * _products.drift(0.25, 1, SHARE)
    where = f"P(newly reached by one neuron), reach=0.25 R=1 A = {UNION}"
    yield _drift_simulation(0.25, 1).lower("4.7", where, bound, control="gain doubled")
    yield Fact("4.7", "factor of R = 2 claimed of R = 1", partial(_compare_factor, more=1), control="one more draw")
    bound = math.exp(theory.log_shift_failure_bound(96, 1, reach=0.4375))
    where = "P(shift fails), n=24 R=1 reach=.4375"
    yield _shift_simulation(24, 1, 0.4375).upper("4.7", where, bound, control="n = 96's bound")
    few = _weight_simulation(4, 1, 1.0, 0.25)
    yield few.upper("4.7", "P(none within .25 of 1), 4 neurons", 0.3, control="too few neurons")


# -- independent computations -----------------------------------------------------------------------------------------


@never_above(slack=1e-9)
def _compare_shift(_: Rng) -> Pairs:
    for n, R, reach in itertools.product((8, 40, 300), (1, 3, 50), (0.25, 0.4375)):
        true = _products.log_shift(n, R, reach)
        found = theory.log_shift_failure_bound(n, R, reach=reach)
        if true < 0:
            yield -found, -true
            yield -true, -1.15 * found


@never_above(slack=0.0)
def _compare_lower_sum(_: Rng) -> Pairs:
    """The library takes 1e-9 off the sum: its logarithm is above the exact one, by a few 1e-9 at most."""
    for R, reach, index in ((1, 0.375, 20), (4, 0.5, 30)):
        s, found = _log_laplace(reach, R)[index]
        exact = _products.lower_sum(s, reach, R)
        yield -found, -exact
        yield -exact, -found + 1e-8


@never_above(slack=1e-12)
def _compare_kinds(rng: Rng) -> Pairs:
    cases = [
        (float(rng.uniform(0.05, 0.5)), int(10 ** rng.uniform(0, 2)), float(rng.uniform(0.01, 0.9))) for _ in range(20)
    ]
    for reach, R, v in (*cases, (0.25, 1, 0.5), (0.5, 2, 0.1)):
        kinds = theory.neuron_steps(reach, R, parts=32)
        found = sum(kind.weight * (expected_share(v, R if kind.x <= 0.5 else 1, x=kind.x) - v) for kind in kinds)
        exact = _products.drift(reach, R, v)
        yield found, exact
        yield exact, found * 1.1
        yield sum(kind.weight for kind in kinds), (1 - reach**R) / 2


@never_above(slack=1e-12)
def _compare_factor(_: Rng, more: int = 0) -> Pairs:
    for reach, R in itertools.product((0.1, 0.3, 0.375, 0.5), (1, 2, 5, 40)):
        exact, found = _products.factor(reach, R), theory.neuron_factor(reach, R + more)
        yield exact, found
        yield 1 - exact, 1.02 * (1 - found)
        for n in (3, 200):
            whole = math.log(0.9 / 0.1) + math.log(1 / 0.2 - 1) + n * math.log(found)
            yield (
                abs(theory.log_share_failure_bound(n, R + more, reach=reach, start=0.2, missing=0.1) - min(0.0, whole)),
                1e-9,
            )


@never_above(slack=0.0)
def _compare_unit(rng: Rng) -> Pairs:
    for _ in range(200):
        eta, reach = float(rng.uniform(0, 0.4)), float(rng.uniform(0.1, 0.5))
        yield float(Fraction(theory.unit_accuracy(eta, reach)) * Fraction(reach) - Fraction(eta)), 0.0
        yield eta * (1 - 1e-15), theory.unit_accuracy(eta, reach) * reach * (1 + 1e-15)


@never_above(slack=1e-9)
def _compare_designs(_: Rng) -> Pairs:
    """At least 0.4 of delta is used up, too: a design with more neurons than it needs would not."""
    for eta, delta, R in ((0.45, 0.3, 1), (0.2, 0.3, 4), (0.1, 0.2, 1), (0.02, 1e-3, 6), (1e-8, 0.05, 10**4)):
        one = theory.required_neurons(eta, delta, R=R)
        total = math.exp(_products.log_shift(one.shift, R, one.reach))
        if one.group:
            unit = eta / one.reach
            kinds = theory.neuron_steps(one.reach, R)
            tail = Tail(R, unit / 2 * (1 - 1e-12), 1 - unit / 4 * (1 - 1e-12), kinds, 300).up_to(one.group)
            formula = (4 / unit) * (2 / unit) * theory.neuron_factor(one.reach, R) ** one.group
            total += min(tail, formula) if unit > 1e-6 else formula
        yield total, 1.25 * one.failure_bound
        yield one.failure_bound, delta
        yield 0.4 * delta, one.failure_bound
        yield one.neurons, one.shift + one.group


def _compare_formula(seed: int) -> Closest:
    pairs, cases = [], []
    for eta, delta in itertools.product((1.0, 0.3, 0.2, 1e-2, 1e-5, 1e-9), (0.9, 0.1, 1e-6)):
        n = theory.neurons_closed_form(eta, delta)
        pairs.append((n, math.ceil(25.4 * math.log(1 / eta) + 19.2 * math.log(12 / delta))))
        s, logs = _products.log_laplace(0.3, 1)
        rate = -float(np.interp(8.0, s, logs))
        shift = math.ceil((5.6 + math.log(2 / delta)) / rate)
        if eta < 0.3:
            tail = 8 * 0.09 / eta**2 * _products.factor(0.3, 1) ** (n - shift)
            cases.append(tail + math.exp(5.6 - rate * shift) <= delta)
        else:
            cases.append(n >= shift)
        if eta > 0.1 and delta > 1e-3:
            cases += [theory.required_neurons(eta, delta, R=R).neurons <= n for R in (1, 5)]
    found = equal(pairs, 1e-12)
    return found if all(cases) else all_true(cases, "the formula suffices by its own proof")


@agree(1e-9)
def _compare_networks(_: Rng) -> Pairs:
    for widths, eps, delta, R in (((1, 1), 1.0, 0.3, 2), ((3, 2, 4), 0.3, 0.05, 4), ((5, 5, 5, 2), 0.5, 0.01, 30)):
        designs = theory.network_designs(widths, eps, delta=delta, R=R)
        failures = [design.failure_bound for design in designs]
        total = _products.log_union(widths, failures)
        yield theory.log_network_failure_bound(widths, designs), total
        weights = sum(a * b for a, b in itertools.pairwise(widths))
        fits = math.log(delta / 2.5) <= total <= math.log(delta)
        yield True, fits
        counts = theory.required_n(widths, eps, delta=delta, R=R)
        for design, eta, n in zip(designs, _gadgets.etas(widths, eps), counts, strict=True):
            again = theory.required_neurons(eta, delta / (2 * weights), R=R)
            yield design.neurons, again.neurons
            yield n, -(-design.neurons // 2)
