"""Checks of statement 4.10: attention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from sims.checks.check import Check, Fact, Simulation, events
from sims.checks.facts import Pairs, Rng, agree, never_above
from sims.checks.twins import attention as _twins
from sims.solver.philox import uniforms
from theory import attention as theory
from theory.product_sum import neuron_factor

_LOW, _HIGH = -1.0, 0.25
"""The set, in units of the reach, that one neuron translates."""


def checks(seed: int) -> list[Check]:
    """Statement 4.10 and its controls."""
    return [*_outputs(), *_neurons(), *_designs(), *_controls()]


def _outputs() -> Iterator[Check]:
    yield Fact("4.10", "softmaxes of scores that differ by at most sigma: l1 distance", _softmax)
    yield Fact("4.10", "two scores that attain the softmax's bound", _attained_softmax)
    yield Fact("4.10", "attentions with errors eta: every token within eps", _propagate)
    yield Fact("4.10", "attentions that attain the bound of the scores' errors", _attained)


def _shift(n: int, R: int, reach: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return np.asarray(_twins.shift_sums(uniforms(seed, first, trials, 2 * n * R), R, reach) < 1 - reach)

    return events(f"plain shift n={n} R={R} reach={reach}", event, 0.15 * n * R, 20_000, 300_000)


def _pick(n: int, R: int, reach: float, eta: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _twins.pick_misses(uniforms(seed, first, trials, 2 * n * R), R, reach, eta)

    return events(f"pick n={n} R={R} reach={reach} eta={eta}", event, 0.15 * n * R, 20_000, 300_000)


def _drift(reach: float, R: int) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _twins.newly_reached(uniforms(seed, first, trials, 1 + 2 * R), R, reach, _LOW, _HIGH)

    return events(f"plain neuron reach={reach} R={R}", event, 0.2 + 0.1 * R, 100_000, 1_000_000)


def _gain(factor: float) -> float:
    """Growth of the share v that E[1/v' - 1] <= factor (1/v - 1) implies, by Jensen's inequality."""
    v = (_HIGH - _LOW) / 2
    return 1 / (1 + factor * (1 / v - 1)) - v


def _neurons() -> Iterator[Check]:
    for n, R, reach in ((12, 1, 0.4375), (4, 4, 0.375)):
        bound = math.exp(theory.log_plain_shift_failure_bound(n, R, reach=reach))
        yield _shift(n, R, reach).upper("4.10", f"P(shift fails), n={n} R={R} reach={reach:g}", bound)
    for n, R, reach, eta in ((8, 1, 0.5, 0.1), (2, 12, 0.25, 0.05), (1, 60, 0.4375, 0.02)):
        bound = math.exp(theory.log_pick_failure_bound(n, eta, R, reach=reach))
        yield _pick(n, R, reach, eta).upper("4.10", f"P(no pick), n={n} R={R} reach={reach:g} eta={eta:g}", bound)
    for reach, R in ((0.25, 1), (0.3125, 4)):
        bound = _gain(neuron_factor(reach, R, usable=1.0))
        where = f"P(newly reached by one neuron), reach={reach:g} R={R} A = [{_LOW:g}, {_HIGH:g}]"
        yield _drift(reach, R).lower("4.10", where, bound)


def _sums(n: int, R: int, eta: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return _twins.sum_misses(uniforms(seed, first, trials, 2 * n * R), R, 1.0, eta)

    return events(f"plain sums n={n} R={R} eta={eta}", event, 10.0, 5_000, 50_000)


def _designs() -> Iterator[Check]:
    delta = 0.3
    for eta, R, tried in ((0.3, 1, 14), (0.2, 3, 5)):
        enough = theory.required_neurons(eta, delta, R=R).neurons
        where = f"P(none within {eta:g} of 1), required {enough}, tried with {tried}, delta={delta:g} R={R}"
        yield _sums(min(tried, enough), R, eta).upper("4.10", where, delta)


def _controls() -> Iterator[Check]:
    bound = _gain(neuron_factor(0.25, 1, usable=1.0) ** 4)
    where = f"P(newly reached by one neuron), reach=.25 R=1 A = [{_LOW:g}, {_HIGH:g}]"
    yield _drift(0.25, 1).lower("4.10", where, bound, control="factor to the fourth power")
    bound = math.exp(theory.log_pick_failure_bound(16, 0.1, 1, reach=0.5))
    yield _pick(8, 1, 0.5, 0.1).upper("4.10", "P(no pick), n=8", bound, control="n = 16's bound")
    bound = math.exp(theory.log_plain_shift_failure_bound(48, 1, reach=0.4375))
    yield _shift(12, 1, 0.4375).upper("4.10", "P(shift fails), n=12", bound, control="n = 48's bound")
    few = _sums(2, 1, 0.3)
    yield few.upper("4.10", "P(none within .3 of 1), 2 neurons", 0.3, control="too few neurons")
    yield Fact("4.10", "every token within eps", partial(_attained, forgotten=True), control="heads forgotten")


# -- independent computations -----------------------------------------------------------------------------------------


@never_above("4.10 softmax", slack=1e-12)
def _softmax(rng: Rng) -> Pairs:
    for _ in range(200):
        scores, sigma = rng.normal(0, 2, int(rng.integers(1, 7))), float(10 ** rng.uniform(-3, 1))
        moved = scores + sigma * rng.choice([-1.0, 1.0], len(scores))
        pairs = zip(_twins.softmax(scores.tolist()), _twins.softmax(moved.tolist()), strict=True)
        yield math.fsum(abs(a - b) for a, b in pairs), theory.softmax_distance_bound(sigma) + 1e-15


@agree(1e-12)
def _attained_softmax(_: Rng) -> Pairs:
    for sigma in (0.1, 1.0, 5.0):
        one, two = _twins.softmax([-sigma / 2, sigma / 2]), _twins.softmax([sigma / 2, -sigma / 2])
        yield theory.softmax_distance_bound(sigma), abs(one[0] - two[0]) + abs(one[1] - two[1])


@never_above("4.10 outputs", slack=1e-12)
def _propagate(rng: Rng) -> Pairs:
    for _ in range(40):
        d, out, heads, count = (int(rng.integers(low, high)) for low, high in ((1, 6), (1, 6), (1, 4), (1, 6)))
        radius, eps = float(10 ** rng.uniform(-0.5, 0.7)), float(rng.uniform(0.05, 1))
        etas = theory.attention_etas(d, eps, radius=radius, heads=heads, out=out)
        tokens = rng.standard_normal((count, d))
        tokens *= radius / np.linalg.norm(tokens, axis=1, keepdims=True)
        maps, moved = [], []
        for eta, shape in zip(etas, ((d, d), (d, out)), strict=True):
            own = [rng.standard_normal(shape) for _ in range(heads)]
            maps.append([one / np.linalg.norm(one, 2) for one in own])
            moved.append([one + eta * rng.choice([-1.0, 1.0], shape) for one in maps[-1]])
        yield _twins.off(tokens, (maps[0], maps[1]), (moved[0], moved[1])), eps


@never_above("4.10 attained", slack=1e-12)
def _attained(rng: Rng, forgotten: bool = False) -> Pairs:
    """The scores' half of eps is used up; with the heads forgotten in eta too much of it."""
    for d, heads, radius in ((1, 2, 1.0), (4, 3, 2.0), (3, 2, 0.5)):
        eps = float(rng.uniform(0.1, 0.3))
        eta, _ = theory.attention_etas(d, eps, radius=radius, heads=1 if forgotten else heads)
        tokens, low, high = _twins.opposite(d, radius, eta)
        found = _twins.off(tokens, ([low] * heads, [np.eye(d)] * heads), ([high] * heads, [np.eye(d)] * heads))
        yield found, eps / 2
        yield eps / 2, found * (1 + 1e-9)
