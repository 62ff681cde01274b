"""The search for subnetworks: random weights are frozen, scores are trained, and the highest scores are kept.

``from nets.search import find_tickets`` converts a model; `nets.search.methods` holds the methods, one a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nets.search.find import find_tickets
    from nets.search.search import TicketSearch

__all__ = ["TicketSearch", "find_tickets"]


def __getattr__(name: str) -> Any:
    """PyTorch is imported with the first use of a name, not with the table of methods that commands show."""
    if name == "find_tickets":
        from nets.search.find import find_tickets

        return find_tickets
    if name == "TicketSearch":
        from nets.search.search import TicketSearch

        return TicketSearch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
