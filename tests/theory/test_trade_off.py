"""5.4: storage against sampling, against brute force over every pair (n, R)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import single_weight, subset_sum
from theory.necessary import trade_off

PRICES = [(1.0, 1.0), (20.0, 1.0), (0.0, 1.0), (300.0, 2.0)]


def n_of(basis: str, eps: float, delta: float, R: int) -> int:
    """Straight from the other modules."""
    if basis == "proved":
        return subset_sum.required_n(eps, delta, R=R, alpha=0.5).n
    if basis == "necessary":
        return subset_sum.necessary_n(eps, delta, R=R, alpha=0.5)
    return subset_sum.predicted_n(eps, delta, R=R, alpha=0.5)


@pytest.mark.parametrize("basis", ["proved", "necessary", "predicted"])
@pytest.mark.parametrize("prices", PRICES)
def test_optimum_of_subset_sums_by_brute_force(basis, prices):
    stored, drawn = prices
    found = trade_off.optimum("subset_sum", 0.05, 0.05, price_value=stored, price_draw=drawn, alpha=0.5, basis=basis)
    costs = {R: (stored + drawn * R) * n_of(basis, 0.05, 0.05, R) for R in range(1, 121)}
    best = min(costs.values())
    assert float(found.cost) == best
    assert min(R for R, cost in costs.items() if cost == best) == found.point.R
    assert found.point.n == n_of(basis, 0.05, 0.05, found.point.R)
    assert found.last_R <= 400
    assert stored + drawn * (found.last_R + 1) >= best


def test_optimum_moves_towards_more_draws_as_storage_gets_dearer():
    points = [
        trade_off.optimum("subset_sum", 0.01, 0.05, price_value=price, price_draw=1.0, alpha=0.5).point
        for price in (0.0, 5.0, 50.0, 500.0)
    ]
    assert [point.R for point in points] == sorted(point.R for point in points)
    assert [point.n for point in points] == sorted((point.n for point in points), reverse=True)
    assert points[0].draws < points[-1].draws
    assert points[0].n > points[-1].n


@pytest.mark.parametrize("prices", [(1.0, 0.01), (1.0, 5.0), (0.5, 1.0)])
def test_picking_one_never_pays_for_storage(prices):
    stored, drawn = prices
    found = trade_off.optimum("pick_one", 0.1, 0.05, price_value=stored, price_draw=drawn, alpha=1.0)
    total = single_weight.required_n_exact(0.1, 0.05, R=1, alpha=1.0)
    assert found.point == trade_off.Point(total, 1)
    costs = []
    for R in range(1, total + 5):
        n = single_weight.required_n_exact(0.1, 0.05, R=R, alpha=1.0)
        assert n * R >= total
        costs.append(Fraction(stored) * n + Fraction(drawn) * n * R)
    assert found.cost == min(costs)


def test_curves_of_equal_success():
    curve = trade_off.iso_success("subset_sum", 0.01, 0.05, R=(1, 2, 5, 20), alpha=0.5)
    assert [point.R for point in curve] == [1, 2, 5, 20]
    assert curve[0].n == 14
    assert curve[2] == trade_off.Point(5, 5)
    assert curve[2].draws == 25
    for basis in ("necessary", "predicted"):
        other = trade_off.iso_success("subset_sum", 0.01, 0.05, R=(1, 2, 5, 20), alpha=0.5, basis=basis)
        assert all(a.n <= b.n for a, b in zip(other, curve, strict=True))
    single = trade_off.iso_success("pick_one", 0.01, 0.05, R=(1, 10, 299, 10**6), alpha=0.0)
    assert [point.n for point in single] == [299, 30, 1, 1]


def test_a_target_near_zero_still_stores_one_value():
    assert trade_off.smallest_candidates("subset_sum", 0.1, 0.1, R=1, alpha=0.05) == 1


@given(st.floats(0.02, 0.5), st.floats(0.01, 0.5), st.integers(0, 50), st.integers(1, 9))
def test_optimum_is_no_dearer_than_any_other_pair(eps, delta, stored, drawn):
    found = trade_off.optimum(
        "subset_sum", eps, delta, price_value=stored, price_draw=drawn, alpha=0.9, basis="necessary"
    )
    for R in (1, 2, 3, 7, 30):
        n = max(1, subset_sum.necessary_n(eps, delta, R=R, alpha=0.9))
        assert found.cost <= stored * n + drawn * n * R
    assert found.cost == stored * found.point.n + drawn * found.point.draws


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price_draw": 0.0}, "price_draw must be positive, got price_draw=0"),
        ({"price_value": -1.0}, r"price_value must be in \[0, inf\), got price_value=-1.0"),
        ({"kind": "both"}, "kind must be 'pick_one' or 'subset_sum', got kind='both'"),
        ({"basis": "hoped"}, "basis must be .* got basis='hoped'"),
        ({"alpha": 2.0}, r"alpha must be in \[-1, 1\], got alpha=2.0"),
        ({"kind": "pick_one", "eps": 1e-300}, r"eps must take at most 2\^60 candidates, got eps=1e-300 with delta=0.3"),
    ],
)
def test_errors_quote_name_and_value(change, message):
    arguments = {"price_value": 1.0, "price_draw": 1.0, "alpha": 0.5, "basis": "proved", "kind": "subset_sum"}
    arguments.update(change)
    kind, eps = arguments.pop("kind"), arguments.pop("eps", 0.3)
    with pytest.raises(ValueError, match=message):
        trade_off.optimum(kind, eps, 0.3, **arguments)


@pytest.mark.parametrize("prices", [(1.0, 1e-4), (1.0, 1.0), (0.0, 1.0)])
def test_nothing_is_cheaper_beyond_the_last_R(prices):
    stored, drawn = (Fraction(price) for price in prices)
    found = trade_off.optimum("subset_sum", 0.3, 0.3, price_value=prices[0], price_draw=prices[1], alpha=0.9)
    costs = [stored + drawn * R for R in range(found.last_R + 1, found.last_R + 40)]  # n >= 1
    assert min(costs) >= found.cost
    assert stored + drawn * found.last_R < found.cost or found.last_R == 1
    if found.point.n == 1 and found.point.R > 1:  # the optimum itself may lie beyond: equally cheap, not cheaper
        assert found.last_R == found.point.R - 1
    assert "can be cheaper" in (trade_off.Optimum.__doc__ or "")


def test_too_many_R_are_refused(monkeypatch):
    monkeypatch.setattr(trade_off, "MAX_LOOKS", 50)
    with pytest.raises(ValueError, match="price_draw must be larger: more than 50 R to look at, got price_draw=1e-09"):
        trade_off.optimum("subset_sum", 1e-6, 0.1, price_value=1.0, price_draw=1e-9, alpha=0.5, basis="predicted")
