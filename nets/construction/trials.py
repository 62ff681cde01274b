"""Trials of the main theorem: random target and source, pruning, certified error; functions of (seed, trial)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from nets.certificate import certify_batch
from nets.construction.networks import Networks
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.source import Source, trial_seeds
from nets.targets.target import Target, random_target
from sims.solver.philox import grid_draws
from theory.network import MainTheorem, layer_etas

_STARTS, _STEPS = 16, 12
"""Of the ascent behind the lower end: fewer than `certify` takes, since there are many trials."""
_TARGET_STREAM = 2**31


class Decide(Protocol):
    """Says of one network whether its error is at most eps: ``holds``, ``refuted``, or ``undecided``."""

    def __call__(
        self, target: Target, effective: Sequence[tuple[torch.Tensor, torch.Tensor]], eps: float, *, domain: str
    ) -> str: ...


class Trials:
    """Certifies ranges of trials; keeps the targets.

    Parameters
    ----------
    n : sequence of int
        Candidates per input coordinate and sign of every layer.
    decide : Decide, optional
        Asked about every trial whose certified ends leave open whether its error is at most eps.
    """

    def __init__(
        self,
        question: MainTheorem,
        n: Sequence[int],
        networks: Networks,
        seed: int,
        jobs: int,
        *,
        decide: Decide | None = None,
    ) -> None:
        self._decide = decide
        self._question, self._n, self._networks = question, tuple(n), networks
        self._seed, self._jobs = seed, jobs
        self._targets: dict[int, Target] = {}

    def _target(self, which: int) -> Target:
        if which not in self._targets:
            # a seed of its own for every target; torch's generators take 63 bits
            seed = int(grid_draws(self._seed, which, 1, 1, stream=_TARGET_STREAM)[0, 0]) + 2**52
            self._targets[which] = random_target(self._question.widths, self._question.norm, seed=seed)
        return self._targets[which]

    def judged(self, first: int, trials: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of trials: the certified ends of their errors, and what they show.

        Returns
        -------
        errors : torch.Tensor of float64, shape (2, trials)
            Lower ends, upper ends.
        shown : torch.Tensor of int8, shape (trials,)
            1: the error is at most eps. -1: it is more. 0: undecided.
        """
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
                sides="needed",
                construction=made.construction,
                sampler=made.sampler,
                device=made.device,
                jobs=self._jobs,
            ).effective
        errors = torch.empty(2, trials, dtype=torch.float64)
        for k in numbers.unique().tolist():
            rows = numbers == k
            mine = [(plus[rows], minus[rows]) for plus, minus in effective]
            bracket = certify_batch(
                self._target(k), mine, domain=asked.domain, starts=_STARTS, steps=_STEPS, device=made.device
            )
            errors[0, rows], errors[1, rows] = bracket.lower.cpu().double(), bracket.upper.cpu().double()
        shown = (errors[1] <= asked.eps).to(torch.int8) - (errors[0] > asked.eps).to(torch.int8)
        if self._decide is not None:
            for t in (shown == 0).nonzero()[:, 0].tolist():
                one = [(plus[t], minus[t]) for plus, minus in effective]
                word = self._decide(targets[t], one, asked.eps, domain=asked.domain)
                shown[t] = {"holds": 1, "undecided": 0, "refuted": -1}[word]
        return errors, shown

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
                sides="needed",
                device=self._networks.device,
                jobs=self._jobs,
            )
            pruned.append(network.effective())
        return [
            (torch.stack([network[i][0] for network in pruned]), torch.stack([network[i][1] for network in pruned]))
            for i in range(len(self._question.widths) - 1)
        ]
