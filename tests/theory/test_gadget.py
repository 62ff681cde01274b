"""theory.network.gadget: one weight from products a*b. Twins: mpmath, hand values, honest draws."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from theory.network import gadget
from theory.network.product_law import log_integral

LEVEL = 1e-6  # false-alarm rate of every statistical test
weights = st.floats(-1, 1)
errors = st.floats(1e-12, 1)
draws = st.integers(1, 10**9)
small_draws = st.integers(1, 400)
relaxed = settings(deadline=None, max_examples=60)


def refuted(count, trials, p, alternative="two-sided"):
    return binomtest(int(count), trials, float(p), alternative=alternative).pvalue < LEVEL


# ---- independent twins -------------------------------------------------------------------------------------------


def twin_product_hit(w, eta):
    """P(|ab-w| <= eta) by conditioning on b: twice the mean over b in (0, 1] of half the good interval of a."""
    with mpmath.workdps(30):
        w, eta = abs(mpmath.mpf(w)), mpmath.mpf(eta)

        def p(b):
            return max(mpmath.mpf(0), min(1, (w + eta) / b) - max(-1, (w - eta) / b)) / 2

        cuts = sorted({mpmath.mpf(0), min(mpmath.mpf(1), abs(w - eta)), min(mpmath.mpf(1), w + eta), mpmath.mpf(1)})
        return mpmath.quad(p, cuts)


def twin_one_b(w, eta, R):
    with mpmath.workdps(25):
        w, eta = mpmath.mpf(w), mpmath.mpf(eta)
        c = w - eta
        cuts = [c + (1 - c) * mpmath.mpf(k) / 40 for k in range(41)] + [min(1, w + eta)]
        return mpmath.quad(lambda b: 1 - (1 - (min(1, (w + eta) / b) - c / b) / 2) ** R, sorted(cuts)) / 2


def twin_best_b_miss_at_edge(w, eta, R):
    """For |w| + eta >= 1 the largest b is best: the mean over the largest b, a one-dimensional integral over b."""
    with mpmath.workdps(25):
        c = mpmath.mpf(w) - mpmath.mpf(eta)
        cuts = [c + (1 - c) * mpmath.mpf(k) / 60 for k in range(61)]
        body = mpmath.quad(lambda b: mpmath.mpf(R) / 2 * ((1 + b) / 2) ** (R - 1) * ((1 + c / b) / 2) ** R, cuts)
        return body + ((1 + c) / 2) ** R


def good_interval_half(b, w, eta):
    """p(b) for an array of b of any sign, 0 where b <= 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort(np.stack([(w - eta) / b, (w + eta) / b]), axis=0).clip(-1, 1)
    return np.where(b > 0, (ends[1] - ends[0]) / 2, 0.0)


# ---- window events (4.3) -----------------------------------------------------------------------------------------


def test_windows_by_hand():
    assert gadget.b_window_prob(0.4, 2) == pytest.approx(1 - 0.9**2, rel=1e-14, abs=0)
    assert gadget.a_window_prob(0.4, 2) == pytest.approx(1 - 0.9**2, rel=1e-14, abs=0)
    assert gadget.a_window_prob(0.4, 2, w=0.5) == pytest.approx(1 - 0.8**2, rel=1e-14, abs=0)
    assert gadget.a_window_prob(0.4, 2, w=-0.9) == pytest.approx(1 - 0.85**2, rel=1e-14, abs=0)  # [0.7, 1], length 0.3
    assert gadget.window_success_prob(0.4, 2, w=0.5) == pytest.approx(0.19 * 0.36, rel=1e-14, abs=0)
    assert gadget.log_weight_miss_bound(0.4, 2, n=7) == pytest.approx(7 * math.log(1 - 0.19**2), rel=1e-13, abs=0)
    assert gadget.SERVING_PROB == 0.5


@relaxed
@given(errors, draws, st.none() | weights)
def test_window_miss_matches_mpmath(eta, R, w):
    with mpmath.workdps(60):
        length = min(mpmath.mpf(1), (w or 0) + mpmath.mpf(eta) / 2) - max(
            -mpmath.mpf(1), (w or 0) - mpmath.mpf(eta) / 2
        )
        p = mpmath.mpf(eta) / 4 if w is None else length / 2
        q_b, q_a = 1 - (1 - mpmath.mpf(eta) / 4) ** R, 1 - (1 - p) ** R
        assert q_a >= q_b or w is None
        mp_miss = -mpmath.expm1(mpmath.log1p(-((1 - mpmath.mpf(eta) / 4) ** R)) + mpmath.log1p(-((1 - p) ** R)))
        expected = mpmath.log(mp_miss) if mp_miss > mpmath.mpf(10) ** -40 else None
    got = gadget.log_window_miss_prob(eta, R, w=w)
    assert gadget.window_success_prob(eta, R, w=w) == pytest.approx(float(q_a * q_b), rel=1e-12, abs=0)
    if expected is None:
        assert got < -40 * math.log(10) + 1
    else:
        assert got == pytest.approx(float(expected), rel=1e-12, abs=0)


@relaxed
@given(weights, st.floats(1e-3, 1), st.floats(0, 1), st.floats(-1, 1), st.sampled_from([-1, 1]))
def test_windows_imply_a_good_product(w, eta, u, v, sign):
    b = sign * (1 - u * eta / 2)
    a = sign * w + v * eta / 2
    assert abs(a * b - w) <= eta * (1 + 1e-12)


@pytest.mark.parametrize(("w", "eta", "R"), [(None, 0.8, 3), (0.3, 0.5, 4), (-0.9, 0.9, 2)])
def test_windows_by_simulation(w, eta, R):
    rng = np.random.default_rng(41)
    trials = 100_000
    a, b = rng.uniform(-1, 1, (2, trials, R))
    aim = 1.0 if w is None else w
    hits = np.sum((b >= 1 - eta / 2).any(axis=1) & (abs(a - aim) <= eta / 2).any(axis=1))
    assert not refuted(hits, trials, gadget.window_success_prob(eta, R, w=w))
    assert refuted(hits, trials, gadget.window_success_prob(eta, R - 1, w=w))  # control
    assert refuted(hits, trials, gadget.window_success_prob(eta, R + 1, w=w))  # control


# ---- the product law (4.6), R = 1 --------------------------------------------------------------------------------


@relaxed
@given(weights, errors)
@example(0.0, 1e-12)
@example(1.0, 1e-12)
@example(1 - 5e-13, 1e-12)
@example(1e-6, 1e-12)
@example(-0.5, 1e-12)
@example(1e-11, 2e-12)
@example(1 - 3e-12, 1e-12)
@example(0.5, 0.5)
@example(0.3, 0.0900001)
def test_product_law_matches_mpmath_closed_form(w, eta):
    with mpmath.workdps(50):
        low, high = max(mpmath.mpf(-1), mpmath.mpf(w) - eta), min(mpmath.mpf(1), mpmath.mpf(w) + eta)
        cdf = [z - z * mpmath.log(abs(z)) if z else z for z in (low, high)]
        expected = (cdf[1] - cdf[0]) / 2
    assert gadget.product_hit_prob(w, eta) == pytest.approx(float(expected), rel=2e-12, abs=0)


@pytest.mark.parametrize(
    ("w", "eta"), [(0.7, 0.05), (-0.7, 0.05), (0.9, 0.3), (0.2, 0.5), (0.8, 0.9), (0, 0.01), (1, 1)]
)
def test_product_law_matches_quadrature_over_b(w, eta):
    assert gadget.product_hit_prob(w, eta) == pytest.approx(float(twin_product_hit(w, eta)), rel=1e-11, abs=0)


@pytest.mark.parametrize(("w", "eta"), [(0.5, 0.1), (0.95, 0.1), (0.05, 0.1), (-1.0, 0.3)])
def test_product_law_and_serving_by_simulation(w, eta):
    rng = np.random.default_rng(42)
    trials = 200_000
    a, b = rng.uniform(-1, 1, (2, trials))
    good = abs(a * b - w) <= eta
    p = gadget.product_hit_prob(w, eta)
    assert not refuted(good.sum(), trials, p)
    assert not refuted((good & (b > 0)).sum(), trials, gadget.SERVING_PROB * p)
    assert refuted(good.sum(), trials, 1.3 * p)  # control
    assert refuted((good & (b > 0)).sum(), trials, p)  # control


# ---- R draws (4.6) -----------------------------------------------------------------------------------------------

CASES = [
    (0.5, 0.1, 5),
    (0.15, 0.1, 40),
    (0.15, 0.1, 3),
    (0.9, 0.2, 30),
    (0.95, 0.04, 100),
    (0.7, 1e-3, 2000),
    (1, 0.1, 9),
]


@pytest.mark.parametrize(("w", "eta", "R"), CASES)
def test_one_b_matches_mpmath(w, eta, R):
    got = gadget.neuron_log_success_prob(-w, eta, R=R, choice="one_b")
    expected = twin_one_b(w, eta, R)
    assert math.exp(got) == pytest.approx(float(expected), rel=1e-10, abs=0)
    assert math.exp(gadget.neuron_log_miss_prob(w, eta, R=R, choice="one_b")) == pytest.approx(1 - float(expected))


@pytest.mark.parametrize(
    ("w", "eta", "R"), [(1, 0.1, 305), (1, 0.01, 3048), (0.9, 0.2, 30), (0.95, 0.05, 7), (1, 0.5, 1)]
)
def test_best_b_at_the_edge_matches_mpmath(w, eta, R):
    got = gadget.neuron_log_miss_prob(w, eta, R=R)
    assert got == pytest.approx(float(mpmath.log(twin_best_b_miss_at_edge(w, eta, R))), rel=1e-10, abs=0)


@pytest.mark.parametrize("choice", ["one_b", "best_b"])
@pytest.mark.parametrize(("w", "eta"), [(0.5, 1e-12), (1.0, 1e-12), (1 - 1e-12, 1e-12), (0.3, 0.2), (0.21, 0.2)])
def test_one_draw_is_the_product_law(w, eta, choice):
    got = gadget.neuron_log_success_prob(w, eta, R=1, choice=choice)
    assert got == pytest.approx(math.log(gadget.product_hit_prob(w, eta) / 2), abs=1e-10)


@pytest.mark.parametrize(("w", "eta", "R"), [(0.5, 0.1, 8), (0.3, 0.2, 4), (0.9, 0.2, 6), (-0.25, 0.2, 5)])
def test_events_by_simulation(w, eta, R):
    """Honest draws of each event; the a's of best_b are drawn after b is chosen by a twin of p(b)."""
    rng = np.random.default_rng(43)
    trials = 60_000
    a, b = rng.uniform(-1, 1, (2, trials, R))
    one_b = ((b[:, :1] > 0) & (abs(a * b[:, :1] - w) <= eta)).any(axis=1).sum()
    best = np.take_along_axis(b, good_interval_half(b, w, eta).argmax(axis=1)[:, None], axis=1)
    best_b = ((best > 0) & (abs(a * best - w) <= eta)).any(axis=1).sum()
    any_pair = ((b[:, :, None] > 0) & (abs(a[:, None, :] * b[:, :, None] - w) <= eta)).any(axis=(1, 2)).sum()

    exact = {c: math.exp(gadget.neuron_log_success_prob(w, eta, R=R, choice=c)) for c in ("one_b", "best_b")}
    assert not refuted(one_b, trials, exact["one_b"])
    assert not refuted(best_b, trials, exact["best_b"])
    assert refuted(one_b, trials, exact["best_b"])  # control
    assert refuted(best_b, trials, math.exp(gadget.neuron_log_success_prob(w, eta, R=R - 1)))  # control

    low, high = gadget.any_pair_log_miss_bracket(w, eta, R=R)
    missed = trials - any_pair
    assert not refuted(missed, trials, math.exp(high), "greater")
    assert not refuted(missed, trials, math.exp(low), "less")
    assert refuted(missed, trials, -math.expm1(math.log(gadget.window_success_prob(eta, R, w=w))))  # control: windows
    if low == high:
        assert abs(w) + eta >= 1
        assert not refuted(missed, trials, math.exp(low))
        assert refuted(missed, trials, 1.1 * math.exp(low))  # control


@relaxed
@given(weights, st.floats(1e-9, 1), small_draws)
@example(-0.9, 0.2, 5)
def test_order_of_the_events(w, eta, R):
    low, high = gadget.any_pair_log_miss_bracket(w, eta, R=R)
    slack = 1e-9
    one_b = gadget.neuron_log_miss_prob(w, eta, R=R, choice="one_b")
    assert low <= high <= one_b + slack
    assert (low, high) == gadget.any_pair_log_miss_bracket(-w, eta, R=R)
    assert low <= gadget.log_window_miss_prob(eta, R, w=w) + slack
    assert high <= 0
    if abs(w) <= eta:
        assert high == -math.inf
    else:
        assert one_b >= math.log(0.5) - slack


@relaxed
@given(weights, st.floats(1e-9, 1), small_draws, st.sampled_from(["one_b", "best_b"]))
def test_success_and_miss_add_up(w, eta, R, choice):
    success = gadget.neuron_log_success_prob(w, eta, R=R, choice=choice)
    miss = gadget.neuron_log_miss_prob(w, eta, R=R, choice=choice)
    assert math.exp(success) + math.exp(miss) == pytest.approx(1, abs=1e-9)
    assert gadget.neuron_log_miss_prob(-w, eta, R=R, choice=choice) == miss
    assert gadget.weight_log_miss_prob(w, eta, R=R, n=3, choice=choice) == 3 * miss


@relaxed
@given(weights, st.floats(1e-6, 0.5), small_draws, st.sampled_from(["one_b", "best_b"]))
def test_more_draws_more_error_more_success(w, eta, R, choice):
    here = gadget.neuron_log_miss_prob(w, eta, R=R, choice=choice)
    assert gadget.neuron_log_miss_prob(w, eta, R=R + 1, choice=choice) <= here + 1e-9
    assert gadget.neuron_log_miss_prob(w, 1.5 * eta, R=R, choice=choice) <= here + 1e-9
    assert gadget.log_window_miss_prob(eta, R + 1) <= gadget.log_window_miss_prob(eta, R)
    assert gadget.log_window_miss_prob(1.5 * eta, R) <= gadget.log_window_miss_prob(eta, R)


def test_tiny_probabilities_keep_their_digits():
    got = gadget.neuron_log_miss_prob(1.0, 0.5, R=3000)  # about exp(-860), below the smallest double
    assert got < math.log(1e-300)
    assert got == pytest.approx(float(mpmath.log(twin_best_b_miss_at_edge(1, 0.5, 3000))), rel=1e-10, abs=0)
    with mpmath.workdps(400):
        m = (1 - mpmath.mpf(0.4) / 4) ** 10_000
        assert gadget.log_window_miss_prob(0.4, 10_000) == pytest.approx(
            float(mpmath.log(m * (2 - m))), rel=1e-12, abs=0
        )


def test_log_integral_finds_an_inner_peak():
    assert log_integral(lambda v: -1e12 * (v - 0.3) ** 2, 1.0) == pytest.approx(
        math.log(math.sqrt(math.pi / 1e12)), abs=1e-9
    )
    assert log_integral(lambda v: 0.0 * v, 0.0) == -math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gadget.product_hit_prob(1.5, 0.1), r"w must be in \[-1, 1\], got w=1.5"),
        (lambda: gadget.product_hit_prob(0.5, 0), r"eta must be in \(0, 1\], got eta=0"),
        (lambda: gadget.b_window_prob(0.1, 0), "R must be an integer >= 1, got R=0"),
        (lambda: gadget.log_weight_miss_bound(0.1, 1, n=0), "n must be an integer >= 1, got n=0"),
        (
            lambda: gadget.neuron_log_miss_prob(0.1, 0.1, R=2, choice="x"),
            "choice must be 'one_b' or 'best_b', got choice='x'",
        ),
        (lambda: gadget.neuron_log_success_prob(0.1, 0.1, R=1.5), "R must be an integer >= 1, got R=1.5"),
    ],
)
def test_errors_quote_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
