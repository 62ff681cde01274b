"""What `python -m nets.approximate` says of files that it cannot use: exit 2 and one line, without a traceback."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from nets.approximate import main
from tests.nets.targets.models import MATMUL, W, graph_of, model, node, numbers, tensor, value


def external() -> bytes:
    proto = model([MATMUL], [W])
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret.bin")
    return proto.SerializeToString()


def functions(*bodies) -> bytes:
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    made = [helper.make_function(domain, name, ["a"], ["b"], nodes, imports) for domain, name, nodes in bodies]
    proto = model([helper.make_node("Relu", ["x"], ["y"], domain="local")], functions=made)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    return proto.SerializeToString()


BRANCH = graph_of([node("Relu", "x", "a")], "a")
RELU = node("Relu", "x", "y")

FILES = {
    "empty": (b"", "the file is empty"),
    "text": (b"hello\n" * 10, "not a readable ONNX file"),
    "truncated": (model([MATMUL], [W]).SerializeToString()[:-9], "not a readable ONNX file"),
    "outside": (external(), "keeps its data outside the model's folder: '../secret.bin'"),
    "cycle": (model([node("Relu", "h", "y"), node("Relu", "y", "h")]).SerializeToString(), "before it is made"),
    "opset 1": (model([RELU], opset=1).SerializeToString(), "opset 1 is not read"),
    "opset 99": (model([RELU], opset=99).SerializeToString(), "opset 99 is not read"),
    "sides": (model([RELU], inputs=[value("x", (1, -3))]).SerializeToString(), "negative side"),
    "twice": (model([MATMUL], [W, W]).SerializeToString(), "'w' is made twice"),
    "redefined": (functions(("", "Relu", [node("Neg", "a", "b")])), "a local function redefines ONNX's operator Relu"),
    "itself": (functions(("local", "Relu", [helper.make_node("Relu", ["a"], ["b"], domain="local")])), "calls itself"),
    "loop": (model([node("Loop", "- - x", "y")]).SerializeToString(), "not supported: 1 x Loop"),
    "choice": (
        model([node("If", "c", "y", then_branch=BRANCH, else_branch=BRANCH)],
              inputs=[value("x"), value("c", (), TensorProto.BOOL)]).SerializeToString(), "depends on the input c"),
    "nan": (model([MATMUL], [tensor("w", np.full((3, 3), np.nan))]).SerializeToString(), "holds NaN or infinity"),
    "sequence": (
        model([RELU], inputs=[helper.make_tensor_sequence_value_info("x", 1, None)]).SerializeToString(), "no tensor"),
    "nothing": (model([RELU]).SerializeToString(), "no weights"),
}  # fmt: skip


def refused(capsys, *arguments: str) -> str:
    code = main([*arguments, "--quiet"])
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("name", FILES)
def test_onnx_files(name, tmp_path, capsys):
    content, message = FILES[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert message in refused(capsys, str(path))


def test_files_of_weights(tmp_path, capsys):
    path = tmp_path / "m.pt"
    torch.save({"0.weight": torch.from_numpy(numbers(3, 2)), "2.weight": torch.from_numpy(numbers(1, 3))}, path)
    assert "say --activation relu" in refused(capsys, str(path))
    torch.save({"q_proj.weight": torch.ones(3, 3)}, path)
    assert "speaks of 'q_proj'" in refused(capsys, str(path), "--activation", "relu")
    torch.save({0: torch.ones(3, 3)}, path)
    assert "its keys must be names" in refused(capsys, str(path), "--activation", "relu")


def test_fixed_inputs(tmp_path, capsys):
    path = tmp_path / "m.onnx"
    nodes = [node("If", "c", "h", then_branch=BRANCH, else_branch=BRANCH), node("MatMul", "h w", "y")]
    inputs = [value("x"), value("c", (), TensorProto.BOOL), value("r", (1,), TensorProto.INT64)]
    path.write_bytes(model([*nodes, node("Neg", "r", "s")], [W], inputs=inputs).SerializeToString())
    assert "has no input 'd' to fix, its inputs: x, c, r" in refused(capsys, str(path), "--fix", "d=1")
    assert "the input 'r' has the type int64, got 0.5" in refused(capsys, str(path), "--fix", "r=0.5", "c=1")
    assert "the input 'c' has the type bool, got 2" in refused(capsys, str(path), "--fix", "c=2")


def test_as_a_process(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(external())
    done = subprocess.run([sys.executable, "-m", "nets.approximate", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
