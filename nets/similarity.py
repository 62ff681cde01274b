"""How alike the tickets of several runs are, layer by layer and in total, beside what chance alone would give.

``python -m nets.similarity runs/a runs/b ...`` compares the masks of every pair of runs: agreement, Jaccard index
(true: kept by both over kept by at least one), their values for independent masks with the same counts, and Cohen's
kappa, which is 0 at chance and 1 for equal masks. It also gives the norms of kept and of removed weights. Runs are
comparable if their networks have the same layers; densities may differ.

Source: the analysis of Gorbett and Whitley 2023 (bibliography key ``gorbett2023recycling``), whose code (read) adds the
intersection twice into the total Jaccard index, and takes mirrored positions for the removed weights.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from sims.commands import cli, flags
from sims.commands.flags import OptionalFile, UsageError
from sims.commands.output import check_files, console, deliver
from sims.statistics.result import Result, provenance

RUNS = tyro.conf.arg(metavar="RUN RUN [RUN ...]", help_behavior_hint="(required)")


@dataclass(frozen=True)
class Similarity:
    """Compare the tickets that several runs found."""

    examples: ClassVar = (
        "python -m nets.similarity runs/a runs/b",
        "python -m nets.similarity runs/prizes/score-* --plot alike.svg",
    )

    runs: Annotated[tyro.conf.Positional[tuple[str, ...]], RUNS]
    """Folders of finished runs, or ticket files."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: OptionalFile = None
    """Also write the rows, one for each pair and layer, as CSV."""
    plot: OptionalFile = None
    """Also draw the pairs as a heat map and the layers as lines (.png, .pdf or .svg)."""
    quiet: bool = False
    """No table."""
    force: bool = False
    """Let --csv and --plot replace files of any kind, but for inputs."""

    @property
    def check(self) -> bool:
        """There is nothing to refute."""
        return False


def compare_runs(runs: Sequence[str]) -> Result:
    """Compare every pair of runs, two at least: a row for each pair and layer, the pairs' means as summary.

    Raises
    ------
    ValueError
        If two runs have different layers, or one holds no ticket.
    """
    from nets.search.comparison import compare, summarise
    from nets.training.found_masks import load_masks

    started = time.monotonic()
    rows = compare([load_masks(run) for run in runs])
    return Result(
        command="nets.similarity",
        params={"runs": list(runs)},
        rows=rows,
        summary=summarise(rows),
        provenance=provenance(seed=None, threads=1, seconds=time.monotonic() - started),
    )


def work(argv: Sequence[str] | None) -> int:
    """Parse, compare, print; returns the exit code."""
    given = flags.parse(Similarity, argv, prog="python -m nets.similarity")
    from nets.training.run_folder import files_of

    inputs = [path for run in given.runs for path in files_of(run)]
    check_files(given, figure="similarity", curves=1, settings_of="runs", inputs=inputs)
    if len(given.runs) < 2:
        raise UsageError(f"a comparison takes at least two runs, got {len(given.runs)}")
    if len({Path(run).resolve() for run in given.runs}) < len(given.runs):
        raise UsageError(f"a run is named more than once: {' '.join(given.runs)}")
    result = compare_runs(given.runs)
    picture = ("picture", given.plot, lambda: result.plot(given.plot))
    return deliver(result, given, show=lambda: _print_tables(result), files=[picture])


def _print_tables(result: Result) -> None:
    import numpy as np
    from rich.table import Table

    from nets.search.comparison import MEANS

    out = console()
    count = result.summary[-1]["pairs"]
    title = f"{len(result.params['runs'])} runs, {count} pair{'s' * (count > 1)}: means"
    table = Table(title=title, title_justify="left")
    table.add_column("layer", no_wrap=True)
    for heading in ("weights", "agreement", "chance", "Jaccard", "chance", "kappa", "kappa from .. to"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in result.summary:
        values = (f"{line[key]:.4f}" for key in MEANS)
        table.add_row(
            line["layer"], str(line["weights"]), *values, f"{line['kappa_min']:.4f} .. {line['kappa_max']:.4f}"
        )
    out.print(table)
    if result.rows[0]["norm_kept_a"] is None:
        return
    first = [row for row in result.rows if row["a"] == result.rows[0]["a"] and row["b"] == result.rows[0]["b"]]
    table = Table(title=f"weights of {first[0]['a']}: Frobenius norms", title_justify="left")
    table.add_column("layer", no_wrap=True)
    for heading in ("kept", "removed", "all", "kept, if random"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in first:
        kept, removed = row["norm_kept_a"], row["norm_removed_a"]
        whole = float(np.hypot(kept, removed))
        chance = whole * (row["kept_a"] / row["weights"]) ** 0.5
        table.add_row(row["layer"], f"{kept:.4f}", f"{removed:.4f}", f"{whole:.4f}", f"{chance:.4f}")
    out.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
