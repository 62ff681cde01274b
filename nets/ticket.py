"""Tickets: rebuild the network from one, check it, and say what it costs.

``python -m nets.ticket verify FILE [--target T]`` regenerates every kept value from the seed and re-checks every number
that the file records; ``python -m nets.ticket info FILE`` prints what the ticket holds and its bits per target weight.
The file format is that of `nets.tickets.approximation_file`.
"""

from __future__ import annotations

import json as json_text
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tyro

from nets.tickets import Ticket, read_ticket, verify
from sims.commands import flags
from sims.commands.dispatch import Verb, dispatch


@dataclass(frozen=True)
class Verify:
    """Regenerate everything in a ticket from its seed and re-check every recorded number."""

    examples: ClassVar[tuple[str, ...]] = ("python -m nets.ticket verify ticket.safetensors --target mlp.pt",)

    file: Annotated[flags.File, tyro.conf.Positional]
    """The ticket (.safetensors)."""
    target: flags.OptionalFile = None
    """The network that the ticket stands for (a file, or digits): its errors are re-checked too."""
    json: bool = False
    """Print the result as JSON and nothing else."""


@dataclass(frozen=True)
class Info:
    """What a ticket holds and what it costs."""

    examples: ClassVar[tuple[str, ...]] = ("python -m nets.ticket info ticket.safetensors",)

    file: Annotated[flags.File, tyro.conf.Positional]
    """The ticket (.safetensors)."""
    json: bool = False
    """Print the result as JSON and nothing else."""


def _verify(given: Verify) -> int:
    ticket, target = read_ticket(given.file), None
    if given.target is not None:
        from nets.targets.files import load_target

        target = load_target(given.target)
    checked, lines = verify(ticket, target=target)
    if given.json:
        content = {"schema": "strong-tickets/nets.ticket/1", "file": given.file, "target": given.target}
        print(json_text.dumps({**content, "checked": checked, "mismatches": lines, "ok": not lines}, indent=1))
    else:
        rest = "" if target is not None else "; numbers about the target need --target"
        for line in lines:
            print(line)
        print(f"{given.file}: {len(checked)} numbers checked, {len(lines)} differ{rest}")
    return 1 if lines else 0


def describe(ticket: Ticket, size: int) -> dict[str, Any]:
    """What ``info`` prints, for a file of `size` bytes."""
    bits = sum(ticket.mask_bits.values())
    draws = sum(array.nbytes for name, array in ticket.tensors.items() if name.startswith("draws"))
    own = [
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
    ]
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


def _info(given: Info) -> int:
    ticket = read_ticket(given.file)
    content = describe(ticket, os.path.getsize(given.file))
    if given.json:
        print(json_text.dumps({"schema": "strong-tickets/nets.ticket/1", "file": given.file, **content}, indent=1))
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


VERBS = {"verify": Verb(Verify, _verify), "info": Verb(Info, _info)}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return dispatch("python -m nets.ticket", VERBS, argv, about=__doc__ or "")


if __name__ == "__main__":
    sys.exit(main())
