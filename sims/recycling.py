"""What is it worth that every slot may take any of the values already present?

``python -m sims.recycling --eps 0.01`` fills n slots from n uniform values, with repetition, and simulates exactly how
likely some sum is within eps of alpha, beside proved bounds, a prediction, and the choice model with R fresh draws.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np

from sims.commands.output import COLOURS, MAX_CURVES, check_files, console, deliver, number
from sims.commands.table import Alpha, Cell, Flags, Settings, check_grid, draws, settings, windows
from sims.solver.multiset import MultisetCurve, half_sums
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from sims.statistics.result import Result, provenance
from sims.statistics.trials import Count, Counts, count_trials, count_until
from sims.statistics.verdict import verdicts
from sims.subset_sum import subset_sum_counter

_PIECE_HALF_SUMS = 2**23
_PIECE_VALUES = 2**15
_MAX_MOMENTS = 64
"""Largest n whose expected number of good sums is computed."""

Found = list[tuple[int, int]]


@dataclass(frozen=True)
class Recycling(Flags):
    """Each of n slots may take any of n uniform values, or none: how likely is some sum within eps of alpha?

    Prints for every n the simulated probability with its interval, a proved lower and a proved upper bound, a
    prediction (heuristic), the simulated probability with R fresh draws for each slot (choice model), the R that
    recycling is worth, and a verdict; and says how much of the gain in sums is left.
    """

    R: Annotated[tuple[str, ...], cli.values("INT [INT ...]")] = ("1", "2", "3")
    """Draws of each slot in the choice model, for comparison. Ranges: 1:5, 1:9:2."""
    delta: Annotated[str, cli.values("FLOAT")] = "0.05"
    """Failure probability in (0, 1) that the summary asks for."""


def recycling_counter(sizes: Sequence[int], cell: Cell, seed: int, jobs: int = 1) -> tuple[Count, int]:
    """The counting function of recycling and the number of trials per call.

    Parameters
    ----------
    sizes : sequence of int
        Numbers n of values and slots.
    cell : Cell
        eps and alpha; R and the model do not matter.
    seed : int
        Trial t uses the draws (seed, t, 0), (seed, t, 1), ..., whatever n is: the values of the choice model with
        R = 1.
    jobs : int
        Threads that will call the function; each keeps its own lists.

    Returns
    -------
    count, piece
        ``count(first, trials)``, one count per size, and the number of trials that one call should take.

    Raises
    ------
    ValueError
        The search does not fit into memory.
    """
    check_grid(cell.eps)
    own = threading.local()
    largest = max(sizes)
    MultisetCurve(largest, threads=jobs)
    piece = min(_PIECE_HALF_SUMS // half_sums(largest, largest), _PIECE_VALUES // largest)

    def count(first: int, trials: int) -> Counts:
        if not hasattr(own, "curve"):
            own.curve = MultisetCurve(largest, threads=jobs)
        centres, widths = windows(cell.alpha, cell.eps, seed, first, trials)
        hit = own.curve.first_n(draws(seed, first, trials, largest), centres, widths)
        return np.array([(hit <= n).sum() for n in sizes], np.int64)

    return count, max(1, piece)


@dataclass(frozen=True)
class Plan:
    """One table: its eps and alpha, its sizes, and what counts recycling (first) and each R."""

    eps: float
    alpha: Alpha
    sizes: tuple[int, ...]
    counters: tuple[tuple[Count, int], ...]


def plan(options: Settings) -> list[Plan]:
    """The tables, checked before any is simulated."""
    from theory.recycling import predicted_n

    result = []
    for eps in options.eps:
        for alpha in options.alpha:
            check_grid(eps)
            sizes = options.n or tuple(range(1, predicted_n(eps, options.delta, alpha=alpha) + 3))
            cells = [Cell(R, eps, alpha, "choice") for R in options.R]
            counters = [recycling_counter(sizes, cells[0], options.seed, options.jobs)]
            counters += [subset_sum_counter(sizes, cell, options.seed, options.jobs) for cell in cells]
            result.append(Plan(eps, alpha, sizes, tuple(counters)))
    return result


def _count(one: Plan, options: Settings, report: Callable[..., None]) -> list[Found]:
    """(successes, trials) of every size, for recycling and for each R."""
    first, trials, jobs = options.first_trial, options.trials, options.jobs
    result = []
    for count, piece in one.counters:
        if options.until is None:
            total = count_trials(count, first, trials, piece=piece, jobs=jobs, advance=report)
            result.append([(successes, trials) for successes in total.tolist()])
        else:
            result.append(count_until(count, first, trials, options.until, piece=piece, jobs=jobs, advance=report))
    return result


def simulate(plans: Sequence[Plan], options: Settings, *, quiet: bool, started: float) -> Result:
    """Simulate every table, then judge all rows together."""
    from theory.recycling import (
        expected_R,
        interpolated_R,
        success_prediction,
        success_prob_lower,
        success_prob_upper,
    )

    anytime = options.until is not None
    interval = confidence_sequence if anytime else clopper_pearson
    rows: list[dict[str, Any]] = []
    with cli.progress(options.trials * len(plans) * (1 + len(options.R)), quiet=quiet) as advance:
        for one in plans:
            found = _count(one, options, partial(advance, label=f"eps={one.eps:g} alpha={one.alpha}"))
            for index, n in enumerate(one.sizes):
                (successes, trials), *others = (counts[index] for counts in found)
                low, high = interval(successes, trials)
                choice = {R: hits / done for R, (hits, done) in zip(options.R, others, strict=True)}
                row: dict[str, Any] = {
                    "n": n,
                    "eps": one.eps,
                    "alpha": one.alpha,
                    "trials": trials,
                    "successes": successes,
                    "success": successes / trials,
                    "ci_low": low,
                    "ci_high": high,
                    "lower_bound": success_prob_lower(n, eps=one.eps, alpha=one.alpha),
                    "upper_bound": success_prob_upper(n, eps=one.eps, alpha=one.alpha),
                    "prediction": success_prediction(n, eps=one.eps, alpha=one.alpha),
                }
                for R, (hits, done) in zip(options.R, others, strict=True):
                    ends = interval(hits, done)
                    row |= {f"R{R}": choice[R], f"R{R}_ci_low": ends[0], f"R{R}_ci_high": ends[1]}
                row |= {
                    "worth_R": interpolated_R(row["success"], choice),
                    "expected_R": expected_R(n, eps=one.eps, alpha=one.alpha) if n <= _MAX_MOMENTS else None,
                }
                rows.append(row)
    bands = [(row["lower_bound"], row["upper_bound"]) for row in rows]
    judged = verdicts([(row["successes"], row["trials"]) for row in rows], bands, anytime=anytime)
    rows = [{**row, "verdict": verdict} for row, verdict in zip(rows, judged, strict=True)]
    return Result(
        command="sims.recycling",
        params=dataclasses.asdict(options),
        rows=rows,
        summary=[_summary(rows, one, options.delta) for one in plans],
        provenance=provenance(seed=options.seed, threads=options.jobs, seconds=time.monotonic() - started),
    )


def _summary(rows: Sequence[Mapping[str, Any]], one: Plan, delta: float) -> dict[str, Any]:
    """What is proved and what was seen about one table; the gain at the n where success is nearest to 1/2."""
    from theory.recycling import count_R, gain_left, multiset_count, necessary_n, required_n

    mine = [row for row in rows if (row["eps"], row["alpha"]) == (one.eps, one.alpha)]
    try:
        enough = required_n(one.eps, delta, alpha=one.alpha)
    except ValueError:  # a uniform alpha: nothing is proved beyond the largest block
        enough = None
    known = [row for row in mine if None not in (row["worth_R"], row["expected_R"]) and row["n"] > 1]
    half = min(known, key=lambda row: abs(row["success"] - 0.5), default=None)
    gain: dict[str, Any] = dict.fromkeys(("gain_n", "sums", "count_R", "expected_R", "worth_R"))
    gain |= dict.fromkeys(("gain_after_spread", "gain_left"))
    if half is not None:
        n = half["n"]
        gain = {"gain_n": n, "sums": multiset_count(n), "count_R": count_R(n)}
        gain |= {key: half[key] for key in ("expected_R", "worth_R")}
        gain |= {"gain_after_spread": gain_left(half["expected_R"], n), "gain_left": gain_left(half["worth_R"], n)}
    return {
        "eps": one.eps,
        "alpha": one.alpha,
        "delta": delta,
        "necessary_n": necessary_n(one.eps, delta, alpha=one.alpha),
        "required_n": enough,
        "first_n": min((row["n"] for row in mine if row["ci_low"] >= 1.0 - delta), default=None),
        **gain,
    }


_HEADINGS = {"ci_low": "95 % interval", "success": "simulated", "lower_bound": "lower", "upper_bound": "upper"}
_BEFORE = ("n", "success", "ci_low", "lower_bound", "upper_bound", "prediction")
_SHOWN_R = 3


def print_tables(result: Result) -> None:
    """One table per eps and alpha, readable in 100 columns; up to three R are shown."""
    from rich.table import Table

    out = console()
    every = result.params["R"]
    shown = (*_BEFORE, *(f"R{R}" for R in every[:_SHOWN_R]), "worth_R", "verdict")
    headings = {**_HEADINGS, **{f"R{R}": f"R = {R}" for R in every}, "worth_R": "worth R"}
    for entry in result.summary:
        title = f"Recycling, eps = {entry['eps']:g}, alpha = {entry['alpha']}; R = fresh draws, choice model, simulated"
        table = Table(title=title, title_justify="left", padding=(0, 0))
        for key in shown:
            table.add_column(headings.get(key, key), justify="left" if key == "verdict" else "right", no_wrap=True)
        for row in result.rows:
            if (row["eps"], row["alpha"]) == (entry["eps"], entry["alpha"]):
                table.add_row(*(_text(row, key) for key in shown))
        out.print(table)
        if len(every) > _SHOWN_R:
            out.print(f"Further R are in --json and --csv: {', '.join(map(str, every[_SHOWN_R:]))}.", soft_wrap=True)
        out.print(sentence(entry), soft_wrap=True)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if key == "ci_low":
        return f"{number(value)} .. {number(row['ci_high'])}"
    if key == "verdict":
        return f"[{COLOURS[value]}]{value}[/]"
    if key == "worth_R":
        return "-" if value is None else f"{value:.2f}"
    return str(value) if key == "n" else number(value)


def sentence(entry: Mapping[str, Any]) -> str:
    """The summary of a table for people."""
    first = entry["first_n"]
    seen = "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"
    enough = f"n = {entry['required_n']} suffices (proved)"
    if entry["required_n"] is None:
        enough = "no n is proved to suffice"
    text = f"For success >= {1.0 - entry['delta']:g}: n >= {entry['necessary_n']} is necessary (proved), "
    text += f"{enough}; {seen}.\n"
    if entry["gain_n"] is None:
        return text + "The gain is not measured: no simulated n > 1 lies between two of the given R."
    return text + (
        f"At n = {entry['gain_n']} recycling has {entry['sums']} sums, as many as R = {entry['count_R']:.2f} fresh "
        f"draws a slot; it expects as many good ones as R = {entry['expected_R']:.2f}, and succeeds as often as "
        f"R = {entry['worth_R']:.2f} (interpolated). Of the gain over R = 1, in the logarithm of the number of sums, "
        f"{entry['gain_after_spread']:.0%} is left by the wider spread of the sums, and {entry['gain_left']:.0%} by "
        f"their correlation as well."
    )


def run_recycling(flags: Recycling) -> int:
    """Simulate, print and write what was asked for; returns the exit code."""
    started = time.monotonic()
    options = settings(flags)
    check_files(flags, curves=len(options.eps) * len(options.alpha), settings_of="eps and alpha")
    if flags.plot is not None and len(options.R) >= MAX_CURVES:
        raise cli.UsageError(f"--plot holds up to {MAX_CURVES - 1} values of R, got {len(options.R)}")
    plans = plan(options)
    silent = flags.quiet or flags.json
    if not silent:
        print(f"seed {options.seed}, {options.trials} trials a row", flush=True)
    result = simulate(plans, options, quiet=silent, started=started)

    def draw(path: str) -> None:
        from figures.recycling import save

        save(result, path)

    return deliver(result, flags, draw=draw, show=lambda: print_tables(result))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: run_recycling(cli.parse(Recycling, args, prog="python -m sims.recycling")), argv)


if __name__ == "__main__":
    sys.exit(main())
