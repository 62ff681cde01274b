"""The search for subnetworks: random weights are frozen, scores are trained, and the highest scores are kept.

``from nets.search import find_tickets`` converts a model; `nets.search.methods` holds the methods, one a file. What was
found leaves by `fold`, `export_onnx` and `export_ticket`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nets.search.export import export_onnx
    from nets.search.find import find_tickets
    from nets.search.folding import fold
    from nets.search.layer import from_linear, masked_weight_of, to_linear
    from nets.search.search import TicketSearch
    from nets.search.ticket import export_ticket, load_ticket

_PLACES = {
    "TicketSearch": "search",
    "export_onnx": "export",
    "export_ticket": "ticket",
    "find_tickets": "find",
    "fold": "folding",
    "from_linear": "layer",
    "load_ticket": "ticket",
    "masked_weight_of": "layer",
    "to_linear": "layer",
}
__all__ = [
    "TicketSearch",
    "export_onnx",
    "export_ticket",
    "find_tickets",
    "fold",
    "from_linear",
    "load_ticket",
    "masked_weight_of",
    "to_linear",
]


def __getattr__(name: str) -> Any:
    """PyTorch is imported with the first use of a name, not with the table of methods that commands show."""
    if name in _PLACES:
        return getattr(import_module(f"nets.search.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
