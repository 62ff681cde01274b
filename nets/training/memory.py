"""How much memory training takes, by counting, before anything is allocated."""

from __future__ import annotations

import torch

from nets.device import free_bytes
from sims.commands.flags import UsageError
from sims.solver.memory import readable

_WEIGHT_BYTES = 40
"""Of a weight while it trains: its value, score, gradient, momentum and mask, what sorts the scores, and a twin."""
_OUTPUT_BYTES = 12
"""Of a number that a layer puts out: kept for the way back, and its gradient."""


def training_bytes(model: torch.nn.Module, shape: tuple[int, ...], batch: int) -> int:
    """Memory that training takes, by counting; nothing is allocated for a model on the device ``meta``.

    Examples
    --------
    >>> from nets.training.models import make_model
    >>> with torch.device("meta"):
    ...     huge = make_model("mlp", width=1e6, shape=(1, 8, 8))
    >>> training_bytes(huge, (1, 8, 8), 64) > 2**50
    True
    """
    outputs: list[int] = []
    hooks = [
        module.register_forward_hook(lambda module, given, made: outputs.append(made.numel()))
        for module in model.modules()
        if not list(module.children())
    ]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, *shape, device=next(model.parameters()).device))
    model.train()
    for hook in hooks:
        hook.remove()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return _WEIGHT_BYTES * weights + _OUTPUT_BYTES * batch * sum(outputs)


def check_fits(model: torch.nn.Module, shape: tuple[int, ...], batch: int, device: str) -> None:
    """Refuse training that does not fit into the memory of a device, before anything is allocated.

    Parameters
    ----------
    model : torch.nn.Module
        On the device ``meta``.

    Raises
    ------
    UsageError
        With the predicted size.
    """
    needed = training_bytes(model, shape, batch)
    free = free_bytes(device)
    if needed > free:
        raise UsageError(f"this needs about {readable(needed)} of memory, {readable(free)} are available")
