"""Which architecture a question of the main theorem is about, and how results and stores name it; without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sims.experiment import MAX_DRAWS, Row, between
from theory.network import ConvolutionTheorem, MainTheorem


def grid(
    widths: Sequence[int],
    eps: Sequence[float],
    R: Sequence[int],
    statement: Any,
    norm: Any,
    domain: Any,
    shape: Mapping[str, int],
) -> tuple[MainTheorem, ...]:
    """The questions of every eps and R; `shape` as `shape_named` gives it."""
    for value in R:
        between("R", value, 1, MAX_DRAWS)
    for width in widths:
        between("widths", width, 1, 10**6)
    shared = {"widths": tuple(widths), "statement": statement, "norm": norm, "domain": domain}
    return tuple(theorem_of(shape, eps=e, R=r, **shared) for e in eps for r in R)


def shape_named(arch: str, kernel: int | None, side: int | None) -> dict[str, int]:
    """What the convolutions' question takes beside the dense one's; empty for dense layers."""
    given = {name: value for name, value in (("kernel", kernel), ("side", side)) if value is not None}
    if arch == "dense":
        for name, value in given.items():
            raise ValueError(f"{name} needs arch conv, got {name}={value}")
        return {}
    for name, value in given.items():
        between(name, value, 1, 10**4)
    return {"kernel": 3, "side": 6} | given


def shape_of(question: MainTheorem) -> Row:
    """What params, cells and rows name beside what they name for dense layers."""
    if not isinstance(question, ConvolutionTheorem):
        return {}
    return {"arch": "conv", "kernel": question.kernel, "side": question.side}


def theorem_of(shape: Mapping[str, Any], **asked: Any) -> MainTheorem:
    """The question of the architecture that has this shape."""
    return ConvolutionTheorem(**asked, **shape) if shape else MainTheorem(**asked)
