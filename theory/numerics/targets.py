"""Averages over a target drawn from U[-1, 1], of functions that are even in it."""

from __future__ import annotations


def target_nodes(eps: float, uniform: bool, alpha: float, count: int) -> tuple[list[float], list[float]]:
    """Targets beyond eps and their weights: alpha alone, or a Gauss-Legendre rule of ``count`` nodes over (eps, 1).

    Examples
    --------
    >>> target_nodes(0.5, False, 0.75, 16)
    ([0.75], [1.0])
    >>> 0.5 == round(sum(target_nodes(0.5, True, 0.0, 16)[1]), 12)
    True
    """
    import numpy as np

    if not uniform:
        return [alpha], [1.0]
    x, weights = np.polynomial.legendre.leggauss(count)
    return (eps + 0.5 * (1.0 - eps) * (1.0 + x)).tolist(), (0.5 * (1.0 - eps) * weights).tolist()
