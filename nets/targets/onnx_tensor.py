"""The numbers of an ONNX tensor, in its file or in a data file beside it, never outside its folder."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from nets.graph.graph import Array, GraphError
from sims.solver.memory import available_bytes, readable

_INPUTS = frozenset({"FLOAT", "DOUBLE", "FLOAT16", "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8"})
_FIELDS = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_READ = _INPUTS | {"BFLOAT16", "UINT16", "UINT32", "UINT64"}


def tensor_array(tensor: Any, folder: Path | None) -> Array:
    """A tensor as an array of its own type (bfloat16: as float32, which is exact).

    Parameters
    ----------
    tensor : onnx.TensorProto
    folder : Path, optional
        The model's; without one, data files are refused.

    Raises
    ------
    GraphError
        If its type is not read, its data do not fit its shape, its type or the memory, stand there twice, or are kept
        outside the folder.
    """
    from onnx import TensorProto, helper, numpy_helper

    name = tensor.name or "a constant"
    if (kind := type_name(tensor.data_type)) not in _READ:
        raise GraphError(f"{name!r} has the type {kind}, which is not read")
    dims = tuple(tensor.dims)
    if any(side < 0 for side in dims):
        raise GraphError(f"{name!r} has a negative side: {dims}")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    size = math.prod(dims) * dtype.itemsize
    if size > (limit := available_bytes() // 2):
        raise GraphError(f"{name!r} takes {readable(size)}, the limit is {readable(limit)}")
    held = [field for field in _FIELDS if len(getattr(tensor, field))]
    if tensor.data_location == TensorProto.EXTERNAL:
        held.append("a data file")
    if len(held) > 1:
        raise GraphError(f"{name!r} has its data twice, in {' and in '.join(held)}")
    if tensor.data_location == TensorProto.EXTERNAL:
        array = _external(tensor, folder, dtype, size)
    elif len(tensor.external_data):
        raise GraphError(f"{name!r} names a data file that it does not use")
    else:
        try:
            array = np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, OverflowError, MemoryError):
            raise _misfit(tensor) from None
        _check_range(tensor, dtype, kind)
    if array.shape != dims:
        raise _misfit(tensor)
    if dtype.kind == "b":  # a byte other than 0 and 1 is no bool of PyTorch's
        array = array.view(np.uint8) != 0
    return array.astype(np.float32) if kind == "BFLOAT16" else array


def _check_range(tensor: Any, dtype: np.dtype[Any], kind: str) -> None:
    """Refuse numbers that are wider in their field than their type is, and would be cut."""
    stored = (
        np.array(tensor.int32_data, np.int64) if len(tensor.int32_data) else np.array(tensor.uint64_data, np.uint64)
    )
    if not stored.size or kind == "BOOL":
        return
    limits = np.iinfo(dtype if dtype.kind in "iu" else np.uint16)  # the bits of a float of 16
    if stored.min() < limits.min or stored.max() > limits.max:
        raise GraphError(f"{tensor.name or 'a constant'!r} holds numbers that are not of its type, {kind}")


def type_name(number: int) -> str:
    """What ONNX calls the type of numbers with this number.

    Examples
    --------
    >>> type_name(1), type_name(8), type_name(999)
    ('FLOAT', 'STRING', '999')
    """
    from onnx import TensorProto

    return next((name for name, value in TensorProto.DataType.items() if value == number), str(number))


def input_dtype(number: int, name: str) -> str:
    """The type of an input as NumPy calls it.

    Raises
    ------
    GraphError
        If inputs of that type are not read.
    """
    from onnx import helper

    if (kind := type_name(number)) not in _INPUTS:
        raise GraphError(f"the input {name!r} has the type {kind}, which is not read")
    return str(helper.tensor_dtype_to_np_dtype(number))


def _misfit(tensor: Any) -> GraphError:
    return GraphError(f"the data of {tensor.name or 'a constant'!r} do not fit its shape {tuple(tensor.dims)}")


def _external(tensor: Any, folder: Path | None, dtype: np.dtype[Any], size: int) -> Array:
    """Data of a tensor from a file in the model's folder."""
    options = {one.key: one.value for one in tensor.external_data}
    name, location = tensor.name, options.get("location", "")
    if len(options) < len(tensor.external_data):
        raise GraphError(f"{name!r} says twice where its data are")
    if folder is None:
        raise GraphError(f"{name!r} keeps its data in a file, but the model has no folder")
    if not isinstance(location, str) or not location or "\0" in location:
        raise GraphError(f"{name!r} keeps its data in a file without a name")
    try:
        path = (folder / location).resolve()
        inside, there = path.is_relative_to(folder.resolve()), path.is_file()
    except (OSError, RuntimeError):  # links that go round, names that are too long
        raise GraphError(f"{name!r} keeps its data in {location!r:.80}, which is no file") from None
    if Path(location).is_absolute() or not inside:
        raise GraphError(f"{name!r} keeps its data outside the model's folder: {location!r:.80}")
    if not there:
        raise GraphError(f"{name!r} keeps its data in {location!r:.80}, which is no file")
    places = options.get("offset", "0"), options.get("length", str(size))
    try:
        offset, length = (int(text) if re.fullmatch(r"-?[0-9]+", text) else int("") for text in places)
    except ValueError:
        raise GraphError(f"{name!r} names a place in {location!r:.80} that is no number") from None
    if offset < 0 or length != size or offset + size > path.stat().st_size:
        raise GraphError(
            f"{name!r} takes {size} bytes, but is said to have {length} from {offset} on in {location!r:.80}, "
            f"which has {path.stat().st_size}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size:
        raise _misfit(tensor)
    stored = dtype.newbyteorder("<") if dtype.isbuiltin == 1 else dtype  # bfloat16 is no type of NumPy's own
    return np.frombuffer(content, stored).astype(dtype, copy=False).reshape(tuple(tensor.dims))
