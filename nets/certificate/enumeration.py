"""Exact sup ||f - g_M|| of tiny networks, as a proved bracket of any width: theory/PROOFS.md, 4.8 (h).

Branch and bound over simplicial cones. It begins with the orthants (where the first layer's two halves are linear),
on the box each cut into cones over simplices of the cube's surface. On a cone with generators v_1, ..., v_d the
difference is its interpolation sum mu_j d(v_j) up to a deviation that only units without a fixed sign make:

- interpolation: on the box its largest value is at a vertex; on the l2 ball ||sum mu_j y_j||^2 is at most the largest
  of (y_i . y_j) / (v_i . v_j), as all inner products of generators are >= 0 within an orthant;
- deviation: a ReLU with values alpha_j at the vertices is below its interpolation by at most p q / (p + q), p and q
  the largest of alpha and -alpha; differences of both networks' units are tracked beside the units themselves.

A cone whose bound is too high is cut where a unit of one network changes sign on an edge, so that the linear regions
are met exactly after finitely many cuts, or at the middle of its longest edge. Rounding: the values at vertices and
the places of cuts are off by multiples of u, which are added, times the Lipschitz constants, to every bound.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nets.arguments import doubles
from nets.certificate.bracket import check_domain, check_pair, check_target
from nets.certificate.rounding import UNIT
from nets.targets.target import Target
from sims.solver.limits import between, finite_number

Array = NDArray[np.float64]

MAX_INPUTS, MAX_UNITS = 6, 128
BUDGET = 400_000
"""Cones that are looked at before the search gives up."""
_BATCH = 4096
_MOST_CUTS = 400


def decide(
    target: Target, effective: Sequence[tuple[Any, Any]], eps: float, *, domain: str = "l2", budget: int = BUDGET
) -> str:
    """Decide whether sup ||f - g_M||_2 <= eps over the unit ball of `domain`.

    Parameters
    ----------
    target, effective, domain
        As in `nets.certificate.certify`; at most `MAX_INPUTS` inputs and `MAX_UNITS` hidden units of the target.
    eps : float, > 0
    budget : int
        Cones that are looked at before the answer is `undecided`.

    Returns
    -------
    str
        `holds` and `refuted` are proved.

    Raises
    ------
    ValueError
        If the network is too large, or an argument does not fit.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8 (h).

    Examples
    --------
    >>> import torch
    >>> one = torch.ones(1, 1, dtype=torch.float64)
    >>> decide(Target((one,)), [(1.25 * one, one)], 0.26), decide(Target((one,)), [(1.25 * one, one)], 0.24)
    ('holds', 'refuted')
    """
    if not finite_number("eps", eps) > 0:
        raise ValueError(f"eps must be > 0, got eps={eps}")
    lower, upper = _search(_Pair.of(target, effective, domain), between("budget", budget, 1, 10**9), eps=eps, width=0.0)
    return "holds" if upper <= eps else "refuted" if lower > eps else "undecided"


def exact_bracket(
    target: Target,
    effective: Sequence[tuple[Any, Any]],
    *,
    domain: str = "l2",
    width: float = 1e-3,
    budget: int = BUDGET,
) -> tuple[float, float]:
    """Enclose sup ||f - g_M||_2 over the unit ball of `domain`.

    Parameters
    ----------
    target, effective, domain, budget
        As in `decide`.
    width : float, > 0
        Relative width at which the search ends; it is wider if the budget ends first.

    Returns
    -------
    lower, upper : float
        Both proved.
    """
    if not finite_number("width", width) > 0:
        raise ValueError(f"width must be > 0, got width={width}")
    return _search(_Pair.of(target, effective, domain), between("budget", budget, 1, 10**9), eps=None, width=width)


@dataclass(frozen=True)
class _Pair:
    """Both networks as arrays, and how much rounding must be added to a value and to a bound."""

    f: list[Array]
    g: list[Array]
    minus: Array
    domain: str
    off: float
    """Error of a computed difference at a point of the ball, and of the deviation from interpolation."""
    lipschitz: float
    """Of the difference, in the l2 norm."""

    @classmethod
    def of(cls, target: Target, effective: Sequence[tuple[Any, Any]], domain: str) -> _Pair:
        check_domain(domain)
        check_target(target)
        if not isinstance(effective, list | tuple):
            raise ValueError(f"effective must be a sequence of pairs, got {type(effective).__name__}")
        if target.widths[0] > MAX_INPUTS or sum(target.widths[1:-1]) > MAX_UNITS:
            most = f"at most {MAX_INPUTS} inputs and {MAX_UNITS} hidden units"
            raise ValueError(f"enumeration takes {most}, got widths={target.widths}")
        if len(effective) != target.depth:
            raise ValueError(f"effective must have one pair for each of {target.depth} layers, got {len(effective)}")
        pairs = [check_pair(pair, i) for i, pair in enumerate(effective)]
        f = [w.numpy() for w in target.weights]
        g = [_array(f"effective[{i}] W_plus", plus) for i, (plus, _) in enumerate(pairs)]
        minus = _array("effective[0] W_minus", pairs[0][1])
        named = [("effective[0] W_minus", minus), *((f"effective[{i}] W_plus", w) for i, w in enumerate(g))]
        for (name, made), wanted in zip(named, (f[0], *f), strict=True):
            if made.shape != wanted.shape:
                raise ValueError(f"{name} must have shape {wanted.shape}, got shape {made.shape}")
        radius = 1.0 if domain == "l2" else math.sqrt(f[0].shape[1])
        first = np.maximum(np.abs(g[0]), np.abs(minus))
        off = lipschitz = 0.0
        for net in (f, [first, *g[1:]]):
            with np.errstate(over="ignore"):  # then nothing is proved
                size = math.prod(float(np.linalg.norm(w)) for w in net)
            steps = sum(w.shape[1] + 8 for w in net)
            off += 32 * len(f) * steps * UNIT * size * radius
            lipschitz += size * (1 + 1e-12)
        return cls(f, g, minus, domain, off, lipschitz)

    def units(self, v: Array) -> list[tuple[Array, Array]]:
        """Pre-activations of both networks in every layer at points (..., d_0), the output last."""
        zf, zg = v @ self.f[0].T, np.maximum(v, 0) @ self.g[0].T - np.maximum(-v, 0) @ self.minus.T
        trail = [(zf, zg)]
        for a, b in zip(self.f[1:], self.g[1:], strict=True):
            zf, zg = np.maximum(zf, 0) @ a.T, np.maximum(zg, 0) @ b.T
            trail.append((zf, zg))
        return trail


def _array(name: str, weight: Any) -> Array:
    made: Array = doubles(name, weight).cpu().numpy()
    return made


def _search(pair: _Pair, budget: int, *, eps: float | None, width: float) -> tuple[float, float]:
    """Cut cones, the highest bounds first, until the bracket is narrow, eps is decided or the budget is spent."""
    cones = _first_cones(pair.f[0].shape[1], pair.domain)
    if not math.isfinite(pair.lipschitz):
        return 0.0, math.inf
    one_cut = 32 * UNIT * pair.lipschitz * math.sqrt(cones.shape[-1])
    bound, depth = np.full(len(cones), np.inf), np.zeros(len(cones), np.int64)
    lower = closed = 0.0
    seen = 0
    while True:
        limit = lower * (1 + width) + 4 * pair.off if eps is None else eps
        is_open = bound > limit
        closed = max(closed, float(bound[~is_open].max(initial=0.0)))
        cones, bound, depth = cones[is_open], bound[is_open], depth[is_open]
        upper = max(closed, float(bound.max(initial=0.0)))
        if lower > upper:
            raise RuntimeError(f"enumeration contradicts itself: lower={lower}, upper={upper}")
        if not len(bound) or seen >= budget or (eps is not None and lower > eps) or depth.max() > _MOST_CUTS:
            return lower, upper
        order = np.argsort(-bound, kind="stable")
        take, rest = order[:_BATCH], order[_BATCH:]
        seen += len(take)
        value, top, cut = _look(pair, cones[take], max(lower, eps or 0.0))
        lower = max(lower, value)
        top = np.minimum(bound[take], top + depth[take] * one_cut)
        parts = _halves(cones[take], cut, pair.domain)
        cones = np.concatenate([cones[rest], parts])
        bound = np.concatenate([bound[rest], top.repeat(2)])
        depth = np.concatenate([depth[rest], (depth[take] + 1).repeat(2)])


def _first_cones(d: int, domain: str) -> Array:
    """Generators (N, d, d): of every orthant, for "linf" of its parts with |x| in a fixed order."""
    found = []
    for signs in itertools.product((1.0, -1.0), repeat=d):
        if domain == "l2":
            found.append(np.diag(signs))
            continue
        for order in itertools.permutations(range(d)):
            chain = np.zeros((d, d))
            for k, axis in enumerate(order):
                chain[k:, axis] = signs[axis]
            found.append(chain)
    return np.array(found)


def _look(pair: _Pair, cones: Array, floor: float) -> tuple[float, Array, tuple[Array, Array, Array]]:
    """A value that is attained, a bound for every cone, and where to cut it: two generators and the first's weight.

    Cones are cut so that bounds above `floor` come down.
    """
    trail = pair.units(cones)
    y = trail[-1][1] - trail[-1][0]
    deviation, unit, score = _deviation(pair, trail)
    size = np.linalg.norm(y, axis=-1)
    inner = cones @ cones.transpose(0, 2, 1)
    d, m = cones.shape[-1], y.shape[-1]
    if pair.domain == "linf":
        attained = size.max()
        flat, spread = size.max(-1), np.ones(len(cones))
    else:
        length = np.linalg.norm(cones, axis=-1)
        attained = (size / length).max()
        inner *= 1 - 8 * (d + 4) * UNIT
        least, own = inner.min((1, 2)), inner.diagonal(axis1=1, axis2=2).min(-1)
        spread = 1 / np.sqrt((own - least) / d + least)  # of sum mu
        product = y @ y.transpose(0, 2, 1) + 8 * (m + 4) * UNIT * size[:, :, None] * size[:, None, :]
        positive = product > 0
        with np.errstate(divide="ignore"):
            ratio = np.where(positive, product / np.where(positive, inner, 1.0), 0.0)
        flat = np.minimum(np.sqrt(ratio.max((1, 2))), size.max(-1) * spread)
    bound = (flat + spread * (deviation + pair.off)) * (1 + 64 * (d + m) * UNIT)
    first, second, weight = _longest_edge(inner, cones)
    by_unit = (score > 0) & (deviation * spread > 0.3 * (bound - floor))
    high, low = unit.argmax(-1), unit.argmin(-1)
    rows = np.arange(len(cones))
    top, bottom = unit[rows, high], unit[rows, low]
    crossing = np.where(by_unit, -bottom / np.where(by_unit, top - bottom, 1.0), 0.5)  # weight of the high generator
    first, second = np.where(by_unit, high, first), np.where(by_unit, low, second)
    weight = np.where(by_unit, crossing, weight)
    value = float(attained) * (1 - 64 * (d + m) * UNIT) - pair.off
    return max(0.0, value), bound, (first, second, weight)


def _deviation(pair: _Pair, trail: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Bound how far d may be from its interpolation, (N,); the unit to cut, its values (N, d); how much it matters."""
    shape = trail[0][0].shape
    off_f = off_g = off_d = np.zeros((shape[0], 1))
    best, unit = np.zeros(shape[0]), np.zeros(shape[:2])
    rows = np.arange(shape[0])
    for i, (zf, zg) in enumerate(trail[:-1]):
        a, b = pair.f[i + 1], pair.g[i + 1]
        gap_f, gap_g = _gap(zf), _gap(zg)
        far = 2 * np.abs(zg - zf).max(1)
        dev_f = np.where(zf.max(1) <= -off_f, 0.0, gap_f + off_f)
        dev_g = np.where(zg.max(1) <= -off_g, 0.0, gap_g + off_g)
        active = (zf.min(1) >= off_f) & (zg.min(1) >= off_g)
        dev_d = np.minimum(dev_f + dev_g, np.where(active, off_d, far + off_d))
        worth = np.minimum(gap_f + gap_g, far) * np.linalg.norm(a, axis=0) + gap_g * np.linalg.norm(b - a, axis=0)
        worth *= np.maximum(gap_f, gap_g) > 1e-13 * (np.abs(zf).max((1, 2)) + np.abs(zg).max((1, 2)))[:, None]
        k = worth.argmax(-1)
        better = worth[rows, k] > best
        best = np.where(better, worth[rows, k], best)
        chosen = np.where((gap_f >= gap_g)[rows, k][:, None], zf[rows, :, k], zg[rows, :, k])
        unit = np.where(better[:, None], chosen, unit)
        off_f, off_g = dev_f @ np.abs(a).T, dev_g @ np.abs(b).T
        off_d = np.minimum(off_f + off_g, dev_g @ np.abs(b - a).T + dev_d @ np.abs(a).T)
        slack = 1 + 8 * (a.shape[1] + 8) * UNIT
        off_f, off_g, off_d = off_f * slack, off_g * slack, off_d * slack
    return np.linalg.norm(np.broadcast_to(off_d, (shape[0], pair.f[-1].shape[0])), axis=-1), unit, best


def _gap(z: Array) -> Array:
    """How far a ReLU can be below the interpolation of its values at the vertices, (N, d, k) to (N, k)."""
    p, q = np.maximum(z.max(1), 0), np.maximum(-z.min(1), 0)
    return np.asarray(p * q / np.where(p + q > 0, p + q, 1.0))


def _longest_edge(inner: Array, cones: Array) -> tuple[Array, Array, Array]:
    own = inner.diagonal(axis1=1, axis2=2)
    length = own[:, :, None] + own[:, None, :] - 2 * inner
    first, second = np.unravel_index(length.reshape(len(cones), -1).argmax(-1), inner.shape[1:])
    return first, second, np.full(len(cones), 0.5)


def _halves(cones: Array, cut: tuple[Array, Array, Array], domain: str) -> Array:
    """Both parts of every cone, (2 N, d, d)."""
    first, second, weight = cut
    rows = np.arange(len(cones))
    weight = weight[:, None]
    point = weight * cones[rows, first] + (1 - weight) * cones[rows, second]
    size = np.linalg.norm(point, axis=-1, keepdims=True) if domain == "l2" else np.abs(point).max(-1, keepdims=True)
    parts = np.repeat(cones[:, None], 2, axis=1)
    parts[rows, 0, first] = parts[rows, 1, second] = point / size
    return parts.reshape(-1, *cones.shape[1:])
