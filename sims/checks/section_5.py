"""Checks of statements 4.7 and 5: neighbouring results and lower bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from sims.checks._check import Check, Closest, Fact, Point, Simulation, Untested, equal, generator, single
from sims.philox import uniforms
from sims.solver import best_subsets
from theory import necessary, product_sum

_EVERY = "it is about every architecture and choice of masks, of which a simulation sees a few"


def checks(seed: int) -> list[Check]:
    """Statements 4.7 and 5.1 to 5.5, and controls."""
    return [
        *_products(),
        Untested("5.1", "targets far apart exist by a volume argument; they are not constructed"),
        Fact("5.2", "number of networks by enumeration, and per parameter", _compare_networks),
        Fact("5.3", "least m by its definition", _compare_params),
        Fact("5.3", "least m", lambda seed: _params(seed, 0), control="R + 1 choices taken as R"),
        Untested("5.3 (a)", _EVERY),
        Untested("5.3 (b)", _EVERY),
        Untested("5.4", "an optimum over n(R), which is checked where n(R) is: 2.1, 2.3 and 2.4"),
        Untested("5.5", "constants unknown, or recalled from the papers"),
    ]


def _products() -> Iterator[Check]:
    eta, delta = 0.25, 0.3
    for w in (1.0, -0.6):
        enough = product_sum.required_neurons(eta, delta, R=1).neurons
        used = min(enough, 12)

        def event(seed: int, first: int, trials: int, used: int = used, w: float = w) -> np.ndarray:
            draws = uniforms(seed, first, trials, 2 * used)
            return best_subsets(draws[:, :used] * draws[:, used:], w, jobs=1).error > eta

        simulation = Simulation(f"products {used} w={w}", single(event), 3.0, 20_000, 200_000)
        where = f"P(no subset of {used} of the {enough} products within {eta} of {w:g}), delta={delta}, R=1"
        yield Point("4.7", where, "upper", 0.0, delta, simulation)


def _compare_networks(seed: int) -> Closest:
    rng = generator(seed, "5.2")
    pairs = []
    for _ in range(50):
        m, R = int(rng.integers(1, 10**6)), int(rng.integers(1, 10**6))
        pairs.append((necessary.log2_networks(m, R), m * math.log2(R + 1)))
        pairs.append((necessary.bits_per_param(R), math.log2(R + 1)))
    for m, R in ((3, 1), (4, 2), (2, 5)):  # every element masked or showing one of its draws
        networks = {tuple(states) for states in itertools.product(range(R + 1), repeat=m)}
        pairs.append((necessary.log2_networks(m, R), math.log2(len(networks))))
    return equal(pairs, 1e-9)


def _params(seed: int, states: int) -> Closest:
    """Least m with m log2(R + states) >= d_0 d_1 log2(1/(2 eps)) + log2(1 - delta)."""
    rng = generator(seed, "5.3")
    pairs = []
    for _ in range(50):
        d_in, d_out, R = (int(v) for v in rng.integers(2, 60, 3))
        eps, delta = float(10 ** rng.uniform(-6, -1)), float(rng.uniform(0.01, 0.9))
        wanted = d_in * d_out * math.log2(1 / (2 * eps)) + math.log2(1 - delta)
        true = max(0, math.ceil(wanted / math.log2(R + states) - 1e-9))
        pairs.append((float(necessary.necessary_params((d_in, d_out), eps, delta=delta, R=R)), float(true)))
    return equal(pairs, 1e-9)


def _compare_params(seed: int) -> Closest:
    return _params(seed, 1)
