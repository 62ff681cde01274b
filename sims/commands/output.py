"""Where results go: files checked before the work and written after it, and tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, Protocol

from sims.commands.flags import UsageError
from sims.statistics.figure import figure_of
from sims.statistics.result import PICTURES, Result, check_output, print_json, write_text
from sims.statistics.verdict import CONSISTENT, NO_POWER, REFUTED, UNDECIDED

MAX_CURVES = 7
"""Settings that one picture can tell apart."""

COLOURS = {CONSISTENT: "green", REFUTED: "bold red", NO_POWER: "yellow", UNDECIDED: "yellow"}
"""Of the verdicts, in tables for people."""


class OutputFlags(Protocol):
    """The flags that say where a result goes."""

    @property
    def json(self) -> bool: ...
    @property
    def csv(self) -> str | None: ...
    @property
    def plot(self) -> str | None: ...
    @property
    def check(self) -> bool: ...
    @property
    def quiet(self) -> bool: ...


def check_files(flags: OutputFlags, *, figure: str, curves: int, settings_of: str) -> None:
    """Refuse files that could not be written, a picture that nothing draws, or one of too many curves.

    ``figure``: name of what draws the picture; ValueError if there is none. ``settings_of``: what tells its curves
    apart, in words.
    """
    check_output("--csv", flags.csv)
    check_output("--plot", flags.plot)
    if flags.plot is None:
        return
    if not flags.plot.lower().endswith(PICTURES):
        raise UsageError(f"--plot takes a .png, .pdf or .svg file, got {flags.plot}")
    if flags.csv is not None and Path(flags.csv).resolve() == Path(flags.plot).resolve():
        raise UsageError(f"--csv and --plot name the same file, {flags.csv}")
    figure_of(figure)
    if curves > MAX_CURVES:
        raise UsageError(f"--plot holds up to {MAX_CURVES} settings of {settings_of}, got {curves}")


def deliver(result: Result, flags: OutputFlags, *, show: Callable[[], None]) -> int:
    """Print what was asked for, then write the files, then draw: a failed drawing loses nothing; returns the exit code.

    ``show`` prints the result for people; the rows have a ``verdict``.
    """
    if flags.json:
        print_json(result)
    elif not flags.quiet:
        show()
    told = print if not (flags.json or flags.quiet) else _nothing
    if flags.csv is not None:
        write_text(flags.csv, result.to_csv())
        told(f"table: {flags.csv}")
    if flags.plot is not None:
        result.plot(flags.plot)
        told(f"picture: {flags.plot}")
    return 1 if flags.check and any(row["verdict"] == REFUTED for row in result.rows) else 0


def _nothing(text: str) -> None:
    """Silence."""


def console() -> Any:
    """Where tables are printed, never narrower than 100 columns: a small terminal wraps lines, but no number is cut."""
    from rich.console import Console

    return Console(width=max(100, get_terminal_size().columns) if sys.stdout.isatty() else 100, highlight=False)


def number(p: float) -> str:
    """A probability in at most seven characters, without rounding to 0 or 1 what is neither.

    Examples
    --------
    >>> number(0.99654), number(0.0), number(1.0), number(3.2e-7), number(1 - 1e-9)
    ('0.9965', '0', '1', '3.2e-07', '1-1e-09')
    """
    if p in (0.0, 1.0):
        return str(int(p))
    if p < 1e-4:
        return f"{p:.1e}"
    if p > 0.9999:
        return f"1-{1.0 - p:.0e}"
    return f"{p:.4f}"
