"""Check everything that a ticket records against its rebuilt network and, where it is given, its target."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nets.arguments import of_type
from nets.graph.text import constants_in_use, structure, to_plain
from nets.tickets.approximation_file import Ticket, target_sha256
from nets.tickets.coded_file import CodedTicket
from nets.tickets.fields import one_line, parts_in
from nets.tickets.network import PrunedNetwork, hollow_network, rebuild, views
from nets.tickets.numbers import measured
from nets.tickets.parts import Source
from nets.tickets.recorded_certificate import against_data, against_target, by_itself

if TYPE_CHECKING:
    import torch

    from nets.graph.graph import Graph
    from nets.graph.parts import Part

Found = dict[str, tuple[Any, Any, float]]
"""By its name: what is recorded, what is found, and the relative difference that makes no difference."""

_CLOSE = 1e-9
"""That is put down to another machine's order of summation."""
_SOLVED_AGAIN = 2**12
"""Weights that are looked for again, at least one part."""
_MAX_SUMS, _MAX_STEPS = 24.0, 1e10
"""log2 of the sums of half of a weight's values, and all sums or draws of a part, that are made again at most."""


def verify(
    ticket: Ticket | CodedTicket, *, target: Graph | None = None, examples: Mapping[str, torch.Tensor] | None = None
) -> tuple[list[str], list[str]]:
    """Rebuild a ticket's network and compare every recorded number with what is found.

    Parameters
    ----------
    target : Graph, optional
        From `nets.targets.load_target`. Without it, the numbers that speak of the target are left alone.
    examples : mapping of str to torch.Tensor, optional
        The examples on which the networks were compared, by the names of the ticket's inputs; they need the target.
        Without them, the numbers that speak of examples are only compared with each other.

    Returns
    -------
    checked : list of str
        Names of the numbers that were compared.
    mismatches : list of str
        One line each; empty if all is well.

    Raises
    ------
    TicketError
        As `nets.tickets.load_ticket`.

    Notes
    -----
    A target whose values have other names, as from another export, is compared but for its names, its assumptions and
    the version of operators that mean the same in both. Not found, as the ticket stays true: another eta or R for which
    the counts and what a search finds are the same, other numbers of examples (without `examples`) that agree with
    each other, and other words on where a domain is from. The masks of the smallest parts are looked for again, which
    is how a wrong construction is found. The upper end of a ticket of version 1 came from another, wider bound: it
    must not be below today's.
    """
    of_type("ticket", ticket, (Ticket, CodedTicket))
    if examples is not None and isinstance(ticket, Ticket):
        from nets.targets.examples import checked_examples

        given = of_type("examples", examples, Mapping, "a mapping of the inputs' names")
        examples = checked_examples(hollow_network(ticket), given)
    if isinstance(ticket, CodedTicket):
        from nets.tickets.coded_verification import verify_coded

        return verify_coded(ticket, target=target)
    made = rebuild(ticket)
    numbers = ticket.numbers
    kept = kept_by_part(ticket)
    found: Found = {
        "values_sha256": (ticket.values_sha256, made.values_sha256, 0.0),
        "weights": (numbers["weights"], ticket.weights, 0.0),
        "kept": (numbers["kept"], sum(kept), 0.0),
    }
    for part, row, count in zip(ticket.parts, numbers["parts"], kept, strict=True):
        found[f"{part.constant}: kept"] = row["kept"], count, 0.0
    for name in ("within_eta", "max_weight_error"):
        worst = sum if name == "within_eta" else max
        found[f"{name} of all"] = numbers[name], worst(row[name] for row in numbers["parts"]), 0.0
    if ticket.version > 1:
        found |= by_itself(ticket) | _by_graph(ticket)
    if target is not None:
        found |= _against(ticket, made, kept, target, examples)
    lines = [f"{name}: recorded {a}, found {b}" for name, (a, b, close) in found.items() if not _agree(a, b, close)]
    return list(found), lines


def kept_by_part(ticket: Ticket) -> list[int]:
    """Random values kept for every part."""
    counts = ticket.kept()
    return [sum(counts[name] for name in ticket.masks_of(number)) for number in range(len(ticket.parts))]


def _against(
    ticket: Ticket,
    made: PrunedNetwork,
    kept: list[int],
    target: Graph,
    examples: Mapping[str, torch.Tensor] | None,
) -> Found:
    """What the ticket says of its target, and what is found."""
    from nets.tickets.approximation import as_graph, parts_of

    graph = as_graph(target)
    if ticket.version == 1:
        from nets.tickets.version1 import lifted

        graph = lifted(graph)
    parts = parts_of(graph)
    found, weights = same_target(ticket, graph, parts)
    if any(a != b for a, b, _ in found.values()):
        return found
    named = {part.constant: weight for part, weight in zip(ticket.parts, weights, strict=True)}
    again = measured(views(ticket), named, made.effective, kept, eta=ticket.eta)
    prefixes = ["", *(f"{part.constant}: " for part in ticket.parts)]
    rows = [ticket.numbers, *ticket.numbers["parts"]], [again, *again["parts"]]
    for prefix, old, new in zip(prefixes, *rows, strict=True):
        found[f"{prefix}within_eta"] = old["within_eta"], new["within_eta"], 0.0
        found[f"{prefix}max_weight_error"] = old["max_weight_error"], new["max_weight_error"], _CLOSE
    found |= _found_again(ticket, parts, weights)
    if ticket.version == 1:
        from nets.tickets.version1 import ends

        return found | ends(ticket, list(named.values()), list(made.effective.values()))
    whole = ticket.network(named)
    found |= against_target(ticket, whole, made.effective)
    return found if examples is None else found | against_data(ticket, whole, made.effective, examples)


def same_target(ticket: Ticket | CodedTicket, graph: Graph, parts: Sequence[Part]) -> tuple[Found, list[Any]]:
    """What says that a prepared graph is the target of a ticket, and the weights of its parts in float64."""
    own, shapes = [tuple(part.shape) for part in ticket.parts], [tuple(part.shape) for part in parts]
    found: Found = {"shapes of the parts": (own, shapes, 0.0)}
    if own != shapes:
        return found, []
    names = [part.constant for part in parts]
    found |= _same_graph(hollow_network(ticket), [part.constant for part in ticket.parts], graph, names)
    weights = [np.asarray(graph.constants[name], np.float64) for name in names]
    found["target_sha256"] = ticket.target_sha256, target_sha256(weights), 0.0
    return found, weights


def smallest(parts: Sequence[Part]) -> Iterator[int]:
    """Numbers of the smallest parts, those that are looked for again: at least one."""
    total = 0
    for number in sorted(range(len(parts)), key=lambda number: parts[number].weights):
        total += parts[number].weights
        if total > _SOLVED_AGAIN and total > parts[number].weights:
            break
        yield number


def _same_graph(recorded: Graph, own: Sequence[str], graph: Graph, names: Sequence[str]) -> Found:
    """The graph and the exact constants of a ticket with parts `own`, and those of a target with parts `names`."""
    form = to_plain if list(_values(recorded)) == list(_values(graph)) else structure
    return {
        "graph": (_hashed(form(recorded)), _hashed(form(graph)), 0.0),
        "constants kept as they are": (_in_place(recorded, own), _in_place(graph, names), 0.0),
    }


def _found_again(ticket: Ticket, parts: Sequence[Part], weights: Sequence[Any]) -> Found:
    """The gains as a search of the target would make them, and the masks that it finds for the smallest parts."""
    source = Source.of(ticket)
    found: Found = {}
    matrices = [part.matrices(weight) for part, weight in zip(parts, weights, strict=True)]
    if ticket.version > 1:
        for row, part, matrix in zip(ticket.parts, parts, matrices, strict=True):
            found[f"{row.constant}: gain"] = row.gain, source.table_row(part, matrix, projection=False).gain, 0.0
    for number in smallest(parts):
        row = ticket.parts[number]
        if not searchable(ticket, row.weights):
            continue
        try:
            again = source.find(number, row, matrices[number], eta=ticket.eta)
        except ValueError as error:  # weights beyond the recorded gain, say
            found[f"{row.constant}: what a search finds"] = "masks", f"none: {one_line(error)}", 0.0
            continue
        held = {name: _hashed(ticket.tensors[name].tobytes()) for name in again}
        solved = {name: _hashed(array.tobytes()) for name, array in again.items()}
        found[f"{row.constant}: what a search finds"] = held, solved, 0.0
    return found


def searchable(ticket: Ticket, weights: int) -> bool:
    """Whether masks of a part can be looked for again in seconds; a file may name any n and R."""
    if ticket.construction == "subset-sum":
        sums = (ticket.n + 1) // 2 * math.log2(ticket.R + 1)
        return sums < _MAX_SUMS and weights * 2.0**sums < _MAX_STEPS
    return weights * ticket.n * ticket.R < _MAX_STEPS


def _by_graph(ticket: Ticket) -> Found:
    """What the graph says of every part without its weights: whether its halves differ, and its ReLU."""
    from nets.graph.attention import projections

    graph, source = hollow_network(ticket), Source.of(ticket)
    parts, free = parts_in(graph, signs=True), projections(graph)
    found: Found = {}
    for row, part in zip(ticket.parts, parts, strict=True):
        made = source.table_row(part, np.zeros((1, 1, 1)), projection=part.constant in free)
        for name in ("halves", "relu"):
            found[f"{row.constant}: {name}"] = getattr(row, name), getattr(made, name), 0.0
    return found


def _values(graph: Graph) -> Iterator[str]:
    """Names of the inputs and of what the nodes make."""
    yield from (one.name for one in graph.inputs)
    for node in graph.nodes:
        yield from node.outputs


def _in_place(graph: Graph, parts: Sequence[str]) -> str:
    """A digest of the constants in the order of their use, with the numbers of the parts in the places of these."""
    numbers = {name: number for number, name in enumerate(parts)}
    content = []
    for name in constants_in_use(graph):
        array = graph.constants[name]
        whole = numbers.get(name, -1) if name in numbers else np.ascontiguousarray(array).tobytes()
        content.append([whole, "" if name in numbers else f"{array.dtype.str} {array.shape}"])
    return _hashed(content)


def _hashed(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _agree(recorded: Any, found: Any, close: float) -> bool:
    if recorded is None or found is None or not close:
        return bool(recorded == found)
    return bool(abs(recorded - found) <= close * max(abs(recorded), abs(found)) + 1e-14)
