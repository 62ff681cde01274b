"""What the solver is given: exact and used, or refused by name; and what it says of its error, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.solver import any_within, best_subset, best_subsets, best_subsets_shared
from sims.solver.gap import largest_gap
from sims.solver.multiset import best_multiset, best_multisets
from sims.solver.vector_sums import best_vector
from sims.statistics.intervals import holm


def true_error(x: list[float], alpha: float) -> Fraction:
    """The least distance of a subset's sum from alpha, over all subsets."""
    sums = (sum((Fraction(v) for v, take in zip(x, chosen, strict=True) if take), Fraction(0))
            for chosen in product((0, 1), repeat=len(x)))  # fmt: skip
    return min(abs(total - Fraction(alpha)) for total in sums)


def check(x: list[float], alpha: float, choice: Any, error: float, rounding: float) -> None:
    """The error is that of the choice, rounded once, and no better one is further away than the rounding allows."""
    taken = sum((Fraction(v) for v, take in zip(x, choice, strict=True) if take), Fraction(0))
    own = abs(taken - Fraction(alpha))
    assert error == float(own)
    least = true_error(x, alpha)
    assert own - 2 * Fraction(rounding) <= least <= own
    if rounding == 0.0:
        assert own == least


LARGE = [1.0, -1.0, 0.5, 1e-300, -1e-300, 1e300, -1e300, 5e-324, 2.0**-61, 2.0**-8 - 2.0**-61, 3e-17, 1e17, 2.0**53]
VALUES = st.lists(st.sampled_from(LARGE) | st.floats(-2, 2), min_size=1, max_size=5)


@given(x=VALUES, alpha=st.sampled_from(LARGE) | st.floats(-2, 2))
def test_errors_and_rounding_are_true_at_every_scale(x: list[float], alpha: float) -> None:
    found = best_subset(x, alpha)
    check(x, alpha, found.choice, found.error, found.rounding)
    shared = best_subsets_shared(x, [alpha, 0.25])
    for row, target in enumerate([alpha, 0.25]):
        check(x, target, shared.choice[row], shared.error[row], shared.rounding[row])
    alone = best_vector([[[value]] for value in x], [alpha])
    check(x, alpha, [c >= 0 for c in alone.choice], alone.error, alone.rounding)


@given(x=VALUES, alpha=st.sampled_from(LARGE) | st.floats(-2, 2), place=st.integers(-1, 1))
def test_any_within_is_exact_at_every_scale(x: list[float], alpha: float, place: int) -> None:
    """At the error itself, and one float next to it."""
    error = float(true_error(x, alpha))
    eps = max(0.0, error if place == 0 else float(np.nextafter(error, place * np.inf)))
    truth = true_error(x, alpha) <= Fraction(eps)
    assert any_within(x, alpha, eps) is truth


def test_the_targets_own_underflow_is_rounding() -> None:
    found = best_subset([1e300], 1e-300)
    assert (found.error, found.choice.tolist()) == (1e-300, [False])
    assert found.rounding > 0.0
    (shared,) = best_subsets_shared([1e300], [1e-300])
    assert shared.error == 1e-300


def test_a_sum_beyond_eps_by_less_than_a_rounding_is_beyond() -> None:
    assert not any_within([2**-8 - 2**-61, 1.0], 0.25, 0.24609375)
    assert any_within([2**-8 - 2**-61, 1.0], 0.25, float(np.nextafter(0.24609375, 1)))


FACES: dict[str, Callable[[Any], Any]] = {
    "best_subset": lambda x: best_subset(x, 0.5).error,
    "best_subsets": lambda x: best_subsets([x], 0.5).error[0],
    "best_subsets_shared": lambda x: best_subsets_shared(x, [0.5]).error[0],
    "any_within": lambda x: any_within(x, 0.5, 0.25),
    "best_multiset": lambda x: best_multiset(x, 0.5).error,
    "best_vector": lambda x: best_vector([[[one]] for one in x] if isinstance(x, list) else x, [0.5]).error,
    "largest_gap": lambda x: largest_gap(x, -1.0, 1.0)[0],
}
WRONG = {
    "nan": [0.5, float("nan")],
    "infinite": [0.5, float("inf")],
    "text": ["0.5", "1"],
    "bytes": np.array([b"1"]),
    "complex": [0.5 + 1j],
    "complex without an imaginary part": np.array([0.5 + 0j]),
    "masked": np.ma.array([0.5, 9.0], mask=[False, True]),
    "an integer that float64 rounds": [2**53 + 1, -(2**53)],
    "an int64 array of them": np.array([2**62 + 1]),
    "an unsigned one": np.array([2**64 - 1], np.uint64),
    "a huge integer": [10**400],
    "a fraction that float64 rounds": [Fraction(1, 3)],
    "a decimal that float64 rounds": [Decimal("0.1")],
    "a wide float that float64 rounds": np.array([np.longdouble(1) + np.longdouble(2) ** -60]),
    "nothing": [],
    "an object": [object()],
    "None": [None],
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "ragged": [[0.5], [0.5, 0.25]],
    "a table of tables": np.zeros((2, 2, 2, 2)),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_exactly_is_refused_by_name(face: str, what: str) -> None:
    with pytest.raises(ValueError, match=r"\bx (must|has)"):
        FACES[face](WRONG[what])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "same",
    [
        (0.5, -0.75, 0.125), [Fraction(1, 2), Decimal("-0.75"), 0.125], np.array([0.5, -0.75, 0.125], ">f8"),
        np.array([0.5, -0.75, 0.125], np.float16), np.array([0.5, 9, -0.75, 9, 0.125])[::2],
        np.array([0.5, -0.75, 0.125], np.longdouble), np.ma.array([0.5, -0.75, 0.125]),
        np.array([0.5, -0.75, 0.125], "O"),
    ],
)  # fmt: skip
def test_other_spellings_of_the_same_numbers(face: str, same: Any) -> None:
    plain = [0.5, -0.75, 0.125]
    if face == "best_vector" and not isinstance(same, list):
        same = np.asarray(same)[:, None, None]
    before = np.array(same, copy=True)
    assert FACES[face](same) == FACES[face](plain)
    assert (np.asarray(same) == before).all()


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "2", 10**6])
def test_threads_are_a_number_of_threads(jobs: Any) -> None:
    for call in (best_subsets, best_multisets):
        with pytest.raises(ValueError, match="jobs must be an integer in"):
            call([[0.5, 0.25]], [0.5], jobs=jobs)


@pytest.mark.parametrize("wrong", [[0.1, 0.2], np.array([[0.1]]), float("nan"), 1j, "a", None, 2**53 + 1, 10**400])
def test_a_target_and_a_tolerance_are_one_number(wrong: Any) -> None:
    for call, name in (
        (lambda: best_subset([0.5], wrong), "alpha"),
        (lambda: best_multiset([0.5], wrong), "alpha"),
        (lambda: any_within([0.5], wrong, 0.1), "alpha"),
        (lambda: any_within([0.5], 0.1, wrong), "eps"),
        (lambda: largest_gap([0.5], wrong, 1.0), "low"),
    ):
        with pytest.raises(ValueError, match=rf"\b{name} must be"):
            call()


def test_many_variables_at_once_are_out_of_reach() -> None:
    with pytest.raises(ValueError, match="n=3000 with R=1 is out of reach"):
        best_subsets_shared(np.zeros(3000), [0.5])


@pytest.mark.parametrize("p_values", [[float("nan"), 1e-9], [1e-9, float("nan")], [-0.1], [1.5]])
def test_p_values_are_probabilities(p_values: list[float]) -> None:
    with pytest.raises(ValueError, match="p_values must be in"):
        holm(p_values, 0.05)
