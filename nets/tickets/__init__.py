"""Tickets: files that hold a pruned random network as its seed and its masks."""

from nets.tickets.approximation_file import GENERATOR, Ticket, read_ticket, save_ticket
from nets.tickets.file import TicketError
from nets.tickets.rebuilt import Rebuilt, load_ticket, rebuild
from nets.tickets.verification import verify

__all__ = [
    "GENERATOR",
    "Rebuilt",
    "Ticket",
    "TicketError",
    "load_ticket",
    "read_ticket",
    "rebuild",
    "save_ticket",
    "verify",
]
