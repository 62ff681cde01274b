"""Verdicts of ``sims.verify`` on planted data: false alarms, power and margins, added up exactly or simulated."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sims.checks import judge as _judge
from sims.checks.check import Check, Fact, Point, Simulation, own_seed
from sims.checks.facts import all_true, at_most, equal, measured, relative_error
from sims.checks.judge import critical_counts, judge_fact, judge_point, power, share
from sims.checks.run import FACT, SETUP, plan_trials, run, seconds_of_facts
from sims.statistics.verdict import CONSISTENT, NO_POWER, REFUTED
from tests.stats import assert_probability

SIMULATION = Simulation("none", lambda seed, jobs: (lambda first, trials: np.zeros(1, np.int64), 1), 1.0)


def point(kind: str, low: float, high: float, *, control: str = "") -> Point:
    return Point("1.1", "a test", kind, low, high, SIMULATION, control=control)


@pytest.mark.parametrize("kind", ["exact", "upper", "lower", "band"])
@pytest.mark.parametrize("p", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("trials", [50, 3000])
@pytest.mark.parametrize("level", [1e-8, 0.05])
def test_false_alarm_of_one_test_added_up(kind: str, p: float, trials: int, level: float) -> None:
    low, high = {"exact": (p, p), "upper": (0.0, p), "lower": (p, 1.0), "band": (p, p)}[kind]
    few, many = critical_counts(point(kind, low, high), trials, level)
    total = stats.binom.cdf(few, trials, p) + stats.binom.sf(many - 1, trials, p)
    assert total <= level * (1 + 1e-9)
    # and not needlessly timid: one count further would exceed the side's share
    side = level / 2 if kind in ("exact", "band") else level
    if kind != "upper":
        assert stats.binom.cdf(few + 1, trials, p) > side
    if kind != "lower":
        assert stats.binom.sf(many - 2, trials, p) > side


@pytest.mark.parametrize(("kind", "p", "factor"), [("exact", 0.2, 1.05), ("upper", 0.1, 1.5), ("lower", 0.9, 1.5)])
def test_power_is_what_simulation_finds(kind: str, p: float, factor: float) -> None:
    low, high = {"exact": (p, p), "upper": (0.0, p), "lower": (p, 1.0)}[kind]
    level = 0.01
    trials = 6000 if kind == "exact" else 150
    claimed = power(point(kind, low, high), trials, level)
    assert 0.1 < claimed < 0.99
    truths = {"exact": (p * factor, 1 - (1 - p) * 1.0125), "upper": (p * factor,), "lower": (1 - (1 - p) * factor,)}
    rng = np.random.default_rng(5)
    shares = []
    for truth in truths[kind]:
        counts = rng.binomial(trials, truth, 4000)
        refuted = sum(judge_point(point(kind, low, high), int(k), trials, level).verdict == REFUTED for k in counts)
        shares.append((refuted, truth))
    refuted, truth = min(shares)
    few, many = critical_counts(point(kind, low, high), trials, level)
    assert_probability(refuted, 4000, stats.binom.cdf(few, trials, truth) + stats.binom.sf(many - 1, trials, truth))
    if kind != "exact":
        assert_probability(refuted, 4000, claimed)


def test_power_is_that_of_the_less_visible_direction() -> None:
    one, trials, level = point("exact", 0.2, 0.2), 20_000, 1e-3
    few, many = critical_counts(one, trials, level)
    both = [stats.binom.cdf(few, trials, p) + stats.binom.sf(many - 1, trials, p) for p in (0.2 / 1.05, 0.2 * 1.05)]
    assert abs(both[0] - both[1]) > 0.01  # the directions differ
    assert power(one, trials, level) == pytest.approx(min(both), rel=1e-9)


def test_power_of_a_control_is_that_at_the_measured_share() -> None:
    wrong = point("upper", 0.0, 0.1, control="wrong")
    _, many = critical_counts(wrong, 200, 1e-4)
    found = judge_point(wrong, 40, 200, 1e-4)
    assert found.power == pytest.approx(stats.binom.sf(many - 1, 200, 0.2), rel=1e-9)
    assert found.power != pytest.approx(power(wrong, 200, 1e-4), rel=0.1)


def test_below_one_half_there_is_no_power() -> None:
    seen = set()
    for trials in range(50, 2000, 50):
        chance = power(point("upper", 0.0, 0.1), trials, 1e-8)
        verdict = judge_point(point("upper", 0.0, 0.1), trials // 20, trials, 1e-8).verdict
        assert verdict == (CONSISTENT if chance >= 0.5 else NO_POWER)
        seen.add((verdict, chance > 0.3))
    assert len(seen) == 3  # some of them between 0.3 and 0.5


def test_false_alarm_of_the_whole_procedure() -> None:
    """Forty true claims, level .05 for all together: the share of runs with a refutation stays below it."""
    rng = np.random.default_rng(3)
    claims = [point("exact", p, p) for p in np.linspace(0.05, 0.95, 20)]
    claims += [point("upper", 0.0, p) for p in np.linspace(0.05, 0.95, 20)]
    level, runs, trials = 0.05 / len(claims), 600, 400
    critical = [critical_counts(one, trials, level) for one in claims]
    alarms = 0
    for _ in range(runs):
        counts = rng.binomial(trials, [one.high for one in claims])
        alarms += any(k <= few or k >= many for k, (few, many) in zip(counts, critical, strict=True))
    assert alarms > 0  # the test can fail: it is near its level
    assert stats.binom.sf(alarms - 1, runs, 0.05) > 1e-6
    assert share(40) * 40 == pytest.approx(0.99e-6, abs=0)  # the rest is for estimated facts


def test_verdicts_and_margins() -> None:
    upper = point("upper", 0.0, 0.1)
    assert judge_point(upper, 8000, 100_000, 1e-8).verdict == CONSISTENT
    assert judge_point(upper, 8000, 100_000, 1e-8).margin.startswith("1.25 (")
    assert judge_point(upper, 12_000, 100_000, 1e-8).verdict == REFUTED
    assert judge_point(upper, 3, 20, 1e-8).verdict == NO_POWER
    lower = point("lower", 0.9, 1.0)
    assert judge_point(lower, 95_000, 100_000, 1e-8).tightness == pytest.approx(2.0)
    assert judge_point(lower, 88_000, 100_000, 1e-8).verdict == REFUTED
    assert judge_point(point("lower", 0.2, 1.0), 30_000, 100_000, 1e-8).tightness == pytest.approx(1.5)
    exact = point("exact", 0.3, 0.3)
    assert judge_point(exact, 30_100, 100_000, 1e-8).verdict == CONSISTENT
    assert judge_point(exact, 31_500, 100_000, 1e-8).verdict == REFUTED
    assert judge_point(exact, 28_500, 100_000, 1e-8).verdict == REFUTED
    none_seen = judge_point(upper, 0, 1000, 1e-8)
    assert none_seen.margin.startswith("> ")
    predicted = judge_point(point("prediction", 0.0, 0.5), 400, 1000, 1e-8)
    assert predicted.verdict == "measured"
    assert 0.1 < predicted.tightness < 0.14


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.5), (0.0, 1.2), (-0.1, 0.5), (math.nan, 0.5)])
def test_what_is_no_probability_is_refuted(low: float, high: float) -> None:
    assert judge_point(point("band", low, high), 50, 100, 1e-8).verdict == REFUTED


@given(st.floats(0.001, 0.999), st.floats(1.0, 3.0))
def test_beyond_moves_the_smaller_side(p: float, factor: float) -> None:
    further = _judge.beyond(p, factor)
    assert p - 1e-15 <= further
    smaller = (further / p) if p <= 0.5 else (1 - p) / (1 - further)
    assert smaller == pytest.approx(factor, rel=1e-9)


def test_facts() -> None:
    def fact(found: object) -> Fact:
        return Fact("1.1", "a fact", lambda seed: found)

    tight = at_most([(1.0, 1.2), (2.0, 5.0)])
    assert (tight.ratio, tight.catches) == (1.2, 1.2)
    assert judge_fact(fact(tight), tight).verdict == CONSISTENT
    touching = at_most([(2.0, 2.0)])
    assert judge_fact(fact(touching), touching).verdict == CONSISTENT
    loose = at_most([(1.0, 9.0)])
    assert judge_fact(fact(loose), loose).verdict == NO_POWER
    broken = at_most([(1.0, 9.0), (1.0, 0.99)])
    assert judge_fact(fact(broken), broken).verdict == REFUTED
    told = measured([0.02, 0.03], 0.1)
    assert judge_fact(fact(told), told) == _judge.Judged("measured", None, "off by 3 % at most, 2 cases", 0.03)
    worse = measured([0.2, 0.03], 0.1)
    assert judge_fact(fact(worse), worse).verdict == REFUTED
    assert equal([(1.0, 1.0)], 1e-9).ratio == math.inf
    assert equal([(1.0, 1.0 + 1e-8)], 1e-9).ratio < 1.0
    assert equal([(math.nan, 1.0)], 1e-9).ratio < 1.0
    assert equal([(0.0, 1e-300)], 1e-9).ratio < 1.0
    assert at_most([(math.nan, 1.0)]).ratio == 0.0
    assert all_true([True, False], "x").ratio == 0.0
    assert all_true([True], "x").ratio == math.inf
    assert relative_error(1.0, 2.0) == 0.5
    assert relative_error(1.0, 0.0) == math.inf


def test_trials_follow_from_the_budget_alone() -> None:
    runs = {name: Simulation(name, SIMULATION.make, cost, 100, 10**9) for name, cost in (("a", 1.0), ("b", 100.0))}
    small, large = plan_trials(runs, 10.0), plan_trials(runs, 24.0, facts=4.0)
    assert small == {"a": 10**7, "b": 10**5}
    assert large == {"a": 2 * 10**7, "b": 2 * 10**5}
    assert plan_trials(runs, 0.5, facts=0.5) == plan_trials(runs, 0.5, facts=9.0) == {"a": 100, "b": 100}
    heavy = {"a": runs["a"], "b": replace(runs["b"], weight=3.0)}
    assert plan_trials(heavy, 10.0) == {"a": 5 * 10**6, "b": 15 * 10**4}
    few: list[Check] = [Fact("1.1", "x", lambda seed: all_true([True], "x"))] * 3
    assert seconds_of_facts(few) == pytest.approx(3 * (FACT + SETUP))
    assert own_seed(1, "a") != own_seed(1, "b") != own_seed(2, "b")
    assert own_seed(7, "a") == own_seed(7, "a") < 2**64


def test_a_run_hands_out_seeds_counts_and_levels() -> None:
    seen = []

    def make(seed: int, jobs: int) -> tuple:
        seen.append(seed)
        return lambda first, trials: np.array([trials // 5, trials // 10]), 1000

    once = Simulation("a", make, 1.0, 1000, 1000)
    checks = [
        Point("1.1", "first", "exact", 0.2, 0.2, once),
        Point("1.1", "second", "exact", 0.9, 0.9, once, 1, True),
        Point("1.1", "wrong", "exact", 0.6, 0.6, once, control="wrong"),
    ]
    found = run(checks, 7, 5.0, 1, lambda amount, text="": None)
    assert seen == [own_seed(7, "a")]
    assert [one.successes for one in found] == [200, 900, 200]
    expected = [judge_point(one, k, 1000, share(2)) for one, k in zip(checks, (200, 100, 200), strict=True)]
    assert [one.judged for one in found] == expected
    assert not any(one.failed for one in found)


def test_a_fact_that_raises_is_refuted() -> None:
    def broken(seed: int) -> object:
        raise ValueError("no")

    (found,) = run([Fact("1.1", "broken", broken)], 7, 5.0, 1, lambda amount, text="": None)
    assert found.judged.verdict == REFUTED
    assert found.failed
