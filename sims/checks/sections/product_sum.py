"""Checks of statement 4.7: subset sums of products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, events
from sims.checks.facts import Pairs, Rng, agree, all_true, equal, generator, never_above
from sims.checks.sections import convolution_sums
from sims.checks.twins import gadgets as _gadgets
from sims.checks.twins import products as _products
from sims.solver.philox import uniforms
from theory import product_sum as theory
from theory.coverage import share_failure_bound

UNION = ((-1.0, 0.25),)
"""The set, in units of the reach, that one neuron translates."""


def checks(seed: int) -> list[Check]:
    """Statement 4.7 and its controls."""
    return [*_shift(), *_drift(), *_weights(), *_formulas(), *_controls(), *convolution_sums.checks(seed)]


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


def _gain(c: float, R: int) -> float:
    v = sum(b - a for a, b in UNION) / 2
    return c * (1 - v) * (1 - (1 - v) ** R)


def _drift() -> Iterator[Check]:
    for reach, R in ((0.25, 1), (0.4375, 1), (0.3125, 4)):
        bound = _gain(theory.drift_constant(reach, R), R)
        where = f"P(newly reached by one neuron), reach={reach:g} R={R} A = {UNION}"
        yield _drift_simulation(reach, R).lower("4.7", where, bound)


def _weight_simulation(n: int, R: int, w: float, eta: float) -> Simulation:
    """n neurons in one group, all choices tried."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _products.misses(uniforms(seed, first, trials, 2 * n * R), R, w, eta)

    return events(f"products n={n} R={R} w={w} eta={eta}", event, 10.0, 10_000, 200_000)


def _built(design: theory.Design, R: int, eta: float, w: float, tried: int) -> Simulation:
    """The shift as in the proof, then every choice of the first ``tried`` neurons of the first group."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        draws = uniforms(seed, first, trials, 2 * R * (design.shift + tried))
        rest = _products.residuals(draws[:, : 2 * R * design.shift], R, design.reach, w)
        if not design.groups:
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
    for eta, R, w, tried in ((0.45, 1, 1.0, 0), (0.3, 2, 0.9, 0), (0.2, 4, 1.0, 7)):
        design = theory.required_neurons(eta, delta, R=R)
        where = f"P(construction misses {w:g}), shift {design.shift}"
        where += f", {min(tried, design.group)} of {design.group} more" if design.groups else ""
        where += f", eta={eta:g} delta={delta:g} R={R}"
        yield _built(design, R, eta, w, min(tried, design.group)).upper("4.7", where, delta)


def _formulas() -> Iterator[Check]:
    yield Fact("4.7", "Lemma A: bound by another quadrature, above it by at most 15 %", _compare_shift)
    yield Fact("4.7", "Lemma B: drift constant by quadrature", _compare_drift)
    yield Fact("4.7", "Lemma C: sets of share 3/4 have all sums, exactly", _meeting)
    yield Fact("4.7", "Lemma D: formula", _compare_tail)
    yield Fact("4.7", "Lemma D: above an exact chain with this drift", _compare_chain)
    yield Fact("4.7", "designs: their parts fail with probability <= delta", _compare_designs)
    yield Fact("4.7", "corollary: formula, its proof's parts, above the design", _compare_formula)
    yield Fact("4.7", "networks: shares of delta, union bound, half the neurons", _compare_networks)


def _controls() -> Iterator[Check]:
    reach, R = 0.25, 1
    bound = _gain(2 * theory.drift_constant(reach, R), R)
    where = f"P(newly reached by one neuron), reach={reach:g} R={R} A = {UNION}"
    yield _drift_simulation(reach, R).lower("4.7", where, bound, control="drift constant doubled")
    yield Fact("4.7", "drift constant", _halved_drift, control="drift constant halved: the sign counted twice")
    bound = math.exp(theory.log_shift_failure_bound(96, 1, reach=0.4375))
    where = "P(shift fails), n=24 R=1 reach=.4375"
    yield _shift_simulation(24, 1, 0.4375).upper("4.7", where, bound, control="n = 96's bound")
    few = _weight_simulation(4, 1, 1.0, 0.25)
    yield few.upper("4.7", "P(none within .25 of 1), 4 neurons", 0.3, control="too few neurons")
    yield Fact("4.7", "sets of share .74 have all sums", partial(_meeting, share=0.74), control="share .74")


# -- independent computations -----------------------------------------------------------------------------------------


@never_above(slack=1e-9)
def _compare_shift(_: Rng) -> Pairs:
    for n, R, reach in itertools.product((8, 40, 300), (1, 3, 50), (0.25, 0.4375)):
        true = _products.log_shift(n, R, reach)
        found = theory.log_shift_failure_bound(n, R, reach=reach)
        if true < 0:
            yield -found, -true
            yield -true, -1.15 * found


@agree(1e-9, "4.7 drift")
def _compare_drift(rng: Rng) -> Pairs:
    cases = [(float(rng.uniform(0.05, 0.5)), int(10 ** rng.uniform(0, 3))) for _ in range(40)]
    for tau, R in (*cases, (0.25, 1), (0.5, 2)):
        yield theory.drift_constant(tau, R), _products.drift(tau, R)


@agree(1e-9)
def _halved_drift(_: Rng) -> Pairs:
    yield theory.drift_constant(0.25, 1) / 2, _products.drift(0.25, 1)


def _meeting(seed: int, share: float | None = None) -> Closest:
    rng, share = generator(seed, "4.7 meeting"), theory.MEETING_SHARE if share is None else share
    size = Fraction(share)
    pairs = [(_products.random_set(rng, size), _products.random_set(rng, size)) for _ in range(200)]
    left = [(Fraction(-1), -1 + 2 * size)]
    pairs.append((left, left))  # z = 1 needs the most of two sets at the same end
    return all_true([_products.sums_cover(one, two) for one, two in pairs], f"share {share:g}: sums cover [-1, 1]")


@agree(1e-9, "4.7 tail")
def _compare_tail(rng: Rng) -> Pairs:
    for _ in range(40):
        n, start, c = int(rng.integers(0, 2000)), float(10 ** rng.uniform(-6, -0.13)), float(rng.uniform(0.01, 1))
        true = min(1.0, 0.75 / start * (1 - c / 8) ** n)
        yield theory.share_tail_closed_form(n, start=start, c=c), true


@never_above(slack=1e-9)
def _compare_chain(_: Rng) -> Pairs:
    for start, c in ((0.5, 0.9), (0.25, 0.5), (2.0**-9, 0.3)):
        for n, true in enumerate(_products.doubling_chain(start, c, 60)):
            yield true, theory.share_tail_closed_form(n, start=start, c=c)


@never_above(slack=1e-9)
def _compare_designs(_: Rng) -> Pairs:
    """At least 1/2 of delta is used up, too: a design with more neurons than it needs would not."""
    for eta, delta, R in ((0.45, 0.3, 1), (0.2, 0.3, 4), (0.1, 0.2, 1), (0.02, 1e-4, 6), (1e-6, 0.05, 10**4)):
        one = theory.required_neurons(eta, delta, R=R)
        total = math.exp(_products.log_shift(one.shift, R, one.reach))
        if one.groups:
            unit, c = eta / one.reach, _products.drift(one.reach, R)
            stop = 0.75 if one.groups == 2 else 1 - unit / 4
            cells = math.ceil(8 * (math.log(stop / (1 - stop)) - math.log(unit / 2)) / c)
            total += one.groups * share_failure_bound(one.group, R, start=unit / 2, stop=stop, c=c, cells=cells)
        yield total, one.failure_bound
        yield one.failure_bound, delta
        yield delta, 2 * one.failure_bound
        yield one.neurons, one.shift + one.groups * one.group


def _compare_formula(seed: int) -> Closest:
    pairs, cases = [], []
    for eta, delta in itertools.product((1.0, 0.3, 0.2, 1e-2, 1e-5, 1e-9), (0.9, 0.1, 1e-6)):
        n = theory.neurons_closed_form(eta, delta)
        pairs.append((n, math.ceil(142 * math.log(1 / eta) + 149 * math.log(4 / delta))))
        s, logs = _products.log_laplace(0.25, 1)
        rate = -float(np.interp(8.0, s, logs))
        shift = math.ceil((6 + math.log(2 / delta)) / rate)
        if eta < 0.25:
            tail = 2 * 0.75 / (2 * eta) * (1 - _products.drift(0.25, 1) / 8) ** ((n - shift) // 2)
            cases.append(tail + math.exp(6 - rate * shift) <= delta)
        else:
            cases.append(n >= shift)
        if eta > 1e-3:
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
        fits = total <= math.log(delta) and total >= math.log(delta / 2)
        yield True, fits
        counts = theory.required_n(widths, eps, delta=delta, R=R)
        for design, eta, n in zip(designs, _gadgets.etas(widths, eps), counts, strict=True):
            again = theory.required_neurons(eta, delta / (2 * weights), R=R)
            yield design.neurons, again.neurons
            yield n, -(-design.neurons // 2)
