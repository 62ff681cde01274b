"""Signed supermasks (Koster et al. 2022): a weight is kept, dropped, or kept with its sign turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from nets.search.methods.method import Layer, Method
from nets.search.straight_through import straight_through


@dataclass(frozen=True)
class SignedSupermask(Method):
    """Ternary masks: the weights with the largest abs(S) count as W * sign(S), all others as 0.

    With G the gradient of the effective weight, the score's gradient is W * G, for all weights, also those that are 0.

    Parameters
    ----------
    score_init : {"kaiming-uniform-a5", "kaiming-uniform-relu"}
        Authors' code: uniform by Xavier's rule.

    Notes
    -----
    The authors' main variant keeps the weights with abs(S) above a constant, so that the number kept is not fixed, and
    weight decay lowers it; their second keeps as many +1 as -1, by order statistics of a sample of 5000 scores. Here
    exactly n_keep are kept, and the scores settle how many are turned. sign(0) counts as 1. What a ticket stores is the
    sign of every kept weight, one bit each.

    Source
    ------
    Koster, Grothe and Rettinger, ICLR 2022, arXiv 2201.13361; rules read in the authors' code. Their networks have ELU
    activations and weights scaled for them; neither is set here.

    Examples
    --------
    >>> from nets.search.layer import from_linear, masked_weight_of
    >>> layer = from_linear(torch.nn.Linear(3, 1), n_keep=2, method=SignedSupermask())
    >>> masked = masked_weight_of(layer)
    >>> masked.frozen, masked.scores.data = torch.tensor([[2.0, 3.0, 4.0]]), torch.tensor([[-0.5, 0.1, 0.2]])
    >>> layer.weight.tolist()
    [[-2.0, 0.0, 4.0]]
    """

    name: ClassVar[str] = "signed-supermask"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.score_key != "abs":
            raise ValueError(f"score_key must be abs for method {self.name}, got score_key={self.score_key!r}")

    def effective(self, layer: Layer) -> torch.Tensor:
        """See `Method`."""
        value = torch.where(layer.scores.detach() < 0, -layer.frozen, layer.frozen)
        return straight_through(layer.scores, value, layer.mask(), slope=layer.frozen, signed=False)
