"""Bits of a weight against the largest error: the limit, a plain quantiser and the codes of tickets, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nets.graph.graph import Graph
from nets.graph.parts import Part
from nets.graph.substitution import Effective, substituted
from nets.storage.coded import CODES, Stored, coded, errors_of, mask_settings, quantised, settings_of
from nets.storage.limit import estimated
from nets.tickets.numbers import weight_error
from sims.experiment import between, fresh_seed
from sims.progress import Advance, silent
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED

if TYPE_CHECKING:
    from nets.tickets.approximation import ApproximationSettings
    from nets.tickets.coding import CodeSettings

Score = Callable[[Callable[..., Any]], float]
"""How well a network does its job, from a callable that takes what the target takes."""

LEAST_ETA = 1e-6

_QUANTISED = 3e-7
"""Seconds of the quantiser for each weight."""


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes
    ----------
    etas : tuple of float
        Largest errors, each relative to the largest weight of a part, in [1e-6, 1).
    codes : tuple of str
        Of `nets.storage.coded.CODES`.
    d : int
        Weights of a block, for the code block.
    seed : int
        In [0, 2^64).
    jobs : int
        Threads.
    """

    etas: tuple[float, ...] = (0.1, 0.01, 0.001)
    codes: tuple[str, ...] = ("draw", "block", "pool")
    d: int = 4
    seed: int = field(default_factory=fresh_seed)
    jobs: int = field(default_factory=default_jobs)

    def __post_init__(self) -> None:
        for eta in self.etas:
            if not (math.isfinite(eta) and LEAST_ETA <= eta < 1):
                raise ValueError(f"eta must be in [1e-6, 1), got {eta:g}")
        for code in self.codes:
            if code not in CODES:
                raise ValueError(f"codes must be of {', '.join(CODES)}, got {code}")
        between("d", self.d, 1, 4)
        between("seed", self.seed, 0, MAX_SEED)
        between("jobs", self.jobs, 1, 4096)


def limits_of(graph: Graph, parts: Sequence[Part], etas: Sequence[float]) -> list[dict[str, Any]]:
    """What the weights of every part take at least, by the law that is estimated from them.

    Returns
    -------
    list of dict
        For every part its weights, the largest of them, the differential entropy of those that are on no atom, the
        share that is, whether all that is known, and the limit for each eta, in bits of a weight.
    """
    found = []
    for part in parts:
        law = estimated(graph.constants[part.constant])
        errors = [errors_of(graph, [part], eta)[part.constant] for eta in etas]
        found.append(
            {
                "part": part.constant,
                "kind": part.kind,
                "weights": part.weights,
                "largest": float(np.abs(graph.constants[part.constant]).max()),
                "entropy": law.entropy,
                "atoms": float(law.counts.sum()) / part.weights,
                "known": law.known,
                "limits": [law.limit(error) if error else 0.0 for error in errors],
            }
        )
    return found


def predicted_seconds(parts: Sequence[Part], asked: Comparison) -> float:
    """Time that `compare` takes on this machine without scores, good to a factor of about 4."""
    from nets.tickets import approximation, coding

    weights = sum(part.weights for part in parts)
    seconds = _QUANTISED * weights * len(asked.etas)
    for settings in _settings(asked):
        if isinstance(settings, coding.CodeSettings):
            seconds += coding.predicted_seconds(weights, settings)
        else:
            seconds += approximation.predicted_seconds(parts, settings)
    return seconds


def predicted_bytes(parts: Sequence[Part], asked: Comparison) -> float:
    """Memory that `compare` takes at its peak, about."""
    from nets.tickets import approximation, coding

    sizes = [part.weights for part in parts]
    each = [
        coding.predicted_bytes(max(sizes), sum(sizes), settings)
        if isinstance(settings, coding.CodeSettings)
        else approximation.predicted_bytes(parts, settings)
        for settings in _settings(asked)
    ]
    return 50 * sum(sizes) + max(each, default=0.0)


def _settings(asked: Comparison) -> list[ApproximationSettings | CodeSettings]:
    """Of every code and error; the masks are the same for all errors."""
    return [
        mask_settings(eta, seed=asked.seed, jobs=asked.jobs)
        if code == "mask"
        else settings_of(code, eta, d=asked.d, seed=asked.seed, jobs=asked.jobs)
        for place, eta in enumerate(asked.etas)
        for code in asked.codes
        if code != "mask" or not place
    ]


def compare(
    graph: Graph,
    parts: Sequence[Part],
    limits: Sequence[Mapping[str, Any]],
    asked: Comparison,
    *,
    score: Score | None = None,
    advance: Advance = silent,
) -> list[dict[str, Any]]:
    """Store a network in every way that is asked for.

    Parameters
    ----------
    graph : Graph
        From `nets.tickets.approximation.as_graph`.
    parts : sequence of Part
        From `nets.tickets.approximation.parts_of`.
    limits : sequence of dict
        From `limits_of`, for the same errors.
    score : callable, optional
        Tells how well the target and every decoded network do.
    advance : callable
        Reports finished weights, those of each eta and code.

    Returns
    -------
    list of dict
        A row for the target, then for every eta the limit, the quantiser and the codes. ``bits`` are those of the
        whole file for each weight, ``bare`` those without the graph and all else that stands for no weight,
        ``over_limit`` is ``bits`` without the limit; ``max_error`` is relative to the largest weight of the part.

    Examples
    --------
    >>> from nets.targets import random_target
    >>> from nets.tickets.approximation import as_graph, parts_of
    >>> graph = as_graph(random_target((30, 40, 10), seed=1))
    >>> parts, asked = parts_of(graph), Comparison(etas=(0.01,), codes=(), seed=1)
    >>> rows = compare(graph, parts, limits_of(graph, parts, asked.etas), asked)
    >>> [row["way"] for row in rows], 0 < rows[2]["bare"] - rows[1]["bits"] < 1
    (['target', 'limit', 'quantiser'], True)
    """
    weights = sum(part.weights for part in parts)
    held = sum(8 * np.asarray(graph.constants[part.constant]).nbytes for part in parts) / weights
    rows = [_row("target", None, weights, bits=held, max_error=0.0, score=_scored(score, graph, {}))]
    masks: Stored | None = None
    for place, eta in enumerate(asked.etas):
        limit = sum(one["weights"] * one["limits"][place] for one in limits) / weights
        rows.append(_row("limit", eta, weights, bits=limit))
        for way in ("quantiser", *asked.codes):
            if way == "quantiser":
                stored = quantised(graph, parts, eta)
                advance(weights, way)
            elif way == "mask" and masks is not None:
                stored = masks  # whatever eta
                advance(weights, way)
            else:
                stored = coded(graph, parts, way, eta, d=asked.d, seed=asked.seed, jobs=asked.jobs, advance=advance)
                masks = stored if way == "mask" else masks
            rows.append(_stored_row(way, eta, graph, parts, stored, limit, _scored(score, graph, stored.effective)))
    return rows


def _scored(score: Score | None, graph: Graph, effective: Effective) -> float | None:
    """The score of a graph with decoded weights in place of its own; None where nothing is scored."""
    if score is None:
        return None
    from nets.graph import GraphModule

    return score(GraphModule(substituted(graph, effective)))


def _stored_row(
    way: str, eta: float, graph: Graph, parts: Sequence[Part], stored: Stored, limit: float, score: float | None
) -> dict[str, Any]:
    weights = sum(part.weights for part in parts)
    worst = 0.0
    for part in parts:
        weight = np.asarray(graph.constants[part.constant], np.float64)
        error = weight_error(weight, stored.effective[part.constant])
        worst = max(worst, float(error.max() / (np.abs(weight).max() or 1.0)))
    exceptions = None if stored.exceptions is None else stored.exceptions / weights
    bits, bare = 8 * stored.bytes / weights, 8 * stored.weight_bytes / weights
    known = {"bare": bare, "exceptions": exceptions, "max_error": worst, "score": score, "seconds": stored.seconds}
    return _row(way, eta, weights, bits=bits, over_limit=bits - limit, **known)


def _row(way: str, eta: float | None, weights: int, **known: Any) -> dict[str, Any]:
    names = ("bits", "over_limit", "bare", "exceptions", "max_error", "score", "seconds")
    return {"eta": eta, "way": way, "weights": weights, **dict.fromkeys(names), **known}
