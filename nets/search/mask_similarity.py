"""How alike two masks are, against what chance alone would give.

Two masks of n weights keep a and b of them, and `both` of them together. Two measures are common,

    agreement = share of the weights on which the masks say the same = (n - a - b + 2 both) / n,
    Jaccard   = both / (a + b - both),

and with the counts given each is a function of `both` alone. What informs is the excess over independent masks of the
same counts, of which `both` is hypergeometric: mean a b / n, variance a b (n - a) (n - b) / (n^2 (n - 1)). Cohen's
kappa is that excess on a scale where chance is 0 and equal masks are 1. With p = a / n and q = b / n,

    agreement by chance = p q + (1 - p) (1 - q)          (exact: agreement is linear in `both`)
    Jaccard at the mean = p q / (p + q - p q)            (for p = q = k: k / (2 - k))
    Jaccard by chance   = the mean over the hypergeometric law, `Overlap.jaccard_chance`.

Several layers are independent, so their counts, means and variances add up (`together`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Packed = npt.NDArray[np.uint8]
_SPREADS = 12.0
"""Standard deviations of the hypergeometric law that its mean is summed over: what is left out is below 1e-30."""


@dataclass(frozen=True)
class Overlap:
    """Counts of two masks over the same weights, in one layer or in several.

    Attributes
    ----------
    n, kept_a, kept_b, both : int
    expected, variance : float
        Of `both`, for independent masks that keep as many in every layer.
    layers : int
        How many layers these counts cover.

    Examples
    --------
    >>> a, b = np.packbits([1, 1, 0, 0], bitorder="little"), np.packbits([1, 0, 1, 0], bitorder="little")
    >>> found = overlap(a, b, 4)
    >>> found.agreement, found.agreement_chance, found.kappa
    (0.5, 0.5, 0.0)
    >>> round(found.jaccard, 4), round(found.jaccard_at_mean, 4), round(found.jaccard_chance, 4)
    (0.3333, 0.3333, 0.3889)
    """

    n: int
    kept_a: int
    kept_b: int
    both: int
    expected: float
    variance: float
    layers: int = 1

    @property
    def agreement(self) -> float:
        """Share of the weights that both keep or both remove, in [0, 1]."""
        return (self.n - self.kept_a - self.kept_b + 2 * self.both) / self.n

    @property
    def agreement_chance(self) -> float:
        """Mean agreement of independent masks with these counts."""
        return (self.n - self.kept_a - self.kept_b + 2.0 * self.expected) / self.n

    @property
    def jaccard(self) -> float:
        """Kept by both over kept by at least one, in [0, 1]; 1 for two masks that keep nothing."""
        return _jaccard(self.kept_a + self.kept_b, self.both)

    @property
    def jaccard_at_mean(self) -> float:
        """The Jaccard index at the mean of `both`: a b / (n (a + b) - a b) in one layer."""
        return _jaccard(self.kept_a + self.kept_b, self.expected)

    @property
    def jaccard_chance(self) -> float:
        """Mean Jaccard index of independent masks; exact for one layer, to second order for several.

        The index is s / (k - s) of s = `both` with k = a + b; its mean exceeds the value at the mean by
        k variance / (k - mean)^3 to second order. For one layer the hypergeometric law is summed.
        """
        mean, total = self.expected, self.kept_a + self.kept_b
        if self.variance == 0.0:
            return self.jaccard_at_mean
        if self.layers == 1:
            return _hypergeometric_jaccard(self.n, self.kept_a, self.kept_b)
        return self.jaccard_at_mean + total * self.variance / (total - mean) ** 3

    @property
    def kappa(self) -> float:
        """Cohen's kappa, (agreement - chance) / (1 - chance): 1 for equal masks, 0 at chance; NaN if chance is 1."""
        chance = self.agreement_chance
        return (self.agreement - chance) / (1.0 - chance) if chance < 1.0 else math.nan

    @property
    def z(self) -> float:
        """`both` above its mean, in standard deviations of independent masks; NaN if that law has only one value."""
        return (self.both - self.expected) / math.sqrt(self.variance) if self.variance > 0.0 else math.nan


def overlap(a: Packed, b: Packed, n: int) -> Overlap:
    """Compare two packed masks of one layer.

    Parameters
    ----------
    a, b : ndarray of uint8, shape (ceil(n / 8),)
        As `nets.construction.mask.Mask.pack` writes them: unused bits are 0.
    n : int >= 1
        Weights of the layer.

    Raises
    ------
    ValueError
        If a length does not fit n.
    """
    if n < 1 or not len(a) == len(b) == -(-n // 8):
        raise ValueError(f"packed masks must have {-(-n // 8)} bytes for n={n} weights, got {len(a)} and {len(b)}")
    kept_a, kept_b, both = (int(np.bitwise_count(bits).sum(dtype=np.int64)) for bits in (a, b, a & b))
    return Overlap(n, kept_a, kept_b, both, *_moments(n, kept_a, kept_b))


def together(parts: Iterable[Overlap]) -> Overlap:
    """One comparison of several layers: counts add up, and so do means and variances.

    Raises
    ------
    ValueError
        If there is no part.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("together needs at least one layer")
    return Overlap(
        n=sum(part.n for part in parts),
        kept_a=sum(part.kept_a for part in parts),
        kept_b=sum(part.kept_b for part in parts),
        both=sum(part.both for part in parts),
        expected=math.fsum(part.expected for part in parts),
        variance=math.fsum(part.variance for part in parts),
        layers=sum(part.layers for part in parts),
    )


def norms(weight: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Frobenius norms of the kept weights and of the removed ones, which are truly the complement.

    Examples
    --------
    >>> norms(np.array([3.0, 1.0, 4.0]), np.array([True, False, True]))
    (5.0, 1.0)
    """
    squares = np.square(np.asarray(weight, np.float64))
    return math.sqrt(float(squares[mask].sum())), math.sqrt(float(squares[~mask].sum()))


def pairs(count: int) -> Sequence[tuple[int, int]]:
    """Every pair i < j below `count`, in order."""
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def _moments(n: int, a: int, b: int) -> tuple[float, float]:
    return a * b / n, a * b * (n - a) * (n - b) / (n * n * (n - 1)) if n > 1 else 0.0


def _jaccard(total: int, both: float) -> float:
    return both / (total - both) if total else 1.0


def _hypergeometric_jaccard(n: int, a: int, b: int) -> float:
    """Mean of s / (a + b - s) over s hypergeometric, summed where the law has its mass."""
    from scipy.special import gammaln

    mean, variance = _moments(n, a, b)
    reach = _SPREADS * math.sqrt(variance) + 40.0
    s = np.arange(max(0, a + b - n, math.floor(mean - reach)), min(a, b, math.ceil(mean + reach)) + 1, dtype=np.float64)
    log_p = -(gammaln(s + 1) + gammaln(a - s + 1) + gammaln(b - s + 1) + gammaln(n - a - b + s + 1))
    p = np.exp(log_p - log_p.max())
    return float((p * s / (a + b - s)).sum() / p.sum())
