"""Inversion of a nonincreasing bound: the smallest integer at which it is small enough, and never one less."""

from __future__ import annotations

from collections.abc import Callable


def bisected(enough: Callable[[float], bool], low: float, high: float, *, steps: int) -> tuple[float, float]:
    """The ends, as many times halved, of an interval at whose low end it is not enough and at whose high end it is.

    Examples
    --------
    >>> bisected(lambda x: x * x >= 2.0, 1.0, 2.0, steps=3)
    (1.375, 1.5)
    """
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return low, high


def smallest_n(
    bound: Callable[[int], float], delta: float, *, lo: int = 0, limit: int = 2**60, guess: int | None = None
) -> int:
    """Smallest integer n >= lo with bound(n) <= delta, for a nonincreasing bound.

    Gallops (doubling steps) and then bisects, so that about 2 log2(n - lo) evaluations are made, or 2 log2|n - guess|.
    Logarithms may be passed for both ``bound`` and ``delta``.

    Returns n with bound(n) <= delta and (n == lo or bound(n - 1) > delta), both checked on evaluated values. Raises
    ValueError if no n <= limit reaches delta.

    Parameters
    ----------
    bound : callable
        Nonincreasing function of an integer n >= lo.
    delta : float
        The level to reach.
    lo : int
        First n considered.
    limit : int
        Last n considered.
    guess : int or None
        Where to look first; lo if None. The result does not depend on it.

    Examples
    --------
    >>> smallest_n(lambda n: 0.5**n, 1e-3)
    10
    >>> smallest_n(lambda n: 1.0, 0.5, limit=100)
    Traceback (most recent call last):
    ...
    ValueError: no n in [0, 100] has a bound <= delta=0.5
    """
    if lo > limit:
        raise ValueError(f"lo must be at most limit={limit}, got lo={lo}")
    first = lo if guess is None else min(max(lo, guess), limit)
    value, step = bound(first), 1
    good, good_value, bad, bad_value = first, value, first, value
    if value <= delta:
        while bad_value <= delta:  # downwards
            good, good_value = bad, bad_value
            if good == lo:
                return lo
            bad, step = max(lo, good - step), 2 * step
            bad_value = bound(bad)
    else:
        while not good_value <= delta:
            bad, bad_value = good, good_value
            if bad == limit:
                raise ValueError(f"no n in [{lo}, {limit}] has a bound <= delta={delta}")
            good, step = min(bad + step, limit), 2 * step
            good_value = bound(good)
    while good - bad > 1:
        middle = (bad + good) // 2
        value = bound(middle)
        if value <= delta:
            good, good_value = middle, value
        else:
            bad, bad_value = middle, value
    assert good_value <= delta  # the safe side
    assert not bad_value <= delta  # and no smaller n
    return good
