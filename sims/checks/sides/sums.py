"""Sides of statements 2 (subset sums) and 3 (coverage)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from sims.checks.check import Fact
from sims.checks.sides.exact import at_least, at_most, ball, fact, is_above_exp, is_below_rest, just_below, log, watched
from sims.checks.twins import sums as _sums
from theory import coverage, subset_sum
from theory.coverage import potential, targets, windows
from theory.coverage import tail as coverage_tail
from theory.coverage.parameters import CoverageParameters
from theory.coverage.tail import Step
from theory.numerics import irwin_hall, rounding
from theory.subset_sum import blocks, last_variable, required, second_moment, weighted
from theory.subset_sum.cells import CELLS, Sheet, StepLaw

_TINY = Fraction(1, 2**48)


def subset_sums() -> list[Fact]:
    """Statements 2.0 to 2.3."""
    return [
        fact("2.0", "enclosures of P(|S_k - alpha| <= eps)", _windows),
        fact("2.1", "expected number of good sums above, necessary n where it equals 1 - delta", _first_moment),
        fact("2.2", "second moments: the quotient, many vectors", _second_moment),
        fact("2.2 (b)", "sums of weighted values, errors of moments, the quotient", _weighted),
        fact("2.2 (c)", "the price of more draws, moments over one and two last values", _last_variable),
        fact("2.3", "log of the failure above, blocks that are just enough", _blocks),
    ]


def coverages() -> list[Fact]:
    """Statements 3.3, 3.5 and 3.7."""
    return [
        fact("3.3", "the programme above its exact best, on few cells", _programme),
        fact("3.3", "distances of cells from the mean and probabilities to stay below a cell's end, above", _distances),
        fact("3.3", "windows and complements", _levels),
        fact("3.5", "sums over targets above, targets close enough", _union),
        fact("3.7", "factor and closed forms above", _potentials),
    ]


def _windows() -> Iterator[bool]:
    for k, alpha, eps in (
        (1, 0.5, 0.01),
        (2, 0.3, 0.1),
        (3, 1.0, 1e-3),
        (6, 0.7, 0.3),
        (9, 0.25, 1e-6),
        (14, 0.9, 0.01),
    ):
        exact = _sums.window(k, alpha, eps)
        low, high = subset_sum.sum_hit_prob(k, eps=eps, alpha=alpha)
        yield at_most(low, exact) and at_least(high, exact)
        low_log, high_log = subset_sum.log_sum_hit_prob(k, eps=eps, alpha=alpha)
        yield at_most(low_log, log(low)) and (high == 1.0 or at_least(high_log, log(high)))
    yield irwin_hall.hit_table(2, alpha=0.25, eps=0.25)[0] == 1.0  # the empty sum, at the window's end
    for x in (-1e-300, -0.1, -3.7, -745.0):
        yield is_above_exp(rounding.probability_above(x), ball(x))
        yield is_below_rest(rounding.complement_below(x), ball(x))


def _first_moment() -> Iterator[bool]:
    for n, R, alpha, eps in ((1, 1, 0.5, 0.1), (3, 2, 0.3, 0.01), (2, 7, 1.0, 1e-9), (5, 1, 0.7, 0.003)):
        table = irwin_hall.hit_table(n, alpha=alpha, eps=eps)
        raised = sum(
            math.comb(n, k) * R**k * Fraction(table[k]) * (1 + Fraction(irwin_hall.window_error(k)))
            for k in range(1, n + 1)
        )
        found = subset_sum.success_prob_upper(n, R, eps=eps, alpha=alpha)
        yield at_least(found, _sums.expected_good_sums(n, R, alpha, eps)) and at_least(found, raised)
    for n, R, eps in ((4, 2, 0.01), (7, 1, 6e-3), (2, 9, 8e-3), (3, 5, 4e-3)):  # 1 - delta is the bound itself
        bound = subset_sum.success_prob_upper(n, R, eps=eps, alpha=0.5)
        yield 0.5 <= bound < 1.0 and subset_sum.necessary_n(eps, 1.0 - bound, R=R, alpha=0.5) <= n
    for k in (7, 20, 59):  # 2^n eps = 1 - delta
        yield subset_sum.necessary_n_closed_form(2.0**-k, 0.5, R=1, alpha=1.0) == k - 1


def _second_moment() -> Iterator[bool]:
    for size in range(2, 30):  # e' M^-1 e of I + 1 is size/(size+1)
        found = second_moment.success_lower(np.eye(size) + 1.0, 0.0, combine=True)
        yield at_most(found, Fraction(size, size + 1))
    for moment in (1.0, 8 / 7, 1.7, 3.0, 12.3):
        yield at_most(second_moment.success_lower(np.array([[moment]]), 0.0, combine=False), 1 / Fraction(moment))
    for vectors in (2, 3, 50):  # whether the empty sum is good does not depend on the vector: E N_0^2 = (E N_0)^2/eps
        moments, error = second_moment.normalised_moments(2, 1, eps=0.25, alpha=0.0, uniform=True, vectors=vectors)
        yield abs(float(moments[0, 0]) * 0.25 - 1.0) <= error
    for R in range(2, 40):
        single = subset_sum.success_prob_second_moment(3, 1, eps=0.1, alpha=0.5)
        found = subset_sum.success_prob_second_moment(3, R, eps=0.1, alpha=0.5, model="vector")
        yield at_most(found, max(Fraction(single), 1 - (1 - Fraction(single)) ** R))


_STEEP = StepLaw(tuple(1.0 + (3 * c % 7) / 4 for c in range(CELLS)))


def _weighted() -> Iterator[bool]:
    flat = StepLaw((1.0,) * CELLS)
    eps = 1 / 64
    for n in (2, 5):  # f_2 has the slope 1/4 next to its ends
        bend, top = weighted._bend(flat, n, eps)
        yield at_least(bend * (1 + 1e-13), Fraction(eps) ** 3 / 6) and top >= 0.5
    heights = [Fraction(weight) / 2 for weight in _STEEP.weights]
    yield at_least(_STEEP.top, max(heights))
    rises = itertools.pairwise([Fraction(0), *heights, Fraction(0)])
    yield at_least(_STEEP.rise, sum((abs(b - a) for a, b in rises), Fraction(0)) / 2)
    alpha = Fraction(1, 3)
    sheet = Sheet(2, 2 * CELLS, 3, alpha=alpha, eps=Fraction(eps))
    found = sheet.window(1, _STEEP.coefficients(1)[1])
    for row, node in ((20, 0), (33, 4), (40, 7)):
        ends = [float(alpha) + side * eps - float(sheet.points[row, node]) for side in (-1, 1)]
        exact = sum(  # the length of the window in every cell
            height * max(0.0, min(ends[1], (2 * c + 2) / CELLS - 1) - max(ends[0], 2 * c / CELLS - 1))
            for c, height in enumerate(map(float, heights))
        )
        yield abs(float(found[row, node]) - exact) <= 1e-12
    for size in range(2, 12):  # v known to within a tenth, M to within a quarter of its diagonal
        v, M = np.ones(size), np.eye(size) + 1.0
        bound = second_moment.success_lower(
            M, 0.0, combine=True, first=v, first_off=v / 10, off=np.diag(np.diag(M)) / 4
        )
        yield at_most(bound, (Fraction(9, 10) * size) ** 2 / (size * size + size + Fraction(size, 2)) * (1 + _TINY))
        yield bound > 0.0


def _last_variable() -> Iterator[bool]:
    for R in (2, 3, 10, 40):
        for more in (1.0, 1.25, 2.0, 4.0):
            at = Fraction(more - 1) / (Fraction(more) * (R - 1))
            for z in (at, at / 2, 2 * at, Fraction(1, R)):
                yield at_least(last_variable.price(R, more), (1 + Fraction(more) * R * z) / (1 + z) ** R)
    alpha, eps, R = Fraction(1, 2), Fraction(1, 32), 2
    flat = StepLaw((1.0,) * CELLS)
    twice = StepLaw((2.0,) * CELLS)
    for law, factor in ((flat, 1), (twice, 2**R)):  # two variables: k, k' = 0, 1 without the last value
        sheet = Sheet(2, 4 * CELLS, 3, alpha=alpha, eps=eps)
        hits = np.stack([law.hits(1, alpha=alpha, eps=eps, last=flat)])
        scale = second_moment.overlap_table(1, R)
        same, apart = last_variable._pairs(law, [flat], R, sheet, hits, scale)
        p = [_sums.window(k, 0.5, 1 / 32) for k in (1, 2)]
        yield abs(float(same[0, 0, 0, 0]) - factor * float(p[0])) <= 1e-12  # x itself is good
        yield abs(float(apart[0, 0, 0, 0]) - factor * float(p[0]) ** 2) <= 1e-12
        yield abs(float(apart[0, 0, 0, 1]) - factor * float(p[0] * p[1])) <= 1e-12


def _blocks() -> Iterator[bool]:
    for eps, alpha in ((0.1, 0.5), (0.03, 0.75), (0.2, 1.0), (0.3, 0.9)):
        exact = 1 - _sums.window(1, alpha, eps)
        for R in (1, 2, 5):  # one variable: its draws are independent
            yield at_least(subset_sum.log_failure_prob_bound(1, R, eps=eps, alpha=alpha), R * log(exact))
            yield at_least(subset_sum.failure_prob_bound(1, R, eps=eps, alpha=alpha), exact**R)
            yield at_most(subset_sum.success_prob_lower(1, R, eps=eps, alpha=alpha), 1 - exact**R)
    for n, eps in ((0, 0.3), (40, 1e-6), (90, 1e-3), (300, 1e-9)):  # the expected share of targets not covered
        cover = log(1 / Fraction(eps) - 1) + n * log(Fraction(3, 4))
        yield at_least(blocks._log_failure_of_coverage(n, eps), cover)
    for x in (-0.7, -1e-9, -30.0, math.log1p(-0.3)):
        yield at_most(required._rate([(3, x)]), -3 * Fraction(x))
    for m in range(1, 7):
        hit = subset_sum.success_prob_second_moment(m, 1, eps=0.05, alpha=0.5)
        yield at_most(required._rate([(1, math.log1p(-hit))]), -log(1 - Fraction(hit)))
    for eps in (0.1, 0.04):
        for delta in (0.3, 0.1):
            design = subset_sum.required_n(eps, delta, R=2, alpha=0.5)
            # a delta that so many blocks just miss, and one that they just meet
            power = (1 - Fraction(design.block_success)) ** design.blocks
            for close in (just_below(power), math.nextafter(just_below(power), 1.0)):
                again = subset_sum.required_n(eps, close, R=2, alpha=0.5)
                yield at_most((1 - Fraction(again.block_success)) ** again.blocks, Fraction(close) * (1 + _TINY))


def _envelope(points: Sequence[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    """The highest chord of the points over x."""
    best = max((w for a, w in points if a == x), default=Fraction(0))
    for a, v in points:
        for b, w in points:
            if a < x < b:
                best = max(best, v + (w - v) * (x - a) / (b - a))
    return best


def _mean(v: Fraction, R: int, x: float) -> Fraction:
    """The mean of the next share from v, at least (3.2)."""
    part = Fraction(x)
    gained = 1 - (1 - part * v) ** R
    if x > 0.5:
        far = min(1 / (2 * part), 1 - v)
        near = max(Fraction(0), Fraction(1, 2) - part * (1 - v))
        gained = far * gained + (1 - far) * (1 - (1 - near) ** R)
    return v + (1 - v) * gained


def _stays(start: Fraction, end: Fraction, R: int, x: float) -> Fraction:
    """P(next share < end) from ``start``, at most: E (c - B)^+/(c - k) at the best c (3.2)."""
    hit, moves, best = Fraction(x) * (1 - end), end / start - 1, Fraction(1)
    mass = [math.comb(R, b) * hit**b * (1 - hit) ** (R - b) for b in range(R + 1)]
    for c in range(1, R + 1):
        if c > moves:
            best = min(best, sum((c - b) * mass[b] for b in range(c)) / (c - moves))
    return best


def _exact_programme(steps: int, R: int, grid: Sequence[float], kinds: Sequence[Step]) -> Fraction:
    """3.3 on these cells, with the best slopes."""
    g = [Fraction(x) for x in grid]
    ends, level = [*g[1:], Fraction(1)], [Fraction(1)] * (len(g) - 1) + [Fraction(0)]
    idle = 1 - sum(Fraction(kind.weight) for kind in kinds)
    for _ in range(steps):
        new = list(level)
        for i, low in enumerate(g[:-1]):
            reach = min(Fraction(1), (R + 1) * g[i + 1])
            points = [(min(ends[j], reach), level[j]) for j in range(i, len(g)) if g[j] < reach]
            new[i] = idle * level[i]
            for kind in kinds:
                mean = _mean(low, R, kind.x)
                one = level[i] if mean <= points[0][0] else _envelope(points, mean)
                if kind.x <= 0.5:
                    drops = (level[j] - level[j + 1] for j in range(i, len(g) - 1))
                    terms = (_stays(low, end, R, kind.x) * drop for end, drop in zip(ends[i:], drops, strict=False))
                    one = min(one, sum(terms, Fraction(0)))
                new[i] += Fraction(kind.weight) * min(one, level[i])
        level = [min(level[i], max(new[i:])) for i in range(len(new))]
    return level[0]


def _programme() -> Iterator[bool]:
    one = ((Step(1.0, 0.5),), (Step(1.0, 1.0),), (Step(1.0, 0.7),))
    for R, start, stop, cells, steps, kinds in (
        (1, 0.3, 0.9, 3, 3, one[1]),
        (3, 0.2, 0.95, 4, 2, one[2]),
        (1, 0.4, 0.75, 2, 4, one[0]),
        (5, 0.1, 0.9, 3, 2, one[0]),
        (2, 0.1, 0.8, 3, 2, (Step(0.25, 0.4), Step(0.125, 1.0))),
    ):
        grid = coverage_tail._grid(start, stop, cells).tolist()
        tail = coverage_tail.Tail(R, start, stop, kinds, cells)
        for n in range(1, steps + 1):
            true = _exact_programme(n, R, grid, kinds)
            yield at_least(tail.up_to(n), true) and at_most(tail.up_to(n), true * (1 + Fraction(1, 10**10)))


def _distances() -> Iterator[bool]:
    """e_j - m(g_i) and P(next share < e_j) before any level is known: each must be at least the exact one."""
    for R, start, stop, x, cells in ((1, 0.3, 0.9, 0.5, 7), (3, 0.01, 0.99, 1.0, 16), (6, 1e-6, 0.5, 0.3, 12)):
        tail = coverage_tail.Tail(R, start, stop, (Step(1.0, x),), cells)
        grid = [Fraction(y) for y in coverage_tail._grid(start, stop, cells).tolist()]
        ends = [*grid[1:], Fraction(1)]
        ((_, found, below),) = tail._kinds
        for rows in found:
            for i in range(rows.first, rows.last):
                reach, mean = min(Fraction(1), (R + 1) * grid[i + 1]), _mean(grid[i], R, x)
                for j in range(i, len(grid)):
                    if grid[j] < reach:
                        yield at_least(float(rows.distance[i - rows.first, j - rows.first]), min(ends[j], reach) - mean)
        tail.up_to(2)
        level = [Fraction(y) for y in tail._level.tolist()]
        for rows in found:
            chords = coverage_tail._envelope(rows, tail._level[rows.first : rows.first + rows.distance.shape[1]])
            for i, line in enumerate(rows.distance.tolist()):
                points = [(Fraction(d), level[rows.first + j]) for j, d in enumerate(line) if d > -math.inf]
                yield at_least(float(chords[i]), _envelope(points, Fraction(0)))
        if below is not None:
            for i, j in itertools.combinations_with_replacement(range(cells), 2):
                yield at_least(float(below[i, j]), _stays(grid[i], ends[j], R, x))


def _levels() -> Iterator[bool]:
    for low, high in ((-0.5, 0.5), (-0.25, 0.75), (0.125, 0.3), (-0.9, 0.9), (-1.0, 1.0), (0.6, 1.0), (-0.1, 0.0)):
        for eps in (0.1, 0.3, 1e-3, 1e-9, 0.7, 3e-5):
            asked = CoverageParameters(R=1, eps=eps, low=low, high=high)
            centre = max(Fraction(high) - Fraction(1, 2), min(Fraction(0), Fraction(low) + Fraction(1, 2)))
            for found, middle, half in (
                (windows.narrow_windows(asked), centre, Fraction(1, 2)),
                (windows.wide_windows(asked), Fraction(0), Fraction(1)),
            ):
                for window, split in zip(found, windows.SPLITS, strict=False):
                    yield from _window(window, split * Fraction(eps), asked, middle - half, middle + half)
    for n in (11, 12, 13):  # no union over so many targets
        failure = coverage.coverage_failure_bound(n, 300, eps=0.007)
        yield at_most(coverage.success_prob_lower(n, 300, eps=0.007), 1 - Fraction(failure))


def _window(
    window: windows.Window, near: Fraction, asked: CoverageParameters, left: Fraction, right: Fraction
) -> Iterator[bool]:
    """What 0 covers at first, and what must be left uncovered around a target that has no sum within eps."""
    length, slack = right - left, Fraction(asked.eps) - near
    yield 2 * Fraction(window.x) == length and Fraction(window.stop) >= 1 - Fraction(window.missing)
    yield Fraction(window.start) * length <= min(near, right) - max(-near, left)
    for target in (Fraction(asked.low), Fraction(asked.high)):
        yield left <= target <= right
        yield Fraction(window.missing) * length <= min(target + slack, right) - max(target - slack, left)


def _union() -> Iterator[bool]:
    for n, R, eps, low, high in (
        (3, 5, 0.2, 0.5, 0.5),
        (6, 2, 0.25, 1.0, 1.0),
        (5, 9, 0.0625, 0.25, 0.875),
        (4, 9, 0.2, -0.5, 0.5),
    ):
        with watched(targets, "failure_prob_bound") as calls:
            found = coverage.union_failure_bound(n, R, eps=eps, low=low, high=high)
        sizes = sorted(given["alpha"] for _, given in calls)
        places = sorted({-x for x in sizes} | set(sizes)) if low < 0 else sizes
        yield all(2 * Fraction(given["eps"]) <= Fraction(eps) for _, given in calls)
        yield all(Fraction(b) - Fraction(a) <= Fraction(eps) for a, b in itertools.pairwise(places))
        yield 2 * (Fraction(places[0]) - Fraction(low)) <= Fraction(eps)
        yield 2 * (Fraction(high) - Fraction(places[-1])) <= Fraction(eps)
        singles = (subset_sum.failure_prob_bound(n, R, eps=eps / 2, alpha=abs(x), weights=False) for x in places)
        yield at_least(found, min(Fraction(1), sum(map(Fraction, singles), Fraction(0))))


def _potentials() -> Iterator[bool]:
    for R in (1, 2, 3, 10, 50):
        for x in (0.5, 0.3, 1e-3):
            part = Fraction(x)
            yield at_least(potential.potential_factor(R, x=x), (1 - (1 - part) ** (R + 1)) / ((R + 1) * part))
        rho = 2 * (1 - Fraction(1, 2 ** (R + 1))) / (R + 1)
        yield at_least(coverage.lueker_constant(R), -3 / log(rho))
        for eps, delta in ((0.01, 0.05), (0.3, 1e-9)):
            yield at_least(
                coverage.lueker_required_n(eps, delta, R=R), -3 / log(rho) * log(2 / Fraction(min(eps, delta)))
            )
        for n, start, missing in ((0, 0.5, 0.5), (50, 0.01, 0.005), (7, 1e-9, 1e-12)):
            odds = (1 - Fraction(missing)) / Fraction(missing) * (1 / Fraction(start) - 1)
            yield at_least(potential.log_odds(start, missing), log(odds))
            found = coverage.log_window_failure_bound(n, R, start=start, missing=missing)
            yield at_least(found, 0 if odds * rho**n >= 1 else log(odds * rho**n))
