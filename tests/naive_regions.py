"""Exact sup ||f - g_M||_2 of tiny networks with one or two inputs, by walking every linear region. NumPy only.

Bias-free ReLU networks are linear on cones. With one input these are the two half-lines. With two they are angular
sectors: a sector is split wherever some hidden unit of either network changes sign, layer by layer, and on what is
left the difference is one matrix A. ||A x|| is maximised over the arc of the unit circle at its ends or where the
quadratic form is stationary, and over the boundary of the square at the ends of the sector or at a corner, since
||A x|| is convex. Slow and simple on purpose; it shares no code with nets.
"""

from __future__ import annotations

import itertools

import numpy as np


def exact_sup(target_weights, w_first_minus, w_plus, domain):
    """Return sup ||f - g||_2 over the unit ball of `domain`; all weights are numpy arrays."""
    d_in = target_weights[0].shape[1]
    if d_in == 1:
        ends = [np.array([1.0]), np.array([-1.0])]
        return max(float(np.linalg.norm(difference(x, target_weights, w_first_minus, w_plus))) for x in ends)
    assert d_in == 2
    best = 0.0
    for low, high in sectors(target_weights, w_first_minus, w_plus):
        a = _matrix_on(low, high, target_weights, w_first_minus, w_plus)
        for angle in [low, high, *_stationary(a, low, high)]:
            x = np.array([np.cos(angle), np.sin(angle)])
            if domain == "linf":
                x = x / np.max(np.abs(x))
            best = max(best, float(np.linalg.norm(a @ x)))
        if domain == "linf":
            for corner in ([1, 1], [-1, 1], [-1, -1], [1, -1]):
                if low <= np.arctan2(corner[1], corner[0]) % (2 * np.pi) <= high:
                    best = max(best, float(np.linalg.norm(a @ np.array(corner, dtype=float))))
    return best


def difference(x, target_weights, w_first_minus, w_plus):
    """Evaluate g(x) - f(x) at one point."""
    f = x
    for i, w in enumerate(target_weights):
        f = w @ (np.maximum(f, 0) if i else f)
    g = w_plus[0] @ np.maximum(x, 0) - w_first_minus @ np.maximum(-x, 0)
    for w in w_plus[1:]:
        g = w @ np.maximum(g, 0)
    return g - f


def sectors(target_weights, w_first_minus, w_plus):
    """List the angular intervals on which both networks are linear."""
    pieces = [(k * np.pi / 2, (k + 1) * np.pi / 2) for k in range(4)]
    for depth in range(1, len(target_weights)):
        finer = []
        for low, high in pieces:
            f, g = _hidden_matrices(low, high, target_weights, w_first_minus, w_plus, depth)
            cuts = [low, high]
            for row in np.vstack([f, g]):
                root = np.arctan2(-row[0], row[1])  # row . (cos, sin) = 0
                cuts += [c for c in (root % np.pi, root % np.pi + np.pi) if low < c < high and row.any()]
            cuts = sorted(cuts)
            finer += itertools.pairwise(cuts)
        pieces = finer
    return pieces


def _hidden_matrices(low, high, target_weights, w_first_minus, w_plus, depth):
    """Matrices of the pre-activations after `depth` layers, on a sector where earlier units keep their signs."""
    middle = np.array([np.cos((low + high) / 2), np.sin((low + high) / 2)])
    f = target_weights[0]
    g = w_plus[0] @ np.diag((middle > 0) * 1.0) + w_first_minus @ np.diag((middle <= 0) * 1.0)
    for i in range(1, depth):
        f = target_weights[i] @ (f * (f @ middle > 0)[:, None])
        g = w_plus[i] @ (g * (g @ middle > 0)[:, None])
    return f, g


def _matrix_on(low, high, target_weights, w_first_minus, w_plus):
    f, g = _hidden_matrices(low, high, target_weights, w_first_minus, w_plus, len(target_weights))
    return g - f


def _stationary(a, low, high):
    """Angles in the sector where ||A (cos, sin)|| is largest on its circle."""
    q = a.T @ a
    top = np.arctan2(2 * q[0, 1], q[0, 0] - q[1, 1]) / 2
    return [t for t in (top % np.pi, top % np.pi + np.pi) if low <= t <= high]
