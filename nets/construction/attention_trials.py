"""Trials of the main theorem for an attention: random target and source, pruning, certified error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from nets.certificate.norms import spectral_norm_upper
from nets.construction.gadget import Floats, Gadget, effective, solve
from nets.construction.networks import Networks
from nets.construction.shift_and_pick import shift_and_pick
from nets.construction.source import trial_seeds
from nets.targets.attentions import AttentionMaps, random_attention
from sims.solver.philox import grid_draws
from theory.attention import AttentionTheorem, attention_error_bound

_STARTS, _STEPS, _TOKENS = 8, 30, 3
"""Of the ascent behind the lower end."""
_CHOICES = 16.0
"""log2 of the subsets that the search for sums looks at: it leaves further neurons out."""
_TARGET_STREAM = 2**31
_UNIT = 2.0**-53


class AttentionTrials:
    """Certifies ranges of trials; keeps the targets.

    A trial's source has, for head h, the products of random matrices number 2h (scores) and 2h + 1 (values). With
    construction "subset-sum" they are gadgets without a ReLU (`nets.construction.gadget`) of no more neurons than can
    be searched; with "window" entries are made as in the proof (`nets.construction.shift_and_pick`).

    Parameters
    ----------
    n : sequence of int
        Inner neurons for each input coordinate and head, of the scores and of the values.
    """

    def __init__(self, question: AttentionTheorem, n: Sequence[int], networks: Networks, seed: int, jobs: int) -> None:
        self._question, self._n, self._networks = question, tuple(n), networks
        self._seed, self._jobs = seed, jobs
        self._targets: dict[int, AttentionMaps] = {}

    def target(self, trial: int) -> AttentionMaps:
        """The target of a trial."""
        which = trial % self._networks.targets
        if which not in self._targets:
            # a seed of its own for every target; torch's generators take 63 bits
            seed = int(grid_draws(self._seed, which, 1, 1, stream=_TARGET_STREAM)[0, 0]) + 2**52
            self._targets[which] = random_attention(self._question, seed=seed)
        return self._targets[which]

    def pruned(self, trial: int) -> AttentionMaps:
        """The maps of a trial's pruned source."""
        target, seed = self.target(trial), int(trial_seeds(self._seed, trial, trials=1)[0])
        made = [
            [torch.from_numpy(self._made(2 * h + kind, self._n[kind], one.numpy(), seed)) for h, one in enumerate(maps)]
            for kind, maps in enumerate((target.scores, target.values))
        ]
        return AttentionMaps(torch.stack(made[0]), torch.stack(made[1]))

    def judged(self, first: int, trials: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of trials: the certified ends of their errors, and what they show.

        Returns
        -------
        errors : torch.Tensor of float64, shape (2, trials)
            Lower ends, upper ends.
        shown : torch.Tensor of int8, shape (trials,)
            1: the error is at most eps. -1: it is more. 0: undecided.
        """
        eps, errors = self._question.eps, torch.empty(2, trials, dtype=torch.float64)
        for t in range(trials):
            errors[0, t], errors[1, t] = error_bracket(
                self.target(first + t), self.pruned(first + t), self._question.radius
            )
        return errors, (errors[1] <= eps).to(torch.int8) - (errors[0] > eps).to(torch.int8)

    def _made(self, number: int, n: int, target: Floats, seed: int) -> Floats:
        """One product of two random matrices, pruned towards a target of shape (coordinates, entries)."""
        cols, rows = target.shape
        R = self._question.R
        if self._networks.construction == "subset-sum":
            used = min(n, max(1, math.floor(_CHOICES / math.log2(R + 1))))
            gadget = Gadget(number, 1, rows, cols, n=used, R=R, seed=seed, halves=1, relu=False)
            found = solve(gadget, target.T[None].copy(), device=self._networks.device, jobs=self._jobs)
            return np.ascontiguousarray(effective(gadget, found, jobs=self._jobs)[0][0].T)
        made = np.empty_like(target)
        for c in range(cols):
            own = grid_draws(seed, c, 1, n * R * (1 + rows), stream=2 * number + 3).reshape(1 + rows, n, R)
            draws = np.asarray(own * 2.0**-52, np.float64)
            made[c] = shift_and_pick(draws[0], draws[1:], target[c])
        return made


def error_bracket(target: AttentionMaps, pruned: AttentionMaps, radius: float) -> tuple[float, float]:
    """Proved ends of the largest error of an output token, over all sequences of tokens of norm at most radius.

    Source
    ------
    Proved in theory/PROOFS.md, 4.10 (b) and (d).

    Examples
    --------
    >>> one = torch.eye(2, dtype=torch.float64)[None]
    >>> low, high = error_bracket(AttentionMaps(one, one), AttentionMaps(one, 1.125 * one), 1.0)
    >>> 0.124 < low <= 0.125 <= high < 0.126
    True
    """
    errors = [
        spectral_norm_upper(one - two).tolist()
        for one, two in ((pruned.scores, target.scores), (pruned.values, target.values))
    ]
    norms = spectral_norm_upper(target.values).tolist()
    upper = attention_error_bound(radius, score_errors=errors[0], value_errors=errors[1], value_norms=norms)
    lower, size = _ascent(target, pruned, radius), math.hypot(radius, 1.0) ** 2 * radius
    d, out = target.values.shape[1:]
    norm = sum(math.prod(float(torch.linalg.vector_norm(one)) + 1.0 for one in both) for maps in (target, pruned)
               for both in zip(maps.scores, maps.values, strict=True))  # fmt: skip
    return max(0.0, lower - 64.0 * (d + out + _TOKENS + 24) * _UNIT * norm * size), upper


def _ascent(target: AttentionMaps, pruned: AttentionMaps, radius: float) -> float:
    """The largest error of an output token that an ascent from given starts meets, as computed."""
    d = target.scores.shape[1]
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(_STARTS, _TOKENS, d, generator=generator, dtype=torch.float64)
    gap = pruned.scores - target.scores
    for k in range(min(_STARTS - 1, len(gap))):  # where the scores differ the most
        left, _, right = torch.linalg.svd(gap[k])
        tokens[k] = torch.stack([left[:, 0], right[0], -right[0]])
    tokens[_STARTS - 1] = torch.linalg.svd((pruned.values - target.values).sum(0))[0][:, 0]
    best, step = 0.0, 0.3
    for _ in range(_STEPS):
        tokens = radius * (1.0 - 2.0**-40) * tokens / torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
        tokens.requires_grad_()
        errors = torch.linalg.vector_norm(pruned.outputs(tokens) - target.outputs(tokens), dim=-1)[:, 0]
        best = max(best, float(errors.detach().max()))
        (slope,) = torch.autograd.grad(errors.sum(), tokens)
        scale = torch.linalg.vector_norm(slope, dim=(-2, -1), keepdim=True).clamp_min(1e-300)
        tokens = (tokens + step * radius * slope / scale).detach()
        step *= 0.9
    return best
