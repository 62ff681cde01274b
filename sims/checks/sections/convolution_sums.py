"""Checks of statement 4.11: the error of a kernel, exactly, and convolutions by subset sums."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np

from sims.checks.check import Check, Fact
from sims.checks.facts import Pairs, Rng, agree, never_above
from theory import product_sum as theory


def checks(seed: int) -> list[Check]:
    """Statement 4.11 and a control."""
    return [
        Fact("4.11", "kernels of ones: norm t sqrt(c c') in the limit, nu^2 sqrt(c c') before", _ones),
        Fact("4.11", "required n: taps and signs share delta, eta/taps", _designs),
        Fact("4.11", "norm of a kernel of ones", partial(_ones, smaller=0.9), control="a factor below t"),
    ]


def _axis(k: int, side: int) -> np.ndarray:
    """Ones where the taps of one axis lead from pixel to pixel."""
    begin = (k - 1) // 2
    found = np.zeros((side, side))
    for p, i in itertools.product(range(side), range(k)):
        if 0 <= p + i - begin < side:
            found[p, p + i - begin] = 1.0
    return found


@never_above("4.11 ones", slack=1e-12)
def _ones(rng: Rng, smaller: float = 1.0) -> Pairs:
    for k, side in ((1, 1), (2, 5), (3, 6), (5, 9), (3, 80)):
        into, out = (int(one) for one in rng.integers(1, 4, 2))
        nu = float(np.linalg.norm(_axis(k, side), 2))
        whole = np.kron(np.ones((out, into)), np.kron(_axis(k, side), _axis(k, side))) if side < 10 else None
        norm = nu**2 * math.sqrt(into * out) if whole is None else float(np.linalg.norm(whole, 2))
        yield norm, smaller * k**2 * math.sqrt(into * out)
        yield (max(0.0, k - k * (k - 1) / side)) ** 2 * math.sqrt(into * out), norm
        yield nu**2 * math.sqrt(into * out), norm * (1 + 1e-9)


@agree(1e-9, "4.11 designs")
def _designs(rng: Rng) -> Pairs:
    for _ in range(3):
        widths = [int(c) for c in rng.integers(1, 4, 3)]
        k, R, delta = 2, int(rng.integers(20, 60)), 0.1
        eps = float(rng.uniform(0.5, 1))
        total = sum(a * b for a, b in itertools.pairwise(widths))
        found = theory.convolution_designs(widths, eps, delta=delta, kernel=k, R=R)
        for (a, b), one in zip(itertools.pairwise(widths), found, strict=True):
            eta = math.log1p(eps) / (2 * k**2 * math.sqrt(a * b)) * (1 - 1e-12)
            yield one.neurons, theory.required_neurons(eta, delta / (2 * k**2 * total) * (1 - 1e-12), R=R).neurons
