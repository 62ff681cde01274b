"""What an ONNX file says of its inputs and values: their types and shapes, which must make sense."""

from __future__ import annotations

from typing import Any

from nets.graph.graph import GraphError, Input
from nets.targets.onnx_tensor import input_dtype, type_name


def check_declared(value: Any) -> None:
    """What a file says of a value that it makes: computed anew here, but it must make sense."""
    if value.type.HasField("tensor_type"):
        tensor = value.type.tensor_type
        if (kind := type_name(tensor.elem_type)).isdecimal() or kind.startswith("-"):
            raise GraphError(f"{value.name!r} is said to have the type {kind}, which does not exist")
        for side in tensor.shape.dim:
            if side.HasField("dim_value") and side.dim_value < -1:
                raise GraphError(f"{value.name!r} is said to have a negative side: {side.dim_value}")


def check_same(value: Any, tensor: Any) -> None:
    """An input with a default value, as older files list their weights: it must be what that is."""
    said = value.type.tensor_type
    sides = [side.dim_value if side.dim_value > 0 else None for side in said.shape.dim]
    fits = len(sides) == len(tensor.dims) and all(
        side in (None, have) for side, have in zip(sides, tensor.dims, strict=True)
    )
    if said.elem_type not in (0, tensor.data_type) or (said.HasField("shape") and not fits):
        have = f"{type_name(tensor.data_type)} {tuple(tensor.dims)}"
        raise GraphError(f"{value.name!r} is a weight, {have}, and said to be another input")


def read_input(value: Any) -> Input:
    if not value.type.HasField("tensor_type"):
        raise GraphError(f"the input {value.name!r} is no tensor")
    tensor = value.type.tensor_type
    shape: tuple[int | str, ...] | None = None
    if tensor.HasField("shape"):
        sides: list[int | str] = []
        for i, side in enumerate(tensor.shape.dim):
            known = side.HasField("dim_value") and side.dim_value != -1  # as some converters write a free side
            if known and side.dim_value < 0:
                raise GraphError(f"the input {value.name!r} has a negative side: {side.dim_value}")
            sides.append(int(side.dim_value) if known else str(side.dim_param) or f"side{i}")
        shape = tuple(sides)
    return Input(value.name, input_dtype(tensor.elem_type, value.name), shape)
