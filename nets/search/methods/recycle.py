"""Edge-Popup with iterative weight recycling (Gorbett and Whitley 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nets.search.methods.edge_popup import EdgePopup
from nets.search.methods.recycling import Recycling


@dataclass(frozen=True)
class Recycle(Recycling, EdgePopup):
    """Edge-Popup with weight recycling; see `nets.search.methods.recycling.recycle` for the event.

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
