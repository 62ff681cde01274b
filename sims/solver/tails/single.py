"""Rare misses of a single weight: given the target they are known exactly, so targets alone are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from sims.solver.arguments import Floats
from sims.solver.tails.splitting import TARGETS, Source


class SingleTail:
    """P(none of the R draws of the first k of n variables lies within eps of alpha).

    A uniform target is missed most often near the ends of [-1, 1], at distances of 1/(n R). So half of the samples'
    distances from the ends are uniform and half of them uniform in their logarithm, and each counts by the ratio of the
    densities: the mean is unbiased.

    Parameters
    ----------
    sizes : sequence of int
        The n, >= 1.
    R : int
        >= 1.
    eps : float
        In (0, 1].
    alpha : float or "uniform"
        In [-1, 1]; "uniform": each sample has a target of its own.
    samples : int
        Of one run.
    """

    def __init__(
        self, sizes: Sequence[int], R: int, eps: float, alpha: float | Literal["uniform"], samples: int
    ) -> None:
        self._draws = float(R) * np.asarray(sizes)
        self._eps, self._alpha, self.samples = eps, alpha, samples

    def run(self, seed: int, number: int) -> Floats:
        """One run's estimates, one a size."""
        weights, room = np.ones(1), np.ones(1)
        if self._alpha == "uniform":
            place, way = Source(seed, number, self.samples).each(TARGETS, 2).T
            least = 1e-6 * self._eps
            room = np.where(way < 0.5, 1.0 - place, least**place)
            weights = 1.0 / (0.5 + np.where(room >= least, 0.5 / (room * -math.log(least)), 0.0))
        else:
            room = room - abs(float(self._alpha))
        with np.errstate(divide="ignore"):
            log_missed = np.log1p(-0.5 * (self._eps + np.minimum(self._eps, room)))
        found: Floats = np.array([(weights * np.exp(draws * log_missed)).mean() for draws in self._draws])
        return found
