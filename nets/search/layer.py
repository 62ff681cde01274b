"""One layer masked by itself, without a search: for code that builds its own loops."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nets.arguments import of_type, real_tensor
from nets.search.folding import fold
from nets.search.kinds import kind_of, weights_of
from nets.search.masked_module import MaskedModule, mask_parameter
from nets.search.masked_weight import MaskedWeight
from nets.search.methods.method import Method
from theory.numerics.check import shown


def from_linear(layer: nn.Linear, *, n_keep: int | None = None, method: Method | None = None) -> nn.Linear:
    """A copy of a linear layer whose weights are frozen as they are, with scores that are 0.

    Parameters
    ----------
    layer : torch.nn.Linear
        Or another layer with one weight of a kind that can be masked (`nets.search.kinds`), or a subclass.
    n_keep : int, optional
        Number of weights kept, in [0, numel]; half of them by default.
    method : Method, optional
        Edge-Popup's rules by default.

    Returns
    -------
    torch.nn.Linear
        Of a subclass of the layer's class; `masked_weight_of` gives its scores. A bias is frozen.

    Raises
    ------
    ValueError
        If the layer has no weight that can be masked, `n_keep` is outside its range, or the method samples masks.

    Examples
    --------
    >>> layer = from_linear(nn.Linear(3, 2), n_keep=4)
    >>> int((layer.weight != 0).sum()), int((to_linear(layer).weight != 0).sum())
    (4, 4)
    """
    of_type("layer", layer, nn.Module, "a torch.nn.Module")
    if method is not None and of_type("method", method, Method).samples:
        raise ValueError(f"method {method.name} draws its masks from the seed of a search: use find_tickets")
    names = [] if isinstance(layer, MaskedModule) else weights_of(layer)
    if not names:
        raise ValueError(f"layer must have weights that can be masked, got {type(layer).__name__}")
    out = copy.deepcopy(layer)
    kind = kind_of(out)
    assert kind is not None
    for name in names:
        weight = out._parameters[name]
        assert weight is not None
        if not bool(torch.isfinite(real_tensor(f"layer's {name}", weight)).all()):
            raise ValueError(f"layer must have finite weights, those of {name} are not")
        masked = MaskedWeight(weight, n_keep=n_keep, method=method, fan_in=kind.fan_in(out, weight))
        mask_parameter(out, name, masked)
        masked.scores.requires_grad_(True)
    for parameter in out._parameters.values():
        if parameter is not None:
            parameter.requires_grad_(False)
    return out


def to_linear(layer: nn.Linear) -> nn.Linear:
    """The plain layer of a masked one: its effective weight is its weight.

    Raises
    ------
    ValueError
        If the layer is not masked.
    """
    if not isinstance(layer, MaskedModule):
        raise ValueError(f"layer must be masked, got {type(layer).__name__}")
    return fold(layer)


def masked_weight_of(layer: nn.Module, name: str = "weight") -> MaskedWeight:
    """The masked weight of a layer: its frozen weights, scores and mask.

    Raises
    ------
    ValueError
        If the layer has none of this name.
    """
    if not isinstance(layer, MaskedModule) or not isinstance(name, str) or name not in layer.masked_names:
        raise ValueError(f"layer must have a masked weight called name={shown(name)}, got {type(layer).__name__}")
    return layer.masked_weight(name)
