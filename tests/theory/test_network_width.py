"""theory.network.width: failure bounds, required widths, and the corner where the recalled statement can be checked."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from theory.network import width as nw

LEVEL = 1e-6  # false-alarm rate of every statistical test
shapes = st.lists(st.integers(1, 50), min_size=2, max_size=5)
accuracies = st.floats(1e-4, 1)
deltas = st.floats(1e-30, 0.99)
draws = st.integers(1, 10**7)
domains = st.sampled_from(["l2", "linf"])
relaxed = settings(deadline=None, max_examples=60)


def refuted(count, trials, p, alternative="two-sided"):
    return binomtest(int(count), trials, float(p), alternative=alternative).pvalue < LEVEL


def twin_log_bound(widths, eps, R, n, domain="l2"):
    with mpmath.workdps(60):
        eps = mpmath.mpf(eps) / (mpmath.sqrt(widths[0]) if domain == "linf" else 1)
        depth, total = len(widths) - 1, mpmath.mpf(0)
        for i in range(1, depth + 1):
            eta = mpmath.log(1 + eps) / (depth * mpmath.sqrt(widths[i] * widths[i - 1]))
            q = 1 - (1 - eta / 4) ** R
            total += 2 * widths[i] * widths[i - 1] * (1 - q**2) ** n[i - 1]
        return mpmath.log(total)


# ---- error propagation (4.2) -------------------------------------------------------------------------------------


def test_layer_etas_by_hand():
    assert nw.layer_etas([4, 9, 1], 0.1) == pytest.approx([math.log(1.1) / 12, math.log(1.1) / 6], rel=1e-15, abs=0)
    assert nw.layer_etas([4, 9, 1], 0.2, domain="linf") == pytest.approx([math.log(1.1) / 12, math.log(1.1) / 6])


@relaxed
@given(shapes, accuracies, domains)
@example([1] * 41, 1.0, "l2")
@example([3] * 41, 1.0, "linf")
def test_worst_aligned_network_stays_within_eps(widths, eps, domain):
    """F_i = ones/sqrt(d_i d_(i-1)), every weight too large by eta_i, x on the worst ray: error (1+tau)^l - 1 <= eps."""
    x = np.ones(widths[0]) / (math.sqrt(widths[0]) if domain == "l2" else 1.0)
    exact, built = x, x
    for into, out, eta in zip(widths, widths[1:], nw.layer_etas(widths, eps, domain=domain), strict=False):
        F = np.full((out, into), 1 / math.sqrt(out * into))
        exact, built = F @ exact, (F + eta) @ built
    error = float(np.linalg.norm(exact - built))
    assert error <= eps * (1 + 1e-9)
    if len(widths) > 40:
        assert error >= 0.98 * eps  # the budget is used up: not far too small either


@relaxed
@given(st.integers(0, 10**6), st.lists(st.integers(1, 6), min_size=2, max_size=4), accuracies, domains)
def test_random_networks_stay_within_eps(seed, widths, eps, domain):
    """Separate halves W+ and W-, every weight wrong by +-eta_i, spectral norms 1, ReLU between the layers."""
    rng = np.random.default_rng(seed)  # not a Monte Carlo estimate: the inequality holds for every draw
    x = rng.normal(size=(widths[0], 30))
    x /= np.linalg.norm(x, axis=0) if domain == "l2" else abs(x).max(axis=0)
    exact, built = x, x
    for i, eta in enumerate(nw.layer_etas(widths, eps, domain=domain)):
        F = rng.normal(size=(widths[i + 1], widths[i]))
        F /= np.linalg.norm(F, 2)
        plus, minus = (F + eta * rng.choice([-1, 1], F.shape) for _ in range(2))
        if i:
            exact, built = np.maximum(exact, 0), np.maximum(built, 0)
        exact, built = F @ exact, plus @ np.maximum(built, 0) - minus @ np.maximum(-built, 0)
    assert np.linalg.norm(exact - built, axis=0).max() <= eps * (1 + 1e-9)


# ---- our theorem (4.4) -------------------------------------------------------------------------------------------


@relaxed
@given(shapes, accuracies, draws, st.integers(1, 10**6), domains)
@example([3, 2, 4], 0.5, 10**5, 1, "l2")
def test_bound_matches_mpmath(widths, eps, R, n, domain):
    got = nw.log_failure_bound(widths, eps, R=R, n=n, domain=domain)
    expected = twin_log_bound(widths, eps, R, [n] * (len(widths) - 1), domain)
    if mpmath.isfinite(expected) and abs(expected) < 100 * n:
        assert got == pytest.approx(float(expected), rel=1e-9, abs=1e-9)
    assert 0 <= nw.failure_bound(widths, eps, R=R, n=n, domain=domain) <= 1


@relaxed
@given(shapes, accuracies, deltas, draws, domains)
def test_required_n_round_trip(widths, eps, delta, R, domain):
    n = nw.required_n_ours(widths, eps, delta=delta, R=R, domain=domain)
    assert nw.failure_bound(widths, eps, R=R, n=n, domain=domain) <= delta
    for i, count in enumerate(n):  # so the total is locally minimal
        if count > 1:
            fewer = [*n[:i], count - 1, *n[i + 1 :]]
            assert nw.log_failure_bound(widths, eps, R=R, n=fewer, domain=domain) > math.log(delta) - 2e-12
    (*_, m) = uniform = nw.required_n_ours(widths, eps, delta=delta, R=R, domain=domain, uniform=True)
    assert set(uniform) == {m}
    assert nw.failure_bound(widths, eps, R=R, n=m, domain=domain) <= delta
    assert m == 1 or nw.log_failure_bound(widths, eps, R=R, n=m - 1, domain=domain) > math.log(delta) - 2e-12


@relaxed
@given(shapes, accuracies, deltas, st.integers(1, 10**5))
def test_required_n_never_exceeds_the_stated_formula(widths, eps, delta, R):
    S = sum(a * b for a, b in itertools.pairwise(widths))
    for i, count in enumerate(nw.required_n_ours(widths, eps, delta=delta, R=R)):
        with mpmath.workdps(50):
            eta = mpmath.log(1 + mpmath.mpf(eps)) / ((len(widths) - 1) * mpmath.sqrt(widths[i] * widths[i + 1]))
            q = 1 - (1 - eta / 4) ** R
            stated = max(1, mpmath.ceil(mpmath.log(2 * S / mpmath.mpf(delta)) / -mpmath.log(1 - q**2)))
        assert count <= stated * (1 + mpmath.mpf(10) ** -11)


@relaxed
@given(shapes, accuracies, deltas, domains)
def test_required_R_round_trip(widths, eps, delta, domain):
    R = nw.required_R_for_minimal_width(widths, eps, delta=delta, domain=domain)
    assert nw.failure_bound(widths, eps, R=R, n=1, domain=domain) <= delta
    assert R == 1 or nw.log_failure_bound(widths, eps, R=R - 1, n=1, domain=domain) > math.log(delta) - 2e-12
    assert set(nw.required_n_ours(widths, eps, delta=delta, R=R, domain=domain)) == {1}
    S = sum(a * b for a, b in itertools.pairwise(widths))
    assert math.ceil(4 / min(nw.layer_etas(widths, eps, domain=domain)) * math.log(4 * S / delta)) >= R


@relaxed
@given(shapes, st.floats(1e-4, 0.5), st.floats(1e-30, 0.4), st.integers(1, 10**6))
def test_monotone(widths, eps, delta, R):
    def n(eps=eps, delta=delta, R=R):
        ours = nw.required_n_ours(widths, eps, delta=delta, R=R, uniform=True)
        return (
            ours,
            nw.required_n_recalled(widths, eps, delta=delta, R=R),
            nw.required_n_repaired(widths, eps, delta=delta, R=R),
        )

    here = n()
    for easier in (n(R=R + 1), n(R=2 * R), n(eps=2 * eps), n(delta=2 * delta)):
        for fewer, more in zip(easier, here, strict=True):
            assert all(a <= b for a, b in zip(fewer, more, strict=True))
    bound = nw.log_failure_bound(widths, eps, R=R, n=5)
    assert nw.log_failure_bound(widths, eps, R=R, n=6) <= bound
    assert nw.log_failure_bound(widths, eps, R=R + 1, n=5) <= bound
    assert nw.log_failure_bound(widths, 2 * eps, R=R, n=5) <= bound
    assert nw.required_R_for_minimal_width(widths, 2 * eps, delta=delta) <= nw.required_R_for_minimal_width(
        widths, eps, delta=delta
    )


def test_bound_by_simulation_of_the_windows():
    """Target [1, 1], F = [1]: n neurons per sign, roles fixed. The bound holds, and fewer neurons are refuted."""
    rng = np.random.default_rng(44)
    eps, delta, R, trials = 1.0, 0.1, 6, 20_000
    (n,) = nw.required_n_ours([1, 1], eps, delta=delta, R=R)
    (eta,) = nw.layer_etas([1, 1], eps)

    def failures(n):
        a, b = rng.uniform(-1, 1, (2, trials, 2, n, R))
        b[:, 1] *= -1  # the second half needs b < 0 and a b close to 1
        a[:, 1] *= -1
        good = (b >= 1 - eta / 2).any(axis=-1) & (a >= 1 - eta / 2).any(axis=-1)
        return trials - good.any(axis=-1).all(axis=-1).sum()

    assert not refuted(failures(n), trials, delta, "greater")
    assert refuted(failures(n // 2), trials, delta, "greater")  # control
    assert refuted(failures(n), trials, 1.5 * delta, "less")  # power: a bound 1.5 times larger is excluded


# ---- recalled and repaired (4.5) ---------------------------------------------------------------------------------


def test_recalled_by_hand():
    # 64 * 2^2 * 3^2 * 5 / (0.25 * 16) * log(2*2*3*5/0.01) and 64 * 4 * 25 * 1 / 4 * log(2*2*5*1/0.01)
    expected = (math.ceil(2880 * math.log(6000)), math.ceil(1600 * math.log(2000)))
    assert nw.required_n_recalled([3, 5, 1], 0.5, delta=0.01, R=4) == expected
    # repaired, below K = (8*2*3*sqrt(5)/.5, 8*2*5/.5) = (214.7, 160)
    expected = (math.ceil(2880 * 160.2 / 64 * math.log(6000)), math.ceil(1600 * 160.2 / 64 * math.log(2000)))
    assert nw.required_n_repaired([3, 5, 1], 0.5, delta=0.01, R=4) == expected
    # between 160 and 160 log(4*2*5*1/.01) = 1327.1 the second layer stays at its value for R = 160
    for R, n2 in ((160, 20), (1327, 20), (1328, 1)):
        assert nw.required_n_repaired([3, 5, 1], 0.5, delta=0.01, R=R)[1] == n2
    assert math.ceil(160.2 / 64 * math.log(2000)) == 20
    assert 160.2 / 64 >= (1 - math.exp(-1)) ** -2 >= 160.1 / 64


def test_repaired_on_the_l_inf_ball_divides_eps_only_for_narrow_layers():
    for widths, eps in (([4, 4, 1], 0.2), ([4, 9, 1], 0.2), ([4, 3, 1], 0.1)):
        expected = nw.required_n_repaired(widths, eps, delta=0.01, R=3)
        assert nw.required_n_repaired(widths, 0.2, delta=0.01, R=3, domain="linf") == expected


@relaxed
@given(shapes, accuracies, deltas, draws, domains)
def test_repaired_implies_ours(widths, eps, delta, R, domain):
    n = nw.required_n_repaired(widths, eps, delta=delta, R=R, domain=domain)
    assert nw.log_failure_bound(widths, eps, R=R, n=n, domain=domain) <= math.log(delta) + 1e-12


@relaxed
@given(shapes, accuracies, deltas, st.floats(0.01, 30))
def test_repaired_implies_ours_near_its_thresholds(widths, eps, delta, ratio):
    R = max(1, round(ratio * 8 * (len(widths) - 1) * widths[0] * math.sqrt(widths[1]) / eps))
    n = nw.required_n_repaired(widths, eps, delta=delta, R=R)
    assert nw.log_failure_bound(widths, eps, R=R, n=n) <= math.log(delta) + 1e-12


@relaxed
@given(shapes, accuracies, deltas)
def test_recalled_holds_for_one_draw(widths, eps, delta):
    n = nw.required_n_recalled(widths, eps, delta=delta, R=1)
    assert nw.log_failure_bound(widths, eps, R=1, n=n) <= math.log(delta) + 1e-12


def test_dividing_by_R_squared_does_not_follow_from_the_windows():
    """4.5 (b), with the recalled eta = eps/2 (l = d = 1): at R = K = 8/eps the windows fail with more than delta."""
    eps, delta = 0.01, 1e-3
    (n,) = nw.required_n_recalled([1, 1], eps, delta=delta, R=800)
    assert n == math.ceil(math.log(2 / delta))
    q = 1 - (1 - eps / 8) ** 800
    assert 2 * (1 - q**2) ** n > delta
    assert nw.failure_bound([1, 1], eps, R=3048, n=1) > 1e-6  # and with our larger eta in the corner


# ---- the corner (4.5 c) ------------------------------------------------------------------------------------------


def test_corner_by_simulation_of_every_mask_and_resampling():
    """Sup error over [-1, 1] of every choice (one draw of each element, each neuron kept or not), best choice."""
    rng = np.random.default_rng(45)
    eps, R, trials = 0.7, 3, 40_000
    a1, a2, b1, b2 = rng.uniform(-1, 1, (4, trials, R))
    best = np.full(trials, np.inf)
    for i, j, k, m in itertools.product(range(R), repeat=4):
        for keep1, keep2 in itertools.product((0, 1), repeat=2):
            at = {
                x: keep1 * a1[:, i] * np.maximum(b1[:, k] * x, 0) + keep2 * a2[:, j] * np.maximum(b2[:, m] * x, 0)
                for x in (1, -1)
            }
            best = np.minimum(best, np.maximum(abs(at[1] - 1), abs(at[-1] + 1)))  # linear on each half
    failures = (best > eps).sum()
    exact = nw.corner_failure_exact(eps, R)
    assert not refuted(failures, trials, exact)
    assert refuted(failures, trials, math.exp(nw.corner_log_failure_designated(eps, R)))  # control
    assert refuted(failures, trials, nw.corner_failure_exact(eps, R + 1))  # control


@pytest.mark.parametrize("delta", [0.1, 0.01])
def test_corner_by_simulation_at_the_recalled_R(delta):
    rng = np.random.default_rng(46)
    eps, trials = 0.2, 40_000
    R = nw.corner_R(eps, delta)
    top = {}
    for name in ("a1", "a2", "b1", "b2"):
        x = rng.uniform(-1, 1, (trials, R))
        top[name] = x.max(axis=1).clip(0), (-x).max(axis=1).clip(0)
    first, second = ([top["a" + j][s] * top["b" + j][s] >= 1 - eps for s in (0, 1)] for j in "12")
    designated = trials - (first[0] & second[1]).sum()
    free = trials - ((first[0] & second[1]) | (first[1] & second[0])).sum()
    assert not refuted(designated, trials, math.exp(nw.corner_log_failure_designated(eps, R)))
    assert not refuted(free, trials, nw.corner_failure_exact(eps, R))
    assert refuted(designated, trials, 3 * math.exp(nw.corner_log_failure_designated(eps, R)))  # control
    assert refuted(designated, trials, nw.corner_failure_exact(eps, R), "greater")  # control: the roles matter
    assert not refuted(free, trials, delta, "greater")  # the recalled statement holds here


@pytest.mark.parametrize(("eps", "R"), [(0.3, 2), (0.5, 5), (0.9, 3), (0.5, 1), (0.2, 12)])
def test_corner_matches_two_dimensional_quadrature(eps, R):
    """Mean over (max b, -min b) of the probability that the a's help neither or only the second half."""
    with mpmath.workdps(15):
        c = 1 - mpmath.mpf(eps)

        def reach(x):  # largest a that does not help
            return c / x if x > c else mpmath.mpf(1)

        def mean(value):  # mean over R draws of b of value(max, -min)
            total = value(c, c) * c**R  # all |b| <= c
            edge = lambda x: mpmath.mpf(R) / 2 * ((x + c) / 2) ** (R - 1)  # noqa: E731
            total += mpmath.quad(lambda x: edge(x) * (value(x, c) + value(c, x)), [c, 1])
            if R > 1:
                inner = lambda x, y: mpmath.mpf(R) * (R - 1) / 4 * ((x + y) / 2) ** (R - 2) * value(x, y)  # noqa: E731
                total += mpmath.quad(inner, [c, 1], [c, 1])
            return total

        s = mean(lambda x, y: ((reach(x) + reach(y)) / 2) ** R)
        u = mean(lambda x, y: ((1 + reach(x)) / 2) ** R)
        ok_first_only = u - s  # by symmetry: cannot serve x <= 0, can serve x >= 0
        both = 1 - s - 2 * ok_first_only
        failure = 1 - 2 * (both + ok_first_only) ** 2 + both**2
    assert nw.corner_failure_exact(eps, R) == pytest.approx(float(failure), rel=1e-9, abs=0)
    assert math.exp(nw.corner_log_failure_designated(eps, R)) == pytest.approx(float(1 - (1 - u) ** 2), rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("eps", "R", "designated", "exact"),
    [  # to 5 digits, by 40-digit mpmath quadrature of u and s of PROOFS.md, 4.5 (c)
        ("0.1", 305, 4.6938e-6, 1.8696e-11),
        ("0.01", 3048, 7.4502e-6, 5.4583e-11),
        ("0.01", 5603, 3.6105e-11, 1.2621e-21),
    ],
)
def test_corner_numbers(eps, R, designated, exact):
    assert math.exp(nw.corner_log_failure_designated(float(eps), R)) == pytest.approx(designated, rel=5e-5, abs=0)
    assert nw.corner_failure_exact(float(eps), R) == pytest.approx(exact, rel=5e-5, abs=0)
    with mpmath.workdps(30):
        c = 1 - mpmath.mpf(eps)
        cuts = [c + (1 - c) * mpmath.mpf(k) / 40 for k in range(41)]
        u = ((1 + c) / 2) ** R
        u += mpmath.quad(lambda x: mpmath.mpf(R) / 2 * ((1 + x) / 2) ** (R - 1) * ((1 + c / x) / 2) ** R, cuts)
        assert float(u * (2 - u)) == pytest.approx(designated, rel=5e-5, abs=0)


@pytest.mark.parametrize("eps", [0.9, 0.5, 0.1, 0.01, 0.001])
def test_recalled_statement_holds_in_the_corner_down_to_1e_20(eps):
    for delta in 10.0 ** -np.arange(0.5, 20.1, 0.5):
        assert nw.corner_log_failure_exact(eps, nw.corner_R(eps, delta)) <= math.log(delta)


@pytest.mark.parametrize(("eps", "delta"), [(0.1, 1e-24), (0.01, 1e-21), (0.001, 1e-21), (0.5, 1e-34)])
def test_statement_as_recalled_fails_in_the_corner(eps, delta):
    R = nw.corner_R(eps, delta)
    assert nw.required_n_recalled([1, 1], eps, delta=delta, R=R) == (1,)
    assert nw.required_n_recalled([1, 1], eps, delta=delta, R=R - 1) == (2,)
    assert nw.corner_log_failure_exact(eps, R) > math.log(delta)


def test_statement_as_recalled_fails_by_hand():
    """A neuron with all draws of b in (-c, c) serves no half: failure >= (1-eps)^R, no quadrature needed."""
    for eps in (0.1, 0.01):
        R = nw.corner_R(eps, 1e-300)
        assert R * math.log1p(-eps) > math.log(1e-300)
        assert nw.corner_log_failure_exact(eps, R) >= R * math.log1p(-eps)


def test_designated_roles_fail_already_at_1e_6():
    for eps in (0.1, 0.01, 0.001):
        assert nw.corner_log_failure_designated(eps, nw.corner_R(eps, 1e-6)) > math.log(1e-6)
        assert nw.corner_log_failure_designated(eps, nw.corner_R(eps, 1e-4)) <= math.log(1e-4)


@relaxed
@given(st.floats(1e-6, 1), st.integers(1, 10**7))
@example(1.0, 1)
@example(1e-12, 10**13)
def test_corner_properties(eps, R):
    exact, designated = nw.corner_log_failure_exact(eps, R), nw.corner_log_failure_designated(eps, R)
    assert exact <= designated + 1e-9
    assert designated <= 0
    assert nw.corner_log_failure_exact(eps, R + 1) <= exact + 1e-8
    assert exact <= nw.log_failure_bound([1, 1], eps, R=R, n=1) + 1e-9
    if eps < 1:
        assert exact >= R * math.log1p(-eps) - 1e-9
    else:
        assert exact == -math.inf


# ---- the interface -----------------------------------------------------------------------------------------------


def test_source_width_counts():
    answer = nw.source_width([3, 2, 1], eps=0.5, delta=0.01, R=2000, statement="recalled")
    # 64*4*9*2/(.25*4e6)*log(2*2*3*2/.01) = .0359 and 64*4*4*1/1e6*log(800) = .0068: n = 1 in both layers
    assert (answer.n, answer.source_widths) == ((1, 1), (3, 6, 2, 4, 1))
    assert answer.width_factor == 2
    assert answer.param_factor == (18 + 12 + 8 + 4) / (6 + 2)
    assert (answer.status, answer.assumption) == ("recalled", "Frobenius norm <= 1")
    answer = nw.source_width([3, 2, 1], eps=0.5, delta=0.01, R=5)
    assert answer.source_widths == (3, 6 * answer.n[0], 2, 4 * answer.n[1], 1)
    assert (answer.status, answer.assumption) == ("proved", "spectral norm <= 1")


@relaxed
@given(shapes, accuracies, deltas, draws, st.sampled_from(["ours", "repaired"]), domains)
def test_source_width_is_sufficient(widths, eps, delta, R, statement, domain):
    answer = nw.source_width(widths, eps=eps, delta=delta, R=R, statement=statement, domain=domain)
    assert answer.log_failure_bound <= math.log(delta) + 1e-12
    assert answer.failure_bound <= delta * (1 + 1e-12)
    assert answer.source_widths[::2] == tuple(widths)


@relaxed
@given(shapes, accuracies, deltas, draws)
def test_linf_needs_no_less_than_l2(widths, eps, delta, R):
    for statement in ("ours", "repaired"):
        l2, linf = (
            nw.source_width(widths, eps=eps, delta=delta, R=R, statement=statement, domain=domain)
            for domain in ("l2", "linf")
        )
        assert sum(linf.n) >= sum(l2.n) or statement == "ours"
        assert nw.failure_bound(widths, eps, R=R, n=linf.n) <= delta * (1 + 1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nw.layer_etas([3], 0.1), r"widths must hold at least 2 integers.*got widths=\[3\]"),
        (lambda: nw.layer_etas([3, 0], 0.1), r"widths\[1\] must be an integer >= 1, got widths\[1\]=0"),
        (lambda: nw.layer_etas([3, 2], 0), r"eps must be in \(0, 1\], got eps=0"),
        (lambda: nw.layer_etas([3, 2], 0.1, domain="l1"), "domain must be 'l2' or 'linf', got domain='l1'"),
        (lambda: nw.required_n_ours([3, 2], 0.1, delta=1, R=1), r"delta must be in \(0, 1\), got delta=1"),
        (
            lambda: nw.failure_bound([3, 2], 0.1, R=1, n=[1, 2]),
            r"n must have one entry per layer \(1\), got n=\[1, 2\]",
        ),
        (
            lambda: nw.source_width([3, 2], eps=0.1, delta=0.1, R=1, statement="x"),
            "statement must be .* got statement='x'",
        ),
        (
            lambda: nw.required_n_ours([3, 2], 1e-200, delta=0.1, R=1),
            "eps must be large enough for n <= 2.*got eps=1e-200",
        ),
        (lambda: nw.required_n_repaired([2, 2], 0.1, delta=0.1, R=1, domain="x"), "domain must be .* got domain='x'"),
    ],
)
def test_errors_quote_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
