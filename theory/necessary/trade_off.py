"""Storage against sampling: few values drawn often, or many values drawn once?

n candidates with R draws each reach a target alpha within eps. Storing the n values and making the n R draws both cost
something. ``iso_success`` gives the smallest n for each R, ``optimum`` the cheapest pair (n, R).

=============  ====================================================================================================
``pick_one``   one of the n R draws must be within eps of alpha (1.1); only n R matters
``subset_sum``  some sum of at most one draw of each candidate must be (2.1 to 2.4)
=============  ====================================================================================================

``basis`` says where n comes from: "proved" suffices (1.1, which is exact, and 2.3), "necessary" cannot be undercut
(1.1 and 2.1), "predicted" is heuristic for subset sums (2.4) and exact for pick_one. The other parameters are those of
`theory.subset_sum.SubsetSum`, alpha a number; delta in (0, 1), and prices: price_value >= 0 of one stored value,
price_draw > 0 of one draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from theory import single_weight, subset_sum
from theory.numerics import check

__all__ = ["Basis", "Kind", "Optimum", "Point", "iso_success", "optimum", "smallest_candidates"]

Kind = Literal["pick_one", "subset_sum"]
Basis = Literal["proved", "necessary", "predicted"]

MAX_LOOKS = 20_000
"""Most R at which `optimum` computes n for subset sums."""


@dataclass(frozen=True)
class Point:
    """One point of a curve of equal success.

    Attributes
    ----------
    R : int
        Draws of each candidate.
    n : int
        Smallest number of candidates.
    draws : int
        n R.
    """

    R: int
    n: int

    @property
    def draws(self) -> int:
        """Draws in total."""
        return self.n * self.R


@dataclass(frozen=True)
class Optimum:
    """The cheapest pair.

    Attributes
    ----------
    point : Point
        n and R.
    cost : fraction
        price_value n + price_draw n R, exactly.
    last_R : int
        No R beyond this one can be cheaper (5.4); one may cost the same.
    """

    point: Point
    cost: Fraction
    last_R: int


def smallest_candidates(kind: Kind, eps: float, delta: float, *, R: int, alpha: float, basis: Basis = "proved") -> int:
    """Smallest n with success probability at least 1 - delta, on the stated basis.

    At least 1 (one value is stored even where the empty sum would do). Source: Statements 1.1, 2.1, 2.3 and 2.4.

    Examples
    --------
    >>> [smallest_candidates("subset_sum", 0.01, 0.05, R=R, alpha=0.5) for R in (1, 5)]
    [14, 5]
    >>> smallest_candidates("pick_one", 0.01, 0.05, R=299, alpha=0.0)
    1
    """
    if kind not in ("pick_one", "subset_sum"):
        raise ValueError(f"kind must be 'pick_one' or 'subset_sum', got kind={kind!r}")
    if basis not in ("proved", "necessary", "predicted"):
        raise ValueError(f"basis must be 'proved', 'necessary' or 'predicted', got basis={basis!r}")
    alpha, R = check.target_value("alpha", alpha), check.draw_count("R", R)
    if kind == "pick_one":
        return single_weight.required_n_exact(eps, delta, R=R, alpha=alpha)
    if basis == "proved":
        return max(1, subset_sum.required_n(eps, delta, R=R, alpha=alpha).n)
    if basis == "necessary":
        return max(1, subset_sum.necessary_n(eps, delta, R=R, alpha=alpha))
    return max(1, subset_sum.predicted_n(eps, delta, R=R, alpha=alpha))


def iso_success(
    kind: Kind, eps: float, delta: float, *, R: Iterable[int], alpha: float, basis: Basis = "proved"
) -> tuple[Point, ...]:
    """The curve of equal success: the smallest n for each R.

    In the order of R. With basis "proved" n need not fall with R: only the bound is inverted. Source: theory/PROOFS.md,
    5.4.

    Examples
    --------
    >>> [(point.n, point.draws) for point in iso_success("subset_sum", 0.01, 0.05, R=(1, 5), alpha=0.5)]
    [(14, 14), (5, 25)]
    """
    return tuple(Point(draws, smallest_candidates(kind, eps, delta, R=draws, alpha=alpha, basis=basis)) for draws in R)


def optimum(
    kind: Kind,
    eps: float,
    delta: float,
    *,
    price_value: float,
    price_draw: float,
    alpha: float,
    basis: Basis = "proved",
) -> Optimum:
    """The pair (n, R) that costs least: price_value n + price_draw n R.

    Exact for the n(R) of the basis: costs are compared as rationals; among equals the smallest R. Raises ValueError if
    there are too many R to look at. Proved in theory/PROOFS.md, 5.4: R with price_value + price_draw R above the cost
    so far are excluded.

    Examples
    --------
    >>> best = optimum("subset_sum", 0.01, 0.05, price_value=1.0, price_draw=1.0, alpha=0.5)
    >>> best.point.R, best.point.n
    (2, 8)
    >>> optimum("pick_one", 0.01, 0.05, price_value=1.0, price_draw=0.01, alpha=0.0).point
    Point(R=299, n=1)
    """
    stored, drawn = Fraction(check.nonnegative("price_value", price_value)), Fraction(0)
    drawn = Fraction(check.nonnegative("price_draw", price_draw))
    if drawn == 0:
        raise ValueError("price_draw must be positive, got price_draw=0: free draws make n = 1 optimal")

    def candidates(R: int) -> int:
        return smallest_candidates(kind, eps, delta, R=R, alpha=alpha, basis=basis)

    if kind == "pick_one":  # n R >= N draws, so n = 1 and R = N cost least of all
        total = candidates(1)
        cost = stored + drawn * total
        return Optimum(Point(total, 1), cost, total)
    best = Point(1, candidates(1))
    cost = (stored + drawn) * best.n
    R = looks = 1
    while stored + drawn * (R + 1) < cost:
        R += 1
        least = 1
        if basis != "predicted":  # a proved n is never below the necessary one; a prediction may be
            least = max(1, subset_sum.necessary_n_closed_form(eps, delta, R=R, alpha=alpha))
        if (stored + drawn * R) * least >= cost:
            continue
        looks += 1
        if looks > MAX_LOOKS:
            raise ValueError(
                f"price_draw must be larger: more than {MAX_LOOKS} R to look at, got price_draw={price_draw}"
            )
        found = Point(R, candidates(R))
        here = (stored + drawn * R) * found.n
        if here < cost:
            best, cost = found, here
    return Optimum(best, cost, last_R(stored, drawn, cost))


def last_R(price_value: Fraction, price_draw: Fraction, cost: Fraction) -> int:
    """Largest R whose cost could be below ``cost`` with a single candidate, at least 1.

    Examples
    --------
    >>> last_R(Fraction(1), Fraction(1, 2), Fraction(4))  # 1 + R/2 < 4
    5
    """
    return max(1, math.ceil((cost - price_value) / price_draw) - 1)
