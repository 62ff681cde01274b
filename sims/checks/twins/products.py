"""Independent simulations and computations about subset sums of products (4.7); no theory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from sims.solver import best_subsets

Array = np.ndarray


def contributions(draws: Array, R: int) -> tuple[Array, Array]:
    """Rows of n neurons with R draws of b and of a: a times the largest abs(b), and whether that b is positive."""
    b, a = np.moveaxis(draws.reshape(len(draws), -1, 2, R), 2, 0)
    kept = np.take_along_axis(b, np.abs(b).argmax(axis=2)[..., None], axis=2)
    return a * np.abs(kept), kept[..., 0] > 0


def steps(draws: Array, R: int, reach: float) -> Array:
    """Z: the largest contribution in (0, 2 reach] of a usable neuron, else 0."""
    values, usable = contributions(draws, R)
    return np.asarray(np.where((values > 0) & (values <= 2 * reach), values, 0.0).max(axis=2) * usable)


def residuals(draws: Array, R: int, reach: float, w: float) -> Array:
    """w >= 0 less the first partial sum of Z that is at least w - reach; w less all of them if there is none."""
    sums = np.pad(steps(draws, R, reach).cumsum(axis=1), ((0, 0), (1, 0)))
    there = sums >= w - reach
    first = np.where(there.any(axis=1), there.argmax(axis=1), sums.shape[1] - 1)
    return np.asarray(w - sums[np.arange(len(sums)), first])


def misses(draws: Array, R: int, targets: Array | float, eta: float) -> Array:
    """Whether no choice of contributions of usable neurons is within eta of the target."""
    values, usable = contributions(draws, R)
    return np.asarray(best_subsets(values * usable[..., None], targets, jobs=1).error > eta)


def newly_reached(draws: Array, R: int, reach: float, union: Sequence[tuple[float, float]]) -> Array:
    """Whether a uniform point of [-1, 1] (in units of the reach) outside of A is in a translate of A by one neuron."""
    values, usable = contributions(draws[:, 1:], R)
    points = np.concatenate([draws[:, :1], draws[:, :1] - values[:, 0] / reach], axis=1)
    inside = np.any([(points >= a) & (points <= b) for a, b in union], axis=0)
    return np.asarray(~inside[:, 0] & inside[:, 1:].any(axis=1) & usable[:, 0])


@cache
def _nodes(count: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(count)


def _panel(low: Array | float, high: Array | float, count: int = 60) -> tuple[Array, Array]:
    """Nodes and weights on [low, high], one row for each."""
    x, weights = _nodes(count)
    half = (np.asarray(high) - np.asarray(low))[..., None] / 2
    return np.asarray(low)[..., None] + half * (x + 1), half * weights


@cache
def log_laplace(reach: float, R: int) -> tuple[Array, Array]:
    """s and log E exp(-s Z), by Gauss-Legendre quadrature on every smooth piece."""
    z, z_weights = _panel(0.0, 2 * reach, 120)
    tail = np.zeros(len(z))
    for low, high in ((z, np.full(len(z), 2 * reach)), (np.full(len(z), 2 * reach), np.ones(len(z)))):
        b, weights = _panel(low, high)
        hit = 1 - (1 - np.maximum(0.0, np.minimum(2 * reach, b) - z[:, None]) / (2 * b)) ** R
        tail += 0.5 * (weights * R * b ** (R - 1) * hit).sum(axis=1)
    s = np.geomspace(0.5, 400.0, 2000)
    return s, np.log1p(-(s[:, None] * np.exp(-s[:, None] * z) * tail) @ z_weights)


def log_shift(n: int, R: int, reach: float) -> float:
    """min over s of s (1 - reach) + n log E exp(-s Z), at most 0."""
    s, logs = log_laplace(reach, R)
    return min(0.0, float((s * (1 - reach) + n * logs).min()))


def lower_sum(s: float, reach: float, R: int) -> float:
    """The lower sum of Lemma A for log E exp(-s Z) on its cells, in extended precision, with nothing taken off."""
    top = np.longdouble(2 * reach)
    b = (np.arange(257, dtype=np.longdouble)[:, None] / 256) ** (np.longdouble(1) / R)
    z = top * np.arange(129, dtype=np.longdouble) / 128
    room = np.maximum(0, np.minimum(top, b) - z[1:])
    hits = 1 - (1 - room / np.maximum(2 * b, np.longdouble(1e-300))) ** R
    tail = np.minimum(hits[1:], hits[:-1]).sum(axis=0) / 512
    return float(np.log1p(-((np.exp(-s * z[:-1]) - np.exp(-s * z[1:])) * tail).sum()))


def factor(reach: float, R: int) -> float:
    """1 less the average of what a neuron takes off 1/v - 1, by quadrature over its largest b."""
    total = (min(1.0, 2 * reach) ** R - reach**R) / 4
    for left, right in itertools.pairwise(np.linspace(min(1.0, 2 * reach), 1.0, 9)):
        b, weights = _panel(left, right)
        x = reach / b
        rho = (1 - (1 - x) ** (R + 1)) / ((R + 1) * x)
        total += float((weights * R * b ** (R - 1) * (1 - rho)).sum())
    return 1 - total / 2


def drift(reach: float, R: int, v: float) -> float:
    """The mean gain of a share v by one neuron, at least: exact where every pair is near, else the mean by one draw."""
    total = 0.0
    for left, right in itertools.pairwise(np.linspace(min(1.0, 2 * reach), 1.0, 9)):
        b, weights = _panel(left, right)
        total += float((weights * R * b ** (R - 1) * (1 - (1 - v * reach / b) ** R)).sum())
    return 0.5 * (1 - v) * (total + (min(1.0, 2 * reach) ** R - reach**R) * v / 2)


def log_union(widths: Sequence[int], failures: Sequence[float]) -> float:
    """log of the sum over layers of 2 d_i d_(i-1) times the failure of one weight."""
    return math.log(sum(2 * a * b * p for (a, b), p in zip(itertools.pairwise(widths), failures, strict=True)))
