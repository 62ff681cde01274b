"""A PyTorch module as a graph, by way of its ONNX export."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from nets.graph.graph import Graph, GraphError
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
    inputs = (example_inputs,) if isinstance(example_inputs, torch.Tensor) else tuple(example_inputs)
    if not isinstance(module, torch.nn.Module):
        raise GraphError(f"the module must be a torch.nn.Module, got {type(module).__name__}")
    if not inputs or not all(isinstance(one, torch.Tensor) for one in inputs):
        raise GraphError("example_inputs must be a tensor or a sequence of tensors")
    with _evaluating(module):
        # the exporter takes inputs that are one tensor for one input
        model = _exported(module, tuple(one.detach().clone() for one in inputs))
    return model_graph(model)


@contextlib.contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _exported(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """The ONNX model, with a free first axis if the export allows one."""
    free = torch.export.Dim.DYNAMIC
    batches = _by_parameter(
        module, [tuple(free if i == 0 else None for i in range(one.ndim)) or None for one in inputs]
    )
    failures = []
    doubled = tuple(torch.cat([one, one]) if one.ndim and len(one) == 1 else one for one in inputs)
    for given, free_sides in ((doubled, batches), (inputs, None)):
        try:
            with _quiet():
                program = torch.onnx.export(module, given, dynamo=True, dynamic_shapes=free_sides, verbose=False)
            return program.model_proto  # type: ignore[union-attr]
        except Exception as error:  # the exporter names no type
            failures.append(_reason(error))
    raise GraphError(f"{type(module).__name__} cannot be exported to ONNX ({failures[-1]})")


def _by_parameter(module: torch.nn.Module, shapes: list[Any]) -> tuple[Any, ...]:
    """One entry for each parameter of `forward`, as the exporter wants them: `*args` is one, and a tuple."""
    kinds = [one.kind for one in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return tuple(shapes)
    before = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*shapes[:before], tuple(shapes[before:]))


def _reason(error: BaseException) -> str:
    """What went wrong at first: the exporter wraps that in advice and colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:200] or type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's talk; its failures are raised all the same."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
