"""Kernels for choices among random values: who serves, what is used, and what the sums are."""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.jit import njit

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}


@njit(**_JIT)
def servants(b, n, open_signs, relu, neurons, counts):  # type: ignore[no-untyped-def]
    """neurons[half, c, :counts[half, c]] = the first n neurons of coordinate c that serve a half.

    A neuron with b = 0 serves none. With a ReLU the sign of b names the half; unless signs are open it must be the one
    that is meant, + for the first n neurons of a coordinate and - for the others.
    """
    block = len(b) // neurons.shape[1]
    for half in range(neurons.shape[0]):
        for c in range(neurons.shape[1]):
            count = 0
            for k in range(block):
                value = b[block * c + k]
                if count == n or value == 0.0:
                    continue
                if relu and ((value < 0.0) != (half == 1) or (not open_signs and (k >= n) != (half == 1))):
                    continue
                neurons[half, c, count] = k
                count += 1
            counts[half, c] = count


@njit(**_JIT)
def mark_used(taken, first, rows, cols, used):  # type: ignore[no-untyped-def]
    """used[h] = True for hidden neurons of which weights first, first + 1, ... take an element."""
    block = taken.shape[1]
    for i in range(taken.shape[0]):
        cell = first + i
        start = block * (cell // (rows * cols) * cols + cell % cols)
        for k in range(block):
            if taken[i, k]:
                used[start + k] = True


@njit(**_JIT)
def add_chosen(keys, set_of, choices, totals):  # type: ignore[no-untyped-def]
    """totals[i] = the sum that choices[i] takes from keys[set_of[i]], shape (n, R)."""
    for i in range(choices.shape[0]):
        total = np.int64(0)
        for k in range(choices.shape[1]):
            if choices[i, k] >= 0:
                total += keys[set_of[i], k, choices[i, k]]
        totals[i] = total
