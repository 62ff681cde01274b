"""Arithmetic on bounds, on tensors and on floats: never below the exact rational result (`lower`: never above)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.certificate import rounding, upward

SIZE = st.one_of(st.floats(0.0, 1e150), st.sampled_from([0.0, 1.0, 0.1, 1e-300, 5e-324, 2.0**-1022, 1 / 3]))


def tensor(x: float) -> torch.Tensor:
    return torch.tensor([x], dtype=torch.float64)


@given(SIZE, SIZE)
def test_sums_and_products(a: float, b: float) -> None:
    total, product = Fraction(a) + Fraction(b), Fraction(a) * Fraction(b)
    for add, mul in (
        (upward.add(a, b), upward.mul(a, b)),
        (float(rounding.add(tensor(a), tensor(b))), float(rounding.mul(tensor(a), tensor(b)))),
    ):
        assert total <= Fraction(add) <= total * (1 + Fraction(1, 2**51)) + Fraction(5e-324) * (total > 0)
        assert product <= Fraction(mul) <= product * (1 + Fraction(1, 2**51)) + 2 * Fraction(5e-324) * (product > 0)


@given(SIZE, SIZE, SIZE)
def test_longer_products_quotients_and_roots(a: float, b: float, c: float) -> None:
    product = Fraction(a) * Fraction(b)
    if math.isfinite(found := upward.mul(a, b, c)):
        assert product * Fraction(c) <= Fraction(found)
    if b > 0 and math.isfinite(found := upward.div(a, b)):
        assert Fraction(a) / Fraction(b) <= Fraction(found)
    assert Fraction(a) <= Fraction(upward.root(a)) ** 2
    length = Fraction(upward.joined([a, b, c]))
    assert Fraction(a) ** 2 + Fraction(b) ** 2 + Fraction(c) ** 2 <= length**2


@given(st.floats(-1e300, 1e300))
def test_one_step_to_either_side(x: float) -> None:
    assert upward.upper(x) == (math.nextafter(x, math.inf) if x else 0.0)
    assert upward.lower(x) == (math.nextafter(x, -math.inf) if x else 0.0)


@pytest.mark.parametrize(("a", "b"), [(0.0, math.inf), (math.inf, 0.0)])
def test_nothing_times_infinity_is_nothing(a: float, b: float) -> None:
    assert upward.mul(a, b) == 0.0
    assert float(rounding.mul(tensor(a), tensor(b))) == 0.0
