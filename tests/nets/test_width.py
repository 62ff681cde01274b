"""Widths of random networks that contain a given one: the theory's numbers, and networks that are not covered."""

import json
import math

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from nets import width
from nets.targets import load_target
from nets.targets.folding import prepared
from nets.targets.theorem_chain import theorem_chain
from theory import product_sum
from theory.attention import AttentionTheorem
from theory.necessary import necessary_params
from theory.network import convolution_required_n, required_n_ours, required_n_parts
from theory.required_width import required_width


def asked(capsys, *words):
    assert width.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    return found, {(row["result"], row["R"]): row for row in found["rows"]}


def onnx_file(path, nodes, constants, shape=("batch", 3), out=("batch", 2), **more):
    held = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    ends = [helper.make_tensor_value_info(name, 1, sides) for name, sides in (("x", shape), ("y", out))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def test_dense_widths_are_those_of_every_theorem(capsys):
    found, rows = asked(capsys, "--widths", "6", "4", "3", "--eps", "0.2", "--delta", "0.1", "--R", "1", "50")
    d, question = [6, 4, 3], {"delta": 0.1, "R": 50}
    for key, n in (
        ("iterand_ours", required_n_ours(d, 0.2, **question)),
        ("pairs", required_n_parts(d, 0.2, statement="pairs", **question)),
        ("halves", required_n_parts(d, 0.2, statement="halves", **question)),
        ("subset_sum", product_sum.required_n(d, 0.2, **question)),
    ):
        one, two = 12 * n[0], 8 * n[1]
        row = rows[key, 50]
        assert row["hidden"] == f"{one} 4 {two}"
        assert row["params"] == 6 * one + one * 4 + 4 * two + two * 3
        assert row["widest"] == max(one, two, 4)
        assert row["param_factor"] == row["params"] / 36
        assert (row["status"], row["ours"]) == ("proved", True)
    least = required_width(d, 0.2, **question)
    assert rows["least", 50]["hidden"] == " ".join(map(str, least.source_widths[1:-1]))
    assert rows["counting", 1]["params"] == necessary_params(d, 0.2, delta=0.1, R=1)
    assert rows["iterand_recalled", 1]["status"] == "proved"
    assert rows["iterand_recalled", 50]["status"] == "recalled"
    assert rows["iterand_recalled", 50]["ours"] is False
    assert rows["pensia", 1]["params"] is None
    assert rows["pensia", 1]["note"].startswith(width.OPEN)
    assert [entry["R"] for entry in found["summary"]] == [1, 50]
    proved = [row for row in rows.values() if row["R"] == 50 and row["ours"] and row["direction"] == "sufficient"]
    assert found["summary"][1]["params"] == min(row["params"] for row in proved)
    with_constant = asked(capsys, "--widths", "6", "4", "3", "--eps", "0.2", "--constant", "3")[1]["pensia", 1]
    inner = [2 * into * math.ceil(3 * math.log(into * out * 2 / 0.01)) for into, out in ((6, 4), (4, 3))]
    assert with_constant["hidden"] == f"{inner[0]} 4 {inner[1]}"
    assert with_constant["shape_only"] is True


def test_convolutions_and_attention_by_widths(capsys):
    _, rows = asked(capsys, "--arch", "conv", "--widths", "2", "3", "--kernel", "3", "--R", "1000", "--delta", "0.1")
    (n,) = convolution_required_n([2, 3], 0.1, delta=0.1, kernel=3, R=1000)
    assert rows["conv_window", 1000]["hidden"] == f"{4 * n}"
    assert rows["conv_window", 1000]["params"] == 2 * 4 * n + 9 * 3 * 4 * n
    assert rows["conv_least", 1000]["params"] <= rows["conv_window", 1000]["params"]
    assert "not of convolutions" in rows["iterand_ours", 1000]["note"]
    words = ("--arch", "attention", "--widths", "4", "4", "4", "--heads", "2", "--eps", "0.5", "--R", "1000")
    _, rows = asked(capsys, *words, "--delta", "0.1", "--constant", "1")
    source = AttentionTheorem(widths=(4, 4, 4), heads=2, eps=0.5, R=1000).source_width(0.1).source_widths
    assert rows["attention_least", 1000]["hidden"] == " ".join(map(str, source[1:4]))
    matrices = (4 * source[1], source[1] * 4, 4 * source[3], source[3] * 4)
    assert rows["attention_least", 1000]["params"] == 2 * sum(matrices)
    assert rows["otsuka", 1000]["hidden"].startswith(f"{4 * math.ceil(math.log(8 * 2 * 4**1.5 / 0.5))} 4 ")


def test_a_network_from_a_file_is_scaled_and_its_biases_lifted(capsys, tmp_path):
    rng = np.random.default_rng(1)
    first, second, bias = rng.normal(size=(4, 3)), rng.normal(size=(2, 4)), rng.normal(size=4)
    nodes = [
        helper.make_node("Gemm", ["x", "a", "b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["s"]),
        helper.make_node("MatMul", ["s", "c"], ["y"]),
    ]
    path = onnx_file(tmp_path / "m.onnx", nodes, {"a": first, "b": bias, "c": second.T})
    chain = theorem_chain(prepared(load_target(path)))
    assert (chain.widths, chain.has_bias, chain.kernel) == ((4, 5, 2), True, None)
    lifted = np.block([[first.astype("f4"), bias.astype("f4")[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
    norms = [np.linalg.norm(lifted, 2), np.linalg.norm(np.c_[second.astype("f4"), np.zeros(2)], 2)]
    np.testing.assert_allclose(chain.norms, norms, rtol=1e-9)
    scale = norms[0] * norms[1] * math.hypot(1, 3)
    found, rows = asked(capsys, path, "--error", "0.5", "--radius", "3", "--R", "20")
    (eps,) = found["params"]["eps"]
    assert eps == pytest.approx(0.5 / scale, rel=1e-9)
    assert rows["least", 20]["error"] <= 0.5
    same = asked(capsys, "--widths", "4", "5", "2", "--eps", repr(eps), "--R", "20")[1]
    assert rows["least", 20]["hidden"] == same["least", 20]["hidden"]


def test_the_lifted_convolutions_compute_the_network(tmp_path):
    """Norms are upper bounds of how the lifted chain grows, and the constant channel passes."""
    rng = np.random.default_rng(2)
    a, b, c = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), rng.normal(size=(1, 2, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "a", "b"], ["h"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["h"], ["s"]),
        helper.make_node("Conv", ["s", "c"], ["y"]),
    ]
    path = onnx_file(tmp_path / "m.onnx", nodes, {"a": a, "b": b, "c": c}, ("batch", 1, 5, 4), ("batch", 1, 5, 4))
    chain = theorem_chain(prepared(load_target(path)))
    assert (chain.widths, chain.kernel) == ((2, 3, 1), 3)
    assert chain.constant_norm == pytest.approx(math.sqrt(20))
    x = torch.from_numpy(rng.normal(size=(50, 1, 5, 4)))
    hidden = torch.nn.functional.conv2d(x, torch.from_numpy(a), torch.from_numpy(b), padding=1).relu()
    y = torch.nn.functional.conv2d(hidden, torch.from_numpy(c))
    assert float(y.flatten(1).norm(dim=1).max()) <= chain.scale(float(x.flatten(1).norm(dim=1).max()))


def refusal(capsys, *words):
    assert width.main(list(words)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        (("Gemm", "Tanh", "Gemm"), "(Tanh): no theorem covers it"),
        (("Gemm", "Gemm"), "(Gemm): no ReLU stands before it"),
        (("Gemm", "Relu"), "a ReLU stands behind the last layer"),
        (("Gemm", "Softmax"), "no theorem covers it"),
        (("Relu", "Gemm"), "(Relu): no theorem covers it"),
    ],
)
def test_chains_that_no_theorem_covers(ops, message, capsys, tmp_path):
    nodes = [helper.make_node(op, [f"v{i}" if i else "x", *(["w"] if op == "Gemm" else [])],
                              [f"v{i + 1}" if i + 1 < len(ops) else "y"]) for i, op in enumerate(ops)]  # fmt: skip
    path = onnx_file(tmp_path / "m.onnx", nodes, {"w": np.eye(3)}, out=("batch", 3))
    assert message in refusal(capsys, path)


@pytest.mark.parametrize(
    ("attributes", "kernel", "message"),
    [
        ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, (3, 3), "has strides (1, 1) alone, got (2, 2)"),
        ({"pads": [0, 0, 0, 0]}, (3, 3), "pads with zeros so that the sides stay"),
        ({"pads": [0, 1, 0, 1]}, (1, 3), "has square kernels, got 1x3"),
        ({"pads": [2, 2, 2, 2], "dilations": [2, 2]}, (3, 3), "dilations (1, 1) alone"),
    ],
)
def test_convolutions_that_no_theorem_covers(attributes, kernel, message, capsys, tmp_path):
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    path = onnx_file(tmp_path / "m.onnx", [node], {"w": np.ones((1, 1, *kernel))}, ("batch", 1, 6, 6), None)
    assert message in refusal(capsys, path)


def test_dense_layers_behind_convolutions_are_refused(capsys, tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["s"]),
        helper.make_node("Flatten", ["s"], ["t"]),
        helper.make_node("Gemm", ["t", "v"], ["y"]),
    ]
    constants = {"w": np.ones((1, 1, 1, 1)), "v": np.ones((4, 2))}
    path = onnx_file(tmp_path / "m.onnx", nodes, constants, ("batch", 1, 2, 2))
    assert "no theorem joins convolutions and dense layers" in refusal(capsys, path)


def test_images_that_are_not_the_input_are_refused(capsys, tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "s"], ["h"]), helper.make_node("Conv", ["h", "w"], ["y"])]
    held = [
        numpy_helper.from_array(np.array([1, 1, 2, 8]), "s"),
        numpy_helper.from_array(np.ones((1, 1, 1, 1), "f4"), "w"),
    ]
    ends = [helper.make_tensor_value_info(name, 1, sides) for name, sides in (("x", [1, 1, 4, 4]), ("y", [1, 1, 2, 8]))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert "stands before the convolutions" in refusal(capsys, str(path))


def test_branches_are_refused(capsys, tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["s"]),
        helper.make_node("Gemm", ["s", "w"], ["t"]),
        helper.make_node("Add", ["t", "s"], ["y"]),
    ]
    path = onnx_file(tmp_path / "m.onnx", nodes, {"w": np.eye(3)}, out=("batch", 3))
    assert "no theorem covers branches or residuals" in refusal(capsys, path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing says which network"),
        (("digits", "--widths", "3", "3"), "digits and --widths both say which"),
        (("digits", "--arch", "conv"), "--arch goes with --widths"),
        (("digits", "--eps", "0.1", "--error", "1"), "leave one out"),
        (("--widths", "3"), "widths must hold at least 2 integers"),
        (("--widths", "3", "1e13"), "--widths must be an integer in [1, 1000000000000]"),
        (("--widths", "3", "3", "--eps", "2"), "eps must be in (0, 1], got eps=2.0"),
        (("--widths", "3", "3", "--error", "2"), "--error goes with a file"),
        (("--widths", "3", "3", "--kernel", "2"), "--kernel goes with --arch conv"),
        (("--widths", "3", "3", "--constant", "-1"), "C must be a positive number, got C=-1.0"),
        (("--widths", "3", "4", "5", "--arch", "attention"), "widths must be d, d, out for an attention"),
        (("missing.onnx",), "missing.onnx: no such file"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert message in refusal(capsys, *words)
