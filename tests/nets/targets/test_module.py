"""Modules as graphs: what cannot be exported, and what is no module, gets one line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nets.graph import GraphModule
from nets.targets import from_module
from tests.nets.targets.models import refusal


class Rows(nn.Module):
    """A network for one example at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x.reshape(1, 3))


class Loops(nn.Module):
    """Its way depends on its numbers, which no graph says."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


class Sums(nn.Module):
    """Takes any number of values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, first, *others):
        return self.layer(sum(others, first))


def test_a_module_that_takes_any_number_of_values_has_a_free_batch():
    module = Sums()
    graph = from_module(module, [torch.ones(2, 3) for _ in range(3)])
    assert all(isinstance(one.shape[0], str) for one in graph.inputs)
    values = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(GraphModule(graph)(*values), module(*values))


def test_one_tensor_given_for_two_inputs_is_two_inputs():
    module = nn.Bilinear(3, 3, 2)
    x, y = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    graph = from_module(module, [x, x])
    with torch.no_grad():
        torch.testing.assert_close(GraphModule(graph)(x, y), module(x, y))


def test_a_batch_of_one_stays_one_where_the_network_wants_it(capfd):
    module = Rows()
    graph = from_module(module, torch.randn(1, 3, generator=torch.Generator().manual_seed(0)))
    assert graph.inputs[0].shape == (1, 3)
    x = torch.ones(1, 3)
    with torch.no_grad():
        torch.testing.assert_close(GraphModule(graph)(x), module(x))
    assert capfd.readouterr() == ("", ""), "the exporter's talk is not the reader's"


def test_a_single_example_gives_a_free_batch():
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    module.train()
    module[1].eval()
    graph = from_module(module, torch.ones(1, 3))
    assert isinstance(graph.inputs[0].shape[0], str)
    assert (module.training, module[1].training, module[2].training) == (True, False, True)
    assert int(module[2].num_batches_tracked) == 0
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(GraphModule(graph)(x), module.eval()(x))


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        (Loops(), torch.ones(2, 3), "Loops cannot be exported to ONNX"),
        (nn.Linear(3, 2), torch.ones(2, 4), "Linear cannot be exported to ONNX (a and b must have same reduction dim"),
        (nn.Linear(3, 2), [], "example_inputs must be a tensor or a sequence of tensors"),
        (nn.Linear(3, 2), [1.0], "example_inputs must be a tensor or a sequence of tensors"),
        (torch.relu, torch.ones(2, 3), "must be a torch.nn.Module, got builtin_function_or_method"),
    ],
)
def test_what_cannot_be_read(module, inputs, message):
    assert message in refusal(from_module, module, inputs)
