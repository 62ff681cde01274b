"""Binary weights in depth: sums over the paths of a linear network reach integers exponentially far.

Statement 7.6; public through ``theory.binary_weights``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theory.binary_weights.case import signs_needed
from theory.binary_weights.law import tail
from theory.binary_weights.required import guessed_n
from theory.numerics import check
from theory.numerics.balls import exact, precision
from theory.numerics.invert import smallest_n

_PATIENCE = 6
"""Numbers of carriers in a row that may fail to improve the width before the search stops."""


@dataclass(frozen=True)
class DeepWidth:
    """A width of every hidden layer that suffices, and the design that proves it.

    Attributes
    ----------
    width : int
        Units of each hidden layer, carriers plus ones.
    base : int
        The target's multiple of the step is written in this base, one digit a layer.
    carriers : int
        Units that hold the digits so far.
    ones : int
        Units that hold +-1.
    gain : float
        Of every weight; its power ``depth`` is 2 eps, up to rounding.
    """

    width: int
    base: int
    carriers: int
    ones: int
    gain: float


def _root_up(count: int, power: int) -> int:
    """Smallest integer b >= 1 with b**power >= count."""
    low, high = 0, 1 << (count.bit_length() // power + 1)  # high**power >= count
    while high - low > 1:
        middle = (low + high) // 2
        if middle**power >= count:
            high = middle
        else:
            low = middle
    return high


def required_width_deep(eps: float, delta: float, *, R: int, depth: int) -> DeepWidth:
    """A width at which a linear network of binary weights reaches every fixed target with probability 1-delta.

    Proved sufficient, by ball arithmetic. Of order base = (1/(2 eps))^(1/(depth-1)), a few times it. Parameters are
    those of `BinaryWeights`, eps at least 1e-12; delta in (0, 1); ``depth`` layers of weights, 2 to 10^6 (2: one hidden
    layer). Proved in theory/PROOFS.md, 7.6.

    Examples
    --------
    >>> [required_width_deep(1e-3, 0.05, R=1, depth=depth).base for depth in (2, 3, 4, 10)]
    [501, 23, 8, 2]
    >>> required_width_deep(1e-3, 0.05, R=1, depth=4).width
    65
    """
    eps, delta, R = check.accuracy("eps", eps), check.open_probability("delta", delta), check.draw_count("R", R)
    depth = _depth(depth)
    if eps < 1e-12:
        raise ValueError(f"eps must be in [1e-12, 1], got eps={eps}")
    count = signs_needed(eps, alpha="worst")
    assert count is not None
    base = _root_up(count + 1, depth - 1)
    bar = exact(delta)

    def spent(carriers: int) -> Any:
        return exact(0.0) if depth == 2 else ((depth - 3) * carriers + 1) * tail(carriers, base, R)[1]

    def ones_for(carriers: int) -> int | None:
        """Fewest ones that go with these carriers; None if the carriers alone fail too often."""
        users, used = (depth - 2) * carriers + 1, spent(carriers)
        if not used < bar:
            return None
        least = max(1, base - 1)
        guess = guessed_n(least, max(float(bar - used) / users, 5e-324), R)
        return smallest_n(
            lambda n: 0.0 if used + users * tail(n, base - 1, R)[1] <= bar else 1.0, 0.5, lo=least, guess=guess
        )

    with precision():
        first, step = 0, 0
        if depth > 2:
            guess = guessed_n(base, delta, R)
            first = smallest_n(lambda n: 0.0 if spent(n) < 0.999 * bar else 1.0, 0.5, lo=base, guess=guess)
            step = 1 << (math.isqrt(first) // 32).bit_length()
        ones = ones_for(first)
        assert ones is not None
        best, here = (first, ones), first
        while step:  # coarse steps, then finer ones around the best so far
            since = 0
            while since < _PATIENCE:
                here, since = here + step, since + 1
                found = ones_for(here)
                if found is not None and here + found < sum(best):
                    best, since = (here, found), 0
            here, step = max(first, best[0] - 2 * step), step // 2
    gain = math.exp(math.log(2.0 * eps) / depth)
    return DeepWidth(sum(best), base, best[0], best[1], gain)


def _depth(depth: int) -> int:
    depth = check.positive_int("depth", depth)
    if depth < 2:
        raise ValueError(f"depth must be an integer >= 2, got depth={depth}")
    return depth


def necessary_width_deep(eps: float, delta: float, *, depth: int) -> int:
    """A width below which no gain lets a linear network of binary weights reach a uniform target, however re-sampled.

    Smallest n with eps (2 n^(depth-1) + 1) >= 1-delta: proved necessary. Parameters are those of `required_width_deep`;
    any eps in (0, 1]. Proved in theory/PROOFS.md, 7.6.

    Examples
    --------
    >>> [necessary_width_deep(1e-3, 0.05, depth=depth) for depth in (2, 3, 4, 10)]
    [475, 22, 8, 2]
    """
    eps, delta = check.accuracy("eps", eps), check.open_probability("delta", delta)
    paths = ((1 - Fraction(delta)) / Fraction(eps) - 1) / 2
    return _root_up(math.ceil(paths), _depth(depth) - 1) if paths > 0 else 0
