"""The matrix views of weights: exact back and forth, and what an operator does is what its matrices say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets.graph.graph import Graph, GraphError, Input, Node
from nets.graph.parts import Part, find_parts, part_inputs
from tests.nets.targets.models import by_runtime, model, node, numbers, tensor, value

SIDE = 5


def single(
    op: str, weight: np.ndarray, sides: tuple[int, ...], *, left: bool = False, **attributes
) -> tuple[Part, np.ndarray, np.ndarray]:
    """The part of a network of one linear operator, an input, and what onnxruntime makes of it."""
    names = ("w", "x") if left else ("x", "w")
    graph = Graph(17, (Input("x", "float32", sides),), ("y",), (Node(op, names, ("y",), attributes),), {"w": weight})
    (part,) = find_parts(graph)
    assert part.constant == "w"
    assert part.shape == weight.shape
    assert part.weights == weight.size
    assert part.groups * part.rows * part.cols == weight.size
    assert part.rows % part.outputs == 0
    assert part.signed
    matrices = part.matrices(weight)
    assert matrices.dtype == np.float64
    np.testing.assert_array_equal(part.restored(matrices), weight.astype(np.float64))
    np.testing.assert_array_equal(part.by_output(matrices).reshape(matrices.shape), matrices)
    assert part.by_output(matrices).shape == (part.groups * part.outputs, weight.size // (part.groups * part.outputs))
    x = numbers(*sides, seed=7)
    proto = model([node(op, " ".join(names), "y", **attributes)], [tensor("w", weight)], inputs=[value("x", sides)])
    return part, x, by_runtime(proto, {"x": x})[0]


def windows(op, matrices, part, x, shape, taps, strides, pads, dilations):
    """The convolution, or its transpose, by the matrices alone, in plain loops: row (out, tap), column in."""
    groups, sides, axes = part.groups, x.shape[2:], len(taps)
    out = np.zeros(shape)
    split = x.reshape(len(x), groups, part.cols, *sides)
    made = out.reshape(len(x), groups, part.outputs, *shape[2:])
    for tap, (number, offset) in itertools.product([0], enumerate(itertools.product(*(range(t) for t in taps)))):
        rows = matrices.reshape(groups, part.outputs, -1, part.cols)[:, :, number + tap]
        for place in itertools.product(*(range(side) for side in (shape[2:] if op == "Conv" else sides))):
            reach = tuple(
                p * s + o * d - pad
                for p, s, o, d, pad in zip(place, strides, offset, dilations, pads[:axes], strict=True)
            )
            if all(0 <= r < side for r, side in zip(reach, sides if op == "Conv" else shape[2:], strict=True)):
                source, target = (reach, place) if op == "Conv" else (place, reach)
                taken = split[(slice(None), slice(None), slice(None), *source)]
                made[(slice(None), slice(None), slice(None), *target)] += np.einsum("goc,ngc->ngo", rows, taken)
    return out


@settings(max_examples=60)
@given(
    op=st.sampled_from(["Conv", "ConvTranspose"]),
    axes=st.integers(1, 2),
    groups=st.integers(1, 3),
    each_in=st.integers(1, 3),
    each_out=st.integers(1, 3),
    data=st.data(),
)
def test_convolutions_are_their_matrices(op, axes, groups, each_in, each_out, data):
    taps = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    strides = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    dilations = tuple(data.draw(st.integers(1, 2)) for _ in range(axes))
    pads = tuple(data.draw(st.integers(0, 1)) for _ in range(2 * axes))
    shape = (groups * each_out, each_in) if op == "Conv" else (groups * each_in, each_out)
    weight = numbers(*shape, *taps)
    sides = (2, groups * each_in, *(SIDE,) * axes)
    options = {"strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    part, x, wanted = single(op, weight, sides, **options)
    assert part.kind == ("convolution" if op == "Conv" else "transposed convolution")
    assert (part.groups, part.cols, part.outputs) == (groups, each_in, each_out)
    assert part.rows == each_out * math.prod(taps)
    found = windows(op, part.matrices(weight), part, x.astype(float), wanted.shape, taps, strides, pads, dilations)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@given(rows=st.integers(1, 4), cols=st.integers(1, 4), turned=st.booleans(), left=st.booleans(), other=st.booleans())
def test_gemm_is_its_matrix(rows, cols, turned, left, other):
    """The matrix times the input as columns, whichever factor is constant and however they are turned."""
    shape = (rows, cols) if left != turned else (cols, rows)
    count = 3
    sides = (count, cols) if left == other else (cols, count)
    names = {"transA": int(turned), "transB": int(other)} if left else {"transB": int(turned), "transA": int(other)}
    weight = numbers(*shape)
    part, x, wanted = single("Gemm", weight, sides, left=left, **names)
    assert (part.kind, part.groups, part.rows, part.cols, part.outputs) == ("dense", 1, rows, cols, rows)
    columns = x.T if left == other else x
    found = part.matrices(weight)[0] @ columns
    np.testing.assert_allclose(found if left else found.T, wanted, rtol=1e-4, atol=1e-5)


@given(
    batch=st.sampled_from([(), (3,), (2, 3), (2, 1)]),
    rows=st.integers(1, 4),
    cols=st.integers(1, 4),
    left=st.booleans(),
)
def test_matmul_is_its_matrices(batch, rows, cols, left):
    weight = numbers(*batch, *((rows, cols) if left else (cols, rows)))
    sides = (2, 3, *((cols, 5) if left else (5, cols)))
    part, x, wanted = single("MatMul", weight, sides, left=left)
    assert (part.kind, part.groups, part.rows, part.cols) == ("dense", math.prod(batch), rows, cols)
    matrices = part.matrices(weight).reshape(*batch, rows, cols)
    columns = x if left else np.swapaxes(x, -1, -2)
    found = matrices @ columns
    np.testing.assert_allclose(found if left else np.swapaxes(found, -1, -2), wanted, rtol=1e-4, atol=1e-5)


def test_embeddings_are_matrices_on_unit_vectors():
    table = numbers(7, 4)
    nodes = (Node("Gather", ("table", "i"), ("h",)), Node("MatMul", ("h", "w"), ("y",)))
    inputs = (Input("i", "int64", ("batch", 2)),)
    graph = Graph(17, inputs, ("y",), nodes, {"table": table, "w": numbers(4, 2)})
    part, _ = find_parts(graph)
    assert (part.kind, part.groups, part.rows, part.cols, part.signed) == ("embedding", 1, 4, 7, False)
    np.testing.assert_array_equal(part.restored(part.matrices(table)), table)
    unit = np.eye(7)[3]
    np.testing.assert_array_equal(part.matrices(table)[0] @ unit, table[3].astype(float))


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([Node("Gather", ("t", "i"), ("y",), {"axis": 1})], {"t": numbers(3, 3)}),
        ([Node("Gather", ("t", "i"), ("y",))], {"t": numbers(3)}),
        ([Node("Gather", ("t", "i"), ("y",))], {"t": np.arange(9).reshape(3, 3)}),
        ([Node("Gather", ("x", "i"), ("y",))], {}),
        ([Node("MatMul", ("x", "t"), ("y",))], {"t": numbers(3)}),
        ([Node("MatMul", ("x", "t"), ("y",))], {"t": np.ones((3, 3), int)}),
        ([Node("MatMul", ("x", "x"), ("y",))], {}),
        ([Node("Mul", ("x", "t"), ("y",))], {"t": numbers(3, 3)}),
        ([Node("Add", ("x", "t"), ("y",))], {"t": numbers(3)}),
        ([Node("Conv", ("t", "x"), ("y",))], {"t": numbers(3, 3, 3)}),
        ([Node("LayerNormalization", ("x", "t"), ("y",))], {"t": numbers(3)}),
    ],
)
def test_what_is_no_part(nodes, constants):
    inputs = (Input("x", "float32", (3, 3)), Input("i", "int64", (2,)))
    assert find_parts(Graph(17, inputs, ("y",), tuple(nodes), constants)) == ()


def added(op: str, weight: np.ndarray, shift: np.ndarray, *, left=False, swapped=False) -> list[str]:
    """The kinds of parts where something is added to what a linear operator makes."""
    taken = ("w", "x") if left else ("x", "w")
    both = ("b", "h") if swapped else ("h", "b")
    nodes = Node(op, taken, ("h",)), Node("Add", both, ("y",))
    graph = Graph(17, (Input("x", "float32", None),), ("y",), nodes, {"w": weight, "b": shift})
    places = [part.constant for _, part in part_inputs(graph, nodes[1])]
    kinds = [part.kind for part in find_parts(graph)]
    assert (places == ["b"]) == ("bias" in kinds)
    return kinds[1:]


@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_added_to_every_channel_is_a_bias(swapped):
    """4 outputs; shapes that NumPy spreads over the channel axis are biases, all others are not."""
    dense, image, line = numbers(3, 4), numbers(4, 3, 2, 2), numbers(4, 3, 2)
    for weight, op, good, bad in [
        (dense, "MatMul", [(4,), (1, 4), (1, 1, 4)], [(4, 1), (), (1,), (7, 4), (4, 4), (1, 4, 1), (4, 1, 1)]),
        (dense, "Gemm", [(4,), (1, 4)], [(4, 1), (2, 4)]),
        (
            image,
            "Conv",
            [(4, 1, 1), (1, 4, 1, 1)],
            [(4,), (1, 4), (4, 1), (1, 1, 4, 1), (4, 1, 1, 1), (1, 1, 1, 4), (4, 2, 2)],
        ),
        (line, "Conv", [(4, 1), (1, 4, 1)], [(4,), (4, 1, 1), (1, 1, 4)]),
    ]:
        for shape in good:
            assert added(op, weight, numbers(*shape), swapped=swapped) == ["bias"], shape
        for shape in bad:
            assert added(op, weight, numbers(*shape), swapped=swapped) == [], shape
    for shape, kinds in (((4, 1), ["bias"]), ((1, 4, 1), ["bias"]), ((4,), []), ((1, 4), []), ((4, 1, 1), [])):
        assert added("MatMul", numbers(4, 3), numbers(*shape), left=True, swapped=swapped) == kinds
    transposed = numbers(3, 4, 2, 2)
    assert added("ConvTranspose", transposed, numbers(4, 1, 1), swapped=swapped) == ["bias"]
    assert added("ConvTranspose", transposed, numbers(3, 1, 1), swapped=swapped) == []


def test_biases_of_operators_and_their_order():
    conv = Node("Conv", ("x", "w", "b"), ("h",), {"group": 2})
    norm = Node("BatchNormalization", ("h", "s", "t", "zero", "one"), ("n",))
    gemm = Node("Gemm", ("n", "v", "c"), ("y",), {"transB": 1})
    constants = {"w": numbers(4, 1, 3), "b": numbers(4), "s": numbers(4), "t": numbers(4), "zero": np.zeros(4)}
    constants |= {"one": np.ones(4), "v": numbers(2, 4), "c": numbers(1, 2)}
    graph = Graph(17, (Input("x", "float32", None),), ("y",), (conv, norm, gemm), constants)
    parts = find_parts(graph, {"n"})
    assert [(part.constant, part.kind, part.signed) for part in parts] == [
        ("w", "convolution", True), ("b", "bias", False), ("s", "scale", True), ("t", "bias", False),
        ("v", "dense", False), ("c", "bias", False),
    ]  # fmt: skip
    for part in parts:
        array = constants[part.constant]
        np.testing.assert_array_equal(part.restored(part.matrices(array)), array)
    scale = parts[2].matrices(constants["s"])
    h = numbers(2, 4, 5).astype(float)
    np.testing.assert_allclose(np.einsum("gij,ngk->ngk", scale, h), constants["s"][:, None] * h)


def test_shared_weights_are_one_part_and_signed_if_any_use_is():
    nodes = (
        Node("MatMul", ("x", "w"), ("h",)),
        Node("Relu", ("h",), ("r",)),
        Node("MatMul", ("r", "w"), ("y",)),
    )
    graph = Graph(17, (Input("x", "float32", None),), ("y",), nodes, {"w": numbers(3, 3)})
    (part,) = find_parts(graph, {"r"})
    assert part.signed
    (part,) = find_parts(graph, {"r", "x"})
    assert not part.signed
    turned = (*nodes[:2], Node("Gemm", ("r", "w"), ("y",), {"transB": 1}))
    with pytest.raises(GraphError, match="w: is used as dense and as dense"):
        find_parts(Graph(17, graph.inputs, ("y",), turned, graph.constants))


def test_recurrent_outputs_without_a_name_are_no_channels():
    """Two operators whose first output is left out, and what is added to nothing."""
    weights = {"w": numbers(1, 12, 2), "r": numbers(1, 12, 3), "b": numbers(3)}
    nodes = (
        Node("LSTM", ("x", "w", "r"), ("", "h"), {"hidden_size": 3}),
        Node("LSTM", ("x", "w", "r"), ("", "k"), {"hidden_size": 3}),
        Node("Add", ("h", "k"), ("s",)),
        Node("Add", ("s", "b"), ("y",)),
    )
    assert find_parts(Graph(17, (Input("x", "float32", None),), ("y",), nodes, weights)) == ()


@pytest.mark.parametrize(("op", "groups"), [("Conv", 0), ("Conv", -1), ("Conv", 3), ("ConvTranspose", 3)])
def test_groups_that_do_not_divide_are_refused(op, groups):
    node_ = Node(op, ("x", "w"), ("y",), {"group": groups})
    graph = Graph(17, (Input("x", "float32", None),), ("y",), (node_,), {"w": numbers(4, 1, 3)})
    with pytest.raises(GraphError, match=f"4 channels do not fall into {groups} groups"):
        find_parts(graph)
