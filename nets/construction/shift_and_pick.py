"""Entries of a product of two random matrices as in theory/PROOFS.md, 4.10: neurons to come near, and one to hit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from theory.attention.entry import REACHES

Floats = npt.NDArray[np.float64]


def shift_and_pick(b: Floats, a: Floats, targets: Floats) -> Floats:
    """The entries nearest to their targets that a shift by the first neurons and one later neuron can make.

    The shift, for every reach of the proof, adds the largest contribution of at most 2 reach of one neuron after the
    other until what is left is at most the reach; then the best contribution of the other neurons, or none, is added.

    Parameters
    ----------
    b : ndarray of float64, shape (n, R)
        Draws of the inner neurons' first weights.
    a : ndarray of float64, shape (entries, n, R)
        Draws of their second weights, one row for each entry.
    targets : ndarray of float64, shape (entries,)
        In [-1, 1].

    Returns
    -------
    ndarray of float64, shape (entries,)
        The entries made, each a sum of products a b.

    Examples
    --------
    >>> b, a = np.array([[1.0], [-0.5]]), np.array([[[0.5], [-0.9]]])
    >>> shift_and_pick(b, a, np.array([0.96])), shift_and_pick(b, a, np.array([0.44]))
    (array([0.95]), array([0.45]))
    """
    kept = b[np.arange(len(b)), np.abs(b).argmax(axis=1)]
    return np.array([_nearest(row * kept[:, None], w) for row, w in zip(a, targets.tolist(), strict=True)])


def _nearest(values: Floats, w: float) -> float:
    best = _picked(values, 0.0, w)
    sign = -1.0 if w < 0.0 else 1.0
    for reach in REACHES:
        made = 0.0
        for k, own in enumerate(values * sign):
            if abs(w - made) <= reach:
                best = min(best, made, _picked(values[k:], made, w), key=lambda one: abs(one - w))
                break
            good = own[(own > 0.0) & (own <= 2.0 * reach)]
            made += sign * float(good.max()) if len(good) else 0.0
        else:
            best = min(best, made, key=lambda one: abs(one - w))
    return best


def _picked(values: Floats, made: float, w: float) -> float:
    """What is made, and the contribution that brings it nearest."""
    sums = made + values.ravel()
    return float(sums[np.abs(sums - w).argmin()])
