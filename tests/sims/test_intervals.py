"""Intervals against SciPy's own distributions, their coverage computed exactly, and Holm by its definition."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sims.statistics import intervals
from sims.statistics.intervals import band_p_value, band_p_value_anytime, clopper_pearson, confidence_sequence, holm
from sims.statistics.verdict import CONSISTENT, NO_POWER, REFUTED, UNDECIDED, verdicts, verdicts_with_undecided
from tests.stats import assert_at_most

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(0.5, 0.999999))
def test_clopper_pearson_solves_its_equations(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    low, high = clopper_pearson(k, n, confidence=confidence)
    tail = (1 - confidence) / 2
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)
    assert low <= k / n <= high
    if k > 0:
        assert stats.binom.sf(k - 1, n, low) == pytest.approx(tail, rel=1e-7)
    if k < n:
        assert stats.binom.cdf(k, n, high) == pytest.approx(tail, rel=1e-7)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.3084971), (10, 10, 0.6915029, 1.0), (1, 20, 0.0012651, 0.2487328), (50, 100, 0.3983211, 0.6016789)],
)
def test_clopper_pearson_published_values(k: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(k, n) == pytest.approx((low, high), abs=1e-7)


def test_clopper_pearson_at_tiny_probabilities() -> None:
    low, high = clopper_pearson(1, 10**12)
    assert low == pytest.approx(-math.log1p(-0.025) / 1e12, rel=1e-6)
    assert high == pytest.approx(stats.gamma(2).isf(0.025) / 1e12, rel=1e-6)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_clopper_pearson_covers(n: int, p: float) -> None:
    """Exact coverage: the probability of the counts whose interval holds p is at least 95 %."""
    covered = [k for k in range(n + 1) if clopper_pearson(k, n)[0] <= p <= clopper_pearson(k, n)[1]]
    assert stats.binom.pmf(covered, n, p).sum() >= 0.95 - 1e-12


@given(COUNTS)
def test_confidence_sequence_is_wider_than_the_fixed_interval(counts: tuple[int, int]) -> None:
    low, high = confidence_sequence(*counts)
    fixed = clopper_pearson(*counts)
    assert 0 <= low <= fixed[0] + 1e-9
    assert fixed[1] - 1e-9 <= high <= 1


@given(COUNTS)
def test_confidence_sequence_is_the_mixture_inverted(counts: tuple[int, int]) -> None:
    """Against the mixture integrated numerically: the ratio is 20 at both ends."""
    k, n = counts
    t = (np.arange(20000) + 0.5) / 20000 * math.pi / 2
    p = np.sin(t) ** 2  # the Beta(1/2, 1/2) law is the arcsine law, uniform in t
    for end in confidence_sequence(k, n):
        if 0 < end < 1:
            ratio = np.mean(np.exp(k * (np.log(p) - math.log(end)) + (n - k) * (np.log1p(-p) - math.log1p(-end))))
            assert ratio == pytest.approx(20, rel=1e-3)


@given(COUNTS)
def test_ends_of_a_confidence_sequence_are_not_inside(counts: tuple[int, int]) -> None:
    """An end is the float beyond the last that the sequence cannot exclude: nothing that it must hold is cut off."""
    from sims.statistics.intervals import _log_mixture

    limit = -math.log1p(-0.95)
    for end, inwards in zip(confidence_sequence(*counts), (1.0, 0.0), strict=True):
        if 0 < end < 1:
            assert _log_mixture(*counts, end) >= limit > _log_mixture(*counts, math.nextafter(end, inwards))


def test_confidence_sequence_holds_at_all_times_at_once() -> None:
    """3000 runs of 100 trials, looked at after every one: at most 5 % may ever exclude the truth."""
    rng = np.random.default_rng(11)
    looks = {(k, n): confidence_sequence(k, n) for n in range(1, 101) for k in range(n + 1)}
    excluded = ever_fixed = 0
    for _ in range(3000):
        counts = np.cumsum(rng.random(100) < 0.3)
        pairs = list(zip(counts.tolist(), range(1, 101), strict=True))
        excluded += any(not looks[pair][0] <= 0.3 <= looks[pair][1] for pair in pairs)
        ever_fixed += any(not clopper_pearson(*pair)[0] <= 0.3 <= clopper_pearson(*pair)[1] for pair in pairs[9::5])
    assert_at_most(excluded, 3000, 0.05)
    with pytest.raises(AssertionError):  # control: the fixed-time interval does not survive repeated looks
        assert_at_most(ever_fixed, 3000, 0.05)


@given(st.integers(1, 80), st.floats(0.05, 0.95), st.floats(0, 0.3), st.floats(0.001, 0.2))
def test_band_p_value_is_calibrated(n: int, p: float, width: float, level: float) -> None:
    """Under any truth in the band the chance of a p-value at or below the level is at most the level, exactly."""
    low, high = max(0.0, p - width), min(1.0, p + width)
    for truth in (low, p, high):
        rejected = [k for k in range(n + 1) if band_p_value(k, n, low, high) <= level]
        assert stats.binom.pmf(rejected, n, truth).sum() <= level + 1e-12


@given(COUNTS, st.floats(0.001, 0.999), st.floats(0, 0.3))
def test_band_p_value_is_twice_the_smaller_tail(counts: tuple[int, int], p: float, width: float) -> None:
    k, n = counts
    low, high = max(1e-3, p - width), min(0.999, p + width)
    too_few, too_many = stats.binom.cdf(k, n, low), stats.binom.sf(k - 1, n, high)
    assert band_p_value(k, n, low, high) == pytest.approx(min(1.0, 2 * min(too_few, too_many)), rel=1e-6, abs=1e-300)


@given(COUNTS, st.floats(0, 1), st.floats(0, 1))
def test_band_p_values_lie_in_the_unit_interval(counts: tuple[int, int], a: float, b: float) -> None:
    low, high = sorted((a, b))
    for p_value in (band_p_value, band_p_value_anytime):
        assert 0 <= p_value(*counts, low, high) <= 1
    assert band_p_value_anytime(*counts, low, high) >= band_p_value(*counts, low, high) - 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.floats(0.001, 0.5))
def test_holm_is_the_closed_bonferroni_test(p_values: list[float], level: float) -> None:
    """Closed testing: a hypothesis falls when every set that holds it has a p-value below level / its size."""
    indices = range(len(p_values))
    for i, rejected in zip(indices, holm(p_values, level), strict=True):
        sets = (s for size in range(1, len(p_values) + 1) for s in itertools.combinations(indices, size) if i in s)
        assert rejected == all(min(p_values[j] for j in s) <= level / len(s) for s in sets)


def test_holm_stops_at_the_first_that_is_not_rejected() -> None:
    assert holm([0.04, 0.03], 0.05) == [False, False]  # 0.04 <= 0.05, but 0.03 > 0.05/2 comes before
    assert holm([0.04, 0.025], 0.05) == [True, True]


def test_verdicts() -> None:
    """The truth passes, a bound wrong by a tenth is refuted, and too few trials are called that."""
    assert verdicts([(5000, 10000)] * 2, [(0.49, 0.51), (0.0, 1.0)]) == [CONSISTENT, NO_POWER]
    assert verdicts([(5000, 10000)], [(0.55, 1.0)]) == [REFUTED]
    assert verdicts([(5000, 10000)], [(0.0, 0.45)]) == [REFUTED]
    assert verdicts([(5, 10)], [(0.3, 0.9)]) == [NO_POWER]
    assert verdicts([(5, 10)] * 2, [(0.6, 0.4), (0.0, 1.0)]) == [REFUTED, NO_POWER]


def test_power_is_judged_at_the_share_of_a_row() -> None:
    """20 trials against [0, 1/2]: the most extreme outcome has p-value 2^-19 = 1.9e-6."""
    assert verdicts([(10, 20)], [(0.0, 0.5)], level=2e-6) == [CONSISTENT]
    assert verdicts([(10, 20)] * 2, [(0.0, 0.5)] * 2, level=2e-6) == [NO_POWER] * 2
    assert verdicts([(5000, 10000)], [(0.55, 1.0)], anytime=True) == [REFUTED]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clopper_pearson(3, 2), "successes must be in"),
        (lambda: clopper_pearson(0, 0), "trials must be at least 1, got trials=0"),
        (lambda: clopper_pearson(0, 1, confidence=1.0), "confidence must be in"),
        (lambda: confidence_sequence(0, 1, confidence=0.0), "confidence must be in"),
        (lambda: band_p_value(0, 1, 0.5, 1.4), "the ends of the band must be in"),
        (lambda: holm([0.5], 0.0), "level must be in"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 80), st.sampled_from([0.0, 0.5, 0.8, 0.99]))
def test_undecided_trials_are_judged_every_way(successes: int, undecided: int, failures: int, low: float) -> None:
    """Refuted if every way to settle the undecided trials is, undecided if some are, else as the ways are."""
    trials = max(1, successes + undecided + failures)
    ways = {verdicts([(successes + k, trials)], [(low, 1.0)], level=1e-3)[0] for k in range(undecided + 1)}
    (found,) = verdicts_with_undecided([(successes, undecided, trials)], [low], level=1e-3)
    assert found == (ways.pop() if len(ways) == 1 else UNDECIDED)


def test_a_table_is_judged_together() -> None:
    """Holm: a row's share of the level depends on the others, the undecided ones too."""
    alone, together = (22, 0, 40), [(22, 0, 40), *[(39, 1, 40)] * 9]
    assert verdicts_with_undecided([alone], [0.8], level=1e-3) == [REFUTED]
    assert verdicts_with_undecided(together, [0.8] * 10, level=1e-3) == [CONSISTENT] * 10


@pytest.mark.parametrize(("k", "n"), [(1, 10), (5, 10), (50, 100), (3, 1000), (999, 1000), (1, 10**9)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999999])
def test_confidence_sequence_ends_on_the_safe_side(k: int, n: int, confidence: float) -> None:
    """At both ends the test rejects already, as the same sum in floats says; one float inside, it does not."""
    limit = -math.log1p(-confidence)
    low, high = confidence_sequence(k, n, confidence=confidence)
    for end in (low, high):
        assert intervals._log_mixture(k, n, end) >= limit
        assert intervals._log_mixture(k, n, math.nextafter(end, k / n)) < limit
