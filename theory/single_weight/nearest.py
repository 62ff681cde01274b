"""The nearest of R draws to a target, exact in law at the cost of one draw (1.3).

The public names live in theory.single_weight.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

from theory.numerics import check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@overload
def nearest_distance_cdf(d: float, R: int, *, alpha: float) -> float: ...
@overload
def nearest_distance_cdf(d: NDArray[np.float64], R: int, *, alpha: float) -> NDArray[np.float64]: ...
def nearest_distance_cdf(d: Any, R: int, *, alpha: float) -> Any:
    """Distribution function P(D <= d) of the distance D from alpha to the nearest of R draws.

    Returns 1 - (1-p)^R with p the chance that one draw is within d, in [0, 1]. R >= 1 draws and a target alpha in [-1,
    1]. Proved in theory/PROOFS.md, 1.3.

    Parameters
    ----------
    d : float or array
        Distances >= 0.

    Examples
    --------
    >>> nearest_distance_cdf(0.5, 2, alpha=0.0)
    0.75
    """
    import numpy as np

    R = check.positive_int("R", R)
    room = 1.0 - abs(check.target_value("alpha", alpha))  # distance to the nearer end
    values = np.asarray(d, dtype=np.float64)
    if values.size and not (values.min() >= 0.0 and values.max() < math.inf):
        raise ValueError(f"d must be in [0, inf), got d={d}")
    p = np.minimum(1.0, 0.5 * (values + np.minimum(values, room)))
    with np.errstate(divide="ignore"):
        out = -np.expm1(float(R) * np.log1p(-p))
    return float(out) if out.ndim == 0 else out


@overload
def nearest_distance_ppf(u: float, R: int, *, alpha: float) -> float: ...
@overload
def nearest_distance_ppf(u: NDArray[np.float64], R: int, *, alpha: float) -> NDArray[np.float64]: ...
def nearest_distance_ppf(u: Any, R: int, *, alpha: float) -> Any:
    """Quantile of the distance to the nearest of R draws: the inverse of `nearest_distance_cdf`.

    Returns distances in [0, 1 + |alpha|], accurate to a few roundings. R >= 1 draws (1e12 cost what one costs) and a
    target alpha in [-1, 1]. Proved in theory/PROOFS.md, 1.3, where u is 1 - U.

    Parameters
    ----------
    u : float or array
        Probabilities in [0, 1]; uniform u gives an exact draw of the distance.

    Examples
    --------
    >>> nearest_distance_ppf(0.75, 2, alpha=0.0)
    0.5
    >>> nearest_distance_ppf(0.5, 10**12, alpha=0.0)
    6.931471805597051e-13
    """
    import numpy as np

    R = check.positive_int("R", R)
    room = 1.0 - abs(check.target_value("alpha", alpha))
    values = np.asarray(u, dtype=np.float64)
    if values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise ValueError(f"u must be in [0, 1], got u={u}")
    with np.errstate(divide="ignore"):
        q = -np.expm1(np.log1p(-values) / float(R))
    out = np.where(q <= room, q, 2.0 * q - room)
    return float(out) if out.ndim == 0 else out


@overload
def nearest_draw(u: float, side: float, *, R: int, alpha: float) -> float: ...
@overload
def nearest_draw(
    u: NDArray[np.float64], side: NDArray[Any] | float, *, R: int, alpha: float
) -> NDArray[np.float64]: ...
def nearest_draw(u: Any, side: Any, *, R: int, alpha: float) -> Any:
    """The nearest of R draws to alpha, exact in law, from one uniform number and one sign.

    Returns values in [-1, 1]. Near alpha the value, unlike the distance, has absolute accuracy 1e-16. R >= 1 draws and
    a target alpha in [-1, 1]. Proved in theory/PROOFS.md, 1.3.

    Parameters
    ----------
    u : float or array
        Uniform in [0, 1].
    side : float or array
        -1 or +1 with probability 1/2 each, independent of u: the side of alpha, where both sides are possible.

    Examples
    --------
    >>> nearest_draw(0.75, -1, R=2, alpha=0.0)
    -0.5
    >>> nearest_draw(1.0, +1, R=2, alpha=0.5)
    -1.0
    """
    import numpy as np

    signs = np.asarray(side)
    if not np.isin(signs, (-1, 1)).all():
        raise ValueError(f"side must be -1 or +1, got side={side}")
    distance = np.asarray(nearest_distance_ppf(u, R, alpha=alpha))
    alpha = float(alpha)
    towards = np.where(distance <= 1.0 - abs(alpha), signs, -math.copysign(1.0, alpha))
    out = np.clip(alpha + towards * distance, -1.0, 1.0)
    return float(out) if out.ndim == 0 else out
