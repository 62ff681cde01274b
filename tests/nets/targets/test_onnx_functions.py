"""Local functions and branches are put in their place, if that comes to an end and hangs on no input."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from nets.targets.onnx_file import _parse, model_graph
from tests.nets.targets.models import (
    assert_same,
    by_runtime,
    by_us,
    choice,
    graph_of,
    model,
    node,
    numbers,
    refusal,
    refused,
    tensor,
    value,
)

# --- Local functions ------------------------------------------------------------------------------------------------


def function(name, nodes, *, domain="local", inputs=("a",), outputs=("b",), attributes=(), opset=17):
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    return helper.make_function(domain, name, inputs, outputs, nodes, imports, attributes)


def call(name, inputs="x", outputs="y", **attributes):
    return helper.make_node(name, inputs.split(), outputs.split(), domain="local", **attributes)


def with_functions(nodes, functions, **options):
    proto = model(nodes, functions=functions, **options)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto


def test_local_functions_are_put_in_place():
    """With an attribute of the caller's, twice, and with a function called Relu that is not ONNX's."""
    inner = helper.make_node("LeakyRelu", ["a"], ["b"])
    inner.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    leaky = function("Leaky", [inner], attributes=["slope"])
    shift = function("Relu", [node("Constant", "", "c", value_float=1.0), node("Add", "a c", "b")])
    proto = with_functions(
        [call("Leaky", "x", "h", slope=0.5), call("Relu", "h", "k"), call("Leaky", "k", "y", slope=0.25)],
        [leaky, shift],
    )
    graph = model_graph(proto)
    assert [one.op for one in graph.nodes] == ["LeakyRelu", "Add", "LeakyRelu"]
    x = numbers(4, 3)
    first = np.where(x > 0, x, 0.5 * x) + 1
    np.testing.assert_allclose(by_us(graph, {"x": x})[0], np.where(first > 0, first, 0.25 * first), rtol=1e-6)


@pytest.mark.parametrize("domain", ["", "ai.onnx", " "])
def test_a_function_that_redefines_an_operator_is_refused(domain):
    proto = model([node("Relu", "x", "y")], functions=[function("Relu", [node("Neg", "a", "b")], domain=domain)])
    assert refused(proto) == "a local function redefines ONNX's operator Relu"


def test_functions_that_call_themselves_are_refused():
    itself = function("F", [call("F", "a", "b")])
    assert refused(with_functions([call("F")], [itself])) == "the local function local.F calls itself"
    pair = [function("F", [call("G", "a", "b")]), function("G", [call("F", "a", "b")])]
    assert "calls itself" in refused(with_functions([call("F")], pair))
    branch = helper.make_graph([call("F", "a", "c")], "then", [], [value("c", None)])
    hidden = function("F", [node("If", "a", "b", then_branch=branch, else_branch=branch)])
    assert "calls itself" in refused(with_functions([call("F")], [hidden]))
    assert "defined twice" in refused(with_functions([call("F")], [function("F", [node("Neg", "a", "b")])] * 2))


def test_functions_that_multiply_are_refused_at_once():
    """Thirty that each call the last one twice: 2^30 operators from a file of a few kB; and a thousand deep."""
    bombs = [function("F0", [node("Neg", "a", "b")])]
    bombs += [function(f"F{i}", [call(f"F{i - 1}", "a", "c"), call(f"F{i - 1}", "c", "b")]) for i in range(1, 31)]
    begun = time.monotonic()
    assert "operators of it, the limit is" in refused(with_functions([call("F30")], bombs))
    deep = [function("F0", [node("Neg", "a", "b")])]
    deep += [function(f"F{i}", [call(f"F{i - 1}", "a", "b")]) for i in range(1, 1000)]
    assert "deep" in refused(with_functions([call("F999")], deep))
    assert time.monotonic() - begun < 5


def test_functions_of_other_versions_are_refused():
    """Softmax means another thing before opset 13; a function that does not say its version means either."""
    softmax = node("Softmax", "a", "b")
    assert refused(with_functions([call("F")], [function("F", [softmax], opset=11)])) == (
        "the local function local.F is written for another opset, [11]"
    )
    silent = function("F", [softmax])
    del silent.opset_import[0]
    assert refused(with_functions([call("F")], [silent])) == (
        "the local function local.F names no version of ONNX's operators"
    )


def test_a_call_of_a_function_that_is_not_there_is_refused():
    proto = with_functions([call("F")], [function("G", [node("Neg", "a", "b")])])
    assert "1 x local.F" in refused(proto)


# --- Branches -------------------------------------------------------------------------------------------------------


def test_a_branch_on_an_input_is_refused_and_names_it():
    flag = value("flag", (), TensorProto.BOOL)
    branches = graph_of([node("Relu", "x", "a")], "a"), graph_of([node("Neg", "x", "b")], "b")
    proto = model([node("Not", "flag", "no"), choice("no", *branches)], inputs=[value("x"), flag])
    assert refused(proto) == "If: depends on the input flag; fix the one that decides it"
    for flag_value, op in ((False, "Relu"), (True, "Neg")):
        graph = model_graph(proto, fixed={"flag": flag_value})
        assert [one.op for one in graph.nodes] == [op]
        assert [one.name for one in graph.inputs] == ["x"]
        np.testing.assert_array_equal(
            by_us(graph, {"x": numbers(2, 3)})[0],
            by_runtime(proto, {"x": numbers(2, 3), "flag": np.array(flag_value)})[0],
        )


def nested(depth):
    """Ifs in the branches of Ifs; each level takes the values of all outer ones, whose names it uses again."""
    inner = graph_of([node("Add", "h x", "t"), node("Mul", "t s", "o")], "o", [tensor("s", 2.0)])
    for _ in range(depth):
        other = graph_of([node("Neg", "t", "n")], "n")
        nodes = [node("Add", "h x", "t"), choice("yes", inner, other, "r", name="same"), node("Add", "r t", "o")]
        inner = graph_of(nodes, "o")
    weights = [tensor("yes", True, bool)]
    return model([node("Neg", "x", "h"), choice("yes", inner, inner, name="same")], weights)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_nested_branches_see_the_values_of_the_outer_ones(depth):
    """h = -x, so t = 0 everywhere; then with h from the middle scope."""
    middle = graph_of(
        [
            node("Mul", "h h", "m"),
            choice("yes", graph_of([node("Add", "m h", "q")], "q"), graph_of([node("Neg", "m", "q")], "q"), "p"),
        ],
        "p",
    )
    proto = model([node("Neg", "x", "h"), choice("yes", middle, middle)], [tensor("yes", True, bool)])
    assert_same(model_graph(proto), proto, {"x": numbers(2, 3)})
    x = numbers(2, 3)
    np.testing.assert_allclose(by_us(model_graph(nested(depth)), {"x": x})[0], np.zeros_like(x), atol=1e-6)


def test_branches_nested_too_deep_are_refused():
    """A thousand Ifs in each other, written as bytes: no library makes such a file."""

    def entry(number, content):
        size, more = b"", len(content)
        while more > 127:
            size, more = size + bytes([more & 127 | 128]), more >> 7
        return bytes([number << 3 | 2]) + size + bytes([more]) + content

    graph = graph_of([node("Relu", "x", "a")], "a").SerializeToString()
    for _ in range(1000):
        branch = entry(1, b"then_branch") + entry(6, graph)
        graph = entry(1, entry(1, b"c") + entry(2, b"a") + entry(4, b"If") + entry(5, branch)) + entry(2, b"branch")
    assert "not a readable ONNX file" in refusal(_parse, b"\x08\x0a" + entry(7, graph))


def test_a_name_of_a_branch_is_not_taken_for_another():
    """The value 'y/z' of the network and 'z' of the branch that makes y; 'z' of the network inside the branch."""
    branch = graph_of([node("Neg", "z", "b")], "b")
    nodes = [node("Relu", "x", "z"), node("Exp", "x", "y/z"), choice("yes", branch, branch), node("Add", "y y/z", "k")]
    proto = model(nodes, [tensor("yes", True, bool)], outputs=("k",))
    assert_same(model_graph(proto), proto, {"x": numbers(2, 3)})
    branch = graph_of([node("Neg", "x", "z")], "z")
    nodes = [choice("yes", branch, branch), node("Relu", "x", "y/z"), node("Add", "y y/z", "k")]
    proto = model(nodes, [tensor("yes", True, bool)], outputs=("k",))
    assert_same(model_graph(proto), proto, {"x": numbers(2, 3)})


def test_a_condition_may_be_one_of_several_outputs():
    branches = graph_of([node("Relu", "x", "a")], "a"), graph_of([node("Neg", "x", "b")], "b")
    nodes = [
        node("Split", "both", "c d", axis=0),
        node("Cast", "c", "yes", to=TensorProto.BOOL),
        choice("yes", *branches, "h"),
        node("Mul", "h d", "y"),
    ]
    proto = model(nodes, [tensor("both", [1.0, 3.0])])
    assert_same(model_graph(proto), proto, {"x": numbers(2, 3)})


def test_thousands_of_branches_are_decided_in_a_moment():
    """Each condition follows from the one before."""
    nodes = []
    for i in range(3000):
        branches = graph_of([node("Not", f"c{i}", "a")], "a"), graph_of([node("Not", f"c{i}", "b")], "b")
        nodes.append(choice(f"c{i}", *branches, f"c{i + 1}"))
    nodes.append(choice("c3000", graph_of([node("Relu", "x", "a")], "a"), graph_of([node("Neg", "x", "b")], "b")))
    proto = model(nodes, [tensor("c0", True, bool)])
    begun = time.monotonic()
    assert [one.op for one in model_graph(proto).nodes] == ["Relu"]
    assert time.monotonic() - begun < 10


def test_conditions_that_are_no_truth_value():
    branch = graph_of([node("Relu", "x", "a")], "a")
    assert "must be one truth value, got shape (2,)" in refused(
        model([choice("c", branch, branch)], [tensor("c", [True, False], bool)])
    )
    yes = [tensor("c", True, bool)]
    assert "then_branch does not fit" in refused(model([node("If", "c", "y", else_branch=branch)], yes))
    assert "then_branch does not fit" in refused(model([choice("c", branch, branch, "y z")], yes))
    loop = graph_of([node("Loop", "- - x", "a")], "a")
    assert "1 x Loop" in refused(model([choice("c", loop, loop)], yes))
