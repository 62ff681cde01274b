"""Questions are values: validated once, frozen, equal when they ask the same, and answered by the plain functions."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import theory
from theory import coverage, recycling, single_weight, subset_sum
from theory.coverage import Coverage
from theory.question import OneTarget, Question
from theory.recycling import Recycling
from theory.single_weight import SingleWeight
from theory.subset_sum import SubsetSum

ALL: tuple[type[Any], ...] = (SubsetSum, SingleWeight, Coverage, Recycling)
WITH_R = (SubsetSum, SingleWeight, Coverage)
WITH_ALPHA = (SubsetSum, SingleWeight, Recycling)

EPS = st.floats(0.05, 1.0)
ALPHA = st.one_of(st.floats(-1.0, 1.0), st.just("uniform"))


def same(method: Callable[[], object], function: Callable[[], object]) -> None:
    """Both give the same value, or refuse for the same reason."""
    assert outcome(method) == outcome(function)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("kinds", "arguments", "message"),
    [
        (ALL, {"eps": 0}, "eps must be in (0, 1], got eps=0"),
        (ALL, {"eps": "x"}, "eps must be a number in (0, 1], got eps='x'"),
        (WITH_R, {"R": 0}, "R must be an integer >= 1, got R=0"),
        (WITH_R, {"R": 1.5}, "R must be an integer >= 1, got R=1.5"),
        (WITH_R, {"R": True}, "R must be an integer >= 1, got R=True"),
        (WITH_R, {"R": 10**19}, "R must be at most 1e+18, got R >= 2^63"),
        (WITH_ALPHA, {"alpha": 1.5}, "alpha must be in [-1, 1], got alpha=1.5"),
        (WITH_ALPHA, {"alpha": "any"}, "alpha must be a number in [-1, 1] or \"uniform\", got alpha='any'"),
        ((SubsetSum,), {"model": "both"}, 'model must be "choice" or "vector", got model=\'both\''),
        ((SingleWeight,), {"sampler": "all"}, 'sampler must be "draws" or "nearest", got sampler=\'all\''),
        ((Coverage,), {"low": 0.5, "high": 0.25}, "low must be at most high, got low=0.5, high=0.25"),
        ((Coverage,), {"high": 2}, "high must be in [-1, 1], got high=2"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(
    kinds: tuple[type[Any], ...], arguments: dict[str, Any], message: str
) -> None:
    for kind in kinds:
        with pytest.raises(ValueError) as refused:
            kind(**arguments)
        assert str(refused.value) == message


@pytest.mark.parametrize("kind", ALL)
def test_a_question_is_frozen_keyword_only_and_explained(kind: type[Any]) -> None:
    question = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        question.eps = 0.5
    with pytest.raises(TypeError):
        kind(1)
    for field in dataclasses.fields(kind):
        assert re.search(rf"\b{field.name}\b", kind.__doc__)
    asked: Question = question  # it answers what every question answers
    assert asked.success_prediction(1) >= 0.0


@given(st.integers(1, 10**6), EPS)
def test_equal_questions_have_equal_canonical_values(R: int, eps: float) -> None:
    for kind in WITH_R:
        one, other = kind(R=float(R), eps=eps), kind(R=R, eps=eps)
        assert one == other
        assert hash(one) == hash(other)
        assert type(one.R) is int
    assert SubsetSum(eps=1, alpha=0) == SubsetSum(eps=1.0, alpha=0.0)
    assert type(Recycling(eps=1).eps) is float
    assert SubsetSum(R=R) != SubsetSum(R=R + 1)
    assert len({Coverage(low=-1), Coverage(low=-1.0), Coverage(low=0)}) == 2


@given(EPS, ALPHA)
def test_what_questions_with_one_target_share(eps: float, alpha: Any) -> None:
    for kind in WITH_ALPHA:
        question: OneTarget = kind(eps=eps, alpha=alpha)
        assert question.uniform == (alpha == "uniform")
        assert question.size == (0.0 if alpha == "uniform" else abs(alpha))
        assert question.certain == (eps == 1.0 if alpha == "uniform" else abs(alpha) <= eps)


@given(st.integers(0, 6), st.integers(1, 4), EPS, ALPHA, st.sampled_from(["choice", "vector"]), st.floats(0.05, 0.9))
def test_subset_sum_asks_the_plain_functions(n: int, R: int, eps: float, alpha: Any, model: Any, delta: float) -> None:
    question, rest = SubsetSum(R=R, eps=eps, alpha=alpha, model=model), {"alpha": alpha, "model": model}
    same(lambda: question.success_lower(n), lambda: subset_sum.success_prob_lower(n, R, eps=eps, **rest))
    same(lambda: question.success_upper(n), lambda: subset_sum.success_prob_upper(n, R, eps=eps, **rest))
    same(lambda: question.success_prediction(n), lambda: subset_sum.success_prediction(n, R, eps=eps, **rest))
    same(lambda: question.necessary_n(delta), lambda: subset_sum.necessary_n(eps, delta, R=R, **rest))
    same(lambda: question.predicted_n(delta), lambda: subset_sum.predicted_n(eps, delta, R=R, **rest))
    if alpha != "uniform":
        same(lambda: question.required_n(delta), lambda: subset_sum.required_n(eps, delta, R=R, **rest).n)
    assert question.success_lower(n) <= question.success_upper(n) * (1.0 + 1e-12)


@given(st.integers(1, 50), st.integers(1, 10**6), EPS, ALPHA, st.floats(1e-9, 0.9))
def test_single_weight_asks_the_plain_functions(n: int, R: int, eps: float, alpha: Any, delta: float) -> None:
    question = SingleWeight(R=R, eps=eps, alpha=alpha)
    miss = single_weight.log_miss_prob_exact(n, R, eps=eps, alpha=alpha)
    assert question.success_exact(n) == question.success_prediction(n) == -math.expm1(miss)
    assert question.required_n(delta) == single_weight.required_n(eps, delta, R=R)
    exact = single_weight.required_n_exact(eps, delta, R=R, alpha=alpha)
    assert question.necessary_n(delta) == question.predicted_n(delta) == exact <= question.required_n(delta)
    assert question.success_lower(n) <= question.success_exact(n) * (1.0 + 1e-12)
    assert question.success_exact(n) <= question.success_upper(n) * (1.0 + 1e-12)


@pytest.mark.parametrize(
    ("n", "R", "eps", "low"), [(0, 1, 0.5, 0.0), (4, 1, 0.5, -1.0), (5, 3, 0.25, -0.5), (6, 2, 0.5, 0.25)]
)
def test_coverage_asks_the_plain_functions(n: int, R: int, eps: float, low: float) -> None:
    question, rest = Coverage(R=R, eps=eps, low=low), {"low": low, "high": 0.5}
    assert question.success_lower(n) == coverage.success_prob_lower(n, R, eps=eps, **rest) <= question.success_upper(n)
    assert question.success_upper(n) == coverage.success_prob_upper(n, R, eps=eps, **rest)
    assert question.success_prediction(n) == coverage.success_prediction(n, R, eps=eps, **rest)
    assert question.necessary_n(0.1) == coverage.necessary_n(eps, 0.1, R=R, **rest) <= question.required_n(0.1)
    assert question.required_n(0.1) == coverage.required_n(eps, 0.1, R=R, **rest).n
    assert question.predicted_n(0.1) == coverage.predicted_n(eps, 0.1, R=R, **rest)


@given(st.integers(0, 6), EPS, ALPHA, st.floats(0.05, 0.9))
def test_recycling_asks_the_plain_functions(n: int, eps: float, alpha: Any, delta: float) -> None:
    question = Recycling(eps=eps, alpha=alpha)
    same(lambda: question.success_lower(n), lambda: recycling.success_prob_lower(n, eps=eps, alpha=alpha))
    same(lambda: question.success_upper(n), lambda: recycling.success_prob_upper(n, eps=eps, alpha=alpha))
    same(lambda: question.success_prediction(n), lambda: recycling.success_prediction(n, eps=eps, alpha=alpha))
    same(lambda: question.necessary_n(delta), lambda: recycling.necessary_n(eps, delta, alpha=alpha))
    same(lambda: question.predicted_n(delta), lambda: recycling.predicted_n(eps, delta, alpha=alpha))
    if alpha != "uniform":
        same(lambda: question.required_n(delta), lambda: recycling.required_n(eps, delta, alpha=alpha))
    assert question.success_lower(n) <= question.success_upper(n) * (1.0 + 1e-12)


def test_where_nothing_is_proved_the_reason_is_given() -> None:
    assert SubsetSum(eps=0.01, alpha="uniform").required_n(1e-9) > 64  # by 2.3 (c)
    with pytest.raises(ValueError, match='delta must be reached by n <= 64 when alpha="uniform", got delta=1e-09'):
        Recycling(eps=0.01, alpha="uniform").required_n(1e-9)
    with pytest.raises(ValueError, match="eps must be at least 1e-60 for a certified value, got eps=1e-70"):
        SubsetSum(eps=1e-70).success_lower(3)
    for question in (SubsetSum(), SingleWeight(), Coverage(), Recycling()):
        with pytest.raises(ValueError, match=r"delta must be in \(0, 1\), got delta=1"):
            question.required_n(1)


@pytest.mark.parametrize("package", ["subset_sum", "single_weight", "coverage", "recycling"])
def test_parameters_know_no_bounds(package: str) -> None:
    folder = Path(theory.__file__).parent
    for file in (folder / package / "parameters.py", folder / "question.py", folder / "numerics" / "check.py"):
        imports = [
            node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        ours = {
            f"{node.module}.{name.name}"
            for node in imports
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("theory")
            for name in node.names
        }
        allowed = {"theory.numerics.check", *(f"theory.question.{n}" for n in ("OneTarget", "Parameters", "Target"))}
        assert ours <= allowed
