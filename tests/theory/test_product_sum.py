"""4.7: logarithmic width with every constant known, against mpmath, exact chains, honest draws and brute force."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.checks.twins import products
from tests.stats import assert_at_least, assert_at_most
from theory import product_sum as ps
from theory.coverage import expected_share
from theory.coverage.tail import Tail
from theory.network.width import layer_etas, required_n_ours
from theory.product_sum import first_moment
from theory.product_sum.steps import _log_laplace

REACH = st.sampled_from([0.125, 0.25, 0.3125, 0.4375, 0.5])


# ---- Lemma B: one neuron ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("R", [1, 2, 5, 10**18])
@pytest.mark.parametrize("tau", [0.1, 0.25, 0.375, 0.5])
def test_kinds_are_cells_of_the_largest_b(tau, R):
    """Their weights are at most the probabilities of cells on which tau/b is at least x (x <= 1/2), all in order."""
    for parts in (1, 2, 7):
        kinds = ps.neuron_steps(tau, R, parts=parts)
        far = [kind for kind in kinds if kind.x <= 0.5]
        with mpmath.workdps(60):
            total = 1 - mpmath.mpf(2 * tau) ** R
            at = mpmath.mpf(0)  # probability counted from beta = 1 downwards
            for kind in reversed(far):
                beta = (1 - at) ** (mpmath.mpf(1) / R)  # the upper end of the cell
                assert kind.x <= tau / beta
                assert kind.x == pytest.approx(float(tau / beta), rel=1e-12)
                at += total / parts
                assert kind.weight <= total / parts / 2
            assert sum(kind.weight for kind in kinds) <= (1 - mpmath.mpf(tau) ** R) / 2
            if R < 10:
                assert sum(kind.weight for kind in kinds) == pytest.approx((1 - tau**R) / 2, rel=1e-9)


def expected_gain(inside: np.ndarray, tau: float, R: int, step: float) -> float:
    """Gain of the share by one neuron whose largest b of R draws is in Riemann cells; z and A on a grid of [-1, 1]."""
    size = len(inside)
    before = np.concatenate([[0], np.cumsum(inside)])
    z = np.arange(size)
    gain = 0.0
    for y in (np.arange(60) + 0.5) / 60:
        b = y ** (1.0 / R)
        reach = b / tau / step  # in cells
        low = np.clip(np.ceil(z - reach), 0, size).astype(int)
        high = np.clip(np.floor(z + reach) + 1, 0, size).astype(int)
        p = (before[high] - before[low]) * step * tau / (2 * b)
        gain += (1 - (1 - np.minimum(p, 1)) ** R)[~inside].sum() * step / 2 / 60
    return 0.5 * gain


@pytest.mark.parametrize("R", [1, 3, 20])
@pytest.mark.parametrize("tau", [0.25, 0.4375])
def test_drift_holds_for_random_unions_of_intervals(tau, R):
    rng = np.random.default_rng(47)
    size = 800
    step = 2.0 / size
    slack = []
    for _ in range(40):
        cuts = np.sort(rng.integers(0, size, 2 * rng.integers(1, 6)))
        inside = np.zeros(size, bool)
        for left, right in zip(cuts[::2], cuts[1::2], strict=True):
            inside[left:right] = True
        v = inside.mean()
        if not 0.02 < v < 0.98:
            continue
        kinds = ps.neuron_steps(tau, R)
        bound = sum(kind.weight * (expected_share(v, R, x=kind.x) - v) for kind in kinds)
        slack.append(expected_gain(inside, tau, R, step) / bound)
    assert min(slack) > 0.99  # Riemann cells of b
    if R == 1:
        assert min(slack) < 4.0  # control: the bound is not idle


# ---- Lemma A: the shift ------------------------------------------------------------------------------------------


def shift_failures(n: int, R: int, tau: float, trials: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    b = rng.uniform(-1, 1, (trials, n, R))
    kept = np.take_along_axis(b, np.abs(b).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    value = rng.uniform(-1, 1, (trials, n, R)) * np.abs(kept)[:, :, None]
    value[(value > 2 * tau) | (value < 0)] = 0.0
    largest = value.max(axis=2) * (kept > 0)
    return int((largest.sum(axis=1) < 1 - tau).sum())


@pytest.mark.parametrize(("n", "R", "tau"), [(60, 1, 0.25), (25, 2, 0.25), (12, 5, 0.375), (7, 40, 0.375)])
def test_shift_bound_against_honest_draws(n, R, tau):
    trials = 20_000
    failures = shift_failures(n, R, tau, trials, 48)
    bound = math.exp(ps.log_shift_failure_bound(n, R, reach=tau))
    assert_at_most(failures, trials, bound)
    with pytest.raises(AssertionError):  # control: what is claimed for four times as many neurons
        assert_at_most(failures, trials, math.exp(ps.log_shift_failure_bound(4 * n, R, reach=tau)))


def test_laplace_transform_at_R_1_by_mpmath():
    """Density -log z of the product of two U[0, 1]; both signs right with probability 1/4."""
    for s, log_bound in _log_laplace(0.25, 1)[::7]:
        with mpmath.workdps(20):
            inner = mpmath.quad(lambda z, s=s: mpmath.e ** (-s * z) * -mpmath.log(z), [0, 0.01, 0.1, 0.5])
            exact = mpmath.mpf(3) / 4 + (inner + (1 - mpmath.log(2)) / 2) / 4
        assert log_bound >= float(mpmath.log(exact))
        assert log_bound == pytest.approx(float(mpmath.log(exact)), rel=0.06, abs=0)


def test_laplace_transform_at_larger_R_by_simulation():
    rng = np.random.default_rng(49)
    tau, R, trials = 0.375, 4, 400_000
    b = rng.uniform(-1, 1, (trials, R))
    kept = np.take_along_axis(b, np.abs(b).argmax(axis=1)[:, None], axis=1)
    value = rng.uniform(-1, 1, (trials, R)) * np.abs(kept)
    value[(value > 2 * tau) | (value < 0)] = 0.0
    z = value.max(axis=1) * (kept[:, 0] > 0)
    for s, log_bound in _log_laplace(tau, R)[10:50:8]:
        sample = np.exp(-s * z)
        error = 5 * sample.std() / math.sqrt(trials)
        assert sample.mean() - error <= math.exp(log_bound) <= sample.mean() + error + 0.02


def test_shift_leaves_a_residual_within_reach():
    """The greedy rule of the proof, on draws: the first partial sum that reaches w - reach."""
    rng = np.random.default_rng(50)
    for tau in (0.25, 0.375, 0.5):
        z = rng.uniform(0, 2 * tau, (300, 40))
        for w in (0.0, 0.3, tau, 1.0):
            sums = np.concatenate([np.zeros((300, 1)), z.cumsum(axis=1)], axis=1)
            first = (sums >= w - tau).argmax(axis=1)
            assert (abs(w - sums[np.arange(300), first]) <= tau + 1e-12).all()


@pytest.mark.parametrize(("tau", "R"), [(0.25, 1), (0.375, 1), (0.375, 4), (0.5, 40)])
def test_laplace_transform_is_its_lower_sum_rounded_up(tau, R):
    """The same cells in extended precision: never below the exact lower sum, above it by a few 1e-9."""
    for s, found in _log_laplace(tau, R)[::9]:
        exact = products.lower_sum(s, tau, R)
        assert exact < found < exact + 1e-8


@given(st.floats(1e-12, 0.374), st.sampled_from([0.1, 0.3, 0.375, 0.5]))
def test_accuracy_in_units_of_the_reach_is_rounded_down(eta, reach):
    unit = Fraction(ps.unit_accuracy(eta, reach))
    assert unit * Fraction(reach) <= Fraction(eta)
    assert unit * Fraction(reach) >= Fraction(eta) * (1 - Fraction(1, 2**50))


# ---- Lemma C and the corollary ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("R", [1, 2, 10])
@pytest.mark.parametrize("tau", [0.1, 0.3, 0.375, 0.5])
def test_neuron_factor_is_its_integral_rounded_up(tau, R):
    with mpmath.workdps(30):

        def less(b):
            x = mpmath.mpf(tau) / b
            return R * b ** (R - 1) * (1 - (1 - (1 - x) ** (R + 1)) / ((R + 1) * x))

        far = mpmath.quad(less, [2 * tau, (1 + 2 * tau) / 2, 1]) if tau < 0.5 else mpmath.mpf(0)
        exact = 1 - (far + (mpmath.mpf(min(1.0, 2 * tau)) ** R - mpmath.mpf(tau) ** R) / 4) / 2
    found = ps.neuron_factor(tau, R)
    assert found >= exact
    assert 1 - found == pytest.approx(float(1 - exact), rel=0.02)
    if R == 1:
        assert float(exact) == pytest.approx(1 - (tau / 4 - tau / 2 * math.log(2 * tau)) / 2, rel=1e-12)


@pytest.mark.parametrize(("c", "k"), [(Fraction(1, 10), 1), (Fraction(3, 10), 4)])
def test_tail_formula_against_an_exact_chain(c, k):
    """v doubles with probability c(1-v), else stays: the mean is v + c v(1-v). E[1/v - 1] falls by 1 - c/2."""
    law, before = {Fraction(1, 2**k): Fraction(1)}, Fraction(2**k - 1)
    for _ in range(12):
        new: dict[Fraction, Fraction] = {}
        for v, p in law.items():
            top = min(Fraction(1), 2 * v)
            up = c * v * (1 - v) / (top - v) if v < 1 else Fraction(0)
            new[top] = new.get(top, Fraction(0)) + p * up
            new[v] = new.get(v, Fraction(0)) + p * (1 - up)
        law = new
        after = sum(p * (1 / v - 1) for v, p in law.items())
        assert after <= before * (1 - c / 2)
        before = after


def test_formula_by_its_parts():
    """The corollary's N, split as in its proof, with the exact Laplace transform at s = 8."""
    with mpmath.workdps(20):
        inner = mpmath.quad(lambda z: mpmath.e ** (-8 * z) * -mpmath.log(z), [0, 0.01, 0.1, 0.6])
        above = 1 - mpmath.mpf("0.6") * (1 - mpmath.log(mpmath.mpf("0.6")))
        rate = -float(mpmath.log(mpmath.mpf(3) / 4 + (inner + above) / 4))
    factor = 1 - (0.3 / 4 - 0.15 * math.log(0.6)) / 2
    for eta, delta in itertools.product((0.9, 0.3, 0.25, 1e-2, 1e-5, 1e-9), (0.9, 0.1, 1e-3, 1e-12)):
        n = ps.neurons_closed_form(eta, delta)
        shift = math.ceil((5.6 + math.log(2 / delta)) / rate)
        assert n >= shift
        if eta < 0.3:
            assert 8 * 0.09 / eta**2 * factor ** (n - shift) + math.exp(5.6 - rate * shift) <= delta
    values = [ps.neurons_closed_form(eta, 0.1) for eta in (1e-2, 1e-4)]
    assert values[1] - values[0] == pytest.approx(25.4 * math.log(100), abs=1.0)
    assert ps.neurons_closed_form(1.0, 0.5) == math.ceil(19.2 * math.log(24))


# ---- designs --------------------------------------------------------------------------------


@pytest.mark.parametrize(("eta", "delta", "R"), [(0.05, 0.1, 1), (0.05, 1e-6, 2), (0.01, 0.01, 5), (0.3, 0.01, 2)])
def test_design_adds_up(eta, delta, R):
    one = ps.required_neurons(eta, delta, R=R)
    assert one.neurons == one.shift + one.group
    assert one.failure_bound <= delta
    shift = math.exp(ps.log_shift_failure_bound(one.shift, R, reach=one.reach))
    unit = ps.unit_accuracy(eta, one.reach)
    finer = Tail(R, unit / 2, 1 - unit / 4 * 0.999, ps.neuron_steps(one.reach, R), 500)
    assert shift + finer.up_to(one.group) <= delta * (1 + 1e-6)
    assert one.neurons < ps.neurons_closed_form(eta, delta)


def test_designs_reach_their_goals():
    """Simulation of the freer question needs 44, 22, 14, 12 at eta = .01, delta = .05."""
    found = [ps.required_neurons(0.01, 0.05, R=R).neurons for R in (1, 2, 5, 10)]
    assert all(n <= most for n, most in zip(found, (190, 95, 50, 34), strict=True))


def test_tiny_accuracies_go_by_the_formula():
    for eta, delta, R in ((1e-8, 0.05, 10**6), (1e-12, 1e-30, 1)):
        one = ps.required_neurons(eta, delta, R=R)
        unit = eta / one.reach
        tail = math.log(4 / unit) + math.log(2 / unit) + one.group * math.log(ps.neuron_factor(one.reach, R))
        assert tail <= math.log(delta / 2) * (1 - 1e-9)
        assert one.failure_bound <= delta


def test_draws_and_slack_help():
    n = [ps.required_neurons(0.02, 0.01, R=R).neurons for R in (1, 2, 5, 50)]
    assert n == sorted(n, reverse=True)
    assert n[-1] < 0.3 * n[0]
    assert ps.required_neurons(0.02, 1e-4, R=5).neurons > ps.required_neurons(0.02, 0.01, R=5).neurons
    assert ps.required_neurons(0.001, 0.01, R=5).neurons > ps.required_neurons(0.02, 0.01, R=5).neurons


def reachable(values: np.ndarray, w: float, eta: float) -> bool:
    """Whether some choice (one value of each row at most) is within eta of w: sets of cells of width eta/50."""
    cell = eta / 50
    half = round(3 / cell)
    cells = np.zeros(2 * half + 1, bool)
    cells[half] = True
    for row in values:
        new = cells.copy()
        for k in np.rint(row / cell).astype(int):
            moved = np.zeros_like(cells)
            if k >= 0:
                moved[k:] = cells[: len(cells) - k]
            else:
                moved[:k] = cells[-k:]
            new |= moved
        cells = new
    at = half + round(w / cell)
    near = max(1, 50 - len(values))  # every value is off by half a cell at most
    return bool(cells[at - near : at + near + 1].any())


@pytest.mark.parametrize("w", [1.0, -0.7, 0.2])
def test_honest_neurons_make_the_weight(w):
    rng = np.random.default_rng(51)
    eta, delta, R, trials = 0.3, 0.3, 2, 150
    n = ps.required_neurons(eta, delta, R=R).neurons
    assert n < 100

    def successes(count: int) -> int:
        good = 0
        for _ in range(trials):
            b = rng.uniform(-1, 1, (count, R))
            kept = np.take_along_axis(b, np.abs(b).argmax(axis=1)[:, None], axis=1)
            values = (rng.uniform(-1, 1, (count, R)) * np.abs(kept))[kept[:, 0] > 0]
            good += reachable(values, w, eta)
        return good

    assert_at_least(successes(min(n, 40)), trials, 1 - delta)  # fewer than the theorem asks: it is far from tight
    if abs(w) > eta:
        with pytest.raises(AssertionError):  # control: two neurons do not do
            assert_at_least(successes(2), trials, 1 - delta)


# ---- networks --------------------------------------------------------------------------------


def test_network_designs():
    widths, eps, delta = [6, 5, 4], 0.2, 0.05
    designs = ps.network_designs(widths, eps, delta=delta, R=3)
    etas = layer_etas(widths, eps)
    share = delta / (2 * (30 + 20))
    for design, eta in zip(designs, etas, strict=True):
        assert design.failure_bound <= share
        assert design == ps.required_neurons(eta, share * (1 - 1e-15), R=3)
    total = 2 * 30 * designs[0].failure_bound + 2 * 20 * designs[1].failure_bound
    assert ps.log_network_failure_bound(widths, designs) == pytest.approx(math.log(total), rel=1e-12)
    assert total <= delta
    assert ps.required_n(widths, eps, delta=delta, R=3) == tuple(math.ceil(one.neurons / 2) for one in designs)


def test_bounds_of_0_and_bounds_that_underflow():
    never = ps.Design(1, 0.25, 1, 0, 0.0)
    assert ps.log_network_failure_bound([2, 2], [never]) == -math.inf
    some = ps.Design(1, 0.25, 1, 0, 1e-3)
    both = ps.log_network_failure_bound([2, 2, 2], [never, some])
    assert both == pytest.approx(math.log(8e-3))
    assert ps.log_share_failure_bound(10**6, 1, reach=0.3, start=0.1, missing=0.1) < -1e4
    assert ps.log_share_failure_bound(3, 1, reach=0.3, start=5e-324, missing=0.5) == 0.0


def test_far_narrower_than_picking_one():
    widths = [16, 16]
    assert 100 * ps.required_n(widths, 0.1, delta=0.01, R=1)[0] < required_n_ours(widths, 0.1, delta=0.01, R=1)[0]


def test_linf_needs_more_than_l2():
    l2, linf = (ps.required_n([16, 4], 0.3, delta=0.1, R=4, domain=domain)[0] for domain in ("l2", "linf"))
    assert linf > l2


@given(REACH, st.integers(1, 10**6), st.integers(0, 300))
def test_shift_bound_properties(reach, R, n):
    bound = ps.log_shift_failure_bound(n, R, reach=reach)
    assert bound <= 0
    assert ps.log_shift_failure_bound(n + 1, R, reach=reach) <= bound
    assert 0 < ps.neuron_factor(reach, R) < 1


# ---- Lemma E: counting the choices -------------------------------------------------------------------------------


@pytest.mark.parametrize("R", [1, 2, 7])
@pytest.mark.parametrize(("x", "eta"), [(0.5, 0.01), (0.95, 0.2), (0.0, 0.3), (-0.4, 0.05)])
def test_the_law_of_a_contribution_is_the_integral_of_its_density(R, x, eta):
    with mpmath.workdps(25):

        def inside(b):  # share of [-b, b] within eta of x
            return max(mpmath.mpf(0), min(b, x + eta) - max(-b, x - eta)) / (2 * b)

        cuts = sorted({0.0, 1.0} | {abs(end) for end in (x - eta, x + eta) if 0 < abs(end) < 1})
        exact = mpmath.quad(lambda b: R * b ** (R - 1) * inside(b), cuts)
    assert first_moment.contribution_hit_prob(x, eta, R) == pytest.approx(float(exact), rel=1e-8)


@pytest.mark.parametrize("eta", [0.1, 1e-9, 1e-18, 1e-300])
def test_the_most_likely_window_keeps_its_digits(eta):
    assert first_moment.contribution_hit_prob(0.0, eta, 1) == pytest.approx(eta * (1 - math.log(eta)), rel=1e-14, abs=0)
    assert first_moment.contribution_hit_prob(0.0, eta, 2) == pytest.approx(2 * eta - eta**2, rel=1e-14, abs=0)


@pytest.mark.parametrize("R", [1, 2, 3, 50])
def test_pair_density_is_the_largest_and_a_smaller_one_is_not(R):
    """The density of the sum of two contributions at 0 and elsewhere, by the integral over the first."""
    with mpmath.workdps(20):

        def density(z):
            z = abs(z)
            if not 0 < z < 1:
                return mpmath.mpf(0)
            return -mpmath.log(z) / 2 if R == 1 else mpmath.mpf(R) / (2 * (R - 1)) * (1 - z ** (R - 1))

        def of_two(x):
            return mpmath.quad(lambda y: density(y) * density(x - y), sorted({-1.0, x - 1.0, 0.0, x, 1.0}))

        top = of_two(mpmath.mpf(0))
        assert first_moment.pair_density(R) == pytest.approx(float(top), rel=1e-6)
        assert all(of_two(mpmath.mpf(x)) <= top for x in (0.05, 0.3, 0.9, 1.5))


def draws_and_success(n, R, eta, alpha, trials):
    """Honest draws, and every choice of every usable set of neurons, one by one."""
    rng = np.random.default_rng([n, R, 47])
    a, b = rng.uniform(-1, 1, (2, trials, n, R))
    kept = np.take_along_axis(b, np.abs(b).argmax(axis=2)[:, :, None], axis=2)
    products = np.where(kept >= 0, a * np.abs(kept), np.inf)  # an unusable neuron never comes near
    target = rng.uniform(-1, 1, trials) if alpha == "uniform" else np.full(trials, alpha)
    sums = np.zeros((trials, 1))
    for i in range(n):
        sums = np.concatenate([sums, *(sums + products[:, i, r, None] for r in range(R))], axis=1)
    return int((np.abs(sums - target[:, None]) <= eta).any(axis=1).sum())


@pytest.mark.parametrize(("n", "R"), [(1, 1), (2, 3), (4, 2)])
@pytest.mark.parametrize("alpha", [0.6, "uniform"])
def test_counting_bounds_honest_neurons(n, R, alpha):
    eta, trials = 0.004, 200_000
    found = draws_and_success(n, R, eta, alpha, trials)
    bound = ps.success_prob_upper(n, R, eps=eta, alpha=alpha)
    assert_at_most(found, trials, bound)
    if (n, alpha) == (4, "uniform") or n == 1:
        with pytest.raises(AssertionError):  # control: half of it is refuted
            assert_at_most(found, trials, bound / 2)


def test_necessary_n_is_the_first_that_counting_allows():
    for alpha in (0.6, "uniform"):
        n = ps.necessary_n(0.01, 0.1, R=2, alpha=alpha)
        assert ps.success_prob_upper(n, 2, eps=0.01, alpha=alpha) >= 0.9
        assert ps.success_prob_upper(n - 1, 2, eps=0.01, alpha=alpha) < 0.9
    assert ps.necessary_n(0.01, 0.1, R=2, alpha="uniform") == math.ceil(math.log(90) / math.log(2))
    assert ps.necessary_n(0.3, 0.1, R=2, alpha=0.2) == 0


@pytest.mark.parametrize("n", [0, 3, 1760, 5000])
def test_the_bound_is_a_probability_that_never_falls(n):
    for alpha in (0.5, "uniform"):
        low, high = (ps.success_prob_upper(m, 1, eps=1e-300, alpha=alpha) for m in (n, n + 1))
        assert 0.0 <= low <= high <= 1.0
    assert ps.success_prob_upper(n, 1, eps=1e-300, alpha="uniform") >= min(1.0, 1e-300 * 1.5 ** min(n, 1600))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ps.neuron_factor(0.6, 1), r"reach must be in \(0, 1/2\], got reach=0.6"),
        (lambda: ps.neuron_factor(0.25, 0), "R must be an integer >= 1, got R=0"),
        (lambda: ps.required_neurons(0, 0.1, R=1), r"eta must be in \(0, 1\], got eta=0"),
        (lambda: ps.required_neurons(1e-13, 0.1, R=1), "eta must be at least 1e-12, got eta=1e-13"),
        (lambda: ps.required_neurons(0.1, 1, R=1), r"delta must be in \(0, 1\), got delta=1"),
        (
            lambda: ps.log_share_failure_bound(3, 1, reach=0.3, start=0.0, missing=0.5),
            r"start must be in \(0, 1\), got start=0.0",
        ),
        (lambda: ps.log_shift_failure_bound(-1, 1, reach=0.5), "n must be an integer >= 0, got n=-1"),
        (lambda: ps.log_shift_failure_bound(3, 1, reach="a"), r"reach must be a number in \(0, 1/2\], got reach='a'"),
        (lambda: ps.neuron_factor("x", 1), r"reach must be a number in \(0, 1/2\], got reach='x'"),
        (lambda: ps.required_neurons(0.01, 1e-300, R=1), "delta must be at least 1e-30 .* got delta=1e-300"),
        (
            lambda: ps.network_designs([2, 2], 0.1, delta=5e-324, R=1),
            "delta must leave at least 1e-30 for each of the 8 weights and signs, got delta=5e-324",
        ),
    ],
)
def test_errors_quote_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
