"""Calibrated statistical assertions: each states its false-alarm rate, and its power is a number one can ask for.

Everything is exact binomial arithmetic through SciPy's distributions; nothing is shared with
``sims.statistics.intervals``.
"""

from __future__ import annotations

from scipy import stats

FALSE_ALARM = 1e-6
"""How often a true statement may fail a test."""


def assert_probability(successes: int, trials: int, p: float, *, false_alarm: float = FALSE_ALARM) -> None:
    """Two-sided: fails only if the counts exclude success probability p."""
    assert_at_least(successes, trials, p, false_alarm=false_alarm / 2)
    assert_at_most(successes, trials, p, false_alarm=false_alarm / 2)


def assert_at_most(successes: int, trials: int, p: float, *, false_alarm: float = FALSE_ALARM) -> None:
    """Fails only if the counts exclude every probability up to p."""
    tail = float(stats.binom.sf(successes - 1, trials, p))
    assert tail >= false_alarm, f"{successes}/{trials} is too many for p <= {p}: tail {tail:.3g}"


def assert_at_least(successes: int, trials: int, p: float, *, false_alarm: float = FALSE_ALARM) -> None:
    """Fails only if the counts exclude every probability from p up."""
    tail = float(stats.binom.cdf(successes, trials, p))
    assert tail >= false_alarm, f"{successes}/{trials} is too few for p >= {p}: tail {tail:.3g}"


def power_against(p: float, true_p: float, trials: int, *, false_alarm: float = FALSE_ALARM) -> float:
    """Probability that ``assert_probability(., trials, p)`` fails when the truth is true_p."""
    side = false_alarm / 2
    too_few = stats.binom.ppf(side, trials, p) - 1
    too_many = stats.binom.isf(side, trials, p) + 1
    return float(stats.binom.cdf(too_few, trials, true_p) + stats.binom.sf(too_many - 1, trials, true_p))


def assert_same_law(a: object, b: object, *, false_alarm: float = FALSE_ALARM) -> None:
    """Two samples come from one distribution (Kolmogorov-Smirnov, two samples)."""
    found = stats.ks_2samp(a, b)
    assert found.pvalue >= false_alarm, f"the samples differ: p-value {found.pvalue:.3g}"
