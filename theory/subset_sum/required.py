"""Sufficient numbers of variables: the best block design that the bounds prove (2.3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from theory.numerics import check
from theory.numerics.invert import smallest_n
from theory.numerics.irwin_hall import UNIT
from theory.numerics.rounding import complement_below, raised
from theory.question import Target
from theory.subset_sum.blocks import (
    GROUPS,
    MAX_BLOCK,
    in_groups,
    log_failure_prob_bound,
    log_failure_weighted,
    log_least_weighted,
    second_moment,
    success_prob_lower,
)
from theory.subset_sum.parameters import Model, SubsetSumParameters, Way, certified
from theory.subset_sum.weighted import MAX_VARIABLES


@dataclass(frozen=True)
class RequiredN:
    """A sufficient number of variables and the block design that proves it.

    Attributes
    ----------
    n : int
        Variables, m times blocks.
    m : int
        Variables in a block.
    blocks : int
        Disjoint blocks.
    block_success : float
        Proved lower bound on the success of one block (of one vector, in the vector model).
    groups : int
        Groups into which the draws of every variable are split; a block fails only if each of its groups does.
    way : str
        What bounds a group of a block: its second moment (2.2), the second moment of weighted good sums (2.2 (b)),
        or the draws of the last variable (2.2 (c)); for a uniform target also the expected share of targets not
        covered (2.3 (c)).
    """

    n: int
    m: int
    blocks: int
    block_success: float
    groups: int = 1
    way: Way = "second moment"


def required_n(eps: float, delta: float, *, R: int, alpha: Target, model: Model = "choice") -> RequiredN:
    """Variables that suffice for failure probability delta: n = m blocks, at the best design that is tried.

    Proved sufficient; logarithms are rounded to the safe side. n = 0 if |alpha| <= eps. Parameters are those of
    `SubsetSum`; a failure probability delta in (0, 1). Proved in theory/PROOFS.md, 2.3 to 2.3 (c).

    Examples
    --------
    >>> required_n(0.01, 0.05, R=1, alpha=0.5).n, required_n(0.01, 0.05, R=5, alpha=0.5).n
    (14, 5)
    >>> required_n(1e-4, 0.01, R=5, alpha=0.5).way
    'weighted second moment'
    """
    delta = check.open_probability("delta", delta)
    case = certified(SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model))
    if case.certain:
        return RequiredN(0, 0, 0, 1.0, way="empty sum")
    if case.uniform:
        return _of_uniform_target(case, delta)
    wanted = Fraction(raised(-math.log(delta))) / case.vectors
    best = _by_second_moment(case.one_vector(), wanted)
    return min([best, *_by_weights(case.one_vector(), wanted, best.n)], key=lambda design: design.n)


def _of_uniform_target(case: SubsetSumParameters, delta: float) -> RequiredN:
    law = {"R": case.R, "eps": case.eps, "alpha": case.alpha, "model": case.model}

    def log_failure(n: int) -> float:
        return log_failure_prob_bound(n, **law)  # type: ignore[arg-type]

    n = smallest_n(log_failure, -raised(-math.log(delta)))
    moment = n <= MAX_BLOCK and second_moment(n, case, True) >= 1.0 - delta
    return RequiredN(n, n, 1, success_prob_lower(n, **law), way="second moment" if moment else "coverage")  # type: ignore[arg-type]


def _rate(logs: list[tuple[int, float]]) -> Fraction:
    """A lower bound on -log P(failure of a block) from the groups' counts and logarithms."""
    return sum((count * Fraction(-log * (1.0 - 4 * UNIT)) for count, log in logs), Fraction(0))


def _design(m: int, rate: Fraction, wanted: Fraction, groups: int, way: Way) -> RequiredN:
    blocks = math.ceil(wanted / rate)
    return RequiredN(m * blocks, m, blocks, complement_below(-float(rate) * (1.0 - 4 * UNIT)), groups, way)


def _by_second_moment(case: SubsetSumParameters, wanted: Fraction) -> RequiredN:
    best: RequiredN | None = None
    for m in range(1, MAX_BLOCK + 1):
        if best is not None and m >= best.n:
            break
        for groups in GROUPS:
            if groups <= case.R:
                parts = in_groups(case, groups)
                rate = _rate([(count, math.log1p(-second_moment(m, part, True))) for count, part in parts])
                design = _design(m, rate, wanted, groups, "second moment")
                best = design if best is None or design.n < best.n else best
    assert best is not None
    return best


def _by_weights(case: SubsetSumParameters, wanted: Fraction, below: int) -> Iterator[RequiredN]:
    """Designs of fewer than ``below`` variables that are bounded by 2.2 (b) or (c): for every split the least block."""
    for groups in (1, 2, 3):
        for blocks in range(1, 9):
            largest = min(MAX_VARIABLES, (below - 1) // blocks)
            if groups > case.R or largest < 1:
                continue
            parts = in_groups(case, groups)
            level = -float(wanted) / blocks

            def least(m: int, parts: list[tuple[int, SubsetSumParameters]] = parts) -> float:
                return sum(count * log_least_weighted(m, part) for count, part in parts)

            if least(largest) > level:
                continue

            def log_failure(m: int, parts: list[tuple[int, SubsetSumParameters]] = parts) -> float:
                return sum(count * log_failure_weighted(m, part)[0] for count, part in parts) if m else 0.0

            try:
                m = smallest_n(log_failure, level, limit=largest, guess=smallest_n(least, level, lo=1) + 2)
            except ValueError:
                continue
            design = _design(m, _rate([(1, log_failure(m))]), wanted, groups, log_failure_weighted(m, parts[0][1])[1])
            if design.n < below:
                below = design.n
                yield design
