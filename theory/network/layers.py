"""The widths d_0..d_l of a target network and D_0..D_2l of a source: checks, small sums and the result object."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from theory.numerics.balls import down, exact, precision
from theory.numerics.check import accuracy, positive_int
from theory.numerics.rounding import probability_above

Statement = Literal["ours", "recalled", "repaired", "halves", "pairs"]
Domain = Literal["l2", "linf"]


LARGEST = 2**1000
"""Largest n or R."""


def at_most_largest(name: str, value: int) -> int:
    """An integer in [1, LARGEST]."""
    number = positive_int(name, value)
    if number > LARGEST:
        raise ValueError(f"{name} must be at most 2^1000, got {name} >= 2^{number.bit_length() - 1}")
    return number


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
    """The error to aim at on the l2 ball, rounded down: homogeneous networks lose sqrt(d_0) on the l_inf ball."""
    check_domain(domain)
    if domain == "l2" or d[0] == 1:
        return eps
    with precision():
        return down(exact(eps) / exact(Fraction(d[0])).sqrt())


def layer_etas(widths: Sequence[int], eps: float, *, domain: Domain = "l2") -> tuple[float, ...]:
    """Error allowed for each effective weight of layer i: eta_i = log(1+eps) / (l sqrt(d_i d_(i-1))).

    Returns eta_1, ..., eta_l, rounded down: errors of these sizes give a network error of at most eps. Parameters are
    those of `MainTheorem`; on the l_inf ball eps is first divided by sqrt(d_0). Raises ValueError if eps is too small
    for positive floats. Proved in theory/PROOFS.md, 4.2.

    Examples
    --------
    >>> [round(eta, 6) for eta in layer_etas([4, 9, 1], 0.1)]
    [0.007943, 0.015885]
    """
    d, given = check_widths(widths), accuracy("eps", eps)
    with precision():
        whole = exact(l2_eps(d, given, domain)).log1p() / depth(d)
        etas = tuple(down(whole / exact(Fraction(out * into)).sqrt()) for into, out in layers(d))
    if min(etas) <= 0.0:
        raise ValueError(f"eps must leave every weight an error that floats can hold, got eps={given}")
    return etas


def check_counts(d: Sequence[int], n: int | Sequence[int]) -> tuple[int, ...]:
    if not isinstance(n, Sequence):
        return (at_most_largest("n", n),) * depth(d)
    if len(n) != depth(d):
        raise ValueError(f"n must have one entry per layer ({depth(d)}), got n={list(n)}")
    return tuple(at_most_largest(f"n[{i}]", count) for i, count in enumerate(n))


def source_widths(d: Sequence[int], n: Sequence[int]) -> tuple[int, ...]:
    """D_0, ..., D_2l: D_2i = d_i, D_(2i-1) = 2 d_(i-1) n_i."""
    found = [d[0]]
    for (into, out), count in zip(layers(d), n, strict=True):
        found += [2 * into * count, out]
    return tuple(found)


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
        """min(1, exp(log_failure_bound)), rounded up."""
        return probability_above(min(0.0, self.log_failure_bound))

    @property
    def width_factor(self) -> float:
        """Widest layer of the source over widest layer of the target."""
        return max(self.source_widths) / max(self.widths)

    @property
    def param_factor(self) -> float:
        """Weights of the source over weights of the target."""
        first, second = (sum(a * b for a, b in layers(self.source_widths)[i::2]) for i in (0, 1))
        return (first + self.taps * second) / (self.taps * sum(a * b for a, b in layers(self.widths)))
