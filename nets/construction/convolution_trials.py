"""Trials of the main theorem for convolutions: random target and source, pruning, certified error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nets.certificate import certify_network
from nets.certificate.domain import Domain
from nets.construction.gadget import Floats, Gadget, effective, solve
from nets.construction.networks import Networks
from nets.construction.options import PARTS, check_construction
from nets.construction.pruned import half_count
from nets.construction.scan import scan_layer
from nets.construction.source import trial_seeds
from nets.graph.graph import Graph
from nets.graph.parts import Part, find_parts
from nets.graph.substitution import Effective
from nets.targets.convolutions import random_convolutions
from sims.solver.philox import grid_draws
from theory.network import ConvolutionTheorem, convolution_etas

_STARTS, _STEPS = 4, 12
"""Of the ascent behind the lower end: fewer than `certify_network` takes, since there are many trials."""
_TARGET_STREAM = 2**31


class ConvolutionTrials:
    """Certifies ranges of trials; keeps the targets.

    A trial's source has, for layer i, the gadget of number i - 1 (`nets.construction.gadget`): rows are output channels
    and taps, columns input channels. With sampler "nearest" its draws come by their exact law instead.

    Parameters
    ----------
    n : sequence of int
        Candidates per input channel and sign of every layer.
    """

    def __init__(
        self, question: ConvolutionTheorem, n: Sequence[int], networks: Networks, seed: int, jobs: int
    ) -> None:
        signs = check_construction(networks.construction, R=question.R, n=min(n), sampler=networks.sampler)
        self._open_signs = signs == "open"
        self._question, self._n, self._networks = question, tuple(n), networks
        self._seed, self._jobs = seed, jobs
        self._etas = convolution_etas(question.widths, question.eps, kernel=question.kernel)
        self._targets: dict[int, Graph] = {}

    def target(self, trial: int) -> Graph:
        """The target of a trial."""
        which = trial % self._networks.targets
        if which not in self._targets:
            # a seed of its own for every target; torch's generators take 63 bits
            seed = int(grid_draws(self._seed, which, 1, 1, stream=_TARGET_STREAM)[0, 0]) + 2**52
            self._targets[which] = random_convolutions(self._question, seed=seed)
        return self._targets[which]

    def pruned(self, trial: int) -> Effective:
        """The effective weights of a trial's pruned network, by constant."""
        graph = self.target(trial)
        seed = int(trial_seeds(self._seed, trial, trials=1)[0])
        found = {}
        for i, part in enumerate(find_parts(graph)):
            plus, minus = self._halves(i, part, part.matrices(graph.constants[part.constant]), seed)
            first = part.restored(plus)
            found[part.constant] = first, (first if minus is plus else part.restored(minus))
        return found

    def judged(self, first: int, trials: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of trials: the certified ends of their errors, and what they show.

        Returns
        -------
        errors : torch.Tensor of float64, shape (2, trials)
            Lower ends (0 where none is proved), upper ends.
        shown : torch.Tensor of int8, shape (trials,)
            1: the error is at most eps. -1: it is more. 0: undecided.
        """
        asked, errors = self._question, torch.empty(2, trials, dtype=torch.float64)
        shape = {"input": (1, asked.widths[0], asked.side, asked.side)}
        for t in range(trials):
            found = certify_network(
                self.target(first + t), self.pruned(first + t), domain=Domain.ball(1.0), shapes=shape, starts=_STARTS,
                steps=_STEPS,
            )  # fmt: skip
            if found.upper is None:
                raise RuntimeError(f"a chain of convolutions has no upper bound: {found.reason}")
            errors[0, t] = found.lower if found.lower_word == "proved" else 0.0
            errors[1, t] = found.upper
        shown = (errors[1] <= asked.eps).to(torch.int8) - (errors[0] > asked.eps).to(torch.int8)
        return errors, shown

    def _halves(self, i: int, part: Part, weight: Floats, seed: int) -> tuple[Floats, Floats]:
        """W_plus and W_minus of layer i (from 0), shape (1, rows, cols); the same array where one half is enough."""
        made, n, R = self._networks, self._n[i], self._question.R
        parts = PARTS.get(made.construction, 1)
        halves = half_count("needed", i)
        if made.construction == "subset-sum":
            gadget = Gadget(i, 1, part.rows, part.cols, n=n, R=R, seed=seed, halves=halves)
            return effective(gadget, solve(gadget, weight, device=made.device, jobs=self._jobs), jobs=self._jobs)
        records = scan_layer(
            np.array([seed], np.uint64), 2 * i + 1, torch.from_numpy(weight), n=n, R=R, eta=self._etas[i],
            window=made.construction == "window", open_signs=self._open_signs, by_law=made.sampler == "nearest",
            halves=halves, parts=parts, device=made.device, jobs=self._jobs,
        )  # fmt: skip
        products = (records["a"] * records["b"])[0].cpu().numpy().reshape(halves, parts, *weight.shape[1:]).sum(1)
        plus = products[:1]
        return plus, (products[1:] if halves == 2 else plus)
