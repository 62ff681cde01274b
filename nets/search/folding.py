"""Take the search out of a model: what is left is an ordinary network with zeros where it was pruned."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import nn

from nets.arguments import flag, of_type
from nets.search.masked_module import make_plain
from nets.search.masked_weight import MaskedWeight

Model = TypeVar("Model", bound=nn.Module)


def fold(model: Model, batch_norm: bool = False, *, example: Any = None) -> Model:
    """A copy of a model (or of a single layer) in which effective weights are ordinary parameters.

    Parameters
    ----------
    model : torch.nn.Module
        With masked weights; it is not changed.
    batch_norm : bool
        Multiply batch norms into the convolutions and linear layers before them, see
        `nets.search.fold_batch_norm.fold_batch_norms`. The copy is then in evaluation mode.
    example : tensor, tuple or dict of tensors, optional
        Inputs of the model (a dict: by name), needed to fold batch norms behind linear layers.

    Returns
    -------
    torch.nn.Module
        Of the model's own classes; tied weights are tied. All parameters can be trained.

    Raises
    ------
    ValueError
        With `batch_norm`, if the model cannot be traced or has no batch norm that can be folded.

    Examples
    --------
    >>> import torch
    >>> from nets.search import find_tickets
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> _ = find_tickets(model, density=0.25)
    >>> plain, x = fold(model), torch.ones(1, 4)
    >>> type(plain[0]).__name__, int((plain[0].weight != 0).sum()), bool((plain(x) == model(x)).all())
    ('Linear', 3, True)
    """
    of_type("model", model, nn.Module, "a torch.nn.Module")
    flag("batch_norm", batch_norm)
    computed = (
        value for module in model.modules() for value in vars(module).values() if isinstance(value, torch.Tensor)
    )
    detached: dict[int, object] = {id(value): value.detach().clone() for value in computed if not value.is_leaf}
    out = copy.deepcopy(model, detached)  # what old weight norms and prunings compute cannot be copied
    made: dict[MaskedWeight, nn.Parameter] = {}
    for module in list(out.modules()):
        make_plain(module, made)
    if batch_norm:
        from nets.search.fold_batch_norm import fold_batch_norms

        fold_batch_norms(out.eval(), example)
    for parameter in out.parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(True)
    return out
