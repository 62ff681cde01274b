"""Files of a network in which every weight is within its part's error, and what the parts of the file take."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nets.graph.graph import Graph
from nets.graph.parts import Part
from nets.graph.substitution import Effective
from nets.storage.quantiser import decode, encode
from sims.progress import Advance, silent

if TYPE_CHECKING:
    from nets.tickets.approximation import ApproximationSettings
    from nets.tickets.coding import CodeSettings

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
    """The plain quantiser's file, of the form of a coded ticket (`nets.tickets.coded_file`)."""
    from nets.graph.text import to_plain
    from nets.tickets.file import file_bytes

    started = time.monotonic()
    errors = errors_of(graph, parts, eta)
    weights = {part.constant: np.asarray(graph.constants[part.constant], np.float64) for part in parts}
    content = encode(list(weights.values()), [errors[name] for name in weights])
    made = decode(content, [part.shape for part in parts])
    rest = {name: np.asarray(array) for name, array in graph.constants.items() if name not in weights}
    sides = {part.constant: part.shape for part in parts} | {name: array.shape for name, array in rest.items()}
    texts = {
        "meta": zlib.compress(json.dumps([to_plain(graph), sides]).encode(), 9),
        "exact": zlib.compress(b"".join(array.tobytes() for array in rest.values()), 9),
        "code": content,
    }
    held = file_bytes("strong-tickets/quantised/1", "", {key: np.frombuffer(x, np.uint8) for key, x in texts.items()})
    effective = {name: (array, array) for name, array in zip(weights, made, strict=True)}
    return Stored(effective, len(held), len(content), 0, time.monotonic() - started)


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
    if code == "mask":
        from nets.tickets.approximation import approximate

        plain = approximate(graph, advance=advance, **asdict(mask_settings(eta, seed=seed, jobs=jobs)))
        masks = sum((MASK_N * part.weights + 7) // 8 for part in parts)
        return Stored(plain.effective, len(plain.ticket.to_bytes()), masks, None, time.monotonic() - started)
    from nets.tickets.coding import code_network

    found = code_network(graph, settings_of(code, eta, d=d, seed=seed, jobs=jobs), advance=advance)
    size, held = len(found.ticket.to_bytes()), sum(part.bytes for part in found.ticket.parts)
    return Stored(found.effective, size, held, found.ticket.numbers["exceptions"], time.monotonic() - started)


def mask_settings(eta: float, *, seed: int, jobs: int) -> ApproximationSettings:
    """The settings of the plain ticket; its eta is not relative, and its masks do not depend on it."""
    from nets.tickets.approximation import ApproximationSettings

    return ApproximationSettings(n=MASK_N, eta=eta, source="private", seed=seed, jobs=jobs)


def settings_of(code: str, eta: float, *, d: int, seed: int, jobs: int) -> CodeSettings:
    """The settings of a code that is not the mask."""
    from nets.tickets.coding import CodeSettings

    return CodeSettings(code=cast("Any", code), eta=eta, d=d, seed=seed, jobs=jobs)
