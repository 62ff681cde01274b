"""Options that the standard's cases leave out, against onnxruntime."""

from __future__ import annotations

import mpmath
import numpy as np
import onnx
import pytest
import torch

from nets.graph.graph import GraphError, Node
from nets.graph.operators import run
from tests.nets.graph.standard import agrees

RNG = np.random.default_rng(6)
X = RNG.normal(size=(2, 6, 4, 5)).astype(np.float32)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


def test_operators_without_a_standard_case():
    agrees("Not", [X > 0], 13)
    agrees("GlobalLpPool", [X], 13)
    agrees("GlobalLpPool", [X], 13, p=1)


@pytest.mark.parametrize("opset", [7, 9, 14, 15, 21])
def test_batch_normalisation(opset):
    vectors = [normal(6), normal(6), normal(6), np.abs(normal(6)) + 0.1]
    agrees("BatchNormalization", [X, *vectors], opset)
    agrees("BatchNormalization", [X.reshape(2, 6, 20), *vectors], opset, epsilon=0.01)
    agrees("BatchNormalization", [X[:, :, 0, 0], *vectors], opset)


def test_other_normalisations():
    agrees("InstanceNormalization", [X, normal(6), normal(6)], 13, epsilon=0.02)
    agrees("LayerNormalization", [X, normal(4, 5), normal(4, 5)], 17, axis=-2, epsilon=0.02)
    agrees("LayerNormalization", [X, normal(5)], 17)
    agrees("LayerNormalization", [X, normal(4, 5)], 17, outputs=3, axis=2)
    agrees("GroupNormalization", [X, normal(6), normal(6)], 21, num_groups=3)
    agrees("RMSNormalization", [X, normal(5)], 23, epsilon=0.02)
    for size in (1, 3, 5, 7):
        agrees("LRN", [X], 13, size=size, alpha=0.3, beta=0.6, bias=1.5)
    for p in (1, 2):
        agrees("LpNormalization", [X], 13, p=p, axis=1)
    agrees("MeanVarianceNormalization", [X], 13)
    agrees("MeanVarianceNormalization", [X], 13, axes=[0, 2])


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("operator", "gates", "states"), [("RNN", 1, 1), ("GRU", 3, 1), ("LSTM", 4, 2)])
def test_recurrent_layers(operator, gates, states, direction):
    ways = 2 if direction == "bidirectional" else 1
    fed, weights = normal(5, 2, 3), [normal(ways, gates * 4, 3), normal(ways, gates * 4, 4)]
    bias, first = normal(ways, 2 * gates * 4), [normal(ways, 2, 4) for _ in range(states)]
    lengths = np.array([5, 5], dtype=np.int32)
    options = {"hidden_size": 4, "direction": direction}
    agrees(operator, [fed, *weights], 14, states + 1, **options)
    agrees(operator, [fed, *weights, bias, lengths, *first], 14, states + 1, **options)
    if operator == "GRU":
        agrees(operator, [fed, *weights, bias], 14, 2, linear_before_reset=1, **options)
    names = {"RNN": ["Relu"], "GRU": ["Tanh", "Relu"], "LSTM": ["Tanh", "Relu", "Sigmoid"]}[operator]
    agrees(operator, [fed, *weights, bias], 7, states + 1, activations=names * ways, **options)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_indices(axis):
    side = X.shape[axis]
    places = np.array([[0, -1], [side - 1, -side]], dtype=np.int64)
    agrees("Gather", [X, places], 11, axis=axis)
    agrees("Gather", [X, np.array(-2, dtype=np.int32)], 13, axis=axis)
    other = RNG.integers(-side, side, size=X.shape)
    agrees("GatherElements", [X, other], 13, axis=axis)
    updates = normal(*X.shape)
    for reduction in ("add", "mul", "max", "min"):
        agrees("ScatterElements", [X, other, updates], 18, axis=axis, reduction=reduction)
    agrees("OneHot", [places, ints(side), np.array([0.5, 2.0], np.float32)], 11, axis=axis)
    agrees("CumSum", [X, np.array(axis)], 14, exclusive=1, reverse=1)
    for last in (0, 1):
        for operator in ("ArgMax", "ArgMin"):
            agrees(operator, [np.round(X), ], 13, axis=axis, keepdims=0, select_last_index=last)  # fmt: skip


def test_indices_of_several_axes():
    rows = np.stack([RNG.integers(-2, 2, size=(3, 4)), RNG.integers(-6, 6, size=(3, 4))], -1)
    agrees("GatherND", [X, rows], 13)
    agrees("GatherND", [X, RNG.integers(-6, 6, size=(2, 3, 1))], 13, batch_dims=1)
    for reduction in ("add", "mul", "max", "min"):
        agrees("ScatterND", [X, rows, normal(3, 4, 4, 5)], 18, reduction=reduction)
    once = ints(1, -1, 0, 2).reshape(2, 2)
    agrees("ScatterND", [X, once, normal(2, 4, 5)], 13)
    agrees("NonZero", [np.round(X)], 13)


def test_products():
    agrees("Gemm", [normal(3, 4), normal(5, 3), normal(5)], 7, transA=1, transB=1, alpha=0.5, beta=2.0)
    agrees("Gemm", [normal(4, 3), normal(3, 5)], 11)
    agrees("MatMul", [normal(3), normal(2, 3, 4)], 13)
    agrees("MatMul", [normal(5, 1, 2, 3), normal(4, 3, 2)], 9)
    agrees("Einsum", [normal(2, 3, 4), normal(2, 4, 5)], 12, equation="bij, bjk -> bik")
    agrees("Einsum", [normal(2, 3, 3)], 12, equation="...ii->...i")


def test_transposed_convolutions_to_a_stated_shape():
    w = normal(6, 2, 3, 3)
    for shape in ([9, 11], [8, 10], [10, 12], [7, 9]):
        for kind in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
            options = {"output_shape": shape, "auto_pad": kind, "strides": [2, 2]}
            agrees("ConvTranspose", [X, w, normal(2)], 11, **options)


def test_elementwise_options():
    whole = np.array([[7, -7, 5], [-5, 0, 3]], dtype=np.int64)
    by = np.array([[2, 2, -3], [-3, 4, 3]], dtype=np.int64)
    agrees("Div", [whole, by], 13)
    agrees("Mod", [whole, by], 13)
    agrees("Mod", [whole, by], 13, fmod=1)
    agrees("Mod", [X, normal(5)], 13, fmod=1)
    agrees("Pow", [whole, np.array(2.0, np.float32)], 13)
    agrees("Pow", [np.abs(X), np.array(3, np.int64)], 13)
    agrees("PRelu", [X, normal(6, 1, 1)], 7)
    agrees("Round", [np.arange(-4, 4, dtype=np.float32) + 0.5], 11)
    infinite = np.array([np.inf, -np.inf, np.nan, 0], dtype=np.float32)
    for positive in (0, 1):
        agrees("IsInf", [infinite], 10, detect_positive=positive, detect_negative=1 - positive)
    for operator in ("Max", "Min", "Sum", "Mean"):
        agrees(operator, [X, normal(5), normal(6, 1, 1)], 13)
    for operator in ("Softplus", "Mish", "Sigmoid", "Tanh", "Gelu"):
        agrees(operator, [20 * X], {"Mish": 18, "Gelu": 20}.get(operator, 13))
    for operator in ("Elu", "Selu", "HardSigmoid", "LeakyRelu", "ThresholdedRelu", "Celu", "Shrink"):
        agrees(operator, [X], 13)


def test_shapes():
    agrees("Reshape", [X, ints(0, -1, 5)], 13)
    agrees("Reshape", [X[:0], ints(0, 6, 20)], 14, allowzero=1)
    agrees("Expand", [X[:, :1], ints(3, 1, 1, 1, 5)[1:]], 13)
    agrees("Expand", [X[:1], ints(3, 2, 1, 4, 1)], 13)
    agrees("Tile", [X, ints(1, 2, 3, 1)], 13)
    agrees("Shape", [X], 15, start=-3, end=-1)
    for bounds in ((0, 10, 3), (5, -4, -2), (3, 3, 1)):
        agrees("Range", [np.array(one, np.int64) for one in bounds], 11)
        agrees("Range", [np.array(one * 0.3, np.float32) for one in bounds], 11)
    for k in (-7, -2, 0, 3, 9):
        for upper in (0, 1):
            agrees("Trilu", [X, np.array(k)], 14, upper=upper)
    agrees("EyeLike", [X[0, 0]], 9, k=-1, dtype=1)
    deep = normal(2, 12, 2, 3)
    for mode in ("DCR", "CRD"):
        agrees("DepthToSpace", [deep, ], 13, blocksize=2, mode=mode)  # fmt: skip
    agrees("SpaceToDepth", [normal(2, 3, 4, 6)], 13, blocksize=2)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_quantised_numbers(kind):
    info = np.iinfo(kind)
    whole = RNG.integers(info.min, info.max + 1, size=(3, 4, 5)).astype(kind)
    scales, zeros = np.abs(normal(4)) + 0.01, RNG.integers(info.min, info.max + 1, size=4).astype(kind)
    agrees("DequantizeLinear", [whole, scales, zeros], 13, axis=-2)
    agrees("DequantizeLinear", [whole, scales[:1].reshape(()), zeros[:1].reshape(())], 10)
    agrees("QuantizeLinear", [normal(3, 4, 5), scales, zeros], 13, axis=1)
    agrees(
        "QuantizeLinear",
        [np.array([0.5, 1.5, 2.5, -0.5, 1e6], np.float32), np.array(1, np.float32), zeros[:1].reshape(())],
        10,
    )


@pytest.mark.parametrize("options", [{"scale": -0.5}, {"softcap": -1.0}, {"scale": float("nan")}])
def test_attention_with_a_negative_scale_or_softcap_is_refused(options):
    """The standard's function takes the root of the scale; onnxruntime takes such a softcap for none."""
    values = [torch.ones(1, 1, 2, 3)] * 3
    with pytest.raises(GraphError, match="must be at least 0"):
        run(Node("Attention", ("q", "k", "v"), ("y",), options), values, opset=23, real=torch.float32)


@pytest.mark.parametrize("causal", [0, 1])
def test_attention(causal):
    q, k, v = normal(2, 6, 3, 8), normal(2, 2, 5, 8), normal(2, 2, 5, 4)
    agrees("Attention", [q, k, v], 23, is_causal=causal)
    agrees("Attention", [q, k, v, normal(3, 5)], 23, is_causal=causal, scale=0.3, softcap=2.0)
    agrees("Attention", [q, k, v, np.tril(np.ones((3, 5), bool))], 23, is_causal=causal)
    flat = normal(2, 3, 12), normal(2, 5, 6), normal(2, 5, 8)
    agrees("Attention", list(flat), 23, is_causal=causal, q_num_heads=4, kv_num_heads=2)


@pytest.mark.parametrize(("kind", "pads"), [("SAME_UPPER", (1, 2)), ("SAME_LOWER", (2, 1))])
def test_same_padding_counts_dilated_windows(kind, pads):  # which onnxruntime refuses
    x, w = torch.arange(7.0).reshape(1, 1, 7), torch.tensor([[[1.0, 10.0]]])
    said = Node("Conv", ("x", "w"), ("y",), {"auto_pad": kind, "dilations": (3,)})
    counted = Node("Conv", ("x", "w"), ("y",), {"pads": pads, "dilations": (3,)})
    (ours,), (theirs,) = (run(one, [x, w], opset=13, real=torch.float32) for one in (said, counted))
    assert ours.shape == (1, 1, 7)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("size", [2, 4, 9])
def test_a_response_window_of_even_size_reaches_further_up(size):  # which onnxruntime refuses
    x = RNG.normal(size=(2, 6, 3))
    expected = np.empty_like(x)
    for channel in range(6):
        low, high = max(channel - (size - 1) // 2, 0), min(channel + size // 2, 5)
        sums = (x[:, low : high + 1] ** 2).sum(1)
        expected[:, channel] = x[:, channel] / (1.5 + 0.25 / size * sums) ** 0.5
    node = Node("LRN", ("x",), ("y",), {"size": size, "alpha": 0.25, "beta": 0.5, "bias": 1.5})
    (y,) = run(node, [torch.tensor(x)], opset=13, real=torch.float64)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)


DEFAULTS = {
    "BatchNormalization": 5, "Celu": 1, "Elu": 1, "GroupNormalization": 3, "HardSigmoid": 1, "InstanceNormalization": 3,
    "LayerNormalization": 3, "LeakyRelu": 1, "LRN": 1, "RMSNormalization": 2, "Selu": 1, "Shrink": 1, "Swish": 1,
    "ThresholdedRelu": 1,
}  # fmt: skip


@pytest.mark.parametrize("operator", DEFAULTS)
def test_defaults_are_those_of_the_standard_to_the_last_bit(operator):
    stated = {"num_groups": 1} if operator == "GroupNormalization" else {"size": 3} if operator == "LRN" else {}
    schema = onnx.defs.get_schema(operator)
    known = {name: one.default_value for name, one in schema.attributes.items()}
    numbers = {name: one.f for name, one in known.items() if one.type == onnx.AttributeProto.FLOAT}
    assert numbers
    x = torch.tensor(RNG.normal(size=(2, 3, 3)))
    values = [x, *(torch.tensor(1 + np.abs(RNG.normal(size=3))) for _ in range(DEFAULTS[operator] - 1))]
    names = tuple("abcde"[: len(values)])
    results = [
        run(Node(operator, names, ("y",), stated | given), values, opset=24, real=torch.float64)[0]
        for given in ({}, numbers)
    ]
    assert torch.equal(*results)


def test_softplus_has_no_linear_tail():
    x = torch.linspace(-40, 40, 81, dtype=torch.float64)
    (y,) = run(Node("Softplus", ("x",), ("y",)), [x], opset=13, real=torch.float64)
    exact = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(one)))) for one in x.tolist()]
    np.testing.assert_allclose(y.numpy(), exact, rtol=1e-15)
