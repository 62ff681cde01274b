"""Where the inputs of a network may lie: a ball about zero or a box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import doubles
from nets.certificate.rounding import l2
from nets.certificate.upward import joined, mul, root
from sims.solver.arguments import finite_numbers, one_number
from sims.solver.limits import finite_number
from theory.numerics.check import shown

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Domain:
    """Set of examples of one input (or of every floating input); build it by `ball`, `box`, `ball_of` or `box_of`.

    Attributes
    ----------
    radius : float or None
        Of the l2 ball about zero over all entries of one example; None for a box.
    low, high : ndarray, float64
        Of the box: numbers, or arrays that broadcast to one example. Infinite for a ball.
    origin : str
        How it was stated.
    """

    radius: float | None
    low: Array
    high: Array
    origin: str = "stated"

    def __post_init__(self) -> None:
        low, high = (np.asarray(end) for end in (self.low, self.high))
        if self.radius is None:
            low, high = finite_numbers("low", self.low), finite_numbers("high", self.high)
            try:
                np.broadcast_shapes(low.shape, high.shape)
            except ValueError:
                raise ValueError(f"low and high must fit each other, got shapes {low.shape} and {high.shape}") from None
            if not (low <= high).all():
                raise ValueError(f"low must be <= high, got low={_text(low)}, high={_text(high)}")
        elif one_number("radius", self.radius) <= 0:
            raise ValueError(f"radius must be a number > 0, got radius={self.radius}")
        elif not ((low == -np.inf).all() and (high == np.inf).all()):
            raise ValueError(f"low and high must be infinite for a ball, got {shown(self.low)}, {shown(self.high)}")
        for name, value in (("low", low), ("high", high)):
            object.__setattr__(self, name, value)

    @classmethod
    def ball(cls, radius: float, *, origin: str = "stated") -> Domain:
        """Ball ||x||_2 <= radius.

        Examples
        --------
        >>> Domain.ball(2.0).farthest((1, 4)), str(Domain.ball(2.0))
        (2.0, '||x||_2 <= 2')
        """
        return cls(finite_number("radius", radius), np.array(-np.inf), np.array(np.inf), origin)

    @classmethod
    def box(cls, low: Any, high: Any, *, origin: str = "stated") -> Domain:
        """Box low <= x <= high, of numbers or of arrays that broadcast to one example.

        Examples
        --------
        >>> Domain.box(-1.0, 1.0).farthest((1, 4)), str(Domain.box(0, 1))
        (2.0, '0 <= x <= 1')
        """
        return cls(None, doubles("low", low).cpu().numpy(), doubles("high", high).cpu().numpy(), origin)

    @classmethod
    def ball_of(cls, data: Any) -> Domain:
        """Smallest ball about zero that holds the examples data[0], data[1], ..."""
        rows = _examples("data", data)
        radius = max(joined(np.abs(row).tolist()) for row in rows.reshape(len(rows), -1))
        return cls.ball(radius, origin=f"from {len(rows)} examples")

    @classmethod
    def box_of(cls, data: Any) -> Domain:
        """Smallest box of one interval for all entries that holds the examples."""
        rows = _examples("data", data)
        return cls.box(rows.min(), rows.max(), origin=f"from {len(rows)} examples")

    def to_plain(self) -> dict[str, Any]:
        """As numbers for JSON.

        Examples
        --------
        >>> Domain.from_plain(Domain.box(0, 1).to_plain()).to_plain()
        {'low': 0.0, 'high': 1.0, 'origin': 'stated'}
        """
        if self.radius is not None:
            return {"radius": self.radius, "origin": self.origin}
        return {"low": self.low.tolist(), "high": self.high.tolist(), "origin": self.origin}

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> Domain:
        """The inverse of `to_plain`."""
        if "radius" in content:
            return cls.ball(content["radius"], origin=content["origin"])
        return cls.box(content["low"], content["high"], origin=content["origin"])

    def __str__(self) -> str:
        text = f"{_text(self.low)} <= x <= {_text(self.high)}" if self.radius is None else f"||x||_2 <= {self.radius:g}"
        return text if self.origin == "stated" else f"{text} ({self.origin})"

    def range(self) -> tuple[float, float]:
        """Interval that holds every entry of every point."""
        if self.radius is not None:
            return -self.radius, self.radius
        return float(self.low.min()), float(self.high.max())

    def farthest(self, shape: tuple[int, ...]) -> float:
        """Upper bound on the l2 norm of one example of that shape."""
        if self.radius is not None:
            return self.radius
        reach = np.maximum(np.abs(self.low), np.abs(self.high))
        self.check_fits(shape)
        largest = float(reach.max())
        if largest == 0:
            return 0.0
        squares = float(((reach / largest) ** 2).sum()) * (math.prod(shape) / reach.size)
        rounding = 1 + 4 * (reach.size + 8) * 2.0**-53 if reach.size > 1 else 1.0
        return mul(largest, root(mul(squares, rounding)))

    def check_fits(self, shape: tuple[int, ...]) -> None:
        """Refuse a shape of examples over which the box would be spread, or that it would spread."""
        own = np.broadcast_shapes(self.low.shape, self.high.shape)
        try:
            whole = np.broadcast_shapes(own, shape)
        except (TypeError, ValueError):
            whole = None
        if whole is None or math.prod(whole) != math.prod(shape):
            raise ValueError(f"the box has shape {own}, an example has shape {shape}")

    def contains(self, examples: Any) -> bool:
        """Whether every one of the examples[0], examples[1], ... lies in the domain (no tolerance)."""
        rows = _examples("examples", examples)
        if self.radius is None:
            self.check_fits(rows.shape[1:])
            return bool(((rows >= self.low) & (rows <= self.high)).all())
        flat = torch.from_numpy(rows.reshape(len(rows), -1))
        return bool((l2(flat) <= self.radius).all())

    def project(self, points: torch.Tensor) -> torch.Tensor:
        """Nearest points of the domain, inside it in floating point as well; one example for each points[i]."""
        if self.radius is None:
            low, high = (torch.from_numpy(end).to(points) for end in (self.low, self.high))
            return torch.minimum(torch.maximum(points, low), high)
        norms = l2(points.flatten(1))
        inside = 1 - 4 * (points[0].numel() + 8) * 2.0**-53
        shrunk = torch.where(norms > self.radius * inside, self.radius * inside / norms, torch.ones_like(norms))
        return points * shrunk.reshape(-1, *[1] * (points.ndim - 1))

    def random(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Points `(count, *shape)`, float64: half of a box's are corners; those of a ball lie on its sphere."""
        if self.radius is not None:
            points = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
            norms = l2(points.flatten(1)).reshape(-1, *[1] * len(shape))
            return self.project(points * (self.radius / norms))
        share = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
        share[::2] = share[::2].round()
        low, high = (torch.from_numpy(end) for end in (self.low, self.high))
        return self.project(low + share * (high - low))


def _examples(name: str, data: Any) -> Array:
    rows: Array = doubles(name, data).cpu().numpy()
    if rows.ndim < 1 or rows.size == 0:
        raise ValueError(f"{name} must be examples stacked on the first axis, got shape {rows.shape}")
    return rows


def _text(end: Array) -> str:
    return f"{float(end.min()):g}" if (end == end.min()).all() else f"[{end.min():g} ... {end.max():g}]"
