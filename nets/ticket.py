"""Tickets: make one from a pruned network, rebuild the network from it, check it, and say what it costs.

``python -m nets.ticket verify FILE [--target T]`` regenerates every kept value from the seed and re-checks every number
that the file records; ``python -m nets.ticket info FILE`` prints what the ticket holds and its bits per target weight.
The file format is that of `nets.tickets.approximation_file`.
"""

from __future__ import annotations

import hashlib
import json as json_text
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from nets.tickets.approximation_file import (
    GENERATOR,
    Ticket,
    read_ticket,
    save_ticket,
    target_sha256,
    unpack_positions,
)
from nets.tickets.file import TicketError
from nets.tickets.make import digest_of, measured
from sims.commands import cli

if TYPE_CHECKING:
    import torch

    from nets.construction.pruned import Pruned
    from nets.targets.target import Target
    from nets.tickets.make import Effective

__all__ = ["GENERATOR", "Rebuilt", "Ticket", "TicketError", "load_ticket", "rebuild", "save_ticket", "verify"]

_CLOSE = 1e-9
"""Relative difference that is put down to another machine's order of summation in the certificate."""


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A pruned random network made again from its ticket.

    Attributes
    ----------
    ticket : Ticket
    effective : list of l pairs (W_plus, W_minus) of float64 tensors, shape (d_i, d_{i-1})
        In the target's units, `Ticket.scale` included; layer i acts as W_plus s(h) - W_minus s(-h).
    pruned : Pruned or None
        layered: the network mask * source itself, whose output times the product of `Ticket.scale` is the network's.
        Its `weights` are NaN unless the target was given.
    values_sha256 : str
    """

    ticket: Ticket
    effective: Effective
    pruned: Pruned | None
    values_sha256: str

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Evaluate the network by its effective weights on inputs (..., d_0), lifted if there is a bias."""
        return evaluate(self.effective, x)


def load_ticket(path: Any, *, target: Target | None = None) -> Rebuilt:
    """Read a ticket file and rebuild its network from the seed.

    Parameters
    ----------
    path : str or Path
    target : Target, optional
        Only needed for the errors that `Rebuilt.pruned` can report.

    Returns
    -------
    Rebuilt

    Raises
    ------
    TicketError
        As `nets.tickets.approximation_file.read_ticket`; also if a kept weight hangs on a neuron that is removed.
    """
    return rebuild(read_ticket(path), target=target)


def evaluate(effective: Effective, x: torch.Tensor) -> torch.Tensor:
    """Output of a network given by its effective weights, for x of shape (..., d_0)."""
    import torch

    hidden = x.double()
    for i, (plus, minus) in enumerate(effective):
        if i == 0 and minus is not plus:
            hidden = torch.relu(hidden) @ plus.T - torch.relu(-hidden) @ minus.T
        else:
            hidden = (torch.relu(hidden) if i else hidden) @ plus.T
    return hidden


def rebuild(ticket: Ticket, *, target: Target | None = None) -> Rebuilt:
    """Make every kept value of a ticket again; see `load_ticket`."""
    import torch

    if ticket.kind == "layered":
        return _rebuild_layered(ticket, target)
    from nets.construction.value_sets import ValueSets

    sets = ValueSets(ticket.kind, seed=ticket.seed, n=ticket.n, R=ticket.R, size=ticket.scale[0])
    digest = hashlib.sha256()
    effective = []
    for i, shape in enumerate(ticket.shapes, 1):
        draws = ticket.tensors.get(f"draws{i}", np.empty(0, np.uint8))
        weight = torch.from_numpy(sets.rebuild(i, shape, mask=ticket.tensors[f"mask{i}"], draws=draws, digest=digest))
        effective.append((weight, weight))
    return Rebuilt(ticket, effective, None, digest.hexdigest())


def _rebuild_layered(ticket: Ticket, target: Target | None) -> Rebuilt:
    import torch

    from nets.construction.pruned import Kept, Pruned
    from nets.construction.source import Source

    source = Source(ticket.widths, ticket.n, seed=ticket.seed, R=ticket.R)
    kept = []
    for layer in range(1, source.depth + 1):
        place = unpack_positions(ticket.tensors[f"mask{layer}"])
        if layer % 2:
            rows, cols = place, place // (2 * ticket.n)
        else:
            rows, cols = np.divmod(place, source.shape(layer)[1])
            if not np.isin(cols, kept[-1].rows.numpy()).all():
                raise TicketError(f"mask{layer} keeps a weight of a neuron that mask{layer - 1} removes")
        draws = ticket.tensors[f"draws{layer}"].astype(np.int64) if ticket.R > 1 else np.zeros(len(place), np.int64)
        values = source.element(layer, source.flat(layer, rows, cols), draw=draws)
        kept.append(Kept(*(torch.from_numpy(part) for part in (rows, cols, draws, values))))
    nothing = [torch.full(shape, torch.nan, dtype=torch.float64) for shape in ticket.shapes]
    weights = nothing if target is None else [w / c for w, c in zip(target.weights, ticket.scale, strict=True)]
    pruned = Pruned(source, weights, kept, construction=ticket.construction, halves=ticket.halves)
    effective = [(c * plus, c * minus) for c, (plus, minus) in zip(ticket.scale, pruned.effective(), strict=True)]
    return Rebuilt(ticket, effective, pruned, digest_of(part.values.numpy() for part in kept))


def verify(ticket: Ticket, *, target: Target | None = None) -> tuple[list[str], list[str]]:
    """Rebuild a ticket's network and compare every recorded number with what is found.

    Parameters
    ----------
    ticket : Ticket
    target : Target, optional
        Without it, the numbers that speak of the target are left alone.

    Returns
    -------
    checked : list of str
        Names of the numbers that were compared.
    mismatches : list of str
        One line each; empty if all is well.

    Raises
    ------
    TicketError
        As `load_ticket`.
    """
    from nets.construction.value_sets import KINDS

    found: dict[str, tuple[Any, Any, float]] = {}
    numbers = ticket.numbers
    same_shape = target is not None and target.widths == ticket.widths
    made = rebuild(ticket, target=target if same_shape else None)
    step = 1 if ticket.kind in KINDS else 2
    counts = list(ticket.kept().values())
    kept = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    found["values_sha256"] = ticket.values_sha256, made.values_sha256, 0.0
    found["weights"] = numbers["weights"], ticket.weights, 0.0
    found["kept"] = numbers["kept"], sum(kept), 0.0
    for i, (row, count) in enumerate(zip(numbers["layers"], kept, strict=True), 1):
        found[f"layer {i} kept"] = row["kept"], count, 0.0
    if target is not None:
        found["widths"] = list(ticket.widths), list(target.widths), 0.0
        found["has_bias"] = ticket.has_bias, target.has_bias, 0.0
        found["target_sha256"] = ticket.target_sha256, target_sha256(w.numpy() for w in target.weights), 0.0
    if same_shape:
        again = measured(target, made.effective, kept, eta=ticket.eta, halves=ticket.halves)
        rows = [
            (f"layer {i} ", *pair) for i, pair in enumerate(zip(numbers["layers"], again["layers"], strict=True), 1)
        ]
        for prefix, recorded, new in [("", numbers, again), *rows]:
            found[f"{prefix}within_eta"] = recorded["within_eta"], new["within_eta"], 0.0
            found[f"{prefix}max_weight_error"] = recorded["max_weight_error"], new["max_weight_error"], _CLOSE
        lower, upper = error_ends(target, made.effective, ticket)
        found["error lower"] = numbers["error"]["lower"], lower, 1e-6
        found["error upper"] = numbers["error"]["upper"], upper, 1e-6
        if ticket.kind != "layered":
            size = max(float(w.abs().max()) for w in target.weights)
            found["scale"] = ticket.scale[0], size, 0.0
    lines = [f"{name}: recorded {a}, found {b}" for name, (a, b, close) in found.items() if not _agree(a, b, close)]
    return list(found), lines


def error_ends(target: Target, effective: Effective, ticket: Ticket) -> tuple[float | None, float | None]:
    """The error at the ticket's witness, proved from below, and the certificate's upper end; None if not finite."""
    import torch

    from nets.certificate import certify
    from nets.certificate.ascent import proved_error

    domain = ticket.numbers["error"]["domain"]
    witness = torch.from_numpy(np.array(ticket.tensors["witness"], np.float64))
    networks = [w[None] for w in target.weights], [plus[None] for plus, _ in effective]
    networks[1][0] = torch.cat([effective[0][0], -effective[0][1]], -1)[None]
    lower = float(proved_error(witness[None], *networks, domain)[0]) if bool(witness.any()) else 0.0
    upper = certify(target, effective, domain=domain, starts=1, steps=0).upper
    return lower if np.isfinite(lower) else None, upper if np.isfinite(upper) else None


def _agree(recorded: Any, found: Any, close: float) -> bool:
    if recorded is None or found is None or not close:
        return bool(recorded == found)
    return abs(recorded - found) <= close * max(abs(recorded), abs(found)) + 1e-14


@dataclass(frozen=True)
class Verify:
    """Regenerate everything in a ticket from its seed and re-check every recorded number."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """The ticket (.safetensors)."""
    target: Annotated[str | None, tyro.conf.arg(metavar="FILE|digits")] = None
    """The network that the ticket stands for: its errors are re-checked too."""
    json: bool = False
    """Print the result as JSON and nothing else."""


@dataclass(frozen=True)
class Info:
    """What a ticket holds and what it costs."""

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """The ticket (.safetensors)."""
    json: bool = False
    """Print the result as JSON and nothing else."""


def work(argv: Sequence[str] | None) -> int:
    """Run ``verify`` or ``info``; returns the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    command = args[0] if args else ""
    if command in ("-h", "--help"):
        print(
            "usage: python -m nets.ticket verify FILE [--target T] [--json]\n"
            "       python -m nets.ticket info FILE [--json]"
        )
        return 0
    if command == "--version":
        cli.parse(Info, args, prog="python -m nets.ticket")
    if command not in ("verify", "info"):
        raise cli.UsageError(f"expected verify FILE or info FILE, got {command!r} (see python -m nets.ticket --help)")
    flags = cli.parse(Verify if command == "verify" else Info, args[1:], prog=f"python -m nets.ticket {command}")
    ticket = read_ticket(flags.file)
    return _verify(ticket, flags) if isinstance(flags, Verify) else _info(ticket, flags)


def _verify(ticket: Ticket, flags: Verify) -> int:
    target = None
    if flags.target is not None:
        from nets.targets.files import load_target

        target = load_target(flags.target)
    checked, lines = verify(ticket, target=target)
    if flags.json:
        content = {"schema": "strong-tickets/nets.ticket/1", "file": flags.file, "target": flags.target}
        print(json_text.dumps({**content, "checked": checked, "mismatches": lines, "ok": not lines}, indent=1))
    else:
        rest = "" if target is not None else "; numbers about the target need --target"
        for line in lines:
            print(line)
        print(f"{flags.file}: {len(checked)} numbers checked, {len(lines)} differ{rest}")
    return 1 if lines else 0


def describe(ticket: Ticket, size: int) -> dict[str, Any]:
    """What ``info`` prints, for a file of `size` bytes."""
    bits = sum(ticket.mask_bits.values())
    draws = sum(array.nbytes for name, array in ticket.tensors.items() if name.startswith("draws"))
    own = (
        "kind",
        "construction",
        "signs",
        "halves",
        "generator",
        "seed",
        "widths",
        "has_bias",
        "n",
        "R",
        "scale",
        "eta",
    )
    return {
        **{name: getattr(ticket, name) for name in own},
        "weights": ticket.weights,
        "kept": ticket.numbers["kept"],
        "kept_by_mask": ticket.kept(),
        "file_bytes": size,
        "bits_per_weight": 8 * size / ticket.weights,
        "mask_bits_per_weight": bits / ticket.weights,
        "draw_bits_per_weight": 8 * draws / ticket.weights,
        "target_sha256": ticket.target_sha256,
        "numbers": ticket.numbers,
    }


def _info(ticket: Ticket, flags: Info) -> int:
    import os

    content = describe(ticket, os.path.getsize(flags.file))
    if flags.json:
        print(json_text.dumps({"schema": "strong-tickets/nets.ticket/1", "file": flags.file, **content}, indent=1))
        return 0
    for name, value in content.items():
        if name != "numbers":
            text = " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            text = " ".join(map(str, value)) if isinstance(value, tuple) else text
            print(f"{name:>21}  {text:.6g}" if isinstance(value, float) else f"{name:>21}  {text}")
    error = ticket.numbers["error"]
    print(f"{'within eta':>21}  {ticket.numbers['within_eta']} of {ticket.weights}")
    print(f"{'max weight error':>21}  {ticket.numbers['max_weight_error']:.6g}")
    print(f"{'network error':>21}  [{error['lower']}, {error['upper']}] on the {error['domain']} ball")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
