"""Biprop with iterative weight recycling (Gorbett and Whitley 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nets.search.methods.biprop import Biprop
from nets.search.methods.recycling import Recycling


@dataclass(frozen=True)
class BipropRecycle(Recycling, Biprop):
    """Biprop with weight recycling; parameters of `nets.search.methods.biprop.Biprop` and of
    `nets.search.methods.recycle.Recycle`.

    Authors' code: ``recycle_frac=0.2, recycle_every=10`` over unscaled Kaiming-normal weights, while their plain Biprop
    runs have scaled ones, so their comparison mixes two changes.
    """

    name: ClassVar[str] = "biprop-recycle"
