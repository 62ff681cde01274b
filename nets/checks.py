"""Checks of statements 4 that need networks: ``sims.verify`` loads them by name where PyTorch is installed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from nets.certificate import certify, certify_batch
from nets.construction.prune_approx import simulate_trials
from nets.targets.target import Target, random_target
from sims.checks.check import Check, Closest, Fact, Point, Simulation
from sims.checks.facts import all_true, at_most, generator
from sims.statistics.trials import Count, Counts
from theory.network import width as theory

_STARTS = _STEPS = 8


def checks(seed: int) -> list[Check]:
    """Statements 4.2, 4.4, 4.5 and 4.8 on built networks, and controls."""
    return [*_theorems(), *_certificates()]


def _networks(
    widths: Sequence[int], eps: float, R: int, n: Sequence[int], construction: str, cost: float
) -> Simulation:
    """Counts: trials with a missed window; trials whose certified lower end exceeds eps; those whose upper end does."""

    def make(seed: int, jobs: int) -> tuple[Count, int]:
        target = random_target(widths, seed=seed >> 1)
        etas = theory.layer_etas(widths, eps)

        def count(first: int, trials: int) -> Counts:
            made = simulate_trials(
                target, n, R=R, seed=seed, trials=trials, first_trial=first, eta=etas, halves="both",
                construction=construction, sampler="nearest", jobs=1,
            )  # fmt: skip
            found = certify_batch(target, made.effective, starts=_STARTS, steps=_STEPS)
            events = (made.misses > 0, found.lower > eps, found.upper > eps)
            return np.array([int(event.sum()) for event in events], np.int64)

        return count, 2**9

    name = f"networks {widths} eps={eps} R={R} n={n} {construction}"
    return Simulation(name, make, cost, least=1024, most=100_000, weight=2.0)


def _theorems() -> Iterator[Check]:
    for widths, eps, delta, R in (((2, 3, 2), 1.0, 0.2, 90), ((1, 2, 1), 0.6, 0.3, 40)):
        n = theory.required_n_ours(widths, eps, delta=delta, R=R)
        simulation = _networks(widths, eps, R, n, "window", 40.0)
        text = f"widths {widths} eps={eps:g} delta={delta:g} R={R} n={n}"
        bound = theory.failure_bound(widths, eps, R=R, n=n)
        yield Point("4.4", f"P(some window missed), {text}", "upper", 0.0, bound, simulation)
        yield Point("4.4", f"P(certified error > eps), {text}", "upper", 0.0, delta, simulation, 1)
    for claim, compute in (("4.5", theory.required_n_recalled), ("4.5 (d)", theory.required_n_repaired)):
        widths, eps, delta, R = (2, 2, 1), 0.8, 0.3, 60
        n = compute(widths, eps, delta=delta, R=R)
        simulation = _networks(widths, eps, R, n, "best", 40.0)
        text = f"widths {widths} eps={eps:g} delta={delta:g} R={R} n={n}"
        yield Point(claim, f"P(certified error > eps), {text}", "upper", 0.0, delta, simulation, 1)
    simulation = _networks((2, 3, 2), 0.02, 1, (1, 1), "best", 40.0)
    where = "P(certified error > eps), widths (2, 3, 2) eps=.02 R=1 n=1"
    yield Point("4.4", where, "upper", 0.0, 0.2, simulation, 1, control="n = 1 and R = 1 claimed to suffice")
    yield Fact("4.2", "built networks without a missed window: certified error <= eps", _compare_hits)


def _compare_hits(seed: int) -> Closest:
    pairs = []
    for widths, eps, R in (((2, 3, 2), 0.5, 2000), ((3, 1), 0.2, 1000), ((2, 2, 2, 2), 1.0, 2000)):
        target = random_target(widths, seed=seed >> 1)
        etas = theory.layer_etas(widths, eps)
        made = simulate_trials(
            target, 2, R=R, seed=seed, trials=200, eta=etas, halves="both", construction="window", sampler="nearest"
        )
        found = certify_batch(target, made.effective, starts=_STARTS, steps=_STEPS)
        pairs += [(value, eps) for value in found.upper[made.misses == 0].tolist()]
    return at_most(pairs)


def _certificates() -> Iterator[Check]:
    yield Fact("4.8", "upper end above the largest of 4000 directions, two inputs", _compare_upper)
    yield Fact("4.8", "lower end attained at its witness, and near the largest", _compare_lower)
    yield Fact("4.8", "one input: the sup is at x = 1 or -1", _compare_one_input)
    yield Fact("4.8", "upper end", _lowered, control="upper end lowered by a tenth")


def _case(rng: np.random.Generator, widths: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Target weights, effective W+ and the first layer's W-."""
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    target = [rng.standard_normal(shape) for shape in shapes]
    plus = [w + 0.2 * rng.standard_normal(w.shape) for w in target]
    return target, plus, target[0] + 0.2 * rng.standard_normal(target[0].shape)


def _difference(x: np.ndarray, target: list[np.ndarray], plus: list[np.ndarray], minus: np.ndarray) -> np.ndarray:
    """||g - f|| at the rows of x, in NumPy."""
    f = x @ target[0].T
    g = np.maximum(x, 0) @ plus[0].T - np.maximum(-x, 0) @ minus.T
    for w, made in zip(target[1:], plus[1:], strict=True):
        f, g = np.maximum(f, 0) @ w.T, np.maximum(g, 0) @ made.T
    return np.asarray(np.linalg.norm(g - f, axis=1))


def _directions(domain: str) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 4001)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return x / np.abs(x).max(axis=1, keepdims=True) if domain == "linf" else x


def _brackets(seed: int, widths_of: Sequence[Sequence[int]]) -> Iterator[tuple[float, float, float, float]]:
    """lower, the value at its witness, the largest over a grid, upper."""
    rng = generator(seed, f"4.8 {widths_of}")
    for widths in widths_of:
        for domain in ("l2", "linf"):
            target, plus, minus = _case(rng, widths)
            effective = [(torch.tensor(w), torch.tensor(minus) if i == 0 else None) for i, w in enumerate(plus)]
            found = certify(Target(tuple(torch.tensor(w) for w in target)), effective, domain=domain)
            grid = _directions(domain) if widths[0] == 2 else np.array([[1.0], [-1.0]])
            witness = np.array([found.witness])
            size = np.linalg.norm(witness) if domain == "l2" else np.abs(witness).max()
            there = _difference(witness / size, target, plus, minus)[0]
            yield found.lower, there, _difference(grid, target, plus, minus).max(), found.upper


_TWO = ((2, 1), (2, 3), (2, 4, 2), (2, 3, 3, 2), (2, 8, 1)) * 3
_ONE = ((1, 1), (1, 4), (1, 3, 2)) * 3


def _compare_upper(seed: int) -> Closest:
    return at_most([(grid, upper) for _, _, grid, upper in _brackets(seed, _TWO)], slack=1e-12)


def _compare_lower(seed: int) -> Closest:
    found = list(_brackets(seed, _TWO))
    attained = at_most([(lower, there) for lower, there, _, _ in found], slack=1e-9)
    near = all_true([lower >= 0.99 * grid for lower, _, grid, _ in found], "lower end within 1 % of the largest")
    return attained if near.ratio >= 1.0 else near


def _compare_one_input(seed: int) -> Closest:
    pairs = []
    for lower, _, sup, upper in _brackets(seed, _ONE):
        pairs += [(lower, sup), (sup, upper)]
    found = at_most(pairs, slack=1e-12)
    return Closest(found.ratio, found.text, found.catches if math.isfinite(found.catches) else 1.0)


def _lowered(seed: int) -> Closest:
    return at_most([(grid, 0.9 * upper) for _, _, grid, upper in _brackets(seed, _TWO)])
