"""The least proved width of a random network that contains a target, over all constructions, layer by layer.

============  ======  =========================================================================================
``window``    4.4     one neuron a weight, b near 1: order 1/(eta R)^2
``halves``    4.9 b   two, three or four neurons a weight, one after the other: order 1/(eta R)
``pairs``     4.9 d   any two neurons of two groups: order 1/(sqrt(eta) R)
``sums``      4.7     a subset of all neurons: order log(1/eta), and hardly less for large R
============  ======  =========================================================================================

The repair 4.5 (d) is never below ``window``: its proof shows that the bound of 4.4 holds at its width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from theory.network.gadget import log_weight_miss_bound
from theory.network.halves import halves_log_miss_bound
from theory.network.layers import Domain, check_widths, layer_etas, layers
from theory.network.pairs import pairs_log_miss_bound
from theory.numerics.check import accuracy, draw_count, open_probability
from theory.numerics.invert import smallest_n
from theory.numerics.logspace import exp_up, logsumexp
from theory.product_sum import required_neurons

Construction = Literal["window", "halves", "thirds", "quarters", "pairs", "sums"]

STATEMENTS: dict[Construction, str] = {
    "window": "4.4", "halves": "4.9 (b)", "thirds": "4.9 (b)", "quarters": "4.9 (b)", "pairs": "4.9 (d)", "sums": "4.7",
}  # fmt: skip
"""Where each construction's width is proved."""

_PARTS: dict[Construction, int] = {"halves": 2, "thirds": 3, "quarters": 4}
_LARGEST = 2**60
_ROUNDING = 1e-11


@dataclass(frozen=True)
class Made:
    """How the weights of one layer are made.

    Attributes
    ----------
    construction : str
        One of `STATEMENTS`.
    neurons : int
        Hidden neurons for each input coordinate, both signs together.
    log_miss : float
        Natural log of a bound on the probability that one weight is not made for one sign.
    """

    construction: Construction
    neurons: int
    log_miss: float

    @property
    def statement(self) -> str:
        """Where in theory/PROOFS.md the number of neurons is proved to suffice."""
        return STATEMENTS[self.construction]


def ways_to_make(eta: float, delta: float, *, R: int) -> tuple[Made, ...]:
    """The least proved neurons that make one weight within eta for one sign, by every construction; fewest first.

    Sufficient, for every weight in [-1, 1] and with the draw of b shared by all outputs. eta in (0, 1]; delta in (0, 1)
    for one weight and sign; R >= 1 draws of each element. Constructions whose bound does not reach delta are left out;
    ValueError if none does. Proved in theory/PROOFS.md, 4.4, 4.7 and 4.9.

    Examples
    --------
    >>> [(way.construction, way.neurons) for way in ways_to_make(0.01, 0.01, R=100)][:2]
    [('pairs', 4), ('halves', 18)]
    >>> ways_to_make(0.01, 0.01, R=1)[0].construction
    'sums'
    """
    eta, R = accuracy("eta", eta), draw_count("R", R)
    return _ways(eta, math.log(open_probability("delta", delta)), R)


def _ways(eta: float, log_delta: float, R: int) -> tuple[Made, ...]:
    found = sorted(_each_way(eta, log_delta - _ROUNDING, R), key=lambda way: way.neurons)
    if not found:
        raise ValueError(f"eta must be larger for anything to be proved, got eta={eta} with R={R}")
    return tuple(found)


def _each_way(eta: float, log_delta: float, R: int) -> Iterator[Made]:
    bounds: dict[Construction, Callable[[int], float]] = {"window": lambda n: log_weight_miss_bound(eta, R, n=n)}
    for name, parts in _PARTS.items():
        bounds[name] = lambda n, parts=parts: halves_log_miss_bound(eta, R, n=n, parts=parts)  # type: ignore[misc]
    bounds["pairs"] = lambda n: pairs_log_miss_bound(eta, R, n=n)
    for name, bound in bounds.items():
        try:
            n = smallest_n(bound, log_delta, lo=1, limit=_LARGEST)
        except ValueError:
            continue
        yield Made(name, 2 * n, bound(n))
    try:
        design = required_neurons(eta, math.exp(log_delta), R=R)
    except ValueError:  # below the least eta or delta of 4.7
        return
    miss = design.failure_bound
    yield Made("sums", max(1, design.neurons), math.log(miss) if miss > 0.0 else -math.inf)


@dataclass(frozen=True)
class RequiredWidth:
    """A random network wide enough for a target, the layers by the construction that needs fewest neurons.

    Attributes
    ----------
    widths, eps, delta, R, domain
        The question.
    made : tuple of Made
        For layers 1..l.
    source_widths : tuple of int
        D_0, ..., D_2l.
    log_failure_bound : float
        Natural log of the union bound on the failure probability, at most log delta.
    """

    widths: tuple[int, ...]
    eps: float
    delta: float
    R: int
    domain: Domain
    made: tuple[Made, ...]
    source_widths: tuple[int, ...]
    log_failure_bound: float

    @property
    def failure_bound(self) -> float:
        """min(1, exp(log_failure_bound)), rounded up."""
        return exp_up(min(0.0, self.log_failure_bound))

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements of theory/PROOFS.md that prove the widths, layer by layer."""
        return tuple(way.statement for way in self.made)


def required_width(widths: Sequence[int], eps: float, *, delta: float, R: int, domain: Domain = "l2") -> RequiredWidth:
    """The least proved source network over all constructions, every weight and sign with an equal share of delta.

    Sufficient: some masks and re-samplings reach sup error eps with probability at least 1 - delta. Parameters are
    those of `theory.network.MainTheorem`; delta in (0, 1). Raises ValueError if nothing is proved for some layer.
    Proved in theory/PROOFS.md, 4.2 with 4.4, 4.7 and 4.9: layers are joined by the union bound alone, so each may use
    another construction.

    Examples
    --------
    >>> answer = required_width([8, 8, 8], 0.1, delta=0.01, R=100)
    >>> answer.statements, answer.failure_bound <= 0.01
    (('4.9 (d)', '4.9 (d)'), True)
    >>> required_width([8, 8], 0.1, delta=0.01, R=10**6).source_widths  # one neuron a sign
    (8, 16, 8)
    """
    d, R = check_widths(widths), draw_count("R", R)
    delta = open_probability("delta", delta)
    union = [math.log(2.0 * out * into) for into, out in layers(d)]
    share = math.log(delta) - logsumexp(union) - _ROUNDING
    made = tuple(_ways(eta, share, R)[0] for eta in layer_etas(d, eps, domain=domain))
    source = [d[0]]
    for (into, out), way in zip(layers(d), made, strict=True):
        source += [into * way.neurons, out]
    bound = logsumexp(log_pairs + way.log_miss for log_pairs, way in zip(union, made, strict=True))
    return RequiredWidth(d, float(eps), delta, R, domain, made, tuple(source), bound)
