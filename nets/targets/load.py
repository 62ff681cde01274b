"""Loads a target network, whatever its form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nets.arguments import file_path
from nets.graph.graph import Graph, GraphError
from theory.numerics.check import shown

SUFFIXES = (".onnx", ".pt", ".pth", ".safetensors", ".npz")


def load_target(
    path_or_name: str | Path, *, activation: str | None = None, seed: int = 0, fixed: Mapping[str, Any] | None = None
) -> Graph:
    """Load a target network from a file, or the built-in one named `digits`.

    Parameters
    ----------
    path_or_name : str or Path
        `digits` (a small dense ReLU network, trained on the spot), an .onnx file (`nets.targets.read_onnx`), or the
        weights of a plain chain of dense layers: .pt, .pth (a state dict), .safetensors, .npz.
    activation : str, optional
        For a chain of weights only, which does not say it: relu, leaky_relu, relu6, gelu, elu, sigmoid, tanh, none.
    seed : int
        For `digits` only.
    fixed : mapping of str to number or array, optional
        For .onnx only: inputs that get a constant value.

    Raises
    ------
    GraphError
        If the file is missing, damaged, or holds what cannot be a target; the message is one line.

    Examples
    --------
    >>> load_target("model.h5")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    nets.graph.graph.GraphError: model.h5: unknown format '.h5', expected digits or a file .onnx ...
    """
    file_path("path_or_name", path_or_name)
    if not (activation is None or isinstance(activation, str)):
        raise GraphError(f"activation must be a name, got {shown(activation)}")
    if str(path_or_name) == "digits":
        if activation not in (None, "relu") or fixed:
            what = f"activation={activation!r}" if activation not in (None, "relu") else "inputs to fix"
            raise GraphError(f"digits has ReLU between its layers, and no input to fix, got {what}")
        from nets.targets.chain import target_graph
        from nets.targets.digits import from_digits

        return target_graph(from_digits(seed=seed))
    suffix = (path := Path(path_or_name)).suffix.lower()
    if suffix not in SUFFIXES:
        raise GraphError(f"{path.name}: unknown format {suffix!r}, expected digits or a file {' '.join(SUFFIXES)}")
    if not path.is_file():
        raise GraphError(f"{path.name}: no such file")
    try:
        if path.stat().st_size == 0:
            raise GraphError("the file is empty")
        if suffix == ".onnx":
            if activation is not None:
                raise GraphError("an ONNX file says its activations itself: leave --activation out")
            from nets.targets.onnx_file import read_onnx

            return read_onnx(path, fixed=fixed)
        if fixed:
            raise GraphError("only an ONNX file has inputs to fix")
        from nets.targets.state_dict import read_chain

        return read_chain(path, activation=activation)
    except (GraphError, OSError) as error:
        raise GraphError(f"{path.name}: {error}") from None
