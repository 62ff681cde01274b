"""Optimiser and schedule of a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How a network, or its scores, are trained; weight decay acts on all that is trained, scores included.

    Attributes
    ----------
    optimiser : {"sgd", "adam"}
        SGD without Nesterov's step.
    lr, momentum, weight_decay : float
        Momentum is SGD's only.
    schedule : {"cosine", "constant"}
    warmup, cooldown : int
        Epochs of rising learning rate at the start, and of `cooldown_lr` at the end.
    cooldown_lr : float
    batch, epochs : int
    label_smoothing : float
    """

    optimiser: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup: int = 0
    cooldown: int = 0
    cooldown_lr: float = 0.0
    batch: int = 128
    epochs: int = 100
    label_smoothing: float = 0.0

    def rate(self, epoch: int) -> float:
        """Learning rate of one epoch, counted from 0; it is constant inside the epoch.

        Warm-up of w epochs: lr (epoch + 1) / w. Then, with E the epochs without the cool-down,
        lr (1 + cos(pi (epoch - w) / (E - w))) / 2, so that the last one is small but not 0. Cool-down: its own rate.

        Source
        ------
        The per-epoch cosine of the reference codes of Edge-Popup, Biprop, IteRand and weight recycling (read).

        Examples
        --------
        >>> slow = Optimisation(lr=0.256, warmup=5)
        >>> [round(slow.rate(epoch), 4) for epoch in (0, 4, 5, 52, 99)]
        [0.0512, 0.256, 0.256, 0.1301, 0.0001]
        """
        end = self.epochs - self.cooldown
        if epoch < self.warmup:
            return self.lr * (epoch + 1) / self.warmup
        if epoch >= end:
            return self.cooldown_lr
        if self.schedule == "constant":
            return self.lr
        return self.lr * (1.0 + math.cos(math.pi * (epoch - self.warmup) / (end - self.warmup))) / 2.0

    def make_optimiser(self, trained: Iterable[torch.Tensor]) -> torch.optim.Optimizer:
        """SGD or Adam over these tensors."""
        import torch

        if self.optimiser == "adam":
            return torch.optim.Adam(trained, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(trained, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def set_rate(self, optimiser: torch.optim.Optimizer, epoch: int) -> None:
        """Give the optimiser the learning rate of an epoch."""
        for group in optimiser.param_groups:
            group["lr"] = self.rate(epoch)
