"""Sections 7.1 to 7.3: the exact laws against every sign pattern and every choice, in fractions."""

import math
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests import naive_binary as naive
from theory import binary_weights as bw
from theory.binary_weights import law

SHAPES = [(1, 1), (2, 1), (6, 1), (1, 2), (3, 2), (4, 2), (1, 5), (2, 3)]
GAINS = [0.1, 0.25, 0.3, 0.5, 0.75, 1.0, 2.0, 2.5]
EPSILONS = [0.05, 0.125, 0.3, 0.5, 1.0]
ALPHAS = [0.0, 0.05, -0.125, 0.3, 0.5, -0.77, 1.0, -1.0]


@cache
def sum_sets(n: int, R: int) -> list:
    return naive.sum_sets(n, R)


def gain_of(gain: float | str, eps: float) -> Fraction:
    return 2 * Fraction(eps) if gain == "best" else Fraction(gain)


@pytest.mark.parametrize(("n", "R"), SHAPES)
def test_one_target_against_all_patterns(n: int, R: int) -> None:
    for gain in [*GAINS, "best"]:
        for eps in EPSILONS:
            for alpha in ALPHAS:
                truth = naive.success(sum_sets(n, R), gain_of(gain, eps), Fraction(eps), Fraction(alpha))
                assert bw.success_prob_exact(n, R, eps=eps, alpha=alpha, gain=gain) == float(truth)
                assert bw.miss_prob_exact(n, R, eps=eps, alpha=alpha, gain=gain) == float(1 - truth)


@pytest.mark.parametrize(("n", "R"), SHAPES)
def test_uniform_target_and_all_targets_against_all_patterns(n: int, R: int) -> None:
    for gain in [*GAINS, "best"]:
        for eps in EPSILONS:
            pairs = [(naive.covered(ks, gain_of(gain, eps), Fraction(eps)), p) for ks, p in sum_sets(n, R)]
            mean = sum(share * p for share, p in pairs)
            found = bw.success_prob_exact(n, R, eps=eps, alpha="uniform", gain=gain)
            assert found == pytest.approx(float(mean), rel=1e-14, abs=0)
            missed = bw.miss_prob_exact(n, R, eps=eps, alpha="uniform", gain=gain)
            assert missed == pytest.approx(float(1 - mean), rel=1e-13, abs=0)
            full = sum((p for share, p in pairs if share == 1), Fraction(0))
            assert bw.success_prob_all_exact(n, R, eps=eps, gain=gain) == pytest.approx(float(full), rel=1e-14, abs=0)
            assert bw.miss_prob_all_exact(n, R, eps=eps, gain=gain) == pytest.approx(float(1 - full), rel=1e-14, abs=0)


@pytest.mark.parametrize(("n", "R"), [(6, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("alpha", [0.0, 0.3, -0.77, 1.0])
@pytest.mark.parametrize("gain", [0.1, 0.3, 0.75, 2.5])
def test_error_quantiles_and_mean_against_all_patterns(n: int, R: int, alpha: float, gain: float) -> None:
    pairs = naive.errors(sum_sets(n, R), Fraction(gain), Fraction(alpha))
    assert bw.error_mean_exact(n, R, alpha=alpha, gain=gain) == pytest.approx(float(sum(e * p for e, p in pairs)))
    for level in (1e-9, 0.1, 0.25, 0.5, 0.65625, 0.75, 0.9, 0.984375, 0.999999):
        reached, expected = Fraction(0), None
        for error, p in pairs:
            reached += p
            if reached >= Fraction(level):
                expected = float(error)
                break
        assert bw.error_quantile_exact(n, R, level, alpha=alpha, gain=gain) == expected


@pytest.mark.parametrize("gain", [0.07, 0.3, 0.4, 0.75, 1.3, 2.5])
def test_mean_error_of_a_uniform_target_is_the_integral(gain: float) -> None:
    n, R, steps = 3, 1, 4000
    targets = [Fraction(2 * i + 1, 2 * steps) for i in range(steps)]
    mean = sum(
        float(p) * sum(min(abs(float(gain * k - t)) for k in ks if k >= 0) for t in targets) / steps
        for ks, p in sum_sets(n, R)
    )
    assert bw.error_mean_exact(n, R, alpha="uniform", gain=gain) == pytest.approx(mean, abs=2e-7)


def test_no_gain_beats_the_best_one() -> None:
    n, R, eps = 6, 1, 0.125
    worst = bw.success_prob_exact(n, R, eps=eps, alpha="worst")
    average = bw.success_prob_exact(n, R, eps=eps, alpha="uniform")
    targets = [Fraction(i, 64) for i in range(65)]
    least = {
        step: min(naive.success(sum_sets(n, R), Fraction(step), Fraction(eps), t) for t in targets)
        for step in [0.05 * i for i in range(1, 50)] + [0.25, 0.3]
    }
    assert float(least[0.25]) == worst > 0
    assert max(float(p) for p in least.values()) == worst
    assert least[0.3] == 0  # the control: too wide
    for step in least:
        assert bw.success_prob_exact(n, R, eps=eps, alpha="uniform", gain=step) <= average * (1 + 1e-14)
        stated = bw.success_prob_exact(n, R, eps=eps, alpha="worst", gain=step)
        assert stated <= float(least[step])  # a step above 2 eps may hit all of a few targets
        assert stated == float(least[step]) or step > 0.25
    assert bw.best_gain(eps) == 0.25


@pytest.mark.parametrize("R", [1, 2, 7])
@pytest.mark.parametrize("eps", [0.4, 0.11, 0.05, 0.004])
@pytest.mark.parametrize("delta", [0.3, 0.05, 1e-9])
def test_required_n_is_the_first_that_does(eps: float, delta: float, R: int) -> None:
    n, q = bw.required_n(eps, delta, R=R), 1 - 2.0**-R
    count = math.ceil((1 - Fraction(eps)) / (2 * Fraction(eps)))
    assert stats.binom.cdf(count - 1, n, q) <= delta * (1 + 1e-9)
    assert stats.binom.cdf(count - 1, n - 1, q) > delta * (1 - 1e-9)
    assert bw.miss_prob_exact(n, R, eps=eps, alpha="worst") <= delta
    assert bw.required_n_closed_form(eps, delta, R=R) >= n
    assert bw.required_n_closed_form(eps, delta, R=R) <= 1.6 * n + 30
    assert bw.guaranteed_error_exact(n, R, delta) <= eps
    if n > 1:
        assert bw.guaranteed_error_exact(n - 1, R, delta) > eps
    uniform = bw.required_n(eps, delta, R=R, alpha="uniform")
    assert bw.necessary_n(eps, delta, R=R) <= uniform <= n
    assert bw.miss_prob_exact(uniform, R, eps=eps, alpha="uniform") <= delta


def test_closed_form_by_hand() -> None:
    # K = 10: sqrt n >= (sqrt(L/2) + sqrt(L/2 + 18)) / 1, L = log 20: (1.22387 + 4.41559)^2 = 31.80
    assert bw.required_n_closed_form(0.05, 0.05, R=1) == 32
    assert bw.required_n_closed_form(1.0, 0.05, R=1) == 1


@given(n=st.integers(1, 60), R=st.integers(1, 70), k=st.integers(-2, 63))
def test_tails_are_the_rational_ones(n: int, R: int, k: int) -> None:
    plus, total = 2**R - 1, 2 ** (n * R)
    below = sum(math.comb(n, j) * plus**j for j in range(max(0, min(k, n + 1))))
    assert law.fewer(n, k, R) == pytest.approx(float(Fraction(below, total)), rel=1e-15, abs=0)
    assert law.at_least(n, k, R) == pytest.approx(float(Fraction(total - below, total)), rel=1e-15, abs=0)
    weights = [float(Fraction(math.comb(n, j) * plus**j, total)) for j in range(n + 1)]
    assert law.pmf(n, R, n + 1) == pytest.approx(weights, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("n", "k", "R"), [(9, 4, 1), (9, 5, 1), (9, 3, 2), (12, 7, 3), (5, 5, 1), (4, 5, 2), (4, 0, 2)]
)
def test_both_signs_at_once_against_the_multinomial(n: int, k: int, R: int) -> None:
    p = Fraction(1, 2**R)
    hit = sum(
        (
            math.comb(n, x) * math.comb(n - x, y) * p ** (x + y) * (1 - 2 * p) ** (n - x - y)
            for x in range(n + 1)
            for y in range(n - x + 1)
            if n - x >= k and n - y >= k
        ),
        Fraction(0),
    )
    assert law.joint_tail(n, k, R) == (float(hit), float(1 - hit))


def test_ties_are_settled_exactly() -> None:
    assert law.misses_at_most(5, 3, 1, 0.5)
    assert not law.misses_at_most(5, 3, 1, math.nextafter(0.5, 0.0))
    assert law.misses_at_most(3, 1, 2, 2.0**-6)
    assert not law.misses_at_most(4000, 2000, 64, 0.0)
    assert bw.guaranteed_error_exact(5, 1, 0.5) == math.nextafter(1 / 7, 1)  # three plus signs have probability 1/2
    assert bw.guaranteed_error_exact(5, 1, math.nextafter(0.5, 0.0)) == 1 / 5  # rounded up already
    assert bw.best_gain_for(5, 1, 0.5) / 2 == bw.guaranteed_error_exact(5, 1, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bw.success_prob_exact(0, 1, eps=0.1, alpha=0.5), "n must be an integer >= 1"),
        (lambda: bw.success_prob_exact(1, 0, eps=0.1, alpha=0.5), "R must be an integer >= 1"),
        (lambda: bw.success_prob_exact(1, 1, eps=0.0, alpha=0.5), r"eps must be in \(0, 1\], got eps=0.0"),
        (lambda: bw.success_prob_exact(1, 1, eps=0.1, alpha=1.5), r"alpha must be in \[-1, 1\]"),
        (lambda: bw.success_prob_exact(1, 1, eps=0.1, alpha=0.5, gain=0.0), "gain must be positive"),
        (lambda: bw.success_prob_exact(1, 1, eps=0.1, alpha=0.5, gain=-1.0), "gain must be in"),
        (lambda: bw.signs_needed(0.1, alpha="uniform"), "alpha must be a number or"),
        (lambda: bw.required_n(0.05, 0.05, R=1, alpha=0.5, gain=0.3), "gain must have a multiple within eps=0.05"),
        (lambda: bw.required_n(0.05, 0.05, R=1, alpha="uniform", gain=0.3), "gain must reach a share 1-delta"),
        (lambda: bw.required_n(0.05, 0.0, R=1), "delta must be in"),
        (lambda: bw.equivalent_subset(3, 1, kind="triple"), "kind must be"),
        (lambda: bw.error_quantile_exact(3, 1, 1.0, alpha=0.5, gain=0.1), "level must be in"),
        (lambda: bw.error_mean_exact(3, 1, alpha=0.5, gain=0.0), "gain must be positive"),
    ],
)
def test_bad_arguments(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
