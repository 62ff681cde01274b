"""Checks of statement 4.4 (conv): the main theorem for chains of zero-padded convolutions."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sims.checks.check import Check, Fact
from sims.checks.facts import Pairs, Rng, agree, never_above
from theory.network import convolution as theory

Array = NDArray[np.float64]


def checks(seed: int) -> list[Check]:
    """Statement 4.4 (conv) and a control."""
    return [
        Fact("4.4 (conv)", "chains of convolutions with errors eta_i: error <= eps, l = 1..3", _propagate),
        Fact("4.4 (conv)", "eta_i, bound and n by their definitions", _compare),
        Fact("4.4 (conv)", "error <= eps", partial(_propagate, forgotten=True), control="taps forgotten in eta_i"),
    ]


def _matrix(kernel: Array, side: int) -> Array:
    """The whole convolution, entry by entry."""
    outs, ins, k, _ = kernel.shape
    begin = (k - 1) // 2
    found = np.zeros((outs, side, side, ins, side, side))
    for p, q, i, j in itertools.product(range(side), range(side), range(k), range(k)):
        a, b = p + i - begin, q + j - begin
        if 0 <= a < side and 0 <= b < side:
            found[:, p, q, :, a, b] = kernel[:, :, i, j]
    return found.reshape(outs * side**2, ins * side**2)


@never_above("4.4 (conv)", slack=1e-12)
def _propagate(rng: Rng, forgotten: bool = False) -> Pairs:
    for depth, k, side, ones in itertools.product((1, 2, 3), (2, 3), (3, 6), (True, False)):
        eps, widths = float(rng.uniform(0.05, 1.0)), [int(c) for c in rng.integers(1, 4, depth + 1)]
        f = g = np.ones(widths[0] * side**2) if ones else rng.standard_normal(widths[0] * side**2)
        f = g = f / np.linalg.norm(f)
        for i, eta in enumerate(theory.convolution_etas(widths, eps, kernel=k)):
            eta *= k**2 if forgotten else 1
            shape = (widths[i + 1], widths[i], k, k)
            kernel = np.ones(shape) if ones else rng.standard_normal(shape)
            whole = _matrix(kernel / np.linalg.norm(_matrix(kernel, side), 2), side)
            signs = [np.ones(shape) if ones else rng.choice([-1.0, 1.0], shape) for _ in range(2)]
            plus, minus = (_matrix(eta * one, side) for one in signs)
            f, g = (np.maximum(f, 0), np.maximum(g, 0)) if i else (f, g)
            f, g = whole @ f, (whole + plus) @ np.maximum(g, 0) - (whole + minus) @ np.maximum(-g, 0)
        yield float(np.linalg.norm(f - g)), eps


def _log_miss(log_m: float) -> float:
    """log(1 - q^2) with q = 1 - m; 1 - q^2 = m (2 - m)."""
    q = -math.expm1(log_m)
    return math.log1p(-q * q) if q < 0.5 else log_m + math.log1p(q)


@agree(1e-9, "4.4 (conv) sums")
def _compare(rng: Rng) -> Pairs:
    for _ in range(30):
        widths = [int(c) for c in rng.integers(1, 40, int(rng.integers(2, 6)))]
        eps, k, R = float(rng.uniform(0.01, 1)), int(rng.integers(1, 8)), int(10 ** rng.uniform(0, 6))
        delta, pairs = float(10 ** rng.uniform(-9, -0.3)), list(itertools.pairwise(widths))
        etas = [math.log1p(eps) / (len(pairs) * k**2 * math.sqrt(a * b)) for a, b in pairs]
        yield from zip(theory.convolution_etas(widths, eps, kernel=k), etas, strict=True)
        n = theory.convolution_required_n(widths, eps, delta=delta, kernel=k, R=R)
        misses = [_log_miss(R * math.log1p(-eta / 4)) for eta in etas]
        logs = [math.log(2 * k**2 * a * b) + m * miss for (a, b), m, miss in zip(pairs, n, misses, strict=True)]
        total = max(logs) + math.log(sum(math.exp(one - max(logs)) for one in logs))
        bound = theory.convolution_log_failure_bound(widths, eps, kernel=k, R=R, n=n)
        yield 1 + abs(bound - total) / max(1.0, abs(total)), 1
        yield bound <= math.log(delta), True
