"""Check everything that a coded ticket records against what it decodes to and, where it is given, its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nets.tickets.coded_file import CodedTicket
from nets.tickets.codes.law import uniform_law
from nets.tickets.codes.part import law_of
from nets.tickets.coding import largest_error, rebuilt
from nets.tickets.file import TicketError

if TYPE_CHECKING:
    from nets.graph.graph import Graph
    from nets.tickets.verification import Found


def verify_coded(ticket: CodedTicket, *, target: Graph | None = None) -> tuple[list[str], list[str]]:
    """As `nets.tickets.verify`; with a target the smallest parts are coded again, and their bytes compared."""
    effective, digest, kept, exceptions = rebuilt(ticket)
    numbers = ticket.numbers
    found: Found = {
        "values_sha256": (ticket.values_sha256, digest, 0.0),
        "weights": (numbers["weights"], ticket.weights, 0.0),
        "kept": (numbers["kept"], kept, 0.0),
        "exceptions": (numbers["exceptions"], exceptions, 0.0),
    }
    if ticket.law == "uniform" and ticket.code in ("draw", "block"):
        for part, content in zip(ticket.parts, ticket.content, strict=True):
            whole = "uniform" if law_of(content).same(uniform_law(part.size)) else "another"
            found[f"{part.constant}: law"] = "uniform", whole, 0.0
    if target is not None:
        found |= _against(ticket, effective, target)
    lines = [f"{name}: recorded {a}, found {b}" for name, (a, b, _) in found.items() if a != b]
    return list(found), lines


def _against(ticket: CodedTicket, effective: dict[str, tuple[Any, Any]], target: Graph) -> Found:
    """What the ticket says of its target, and what is found."""
    from nets.tickets.approximation import as_graph, parts_of
    from nets.tickets.verification import same_target, smallest

    graph = as_graph(target)
    parts = parts_of(graph)
    found, weights = same_target(ticket, graph, parts)
    if any(a != b for a, b, _ in found.values()):
        return found
    within, worst = 0, 0.0
    for number, (part, weight) in enumerate(zip(ticket.parts, weights, strict=True)):
        found[f"{part.constant}: size"] = part.size, float(np.abs(weight).max()), 0.0
        error, code = np.abs(effective[part.constant][0] - weight), ticket.part_code(number)
        within += int((error <= code.error).sum())
        worst = max(worst, largest_error(error, code))
    found["within_eta"] = ticket.numbers["within_eta"], within, 0.0
    found["max_weight_error"] = ticket.numbers["max_weight_error"], worst, 0.0
    for number in smallest(parts):
        try:
            law = law_of(ticket.content[number]) if ticket.code in ("draw", "block") else None
            again = ticket.part_code(number).encode(weights[number].reshape(-1), law=law).content
        except ValueError as error:
            raise TicketError(f"{ticket.parts[number].constant}: {' '.join(str(error).split())}") from None
        same = "the same bytes" if again == ticket.content[number] else "other bytes"
        found[f"{ticket.parts[number].constant}: what coding it again gives"] = "the same bytes", same, 0.0
    return found
