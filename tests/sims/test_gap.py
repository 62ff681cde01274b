"""The largest gap of all sums: sorted lists and bitmaps against enumeration in fractions, at every kind of edge."""

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.solver import gap as gap_module
from sims.solver.gap import Gaps, GapSolver, largest_gap
from sims.solver.philox import GRID_BITS, grid_draws


def all_sums(x: list[list[int]]) -> list[int]:
    sums = {0}
    for row in x:
        sums |= {s + value for value in row for s in sums}
    return sorted(sums)


def distance(sums: list[int], z: Fraction) -> Fraction:
    return min(abs(s - z) for s in sums)


def naive_gap(x: list[list[int]], low: Fraction, high: Fraction) -> Fraction:
    """Twice the largest distance: it is attained at an end of the interval or half-way between two sums."""
    sums = all_sums(x)
    gaps = [Fraction(b - a) for a, b in itertools.pairwise(sums) if 2 * low <= a + b <= 2 * high]
    return max([2 * distance(sums, low), 2 * distance(sums, high), *gaps])


def solve(x: list[list[int]], low: float, high: float, bits: int, method: str) -> Gaps:
    solver = GapSolver(len(x), len(x[0]), low, high, bits=bits, method=method)
    return solver.solve(np.array(x, np.int64).reshape(1, -1))


@st.composite
def value_sets(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    """Small integers: many ties, zeros, sums of one sign; values are in [-1, 1] on the grid 2^-bits."""
    bits = draw(st.sampled_from([1, 3, 6, 10]))
    R = draw(st.integers(1, 4))
    n = draw(st.integers(1, {1: 9, 2: 6, 3: 5, 4: 4}[R]))
    low, high = draw(st.sampled_from([(-(2**bits), 2**bits), (-(2**bits), 0), (0, 2**bits), (-1, 1), (1, 1), (0, 0)]))
    return draw(st.lists(st.lists(st.integers(low, high), min_size=R, max_size=R), min_size=n, max_size=n)), bits


ENDS = st.one_of(st.floats(-3, 3, width=32), st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.1, 0.3, 0.5, 0.75, 1.0, 2.5]))


@pytest.mark.parametrize("method", ["exact", "mapped", "bitmap"])
@given(case=value_sets(), ends=st.tuples(ENDS, ENDS))
def test_largest_gap_and_every_decision_by_enumeration(
    method: str, case: tuple[list[list[int]], int], ends: tuple[float, float]
) -> None:
    x, bits = case
    low, high = sorted(ends)
    with pytest.MonkeyPatch.context() as patch:
        if method == "mapped":
            patch.setattr(gap_module, "MAPPED_FROM", 0)
        gaps = solve(x, low, high, bits, "bitmap" if method == "bitmap" else "exact")
    unit = Fraction(1, 2**bits)
    expected = naive_gap(x, Fraction(low) / unit, Fraction(high) / unit) * unit
    assert gaps.exact(0) == expected
    assert gaps.largest()[0] == pytest.approx(float(expected), rel=1e-15, abs=1e-15 * float(unit))
    # floats around half the gap: covered exactly from there on, whatever the rounding of eps
    half = float(expected / 2)
    for eps in (half, math.nextafter(half, 9), math.nextafter(half, -9), half + 0.01, half - 0.01, 0.25, 0.1, 1.0):
        if eps >= 0:
            assert bool(gaps.covered(eps)[0]) == (expected <= 2 * Fraction(eps))


def rows_of_many_kinds(n: int, R: int) -> np.ndarray:
    """Drawn values, and such that the normal law says nothing about their sums."""
    u = grid_draws(6, 0, 40, n * R)
    k = np.arange(n * R)
    kinds = [
        u[:20],
        u[20:22] >> 40 << 40,  # many equal sums
        u[22:24] >> k % 30,  # of very different size
        np.sign(u[24:26]) * 2 ** (52 - k % 45),
        np.sign(u[26:28]) * 2**50 + (u[28:30] >> 30),  # clusters
        np.where(k < n * R // 2, 0, u[30:32]),
        abs(u[32:33]),
        -abs(u[33:34]),
        np.full((1, n * R), 2**49),
        np.zeros((1, n * R), np.int64),
        np.where(k == 3, u[34:35], u[34:35] >> 20),
    ]
    return np.concatenate(kinds)


@pytest.mark.parametrize(("n", "R"), [(10, 1), (13, 1), (16, 1), (8, 2), (6, 4), (3, 30)])
def test_the_map_gives_what_the_lists_give(n: int, R: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = rows_of_many_kinds(n, R)
    for low, high in ((-0.5, 0.5), (-0.9, 0.7), (0.1, 0.1000001), (0.3, 0.3), (-40.0, 40.0), (2.0, 4.5), (-9.0, -1.0)):
        mapped = GapSolver(n, R, low, high, bits=GRID_BITS).solve(values)
        with monkeypatch.context() as patch:
            patch.setattr(gap_module, "MAPPED_FROM", math.inf)
            listed = GapSolver(n, R, low, high, bits=GRID_BITS).solve(values)
        assert mapped.inner.tolist() == listed.inner.tolist()
        assert mapped.near.tolist() == listed.near.tolist()


@pytest.mark.parametrize("bins", [3.0, 12.0, 400.0])
def test_bins_of_any_width_give_the_same(bins: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bins that are too coarse or too fine are chosen anew; at worst a row is left to the lists."""
    from sims.solver.kernels import gap_bits

    values = rows_of_many_kinds(11, 1)
    wanted = GapSolver(11, 1, -0.5, 0.5, bits=GRID_BITS).solve(values)
    for name in [name for name, value in vars(gap_bits).items() if hasattr(value, "py_func")]:  # it is compiled in
        monkeypatch.setattr(gap_bits, name, getattr(gap_bits, name).py_func)
    monkeypatch.setattr(gap_bits, "_BINS", bins)
    rows = np.array([0, 1, 20, 23, 25, 27])
    inner, near = np.empty(len(rows), np.int64), np.empty((len(rows), 4), np.int64)
    ends = (-(2**51), 2**51, -(2**52), 2**52)
    maps = np.zeros((2, 2**14), np.uint64)
    halves = np.empty(gap_bits.halves_size(11, 1), np.int64)
    with np.errstate(over="ignore"):
        gap_bits.gap_rows(*gap_module._options(values[rows].reshape(-1, 11, 1)), *ends, *maps, halves, inner, near)
    for row, gap in zip(rows, inner, strict=True):
        assert gap in (wanted.inner[row], -1)
    assert (inner >= 0).any()


def test_a_stretch_that_may_reach_beyond_the_interval_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty places 5 to 204, 206 to 255 and 300 to 339: the first two make the last one too short, if they count."""
    from sims.solver.kernels import gap_bits

    for name in [name for name, value in vars(gap_bits).items() if hasattr(value, "py_func")]:
        monkeypatch.setattr(gap_bits, name, getattr(gap_bits, name).py_func)
    marks = [*range(64, 69), 64 + 205, *range(64 + 256, 64 + 300), *range(64 + 340, 64 * 8)]
    bits = np.array([sum(1 << at % 64 for at in marks if at // 64 == w) for w in range(8)], np.uint64)
    bits[0] = ~np.uint64(0)
    wide, lists = np.zeros(8, np.uint64), np.zeros((2, 9), np.int64)
    with np.errstate(over="ignore"):
        gap_bits._dilate(bits, 1, 8, wide)
        wide[0] = bits[0]
        for inside, wanted in ((0, [(68, 201)]), (64 + 200, [(68, 201), (269, 51), (363, 41)])):
            found, longest = gap_bits._empty(bits, wide, 1, 8, inside, 500, 6, *lists)
            assert list(zip(*lists[:, :found].tolist(), strict=True)) == wanted
            assert longest == (201 if inside == 0 else 51)


def test_drawn_values_are_decided_by_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists are not asked, so that the work is that of the map."""
    asked = []
    listed = GapSolver._listed
    monkeypatch.setattr(GapSolver, "_listed", lambda self, *given: asked.append(len(given[0])) or listed(self, *given))
    for n, R in ((14, 1), (17, 1), (9, 2), (6, 5)):
        GapSolver(n, R, -0.5, 0.5, bits=GRID_BITS).solve(grid_draws(9, 0, 100, n * R))
    assert sum(asked) <= 4


@pytest.mark.parametrize("R", [1, 2, 3, 4])
def test_small_scratch_cuts_the_interval_and_grows(monkeypatch: pytest.MonkeyPatch, R: int) -> None:
    """Windows, removal of duplicates and a growing scratch give what one large scratch gives."""
    n = {1: 13, 2: 8, 3: 6, 4: 6}[R]
    values = grid_draws(5, 0, 30, n * R)
    values[10:20] = (values[10:20] >> 49) << 49  # many equal sums
    values[20] = 0
    values[21] = -abs(values[21])
    whole = GapSolver(n, R, -0.9, 0.7, bits=GRID_BITS).solve(values)
    for capacity in (2, 37, 300):
        monkeypatch.setattr(gap_module, "FIRST_CAPACITY", capacity)
        solver = GapSolver(n, R, -0.9, 0.7, bits=GRID_BITS)
        assert solver._capacity == capacity
        parts = solver.solve(values)
        assert (parts.inner == whole.inner).all()
        assert (parts.near == whole.near).all()
    for t in (0, 11, 20, 21):
        x = values[t].reshape(n, R).tolist()
        scale = 2**GRID_BITS
        assert whole.exact(t) * scale == naive_gap(x, Fraction(-0.9) * scale, Fraction(0.7) * scale)


def test_both_methods_agree_on_a_grid_at_larger_n() -> None:
    for n, R, bits in ((20, 1, 12), (9, 3, 12), (30, 1, 3)):
        values = grid_draws(8, 0, 4, n * R) >> (GRID_BITS - bits)
        for low, high in ((-1.0, 1.0), (-0.3, 0.2), (0.7, 0.7), (5.0, 30.0)):
            exact, bitmap = (GapSolver(n, R, low, high, bits=bits, method=m).solve(values) for m in ("exact", "bitmap"))
            assert (exact.inner == bitmap.inner).all()
            assert (exact.near == bitmap.near)[abs(exact.near) < 2**60].all()
            assert ((abs(exact.near) < 2**60) == (abs(bitmap.near) < 2**60)).all()


def test_more_variables_never_widen_the_gap() -> None:
    values = grid_draws(3, 0, 50, 14)
    last = np.full(50, np.inf)
    for n in range(1, 15):
        gaps = GapSolver(n, 1, -0.5, 0.5, bits=GRID_BITS).solve(np.ascontiguousarray(values[:, :n]))
        assert (gaps.largest() <= last).all()
        last = gaps.largest()
        covered = np.array([gaps.covered(eps) for eps in (0.001, 0.01, 0.1, 0.5)])
        assert (covered[:-1] <= covered[1:]).all()


def test_a_point_is_covered_when_some_sum_hits_it() -> None:
    """An interval of length 0 is the ordinary subset-sum question."""
    from sims.solver.grid import GridSolver

    values = grid_draws(4, 0, 400, 9)
    eps, target = 0.003, 0.25
    window = round(2 * target * 2**GRID_BITS), math.floor(2 * Fraction(eps) * 2**GRID_BITS)
    hits = GridSolver(9, 1).mark(values, np.full(400, window[0]), np.full(400, window[1]))
    covered = GapSolver(9, 1, target, target, bits=GRID_BITS).solve(values).covered(eps)
    assert (hits == covered).all()
    assert 0 < hits.sum() < 400


@given(
    st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=7),
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.sampled_from([1.0, 1e-9, 1e9]),
)
def test_floating_point_values(x: list[float], a: float, b: float, scale: float) -> None:
    low, high = sorted((a * scale, b * scale))
    gap, rounding = largest_gap([value * scale for value in x], low, high)
    sums = [Fraction(0)]
    for value in x:
        sums += [s + Fraction(value * scale) for s in sums]
    sums.sort()
    ends = [Fraction(low), Fraction(high)]
    middles = [(s + t) / 2 for s, t in itertools.pairwise(sums)]
    true = 2 * max(min(abs(s - z) for s in sums) for z in [*ends, *(z for z in middles if ends[0] <= z <= ends[1])])
    assert abs(true - Fraction(gap)) <= Fraction(rounding) + true * Fraction(2, 2**53)
    assert rounding < 1e-14 * (sum(abs(value) for value in x) * scale + abs(low) + abs(high)) + 1e-300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 1, 0.5, 0.4, {"bits": 52}), "low must be at most high"),
        ((3, 1, 0.0, math.inf, {"bits": 52}), "both finite"),
        ((3, 1, 0.0, 1.0, {"bits": 52, "method": "guess"}), "method must be"),
        ((40, 1, 0.0, 1.0, {"bits": 52}), "n=40 with R=1 has 2^40 sums"),
        ((40, 1, 0.0, 1.0, {"bits": 40, "method": "bitmap"}), "the limit is"),
        ((3, 1, 0.0, 1e9, {"bits": 52}), "too large"),
    ],
)
def test_refusals(arguments: tuple, message: str) -> None:
    *positional, named = arguments
    with pytest.raises(ValueError, match=re.escape(message)):
        GapSolver(*positional, **named)


def test_values_beyond_the_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        GapSolver(2, 1, 0.0, 1.0, bits=52).solve(np.array([[2**58, 1]]))
    with pytest.raises(ValueError, match="grid"):
        GapSolver(2, 1, 0.0, 1.0, bits=10, method="bitmap").solve(np.array([[2**12, 2**12]]))
    with pytest.raises(ValueError, match="shape"):
        largest_gap([], 0.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        largest_gap([math.nan], 0.0, 1.0)
