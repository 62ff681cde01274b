"""Figures are found by name, because nothing below them may import them."""

from __future__ import annotations

import importlib
from typing import Any


def figure_of(name: str) -> Any:
    """The module that draws results of that name: ``plot(result)`` and ``save(result, path)``; ValueError if none."""
    try:
        return importlib.import_module(f"figures.{name}")
    except ModuleNotFoundError as missing:
        if missing.name != f"figures.{name}":
            raise
        raise ValueError(f"there is no figure of {name}") from None
