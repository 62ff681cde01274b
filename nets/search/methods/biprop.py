"""Biprop (Diffenderfer and Kailkhura 2021): Edge-Popup over binary weights, each layer with one scale.

A kept weight is worth gain * sign(W), where the gain is the mean of abs(W) over the kept weights of its layer. With
signed-constant weights that is W itself, so there Biprop and Edge-Popup are the same algorithm, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from nets.search.check import exact_fraction, one_of, whole
from nets.search.methods.method import Event, Method, Search
from nets.search.score_mask import count_to_keep

GRADIENTS = ("magnitude", "gain", "sign")
SCOPES = ("layer", "global")


@dataclass(frozen=True)
class Biprop(Method):
    """Binary weights under Edge-Popup's masks.

    Parameters
    ----------
    score_key, score_init : str
        See `nets.search.methods.method.Method`; the defaults are those of the authors' code.
    gradient : {"magnitude", "gain", "sign"}
        How the gradient G of an effective weight reaches its score, before sign(S). "magnitude" (authors' code since
        2021-04-12): W * G, the gain is left out. "gain": gain * sign(W) * G, the derivative of the forward pass with
        the gain held fixed. "sign" (authors' first version): sign(W) * G.
    scope : {"layer", "global"}
        Compare keys within each layer, or in all layers together (authors' code since 2022-02, "A Winning Hand").
    schedule_epochs : int >= 0
        With global scope and density <= 1/2: epochs over which the pruned fraction goes from `schedule_start` to its
        aim, as a cube (authors' code: 10). 0 prunes to the aim at once, which may empty whole layers.
    schedule_start : float in [0, 1)
        Pruned fraction in the first epoch of the schedule.

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
    scope: str = "layer"
    schedule_epochs: int = 0
    schedule_start: float = 0.5

    name: ClassVar[str] = "biprop"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("gradient", self.gradient, GRADIENTS)
        one_of("scope", self.scope, SCOPES)
        whole("schedule_epochs", self.schedule_epochs, 0)
        if self.schedule_epochs and self.scope != "global":
            raise ValueError(
                f"schedule_epochs must be 0, or more with scope='global', got schedule_epochs={self.schedule_epochs}"
            )
        if not 0 <= exact_fraction("schedule_start", self.schedule_start) < 1:
            raise ValueError(f"schedule_start must be in [0, 1), got schedule_start={self.schedule_start}")

    @property
    def across(self) -> bool:
        """See `Method`."""
        return self.scope == "global"

    def gain(self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor) -> torch.Tensor:
        return binary_gain(weight, mask, n_keep)

    def value_and_slope(
        self, weight: torch.Tensor, mask: torch.Tensor, n_keep: int | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        sign = torch.sign(weight)
        value = sign * self.gain(weight, mask, n_keep).to(weight.dtype)
        return value, {"magnitude": weight, "gain": None, "sign": sign}[self.gradient]

    def n_keep_at(self, search: Search, epoch: int) -> int | None:
        """See `Method`; with a schedule, more is kept in the first epochs."""
        if not self.across:
            return None
        aim = Fraction(search.n_keep, search.numel)
        if epoch >= self.schedule_epochs or 2 * aim > 1:
            return search.n_keep
        left = (1 - Fraction(epoch, self.schedule_epochs)) ** 3
        pruned = (1 - aim) + (exact_fraction("schedule_start", self.schedule_start) - (1 - aim)) * left
        return count_to_keep(1 - pruned, search.numel)

    def after_epoch(self, search: Search, epoch: int, epochs: int) -> Event | None:
        """Keep the number that the schedule says for the next epoch."""
        if not self.across:
            return None
        before, now = self.n_keep_at(search, epoch), self.n_keep_at(search, epoch + 1)
        assert now is not None
        search.set_n_keep(now)
        return Event("density", epoch + 1, epoch=epoch, changed=0) if now != before else None


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
    return (weight.abs() * mask).sum(dtype=torch.float64) / count.clamp(min=1)
