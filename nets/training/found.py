"""Found tickets of training runs: written after training, made into their network again, and checked.

The file is that of `nets.tickets.found_file`. What a ticket needs beside its masks depends on the method. Edge-Popup
and Biprop leave the random weights alone: the seed is enough. IteRand and recycling change weights as they search: then
the cheapest of the sign bits, the history (which draw of which element each kept weight is) and the weights themselves
is stored, layer by layer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.construction.bits import unpack
from nets.search import TicketSearch, fold
from nets.search.densities import allocate
from nets.search.draws import uniform_draws
from nets.search.inputs import CLOSE
from nets.search.methods import make_method
from nets.search.score_mask import count_to_keep
from nets.search.ticket_model import check_fit, fill, found_in, named_tensors
from nets.threads import few_threads
from nets.tickets.file import TicketError
from nets.tickets.found_file import PROBES, FoundTicket, read_found
from nets.tickets.found_values import Draws, digest, kept_values, written
from nets.training.parts import plain_model, start_search
from nets.training.settings import TrainSettings

PROBE_STREAM = 5 << 24
"""Of `sims.solver.philox`: where the inputs come from whose outputs a ticket records."""

_PRIVATE = ("data_dir", "device", "compile", "amp", "test_each_epoch")


def export_ticket(
    search: TicketSearch, settings: TrainSettings, *, shape: tuple[int, int, int], classes: int
) -> FoundTicket:
    """The ticket of a search as it is now.

    Parameters
    ----------
    settings : TrainSettings
        Of the run.
    shape : tuple of int
        Of one input.

    Returns
    -------
    FoundTicket
        It has been rebuilt once, and its effective weights were found equal bit for bit.

    Raises
    ------
    RuntimeError
        If the rebuilt network is another: a fault of this program.
    """
    found = found_in(search)
    rest, _ = written(found.rest)
    ticket = FoundTicket(
        params={key: None if key in _PRIVATE else value for key, value in settings.to_json().items()},
        shape=shape,
        classes=classes,
        layers=found.layers,
        events=len(search.events),
        values_sha256="0" * 64,
        made_with={"torch": str(torch.__version__), "device": next(search.model.parameters()).device.type},
        tensors={**found.tensors, **rest, "logits": np.zeros((PROBES, classes), np.float32)},
        law=search.init,
        later_law=search.method.later_law,
    )
    model = rebuild(ticket)
    ticket = replace(ticket, tensors={**ticket.tensors, "logits": probe_logits(model, ticket)})
    ticket = replace(ticket, values_sha256=digest(ticket, found.weights))
    if values_digest(ticket, model) != ticket.values_sha256:
        raise RuntimeError("the ticket does not give its network back")
    return ticket


def load_found(path: str | Path) -> torch.nn.Module:
    """Read a ticket and make its network: the same outputs, bit for bit, on the machine that wrote it.

    Returns
    -------
    torch.nn.Module
        Plain, on the CPU, in evaluation mode: pruned weights are 0.

    Raises
    ------
    TicketError
        If the file is damaged or does not describe a network.
    """
    return rebuild(read_found(path))


def rebuild(ticket: FoundTicket) -> torch.nn.Module:
    """Make the network of a training run's ticket; see `load_found`."""
    if ticket.shape is None or ticket.classes is None:
        raise TicketError("it is the ticket of no training run: nets.search.load_ticket reads it")
    try:
        if ticket.params["method"] == "dense":
            raise TicketError("a dense network is no ticket")
        settings = TrainSettings.from_json(ticket.params)
        odd = [name for name, one in ticket.tensors.items() if one.dtype.kind == "f" and one.dtype != np.float32]
        if odd:
            raise TicketError(f"{odd[0][:100]} must be numbers of type F32")
        with torch.device("meta"):  # names and sizes first, so that a foreign file cannot ask for much memory
            check_fit(ticket, plain_model(settings, ticket.shape, ticket.classes))
        _check_counts(ticket, settings)
        model = plain_model(settings, ticket.shape, ticket.classes)
        return fill(ticket, model) if ticket.version >= 3 else _searched(ticket, model, settings)
    except TicketError:
        raise
    except Exception as error:  # settings that this program cannot take, whatever is wrong with them
        raise TicketError(f"its settings make no network ({' '.join(str(error).split())[:150]})") from None


def _check_counts(ticket: FoundTicket, settings: TrainSettings) -> None:
    """As many weights must be kept as the density says, where the method keeps an exact number."""
    method = make_method(settings.method, **settings.options)
    if not method.exact_count:
        return
    if method.across:
        aim = count_to_keep(settings.density, ticket.weights)
        if ticket.kept != aim:
            raise TicketError(f"it keeps {ticket.kept} weights, its density asks for {aim}")
        return
    shares = allocate(settings.allocation, settings.density, {layer.name: layer.shape for layer in ticket.layers})
    for layer in ticket.layers:
        aim = count_to_keep(shares[layer.name], layer.numel)
        if layer.n_keep != aim:
            raise TicketError(f"layer {layer.name} keeps {layer.n_keep} weights, its density asks for {aim}")


@torch.no_grad()
def _searched(ticket: FoundTicket, model: torch.nn.Module, settings: TrainSettings) -> torch.nn.Module:
    """The network of a ticket before version 3, whose weights its method makes of those in the file."""
    search = start_search(model, settings)
    assert search is not None
    if search.group is not None:
        search.set_n_keep(search.n_keep)
    source = Draws(search.seed, search.init, search.method.later_law)
    for layer in ticket.layers:
        target = search.layers[layer.name]
        bits = unpack(ticket.packed_mask(layer.name), layer.numel)
        target.scores.copy_(torch.from_numpy(bits.astype(np.float32)).reshape(layer.shape))
        place = np.flatnonzero(bits)
        whole = torch.zeros(layer.numel)
        known = replace(layer, std=search.stds[layer.name])
        whole[torch.from_numpy(place)] = kept_values(ticket, known, place, source, target.index)
        target.frozen.copy_(whole.reshape(layer.shape))
    plain = fold(model)
    state = named_tensors(plain)
    for name, array in ticket.tensors.items():
        if name.startswith("rest."):
            state[name[5:]].copy_(torch.from_numpy(array.copy()))
    return plain.eval()


def values_digest(ticket: FoundTicket, model: torch.nn.Module) -> str:
    """The digest of a ticket with a model's kept weights, as `FoundTicket.values_sha256`."""
    tensors, places = named_tensors(model), check_fit(ticket, model)
    return digest(ticket, {layer.name: tensors[places[layer.name]] for layer in ticket.layers})


def probe_logits(model: torch.nn.Module, ticket: FoundTicket) -> npt.NDArray[np.float32]:
    """Outputs for the inputs that follow from the ticket's seed, on one thread."""
    assert ticket.shape is not None
    x = uniform_draws(ticket.params["seed"], PROBE_STREAM, 0, (PROBES, *ticket.shape)).float()
    with torch.no_grad(), few_threads(0):
        return np.asarray(model(x).numpy() + np.float32(0))


def verify(ticket: FoundTicket) -> dict[str, Any]:
    """Make the network and compare.

    Returns
    -------
    dict
        values: whether every kept weight, and all else in the file, is what was recorded, bit for bit. logits: the same
        for the outputs.
        logit_error: largest difference relative to the largest output. ok: values, and outputs equal but for
        summation.
    """
    model = rebuild(ticket)
    recorded, found = ticket.tensors["logits"], probe_logits(model, ticket)
    error = float(np.abs(found - recorded).max() / max(float(np.abs(recorded).max()), 1e-30))
    values = values_digest(ticket, model) == ticket.values_sha256
    equal = bool(np.array_equal(recorded, found))
    return {"values": values, "logits": equal, "logit_error": error, "ok": values and (equal or error <= CLOSE)}
