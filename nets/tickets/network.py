"""A pruned random network made again from its ticket, as an ordinary PyTorch module."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import of_type
from nets.graph.graph import Graph
from nets.graph.module import GraphModule
from nets.graph.parts import Part, find_parts
from nets.graph.substitution import Effective, substituted
from nets.tickets.approximation_file import Ticket, read_ticket
from nets.tickets.coded_file import CodedTicket
from nets.tickets.file import TicketError
from nets.tickets.parts import Source


class PrunedNetwork(GraphModule):
    """The network of a ticket; runs on the inputs of the network that the ticket stands for.

    Attributes
    ----------
    ticket : Ticket or CodedTicket
    effective : dict of str to pairs of ndarray
        For every part, by its constant: the weights that act on s(h) and on -s(-h), float64, in the target's units.
    values_sha256 : str
        Digest of what was made again; that of the ticket if all is well (`nets.tickets.verify` compares them).
    """

    def __init__(
        self,
        ticket: Ticket | CodedTicket,
        effective: Effective,
        values_sha256: str,
        *,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(substituted(hollow_network(ticket), effective), dtype=dtype)
        self.ticket, self.effective, self.values_sha256 = ticket, dict(effective), values_sha256

    def random_layers(self) -> GraphModule:
        """The random sub-networks themselves in place of their effective weights; see `nets.tickets.layers`."""
        from nets.tickets.layers import random_layers

        if isinstance(self.ticket, CodedTicket):
            raise TicketError("a coded ticket has no layers of its own: its weights are the random values themselves")
        return random_layers(self.ticket)

    def extra_repr(self) -> str:
        return repr(self.ticket)


def load_ticket(path: Any, *, dtype: torch.dtype | None = None) -> PrunedNetwork:
    """Read a ticket file and rebuild its network from the seed.

    Parameters
    ----------
    dtype : torch.dtype, optional
        To which the weights are rounded, that of the target's inputs by default; `torch.float64` keeps the exact sums.

    Returns
    -------
    PrunedNetwork
        A `torch.nn.Module` without parameters; it takes what the target takes.

    Raises
    ------
    TicketError
        As `nets.tickets.read_ticket`; also if a kept weight hangs on a neuron that is removed.
    """
    return rebuild(read_ticket(path), dtype=dtype)


def rebuild(ticket: Ticket | CodedTicket, *, dtype: torch.dtype | None = None) -> PrunedNetwork:
    """Make every kept value of a ticket again; see `load_ticket`."""
    of_type("ticket", ticket, (Ticket, CodedTicket))
    if dtype is not None and not of_type("dtype", dtype, torch.dtype).is_floating_point:
        raise ValueError(f"dtype must be a floating one, got {dtype}")
    if isinstance(ticket, CodedTicket):
        from nets.tickets.coding import rebuilt

        made = rebuilt(ticket)
        return PrunedNetwork(ticket, made.effective, made.digest, dtype=dtype)
    digest = Digest(ticket.version)
    effective = {}
    for number, part in enumerate(views(ticket)):
        try:
            effective[part.constant] = make_part(ticket, number, part, digest)
        except ValueError as error:
            raise TicketError(f"{part.constant}: {' '.join(str(error).split())}") from None
    return PrunedNetwork(ticket, effective, ticket.bound(digest.hexdigest()), dtype=dtype)


def views(ticket: Ticket | CodedTicket) -> tuple[Part, ...]:
    """The parts of a ticket's graph, with their views as matrices."""
    return find_parts(hollow_network(ticket))


def hollow_network(ticket: Ticket | CodedTicket) -> Graph:
    """A ticket's graph with zeros for its parts, which take no memory."""
    return ticket.network({part.constant: np.broadcast_to(np.float32(0), part.shape) for part in ticket.parts})


def make_part(ticket: Ticket, number: int, part: Part, digest: Digest) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Effective weights of part `number`, from 0, in its constant's shape; what is kept goes into `digest`."""
    source, row = Source.of(ticket), ticket.parts[number]
    digest.places(source.tensors_of(number, ticket.tensors)[0])
    plus, minus = source.make(number, row, ticket.tensors, seen=digest.values)
    whole = part.restored(plus)
    return whole, (whole if minus is plus else part.restored(minus))


class Digest:
    """SHA-256 over the places and the values of what is kept, part after part; version 1 knew the values alone."""

    def __init__(self, version: int) -> None:
        self._found = hashlib.sha256()
        self._version = version

    def places(self, masks: list[npt.NDArray[np.uint8]]) -> None:
        """Take the masks of the next part."""
        for mask in masks if self._version > 1 else ():
            self._found.update(np.ascontiguousarray(mask).data)

    def values(self, values: npt.NDArray[np.float64]) -> None:
        """Take kept values, in order."""
        self._found.update(np.ascontiguousarray(values, "<f8").data)

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._found.hexdigest()
