"""The main theorem for one attention of several heads as a question (theory/PROOFS.md, 4.10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from theory.attention.entry import CONSTRUCTIONS, Entries, EntryDesign, entry_failure_bound, required_neurons
from theory.attention.propagation import attention_etas, positive
from theory.network import MainTheorem, SourceWidth
from theory.numerics.check import open_probability, positive_int


@dataclass(frozen=True, kw_only=True)
class AttentionTheorem(MainTheorem):
    """Does a random attention contain, after pruning and re-sampling, a target attention?

    The target takes any number of tokens x_i (rows of size d, norm at most radius) to sum_h softmax(x_i A_h X^T) X V_h,
    A_h = W_Q W_K^T (with its scale) and V_h = W_V W_O. In the source every A_h and V_h is a product of two random
    matrices, N inner neurons for each of the d input coordinates, nothing between them.

    Attributes
    ----------
    widths : tuple of int
        d, d, out: sizes of an input token, of what A_h compares it with, and of an output token.
    heads : int
        Number of heads.
    head_size : int
        Rank of the target's A_h and V_h; the width does not depend on it.
    radius : float
        The alpha of 4.10: largest l2 norm of an input token, > 0. A_h and V_h have norm at most 1, so that temperatures
        go into it.
    construction : {"least", "subset-sum", "picks"}
        What makes the entries: see `theory.attention.required_neurons`.
    eps, R, statement, norm, domain
        As in `MainTheorem`, eps the l2 error of every output token; statement "ours" and domain "l2" only.

    Examples
    --------
    >>> asked = AttentionTheorem(widths=(4, 4, 4), heads=2, eps=0.5, R=10**6)
    >>> asked.required_counts(0.1), asked.source_width(0.1).source_widths
    ((2, 2), (4, 8, 4, 8, 4))
    """

    widths: tuple[int, ...] = (4, 4, 4)
    heads: int = 1
    head_size: int = 2
    radius: float = 1.0
    construction: Entries = "least"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("heads", "head_size"):
            self._set(name, positive_int(name, getattr(self, name)))
        self._set("radius", positive("radius", self.radius))
        if len(self.widths) != 3 or self.widths[0] != self.widths[1]:
            raise ValueError(f"widths must be d, d, out for an attention, got widths={list(self.widths)}")
        if self.head_size > min(self.widths):
            raise ValueError(f"head_size must be at most {min(self.widths)}, got head_size={self.head_size}")
        if self.statement != "ours":
            raise ValueError(f"statement must be 'ours' for an attention, got statement={self.statement!r}")
        if self.domain != "l2":
            raise ValueError(f"domain must be 'l2' for an attention, got domain={self.domain!r}")
        if self.construction not in CONSTRUCTIONS:
            raise ValueError(f"construction must be one of {CONSTRUCTIONS}, got construction={self.construction!r}")

    @property
    def etas(self) -> tuple[float, float]:
        """Errors allowed for each entry of A_h and of V_h."""
        return attention_etas(self.widths[0], self.eps, radius=self.radius, heads=self.heads, out=self.widths[2])

    @property
    def entries(self) -> tuple[int, int]:
        """Entries of all A_h and of all V_h."""
        d, _, out = self.widths
        return self.heads * d * d, self.heads * d * out

    def designs(self, delta: float) -> tuple[EntryDesign, EntryDesign]:
        """How each entry of A_h and of V_h is made; equal shares of delta for all entries."""
        share = open_probability("delta", delta) / sum(self.entries) * (1.0 - 1e-15)
        scores, values = (required_neurons(eta, share, R=self.R, construction=self.construction) for eta in self.etas)
        return scores, values

    def required_counts(self, delta: float) -> tuple[int, ...]:
        """Inner neurons for each input coordinate and head, of A_h and of V_h."""
        return tuple(max(1, design.neurons) for design in self.designs(delta))

    def source_width(self, delta: float) -> SourceWidth:
        """The source's widths, one head of several: d, d N_A, d, d N_V, out."""
        n, (d, _, out) = self.required_counts(delta), self.widths
        failures = [count * one.failure_bound for count, one in zip(self.entries, self.designs(delta), strict=True)]
        total = sum(failures)
        return SourceWidth(
            self.widths, self.eps, float(delta), self.R, "ours", "l2", n, (d, d * n[0], d, d * n[1], out),
            math.log(total) + 1e-12 if total > 0.0 else -math.inf, "proved", f"{self.norm} norms of A_h and V_h <= 1",
        )  # fmt: skip

    def success_lower(self, n: int | Sequence[int]) -> float:
        """Proved lower bound with so many inner neurons for each input coordinate, one number or (N_A, N_V)."""
        counts = tuple(n) if isinstance(n, Sequence) else (n, n)
        if len(counts) != 2:
            raise ValueError(f"n must be one number or two, for scores and values, got n={list(counts)}")
        failure = math.fsum(
            entries * entry_failure_bound(count, eta, self.R, construction=self.construction)
            for entries, count, eta in zip(self.entries, counts, self.etas, strict=True)
        )
        return max(0.0, math.nextafter(1.0 - failure, -math.inf))
