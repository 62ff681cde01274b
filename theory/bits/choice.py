"""Draws or candidates? The choice among (R+1)^n sums costs n log2(R+1) bits (8.5), and what is best for them (8.6).

n candidates offer R draws each, and the kept draws must add up to within eps of alpha: with n = 1 this is the draw
code, with R = 1 it is the mask of a subset sum. ``basis`` says where a success probability comes from: "proved" is a
lower bound (1.1 at n = 1, else 2.2 to 2.3 (c)), "necessary" an upper one (2.1), "predicted" is heuristic beyond n = 1
(2.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from theory import single_weight, subset_sum
from theory.bits.limit import log2_ball
from theory.numerics import check
from theory.numerics.balls import down, exact, precision
from theory.numerics.invert import smallest_n
from theory.numerics.rounding import complement_below
from theory.question import Target

Basis = Literal["proved", "necessary", "predicted"]

MAX_BUDGET = 59.0
"""Most bits of a choice: R + 1 = 2^59 draws of one candidate."""


@dataclass(frozen=True)
class Choice:
    """A number of candidates and of draws.

    Attributes
    ----------
    n, R : int
        Candidates, and draws of each.
    success : float
        Probability that some sum is within eps, on the basis that was asked for.
    """

    n: int
    R: int
    success: float

    @property
    def bits(self) -> float:
        """n log2(R+1), what naming the choice costs."""
        return self.n * math.log2(self.R + 1)


def most_draws(bits: float, n: int) -> int:
    """Largest R with n log2(R+1) <= bits, exactly; 0 if there is none. bits in [0, 59], n >= 1.

    Examples
    --------
    >>> [most_draws(6.0, n) for n in (1, 2, 3, 6, 7)]
    [63, 7, 3, 1, 0]
    """
    bits = check.real("bits", bits, f"[0, {MAX_BUDGET:g}]")
    if not 0.0 <= bits <= MAX_BUDGET:
        raise ValueError(f"bits must be in [0, {MAX_BUDGET:g}], got bits={bits}")
    n = check.positive_int("n", n)
    share = Fraction(bits) / n
    guess = int(2.0 ** float(share))
    while _at_most(guess + 1, share):
        guess += 1
    while not _at_most(guess, share):
        guess -= 1
    return guess - 1


def _at_most(options: int, share: Fraction) -> bool:
    """Whether log2(options) <= share; options >= 1."""
    if options & (options - 1) == 0:
        return options.bit_length() - 1 <= share
    with precision():
        return bool(log2_ball(Fraction(options)) <= exact(share))


def _case(eps: float, alpha: Target, basis: str) -> subset_sum.SubsetSum:
    """What is asked of sums, checked."""
    if basis not in ("proved", "necessary", "predicted"):
        raise ValueError(f"basis must be 'proved', 'necessary' or 'predicted', got basis={basis!r}")
    return subset_sum.SubsetSum(eps=check.certified_accuracy("eps", eps), alpha=alpha)


def success(n: int, R: int, *, eps: float, alpha: Target, basis: Basis = "proved") -> float:
    """Probability that some choice of n candidates' draws is within eps of alpha, on the stated basis.

    In [0, 1]. Parameters are those of `theory.subset_sum.SubsetSum`. Source: statements 1.1, 2.1 to 2.4.

    Examples
    --------
    >>> round(success(1, 99, eps=0.01, alpha=0.5), 4), round(success(7, 1, eps=0.01, alpha=0.5, basis="predicted"), 2)
    (0.6303, 0.53)
    """
    case = _case(eps, alpha, basis)
    at: dict[str, Any] = {"eps": case.eps, "alpha": case.alpha}
    if basis == "necessary":
        return subset_sum.success_prob_upper(n, R, **at)
    if n == 1:
        if case.certain:  # the empty sum
            return 1.0
        return complement_below(math.nextafter(single_weight.log_miss_prob_exact(1, R, **at), 0.0))
    if basis == "proved":
        return subset_sum.success_prob_lower(n, R, **at)
    return min(1.0, subset_sum.success_prediction(n, R, **at))


def best_under_budget(bits: float, *, eps: float, alpha: Target, basis: Basis = "proved") -> Choice:
    """The (n, R) that succeeds most, on the basis, among those whose choice costs n log2(R+1) <= ``bits``.

    bits in [1, 59]; other parameters are those of `success`; among equals the smallest n. For every n the largest R
    that the budget allows is taken, as success does not fall with R. Proved in theory/PROOFS.md, 8.5.

    Examples
    --------
    >>> best_under_budget(8.0, eps=0.01, alpha=0.5).n
    1
    """
    if not check.real("bits", bits, "[1, 59]") >= 1.0:
        raise ValueError(f"bits must be in [1, 59], got bits={bits}")
    found = []
    for n in range(1, math.floor(bits) + 1):
        R = most_draws(bits, n)
        found.append(Choice(n, R, success(n, R, eps=eps, alpha=alpha, basis=basis)))
    return max(found, key=lambda one: one.success)


def cheapest_choice(
    eps: float, delta: float, *, alpha: Target, price_draw: float = 0.0, basis: Basis = "proved"
) -> Choice:
    """The (n, R) that costs least, n log2(R+1) + price_draw n R, among those that succeed with probability 1 - delta.

    A stored value has the price of log2(R+1) bits, the choice among its draws. price_draw >= 0 is the price of a draw
    in bits. For every n the least R that does, found by bisection, is the cheapest, and n (1 + price_draw) is below the
    cost of the best. Raises ValueError if 59 bits do not do. Proved in theory/PROOFS.md, 8.6.

    Examples
    --------
    >>> cheapest_choice(0.01, 0.05, alpha=0.5)  # 298 draws miss with probability .05003
    Choice(n=1, R=299, success=0.9504...
    """
    delta, price = check.open_probability("delta", delta), check.nonnegative("price_draw", price_draw)
    _case(eps, alpha, basis)  # below, ValueError says that no R does
    best: Choice | None = None
    cost, n = math.inf, 1
    while n * (1.0 + price) < min(cost, MAX_BUDGET + 1.0):
        R = _least_draws(n, cost, price, eps, delta, alpha, basis)
        if R is not None:
            best, cost = Choice(n, R, success(n, R, eps=eps, alpha=alpha, basis=basis)), _cost(n, R, price)
        n += 1
    if best is None:
        raise ValueError(f"eps must take at most {MAX_BUDGET:g} bits of choice, got eps={eps} with delta={delta}")
    return best


def _cost(n: int, R: int, price: float) -> float:
    return n * math.log2(R + 1) + price * n * R


def _least_draws(
    n: int, cost: float, price: float, eps: float, delta: float, alpha: Target, basis: Basis
) -> int | None:
    """Least R that does with n candidates; None if none does that costs less than the best so far."""
    last = most_draws(MAX_BUDGET, n)
    if cost < math.inf:  # the first R that costs as much is one too many
        last = smallest_n(lambda R: -_cost(n, R, price), -cost, lo=1, limit=2**60) - 1
    if last < 1:
        return None
    near = round(math.exp(min(700.0, math.log1p((1.0 - delta) / eps) / n))) - 1  # where counting begins to allow it
    try:
        return smallest_n(
            lambda R: -success(n, R, eps=eps, alpha=alpha, basis=basis), delta - 1.0, lo=1, limit=last, guess=near
        )
    except ValueError:
        return None


def rank_log2_lower(eps: float) -> float:
    """Least E log2 T, T the place of the first good sum in any fixed order of the sums: log2(1/eps) - log2(e).

    Rounded down, >= 0. It holds for a uniform target and for a fixed one with |alpha| > eps. Proved in
    theory/PROOFS.md, 8.5.

    Examples
    --------
    >>> round(rank_log2_lower(0.01), 3)
    5.201
    """
    eps = check.accuracy("eps", eps)
    with precision():
        return max(0.0, down(-log2_ball(Fraction(eps)) - 1 / exact(2.0).log()))


def rank_bits_prediction(n: int, R: int, *, eps: float, alpha: Target) -> float:
    """Predicted bits of the place of the first good sum, in the order of sizes: its entropy, a failure being one more.

    As if the (R+1)^n sums were good independently of one another, those of k values with their probability p_k: every
    sum that is looked at costs H2(p_k). Parameters are those of `theory.subset_sum.SubsetSum`. Heuristic 8.5.

    Examples
    --------
    >>> round(rank_bits_prediction(15, 1, eps=0.01, alpha="uniform"), 1)
    8.5
    """
    looked, left = 0.0, 1.0
    for k in range(check.natural("n", n) + 1):
        low, high = subset_sum.sum_hit_prob(k, eps=eps, alpha=alpha)
        p, count = 0.5 * (low + high), math.comb(n, k) * R**k
        if p <= 0.0 or p >= 1.0:
            left *= float(p <= 0.0)
            continue
        missed = math.exp(max(-1e4, count * math.log1p(-p)))
        coin = -math.log2(p) - (1.0 - p) / p * math.log1p(-p) / math.log(2.0)  # H2(p)/p
        looked, left = looked + left * (1.0 - missed) * coin, left * missed
    return looked
