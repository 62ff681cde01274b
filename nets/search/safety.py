"""Whether tensors and modules can be taken over by a search: memory, layout, classes, and who else holds them."""

from __future__ import annotations

import functools
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType, NoneType
from typing import Any

import torch
from torch import nn

from nets.search.masked_module import HOLDER, check_class

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_DEPTH = 4
_OWN = ("_parameters", "_modules", "_flat_weights")
"""Attributes of a module that refer to its parameters and are changed with them."""
_PLAIN: tuple[type, ...] = (str, bytes, int, float, NoneType, type, *weakref.ProxyTypes)
_PACKED = ("_packed_params", "_all_weight_values", "_packed_weight_ih")


def span(tensor: torch.Tensor) -> tuple[int, int] | None:
    """First and last address + 1 of a tensor's elements; None where they have no single place (or are none)."""
    if nn.parameter.is_lazy(tensor) or tensor.device.type == "meta":
        return None
    try:
        start, count = tensor.data_ptr(), tensor.numel()
    except RuntimeError:
        return None
    if not start or not count:
        return None
    size = 1 + sum((n - 1) * abs(s) for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return start, start + size * tensor.element_size()


def place(parameter: torch.Tensor) -> tuple[object, ...]:
    """Where the numbers lie: two parameters over one memory, in one order, are one."""
    if span(parameter) is None:
        return (id(parameter),)
    return parameter.data_ptr(), tuple(parameter.shape), parameter.stride(), parameter.dtype


def check_memory(parameters: Sequence[tuple[str, torch.Tensor]]) -> None:
    """Two tensors that overlap in memory without being the same one cannot be told apart when one is drawn.

    Raises
    ------
    ValueError
        With the names of two of these.
    """
    spans = [(*found, path) for path, parameter in parameters if (found := span(parameter)) is not None]
    end, owner = 0, None
    for start, stop, path in sorted(spans, key=lambda one: one[:2]):
        if owner is not None and start < end:
            raise ValueError(
                f"parameters {owner} and {path} overlap in memory without being the same tensor: give each its own"
            )
        if stop > end:
            end, owner = stop, path


def check_one(path: str, weight: torch.Tensor, modules: Sequence[nn.Module]) -> None:
    """Refuse a tensor that cannot be frozen and drawn as it is.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
        Those that have it.

    Raises
    ------
    ValueError
        With the reason.
    """
    reason = ""
    if nn.parameter.is_lazy(weight):
        reason = "has no shape yet (run a batch through the model first)"
    elif type(weight.data) is not torch.Tensor or type(weight) is not nn.Parameter:
        reason = f"is a {type(weight).__name__} and not a plain tensor"
    elif weight.device.type == "meta":
        reason = "has no memory (it is on the meta device)"
    elif weight.layout != torch.strided:
        reason = f"has layout {weight.layout}"
    elif weight.dtype not in DTYPES or weight.numel() == 0:
        reason = f"has dtype {weight.dtype} and shape {tuple(weight.shape)}"
    elif torch._debug_has_internal_overlap(weight) != 0:
        reason = "has elements that share memory"
    elif weight.is_inference():
        reason = "was made in inference mode and cannot be written to"
    elif any(hasattr(module, HOLDER) for module in modules):
        reason = f"belongs to a module with an attribute {HOLDER!r}"
    elif any(isinstance(module, torch.jit.ScriptModule) for module in modules):
        reason = "belongs to a scripted module"
    if reason:
        raise ValueError(
            f"weight {path!r} of a {_class_name(modules[0])} {reason}; to leave it dense, name it in exclude"
        )


def check_classes(masked: Mapping[nn.Module, tuple[str, ...]]) -> None:
    """Refuse modules whose class cannot become that of a masked one; they are as before afterwards.

    Raises
    ------
    ValueError
        With the class and what it said.
    """
    for module, names in masked.items():
        try:
            check_class(module, names)
        except Exception as error:
            raise ValueError(
                f"{', '.join(names)} of a {_class_name(module)} cannot be masked: its class allows no subclass in its "
                f"place ({type(error).__name__}: {error}); to leave it dense, name it in exclude"
            ) from error


def packed(module: nn.Module) -> int | None:
    """Number of weights of a quantised module, which are no parameters; None if it is no such module."""
    if module._parameters or not any(hasattr(module, name) for name in _PACKED):
        return None
    weight, weights = getattr(module, "weight", None), getattr(module, "get_weight", None)
    if callable(weight):
        return int(weight().numel())
    return sum(one.numel() for one in weights().values()) if callable(weights) else None


def references(names: Mapping[nn.Module, Sequence[str]], weights: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Other places from which modules reach into the memory of weights: lists, buffers, closures, optimisers.

    What is read there stays the dense weight when the parameter becomes a masked one.

    Parameters
    ----------
    names : mapping of torch.nn.Module to sequence of str
        All modules of a model.
    weights : mapping of str to torch.Tensor

    Returns
    -------
    dict of str to str
        The weight's name by the place, for every place found.
    """
    spans = sorted((*found, name) for name, weight in weights.items() if (found := span(weight)) is not None)
    starts = [start for start, _, _ in spans]
    out: dict[str, str] = {}
    for module, own in names.items():
        for attribute, value in list(vars(module).items()):
            if attribute in _OWN:
                continue
            for tensor in _tensors(value, names, {id(module)}, _DEPTH):
                here = span(tensor)
                last = bisect_left(starts, here[1]) - 1 if here is not None else -1
                if here is not None and last >= 0 and here[0] < spans[last][1]:
                    out.setdefault(f"{own[0]}.{attribute}".lstrip("."), spans[last][2])
    return out


def check_references(found: Mapping[str, str]) -> None:
    """Refuse a model in which something else holds a weight.

    Raises
    ------
    ValueError
        With the places.
    """
    if found:
        told = ", ".join(f"{where} holds {name}" for where, name in list(found.items())[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ValueError(
            f"weights are held outside their layers, where they would stay dense: {told}{more}; read the layer's "
            "attribute instead (make optimisers and data-parallel wrappers after find_tickets), name the layer in "
            "exclude, or pass allow_dense=True"
        )


def _tensors(value: Any, known: Mapping[nn.Module, Any], seen: set[int], depth: int) -> Iterator[torch.Tensor]:
    """Tensors that can be reached from an attribute, without the model's own modules."""
    kind = type(value)  # not isinstance, which asks what proxies stand for
    if issubclass(kind, torch.Tensor):
        yield value
        return
    if depth == 0 or id(value) in seen or issubclass(kind, _PLAIN):
        return
    seen.add(id(value))
    inside: Iterable[Any] = ()
    if issubclass(kind, nn.Module):
        inside = () if value in known else (*value.parameters(), *value.buffers())
    elif issubclass(kind, Mapping):
        inside = value.values()
    elif issubclass(kind, list | tuple | set | frozenset):
        inside = value
    elif issubclass(kind, functools.partial):
        inside = (value.func, *value.args, *value.keywords.values())
    elif issubclass(kind, FunctionType):
        inside = [*_cells(value), *(value.__defaults__ or ())]
    elif issubclass(kind, MethodType):
        inside = (value.__self__, value.__func__)
    elif depth > _DEPTH - 2:
        inside = getattr(value, "__dict__", {}).values()
    for one in list(inside):
        yield from _tensors(one, known, seen, depth - 1)


def _cells(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _class_name(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
