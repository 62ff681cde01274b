"""A PyTorch module as a graph, by way of its ONNX export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from nets.arguments import dense, of_type
from nets.graph.graph import Graph, GraphError
from nets.targets.exporting import by_parameter, evaluating, quiet, reason
from nets.targets.onnx_file import model_graph


def from_module(module: torch.nn.Module, example_inputs: torch.Tensor | Sequence[torch.Tensor]) -> Graph:
    """Read a network from a module, through `torch.export` and ONNX.

    Parameters
    ----------
    module : torch.nn.Module
        Taken as it runs in eval mode (and put back into its mode).
    example_inputs : torch.Tensor or sequence of them
        One example or a batch: their first axis may have any length afterwards, where the network allows it.

    Raises
    ------
    GraphError
        If it cannot be exported, or holds operators that are not supported.
    """
    of_type("example_inputs", example_inputs, (torch.Tensor, list, tuple), "a tensor or a sequence of tensors")
    inputs = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    if not isinstance(module, torch.nn.Module):
        raise GraphError(f"the module must be a torch.nn.Module, got {type(module).__name__}")
    if not inputs or not all(isinstance(one, torch.Tensor) for one in inputs):
        raise GraphError("example_inputs must be a tensor or a sequence of tensors")
    with evaluating(module):
        # the exporter takes inputs that are one tensor for one input
        model = _exported(module, tuple(dense("example_inputs", one).clone() for one in inputs))
    return model_graph(model)


def _exported(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """The ONNX model, with a free first axis if the export allows one."""
    free = torch.export.Dim.DYNAMIC
    batches = by_parameter(module, [tuple(free if i == 0 else None for i in range(one.ndim)) or None for one in inputs])
    failures = []
    doubled = tuple(torch.cat([one, one]) if one.ndim and len(one) == 1 else one for one in inputs)
    for given, free_sides in ((doubled, batches), (inputs, None)):
        try:
            with quiet():
                program = torch.onnx.export(module, given, dynamo=True, dynamic_shapes=free_sides, verbose=False)
            return program.model_proto  # type: ignore[union-attr]
        except Exception as error:  # the exporter names no type
            failures.append(reason(error))
    raise GraphError(f"{type(module).__name__} cannot be exported to ONNX ({failures[-1]})")
