"""The facts about rounding hold, and their controls do not: what ``sims.verify`` also runs, one test a fact."""

from __future__ import annotations

import pytest

from sims.checks.check import Fact
from sims.checks.sides import binary_weights, necessary, network, products, recycling, single_weight, sums

FACTS = {
    "single_weight": single_weight.checks,
    "subset_sum": sums.subset_sums,
    "coverage": sums.coverages,
    "network": network.checks,
    "product_sum": products.checks,
    "necessary": necessary.checks,
    "recycling": recycling.checks,
    "binary_weights": binary_weights.checks,
}
"""By the package of theory that they speak of."""

CASES = [
    pytest.param(fact, id=f"{package}-{i}-{fact.claim}")
    for package, facts in FACTS.items()
    for i, fact in enumerate(facts())
]


@pytest.mark.parametrize("fact", CASES)
def test_sides(fact: Fact) -> None:
    found = fact.compare(1)
    assert (found.ratio >= 1.0) == (not fact.control), found.text
