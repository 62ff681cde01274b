"""Networks as PyTorch exports them by default, by both of its exporters: read, and run as onnxruntime runs them."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import numpy as np
import onnx
import pytest
import torch

from nets.graph import GraphModule
from nets.targets import from_module, read_onnx
from nets.targets.folding import prepared
from tests.nets.targets.models import assert_same, by_us
from tests.nets.targets.networks import NETWORKS, network

SLOW = {"encoder", "attention", "heads", "gru", "lstm", "vision", "residual line"}
"""Those whose export takes the longest by the newer exporter."""

EVERY = [
    pytest.param(name, exporter, id=f"{name}, {exporter}",
                 marks=[pytest.mark.verification] if name in SLOW and exporter == "newer" else [])
    for name in NETWORKS
    for exporter in ("older", "newer")
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def exported(name, path, exporter, **options):
    """Write a network; its inputs and what PyTorch makes of them."""
    module, examples = network(name)
    names = [f"in.{i}" for i in range(len(examples))]
    if exporter == "older":
        options |= {"dynamo": False, "dynamic_axes": {one: {0: "batch"} for one in names}}
    else:
        dims = tuple({0: torch.export.Dim.DYNAMIC} for _ in examples)
        options |= {"dynamo": True, "dynamic_shapes": dims if len(dims) == 1 or name == "two inputs" else None}
    quiet = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of the exporters, about themselves
            torch.onnx.export(module, examples, str(path), input_names=names, **options)
    finally:
        logging.disable(quiet)
    with torch.no_grad():
        outputs = module(*examples)
    feeds = {one: value.numpy() for one, value in zip(names, examples, strict=True)}
    return feeds, outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize(("name", "exporter"), EVERY)
def test_exports_load_and_agree_with_onnxruntime(name, exporter, tmp_path):
    """As read, as prepared (batch norms absorbed), with another batch size, and in float64 with PyTorch."""
    path = tmp_path / "m.onnx"
    feeds, wanted = exported(name, path, exporter)
    graph = read_onnx(path)
    assert [one.shape[0] for one in graph.inputs] != [2] * len(feeds), "the batch size must be free"
    for one in (graph, prepared(graph)):
        assert_same(one, path, feeds)
        assert_same(one, path, {key: np.concatenate([array, array[:1]]) for key, array in feeds.items()})
    for ours, theirs in zip(by_us(prepared(graph), feeds, torch.float64), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=2e-5 * max(1.0, float(theirs.abs().max())))
    assert not any(node.op in ("If", "Constant", "Identity", "Dropout") for node in graph.nodes)
    assert "BatchNormalization" not in {node.op for node in prepared(graph).nodes} or name == "norm after activation"


@pytest.mark.parametrize("exporter", ["older", "newer"])
def test_weights_in_a_file_beside_the_model(tmp_path, exporter):
    feeds, _ = exported("dense", tmp_path / "m.onnx", exporter, external_data=True)
    if exporter == "older":  # which keeps them in the model below 2 GiB
        onnx.save(onnx.load(tmp_path / "m.onnx"), tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)
    assert len(list(tmp_path.iterdir())) == 2
    assert_same(read_onnx(tmp_path / "m.onnx"), tmp_path / "m.onnx", feeds)


@pytest.mark.parametrize("opset", [9, 11, 13, 17])
def test_older_versions_of_the_operators(tmp_path, opset):
    for name in ("depthwise block", "u-net", "dense"):
        feeds, _ = exported(name, tmp_path / "m.onnx", "older", opset_version=opset)
        graph = read_onnx(tmp_path / "m.onnx")
        assert graph.opset == opset
        assert_same(prepared(graph), tmp_path / "m.onnx", feeds)


@pytest.mark.parametrize("name", ["depthwise block", "two inputs", "words"])
def test_modules_are_read_without_a_file(name):
    module, examples = network(name)
    module.train()
    graph = from_module(module, examples if len(examples) > 1 else examples[0])
    assert module.training, "the module is left as it was"
    module.eval()
    more = tuple(torch.cat([one, one, one[:1]]) for one in examples)
    with torch.no_grad():
        wanted, found = module(*more), GraphModule(graph, dtype=torch.float64)(*more)
    for mine, other in zip(*((one if isinstance(one, tuple) else (one,)) for one in (found, wanted)), strict=True):
        torch.testing.assert_close(mine, other.double(), rtol=1e-5, atol=1e-5)
