"""Rebuild the pruned network of a ticket from its seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nets.construction.bits import unpack_positions
from nets.tickets.approximation_file import Ticket, read_ticket
from nets.tickets.file import TicketError
from nets.tickets.make import digest_of

if TYPE_CHECKING:
    import torch

    from nets.construction.pruned import Kept, Pruned
    from nets.targets.target import Target
    from nets.tickets.make import Effective


@dataclass(frozen=True, eq=False, repr=False)
class Rebuilt:
    """A pruned random network made again from its ticket.

    Attributes
    ----------
    ticket : Ticket
    effective : list of l pairs (W_plus, W_minus) of float64 tensors, shape (d_i, d_{i-1})
        In the target's units, `Ticket.scale` included; layer i acts as W_plus s(h) - W_minus s(-h).
    pruned : Pruned or None
        layered: the network mask * source itself, whose output times the product of `Ticket.scale` is the network's.
        Its `weights` are NaN unless the target was given.
    values_sha256 : str
    """

    ticket: Ticket
    effective: Effective
    pruned: Pruned | None
    values_sha256: str

    def __repr__(self) -> str:
        return f"<Rebuilt {self.ticket!r}>"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Evaluate the network by its effective weights on inputs (..., d_0), lifted if there is a bias."""
        return evaluate(self.effective, x)


def load_ticket(path: Any, *, target: Target | None = None) -> Rebuilt:
    """Read a ticket file and rebuild its network from the seed.

    Parameters
    ----------
    target : Target, optional
        Only needed for the errors that `Rebuilt.pruned` can report.

    Raises
    ------
    TicketError
        As `nets.tickets.approximation_file.read_ticket`; also if a kept weight hangs on a neuron that is removed.
    """
    return rebuild(read_ticket(path), target=target)


def evaluate(effective: Effective, x: torch.Tensor) -> torch.Tensor:
    """Output of a network given by its effective weights, for x of shape (..., d_0)."""
    import torch

    hidden = x.double()
    for i, (plus, minus) in enumerate(effective):
        if i == 0 and minus is not plus:
            hidden = torch.relu(hidden) @ plus.T - torch.relu(-hidden) @ minus.T
        else:
            hidden = (torch.relu(hidden) if i else hidden) @ plus.T
    return hidden


def rebuild(ticket: Ticket, *, target: Target | None = None) -> Rebuilt:
    """Make every kept value of a ticket again; see `load_ticket`."""
    import torch

    if ticket.kind == "layered":
        return _rebuild_layered(ticket, target)
    from nets.construction.value_sets import ValueSets

    sets = ValueSets(ticket.kind, seed=ticket.seed, n=ticket.n, R=ticket.R, size=ticket.scale[0])
    digest = hashlib.sha256()
    effective = []
    for i, shape in enumerate(ticket.shapes, 1):
        draws = ticket.tensors.get(f"draws{i}", np.empty(0, np.uint8))
        weight = torch.from_numpy(sets.rebuild(i, shape, mask=ticket.tensors[f"mask{i}"], draws=draws, digest=digest))
        effective.append((weight, weight))
    return Rebuilt(ticket, effective, None, digest.hexdigest())


def _rebuild_layered(ticket: Ticket, target: Target | None) -> Rebuilt:
    import torch

    from nets.construction.pruned import Kept, Pruned
    from nets.construction.source import Source

    source = Source(ticket.widths, ticket.n, seed=ticket.seed, R=ticket.R)
    kept: list[Kept] = []
    for layer in range(1, source.depth + 1):
        place = unpack_positions(ticket.tensors[f"mask{layer}"])
        if layer % 2:
            rows, cols = place, place // (2 * ticket.n)
        else:
            rows, cols = np.divmod(place, source.shape(layer)[1])
            if not np.isin(cols, kept[-1].rows.numpy()).all():
                raise TicketError(f"mask{layer} keeps a weight of a neuron that mask{layer - 1} removes")
        draws = ticket.tensors[f"draws{layer}"].astype(np.int64) if ticket.R > 1 else np.zeros(len(place), np.int64)
        values = source.element(layer, source.flat(layer, rows, cols), draw=draws)
        kept.append(Kept(*(torch.from_numpy(part) for part in (rows, cols, draws, values))))
    nothing = [torch.full(shape, torch.nan, dtype=torch.float64) for shape in ticket.shapes]
    weights = nothing if target is None else [w / c for w, c in zip(target.weights, ticket.scale, strict=True)]
    pruned = Pruned(source, weights, kept, construction=ticket.construction, halves=ticket.halves)
    effective = [(c * plus, c * minus) for c, (plus, minus) in zip(ticket.scale, pruned.effective(), strict=True)]
    return Rebuilt(ticket, effective, pruned, digest_of(part.values.numpy() for part in kept))
