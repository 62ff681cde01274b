"""Targets that scikit-learn's digits give: a dense network trained on the spot, and the data with its test part."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch

from nets.arguments import flag, several
from nets.descent import descend
from nets.targets.target import Target, with_biases
from nets.threads import few_threads
from sims.solver.limits import MAX_SEED, between
from theory.numerics.check import positive_int


class Digits(NamedTuple):
    """Images (n, 64) with pixels in [0, 1], float64, and labels (n,) of scikit-learn's digits, in two parts."""

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor

    def accuracy(self, target: Target) -> float:
        """Part of the test images that `target` classifies correctly."""
        return float((target(target.lift(self.x_test)).argmax(-1) == self.y_test).double().mean())


def digits_split(*, seed: int = 0) -> Digits:
    """Return scikit-learn's digits (shipped with it, no download), shuffled and split 80 to 20 by `seed`."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    generator = torch.Generator().manual_seed(between("seed", seed, 0, MAX_SEED))
    order = torch.randperm(len(labels), generator=generator)
    x, y = torch.from_numpy(images)[order] / 16, torch.from_numpy(labels).long()[order]
    cut = len(labels) * 4 // 5
    return Digits(x[:cut], y[:cut], x[cut:], y[cut:])


def from_digits(hidden: Sequence[int] = (32,), *, seed: int = 0, bias: bool = False, steps: int = 200) -> Target:
    """Train a small network on scikit-learn's digits, in about a second.

    Parameters
    ----------
    hidden : sequence of int, each >= 1
        Hidden widths; empty for a linear classifier.
    seed : int
        Seed of the split and of the initial weights. The result is the same on every run on one machine.
    bias : bool
        Train biases too.
    steps : int >= 0
        Full-batch Adam steps.

    Returns
    -------
    Target
        With 64 inputs (pixels in [0, 1]) and 10 outputs; its norms are what training gives, above 1 as a rule.

    Raises
    ------
    ValueError
        If a hidden width is < 1 or steps < 0.

    See Also
    --------
    digits_split : the data with its test part.
    """
    widths = (64, *(positive_int("hidden", width) for width in several("hidden", hidden)), 10)
    steps, bias = between("steps", steps, 0, 10**9), flag("bias", bias)
    data, generator = digits_split(seed=seed), torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for d_in, d_out in itertools.pairwise(widths):
        draw = torch.randn(d_out, d_in, generator=generator, dtype=torch.float64) * (2 / d_in) ** 0.5
        weights.append(draw.requires_grad_())
        biases.append(torch.zeros(d_out, dtype=torch.float64, requires_grad=bias))

    def forward(state: torch.Tensor) -> torch.Tensor:
        for i, (weight, offset) in enumerate(zip(weights, biases, strict=True)):
            state = torch.nn.functional.linear(torch.relu(state) if i else state, weight, offset)
        return state

    optimiser = torch.optim.Adam([*weights, *(biases if bias else [])], lr=0.01)
    with few_threads(0):  # also so that the weights do not depend on the number of cores
        descend(forward, itertools.repeat((data.x_train, data.y_train), steps), optimiser)
    return with_biases(weights, biases if bias else [None] * len(weights))
