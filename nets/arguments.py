"""What public functions check of flags, types and tensors, once: messages name the argument.

Whole and real numbers are checked by `sims.solver.limits`, arrays of numbers by `sims.solver.arguments`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from sims.solver.arguments import finite_numbers, masked
from sims.solver.memory import available_bytes, readable
from theory.numerics.check import shown

if TYPE_CHECKING:
    import torch

Kind = TypeVar("Kind")
_SMALL = 2**24
"""Numbers that always fit into memory."""


def flag(name: str, value: Any) -> bool:
    """True or False; "no" and 0 are neither.

    Examples
    --------
    >>> flag("check", "no")
    Traceback (most recent call last):
    ...
    ValueError: check must be True or False, got 'no'
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def of_type(name: str, value: Any, kinds: type[Kind] | tuple[type[Kind], ...], what: str = "") -> Kind:
    """The value, if it is one of a class or of several; `what` says what that is, by default the class."""
    if not isinstance(value, kinds):
        wanted = what or " or ".join(f"a {kind.__name__}" for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise ValueError(f"{name} must be {wanted}, got {'None' if value is None else type(value).__name__}")
    return value


def file_path(name: str, value: Any) -> str:
    """The path of a file, or folder, as text."""
    if not isinstance(value, str | os.PathLike) or not isinstance(path := os.fspath(value), str) or not path:
        raise ValueError(f"{name} must be a path, got {shown(value)}")
    return path


def dense(name: str, value: Any) -> torch.Tensor:
    """A tensor of the value's own type, not of its graph; numbers of lists are float64.

    Raises ValueError: with the name, if it is masked, sparse, without memory, or no array of numbers.
    """
    import torch

    if not isinstance(value, torch.Tensor):
        if isinstance(value, np.ndarray) and not masked(value):
            try:
                return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))
            except (TypeError, ValueError):
                raise ValueError(f"{name} must be numbers, got dtype {value.dtype}") from None
        if isinstance(value, bool | np.bool_):
            return torch.tensor(bool(value))
        return torch.from_numpy(finite_numbers(name, value))
    if value.layout != torch.strided or value.is_meta or value.is_quantized or torch.masked.is_masked_tensor(value):
        what = "on the meta device" if value.is_meta else f"a {type(value).__name__} of layout {value.layout}"
        raise ValueError(f"{name} must be a dense tensor, got one {what}")
    if value.numel() > _SMALL and (size := 8 * value.numel()) > available_bytes() // 2:
        raise ValueError(f"{name} takes {readable(size)} in float64, more than half of the memory")
    return value.detach()


def as_input(name: str, value: Any) -> torch.Tensor:
    """Inputs of a network, as a tensor with the graph that it has; complex numbers are refused."""
    import torch

    given = dense(name, value)
    if given.is_complex():
        raise ValueError(f"{name} must be real numbers, got dtype {given.dtype}")
    return value if isinstance(value, torch.Tensor) else given


def whole_numbers(name: str, value: Any) -> npt.NDArray[np.int64]:
    """Integers as an array; no other number is cut to one.

    Examples
    --------
    >>> whole_numbers("index", [1, 2.5])
    Traceback (most recent call last):
    ...
    ValueError: index must be integers, got dtype float64
    """
    import torch

    if masked(value):
        raise ValueError(f"{name} has masked entries: fill them or leave them out")
    try:
        array = np.asarray(dense(name, value).cpu() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{name} must be integers, got a {type(value).__name__}") from None
    if array.size and (array.dtype.kind not in "iu" or int(array.max()) > 2**63 - 1):
        raise ValueError(f"{name} must be integers, got dtype {array.dtype}")
    return array.astype(np.int64)


def several(name: str, values: Any) -> tuple[Any, ...]:
    """The numbers of a list, a tuple or an array of one axis."""
    if isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim == 1 and not masked(values)):
        return tuple(values)
    raise ValueError(f"{name} must be a list of integers, got {name}={shown(values)}")


def real_tensor(name: str, value: Any, *, ndim: int | None = None) -> torch.Tensor:
    """A dense tensor of real floating numbers, of whatever width; they may be NaN."""
    given = dense(name, value)
    if not given.is_floating_point():
        raise ValueError(f"{name} must hold real floating numbers, got dtype {given.dtype}")
    if ndim is not None and given.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {tuple(given.shape)}")
    return given


def doubles(name: str, value: Any) -> torch.Tensor:
    """Finite real numbers as float64, each exactly as it was given.

    Examples
    --------
    >>> doubles("weight", [[0.5, 2**53 + 1]])
    Traceback (most recent call last):
    ...
    ValueError: weight must be numbers that float64 holds exactly, and 9007199254740993 is none
    """
    import torch

    given = dense(name, value)
    if given.is_complex():
        raise ValueError(f"{name} must be real numbers, got dtype {given.dtype}")
    if not given.is_floating_point():
        return torch.from_numpy(finite_numbers(name, given.cpu().numpy())).to(given.device)
    if not bool(torch.isfinite(given).all()):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return given.double()
