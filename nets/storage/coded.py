"""Files of a network in which every weight is within its part's error, and what the parts of the file take."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nets.graph.graph import Graph
from nets.graph.parts import Part
from nets.graph.substitution import Effective
from nets.storage.quantiser import decode, encode
from sims.progress import Advance, silent

CODES = ("draw", "block", "pool", "rank", "mask")
"""Codes of a ticket, as `nets.tickets.coding.CodeSettings` has them; mask: the plain ticket of `nets.approximate`."""

MASK_N = 21
"""Random values of a weight in the plain ticket."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A network as a file holds it.

    Attributes
    ----------
    effective : dict of str to pairs of ndarray
        The decoded weights of every part, by its constant.
    bytes : int
        Of the whole file.
    weight_bytes : int
        Of what stands for the weights, with its tables; the rest are the graph, the constants that are no parts, and
        what the file says of itself.
    exceptions : int or None
        Weights that are stored as they are, since the random values did not reach them.
    seconds : float
        Of the search and the coding.
    """

    effective: Effective
    bytes: int
    weight_bytes: int
    exceptions: int | None
    seconds: float


def errors_of(graph: Graph, parts: Sequence[Part], eta: float) -> dict[str, float]:
    """Largest error of every part's weights, by its constant: eta times its largest weight."""
    return {part.constant: eta * float(np.abs(graph.constants[part.constant]).max()) for part in parts}


def quantised(graph: Graph, parts: Sequence[Part], eta: float) -> Stored:
    """The plain quantiser's file: its bytes, the graph as JSON text, and the constants that are no parts."""
    from nets.graph.text import to_plain

    started = time.monotonic()
    errors = errors_of(graph, parts, eta)
    weights = {part.constant: np.asarray(graph.constants[part.constant], np.float64) for part in parts}
    content = encode(list(weights.values()), [errors[name] for name in weights])
    made = decode(content, [part.shape for part in parts])
    rest = sum(np.asarray(value).nbytes for name, value in graph.constants.items() if name not in weights)
    text = json.dumps(to_plain(graph), separators=(",", ":")).encode()
    effective = {name: (array, array) for name, array in zip(weights, made, strict=True)}
    size = len(content) + rest + len(text)
    return Stored(effective, size, len(content), 0, time.monotonic() - started)


def coded(
    graph: Graph,
    parts: Sequence[Part],
    code: str,
    eta: float,
    *,
    d: int,
    seed: int,
    jobs: int,
    advance: Advance = silent,
) -> Stored:
    """The file of a ticket under one of `CODES`."""
    started = time.monotonic()
    found: Any
    if code == "mask":
        from nets.tickets.approximation import approximate

        least = min(error for error in errors_of(graph, parts, eta).values() if error)
        found = approximate(graph, n=MASK_N, eta=least, source="private", seed=seed, jobs=jobs, advance=advance)
    else:
        from nets.tickets.coding import CodeSettings, code_network

        found = code_network(graph, CodeSettings(code=code, eta=eta, d=d, seed=seed, jobs=jobs), advance=advance)
    ticket = found.ticket
    exact = sum(array.nbytes for name, array in ticket.tensors.items() if name.startswith(("exact", "witness")))
    held = sum(array.nbytes for array in ticket.tensors.values()) - exact
    seconds = time.monotonic() - started
    return Stored(found.effective, len(ticket.to_bytes()), held, ticket.numbers.get("exceptions"), seconds)
