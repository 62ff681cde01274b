"""Trials of the main theorem: random target and source, pruning, certified error; functions of (seed, trial)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nets.certificate import certify_batch
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.source import Source, trial_seeds
from nets.targets.target import Target, random_target
from sims.solver.philox import grid_draws
from theory.network import MainTheorem, layer_etas

_BATCH_WEIGHTS = 2**20
_STARTS, _STEPS = 16, 12
"""Of the ascent behind the lower end: fewer than `certify` takes, since there are many trials."""
_TARGET_STREAM = 2**31


@dataclass(frozen=True)
class Networks:
    """How the networks of the trials are made.

    Attributes
    ----------
    targets : int
        Random targets; trial t uses target t mod this number.
    construction : {"window", "best", "subset-sum"}
        window: the proof's choice. best: the neuron and draws nearest to the weight. subset-sum: a sum of several.
    sampler : {"draws", "nearest"}
        Every draw made, or the nearest of R draws by its exact law.
    device : str
        Where the search and the certificates run.
    """

    targets: int
    construction: str
    sampler: str
    device: str


def batch_size(widths: Sequence[int], trials: int) -> int:
    """Trials of a batch that keeps memory small and a progress bar moving."""
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    return max(1, min(_BATCH_WEIGHTS // weights, -(-trials // 20)))


class Trials:
    """Certifies ranges of trials; keeps the targets.

    Parameters
    ----------
    n : sequence of int
        Candidates per input coordinate and sign of every layer.
    """

    def __init__(self, question: MainTheorem, n: Sequence[int], networks: Networks, seed: int, jobs: int) -> None:
        self._question, self._n, self._networks = question, tuple(n), networks
        self._seed, self._jobs = seed, jobs
        self._targets: dict[int, Target] = {}

    def _target(self, which: int) -> Target:
        if which not in self._targets:
            # a seed of its own for every target; torch's generators take 63 bits
            seed = int(grid_draws(self._seed, which, 1, 1, stream=_TARGET_STREAM)[0, 0]) + 2**52
            self._targets[which] = random_target(self._question.widths, self._question.norm, seed=seed)
        return self._targets[which]

    def errors(self, first: int, trials: int) -> torch.Tensor:
        """The certified lower and upper ends of the errors of a batch of trials, float64, shape (2, trials)."""
        asked, made = self._question, self._networks
        numbers = torch.arange(first, first + trials) % made.targets
        targets = [self._target(k) for k in numbers.tolist()]
        if made.construction == "subset-sum":
            effective = self._subset_sums(targets, first)
        else:
            effective = simulate_trials(
                [torch.stack(layers) for layers in zip(*(target.weights for target in targets), strict=True)],
                list(self._n),
                R=asked.R,
                seed=self._seed,
                trials=trials,
                first_trial=first,
                eta=layer_etas(asked.widths, asked.eps, domain=asked.domain),
                halves="needed",
                construction=made.construction,
                sampler=made.sampler,
                device=made.device,
                jobs=self._jobs,
            ).effective
        found = torch.empty(2, trials, dtype=torch.float64)
        for k in numbers.unique().tolist():
            rows = numbers == k
            mine = [(plus[rows], minus[rows]) for plus, minus in effective]
            bracket = certify_batch(
                self._target(k), mine, domain=asked.domain, starts=_STARTS, steps=_STEPS, device=made.device
            )
            found[0, rows], found[1, rows] = bracket.lower.cpu().double(), bracket.upper.cpu().double()
        return found

    def _subset_sums(self, targets: Sequence[Target], first: int) -> list[tuple[Any, Any]]:
        """Effective weights of one source network per target, by subset sums."""
        pruned = []
        seeds = trial_seeds(self._seed, first, trials=len(targets))
        for target, seed in zip(targets, seeds.tolist(), strict=True):
            source = Source(self._question.widths, self._n, seed=seed, R=self._question.R)
            network = prune(
                target,
                source,
                construction="subset-sum",
                halves="needed",
                device=self._networks.device,
                jobs=self._jobs,
            )
            pruned.append(network.effective())
        return [
            (torch.stack([network[i][0] for network in pruned]), torch.stack([network[i][1] for network in pruned]))
            for i in range(len(self._question.widths) - 1)
        ]
