"""The statistical assertions themselves: their false-alarm rate and their power, computed."""

import numpy as np
import pytest
from scipy import stats

from tests.stats import (
    FALSE_ALARM,
    assert_at_least,
    assert_at_most,
    assert_probability,
    assert_same_law,
    power_against,
)


@pytest.mark.parametrize(("p", "trials"), [(0.5, 1000), (0.01, 5000), (0.999, 2000)])
def test_false_alarm_rate_is_as_stated(p: float, trials: int) -> None:
    """Add up the probability of every count that fails, under the truth."""
    failing = []
    for k in range(trials + 1):
        try:
            assert_probability(k, trials, p)
        except AssertionError:
            failing.append(k)
    assert 0 < stats.binom.pmf(failing, trials, p).sum() <= FALSE_ALARM


def test_power() -> None:
    """A probability wrong by half is noticed nearly always with a few thousand trials."""
    assert power_against(0.1, 0.15, 4000) > 0.999
    assert power_against(0.1, 0.1, 4000) <= FALSE_ALARM
    rng = np.random.default_rng(1)
    with pytest.raises(AssertionError, match="too many"):
        assert_probability(int(rng.binomial(4000, 0.15)), 4000, 0.1)


def test_controls_must_fail() -> None:
    with pytest.raises(AssertionError, match="too few"):
        assert_at_least(10, 1000, 0.05)
    with pytest.raises(AssertionError, match="too many"):
        assert_at_most(90, 1000, 0.05)
    with pytest.raises(AssertionError, match="differ"):
        assert_same_law(np.linspace(0, 1, 2000), np.linspace(0, 1, 2000) ** 1.5)
