"""The numbers of a ticket that speak of its weights: how many are kept, how many are within eta, how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.graph.parts import Part
from nets.graph.substitution import Effective

_MAX_MISSED = 10
Floats = npt.NDArray[np.float64]


def measured(
    parts: Sequence[Part], weights: Mapping[str, Any], effective: Effective, kept: Sequence[int], *, eta: float
) -> dict[str, Any]:
    """Counts and errors of all weights and of every part.

    Parameters
    ----------
    weights : mapping of str to array
        The target's constants.
    kept : sequence of int
        Random values kept for each part.

    Returns
    -------
    dict
        ``weights kept within_eta max_weight_error parts``, as in `nets.tickets.Ticket.numbers`. A weight's error is
        that of its worse half.
    """
    rows = []
    for part, count in zip(parts, kept, strict=True):
        error = weight_error(weights[part.constant], effective[part.constant])
        within = int((error <= eta).sum())
        rows.append({"kept": int(count), "within_eta": within, "max_weight_error": float(error.max())})
    return {
        "weights": sum(part.weights for part in parts),
        "kept": sum(row["kept"] for row in rows),
        "within_eta": sum(row["within_eta"] for row in rows),
        "max_weight_error": max(row["max_weight_error"] for row in rows),
        "parts": rows,
    }


def weight_error(weight: Any, made: tuple[Floats, Floats]) -> Floats:
    """Error of every effective weight, the worse of its halves; shape of the constant."""
    plus, minus = made
    error: Floats = np.abs(plus - weight)
    return error if minus is plus else np.maximum(error, np.abs(minus - weight))


def missed_weights(
    parts: Sequence[Part], weights: Mapping[str, Any], effective: Effective, *, eta: float
) -> list[dict[str, Any]]:
    """The weights that miss eta by most, at most ten of them, with the best error that was reached."""
    missed: list[dict[str, Any]] = []
    for part in parts:
        error = weight_error(weights[part.constant], effective[part.constant]).reshape(-1)
        many = min(_MAX_MISSED, error.size)
        for place in np.argpartition(error, -many)[-many:].tolist():
            if error[place] > eta:
                where = [int(i) for i in np.unravel_index(place, part.shape)]
                weight = float(np.asarray(weights[part.constant]).reshape(-1)[place])
                missed.append({"part": part.constant, "index": where, "weight": weight, "error": float(error[place])})
    return sorted(missed, key=lambda one: float(one["error"]), reverse=True)[:_MAX_MISSED]
