"""Checks of statements 7: binary weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from sims.checks.check import Check, Closest, Fact, Simulation, asked, events
from sims.checks.facts import Pairs, Rng, agree, generator, measured, never_above
from sims.checks.sides import binary_weights as sides
from sims.checks.twins import linear_networks as _deep
from sims.solver.binary_sums import best_errors, sign_options
from sims.solver.philox import uniforms
from theory import binary_weights as theory
from theory.binary_weights import BinaryWeights
from theory.binary_weights.depth import DeepWidth
from theory.binary_weights.parameters import Kind
from theory.subset_sum import SubsetSum

ROUNDING = 1e-12
"""Errors are compared with eps plus this; no case lies so near."""


def _signs(n: int, R: int, eps: float, alpha: float, gain: float, kind: str = "subset", inner: int = 1) -> Simulation:
    """Whether some choice of n paths is within eps of alpha; whether every one of 41 targets in [-1, 1] is."""

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        options = sign_options(seed, first, trials, n, R, kind=kind, inner=inner)
        here = best_errors(options, gain, alpha) <= eps + ROUNDING
        every = [best_errors(options, gain, float(z)) <= eps + ROUNDING for z in (-1.0, 1.0)]
        return np.array([here, np.all(every, axis=0)])

    name = f"signs n={n} R={R} eps={eps} alpha={alpha} gain={gain} {kind} {inner}"
    return events(name, event, 0.1 * n * R * inner + 1.0, 400_000, 1_000_000)


def checks(seed: int) -> list[Check]:
    """Statements 7.1 to 7.7 and controls."""
    return [
        *_laws(), *_paths(), *_forms(), *_depth(), *_predictions(), *_controls(), *sides.checks(),
    ]  # fmt: skip


def _laws() -> Iterator[Check]:
    for n, R, eps, alpha in ((6, 1, 0.15, 0.9), (8, 2, 0.08, -0.9), (4, 3, 0.12, 1.0)):
        gain = theory.best_gain(eps)
        simulation = _signs(n, R, eps, alpha, 2 * eps)
        at = f"n={n} R={R} eps={eps:g} alpha={alpha:g}"
        p = theory.success_prob_exact(n, R, eps=eps, alpha=alpha, gain=gain)
        yield simulation.exact("7.1", f"P(success), {at}", p)
        p = theory.miss_prob_exact(n, R, eps=eps, alpha=alpha)
        yield simulation.exact("7.1", f"P(miss), {at}", p, complement=True)
        p = theory.success_prob_all_exact(n, R, eps=eps)
        yield simulation.exact("7.3", f"P(every target), n={n} R={R} eps={eps:g}", p, 1)
        p = theory.miss_prob_all_exact(n, R, eps=eps)
        yield simulation.exact("7.3", f"P(some target missed), n={n} R={R} eps={eps:g}", p, 1, complement=True)
    for eps, delta, R in ((0.15, 0.1, 1), (0.1, 0.2, 3)):
        n = theory.required_n(eps, delta, R=R)
        where = f"P(miss) at required_n={n}, eps={eps:g} delta={delta:g} R={R} alpha=1"
        yield _signs(n, R, eps, 1.0, 2 * eps).upper("7.2", where, delta, complement=True)
        where = f"P(miss) at n={n - 1}, one less"
        yield _signs(n - 1, R, eps, 1.0, 2 * eps).lower("7.2", where, delta, complement=True)
    eps, delta, R = 0.02, 0.1, 1
    n = theory.necessary_n(eps, delta, R=R) - 1
    one = BinaryWeights(R=R, eps=eps, alpha="uniform", gain=2 * eps)
    simulation = asked(f"signs, uniform target, n={n}", one, (n,), 3.0, least=50_000, most=400_000)
    where = f"P(success) at n={n}, below necessary_n, eps={eps:g} delta={delta:g}, uniform target"
    yield simulation.upper("7.4", where, 1.0 - delta)


def _paths() -> Iterator[Check]:
    paths: tuple[tuple[int, int, Kind, int], ...] = ((7, 2, "product", 1), (3, 2, "two-stage", 3))
    for n, R, kind, inner in paths:
        count, draws = theory.equivalent_subset(n, R, kind=kind, inner=inner)
        p = theory.success_prob_exact(count, draws, eps=0.1, alpha=0.95)
        where = f"P(success), {kind} n={n} R={R} inner={inner} eps=.1 alpha=.95"
        yield _signs(n, R, 0.1, 0.95, 0.2, kind, inner).exact("7.5", where, p)


def _forms() -> Iterator[Check]:
    yield Fact("7.1", "law by exact fractions", _compare_law)
    yield Fact("7.1", "mean and quantiles of the error by every number of signs", _compare_error)
    yield Fact("7.2", "guaranteed error and its gain by exact fractions", _compare_guarantee)
    yield Fact("7.4", "necessary n for a shared gain by its definition", _compare_shared)
    yield Fact("7.2", "required n by exact fractions, gain 2 eps", _compare_required)
    yield Fact("7.4", "necessary n by its definition", _compare_necessary)


def _deep_simulation(eps: float, R: int, depth: int, design: DeepWidth, alpha: float) -> Simulation:
    """The network built for alpha as in the proof, from honest signs; its output is computed, whatever it is."""
    target = min(range(math.ceil(1 / (2 * eps)) + 1), key=lambda t: abs(2 * eps * t - alpha))
    digits = _deep.digits_of(target, design.base, depth - 1)
    weights = _deep.weights_of(depth, design.width)

    def event(seed: int, first: int, trials: int) -> np.ndarray:
        found = []
        for start in range(first, first + trials, 512):  # signs of a deep network are many
            size = min(512, first + trials - start)
            draws = uniforms(seed, start, size, weights * R).reshape(size, weights, R)
            offers = np.stack([(draws >= 0).any(axis=2), (draws < 0).any(axis=2)], axis=2)
            found.append(_deep.outputs(offers, digits, design.base, design.carriers, design.ones))
        return np.asarray(np.abs(2 * eps * np.concatenate(found) - alpha) <= eps + ROUNDING)

    name = f"deep eps={eps} R={R} depth={depth} {design.carriers}+{design.ones} alpha={alpha}"
    return events(name, event, 0.06 * weights * R + 2.0, 6_000, 200_000)


def _depth() -> Iterator[Check]:
    for eps, delta, R, depth, alpha in ((0.1, 0.3, 1, 3, 1.0), (0.1, 0.3, 2, 3, 0.7), (0.05, 0.3, 1, 4, 1.0)):
        design = theory.required_width_deep(eps, delta, R=R, depth=depth)
        where = f"P(built network misses {alpha:g}) at width {design.width}, {depth} layers, eps={eps:g} R={R}"
        simulation = _deep_simulation(eps, R, depth, design, alpha)
        yield simulation.upper("7.6", f"{where} delta={delta:g}", delta, complement=True)
    yield Fact("7.6", "designs: union bound recomputed, at most delta, and not with one unit less", _compare_designs)
    yield Fact("7.6", "counting: outputs of tiny networks under all masks, eps per output", _outputs)
    yield Fact("7.6", "necessary width by its definition", _compare_necessary_width)


def _predictions() -> Iterator[Check]:
    yield Fact("7.7", "1/(2qn+1) against the exact error left at delta = 1/2, n >= 20, within 6 %", _measure_error)
    yield Fact("7.7", "Biprop's gain against the mean |W| of masked draws, within 1 %", _measure_gain)
    n, R, delta, alpha = 8, 1, 0.2, 0.5
    eps = theory.continuous_error_prediction(n, R, delta, alpha=alpha)
    one = SubsetSum(R=R, eps=eps, alpha=alpha)
    simulation = asked("continuous values", one, (n,), 1.0, least=50_000, most=1_000_000)
    where = f"P(miss) of {n} continuous values at the predicted error {eps:.4g}, R={R} alpha={alpha:g}"
    yield simulation.predicted("7.7", where, delta, complement=True)


def _controls() -> Iterator[Check]:
    simulation = _signs(6, 1, 0.15, 0.9, 0.3)
    where = "P(success), n=6 R=1 eps=.15 alpha=.9"
    for wrong, p in (
        ("R off by one", theory.success_prob_exact(6, 2, eps=0.15, alpha=0.9)),
        ("the sign of eps", _at_least(6, 1, math.ceil((0.9 + 0.15) / 0.3))),
    ):
        yield simulation.exact("7.1", where, p, control=wrong)
    few = theory.required_n(0.15, 0.1, R=1) - 2
    where = f"P(miss) at n={few}, two below required_n"
    yield _signs(few, 1, 0.15, 1.0, 0.3).upper("7.2", where, 0.1, complement=True, control="too few candidates")
    eps, delta, R, depth = 0.1, 0.3, 1, 3
    design = theory.required_width_deep(eps, delta, R=R, depth=depth)
    less = replace(design, carriers=design.carriers - 2, ones=design.ones - 3, width=design.width - 5)
    simulation = _deep_simulation(eps, R, depth, less, 1.0)
    where = f"P(built network misses 1) at width {less.width}, {depth} layers, eps=.1 delta=.3"
    yield simulation.upper("7.6", where, delta, complement=True, control="five units fewer")
    yield Fact("7.6", "counting", partial(_outputs, factor=1.25), control="a fifth of the outputs left out")


# -- independent computations -----------------------------------------------------------------------------------------


def _exactly_at_least(n: int, R: int, k: int) -> Fraction:
    """P(Bin(n, 1 - 2^-R) >= k)."""
    q = 1 - Fraction(1, 2**R)
    return sum((math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(max(0, k), n + 1)), Fraction(0))


def _at_least(n: int, R: int, k: int) -> float:
    return float(_exactly_at_least(n, R, k))


@agree(1e-6, "7.1")
def _compare_law(rng: Rng) -> Pairs:
    for _ in range(60):
        n, R = int(rng.integers(1, 40)), int(rng.integers(1, 6))
        eps, alpha = float(rng.uniform(0.02, 0.9)), float(rng.uniform(-1, 1))
        k = math.ceil((abs(Fraction(alpha)) - Fraction(eps)) / (2 * Fraction(eps)))
        p = _exactly_at_least(n, R, k)
        yield theory.success_prob_exact(n, R, eps=eps, alpha=alpha), p
        yield theory.miss_prob_exact(n, R, eps=eps, alpha=alpha), 1 - p


@agree(1e-9, "7.2")
def _compare_required(rng: Rng) -> Pairs:
    for _ in range(30):
        R, eps, delta = int(rng.integers(1, 5)), float(rng.uniform(0.02, 0.6)), float(rng.uniform(0.01, 0.5))
        yield theory.best_gain(eps), 2 * eps
        k = math.ceil((1 - Fraction(eps)) / (2 * Fraction(eps)))
        n = next(n for n in range(1, 10**4) if _at_least(n, R, k) >= 1 - delta)
        yield theory.required_n(eps, delta, R=R), n
        closed = theory.required_n_closed_form(eps, delta, R=R)
        yield True, n <= closed and _at_least(closed, R, k) >= 1 - delta


@agree(1e-9, "7.1 error")
def _compare_error(rng: Rng) -> Pairs:
    """Law of the smallest error: every number of plus signs with its probability."""
    for _ in range(25):
        n, R, gain = int(rng.integers(1, 25)), int(rng.integers(1, 5)), float(rng.uniform(0.03, 0.9))
        alpha, level = float(rng.uniform(-1, 1)), float(rng.uniform(0.05, 0.95))
        law = [float(_exactly_at_least(n, R, k) - _exactly_at_least(n, R, k + 1)) for k in range(n + 1)]
        errors = [min(abs(j * gain - abs(alpha)) for j in range(k + 1)) for k in range(n + 1)]
        mean = sum(p * e for p, e in zip(law, errors, strict=True))
        yield theory.error_mean_exact(n, R, alpha=alpha, gain=gain), mean
        least = min(e for e in errors if sum(p for p, x in zip(law, errors, strict=True) if x <= e) >= level)
        yield 1.0 + theory.error_quantile_exact(n, R, level, alpha=alpha, gain=gain), 1.0 + least
        eps = float(rng.uniform(0.02, 0.9))
        count = max(0, math.ceil((abs(Fraction(alpha)) - Fraction(eps)) / (2 * Fraction(eps))))
        yield theory.signs_needed(eps, alpha=alpha) or 0, count


@agree(1e-12, "7.2 guarantee")
def _compare_guarantee(rng: Rng) -> Pairs:
    for _ in range(30):
        n, R, delta = int(rng.integers(1, 80)), int(rng.integers(1, 5)), float(rng.uniform(0.01, 0.6))
        k = max(k for k in range(n + 1) if _exactly_at_least(n, R, k) >= 1 - Fraction(delta))
        yield theory.best_gain_for(n, R, delta), 2 / (2 * k + 1)
        yield theory.guaranteed_error_exact(n, R, delta), 1 / (2 * k + 1)


@agree(1e-9, "7.4 shared")
def _compare_shared(rng: Rng) -> Pairs:
    for _ in range(30):
        R, d, eps = int(rng.integers(1, 5)), int(rng.integers(1, 12)), float(10 ** rng.uniform(-4, -1))
        delta, q = float(rng.uniform(0.01, 0.5)), 1 - 0.5**R
        wanted = ((1 - delta) / (eps ** (d - 1) * (eps + (1 + eps) * d / 2))) ** (1 / d)
        n = max(0, math.ceil((wanted - 1) / (2 * q) - 1e-9))
        yield theory.necessary_n_shared_gain(eps, delta, R=R, d=d), n


@agree(1e-9, "7.6")
def _compare_designs(rng: Rng) -> Pairs:
    for _ in range(30):
        eps, delta = float(10 ** rng.uniform(-4, -0.5)), float(10 ** rng.uniform(-4, -0.3))
        R, depth = int(rng.integers(1, 4)), int(rng.integers(2, 7))
        one = theory.required_width_deep(eps, delta, R=R, depth=depth)
        count = math.ceil((1 - Fraction(eps)) / (2 * Fraction(eps)))
        base = next(b for b in range(1, count + 2) if b ** (depth - 1) >= count + 1)
        used = _deep.union_bound(depth, one.base, one.carriers, one.ones, R)
        over = one.ones == max(1, base - 1) or _deep.union_bound(depth, base, one.carriers, one.ones - 1, R) > delta
        fits = used <= delta * (1 + 1e-9) and over and one.width == one.carriers + one.ones
        yield True, fits
        yield one.base, base
        yield one.gain**depth, 2 * eps


@never_above()
def _outputs(_: Rng, factor: float = 1.0) -> Pairs:
    """A uniform target is reached with probability at most eps per output: 2 n^(D-1) + 1 of them at most."""
    for depth, n in ((2, 3), (3, 2), (3, 3), (4, 2)):
        delta = 0.5
        for found in (_deep.mean_reached(depth, n), float(_deep.all_reached(depth, n))):
            eps = (1 - delta) / found * (1 + 1e-12)  # at this eps the outputs reach a share 1-delta of the targets
            yield theory.necessary_width_deep(eps, delta, depth=depth), n
            yield factor * found, 2.0 * n ** (depth - 1) + 1


@agree(1e-12, "7.6 necessary")
def _compare_necessary_width(rng: Rng) -> Pairs:
    for _ in range(40):
        eps, delta, depth = float(10 ** rng.uniform(-6, -0.2)), float(rng.uniform(0.01, 0.9)), int(rng.integers(2, 9))
        wanted = 1 - Fraction(delta)
        n = 0
        while Fraction(eps) * (2 * n ** (depth - 1) + 1) < wanted:
            n = max(n + 1, math.floor(0.999 * (float(wanted / Fraction(eps)) / 2 - 0.5) ** (1 / (depth - 1))) - 1)
        yield theory.necessary_width_deep(eps, delta, depth=depth), n


def _measure_error(seed: int) -> Closest:
    errors = []
    for n in (20, 40, 80):
        for R in (1, 2, 5):
            k = max(k for k in range(n + 1) if _exactly_at_least(n, R, k) >= Fraction(1, 2))
            errors.append(abs(theory.error_prediction(n, R) * (2 * k + 1) - 1))
    return measured(errors, 0.06)


def _measure_gain(seed: int) -> Closest:
    rng = generator(seed, "7.7")
    errors = []
    for law, draws in (
        ("uniform", rng.uniform(-0.3, 0.3, 400_000)),
        ("normal", rng.normal(0.0, 0.3, 400_000)),
        ("constant", 0.3 * rng.choice([-1.0, 1.0], 400_000)),
    ):
        kept = np.abs(draws[rng.random(400_000) < 0.5])
        errors.append(abs(theory.biprop_gain(law, 0.3) / float(kept.mean()) - 1))
    return measured(errors, 0.01)


@agree(1e-9, "7.4")
def _compare_necessary(rng: Rng) -> Pairs:
    for _ in range(30):
        R, eps, delta = int(rng.integers(1, 5)), float(10 ** rng.uniform(-4, -1)), float(rng.uniform(0.01, 0.5))
        n = math.ceil(((1 - delta) / eps - 1) / (2 * (1 - 0.5**R)) - 1e-9)
        yield theory.necessary_n(eps, delta, R=R), max(0, n)
