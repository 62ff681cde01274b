"""Tickets: a pruned random network as its seed and its masks; made, written, rebuilt and checked.

Names are loaded when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nets.tickets.approximation import (
        Approximation,
        ApproximationSettings,
        approximate,
        approximate_by_code,
    )
    from nets.tickets.approximation_file import Ticket, read_ticket, save_ticket
    from nets.tickets.coded_file import CodedTicket
    from nets.tickets.coding import CodedNetwork, CodeSettings, code_network
    from nets.tickets.fields import GENERATOR
    from nets.tickets.file import TicketError
    from nets.tickets.layers import random_layers
    from nets.tickets.network import PrunedNetwork, load_ticket, rebuild
    from nets.tickets.verification import verify

_PLACES = {
    "approximation": ("Approximation", "ApproximationSettings", "approximate", "approximate_by_code"),
    "approximation_file": ("Ticket", "read_ticket", "save_ticket"),
    "coded_file": ("CodedTicket",),
    "coding": ("CodeSettings", "CodedNetwork", "code_network"),
    "fields": ("GENERATOR",),
    "file": ("TicketError",),
    "layers": ("random_layers",),
    "network": ("PrunedNetwork", "load_ticket", "rebuild"),
    "verification": ("verify",),
}

__all__ = [
    "GENERATOR",
    "Approximation",
    "ApproximationSettings",
    "CodeSettings",
    "CodedNetwork",
    "CodedTicket",
    "PrunedNetwork",
    "Ticket",
    "TicketError",
    "approximate",
    "approximate_by_code",
    "code_network",
    "load_ticket",
    "random_layers",
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
