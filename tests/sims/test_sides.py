"""The facts about rounding hold, and their controls do not: what ``sims.verify`` also runs, one test a fact."""

from __future__ import annotations

import importlib

import pytest

from sims.checks.check import Fact

PACKAGES = ("single_weight", "network", "necessary")

FACTS = [
    pytest.param(fact, id=f"{fact.claim}-{i}")
    for package in PACKAGES
    for i, fact in enumerate(importlib.import_module(f"sims.checks.sides.{package}").checks())
]


@pytest.mark.parametrize("fact", FACTS)
def test_sides(fact: Fact) -> None:
    found = fact.compare(1)
    assert (found.ratio >= 1.0) == (not fact.control), found.text
