"""How long a training run will take: a few steps of a twin are made and timed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from nets.descent import descend
from nets.threads import few_threads
from nets.training.memory import check_fits, training_bytes
from nets.training.parts import largest_product, plain_model, start_search
from sims.commands.prediction import Prediction

if TYPE_CHECKING:
    from nets.data import Data
    from nets.search import TicketSearch
    from nets.training.settings import TrainSettings

_FEW = 16
"""Images of a first step, which tells whether a whole one may be tried."""
_RUN, _EPOCH = 0.7, 0.03
"""Seconds of a run and of an epoch beyond their steps: what is made, written and measured."""
_ENOUGH = 0.2
"""Seconds that a probe of one step should not exceed."""


def run_seconds(settings: TrainSettings, data: Data, *, epochs: int, threads: int | None = None) -> float:
    """Seconds that epochs of a run will take; good to a factor of about 3.

    Parameters
    ----------
    threads : int, optional
        Of PyTorch. Default: those that the run will take by itself.
    """
    model = plain_model(settings, data.shape, data.classes)
    batch = min(settings.batch, len(data.train))
    work = batch * largest_product(model, torch.zeros(1, *data.shape))
    search = start_search(model, settings)
    model.to(settings.device)
    optimiser = settings.make_optimiser(list(model.parameters()) if search is None else list(search.parameters()))
    device = settings.device

    def logits(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=settings.amp):
            found: torch.Tensor = model(x)
        return found.float()

    with few_threads(0 if threads == 1 else work):
        step = step_seconds(logits, data.train, batch, optimiser, search=search, device=device)
    watched = sum(len(split) for split in (data.validation, data.test if settings.test_each_epoch else None) if split)
    passes = len(data.train) * (epochs + settings.batch_norm_passes / 3) + watched * epochs / 3
    return _RUN + _EPOCH * epochs + step * passes / batch


def step_seconds(
    logits: Callable[[torch.Tensor], torch.Tensor],
    split: Any,
    batch: int,
    optimiser: torch.optim.Optimizer,
    *,
    search: TicketSearch | None = None,
    device: str = "cpu",
) -> float:
    """Measured seconds of a step with `batch` images; the network that `logits` speaks of is used up.

    Parameters
    ----------
    split : Split
        The images; two steps of a few, and of all where these were quick, are made with them.
    """

    numbers = itertools.count(1)

    def before() -> None:
        if search is not None:
            search.before_step(next(numbers))

    def steps(count: int, images: int) -> float:
        batches = split.batches(images, device=device, order=(0, 0), augment=True)
        begun = time.perf_counter()
        descend(logits, itertools.islice(batches, count), optimiser, before=before)
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    few = min(batch, _FEW)
    steps(1, few)  # loads what is needed
    spent = steps(1, few) * batch / few
    if spent > _ENOUGH:
        return spent
    count = min(len(split) // batch, 1 + int(_ENOUGH / spent))
    return steps(count, batch) / count


def foreseen(settings: TrainSettings, data: Data, *, epochs: int, threads: int | None = None) -> Prediction:
    """What epochs of a run will take, as `run_seconds`; memory is said where it is worth a word."""
    with torch.device("meta"):
        model = plain_model(settings, data.shape, data.classes)
    needed = training_bytes(model, data.shape, min(settings.batch, len(data.train)))
    check_fits(model, data.shape, min(settings.batch, len(data.train)), settings.device)
    seconds = run_seconds(settings, data, epochs=epochs, threads=threads)
    return Prediction(seconds, needed if needed > 2**30 else 0)
