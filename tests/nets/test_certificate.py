"""The certificate's bracket against the exact sup of tiny networks, and against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nets.certificate import certify, certify_batch, first_layer_sup, spectral_norm_upper
from nets.certificate.ascent import _value_and_slope
from nets.targets.target import Target, random_target
from tests.naive_regions import difference, exact_sup

DOMAIN = st.sampled_from(["l2", "linf"])
# Squares of entries below 1e-100 underflow in the twin, which knows no scaling.
ENTRY = st.one_of(st.floats(-2.0, 2.0).map(lambda v: v if abs(v) > 1e-100 else 0.0), st.integers(-2, 2).map(float))
# The twin finds directions to about 1e-15 and its matrices to a few u times the product of norms (at most 10^4 here).
TWIN = 1e-11


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices this small gain nothing from threads, and on a busy machine they lose a lot."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@st.composite
def matrices(draw, rows, columns):
    flat = draw(st.lists(ENTRY, min_size=rows * columns, max_size=rows * columns))
    return np.array(flat).reshape(rows, columns)


@st.composite
def problems(draw, max_depth=3, max_hidden=4):
    """Target, the first W-, and all W+, sizes of error between 1e-6 and 1, as numpy arrays."""
    depth = draw(st.integers(1, max_depth))
    widths = [draw(st.integers(1, 2)), *(draw(st.integers(1, max_hidden)) for _ in range(depth - 1))]
    widths.append(draw(st.integers(1, 3)))
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    target = [draw(matrices(*shape)) for shape in shapes]
    size = draw(st.sampled_from([1.0, 0.1, 1e-3, 1e-6]))
    plus = [w + size * draw(matrices(*w.shape)) for w in target]
    minus = target[0] + size * draw(matrices(*shapes[0]))
    return target, minus, plus


def as_torch(target, minus, plus):
    pairs = [(torch.from_numpy(w), torch.from_numpy(minus) if i == 0 else None) for i, w in enumerate(plus)]
    return Target(tuple(torch.from_numpy(w) for w in target)), pairs


def assert_brackets(lower, upper, exact, scale):
    assert lower <= exact * (1 + 1e-12) + TWIN * scale, f"lower {lower} above the exact sup {exact}"
    assert upper >= exact * (1 - 1e-12) - TWIN * scale, f"upper {upper} below the exact sup {exact}"


def scale_of(target, plus):
    return max(1.0, math.prod(np.linalg.norm(w) + np.linalg.norm(v) for w, v in zip(target, plus, strict=True)) / 1e3)


@settings(max_examples=150)
@given(problem=problems(), domain=DOMAIN)
def test_bracket_holds_the_exact_sup(problem, domain):
    target, minus, plus = problem
    exact = exact_sup(target, minus, plus, domain)
    found = certify(*as_torch(target, minus, plus), domain=domain, starts=32, steps=10)
    assert_brackets(found.lower, found.upper, exact, scale_of(target, plus))


@settings(max_examples=40)
@given(problem=problems(max_depth=2), domain=DOMAIN)
def test_lower_end_comes_close_to_the_exact_sup(problem, domain):
    target, minus, plus = problem
    exact = exact_sup(target, minus, plus, domain)
    found = certify(*as_torch(target, minus, plus), domain=domain, starts=128, steps=75)
    assert found.lower >= 0.95 * exact - 1e-9 * scale_of(target, plus)


@given(problem=problems(), domain=DOMAIN)
def test_lower_end_is_attained_at_the_witness_in_exact_arithmetic(problem, domain):
    """Evaluate both networks at the witness in rationals: lower^2 ||x||^2 <= ||g(x) - f(x)||^2, no tolerance."""
    target, minus, plus = problem
    found = certify(*as_torch(target, minus, plus), domain=domain, starts=8, steps=4)
    x = [Fraction(v) for v in found.witness]
    f = x
    for i, w in enumerate(target):
        f = rational(w, [max(v, 0) for v in f] if i else f)
    g = rational(np.hstack([plus[0], -minus]), [max(v, 0) for v in x] + [max(-v, 0) for v in x])
    for w in plus[1:]:
        g = rational(w, [max(v, 0) for v in g])
    gap2 = sum(((a - b) ** 2 for a, b in zip(f, g, strict=True)), Fraction(0))
    length2 = sum(v * v for v in x) if domain == "l2" else max(abs(v) for v in x) ** 2
    assert abs(length2 - 1) < 1e-12
    assert Fraction(found.lower) ** 2 * length2 <= gap2
    scale = Fraction(scale_of(target, plus)) * Fraction(1e-9)
    assert float(gap2) ** 0.5 <= found.upper * (1 + 1e-12)
    assert Fraction(found.lower) >= Fraction(math.sqrt(gap2)) * (1 - Fraction(1e-9)) - scale  # the slack is small


def rational(w, v):
    return [sum((Fraction(a) * b for a, b in zip(row, v, strict=True)), Fraction(0)) for row in w.tolist()]


def test_a_bracket_that_is_too_low_or_too_high_is_caught():
    """Control: with one layer and equal halves the upper end is the norm itself, so 1 % less must fail the check."""
    target = [np.array([[1.0, 0.5], [-0.5, 2.0]])]
    plus = [target[0] + np.array([[0.1, 0.3], [0.2, -0.1]])]
    for domain in ("l2", "linf"):
        exact = exact_sup(target, plus[0], plus, domain)
        found = certify(*as_torch(target, plus[0], plus), domain=domain)
        assert_brackets(found.lower, found.upper, exact, 1.0)
        with pytest.raises(AssertionError, match="below the exact sup"):
            assert_brackets(0.0, 0.99 * exact, exact, 1.0)
        with pytest.raises(AssertionError, match="above the exact sup"):
            assert_brackets(1.01 * exact, found.upper, exact, 1.0)
        if domain == "l2":
            assert found.upper == pytest.approx(exact, rel=1e-12)
        assert found.lower == pytest.approx(exact, rel=1e-9)


def test_the_twin_agrees_with_a_dense_grid():
    """The twin itself, against sheer force: the grid is never above it, and within its mesh below."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        target = [rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), rng.normal(size=(2, 3))]
        plus = [w + 0.3 * rng.normal(size=w.shape) for w in target]
        minus = target[0] + 0.3 * rng.normal(size=(3, 2))
        angles = np.linspace(0, 2 * np.pi, 4001)
        points = np.stack([np.cos(angles), np.sin(angles)], 1)
        for domain in ("l2", "linf"):
            if domain == "linf":
                points = points / np.abs(points).max(1, keepdims=True)
            grid = max(np.linalg.norm(difference(x, target, minus, plus)) for x in points)
            exact = exact_sup(target, minus, plus, domain)
            assert grid <= exact * (1 + 1e-12)
            assert grid >= exact * (1 - 1e-2)


@pytest.mark.parametrize("domain", ["l2", "linf"])
@pytest.mark.parametrize("share", [0.5, 0.25, 1.5])
@pytest.mark.parametrize("depth", [2, 3])
def test_chains_of_one_neuron_are_bounded_exactly(depth, share, domain):
    """f(x) = s(x) and each pruned weight is `share`: the error is |1 - share^depth|, .75 for two halved layers."""
    one = torch.ones(1, 1, dtype=torch.float64)
    found = certify(Target((one,) * depth), [(share * one, share * one)] * depth, domain=domain)
    exact = abs(1 - Fraction(share) ** depth)
    assert Fraction(found.lower) <= exact <= Fraction(found.upper) <= exact * Fraction(1 + 1e-12)
    assert found.lower >= float(exact) * (1 - 1e-12)


@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_hand_calculations(domain):
    """F = 1 with one input: the error is max(|W+ - 1|, |W- - 1|), and both ends are that number."""
    target = Target((torch.ones(1, 1, dtype=torch.float64),))
    for plus, minus, answer in [(1.25, 1.0, 0.25), (1.0, 1.5, 0.5), (0.5, 0.75, 0.5), (1.0, 1.0, 0.0)]:
        found = certify(target, [tuple(torch.tensor([[v]], dtype=torch.float64) for v in (plus, minus))], domain=domain)
        assert found.lower == pytest.approx(answer, rel=1e-12)
        assert answer <= found.upper <= max(math.hypot(plus - 1, minus - 1), 0.0) * (1 + 1e-12)


@given(problem=problems(), domain=DOMAIN)
def test_equal_networks_have_certificate_zero(problem, domain):
    target, _, _ = problem
    found = certify(*as_torch(target, target[0], target), domain=domain, starts=4, steps=3)
    assert (found.lower, found.upper) == (0.0, 0.0)
    assert found.verdict(1e-300) == "holds"


@given(problem=problems(), domain=DOMAIN, power=st.integers(-60, 60))
def test_scaling_a_layer_by_a_power_of_two_scales_the_bracket_exactly(problem, domain, power):
    """Both networks are positively homogeneous in each layer, and such a scaling commutes with rounding."""
    target, minus, plus = problem
    target = [w * (np.abs(w) > 1e-3) for w in target]  # the rest is too small to scale without loss
    plus = [w * (np.abs(w) > 1e-3) for w in plus]
    minus = minus * (np.abs(minus) > 1e-3)
    base = certify(*as_torch(target, minus, plus), domain=domain, starts=8, steps=3)
    c = 2.0**power
    first = certify(
        *as_torch([c * target[0], *target[1:]], c * minus, [c * plus[0], *plus[1:]]), domain=domain, starts=8, steps=3
    )
    assert first.upper == pytest.approx(c * base.upper, rel=1e-11)
    assert first.lower == pytest.approx(c * base.lower, rel=1e-6, abs=c * 1e-10 * scale_of(target, plus))


@given(problem=problems())
def test_upper_is_never_above_the_plain_recursion_of_the_theory(problem):
    """e_i <= ||Delta_i|| (H + e) + ||F_i|| e by numpy's norms, with the stacked halves in layer 1."""
    target, minus, plus = problem
    error, hidden = np.linalg.norm(np.hstack([plus[0] - target[0], minus - target[0]]), 2), np.linalg.norm(target[0], 2)
    for w, f in zip(plus[1:], target[1:], strict=True):
        delta, norm = np.linalg.norm(w - f, 2), np.linalg.norm(f, 2)
        error, hidden = delta * (hidden + error) + norm * error, norm * hidden
    net, pairs = as_torch(target, minus, plus)
    assert certify(net, pairs, starts=1, steps=0).upper <= error * (1 + 1e-11)
    factor = math.sqrt(target[0].shape[1])
    assert certify(net, pairs, domain="linf", starts=1, steps=0).upper <= factor * error * (1 + 1e-11)


def test_slope_of_the_ascent_is_autograd_s():
    """The hand-written gradient against autograd on a plain forward pass, up to its scaling."""
    generator = torch.Generator().manual_seed(6)
    shapes = [(5, 3), (4, 5), (2, 4)]
    f_net, g_net = ([torch.randn((1, *s), generator=generator, dtype=torch.float64) for s in shapes] for _ in range(2))
    minus = torch.randn((1, 5, 3), generator=generator, dtype=torch.float64)
    x = torch.randn((1, 20, 3), generator=generator, dtype=torch.float64, requires_grad=True)
    f, g = x @ f_net[0].mT, torch.relu(x) @ g_net[0].mT - torch.relu(-x) @ minus.mT
    for v, w in zip(f_net[1:], g_net[1:], strict=True):
        f, g = torch.relu(f) @ v.mT, torch.relu(g) @ w.mT
    norm = torch.linalg.vector_norm(g - f, dim=-1)
    (want,) = torch.autograd.grad(norm.sum(), x)
    lifted = [torch.cat([g_net[0], -minus], -1), *g_net[1:]]
    turned = ([w.mT.contiguous() for w in net] for net in (f_net, lifted))
    value, slope = _value_and_slope(x.detach(), f_net, lifted, *turned)
    assert torch.allclose(value.squeeze(-1), norm.detach(), rtol=1e-12)
    assert torch.allclose(slope, want / want.abs().amax(-1, keepdim=True), rtol=1e-9, atol=1e-12)


def test_layer_rows_are_the_recursion():
    target = random_target((4, 8, 3), "spectral", seed=1)
    generator = torch.Generator().manual_seed(2)
    pairs = [
        tuple(w + 0.01 * torch.randn(w.shape, generator=generator, dtype=torch.float64) for _ in range(2))
        for w in target.weights
    ]
    found = certify(target, pairs)
    assert [row.index for row in found.layers] == [1, 2]
    assert found.layers[-1].error == found.upper
    first, second = found.layers
    assert second.delta_norm == pytest.approx(float(torch.linalg.matrix_norm(pairs[1][0] - target.weights[1], 2)))
    assert (first.target_norm, second.target_norm) == pytest.approx((1.0, 1.0))
    f1, f2 = (w.numpy() for w in target.weights)
    change = pairs[1][0].numpy() - f2
    stacked = np.hstack([w.numpy() - f1 for w in pairs[0]])
    assert np.linalg.norm(f2 @ f1, 2) / 2 <= second.hidden <= min(1.0, halves(f2, f1)) * (1 + 1e-9)
    of_change = min(second.delta_norm, halves(change, f1)) + second.delta_norm * first.error
    through = min(first.error, halves(f2, stacked))
    assert second.error <= (of_change + through) * (1 + 1e-9)
    assert second.error >= np.linalg.norm(change @ f1 + f2 @ (stacked[:, :4] + stacked[:, 4:]) / 2, 2) / 2


def halves(w, d):
    """The plainer half-split bound by NumPy: ||W D|| / 2 + ||W T^(1/2)|| ||T^(-1/2) D|| / 2, without its rounding."""
    root = np.sqrt(np.linalg.norm(d, axis=1) / np.linalg.norm(w, axis=0))
    around = np.linalg.norm(w * root, 2) * np.linalg.norm(d / root[:, None], 2)
    return (np.linalg.norm(w @ d, 2) + around) / 2


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), power=st.integers(-300, 300), data=st.data())
def test_spectral_bound_is_above_the_norm_in_exact_arithmetic(rows, columns, power, data):
    """bound^2 I - A'A must be positive semidefinite: exact LDL' in rationals, no tolerance; and the bound is tight."""
    a = data.draw(matrices(rows, columns)) * 2.0**power
    bound = float(spectral_norm_upper(torch.from_numpy(a)[None])[0])
    exact = [[Fraction(v) for v in row] for row in a.tolist()]
    assert is_psd(bound, exact)
    if np.abs(a).max() > 1e-290:
        assert not is_psd(bound * (1 - 1e-12), exact)
    assert (bound == 0) == (not a.any())


def is_psd(bound, a):
    """Tell whether bound^2 I - A'A is positive semidefinite, by symmetric elimination in rationals."""
    n = len(a[0])
    m = [[Fraction(bound) ** 2 * (i == j) - sum(r[i] * r[j] for r in a) for j in range(n)] for i in range(n)]
    for k in range(n):
        if m[k][k] < 0 or (m[k][k] == 0 and any(m[k][j] for j in range(k + 1, n))):
            return False
        if m[k][k] == 0:
            continue
        for i in range(k + 1, n):
            ratio = m[i][k] / m[k][k]
            for j in range(k + 1, n):
                m[i][j] -= ratio * m[k][j]
    return True


def test_spectral_bound_at_the_ends_of_the_range():
    tiny = torch.full((1, 2, 3), 2.0**-1074, dtype=torch.float64)
    huge = torch.full((1, 3, 2), 1e308, dtype=torch.float64)
    assert float(spectral_norm_upper(tiny)) >= math.sqrt(6) * 2.0**-1074
    assert float(spectral_norm_upper(huge)) == math.inf
    assert float(spectral_norm_upper(huge / 4)) == pytest.approx(1e308 / 4 * math.sqrt(6))
    assert float(spectral_norm_upper(torch.full((1, 1, 1), math.inf, dtype=torch.float64))) == math.inf


def test_spectral_bound_survives_a_failing_or_lying_eigensolver(monkeypatch):
    generator = torch.Generator().manual_seed(3)
    a = torch.randn((4, 5, 7), generator=generator, dtype=torch.float64)
    norms = torch.linalg.matrix_norm(a, 2)
    real = torch.linalg.eigh

    class Answer:
        def __init__(self, vectors):
            self.eigenvectors = vectors

    def fails(_):
        raise torch.linalg.LinAlgError("did not converge")

    def random_answer(gram):
        return Answer(torch.randn(gram.shape, generator=generator, dtype=torch.float64))

    def nearly_right(gram):
        return Answer(real(gram).eigenvectors * (1 - 1e-3))

    for answer in (fails, random_answer, nearly_right, lambda gram: Answer(torch.zeros_like(gram))):
        monkeypatch.setattr(torch.linalg, "eigh", answer)
        assert bool((spectral_norm_upper(a) >= norms * (1 - 1e-14)).all())


@given(data=st.data(), d_in=st.integers(1, 4), d_out=st.integers(1, 3), domain=DOMAIN)
def test_first_layer_bound_covers_every_sign_pattern(data, d_in, d_out, domain):
    """On an orthant the map is linear, so its exact sup over corners (linf) or by SVD over all of it (l2) is known."""
    plus, minus = data.draw(matrices(d_out, d_in)), data.draw(matrices(d_out, d_in))
    bound = float(first_layer_sup(torch.from_numpy(plus)[None], torch.from_numpy(minus)[None], domain)[0])
    for bits in range(2**d_in):
        sign = np.array([1.0 if bits >> j & 1 else -1.0 for j in range(d_in)])
        matrix = np.where(sign > 0, plus, minus)
        top = np.linalg.norm(matrix @ sign)
        if domain == "l2":
            v = np.linalg.svd(matrix)[2][0]
            inside = np.all(v * sign >= 0) or np.all(-v * sign >= 0)
            top = max(top / math.sqrt(d_in), np.linalg.norm(matrix, 2) if inside else 0.0)
        assert top <= bound * (1 + 1e-12)


def test_batch_equals_one_by_one_and_seed_fixes_it():
    target = random_target((4, 8, 3), seed=1)
    generator = torch.Generator().manual_seed(4)
    pairs = [
        tuple(w + 0.05 * torch.randn((6, *w.shape), generator=generator, dtype=torch.float64) for _ in range(2))
        for w in target.weights
    ]
    for domain in ("l2", "linf"):
        batch = certify_batch(target, pairs, domain=domain, seed=7)
        assert len(batch) == 6
        assert batch.rows.shape == (6, 2, 4)
        for b, one in enumerate(batch):
            alone = certify(target, [(p[b], m[b]) for p, m in pairs], domain=domain, seed=7)
            assert alone == certify(target, [(p[b], m[b]) for p, m in pairs], domain=domain, seed=7)
            assert (alone.lower, alone.upper) == pytest.approx((one.lower, one.upper), rel=1e-6)
            assert one.upper == float(batch.upper[b])
            assert 0 < one.lower <= one.upper


def test_chunks_do_not_change_the_answer(monkeypatch):
    target = random_target((3, 5, 2), seed=1)
    generator = torch.Generator().manual_seed(4)
    pairs = [tuple(torch.randn((5, *w.shape), generator=generator, dtype=torch.float64) for _ in range(2))
             for w in target.weights]  # fmt: skip
    whole = certify_batch(target, pairs)
    monkeypatch.setattr("nets.certificate.bracket._CHUNK_BYTES", 1)
    chunked = certify_batch(target, pairs)
    assert torch.allclose(whole.lower, chunked.lower, rtol=1e-9, atol=0)
    assert torch.allclose(whole.upper, chunked.upper, rtol=1e-12, atol=0)


@pytest.mark.parametrize("share", [0.5, 0.25, 1.5])
@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_layers_that_are_too_small_or_too_large_by_a_share(share, domain):
    """x -> relu(relu(x)) with both weights times a share: the outputs differ by |1 - share^2| at x = 1."""
    one, made = torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), share, dtype=torch.float64)
    for layers in (2, 3):
        found = certify(Target((one,) * layers), [(made, made), *[(made, None)] * (layers - 1)], domain=domain)
        assert found.lower <= abs(1 - share**layers) * (1 + 1e-12)
        assert found.upper >= abs(1 - share**layers)
        assert found.upper <= abs(1 - share**layers) * (1 + 1e-9)


def test_a_ball_and_a_box_of_one_input_are_the_same():
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=shape) for shape in ((5, 1), (5, 5), (5, 5), (2, 5))]
    plus = [w + 0.1 * rng.normal(size=w.shape) for w in weights]
    ball, box = (certify(*as_torch(weights, plus[0], plus), domain=domain) for domain in ("l2", "linf"))
    assert box.upper == pytest.approx(ball.upper, rel=1e-9)
    assert [one.error for one in box.layers] == pytest.approx([one.error for one in ball.layers], rel=1e-9)


def test_a_bracket_that_contradicts_itself_is_never_returned(monkeypatch):
    from nets.certificate import bracket

    honest = bracket._upper
    monkeypatch.setattr(bracket, "_upper", lambda *args: (honest(*args)[0], honest(*args)[1] / 2))
    one, half = torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), 0.5, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="certificate contradicts itself"):
        certify(Target((one, one)), [(half, half), (half, None)])


def test_minus_half_matters_in_the_first_layer_only():
    target = random_target((3, 4, 2), seed=1)
    f1, f2 = target.weights
    spoiled = certify(target, [(f1, f1 + 1), (f2, None)])
    assert spoiled.lower > 0.1
    assert certify(target, [(f1, f1), (f2, f2 + 1)]).upper == 0


def test_verdicts():
    target = random_target((3, 4, 2), seed=1)
    f1, f2 = target.weights
    found = certify(target, [(f1 + 0.1, f1 - 0.1), (f2 + 0.1, None)])
    assert 0 < found.lower < found.upper
    assert found.verdict(found.upper) == "holds"
    assert found.verdict(found.lower) == "undecided"
    assert found.verdict(math.nextafter(found.lower, 0)) == "refuted"
    assert found.verdict(math.nextafter(found.upper, 0)) == "undecided"
    for eps in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"eps must be (> 0|a finite number), got"):
            found.verdict(eps)


def test_bad_arguments_are_refused():
    target = random_target((3, 4, 2), seed=1)
    f1, f2 = target.weights
    good = [(f1, f1), (f2, f2)]
    nan = f1.clone()
    nan[0, 0] = math.nan
    for pairs, options, message in [
        (good, {"domain": "l1"}, "domain must be one of .* got domain='l1'"),
        (good, {"starts": 0}, "starts must be an integer in"),
        (good, {"steps": -1}, "steps must be an integer in"),
        (good[:1], {}, "one pair for each of 2 layers, got 1"),
        ([(f1, None), (f2, f2)], {}, r"effective\[0\] W_minus must be given"),
        ([(f1, f1), (f1, f1)], {}, r"effective\[1\] W_plus must have shape \(2, 4\), got \(4, 3\)"),
        ([(f1.float(), f1), (f2, f2)], {}, r"effective\[0\] W_plus must be float64, got torch.float32"),
        ([(nan, f1), (f2, f2)], {}, r"effective\[0\] W_plus must be finite"),
        ([(f1, nan), (f2, f2)], {}, r"effective\[0\] W_minus must be finite"),
        ([f1, f2], {}, r"effective\[0\] must be a pair"),
    ]:
        with pytest.raises(ValueError, match=message):
            certify(target, pairs, **options)


def test_weights_at_the_end_of_the_range_give_an_infinite_upper_end_and_no_nan():
    target = Target((torch.full((2, 2), 1e200, dtype=torch.float64), torch.full((1, 2), 1e200, dtype=torch.float64)))
    found = certify(target, [(-target.weights[0], target.weights[0]), (target.weights[1], None)])
    assert found.upper == math.inf
    assert found.lower >= 0


@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_certificates_agree_elsewhere(domain, elsewhere):
    target = random_target((16, 32, 4), seed=1)
    generator = torch.Generator().manual_seed(4)
    pairs = [
        tuple(w + 0.05 * torch.randn((3, *w.shape), generator=generator, dtype=torch.float64) for _ in range(2))
        for w in target.weights
    ]
    cpu = certify_batch(target, pairs, domain=domain)
    with elsewhere as device:
        found = certify_batch(target, pairs, domain=domain, device=device)
    lower, upper = found.lower.cpu(), found.upper.cpu()
    assert torch.allclose(cpu.upper, upper, rtol=1e-9)
    assert torch.allclose(cpu.lower, lower, rtol=0.05)
    assert bool((lower <= cpu.upper).all())
