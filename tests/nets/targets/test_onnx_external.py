"""Data files beside a model: read in its folder, and never anywhere else."""

from __future__ import annotations

import os
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from nets.targets import read_onnx
from nets.targets.onnx_file import model_graph
from tests.nets.targets.models import MATMUL, W, model, node, numbers, refusal, refused


def external(folder, location, *, shape=(3, 3), **entries) -> str:
    """A model in a folder whose weight lies in a data file."""
    proto = model([MATMUL], [W])
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.dims[:] = shape
    weight.data_location = TensorProto.EXTERNAL
    for key, entry in {"location": location, **entries}.items():
        weight.external_data.add(key=key, value=str(entry))
    path = folder / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    return str(path)


@pytest.fixture
def folder(tmp_path):
    """A folder with data beside it and in it: 9 numbers each."""
    inside = tmp_path / "model"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(numbers(3, 3, seed=1).tobytes())
    (inside / "w.bin").write_bytes(numbers(3, 3, seed=2).tobytes())
    (inside / "deep").mkdir()
    (inside / "deep" / "w.bin").write_bytes(b"1234" + numbers(3, 3, seed=3).tobytes() + b"5678")
    return inside


def test_data_files_in_the_folder_are_read(folder):
    weight = read_onnx(external(folder, "w.bin")).constants["w"]
    np.testing.assert_array_equal(weight, numbers(3, 3, seed=2))
    weight = read_onnx(external(folder, "deep/w.bin", offset=4, length=36)).constants["w"]
    np.testing.assert_array_equal(weight, numbers(3, 3, seed=3))
    weight = read_onnx(external(folder, "deep/../w.bin")).constants["w"]
    np.testing.assert_array_equal(weight, numbers(3, 3, seed=2))


OPENED: list[str] = []
WATCHED: list[bool] = []


def _watch(event, arguments):
    if event == "open" and WATCHED:
        OPENED.append(str(arguments[0]))


@pytest.fixture
def opened():
    """The files that are opened meanwhile, as the interpreter's own audit tells."""
    if not OPENED:
        sys.addaudithook(_watch)  # which stays: there is no way to take one away
    OPENED[:] = ["begun"]
    WATCHED.append(True)
    yield OPENED
    WATCHED.clear()


@pytest.mark.parametrize(
    "place", ["../secret.bin", "deep/../../secret.bin", "{}/secret.bin", "link.bin", "away/secret.bin"]
)
def test_data_outside_the_folder_are_never_read(folder, place, monkeypatch, opened):
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    (folder / "away").symlink_to(folder.parent)
    path = external(folder, place.format(folder.parent))
    assert "keeps its data outside the model's folder" in refusal(read_onnx, path)
    monkeypatch.chdir(folder)
    assert "keeps its data outside the model's folder" in refusal(read_onnx, "m.onnx")
    assert any(name.endswith("m.onnx") for name in opened), "the watch itself must work"
    assert not any(name.endswith(".bin") for name in opened)


def test_a_model_that_is_a_link_keeps_its_data_where_it_is(folder, tmp_path):
    external(folder, "w.bin")
    (tmp_path / "m.onnx").symlink_to(folder / "m.onnx")
    np.testing.assert_array_equal(read_onnx(tmp_path / "m.onnx").constants["w"], numbers(3, 3, seed=2))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": 1}, "takes 36 bytes, but is said to have 36 from 1 on in 'w.bin', which has 36"),
        ({"offset": -4}, "from -4 on"),
        ({"offset": 10**30}, "on in 'w.bin'"),
        ({"length": 35}, "is said to have 35"),
        ({"length": -1}, "is said to have -1"),
        ({"length": "many"}, "that is no number"),
        ({"offset": "1" * 5000}, "that is no number"),
        ({"offset": "1_0"}, "that is no number"),
        ({"offset": " 0"}, "that is no number"),
        ({"offset": "\u0660"}, "that is no number"),
        ({"shape": (3, 4)}, "takes 48 bytes"),
        ({"shape": (3, -3)}, "has a negative side"),
        ({"shape": (2**40, 2**20)}, "the limit is"),
    ],
)
def test_places_that_do_not_fit_are_refused(folder, entries, message):
    assert message in refusal(read_onnx, external(folder, "w.bin", **entries))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("", "without a name"),
        ("w.bin\0", "without a name"),
        ("nothing.bin", "which is no file"),
        ("deep", "which is no file"),
        ("pipe", "which is no file"),
        ("round", "which is no file"),
        ("n" * 5000, "which is no file"),
    ],
)
def test_what_is_no_file_is_refused(folder, location, message):
    os.mkfifo(folder / "pipe")
    (folder / "round").symlink_to("round")
    assert message in refusal(read_onnx, external(folder, location))


def test_data_files_need_a_folder_and_a_use(folder):
    proto = onnx.load(external(folder, "w.bin"), load_external_data=False)
    assert "the model has no folder" in refused(proto)
    proto = model([MATMUL], [W])
    proto.graph.initializer[0].external_data.add(key="location", value="w.bin")
    assert "names a data file that it does not use" in refused(proto)


def test_data_that_are_said_to_be_in_two_places(folder):
    proto = onnx.load(external(folder, "w.bin"), load_external_data=False)
    proto.graph.initializer[0].raw_data = bytes(36)
    assert refusal(model_graph, proto, folder=folder) == "'w' has its data twice, in raw_data and in a data file"
    proto = onnx.load(external(folder, "w.bin"), load_external_data=False)
    proto.graph.initializer[0].external_data.add(key="offset", value="0")
    proto.graph.initializer[0].external_data.add(key="offset", value="4")
    assert refusal(model_graph, proto, folder=folder) == "'w' says twice where its data are"


def test_types_of_data_files(folder):
    """bfloat16 becomes float32 exactly, and a byte of 7 is the truth."""
    (folder / "w.bin").write_bytes(bytes([0x80, 0x3F, 0x00, 0xC0, 7, 0]))
    proto = onnx.load(external(folder, "w.bin", length=4, shape=(2,)), load_external_data=False)
    proto.graph.initializer[0].data_type = TensorProto.BFLOAT16
    constant = model_graph(_added(proto), folder=folder).constants["w"]
    assert constant.dtype == np.float32
    assert constant.tolist() == [1.0, -2.0]
    proto = model([node("Where", "w x x", "y")], [W])
    weight = proto.graph.initializer[0]
    weight.data_type, weight.dims[:], weight.raw_data = TensorProto.BOOL, (2, 1), bytes([7, 0])
    assert model_graph(proto).constants["w"].tolist() == [[True], [False]]
    assert model_graph(proto).constants["w"].view(np.uint8).tolist() == [[1], [0]]


def _added(proto):
    proto.graph.node[0].op_type = "Mul"
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2
    return proto
