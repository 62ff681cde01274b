"""Examples of a network's inputs: what fits is given on as it is, what does not gets one line."""

from __future__ import annotations

import os
import warnings
import zipfile

import numpy as np
import pytest
import torch

from nets import approximate
from nets.graph.graph import Graph, Input, Node
from nets.targets.examples import batches, checked_examples, one_example, read_examples
from tests.nets.targets.models import refusal


def graph_of(*inputs: tuple) -> Graph:
    return Graph(17, tuple(Input(*one) for one in inputs), ("y",), (Node("Relu", (inputs[0][0],), ("y",)),), {})


IMAGE = graph_of(("x", "float32", ("batch", 2, 3)))
PAIR = graph_of(("a", "float32", ("n", 2)), ("i", "int64", ("n",)))


def test_what_fits():
    x = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(checked_examples(IMAGE, x)["x"], x)
    assert torch.equal(checked_examples(IMAGE, {"x": x.double()})["x"], x.double())
    assert checked_examples(IMAGE, x[0])["x"].shape == (1, 2, 3), "one example without its batch axis"
    assert checked_examples(IMAGE, None) is None
    found = checked_examples(PAIR, [torch.ones(4, 2), torch.arange(4, dtype=torch.int32)])
    assert found["i"].dtype == torch.int64
    assert found["i"].tolist() == [0, 1, 2, 3]
    fixed = graph_of(("x", "float32", (2, 3)))
    assert checked_examples(fixed, torch.ones(6, 3))["x"].shape == (6, 3), "several batches of the size it demands"
    byte = graph_of(("x", "uint8", ("n",)))
    assert checked_examples(byte, torch.tensor([255]))["x"].dtype == torch.uint8


@pytest.mark.parametrize(
    ("graph", "given", "message"),
    [
        (IMAGE, torch.ones(4, 3, 2), "x: must have shape (batch, 2, 3), got (4, 3, 2)"),
        (IMAGE, torch.ones(3), "x: must have shape (batch, 2, 3), got (3,)"),
        (IMAGE, torch.ones(0, 2, 3), "x: must have shape"),
        (IMAGE, torch.ones(4, 2, 3, dtype=torch.int64), "x: must be float32, got int64"),
        (IMAGE, torch.full((1, 2, 3), float("nan")), "x: holds NaN or infinity"),
        (IMAGE, np.ones((1, 2, 3)), "x: must be a tensor, got ndarray"),
        (IMAGE, [torch.ones(1, 2, 3)] * 2, "takes the inputs x, got 2 arrays"),
        (IMAGE, {"y": torch.ones(1, 2, 3)}, "takes the inputs x, got y"),
        (PAIR, torch.ones(4, 2), "takes the inputs a, i, got 1 arrays"),
        (PAIR, [torch.ones(4, 2), torch.ones(4)], "i: must be int64, got float32"),
        (graph_of(("x", "uint8", ("n",))), torch.tensor([256]), "x: must be uint8, got int64"),
        (graph_of(("x", "bool", ("n",))), torch.tensor([2]), "x: must be bool, got int64"),
        (graph_of(("x", "float32", (2, 3))), torch.ones(5, 3), "x: must have shape (2, 3), got (5, 3)"),
    ],
)
def test_what_does_not_fit(graph, given, message):
    if isinstance(given, np.ndarray):
        given = [given]
    assert message in refusal(checked_examples, graph, given)


def test_files(tmp_path):
    x = np.arange(12, dtype=">f8").reshape(2, 2, 3)
    np.save(tmp_path / "x.npy", x)
    assert read_examples(IMAGE, str(tmp_path / "x.npy"))["x"].tolist() == x.tolist()
    a, i = np.ones((3, 2)), np.arange(3)
    np.savez(tmp_path / "named.npz", i=i, a=a)
    np.savez(tmp_path / "plain.npz", a, i)
    for name in ("named", "plain"):
        found = read_examples(PAIR, str(tmp_path / f"{name}.npz"))
        assert found["a"].tolist() == a.tolist()
        assert found["i"].tolist() == i.tolist()


def test_a_file_with_some_of_the_names_is_not_read_in_order(tmp_path):
    np.savez(tmp_path / "x.npz", i=np.arange(3), other=np.ones((3, 2)))
    assert "takes the inputs a, i, got i, other" in refusal(read_examples, PAIR, str(tmp_path / "x.npz"))


def test_pipes_and_names_that_stand_twice(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    assert refusal(read_examples, IMAGE, str(tmp_path / "x.npy")).endswith("x.npy: is no file")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("x", "x.npy"):
            with archive.open(name, "w") as file:
                np.lib.format.write_array(file, np.ones((1, 2, 3), np.float32))
    assert refusal(read_examples, IMAGE, str(tmp_path / "x.npz")).endswith("x.npz: holds 'x' twice")


def test_damaged_files(tmp_path):
    path = tmp_path / "x.npy"
    assert refusal(read_examples, IMAGE, str(path)) == f"{path}: no such file"
    np.save(path, np.ones((2, 2, 3)))
    content = path.read_bytes()
    for damaged in (b"", content[:20], content[:-1], b"text\n" * 40, b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(damaged)
        assert "not a readable NumPy file" in refusal(read_examples, IMAGE, str(path))
    for array in (np.array(["a"]), np.array([1j]), np.ones(2, np.longdouble)):
        np.save(path, array)
        assert "must hold numbers" in refusal(read_examples, IMAGE, str(path))
    np.save(path, np.array([{}], dtype=object))
    assert "not a readable NumPy file" in refusal(read_examples, IMAGE, str(path))
    np.save(path, np.ones((2, 3)).astype(np.int32))
    assert refusal(read_examples, IMAGE, str(path)) == f"{path}: x: must be float32, got int32"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x", b"no array")
    assert "'x' is no array" in refusal(read_examples, IMAGE, str(tmp_path / "x.npz"))


def test_one_example_and_batches():
    assert one_example(IMAGE, None)["x"].tolist() == torch.zeros(1, 2, 3).tolist()
    free = graph_of(("x", "float32", ("batch", "length")))
    assert refusal(one_example, free, None) == "the input x has the shape (batch, length): give examples of it"
    assert "has the shape any" in refusal(one_example, graph_of(("x", "float32", None)), None)
    given = {"a": torch.arange(10.0).reshape(5, 2), "i": torch.arange(5)}
    assert [len(a) for a, _ in batches(PAIR, given, size=2)] == [2, 2, 1]
    assert torch.equal(torch.cat([i for _, i in batches(PAIR, given, size=2)]), given["i"])
    assert one_example(PAIR, given)["a"].tolist() == [[0.0, 1.0]]
    fixed = graph_of(("x", "float32", (2, 3)))
    assert [one.shape for (one,) in batches(fixed, {"x": torch.ones(6, 3)})] == [(2, 3)] * 3
    assert [len(a) for a, _ in batches(PAIR, {"a": torch.ones(5, 2), "i": torch.arange(4)})] == [5]


def test_a_header_that_numpy_warns_of_is_one_line(tmp_path, capsys):
    """As Python 2 wrote it: read, or refused, without a word of NumPy's beside it."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (5L, 3), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(60)
    (tmp_path / "old.npy").write_bytes(content)
    np.savez(tmp_path / "net.npz", **{"0.weight": np.ones((2, 3), np.float32)})
    argv = [
        str(tmp_path / "net.npz"),
        "--activation",
        "none",
        "--source",
        "shared",
        "--n",
        "2",
        "--seed",
        "1",
        "--quiet",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert approximate.main([*argv, "--inputs", str(tmp_path / "old.npy")]) == 0
    assert capsys.readouterr().err == ""
