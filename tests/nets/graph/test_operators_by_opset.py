"""What operators meant in older opsets, where their options were attributes or others, against onnxruntime."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from nets.graph.graph import GraphError, Node
from nets.graph.operators import run
from tests.nets.graph.standard import agrees

X = np.random.default_rng(5).normal(size=(2, 3, 4, 5)).astype(np.float32)
INF = np.float32(np.inf)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


def real(number):
    return np.array(number, dtype=np.float32)


@pytest.mark.parametrize("opset", [7, 9, 11, 12, 13, 18, 21])
@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_takes_its_axes_together_before_13(operator, opset):
    agrees(operator, [X], opset)
    agrees(operator, [X], opset, axis=2)
    agrees(operator, [X], opset, axis=0)
    if opset >= 11:
        agrees(operator, [X], opset, axis=-2)


@pytest.mark.parametrize("opset", [7, 9, 10])
def test_options_that_were_attributes_before_11(opset):
    agrees("Clip", [X], opset, min=-0.5, max=0.25)
    agrees("Clip", [X], opset, max=0.25)
    agrees("Pad", [X], opset, pads=[0, 1, 2, 0, 1, 0, 0, 3], value=2.5)
    agrees("Pad", [X], opset, pads=[0, 0, -1, 2, 0, 0, -1, -2])
    agrees("Pad", [X], opset, pads=[0, 0, 2, 3, 0, 0, 1, 4], mode="reflect")
    agrees("Pad", [X], opset, pads=[0, 1, 2, 3, 2, 0, 1, 4], mode="edge")


@pytest.mark.parametrize("opset", [11, 12, 13, 18, 21])
def test_options_that_are_inputs_since_11(opset):
    agrees("Clip", [X, real(-0.5), real(0.25)], opset)
    agrees("Clip", [X, None, real(0.25)], opset)
    agrees("Clip", [X, real(0.5), real(-0.5)], opset)
    agrees("Pad", [X, ints(0, 1, 2, 0, 1, 0, 0, 3), real(2.5)], opset)
    agrees("Pad", [X, ints(0, 0, 2, 3, 0, 0, 1, 4)], opset, mode="reflect")
    if opset >= 18:
        agrees("Pad", [X, ints(2, 1, 0, 3), real(1.5), ints(-1, 1)], opset)
    if opset >= 19:
        agrees("Pad", [X, ints(2, 1, 0, 3), None, ints(-1, 1)], opset, mode="wrap")


@pytest.mark.parametrize("opset", [7, 9, 11, 12])
def test_axes_that_were_attributes_before_13(opset):
    one = X.reshape(2, 1, 3, 20, 1)
    agrees("Squeeze", [one], opset)
    agrees("Squeeze", [one], opset, axes=[1, 4])
    agrees("Unsqueeze", [X], opset, axes=[0, 3])
    agrees("Split", [X], opset, outputs=2, axis=2)
    agrees("Split", [X], opset, outputs=3, axis=3, split=[2, 0, 3])
    agrees("ReduceSum", [X], opset, axes=[1, 3], keepdims=0)
    agrees("Flatten", [X], opset, axis=2)
    if opset >= 11:
        agrees("Squeeze", [one], opset, axes=[-1])
        agrees("Unsqueeze", [X], opset, axes=[-1, 0])
        agrees("Flatten", [X], opset, axis=-1)
        agrees("ReduceSum", [X], opset, axes=[-1])


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_axes_that_are_inputs_since_13(opset):
    one = X.reshape(2, 1, 3, 20, 1)
    agrees("Squeeze", [one], opset)
    agrees("Squeeze", [one, ints(-1)], opset)
    agrees("Unsqueeze", [X, ints(-1, 0)], opset)
    agrees("Split", [X, ints(2, 0, 3)], opset, outputs=3, axis=-1)
    agrees("ReduceSum", [X, ints(1, -1)], opset, keepdims=0)
    agrees("ReduceSum", [X, ints()], opset)
    agrees("ReduceSum", [X, ints()], opset, noop_with_empty_axes=1)
    if opset >= 18:
        agrees("Split", [X], opset, outputs=2, axis=3, num_outputs=2)


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 21])
@pytest.mark.parametrize("kind", ["Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"])
def test_reductions(kind, opset):
    x = np.abs(X) if kind == "LogSum" else X
    for axes in ([1], [0, 3], [2, 1]):
        for keep in (0, 1):
            if opset < 18:
                agrees(f"Reduce{kind}", [x], opset, axes=axes, keepdims=keep)
            else:
                agrees(f"Reduce{kind}", [x, ints(*axes)], opset, keepdims=keep)
    agrees(f"Reduce{kind}", [x], opset)


@pytest.mark.parametrize("opset", [7, 9])
def test_slices_by_attributes_before_10(opset):
    agrees("Slice", [X], opset, starts=[1, -3], ends=[100, -1], axes=[1, 3])
    agrees("Slice", [X], opset, starts=[0, 1], ends=[1, 3])


@pytest.mark.parametrize("opset", [7, 10, 11, 18, 21])
def test_top_k(opset):
    tied = np.round(X)
    if opset < 10:
        agrees("TopK", [tied], opset, outputs=2, k=3, axis=3)
        return
    agrees("TopK", [tied, ints(3)], opset, outputs=2, axis=2)
    if opset >= 11:
        agrees("TopK", [tied, ints(2)], opset, outputs=2, axis=-1, largest=0)


@pytest.mark.parametrize("opset", [7, 8, 9])
def test_upsample(opset):
    for mode in ("nearest", "linear"):
        scales = np.array([1, 1, 2.0, 1.5], dtype=np.float32)
        if opset < 9:
            agrees("Upsample", [X], opset, mode=mode, scales=scales.tolist())
        else:
            agrees("Upsample", [X, scales], opset, mode=mode)


MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


def resized(x, opset, scales=None, sizes=None, **attributes):
    """Compare; what is not given is an empty tensor before opset 13, which knew no scales left out."""
    empty = np.array([], dtype=np.float32) if opset < 13 else None
    factors = empty if scales is None else np.array(scales, dtype=np.float32)
    agrees("Resize", [x, empty, factors, *([] if sizes is None else [ints(*sizes)])], opset, **attributes)


@pytest.mark.parametrize("opset", [11, 13, 18, 19, 21])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize(mode, opset):
    for where in MODES[: 5 if opset >= 19 else 4]:
        options = {"mode": mode, "coordinate_transformation_mode": where}
        for sizes in ([2, 3, 8, 15], [2, 3, 3, 2], [2, 3, 7, 1], [2, 3, 4, 11]):
            resized(X, opset, sizes=sizes, **options)
        resized(X, opset, scales=[1, 1, 2, 3], **options)
        if where != "align_corners":
            resized(X, opset, scales=[1, 1, 1.5, 0.4], **options)


def test_resize_in_opset_10():
    for mode in ("nearest", "linear"):
        for scales in ([1, 1, 2, 3], [1, 1, 0.5, 1.3]):
            agrees("Resize", [X, np.array(scales, np.float32)], 10, mode=mode)


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("where", MODES[:4])
def test_nearest_places(rounding, where):
    line = np.arange(14, dtype=np.float32).reshape(1, 1, 2, 7)
    options = {"mode": "nearest", "nearest_mode": rounding, "coordinate_transformation_mode": where}
    refused = []
    for side in range(1, 23):
        with contextlib.suppress(GraphError):
            resized(line, 13, sizes=[1, 1, 2, side], **options)
            continue
        with pytest.raises(GraphError, match="where rounding errors decide"):
            resized(line, 13, sizes=[1, 1, 2, side], **options)
        refused.append(side)
    assert len(refused) <= 5
    assert not {7, 14, 21} & set(refused)


def test_a_length_from_a_scale_is_rounded_down_in_32_bits():
    for side in range(1, 40):
        line = np.arange(side, dtype=np.float32).reshape(1, 1, 1, side)
        for scale in (0.7, 0.1, 1.1, 2.3, 1 / 3):
            length = int(np.float32(scale) * np.float32(side))
            if length not in (0, side):
                resized(line, 13, scales=[1, 1, 1, scale], coordinate_transformation_mode="asymmetric")


@pytest.mark.parametrize(
    ("opset", "scales", "options", "message"),
    [
        (13, [1, 1, 1, 1.1], {}, "change no length"),
        (13, [1, 1, 1, 1.3], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "align_corners"),
        (13, [1, 1, 2, 2], {"mode": "lanczos"}, "mode='lanczos'"),
        (13, [1, 1, 2, 2], {"nearest_mode": "up"}, "nearest_mode='up'"),
        (13, [1, 1, 2, 2], {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}, "tf_half_pixel_for_nn"),
        (13, [1, 1, 0.1, 2], {}, "no places"),
        (13, [1, 1, 2], {}, "for 4 axes"),
        (10, [1, 1, 0.7, 1], {}, "before opset 11"),
    ],
)
def test_a_resize_that_runtimes_see_differently_is_refused(opset, scales, options, message):
    node = Node("Resize", ("x", "", "scales") if opset > 10 else ("x", "scales"), ("y",), options)
    values = [torch.tensor(X), None, torch.tensor(scales)] if opset > 10 else [torch.tensor(X), torch.tensor(scales)]
    with pytest.raises(GraphError, match=message):
        run(node, values, opset=opset, real=torch.float32)


@pytest.mark.parametrize("opset", [7, 10, 12, 13, 22])
def test_dropout_lets_everything_through(opset):
    agrees("Dropout", [X], opset)
    if opset >= 12:
        agrees("Dropout", [X], opset, outputs=2)
        agrees("Dropout", [X, real(0.4), np.array(False)], opset, outputs=2)


def test_group_normalisation_scaled_each_group_before_21():
    scale, bias = np.array([2.0, -1.0]), np.array([0.5, 3.0])
    x = np.random.default_rng(8).normal(size=(2, 4, 3))
    groups = x.reshape(2, 2, 6)
    deviations = np.sqrt(groups.var(2, keepdims=True) + 0.01)
    expected = (groups - groups.mean(2, keepdims=True)) / deviations * scale[:, None] + bias[:, None]
    node = Node("GroupNormalization", ("x", "scale", "bias"), ("y",), {"num_groups": 2, "epsilon": 0.01})
    (y,) = run(node, [torch.tensor(one) for one in (x, scale, bias)], opset=18, real=torch.float64)
    np.testing.assert_allclose(y.numpy(), expected.reshape(x.shape), rtol=1e-12)


@pytest.mark.parametrize(
    ("operator", "inputs", "opset", "attributes"),
    [
        ("Clip", 2, 9, {}),
        ("Clip", 1, 11, {"min": 0.0}),
        ("Pad", 2, 9, {}),
        ("Pad", 2, 13, {"pads": (1, 1)}),
        ("Slice", 3, 9, {}),
        ("Slice", 3, 13, {"axes": (0,)}),
        ("Squeeze", 2, 11, {}),
        ("Unsqueeze", 2, 13, {"axes": (0,)}),
        ("Split", 2, 12, {}),
        ("Split", 2, 13, {"split": (1, 1)}),
        ("ReduceSum", 2, 12, {}),
        ("ReduceMean", 2, 17, {}),
        ("ReduceMean", 1, 18, {"axes": (0,)}),
        ("Dropout", 2, 11, {}),
    ],
)
def test_options_of_another_opset_are_refused(operator, inputs, opset, attributes):
    node = Node(operator, tuple("abc"[:inputs]), ("y",), attributes)
    values = [torch.ones(1), torch.ones(1, dtype=torch.int64), torch.ones(1, dtype=torch.int64)][:inputs]
    with pytest.raises(GraphError, match=rf"opset \d+, got opset={opset}$"):
        run(node, values, opset=opset, real=torch.float32)
