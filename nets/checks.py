"""Checks of statements 4 that need networks: ``sims.verify`` loads them by name where PyTorch is installed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from nets.certificate import Domain, certify, certify_batch, convolution_norm_upper, exact_bracket, half_split
from nets.certificate.graph_bound import graph_bound
from nets.construction.prune_approx import simulate_trials
from nets.graph.graph import Graph, Input, Node
from nets.targets.target import Target, random_target
from sims.checks.check import Check, Closest, Fact, Point, Simulation
from sims.checks.facts import Pairs, Rng, all_true, at_most, generator, never_above
from sims.statistics.trials import Count, Counts
from theory.network import width as theory

_STARTS = _STEPS = 8


def checks(seed: int) -> list[Check]:
    """Statements 4.2, 4.4, 4.5 and 4.8 on built networks, and controls."""
    return [*_theorems(), *_certificates(), *_norms()]


def _networks(
    widths: Sequence[int], eps: float, R: int, n: Sequence[int], construction: str, cost: float
) -> Simulation:
    """Counts: trials with a missed window; trials whose certified lower end exceeds eps; those whose upper end does."""

    def make(seed: int, jobs: int) -> tuple[Count, int]:
        target = random_target(widths, seed=seed >> 1)
        etas = theory.layer_etas(widths, eps)

        def count(first: int, trials: int) -> Counts:
            made = simulate_trials(
                target, n, R=R, seed=seed, trials=trials, first_trial=first, eta=etas, sides="both",
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
            target, 2, R=R, seed=seed, trials=200, eta=etas, sides="both", construction="window", sampler="nearest"
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


def _norms() -> Iterator[Check]:
    yield Fact("4.8 (f)", "half-split bound above every pattern of neurons", _compare_half_split)
    yield Fact("4.8 (f)", "half-split", _average_only, control="||W D|| / 2 alone, without the part of the signs")
    yield Fact("4.8 (g)", "bound above the norm of the whole convolution as a matrix", _compare_convolutions)
    yield Fact("4.8 (g)", "convolution", _kernel_only, control="norm of the kernel as a matrix, overlaps forgotten")
    yield Fact("4.8 (h)", "bracket about the largest of 4000 directions, two inputs", _compare_brackets)
    yield Fact("4.8 (h)", "bracket", _narrowed, control="upper end lowered by a tenth")
    yield Fact("4.8 (graph)", "bound above the largest of 4000 directions, two inputs", _compare_graphs)
    yield Fact("4.8 (graph)", "bound", _lowered_graphs, control="bound lowered by a tenth")


def _largest_pattern(w: np.ndarray, d: np.ndarray) -> float:
    patterns = itertools.product((0.0, 1.0), repeat=w.shape[1])
    return max(float(np.linalg.norm(w @ (np.array(p)[:, None] * d), 2)) for p in patterns)


def _matrix_pairs(rng: Rng) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for m, h, n in ((1, 1, 1), (2, 1, 3), (2, 4, 3), (1, 6, 1), (3, 7, 5)) * 6:
        yield rng.standard_normal((m, h)) * np.exp(rng.standard_normal(h)), rng.standard_normal((h, n))


@never_above("half-split", slack=1e-12)
def _compare_half_split(rng: Rng) -> Pairs:
    for w, d in _matrix_pairs(rng):
        yield _largest_pattern(w, d), float(half_split(torch.tensor(w)[None], torch.tensor(d)[None])[0])


@never_above("average only")
def _average_only(rng: Rng) -> Pairs:
    for w, d in _matrix_pairs(rng):
        yield _largest_pattern(w, d), float(np.linalg.norm(w @ d, 2)) / 2


def _convolutions(rng: Rng) -> Iterator[tuple[np.ndarray, int, int, int, int, np.ndarray]]:
    """Kernel, stride, dilation, padding, side and the whole operator, one axis."""
    for taps, stride, dilation, pad, side in ((3, 1, 1, 1, 8), (4, 2, 1, 1, 9), (3, 1, 2, 2, 10), (5, 3, 1, 0, 14)) * 3:
        kernel = rng.standard_normal((2, 3, taps)) + 0.5
        outputs = (side + 2 * pad - (taps - 1) * dilation - 1) // stride + 1
        whole = np.zeros((2, outputs, 3, side))
        for p, t in itertools.product(range(outputs), range(taps)):
            at = p * stride + t * dilation - pad
            if 0 <= at < side:
                whole[:, p, :, at] = kernel[:, :, t]
        yield kernel, stride, dilation, pad, side, whole.reshape(2 * outputs, -1)


@never_above("convolutions", slack=1e-12)
def _compare_convolutions(rng: Rng) -> Pairs:
    for kernel, stride, dilation, pad, side, whole in _convolutions(rng):
        bound = convolution_norm_upper(
            torch.tensor(kernel), strides=[stride], dilations=[dilation], pads=[pad, pad], input_sides=[side]
        )
        yield float(np.linalg.norm(whole, 2)), bound


@never_above("kernels")
def _kernel_only(rng: Rng) -> Pairs:
    for kernel, _, _, _, _, whole in _convolutions(rng):
        yield float(np.linalg.norm(whole, 2)), float(np.linalg.norm(kernel.reshape(len(kernel), -1), 2))


def _exact_brackets(rng: Rng) -> Iterator[tuple[float, float, float]]:
    """lower, the largest over a grid, upper."""
    for widths in _TWO:
        for domain in ("l2", "linf"):
            target, plus, minus = _case(rng, widths)
            effective = [(torch.tensor(w), torch.tensor(minus) if i == 0 else None) for i, w in enumerate(plus)]
            lower, upper = exact_bracket(Target(tuple(map(torch.tensor, target))), effective, domain=domain)
            yield lower, float(_difference(_directions(domain), target, plus, minus).max()), upper


@never_above("brackets", slack=1e-12)
def _compare_brackets(rng: Rng) -> Pairs:
    for lower, grid, upper in _exact_brackets(rng):
        near = 1.002 * grid  # at a kink the largest is up to half a step of the grid, 8e-4, away
        yield from ((lower, near), (grid, upper), (upper, 1.002 * near))


@never_above("narrowed")
def _narrowed(rng: Rng) -> Pairs:
    for _, grid, upper in _exact_brackets(rng):
        yield grid, 0.9 * upper


def _graphs(rng: Rng) -> Iterator[tuple[float, float]]:
    """The largest difference on 4000 directions of two inputs, by NumPy alone, and the bound over the graph.

    x -> x + V tanh(W x) and x -> max(W x, W' x): a residual, a pointwise function, a maximum.
    """
    for _ in range(12):
        target, made = {}, {}
        for name in ("w", "v"):
            target[name] = rng.standard_normal((2, 2))
            made[name] = target[name] + 0.2 * rng.standard_normal((2, 2))
        shapes = dict.fromkeys(("x", "h", "t", "r", "y", "k", "m"), (1, 2))
        given = (Input("x", "float64", (1, 2)),)
        first = Node("Gemm", ("x", "w"), ("h",), {"transB": 1})
        second = Node("Gemm", ("t", "v"), ("r",), {"transB": 1})
        residual = (first, Node("Tanh", ("h",), ("t",)), second, Node("Add", ("x", "r"), ("y",)))
        maximum = (first, Node("Gemm", ("x", "v"), ("k",), {"transB": 1}), Node("Max", ("h", "k"), ("m",)))
        x = _directions("l2")

        def outputs(held: dict[str, np.ndarray], kind: str, x: np.ndarray = x) -> np.ndarray:
            h = x @ held["w"].T
            found: np.ndarray = np.tanh(h) @ held["v"].T if kind == "residual" else np.maximum(h, x @ held["v"].T)
            return found

        for kind, nodes, out in (("residual", residual, "y"), ("maximum", maximum, "m")):
            graph = Graph(18, given, (out,), nodes, dict(target))
            effective = {name: (array, array) for name, array in made.items()}
            bound = graph_bound(graph, effective, shapes, Domain.ball(1.0)).upper
            gap = np.linalg.norm(outputs(made, kind) - outputs(target, kind), axis=1).max()
            yield float(gap), math.inf if bound is None else bound
        whole = Graph(18, given, ("h",), (first,), {"w": target["w"]})
        bound = graph_bound(whole, {"w": (made["w"], made["w"])}, shapes, Domain.ball(1.0)).upper
        assert bound is not None
        yield float(np.linalg.norm(x @ (made["w"] - target["w"]).T, axis=1).max()) * (1 - 1e-15), bound


@never_above("graphs", slack=1e-12)
def _compare_graphs(rng: Rng) -> Pairs:
    yield from _graphs(rng)


@never_above("graphs lowered")
def _lowered_graphs(rng: Rng) -> Pairs:
    for gap, bound in _graphs(rng):
        yield gap, 0.9 * bound
