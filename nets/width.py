"""How wide must a random network be to contain yours? By every theorem: ours, and the published ones.

``python -m nets.width model.onnx --eps 0.1 --delta 0.01 --R 10`` reads a network, ``--widths 784 300 100 10`` names
the widths of one; nothing is simulated. `theory.every_width` has the formulas.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from sims.commands import cli, flags
from sims.commands.output import check_table, console, deliver
from sims.progress import Advance, progress
from sims.statistics.result import Result, provenance
from theory.every_width import attention_widths, convolution_widths, dense_widths
from theory.necessary.widths import RESULTS
from theory.network.layers import check_widths, layers
from theory.numerics import check

if TYPE_CHECKING:
    from nets.targets.theorem_chain import TheoremChain
    from theory.necessary.width_row import WidthRow

_MOST_CELLS = 400
_UNIT = 2.0**-50
_WIDEST = 10**12

OPEN = "its paper leaves a constant open, --constant C gives numbers: "
"""How the note of such a row begins."""


@dataclass(frozen=True)
class Width:
    """How wide must a random network be to contain yours with probability 1 - delta, by every theorem?

    The theorems speak of ReLU networks whose layers have norm at most 1. A network from a file is scaled to that, its
    biases become weights of a coordinate that is constantly 1, and eps is its error over the product of its layers'
    norms and the largest norm of an input: --error says the error itself. Networks that no theorem covers are refused.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.width --widths 784 300 100 10 --eps 0.1 --delta 0.01 --R 1 10 100",
        "python -m nets.width digits --error 0.5 --R 1000",
        "python -m nets.width model.onnx --eps 0.1 --constant 3 --csv widths.csv",
        "python -m nets.width --arch conv --widths 3 16 16 --kernel 3 --R 1e4",
        "python -m nets.width --arch attention --widths 64 64 64 --heads 4 --R 100",
    )

    target: Annotated[flags.OptionalFile, tyro.conf.Positional] = None
    """A network on disk (.onnx, or .pt .pth .safetensors .npz with --activation relu), or digits."""
    widths: flags.OptionalCounts = None
    """Instead of a file: d_0, ..., d_l, units or channels, a constant coordinate counted; attention: d d out."""
    arch: Literal["dense", "conv", "attention"] | None = None
    """What --widths are of: dense layers (default), zero-padded convolutions, or one attention."""
    kernel: flags.OptionalInteger = None
    """conv: side of the square kernels. Default: 3."""
    heads: flags.OptionalInteger = None
    """attention: number of heads. Default: 1."""
    radius: flags.Real = 1.0
    """Largest l2 norm of an input; attention: of a token."""
    eps: flags.OptionalReals = None
    """Accuracies of the whole network in (0, 1]. Default: 0.1."""
    error: flags.OptionalReal = None
    """Of a file, instead of --eps: the largest l2 error of its outputs for inputs of norm up to --radius."""
    delta: flags.Real = 0.01
    """Failure probability in (0, 1)."""
    R: flags.Integers = (1,)
    """Draws that each element may take; several make a grid."""
    domain: Literal["l2", "linf"] | None = None
    """dense by --widths: unit ball of the inputs. Default: l2."""
    constant: flags.OptionalReal = None
    """The constant C that published results leave open. Default: they have no numbers."""
    density: flags.OptionalReal = None
    """dense: share of kept elements, for results that speak of it. Default: none."""
    activation: flags.OptionalName = None
    """What stands between the layers of a file of weights: relu, or no theorem covers it."""
    fix: flags.Fixed = ()
    """Give inputs of an ONNX file a constant value, as sr=16000."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv replace files of any kind, but for inputs."""


@dataclass(frozen=True)
class Asked:
    """The target as the theorems have it.

    Attributes
    ----------
    kind : str
        dense, conv or attention.
    widths : tuple of int
    kernel, heads : int
    scale : float
        The error of the network is eps times this.
    chain : TheoremChain or None
        What a file holds.
    """

    kind: str
    widths: tuple[int, ...]
    kernel: int = 1
    heads: int = 1
    scale: float = 1.0
    chain: TheoremChain | None = None

    @property
    def params(self) -> int:
        """Weights of the target: of an attention those of all A_h and V_h."""
        if self.kind == "attention":
            return self.heads * self.widths[0] * (self.widths[1] + self.widths[2])
        return self.kernel**2 * sum(into * out for into, out in layers(self.widths))


def _check(given: Width) -> None:
    """Refuse flags that do not go together, before anything is read."""
    if (given.target is None) == (given.widths is None):
        said = "nothing says which network" if given.target is None else f"{given.target} and --widths both say which"
        raise flags.UsageError(f"{said}: give a file, digits or --widths")
    if given.target is not None:
        for flag in ("arch", "kernel", "heads", "domain"):
            if getattr(given, flag) is not None:
                raise flags.UsageError(f"--{flag} goes with --widths: {given.target} says it itself")
    else:
        if given.error is not None:
            raise flags.UsageError("--error goes with a file, whose norms are known: give --eps with --widths")
        if given.activation is not None or given.fix:
            raise flags.UsageError("--activation and --fix go with a file")
        for flag, arch in (("kernel", "conv"), ("heads", "attention"), ("domain", "dense")):
            if getattr(given, flag) is not None and (given.arch or "dense") != arch:
                raise flags.UsageError(f"--{flag} goes with --arch {arch}")
        if given.radius != 1.0 and given.arch != "attention":
            raise flags.UsageError("--radius goes with a file or with --arch attention: eps is on the unit ball")
    if given.error is not None and given.eps is not None:
        raise flags.UsageError("--error and --eps both say how far the network may be off: leave one out")
    cells = len(given.R) * len(given.eps or (0.1,))
    if cells > _MOST_CELLS:
        raise flags.UsageError(f"--eps and --R make a grid of up to {_MOST_CELLS}, got {cells}")
    check.open_probability("delta", given.delta)
    if not 0.0 < given.radius < float("inf"):
        raise flags.UsageError(f"--radius must be > 0 and finite, got {given.radius}")
    if given.error is not None and not 0.0 < given.error < float("inf"):
        raise flags.UsageError(f"--error must be > 0 and finite, got {given.error}")


def target_of(given: Width) -> Asked:
    """What the flags ask for; reads the file, if one is named.

    Raises
    ------
    GraphError, ValueError
        One line: a file that is no network, or one that no theorem covers, with the reason.
    """
    if given.target is None:
        widths = check_widths(given.widths or ())
        for width in widths:
            flags.between("--widths", width, 1, _WIDEST)
        if given.arch == "attention":
            return Asked("attention", widths, heads=1 if given.heads is None else given.heads)
        if given.arch == "conv":
            return Asked("conv", widths, kernel=3 if given.kernel is None else given.kernel)
        return Asked("dense", widths)
    from nets.graph.graph import GraphError
    from nets.targets import load_target
    from nets.targets.folding import prepared
    from nets.targets.theorem_chain import theorem_chain

    graph = load_target(given.target, activation=given.activation, fixed=dict(given.fix))
    try:
        chain = theorem_chain(prepared(graph))
    except GraphError as error:
        raise GraphError(f"{Path(given.target).name}: {error}") from None
    kind = "dense" if chain.kernel is None else "conv"
    return Asked(kind, chain.widths, chain.kernel or 1, 1, chain.scale(given.radius), chain)


def rows_of(asked: Asked, eps: float, R: int, given: Width) -> tuple[WidthRow, ...]:
    """Every theorem's answer at one eps and R."""
    if asked.kind == "dense":
        return dense_widths(
            asked.widths, eps, given.delta, R=R, C=given.constant, domain=given.domain or "l2", density=given.density
        )
    if asked.kind == "conv":
        return convolution_widths(asked.widths, eps, given.delta, kernel=asked.kernel, R=R, C=given.constant)
    return attention_widths(
        asked.widths, eps, given.delta, R=R, heads=asked.heads, radius=given.radius, C=given.constant
    )


def _row(row: WidthRow, asked: Asked, eps: float, R: int, given: Width) -> dict[str, Any]:
    return {
        "result": row.result,
        "paper": row.paper,
        "ours": row.paper.startswith("theory/"),
        "direction": row.direction,
        "status": _status(row, R),
        "eps": eps,
        "error": eps * asked.scale if asked.chain is not None else None,
        "delta": given.delta,
        "R": R,
        "hidden": None if row.hidden is None else " ".join(map(str, row.hidden)),
        "widest": row.widest,
        "width_factor": None if row.widest is None else _over(row.widest, max(asked.widths)),
        "params": row.params,
        "param_factor": None if row.params is None else _over(row.params, asked.params),
        "shape_only": row.is_shape_only,
        "note": _note(row, given),
    }


def _status(row: WidthRow, R: int) -> str:
    """How sure each part is, of what is said for this R."""
    other = " for R > 1" if R == 1 else " for R = 1"
    parts = [(part, status) for part, status in row.status if not part.endswith(other)]
    if len({status for _, status in parts}) == 1 and not row.is_shape_only:
        return parts[0][1]
    return "; ".join(f"{part}: {status}" for part, status in parts)


def _note(row: WidthRow, given: Width) -> str:
    if row.params is None and row.is_shape_only and given.constant is None and not row.note.startswith("speaks of"):
        return f"{OPEN}{RESULTS[row.result].shape if row.result in RESULTS else 'see theory/PROOFS.md, 4.10'}"
    return row.note.removeprefix(f"{row.result}: ")


def _over(a: int, b: int) -> float | None:
    try:
        return a / b
    except OverflowError:
        return None


def answer(given: Width, asked: Asked, advance: Advance) -> Result:
    """All rows of what the flags ask; the summary has the least that is proved for every eps and R."""
    started = time.monotonic()
    if given.error is None:
        accuracies = given.eps or (0.1,)
    else:
        accuracies = (min(1.0, given.error / asked.scale * (1.0 - _UNIT)),)
    rows: list[dict[str, Any]] = []
    summary = []
    for eps in accuracies:
        for R in given.R:
            cell = [_row(row, asked, eps, R, given) for row in rows_of(asked, eps, R, given)]
            rows += cell
            summary.append(_summary(cell))
            advance(1.0, label=f"eps={eps:g} R={R}")
    chain = asked.chain
    params = {
        "target": given.target, "arch": asked.kind, "widths": asked.widths, "kernel": asked.kernel,
        "heads": asked.heads, "radius": given.radius, "eps": accuracies, "delta": given.delta, "R": given.R,
        "domain": given.domain or "l2", "constant": given.constant, "density": given.density, "weights": asked.params,
        "scale": asked.scale, "norms": None if chain is None else chain.norms,
        "has_bias": None if chain is None else chain.has_bias,
    }  # fmt: skip
    seconds = time.monotonic() - started
    return Result("nets.width", params, rows, provenance(seed=None, threads=1, seconds=seconds), summary)


def _summary(cell: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    proved = [row for row in cell if row["ours"] and row["params"] is not None]
    best = min((row for row in proved if row["direction"] == "sufficient"), key=lambda row: row["params"], default=None)
    needed = max((row["params"] for row in proved if row["direction"] == "necessary"), default=None)
    first = cell[0]
    return {
        "eps": first["eps"], "error": first["error"], "delta": first["delta"], "R": first["R"],
        "least": None if best is None else best["result"], "widest": None if best is None else best["widest"],
        "params": None if best is None else best["params"], "necessary_params": needed,
    }  # fmt: skip


def _show(result: Result) -> None:
    from rich.table import Table

    out, params = console(), result.params
    kernel = f", kernels {params['kernel']} x {params['kernel']}" if params["arch"] == "conv" else ""
    heads = f", {params['heads']} heads" if params["arch"] == "attention" else ""
    out.print(f"{params['arch']} {' '.join(map(str, params['widths']))}{kernel}{heads}: {params['weights']:,} weights")
    if params["norms"] is not None:
        norms = ", ".join(f"{norm:.4g}" for norm in params["norms"])
        biases = ", with a constant coordinate for the biases" if params["has_bias"] else ""
        out.print(f"norms {norms}{biases}; the error is eps times {params['scale']:.4g}", soft_wrap=True)
    for entry in result.summary:
        cell = [row for row in result.rows if (row["eps"], row["R"]) == (entry["eps"], entry["R"])]
        error = "" if entry["error"] is None else f" (error {entry['error']:.4g})"
        title = f"eps = {entry['eps']:.4g}{error}, delta = {entry['delta']:g}, R = {entry['R']:,}"
        table = Table(title=title, title_justify="left")
        for heading in ("result", "of", "widest", "times", "weights", "how sure"):
            number = heading in ("widest", "times", "weights")
            table.add_column(heading, justify="right" if number else "left", no_wrap=heading not in ("of", "how sure"))
        for row in cell:
            if row["params"] is not None:
                table.add_row(*_cells(row))
        out.print(table)
        out.print(_sentence(entry), soft_wrap=True)
    silent: dict[str, list[str]] = {}
    for row in result.rows:
        note = OPEN.removesuffix(": ") if row["note"].startswith(OPEN) else row["note"]
        if row["params"] is None and row["result"] not in silent.setdefault(note, []):
            silent[note].append(row["result"])
    for note, names in silent.items():
        if names:
            out.print(f"no number: {', '.join(names)}: {note}", soft_wrap=True)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    times = "-" if row["width_factor"] is None else f"{row['width_factor']:,.4g}"
    paper = row["paper"].removeprefix("theory/PROOFS.md, ")
    sure = f"C chosen; {row['status']}" if row["shape_only"] else row["status"]
    params = f"{'>= ' if row['direction'] == 'necessary' else ''}{_big(row['params'])}"
    return (row["result"], paper, _big(row["widest"]), times, params, sure)


def _big(value: int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if value < 10**8 else f"{value:.3e}" if value < 10**300 else "> 1e300"


def _sentence(entry: Mapping[str, Any]) -> str:
    needed = entry["necessary_params"]
    least = "" if not needed else f"; {_big(needed)} weights are necessary for all such targets (proved, 5.3)"
    if entry["least"] is None:
        return f"No theorem of ours has a number here{least}."
    return (
        f"Least that is proved: {entry['least']}, {_big(entry['widest'])} wide, {_big(entry['params'])} weights{least}."
    )


def _work(args: Sequence[str] | None) -> int:
    given = flags.parse(Width, args, prog="python -m nets.width")
    check_table(given, inputs=(given.target,))
    _check(given)
    asked = target_of(given)
    with progress(len(given.R) * len(given.eps or (0.1,)), quiet=given.quiet or given.json) as advance:
        result = answer(given, asked, advance)
    return deliver(result, given, show=lambda: _show(result))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(_work, argv)


if __name__ == "__main__":
    sys.exit(main())
