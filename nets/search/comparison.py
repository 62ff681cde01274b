"""Masks of several runs compared pair by pair, layer by layer and in total, beside what chance alone would give.

Source: the analysis of Gorbett and Whitley 2023 (bibliography key ``gorbett2023recycling``), whose code (read) adds the
intersection twice into the total Jaccard index, and takes mirrored positions for the removed weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nets.search.mask_similarity import Overlap, Packed, overlap, pairs, together

TOTAL = "total"
MEANS = ("agreement", "agreement_chance", "jaccard", "jaccard_chance", "kappa")


@dataclass(frozen=True)
class MaskSet:
    """The masks of one run.

    Attributes
    ----------
    name : str
        As the user wrote it.
    masks : dict of ndarray of uint8
        Packed as in `nets.construction.mask.Mask.pack`, by the layer's name.
    shapes : dict of tuple
    norms : dict of (float, float)
        Frobenius norms of kept and removed weights; empty where the weights are not at hand.
    """

    name: str
    masks: Mapping[str, Packed]
    shapes: Mapping[str, tuple[int, ...]]
    norms: Mapping[str, tuple[float, float]]


def compare(sets: Sequence[MaskSet]) -> list[dict[str, Any]]:
    """Rows of every pair and layer, the total of all layers last.

    Parameters
    ----------
    sets : sequence of MaskSet, at least two

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If two runs have different layers.
    """
    first = sets[0]
    for other in sets[1:]:
        if other.shapes != first.shapes:
            odd = sorted(set(first.shapes.items()) ^ set(other.shapes.items()))
            raise ValueError(f"{first.name} and {other.name} are networks with different layers ({odd[0]})")
    rows = []
    for i, j in pairs(len(sets)):
        a, b = sets[i], sets[j]
        layers = {name: overlap(a.masks[name], b.masks[name], int(np.prod(shape))) for name, shape in a.shapes.items()}
        for name, found in [*layers.items(), (TOTAL, together(layers.values()))]:
            rows.append({"a": a.name, "b": b.name, "layer": name, **numbers(found), **_norms(a, b, name)})
    return rows


def numbers(found: Overlap) -> dict[str, Any]:
    """All measures of one comparison."""
    return {
        "weights": found.n,
        "kept_a": found.kept_a,
        "kept_b": found.kept_b,
        "kept_both": found.both,
        "agreement": found.agreement,
        "agreement_chance": found.agreement_chance,
        "jaccard": found.jaccard,
        "jaccard_at_mean": found.jaccard_at_mean,
        "jaccard_chance": found.jaccard_chance,
        "kappa": found.kappa,
        "z": found.z,
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For every layer and the total: mean, lowest and highest value of each measure over the pairs."""
    out = []
    for name in dict.fromkeys(row["layer"] for row in rows):
        mine = [row for row in rows if row["layer"] == name]
        line: dict[str, Any] = {"layer": name, "weights": mine[0]["weights"], "pairs": len(mine)}
        for key in MEANS:
            values = [row[key] for row in mine]
            line |= {key: float(np.mean(values)), f"{key}_min": min(values), f"{key}_max": max(values)}
        out.append(line)
    return out


def _norms(a: MaskSet, b: MaskSet, layer: str) -> dict[str, float | None]:
    found = {}
    for side, one in (("a", a), ("b", b)):
        squares: Any = None
        if one.norms:
            chosen = one.norms.values() if layer == TOTAL else [one.norms[layer]]
            squares = np.square(list(chosen)).sum(axis=0)
        for place, kind in enumerate(("kept", "removed")):
            found[f"norm_{kind}_{side}"] = None if squares is None else float(np.sqrt(squares[place]))
    return found
