"""IteRand (Chijiwa et al. 2021): Edge-Popup, with a share of the pruned weights drawn afresh every so many steps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from nets.search.check import exact_fraction, one_of, whole
from nets.search.methods import LAWS
from nets.search.methods.method import Event, Method, Search
from theory.numerics.check import shown


@dataclass(frozen=True)
class IteRand(Method):
    """Re-randomise pruned weights during the search.

    Before the forward pass of step t (from 0, across epochs), when t + 1 is a multiple of `rerand_every`, every pruned
    weight is replaced with probability `rerand_frac` by a new draw of the initial law. Kept weights, scores and
    the optimiser's state are untouched.

    Parameters
    ----------
    score_key : {"abs", "raw"}
        Authors' code: "raw", the signed score is ranked. (Its weight recycling reimplementation ranks "abs".)
    score_init : {"kaiming-uniform-a5", "kaiming-uniform-relu"}
        Authors' code: "kaiming-uniform-relu", U(+-sqrt(6/fan_in)).
    rerand_every : int >= 1
        Steps between events; authors' code: 300 on CIFAR-10, 1000 on ImageNet.
    rerand_frac : float in [0, 1]
        Probability that a pruned weight is replaced (a fraction of the pruned weights, in expectation); authors' code:
        0.1. 0 gives the base method bit for bit.
    rerand_init : {"signed-constant", "kaiming-uniform", "kaiming-normal"}, optional
        Law of the new draws; by default that of the initial weights, as in the authors' code.

    Notes
    -----
    With signed-constant weights half of the replaced weights get their old value. Draw c of a weight, c = 1, 2, ... at
    the c-th event, is a function of (seed, layer, element, c), so a ticket stores the seed, the mask and which draw
    each kept weight is. The authors' code keeps all entries tied with the threshold; here exactly n_keep are kept.

    Source
    ------
    Chijiwa et al., NeurIPS 2021; written from a description of the algorithm.
    """

    score_key: str = "raw"
    score_init: str = "kaiming-uniform-relu"
    rerand_every: int = 300
    rerand_frac: float = 0.1
    rerand_init: str | None = None

    name: ClassVar[str] = "iterand"

    @property
    def keeps_draws(self) -> bool:
        """See `Method`."""
        return True

    @property
    def later_law(self) -> str | None:
        """See `Method`."""
        return self.rerand_init

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("rerand_every", self.rerand_every, 1)
        if not 0 <= exact_fraction("rerand_frac", self.rerand_frac) <= 1:
            raise ValueError(f"rerand_frac must be in [0, 1], got rerand_frac={shown(self.rerand_frac)}")
        if self.rerand_init is not None:
            one_of("rerand_init", self.rerand_init, LAWS)

    def check(self, init: str) -> None:
        """See `Method`."""
        if init == "keep" and self.rerand_init is None and self.rerand_frac:
            raise ValueError('rerand_init must be given with init="keep", which names no law to draw from')

    def first_event(self) -> int | None:
        """See `Method`."""
        return self.rerand_every if self.rerand_frac else None

    def before_step(self, search: Search, step: int) -> Event | None:
        """Re-randomise if this is a step for it; the event's counter is (step + 1) / rerand_every."""
        counter, rest = divmod(step + 1, self.rerand_every)
        if rest:
            return None
        return Event("rerand", counter, step=step, changed=rerandomise(search, counter, self.rerand_frac))


@torch.no_grad()
def rerandomise(search: Search, counter: int, frac: float | Fraction) -> int:
    """Replace pruned weights of every layer with probability `frac` by their draw `counter`; returns how many."""
    counts = []
    for name, layer in search.layers.items():
        chosen = search.coin(name, counter, frac) & ~layer.mask()
        fresh = search.fresh_weights(name, counter)
        layer.frozen.copy_(torch.where(chosen, fresh, layer.frozen))
        assert layer.draws is not None
        layer.draws.masked_fill_(chosen, counter)
        if layer.origins is not None:
            own = torch.arange(chosen.numel(), dtype=torch.int32, device=chosen.device).reshape(chosen.shape)
            layer.origins.copy_(torch.where(chosen, own, layer.origins))
        counts.append(chosen.sum())
    return int(torch.stack(counts).sum())
