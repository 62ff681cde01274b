"""Batch norms multiplied into the layers before them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from nets.search.inputs import outputs

_AXES = {nn.BatchNorm1d: 3, nn.BatchNorm2d: 4, nn.BatchNorm3d: 5}
_CONVS: dict[type[nn.Module], tuple[type[nn.Module], bool]] = {
    nn.Conv1d: (nn.BatchNorm1d, False),
    nn.Conv2d: (nn.BatchNorm2d, False),
    nn.Conv3d: (nn.BatchNorm3d, False),
    nn.ConvTranspose1d: (nn.BatchNorm1d, True),
    nn.ConvTranspose2d: (nn.BatchNorm2d, True),
    nn.ConvTranspose3d: (nn.BatchNorm3d, True),
}


def fold_batch_norms(model: nn.Module, example: Any = None) -> list[str]:
    """Multiply batch norms into the layers before them, in place; an identity takes their place.

    Parameters
    ----------
    model : torch.nn.Module
        Plain and in evaluation mode.
    example : tensor, tuple or dict of tensors, optional
        Inputs. A `BatchNorm1d` can be folded only if it gets one vector for each example of the batch behind a linear
        layer, or one sequence of vectors behind a convolution, which the inputs' shapes show; without an example it
        stays.

    Returns
    -------
    list of str
        Names of the batch norms that were folded. Others stay: those without running statistics, and those behind
        anything but a convolution (not a transposed one in groups) or a linear layer that is called once, has no hooks
        and whose output nothing else reads.

    Raises
    ------
    ValueError
        If the model cannot be traced by `torch.fx`, which finds out what follows what, or no batch norm can be folded.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2)).eval()
    >>> fold_batch_norms(model), model
    (['1'], Sequential(
      (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
      (1): Identity()
    ))
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise ValueError("batch_norm=True, but the model has no batch norm")
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # whatever the model's own code raises on symbols
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"batch norms cannot be folded: torch.fx cannot trace the model ({reason})") from None
    dims = {} if example is None else _dims(model, example)
    modules = dict(model.named_modules())
    folded = []
    for before, behind in _pairs(graph, modules):
        layer, norm = modules[before], modules[behind]
        if type(layer) is nn.Linear:
            if dims.get(norm) != 2:
                continue
            made: nn.Module = fuse_linear_bn_eval(layer, norm)
        else:
            if dims.get(norm, 0 if type(norm) is nn.BatchNorm1d else _AXES[type(norm)]) != _AXES[type(norm)]:
                continue  # one axis less is read as a batch by BatchNorm1d, and refused by the others
            made = fuse_conv_bn_eval(layer, norm, _CONVS[type(layer)][1])
        for name in ("weight", "bias"):
            setattr(layer, name, getattr(made, name))
        _replace(model, behind, nn.Identity())
        folded.append(behind)
    if not folded:
        one = any(type(modules[behind]) is nn.BatchNorm1d for _, behind in _pairs(graph, modules))
        why = "one-dimensional ones need example=, inputs that show their shapes" if one else (
            "none follows a convolution or a linear layer that nothing else uses"
        )  # fmt: skip
        raise ValueError(f"none of the {len(norms)} batch norms can be folded: {why}")
    return folded


def _pairs(graph: fx.Graph, modules: dict[str, nn.Module]) -> list[tuple[str, str]]:
    """Names of a layer and of the batch norm that alone reads its output, both used once and in one place."""
    calls = Counter(id(modules[str(node.target)]) for node in graph.nodes if node.op == "call_module")
    read = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    found = []
    for node in graph.nodes:
        source = node.args[0] if node.op == "call_module" and len(node.args) == 1 else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) > 1:
            continue
        before, behind = str(source.target), str(node.target)
        layer, norm = modules[before], modules[behind]
        wanted = nn.BatchNorm1d if type(layer) is nn.Linear else _CONVS.get(type(layer), (None, False))[0]
        if type(norm) is not wanted or norm.running_mean is None:
            continue
        if isinstance(layer, nn.modules.conv._ConvTransposeNd) and layer.groups > 1:
            continue  # PyTorch's fusion does not know this order of channels
        once = calls[id(layer)] == calls[id(norm)] == 1
        if once and not any(name.rpartition(".")[0] in (before, behind) for name in read) and not _hooked(layer, norm):
            found.append((before, behind))
    return found


def _hooked(*modules: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def _dims(model: nn.Module, example: Any) -> dict[nn.Module, int]:
    """Axes of what each batch norm gets."""
    found: dict[nn.Module, int] = {}

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        if args and isinstance(args[0], torch.Tensor):
            found[module] = args[0].dim()

    hooks = [module.register_forward_pre_hook(note) for module in model.modules() if type(module) in _AXES]
    try:
        outputs(model, example)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _replace(model: nn.Module, path: str, new: nn.Module) -> None:
    """Put a module in the place of another, under all its names."""
    old = model.get_submodule(path)
    for parent in model.modules():
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, new)
