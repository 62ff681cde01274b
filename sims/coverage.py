"""How likely is it that every target of an interval has a sum within eps, all at once?

``python -m sims.coverage --eps 0.01`` measures it for every n on exact largest gaps, beside a proved lower bound, a
proved upper bound and a heuristic prediction, and says how large n must be.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import dataclasses
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from sims.commands.output import COLOURS, check_files, console, deliver, number
from sims.commands.table import Flags, Settings, draws, settings
from sims.solver.gap import GapSolver
from sims.solver.philox import GRID_BITS
from sims.statistics.intervals import clopper_pearson, confidence_sequence
from sims.statistics.result import Result, provenance
from sims.statistics.trials import Counts, count_trials, count_until
from sims.statistics.verdict import verdicts

QUANTILE_TRIALS = 10**5
"""The gap quantiles are those of the first trials, this many at most."""

AUTO_LOG2_SUMS = 26.0
"""``--method auto`` takes the bitmap beyond 2^26 sums."""

MIN_EPS = 1e-9
"""Smallest eps of the proved lower bounds."""

_MAX_BITS = 26
_PIECE_SUMS = 2**22
_PIECE_VALUES = 2**15


@dataclass(frozen=True)
class Coverage(Flags):
    """With n uniform variables on [-1, 1], R draws each, how likely does every point of an interval have a sum near it?

    A sum takes at most one draw of each variable; near is within eps. Prints for every n the simulated probability with
    its interval, quantiles of the largest gap (twice the largest distance of a point of the interval from its nearest
    sum; covered means at most 2 eps), a proved lower and a proved upper bound, a prediction (heuristic) and a verdict,
    and says how large n must be.
    """

    alpha: tyro.conf.Suppress[tyro.conf.Fixed[tuple[str, ...]]] = ("0.5",)
    interval: Annotated[tuple[str, str], cli.values("LOW HIGH")] = ("-0.5", "0.5")
    """The targets: all points from LOW to HIGH, -1 <= LOW <= HIGH <= 1."""
    method: Literal["auto", "exact", "bitmap"] = "auto"
    """exact: values as drawn, all sums sorted. bitmap: values rounded down to a grid of step 2^-b, all sums as bits:
    a slightly different law, whose bounds are therefore those of eps -+ n 2^-b. auto: exact up to 2^26 sums."""
    bits: Annotated[str | None, cli.values("INT")] = None
    """Grid of the bitmap: step 2^-bits, 1 to 26. Default: the coarsest step up to a sixteenth of the smallest eps."""
    delta: Annotated[str, cli.values("FLOAT")] = "0.05"
    """Failure probability in (0, 1) that the summary asks for."""
    trials: Annotated[str, cli.values("INT")] = "2000"
    """Trials per row, up to 1e12."""


@dataclass(frozen=True)
class Setting:
    """The value sets and the targets of some rows, which differ in eps only; ``bits`` is None for the exact method."""

    n: int
    R: int
    low: float
    high: float
    bits: int | None

    @property
    def method(self) -> str:
        """exact or bitmap."""
        return "exact" if self.bits is None else "bitmap"


class CoverageCounter:
    """Counts the trials whose sums cover the interval, for several eps at once; keeps the first trials' largest gaps.

    Parameters
    ----------
    setting : Setting
    eps : sequence of float
        One count each.
    seed, first : int
        Trial t uses the draws (seed, t, 0), (seed, t, 1), ...: value r of variable i is draw i R + r, whatever n is.
        The bitmap uses the same draws, rounded down.
    trials : int
        Trials that will be counted, from ``first`` on.
    jobs : int
        Threads that will count; each keeps its own solver.

    Raises
    ------
    ValueError
        The search would not fit into memory or time.
    """

    def __init__(
        self, setting: Setting, eps: Sequence[float], seed: int, *, first: int = 0, trials: int = 0, jobs: int = 1
    ) -> None:
        self.setting, self.eps = setting, tuple(eps)
        self._seed, self._first, self._jobs = seed, first, jobs
        self._own = threading.local()
        self._solver()
        n, R = setting.n, setting.R
        work = (R + 1) ** n if setting.bits is None else n * n * (R + 1) * 2**setting.bits // 64
        self.piece = max(1, min(_PIECE_SUMS // max(1, work), _PIECE_VALUES // (n * R), 2**13))
        self.gaps = np.full(min(trials, QUANTILE_TRIALS), np.nan)

    def _solver(self) -> GapSolver:
        if not hasattr(self._own, "solver"):
            at = self.setting
            bits = GRID_BITS if at.bits is None else at.bits
            self._own.solver = GapSolver(at.n, at.R, at.low, at.high, bits=bits, method=at.method, threads=self._jobs)
        solver: GapSolver = self._own.solver
        return solver

    def __call__(self, first: int, trials: int) -> Counts:
        """Covered trials among first, ..., first + trials - 1, one count per eps."""
        values = draws(self._seed, first, trials, self.setting.n * self.setting.R)
        if self.setting.bits is not None:
            values >>= GRID_BITS - self.setting.bits
        gaps = self._solver().solve(values)
        start = first - self._first
        keep = min(trials, len(self.gaps) - start)
        if keep > 0:
            self.gaps[start : start + keep] = gaps.largest()[:keep]
        return np.array([gaps.covered(eps).sum() for eps in self.eps], np.int64)

    def quantiles(self) -> dict[str, float]:
        """Quantiles of the largest gaps that were kept: order statistics, no interpolation."""
        known = self.gaps[~np.isnan(self.gaps)]
        names = {"gap_q10": 0.1, "gap_q50": 0.5, "gap_q90": 0.9}
        return {name: float(np.quantile(known, q, method="inverted_cdf")) for name, q in names.items()}


def _interval(tokens: tuple[str, str]) -> tuple[float, float]:
    low, high = (cli.real("--interval", token) for token in tokens)
    if not -1.0 <= low <= high <= 1.0:
        raise cli.UsageError(f"--interval takes LOW HIGH with -1 <= LOW <= HIGH <= 1, got {' '.join(tokens)}")
    return low, high


def _bits(flags: Coverage, eps: Sequence[float]) -> int:
    """The bitmap's grid."""
    if flags.bits is not None:
        return cli.between("--bits", cli.integer("--bits", flags.bits), 1, _MAX_BITS)
    bits = math.ceil(math.log2(16 / min(eps)))
    if bits > _MAX_BITS:
        raise cli.UsageError(f"--eps {min(eps):g} needs a bitmap finer than 2^-{_MAX_BITS}: give --bits")
    return bits


def plan(flags: Coverage, options: Settings) -> list[tuple[Setting, tuple[float, ...]]]:
    """Settings with their eps; every one is checked before any is measured."""
    from theory.coverage import predicted_n

    low, high = _interval(flags.interval)
    if flags.bits is not None and flags.method == "exact":
        raise cli.UsageError("--bits belongs to the bitmap, not to --method exact")
    if flags.bits is not None:
        _bits(flags, options.eps)
    result = []
    for R in options.R:
        last = {eps: max(options.n or (0,)) for eps in options.eps}
        if options.n is None:
            last = {eps: predicted_n(eps, options.delta, R=R, low=low, high=high) + 2 for eps in options.eps}
        for n in options.n or range(1, max(last.values()) + 1):
            exact = flags.method == "exact" or (flags.method == "auto" and n * math.log2(R + 1) <= AUTO_LOG2_SUMS)
            setting = Setting(n, R, low, high, None if exact else _bits(flags, options.eps))
            eps = tuple(value for value in options.eps if n <= last[value])
            CoverageCounter(setting, eps, options.seed, jobs=options.jobs)
            result.append((setting, eps))
    return result


def _bounds(setting: Setting, eps: float) -> dict[str, float]:
    """The proved band and the prediction of a row.

    A value moves by less than 2^-bits on to its grid, a sum by less than n 2^-bits: what is covered with eps before is
    covered with eps + n 2^-bits after, and the other way round.
    """
    from theory.coverage import success_prediction, success_prob_lower, success_prob_upper

    n, R = setting.n, setting.R
    where = {"low": setting.low, "high": setting.high}
    shift = 0.0 if setting.bits is None else n * 2.0**-setting.bits
    fine, coarse = eps - shift, min(1.0, eps + shift)
    return {
        "lower_bound": success_prob_lower(n, R, eps=fine, **where) if fine >= MIN_EPS else 0.0,
        "upper_bound": success_prob_upper(n, R, eps=coarse, **where),
        "prediction": success_prediction(n, R, eps=eps, **where),
    }


def simulate(
    rows: Sequence[tuple[Setting, tuple[float, ...]]],
    options: Settings,
    *,
    quiet: bool,
    started: float,
    counters: Callable[..., CoverageCounter] = CoverageCounter,
) -> Result:
    """Measure every row, then judge them together; ``counters`` makes what counts."""
    first, trials, jobs = options.first_trial, options.trials, options.jobs
    found: dict[tuple[int, float, int], tuple[Setting, tuple[int, int], dict[str, float]]] = {}
    with cli.progress(trials * len(rows), quiet=quiet) as advance:
        for setting, eps in rows:
            counter = counters(setting, eps, options.seed, first=first, trials=trials, jobs=jobs)
            report = partial(advance, label=f"R={setting.R} n={setting.n}")
            if options.until is None:
                total = count_trials(counter, first, trials, piece=counter.piece, jobs=jobs, advance=report)
                counts = [(successes, trials) for successes in total.tolist()]
            else:
                counts = count_until(
                    counter, first, trials, options.until, piece=counter.piece, jobs=jobs, advance=report
                )
            gaps = counter.quantiles()
            for value, count in zip(eps, counts, strict=True):
                found[setting.R, value, setting.n] = setting, count, gaps
    order = [(R, eps, n) for R in options.R for eps in options.eps for r, e, n in found if (r, e) == (R, eps)]
    bounds = [_bounds(found[key][0], key[1]) for key in order]
    anytime = options.until is not None
    bands = [(bound["lower_bound"], bound["upper_bound"]) for bound in bounds]
    judged = verdicts([found[key][1] for key in order], bands, anytime=anytime)
    interval = confidence_sequence if anytime else clopper_pearson
    table: list[dict[str, Any]] = []
    for key, bound, verdict in zip(order, bounds, judged, strict=True):
        setting, (successes, done), gaps = found[key]
        low, high = interval(successes, done)
        table.append(
            {
                "n": setting.n,
                "R": setting.R,
                "eps": key[1],
                "low": setting.low,
                "high": setting.high,
                "method": setting.method,
                "bits": setting.bits,
                "trials": done,
                "successes": successes,
                "success": successes / done,
                "ci_low": low,
                "ci_high": high,
                **bound,
                **gaps,
                "verdict": verdict,
            }
        )
    params = {key: value for key, value in dataclasses.asdict(options).items() if key != "alpha"}
    return Result(
        command="sims.coverage",
        params={**params, "interval": [rows[0][0].low, rows[0][0].high]},
        rows=table,
        summary=[_summary(table, R, eps, options.delta) for R in options.R for eps in options.eps],
        provenance=provenance(seed=options.seed, threads=jobs, seconds=time.monotonic() - started),
    )


def _summary(rows: Sequence[Mapping[str, Any]], R: int, eps: float, delta: float) -> dict[str, Any]:
    """What is proved and what was seen about one setting."""
    from theory.coverage import necessary_n, required_n

    mine = [row for row in rows if (row["R"], row["eps"]) == (R, eps)]
    where = {"low": mine[0]["low"], "high": mine[0]["high"]}
    return {
        "R": R,
        "eps": eps,
        **where,
        "delta": delta,
        "necessary_n": necessary_n(eps, delta, R=R, **where),
        "required_n": required_n(eps, delta, R=R, **where) if eps >= MIN_EPS else None,
        "first_n": min((row["n"] for row in mine if row["ci_low"] >= 1.0 - delta), default=None),
    }


_HEADINGS = {"ci_low": "95 % interval", "success": "simulated", "lower_bound": "lower", "upper_bound": "upper"}
_BOUNDS = ("lower_bound", "upper_bound", "prediction")
_SHOWN = ("n", "method", "success", "ci_low", *_BOUNDS, "gap_q50", "gap_q90", "verdict")


def print_tables(result: Result) -> None:
    """One table per R and eps, readable in 100 columns."""
    from rich.table import Table

    out = console()
    for entry in result.summary:
        title = f"R = {entry['R']}, eps = {entry['eps']:g}, all targets from {entry['low']:g} to {entry['high']:g}"
        shown = Table(title=title, title_justify="left", padding=(0, 0))
        for key in _SHOWN:
            left = key in ("verdict", "method")
            shown.add_column(_HEADINGS.get(key, key), justify="left" if left else "right", no_wrap=True)
        for row in result.rows:
            if (row["R"], row["eps"]) == (entry["R"], entry["eps"]):
                shown.add_row(*(_text(row, key) for key in _SHOWN))
        out.print(shown)
        out.print(_sentence(entry), soft_wrap=True)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if key == "ci_low":
        return f"{number(value)} .. {number(row['ci_high'])}"
    if key == "verdict":
        return f"[{COLOURS[value]}]{value}[/]"
    if key.startswith("gap"):
        return f"{value:.2g}"
    return str(value) if key in ("n", "method") else number(value)


def _sentence(entry: Mapping[str, Any]) -> str:
    first = entry["first_n"]
    seen = "no simulated n shows it" if first is None else f"simulation shows it from n = {first}"
    enough = f"n = {entry['required_n']} suffices (proved)"
    if entry["required_n"] is None:
        enough = "no n is proved to suffice"
    success = 1.0 - entry["delta"]
    return (
        f"For all targets at once with probability >= {success:g}: n >= {entry['necessary_n']} is necessary (proved), "
        f"{enough}; {seen}."
    )


def run_coverage(flags: Coverage) -> int:
    """Measure, print and write what was asked for; returns the exit code."""
    started = time.monotonic()
    options = settings(flags)
    check_files(flags, curves=len(options.R) * len(options.eps), settings_of="R and eps")
    rows = plan(flags, options)
    silent = flags.quiet or flags.json
    if not silent:
        print(f"seed {options.seed}, {options.trials} trials a row", flush=True)
    result = simulate(rows, options, quiet=silent, started=started)

    def draw(path: str) -> None:
        from figures.coverage import save

        save(result, path)

    return deliver(result, flags, draw=draw, show=lambda: print_tables(result))


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: run_coverage(cli.parse(Coverage, args, prog="python -m sims.coverage")), argv)


if __name__ == "__main__":
    sys.exit(main())
