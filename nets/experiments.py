"""Tables of accuracies: every method, network, density, width and seed asked for, one run each, never repeated.

``python -m nets.experiments digits`` finds tickets by all methods with three seeds each in about a minute and prints
the table; runs that are finished are read, interrupted ones go on. Every accuracy is that of the last epoch on the test
images. All methods get the same images in the same way, nothing held out (IteRand's own augmentation and split are a
matter for `nets.train`); epochs are the recipe's, or fewer under ``--budget-epochs``.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Literal

import tyro

from nets.device import resolve_device
from nets.training.recipes import METHODS, recipe
from nets.training.settings import read
from sims.solver.memory import default_jobs
from sims.statistics.result import Result, check_output, print_json, provenance, write_text

ARCHS = {"digits": "mlp", "mnist": "mlp", "cifar10": "conv4"}
"""Network of each table unless another is asked for."""

PROG = "python -m nets.experiments"


@dataclass(frozen=True)
class Experiments:
    """Train all cells of a table and print it as Markdown; table.md and table.json are kept beside the runs."""

    data: Annotated[tyro.conf.Positional[Literal["digits", "mnist", "cifar10"]], cli.values("digits|mnist|cifar10")]
    """Which images."""
    methods: Annotated[tuple[str, ...], cli.values("NAME [NAME ...]")] = METHODS
    """Default: all, the dense reference included."""
    arch: Annotated[tuple[str, ...], cli.values("NAME [NAME ...]")] = ()
    """Default: mlp for digits and mnist, conv4 for cifar10."""
    density: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("0.5",)
    """Parts kept."""
    width: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("1",)
    """Factors on hidden widths."""
    seeds: Annotated[str, cli.values("INT")] = "3"
    """Runs of each cell, with seeds 0, 1, ..."""
    init: Literal["signed-constant", "kaiming-normal", "kaiming-uniform"] | None = None
    """Law of the random weights for all methods. Default: each method's own."""
    budget_epochs: Annotated[str | None, cli.values("INT")] = None
    """Epochs at most; the schedule is fitted to them."""
    batch: Annotated[str | None, cli.values("INT")] = None
    """Images per step for all methods. Default: each method's own."""
    data_dir: Annotated[str | None, cli.values("FOLDER")] = None
    """Where the files of the data lie."""
    out: Annotated[str | None, cli.values("FOLDER")] = None
    """Holds the folders of the runs. Default: runs/DATA."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train."""
    amp: bool = False
    """Forward passes in bfloat16."""
    compile: bool = False
    """Compile the models with torch.compile."""
    jobs: Annotated[str | None, cli.values("INT")] = None
    """Runs at a time, each in a process of its own. Default: one for each core, on a GPU one."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows, one for each run, as CSV."""
    quiet: bool = False
    """Print nothing."""


@dataclass(frozen=True)
class Cell:
    """One run of a table."""

    given: Mapping[str, Any]
    folder: Path


def plan(flags: Experiments) -> list[Cell]:
    """The runs of a table, in its order.

    Raises
    ------
    UsageError
        One line naming the flag.
    """
    from nets.training.models import ARCHS as KNOWN

    archs = flags.arch or (ARCHS[flags.data],)
    for flag, names, known in (("--methods", flags.methods, METHODS), ("--arch", archs, KNOWN)):
        for name in names:
            if name not in known:
                raise cli.UsageError(f"{flag} takes {', '.join(known)}, got {name}")
        if len(set(names)) < len(names):
            raise cli.UsageError(f"{flag} names a value more than once, got {' '.join(names)}")
    seeds = cli.between("--seeds", cli.integer("--seeds", flags.seeds), 1, 10**4)
    budget = None
    if flags.budget_epochs is not None:
        budget = cli.between("--budget-epochs", cli.integer("--budget-epochs", flags.budget_epochs), 1, 10**6)
    common = read(
        {
            "init": flags.init,
            "batch": flags.batch,
            "data_dir": flags.data_dir,
            "device": flags.device,
            "amp": flags.amp or None,
            "compile": flags.compile or None,
        }
    )
    densities, widths = cli.reals("--density", flags.density), cli.reals("--width", flags.width)
    root = Path(flags.out or f"runs/{flags.data}")
    cells = []
    for method, arch, density, width in itertools.product(flags.methods, archs, densities, widths):
        if method == "dense" and density != densities[0]:
            continue  # it keeps everything: one is enough
        kept = 1.0 if method == "dense" else density
        usual = recipe(method, arch, flags.data)
        own = read({"density": str(kept), "width": str(width)})
        own |= {"method": method, "arch": arch, "data": flags.data, "augment": None, "normalise": None}
        own |= {"validation": 0.0, "epochs": min(usual.epochs, budget or usual.epochs)}
        if usual.warmup + usual.cooldown > own["epochs"]:
            own |= {"warmup": 0, "cooldown": 0}
        for seed in range(seeds):
            name = f"{method}-{arch}-d{kept:g}-w{width:g}-s{seed}"
            cells.append(Cell({**own, **common, "seed": seed}, root / name))
    return cells


def run_cells(cells: Sequence[Cell], jobs: int, advance: cli.Advance) -> Iterator[Result]:
    """Results of all cells in their order, `jobs` at a time."""
    if jobs == 1 or len(cells) == 1:
        for cell in cells:
            yield _train(cell)
            advance(1, cell.folder.name)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    threads = max(1, default_jobs() // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(threads,)) as pool:
        try:
            for cell, result in zip(cells, pool.map(_train, cells), strict=True):
                yield result
                advance(1, cell.folder.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(threads: int) -> None:
    """Leave Ctrl-C to the parent; share the cores."""
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(threads)


def _train(cell: Cell) -> Result:
    from nets.training.run import train_or_resume

    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    return train_or_resume(cell.given, cell.folder)


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line for each cell: mean and range over its seeds.

    Examples
    --------
    >>> shared = {"method": "dense", "arch": "mlp", "density": 1.0, "width": 1.0, "epochs": 2, "bits_per_weight": 32.0}
    >>> rows = [{**shared, "test_accuracy": 0.5, "step_ms": 1.0, "mask_ms": None, "seconds": 1.0} for _ in range(2)]
    >>> line = summarise(rows)[0]
    >>> line["seeds"], line["test_accuracy"], line["seconds"]
    (2, 0.5, 2.0)
    """
    cells: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[name] for name in ("method", "arch", "density", "width", "epochs")), []).append(row)
    lines = []
    for (method, arch, density, width, epochs), mine in cells.items():
        accuracies = [row["test_accuracy"] for row in mine]
        lines.append(
            {
                "method": method,
                "arch": arch,
                "density": density,
                "width": width,
                "epochs": epochs,
                "seeds": len(mine),
                "test_accuracy": mean(accuracies),
                "test_accuracy_min": min(accuracies),
                "test_accuracy_max": max(accuracies),
                "bits_per_weight": mean(row["bits_per_weight"] for row in mine),
                "step_ms": mean(row["step_ms"] for row in mine),
                "mask_ms": None if mine[0]["mask_ms"] is None else mean(row["mask_ms"] for row in mine),
                "seconds": round(sum(row["seconds"] for row in mine), 3),
            }
        )
    return lines


def markdown(lines: Sequence[Mapping[str, Any]], note: str) -> str:
    """The table as Markdown."""
    head = ("method", "network", "density", "width", "epochs", "seeds", "test accuracy, %", "range", "bits/weight")
    head += ("ms/step", "s")
    out = [" | ".join(head), " | ".join(["---"] * 2 + ["--:"] * (len(head) - 2))]
    for line in lines:
        low, high = (100 * line[f"test_accuracy_{end}"] for end in ("min", "max"))
        cells = [line["method"], line["arch"], f"{line['density']:g}", f"{line['width']:g}", str(line["epochs"])]
        cells += [str(line["seeds"]), f"{100 * line['test_accuracy']:.2f}", f"{low:.2f} to {high:.2f}"]
        cells += [f"{line['bits_per_weight']:.2f}", f"{line['step_ms']:.2f}", f"{line['seconds']:.0f}"]
        out.append(" | ".join(cells))
    return "".join(f"| {row} |\n" for row in out) + f"\nTest accuracy after the last epoch; {note}.\n"


def work(argv: Sequence[str] | None) -> int:
    """Parse, train what is missing, collect, print; returns the exit code."""
    started = time.monotonic()
    flags = cli.parse(Experiments, argv, prog=PROG)
    check_output("--csv", flags.csv)
    cells = plan(flags)
    device = resolve_device(flags.device)
    usual = 1 if device == "cuda" else min(default_jobs(), len(cells))
    jobs = usual if flags.jobs is None else cli.between("--jobs", cli.integer("--jobs", flags.jobs), 1, 256)
    with cli.progress(len(cells), quiet=flags.quiet or flags.json, after=0.0) as advance:
        results = list(run_cells(cells, jobs, advance))
    rows = [row for result in results for row in result.rows]
    result = Result(
        command="nets.experiments",
        params={"data": flags.data, "runs": [str(cell.folder) for cell in cells]},
        rows=rows,
        summary=summarise(rows),
        provenance=provenance(
            seed=None, threads=jobs, seconds=time.monotonic() - started, device=results[0].provenance["device"],
            torch=results[0].provenance["torch"], data=results[0].provenance["data"],
        ),
    )  # fmt: skip
    table = markdown(result.summary, results[0].provenance["data"])
    folder = cells[0].folder.parent
    write_text(folder / "table.md", table)
    write_text(folder / "table.json", result.to_json())
    if flags.csv is not None:
        write_text(flags.csv, result.to_csv())
    if flags.json:
        print_json(result)
    elif not flags.quiet:
        print(table, end="")
        print(f"{len(rows)} runs, {result.provenance['seconds']:.1f} s -> {folder}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
