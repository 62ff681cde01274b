"""Sharp predictions for the random subset sum, by the random-energy picture: heuristic, never used as bounds.

Given the values, the (R+1)^n sums are treated as independent Gaussians of the right mean and variance, so the number
of good ones is Poisson of rate lambda = (R+1)^n 2 eps phi((alpha - mu)/sqrt v)/sqrt v and P(success) ~
1 - exp(-lambda). Statement 2.4. The public names live in theory.subset_sum.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from theory.numerics import check
from theory.numerics.logspace import any_of
from theory.numerics.targets import target_nodes
from theory.question import Target
from theory.subset_sum.parameters import Model, SubsetSumParameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LARGEST_N = 100_000
_TARGETS = 64


@lru_cache(maxsize=1)
def _normal_grid() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and weights of the trapezoidal rule for a standard normal: spectrally accurate, tails to 1e-300."""
    import numpy as np

    step = 0.01
    points: NDArray[np.float64] = step * np.arange(-3700.0, 3701.0)
    return points, step / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * points**2)


def _log_rate(distance: NDArray[np.float64], v: Any, n: int, R: float, eps: float) -> NDArray[np.float64]:
    """log lambda, with ``distance`` = alpha - mu."""
    import numpy as np

    log_count = n * math.log1p(R) + math.log(2.0 * eps)
    out: NDArray[np.float64] = log_count - 0.5 * np.log(2.0 * math.pi * v) - 0.5 * distance**2 / v
    return out


def annealed(n: int, R: float, eps: float, alpha: float) -> tuple[float, float]:
    """E[1 - exp(-lambda)] and E[exp(-lambda)] over the mean M; the variance is replaced by its expectation.

    The formula makes sense for every real R.
    """
    import numpy as np

    z, weights = _normal_grid()
    spread = math.sqrt(n * R / 3.0) / (R + 1)
    log_rate = _log_rate(alpha - spread * z, spread**2 * R, n, R, eps)
    rate = np.exp(np.minimum(log_rate, 700.0))
    return min(1.0, float(weights @ -np.expm1(-rate))), min(1.0, float(weights @ np.exp(-rate)))


_annealed = lru_cache(maxsize=4096)(annealed)


def _predict(n: int, R: int, eps: float, alpha: Target, model: Model) -> tuple[float, float]:
    """Predicted probabilities of success and of failure, each with full relative accuracy."""
    n = check.natural("n", n)
    asked = SubsetSumParameters(R=R, eps=eps, alpha=alpha, model=model)
    if asked.certain:
        return 1.0, 0.0
    sure = asked.eps if asked.uniform else 0.0  # the share of targets that the empty sum reaches
    if n == 0:
        return sure, 1.0 - sure
    import numpy as np

    targets, shares = target_nodes(asked.eps, asked.uniform, asked.size, _TARGETS)
    pairs = [_annealed(n, asked.options, asked.eps, target) for target in targets]
    hits, misses = np.array([[any_of(p, asked.vectors), q**asked.vectors] for p, q in pairs]).T
    return min(1.0, sure + float(shares @ hits)), float(shares @ misses)


def failure_prediction(n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice") -> float:
    """Predicted probability that no sum lies within eps of alpha (heuristic, annealed).

    In [0, 1]; neither an upper nor a lower bound. 0 if |alpha| <= eps, where the empty sum succeeds for certain.
    Parameters are those of `SubsetSum`; n >= 0 variables. Heuristic 2.4, annealed form: M ~ N(0, nR/(3(R+1)^2)) and V =
    nR^2/(3(R+1)^2) in place of mu and v.

    Examples
    --------
    >>> round(failure_prediction(12, 1, eps=0.01, alpha=0.5), 2)
    0.02
    """
    return _predict(n, R, eps, alpha, model)[1]


def success_prediction(n: int, R: int, *, eps: float, alpha: Target, model: Model = "choice") -> float:
    """Predicted probability that some sum lies within eps of alpha (heuristic, annealed).

    In [0, 1]; neither an upper nor a lower bound. 1 if |alpha| <= eps. Parameters are those of `SubsetSum`; n >= 0
    variables. Heuristic 2.4, annealed form.

    Examples
    --------
    >>> round(success_prediction(8, 1, eps=0.01, alpha=0.5), 2)
    0.73
    """
    return _predict(n, R, eps, alpha, model)[0]


def success_prediction_given(mu: Any, v: Any, n: int, R: int, *, eps: float, alpha: float) -> Any:
    """Predicted success probability of each trial, given the mean and variance of a random sum of that trial.

    Returns array of shape (trials,). 1 - exp(-lambda), in [0, 1]; its mean over trials predicts P(success) in the
    choice model. Parameters are those of `SubsetSum`; n >= 1 variables and a fixed target. Heuristic 2.4, form given
    the values.

    Parameters
    ----------
    mu, v : float or array, shape (trials,)
        Total mean and variance, as `mean_and_variance` computes them; v > 0.

    Examples
    --------
    >>> round(success_prediction_given(0.0, 1.0, 8, 1, eps=0.01, alpha=0.5), 3)
    0.835
    """
    import numpy as np

    n = check.positive_int("n", n)
    R = check.draw_count("R", R)
    eps = check.accuracy("eps", eps)
    alpha = check.target_value("alpha", alpha)
    variance = np.asarray(v, dtype=np.float64)
    if not (variance > 0.0).all():
        raise ValueError(f"v must be positive, got v={v}")
    log_rate = _log_rate(alpha - np.asarray(mu, dtype=np.float64), variance, n, R, eps)
    out = -np.expm1(-np.exp(np.minimum(log_rate, 700.0)))
    if abs(alpha) <= eps:
        out = np.ones_like(out)
    return float(out) if out.ndim == 0 else out


def mean_and_variance(values: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of a sum in which every variable takes one of its R draws or 0, each with probability 1/(R+1).

    Returns mu, v (shape (trials,)): totals over the n variables. Raises ValueError if ``values`` does not have three
    axes. Definition in 2.4.

    Parameters
    ----------
    values : array, shape (trials, n, R)
        The draws.

    Examples
    --------
    >>> mean_and_variance([[[1.0], [-0.5]]])
    (array([0.25]), array([0.3125]))
    """
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(f"values must have shape (trials, n, R), got values.shape={array.shape}")
    options = array.shape[2] + 1
    means = array.sum(axis=2) / options
    variances = (array**2).sum(axis=2) / options - means**2
    return means.sum(axis=1), variances.sum(axis=1)


def predicted_n(eps: float, delta: float, *, R: int, alpha: Target, model: Model = "choice") -> int:
    """Smallest n whose predicted failure probability is at most delta (heuristic).

    Neither necessary nor sufficient, >= 0. Parameters are those of `SubsetSum`; a failure probability delta in (0, 1).
    Raises ValueError if no n up to 100000 is predicted to do. Heuristic 2.4, annealed form.

    Examples
    --------
    >>> predicted_n(0.01, 0.05, R=1, alpha=0.5), predicted_n(0.01, 0.05, R=5, alpha=0.5)
    (11, 4)
    """
    delta = check.open_probability("delta", delta)
    for n in range(_LARGEST_N):
        if failure_prediction(n, R, eps=eps, alpha=alpha, model=model) <= delta:
            return n
    raise ValueError(f"no n below {_LARGEST_N} has a predicted failure probability <= delta={delta}")


def threshold_n(eps: float, R: int) -> float:
    """Leading order log(1/eps)/log(R+1) of the n at which success sets in (choice model, heuristic).

    At least 0; not an integer. Parameters are those of `SubsetSum`. Heuristic 2.4.

    Examples
    --------
    >>> threshold_n(0.125, 1)
    3.0
    """
    return max(0.0, -math.log(check.accuracy("eps", eps))) / math.log1p(check.draw_count("R", R))


def partition_miss_prediction(n: int, x: float) -> float:
    """Limit law of the best signed sum of n values U[0, 1]: P(smallest |sum| > x) for large n.

    Returns exp(-2^n x sqrt(3/(2 pi n))), in [0, 1]; a limit as n grows, not a bound. Recalled, not checked against the
    text: statement 2.5, key borgs2001partition.

    Parameters
    ----------
    n : int
        Values, >= 1.
    x : float
        Distance from 0, >= 0.

    Examples
    --------
    >>> round(partition_miss_prediction(20, 1e-6), 3)
    0.85
    """
    n = check.positive_int("n", n)
    x = check.nonnegative("x", x)
    if x == 0.0:
        return 1.0
    log_rate = n * math.log(2.0) + math.log(x) + 0.5 * math.log(1.5 / (math.pi * n))
    return math.exp(-math.exp(min(log_rate, 700.0)))
