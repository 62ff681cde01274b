"""What is published about subset sums of vectors; the constant of its form is not known."""

from __future__ import annotations

import math

from theory.numerics import check


def becchetti_n(eps: float, *, d: int, C: float) -> int:
    """Samples that are published to suffice for all targets at once: C d^3 log(1/eps) (log(1/eps) + log d), rounded up.

    The targets are those of [-1, 1]^d. The abstract states the order alone; C is not known: no value here is a bound.

    Parameters
    ----------
    eps : float
        Accuracy in (0, 1].
    d : int
        Dimension, >= 1.
    C : float
        Constant, > 0.

    Source
    ------
    becchetti2022, abstract, read; random vectors of another law, statement 9.4.

    Examples
    --------
    >>> [becchetti_n(0.01, d=d, C=1.0) for d in (1, 2, 3, 4)]
    [22, 196, 710, 1766]
    """
    eps, d = check.accuracy("eps", eps), check.positive_int("d", d)
    constant = check.nonnegative("C", C)
    if constant == 0.0:
        raise ValueError(f"C must be positive, got C={C}")
    log = -math.log(eps)
    return math.ceil(constant * d**3 * log * (log + math.log(d)))
