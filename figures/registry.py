"""All figures, in the order in which the report shows them."""

from __future__ import annotations

import importlib

from figures.recipe import Recipe

NAMES = (
    "single_weight",
    "subset_sum",
    "required_n",
    "phase_diagram",
    "theorem_corner",
    "main_theorem",
    "coverage",
    "looseness",
    "recycling",
    "accuracy",
    "similarity",
    "trade_off",
    "binary_weights",
    "product_sum",
)


def recipe(name: str) -> Recipe:
    """The recipe of one figure.

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> recipe("subset_sum").number
    2
    """
    if name not in NAMES:
        raise ValueError(f"figure must be one of {', '.join(NAMES)}, got {name}")
    found: Recipe = importlib.import_module(f"figures.{name}").RECIPE
    return found


def recipes() -> tuple[Recipe, ...]:
    """Every figure's recipe, by number."""
    return tuple(sorted((recipe(name) for name in NAMES), key=lambda one: one.number))
