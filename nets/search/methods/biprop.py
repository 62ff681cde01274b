"""Biprop (Diffenderfer and Kailkhura 2021): Edge-Popup over binary weights, each layer with one scale.

A kept weight is worth gain * sign(W), where the gain is the mean of abs(W) over the kept weights of its layer. With
signed-constant weights that is W itself, so there Biprop and Edge-Popup are the same algorithm, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from nets.search.check import one_of
from nets.search.fused import product, signs
from nets.search.methods.method import Method

GRADIENTS = ("magnitude", "gain", "sign")


@dataclass(frozen=True)
class Biprop(Method):
    """Binary weights under Edge-Popup's masks.

    Parameters
    ----------
    score_key, score_init, scope, schedule_epochs, schedule_start
        See `nets.search.methods.method.Method`; the defaults are those of the authors' code.
    gradient : {"magnitude", "gain", "sign"}
        How the gradient G of an effective weight reaches its score, before sign(S). "magnitude" (authors' code since
        2021-04-12): W * G, the gain is left out. "gain": gain * sign(W) * G, the derivative of the forward pass with
        the gain held fixed. "sign" (authors' first version): sign(W) * G.

    Notes
    -----
    The gain divides by the true number of kept weights (the authors' code by int(density * n), one less in many
    layers) and is computed in float64; a layer of which nothing is kept has gain 0. sign(0) = 0: a weight that is
    exactly 0 stays 0.

    Source
    ------
    Diffenderfer and Kailkhura, ICLR 2021; rules read in the authors' code.
    """

    gradient: str = "magnitude"

    name: ClassVar[str] = "biprop"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("gradient", self.gradient, GRADIENTS)

    def gain(self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor) -> torch.Tensor:
        return binary_gain(weight, mask, n_keep)

    def value_and_slope(
        self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        value = signs(weight, self.gain(weight, mask, n_keep).to(weight.dtype))
        return value, weight if self.gradient == "magnitude" else None if self.gradient == "gain" else weight.sign()


def binary_gain(weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor) -> torch.Tensor:
    """Mean of abs(weight) over the kept entries.

    Parameters
    ----------
    mask : torch.Tensor of bool, same shape
    n_keep : int or torch.Tensor
        Number of True entries.

    Returns
    -------
    torch.Tensor of float64, shape ()
        0 where nothing is kept.

    Examples
    --------
    >>> float(binary_gain(torch.tensor([1.0, -2.0, 8.0]), torch.tensor([True, True, False]), 2))
    1.5
    """
    count = torch.as_tensor(n_keep, dtype=torch.float64, device=weight.device)
    return product(weight.abs(), mask).sum(dtype=torch.float64) / count.clamp(min=1)
