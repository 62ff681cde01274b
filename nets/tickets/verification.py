"""Check every number that a ticket records against its rebuilt network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nets.tickets.approximation_file import Ticket, target_sha256
from nets.tickets.make import measured
from nets.tickets.rebuilt import rebuild

if TYPE_CHECKING:
    from nets.targets.target import Target
    from nets.tickets.make import Effective

_CLOSE = 1e-9
"""Relative difference that is put down to another machine's order of summation in the certificate."""


def verify(ticket: Ticket, *, target: Target | None = None) -> tuple[list[str], list[str]]:
    """Rebuild a ticket's network and compare every recorded number with what is found.

    Parameters
    ----------
    target : Target, optional
        Without it, the numbers that speak of the target are left alone.

    Returns
    -------
    checked : list of str
        Names of the numbers that were compared.
    mismatches : list of str
        One line each; empty if all is well.

    Raises
    ------
    TicketError
        As `load_ticket`.
    """
    from nets.construction.value_sets import KINDS

    found: dict[str, tuple[Any, Any, float]] = {}
    numbers = ticket.numbers
    same = target if target is not None and target.widths == ticket.widths else None
    made = rebuild(ticket, target=same)
    step = 1 if ticket.kind in KINDS else 2
    counts = list(ticket.kept().values())
    kept = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    found["values_sha256"] = ticket.values_sha256, made.values_sha256, 0.0
    found["weights"] = numbers["weights"], ticket.weights, 0.0
    found["kept"] = numbers["kept"], sum(kept), 0.0
    for i, (row, count) in enumerate(zip(numbers["layers"], kept, strict=True), 1):
        found[f"layer {i} kept"] = row["kept"], count, 0.0
    if target is not None:
        found["widths"] = list(ticket.widths), list(target.widths), 0.0
        found["has_bias"] = ticket.has_bias, target.has_bias, 0.0
        found["target_sha256"] = ticket.target_sha256, target_sha256(w.numpy() for w in target.weights), 0.0
    if same is not None:
        again = measured(same, made.effective, kept, eta=ticket.eta, halves=ticket.halves)
        rows = [
            (f"layer {i} ", *pair) for i, pair in enumerate(zip(numbers["layers"], again["layers"], strict=True), 1)
        ]
        for prefix, recorded, new in [("", numbers, again), *rows]:
            found[f"{prefix}within_eta"] = recorded["within_eta"], new["within_eta"], 0.0
            found[f"{prefix}max_weight_error"] = recorded["max_weight_error"], new["max_weight_error"], _CLOSE
        lower, upper = error_ends(same, made.effective, ticket)
        found["error lower"] = numbers["error"]["lower"], lower, 1e-6
        found["error upper"] = numbers["error"]["upper"], upper, 1e-6
        if ticket.kind != "layered":
            size = max(float(w.abs().max()) for w in same.weights)
            found["scale"] = ticket.scale[0], size, 0.0
    lines = [f"{name}: recorded {a}, found {b}" for name, (a, b, close) in found.items() if not _agree(a, b, close)]
    return list(found), lines


def error_ends(target: Target, effective: Effective, ticket: Ticket) -> tuple[float | None, float | None]:
    """The error at the ticket's witness, proved from below, and the certificate's upper end; None if not finite."""
    import torch

    from nets.certificate import certify
    from nets.certificate.ascent import proved_error

    domain = ticket.numbers["error"]["domain"]
    witness = torch.from_numpy(np.array(ticket.tensors["witness"], np.float64))
    networks = [w[None] for w in target.weights], [plus[None] for plus, _ in effective]
    networks[1][0] = torch.cat([effective[0][0], -effective[0][1]], -1)[None]
    lower = float(proved_error(witness[None], *networks, domain)[0]) if bool(witness.any()) else 0.0
    upper = certify(target, effective, domain=domain, starts=1, steps=0).upper
    return lower if np.isfinite(lower) else None, upper if np.isfinite(upper) else None


def _agree(recorded: Any, found: Any, close: float) -> bool:
    if recorded is None or found is None or not close:
        return bool(recorded == found)
    return bool(abs(recorded - found) <= close * max(abs(recorded), abs(found)) + 1e-14)
