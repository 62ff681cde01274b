"""One answer to "how large must, or may, the random network be?" and the arguments that every row shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from theory.claim import Status
from theory.network.layers import Domain, check_domain, check_widths, layers
from theory.numerics.check import accuracy, draw_count, open_probability, positive_int

Direction = Literal["sufficient", "necessary"]
Parts = tuple[tuple[str, Status], ...]


class Options(TypedDict, total=False):
    """What `width` and `table` take beside the target, eps and delta."""

    R: int
    C: float | None
    domain: Domain
    kernel: int
    density: float | None
    n: int | None


@dataclass(frozen=True)
class Spec:
    """A question, validated; its fields are the arguments of `theory.necessary.widths.width`."""

    widths: tuple[int, ...]
    eps: float
    delta: float
    R: int = 1
    C: float | None = None
    domain: Domain = "l2"
    kernel: int = 1
    density: float | None = None
    n: int | None = None

    def __post_init__(self) -> None:
        constant = None if self.C is None else _constant(self.C)
        check_domain(self.domain)
        checked = {
            "widths": check_widths(self.widths),
            "eps": accuracy("eps", self.eps),
            "delta": open_probability("delta", self.delta),
            "R": draw_count("R", self.R),
            "C": constant,
            "kernel": positive_int("kernel", self.kernel),
            "density": None if self.density is None else accuracy("density", self.density),
            "n": None if self.n is None else positive_int("n", self.n),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def l(self) -> int:  # noqa: E743
        """Depth of the target."""
        return len(self.widths) - 1

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(d_(i-1), d_i)."""
        return layers(self.widths)

    def square(self, result: str) -> int:
        """The d of a statement about targets x -> W x, W of shape d x d, which fit into one layer."""
        if self.l != 1:
            raise ValueError(f"{result} speaks of targets x -> W x: widths must be two integers, got {self.widths}")
        return min(self.widths)


def _constant(C: float) -> float:
    if isinstance(C, bool) or not isinstance(C, (int, float)) or not 0.0 < C < math.inf:
        raise ValueError(f"C must be a positive number, got C={C!r}")
    try:
        return float(C)
    except OverflowError:
        raise ValueError(f"C must be below 1.8e308, got C >= 2^{int(C).bit_length() - 1}") from None


@dataclass(frozen=True)
class WidthRow:
    """One row of the comparison of section 5.

    Attributes
    ----------
    result : str
        Key of theory.necessary.widths.RESULTS.
    paper : str
        Key of theory.bibliography, or "theory/PROOFS.md" with the section.
    direction : {"sufficient", "necessary"}
        An upper or a lower bound on what is needed.
    status : tuple of (part, status)
        What is proved, read, recalled or heuristic: shape, constant, statement. A constant that is not known has none.
    hidden : tuple of int or None
        Widths of the source between input and output, in order; None for a bound on parameters alone, and where the
        constant is unknown and was not passed.
    depth : int or None
        Layers of the source.
    params : int or None
        Weights of the source, all layers.
    kept : int or None
        Upper bound on the weights that the construction keeps, if known.
    C : float or None
        The constant that was passed or estimated; None where there is none to choose.
    is_shape_only : bool
        The numbers follow a shape whose constant is not known: draw them dashed, never quote them.
    note : str
        What a reader must know.
    """

    result: str
    paper: str
    direction: Direction
    status: Parts
    hidden: tuple[int, ...] | None
    depth: int | None
    params: int | None
    kept: int | None
    C: float | None
    is_shape_only: bool
    note: str

    @property
    def widest(self) -> int | None:
        """Largest hidden width."""
        return max(self.hidden, default=None) if self.hidden is not None else None


def fully_connected(widths: Sequence[int]) -> int:
    """Weights of a network with these widths, input and output included."""
    return sum(a * b for a, b in layers(widths))


def between(spec: Spec, inner: Sequence[int]) -> tuple[int, ...]:
    """Hidden widths of a depth-2l source: the construction's layer before each layer of the target's width."""
    hidden: list[int] = []
    for new, (_, out) in zip(inner, spec.layers, strict=True):
        hidden += [new, out]
    return tuple(hidden[:-1])


def least(x: float) -> int:
    """At least 1, rounded up; a float this large is an exact integer."""
    if not math.isfinite(x):
        raise ValueError("C, widths, eps and delta must give a size below 1.8e308")
    return max(1, math.ceil(x))
