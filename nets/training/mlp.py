"""Bias-free ReLU networks trained as in the published experiment.

Source: Pensia et al. 2020 (bibliography key ``pensia2020``), experiment 1.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from nets.arguments import dense, real_tensor, several
from nets.descent import descend
from nets.training.optimisation import Optimisation
from nets.training.tally import Tally
from sims.solver.limits import MAX_SEED, between, finite_number
from theory.numerics.check import positive_int

_ENOUGH = 0.1
"""Seconds of a step that is not tried twenty times."""


def train_mlp(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    widths: Sequence[int],
    seed: int,
    epochs: int = 10,
    batch: int = 64,
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    after_epoch: Callable[[int, float], None] | None = None,
) -> list[torch.Tensor]:
    """Train F_1, ..., F_l by SGD on the cross-entropy.

    Parameters
    ----------
    images, labels : torch.Tensor, shapes (count, d_0) and (count,)
    widths : sequence of int
        d_0, ..., d_l.
    seed : int
        Of a generator of its own; the same seed gives the same weights on one machine.
    epochs, batch, lr, momentum, weight_decay
        The learning rate of epoch e (from 0) is lr (1 + cos(pi e / epochs)) / 2.
    after_epoch : callable, optional
        Called with (epoch from 1, mean training loss).

    Returns
    -------
    list of torch.Tensor, shapes (d_i, d_{i-1}), dtype of `images`

    Raises
    ------
    ValueError
        If the widths do not fit the data, or the loss is not finite.
    """
    images, labels = real_tensor("images", images, ndim=2), dense("labels", labels)
    if not len(images) or not bool(torch.isfinite(images).all()):
        raise ValueError(f"images must be finite, one at least, got shape {tuple(images.shape)} or NaN or infinity")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1] or int(labels.min()) < 0:
        raise ValueError(f"labels must be int64 >= 0, one for each image, got {labels.dtype} {tuple(labels.shape)}")
    widths = tuple(positive_int("widths", width) for width in several("widths", widths))
    seed, epochs, batch = (
        between("seed", seed, 0, MAX_SEED),
        between("epochs", epochs, 0, 10**9),
        between("batch", batch, 1, 2**31),
    )
    for name, value, high in (
        ("lr", lr, math.inf),
        ("momentum", momentum, 1),
        ("weight_decay", weight_decay, math.inf),
    ):
        if not 0 <= finite_number(name, value) < high:
            raise ValueError(f"{name} must be a number >= 0{' and < 1' if high == 1 else ''}, got {name}={value}")
    if len(widths) < 2 or widths[0] != images.shape[1] or widths[-1] <= int(labels.max()):
        raise ValueError(
            f"widths must start with {images.shape[1]} pixels and end with more than {int(labels.max())} outputs, "
            f"got widths={tuple(widths)}"
        )
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for d_in, d_out in itertools.pairwise(widths):  # the usual first weights: uniform on +-1/sqrt(d_in)
        first = torch.rand(d_out, d_in, generator=generator, dtype=images.dtype)
        weights.append(((2 * first - 1) / d_in**0.5).requires_grad_())
    how = Optimisation(lr=lr, momentum=momentum, weight_decay=weight_decay, batch=batch, epochs=epochs)
    optimiser = how.make_optimiser(weights)

    def forward(x: torch.Tensor) -> torch.Tensor:
        for i, weight in enumerate(weights):
            x = (torch.relu(x) if i else x) @ weight.T
        return x

    for epoch in range(epochs):
        how.set_rate(optimiser, epoch)
        tally = Tally("cpu")
        order = torch.randperm(len(images), generator=generator).split(batch)
        descend(forward, ((images[chosen], labels[chosen]) for chosen in order), optimiser, after=tally.add)
        loss = tally.read().loss
        if not math.isfinite(loss):
            raise ValueError(f"the loss is not finite after epoch {epoch + 1}: lr={lr} is too large")
        if after_epoch is not None:
            after_epoch(epoch + 1, loss)
    return [weight.detach() for weight in weights]


def mlp_step_seconds(images: torch.Tensor, labels: torch.Tensor, *, batch: int, **chosen: Any) -> float:
    """Measured seconds of a step of `train_mlp`, in a training of its own on a few batches.

    Parameters
    ----------
    images, labels, batch
        Of `train_mlp`, as are the others.
    """
    few, chosen = min(batch, 16), {**chosen, "lr": 0.0}  # which never diverges
    train_mlp(images[:few], labels[:few], batch=few, epochs=1, **chosen)  # loads what is needed
    begun = time.perf_counter()
    train_mlp(images[:few], labels[:few], batch=few, epochs=2, **chosen)
    spent = (time.perf_counter() - begun) / 2 * batch / few
    if spent > _ENOUGH:
        return spent
    size = min(len(images), 20 * batch)
    begun = time.perf_counter()
    train_mlp(images[:size], labels[:size], batch=batch, epochs=1, **chosen)
    return (time.perf_counter() - begun) / -(-size // batch)
