"""Which architecture a question of the main theorem is about, and how results and stores name it; without PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from nets.construction.networks import weight_count
from sims.experiment import MAX_DRAWS, Row, between
from theory.attention import AttentionTheorem
from theory.attention.entry import Entries
from theory.network import ConvolutionTheorem, MainTheorem

MAX_WIDTHS = 101
"""Of a target: its depth is at most 100, whose formulas take seconds."""


def grid(
    widths: Sequence[int],
    eps: Sequence[float],
    R: Sequence[int],
    statement: Any,
    norm: Any,
    domain: Any,
    shape: Mapping[str, Any],
) -> tuple[MainTheorem, ...]:
    """The questions of every eps and R; `shape` as `shape_named` gives it."""
    for value in R:
        between("R", value, 1, MAX_DRAWS)
    if len(widths) > MAX_WIDTHS:
        raise ValueError(f"widths must be at most {MAX_WIDTHS} numbers, got {len(widths)}")
    for width in widths:
        between("widths", width, 1, 10**6)
    shared = {"widths": tuple(widths), "statement": statement, "norm": norm, "domain": domain}
    return tuple(theorem_of(shape, eps=e, R=r, **shared) for e in eps for r in R)


_DEFAULTS: dict[str, dict[str, Any]] = {
    "dense": {},
    "conv": {"kernel": 3, "side": 6},
    "attention": {"heads": 1, "head_size": 2, "radius": 1.0},
}
"""What the question of an architecture takes beside the dense one's."""

SHAPE = tuple(name for names in _DEFAULTS.values() for name in names)
"""Names of all that any architecture takes."""

ENTRIES: dict[str, Entries] = {"window": "picks", "subset-sum": "subset-sum"}
"""How an attention's entries are made, by the construction that makes them."""


def shape_named(arch: str, given: Mapping[str, Any], construction: str = "window") -> dict[str, Any]:
    """What the architecture's question takes beside the dense one's, of given values, some of them None."""
    named = {name: given[name] for name in SHAPE if given.get(name) is not None}
    for name, value in named.items():
        if name not in _DEFAULTS[arch]:
            owner = next(one for one, names in _DEFAULTS.items() if name in names)
            raise ValueError(f"{name} needs arch {owner}, got {name}={value}")
        if name != "radius":
            between(name, value, 1, 10**4)
    if arch == "attention":
        if construction not in ENTRIES:
            raise ValueError(f"construction must be one of {', '.join(ENTRIES)} for an attention, got {construction!r}")
        named["construction"] = ENTRIES[construction]
    return _DEFAULTS[arch] | named


def shape_of(question: MainTheorem) -> Row:
    """What params, cells and rows name beside what they name for dense layers."""
    arch = "conv" if isinstance(question, ConvolutionTheorem) else "attention"
    if arch == "attention" and not isinstance(question, AttentionTheorem):
        return {}
    return {"arch": arch} | {name: getattr(question, name) for name in _DEFAULTS[arch]}


def theorem_of(shape: Mapping[str, Any], **asked: Any) -> MainTheorem:
    """The question of the architecture that has this shape."""
    if "heads" in shape:
        return AttentionTheorem(**asked, **shape)
    return ConvolutionTheorem(**asked, **shape) if shape else MainTheorem(**asked)


def factors(question: MainTheorem, n: Sequence[int]) -> tuple[float, float]:
    """Widest layer of the source over the target's, layer by layer, and weights of the source over the target's."""
    widths = question.widths
    if isinstance(question, AttentionTheorem):
        d, _, out = widths
        inner = [d * count for count in n]
        target = 2 * d + d + out
        weights = inner[0] * 2 * d + inner[1] * (d + out)
        return max(inner) / question.head_size, weights / (question.head_size * target)
    source = [2 * a * count for a, count in zip(widths, n, strict=False)]
    taps = question.taps if isinstance(question, ConvolutionTheorem) else 1
    parameters = sum(d * (a + taps * b) for d, (a, b) in zip(source, itertools.pairwise(widths), strict=True))
    return max(d / a for d, a in zip(source, widths, strict=False)), parameters / (taps * weight_count(widths))
