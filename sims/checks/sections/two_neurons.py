"""Checks of statement 4.9: two neurons a weight, points of two kinds, and the least proved width."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from sims.checks.check import Check, Fact, Simulation, events
from sims.checks.facts import Pairs, Rng, agree, never_above
from sims.checks.twins import gadgets
from sims.solver.philox import uniforms
from theory.network.halves import halves_closed_form, halves_log_miss_bound
from theory.network.pairs import log_apart_prob, pairs_log_miss_bound
from theory.network.parts import parts_log_failure_bound, required_n_parts
from theory.numerics.invert import smallest_n
from theory.required_width import required_width, ways_to_make


def checks(seed: int) -> list[Check]:
    """Statement 4.9 and its controls."""
    return [*_points(), *_bounds(), *_required(), *_controls()]


def _points_simulation(N: int, M: int, t: float) -> Simulation:
    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return gadgets.apart(uniforms(seed, first, trials, N + M), N, t)

    return events(f"points {N} {M} t={t}", event, 0.03 * (N + M), 200_000, 2_000_000)


def _points() -> Iterator[Check]:
    for N, M, t in ((1, 2, 0.2), (3, 4, 0.05), (10, 7, 0.01)):
        p = math.exp(log_apart_prob(N, M, t=t))
        yield _points_simulation(N, M, t).exact("4.9 (c)", f"P(no two kinds within t), N={N} M={M} t={t}", p)
    yield Fact("4.9 (c)", "beyond 2048 points: above the exact value", _compare_cells)


def _simulation(eta: float, R: int, w: float, neurons: int, sign: int) -> Simulation:
    """Counts: the first group near w/2 and the second near the rest; any two of two groups."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        return gadgets.two_neuron_misses(uniforms(seed, first, trials, 2 * neurons * R), eta, R, w, sign)

    return events(f"two neurons eta={eta} R={R} w={w} n={neurons} {sign:+d}", event, 0.1 * neurons * R, 50_000, 10**6)


def _bounds() -> Iterator[Check]:
    for eta, R, w, n, sign in ((0.1, 10, 1.0, 4, 1), (0.1, 8, -1.0, 8, -1), (0.05, 20, 0.7, 4, 1)):
        simulation = _simulation(eta, R, w, n, sign)
        where = f"eta={eta} R={R} w={w} n={n} {'b > 0' if sign > 0 else 'b < 0'}"
        p = math.exp(halves_log_miss_bound(eta, R, n=n))
        yield simulation.upper("4.9 (b)", f"P(one after the other misses), {where}", p)
        p = math.exp(pairs_log_miss_bound(eta, R, n=n))
        yield simulation.upper("4.9 (d)", f"P(every pair misses), {where}", p, 1)
    p = math.exp(pairs_log_miss_bound(0.3, 1, n=30))
    yield _simulation(0.3, 1, 1.0, 60, 1).upper(
        "4.9 (d)", "P(every pair misses), eta=.3 R=1 w=1 n=30, signs open", p, 1
    )


def _pairs(eta: float, R: int, n: int) -> float:
    return pairs_log_miss_bound(eta, R, n=n)


def _required() -> Iterator[Check]:
    for eta, R, delta in ((0.2, 3, 0.1), (0.05, 10, 0.05)):
        n = smallest_n(partial(_pairs, eta, R), math.log(delta), lo=1)
        where = f"P(every pair misses) at n={n}, eta={eta} R={R} w=1 delta={delta}"
        yield _simulation(eta, R, 1.0, n, 1).upper("4.9 (d)", where, delta, 1)
    n = halves_closed_form(0.3, 0.1, R=4)
    yield _simulation(0.3, 4, 1.0, n, 1).upper("4.9 (a)", f"P(miss) at n={n}, eta=.3 R=4 w=1 delta=.1", 0.1)
    yield Fact("4.9", "bounds at the required widths are at most delta", _compare_widths)
    yield Fact("4.9 (a)", "n by its definition; (b) needs no more", _compare_formula)


def _controls() -> Iterator[Check]:
    points = _points_simulation(1, 2, 0.2)
    same = math.exp(-2 * 1 * 2 * 0.2)
    yield points.exact("4.9 (c)", "P(no two kinds within t), N=1 M=2 t=.2", same, control="e^(-2NMt): gaps ignored")
    p = math.exp(halves_log_miss_bound(0.1, 10, n=8))
    few = _simulation(0.1, 10, 1.0, 4, 1)
    yield few.upper("4.9 (b)", "P(one after the other misses), n=4", p, control="neurons of both signs counted")
    p = math.exp(pairs_log_miss_bound(0.2, 8, n=4))
    less = _simulation(0.2, 2, 1.0, 4, 1)
    yield less.upper("4.9 (d)", "P(every pair misses), eta=.2 R=2 n=4", p, 1, control="the R of four times the draws")
    short = _simulation(0.3, 4, 1.0, 2, 1)
    yield short.upper("4.9 (a)", "P(miss) at n=2, eta=.3 R=4 delta=.1", 0.1, control="too few neurons")
    yield Fact(
        "4.9", "widths of pairs suffice for one neuron a weight", _one_neuron, control="the bound of 4.4 at them"
    )


@never_above("4.9 c")
def _compare_cells(rng: Rng) -> Pairs:
    for _ in range(20):
        N, M = (int(n) for n in rng.integers(1, 2048, 2))
        t = float(10 ** rng.uniform(-6, -1))
        no_first, no_second = math.exp(-N * t), math.exp(-M * t)
        apart = no_first - no_second * math.expm1(-N * t)  # positive where the rest rounds to 1
        cells = math.floor(1 / t) * math.log(apart)
        yield math.exp(log_apart_prob(N, M, t=t)), math.exp(cells) * (1 + 1e-7) + 1e-300


@never_above("4.9")
def _compare_widths(rng: Rng) -> Pairs:
    for _ in range(3):
        widths = tuple(int(d) for d in rng.integers(1, 20, 3))
        eps, R, delta = float(rng.uniform(0.1, 1)), int(10 ** rng.uniform(1, 4)), float(10 ** rng.uniform(-9, -1))
        for statement in ("halves", "pairs"):
            n = required_n_parts(widths, eps, delta=delta, R=R, statement=statement)
            bound = parts_log_failure_bound(widths, eps, R=R, n=n, statement=statement)
            yield math.exp(bound), delta
    least = required_width((4, 8, 3), 0.1, delta=0.01, R=1000)
    yield least.failure_bound, 0.01
    (first, *others) = ways_to_make(0.01, 0.01, R=30)
    for other in others:
        yield first.neurons, other.neurons


@agree(1e-12, "4.9 a")
def _compare_formula(rng: Rng) -> Pairs:
    for _ in range(30):
        eta, R, delta = float(rng.uniform(0.001, 1)), int(rng.integers(1, 300)), float(10 ** rng.uniform(-9, -0.1))
        n = halves_closed_form(eta, delta, R=R)
        yield n, 2 * math.ceil(math.log(2 / delta) / ((1 - 0.75**R) * (1 - (1 - eta / 4) ** R)))
        yield True, halves_log_miss_bound(eta, R, n=n) <= math.log(delta)


@never_above()
def _one_neuron(_: Rng) -> Pairs:
    eta, R, n = 0.01, 100, 2
    q = 1 - (1 - eta / 4) ** R
    yield (1 - q * q) ** n, 0.01
