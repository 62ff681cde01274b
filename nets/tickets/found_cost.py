"""What a found ticket costs, and where its bits go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nets.tickets.file import tensor_bytes
from nets.tickets.found_code import CODED
from nets.tickets.found_file import FoundTicket, read_found
from nets.tickets.mask_bits import entropy_bits


def storage(ticket: FoundTicket, size: int) -> dict[str, Any]:
    """What a ticket costs, for a file of `size` bytes.

    Returns
    -------
    dict
        weights, kept; storage: where the kept weights come from, by layer kinds; bytes and bits_per_weight of the whole
        file.
    """
    kinds = [kind for kind in ("seed", "signs", "history", "floats") if any(kind == x.values for x in ticket.layers)]
    return {
        "weights": ticket.weights,
        "kept": ticket.kept,
        "storage": "+".join(["masks", *kinds]),
        "bytes": size,
        "bits_per_weight": 8 * size / ticket.weights,
    }


def describe(path: str | Path) -> dict[str, Any]:
    """What ``info`` prints: `storage`, and where the bits of the file go.

    Raises
    ------
    TicketError
        If the file is no found ticket.
    """
    path = Path(path)
    ticket = read_found(path)
    groups = {"mask": ("mask",), "value": ("signs", "moved", "draws", "origins", "floats"), "rest": ("rest", "buffer")}
    stored = tensor_bytes(path)
    bits = {
        name: 8 * sum(size for key, size in stored.items() if key.removeprefix(CODED).split(".", 1)[0] in prefixes)
        for name, prefixes in groups.items()
    }
    own = ("method", "arch", "data", "width", "density", "init", "scale", "seed", "score_seed", "epochs")
    return {
        **{name: ticket.params.get(name) for name in own if name in ticket.params or ticket.shape is not None},
        **({} if ticket.shape is not None else {"builder": ticket.builder, "arguments": ticket.arguments}),
        **storage(ticket, path.stat().st_size),
        **{f"{name}_bits_per_weight": count / ticket.weights for name, count in bits.items()},
        "mask_entropy_bits_per_weight": entropy_bits(ticket) / ticket.weights,
        "events": ticket.events,
        "event_masks_bits_per_weight": ticket.events + 1,
        "values_sha256": ticket.values_sha256,
        "layers": [
            {
                "name": x.name,
                "shape": list(x.shape),
                "kept": x.n_keep,
                "values": x.values,
                "dtype": x.dtype,
                "mask_bits_per_weight": 8
                * (stored.get(f"mask.{x.name}", 0) + stored.get(f"{CODED}mask.{x.name}", 0))
                / x.numel,
            }
            for x in ticket.layers
        ],
        **ticket.made_with,
    }
