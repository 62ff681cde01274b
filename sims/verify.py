"""Does every claim survive simulation?

``python -m sims.verify`` runs every statement of theory/claims.py against simulation, or against an independent
computation where nothing is random, and then statements that are wrong on purpose, which must be refuted.
"""

from __future__ import annotations

from sims import _early as _early  # isort: skip

import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from sims.commands import cli, flags
from sims.commands.flags import UsageError, between
from sims.plain_text import counted
from sims.progress import progress

if TYPE_CHECKING:
    from sims.checks.check import Check
    from sims.statistics.result import Result, Row

MAX_BUDGET = 86_400.0


def seconds(token: str) -> float:
    """The budget: 5s, 60, 10m, 1h.

    Examples
    --------
    >>> seconds("90"), seconds("1.5m")
    (90.0, 90.0)
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    unit = units.get(token[-1:])
    try:
        value = float(token[:-1] if unit else token) * (unit or 1.0)
    except ValueError:
        raise ValueError(f"takes seconds like 5s, 60 or 10m, got {token!r}") from None
    if not 0.0 < value <= MAX_BUDGET:
        raise ValueError(f"must be in (0, {MAX_BUDGET:g}] seconds, got {token}")
    return value


Claims = Annotated[tuple[str, ...], *flags.written("ID [ID ...]", tuple, many=True)]
Seconds = Annotated[float, *flags.written("SECONDS", lambda tokens: seconds(tokens[0]))]


@dataclass(frozen=True)
class Verify:
    """Runs every claim of theory/claims.py against simulation, and wrong claims that must be refuted.

    Prints for every check the statement, its status, where it was tested, the margin (bound / measured), the power of
    the test and the verdict. Exit code 1: a proved statement is refuted, or a wrong one passes. A statement that is
    recalled or heuristic may fail: that is a finding.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "python -m sims.verify --budget 5s --seed 1",
        'python -m sims.verify --only 2 "4.5 (c)" --budget 10m --report report.md',
    )
    renamed: ClassVar[dict[str, str]] = {"--readme": "--table"}

    only: Claims = ()
    """Claims to check: 1.1, "4.5 (c)" or 4.5(c). 4 means all of section 4, 4.5 also its parts. Default: all."""
    budget: Seconds = 60.0
    """Work to be done, in seconds of two cores, as declared in advance: the numbers of trials follow from it and from
    fixed costs per trial, not from a clock. 5s, 60, 10m."""
    seed: flags.OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    list: bool = False
    """List the claims and how many checks each has, and do nothing."""
    report: flags.OptionalFile = None
    """Also write everything into a Markdown file."""
    table: flags.OptionalFile = None
    """Rewrite the claim table of this file, between its two markers."""
    jobs: flags.OptionalInteger = None
    """Threads. Default: all available cores. The numbers do not depend on it."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: flags.OptionalFile = None
    """Also write the rows as CSV."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv and --report replace files of any kind, but for inputs."""


def chosen(tokens: Sequence[str]) -> tuple[str, ...]:
    """Identifiers of the claims that are meant.

    Raises UsageError: a token that fits none.
    """
    from theory.claims import CLAIMS

    ids = [claim.id for claim in CLAIMS]
    if not tokens:
        return tuple(ids)
    wanted: set[str] = set()
    for token in tokens:
        plain = token.replace(" ", "")
        fits = {name for name in ids if re.match(re.escape(plain) + r"($|[.(])", name.replace(" ", ""))}
        if not plain or not fits:
            raise UsageError(f"--only got {token!r}, which is no claim; there are: {', '.join(ids)}")
        wanted |= fits
    return tuple(name for name in ids if name in wanted)


def check_claims(only: Sequence[str] = (), *, budget: float = 60.0, seed: int, jobs: int, quiet: bool = True) -> Result:
    """Run the checks of the claims that are meant: a row a check, and a verdict of every claim in the summary."""
    from sims.checks import report, run
    from sims.statistics.result import Result, provenance

    started = time.monotonic()
    ids = chosen(only)
    checks = run.collect(seed, ids)
    with progress(run.work_of(checks, budget), quiet=quiet) as advance:
        outcomes = run.run(checks, seed, budget, jobs, advance)
    rows = [report.row(outcome) for outcome in outcomes]
    return Result(
        command="sims.verify",
        params={"only": list(ids) if only else None, "budget": budget, "seed": seed},
        rows=rows,
        summary=[{"claim": name, "verdict": report.summary(rows, name)} for name in ids],
        provenance=provenance(seed=seed, threads=jobs, seconds=time.monotonic() - started),
    )


def verify(given: Verify) -> int:
    """Run the checks and write what was asked for; returns the exit code."""
    from sims.checks import report as _report
    from sims.checks import run as _run
    from sims.commands.output import check_table, deliver
    from sims.files import OWN, OutputFile, write_text
    from sims.options import fresh_seed
    from sims.solver.limits import MAX_SEED
    from sims.solver.memory import default_jobs

    ids = chosen(given.only)
    seed = between("--seed", fresh_seed() if given.seed is None else given.seed, 0, MAX_SEED)
    jobs = between("--jobs", default_jobs() if given.jobs is None else given.jobs, 1, 4096)
    check_table(given, OutputFile("--report", given.report, _report.REPORT), OutputFile("--table", given.table, OWN))
    if given.table is not None:
        if given.only:
            raise UsageError("--table needs every claim: leave out --only")
        _rewrite(given.table, [])
    silent = given.quiet or given.json
    if not (silent or given.list):
        print(f"seed {seed}, budget {given.budget:g} s, {counted(len(ids), 'claim')}", flush=True)
    if given.list:
        return _print_list(ids, _run.collect(seed, ids))
    result = check_claims(given.only, budget=given.budget, seed=seed, jobs=jobs, quiet=silent)
    report, table = str(given.report), str(given.table)
    return deliver(
        result,
        given,
        show=lambda: _report.print_table(result),
        files=(
            ("report", given.report, lambda: write_text(report, _report.markdown(result))),
            ("claim table", given.table, lambda: write_text(table, _rewrite(table, result.rows))),
        ),
        code=1 if any(row["failed"] for row in result.rows) else 0,
    )


def _rewrite(path: str, rows: Sequence[Row]) -> str:
    """The text of a file with its claim table anew."""
    from sims.checks.table import rewritten

    return rewritten(Path(path).read_text(encoding="utf-8"), rows, path)


def _print_list(ids: Sequence[str], checks: Sequence[Check]) -> int:
    from sims.checks.check import Untested
    from theory.claims import BY_ID

    for name in ids:
        mine = [check for check in checks if check.claim == name]
        reasons = [check.reason for check in mine if isinstance(check, Untested)]
        controls = sum(not isinstance(check, Untested) and bool(check.control) for check in mine)
        tests = len(mine) - controls - len(reasons)
        text = f"{counted(tests, 'check')}, {counted(controls, 'control')}" if tests else "not testable by simulation"
        reason = f": {'; '.join(reasons)}" if reasons else ""
        print(f"{name:9} {BY_ID[name].status:9}  {text}{reason}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(lambda args: verify(flags.parse(Verify, args, prog="python -m sims.verify")), argv)


if __name__ == "__main__":
    sys.exit(main())
