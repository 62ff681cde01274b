"""What the masks of found tickets cost, beside the entropy of their densities, and which knowledge saves how much."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nets.construction.bits import unpack
from nets.tickets.found_code import coded, known_weights
from nets.tickets.found_file import FoundTicket
from nets.tickets.mask_code import encode_bits
from nets.tickets.mask_known import ZONES, Known

STEPS = ("no_scores", "scores", "lines", "sizes", "signs")
"""What a mask takes with all but the first scores, with these alone, with rows and columns too, with the sizes of the
first draws too, and with their signs too: with all that `nets.tickets.found_code` uses."""


def entropy_bits(ticket: FoundTicket) -> float:
    """Bits of masks of which no more is known than the density of each layer: H2(density) for each weight."""
    return sum(layer.numel * coin_bits(layer.n_keep / layer.numel) for layer in ticket.layers)


def coin_bits(share: float) -> float:
    """H2: bits of one coin that shows its head with this probability.

    Examples
    --------
    >>> coin_bits(0.5), coin_bits(1.0), round(coin_bits(0.1), 3)
    (1.0, 0.0, 0.469)
    """
    return sum(-part * math.log2(part) for part in (share, 1 - share) if part)


def knowledge(every: Known) -> dict[str, Known]:
    """The same weights with less known of them, by the names of `STEPS`.

    Examples
    --------
    >>> from nets.tickets.mask_known import known
    >>> layer = known(shape=(2, 2), n_keep=2, seed=1, weights=1, score_seed=1, scores=2, signed=False)
    >>> found = knowledge(layer)
    >>> found["no_scores"].zone.tolist(), found["scores"].row.tolist(), found["signs"] is layer
    ([12, 12, 12, 12], [0, 0, 0, 0], True)
    """
    sizes = replace(every, negative=0 * every.negative)
    lines = replace(sizes, size=0 * sizes.size)
    return {
        "no_scores": replace(every, zone=0 * every.zone + ZONES // 2, guess=0 * every.guess),
        "scores": replace(lines, row=0 * lines.row, column=0 * lines.column),
        "lines": lines,
        "sizes": sizes,
        "signs": every,
    }


def mask_row(run: str, ticket: FoundTicket) -> dict[str, Any]:
    """What the masks of a ticket take in bits per weight.

    Parameters
    ----------
    run : str
        Its name.

    Returns
    -------
    dict
        The run and its settings; entropy: H2(density); the names of `STEPS`: whole words of the code; masks, values,
        file: what a file of the ticket takes, the smaller of code and plain bits in each layer.
    """
    bits = dict.fromkeys(STEPS, 0)
    for place, layer in enumerate(ticket.layers):
        mask = unpack(ticket.packed_mask(layer.name), layer.numel)
        for step, known in knowledge(known_weights(ticket, place, layer)).items():
            bits[step] += 8 * encode_bits(known, mask).nbytes
    sizes = {name.removeprefix("coded."): 8 * array.nbytes for name, array in coded(ticket).items()}
    masks = {f"mask.{layer.name}" for layer in ticket.layers}
    values = {name for layer in ticket.layers for name in layer.tensors} - masks
    bits |= {"masks": sum(sizes[name] for name in masks), "values": sum(sizes[name] for name in values)}
    bits["file"] = 8 * len(ticket.to_bytes())
    own = ("method", "arch", "data", "density", "width", "init", "seed", "epochs")
    return {
        "run": run,
        **{name: ticket.params.get(name) for name in own},
        "weights": ticket.weights,
        "entropy": entropy_bits(ticket) / ticket.weights,
        **{name: count / ticket.weights for name, count in bits.items()},
    }


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """A table of `mask_row`, in bits per weight.

    Examples
    --------
    >>> row = {"data": "digits", "method": "iterand", "density": 0.5, "entropy": 1.0, **dict.fromkeys(STEPS, 0.4)}
    >>> print(markdown([{**row, "masks": 0.4, "values": 0.0625, "file": 0.86}]).splitlines()[2])
    | digits | iterand | 0.5 | 1.000 | 0.400 | 0.400 | 0.400 | 0.400 | 0.400 | 0.400 | 0.062 | 0.860 |
    """
    names = ("entropy", *STEPS, "masks", "values", "file")
    steps = ["H2(density)", "without scores", "scores alone", "+ rows, columns", "+ sizes", "+ signs"]
    heads = [*steps, "masks in the file", "values in the file", "file"]
    lines = [f"| data | method | density | {' | '.join(heads)} |", "|---|---|" + "--:|" * (1 + len(heads))]
    for row in rows:
        cells = " | ".join(f"{row[name]:.3f}" for name in names)
        lines.append(f"| {row['data'] or row['run']} | {row['method']} | {row['density']} | {cells} |")
    return "\n".join(lines)
