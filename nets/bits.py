"""How many bits does a weight cost? The limit, a plain quantiser, the codes of tickets, and what others published.

``python -m nets.bits digits --eta 0.1 0.01 0.001`` stores a network in files whose weights are all within eta times the
largest weight of their layer, decodes each file, and says how large it is and how well the decoded network does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from nets.accuracy import accuracy, images_named, load_images
from sims.commands import cli, flags
from sims.commands.output import check_files, console, deliver
from sims.commands.prediction import Prediction, announce
from sims.plain_text import counted, one_line
from sims.progress import progress
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from nets.graph.graph import Graph
    from nets.storage.comparison import Score

MAX_ETAS = 12
"""Errors that one table compares."""


@dataclass(frozen=True)
class Bits:
    """Store a network within several largest errors, and compare the bits with what is possible.

    The network is a file or digits, as nets.approximate takes it, or one that nets.gallery names.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.bits digits --eta 0.1 0.01 0.001 --plot bits.svg",
        "python -m nets.bits crepe-tiny --eta 0.01 --codes draw block pool rank mask",
        "python -m nets.bits mlp.pt --activation relu --data mnist --data-dir DIR",
    )

    target: Annotated[flags.File, tyro.conf.Positional]
    """A network on disk (.onnx, or .pt .pth .safetensors .npz with --activation), digits, or a name of the gallery."""
    eta: flags.Reals = (0.1, 0.01, 0.001)
    """Largest errors, each relative to the largest weight of a layer."""
    codes: Annotated[
        tuple[str, ...], *flags.written("NAME [NAME ...]", lambda tokens: tuple(dict.fromkeys(tokens)), many=True)
    ] = ("draw", "block", "pool")
    """Of draw, block, pool, rank and mask (the plain ticket of nets.approximate, n = 21)."""
    d: flags.Integer = 4
    """Weights of a block, 1 to 4."""
    activation: flags.OptionalName = None
    """What stands between the layers of a file of weights: relu leaky_relu relu6 gelu elu sigmoid tanh none."""
    fix: flags.Fixed = ()
    """Give inputs of an ONNX file a constant value, as sr=16000."""
    data: flags.OptionalName = None
    """Test images on which every network is run: digits or mnist. Default: digits where the target is digits."""
    data_dir: flags.OptionalFolder = None
    """Folder of the MNIST files."""
    pixels: Literal["unit", "standard"] = "unit"
    """MNIST inputs: x / 255, or (x / 255 - 0.1307) / 0.3081. As the target was trained."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""
    max_time: flags.OptionalDuration = None
    """Refuse what is predicted to take longer than this. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    plot: flags.OptionalFile = None
    """Also draw bits against error (.png, .pdf or .svg)."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv and --plot replace files of any kind, but for inputs."""

    @property
    def check(self) -> bool:
        """There is nothing to refute."""
        return False


def measure(given: Bits) -> Result:
    """Store a network in every way that is asked for: a row for each error and way, as `nets.storage.comparison`.

    Raises
    ------
    ValueError
        One line: a network that cannot be read, a setting outside its domain, or work that takes too long.
    """
    started = time.monotonic()
    if len(given.eta) > MAX_ETAS:
        raise flags.UsageError(f"--eta takes up to {MAX_ETAS} values, got {len(given.eta)}")
    tests = _images_of(given)
    from nets.device import machine
    from nets.storage.comparison import Comparison, compare, limits_of, predicted_bytes, predicted_seconds
    from nets.storage.published import PUBLISHED
    from nets.tickets.approximation import parts_of

    chosen = {name: getattr(given, name) for name in ("seed", "jobs") if getattr(given, name) is not None}
    asked = Comparison(etas=given.eta, codes=given.codes, d=given.d, **chosen)
    graph, score, job = _loaded(given, tests)
    parts = parts_of(graph)
    weights = sum(part.weights for part in parts)
    expected = Prediction(predicted_seconds(parts, asked), int(predicted_bytes(parts, asked)))
    announce(expected, max_time=given.max_time, quiet=given.quiet)
    limits = limits_of(graph, parts, asked.etas)
    total = weights * len(asked.etas) * (1 + len(asked.codes))
    with progress(total, quiet=given.quiet or given.json) as advance:
        rows = compare(graph, parts, limits, asked, score=score, advance=advance)
    params = {"target": given.target, "eta": given.eta, "codes": given.codes, "d": given.d, "seed": asked.seed}
    params |= {"activation": given.activation, "fix": dict(given.fix), "score": job}
    seconds = time.monotonic() - started
    return Result(
        command="nets.bits",
        params=params,
        rows=rows,
        provenance=provenance(seed=asked.seed, threads=asked.jobs, seconds=seconds, **machine("cpu")),
        summary=[asdict(one) for one in PUBLISHED],
        details={"parts": limits},
    )


def work(argv: Sequence[str] | None) -> int:
    """Parse, store and decode, print; returns the exit code."""
    given = flags.parse(Bits, argv, prog="python -m nets.bits")
    inputs = (given.target, given.data_dir)
    check_files(given, figure="bits", curves=1, settings_of="codes", inputs=inputs)
    result = measure(given)
    picture = ("picture", given.plot, lambda: result.plot(given.plot))
    return deliver(result, given, show=lambda: print_table(result), files=[picture])


def _images_of(given: Bits) -> str | None:
    """The test images that the flags speak of."""
    if given.data is None:
        return "digits" if given.target == "digits" else None
    return images_named(given.data, given.data_dir)


def _loaded(given: Bits, tests: str | None) -> tuple[Graph, Score | None, str | None]:
    """The network, how it is scored, and what the score is."""
    from nets.targets import load_target
    from nets.tickets.approximation import as_graph

    if given.target != "digits":
        from nets.gallery.registry import ENTRIES

        if given.target in ENTRIES:
            return _of_gallery(given, tests)
    graph = as_graph(load_target(given.target, activation=given.activation, fixed=dict(given.fix)))
    images = load_images(tests, given.pixels, graph)
    if images is None:
        return graph, None, None
    x, labels = images
    return graph, lambda network: accuracy(network, graph, x, labels), f"accuracy on {tests}"


def _of_gallery(given: Bits, tests: str | None) -> tuple[Graph, Score | None, str | None]:
    """A published network, scored by its own job."""
    from pathlib import Path

    from nets.gallery.registry import ENTRIES
    from nets.gallery.table import first_output
    from nets.targets import load_target
    from nets.tickets.approximation import as_graph

    if tests is not None or given.activation is not None or given.fix:
        raise flags.UsageError(f"{given.target} has a job of its own: leave --data, --activation and --fix out")
    entry = ENTRIES[given.target]
    loaded = entry.load()
    graph = as_graph(load_target(loaded.network) if isinstance(loaded.network, Path) else loaded.network, loaded.inputs)

    def score(network: Callable[..., Any]) -> float:
        return float(entry.score(first_output(network))[entry.metric])

    return graph, score, f"{entry.job} ({entry.metric.replace('_', ' ')})"


def print_table(result: Result) -> None:
    """The rows, one line each, and below them what is not known and what others published."""
    from rich.table import Table

    out, params, parts = console(), result.params, result.details["parts"]
    weights = result.rows[0]["weights"]
    out.print(
        f"{one_line(params['target'])}: {counted(weights, 'weight')} in {counted(len(parts), 'part')}, "
        f"d={params['d']}, seed {params['seed']}",
        soft_wrap=True,
    )
    title = "bits: of the whole file for each weight; of weights: without the graph and other constants"
    table = Table(title=title, title_justify="left")
    for heading in ("eta", "way", "bits", "- limit", "of weights", "exceptions", "max error"):
        table.add_column(heading, justify="left" if heading == "way" else "right", no_wrap=True)
    table.add_column("score" if params["score"] is None else params["score"].partition(" ")[0], justify="right")
    table.add_column("seconds", justify="right")
    eta = None
    for row in result.rows:
        if row["eta"] != eta:
            table.add_section()
        exceptions = "" if row["exceptions"] is None else f"{100 * row['exceptions']:.2g} %"
        table.add_row(
            "" if row["eta"] == eta else f"{row['eta']:g}", row["way"], f"{row['bits']:.2f}",
            _number(row["over_limit"], "+.2f"), _number(row["bare"], ".2f"), exceptions,
            _number(row["max_error"], ".3g"), _number(row["score"], ".4f"), _number(row["seconds"], ".1f"),
        )  # fmt: skip
        eta = row["eta"]
    out.print(table)
    unknown = sum(part["weights"] for part in parts if not part["known"])
    if unknown:
        out.print(
            f"limit: the entropy of {unknown} weights in small parts is not estimated, their limit is taken as 0",
            soft_wrap=True,
        )
    if params["score"] is not None:
        out.print(f"score: {params['score']}", soft_wrap=True)
    for one in result.summary:
        trained = "the network is trained for it" if one["trained"] else "a given network is stored"
        out.print(f"as published: {one['name']}, {published_bits(one)}: {one['what']}; {trained}", soft_wrap=True)


def published_bits(one: Any) -> str:
    """The bits of a published neighbour in words.

    Examples
    --------
    >>> published_bits({"low": 3.0, "high": 4.0}), published_bits({"low": 0.0, "high": 1.0})
    ('3 to 4 bits', 'less than 1 bit')
    >>> published_bits({"low": 8.0, "high": 8.0}), published_bits({"low": None, "high": None})
    ('8 bits', 'no single number')
    """
    low, high = one["low"], one["high"]
    if low is None:
        return "no single number"
    if low == high:
        return f"{low:g} bits"
    return f"{low:g} to {high:g} bits" if low else f"less than {high:g} bit"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
