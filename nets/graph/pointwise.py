"""Functions that act on every entry: how steep they are and where they go, over a range of arguments.

Proved in theory/PROOFS.md, 4.8 (slopes). Values of elementary functions are trusted to 2^-48 relative (far more than
any libm is off) and 1e-300 absolute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from nets.graph.graph import Array, Node

INF = math.inf
_SLACK = 2.0**-48
Scalar = Callable[[float], float]


@dataclass(frozen=True)
class Function:
    """A function of one real number.

    Attributes
    ----------
    slope : (low, high) -> float
        Not below its Lipschitz constant on [low, high]; infinity where there is none.
    image : (low, high) -> (float, float)
        Contains its values on [low, high].
    contracts : bool
        Whether all its slopes are in [0, 1].
    """

    slope: Callable[[float, float], float]
    image: Callable[[float, float], tuple[float, float]]
    contracts: bool = False


def function(node: Node, constants: Mapping[str, Array]) -> Function | None:
    """Return the function of a pointwise node; None if it has a parameter that is not a constant.

    Examples
    --------
    >>> sigmoid = function(Node("Sigmoid", ("x",), ("y",)), {})
    >>> sigmoid.slope(-1.0, 1.0), sigmoid.image(0.0, math.inf)[1] >= 1
    (0.25, True)
    """
    if node.op in _PLAIN:
        return _PLAIN[node.op]
    try:
        return _MAKERS[node.op](node, constants)
    except KeyError:
        return None


def _widened(low: float, high: float) -> tuple[float, float]:
    """Both ends moved out by more than an elementary function is off."""
    return low - abs(low) * _SLACK if math.isfinite(low) else low, high + abs(high) * _SLACK if high < INF else high


def _around(value: float, x: float) -> tuple[float, float]:
    """As `_widened`, for functions whose tail exp(-x^2) or exp(-x^3) blows up the rounding of its argument."""
    share = min(1.0, _SLACK * (1 + abs(x) ** 3)) if abs(x) < 1e100 else 1.0
    share = _SLACK if value > 0 else share
    return (value - abs(value) * share, value + abs(value) * share) if math.isfinite(value) else (value, value)


def _value(f: Scalar, x: float) -> float:
    try:
        return f(x)
    except OverflowError:
        return INF


def rising(f: Scalar, steepest: float, *, contracts: bool = False) -> Function:
    """A nondecreasing function."""
    return Function(lambda low, high: steepest, lambda a, b: _widened(_value(f, a), _value(f, b)), contracts)


def dipping(f: Scalar, steepest: float, lowest: float, least: float) -> Function:
    """A function that falls up to about `lowest`, then rises; `least` is not above its minimum, its limit at -inf 0."""

    def at(x: float) -> float:
        return 0.0 if x == -INF else x if x == INF else _value(f, x)

    def image(low: float, high: float) -> tuple[float, float]:
        away = high < lowest - 0.01 or low > lowest + 0.01
        ends = [_around(at(x), x) for x in (low, high)]
        return min(end[0] for end in ends) if away else least, max(end[1] for end in ends)

    return Function(lambda low, high: steepest, image)


def broken_line(knots: list[tuple[float, float]], left: float, right: float) -> Function:
    """A continuous function, straight between its knots (x, value), with the slopes `left` and `right` outside."""

    def at(x: float) -> float:
        if x <= knots[0][0]:
            return knots[0][1] + (left * (x - knots[0][0]) if left else 0.0)
        if x >= knots[-1][0]:
            return knots[-1][1] + (right * (x - knots[-1][0]) if right else 0.0)
        for (x0, y0), (x1, y1) in pairwise(knots):
            if x <= x1:
                return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))
        raise AssertionError(x)

    inner = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(knots)]
    pieces = list(
        zip([left, *inner, right], [-INF, *(x for x, _ in knots)], [*(x for x, _ in knots), INF], strict=True)
    )

    def slope(low: float, high: float) -> float:
        met = [abs(s) for s, a, b in pieces if a < high and low < b]
        return max(met, default=0.0) * (1 + (_SLACK if inner else 0.0))

    def image(low: float, high: float) -> tuple[float, float]:
        values = [at(low), at(high), *(y for x, y in knots if low < x < high)]
        return _widened(min(values), max(values))

    return Function(slope, image, all(0 <= s <= 1 for s, _, _ in pieces))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _gelu(x: float) -> float:
    return 0.5 * x * math.erfc(-x / math.sqrt(2))


def _gelu_tanh(x: float) -> float:
    if abs(x) > 1e6:
        return max(x, 0.0)
    return x * _sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def _log() -> Function:
    def image(low: float, high: float) -> tuple[float, float]:
        return _widened(math.log(low) if low > 0 else -INF, math.log(high) if high > 0 else INF)

    return Function(lambda low, high: (1 + _SLACK) / low if low > 0 else INF, image)


def _reciprocal() -> Function:
    def slope(low: float, high: float) -> float:
        return INF if low <= 0 <= high else (1 + _SLACK) / min(abs(low), abs(high)) / min(abs(low), abs(high))

    def image(low: float, high: float) -> tuple[float, float]:
        return (-INF, INF) if low <= 0 <= high else _widened(1 / high, 1 / low)

    return Function(slope, image)


_PLAIN = {
    "Relu": broken_line([(0.0, 0.0)], 0.0, 1.0),
    "Abs": broken_line([(0.0, 0.0)], -1.0, 1.0),
    "Sigmoid": rising(_sigmoid, 0.25, contracts=True),
    "Tanh": rising(math.tanh, 1.0, contracts=True),
    "Erf": rising(math.erf, 1.1283791671),
    "Softplus": rising(_softplus, 1.0, contracts=True),
    "Softsign": rising(lambda x: math.copysign(1.0, x) if math.isinf(x) else x / (1 + abs(x)), 1.0, contracts=True),
    "Atan": rising(math.atan, 1.0, contracts=True),
    "Sin": Function(lambda low, high: 1.0, lambda low, high: (-1.0, 1.0)),
    "Cos": Function(lambda low, high: 1.0, lambda low, high: (-1.0, 1.0)),
    "Mish": dipping(lambda x: x * math.tanh(_softplus(x)), 1.0886, -1.1924, -0.30886),
    "HardSwish": dipping(lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0), 1.5, -1.5, -0.375),
    "Log": _log(),
    "Reciprocal": _reciprocal(),
    "Exp": Function(
        lambda low, high: _value(math.exp, high) * (1 + _SLACK),
        lambda low, high: _widened(_value(math.exp, low), _value(math.exp, high)),
    ),
    "Sqrt": Function(
        lambda low, high: INF if low <= 0 else (1 + _SLACK) / (2 * math.sqrt(low)),
        lambda low, high: _widened(math.sqrt(max(low, 0.0)), math.sqrt(max(high, 0.0))),
    ),
}


def number(node: Node, name: str, default: float) -> float:
    """An attribute of a node as a number; KeyError if it is none."""
    value = node.attributes.get(name, default)
    if not isinstance(value, int | float):
        raise KeyError(name)
    return float(value)


def _leaky_relu(node: Node, constants: Mapping[str, Array]) -> Function:
    return broken_line([(0.0, 0.0)], number(node, "alpha", 0.01), 1.0)


def _prelu(node: Node, constants: Mapping[str, Array]) -> Function:
    """The steepest of all channels' functions, and all their values."""
    slopes = constants[node.inputs[1]]
    sides = [broken_line([(0.0, 0.0)], float(s), 1.0) for s in (slopes.min(), slopes.max())]

    def image(low: float, high: float) -> tuple[float, float]:
        ends = [side.image(low, high) for side in sides]
        return min(end[0] for end in ends), max(end[1] for end in ends)

    contracts = all(side.contracts for side in sides)
    return Function(lambda low, high: max(side.slope(low, high) for side in sides), image, contracts)


def _clip(node: Node, constants: Mapping[str, Array]) -> Function:
    ends = []
    for place, (name, default) in enumerate((("min", -INF), ("max", INF)), 1):
        given = node.inputs[place] if place < len(node.inputs) else ""
        ends.append(float(constants[given].reshape(())) if given else number(node, name, default))
    low, high = ends
    if low >= high:  # everything becomes the upper end
        return Function(lambda a, b: 0.0, lambda a, b: (high, high), True)
    knots = [(end, end) for end in (low, high) if math.isfinite(end)] or [(0.0, 0.0)]
    return broken_line(knots, float(low == -INF), float(high == INF))


def _hard_sigmoid(node: Node, constants: Mapping[str, Array]) -> Function:
    alpha, beta = number(node, "alpha", 0.2), number(node, "beta", 0.5)

    def at(x: float) -> float:
        return min(max(alpha * x + beta if alpha else beta, 0.0), 1.0)

    def image(low: float, high: float) -> tuple[float, float]:
        return _widened(min(at(low), at(high)), max(at(low), at(high)))

    return Function(lambda low, high: abs(alpha), image, 0 <= alpha <= 1)


def _exponential(gamma: float, alpha: float, scale: float) -> Function:
    """gamma x above 0 and gamma alpha (exp(x / scale) - 1) below; of slope gamma alpha / scale there at most."""
    if scale <= 0:
        raise KeyError("alpha")

    def at(x: float) -> float:
        return gamma * x if x > 0 else gamma * alpha * math.expm1(x / scale)

    def slope(low: float, high: float) -> float:
        right = abs(gamma) if high > 0 else 0.0
        return max(right, abs(gamma * alpha) / scale if low < 0 else 0.0) * (1 + _SLACK)

    def image(low: float, high: float) -> tuple[float, float]:
        values = [at(low), at(high), *([0.0] if low < 0 < high else [])]
        return _widened(min(values), max(values))

    return Function(slope, image, 0 <= gamma <= 1 and 0 <= gamma * alpha / scale <= 1)


def _selu(node: Node, constants: Mapping[str, Array]) -> Function:
    return _exponential(number(node, "gamma", 1.0507010221481323), number(node, "alpha", 1.6732631921768188), 1.0)


def _celu(node: Node, constants: Mapping[str, Array]) -> Function:
    alpha = number(node, "alpha", 1.0)
    return _exponential(1.0, alpha, alpha)


def _gelu_of(node: Node, constants: Mapping[str, Array]) -> Function:
    tanh = node.attributes.get("approximate", "none") == "tanh"
    if tanh:
        return dipping(_gelu_tanh, 1.12905, -0.7517, -0.17005)
    return dipping(_gelu, 1.12891, -0.7518, -0.16998)


def _swish(node: Node, constants: Mapping[str, Array]) -> Function:
    alpha = number(node, "alpha", 1.0)
    if alpha <= 0:
        raise KeyError("alpha")
    return dipping(lambda x: x * _sigmoid(alpha * x), 1.09985, -1.27846 / alpha, -0.27848 / alpha)


def _power(node: Node, constants: Mapping[str, Array]) -> Function:
    exponents = constants[node.inputs[1]]
    p = float(exponents.reshape(-1)[0])
    if (exponents != p).any() or p < 1 or (p != int(p) and p > 64):
        raise KeyError(node.inputs[1])
    whole = p == int(p)

    def at(x: float) -> float:
        return _value(lambda t: t**p, x)

    def slope(low: float, high: float) -> float:
        if low < 0 and not whole:
            return INF
        return p * (1 + _SLACK) * _value(lambda t: t ** (p - 1), max(abs(low), abs(high)))

    def image(low: float, high: float) -> tuple[float, float]:
        if low < 0 and not whole:
            return -INF, INF
        ends = (at(low), at(high))
        return _widened(0.0 if whole and p % 2 == 0 and low < 0 < high else min(ends), max(ends))

    return Function(slope, image)


_MAKERS: dict[str, Callable[[Node, Mapping[str, Array]], Function]] = {
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "Elu": lambda node, constants: _exponential(1.0, number(node, "alpha", 1.0), 1.0),
    "Selu": _selu,
    "Celu": _celu,
    "Gelu": _gelu_of,
    "Swish": _swish,
    "Pow": _power,
}
