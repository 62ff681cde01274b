"""Rows of section 5 whose constants their papers leave open: shapes, computed once a constant is passed.

Each function takes a Spec and the constant C and returns (hidden widths, depth, params, kept, note). Logs are natural
unless written log2.
"""

from __future__ import annotations

import math
from fractions import Fraction

from theory.necessary import necessary_params_natale
from theory.necessary.width_row import Spec, between, fully_connected, least
from theory.numerics.invert import smallest_n

Shape = tuple[tuple[int, ...] | None, int | None, int | None, int | None, str]

BURKHOLZ_N, BURKHOLZ_EPS = 15, 0.01
BURKHOLZ_MISS = {"uniform": 0.00404, "product": 0.0355}
"""Failure probabilities stored with the author's code: n = 15, eps = 0.01, U[-1, 1] and products of two of them."""

_MOST_LAYERS = 10**6

_ONLY_R1 = "R = 1 only: the paper does not re-sample."


def burkholz_constant(law: str = "uniform") -> float:
    """The estimate C = n/(-log min(eps, delta_hat)) of the code of Burkholz 2022.

    An estimate at one n and one eps, no bound; `sims.constants` repeats it by simulation. Raises ValueError if there is
    no such law. Read in the stored results of the author's code (key burkholz2022).

    Parameters
    ----------
    law : {"uniform", "product"}
        U[-1, 1], or the product of two.

    Examples
    --------
    >>> round(burkholz_constant(), 3), round(burkholz_constant("product"), 3)
    (2.722, 3.257)
    """
    if law not in BURKHOLZ_MISS:
        raise ValueError(f"law must be one of {sorted(BURKHOLZ_MISS)}, got law={law!r}")
    return BURKHOLZ_N / -math.log(min(BURKHOLZ_EPS, BURKHOLZ_MISS[law]))


def _source(spec: Spec, inner: list[int], note: str) -> Shape:
    hidden = between(spec, inner)
    whole = (spec.widths[0], *hidden, spec.widths[-1])
    return hidden, 2 * spec.l, fully_connected(whole), None, note


def malach(spec: Spec, C: float) -> Shape:
    """C d^5 l^2/eps^2, d the widest layer."""
    d = max(spec.widths)
    inner = [max(1, math.ceil(Fraction(C) * d**5 * spec.l**2 / Fraction(spec.eps) ** 2))] * spec.l
    return _source(spec, inner, f"{_ONLY_R1} Needs spectral norms <= 1 and weights <= 1/sqrt(n_in).")


def orseau(spec: Spec, C: float) -> Shape:
    """d_(i-1) d_i C log(l d/eps), weights at most 1."""
    d = max(spec.widths)
    inner = [into * out * least(C * (math.log(spec.l * d) - math.log(spec.eps))) for into, out in spec.layers]
    return _source(spec, inner, f"{_ONLY_R1} Hyperbolic weights; the O~ hides log log factors; delta is not in it.")


def pensia(spec: Spec, C: float) -> Shape:
    """2 d_(i-1) C log(d_(i-1) d_i l/min(eps, delta))."""
    level = math.log(min(spec.eps, spec.delta))
    inner = [2 * into * least(C * (math.log(into * out * spec.l) - level)) for into, out in spec.layers]
    return _source(spec, inner, f"{_ONLY_R1} sims.constants measures C for products of uniforms.")


def natale(spec: Spec, C: float) -> Shape:
    """2 d_(i-1) n_i, n_i the least n with n >= C log2(k/eta)/H2(k/n), k = density n, eta = eps/(d_(i-1) d_i l)."""
    if spec.density is None or not spec.density <= 0.5:
        raise ValueError(f"density, the share k/n that is kept, must be in (0, 1/2] for natale, got {spec.density}")
    q = spec.density
    entropy = -q * math.log2(q) - (1.0 - q) * math.log1p(-q) / math.log(2.0)
    inner, kept = [], 0
    for into, out in spec.layers:
        n = _natale_n(C / entropy, math.log2(into * out * spec.l) - math.log2(spec.eps), q)
        inner.append(2 * into * n)
        kept += 2 * into * n + 2 * into * out * least(q * n)
    hidden, depth, params, _, note = _source(spec, inner, f"{_ONLY_R1} delta is not in the form we read.")
    return hidden, depth, params, kept, note


def _natale_n(scale: float, bits: float, q: float) -> int:
    """Least n with n >= scale (log2 max(1, q n) + bits): a constant while q n <= 1, where it may be met already."""

    def excess(n: int) -> float:
        return scale * (math.log2(max(1.0, q * n)) + bits) - n

    n = least(scale * bits)
    if q * n <= 1.0:
        return n
    least(2.0**24 * n)  # far above the n looked for
    return smallest_n(excess, 0.0, lo=max(1, math.floor(1.0 / q)), limit=2**1023, guess=n)


def natale_lower(spec: Spec, C: float) -> Shape:
    """(d^2/2) log2(k/eps)/H2(k/n), k = density n."""
    d = spec.square("natale_lower")
    if spec.density is None or spec.n is None:
        raise ValueError("density = k/n and n must be given for natale_lower")
    k = max(1, round(spec.density * spec.n))
    bound = necessary_params_natale(d, spec.eps, k=k, n=spec.n)
    note = f"For targets W of shape {d} x {d}, masks of density k/n = {k}/{spec.n}, eps < 1/16; {_ONLY_R1}"
    return None, None, math.ceil(bound * (1.0 - 1e-12)), None, note


def multi_prize(spec: Spec, C: float) -> Shape:
    """C (l d^1.5/eps + l d log(l d/delta))."""
    d, l = max(spec.widths), spec.l  # noqa: E741
    inner = [least(C * (l * d**1.5 / spec.eps + l * d * (math.log(l * d) - math.log(spec.delta))))] * l
    return _source(spec, inner, f"{_ONLY_R1} Binary weights.")


def sreenivasan(spec: Spec, C: float) -> Shape:
    """Depth C l log(d l/eps), width C d log^2(d l/eps), the same C for both."""
    d, l = max(spec.widths), spec.l  # noqa: E741
    log = math.log(d * l) - math.log(spec.eps)
    depth, width = max(2, least(C * l * log)), least(C * d * log**2)
    if depth > _MOST_LAYERS:
        raise ValueError(f"C must give at most {_MOST_LAYERS} layers, got C={C} for {depth:.3g} layers")
    hidden = (width,) * (depth - 1)
    params = (spec.widths[0] + spec.widths[-1]) * width + (depth - 2) * width * width
    return hidden, depth, params, None, f"{_ONLY_R1} Weights +-1; two unknown constants, both replaced by C."


def burkholz(spec: Spec, C: float) -> Shape:
    """Depth l+1: C log(1/min(eta, share)) neurons for each neuron of the target, one more layer at the input."""
    S = sum(a * b for a, b in spec.layers)
    level = min(math.log(spec.eps) - math.log(spec.l), math.log(spec.delta)) - math.log(S)
    copies = least(C * -level)
    hidden = tuple(width * copies for width in spec.widths[:-1])
    whole = (spec.widths[0], *hidden, spec.widths[-1])
    note = f"{_ONLY_R1} Equal shares eps/(S l), delta/S for the S weights are ours."
    return hidden, spec.l + 1, fully_connected(whole), None, note


def dacunha_cnn(spec: Spec, C: float) -> Shape:
    """Channels c -> c': two convolutions, the first 1x1, with C c log(c c' k^2 l/min(eps, delta)) channels."""
    level, k2 = math.log(min(spec.eps, spec.delta)), spec.kernel**2
    inner = [least(C * into * (math.log(into * out * k2 * spec.l) - level)) for into, out in spec.layers]
    params = sum(into * new + new * out * k2 for new, (into, out) in zip(inner, spec.layers, strict=True))
    note = f"{_ONLY_R1} widths are channels, kernels {spec.kernel} x {spec.kernel}."
    return between(spec, inner), 2 * spec.l, params, None, note


def kumar(spec: Spec, C: float) -> Shape:
    """C d log2(1/step), exact representation of a target quantised to a step; the step is passed as eps."""
    inner = [least(C * into * max(1.0, -math.log2(spec.eps))) for into, _ in spec.layers]
    note = f"{_ONLY_R1} As we understand it, the delta of the paper is the step of quantised weights: passed as eps."
    return _source(spec, inner, note)
