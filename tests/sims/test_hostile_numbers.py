"""What the solver is given is what it answers for: the same numbers in any form, or an error naming the argument."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sims.solver import any_within, best_subset, best_subsets, best_subsets_shared
from sims.solver.gap import largest_gap
from sims.solver.multiset import best_multiset, best_multisets
from sims.solver.vector_sums import best_vector
from sims.statistics.intervals import band_p_value, clopper_pearson, holm
from theory.subset_sum import SubsetSum

TEXT = np.array(["1", "2"])
NAN, INF = float("nan"), float("inf")
NO_NUMBERS: list[Any] = [
    None, "1", "nan", b"1", {}, {1.0}, [], [[1.0], [1.0, 2.0]], NAN, INF, -INF, [NAN], 10**400, -(10**4000), [10**400],
    2**53 + 1, [2**53 + 1, 1], [0.5, 2**53 + 1], np.array([2**53 + 1, 1]), np.array([2**64 - 1], np.uint64), 1j,
    [1 + 0j],
    np.array([1 + 1j]), np.complex128(1), Decimal("NaN"), Decimal("sNaN"), Decimal("0.1"), Fraction(1, 3), TEXT,
    [["a"]],
    Decimal("1e400"), np.datetime64("2020-01-01"), np.array([None]), np.array([object()]), np.ma.masked, [np.ma.masked],
    np.ma.array([1.0, 2.0], mask=[True, False]), [np.ma.array([1.0], mask=[True])], np.longdouble(1) / 3,
    np.array([1], np.longdouble) / 3, np.empty((2, 0)), np.zeros((1, 1, 1, 1, 1)),
]  # fmt: skip

FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "best_subset": (best_subset, {"x": [0.5, 0.25], "alpha": 0.5}),
    "best_subsets": (best_subsets, {"x": [[0.5, 0.25]], "alpha": 0.5}),
    "best_subsets_shared": (best_subsets_shared, {"x": [0.5, 0.25], "alphas": [0.5]}),
    "any_within": (any_within, {"x": [0.5, 0.25], "alpha": 0.5, "eps": 0.1}),
    "best_multiset": (best_multiset, {"x": [0.5, 0.25], "alpha": 0.5}),
    "best_vector": (best_vector, {"x": [[[0.5, 0.25]]], "alpha": [0.5, 0.25]}),
    "largest_gap": (largest_gap, {"x": [0.5, 0.25], "low": 0.0, "high": 1.0}),
}
PARAMETERS = [(name, parameter) for name, (_, given) in FUNCTIONS.items() for parameter in given]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_what_is_no_number_is_refused_by_name(name: str, parameter: str) -> None:
    function, given = FUNCTIONS[name]
    for value in NO_NUMBERS:
        if isinstance(value, list) and not value and parameter == "alphas":
            continue  # no targets are no error
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises((ValueError, TypeError), match=rf"\b{parameter}\b") as caught:
                function(**{**given, parameter: value})
        assert "\n" not in str(caught.value), value


@pytest.mark.parametrize(
    "form",
    [
        lambda x: np.array(x, np.int8), lambda x: np.array(x, np.uint64), lambda x: np.array(x, np.float16),
        lambda x: np.array(x, np.longdouble), lambda x: np.array(x, ">f8"), lambda x: np.array(x, ">i4"),
        lambda x: np.array(x, object), lambda x: np.repeat(np.array(x, float), 2)[::2], lambda x: np.ma.array(x),
        lambda x: [Fraction(one) for one in x], lambda x: [Decimal(one) for one in x], lambda x: list(map(np.int64, x)),
        lambda x: np.array(x, float)[::-1][::-1], lambda x: tuple(map(float, x)),
    ],
)  # fmt: skip
def test_the_same_numbers_in_any_form(form: Callable[[Any], Any]) -> None:
    x, target = [100, 120, 7, 3], 127
    found = best_subset(form(x), form([target])[0])
    assert (found.sum, found.error, found.rounding) == (127.0, 0.0, 0.0)
    frozen = np.asarray(form(x)).copy()
    frozen.flags.writeable = False
    assert best_subset(frozen, target).sum == 127.0


@pytest.mark.parametrize(("function", "x"), [(best_subsets, [[0.5]]), (best_multisets, [[0.5]])])
@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", True, NAN, 10**9])
def test_threads_are_a_whole_number(function: Any, x: Any, jobs: Any) -> None:
    with pytest.raises(ValueError, match="jobs must be an integer"):
        function(x, 0.5, jobs=jobs)


@pytest.mark.parametrize("slots", [0, -1, 1.5, "2", True, 10**400])
def test_slots_are_a_whole_number(slots: Any) -> None:
    with pytest.raises(ValueError, match="slots must be an integer"):
        best_multiset([0.5], 0.5, slots=slots)


def test_what_is_out_of_reach_is_said() -> None:
    for call in (lambda: best_subsets_shared(np.zeros(3000), [0.5]), lambda: best_multiset(np.ones(10**6), 1.0)):
        with pytest.raises(ValueError, match="out of reach"):
            call()


@pytest.mark.parametrize(
    ("x", "alpha"),
    [
        ([1e300], 1e-300),
        ([1e300, 1.0], 5e-324),
        ([5e-324, 1e-310], 1e-310),
        ([1e-300, 1e300], 1e300),
        ([1.0, 1e-30], 0),
    ],
)
def test_the_rounding_covers_what_scaling_loses(x: list[float], alpha: float) -> None:
    sums = [a * Fraction(x[0]) + b * Fraction(x[-1]) * (len(x) > 1) for a in (0, 1) for b in (0, 1)]
    best = min(abs(one - Fraction(alpha)) for one in sums)
    shared = best_subsets_shared(x, [alpha, alpha / 2])[0]
    vector = best_vector([[[one, 0.0]] for one in x], [alpha, 0.0])
    for found in (best_subset(x, alpha), shared, vector):
        exact = min((abs(abs(one - Fraction(alpha)) - Fraction(found.error)), one) for one in sums)[0]
        assert exact <= Fraction(found.error) / 2**52
        slack = Fraction(found.error) / 2**52
        assert Fraction(found.error) - 2 * Fraction(found.rounding) - slack <= best
        assert found.rounding > 0 or abs(Fraction(found.error) - best) <= slack


def test_a_target_that_scaling_loses_is_rounded() -> None:
    assert best_subset([1e300], 1e-300).error == 1e-300
    assert best_subset([1e300], 1e-300).rounding > 0
    shared = best_subsets_shared([1e300], [1e-300, 0.0])
    assert shared.error.tolist() == [1e-300, 0.0]
    assert (shared.rounding > 0).tolist() == [True, False]
    vector = best_vector([[[1e300, 1e300]]], [1e-300, 0.0])
    assert vector.error == 1e-300
    assert vector.rounding > 0


def test_a_value_that_scaling_loses_is_rounded() -> None:
    assert best_subset([1e300, 1e-300], 1e300).rounding > 0


def test_shared_targets_off_the_grid_are_rounded() -> None:
    """The largest target sets the scale: a small one between two of its steps is no longer itself."""
    found = best_subsets_shared([2.0**60, 2.0**59], [2.0**60, 0.3])
    assert found.error.tolist() == [0.0, 0.3]
    assert (found.rounding > 0).tolist() == [False, True]


def test_within_is_decided_on_the_fraction() -> None:
    assert not any_within([2**-8 - 2**-61, 1.0], 0.25, 0.24609375)
    assert any_within([2**-8 - 2**-61, 1.0], 0.25, 0.2461)
    assert not any_within([2**-8 - 2**-61, 1.0], 0.25, 0.246)


@pytest.mark.parametrize("p", [NAN, -0.1, 1.1, INF])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    for order in ([p, 1e-9], [1e-9, p]):
        with pytest.raises(ValueError, match="p_values must be in"):
            holm(order, 0.05)


@pytest.mark.parametrize("parameter", ["R", "eps", "alpha"])
def test_questions_refuse_what_is_no_number(parameter: str) -> None:
    inexact = {str(2**53 + 1)} if parameter == "R" else {"0.1", "1/3"}
    for value in NO_NUMBERS:
        if isinstance(value, np.longdouble) or (isinstance(value, (int, Decimal, Fraction)) and str(value) in inexact):
            continue  # what is rounded here is an argument of a formula, not a value that is searched
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises((ValueError, TypeError), match=rf"\b{parameter}\b"):
                SubsetSum(**{"R": 2, "eps": 0.1, "alpha": 0.5, parameter: value})


@pytest.mark.parametrize("value", ["1", 1j, None, NAN, 10**400, np.array([1, 2])])
def test_intervals_name_what_is_no_number(value: Any) -> None:
    for name, call in {
        "trials": lambda: clopper_pearson(0, value),
        "successes": lambda: clopper_pearson(value, 10),
        "confidence": lambda: clopper_pearson(1, 10, confidence=value),
        "low": lambda: band_p_value(1, 10, value, 1.0),
        "level": lambda: holm([0.1], value),
        "p_values": lambda: holm([value], 0.1),
    }.items():
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            call()
