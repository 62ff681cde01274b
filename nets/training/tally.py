"""Loss and accuracy, added up where the batches are: the host waits for them once an epoch, not once a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class Score:
    """What a pass over some images gave.

    Attributes
    ----------
    loss : float
        Mean over the images.
    accuracy : float
        Share of the images whose largest output is their class, in [0, 1]; ties go to the first.
    count : int
    """

    loss: float
    accuracy: float
    count: int


class Tally:
    """Sums of losses and of correct answers, kept on the device in float64.

    Parameters
    ----------
    sums : torch.Tensor of float64, shape (3,), optional
        Loss, correct, count so far, from another tally's `sums`.

    Examples
    --------
    >>> tally = Tally("cpu")
    >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> tally.add(torch.tensor(0.5), logits, torch.tensor([0, 0]))
    >>> tally.read()
    Score(loss=0.5, accuracy=0.5, count=2)
    """

    def __init__(self, device: str | torch.device, sums: torch.Tensor | None = None) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64) if sums is None else sums.clone()
        self.sums = self.sums.to(device)

    @torch.no_grad()
    def add(self, mean_loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch in; nothing is copied to the host."""
        self.sums[0] += mean_loss.detach().double() * len(labels)
        self.sums[1] += (logits.detach().argmax(-1) == labels).sum()
        self.sums[2] += len(labels)

    def read(self) -> Score:
        """Means so far; the host waits here. Without images all are 0."""
        loss, correct, count = self.sums.tolist()
        return Score(loss / max(count, 1.0), correct / max(count, 1.0), int(count))


@torch.no_grad()
def evaluate(
    model: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    device: str | torch.device,
) -> Score:
    """Loss (no label smoothing) and accuracy of a model in evaluation mode, in the precision of its weights.

    Parameters
    ----------
    model : torch.nn.Module
        Left in the mode it was in.
    batches : iterable of (x, y)
    """
    tally = Tally(device)
    training = getattr(model, "training", False)
    if isinstance(model, torch.nn.Module):
        model.eval()
    for x, y in batches:
        logits = model(x).float()
        tally.add(F.cross_entropy(logits, y), logits, y)
    if isinstance(model, torch.nn.Module):
        model.train(training)
    return tally.read()
