"""From settings to what is trained: the data, the model, the method that finds the ticket, and the optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from nets.data import Data, load_data
from nets.search import TicketSearch, find_tickets
from nets.training.models import make_model, weight_layers

VALIDATION_SEED = 777
"""The held-out images are the same ones in every run, as in IteRand's code."""

OPTIONS = {
    "iterand": ("rerand_every", "rerand_frac"),
    "recycle": ("recycle_every", "recycle_frac", "recycle_after"),
    "biprop-recycle": ("recycle_every", "recycle_frac", "recycle_after"),
}
"""Settings that only some methods have."""


@dataclass
class Parts:
    """What a run consists of.

    Attributes
    ----------
    data : Data
    model : torch.nn.Module
    search : TicketSearch or None
        None for a dense run.
    optimiser : torch.optim.Optimizer
    device : {"cpu", "cuda"}
    channels_last : bool
        Convolutional networks on a GPU.
    steps : int
        Steps of one epoch.
    """

    data: Data
    model: torch.nn.Module
    search: TicketSearch | None
    optimiser: torch.optim.Optimizer
    device: str
    channels_last: bool
    steps: int


def build(params: Mapping[str, Any]) -> Parts:
    """Load, make, convert.

    Parameters
    ----------
    params : mapping
        As `nets.training.settings.resolve` makes them.

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        If the data are missing or a setting does not fit them.
    """
    data = read_data(params)
    model = plain_model(params, data.shape, data.classes)
    search = start_search(model, params)
    if search is None:
        start_dense(model, plain_model(params, data.shape, data.classes), params)
    device = params["device"]
    channels_last = device == "cuda" and any(isinstance(module, torch.nn.Conv2d) for module in model.modules())
    model.to(device, memory_format=torch.channels_last if channels_last else torch.preserve_format)
    trained = list(model.parameters()) if search is None else list(search.parameters())
    steps = -(-len(data.train) // params["batch"])
    return Parts(data, model, search, _optimiser(trained, params), device, channels_last, steps)


def read_data(params: Mapping[str, Any]) -> Data:
    """The images of a run."""
    part = params["validation"]
    return load_data(
        params["data"],
        params["data_dir"],
        augment=params["augment"],
        normalise=params["normalise"],
        validation=part if part < 1 else int(part),
        seed=VALIDATION_SEED,
    )


def plain_model(params: Mapping[str, Any], shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    """The network before a method takes its layers over; MPT-1/1 has binary activations."""
    return make_model(
        params["arch"],
        width=params["width"],
        shape=shape,
        classes=classes,
        activation="sign" if params["method"] == "mpt-1-1" else "relu",
        batch_norm=params["batch_norm"],
        stem_width=params["stem_width"] if params["arch"].startswith("resnet") else None,
        seed=params["seed"],
    )


def start_search(model: torch.nn.Module, params: Mapping[str, Any]) -> TicketSearch | None:
    """Convert the model in place; None for a dense run, which leaves it as it is."""
    if params["method"] == "dense":
        return None
    return find_tickets(
        model,
        method=params["method"],
        density=params["density"],
        seed=params["seed"],
        score_seed=params["score_seed"],
        init=params["init"],
        scale=params["scale"],
        train_rest=params["batch_norm"] == "affine",
        **{name: params[name] for name in OPTIONS.get(params["method"], ())},
    )


def start_dense(model: torch.nn.Module, twin: torch.nn.Module, params: Mapping[str, Any]) -> None:
    """Give a dense network the very weights that a ticket would be sought in, with the same seed and law.

    Parameters
    ----------
    model, twin : torch.nn.Module
        Two of a kind; the twin is used up.
    params : mapping
    """
    search = find_tickets(
        twin, method="edge-popup", density=1.0, seed=params["seed"], init=params["init"], scale=params["scale"]
    )
    with torch.no_grad():
        for name, layer in weight_layers(model):
            layer.weight.copy_(search.layers[name].weight)


def largest_product(model: torch.nn.Module, x: torch.Tensor) -> int:
    """Multiplications of the largest matrix product of a forward pass over a batch like x.

    Examples
    --------
    >>> largest_product(make_model("mlp", shape=(1, 8, 8)), torch.zeros(2, 1, 8, 8))
    60000
    """
    found: list[int] = []

    def count(module: Any, inputs: Any, output: torch.Tensor) -> None:
        found.append(math.prod(output.shape) * module.weight[0].numel())

    hooks = [layer.register_forward_hook(count) for _, layer in weight_layers(model)]
    training = model.training
    model.eval()
    with torch.no_grad():
        model(x)
    model.train(training)
    for hook in hooks:
        hook.remove()
    return max(found)


def _optimiser(trained: list[torch.nn.Parameter], params: Mapping[str, Any]) -> torch.optim.Optimizer:
    """SGD or Adam; weight decay acts on all that is trained, scores included."""
    lr, decay = params["lr"], params["weight_decay"]
    if params["optimiser"] == "adam":
        return torch.optim.Adam(trained, lr=lr, weight_decay=decay)
    return torch.optim.SGD(trained, lr=lr, momentum=params["momentum"], weight_decay=decay)
