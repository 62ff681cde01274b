"""Slopes and images of pointwise functions: against mpmath on grids, and by interval arithmetic for the constants."""

import math
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from flint import arb, arb_series

from nets.graph.graph import Node
from nets.graph.pointwise import function

SQRT2 = mp.sqrt(2)
TRUTH = {  # independent definitions, from the ONNX operators' own texts
    "Relu": lambda x: max(x, 0),
    "Abs": abs,
    "Sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "Tanh": mp.tanh,
    "Erf": mp.erf,
    "Softplus": lambda x: mp.log(1 + mp.exp(x)),
    "Softsign": lambda x: x / (1 + abs(x)),
    "Atan": mp.atan,
    "Sin": mp.sin,
    "Cos": mp.cos,
    "Mish": lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))),
    "HardSwish": lambda x: x * max(0, min(1, x / 6 + mp.mpf(1) / 2)),
    "Exp": mp.exp,
    "Log": mp.log,
    "Sqrt": mp.sqrt,
    "Reciprocal": lambda x: 1 / x,
    "Gelu": lambda x: x / 2 * (1 + mp.erf(x / SQRT2)),
    "Gelu tanh": lambda x: x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))),
    "Swish 1": lambda x: x / (1 + mp.exp(-x)),
    "Swish 2": lambda x: x / (1 + mp.exp(-2 * x)),
    "LeakyRelu .2": lambda x: x if x > 0 else x / 5,
    "LeakyRelu -2": lambda x: x if x > 0 else -2 * x,
    "Clip": lambda x: min(max(x, mp.mpf(-0.5)), mp.mpf(0.75)),
    "HardSigmoid": lambda x: max(0, min(1, mp.mpf(0.25) * x + mp.mpf(0.5))),
    "Elu 1.5": lambda x: x if x > 0 else 1.5 * mp.expm1(x),
    "Celu 2": lambda x: max(x, 0) + min(0, 2 * mp.expm1(x / 2)),
    "Selu": lambda x: mp.mpf(1.0507010221481323) * (x if x > 0 else mp.mpf(1.6732631921768188) * mp.expm1(x)),
    "Pow 3": lambda x: x**3,
    "Pow 2": lambda x: x**2,
}
GIVEN = {
    "Gelu tanh": {"approximate": "tanh"},
    "Swish 2": {"alpha": 2.0},
    "LeakyRelu .2": {"alpha": 0.2},
    "LeakyRelu -2": {"alpha": -2.0},
    "Elu 1.5": {"alpha": 1.5},
    "Celu 2": {"alpha": 2.0},
    "HardSigmoid": {"alpha": 0.25, "beta": 0.5},
}
CONSTANTS = {
    "Clip": [np.array(-0.5), np.array(0.75)],
    "Pow 3": [np.array(3.0)],
    "Pow 2": [np.array(2.0)],
}


def made(label):
    constants = {f"c{k}": value for k, value in enumerate(CONSTANTS.get(label, []))}
    return function(Node(label.split()[0], ("x", *constants), ("y",), GIVEN.get(label, {})), constants)


RANGES = [(-4.0, 4.0), (-0.3, 0.2), (-3.0, -1.0), (0.25, 2.0), (-1.0, -0.5), (1.0, 1.0)]


@pytest.mark.parametrize("label", TRUTH)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_no_argument_beats_the_slope_or_the_image(label, low, high):
    found = made(label)
    if label in ("Log", "Sqrt") and low <= 0:
        assert found.slope(low, high) == math.inf
        return
    if label == "Reciprocal" and low <= 0 <= high:
        assert (found.slope(low, high), found.image(low, high)) == (math.inf, (-math.inf, math.inf))
        return
    xs = [mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * k / 400 for k in range(401)]
    ys = [TRUTH[label](x) for x in xs]
    bottom, top = found.image(low, high)
    assert bottom <= min(ys)
    assert max(ys) <= top
    slope = found.slope(low, high)
    slopes = [(b - a) / (d - c) for (a, b), (c, d) in zip(pairwise(ys), pairwise(xs), strict=True) if d > c]
    tiny = mp.mpf(10) ** -12
    assert max(map(abs, slopes), default=0) <= slope * (1 + tiny)
    if found.contracts:
        assert all(0 <= one <= 1 + tiny for one in slopes)


@pytest.mark.parametrize("label", TRUTH)
def test_the_ends_are_not_far_off_on_a_wide_range(label):
    """Control against bounds that hold because they are idle: 0.99 of the slope, and of the width, would be beaten."""
    low, high = (0.25, 2.0) if label in ("Log", "Sqrt", "Reciprocal") else (-7.0, 7.0)
    found = made(label)
    xs = [mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * k / 4000 for k in range(4001)]
    ys = [TRUTH[label](x) for x in xs]
    steepest = max(abs((b - a) / (xs[1] - xs[0])) for a, b in pairwise(ys))
    assert 0.99 * found.slope(low, high) < steepest
    bottom, top = found.image(low, high)
    assert 0.99 * (top - bottom) < max(ys) - min(ys)


def sigma(x):
    return 1 / (1 + (-1 * x).exp())


CURVES = {  # for power series with interval coefficients
    "Gelu": lambda x: x * ((x / arb(2).sqrt()).erf() + 1) / 2,
    "Gelu tanh": lambda x: x * sigma((x + x * x * x * arb("0.044715")) * 2 * (2 / arb.pi()).sqrt()),
    "Swish 1": lambda x: x * sigma(x),
    "Mish": lambda x: x * (1 - 2 / (1 + (1 + x.exp()) * (1 + x.exp()))),
}


@pytest.mark.parametrize(("label", "tail"), [("Gelu", 8), ("Gelu tanh", 6), ("Swish 1", 18), ("Mish", 18)])
def test_the_steepest_slope_and_the_least_value_are_enclosed_by_interval_arithmetic(label, tail):
    """On a cover of [-tail, tail]; beyond, f' is within 1e-5 of 0 or 1, and f of 0 or above it (PROOFS 4.8)."""
    stated, least = arb(made(label).slope(-math.inf, math.inf)), arb(made(label).image(-math.inf, 0.0)[0])
    pieces, radius = 512 * tail, arb(2) ** -9
    worst, lowest = 0.0, 0.0
    for k in range(pieces):
        middle = (2 * k + 1 - pieces) * radius
        at = CURVES[label](arb_series([middle, 1], prec=3))
        over = CURVES[label](arb_series([middle + radius * arb(0, 1), 1], prec=3))
        steep = at[1] + 2 * over[2] * radius * arb(0, 1)  # f' at the middle and f'' on the whole piece
        low = at[0] + over[1] * radius * arb(0, 1)
        assert abs(steep) <= stated, middle
        assert low >= least, middle
        worst, lowest = max(worst, float(abs(at[1]).mid())), min(lowest, float(at[0].mid()))
    assert 0.9999 * float(stated) < worst
    assert lowest < 0.9999 * float(least)
    for end in (-tail, tail):
        at = CURVES[label](arb_series([arb(end), 1], prec=2))
        assert abs(at[1] - int(end > 0)) < 1e-5


def test_extreme_arguments_give_numbers():
    for label in TRUTH:
        found = made(label)
        for low, high in [(-math.inf, math.inf), (-1e300, 1e300), (0.0, math.inf), (-math.inf, 0.0), (1e-300, 1e300)]:
            bottom, top = found.image(low, high)
            assert bottom <= top, (label, low, high)
            assert found.slope(low, high) >= 0


def test_parameters_that_are_no_constants_give_no_function():
    assert function(Node("PRelu", ("x", "s"), ("y",)), {}) is None
    assert function(Node("Clip", ("x", "l"), ("y",)), {}) is None
    assert function(Node("Pow", ("x", "p"), ("y",)), {"p": np.array([1.0, 2.0])}) is None
    assert function(Node("Celu", ("x",), ("y",), {"alpha": -1.0}), {}) is None
    assert function(Node("Conv", ("x", "w"), ("y",)), {}) is None
