"""Found tickets from the command line: what one holds and costs, whether it is right, and what the masks of many cost.

``python -m nets.found_ticket info FILE`` says what a ticket holds and costs, ``verify FILE`` makes the network again
(with ``--build module:function`` that of any model) and compares every kept weight and the recorded outputs, ``masks
FILE ...`` prints a table of bits per weight. The file is that of `nets.tickets.found_file`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from sims.commands import flags
from sims.commands.dispatch import Verb, dispatch
from sims.statistics.result import Result, print_json, provenance

if TYPE_CHECKING:
    from nets.tickets.found_file import FoundTicket

_NOT_BOUND = {
    3: "; not checked in files of version 3: what the network does not depend on",
    2: "; not checked in files of version 2: where weights of one value are, and what the network does not depend on",
    1: "; not checked in files of version 1: where weights of one value are, and what the network does not depend on",
}
"""By the version of a file: what `verify` cannot see."""

FILES = tyro.conf.arg(metavar="FILE [FILE ...]", help_behavior_hint="(required)")


@dataclass(frozen=True)
class Info:
    """What a found ticket holds, and its bits per weight."""

    examples: ClassVar[tuple[str, ...]] = ("python -m nets.found_ticket info runs/a",)

    file: Annotated[tyro.conf.Positional[flags.File], tyro.conf.arg(metavar="FILE")]
    """The ticket (.safetensors), or the folder of a run."""
    json: bool = False
    """Print the result as JSON and nothing else."""

    @property
    def path(self) -> Path:
        """The file itself."""
        return _ticket(self.file)


@dataclass(frozen=True)
class Verify(Info):
    """Make the network of a found ticket again, and compare every kept weight and the recorded outputs."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.found_ticket verify runs/a --json",
        "python -m nets.found_ticket verify own.safetensors --build my_package.models:small",
    )

    build: Annotated[str | None, tyro.conf.arg(metavar="MODULE:FUNCTION")] = None
    """What builds the model, for a ticket of no training run; the arguments are the ticket's."""


@dataclass(frozen=True)
class Masks:
    """Bits per weight of the masks of tickets, beside H2(density), and which knowledge saves how much."""

    examples: ClassVar = ("python -m nets.found_ticket masks runs/a runs/b",)

    files: Annotated[tyro.conf.Positional[tuple[str, ...]], FILES]
    """Tickets (.safetensors), or folders of runs."""
    json: bool = False
    """Print the result as JSON and nothing else."""


def info(given: Info) -> int:
    """Print what a ticket holds."""
    from nets.tickets.found_cost import describe

    content = describe(given.path)
    _print(given, content, "\n".join(_lines(content)))
    return 0


def check(given: Verify) -> int:
    """Make the network again, compare, and print; 1 if it is not the one recorded."""
    from nets.tickets.found_file import read_found

    ticket = read_found(given.path)
    content = {"version": ticket.version, **_compared(given, ticket)}
    _print(given, content, _verdict(str(given.path), content))
    return 0 if content["ok"] else 1


def _compared(given: Verify, ticket: FoundTicket) -> dict[str, Any]:
    """What is right of a ticket, with the builder that was named on the command line and no other."""
    if ticket.shape is not None:
        from nets.training.found import verify

        if given.build is not None:
            raise flags.UsageError("--build belongs to tickets of no training run: this one's settings build its model")
        return verify(ticket)
    from nets.search.ticket import compare, rebuild

    if given.build is None:
        named = f", such as {ticket.builder!r}, which the ticket names" if ticket.builder else ""
        raise flags.UsageError(f"--build must name what builds the ticket's model{named}")
    return compare(ticket, rebuild(ticket, build=given.build))


def masks(given: Masks) -> int:
    """Code the masks with more and more known of them, and print what they take."""
    from nets.tickets.found_file import read_found
    from nets.tickets.mask_bits import markdown, mask_row

    if not given.files:
        raise flags.UsageError("masks takes one ticket at least")
    started = time.monotonic()
    rows = [mask_row(Path(file).name, read_found(_ticket(file))) for file in given.files]
    origin = provenance(seed=None, threads=1, seconds=time.monotonic() - started)
    result = Result("nets.found_ticket.masks", {"files": [row["run"] for row in rows]}, rows, origin)
    print_json(result) if given.json else print(markdown(rows))
    return 0


def _ticket(file: str) -> Path:
    path = Path(file)
    return path / "ticket.safetensors" if path.is_dir() else path


def _print(given: Info, content: Mapping[str, Any], text: str) -> None:
    head = {"schema": "strong-tickets/nets.found_ticket/1", "file": str(given.path)}
    print(json.dumps({**head, **content}, indent=1) if given.json else text)


def _lines(content: Mapping[str, Any]) -> Iterable[str]:
    for name, value in content.items():
        if name == "layers":
            for layer in value:
                shape = "x".join(map(str, layer["shape"]))
                cost, values = layer["mask_bits_per_weight"], layer["values"]
                yield (
                    f"{'layer ' + layer['name']:>28}  {shape}, {layer['kept']} kept, "
                    f"mask: {cost:.4g} bits a weight, values: {values}"
                )
        else:
            yield f"{name:>28}  {value:.6g}" if isinstance(value, float) else f"{name:>28}  {value}"


def _verdict(path: str, found: Mapping[str, Any]) -> str:
    values = "every kept weight is the one recorded"
    if not found["values"]:
        values = "kept weights differ from those recorded, or something else in the file does"
    logits = "the outputs are equal bit for bit"
    if found["logits"] is None:
        logits = "no outputs are recorded"
    elif not found["logits"]:
        logits = f"the outputs differ by {found['logit_error']:.2g} of the largest"
    return f"{path}: {values}; {logits}{_NOT_BOUND.get(found['version'], '')}"


VERBS = {"info": Verb(Info, info), "verify": Verb(Verify, check), "masks": Verb(Masks, masks)}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return dispatch("python -m nets.found_ticket", VERBS, argv)


if __name__ == "__main__":
    sys.exit(main())
