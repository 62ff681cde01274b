"""Independent simulations and enumerations of linear networks of binary weights (7.6); no theory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def _first(useful: Array, count: Array | int) -> Array:
    """The first ``count`` useful entries of each row."""
    return np.asarray(useful & (useful.cumsum(axis=-1) <= count))


def weights_of(depth: int, n: int) -> int:
    """Weights of a network with ``depth`` layers, n units in each hidden one, one input, one output."""
    return n + (depth - 2) * n * n + n


def outputs(offers: Array, digits: Sequence[int], base: int, carriers: int, ones: int) -> Array:
    """Output of the network that is built for a number given by its digits, from signs on offer.

    ``offers``, shape (trials, weights, 2): whether each weight offers plus, and minus. ``digits``: depth - 1 of them,
    the leading one first. ``base``, ``carriers``, ``ones``: the design; every hidden layer has carriers + ones units.
    Returns ndarray of int, shape (trials,): the true output of the masked network: a unit that finds too few signs has
    a wrong value.
    """
    n, depth, trials = carriers + ones, len(digits) + 1, len(offers)
    at = n
    values = np.where(offers[:, :n, 0], 1, -1)
    is_one = np.arange(n) >= carriers
    for layer, digit in enumerate(digits, start=2):
        units = 1 if layer == depth else n
        there = offers[:, at : at + units * n].reshape(trials, units, n, 2)
        at += units * n
        plus, minus = there[..., 0], there[..., 1]
        helpful = np.where(values[:, None, :] > 0, plus, minus) & is_one
        signs = np.where(_first(helpful, digit), np.sign(values)[:, None, :], 0)
        if layer > 2:
            signs = signs + _first(plus & ~is_one, base)
        sums = (signs * values[:, None, :]).sum(axis=2)
        if layer < depth:  # the ones of the next layer keep the first one, with any sign
            sign = np.where(plus[:, carriers:, carriers], 1, -1)
            sums[:, carriers:] = sign * values[:, None, carriers]
        values = sums
    return np.asarray(values[:, 0])


def digits_of(number: int, base: int, count: int) -> list[int]:
    """``count`` digits, the leading one first."""
    return [number // base ** (count - 1 - i) % base for i in range(count)]


def union_bound(depth: int, base: int, carriers: int, ones: int, R: int) -> float:
    """((D-3)A + 1) P(Bin(A, q) < b) + ((D-2)A + 1) P(Bin(O, q) < b-1); for D = 2 the second part with A = 0."""
    from scipy.special import bdtr

    def fewer(n: int, k: int) -> float:
        return float(bdtr(k - 1, n, 1 - 0.5**R)) if k > 0 else 0.0

    if depth == 2:
        return fewer(ones, base - 1)
    both = ((depth - 3) * carriers + 1) * fewer(carriers, base)
    return both + ((depth - 2) * carriers + 1) * fewer(ones, base - 1)


def reached(signs: Sequence[Array]) -> set[int]:
    """Every output of a linear network under all masks: one array (units, inputs) of signs for each layer.

    A weight whose entry is 2 offers both signs.
    """

    def choices(row: Array, state: tuple[int, ...]) -> list[int]:
        sums = {0}
        for sign, value in zip(row.tolist(), state, strict=True):
            steps = (value, -value) if sign == 2 else (sign * value,)
            sums |= {s + step for s in sums for step in steps}
        return sorted(sums)

    states: set[tuple[int, ...]] = {(1,)}
    for layer in signs:
        states = {new for state in states for new in itertools.product(*(choices(row, state) for row in layer))}
    return {state[0] for state in states}


def mean_reached(depth: int, n: int) -> float:
    """Mean number of outputs over all sign patterns, R = 1.

    Signs of the first layer and of the output's weights can be moved into the neighbouring layers, so they are plus.
    """
    shapes = [(n, 1), *[(n, n)] * (depth - 2), (1, n)]
    free = [math.prod(shape) if 0 < i < depth - 1 else 0 for i, shape in enumerate(shapes)]
    total, count = 0, 0
    for pattern in itertools.product((-1, 1), repeat=sum(free)):
        at, layers = 0, []
        for shape, used in zip(shapes, free, strict=True):
            layers.append(np.array(pattern[at : at + used]).reshape(shape) if used else np.ones(shape, int))
            at += used
        total, count = total + len(reached(layers)), count + 1
    return total / count


def all_reached(depth: int, n: int) -> int:
    """Number of outputs where every weight offers both signs."""
    return len(reached([np.full(shape, 2) for shape in [(n, 1), *[(n, n)] * (depth - 2), (1, n)]]))
