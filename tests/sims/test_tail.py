"""Rare failures: against exact probabilities down to 1e-15, a slow twin of the sets, and plain counts."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sims.tail as command
from sims.run import run
from sims.solver.kernels.tail import _joined, _outside, covered
from sims.solver.tails.sums import SumTail as Tail
from sims.statistics.replicates import excess_p_value, mean_interval
from tests.stats import assert_at_least, assert_at_most
from theory.subset_sum import SubsetSum


def exact_failure(n: int, R: int) -> float:
    """Failure at alpha = 1, eps = 1/2, by hand.

    Let M_i be the larger of 0 and variable i's largest draw. Chosen one after the other, the M_i add up in steps of at
    most 1, so some choice lies in [1/2, 3/2] exactly when their sum is at least 1/2. M_i is 0 with probability 2^-R and
    has the density R 2^-R (1 + m)^(R-1) on (0, 1); a sum below 1/2 does not see that it ends at 1. A power m^j / j! has
    the Laplace transform s^-(j+1), so convolutions multiply polynomials in 1/s.
    """
    one = [Fraction(1, 2**R)] + [Fraction(R * math.comb(R - 1, i) * math.factorial(i), 2**R) for i in range(R)]
    whole = [Fraction(1)]
    for _ in range(n):
        more = [Fraction(0)] * (len(whole) + R)
        for i, a in enumerate(whole):
            for j, b in enumerate(one):
                more[i + j] += a * b
        whole = more
    return float(sum(c * Fraction(1, 2**k) / math.factorial(k) for k, c in enumerate(whole)))


@pytest.mark.parametrize(("R", "n", "samples"), [(1, 60, 1500), (2, 32, 1500), (5, 12, 3000)])
def test_estimates_meet_the_exact_failure_far_out(R: int, n: int, samples: int) -> None:
    """False alarms: 12 comparisons at 5.5 standard errors of 64 nearly normal runs, below 1e-6 each by the t law's
    margin of 6.5; power: an estimate off by five standard errors more is caught, which is at most a quarter."""
    tail = Tail(n, R, 0.5, 1.0, samples)
    found = np.array([tail.run(11, number) for number in range(64)])
    for size in {1, n // 4, n // 2, n}:
        exact, values = exact_failure(size, R), found[:, size - 1]
        error = values.std(ddof=1) / 8
        assert abs(values.mean() - exact) <= 6.5 * error + 1e-12 * exact
        assert error < 0.05 * exact
    assert exact_failure(n, R) < 1e-12
    assert abs(found[:, -1].mean() - exact_failure(n - 1, R)) > 6.5 * found[:, -1].std(ddof=1) / 8  # another n is seen


@pytest.mark.parametrize(
    "question",
    [SubsetSum(R=1, eps=0.1), SubsetSum(R=3, eps=0.05, alpha=-0.8), SubsetSum(R=2, eps=0.1, alpha="uniform"),
     SubsetSum(R=2, eps=0.1, model="vector")],
)  # fmt: skip
def test_estimates_meet_counted_trials(question: SubsetSum) -> None:
    """The estimates' error is a hundredth of the counts', so the counts' exact law alone decides."""
    sizes, trials = [1, 2, 3, 5, 7], 200_000
    counted = run(question, n=sizes, trials=trials, seed=4, jobs=1).rows
    rare = command.rare_failures([question], n=sizes, trials=40_000, seed=5, jobs=1).rows
    for row, other in zip(counted, rare, strict=True):
        width = 6 * (other["failure_high"] - other["failure_low"]) / 4
        low, high = other["failure"] - width, other["failure"] + width
        failures = trials - row["successes"]
        assert_at_least(failures, trials, max(low, 0.0))
        assert_at_most(failures, trials, min(high, 1.0))


intervals = st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 9)), min_size=1, max_size=8)


def _sets(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, set[int]]:
    """Sorted, disjoint, not adjacent; and the points."""
    points = {v for low, length in pairs for v in range(low, low + length + 1)}
    low = [v for v in sorted(points) if v - 1 not in points]
    high = [v for v in sorted(points) if v + 1 not in points]
    return np.array(low), np.array(high), points


@given(a=intervals, b=intervals, shift=st.integers(-20, 20), reach=st.integers(1, 60), room=st.integers(1, 20))
def test_joined_is_the_union_of_the_points(
    a: list[tuple[int, int]], b: list[tuple[int, int]], shift: int, reach: int, room: int
) -> None:
    low, high, points = _sets(a)
    low2, high2, points2 = _sets(b)
    union = {v for v in points | {v - shift for v in points2} if -reach <= v <= reach}
    expected_low = [v for v in sorted(union) if v - 1 not in union]
    expected_high = [v for v in sorted(union) if v + 1 not in union]
    out = np.zeros((2, room), np.int64)
    count = _joined(low, high, len(low), low2, high2, len(low2), shift, -reach, reach, out[0], out[1])
    assert count == len(expected_low)
    if count <= room:
        assert out[0, :count].tolist() == expected_low
        assert out[1, :count].tolist() == expected_high


@given(pairs=intervals, scale=st.integers(40, 50), ranks=st.lists(st.integers(0, 2**50), min_size=1, max_size=5))
def test_outside_counts_what_is_not_covered(pairs: list[tuple[int, int]], scale: int, ranks: list[int]) -> None:
    """A draw at a rank is outside the set, and as many values outside lie before it as the rank says."""
    low, high, _ = _sets(pairs)
    low, high = low * 2**scale, high * 2**scale + 2**scale // 2
    end = 2**52
    inside = np.zeros(1, np.int64)
    covered(low[None], high[None], np.array([len(low)]), np.array([end]), inside)
    ends = [(max(int(a), -end), min(int(b), end - 1)) for a, b in zip(low, high, strict=True)]
    ends = [(a, b) for a, b in ends if a <= b]
    assert inside[0] == sum(b - a + 1 for a, b in ends)
    for rank in ranks:
        if rank < 2 * end - inside[0]:
            value = int(_outside(low, high, len(low), end, rank))
            assert -end <= value < end
            assert not any(a <= value <= b for a, b in ends)
            before = sum(max(0, min(b, value) - a + 1) for a, b in ends)
            assert value + end - before == rank


@pytest.mark.parametrize(("n", "R"), [(3, 1), (3, 3)])
def test_the_average_of_many_runs_of_few_samples_is_right(n: int, R: int) -> None:
    """Unbiased whatever the number of samples: 4000 runs of two, within 6 standard errors (1e-8 but for skewness)."""
    tail = Tail(n, R, 0.5, 1.0, 2)
    found = np.array([tail.run(3, number)[-1] for number in range(4000)])
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert abs(found.mean() - exact_failure(n, R)) <= 6 * error
    assert error < 0.02 * exact_failure(n, R)


def test_intervals_hold_as_often_as_they_say() -> None:
    """Over 2000 repetitions at .014 the 95 % interval holds in 93 to 97 % (exact binomial: beyond with probability
    below 1e-4 at 95 %); a plain one of half the width does not."""
    exact = exact_failure(10, 1)
    tail = Tail(10, 1, 0.5, 1.0, 10)
    values = np.array([tail.run(8, number)[-1] for number in range(2000 * 16)]).reshape(2000, 16)
    held = halved = 0
    for row in values:
        low, high = mean_interval(row)
        held += low <= exact <= high
        middle = row.mean()
        halved += middle - (middle - low) / 2 <= exact <= middle + (high - middle) / 2
    assert 0.93 <= held / 2000 <= 0.97
    assert halved / 2000 < 0.8


def test_a_true_bound_is_never_excluded_and_a_false_one_is() -> None:
    exact = exact_failure(40, 1)
    tail = Tail(40, 1, 0.5, 1.0, 500)
    values = np.array([tail.run(2, number)[-1] for number in range(64)])
    assert excess_p_value(values, exact) > 1e-6
    assert excess_p_value(values, exact / 3) < 1e-6
    assert excess_p_value([0.0] * 8, 0.0) == 1.0
    assert excess_p_value([0.0] * 7 + [1e-300], 0.0) == 0.0


def test_the_same_seed_gives_the_same_rows_on_any_number_of_threads() -> None:
    asked = {"n": [3, 9], "trials": 2000, "seed": 9}
    one, two = (command.rare_failures([SubsetSum(R=2, eps=0.1)], jobs=jobs, **asked).rows for jobs in (1, 2))
    assert one == two
    assert command.rare_failures([SubsetSum(R=2, eps=0.1)], jobs=1, **{**asked, "seed": 10}).rows != one


def test_what_is_certain_is_exact() -> None:
    rows = command.rare_failures([SubsetSum(R=1, eps=0.1, alpha=0.05)], n=[1, 4], trials=200, seed=1).rows
    assert [row["failure"] for row in rows] == [0.0, 0.0]
    (row,) = command.rare_failures([SubsetSum(R=1, eps=0.125, alpha=0.5)], n=[1], trials=200, seed=1).rows
    assert row["failure"] == pytest.approx(1 - 0.125, rel=1e-14)
    assert row["failure_low"] == pytest.approx(row["failure_high"], rel=1e-12)


def test_a_failure_below_all_floats_is_not_called_none() -> None:
    """All 5 n draws are on the wrong side of alpha and miss it with probability above 2^-(5 n) > 0."""
    (row,) = command.rare_failures([SubsetSum(R=5, eps=0.5, alpha=1.0)], n=[400], trials=128, seed=1).rows
    assert (row["failure"], row["failure_low"]) == (0.0, 0.0)
    assert 0.0 < row["failure_high"] < 1e-9
    assert row["verdict"] == "consistent"
    (row,) = command.rare_failures([SubsetSum(R=1, eps=0.5, alpha=0.25)], n=[3], trials=128, seed=1).rows
    assert row["failure_high"] == 0.0  # the empty sum hits


def test_the_command_prints_draws_and_refuses(tmp_path, capsys, refused) -> None:
    picture = tmp_path / "failure.png"
    argv = ["--R", "2", "--eps", "0.1", "--n", "1:12", "--trials", "2000", "--seed", "1", "--jobs", "1"]
    assert command.main([*argv, "--json", "--plot", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == 12
    assert picture.stat().st_size > 5000
    assert command.main(argv) == 0
    assert "a further variable multiplies it by" in capsys.readouterr().out
    assert command.main(["--R", "5", "--n", "14", "--trials", "200", "--seed", "1", "--json"]) == 0
    (far,) = json.loads(capsys.readouterr().out)["rows"]
    assert far["failure"] < 1e-14
    assert far["failure_least"] is None  # the bound is of success, and floats near 1 end there
    picture.unlink()
    refused(command.main, ["--until", "0.1"], "until")
    refused(command.main, ["--trials", "100"], "trials must be an integer in [128, ")
    refused(command.main, ["--model", "vector", "--alpha", "uniform", "--n", "2"], "share the target")
