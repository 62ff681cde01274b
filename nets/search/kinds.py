"""Which parameters of which modules can be masked, and how many inputs one output of each has."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

FanIn = Callable[[nn.Module, torch.Tensor], float]
_RECURRENT = r"weight_(ih|hh|hr)(_l\d+(_reverse)?)?"
_ATTENTION = r"(in|q|k|v)_proj_weight"


def rows(module: nn.Module, weight: torch.Tensor) -> float:
    """Weights (outputs, inputs, ...): all but the first axis are inputs."""
    return weight[0].numel()


def columns(module: nn.Module, weight: torch.Tensor) -> float:
    """Weights (inputs, outputs), as in the Conv1D of GPT-2."""
    return weight.shape[0]


def transposed(module: nn.Module, weight: torch.Tensor) -> float:
    """Weights (inputs, outputs / groups, kernel...): an output is reached by one of every stride-th kernel element."""
    assert isinstance(module, nn.modules.conv._ConvTransposeNd)
    reached = weight.shape[0] / module.groups * math.prod(weight.shape[2:]) / math.prod(module.stride)
    return max(1.0, reached)


def lookup(module: nn.Module, weight: torch.Tensor) -> float:
    """A row is the output itself."""
    return 1.0


@dataclass(frozen=True)
class Kind:
    """One kind of module.

    Attributes
    ----------
    weights : str
        Pattern of the names of its parameters that are weights.
    fan_in : callable
        Number of inputs of one output, of the module and a weight.
    lookup : bool
        A table of which rows are read: masked on request only.
    """

    weights: str = "weight"
    fan_in: FanIn = rows
    lookup: bool = False


KINDS: Mapping[type[nn.Module], Kind] = {
    nn.Linear: Kind(),
    nn.Bilinear: Kind(),
    nn.modules.conv._ConvTransposeNd: Kind(fan_in=transposed),
    nn.modules.conv._ConvNd: Kind(),
    nn.MultiheadAttention: Kind(_ATTENTION),
    nn.RNNBase: Kind(_RECURRENT),
    nn.RNNCellBase: Kind(_RECURRENT),
    nn.Embedding: Kind(fan_in=lookup, lookup=True),
    nn.EmbeddingBag: Kind(fan_in=lookup, lookup=True),
}
"""By class, the first that fits; subclasses belong to their parent's kind."""

_CONV1D = Kind(fan_in=columns)


def kind_of(module: nn.Module) -> Kind | None:
    """The kind of a module, or None if none of its parameters can be masked.

    Examples
    --------
    >>> kind_of(nn.Conv1d(2, 3, 5)).fan_in(None, torch.zeros(3, 2, 5)), kind_of(nn.LayerNorm(3))
    (10, None)
    """
    for parent, kind in KINDS.items():
        if isinstance(module, parent):
            return kind
    return _CONV1D if _is_conv1d(module) else None


def weights_of(module: nn.Module) -> list[str]:
    """Names of the parameters of a module that are weights of its kind."""
    kind = kind_of(module)
    if kind is None:
        return []
    return [
        name
        for name, parameter in module._parameters.items()
        if parameter is not None and re.fullmatch(kind.weights, name)
    ]


def _is_conv1d(module: nn.Module) -> bool:
    """GPT-2's linear layer, of transformers or copied: class Conv1D, weight (inputs, outputs), bias (outputs)."""
    if not any(parent.__name__ == "Conv1D" for parent in type(module).__mro__):
        return False
    weight, bias = module._parameters.get("weight"), module._parameters.get("bias")
    if weight is None or weight.dim() != 2:
        return False
    outputs = getattr(module, "nf", None if bias is None else bias.numel())
    return outputs == weight.shape[1]
