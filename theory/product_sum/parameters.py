"""The parameters of statement 4.7 for one weight, and how its random values are laid out."""

from __future__ import annotations

from dataclasses import dataclass

from theory.question import OneTarget, Target


@dataclass(frozen=True, kw_only=True)
class ProductSumParameters(OneTarget):
    """Subset sums of products: do some of n neurons, each a product of two weights, add up to a target weight?

    Neuron i has R draws of a weight b_i and R draws of a weight a_i, all i.i.d. U[-1, 1]. It keeps the draw of b_i with
    the largest absolute value (the first one, should two agree), beta_i = abs(b_i). It is *usable* for the half s(h) of
    its input if that b_i >= 0; then it may contribute a_ir beta_i for one of its draws r, or nothing. The question is
    whether the contributions of some usable neurons sum to within eps of alpha; no contribution at all is the sum 0.

    Attributes
    ----------
    R : int
        Draws of each weight, >= 1.
    eps : float
        Accuracy in (0, 1]: the eta of 4.7.
    alpha : float or "uniform"
        Target weight in [-1, 1], or one drawn from U[-1, 1] and averaged over.
    """

    R: int = 1
    eps: float = 0.01
    alpha: Target = 0.5
