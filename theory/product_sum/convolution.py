"""Chains of convolutions by subset sums of products, and the narrower of the proved ways (theory/PROOFS.md, 4.11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from theory.network import convolution_required_n, tap_eps
from theory.numerics.check import open_probability, positive_int
from theory.product_sum.bounds import Design, network_designs

Way = Literal["window", "subset-sum"]


def convolution_designs(widths: Sequence[int], eps: float, *, delta: float, kernel: int, R: int) -> tuple[Design, ...]:
    """One design for each convolution, equal shares of delta for all taps and signs.

    Layer 2i-1 of the source is a 1 x 1 convolution to c_(i-1) times the design's neurons channels. Parameters are those
    of `theory.network.convolution_required_n`; ValueError if delta leaves less than 1e-30 for a tap and sign. Proved in
    theory/PROOFS.md, 4.11.

    Examples
    --------
    >>> one = convolution_designs([2, 3], 0.5, delta=0.1, kernel=1, R=20)
    >>> one == network_designs([2, 3], tap_eps(0.5, 1), delta=0.1, R=20)
    True
    """
    share = open_probability("delta", delta) / positive_int("kernel", kernel) ** 2 * (1.0 - 1e-15)
    return network_designs(widths, tap_eps(eps, kernel), delta=share, R=R)


def convolution_least_n(
    widths: Sequence[int], eps: float, *, delta: float, kernel: int, R: int
) -> tuple[tuple[int, ...], tuple[Way, ...]]:
    """n_1, ..., n_l with 2 c_(i-1) n_i hidden channels, the least that is proved, and the way that gives each.

    Safe side. "window": one neuron for each tap and sign (4.4), all layers together. "subset-sum": 4.7 with the same
    error and an equal share of delta for each tap. Where both are taken, each has half of delta. Parameters are those
    of `convolution_designs`. Proved in theory/PROOFS.md, 4.11.

    Examples
    --------
    >>> convolution_least_n([1, 2, 1], 0.5, delta=0.1, kernel=2, R=10_000)
    ((1, 1), ('window', 'window'))
    >>> convolution_least_n([1, 2], 0.5, delta=0.1, kernel=2, R=1)[1]
    ('subset-sum',)
    """
    delta = open_probability("delta", delta)
    picked = convolution_required_n(widths, eps, delta=delta, kernel=kernel, R=R)
    window: tuple[Way, ...] = tuple("window" for _ in picked)
    if max(picked) <= 2:  # sums of several products cannot be narrower
        return picked, window
    summed = _halved(convolution_designs(widths, eps, delta=delta, kernel=kernel, R=R))
    sums: tuple[Way, ...] = tuple("subset-sum" for _ in summed)
    ways = [(picked, window), (summed, sums)]
    if len(picked) > 1:
        first = convolution_required_n(widths, eps, delta=0.5 * delta, kernel=kernel, R=R)
        second = _halved(convolution_designs(widths, eps, delta=0.5 * delta, kernel=kernel, R=R))
        named: tuple[Way, ...] = tuple("window" if a <= b else "subset-sum" for a, b in zip(first, second, strict=True))
        ways.append((tuple(map(min, first, second)), named))
    return min(ways, key=lambda way: sum(int(c) * n for c, n in zip(widths, way[0], strict=False)))


def _halved(designs: Sequence[Design]) -> tuple[int, ...]:
    return tuple(max(1, (design.neurons + 1) // 2) for design in designs)
