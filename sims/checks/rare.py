"""Bounds on failures that no count sees: judged by unbiased estimates of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.checks.check import Closest, Fact, own_seed
from sims.registry import experiment_of
from sims.statistics.replicates import excess_p_value, mean_interval
from sims.tailed import Tailed

RARE_LEVEL = 1e-9
"""Probability at most, whatever the law of the estimates, that a true bound is refuted; ten of them are a hundredth of
`LEVEL`, which `sims.checks.judge.share` leaves to them."""

_RUNS = 128
_OFF = 1.5


def rare(claim: str, where: str, question: Any, n: int, bound: float, *, samples: int = 200, control: str = "") -> Fact:
    """The failure of a question at n is at most the bound.

    ``catches`` of what it comes to is 1.5 if estimates of the same spread and of mean 1.5 times the bound would have
    refuted it.
    """

    def compare(seed: int) -> Closest:
        experiment = experiment_of(question)
        assert isinstance(experiment, Tailed)
        run = experiment.tail(question, (n,), samples)
        own = own_seed(seed, f"rare {where}")
        found = np.array([run(own, number)[0] for number in range(_RUNS)])
        mean = float(found.mean())
        refuted = excess_p_value(found, bound) <= RARE_LEVEL
        seen = mean > 0.0 and excess_p_value(found / mean * _OFF, 1.0) <= RARE_LEVEL
        low, high = mean_interval(found)
        text = f"{mean:.2g} ({low:.2g} .. {high:.2g}) against {bound:.2g}"
        ratio = 0.0 if refuted else max(1.0, bound / mean) if mean > 0.0 else np.inf
        return Closest(ratio, text, _OFF if seen else np.inf)

    return Fact(claim, where, compare, control=control)
