"""The command of an experiment: flags in, one table per question out."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sims.band import FOOTNOTE, MARK
from sims.cache import Cache, question_of
from sims.commands import cli, flags
from sims.commands.output import COLOURS, OutputFlags, check_files, console, deliver, number, refuted
from sims.commands.prediction import prepare
from sims.experiment import Experiment, Request
from sims.files import AnyPath, OutputFile
from sims.finishing import Finishing
from sims.plain_text import counted, one_line
from sims.progress import progress
from sims.statistics.result import Result
from sims.statistics.verdict import NO_POWER, REFUTED
from sims.tailed import Tailed

MOST_TABLES = 100
"""That are printed for people."""

_HEADINGS = {"ci_low": "95 % interval", "success": "simulated", "lower_bound": "lower", "upper_bound": "upper"}


def experiment_command(experiment: Experiment[Any, Any], argv: Sequence[str] | None) -> int:
    """Simulate what the flags ask for, judge it, and write what was asked for; returns the exit code."""

    def work(args: Sequence[str] | None) -> int:
        args = list(sys.argv[1:] if args is None else args)
        if "--tail" in args:
            from sims.tail import estimate

            return estimate(experiment, args)
        given = flags.parse(experiment.config, args, prog=f"python -m {experiment.command}")
        request = experiment.request(given)
        check_outputs(experiment, request, given)

        def count() -> Result:
            return _counted(experiment, request, given)

        head = _head(request)
        result = kept_or(count, experiment.command, experiment.version, request, given, head=head)
        return deliver_result(experiment, result, given)

    return cli.run(work, argv)


def _head(request: Request[Any]) -> str:
    return f"seed {request.options.seed}, {counted(request.options.trials, 'trial')} a row"


def kept_or(
    work: Callable[[], Result], command: str, layout: int, request: Request[Any], given: Any, *, head: str
) -> Result:
    """The result that ``--cache`` keeps for a request, else that of the work, which is then kept; says which.

    ``head``: what the work prints before a table for people.
    """
    folder = getattr(given, "cache", None)
    if folder is None:
        return work()
    if given.seed is None:
        raise flags.UsageError("--cache needs --seed: with a fresh one no question is asked twice")
    kept = Cache(folder, question_of(command, layout, request))
    result, said = kept.find()
    if said and not given.quiet:
        print(f"cache: {one_line(said)}", file=sys.stderr, flush=True)
    if result is not None:
        if not (given.quiet or given.json):
            print(head, flush=True)
        return result
    result = work()
    if said := kept.keep(result):
        print(f"cache: {one_line(said)}", file=sys.stderr, flush=True)
    return result


def _counted(experiment: Experiment[Any, Any], request: Request[Any], given: Any) -> Result:
    """Predict, say so, and simulate."""
    passes = prepare(experiment, request, max_time=given.max_time, quiet=given.quiet)
    silent = given.quiet or given.json
    if not silent:
        print(_head(request), flush=True)
    started = time.monotonic()
    with progress(request.options.trials * len(passes), quiet=silent) as advance:
        found = experiment.count(request, passes, advance)
    seconds, made = time.monotonic() - started, Finishing(request.options.jobs, quiet=silent)
    return experiment.result(request, passes, found, seconds=seconds, tabulated=made)


def check_outputs(
    experiment: Experiment[Any, Any],
    request: Request[Any],
    given: OutputFlags,
    *others: OutputFile,
    inputs: Iterable[AnyPath | None] = (),
) -> None:
    """Refuse files that could not be written, or a picture that could not be drawn, before any work."""
    *most, last = experiment.group
    settings = f"{', '.join(most)} and {last}" if most else last
    curves = experiment.curves(request)
    check_files(given, *others, figure=experiment.name, curves=curves, settings_of=settings, inputs=inputs)


def deliver_result(experiment: Experiment[Any, Any], result: Result, given: Any) -> int:
    """Print a result, write its files and draw its picture; returns the exit code."""
    picture = ("picture", given.plot, lambda: result.plot(given.plot))
    return deliver(
        result, given, show=lambda: print_tables(experiment, result), files=[picture], code=refuted(result, given)
    )


def print_tables(experiment: Experiment[Any, Any], result: Result) -> None:
    """One table per summary entry, readable in 100 columns, and its sentence; the first `MOST_TABLES` of them."""
    from rich.table import Table

    out = console(markup=True)
    for layout, rows, sentence in itertools.islice(experiment.tables(result), MOST_TABLES):
        if layout.head:
            out.print(layout.head)
        headings = {**_HEADINGS, **layout.headings}
        table = Table(title=layout.title or None, title_justify="left", padding=(0, 0) if layout.tight else (0, 1))
        for key in layout.columns:
            left = key in ("verdict", "method")
            table.add_column(headings.get(key, key), justify="left" if left else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(experiment.text(row, key) or cell_text(row, key) for key in layout.columns))
        out.print(table)
        if any(row.get(f"{key}_clamped") for row in rows for key in layout.columns):
            out.print(FOOTNOTE, soft_wrap=True)
        if isinstance(experiment, Tailed) and any(row.get("verdict") == NO_POWER for row in rows):
            out.print("no power: too few trials to refute such a bound; --tail estimates rare failures", soft_wrap=True)
        if layout.note:
            out.print(layout.note, soft_wrap=True)
        out.print(sentence, soft_wrap=True)
    more = len(result.summary) - MOST_TABLES
    if more > 0:
        bad = sum(row["verdict"] == REFUTED for row in result.rows)
        verb = "is" if bad == 1 else "are"
        said = f"{counted(more, 'further table')} in --json and --csv; of all {counted(len(result.rows), 'row')}, {bad}"
        out.print(f"{said} {verb} refuted.", soft_wrap=True)


def cell_text(row: Mapping[str, Any], key: str) -> str:
    """One cell of a table for people."""
    value = row[key]
    if value is None:
        return "-"
    if key == "ci_low":
        return f"{number(value)} .. {number(row['ci_high'])}"
    if key == "verdict":
        return f"[{COLOURS[value]}]{value}[/]"
    if key.startswith("gap_"):
        return f"{value:.2g}"
    if key == "worth_R":
        return f"{value:.2f}"
    mark = MARK if row.get(f"{key}_clamped") else ""
    return (number(value) if isinstance(value, float) else str(value)) + mark
