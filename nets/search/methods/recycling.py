"""The event of iterative weight recycling (Gorbett and Whitley 2023): good weights are copied over poor ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from nets.arguments import flag
from nets.search.check import Number, exact_fraction, one_of, whole
from nets.search.methods.iterand import rerandomise
from nets.search.methods.method import Event, Layer, Method, Search
from nets.search.order import move, rising_order
from theory.numerics.check import shown

SOURCES = ("highest", "next-lowest")


@dataclass(frozen=True)
class Recycling(Method):
    """The parameters and the event that weight recycling adds to a method; see `nets.search.methods.recycle`."""

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
        super().__post_init__()
        whole("recycle_every", self.recycle_every, 1)
        whole("recycle_after", self.recycle_after, 0)
        if not 0 <= exact_fraction("recycle_frac", self.recycle_frac) <= exact_fraction("half", "1/2"):
            raise ValueError(f"recycle_frac must be in [0, 1/2], got recycle_frac={shown(self.recycle_frac)}")
        one_of("sources", self.sources, SOURCES)
        flag("with_rerand", self.with_rerand)

    def after_epoch(self, search: Search, epoch: int, epochs: int) -> Event | None:
        """Recycle if this is an epoch for it: a positive multiple of `recycle_every` but not the last."""
        event = super().after_epoch(search, epoch, epochs)
        if epoch <= self.recycle_after or epoch % self.recycle_every or epoch == epochs - 1:
            return event
        if event is not None:
            search.events.append(event)  # the caller notes the one that is returned
        counter = epoch // self.recycle_every
        frac = exact_fraction("recycle_frac", self.recycle_frac)
        changed = 0
        if self.with_rerand:
            frac = frac / 2
            changed = rerandomise(search, counter, frac)
        changed += sum(recycle(layer, frac, self.sources) for layer in search.layers.values())
        return Event("recycle", counter, epoch=epoch, changed=changed)


@torch.no_grad()
def recycle(layer: Layer, frac: Number, sources: str = "highest") -> int:
    """Overwrite the weights with the lowest abs(score) by copies of others; the mask is not consulted.

    With k = floor(frac * n), in exact arithmetic, the j-th lowest position takes the weight of the (n - k + j)-th
    lowest for "highest" and of the (k + j)-th lowest for "next-lowest". Of equal scores the one first in row-major
    order counts as the higher, as in masks. Scores are untouched and the sources keep their weights.

    Parameters
    ----------
    frac : float or Fraction
        In [0, 1/2].
    sources : {"highest", "next-lowest"}

    Returns
    -------
    int
        k, the number of positions written.

    Examples
    --------
    >>> from nets.search.masked_weight import MaskedWeight
    >>> layer = MaskedWeight(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    >>> _ = layer.scores.data.copy_(torch.tensor([[0.1, -9.0, 0.0, 7.0, 1.0]]))
    >>> recycle(layer, 0.4), layer.frozen.tolist()
    (2, [[2.0, 2.0, 4.0, 4.0, 5.0]])
    """
    n = layer.frozen.numel()
    k = math.floor(exact_fraction("frac", frac) * n)
    if k == 0:
        return 0
    rising = rising_order(layer.scores.detach().abs())
    to = rising[:k]
    source = rising[n - k :] if sources == "highest" else rising[k : 2 * k]
    for tensor in (layer.frozen, layer.draws, layer.origins):
        if tensor is not None:
            move(tensor, source, to)
    return k
