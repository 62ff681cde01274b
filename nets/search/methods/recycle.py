"""Iterative weight recycling (Gorbett and Whitley 2023): now and then, good weights are copied over poor ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import torch

from nets.search.methods.biprop import Biprop
from nets.search.methods.edge_popup import EdgePopup
from nets.search.methods.iterand import rerandomise
from nets.search.methods.method import Event, one_of, whole
from nets.search.score_mask import exact_fraction

if TYPE_CHECKING:
    from nets.search.find import TicketSearch
    from nets.search.layers import TicketLayer

SOURCES = ("highest", "next-lowest")


@dataclass(frozen=True)
class _Recycling:
    """The parameters and the event that `Recycle` and `BipropRecycle` share."""

    recycle_every: int = 10
    recycle_frac: float = 0.2
    sources: str = "highest"
    recycle_after: int = 0
    with_rerand: bool = False

    keeps_origins: ClassVar[bool] = True

    @property
    def keeps_draws(self) -> bool:
        """Whether weights may be new draws."""
        return self.with_rerand

    def check(self, init: str) -> None:
        """See `Method`."""
        if self.with_rerand and init == "keep":
            raise ValueError('with_rerand needs a law to draw from, but init="keep" names none')

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]
        whole("recycle_every", self.recycle_every, 1)
        whole("recycle_after", self.recycle_after, 0)
        if not 0 <= exact_fraction("recycle_frac", self.recycle_frac) <= exact_fraction("half", "1/2"):
            raise ValueError(f"recycle_frac must be in [0, 1/2], got recycle_frac={self.recycle_frac}")
        one_of("sources", self.sources, SOURCES)

    def after_epoch(self, search: TicketSearch, epoch: int, epochs: int) -> Event | None:
        """Recycle if this is an epoch for it: a positive multiple of `recycle_every` but not the last."""
        event: Event | None = super().after_epoch(search, epoch, epochs)  # type: ignore[misc]
        if epoch <= self.recycle_after or epoch % self.recycle_every or epoch == epochs - 1:
            return event
        if event is not None:
            search.events.append(event)  # the caller notes the one that is returned
        counter = epoch // self.recycle_every
        frac = exact_fraction("recycle_frac", self.recycle_frac)
        changed = 0
        if self.with_rerand:
            frac /= 2
            changed = rerandomise(search, counter, frac)
        changed += sum(recycle(layer, frac, self.sources) for layer in search.layers.values())
        return Event("recycle", counter, epoch=epoch, changed=changed)


@dataclass(frozen=True)
class Recycle(_Recycling, EdgePopup):
    """Edge-Popup with weight recycling; see `recycle` for the event.

    Parameters
    ----------
    score_key, score_init : str
        See `nets.search.methods.edge_popup.EdgePopup`.
    recycle_every : int >= 1
        Epochs between events: after epoch e (from 0) when e is a positive multiple of it, but not after the last
        epoch. Authors' code: 10 (Conv-6, ResNet-18) or 3 (Conv-2, 4, 8 with signed constants).
    recycle_frac : float in [0, 1/2]
        Part of **all** weights of a layer that is overwritten. Authors' code: 0.2 with 10 epochs, 0.1 with 3.
        0 gives the base method bit for bit.
    sources : {"highest", "next-lowest"}
        Where copies come from: the weights with the highest abs(score), or (ablation in the authors' code) those next
        above the overwritten ones.
    recycle_after : int >= 0
        No event up to and including this epoch: the warm-up that the authors' parallel script has (1 there) and their
        other script ignores.
    with_rerand : bool
        Hybrid mode of the authors' code ("iterand_recycle", Edge-Popup only): half of `recycle_frac` is spent on
        re-randomising pruned weights as in `nets.search.methods.iterand` first, the other half on recycling.

    Source
    ------
    Gorbett and Whitley 2023, arXiv 2303.15953; rules read in the authors' code, the paper's text was not at hand.
    """

    name: ClassVar[str] = "recycle"


@dataclass(frozen=True)
class BipropRecycle(_Recycling, Biprop):
    """Biprop with weight recycling; parameters of `nets.search.methods.biprop.Biprop` and of `Recycle`.

    Authors' code: ``recycle_frac=0.2, recycle_every=10`` over unscaled Kaiming-normal weights, while their plain Biprop
    runs have scaled ones, so their comparison mixes two changes.
    """

    name: ClassVar[str] = "biprop-recycle"


@torch.no_grad()
def recycle(layer: TicketLayer, frac: float | Fraction, sources: str = "highest") -> int:
    """Overwrite the weights with the lowest abs(score) by copies of others; the mask is not consulted.

    With k = floor(frac * n), in exact arithmetic, the j-th lowest position takes the weight of the (n - k + j)-th
    lowest for "highest" and of the (k + j)-th lowest for "next-lowest". Of equal scores the one first in row-major
    order counts as the higher, as in masks. Scores are untouched and the sources keep their weights.

    Parameters
    ----------
    layer : TicketLayer
    frac : float or Fraction
        In [0, 1/2].
    sources : {"highest", "next-lowest"}

    Returns
    -------
    int
        k, the number of positions written.

    Examples
    --------
    >>> from nets.search.layers import TicketLinear
    >>> layer = TicketLinear(torch.nn.Linear(5, 1))
    >>> _ = layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    >>> _ = layer.scores.data.copy_(torch.tensor([[0.1, -9.0, 0.0, 7.0, 1.0]]))
    >>> recycle(layer, 0.4), layer.weight.tolist()
    (2, [[2.0, 2.0, 4.0, 4.0, 5.0]])
    """
    n = layer.weight.numel()
    k = math.floor(exact_fraction("frac", frac) * n)
    if k == 0:
        return 0
    rising = layer.scores.detach().abs().reshape(-1).argsort(stable=True, descending=True).flip(0)
    to = rising[:k]
    source = rising[n - k :] if sources == "highest" else rising[k : 2 * k]
    for tensor in (layer.weight, layer.draws, layer.origins):
        if tensor is not None:
            flat = tensor.reshape(-1).clone()
            flat[to] = flat[source]
            tensor.copy_(flat.reshape(tensor.shape))
    return k
