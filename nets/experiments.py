"""Tables of accuracies: every method, network, density, width and seed asked for, one run each, never repeated.

``python -m nets.experiments digits`` finds tickets by all methods with three seeds each in about a minute and prints
the table; runs that are finished are read, interrupted ones go on. Every accuracy is that of the last epoch on the test
images. All methods get the same images in the same way, nothing held out (IteRand's own augmentation and split are a
matter for `nets.train`); epochs are the recipe's, or fewer under ``--budget-epochs``.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, ClassVar, Literal

import tyro

from nets.device import resolve_device
from nets.search.methods import SCALES
from nets.training.recipes import METHODS, recipe
from nets.training.run_folder import RunError, RunFolder
from nets.training.settings import ARCHS as KNOWN
from nets.training.settings import Choices, Device, Law, usual_scale
from sims.commands import cli, flags
from sims.commands.flags import OptionalFile, OptionalFolder, OptionalInteger, Reals
from sims.commands.interrupt import keeping
from sims.commands.output import check_table, deliver
from sims.commands.prediction import Prediction, announce
from sims.files import OutputFile, beginning_with, write_text
from sims.plain_text import counted
from sims.progress import Advance, progress
from sims.solver.memory import default_jobs
from sims.statistics.result import Result, provenance
from sims.workers import Lost, attempt, outcomes

CELL = ("method", "arch", "density", "scale", "width", "epochs")
"""What the runs of one line of a table share."""
_PROCESS_BYTES = 400 * 2**20
"""Of a process with PyTorch."""
ARCHS = {"digits": "mlp", "mnist": "mlp", "cifar10": "conv4"}
"""Network of each table unless another is asked for."""


def _names(known: tuple[str, ...]) -> tuple[object, object]:
    def read(tokens: list[str]) -> tuple[str, ...]:
        for name in tokens:
            if name not in known:
                raise ValueError(f"takes {', '.join(known)}, got {name}")
        if len(set(tokens)) < len(tokens):
            raise ValueError(f"names a value more than once, got {' '.join(tokens)}")
        return tuple(tokens)

    found: tuple[object, object] = flags.written("NAME [NAME ...]", read, many=True)
    return found


@dataclass(frozen=True)
class Experiments:
    """Train all cells of a table and print it as Markdown; table.md and table.json are kept beside the runs."""

    examples: ClassVar = (
        "python -m nets.experiments digits",
        "python -m nets.experiments mnist --data-dir DIR --density 0.5 0.1 --budget-epochs 12",
    )

    data: tyro.conf.Positional[Literal["digits", "mnist", "cifar10"]]
    """Which images."""
    methods: Annotated[tuple[str, ...], *_names(METHODS)] = METHODS
    """Default: all, the dense reference included."""
    arch: Annotated[tuple[str, ...], *_names(KNOWN)] = ()
    """Default: mlp for digits and mnist, conv4 for cifar10."""
    density: Reals = (0.5,)
    """Parts kept."""
    scale: Annotated[tuple[str, ...], *_names(SCALES)] = ()
    """Factors on the size of the random weights. Default: each method's own."""
    width: Reals = (1.0,)
    """Factors on hidden widths."""
    seeds: flags.Integer = 3
    """Runs of each cell, with seeds 0, 1, ..."""
    init: Law = None
    """Law of the random weights for all methods. Default: each method's own."""
    budget_epochs: OptionalInteger = None
    """Epochs at most; the schedule is fitted to them."""
    batch: OptionalInteger = None
    """Images per step for all methods. Default: each method's own."""
    data_dir: OptionalFolder = None
    """Where the files of the data lie."""
    out: OptionalFolder = None
    """Holds the folders of the runs. Default: runs/DATA."""
    device: Device = "auto"
    """Where to train."""
    amp: bool = False
    """Forward passes in bfloat16."""
    compile: bool = False
    """Compile the models with torch.compile."""
    jobs: OptionalInteger = None
    """Runs at a time, each in a process of its own. Default: one for each core, on a GPU one."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: OptionalFile = None
    """Also write the rows, one for each run, as CSV."""
    quiet: bool = False
    """Print nothing."""
    force: bool = False
    """Let --csv, table.md and table.json replace files of any kind, but for inputs."""


@dataclass(frozen=True)
class Cell:
    """One run of a table."""

    choices: Choices
    folder: Path


def plan(given: Experiments) -> list[Cell]:
    """The runs of a table, in its order.

    Raises
    ------
    UsageError
        One line naming the flag.
    """
    seeds = flags.between("--seeds", given.seeds, 1, 10**4)
    budget = given.budget_epochs
    if budget is not None:
        flags.between("--budget-epochs", budget, 1, 10**6)
    root = Path(given.out or f"runs/{given.data}")
    cells = []
    archs = given.arch or (ARCHS[given.data],)
    grid = itertools.product(given.methods, archs, given.density, given.scale or (None,), given.width)
    for method, arch, density, scale, width in grid:
        if method == "dense":  # it keeps everything: one is enough
            if density != given.density[0] or scale not in (*given.scale[:1], None):
                continue
            scale = None
        kept = 1.0 if method == "dense" else density
        usual = recipe(method, arch, given.data)
        size = scale or usual_scale(usual, kept)
        epochs = min(usual.epochs, budget or usual.epochs)
        short = 0 if usual.warmup + usual.cooldown > epochs else None
        for seed in range(seeds):
            choices = Choices(
                method=method, arch=arch, data=given.data, data_dir=given.data_dir, density=kept, width=width,
                init=given.init, scale=scale, seed=seed, epochs=epochs, batch=given.batch, warmup=short, cooldown=short,
                device=given.device, amp=given.amp, compile=given.compile,
            )  # fmt: skip
            cells.append(Cell(choices, root / f"{method}-{arch}-d{kept:g}-{size}-w{width:g}-s{seed}"))
    return cells


def run_cells(cells: Sequence[Cell], jobs: int, advance: Advance) -> list[Result]:
    """Results of all cells in their order, `jobs` at a time.

    Raises
    ------
    RunError
        Some runs failed; the others were trained to their end first, unless the very question was wrong.
    """
    found: dict[int, Result] = {}
    lost: dict[int, str] = {}
    with contextlib.closing(_outcomes(cells, jobs)) as all_of_them:
        for number, one in all_of_them:
            advance(1, cells[number].folder.name)
            if not isinstance(one, Lost):
                found[number] = one
            elif one.refused:
                raise RunError(one.why)
            else:
                lost[number] = one.why
    if lost:
        number, why = next(iter(lost.items()))
        few = f"{len(lost)} of {len(cells)} runs failed" if len(lost) > 1 else "1 run failed"
        raise RunError(
            f"{few}: {cells[number].folder}: {why}; {len(found)} are finished, and the same command goes on"
            if found or len(cells) > 1
            else why
        )
    return [found[number] for number in range(len(cells))]


def _outcomes(cells: Sequence[Cell], jobs: int) -> Generator[tuple[int, Result | Lost]]:
    if jobs == 1 or len(cells) == 1:
        for number, cell in enumerate(cells):
            yield number, attempt(_train, cell, _REFUSED)
        return
    jobs = min(jobs, len(cells))
    prepare = partial(_start_worker, max(1, default_jobs() // jobs))
    yield from outcomes(_train, cells, jobs=jobs, prepare=prepare, refused=_REFUSED)


_REFUSED = (flags.UsageError, RunError)


def _start_worker(threads: int) -> None:
    """Share the cores."""
    import torch

    torch.set_num_threads(threads)


def _train(cell: Cell) -> Result:
    from nets.training.run import train_or_resume

    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    return train_or_resume(cell.choices, cell.folder, plain_images=True, exact=True)


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line for each cell: mean and range over its seeds.

    Examples
    --------
    >>> shared = {"method": "dense", "arch": "mlp", "density": 1.0, "scale": "unscaled", "width": 1.0, "epochs": 2}
    >>> times = {"step_ms": 1.0, "mask_ms": None, "seconds": 1.0}
    >>> rows = [{**shared, "bits_per_weight": 32.0, "test_accuracy": 0.5, **times} for _ in range(2)]
    >>> line = summarise(rows)[0]
    >>> line["seeds"], line["test_accuracy"], line["seconds"]
    (2, 0.5, 2.0)
    """
    cells: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault(tuple(row[name] for name in CELL), []).append(row)
    lines = []
    for cell, mine in cells.items():
        accuracies = [row["test_accuracy"] for row in mine]
        lines.append(
            {
                **dict(zip(CELL, cell, strict=True)),
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
    head = ["method", "network", "density", "scale", "width", "epochs", "seeds", "test accuracy, %", "range"]
    head += ["bits/weight", "ms/step", "s"]
    out = [" | ".join(head), " | ".join(["---"] * 2 + ["--:", "---"] + ["--:"] * (len(head) - 4))]
    for line in lines:
        low, high = (100 * line[f"test_accuracy_{end}"] for end in ("min", "max"))
        cells = [line["method"], line["arch"], f"{line['density']:g}", line["scale"], f"{line['width']:g}"]
        cells += [str(line["epochs"])]
        cells += [str(line["seeds"]), f"{100 * line['test_accuracy']:.2f}", f"{low:.2f} to {high:.2f}"]
        cells += [f"{line['bits_per_weight']:.2f}", f"{line['step_ms']:.2f}", f"{line['seconds']:.0f}"]
        out.append(" | ".join(cells))
    return "".join(f"| {row} |\n" for row in out) + f"\nTest accuracy after the last epoch; {note}.\n"


def foresee(cells: Sequence[Cell], jobs: int) -> Prediction:
    """What the runs will take that are not finished; one of each network is tried for a few steps."""
    from nets.training.cost import foreseen
    from nets.training.parts import read_data
    from nets.training.settings import resolve

    left = [cell for cell in cells if not RunFolder(cell.folder).result.is_file()]
    seconds, needed, known, data = 0.0, 0, dict[Any, Prediction](), None
    for cell in left:
        one = cell.choices
        kind = one.method, one.arch, one.width, one.epochs
        if kind not in known:
            settings = resolve(one, plain_images=True)
            data = read_data(settings) if data is None else data
            known[kind] = foreseen(settings, data, epochs=settings.epochs, threads=1 if jobs > 1 else None)
        seconds += known[kind].seconds
        needed = max(needed, known[kind].bytes)
    return Prediction(seconds / min(jobs, max(1, len(left))), min(jobs, len(left)) * (needed + _PROCESS_BYTES))


def collect(given: Experiments, *, quiet: bool = True) -> Result:
    """Train what is missing of a table: a row for each run, a line of the summary for each cell.

    Raises
    ------
    ValueError
        One line naming the flag, or as `nets.training.run.train`.
    """
    started = time.monotonic()
    cells = plan(given)
    jobs = _jobs(given, cells)
    with progress(len(cells), quiet=quiet, after=0.0) as advance:
        results = run_cells(cells, jobs, advance)
    rows = [{**row, "scale": result.params["scale"]} for result in results for row in result.rows]
    origin = {key: results[0].provenance[key] for key in ("device", "torch", "data")}
    return Result(
        command="nets.experiments",
        params={"data": given.data, "runs": [str(cell.folder) for cell in cells]},
        rows=rows,
        summary=summarise(rows),
        provenance=provenance(seed=None, threads=jobs, seconds=time.monotonic() - started, **origin),
    )


def _jobs(given: Experiments, cells: Sequence[Cell]) -> int:
    usual = 1 if resolve_device(given.device or "auto") == "cuda" else min(default_jobs(), len(cells))
    return usual if given.jobs is None else flags.between("--jobs", given.jobs, 1, 256)


def work(argv: Sequence[str] | None) -> int:
    """Parse, collect, print; returns the exit code."""
    given = flags.parse(Experiments, argv, prog="python -m nets.experiments")
    cells = plan(given)
    folder = cells[0].folder.parent
    table, whole = folder / "table.md", folder / "table.json"
    outputs = OutputFile("--out", table, TEXT), OutputFile("--out", whole, RESULT)
    check_table(given, *(outputs if folder.is_dir() else ()), inputs=[given.data_dir])

    def kept() -> str:
        done = sum(RunFolder(cell.folder).result.is_file() for cell in cells)
        return f"{done} of {len(cells)} runs are finished in {folder}: the same command goes on"

    with keeping(kept):
        expected = foresee(cells, _jobs(given, cells))
        announce(expected, max_time=given.max_time, quiet=given.quiet)
        result = collect(given, quiet=given.quiet or given.json)
    text = markdown(result.summary, result.provenance["data"])

    def show() -> None:
        print(text, end="")
        print(f"{counted(len(result.rows), 'run')}, {result.provenance['seconds']:.1f} s -> {folder}")

    files = (
        ("table in Markdown", table, lambda: write_text(table, text)),
        ("whole result", whole, lambda: write_text(whole, result.to_json())),
    )
    return deliver(result, given, show=show, files=files)


TEXT = beginning_with("table of this command", b"| method | network |")
RESULT = beginning_with("result of this command", b'{\n "schema": "strong-tickets/nets.experiments/')


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
