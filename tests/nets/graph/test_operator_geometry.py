"""Windows, pads and slices of any geometry against onnxruntime; whole numbers, so that the answers must be the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from nets.graph.graph import GraphError, Node
from nets.graph.operators import run
from tests.nets.graph.standard import by_runtime, run_model, single


def whole(draw, shape):
    """An array of small whole numbers, other at each place."""
    start = draw(st.integers(0, 6))
    flat = (np.arange(int(np.prod(shape))) * 5 + start) % 13 - 6
    return flat.reshape(shape).astype(np.float32)


def same(op, arrays, opset, tolerance=0.0, **attributes):
    model = single(op, arrays, opset, **attributes)
    given_arrays = [array for array in arrays if array is not None]
    (theirs,) = by_runtime(model, arrays)
    for real in (torch.float32, torch.float64):
        (ours,) = run_model(model, given_arrays, real)
        assert tuple(ours.shape) == theirs.shape
        np.testing.assert_allclose(ours.double().numpy(), theirs, rtol=tolerance, atol=tolerance)


@st.composite
def windows(draw, pooling=False):
    """Sides of the image and the attributes of windows that fit into it."""
    axes = draw(st.integers(1, 2))

    def each(low, high):
        return [draw(st.integers(low, high)) for _ in range(axes)]

    kernel, dilations, strides = each(1, 3), each(1, 2), each(1, 3)
    kind = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if kind.startswith("SAME"):  # with which onnxruntime refuses dilations, and steps longer than the window
        dilations = [1] * axes
        strides = [min(stride, k) for stride, k in zip(strides, kernel, strict=True)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sides = [draw(st.integers(span, span + 6)) for span in spans]
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
    if kind != "NOTSET":
        return sides, attributes | {"auto_pad": kind}
    limits = [min(k, span) - 1 if pooling else 3 for k, span in zip(kernel, spans, strict=True)]
    pads = [draw(st.integers(0, limit)) for limit in limits * 2]
    if pooling:
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    return sides, attributes | {"pads": pads}


@given(data=st.data(), form=windows(), bias=st.booleans())
def test_convolutions(data, form, bias):
    sides, attributes = form
    groups, per_group, rows = (data.draw(st.integers(1, 2)) for _ in range(3))
    x = whole(data.draw, (2, groups * per_group, *sides))
    w = whole(data.draw, (groups * rows, per_group, *attributes["kernel_shape"]))
    b = whole(data.draw, (groups * rows,)) if bias else None
    same("Conv", [x, w] if b is None else [x, w, b], 11, group=groups, **attributes)


@given(data=st.data(), form=windows(), bias=st.booleans())
def test_transposed_convolutions(data, form, bias):
    sides, attributes = form
    groups, per_group, rows = (data.draw(st.integers(1, 2)) for _ in range(3))
    x = whole(data.draw, (2, groups * per_group, *sides))
    w = whole(data.draw, (groups * per_group, rows, *attributes["kernel_shape"]))
    b = whole(data.draw, (groups * rows,)) if bias else None
    attributes["output_padding"] = [data.draw(st.integers(0, stride - 1)) for stride in attributes["strides"]]
    if "pads" in attributes:  # no more than leaves something
        spans = [(k - 1) * d for k, d in zip(attributes["kernel_shape"], attributes["dilations"], strict=True)]
        attributes["pads"] = [min(pad, span // 2) for pad, span in zip(attributes["pads"], spans * 2, strict=True)]
    same("ConvTranspose", [x, w] if b is None else [x, w, b], 11, group=groups, **attributes)


@given(data=st.data(), form=windows(pooling=True), opset=st.sampled_from([10, 12, 19, 22]))
def test_max_pooling(data, form, opset):
    sides, attributes = form
    same("MaxPool", [whole(data.draw, (2, 2, *sides))], opset, **attributes)


@given(data=st.data(), form=windows(pooling=True), opset=st.sampled_from([10, 11, 19, 22]), count=st.integers(0, 1))
def test_average_pooling(data, form, opset, count):
    sides, attributes = form
    if opset < 19:
        sides = [side + 3 for side in sides]
        del attributes["dilations"]
    same("AveragePool", [whole(data.draw, (2, 2, *sides))], opset, 1e-5, count_include_pad=count, **attributes)


@given(data=st.data(), form=windows(pooling=True), p=st.integers(1, 3))
def test_lp_pooling(data, form, p):
    sides, attributes = form
    attributes.pop("ceil_mode", None)
    same("LpPool", [whole(data.draw, (2, 2, *sides))], 18, 1e-5, p=p, **attributes)


@given(data=st.data(), mode=st.sampled_from(["constant", "reflect", "edge", "wrap"]))
def test_pads(data, mode):
    shape = data.draw(st.lists(st.integers(2, 5), min_size=1, max_size=3))
    low = -1 if mode == "constant" else 0
    high = min(shape) - 1  # beyond which onnxruntime refuses to reflect
    pads = np.array([data.draw(st.integers(low, high)) for _ in shape * 2], dtype=np.int64)
    fill = np.array(data.draw(st.integers(-3, 3)), dtype=np.float32)
    same("Pad", [whole(data.draw, shape), pads, fill if mode == "constant" else None], 19, mode=mode)


@given(data=st.data())
def test_slices(data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    axes = data.draw(st.lists(st.integers(-len(shape), len(shape) - 1), unique_by=lambda a: a % len(shape), min_size=1))
    place = st.one_of(st.integers(-8, 8), st.sampled_from([2**63 - 1, -(2**63)]))
    step = st.integers(-3, 3).filter(bool)
    lists = [[data.draw(kind) for _ in axes] for kind in (place, place)]
    steps = [data.draw(step) for _ in axes]
    assume(not any(end > 2**30 and step < 0 for end, step in zip(lists[1], steps, strict=True)))  # refused, see below
    arrays = [np.array(one, dtype=np.int64) for one in (*lists, axes, steps)]
    same("Slice", [whole(data.draw, shape), *arrays], 13)


def test_a_slice_backwards_to_beyond_the_last_place_is_refused():  # onnxruntime then goes to the first place
    node = Node("Slice", ("x", "starts", "ends", "axes", "steps"), ("y",))
    values = [torch.arange(5.0), *(torch.tensor([one]) for one in (4, 2**63 - 1, 0, -1))]
    with pytest.raises(GraphError, match="end=9223372036854775807 with step=-1"):
        run(node, values, opset=13, real=torch.float32)
