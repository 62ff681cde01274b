"""From settings to what is trained: the data, the model, the method that finds the ticket, and the optimiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from nets.data import Data, load_data
from nets.search import TicketSearch, find_tickets
from nets.search.methods import make_method
from nets.training.memory import check_fits
from nets.training.models import make_model, weight_layers
from nets.training.settings import TrainSettings

VALIDATION_SEED = 777
"""The held-out images are the same ones in every run, as in IteRand's code."""


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


def build(settings: TrainSettings) -> Parts:
    """Load, make, convert.

    Raises
    ------
    ValueError
        If the data are missing, a setting does not fit them, or the memory is not enough.
    """
    data = read_data(settings)
    with torch.device("meta"):
        hollow = plain_model(settings, data.shape, data.classes)
    check_fits(hollow, data.shape, min(settings.batch, len(data.train)), settings.device)
    model = plain_model(settings, data.shape, data.classes)
    search = start_search(model, settings)
    if search is None:
        start_dense(model, plain_model(settings, data.shape, data.classes), settings)
    device = settings.device
    channels_last = device == "cuda" and any(isinstance(module, torch.nn.Conv2d) for module in model.modules())
    layout = torch.channels_last if channels_last else torch.preserve_format
    model.to(device, memory_format=layout)  # type: ignore[call-overload]  # PyTorch takes it; its stubs do not
    trained = list(model.parameters()) if search is None else list(search.parameters())
    steps = -(-len(data.train) // settings.batch)
    return Parts(data, model, search, settings.make_optimiser(trained), device, channels_last, steps)


def read_data(settings: TrainSettings) -> Data:
    """The images of a run."""
    part = settings.validation
    return load_data(
        settings.data,
        settings.data_dir,
        augment=settings.augment,
        normalise=settings.normalise,
        validation=part if part < 1 else int(part),
        seed=VALIDATION_SEED,
    )


def plain_model(settings: TrainSettings, shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    """The network before a method takes its layers over; MPT-1/1 has binary activations."""
    return make_model(
        settings.arch,
        width=settings.width,
        shape=shape,
        classes=classes,
        activation="sign" if settings.method == "mpt-1-1" else "relu",
        batch_norm=settings.batch_norm,
        stem_width=settings.stem_width if settings.arch.startswith("resnet") else None,
        seed=settings.seed,
    )


def start_search(model: torch.nn.Module, settings: TrainSettings) -> TicketSearch | None:
    """Convert the model in place; None for a dense run, which leaves it as it is."""
    if settings.method == "dense":
        return None
    return find_tickets(
        model,
        method=make_method(settings.method, **settings.options),
        density=settings.density,
        seed=settings.seed,
        score_seed=settings.score_seed,
        init=settings.init,
        scale=settings.scale,
        allocation=settings.allocation,
        train_rest=settings.batch_norm == "affine",
    )


def start_dense(model: torch.nn.Module, twin: torch.nn.Module, settings: TrainSettings) -> None:
    """Give a dense network the very weights that a ticket would be sought in, with the same seed and law.

    Parameters
    ----------
    model, twin : torch.nn.Module
        Two of a kind; the twin is used up.
    """
    search = find_tickets(
        twin, method="edge-popup", density=1.0, seed=settings.seed, init=settings.init, scale=settings.scale
    )
    with torch.no_grad():
        for name, layer in weight_layers(model):
            layer.weight.copy_(search.layers[name].frozen)


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
