"""Published networks, each found inside a random one, and its real job before and after.

``python -m nets.gallery`` takes the networks whose packages are installed (extra: gallery) and names the others. The
first one, trained on scikit-learn's digits on the spot, needs none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import tyro

from sims.commands import cli, flags
from sims.commands.output import check_table, console, deliver
from sims.commands.prediction import announce
from sims.progress import progress
from sims.statistics.result import Result, Row, provenance

SCORES = ("network", "job", "metric", "before", "after", "licence", "source")
"""What the summary has of each network, with all numbers of its job."""


@dataclass(frozen=True)
class Gallery:
    """Find published networks inside random ones; do their jobs before and after."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m nets.gallery --original",
        "python -m nets.gallery digits crepe-tiny --n 21 --eta 0.01 --csv gallery.csv",
    )

    names: Annotated[tuple[str, ...], *flags.written("NAME [NAME ...]", tuple, many=True), tyro.conf.Positional] = ()
    """digits, pesto, crepe-tiny, crepe-full, silero-vad, rxnmapper, efficientnet-lite0. Default: all that are there."""
    n: flags.Integer = 21
    """Random values per weight or row; layered: neurons per input coordinate and sign."""
    eta: flags.Real = 0.01
    """Largest error of one weight."""
    source: Literal["layered", "private", "shared"] = "shared"
    """layered: products of two random layers. private, shared: values of each weight's, each output row's own."""
    seed: flags.Integer = 1
    """Seed in [0, 2^64)."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores."""
    max_time: flags.OptionalDuration = None
    """Find no network that is predicted to take longer. Default: a day."""
    original: bool = False
    """Only do the jobs with the published networks; find nothing."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    check: bool = False
    """Exit with 1 if a weight misses eta."""
    quiet: bool = False
    """No table."""
    force: bool = False
    """Let --csv replace files of any kind, but for inputs."""


def collect(given: Gallery) -> Result:
    """Find every network that is asked for and do its job: a row for each."""
    started = time.monotonic()
    from nets.device import machine
    from nets.gallery.entry import Loaded
    from nets.gallery.registry import chosen
    from nets.gallery.table import Found, Settings, before, find, row

    names = ("n", "eta", "source", "seed", "jobs")
    settings = Settings(**{name: getattr(given, name) for name in names if getattr(given, name) is not None})

    def search(loaded: Loaded, chosen: Settings) -> Found:
        say = partial(announce, max_time=given.max_time, quiet=given.quiet)
        return find(loaded, chosen, say, partial(progress, quiet=given.quiet or given.json))

    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    for entry in chosen(given.names):
        reason = entry.available()
        if reason is None:
            rows.append(before(entry) if given.original else row(entry, settings, search))
        elif given.names:
            raise FileNotFoundError(reason)
        else:
            skipped.append({"network": entry.name, "skipped": reason})
    seconds = time.monotonic() - started
    return Result(
        command="nets.gallery",
        params={"networks": [one["network"] for one in rows], **asdict(settings), "original": given.original},
        rows=[_flat(one) for one in rows],
        provenance=provenance(seed=given.seed, threads=settings.jobs, seconds=seconds, **machine("cpu")),
        summary=[*({name: one.get(name) for name in SCORES} for one in rows), *skipped],
    )


def work(argv: Sequence[str] | None) -> int:
    """Parse, do each network, print; returns the exit code."""
    given = flags.parse(Gallery, argv, prog="python -m nets.gallery")
    check_table(given)
    result = collect(given)
    missed = given.check and any(one.get("share_within_eta", 1) < 1 for one in result.rows)
    return deliver(result, given, show=lambda: print_table(result), code=int(missed))


def print_table(result: Result) -> None:
    """The rows, one line each, and below them what was skipped."""
    from rich.table import Table

    out = console(least=160)
    table = Table()
    cells = [_cells(one) for one in result.rows]
    for heading in cells[0] if cells else ():
        table.add_column(heading, justify="left" if heading in ("network", "job") else "right")
    for one in cells:
        table.add_row(*one.values())
    if cells:
        out.print(table)
    for reason in (one["skipped"] for one in result.summary if "skipped" in one):
        out.print(f"skipped: {reason}", soft_wrap=True)


def _flat(one: Row) -> Row:
    """A row with one number for the job before, and one after."""
    score = {name: one[name][one["metric"]] for name in ("before", "after") if name in one}
    return {**one, **score}


def _cells(one: Row) -> dict[str, str]:
    score = f"{one['before']:.4g}"
    if "after" not in one:
        named = f"{one['job']} ({one['metric'].replace('_', ' ')})"
        return {"network": one["network"], "job": named, "score": score, "seconds": f"{one['seconds']:.1f}"}
    proved = "measured" if one["certified"] is None else f"<= {one['certified']:.3g}"
    return {
        "network": one["network"],
        "weights": str(one["weights"]),
        "n": str(one["n"]),
        "eta": f"{one['eta']:g}",
        "within eta": f"{100 * one['share_within_eta']:.2f} %",
        "difference": f"{one['difference']:.3g} ({proved})",
        "of": f"{one['output']:.3g}",
        "job": f"{one['job']} ({one['metric'].replace('_', ' ')})",
        "before": score,
        "after": f"{one['after']:.4g}",
        "seconds": f"{one['seconds']:.1f}",
        "MB": "?" if one["memory"] is None else f"{one['memory'] / 1e6:.0f}",
        "bits": f"{one['bits_per_weight']:.1f}",
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
