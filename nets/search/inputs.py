"""Inputs of a model as users give them: one tensor, a tuple, or a dict by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nets.targets.exporting import evaluating

CLOSE = 1e-4
"""Difference of outputs, relative to the largest, that is put down to another order of summation."""


def as_call(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments of a call.

    Raises
    ------
    ValueError
        If `example` is neither a tensor nor a tuple, list or dict of tensors.

    Examples
    --------
    >>> as_call({"x": torch.ones(1)}), as_call((torch.ones(1),))[1]
    (((), {'x': tensor([1.])}), {})
    """
    args, names = (example,) if isinstance(example, torch.Tensor) else example, {}
    if isinstance(example, Mapping):
        args, names = (), dict(example)
    good = isinstance(args, tuple | list) and bool(args or names) and all(isinstance(name, str) for name in names)
    if not good or not all(isinstance(one, torch.Tensor) for one in (*args, *names.values())):
        raise ValueError(f"example must be a tensor, or a tuple or dict of tensors, got {type(example).__name__}")
    return tuple(args), names


def tensors_of(output: Any) -> list[torch.Tensor]:
    """All tensors in what a model returns, in order.

    Examples
    --------
    >>> [int(one) for one in tensors_of({"a": (torch.tensor(1), None), "b": [torch.tensor(2)]})]
    [1, 2]
    """
    return list(_walk(output))


def _walk(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _walk(value)
    elif isinstance(output, tuple | list):
        for value in output:
            yield from _walk(value)


@torch.no_grad()
def outputs(model: nn.Module, example: Any) -> list[torch.Tensor]:
    """All tensors that a model returns for an example, in evaluation mode; the model is then as it was."""
    args, names = as_call(example)
    with evaluating(model):
        return tensors_of(model(*args, **names))


def difference(wanted: Sequence[torch.Tensor], found: Sequence[torch.Tensor]) -> float:
    """Largest difference of two lists of outputs, each relative to its largest wanted value; infinite if shapes differ.

    Examples
    --------
    >>> difference([torch.tensor([4.0, 0.0])], [torch.tensor([4.0, 1.0])]), difference([torch.ones(1)], [])
    (0.25, inf)
    """
    if [one.shape for one in wanted] != [one.shape for one in found]:
        return math.inf
    worst = 0.0
    for here, there in zip(wanted, found, strict=True):
        if here.numel():
            apart = torch.nan_to_num((here.double() - there.double()).abs(), nan=math.inf)
            apart[(here == there) | (here.isnan() & there.isnan())] = 0
            worst = max(worst, float(apart.max()) / max(float(here.double().abs().nan_to_num().max()), 1e-30))
    return worst
