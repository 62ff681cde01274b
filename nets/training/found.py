"""Found tickets: written after training, made into their network again, checked, and what they cost.

The file is that of `nets.tickets.found_file`. What a ticket needs beside its masks depends on the method. Edge-Popup,
Biprop and sampled masks leave the random weights alone: the seed is enough. Biprop's and all signed-constant weights
are one sign bit each, and so are those that a signed supermask turns, whose sizes the seed gives. IteRand and recycling
change weights as they search: then the cheapest of the sign bits, the history (which draw of which element each kept
weight is) and the weights themselves is stored, layer by layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.construction.bits import pack, unpack
from nets.search import TicketSearch
from nets.search.draws import rebuild_weight, uniform_draws
from nets.search.masked_module import HOLDER
from nets.search.masked_weight import MaskedWeight
from nets.threads import few_threads
from nets.tickets.file import TicketError, tensor_bytes
from nets.tickets.found_code import CODED
from nets.tickets.found_file import FoundTicket, Layer, pack_numbers, read_found, unpack_numbers
from nets.tickets.mask_bits import entropy_bits
from nets.training.models import weight_layers
from nets.training.parts import plain_model, start_search
from nets.training.settings import TrainSettings

PROBES, PROBE_STREAM = 8, 5 << 24
"""Inputs whose outputs a ticket records, and the stream of `sims.solver.philox` they come from."""

CLOSE = 1e-4
"""Difference of the outputs, relative to the largest, that is put down to another machine's order of summation."""

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
    tensors: dict[str, npt.NDArray[Any]] = {}
    layers, digest = [], hashlib.sha256()
    parts = search.export_parts()["layers"]
    for name, layer in search.layers.items():
        part = parts[name]
        kept = part["mask"].reshape(-1).numpy()
        with torch.no_grad():
            effective = layer.ticket_weight().cpu().contiguous().reshape(-1).numpy()
        values = effective[kept]
        digest.update(np.ascontiguousarray(values, "<f4").data)
        frozen = layer.frozen.cpu().contiguous().reshape(-1).numpy()
        made, own = _cheapest(name, part, kept, values, frozen[kept])
        layers.append(made)
        tensors |= {f"mask.{name}": pack(kept), **own}
    tensors |= {f"rest.{key}": value.cpu().contiguous().numpy() for key, value in _rest(search).items()}
    ticket = FoundTicket(
        params={key: None if key in _PRIVATE else value for key, value in settings.to_json().items()},
        shape=shape,
        classes=classes,
        layers=tuple(layers),
        events=len(search.events),
        values_sha256=digest.hexdigest(),
        made_with={"torch": str(torch.__version__), "device": next(search.model.parameters()).device.type},
        tensors={**tensors, "logits": np.zeros((PROBES, classes), np.float32)},
    )
    model = rebuild(ticket)
    if values_digest(model) != ticket.values_sha256:
        raise RuntimeError("the ticket does not give its network back")
    return replace(ticket, tensors={**tensors, "logits": probe_logits(model, ticket)})


def _cheapest(
    name: str,
    part: Mapping[str, Any],
    kept: npt.NDArray[np.bool_],
    values: npt.NDArray[np.float32],
    frozen: npt.NDArray[np.float32],
) -> tuple[Layer, dict[str, npt.NDArray[Any]]]:
    """The layer and its tensors in the form of fewest bits; of equal ones the first of seed, signs, history, floats.

    Where values are neither the weights nor binarised ones, signs are stored if sizes are those of the weights.
    """
    base = Layer(name, tuple(part["shape"]), int(kept.sum()))
    place = np.flatnonzero(kept)
    draws = np.zeros(len(place), np.int64) if part["draws"] is None else _kept(part["draws"], kept)
    origins = place if part["origins"] is None else _kept(part["origins"], kept)
    moved = (draws != 0) | (origins != place)
    if part["values"] is not None:
        sizes = np.abs(values)
        if not moved.any() and np.array_equal(sizes, np.abs(frozen)):
            same = len(np.unique(sizes)) == 1
            made = replace(base, values="signs", size=float(sizes[0]) if same else None)
            return made, {f"signs.{name}": pack(values < 0)}
        return replace(base, values="floats"), {f"floats.{name}": np.ascontiguousarray(values, "<f4")}
    if not moved.any():
        return base, {}
    draw_bits = int(draws.max()).bit_length()
    origin_bits = (len(kept) - 1).bit_length() if bool((origins != place).any()) else 0
    history = len(place) + int(moved.sum()) * (draw_bits + origin_bits)
    sizes = np.unique(np.abs(values))
    if len(sizes) == 1 and sizes[0] > 0:  # one bit each, and history has more
        signs = {f"signs.{name}": pack(values < 0)}
        return replace(base, values="signs", size=float(sizes[0])), signs
    if 32 * len(place) < history:
        return replace(base, values="floats"), {f"floats.{name}": np.ascontiguousarray(values, "<f4")}
    made = replace(base, values="history", moved=int(moved.sum()), draw_bits=draw_bits, origin_bits=origin_bits)
    numbers = {
        f"moved.{name}": pack(moved),
        f"draws.{name}": pack_numbers(draws[moved], draw_bits),
        f"origins.{name}": pack_numbers(origins[moved], origin_bits),
    }
    return made, numbers


def _kept(numbers: torch.Tensor, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.asarray(numbers.reshape(-1).numpy()[kept], np.int64)


def load_found(path: str | Path) -> torch.nn.Module:
    """Read a ticket and make its network: the same outputs, bit for bit, on the machine that wrote it.

    Returns
    -------
    torch.nn.Module
        On the CPU, in evaluation mode; its masked layers hold the masks, pruned weights count for nothing.

    Raises
    ------
    TicketError
        If the file is damaged or does not describe a network.
    """
    return rebuild(read_found(path))


def rebuild(ticket: FoundTicket) -> torch.nn.Module:
    """Make the network of a ticket; see `load_found`."""
    try:
        if ticket.params["method"] == "dense":
            raise TicketError("a dense network is no ticket")
        settings = TrainSettings.from_json(ticket.params)
        with torch.device("meta"):  # names and sizes first, so that a foreign file cannot ask for much memory
            _check_sizes(ticket, plain_model(settings, ticket.shape, ticket.classes))
        model = plain_model(settings, ticket.shape, ticket.classes)
        search = start_search(model, settings)
    except TicketError:
        raise
    except Exception as error:  # settings that this program cannot take, whatever is wrong with them
        raise TicketError(f"its settings make no network ({' '.join(str(error).split())[:150]})") from None
    assert search is not None
    with torch.no_grad():
        for layer in ticket.layers:
            _fill(search, ticket, layer)
    rest = _rest(search)
    stored = {key[5:]: value for key, value in ticket.tensors.items() if key.startswith("rest.")}
    same = {key: (tuple(value.shape), str(value.dtype)[6:]) for key, value in rest.items()}
    if same != {key: (value.shape, str(value.dtype)) for key, value in stored.items()}:
        raise TicketError("what it stores beside the weights does not fit its network")
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in stored.items()}, strict=False)
    return model.eval()


def _rest(search: TicketSearch) -> dict[str, torch.Tensor]:
    """The state of the model without its masked weights."""
    own = {f"{name}.weight" for name in search.layers}
    state = search.model.state_dict()
    return {key: value for key, value in state.items() if key not in own and f".{HOLDER}." not in f".{key}"}


def _check_sizes(ticket: FoundTicket, model: torch.nn.Module) -> None:
    found = {name: tuple(layer.weight.shape) for name, layer in weight_layers(model)}
    if found != {layer.name: layer.shape for layer in ticket.layers}:
        raise TicketError("its layers are not those of the network that it names")


def _fill(search: TicketSearch, ticket: FoundTicket, layer: Layer) -> None:
    """Give one layer its mask and its kept weights."""
    target = search.layers[layer.name]
    method = search.method
    if method.exact_count and not method.across and target.aim != layer.n_keep:
        raise TicketError(f"layer {layer.name} keeps {layer.n_keep} weights, its density asks for {target.aim}")
    target.aim, target.group, target.method = layer.n_keep, None, method.as_ticket()
    target.step_noise = target.ticket_noise = target.noise_seed = None
    bits = unpack(ticket.packed_mask(layer.name), layer.numel)
    place = np.flatnonzero(bits)
    target.scores.copy_(torch.from_numpy(bits.astype(np.float32)).reshape(layer.shape))
    values = _stored_values(search, ticket, layer, place)
    if values is not None:
        whole = np.zeros(layer.numel, np.float32)
        whole[place] = values
        target.frozen.copy_(torch.from_numpy(whole).reshape(layer.shape))


def _stored_values(
    search: TicketSearch, ticket: FoundTicket, layer: Layer, place: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    """Kept weights of a layer, or None where the seed has given them already."""
    if layer.values == "seed":
        return None
    if layer.values == "floats":
        return np.asarray(ticket.tensors[f"floats.{layer.name}"], np.float32)
    if layer.values == "signs":
        sign = np.where(unpack(ticket.tensors[f"signs.{layer.name}"], len(place)), -1, 1).astype(np.float32)
        if layer.size is not None:
            return sign * np.float32(layer.size)
        own = search.layers[layer.name].frozen.detach().reshape(-1).numpy()
        return np.asarray(sign * np.abs(own[place]), np.float32)
    moved = unpack(ticket.tensors[f"moved.{layer.name}"], len(place))
    draws, origins = np.zeros(layer.numel, np.int64), np.arange(layer.numel)
    draws[place[moved]] = unpack_numbers(ticket.tensors[f"draws.{layer.name}"], layer.draw_bits, layer.moved)
    if layer.origin_bits:
        origins[place[moved]] = unpack_numbers(ticket.tensors[f"origins.{layer.name}"], layer.origin_bits, layer.moved)
    try:
        weight = rebuild_weight(
            seed=search.seed,
            index=search.layers[layer.name].index,
            shape=layer.shape,
            law=search.init,
            std=search.stds[layer.name],
            draws=torch.from_numpy(draws),
            origins=torch.from_numpy(origins),
            later_law=search.method.later_law,
        )
    except ValueError as error:
        raise TicketError(f"layer {layer.name}: {error}") from None
    return np.asarray(weight.float().reshape(-1).numpy()[place])


def values_digest(model: torch.nn.Module) -> str:
    """SHA-256 of all kept effective weights, as `FoundTicket.values_sha256`."""
    digest = hashlib.sha256()
    for layer in (module for module in model.modules() if isinstance(module, MaskedWeight)):
        with torch.no_grad():
            values = layer.effective_weight()[layer.mask()]
        digest.update(np.ascontiguousarray(values.numpy(), "<f4").data)
    return digest.hexdigest()


def probe_logits(model: torch.nn.Module, ticket: FoundTicket) -> npt.NDArray[np.float32]:
    """Outputs for the inputs that follow from the ticket's seed, on one thread."""
    x = uniform_draws(ticket.params["seed"], PROBE_STREAM, 0, (PROBES, *ticket.shape)).float()
    with torch.no_grad(), few_threads(0):
        return np.asarray(model(x).numpy() + np.float32(0))


def storage(ticket: FoundTicket, size: int) -> dict[str, Any]:
    """What a ticket costs, for a file of `size` bytes.

    Returns
    -------
    dict
        weights, kept; storage: where the kept weights come from, by layer kinds; bytes and bits_per_weight of the whole
        file.
    """
    kinds = [kind for kind in ("seed", "signs", "history", "floats") if any(kind == x.values for x in ticket.layers)]
    return {
        "weights": ticket.weights,
        "kept": ticket.kept,
        "storage": "+".join(["masks", *kinds]),
        "bytes": size,
        "bits_per_weight": 8 * size / ticket.weights,
    }


def describe(path: str | Path) -> dict[str, Any]:
    """What ``info`` prints: `storage`, and where the bits of the file go.

    Raises
    ------
    TicketError
        If the file is no found ticket.
    """
    path = Path(path)
    ticket = read_found(path)
    groups = {"mask": ("mask",), "value": ("signs", "moved", "draws", "origins", "floats"), "rest": ("rest",)}
    stored = tensor_bytes(path)
    bits = {
        name: 8 * sum(size for key, size in stored.items() if key.removeprefix(CODED).split(".", 1)[0] in prefixes)
        for name, prefixes in groups.items()
    }
    own = ("method", "arch", "data", "width", "density", "init", "scale", "seed", "score_seed", "epochs")
    return {
        **{name: ticket.params.get(name) for name in own},
        **storage(ticket, path.stat().st_size),
        **{f"{name}_bits_per_weight": count / ticket.weights for name, count in bits.items()},
        "mask_entropy_bits_per_weight": entropy_bits(ticket) / ticket.weights,
        "events": ticket.events,
        "event_masks_bits_per_weight": ticket.events + 1,
        "values_sha256": ticket.values_sha256,
        "layers": [
            {
                "name": x.name,
                "shape": list(x.shape),
                "kept": x.n_keep,
                "values": x.values,
                "mask_bits_per_weight": 8
                * (stored.get(f"mask.{x.name}", 0) + stored.get(f"{CODED}mask.{x.name}", 0))
                / x.numel,
            }
            for x in ticket.layers
        ],
        **ticket.made_with,
    }


def verify(ticket: FoundTicket) -> dict[str, Any]:
    """Make the network and compare.

    Returns
    -------
    dict
        values: whether every kept weight is the one recorded, bit for bit. logits: the same for the outputs.
        logit_error: largest difference relative to the largest output. ok: values, and outputs equal but for
        summation.
    """
    model = rebuild(ticket)
    recorded, found = ticket.tensors["logits"], probe_logits(model, ticket)
    error = float(np.abs(found - recorded).max() / max(float(np.abs(recorded).max()), 1e-30))
    values = values_digest(model) == ticket.values_sha256
    equal = bool(np.array_equal(recorded, found))
    return {"values": values, "logits": equal, "logit_error": error, "ok": values and (equal or error <= CLOSE)}
