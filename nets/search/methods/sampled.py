"""What methods share whose masks are drawn at random, each weight with a probability of its own.

Noise comes from `nets.search.search.TicketSearch.draw_noise`: a uniform number for each weight, a function of (score
seed, layer, element, step), so that a resumed run draws what an uninterrupted one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from nets.search.methods.method import Event, Layer, Method, Search


@dataclass(frozen=True)
class Sampled(Method):
    """Masks that are drawn anew for every training step, and once, with noise that stays, for the ticket."""

    score_key: str = "raw"

    exact_count: ClassVar[bool] = False
    samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score_key != "raw":
            raise ValueError(f"score_key must be raw for method {self.name}, got score_key={self.score_key!r}")

    def first_event(self) -> int | None:
        """See `Method`: the noise of the first step is due before it."""
        return 1

    def before_step(self, search: Search, step: int) -> Event | None:
        """Draw the noise of the step."""
        search.draw_noise(step + 1)
        return None


def noise_of(layer: Layer) -> torch.Tensor:
    """The uniform numbers in [0, 1) that settle the mask of a tensor now: the step's in training, else the ticket's."""
    noise = layer.step_noise if layer.training else layer.ticket_noise
    if noise is None:
        raise RuntimeError("there is no noise to draw a mask from: make the search by find_tickets")
    return noise


def drawn(noise: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """A mask that keeps each weight with its probability, never one of probability 0 and always one of probability 1.

    Examples
    --------
    >>> drawn(torch.tensor([0.0, 0.3, 0.3, 0.99]), torch.tensor([0.0, 0.2, 0.4, 1.0])).tolist()
    [False, False, True, True]
    """
    return noise < probability.to(noise.dtype)
