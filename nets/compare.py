"""One table of any training runs: method, data, network, density, accuracy, bits for a weight, seconds.

``python -m nets.compare runs/*/`` reads the folders of `nets.train` and `nets.experiments` and trains nothing. Runs
that differ in their seeds alone share a line, with the mean and the range of their accuracies; settings that are not
among the columns are shown where nothing else tells two lines apart. Accuracies are those of the last epoch on the test
images; a run that is not finished has none, and is named below the table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tyro

from sims.commands import cli, flags
from sims.commands.flags import OptionalFile, UsageError
from sims.commands.output import check_files, console, deliver
from sims.statistics.result import Result, provenance

RUNS = tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(required)")


@dataclass(frozen=True)
class Compare:
    """Put training runs side by side."""

    examples: ClassVar = (
        "python -m nets.compare runs/*/",
        "python -m nets.compare runs/a runs/b --csv runs.csv --plot curves.svg",
    )

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], RUNS]
    """Folders of runs, finished or not."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: OptionalFile = None
    """Also write the rows, one for each run, with all settings, as CSV."""
    plot: OptionalFile = None
    """Also draw the learning curves of up to seven runs (.png, .pdf or .svg)."""
    quiet: bool = False
    """No table."""
    force: bool = False
    """Let --csv and --plot replace files of any kind, but for inputs."""

    @property
    def check(self) -> bool:
        """There is nothing to refute."""
        return False


def compare_runs(runs: Sequence[str]) -> Result:
    """A row for each run (`nets.training.run_table.run_row`), a line of the summary for each setting.

    Raises
    ------
    ValueError
        If one is no run's folder, is damaged, or is named twice.
    """
    from nets.training.run_table import check_runs, run_row, summarise_runs

    started = time.monotonic()
    check_runs(runs)
    rows = [run_row(run) for run in runs]
    return Result(
        command="nets.compare",
        params={"runs": list(runs)},
        rows=rows,
        summary=summarise_runs(rows),
        provenance=provenance(seed=None, threads=1, seconds=time.monotonic() - started),
    )


def work(argv: Sequence[str] | None) -> int:
    """Parse, read, print; returns the exit code."""
    given = flags.parse(Compare, argv, prog="python -m nets.compare")
    from nets.training.run_folder import files_of

    inputs = [path for run in given.runs for path in files_of(run)]
    check_files(given, figure="learning_curves", curves=len(given.runs), settings_of="runs", inputs=inputs)
    if not given.runs:
        raise UsageError("a comparison takes at least one run")
    result = compare_runs(given.runs)
    curves = None
    if given.plot is not None:
        from nets.training.curves import learning_curves

        curves = learning_curves(given.runs)  # first: it refuses runs without an epoch
    files = () if curves is None else [("picture", given.plot, lambda: curves.plot(given.plot))]
    return deliver(result, given, show=lambda: _print_table(result), files=files)


def _print_table(result: Result) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from nets.training.run_table import SHOWN

    lines = result.summary
    varied = ["method", *(name for name in SHOWN if name != "method" and len({line[name] for line in lines}) > 1)]
    shared = ", ".join(f"{name} {_text(lines[0][name])}" for name in SHOWN if name not in varied)
    print(f"test accuracy after the last epoch: {shared}")
    table = Table(box=SIMPLE_HEAD)
    for name in varied:
        table.add_column(name, overflow="fold", justify="left" if isinstance(lines[0][name], str) else "right")
    for heading in ("runs", "accuracy, %", "bits", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        cells = [_text(line[name]) for name in varied]
        others = {name: value for name, value in line["others"].items() if name != "data_sha256"} or line["others"]
        cells[0] = "\n  ".join([cells[0], *(f"{name} {_text(value)[:12]}" for name, value in others.items())])
        whole = line["finished"] == line["runs"]
        cells.append(str(line["runs"]) if whole else f"{line['finished']} of {line['runs']}")
        cells.append(_accuracy(line))
        cells += ["-" if line[name] is None else f"{line[name]:.{n}f}" for name, n in _DIGITS.items()]
        table.add_row(*cells)
    console().print(table)
    for row in result.rows:
        if not row["finished"]:
            print(f"unfinished: {row['run']}, epoch {row['epochs_done']} of {row['epochs']}")


_DIGITS = {"bits_per_weight": 2, "seconds": 1}


def _accuracy(line: Any) -> str:
    """Mean, and the range of several runs."""
    if not line["finished"]:
        return "-"
    mean, low, high = (f"{100 * line[f'test_accuracy{end}']:.2f}" for end in ("", "_min", "_max"))
    return mean if line["finished"] == 1 else f"{mean} ({low} to {high})"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
