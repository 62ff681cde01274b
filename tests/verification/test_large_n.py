"""Searches as large as the solver takes: planted subsets, and optima that two ways of cutting the work must share."""

from fractions import Fraction

import numpy as np
import pytest

from sims.solver import best_subset, stream
from sims.solver.philox import uniforms
from tests.sims.test_stream import plant

pytestmark = pytest.mark.verification


@pytest.mark.parametrize("n", [50, 55, 56, 57, 58, 59, 60])
def test_planted_subset_is_found(n: int) -> None:
    x, alpha = plant(n, n)
    found = best_subset(x, alpha)
    picked = sum((Fraction(float(v)) for v, use in zip(x, found.mask, strict=True) if use), Fraction(0))
    assert picked == Fraction(alpha)
    assert found.error == found.rounding == 0.0


@pytest.mark.parametrize("n", [50, 52, 54, 56])
def test_the_only_exact_subset_is_found(n: int) -> None:
    """Values of 55 bits: up to n = 54 hardly a second subset has the planted sum, so nothing ends the search early."""
    bits = (uniforms(n, 0, 1, n)[0] * 2**52).astype(np.int64)
    x = 8 * bits[:, None] + (uniforms(n, 1, 1, n)[0] * 2**52).astype(np.int64)[:, None] % 8
    taken = uniforms(n, 2, 1, n)[0] > 0
    error, choice = stream.solve(x, int(x[taken].sum()), True, jobs=2)
    assert error == 0
    assert x[choice == 0].sum() == x[taken].sum()
    if n <= 54:
        assert ((choice == 0) == taken).all()


@pytest.mark.parametrize(("n", "draws"), [(52, 1), (60, 1), (30, 2), (20, 5)])
def test_optimum_does_not_depend_on_pieces_order_or_threads(n: int, draws: int) -> None:
    """Another order of the values cuts other halves."""
    x = (uniforms(n, 0, 1, n * draws)[0] * 2**52).astype(np.int64).reshape(n, draws) * 8 + 1
    target = 2**48 + 1
    error, choice = stream.solve(x, target, draws == 1, jobs=2)
    again, same = stream.solve(x, target, draws == 1, jobs=1, pieces=11)
    assert (error, choice.tolist()) == (again, same.tolist())
    order = np.argsort(x[:, 0])
    other, _ = stream.solve(np.ascontiguousarray(x[order]), target, draws == 1, jobs=2)
    assert other == error
    total = sum(int(x[i, r]) for i, r in enumerate(choice) if r >= 0)
    assert abs(total - target) == error
