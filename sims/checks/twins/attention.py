"""Independent computations about attention (4.10): plain loops, no theory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sims.checks.twins.products import contributions
from sims.solver import best_subsets

Array = np.ndarray


def softmax(scores: Sequence[float]) -> list[float]:
    """Each exponential over the sum of all."""
    powers = [math.exp(one - max(scores)) for one in scores]
    return [one / math.fsum(powers) for one in powers]


def attention(tokens: Array, scores: Sequence[Array], values: Sequence[Array]) -> Array:
    """sum_h softmax(x_i A_h X^T) X V_h, token by token."""
    found = np.zeros((len(tokens), values[0].shape[1]))
    for i, x in enumerate(tokens):
        for one, value in zip(scores, values, strict=True):
            for share, y in zip(softmax([float(x @ one @ y) for y in tokens]), tokens, strict=True):
                found[i] += share * (y @ value)
    return found


Maps = tuple[Sequence[Array], Sequence[Array]]


def off(tokens: Array, one: Maps, two: Maps) -> float:
    """The largest distance of two attentions' output tokens."""
    return float(np.linalg.norm(attention(tokens, *one) - attention(tokens, *two), axis=1).max())


def opposite(d: int, alpha: float, eta: float) -> tuple[Array, Array, Array]:
    """Tokens and two maps of the scores, all entries eta apart, that move a softmax the most."""
    x = np.full(d, alpha / math.sqrt(d))
    return np.stack([x, -x]), np.full((d, d), -eta / 2), np.full((d, d), eta / 2)


def shift_sums(draws: Array, R: int, reach: float) -> Array:
    """Sums of every neuron's largest contribution in (0, 2 reach], whatever the sign of its b."""
    values, _ = contributions(draws, R)
    return np.asarray(np.where((values > 0) & (values <= 2 * reach), values, 0.0).max(axis=2).sum(axis=1))


def pick_misses(draws: Array, R: int, target: float, eta: float) -> Array:
    """Whether no neuron contributes within eta of the target by itself."""
    values, _ = contributions(draws, R)
    return np.asarray((np.abs(values - target) > eta).all(axis=(1, 2)))


def sum_misses(draws: Array, R: int, target: float, eta: float) -> Array:
    """Whether no choice of contributions adds up to within eta of the target."""
    values, _ = contributions(draws, R)
    return np.asarray(best_subsets(values, target, jobs=1).error > eta)


def newly_reached(draws: Array, R: int, reach: float, low: float, high: float) -> Array:
    """Whether a point of [-1, 1] (units of the reach) outside [low, high] is in a translate of it by one neuron."""
    values, _ = contributions(draws[:, 1:], R)
    z = draws[:, :1]
    before = z - values[:, 0] / reach
    return np.asarray(((z[:, 0] < low) | (z[:, 0] > high)) & ((before >= low) & (before <= high)).any(axis=1))
