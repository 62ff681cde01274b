"""The widths d_0..d_l of a target network and D_0..D_2l of a source: checks, small sums and the result object."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from theory.numerics.check import accuracy, positive_int
from theory.numerics.logspace import exp_up

Statement = Literal["ours", "recalled", "repaired", "halves", "pairs"]
Domain = Literal["l2", "linf"]


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    d = tuple(positive_int(f"widths[{i}]", width) for i, width in enumerate(widths))
    if len(d) < 2:
        raise ValueError(f"widths must hold at least 2 integers, d_0..d_l with l >= 1, got widths={list(widths)}")
    return d


def depth(d: Sequence[int]) -> int:
    return len(d) - 1


def layers(d: Sequence[int]) -> list[tuple[int, int]]:
    """(d_(i-1), d_i) for i = 1..l."""
    return list(itertools.pairwise(d))


def check_domain(domain: str) -> None:
    if domain not in ("l2", "linf"):
        raise ValueError(f"domain must be 'l2' or 'linf', got domain={domain!r}")


def l2_eps(d: Sequence[int], eps: float, domain: str) -> float:
    """The error to aim at on the l2 ball: homogeneous networks lose a factor sqrt(d_0) on the l_inf ball."""
    check_domain(domain)
    return eps / math.sqrt(d[0]) if domain == "linf" else eps


def layer_etas(widths: Sequence[int], eps: float, *, domain: Domain = "l2") -> tuple[float, ...]:
    """Error allowed for each effective weight of layer i: eta_i = log(1+eps) / (l sqrt(d_i d_(i-1))).

    Returns eta_1, ..., eta_l; safe side (errors of these sizes give a network error of at most eps). Parameters are
    those of `MainTheorem`; on the l_inf ball eps is first divided by sqrt(d_0). Proved in theory/PROOFS.md, 4.2.

    Examples
    --------
    >>> [round(eta, 6) for eta in layer_etas([4, 9, 1], 0.1)]
    [0.007943, 0.015885]
    """
    d = check_widths(widths)
    eps = l2_eps(d, accuracy("eps", eps), domain)
    return tuple(math.log1p(eps) / (depth(d) * math.sqrt(out * into)) for into, out in layers(d))


def check_counts(d: Sequence[int], n: int | Sequence[int]) -> tuple[int, ...]:
    if not isinstance(n, Sequence):
        return (positive_int("n", n),) * depth(d)
    if len(n) != depth(d):
        raise ValueError(f"n must have one entry per layer ({depth(d)}), got n={list(n)}")
    return tuple(positive_int(f"n[{i}]", count) for i, count in enumerate(n))


@dataclass(frozen=True)
class SourceWidth:
    """A random network that is wide enough by one statement; see `theory.network.width.source_width`.

    Attributes
    ----------
    widths, eps, delta, R, statement, domain
        The question.
    n : tuple of int
        Neurons per input coordinate and sign, layers 1..l.
    source_widths : tuple of int
        D_0, ..., D_2l.
    log_failure_bound : float
        Our proved bound at this n and domain: 4.9 for "halves" and "pairs", else 4.4; above log delta means "not
        implied by 4.4".
    status : str
        "proved" or "recalled".
    assumption : str
        On each layer of the target.
    taps : int
        Places of a kernel where the target is a chain of convolutions, and widths are channels; 1 for dense layers.
    """

    widths: tuple[int, ...]
    eps: float
    delta: float
    R: int
    statement: Statement
    domain: Domain
    n: tuple[int, ...]
    source_widths: tuple[int, ...]
    log_failure_bound: float
    status: str
    assumption: str
    taps: int = 1

    @property
    def failure_bound(self) -> float:
        """min(1, exp(log_failure_bound))."""
        return exp_up(min(0.0, self.log_failure_bound))

    @property
    def width_factor(self) -> float:
        """Widest layer of the source over widest layer of the target."""
        return max(self.source_widths) / max(self.widths)

    @property
    def param_factor(self) -> float:
        """Weights of the source over weights of the target."""
        first, second = (sum(a * b for a, b in layers(self.source_widths)[i::2]) for i in (0, 1))
        return (first + self.taps * second) / (self.taps * sum(a * b for a, b in layers(self.widths)))
