"""The main theorem, end to end: random target, random source of depth 2l, pruning, certificate, again and again.

``python -m nets.main_theorem --widths 4 8 3 --eps 0.1 --delta 0.1 --R 4000`` draws random targets of depth l, builds
for each trial the random source network of depth 2l that the chosen statement asks for (re-sampling included), prunes
it, certifies the error of the pruned network and reports how often it is at most eps, against the promised 1 - delta.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from nets.device import machine, resolve_device
from sims.commands.output import COLOURS, check_files, console, deliver, number
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED
from sims.statistics.intervals import clopper_pearson
from sims.statistics.result import Result, provenance
from sims.statistics.verdict import verdicts
from theory.numerics import check

_BATCH_WEIGHTS = 2**20
_STARTS, _STEPS = 16, 12
"""Of the ascent behind the lower end: fewer than `certify` takes, since there are many trials."""
_TARGET_STREAM = 2**31


@dataclass(frozen=True)
class MainTheorem:
    """How often does the random network of depth 2l that the theorem asks for contain the target?

    Prints for every eps and R the width that the statement asks for, the share of trials in which the certified error
    of the pruned network is at most eps, and a verdict against 1 - delta.
    """

    widths: Annotated[tuple[str, ...], cli.values("INT INT [INT ...]")] = ("4", "8", "3")
    """Widths d_0, ..., d_l of the target."""
    eps: Annotated[tuple[str, ...], cli.values("FLOAT [FLOAT ...]")] = ("0.1",)
    """Accuracy of the whole network in (0, 1]; several make a grid."""
    delta: Annotated[str, cli.values("FLOAT")] = "0.1"
    """Failure probability that the statement is asked for."""
    R: Annotated[tuple[str, ...], cli.values("INT [INT ...]")] = ("4000",)
    """Draws that each element of the source may take; several make a grid."""
    trials: Annotated[str, cli.values("INT")] = "200"
    """Source networks per row."""
    first_trial: Annotated[str, cli.values("INT")] = "0"
    """Number of the first trial: runs that cover the trials in parts add up to the same counts."""
    targets: Annotated[str, cli.values("INT")] = "8"
    """Random targets; trial t uses target t mod this number."""
    statement: Literal["ours", "recalled", "repaired"] = "ours"
    """ours: proved here. recalled: the published theorem as we recall it. repaired: the recalled form, with a proof."""
    n: Annotated[tuple[str, ...], cli.values("INT [INT ...]")] = ()
    """Candidates per input coordinate and sign, one number or one per target layer. Default: what the statement
    asks for."""
    construction: Literal["window", "best", "subset-sum"] = "window"
    """window: the proof's choice. best: the neuron and draws nearest to the weight. subset-sum: a sum of several."""
    sampler: Literal["draws", "nearest"] = "nearest"
    """draws: every draw is made. nearest: the nearest of R draws by its exact law, R up to 1e12."""
    norm: Literal["frobenius", "spectral"] = "frobenius"
    """Which norm of every target layer is 1."""
    domain: Literal["l2", "linf"] = "l2"
    """Unit ball of the inputs."""
    seed: Annotated[str | None, cli.values("INT")] = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where the search and the certificates run."""
    jobs: Annotated[str | None, cli.values("INT")] = None
    """Threads. Default: all available cores."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: Annotated[str | None, cli.values("FILE")] = None
    """Also write the rows as CSV."""
    plot: Annotated[str | None, cli.values("FILE")] = None
    """Also draw the certified errors against eps (.png, .pdf or .svg)."""
    check: bool = False
    """Exit with 1 if the statement is refuted."""
    quiet: bool = False
    """No table and no progress bar."""


@dataclass(frozen=True)
class Settings:
    """Validated flags."""

    widths: tuple[int, ...]
    eps: tuple[float, ...]
    delta: float
    R: tuple[int, ...]
    trials: int
    first_trial: int
    targets: int
    statement: str
    n: tuple[int, ...] | None
    construction: str
    sampler: str
    norm: str
    domain: str
    seed: int
    device: str
    jobs: int


def settings(flags: MainTheorem) -> Settings:
    """Validate the flags; raises UsageError or ValueError with one line."""
    widths = tuple(cli.between("--widths", cli.integer("--widths", token), 1, 10**6) for token in flags.widths)
    if len(widths) < 2:
        raise cli.UsageError(f"--widths needs d_0, ..., d_l with l >= 1, got {' '.join(flags.widths)}")
    n = tuple(cli.between("--n", cli.integer("--n", token), 1, 10**12) for token in flags.n) or None
    if n is not None and len(n) not in (1, len(widths) - 1):
        raise cli.UsageError(f"--n takes one number or {len(widths) - 1}, one per target layer, got {len(n)}")
    if flags.construction == "subset-sum" and n is None:
        raise cli.UsageError("--construction subset-sum needs --n: no statement with known constants gives it")
    draws = cli.integers("--R", flags.R)
    for value in draws:
        cli.between("--R", value, 1, 10**12)
    sampler = "draws" if flags.construction == "subset-sum" else flags.sampler
    seed = cli.fresh_seed() if flags.seed is None else cli.integer("--seed", flags.seed)
    jobs = default_jobs() if flags.jobs is None else cli.integer("--jobs", flags.jobs)
    return Settings(
        widths=widths,
        eps=tuple(check.accuracy("eps", value) for value in cli.reals("--eps", flags.eps)),
        delta=check.open_probability("delta", cli.real("--delta", flags.delta)),
        R=draws,
        trials=cli.between("--trials", cli.integer("--trials", flags.trials), 1, 10**9),
        first_trial=cli.between("--first-trial", cli.integer("--first-trial", flags.first_trial), 0, 10**15),
        targets=cli.between("--targets", cli.integer("--targets", flags.targets), 1, 10**6),
        statement=flags.statement,
        n=n,
        construction=flags.construction,
        sampler=sampler,
        norm=flags.norm,
        domain=flags.domain,
        seed=cli.between("--seed", seed, 0, MAX_SEED),
        device=resolve_device(flags.device),
        jobs=cli.between("--jobs", jobs, 1, 4096),
    )


@dataclass(frozen=True)
class Errors:
    """Certified errors of the trials of one row, in the order of the trials."""

    lower: list[float]
    upper: list[float]


def certified_errors(options: Settings, eps: float, R: int, n: int | Sequence[int], advance: cli.Advance) -> Errors:
    """Build, prune and certify every trial of one row.

    Trial t has target t mod ``targets`` and a source of its own; both depend on (seed, t) alone.
    """
    import torch

    from nets.certificate import certify_batch
    from nets.construction.prune_approx import simulate_trials
    from nets.targets.target import random_target
    from theory.network.width import layer_etas

    count = min(options.targets, options.first_trial + options.trials)
    targets = [random_target(options.widths, options.norm, seed=_target_seed(options.seed, k)) for k in range(count)]
    etas = layer_etas(options.widths, eps, domain=options.domain)
    lower, upper = torch.empty(options.trials).double(), torch.empty(options.trials).double()
    for start, size in _batches(options):
        which = torch.arange(start, start + size) % options.targets
        if options.construction == "subset-sum":
            effective = _subset_sum_trials([targets[k] for k in which.tolist()], options, R, n, start)
        else:
            stacked = [torch.stack(layers)[which] for layers in zip(*(t.weights for t in targets), strict=True)]
            effective = simulate_trials(
                stacked, n, R=R, seed=options.seed, trials=size, first_trial=start, eta=etas, halves="needed",
                construction=options.construction, sampler=options.sampler, device=options.device, jobs=options.jobs,
            ).effective  # fmt: skip
        for k in which.unique().tolist():
            rows = which == k
            mine = [(plus[rows], minus[rows]) for plus, minus in effective]
            found = certify_batch(
                targets[k], mine, domain=options.domain, starts=_STARTS, steps=_STEPS, device=options.device
            )
            places = torch.arange(size)[rows] + start - options.first_trial
            lower[places], upper[places] = found.lower, found.upper
        advance(size)
    return Errors(lower.tolist(), upper.tolist())


def _target_seed(seed: int, which: int) -> int:
    """A seed of its own for every target; torch's generators take 63 bits."""
    from sims.solver.philox import grid_draws

    return int(grid_draws(seed, which, 1, 1, stream=_TARGET_STREAM)[0, 0]) + 2**52


def _batches(options: Settings) -> Iterator[tuple[int, int]]:
    """(first trial, size) of pieces that keep memory small and the progress bar moving."""
    weights = sum(a * b for a, b in itertools.pairwise(options.widths))
    size = max(1, min(_BATCH_WEIGHTS // weights, -(-options.trials // 20)))
    end = options.first_trial + options.trials
    for start in range(options.first_trial, end, size):
        yield start, min(size, end - start)


def _subset_sum_trials(
    targets: Sequence[Any], options: Settings, R: int, n: int | Sequence[int], first_trial: int
) -> list[tuple[Any, Any]]:
    """Effective weights of one source network per target, by subset sums."""
    import torch

    from nets.construction.prune_approx import prune
    from nets.construction.source import Source, trial_seeds

    pruned = []
    seeds = trial_seeds(options.seed, first_trial, trials=len(targets))
    for target, seed in zip(targets, seeds.tolist(), strict=True):
        source = Source(options.widths, n, seed=seed, R=R)
        network = prune(
            target, source, construction="subset-sum", halves="needed", device=options.device, jobs=options.jobs
        )
        pruned.append(network.effective())
    return [
        (torch.stack([network[i][0] for network in pruned]), torch.stack([network[i][1] for network in pruned]))
        for i in range(len(options.widths) - 1)
    ]


def work(argv: Sequence[str] | None) -> int:
    """Parse, simulate, judge, print; returns the exit code."""
    started = time.monotonic()
    flags = cli.parse(MainTheorem, argv, prog="python -m nets.main_theorem")
    options = settings(flags)
    plan = [(eps, R) for eps in options.eps for R in options.R]
    check_files(flags, curves=len(plan), settings_of="eps and R")
    sizes = [neurons(options, eps, R) for eps, R in plan]
    errors: list[Errors] = []
    seconds: list[float] = []
    with cli.progress(options.trials * len(plan), quiet=flags.quiet or flags.json) as advance:
        for (eps, R), n in zip(plan, sizes, strict=True):
            begun = time.monotonic()
            found = certified_errors(options, eps, R, n, lambda amount, _=None, R=R: advance(amount, f"R={R}"))
            errors.append(found)
            seconds.append(time.monotonic() - begun)
    result = tabulate(options, sizes, errors, seconds, total=time.monotonic() - started)
    return deliver(result, flags, draw=lambda path: draw(result, errors, path), show=lambda: print_table(result))


def tabulate(
    options: Settings,
    sizes: Sequence[Sequence[int]],
    errors: Sequence[Errors],
    seconds: Sequence[float],
    *,
    total: float,
) -> Result:
    """The result of all rows, in the order of eps, then R: n, errors and seconds of each, judged together."""
    plan = [(eps, R) for eps in options.eps for R in options.R]
    rows = [_row(options, *at, *rest) for at, *rest in zip(plan, sizes, errors, seconds, strict=True)]
    _judge(options, rows)
    return Result(
        command="nets.main_theorem",
        params=asdict(options),
        rows=rows,
        provenance=provenance(seed=options.seed, threads=options.jobs, seconds=total, **machine(options.device)),
    )


def draw(result: Result, errors: Sequence[Errors], path: str) -> None:
    """Draw the certified errors against eps."""
    from figures.main_theorem import save

    save(result, [asdict(one) for one in errors], path)


def neurons(options: Settings, eps: float, R: int) -> tuple[int, ...]:
    """n of every target layer: the user's, or the statement's."""
    from theory.network.width import source_width

    layers = len(options.widths) - 1
    if options.n is not None:
        return options.n * layers if len(options.n) == 1 else options.n
    asked = source_width(
        options.widths, eps=eps, delta=options.delta, R=R, statement=options.statement, domain=options.domain
    )
    return asked.n


def _row(options: Settings, eps: float, R: int, n: Sequence[int], found: Errors, seconds: float) -> dict[str, Any]:
    from statistics import median

    widths = options.widths
    successes = sum(error <= eps for error in found.upper)
    refuted = sum(error > eps for error in found.lower)
    undecided = options.trials - successes - refuted
    source = [2 * a * count for a, count in zip(widths, n, strict=False)]
    weights = [a * b for a, b in itertools.pairwise(widths)]
    parameters = sum(d * (a + b) for d, (a, b) in zip(source, itertools.pairwise(widths), strict=True))
    return {
        "widths": list(widths),
        "eps": eps,
        "delta": options.delta,
        "R": R,
        "statement": options.statement if options.n is None else "given n",
        "construction": options.construction,
        "n": list(n),
        "width_factor": max(d / a for d, a in zip(source, widths, strict=False)),
        "param_factor": parameters / sum(weights),
        "trials": options.trials,
        "successes": successes,
        "refuted": refuted,
        "undecided": undecided,
        "success": successes / options.trials,
        "ci_low": clopper_pearson(successes, options.trials)[0],
        "ci_high": clopper_pearson(successes + undecided, options.trials)[1],
        "error_upper_median": median(found.upper),
        "error_upper_max": max(found.upper),
        "error_lower_median": median(found.lower),
        "error_lower_max": max(found.lower),
        "seconds": round(seconds, 3),
    }


def _judge(options: Settings, rows: list[dict[str, Any]]) -> None:
    """Add each row's verdict: refuted only if success >= 1 - delta is excluded with the undecided counted in favour."""
    counts = [(row["successes"] + row["undecided"], row["trials"]) for row in rows]
    judged = verdicts(counts, [(1.0 - options.delta, 1.0)] * len(rows))
    for row, verdict in zip(rows, judged, strict=True):
        seconds = row.pop("seconds")
        row.update(verdict=verdict, seconds=seconds)


def print_table(result: Result) -> None:
    from rich.table import Table

    params = result.params
    out = console()
    first = result.rows[0]
    out.print(
        f"widths {' '.join(map(str, params['widths']))}, {first['statement']}, construction {params['construction']}, "
        f"sampler {params['sampler']}, {params['norm']} norm 1, {params['domain']} ball, seed {params['seed']}"
    )
    table = Table()
    headings = ("eps", "R", "n", "width x", "trials", "success", "95 % interval", "max error", "verdict")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "verdict" else "right", no_wrap=True)
    for row in result.rows:
        n = sorted(set(row["n"]), reverse=True)
        table.add_row(
            f"{row['eps']:g}",
            compact(row["R"]),
            compact(n[0]) if len(n) == 1 else f"{compact(n[-1])}-{compact(n[0])}",
            compact(row["width_factor"]),
            compact(row["trials"]),
            number(row["success"]),
            f"{number(row['ci_low'])} .. {number(row['ci_high'])}",
            f"{row['error_upper_max']:.3g}",
            f"[{COLOURS[row['verdict']]}]{row['verdict']}[/]",
        )
    out.print(table)
    undecided = sum(row["undecided"] for row in result.rows)
    promise = f"promised: error <= eps with probability >= {1.0 - params['delta']:g}"
    out.print(f"{promise}; {undecided} of {sum(row['trials'] for row in result.rows)} trials undecided")


def compact(value: float) -> str:
    """A number in at most seven characters.

    Examples
    --------
    >>> compact(4000), compact(1582904), compact(3.1658e6), compact(2.5)
    ('4000', '1.58e6', '3.17e6', '2.5')
    """
    if value < 10**5:
        return f"{value:.5g}"
    mantissa, exponent = f"{value:.3g}".split("e") if value >= 10**6 else f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
