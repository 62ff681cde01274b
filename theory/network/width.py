"""Width of the random network that contains a subnetwork close to a target network (theory/PROOFS.md, 4.4, 4.5, 4.9).

Target f of depth l with widths d_0..d_l; random network g of depth 2l with widths D_0..D_2l, D_2i = d_i and
D_(2i-1) = 2 d_(i-1) n_i: n_i neurons for each input coordinate and each sign; entries U[-1, 1], each drawn at most R
times. Five statements can be asked for n_i:

============  ==================================================================================================
``ours``      4.4, proved, ||F_i|| <= 1 in spectral norm (Frobenius <= 1 implies it)
``repaired``  4.5 (d), proved, same assumption: the shape of the recalled theorem with a constant that survives R > 1
``recalled``  4.5, IteRand's main theorem **as we recall it**, ||F_i||_Frob <= 1; for R = 1 it is proved here
``halves``    4.9 (b), proved, spectral: two neurons a weight, one after the other; order 1/(eta R)
``pairs``     4.9 (d), proved, spectral: any two neurons of two groups; order 1/(sqrt(eta) R)
============  ==================================================================================================

``domain`` is where the error is measured: "l2" for ||x||_2 <= 1, "linf" for ||x||_inf <= 1. Logs are natural.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import partial

from theory.network.corner import (
    corner_failure_exact,
    corner_log_failure_designated,
    corner_log_failure_exact,
    corner_R,
)
from theory.network.gadget import log_window_miss_prob
from theory.network.layers import (
    Domain,
    SourceWidth,
    Statement,
    check_counts,
    check_domain,
    check_widths,
    depth,
    l2_eps,
    layer_etas,
    layers,
)
from theory.network.parameters import MainTheoremParameters
from theory.network.parts import parts_log_failure_bound, required_n_parts
from theory.numerics.check import accuracy, open_probability, positive_int
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import exp_up, logsumexp

__all__ = [
    "Domain", "SourceWidth", "Statement", "corner_R", "corner_failure_exact", "corner_log_failure_designated",
    "corner_log_failure_exact", "failure_bound", "layer_etas", "log_failure_bound", "required_R_for_minimal_width",
    "required_n_ours", "required_n_recalled", "required_n_repaired", "source_width", "statement_log_failure_bound",
]  # fmt: skip

REPAIR = 160.2 / 64.0
"""Factor by which the repaired statement exceeds the recalled one; at least (1-1/e)^(-2) = 2.5026... (4.5 d)."""

ROUNDING = 1e-12
"""Required values aim at log delta minus this, more than the rounding error of `log_failure_bound`."""

LARGEST = 2**1000
"""Largest n or R looked for."""


def log_failure_bound(
    widths: Sequence[int], eps: float, *, R: int, n: int | Sequence[int], domain: Domain = "l2"
) -> float:
    """Natural log of the bound sum_i 2 d_i d_(i-1) (1-q_i^2)^(n_i) on the failure probability, q_i = 1-(1-eta_i/4)^R.

    Safe side: above the log of the probability that no masks and re-samplings reach sup error eps. May exceed 0.
    Parameters are those of `MainTheorem`; n >= 1 neurons per input coordinate and sign, one number for all layers or
    one for each. Proved in theory/PROOFS.md, 4.4.

    Examples
    --------
    >>> bound = log_failure_bound([1, 1], 1.0, R=1, n=100)
    >>> math.isclose(bound, math.log(2) + 100 * math.log(1 - (math.log(2) / 4) ** 2))
    True
    """
    d = check_widths(widths)
    return _log_bound(d, _log_misses(d, eps, R, domain), check_counts(d, n))


def failure_bound(widths: Sequence[int], eps: float, *, R: int, n: int | Sequence[int], domain: Domain = "l2") -> float:
    """min(1, exp(`log_failure_bound`)): upper bound of the probability that no subnetwork is within eps.

    Parameters, errors and source are those of `log_failure_bound`.

    Examples
    --------
    >>> failure_bound([2, 2], 0.5, R=1, n=1)
    1.0
    >>> failure_bound([2, 2], 0.5, R=100_000, n=1) < 1e-300
    True
    """
    return exp_up(min(0.0, log_failure_bound(widths, eps, R=R, n=n, domain=domain)))


def required_n_ours(
    widths: Sequence[int], eps: float, *, delta: float, R: int, domain: Domain = "l2", uniform: bool = False
) -> tuple[int, ...]:
    """n_1, ..., n_l for which the bound of `log_failure_bound` is at most delta, none of which can be lowered alone.

    Safe side: the bound is evaluated at the result, and rounding is allowed for. Parameters are those of `MainTheorem`;
    delta in (0, 1). With ``uniform`` all layers have the same n (the smallest); else the weights have equal shares of
    delta, and n is then trimmed layer by layer. Raises ValueError if n would exceed 2**1000. Proved in
    theory/PROOFS.md, 4.4: n_i = ceil(log(2 S/delta) / -log(1-q_i^2)), S = sum_i d_i d_(i-1), suffices.

    Examples
    --------
    >>> required_n_ours([1, 1], 1.0, delta=0.01, R=1)
    (174,)
    >>> required_n_ours([1, 1], 1.0, delta=0.01, R=40)
    (1,)
    """
    d = check_widths(widths)
    log_delta = math.log(open_probability("delta", delta)) - ROUNDING
    misses = _log_misses(d, eps, R, domain)
    if uniform:
        n = smallest_n(lambda m: _log_bound(d, misses, (m,) * len(misses)), log_delta, lo=1, limit=LARGEST)
        return (n,) * len(misses)
    share = math.log(2.0 * sum(out * into for into, out in layers(d))) - log_delta
    counts = [smallest_n(partial(operator.mul, miss), -share, lo=1, limit=LARGEST) for miss in misses]
    while _log_bound(d, misses, counts) > log_delta:  # only by rounding
        counts = [n + max(1, n >> 44) for n in counts]
    for i in range(len(misses)):

        def bound(m: int, i: int = i) -> float:
            return _log_bound(d, misses, [*counts[:i], m, *counts[i + 1 :]])

        counts[i] = smallest_n(bound, log_delta, lo=1, limit=LARGEST)
    return tuple(counts)


def required_n_recalled(widths: Sequence[int], eps: float, *, delta: float, R: int) -> tuple[int, ...]:
    """n_i = ceil(64 l^2 d_(i-1)^2 d_i / (eps^2 R^2) log(2 l d_(i-1) d_i/delta)), the main theorem as we recall it.

    Sufficient for R = 1 on the l2 ball (proved, 4.5 b). For R > 1 **not proved, and false as we recall it** for
    extremely small delta (4.5 c; `corner_log_failure_exact`). Parameters are those of `MainTheorem`; delta in (0, 1).
    Source: IteRand, arXiv 2106.09269, main theorem; recalled, not checked against the text.

    Examples
    --------
    >>> required_n_recalled([1, 1], 0.1, delta=0.1, R=1)
    (19173,)
    >>> required_n_recalled([1, 1], 0.1, delta=0.1, R=139)
    (1,)
    """
    return _n_by_scale(widths, eps, delta, R, repaired=False)


def required_n_repaired(
    widths: Sequence[int], eps: float, *, delta: float, R: int, domain: Domain = "l2"
) -> tuple[int, ...]:
    """The recalled shape, made safe: with K_i = 8 l d_(i-1) sqrt(d_i)/eps and L_i = log(2 l d_(i-1) d_i/delta),

    n_i = 1 if R >= K_i (L_i + log 2), else ceil(160.2/64 L_i / min(R/K_i, 1)^2).

    Sufficient (safe side): `log_failure_bound` at these n is at most log delta on the l2 ball. Parameters are those of
    `MainTheorem`; delta in (0, 1). On the l_inf ball eps is divided by sqrt(d_0), unless no hidden layer is narrower
    than d_0 (not needed then). Proved in theory/PROOFS.md, 4.5 (d), for every R: between the two ranges of the
    statement, K_i < R, the value reached at R = K_i stays sufficient.

    Examples
    --------
    >>> [required_n_repaired([1, 1], 0.1, delta=0.1, R=R)[0] for R in (1, 80, 200, 296)]
    [47992, 8, 8, 1]
    """
    d = check_widths(widths)
    eps = accuracy("eps", eps)
    if domain == "l2" or min(d[:-1]) < d[0]:
        eps = l2_eps(d, eps, domain)
    else:
        check_domain(domain)
    return _n_by_scale(d, eps, delta, R, repaired=True)


def required_R_for_minimal_width(widths: Sequence[int], eps: float, *, delta: float, domain: Domain = "l2") -> int:
    """Smallest R for which n = 1 in every layer (width 2 d_(i-1)) satisfies our bound.

    Sufficient (safe side); at most ceil((4/min eta_i) log(4 S/delta)), S = sum_i d_i d_(i-1). Parameters are those of
    `MainTheorem`; delta in (0, 1). Proved in theory/PROOFS.md, 4.4. That R must grow like log(1/delta) is shown there
    too, for one weight.

    Examples
    --------
    >>> required_R_for_minimal_width([1, 1], 1.0, delta=0.01)
    32
    """
    log_delta = math.log(open_probability("delta", delta)) - ROUNDING

    def bound(R: int) -> float:
        return log_failure_bound(widths, eps, R=R, n=1, domain=domain)

    return smallest_n(bound, log_delta, lo=1, limit=LARGEST)


def statement_log_failure_bound(
    widths: Sequence[int], eps: float, *, R: int, n: int | Sequence[int], statement: Statement, domain: Domain = "l2"
) -> float:
    """What is proved of the failure at n: `parts_log_failure_bound` for "halves" and "pairs", else 4.4.

    Safe side, a natural log that may exceed 0. Parameters are those of `log_failure_bound` and `MainTheorem`. Source:
    theory/PROOFS.md, 4.4 and 4.9.

    Examples
    --------
    >>> one, pairs = (statement_log_failure_bound([4, 4], 0.1, R=100, n=9, statement=s) for s in ("ours", "pairs"))
    >>> one > 0.0 > pairs
    True
    """
    if statement in ("halves", "pairs"):
        return parts_log_failure_bound(widths, eps, R=R, n=n, statement=statement, domain=domain)
    return log_failure_bound(widths, eps, R=R, n=n, domain=domain)


def source_width(
    widths: Sequence[int], *, eps: float, delta: float, R: int, statement: Statement = "ours", domain: Domain = "l2"
) -> SourceWidth:
    """Width of the source network by one of the five statements.

    Parameters are those of `MainTheorem`; delta in (0, 1). The recalled formula is the same for both domains. Source:
    theory/PROOFS.md, 4.4, 4.5 and 4.9.

    Examples
    --------
    >>> answer = source_width([3, 2, 1], eps=0.5, delta=0.01, R=10_000)
    >>> answer.n, answer.source_widths, round(answer.param_factor, 3)
    ((1, 1), (3, 6, 2, 4, 1), 5.25)
    """
    asked = MainTheoremParameters(widths=tuple(widths), eps=eps, R=R, statement=statement, domain=domain)
    d, eps, R = asked.widths, asked.eps, asked.R
    if statement == "ours":
        n = required_n_ours(d, eps, delta=delta, R=R, domain=domain)
    elif statement == "recalled":
        n = required_n_recalled(d, eps, delta=delta, R=R)
    elif statement != "repaired":
        n = required_n_parts(d, eps, delta=delta, R=R, statement=statement, domain=domain)
    else:
        n = required_n_repaired(d, eps, delta=delta, R=R, domain=domain)
    source = [d[0]]
    for (into, out), count in zip(layers(d), n, strict=True):
        source += [2 * into * count, out]
    return SourceWidth(
        widths=d,
        eps=eps,
        delta=float(delta),
        R=R,
        statement=statement,
        domain=domain,
        n=n,
        source_widths=tuple(source),
        log_failure_bound=statement_log_failure_bound(d, eps, R=R, n=n, statement=statement, domain=domain),
        status="recalled" if statement == "recalled" else "proved",
        assumption="Frobenius norm <= 1" if statement == "recalled" else "spectral norm <= 1",
    )


def _log_misses(d: tuple[int, ...], eps: float, R: int, domain: Domain) -> list[float]:
    """log(1-q_i^2) for each layer."""
    misses = [log_window_miss_prob(eta, R) for eta in layer_etas(d, eps, domain=domain)]
    if max(misses) > -(2.0**-990):
        raise ValueError(f"eps must be large enough for n <= 2**1000, got eps={eps} with R={R}")
    return misses


def _log_bound(d: Sequence[int], misses: Sequence[float], counts: Sequence[int]) -> float:
    terms = zip(layers(d), misses, counts, strict=True)
    return logsumexp(math.log(2.0 * out * into) + n * miss for (into, out), miss, n in terms)


def _n_by_scale(widths: Sequence[int], eps: float, delta: float, R: int, *, repaired: bool) -> tuple[int, ...]:
    """The recalled and the repaired n_i; K and log_share are K_i and L_i of `required_n_repaired`."""
    d = check_widths(widths)
    l = depth(d)  # noqa: E741
    eps, delta, R = accuracy("eps", eps), open_probability("delta", delta), positive_int("R", R)
    counts = []
    for into, out in layers(d):
        K = 8.0 * l * into * math.sqrt(out) / eps
        log_share = math.log(2.0 * l * into * out) - math.log(delta)
        if repaired and K * (log_share + math.log(2.0)) <= R:
            counts.append(1)
        else:
            reach = min(R / K, 1.0) if repaired else R / K
            counts.append(math.ceil((REPAIR if repaired else 1.0) * log_share / reach**2))
    return tuple(counts)
