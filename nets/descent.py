"""The one training loop: cross-entropy, gradient, step, over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.nn import functional as F

Batch = tuple[torch.Tensor, torch.Tensor]


def descend(
    forward: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[Batch],
    optimiser: torch.optim.Optimizer,
    *,
    label_smoothing: float = 0.0,
    before: Callable[[], None] | None = None,
    after: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None] | None = None,
) -> None:
    """One step of the optimiser for every batch.

    Parameters
    ----------
    forward : callable
        Inputs to logits.
    batches : iterable of (inputs, labels)
    label_smoothing : float
        Of the cross-entropy.
    before, after : callable, optional
        Called before each forward pass, and after each step with its mean loss, logits and labels.
    """
    for x, y in batches:
        if before is not None:
            before()
        logits = forward(x)
        loss = F.cross_entropy(logits, y, label_smoothing=label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if after is not None:
            after(loss.detach(), logits.detach(), y)
