"""Doctests of nets/ need PyTorch; without it they are left out, and the header of the run says so."""

from __future__ import annotations

from importlib.util import find_spec

import tyro  # noqa: F401  (its import fails while a doctest's last value, which stands in builtins, is not hashable)

_HAS_TORCH = find_spec("torch") is not None
collect_ignore_glob = [] if _HAS_TORCH else ["nets/*", "tests/nets/*"]


def pytest_report_header() -> str | None:
    """One line about what is left out."""
    return None if _HAS_TORCH else "PyTorch is not installed (extra: nets): the tests of nets/ are left out"
