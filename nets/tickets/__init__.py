"""Tickets: a pruned random network as its seed and its masks; made, written, rebuilt and checked.

Names are loaded when they are asked for: reading what a ticket holds needs no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nets.tickets.approximation import Approximation, ApproximationSettings, approximate
    from nets.tickets.approximation_file import GENERATOR, Ticket, read_ticket, save_ticket
    from nets.tickets.file import TicketError
    from nets.tickets.rebuilt import Rebuilt, load_ticket, rebuild
    from nets.tickets.verification import verify

_PLACES = {
    "approximation": ("Approximation", "ApproximationSettings", "approximate"),
    "approximation_file": ("GENERATOR", "Ticket", "read_ticket", "save_ticket"),
    "file": ("TicketError",),
    "rebuilt": ("Rebuilt", "load_ticket", "rebuild"),
    "verification": ("verify",),
}

__all__ = [
    "GENERATOR",
    "Approximation",
    "ApproximationSettings",
    "Rebuilt",
    "Ticket",
    "TicketError",
    "approximate",
    "load_ticket",
    "read_ticket",
    "rebuild",
    "save_ticket",
    "verify",
]


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"nets.tickets.{module}"), name)
    raise AttributeError(f"module 'nets.tickets' has no attribute {name!r}")
