"""Make a ticket from a pruned network: its numbers, its packed masks, and the hashes that let others check it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nets.construction.bits import pack_positions
from nets.tickets.approximation_file import Ticket, target_sha256

_MAX_MISSED = 10

if TYPE_CHECKING:
    import torch

    from nets.certificate import Certificate
    from nets.construction.pruned import Pruned
    from nets.construction.value_sets import Chosen, ValueSets
    from nets.targets.target import Target

    Effective = list[tuple[torch.Tensor, torch.Tensor]]


def measured(
    target: Target, effective: Effective, kept: Sequence[int], *, eta: float, halves: str = "needed"
) -> dict[str, Any]:
    """Numbers of a pruned network that a ticket records, without the bracket of its error.

    Parameters
    ----------
    kept : sequence of int
        Values kept for each target layer.
    halves : {"both", "needed"}
        "needed": the minus half counts in the first layer only. A weight's error is that of its worse half.

    Returns
    -------
    dict
        ``weights kept within_eta max_weight_error layers``, as in `Ticket.numbers`.
    """
    rows = []
    for i, error in enumerate(weight_errors(target, effective, halves=halves)):
        within = int((error <= eta).sum())
        rows.append({"kept": int(kept[i]), "within_eta": within, "max_weight_error": float(error.max())})
    return {
        "weights": sum(w.numel() for w in target.weights),
        "kept": sum(row["kept"] for row in rows),
        "within_eta": sum(row["within_eta"] for row in rows),
        "max_weight_error": max(row["max_weight_error"] for row in rows),
        "layers": rows,
    }


def weight_errors(target: Target, effective: Effective, *, halves: str = "needed") -> list[torch.Tensor]:
    """Error of every effective weight, the worse of the halves that are made, one tensor (d_i, d_{i-1}) a layer."""
    import torch

    errors = []
    for i, (weight, (plus, minus)) in enumerate(zip(target.weights, effective, strict=True)):
        error = (plus - weight).abs()
        if (i == 0 or halves == "both") and minus is not plus:
            error = torch.maximum(error, (minus - weight).abs())
        errors.append(error)
    return errors


def missed_weights(target: Target, effective: Effective, eta: float) -> list[dict[str, Any]]:
    """The weights that miss eta by most, at most ten of them, with the best error that was reached."""
    missed = []
    for i, (error, weight) in enumerate(zip(weight_errors(target, effective), target.weights, strict=True), 1):
        worst = error.reshape(-1).topk(min(_MAX_MISSED, error.numel()))
        for value, place in zip(worst.values.tolist(), worst.indices.tolist(), strict=True):
            if value > eta:
                row, column = divmod(place, error.shape[1])
                missed.append(
                    {"layer": i, "row": row, "column": column, "weight": float(weight[row, column]), "error": value}
                )
    return sorted(missed, key=lambda one: -one["error"])[:_MAX_MISSED]


def layered_ticket(target: Target, pruned: Pruned, scale: Sequence[float], **recorded: Any) -> Ticket:
    """The ticket of a layered network; `recorded` holds ``signs eta numbers certificate``."""
    tensors: dict[str, Any] = {}
    source = pruned.source
    kept = [pruned.kept(layer) for layer in range(1, source.depth + 1)]
    for layer, part in enumerate(kept, 1):
        rows, cols = source.shape(layer)
        place = part.rows if layer % 2 else part.rows * cols + part.cols
        tensors[f"mask{layer}"] = pack_positions(place.numpy(), rows if layer % 2 else rows * cols)
        if source.R > 1:
            tensors[f"draws{layer}"] = part.draws.numpy().astype(np.min_scalar_type(source.R - 1))
    digest = digest_of(part.values.numpy() for part in kept)
    own: dict[str, Any] = {
        "kind": "layered",
        "construction": pruned.construction,
        "halves": pruned.halves,
        "scale": tuple(scale),
    }
    return _ticket(target, tensors, digest, seed=source.seed, n=source.n[0], R=source.R, **own, **recorded)


def sets_ticket(target: Target, sets: ValueSets, chosen: Sequence[Chosen], **recorded: Any) -> Ticket:
    """The ticket of a network of value sets; `recorded` holds ``eta numbers certificate``."""
    tensors: dict[str, Any] = {}
    digest = hashlib.sha256()
    for i, (part, weight) in enumerate(zip(chosen, target.weights, strict=True), 1):
        tensors[f"mask{i}"] = part.mask
        if sets.R > 1:
            tensors[f"draws{i}"] = part.draws
        sets.rebuild(i, (weight.shape[0], weight.shape[1]), mask=part.mask, draws=part.draws, digest=digest)
    own: dict[str, Any] = {"kind": sets.kind, "construction": "subset-sum", "halves": "both", "signs": "open"}
    scale = (float(sets.size),) * target.depth
    return _ticket(
        target, tensors, digest.hexdigest(), seed=sets.seed, n=sets.n, R=sets.R, scale=scale, **own, **recorded
    )


def _ticket(
    target: Target,
    tensors: dict[str, Any],
    digest: str,
    *,
    numbers: dict[str, Any],
    certificate: Certificate,
    **content: Any,
) -> Ticket:
    tensors["witness"] = np.array(certificate.witness)
    return Ticket(
        widths=target.widths,
        has_bias=target.has_bias,
        target_sha256=target_sha256(w.numpy() for w in target.weights),
        values_sha256=digest,
        numbers={**numbers, "error": bracket(certificate)},
        tensors=tensors,
        **content,
    )


def bracket(certificate: Certificate) -> dict[str, Any]:
    """The bracket of a certificate as a ticket records it; null where it is not finite."""
    ends = {"lower": certificate.lower, "upper": certificate.upper}
    return {**{name: end if np.isfinite(end) else None for name, end in ends.items()}, "domain": certificate.domain}


def digest_of(values: Iterable[npt.NDArray[np.float64]]) -> str:
    """SHA-256 of values as little-endian float64, array after array."""
    found = hashlib.sha256()
    for part in values:
        found.update(np.ascontiguousarray(part, "<f8").data)
    return found.hexdigest()
