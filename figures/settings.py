"""What figures are drawn of: the parameters of their questions, whose defaults are those of the committed numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from sims.commands import flags
from sims.options import several

SEED = 1
"""Seed of the committed numbers."""


@dataclass(frozen=True)
class Sampling:
    """What every simulated figure takes."""

    trials: flags.Integer = 10**5
    """Trials of a point."""
    seed: flags.Integer = SEED
    """Seed in [0, 2^64)."""


@dataclass(frozen=True)
class Grid(Sampling):
    """A grid of questions about one target."""

    R: flags.Integers = (1,)
    """Draws that each variable may take; several make a grid. Ranges: 1:5, 1:9:2."""
    eps: flags.Reals = (0.01,)
    """Accuracy in (0, 1]; several make a grid."""
    alpha: flags.Alphas = (0.5,)
    """Target in [-1, 1], or `uniform`: a new one for every trial."""
    n: flags.AutoIntegers = None
    """Numbers of variables: 8, 1:30, 4:40:4. Default: auto, as far as the prediction says that success is likely."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1) that is asked for."""

    @property
    def curves(self) -> int:
        """Curves of the picture."""
        return len(self.R) * len(self.eps) * len(self.alpha)


_SEVERAL = {"n", "R"}
"""Settings of several values whose default is left to the figure."""


def changed(defaults: Any, given: dict[str, Any], figure: str) -> Any:
    """The settings with other values: one value or several for what may be several, whole floats for integers.

    Raises
    ------
    TypeError
        A name that the figure does not know.
    """
    known = {one.name: getattr(defaults, one.name) for one in fields(defaults)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"figure {figure} has no parameter {name}: it takes {', '.join(known)}")
        usual = known[name]
        many = isinstance(usual, tuple) or (usual is None and name in _SEVERAL and value is not None)
        values[name] = tuple(map(_plain, several(value))) if many else _plain(value)
        if many and usual and not values[name]:
            raise ValueError(f"{name} needs at least one value")
        one = values[name]
        if isinstance(usual, int) and isinstance(one, float) and one.is_integer():
            values[name] = int(one)
    return type(defaults)(**{**known, **values})


def _plain(value: Any) -> Any:
    """A number of NumPy as Python has it."""
    return value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value


_UNITS = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}


def length(token: str) -> float:
    """A length in inches: ``3.3in``, ``84mm``, ``8.4cm``, ``240pt`` (of TeX), or inches alone.

    Examples
    --------
    >>> length("3.3in"), round(length("84mm"), 3), length("7")
    (3.3, 3.307, 7.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(in|cm|mm|pt|)", token.strip())
    if not found:
        raise ValueError(f"takes a length such as 3.3in, 84mm or 240pt, got {token!r}")
    return float(found[1]) * _UNITS[found[2]]


def _length(tokens: Sequence[str]) -> float:
    return length(tokens[0])


OptionalLength = Annotated[float | None, *flags.written("LENGTH", _length)]
