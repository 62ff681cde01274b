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
from theory.coverage import lower_bound, targets
from theory.coverage import tail as coverage_tail
from theory.numerics import irwin_hall, rounding
from theory.subset_sum import second_moment


def subset_sums() -> list[Fact]:
    """Statements 2.0 to 2.3."""
    return [
        fact("2.0", "enclosures of P(|S_k - alpha| <= eps)", _windows),
        fact("2.1", "expected number of good sums above, necessary n where it equals 1 - delta", _first_moment),
        fact("2.2", "second moments: the quotient, many vectors", _second_moment),
        fact("2.3", "log of the failure above, blocks that are just enough", _blocks),
    ]


def coverages() -> list[Fact]:
    """Statements 3.3 and 3.5."""
    return [
        fact("3.3", "the programme above its exact best, on few cells", _programme),
        fact("3.3", "distances of cells from the mean, above", _distances),
        fact("3.3", "levels and complements", _levels),
        fact("3.5", "sums over targets above", _union),
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
    for n, R, alpha, eps in ((1, 1, 0.5, 0.1), (3, 2, 0.3, 0.01), (2, 7, 1.0, 1e-9), (5, 1, 0.7, 0.03)):
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
    yield at_most(second_moment.success_lower(np.array([[1.0]]), 0.0, combine=False), 1)
    for vectors in (2, 3, 50):  # whether the empty sum is good does not depend on the vector: E N_0^2 = (E N_0)^2/eps
        moments, error = second_moment.normalised_moments(2, 1, eps=0.25, alpha=0.0, uniform=True, vectors=vectors)
        yield abs(float(moments[0, 0]) * 0.25 - 1.0) <= error
    for R in range(2, 40):
        single = subset_sum.success_prob_second_moment(3, 1, eps=0.1, alpha=0.5)
        found = subset_sum.success_prob_second_moment(3, R, eps=0.1, alpha=0.5, model="vector")
        yield at_most(found, max(Fraction(single), 1 - (1 - Fraction(single)) ** R))


def _blocks() -> Iterator[bool]:
    for eps in (0.1, 0.03, 0.2, 0.3):
        hit = subset_sum.success_prob_second_moment(1, 1, eps=eps, alpha=0.5)
        found = subset_sum.log_failure_prob_bound(1, 1, eps=eps, alpha=0.5)
        yield at_least(found, log(1 - Fraction(hit)))
        yield at_least(subset_sum.failure_prob_bound(1, 1, eps=eps, alpha=0.5), 1 - Fraction(hit))
        yield at_most(subset_sum.success_prob_lower(1, 1, eps=eps, alpha=0.5), hit)
    for eps in (0.1, 0.04):
        for delta in (0.3, 0.1, 0.03, 1e-2, 1e-3):
            blocks = subset_sum.required_n(eps, delta, R=2, alpha=0.5)
            # a delta that so many blocks just miss, and one that they just meet
            power = (1 - Fraction(blocks.block_success)) ** blocks.blocks
            for close in (just_below(power), math.nextafter(just_below(power), 1.0)):
                again = subset_sum.required_n(eps, close, R=2, alpha=0.5)
                yield at_most((1 - Fraction(again.block_success)) ** again.blocks, Fraction(close))


def _envelope(points: Sequence[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    """The highest chord of the points over x."""
    best = max((w for a, w in points if a == x), default=Fraction(0))
    for a, v in points:
        for b, w in points:
            if a < x < b:
                best = max(best, v + (w - v) * (x - a) / (b - a))
    return best


def _exact_programme(steps: int, R: int, grid: Sequence[float], c: float) -> Fraction:
    """3.3 on these cells, with the best slopes."""
    g = [Fraction(x) for x in grid]
    ends, level = [*g[1:], Fraction(1)], [Fraction(1)] * (len(g) - 1) + [Fraction(0)]
    for _ in range(steps):
        new = list(level)
        for i, low in enumerate(g[:-1]):
            mean, reach = low + Fraction(c) * (1 - low) * (1 - (1 - low) ** R), min(Fraction(1), (R + 1) * g[i + 1])
            points = [(min(ends[j], reach), level[j]) for j in range(i, len(g)) if g[j] < reach]
            new[i] = min(level[i], level[i] if mean <= points[0][0] else _envelope(points, mean))
        level = [max(new[i:]) for i in range(len(new))]
    return level[0]


def _programme() -> Iterator[bool]:
    c = coverage.DRIFT_PROVED
    for R, start, stop, cells, steps in (
        (1, 0.3, 0.9, 3, 3),
        (3, 0.2, 0.95, 4, 3),
        (1, 0.4, 0.75, 2, 4),
        (9, 0.1, 0.9, 3, 2),
    ):
        grid = coverage_tail._grid(start, stop, cells).tolist()
        for n in range(1, steps + 1):
            true = _exact_programme(n, R, grid, c)
            found = coverage.share_failure_bound(n, R, start=start, stop=stop, c=c, cells=cells)
            yield at_least(found, true) and at_most(found, true * (1 + Fraction(1, 10**10)))


def _distances() -> Iterator[bool]:
    """e_j - m(g_i) before any level is known: each must be at least the exact one."""
    for R, start, stop, c, cells in ((1, 0.3, 0.9, 0.307, 7), (3, 0.01, 0.99, 0.2, 20), (9, 1e-6, 0.5, 0.3, 30)):
        tail = coverage_tail.Tail(R, start, stop, c, cells)
        grid = [Fraction(x) for x in coverage_tail._grid(start, stop, cells).tolist()]
        ends = [*grid[1:], Fraction(1)]
        for rows in tail._blocks:
            for i in range(rows.first, rows.last):
                low, reach = grid[i], min(Fraction(1), (R + 1) * grid[i + 1])
                mean = low + Fraction(c) * (1 - low) * (1 - (1 - low) ** R)
                for j in range(i, len(grid)):
                    if grid[j] < reach:
                        yield at_least(float(rows.distance[i - rows.first, j - rows.first]), min(ends[j], reach) - mean)


def _levels() -> Iterator[bool]:
    for eps in (0.1, 0.3, 1e-3, 1e-9, 0.7, 3e-5):
        for high in (0.5, 1.0):
            with watched(lower_bound, "share_failure_bound") as calls:
                lower_bound.coverage_failure_bound(0, 1, eps=eps, low=-high, high=high, cells=20)
            for _, given in calls:
                missing = 1 - Fraction(given["stop"])
                yield 2 * Fraction(given["start"]) == Fraction(eps) or eps >= high
                yield missing <= Fraction(eps) / (2 if high <= 1 - eps / 2 else 4)
    for n in (11, 12, 13):  # no union over so many targets
        failure = coverage.coverage_failure_bound(n, 300, eps=0.007)
        yield at_most(coverage.success_prob_lower(n, 300, eps=0.007), 1 - Fraction(failure))


def _product(n: int, R: int, eps: float, alpha: float) -> Fraction:
    """Failure of equal blocks at the better number of blocks."""
    best = Fraction(1)
    for blocks in targets._BLOCK_COUNTS:
        if blocks <= n:
            product = Fraction(1)
            for j in range(blocks):
                size = n // blocks + (j < n % blocks)
                product *= 1 - Fraction(subset_sum.success_prob_second_moment(size, R, eps=eps, alpha=alpha))
            best = min(best, product)
    return best


def _union() -> Iterator[bool]:
    for n, R, eps, alpha in ((3, 5, 0.2, 0.5), (4, 3, 0.3, 0.75), (6, 2, 0.25, 1.0)):  # one target
        yield at_least(
            coverage.union_failure_bound(n, R, eps=eps, low=alpha, high=alpha), _product(n, R, eps / 2, alpha)
        )
    eps, low, high = 0.0625, 0.25, 0.875  # eleven and one targets
    count = math.ceil(Fraction(high - low) / (Fraction(eps) * (1 - Fraction(1, 2**20)))) + 1
    places = [low + (high - low) * (i + 0.5) / count for i in range(count)]
    total = sum(_product(8, 6, eps / 2, place) for place in places)
    yield total < 1 and at_least(coverage.union_failure_bound(8, 6, eps=eps, low=low, high=high), total)
    yield all(abs(b - a) <= eps for a, b in itertools.pairwise(places))
