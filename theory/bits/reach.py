"""How near a budget of bits brings: the eps that is proved to be reached, and the one that is proved not to be.

The other way round than `theory.bits.choice` and `theory.bits.index`, which take eps: every eps here comes with the
bound evaluated at it, so nothing depends on how the search for it went.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from theory.bits.choice import Basis, success
from theory.bits.hits import hits_of
from theory.bits.index import index_bits_bound
from theory.bits.question import DrawCode
from theory.numerics import check
from theory.numerics.balls import down, precision, up
from theory.numerics.invert import smallest_n
from theory.question import Target

STEP = 1.0 + 2.0**-6
"""Ratio to which an eps is looked for."""

LEAST_DELTA = 1e-13
"""Below it, 1 - delta as a float says too little of delta."""

_LEAST = 1e-60


def _turn(holds: Callable[[float], bool], guess: float) -> tuple[float, float]:
    """(low, high) with high <= STEP low, `holds` false at low and true at high; (1, inf) if it is false at 1."""
    low = high = min(1.0, max(_LEAST, guess))
    factor = 2.0
    if holds(high):
        while low > _LEAST and holds(low := max(_LEAST, low / factor)):
            high, factor = low, factor**2
    else:
        while not holds(high := min(1.0, high * factor)):
            if high == 1.0:
                return 1.0, math.inf
            low, factor = high, factor**2
    while high > STEP * low:
        middle = math.sqrt(low * high)
        if holds(middle):
            high = middle
        else:
            low = middle
    return low, high


def _delta(delta: float) -> float:
    failed = check.open_probability("delta", delta)
    if failed < LEAST_DELTA:
        raise ValueError(f"delta must be at least {LEAST_DELTA:g} for a weight, got delta={failed:g}")
    return failed


def _choice(n: int, R: int, delta: float, alpha: Target, basis: Basis) -> tuple[float, float]:
    failed = _delta(delta)
    if alpha == 0.0:
        raise ValueError("alpha must not be 0, which the empty sum reaches without a bit")
    n, R = check.positive_int("n", n), check.draw_count("R", R)
    guess = (1.0 - failed) * math.exp(-min(700.0, n * math.log(R + 1)))
    aim = 1 - Fraction(failed)
    return _turn(lambda eps: success(n, R, eps=eps, alpha=alpha, basis=basis) >= aim, guess)


def sufficient_eps(n: int, R: int, delta: float, *, alpha: Target, basis: Basis = "proved") -> float:
    """An eps within which n candidates of R draws reach alpha with probability 1 - delta, on the basis.

    In (0, 1], larger by less than `STEP` than one at which the bound does not say so. Parameters are those of
    `theory.bits.choice.success`; delta in (0, 1); basis "proved" or "predicted". Proved in theory/PROOFS.md, 1.1 and
    2.2 to 2.3.

    Examples
    --------
    >>> round(sufficient_eps(1, 99, 0.05, alpha=0.5), 4)  # (1-eps)^99 = 0.05
    0.0299
    """
    return min(1.0, _choice(n, R, delta, alpha, basis)[1])


def unreached_eps(n: int, R: int, delta: float, *, alpha: Target) -> float:
    """An eps within which n candidates of R draws do not reach alpha with probability 1 - delta.

    In (0, 1]; 0 if nothing is proved. Smaller eps are not reached either. Proved in theory/PROOFS.md, 2.1.

    Examples
    --------
    >>> 0.94 * 0.95 / 99 < unreached_eps(1, 99, 0.05, alpha=0.5) < 0.03  # the union bound, or better
    True
    """
    low, _ = _choice(n, R, delta, alpha, "necessary")
    return 0.0 if low <= _LEAST else low


def leanest(n: tuple[int, int], R: int, delta: float, *, eps: float, alpha: Target) -> tuple[int, int] | None:
    """(n', R') that reach alpha within eps with probability 1 - delta, n' in ``n`` (both ends), R' up to R.

    First the least n' that does with R, then the least R' that does with it, both by bisection: the bound holds at the
    result. None if the most of both does not do. Parameters are those of `sufficient_eps`. Proved in theory/PROOFS.md,
    8.6.

    Examples
    --------
    >>> leanest((1, 1), 1000, 0.05, eps=0.01, alpha=0.5)
    (1, 299)
    """
    aim = 1 - Fraction(_delta(delta))

    def fails(n: int, R: int) -> float:
        return 0.0 if success(n, R, eps=eps, alpha=alpha) >= aim else 1.0

    least, most = n
    if fails(most, R):
        return None
    if least < most:
        most = smallest_n(lambda m: fails(m, R), 0.5, lo=least, limit=most)
    guess = round(math.exp(min(700.0, math.log1p((1.0 - delta) / eps) / most)))
    return most, smallest_n(lambda r: fails(most, r), 0.5, lo=1, limit=R, guess=min(guess, R))


def code_eps(bits: float, d: int) -> float:
    """An eps at which the index of the first good draw of d uniform weights takes at most ``bits`` bits a weight.

    In (0, 1], larger by less than `STEP` than one at which the bound does not say so; bits > 0 are those on average
    that an entropy coder spends. ValueError if even eps = 1 takes more. Proved in theory/PROOFS.md, 8.2 (c, d).

    Examples
    --------
    >>> code_eps(8.085, 1) < 0.0101, code_eps(7.011, 4) < 0.0101
    (True, True)
    """
    bits = check.real("bits", bits, "(0, inf)")
    if not 0.0 < bits < math.inf:
        raise ValueError(f"bits must be in (0, inf), got bits={bits}")
    most = Fraction(bits) * d
    _, high = _turn(lambda eps: index_bits_bound(DrawCode(eps=eps, d=d)) <= most, 2.0**-bits)
    if high > 1.0:
        raise ValueError(f"bits must be more for a code of blocks of {d}, got bits={bits}")
    return high


def mean_index(eps: float, d: int) -> tuple[float, float]:
    """Enclosure of E K, the draws that are looked at on average for a block of d uniform weights.

    Rounded outward. Proved in theory/PROOFS.md, 8.3: ((1 + eps(2 log 2 - 1))/eps)^d.

    Examples
    --------
    >>> [round(end, 6) for end in mean_index(0.01, 1)]
    [100.386294, 100.386294]
    """
    with precision():
        value = hits_of(DrawCode(eps=eps, d=d)).inverse
        return down(value), up(value)


def limit_eps(bits: float) -> float:
    """The eps below which no code brings uniform weights with ``bits`` bits each on average: 2^-bits, rounded down.

    Proved in theory/PROOFS.md, 8.1.

    Examples
    --------
    >>> limit_eps(8.0)
    0.00390625
    """
    whole = Fraction(check.real("bits", bits, "[0, inf)"))
    if not 0 <= whole < 1000:
        raise ValueError(f"bits must be in [0, 1000), got bits={bits}")
    return 2.0**-bits if whole.denominator == 1 else math.nextafter(2.0**-bits, 0.0)
