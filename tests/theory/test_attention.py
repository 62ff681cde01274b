"""Statement 4.10 (attention): formulas against mpmath and plain loops, designs against simulation, extremes."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats import assert_at_most
from theory.attention import (
    AttentionTheorem,
    attention_error_bound,
    attention_etas,
    entry_failure_bound,
    log_pick_failure_bound,
    log_plain_shift_failure_bound,
    required_neurons,
    softmax_distance_bound,
)
from theory.product_sum import required_neurons as required_with_relu


@given(st.floats(0, 1e6))
def test_softmax_distance_is_rounded_up(sigma: float) -> None:
    with mpmath.workdps(60):
        assert mpmath.mpf(softmax_distance_bound(sigma)) >= 2 * mpmath.tanh(mpmath.mpf(sigma) / 2)
    assert softmax_distance_bound(sigma) <= 2 * math.tanh(sigma / 2) * (1 + 1e-13) + 1e-322


@given(
    st.floats(1e-6, 1e6),
    st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 10)), min_size=1, max_size=5),
)
def test_error_bound_is_rounded_up(radius: float, heads: list[tuple[float, float, float]]) -> None:
    scores, values, norms = (list(one) for one in zip(*heads, strict=True))
    found = attention_error_bound(radius, score_errors=scores, value_errors=values, value_norms=norms)
    with mpmath.workdps(60):
        a = mpmath.mpf(radius)
        exact = sum(
            a * (2 * mpmath.tanh(a**2 * mpmath.mpf(e) / 2) * mpmath.mpf(v) + mpmath.mpf(f)) for e, f, v in heads
        )
        assert mpmath.mpf(found) >= exact
        assert mpmath.mpf(found) <= exact * (1 + mpmath.mpf(10) ** -12) + mpmath.mpf(10) ** -250


@given(st.integers(1, 10**6), st.floats(5e-324, 1), st.floats(1e-3, 1e3), st.integers(1, 10**4), st.integers(1, 10**6))
def test_etas_keep_the_error_within_eps(d: int, eps: float, radius: float, heads: int, out: int) -> None:
    """Put back exactly, both halves are at most eps/2, and nearly that where no entry's error is cut at 1."""
    if eps < 1e-280:
        with pytest.raises(ValueError, match="1e-300"):
            attention_etas(10**6, eps, radius=1e3, heads=heads, out=10**6)
        return
    scores, values = attention_etas(d, eps, radius=radius, heads=heads, out=out)
    with mpmath.workdps(60):
        half, size, a = mpmath.mpf(eps) / 2, heads * mpmath.mpf(radius), mpmath.mpf(radius)
        first = 2 * size * mpmath.tanh(d * a**2 * mpmath.mpf(scores) / 2)
        second = size * mpmath.sqrt(mpmath.mpf(d) * out) * mpmath.mpf(values)
        assert first <= half
        assert second <= half
        assert scores == 1 or first >= half * (1 - mpmath.mpf(10) ** -9)
        assert values == 1 or second >= half * (1 - mpmath.mpf(10) ** -9)


def test_etas_at_the_edge_of_the_artanh() -> None:
    for step in range(-4, 5):
        radius = 0.25 * (1 + step * 2.0**-52)
        (scores, _), x = attention_etas(1, 1.0, radius=radius), mpmath.mpf(radius)
        with mpmath.workdps(60):
            assert 2 * x * mpmath.tanh(x**2 * mpmath.mpf(scores) / 2) <= mpmath.mpf(1) / 2


def exact_pick(eta: float, R: int, reach: float) -> mpmath.mpf:
    """P(one neuron has a contribution within eta of reach), by quadrature."""

    def hit(beta: mpmath.mpf) -> mpmath.mpf:
        one = max(0, min(beta, reach + eta) - (reach - eta)) / (2 * beta)
        return R * beta ** (R - 1) * (1 - (1 - one) ** R)

    return mpmath.quad(hit, [max(0, mpmath.mpf(reach) - eta), mpmath.mpf(reach) + eta, 1])


@pytest.mark.parametrize(("eta", "R", "reach"), [(0.1, 1, 0.5), (0.01, 7, 0.25), (1e-4, 300, 0.4375), (0.4, 2, 0.4)])
def test_picks_by_quadrature(eta: float, R: int, reach: float) -> None:
    true = mpmath.log(1 - exact_pick(eta, R, reach))
    found = log_pick_failure_bound(1, eta, R, reach=reach)
    assert true <= found <= 0.97 * true
    assert log_pick_failure_bound(9, eta, R, reach=reach) == 9 * found


def contributions(rng: np.random.Generator, trials: int, n: int, R: int) -> np.ndarray:
    """All values of n neurons, one draw at a time; no code of ours."""
    found = np.empty((trials, n, R))
    for t, k in itertools.product(range(trials), range(n)):
        b = max((abs(rng.uniform(-1, 1)) for _ in range(R)), default=0.0)
        found[t, k] = rng.uniform(-1, 1, R) * b
    return found


@pytest.mark.parametrize(("eta", "R", "reach"), [(0.1, 1, 0.5), (0.01, 7, 0.25), (0.4, 20, 0.4375)])
def test_sums_over_cells_are_rounded_up(eta: float, R: int, reach: float) -> None:
    from theory.attention import entry

    cells = entry._log_misses(np.array([reach - eta if reach > eta else 0.0]), np.array([reach + eta]), R)[:, 0]
    levels = entry._levels().tolist()
    with mpmath.workdps(40):
        shares = [mpmath.mpf(b) - mpmath.mpf(a) for a, b in itertools.pairwise(levels)]
        exact = mpmath.log(mpmath.fsum(share * mpmath.exp(cell) for share, cell in zip(shares, cells, strict=True)))
        found = entry.log_pick_failure_bound(1, eta, R, reach=reach)
        assert exact <= found <= exact + 1e-10


@pytest.mark.parametrize(("n", "R", "reach"), [(10, 1, 0.4375), (4, 5, 0.25)])
def test_shift_by_loops(n: int, R: int, reach: float) -> None:
    values = contributions(np.random.default_rng(7), 4000, n, R)
    sums = np.where((values > 0) & (values <= 2 * reach), values, 0).max(axis=2).sum(axis=1)
    assert_at_most(int((sums < 1 - reach).sum()), 4000, math.exp(log_plain_shift_failure_bound(n, R, reach=reach)))


def pruned(design, values: np.ndarray, w: float, eta: float) -> bool:
    """The proof's construction with picks for one weight: whether it comes within eta."""
    rest = w
    for k in range(design.shift):
        if abs(rest) <= design.reach:
            break
        good = [abs(z) for z in values[k] if 0 < math.copysign(z, z * w) <= 2 * design.reach]
        rest -= math.copysign(max(good, default=0.0), w)
    if not design.group:
        return abs(rest) <= eta
    return bool((np.abs(values[design.shift :] - rest) <= eta).any())


@pytest.mark.parametrize(("eta", "R", "w"), [(0.2, 4, 1.0), (0.1, 30, -0.9), (0.3, 2, 0.3)])
def test_designs_with_picks_keep_their_promise(eta: float, R: int, w: float) -> None:
    delta, trials = 0.25, 1500
    design = required_neurons(eta, delta, R=R, construction="picks")
    assert 0.4 * delta <= design.failure_bound <= delta or design.neurons <= 4
    values = contributions(np.random.default_rng(11), trials, design.neurons, R)
    failures = sum(not pruned(design, one, w, eta) for one in values)
    assert_at_most(failures, trials, design.failure_bound)


def test_fewer_neurons_than_with_a_relu() -> None:
    for R in (1, 3, 40):
        assert required_neurons(0.05, 0.01, R=R).neurons < 0.75 * required_with_relu(0.05, 0.01, R=R).neurons


@pytest.mark.parametrize("R", [1, 2, 10**18])
@pytest.mark.parametrize("delta", [1e-30, 0.5, 1 - 2.0**-53])
def test_extremes(R: int, delta: float) -> None:
    for eta in (1e-12, 1.0):
        one = required_neurons(eta, delta, R=R, construction="picks")
        assert one.failure_bound <= delta
        assert one.neurons == one.shift + one.group
    assert (
        required_neurons(0.03, delta, R=R).neurons <= required_neurons(0.03, delta, R=R, construction="picks").neurons
    )
    for name, wrong in (("eta", (1e-13, 0.5)), ("delta", (0.5, 1e-31)), ("eta", (0.0, 0.5)), ("delta", (0.5, 1.0))):
        with pytest.raises(ValueError, match=name):
            required_neurons(*wrong, R=R)


def test_failure_bound_inverts_the_requirement() -> None:
    for R, kind in ((50, "picks"), (2, "least")):
        n = required_neurons(0.1, 2.0**-7, R=R, construction=kind).neurons
        assert entry_failure_bound(n, 0.1, R, construction=kind) <= 2.0**-7
        assert entry_failure_bound(n - 1, 0.1, R, construction=kind) > 2.0**-7


def test_the_question() -> None:
    asked = AttentionTheorem(widths=(3, 3, 5), heads=2, head_size=2, radius=2.0, eps=0.4, R=200)
    assert asked.entries == (18, 30)
    assert asked.etas == attention_etas(3, 0.4, radius=2.0, heads=2, out=5)
    n = asked.required_counts(0.1)
    source = asked.source_width(0.1)
    assert source.source_widths == (3, 3 * n[0], 3, 3 * n[1], 5)
    assert source.log_failure_bound <= math.log(0.1)
    assert 0.8 <= asked.success_lower(n) <= 1
    assert asked.success_lower(1) == 0.0
    assert AttentionTheorem(widths=(3, 3, 5), construction="picks", R=10**9).required_counts(1e-3) == (2, 2)
    for wrong in (
        {"widths": (3, 4, 5)}, {"widths": (3, 3)}, {"heads": 0}, {"head_size": 9}, {"radius": 0.0},
        {"radius": math.inf}, {"statement": "recalled"}, {"domain": "linf"}, {"construction": "halves"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AttentionTheorem(**wrong)
    with pytest.raises(ValueError, match="n must be"):
        asked.success_lower((1, 2, 3))
    with pytest.raises(ValueError, match="sigma"):
        softmax_distance_bound(-1.0)
    with pytest.raises(ValueError, match="score_errors"):
        attention_error_bound(1.0, score_errors=[-1], value_errors=[0], value_norms=[1])
