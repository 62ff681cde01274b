"""Tickets: rebuild the network from one, check it, export it, and say what it costs.

``python -m nets.ticket verify FILE [--target T]`` regenerates every kept value from the seed and re-checks every number
that the file records; ``python -m nets.ticket info FILE`` prints what the ticket holds and its bits per target weight;
``python -m nets.ticket export FILE MODEL.onnx`` writes the pruned network for other programs. The file format is that
of `nets.tickets.approximation_file`.
"""

from __future__ import annotations

import json as json_text
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from sims.commands import flags
from sims.commands.dispatch import Verb, dispatch
from sims.files import Kind, OutputFile, check_outputs, head, write_bytes

if TYPE_CHECKING:
    from nets.tickets import CodedTicket, Ticket


@dataclass(frozen=True)
class Verify:
    """Regenerate everything in a ticket from its seed and re-check every recorded number."""

    examples: ClassVar[tuple[str, ...]] = ("python -m nets.ticket verify ticket.safetensors --target model.onnx",)

    file: Annotated[flags.File, tyro.conf.Positional]
    """The ticket (.safetensors)."""
    target: flags.OptionalFile = None
    """The network that the ticket stands for (a file, or digits): its errors are re-checked too."""
    activation: flags.OptionalName = None
    """What stands between the layers of a target that is a file of weights."""
    fix: flags.Fixed = ()
    """Inputs of the target that have a constant value, as sr=16000."""
    inputs: flags.OptionalFile = None
    """The examples on which the networks were compared (.npy or .npz): with the target, what is said of them is too."""
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


@dataclass(frozen=True)
class Export:
    """Write the pruned network of a ticket as an ONNX model, its sums rounded to the type of its inputs."""

    examples: ClassVar[tuple[str, ...]] = ("python -m nets.ticket export ticket.safetensors pruned.onnx",)

    file: Annotated[flags.File, tyro.conf.Positional]
    """The ticket (.safetensors)."""
    out: Annotated[flags.File, tyro.conf.Positional]
    """The model to write (.onnx)."""
    force: bool = False
    """Replace a file that export has not written, but never the ticket."""


MODEL = Kind("model that export wrote", lambda path: b"strong-tickets" in head(path)[:32])


def _verify(given: Verify) -> int:
    from nets.tickets import read_ticket, verify

    ticket, target, examples = read_ticket(given.file), None, None
    if given.inputs is not None:
        if given.target is None or ticket.version not in (2, 4):
            what = (
                "needs --target"
                if given.target is None
                else f"is not for tickets of version {ticket.version}, which have no examples"
            )
            raise flags.UsageError(f"--inputs {what}")
        from nets.targets.examples import read_examples
        from nets.tickets.network import hollow_network

        examples = read_examples(hollow_network(ticket), given.inputs)
    if given.target is not None:
        from nets.targets.load import load_target

        # a ticket of version 1 stands for a chain with ReLU
        activation = given.activation or ("relu" if ticket.version == 1 else None)
        weights = not given.target.endswith(".onnx") and given.target != "digits"
        target = load_target(
            given.target, activation=activation if weights else given.activation, fixed=dict(given.fix)
        )
    checked, lines = verify(ticket, target=target, examples=examples)
    if given.json:
        content = {"schema": "strong-tickets/nets.ticket/2", "file": given.file, "target": given.target}
        print(json_text.dumps({**content, "checked": checked, "mismatches": lines, "ok": not lines}, indent=1))
    else:
        rest = "" if target is not None else "; numbers about the target need --target"
        if target is None and ticket.version < 4:
            rest += f", and in a file of version {ticket.version} all but the seed, the masks and what they keep does"
        if ticket.numbers.get("certificate", {}).get("data") is not None and examples is None:
            rest += "; numbers about examples need --inputs"
        if target is not None and not any("what " in name for name in checked) and not lines:
            rest += "; masks of this n and R are not looked for again, which would take long"
        for line in lines:
            print(line)
        print(f"{given.file}: {len(checked)} numbers checked, {len(lines)} differ{rest}")
    return 1 if lines else 0


def _export(given: Export) -> int:
    from nets.graph.export import to_onnx
    from nets.tickets import load_ticket

    if not given.out.lower().endswith(".onnx"):
        raise flags.UsageError(f"export writes an .onnx file, got {given.out}")
    check_outputs(OutputFile("the model", given.out, MODEL), inputs=[given.file], force=given.force)
    size = write_bytes(given.out, to_onnx(load_ticket(given.file).graph).SerializeToString())
    print(f"{given.out}: {size} bytes")
    return 0


def describe(ticket: Ticket | CodedTicket, size: int) -> dict[str, Any]:
    """What ``info`` prints, for a file of `size` bytes."""
    from nets.tickets import CodedTicket

    if isinstance(ticket, CodedTicket):
        return _describe_coded(ticket, size)
    bits = sum(ticket.mask_bits.values())
    draws = sum(array.nbytes for name, array in ticket.tensors.items() if name.startswith("draws"))
    own = ["version", "kind", "construction", "signs", "generator", "seed", "n", "R", "eta"]
    return {
        **{name: getattr(ticket, name) for name in own},
        "inputs": [f"{name} {dtype} {shape}" for name, dtype, shape in ticket.graph["inputs"]],
        "operators": dict(Counter(node[0] for node in ticket.graph["nodes"]).most_common()),
        "parts": dict(Counter(part.kind for part in ticket.parts).most_common()),
        "weights": ticket.weights,
        "exact": ticket.exact_numbers,
        "kept": ticket.numbers["kept"],
        "kept_by_mask": ticket.kept(),
        "file_bytes": size,
        "bits_per_weight": 8 * size / ticket.weights,
        "mask_bits_per_weight": bits / ticket.weights,
        "draw_bits_per_weight": 8 * draws / ticket.weights,
        "target_sha256": ticket.target_sha256,
        "numbers": ticket.numbers,
    }


def _describe_coded(ticket: CodedTicket, size: int) -> dict[str, Any]:
    own = ["version", "code", "generator", "seed", "eta", "absolute", "R", "d", "n", "draws", "law"]
    coded = 8 * sum(part.bytes for part in ticket.parts)
    return {
        **{name: getattr(ticket, name) for name in own},
        "inputs": [f"{name} {dtype} {shape}" for name, dtype, shape in ticket.graph["inputs"]],
        "operators": dict(Counter(node[0] for node in ticket.graph["nodes"]).most_common()),
        "weights": ticket.weights,
        "exact": ticket.exact_numbers,
        "kept": ticket.numbers["kept"],
        "exceptions": ticket.numbers["exceptions"],
        "file_bytes": size,
        "bits_per_weight": 8 * size / ticket.weights,
        "code_bits_per_weight": coded / ticket.weights,
        "bits_by_part": {part.constant: round(8 * part.bytes / part.weights, 3) for part in ticket.parts},
        "target_sha256": ticket.target_sha256,
        "numbers": ticket.numbers,
    }


def _info(given: Info) -> int:
    from nets.tickets import CodedTicket, read_ticket

    ticket = read_ticket(given.file)
    content = describe(ticket, os.path.getsize(given.file))
    if given.json:
        print(json_text.dumps({"schema": "strong-tickets/nets.ticket/2", "file": given.file, **content}, indent=1))
        return 0
    for name, value in content.items():
        if name not in ("numbers", "kept_by_mask", "bits_by_part"):
            text = " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            text = ", ".join(map(str, value)) if isinstance(value, list) else text
            print(f"{name:>21}  {text:.6g}" if isinstance(value, float) else f"{name:>21}  {text}")
    print(f"{'within eta':>21}  {ticket.numbers['within_eta']} of {ticket.weights}")
    print(f"{'max weight error':>21}  {ticket.numbers['max_weight_error']:.6g}")
    if isinstance(ticket, CodedTicket):
        return 0
    error = ticket.numbers["certificate"]
    lower = "an unknown number" if error["lower"] is None else f"{error['lower']:.3g}"
    upper = "no upper bound" if error["upper"] is None else f"{error['upper']:.3g}"
    print(f"{'largest difference':>21}  from {lower} to {upper} where {error['domain']}")
    return 0


VERBS = {"verify": Verb(Verify, _verify), "info": Verb(Info, _info), "export": Verb(Export, _export)}


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return dispatch("python -m nets.ticket", VERBS, argv, about=flags.docstring(sys.modules[__name__]))


if __name__ == "__main__":
    sys.exit(main())
