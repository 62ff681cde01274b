"""What a ticket records of its certificate, compared with itself, with its target, and with the examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nets.graph.graph import Graph
from nets.tickets.approximation_file import Ticket

if TYPE_CHECKING:
    import torch

    from nets.graph.substitution import Effective

_CLOSE = 1e-6
"""Relative difference that is put down to another machine's order of summation, in a whole network."""
_Found = dict[str, tuple[Any, Any, float]]


def by_itself(ticket: Ticket) -> _Found:
    """Numbers and words that follow from others, and the witness, which lies in the domain."""
    from nets.certificate.domain import Domain

    own = ticket.numbers["certificate"]
    proved = own["upper"] is not None and own["lower_word"] == "proved"
    found: _Found = {"error word": (own["word"], "proved" if proved else "measured", 0.0)}
    for end in ("lower", "upper"):
        found[f"error relative_{end}"] = own[f"relative_{end}"], _ratio(own[end], own["size"]), 1e-12
    if own["lower"] is not None and own["upper"] is not None:
        found["error lower is not above upper"] = True, own["lower"] <= own["upper"], 0.0
    names = [one[0] for one in ticket.graph["inputs"] if one[0] in own["domains"]]
    domains = {name: Domain.from_plain(own["domains"][name]) for name in names}
    if domains:  # where no input is a real number the text says nothing
        each = ", ".join(f"{name}: {one}" for name, one in domains.items())
        texts = {str(one) for one in domains.values()}
        found["error domain"] = (
            own["domain"],
            own["domain"] if own["domain"] in texts and len(texts) == 1 else each,
            0.0,
        )
    for i, one in enumerate(ticket.graph["inputs"], 1):
        if one[0] in domains:
            inside = domains[one[0]].contains(ticket.tensors[f"witness{i}"][None])
            found[f"witness{i} lies in the domain"] = True, inside, 0.0
    data = own["data"]
    if data is not None:
        for name in ("largest", "median"):
            found[f"data relative_{name}"] = data[f"relative_{name}"], _ratio(data[name], data["size"]), 1e-12
        found["error size"] = own["size"], data["size"], 0.0
        if None not in (data["median"], data["entry"], data["largest"]):
            ordered = max(data["median"], data["entry"]) <= data["largest"] * (1 + 1e-12)
            found["data largest is the largest"] = True, ordered, 0.0
    return found


def against_target(ticket: Ticket, whole: Graph, effective: Effective) -> _Found:
    """Both ends at the recorded witness and for the recorded domain; `whole` is the ticket's graph with its target."""
    from nets.certificate.network import ends_at

    own = ticket.numbers["certificate"]
    witness = {one.name: ticket.tensors[f"witness{i}"] for i, one in enumerate(whole.inputs, 1)}
    again = ends_at(whole, effective, witness, own["domains"])
    found: _Found = {f"error {name}": (own[name], getattr(again, name), _CLOSE) for name in ("lower", "upper")}
    found |= {f"error {name}": (own[name], getattr(again, name), 0.0) for name in ("lower_word", "reason")}
    if own["data"] is None:
        found["error size"] = own["size"], again.size, _CLOSE
    return found


def against_data(ticket: Ticket, whole: Graph, effective: Effective, examples: Mapping[str, torch.Tensor]) -> _Found:
    """The differences on the examples."""
    from nets.certificate.network import differences_on, plain_differences
    from nets.tickets.approximation import stacked_examples

    own = ticket.numbers["certificate"]["data"]
    again = plain_differences(differences_on(whole, effective, *stacked_examples(whole, examples)))
    if own is None:
        return {"data": (None, again, 0.0)}
    return {f"data {name}": (own[name], number, _CLOSE) for name, number in again.items()}


def _ratio(a: float | None, b: float | None) -> float | None:
    """Null for what is not finite."""
    if a is None or b is None or (a != 0 and b == 0):
        return None
    return 0.0 if a == 0 else a / b
