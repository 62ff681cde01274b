"""All figures: found by their committed numbers, ordered by their number."""

from __future__ import annotations

import importlib

from figures.recipe import FOLDER, Recipe

NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
"""A figure is a module with a ``RECIPE`` and committed numbers: ``python -m figures.NAME --compute`` makes them."""


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
