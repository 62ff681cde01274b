"""What is not masked in a model under search, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from nets.search.masked_module import MaskedModule
from nets.search.masked_weight import MaskedWeight

_GROUPS = {
    "excluded": "excluded",
    "lookup": "embeddings",
    "offset": "single rows, positions and biases",
    "rest": "of no known layer",
}


def dense_line(dense: Mapping[str, Mapping[str, int]], masked: int) -> str:
    """Which parameters of two axes or more stay dense, with their share of all of these.

    Parameters
    ----------
    dense : mapping of str to mapping of str to int
        As `nets.search.plan.Plan.dense`.
    masked : int
        Number of weights that are masked.

    Examples
    --------
    >>> dense_line({"lookup": {"wte.weight": 300}}, 700)
    'dense: 30 % (embeddings 30 %: wte.weight)'
    >>> dense_line({}, 700)
    'dense: none'
    """
    counts = {group: sum(found.values()) for group, found in dense.items() if found}
    total = masked + sum(counts.values())
    if not counts:
        return "dense: none"
    told = []
    for group, count in counts.items():
        names = list(dense[group])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        told.append(f"{_GROUPS[group]} {_percent(count, total)}: {', '.join(names[:3])}{more}")
    return f"dense: {_percent(sum(counts.values()), total)} ({'; '.join(told)})"


def frozen_line(model: nn.Module) -> str:
    """Which vectors are frozen, and how many parameters are trained beside the scores."""
    biases = norms = 0
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and not parameter.requires_grad and parameter.dim() < 2:
                norms += _is_norm(module)
                biases += not _is_norm(module) and "bias" in name
    others = [name for name, vector in other_vectors(model).items() if not vector.requires_grad]
    told = [f"{count} {word}" for count, word in ((biases, "biases"), (norms, "vectors of norms")) if count]
    if others:
        more = " ..." if len(others) > 3 else ""
        told.append(f"{len(others)} other vectors ({', '.join(others[:3])}{more})")
    scores = {id(module.scores) for module in model.modules() if isinstance(module, MaskedWeight)}
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad and id(p) not in scores)
    return f"frozen: {', '.join(told) or 'none'}; trained beside scores: {trained}"


def other_vectors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Vectors and numbers that are neither biases nor of a norm, by name: layer scales, temperatures and the like."""
    found: dict[str, torch.Tensor] = {}
    for path, module in model.named_modules():
        if isinstance(module, MaskedWeight) or _is_norm(module):
            continue
        for name, parameter in module._parameters.items():
            if parameter is None or nn.parameter.is_lazy(parameter) or parameter.dim() >= 2 or "bias" in name:
                continue
            if not (isinstance(module, MaskedModule) and name in module.masked_names):
                found[f"{path}.{name}".lstrip(".")] = parameter
    return found


def _is_norm(module: nn.Module) -> bool:
    return "norm" in type(module).__name__.lower()


def _percent(part: int, total: int) -> str:
    return f"{100 * part / max(1, total):.3g} %"
