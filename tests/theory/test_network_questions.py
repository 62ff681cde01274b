"""Binary weights, products and the main theorem as questions: canonical, validated, and the plain functions inside."""

from __future__ import annotations

import dataclasses
import inspect
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import binary_weights as bw
from theory import network, product_sum
from theory.binary_weights import BinaryWeights
from theory.network import MainTheorem
from theory.product_sum import ProductSum

EPS = st.floats(1e-3, 1.0)
ALPHA = st.one_of(st.just("uniform"), st.floats(-1.0, 1.0))


@pytest.mark.parametrize("question", [BinaryWeights(), ProductSum(), MainTheorem()])
def test_frozen_and_keyword_only(question):
    with pytest.raises(dataclasses.FrozenInstanceError):
        question.eps = 0.5
    with pytest.raises(TypeError):
        type(question)(1)
    explained = inspect.getdoc(question)  # as Python 3.13 keeps it: without the indentation
    assert all(f"\n{field.name} : " in explained for field in dataclasses.fields(question))


def test_equal_questions_are_equal_values():
    assert BinaryWeights(R=2.0, alpha=1, gain=1, inner=4.0) == BinaryWeights(R=np.int64(2), alpha=1.0, gain=1.0)
    assert ProductSum(R=3.0, eps=1) == ProductSum(R=3, eps=1.0)
    listed = MainTheorem(widths=[4, 8.0, 3])
    assert listed == MainTheorem()
    assert hash(listed) == hash(MainTheorem())
    assert hash(BinaryWeights(R=2.0)) == hash(BinaryWeights(R=2))
    assert BinaryWeights(alpha="uniform") != BinaryWeights(alpha=0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BinaryWeights(eps=0), r"eps must be in \(0, 1\], got eps=0"),
        (
            lambda: BinaryWeights(alpha="worst"),
            r'alpha must be a number in \[-1, 1\] or "uniform", got alpha=\'worst\'',
        ),
        (lambda: BinaryWeights(kind="pair"), r'kind must be "subset", "product" or "two-stage", got kind=\'pair\''),
        (lambda: BinaryWeights(gain=0.0), r"gain must be best or in \(0, 1e6\], got gain=0.0"),
        (lambda: BinaryWeights(gain=2e6), r"gain must be best or in \(0, 1e6\], got gain=2000000.0"),
        (lambda: BinaryWeights(inner=0), r"inner must be an integer >= 1, got inner=0"),
        (lambda: BinaryWeights(kind="product", R=10**18), r'R must be at most 5\d+ for kind="product"'),
        (lambda: ProductSum(R=0), r"R must be an integer >= 1, got R=0"),
        (lambda: ProductSum(alpha=1.5), r"alpha must be in \[-1, 1\], got alpha=1.5"),
        (lambda: MainTheorem(widths=(3,)), r"widths must hold at least 2 integers"),
        (lambda: MainTheorem(widths=(3, 0)), r"widths\[1\] must be an integer >= 1, got widths\[1\]=0"),
        (
            lambda: MainTheorem(statement="theirs"),
            r"statement must be one of 'ours', 'recalled', 'repaired', 'halves', 'pairs', got statement='theirs'",
        ),
        (lambda: MainTheorem(norm="max"), r"norm must be 'frobenius' or 'spectral', got norm='max'"),
        (lambda: MainTheorem(domain="l1"), r"domain must be 'l2' or 'linf', got domain='l1'"),
        (lambda: MainTheorem(eps=2), r"eps must be in \(0, 1\], got eps=2"),
        (lambda: MainTheorem().necessary_n(0.1), r"no n is proved necessary for one target network"),
        (lambda: MainTheorem().success_upper(1), r"no upper bound on the success of one target network is proved"),
        (lambda: MainTheorem().predicted_n(0.1), r"the width of a network is bounded, not predicted"),
        (lambda: MainTheorem().success_prediction(1), r"the success of a network is bounded, not predicted"),
        (lambda: MainTheorem().required_n(0), r"delta must be in \(0, 1\), got delta=0"),
        (lambda: ProductSum().success_upper(-1), r"n must be an integer >= 0, got n=-1"),
    ],
)
def test_errors_quote_name_and_value(make, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


# ---- binary weights ----------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 5), EPS, ALPHA, st.sampled_from(["best", 0.125, 0.5]))
def test_binary_law_lies_between_its_roundings(n, R, eps, alpha, gain):
    question = BinaryWeights(R=R, eps=eps, alpha=alpha, gain=gain)
    exact = bw.success_prob_exact(n, R, eps=eps, alpha=alpha, gain=gain)
    assert question.success_exact(n) == question.success_prediction(n) == exact
    low, high = question.success_lower(n), question.success_upper(n)
    assert 0.0 <= low <= exact <= high <= 1.0
    assert high - low <= 2.0**-48 * exact + 1e-300
    assert question.step == (2.0 * eps if gain == "best" else gain)


@pytest.mark.parametrize(("n", "R", "k"), [(7, 1, 4), (9, 3, 8), (30, 2, 20)])
def test_binary_roundings_enclose_the_rational_law(n, R, k):
    """The target that takes exactly k signs: P(Bin(n, 1 - 2^-R) >= k) in integers."""
    question = BinaryWeights(R=R, eps=2.0**-8, alpha=k * 2.0**-7)
    q = 1 - Fraction(1, 2**R)
    exact = sum(math.comb(n, j) * q**j * (1 - q) ** (n - j) for j in range(k, n + 1))
    more = exact - math.comb(n, k) * q**k * (1 - q) ** (n - k)
    assert Fraction(question.success_lower(n)) < exact < Fraction(question.success_upper(n))
    assert not Fraction(question.success_lower(n)) < more  # control: one sign more is another law


@pytest.mark.parametrize(("kind", "values", "draws"), [("subset", 6, 3), ("product", 6, 5), ("two-stage", 24, 3)])
def test_kinds_are_subsets(kind, values, draws):
    question = BinaryWeights(R=3, eps=0.05, alpha=0.5, kind=kind)
    assert question.equivalent_subset(6) == (values, draws)
    assert question.equivalent_subset(6) == bw.equivalent_subset(6, 3, kind=kind, inner=4)
    assert question.success_exact(6) == bw.success_prob_exact(values, draws, eps=0.05, alpha=0.5)


@pytest.mark.parametrize("kind", ["subset", "product", "two-stage"])
@pytest.mark.parametrize("alpha", [0.7, "uniform"])
def test_binary_required_n_is_the_first_that_succeeds(kind, alpha):
    question = BinaryWeights(R=2, eps=0.03, alpha=alpha, kind=kind, inner=3)
    n = question.required_n(0.05)
    assert question.success_exact(n) >= 0.95 > question.success_exact(n - 1)
    assert n == question.necessary_n(0.05) == question.predicted_n(0.05)


def test_a_gain_that_steps_over_the_target_is_refused():
    with pytest.raises(ValueError, match=r"gain must have a multiple within eps=0.05 of alpha=0.5, got gain=0.3"):
        BinaryWeights(eps=0.05, gain=0.3).required_n(0.1)


# ---- the main theorem --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["ours", "recalled", "repaired", "halves", "pairs"])
@pytest.mark.parametrize("domain", ["l2", "linf"])
def test_main_theorem_asks_for_what_the_functions_say(statement, domain):
    question = MainTheorem(widths=(3, 5, 2), eps=0.2, R=700, statement=statement, domain=domain)
    answer = network.source_width((3, 5, 2), eps=0.2, delta=0.05, R=700, statement=statement, domain=domain)
    assert question.source_width(0.05) == answer
    assert question.required_counts(0.05) == answer.n
    assert question.required_n(0.05) == max(answer.n)


@given(st.integers(1, 5000), st.sampled_from([1, 10, 1000, 10**6]), st.floats(0.05, 1.0))
def test_main_theorem_success_is_rounded_down(n, R, eps):
    question = MainTheorem(widths=(2, 3), eps=eps, R=R)
    with mpmath.workdps(40):
        success = 1 - mpmath.exp(min(0.0, network.log_failure_bound((2, 3), eps, R=R, n=n)))
    low = question.success_lower(n)
    assert 0.0 <= low < 1.0
    assert success - 1e-11 <= low <= success
    assert question.success_lower([n]) == low


def test_required_n_reaches_the_promised_success():
    question = MainTheorem(widths=(3, 5, 2), eps=0.2, R=700)
    n = question.required_n(0.05)
    assert question.success_lower(n) >= 0.95
    assert question.success_lower(question.required_counts(0.05)) >= 0.95
    assert question.success_lower(1) < 0.95  # control


# ---- subset sums of products -------------------------------------------------------------------------------------


def test_product_sum_methods_are_the_functions():
    question = ProductSum(R=2, eps=0.05, alpha=0.7)
    assert question.required_n(0.1) == product_sum.required_neurons(0.05, 0.1, R=2).neurons
    assert question.necessary_n(0.1) == product_sum.necessary_n(0.05, 0.1, R=2, alpha=0.7)
    assert question.predicted_n(0.1) == product_sum.predicted_n(0.05, 0.1, R=2, alpha=0.7)
    assert question.success_upper(3) == product_sum.success_prob_upper(3, 2, eps=0.05, alpha=0.7)
    assert question.success_prediction(3) == product_sum.success_prediction(3, 2, eps=0.05, alpha=0.7)


@pytest.mark.parametrize("delta", [0.4, 0.1, 1e-3])
def test_product_sum_lower_bound_is_what_the_design_proves(delta):
    question = ProductSum(R=3, eps=0.02, alpha=1.0)
    n = question.required_n(delta)
    assert question.success_lower(n) >= 1.0 - 2.0 * delta  # it is found in steps of a factor 2
    assert question.success_lower(n) <= question.success_upper(n)
    assert question.success_lower(0) == 0.0
    assert ProductSum(eps=0.5, alpha=-0.5).success_lower(0) == 1.0
