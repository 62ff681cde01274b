"""Tickets of any model: written as a file of `nets.tickets.found_file`, and made into the very network again.

A file holds masks, what the seed does not give of the kept weights, and the rest of the model's state, but no program:
the network is built by a function that its reader passes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nets.arguments import file_path, flag, of_type
from nets.search.builder import Build, as_arguments, as_function, build_model, builder_name
from nets.search.inputs import CLOSE, as_call, difference, outputs
from nets.search.search import TicketSearch
from nets.search.ticket_model import Found, check_fit, fill, found_in, named_tensors, own_buffers, same_model
from nets.threads import few_threads
from nets.tickets.file import TicketError
from nets.tickets.found_cost import storage
from nets.tickets.found_file import FoundTicket, read_found
from nets.tickets.found_values import as_tensor, digest, same_bits, written

SAMPLE = 1024
"""Most numbers of an output that are recorded."""


def export_ticket(
    search: TicketSearch,
    path: str | Path,
    *,
    build: Build,
    arguments: Mapping[str, Any] | None = None,
    example: Any = None,
) -> dict[str, Any]:
    """Write the ticket of a search as it is now.

    Parameters
    ----------
    search : TicketSearch
        It is not changed, nor is its model.
    path : str or Path
    build : callable or str
        What built the model, or its name "module:function". It is called to check that it makes that model.
    arguments : mapping of str to JSON values, optional
        Its keyword arguments; tuples come back as lists.
    example : tensor, tuple or dict of tensors, optional
        Inputs (a dict: by name). They and up to `SAMPLE` numbers of every output are recorded, so that a network that
        computes something else is found out when it is loaded. One input is enough.

    Returns
    -------
    dict
        As `nets.tickets.found_cost.storage`.

    Raises
    ------
    ValueError
        If the builder fails or makes another model, the arguments are not JSON, or the model has state that the file
        cannot hold; nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> from nets.search import find_tickets, fold
    >>> search = find_tickets(nn.Linear(64, 64, bias=False), density=0.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = {"in_features": 64, "out_features": 64, "bias": False}
    ...     cost = export_ticket(search, f"{folder}/t.safetensors", build=nn.Linear, arguments=size)
    ...     again = load_ticket(f"{folder}/t.safetensors", build=nn.Linear)
    >>> cost["kept"], cost["storage"], torch.equal(again.weight, fold(search.model).weight)
    (2048, 'masks+seed', True)
    """
    of_type("search", search, TicketSearch)
    file_path("path", path)
    arguments = as_arguments(arguments)
    as_function(build)
    found = found_in(search)
    fresh = _new_model(build, arguments, search)
    probes, inputs = _recorded(found.model, example)
    buffers = own_buffers(found.model, fresh)
    tensors, short = written({**found.rest, **buffers, **probes})
    floats = tuple(f"floats.{x.name}" for x in found.layers if (x.values, x.dtype) == ("floats", "bfloat16"))
    ticket = FoundTicket(
        params={**search.settings(), **search.arguments},
        shape=None,
        classes=None,
        layers=found.layers,
        events=len(search.events),
        values_sha256="0" * 64,
        made_with={"torch": str(torch.__version__), "device": next(search.model.parameters()).device.type},
        tensors={**found.tensors, **tensors},
        law=None if search.init == "keep" else search.init,
        later_law=search.method.later_law,
        builder=builder_name(build),
        arguments=arguments,
        batch_norm=search.arguments["batch_norm"],
        inputs=inputs,
        bfloat16=(*short, *floats),
    )
    ticket = replace(ticket, values_sha256=digest(ticket, found.weights))
    _check_builder(found, fresh, ticket, build)
    if example is not None:
        wanted, made = _recorded_outputs(ticket), _run(copy.deepcopy(search.model).cpu().eval(), _example(ticket))
        if len(wanted) != len(made) or difference(wanted, made) > CLOSE:
            raise ValueError(
                "the searched model computes something else than its effective weights do: code in it takes scores for "
                "weights, as layer.parameters() gives them"
            )
        made = _run(fresh, _example(ticket))
        if len(wanted) != len(made) or not all(map(same_bits, wanted, made)):
            raise ValueError(f"build must make the model that was searched: that of {builder_name(build)} computes "
                             "something else")  # fmt: skip
    return storage(ticket, ticket.save(path))


def load_ticket(
    path: str | Path,
    *,
    build: Build | None = None,
    arguments: Mapping[str, Any] | None = None,
    trust_builder: bool = False,
) -> nn.Module:
    """Read a ticket and make its network: the same outputs, bit for bit, on the machine that wrote it.

    Parameters
    ----------
    build : callable or str, optional
        What builds the model, or its name "module:function".
    arguments : mapping, optional
        Its keyword arguments; by default those in the file. They are data that somebody else may have written.
    trust_builder : bool
        Import and run the builder that the file names, if `build` is not given: only for files whose origin is known.

    Returns
    -------
    torch.nn.Module
        Plain, on the CPU, in evaluation mode: pruned weights are 0.

    Raises
    ------
    TicketError
        If the file is damaged, its network is not what the builder makes, or its kept weights, (but for summation) its
        recorded outputs, or anything else in the file are others.
    ValueError
        If there is no builder.
    """
    ticket = read_found(file_path("path", path))
    try:
        model = rebuild(ticket, build=build, arguments=arguments, trust_builder=trust_builder)
        found = compare(ticket, model)
    except TicketError as error:
        raise TicketError(f"{Path(path).name}: {error}") from None
    if not found["values"]:
        raise TicketError(
            f"{Path(path).name}: the kept weights are not those recorded, or something else in the file is not"
        )
    if not found["ok"]:
        raise TicketError(
            f"{Path(path).name}: the network computes something else, its outputs differ by {found['logit_error']:.2g} "
            "of the largest"
        )
    return model


def rebuild(
    ticket: FoundTicket,
    *,
    build: Build | None = None,
    arguments: Mapping[str, Any] | None = None,
    trust_builder: bool = False,
) -> nn.Module:
    """Make the network of a ticket of any model; see `load_ticket`. What was recorded is not compared."""
    flag("trust_builder", trust_builder)
    if ticket.shape is not None:
        raise TicketError("it is the ticket of a training run: nets.training.found.load_found reads it")
    if build is None:
        if ticket.builder is None:
            raise ValueError("build must be given: the ticket names no builder")
        if not trust_builder:
            raise ValueError(
                f"build must be given: the ticket names {ticket.builder!r} as its builder, which is not run unasked"
            )
        build = ticket.builder
    arguments = ticket.arguments if arguments is None else as_arguments(arguments)
    as_function(build)
    try:  # names and sizes first, so that a foreign file cannot ask for much memory
        sketch = build_model(build, arguments, sketch=True)
    except ValueError:  # not every builder can work without numbers
        sketch = None
    if sketch is not None:
        check_fit(ticket, sketch)
    try:
        model = build_model(build, arguments)
    except ValueError as error:
        raise TicketError(str(error)) from None
    return fill(ticket, model)


def compare(ticket: FoundTicket, model: nn.Module) -> dict[str, Any]:
    """Kept weights and outputs of a network beside those that a ticket of any model records.

    Returns
    -------
    dict
        values: whether every kept weight, and all else in the file, is what was recorded, bit for bit. logits: the same
        for the outputs, or None if none are recorded. logit_error: their largest difference relative to the largest.
        ok: values, and outputs equal but for summation.
    """
    tensors = named_tensors(model)
    weights = {layer.name: tensors[check_fit(ticket, model)[layer.name]] for layer in ticket.layers}
    values = digest(ticket, weights) == ticket.values_sha256
    if not ticket.inputs:
        return {"values": values, "logits": None, "logit_error": None, "ok": values}
    try:
        made = _run(model, _example(ticket))
    except Exception as error:  # whatever the model raises
        reason = " ".join(str(error).split())[:150]
        raise TicketError(f"the network does not take its recorded inputs ({reason})") from None
    wanted = _recorded_outputs(ticket)
    equal = len(wanted) == len(made) and all(map(same_bits, wanted, made))
    apart = 0.0 if equal else difference(wanted, made)
    return {"values": values, "logits": equal, "logit_error": apart, "ok": values and apart <= CLOSE}


def _new_model(build: Build, arguments: Mapping[str, Any], search: TicketSearch) -> nn.Module:
    fresh = build_model(build, arguments)
    own = {id(module) for module in search.model.modules()} | {id(tensor) for tensor in search.model.parameters()}
    if any(id(part) in own for part in (*fresh.modules(), *fresh.parameters())):
        raise ValueError("build must make a new model: it returns parts of the one that was searched")
    return fresh


def _check_builder(found: Found, fresh: nn.Module, ticket: FoundTicket, build: Build) -> None:
    """Refuse a builder whose model is not the one that was searched; afterwards its model is that."""
    try:
        fill(ticket, fresh)
        reason = same_model(found.model, fresh)
    except TicketError as error:
        reason = str(error)
    if reason is not None:
        raise ValueError(f"build must make the model that was searched, and {builder_name(build)} does not: {reason}")


def _recorded(model: nn.Module, example: Any) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Tensors of inputs and outputs, and the names of the inputs."""
    if example is None:
        return {}, ()
    args, names = as_call(example)
    inputs = {**{str(i): one for i, one in enumerate(args)}, **names}
    inputs = {name: one.detach().cpu() for name, one in inputs.items()}
    found = _run(model, tuple(inputs.values()) if args else inputs)
    if not found:
        raise ValueError("example must make the model return a tensor at least")
    tensors = {f"input.{name}": one for name, one in inputs.items()}
    return tensors | {f"output.{i}": one for i, one in enumerate(found)}, tuple(inputs)


def _run(model: nn.Module, example: Any) -> list[torch.Tensor]:
    """Outputs as they are recorded: of more than `SAMPLE` numbers so many, evenly spread in row-major order."""
    with few_threads(0):
        found = outputs(model, example)
    return [
        one if one.numel() <= SAMPLE else one.reshape(-1)[torch.arange(SAMPLE) * one.numel() // SAMPLE] for one in found
    ]


def _stored(ticket: FoundTicket, name: str) -> torch.Tensor:
    return as_tensor(ticket.tensors[name], torch.bfloat16 if name in ticket.bfloat16 else None)


def _example(ticket: FoundTicket) -> Any:
    found = {name: _stored(ticket, f"input.{name}") for name in ticket.inputs}
    return tuple(found.values()) if ticket.inputs[0].isdigit() else found


def _recorded_outputs(ticket: FoundTicket) -> list[torch.Tensor]:
    names = [name for name in ticket.tensors if name.startswith("output.")]
    return [_stored(ticket, name) for name in sorted(names, key=lambda name: (len(name), name))]
