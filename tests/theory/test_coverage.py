"""Coverage: the drift constants, the explicit tail against other code and simulation, single targets added up."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stats import assert_at_least, assert_at_most
from theory.coverage import (
    Coverage,
    RequiredN,
    coverage_failure_bound,
    dacunha_failure,
    expected_share,
    gain,
    log_window_failure_bound,
    lower_bound,
    lueker_required_n,
    necessary_n,
    potential_factor,
    potential_failure_bound,
    predicted_n,
    required_n,
    share_failure_bound,
    success_prediction,
    success_prob_lower,
    success_prob_upper,
    tail,
    union_failure_bound,
)
from theory.coverage.parameters import CoverageParameters
from theory.coverage.windows import SPLITS, narrow_windows, wide_windows

# -- drift ------------------------------------------------------------------------------------------------------------


@st.composite
def unions(draw: st.DrawFn) -> list[tuple[Fraction, Fraction]]:
    """Disjoint intervals in [-1, 1] with rational ends, some of them at the ends."""
    ends = draw(st.lists(st.integers(-60, 60), min_size=2, max_size=12, unique=True).map(sorted))
    points = [Fraction(end, 60) for end in ends[: len(ends) // 2 * 2]]
    return [(points[i], points[i + 1]) for i in range(0, len(points), 2)]


def share(intervals: list[tuple[Fraction, Fraction]]) -> Fraction:
    return sum((b - a for a, b in intervals), Fraction(0)) / 2


def after_translate(intervals: list[tuple[Fraction, Fraction]], x: Fraction) -> Fraction:
    """Share of A and A + x, cut to [-1, 1]."""
    pieces = sorted([*intervals, *((max(a + x, Fraction(-1)), min(b + x, Fraction(1))) for a, b in intervals)])
    total, reached = Fraction(0), Fraction(-1)
    for a, b in pieces:
        if b > max(a, reached):
            total += b - max(a, reached)
            reached = b
    return total / 2


@given(unions())
@settings(max_examples=25)
def test_gain_is_the_mean_growth(intervals: list[tuple[Fraction, Fraction]]) -> None:
    """The share after a translate by x is linear between multiples of 1/60: trapezoids integrate it exactly."""
    knots = [Fraction(i, 60) for i in range(-60, 61)]
    values = [after_translate(intervals, x) for x in knots]
    mean = sum(((a + b) / 2 for a, b in itertools.pairwise(values)), Fraction(0)) / 120
    assert gain(intervals) == mean - share(intervals)


@given(unions(), st.integers(60, 120))
@settings(max_examples=300)
def test_no_union_of_intervals_breaks_the_drift(intervals: list[tuple[Fraction, Fraction]], near: int) -> None:
    v, width = share(intervals), Fraction(near, 60)
    assert gain(intervals) >= v * (1 - v) / 2
    assert gain(intervals, width) >= width * v * (1 - v) / 2
    assert gain(intervals, Fraction(2)) == v * (1 - v)


def test_an_interval_at_one_end_attains_one_half() -> None:
    for b in (Fraction(-1, 2), Fraction(0), Fraction(1, 3), Fraction(9, 10)):
        v = (b + 1) / 2
        assert gain([(Fraction(-1), b)]) == v * (1 - v) / 2


def test_gain_of_one_interval_by_hand() -> None:
    """A = [-e, e]: x adds min(|x|, 2e) less what sticks out, |x| + e - 1: 2e - 5e^2/2 on average, half in share."""
    e = Fraction(1, 10)
    assert gain([(-e, e)]) == e - Fraction(5, 4) * e**2


@pytest.mark.parametrize("R", [1, 2, 5])
def test_drift_with_R_draws_by_simulation(R: int) -> None:
    rng = np.random.default_rng(R)
    for intervals in ([(-1.0, -0.4)], [(-0.1, 0.1)], [(-0.9, -0.7), (-0.2, 0.1), (0.3, 0.95)]):
        z = (np.arange(4000) + 0.5) / 2000 - 1
        inside = np.zeros(4000, bool)
        for a, b in intervals:
            inside |= (z >= a) & (z <= b)
        v = inside.mean()
        grown = []
        for _ in range(1500):
            union = inside.copy()
            for x in rng.integers(-2000, 2001, R):
                if x >= 0:
                    union[x:] |= inside[: 4000 - x]
                else:
                    union[:x] |= inside[-x:]
            grown.append(union.mean())
        slack = 6 * np.std(grown) / math.sqrt(1500)
        assert np.mean(grown) + slack >= expected_share(v, R, x=1.0)
        assert max(grown) <= min(1.0, (R + 1) * v) + 1e-12


def window_shares(n: int, R: int, start: float, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Final shares of the process on a window of length 1 measured alone, on 500 bins."""
    result = []
    for _ in range(trials):
        inside = abs((np.arange(500) + 0.5) / 500 - 0.5) <= start / 2
        for _ in range(n):
            union = inside.copy()
            for x in rng.integers(-500, 501, R):
                if x >= 0:
                    union[x:] |= inside[: 500 - x]
                else:
                    union[:x] |= inside[-x:]
            inside = union
        result.append(inside.mean())
    return np.array(result)


@pytest.mark.parametrize("R", [1, 3, 10])
def test_one_step_in_a_window_is_exact_and_bounded_below_by_a_binomial(R: int) -> None:
    v = 0.1
    shares = window_shares(1, R, v, 4000, np.random.default_rng(R))
    assert abs(shares.mean() - expected_share(v, R)) <= 6 * shares.std() / math.sqrt(4000)
    grid = np.array([v, 0.2, 0.3, 0.45, 0.6, 0.9])
    below = tail._below(grid, R, 0.5)
    assert below is not None
    informative = 0
    for bound, end in zip(below[0], grid[1:], strict=True):
        assert_at_most(int((shares < end - 1e-9).sum()), 4000, min(1.0, float(bound)))
        informative += bound < 0.7
    assert informative >= (R > 3)
    if R == 10:
        wrong = tail._below(grid, 2 * R, 0.5)
        assert wrong is not None
        with pytest.raises(AssertionError):  # the control: twice the draws
            assert_at_most(int((shares < 0.45).sum()), 4000, float(wrong[0][2]))


def test_binomial_shortfalls_are_their_sums() -> None:
    for R in (1, 4, 30):
        for p in (0.5, 0.1, 1e-6):
            found = tail._shortfalls(R, np.array([p]))
            for c, value in found.items():
                exact = sum(
                    (c - b) * math.comb(R, b) * Fraction(p) ** b * (1 - Fraction(p)) ** (R - b) for b in range(c)
                )
                assert float(value[0]) == pytest.approx(float(exact), rel=1e-12, abs=1e-199)
    assert tail._shortfalls(10**18, np.array([0.25]))[64][0] >= 1e-200


@given(st.floats(1e-9, 0.999999), st.integers(1, 10**4), st.sampled_from([0.1, 0.5, 0.6, 0.75, 1.0]))
def test_the_mean_of_the_programme_is_rounded_down(v: float, R: int, x: float) -> None:
    with mpmath.workdps(40):
        q, low = mpmath.mpf(v), max(mpmath.mpf(0), mpmath.mpf("0.5") - mpmath.mpf(x) * (1 - mpmath.mpf(v)))
        far, near = 1 - (1 - x * q) ** R, 1 - (1 - low) ** R
        part = 1 if x <= 0.5 else (q / 2 - low) / (x * q - low)
        exact = q + (1 - q) * (part * far + (1 - part) * near)
        found = tail.mean_below(np.array([v]), R, x)[0]
        assert found <= exact
        assert found >= max(q, exact * (1 - mpmath.mpf(2) ** -44) - R * mpmath.mpf(2) ** -49 * (1 - q))


# -- tail -------------------------------------------------------------------------------------------------------------


def optimistic_tail(R: int, start: float, stop: float, x: float, steps: int, points: int) -> list[float]:
    """A lower bound on the exact programme of the means: the adversary may only use grid points; all chords."""
    half = points // 2
    grid = np.concatenate([np.geomspace(start, 0.5, half)[:-1], 1 - np.geomspace(0.5, 1 - stop, points - half), [1.0]])
    level = (grid < stop - 1e-12).astype(float)
    plans = []
    for i, v in enumerate(grid):
        mean, reach = expected_share(v, R, x=x), min(1.0, (R + 1) * v)
        low = np.arange(i, len(grid))[(grid[i:] <= mean)]
        high = np.arange(i, len(grid))[(grid[i:] > mean) & (grid[i:] <= reach)]
        plans.append((low, high, mean))
    result = [1.0]
    for _ in range(steps):
        new = level.copy()
        for i, (low, high, mean) in enumerate(plans):
            if len(high):
                weight = (mean - grid[low][:, None]) / (grid[high] - grid[low][:, None])
                new[i] = (level[low][:, None] * (1 - weight) + level[high] * weight).max()
            else:
                new[i] = level[low].min()
        level = new
        result.append(float(level[0]))
    return result


@pytest.mark.parametrize(("R", "x"), [(1, 0.5), (1, 1.0), (3, 1.0)])
def test_tail_lies_just_above_an_optimistic_programme(R: int, x: float) -> None:
    start, stop, last = 0.05, 0.975, 35
    low = optimistic_tail(R, start, stop, x, last, 120)
    high = [share_failure_bound(n, R, start=start, stop=stop, x=x) for n in range(last + 1)]
    assert all(a <= b * (1 + 1e-9) for a, b in zip(low, high, strict=True))
    coarse = [share_failure_bound(n, R, start=start, stop=stop, x=x, cells=200) for n in range(last + 1)]
    assert all(a <= b * (1 + 1e-9) for a, b in zip(high, coarse, strict=True))
    assert all(b <= a for a, b in itertools.pairwise(high))
    for delta in (0.5, 0.1, 0.05):
        reached = [next(n for n, value in enumerate(bounds) if value <= delta) for bounds in (low, high, coarse)]
        assert reached[0] <= reached[1] <= reached[0] + 4
        assert reached[2] <= reached[1] + 6


@pytest.mark.parametrize(("n", "R", "start"), [(6, 1, 0.1), (3, 3, 0.1), (2, 10, 0.05)])
def test_tail_bounds_the_simulated_window(n: int, R: int, start: float) -> None:
    shares = window_shares(n, R, start, 1500, np.random.default_rng(n))
    for stop in (0.3, 0.6, 0.9):
        bound = share_failure_bound(n, R, start=start, stop=stop)
        assert_at_most(int((shares < stop - 1e-9).sum()), 1500, min(1.0, bound))
    with pytest.raises(AssertionError):  # the control: a bound for many more draws
        assert_at_most(int((shares < 0.9).sum()), 1500, share_failure_bound(n, 8 * R, start=start, stop=0.9))


def share_by_simulation(n: int, R: int, start: float, trials: int, rng: np.random.Generator) -> np.ndarray:
    """Final shares of the process itself (translates cut to [-1, 1]), on 1000 bins."""
    z = (np.arange(1000) + 0.5) / 500 - 1
    result = []
    for _ in range(trials):
        inside = abs(z) <= start
        for _ in range(n):
            union = inside.copy()
            for x in rng.integers(-500, 501, R):
                if x >= 0:
                    union[x:] |= inside[: 1000 - x]
                else:
                    union[:x] |= inside[-x:]
            inside = union
        result.append(inside.mean())
    return np.array(result)


@pytest.mark.parametrize(("n", "R"), [(6, 1), (10, 1), (14, 1), (4, 3)])
def test_tail_bounds_the_simulated_process(n: int, R: int) -> None:
    shares = share_by_simulation(n, R, 0.05, 600, np.random.default_rng(n))
    for stop in (0.3, 0.6, 0.9):
        bound = share_failure_bound(n, R, start=0.05, stop=stop, x=1.0)
        assert_at_most(int((shares < stop).sum()), 600, min(1.0, bound))


def test_required_n_is_the_first_that_does_and_covers_in_simulation() -> None:
    from sims.coverage import EXPERIMENT

    for R, low, high in ((1, -0.5, 0.5), (3, -1.0, 1.0)):
        n = required_n(0.3, 0.2, R=R, low=low, high=high).n
        assert success_prob_lower(n, R, eps=0.3, low=low, high=high) >= 0.8
        assert success_prob_lower(n - 1, R, eps=0.3, low=low, high=high) < 0.8
        few, question = {1: 22, 3: 9}[R], Coverage(R=R, eps=0.3, low=low, high=high)
        trials = 400
        for size in (min(n, few), few - 3):
            (covered,) = EXPERIMENT.counter(Coverage(R=R, eps=0.3, low=low, high=high), [size], seed=1)(
                0, trials
            ).tolist()
            bound = coverage_failure_bound(size, R, eps=0.3, low=low, high=high)
            assert_at_most(trials - covered, trials, min(1.0, bound))
        (short,) = EXPERIMENT.counter(question, [1], seed=1)(0, trials).tolist()
        with pytest.raises(AssertionError):  # the control: one variable is not enough
            assert_at_least(short, trials, 0.8)


def test_required_n_orders() -> None:
    by_R = [required_n(0.01, 0.05, R=R).n for R in (1, 2, 5)]
    assert by_R == sorted(by_R, reverse=True)
    by_eps = [required_n(eps, 0.05, R=1).n for eps in (1e-1, 1e-2, 1e-4, 1e-6)]
    assert by_eps == sorted(by_eps)
    assert required_n(0.01, 0.05, R=1, low=-0.5, high=0.5).n <= by_eps[1]
    assert required_n(0.5, 0.05, R=1, low=-0.5, high=0.5) == RequiredN(0, "empty sum")
    assert coverage_failure_bound(0, 1, eps=0.5, low=-0.6, high=0.5) == 1.0


def test_required_n_takes_the_least_of_its_ways() -> None:
    for R, eps, low, high in (
        (1, 0.01, -0.5, 0.5),
        (10, 0.001, -0.5, 0.5),
        (10, 0.01, -1.0, 1.0),
        (3, 1e-12, -0.5, 0.5),
    ):
        found = required_n(eps, 0.01, R=R, low=low, high=high)
        assert found.n <= lueker_required_n(eps, 0.01, R=R) or high > 0.5
        assert success_prob_lower(found.n, R, eps=eps, low=low, high=high) >= 0.99
        assert found.way in {"drift", "potential", "shift, drift", "shift, potential", "union"}
        assert coverage_failure_bound(found.n - 1, R, eps=eps, low=low, high=high) > 0.01
    assert required_n(0.01, 0.01, R=10).way == "shift, drift"
    # what simulation needs at delta = .01: 16, 5, 4 at eps = .01 and 20, 6, 5 at eps = .001
    for eps, most in ((0.01, (42, 13, 8)), (0.001, (54, 16, 10))):
        for R, bound in zip((1, 5, 10), most, strict=True):
            assert required_n(eps, 0.01, R=R, low=-0.5, high=0.5).n <= bound


FEW = ((1, 1e-9, 1e-322), (1, 0.499, 1 - 2**-53), (10**18, 1e-320, 1e-300))
MANY = [c for c in itertools.product((1, 10**18), (1e-9, 1e-320, 0.499), (1e-322, 1e-300, 1 - 2**-53)) if c not in FEW]


@pytest.mark.parametrize(
    ("R", "eps", "delta"), [*FEW, *(pytest.param(*case, marks=pytest.mark.verification) for case in MANY)]
)
def test_extreme_arguments_hold(R, eps, delta) -> None:
    assert 1 <= required_n(eps, delta, R=R, low=-0.5, high=0.5).n <= 10**4


def test_extreme_arguments_raise_one_clear_error() -> None:
    with pytest.raises(ValueError, match="delta must be reached by at most 10000 variables, got delta=5e-324"):
        required_n(0.1, 5e-324, R=1)
    assert 0.0 < coverage_failure_bound(5000, 1, eps=0.1) < 1e-300


def test_the_success_bound_is_rounded_down() -> None:
    """Not by one unit in the last place above 1 - failure."""
    for n, R in ((26, 1), (30, 1), (6, 5), (7, 5), (5, 10)):
        failure = Fraction(coverage_failure_bound(n, R, eps=0.1, low=-0.5, high=0.5))
        failure = min(failure, Fraction(union_failure_bound(n, R, eps=0.1, low=-0.5, high=0.5)))
        lower = Fraction(success_prob_lower(n, R, eps=0.1, low=-0.5, high=0.5))
        assert 1 - failure - Fraction(1, 2**51) <= lower <= 1 - failure


def test_accuracy_accounting() -> None:
    """A target at distance d from the window's end needs a gap of at most min(2 slack, slack + d); in exact numbers."""
    for low, high, margin in ((-0.5, 0.5, 0.0), (-0.25, 0.4, 0.1), (0.0, 1.0, 0.0), (0.3, 0.9, 0.0)):
        for window, split in zip(narrow_windows(Coverage(eps=0.125, low=low, high=high)), SPLITS, strict=True):
            near, slack = 0.125 * float(split), 0.125 * (1 - float(split))
            left = max(high - 0.5, min(0.0, low + 0.5)) - 0.5
            assert window.x == 0.5
            assert window.missing == pytest.approx(min(2 * slack, slack + margin), rel=1e-12, abs=0)
            assert window.start == pytest.approx(min(near, -left) + min(near, 1 + left), rel=1e-12, abs=0)
            assert Fraction(window.stop) >= 1 - Fraction(window.missing)
    assert narrow_windows(Coverage(eps=0.1, low=-0.6, high=0.5)) == ()
    assert [window.x for window in wide_windows(Coverage(eps=0.1, low=-1.0, high=1.0))] == [1.0, 1.0]


# -- potential --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("R", [1, 2, 5, 40])
def test_the_factor_is_the_binomial_mean_rounded_up(R: int) -> None:
    for x in (Fraction(1, 2), Fraction(1, 3), Fraction(1, 1024)):
        x = Fraction(float(x))
        exact = sum(math.comb(R, b) * x**b * (1 - x) ** (R - b) / (b + 1) for b in range(R + 1))
        found = Fraction(potential_factor(R, x=float(x)))
        assert exact <= found <= exact * (1 + Fraction(1, 10**12))


@pytest.mark.parametrize(("R", "start"), [(1, 0.1), (3, 0.05), (10, 0.02)])
def test_the_potential_falls_by_its_factor_in_simulation(R: int, start: float) -> None:
    shares = window_shares(1, R, start, 6000, np.random.default_rng(R))
    values = 1 / shares - 1
    error = 6 * values.std() / math.sqrt(6000)
    bound = potential_factor(R) * (1 / start - 1)
    assert values.mean() - error <= bound * 1.02  # bins: the start is a whole number of them, up to one
    assert values.mean() + error >= 0.5 * bound  # and it is not idle
    assert log_window_failure_bound(3, R, start=0.5, missing=0.5) == pytest.approx(
        3 * math.log(potential_factor(R)), rel=1e-9
    )


def test_lueker_and_dacunha_with_their_constants() -> None:
    assert lueker_required_n(0.01, 0.001) == math.ceil(3 / math.log(4 / 3) * math.log(2000))
    for R, eps, delta in itertools.product((1, 2, 10), (0.4, 0.01, 1e-9), (0.3, 1e-12)):
        assert potential_failure_bound(lueker_required_n(eps, delta, R=R), R, eps=eps) <= delta
    x = 3 * 6 * math.log(2) / math.log(4 / 3)
    assert dacunha_failure(80, 2**-6) == pytest.approx(math.exp(-((80 - x) ** 2) / 320), rel=1e-9, abs=0)
    assert dacunha_failure(43, 2**-6) == 1.0
    assert predicted_n(0.5, 0.1, R=1, low=-0.5, high=0.5) == 0


# -- single targets ---------------------------------------------------------------------------------------------------


def test_union_bound_adds_up_targets() -> None:
    from theory.subset_sum import failure_prob_bound

    eps, n, R = 0.2, 9, 6
    targets = [-0.5 + (i + 0.5) / 6 for i in range(6)]  # 1/(1-2^-20)/eps, rounded up: 6 targets, .0833 from any point
    expected = sum(failure_prob_bound(n, R, eps=eps / 2, alpha=target) for target in targets)
    found = union_failure_bound(n, R, eps=eps, low=-0.5, high=0.5)
    assert expected * (1 - 1e-9) <= found <= 1.5 * expected
    skew = union_failure_bound(n, R, eps=eps, low=-0.25, high=0.75)
    shifted = [-0.25 + (i + 0.5) / 6 for i in range(6)]
    assert skew >= sum(failure_prob_bound(n, R, eps=eps / 2, alpha=target) for target in shifted) * (1 - 1e-9)
    assert found <= skew
    assert union_failure_bound(3, 1, eps=1e-6) == 1.0


def test_a_shift_fails_as_often_as_no_draw_brings_the_outermost_target_in() -> None:
    """The outermost target t comes to the middle by a draw from [t - 1/2, 1]: missed by 3/4 at t = 1, 5/8 at 3/4."""
    from theory.coverage import lower_bound

    for low, high, missed in ((-1.0, 1.0, 2 * 0.75**6), (-0.75, 1.0, 0.75**6 + 0.625**6), (-0.75, 0.5, 0.625**6)):
        asked = CoverageParameters(R=2, eps=0.1, low=low, high=high)
        found = lower_bound._after_shift(3, asked, lambda n, inner: 0.0)
        assert missed <= found <= missed * (1 + 1e-11)


@pytest.mark.parametrize("way", ["shift, potential", "shift, drift"])
@pytest.mark.parametrize(("low", "high"), [(-0.1, 1.0), (-1.0, 0.2)])
def test_a_shifted_target_may_lie_anywhere_in_the_middle(way: str, low: float, high: float) -> None:
    """From z in [1/2, 1] a draw in [1/2, 1] leads to all of [-1/2, 1/2], not only to its part above low (3.8)."""
    n, middle = 45, coverage_failure_bound(45, 1, eps=0.02, low=-0.5, high=0.5)
    assert 0.0 < middle <= lower_bound._WAYS[way](n, CoverageParameters(R=1, eps=0.02, low=low, high=high))


@pytest.mark.parametrize(("n", "R", "eps"), [(5, 1, 0.1), (9, 1, 0.1), (4, 5, 0.1), (3, 2, 0.3)])
def test_bounds_bracket_the_simulated_probability(n: int, R: int, eps: float) -> None:
    from sims.coverage import EXPERIMENT

    trials = 3000
    for low, high in ((-0.5, 0.5), (-1.0, 1.0), (0.2, 0.9)):
        (covered,) = EXPERIMENT.counter(Coverage(R=R, eps=eps, low=low, high=high), [n], seed=3)(0, trials).tolist()
        lower = success_prob_lower(n, R, eps=eps, low=low, high=high)
        upper = success_prob_upper(n, R, eps=eps, low=low, high=high)
        assert 0.0 <= lower <= upper <= 1.0
        assert_at_least(covered, trials, lower)
        assert_at_most(covered, trials, upper)
        # heuristic, and off by up to .13 at n = 5
        assert abs(covered / trials - success_prediction(n, R, eps=eps, low=low, high=high)) < 0.15


def test_necessary_n_by_counting() -> None:
    """2^n sums of length 2 eps: n >= log2(1/(2 eps)) for [-1/2, 1/2] even where the first moment says nothing."""
    assert success_prob_upper(5, 1, eps=0.01, low=-0.5, high=0.5) == 0.0  # 32 * .02 < 1
    assert success_prob_upper(6, 1, eps=0.01, low=-0.5, high=0.5) > 0.0  # 64 * .02 >= 1
    assert necessary_n(0.01, 0.05, R=1, low=-0.5, high=0.5) >= 6
    assert necessary_n(0.3, 0.05, R=1, low=-0.1, high=0.1) == 0


def test_upper_bound_is_the_least_of_its_targets() -> None:
    from theory.subset_sum import success_prob_upper as hit

    single = [hit(6, 1, eps=0.01, alpha=alpha) for alpha in (0.25, 0.625, 1.0)]
    assert success_prob_upper(6, 1, eps=0.01, low=0.25, high=1.0) == min(single) < max(single)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: required_n(0.01, 1.0, R=1), "delta must be in (0, 1)"),
        (lambda: coverage_failure_bound(3, 0, eps=0.1), "R must be an integer >= 1"),
        (lambda: coverage_failure_bound(3, 1, eps=0.1, low=0.5, high=0.2), "low must be at most high"),
        (lambda: success_prob_upper(3, 1, eps=0.1, low=-2), "low must be in [-1, 1]"),
        (lambda: share_failure_bound(3, 1, start=0.5, stop=0.4), "0 < start < stop < 1"),
        (lambda: expected_share(1.5, 1), "v must be in [0, 1]"),
        (lambda: expected_share(0.5, 1, x=0.0), "x must be in (0, 1], got x=0.0"),
        (lambda: share_failure_bound(3, 1, start=0.1, stop=0.4, x=1.5), "x must be in (0, 1], got x=1.5"),
        (lambda: potential_factor(1, x=0.6), "x must be in (0, 1/2], got x=0.6"),
        (lambda: log_window_failure_bound(1, 1, start=0.0, missing=0.1), "start must be in (0, 1), got start=0.0"),
        (lambda: union_failure_bound(257, 1, eps=0.1), "n must be at most 256"),
    ],
)
def test_domains(call: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
