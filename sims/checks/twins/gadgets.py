"""Independent simulations and computations about weights made of two draws, and about layers of them; no theory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

Array = np.ndarray


def window_misses(draws: Array, eta: float, R: int, w: float, n: int, sign: int) -> Array:
    """Rows: no neuron of n has b and a in their windows; no neuron has any pair of draws within eta."""
    parts = draws.reshape(len(draws), n, 2, R)
    b, a = parts[:, :, 0], parts[:, :, 1]
    aimed = np.asarray((sign * b >= 1 - eta / 2).any(axis=2) & (np.abs(a - sign * w) <= eta / 2).any(axis=2))
    products: Array = np.abs(b[:, :, :, None] * a[:, :, None, :] - w) <= eta
    right = (sign * b > 0)[:, :, :, None]
    return np.array([~aimed.any(axis=1), ~(products & right).any(axis=(1, 2, 3))])


def layer_misses(draws: Array, d_in: int, d_out: int, eta: float, R: int, n: int) -> Array:
    """Whether some (output, input, sign) of a layer of targets 1 has no neuron with both draws in their windows."""
    parts = draws.reshape(len(draws), d_in, 2, n, 1 + d_out, R)
    signs = np.array([1.0, -1.0])[:, None, None]
    b = (signs * parts[..., 0, :] >= 1 - eta / 2).any(axis=-1)
    a = (np.abs(parts[..., 1:, :] - signs[..., None]) <= eta / 2).any(axis=-1)
    served = (b[..., None] & a).any(axis=3)
    return np.asarray(~served.all(axis=(1, 2, 3)))


def free_failures(draws: Array, eps: float, R: int, n: int) -> Array:
    """widths 1 1, F = [1], 2n neurons: no neuron left for one half; and with the first n meant for x >= 0."""
    parts = draws.reshape(len(draws), 2 * n, 2, R)
    high, low = parts.max(axis=3), parts.min(axis=3)
    up = (high[:, :, 0] > 0) & (high[:, :, 1] > 0) & (high[:, :, 0] * high[:, :, 1] >= 1 - eps)
    down = (low[:, :, 0] < 0) & (low[:, :, 1] < 0) & (low[:, :, 0] * low[:, :, 1] >= 1 - eps)
    alone = (up & down).sum(axis=1) == 1
    only = alone & ((up | down).sum(axis=1) == 1)  # one neuron could do either half, and there is no other
    fixed = up[:, :n].any(axis=1) & down[:, n:].any(axis=1)
    return np.array([~(up.any(axis=1) & down.any(axis=1) & ~only), ~fixed])


def weight_events(draws: Array, w: float, eta: float, R: int) -> Array:
    """Rows: first a and b hit; some a serves the first b > 0; some a serves the best b; some pair with b > 0."""
    b, a = draws[:, :R], draws[:, R:]
    first = np.abs(a[:, 0] * b[:, 0] - w) <= eta
    one = (np.abs(a * b[:, :1] - w) <= eta).any(axis=1) & (b[:, 0] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(w - eta) / b, (w + eta) / b])
        length = np.clip(ends.max(axis=0), -1, 1) - np.clip(ends.min(axis=0), -1, 1)
    length = np.where(b > 0, length, -1.0)
    best = np.take_along_axis(b, length.argmax(axis=1)[:, None], axis=1)
    served = (np.abs(a * best - w) <= eta).any(axis=1) & (best[:, 0] > 0)
    pairs = (np.abs(b[:, :, None] * a[:, None, :] - w) <= eta) & (b > 0)[:, :, None]
    return np.array([first, one, served, pairs.any(axis=(1, 2))])


def network_error(rng: np.random.Generator, widths: Sequence[int], errors: Sequence[float], kind: str) -> float:
    """Largest error found over the unit ball when every effective weight is off by +-errors[i].

    "ones": all entries equal and all errors of the same sign, at x along (1, ..., 1), the worst case of the proof.
    """
    target, plus, minus = [], [], []
    for (d_in, d_out), eta in zip(itertools.pairwise(widths), errors, strict=True):
        weight = np.ones((d_out, d_in)) if kind == "ones" else rng.standard_normal((d_out, d_in))
        weight /= np.linalg.norm(weight, 2)
        target.append(weight)
        plus.append(weight + eta * (1.0 if kind == "ones" else rng.choice([-1.0, 1.0], weight.shape)))
        minus.append(weight + eta * (1.0 if kind == "ones" else rng.choice([-1.0, 1.0], weight.shape)))
    x = rng.standard_normal((200, widths[0]))
    x[0] = 1.0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    f = x @ target[0].T
    g = np.maximum(x, 0) @ plus[0].T - np.maximum(-x, 0) @ minus[0].T
    for weight, made in zip(target[1:], plus[1:], strict=True):
        f, g = np.maximum(f, 0) @ weight.T, np.maximum(g, 0) @ made.T
    return float(np.linalg.norm(f - g, axis=1).max())


def etas(widths: Sequence[int], eps: float) -> list[float]:
    """log(1+eps)/(l sqrt(d_i d_(i-1)))."""
    return [math.log(1 + eps) / ((len(widths) - 1) * (a * b) ** 0.5) for a, b in itertools.pairwise(widths)]


def window_numbers(eta: float, R: int, w: float) -> tuple[float, float, float]:
    """q_b, q_a and log(1 - q_b q_a) in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        half, end = Decimal(eta) / 2, Decimal(w)
        inside = min(Decimal(1), end + half) - max(Decimal(-1), end - half)
        q_b = 1 - (1 - half / 2) ** R
        q_a = 1 - (1 - inside / 2) ** R
        miss = 1 - q_b * q_a
        if miss < Decimal("1e-50"):  # close to 0: a sum of positive terms
            m_b, m_a = (1 - half / 2) ** R, (1 - inside / 2) ** R
            miss = m_b + m_a * (1 - m_b)
        return float(q_b), float(q_a), float(miss.ln())


def log_bound(widths: Sequence[int], eps: float, R: int, counts: Sequence[int]) -> float:
    """log of the sum over layers of 2 d_i d_(i-1) (1 - q_i^2)^(n_i)."""
    logs = [
        math.log(2 * a * b) + n * window_numbers(eta, R, 1.0)[2]
        for (a, b), eta, n in zip(itertools.pairwise(widths), etas(widths, eps), counts, strict=True)
    ]
    top = max(logs)
    return top + math.log(sum(math.exp(x - top) for x in logs))


def recalled(widths: Sequence[int], eps: float, delta: float, R: int) -> list[float]:
    """ceil(64 l^2 d_(i-1)^2 d_i/(eps^2 R^2) log(2 l d_(i-1) d_i/delta))."""
    l = len(widths) - 1  # noqa: E741
    return [
        float(math.ceil(64 * l**2 * a**2 * b / (eps * R) ** 2 * math.log(2 * l * a * b / delta)))
        for a, b in itertools.pairwise(widths)
    ]


def repaired(widths: Sequence[int], eps: float, delta: float, R: int) -> list[float]:
    """1 from R >= K log(4 l d_(i-1) d_i/delta) on; 160.2 for 64 up to R = K; the value at K in between."""
    l = len(widths) - 1  # noqa: E741
    result = []
    for a, b in itertools.pairwise(widths):
        K = 8 * l * a * b**0.5 / eps
        if K * math.log(4 * l * a * b / delta) <= R:
            result.append(1.0)
        else:
            result.append(float(math.ceil(160.2 / 64 * (K / min(R, K)) ** 2 * math.log(2 * l * a * b / delta))))
    return result


@cache
def _rule(count: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(count)


def _nodes(low: float, high: float, count: int) -> tuple[Array, Array]:
    x, weights = _rule(count)
    return low + (high - low) * (x + 1) / 2, weights * (high - low) / 2


def corner_failures(eps: float, R: int) -> tuple[float, float]:
    """Exact failures of widths 1 1, F = [1], two neurons: roles free, roles fixed; the plain integrals of 4.5 (c)."""
    c = 1 - eps
    x, weights = _nodes(c, 1.0, 300)
    u = ((1 + c) / 2) ** R + float(weights @ (R / 2 * ((1 + x) / 2) ** (R - 1) * ((1 + c / x) / 2) ** R))
    s = c**R + 2 * float(weights @ (R / 2 * ((x + c) / 2) ** (R - 1) * ((c / x + 1) / 2) ** R))
    if R > 1:
        sums, inverse = x[:, None] + x[None, :], c / x[:, None] + c / x[None, :]
        both = R * (R - 1) / 4 * (sums / 2) ** (R - 2) * (inverse / 2) ** R
        s += float(weights @ both @ weights)
    return s * (2 - s) + 2 * (u - s) ** 2, u * (2 - u)


def product_prob(w: float, eta: float) -> float:
    """P(|ab - w| <= eta): the mean over |b| of the length of the interval of a."""
    w = abs(w)
    cuts = sorted({0.0, 1.0, *(min(1.0, abs(end)) for end in (w - eta, w + eta))})
    total = 0.0
    for low, high in itertools.pairwise(cuts):
        b, weights = _nodes(low, high, 400)
        inside = np.clip((w + eta) / b, -1, 1) - np.clip((w - eta) / b, -1, 1)
        total += float(weights @ inside) / 2
    return total


def _good_share(b: Array, w: float, eta: float) -> Array:
    return np.asarray((np.clip((w + eta) / b, -1, 1) - np.clip((w - eta) / b, -1, 1)) / 2)


def one_b_success(w: float, eta: float, R: int) -> float:
    """P(b > 0 and some of R draws of a hits), w > eta."""
    total = 0.0
    for low, high in itertools.pairwise(sorted({w - eta, min(1.0, w + eta), 1.0})):
        b, weights = _nodes(low, high, 200)
        total += float(weights @ (1 - (1 - _good_share(b, w, eta)) ** R)) / 2
    return total


def best_b_miss(w: float, eta: float, R: int) -> float:
    """P(miss) with the best of R draws of b: its share by sorting 40,001 equally likely values of b."""
    b = (np.arange(40_001) + 0.5) / 40_001
    shares = np.sort(_good_share(b, w, eta))
    below = 0.5 + 0.5 * np.arange(len(shares) + 1) / len(shares)  # half of all b have the wrong sign
    return float(0.5**R + ((below[1:] ** R - below[:-1] ** R) @ (1 - shares) ** R))


def two_neuron_misses(draws: Array, eta: float, R: int, w: float, sign: int) -> Array:
    """Rows: the neuron of the second group nearest to what the first group's nearest to w/2 leaves is off by more than
    eta; no two neurons, one of each group, have products that add up to within eta.

    The first half of the neurons is the first group. Each keeps its draw of b that is farthest in the direction of the
    sign.
    """
    parts = draws.reshape(len(draws), -1, 2, R)
    kept = (sign * parts[:, :, 0]).max(axis=2)
    products = np.where(kept[:, :, None] > 0, sign * parts[:, :, 1] * kept[:, :, None], 0.0)
    one, other = (products[:, group].reshape(len(draws), -1) for group in np.array_split(np.arange(parts.shape[1]), 2))
    first = np.take_along_axis(one, np.abs(one - w / 2).argmin(axis=1)[:, None], axis=1)
    greedy = np.abs(first + other - w).min(axis=1)
    best = np.abs(one[:, :, None] + other[:, None, :] - w).min(axis=(1, 2))
    return np.array([greedy > eta, best > eta])


def apart(draws: Array, N: int, t: float) -> Array:
    """Whether no two of the points, the first N of one kind and the others of another, U[0, 1], are within t."""
    points = (draws + 1) / 2
    return np.asarray(np.abs(points[:, :N, None] - points[:, None, N:]).min(axis=(1, 2)) > t)
