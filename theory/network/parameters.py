"""The parameters of the main theorem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from theory.network.layers import Domain, Statement, check_domain, check_widths
from theory.question import Parameters

Norm = Literal["frobenius", "spectral"]
STATEMENTS: tuple[Statement, ...] = ("ours", "recalled", "repaired", "halves", "pairs")


@dataclass(frozen=True, kw_only=True)
class MainTheoremParameters(Parameters):
    """Does a random network of depth 2l contain, after pruning and re-sampling, a target network of depth l?

    Attributes
    ----------
    widths : tuple of int
        d_0, ..., d_l of the target, l >= 1.
    eps : float
        Largest error over the unit ball of the inputs, in (0, 1].
    R : int
        Draws of each element of the source, 1 to 10^18.
    statement : {"ours", "recalled", "repaired", "halves", "pairs"}
        Which statement gives the width: proved here, the published theorem as we recall it, its proved repair, or those
        of 4.9: two neurons a weight, the second for what the first leaves of it, or all pairs of two groups of neurons.
    norm : {"frobenius", "spectral"}
        Which norm of every target layer is at most 1. The recalled statement speaks of the Frobenius norm, the proved
        ones of the spectral norm, which is never larger.
    domain : {"l2", "linf"}
        Unit ball of the inputs.
    """

    widths: tuple[int, ...] = (4, 8, 3)
    eps: float = 0.1
    R: int = 4000
    statement: Statement = "ours"
    norm: Norm = "frobenius"
    domain: Domain = "l2"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("widths", check_widths(self.widths))
        check_domain(self.domain)
        if self.norm not in ("frobenius", "spectral"):
            raise ValueError(f"norm must be 'frobenius' or 'spectral', got norm={self.norm!r}")
        if self.statement not in STATEMENTS:
            names = ", ".join(map(repr, STATEMENTS))
            raise ValueError(f"statement must be one of {names}, got statement={self.statement!r}")
