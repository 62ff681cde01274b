"""Where results go: files checked before the work and written after it, and tables for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Any, Protocol

from sims.commands import cli
from sims.commands.flags import UsageError
from sims.commands.interrupt import interrupted
from sims.files import PICTURE, PICTURES, TABLE, AnyPath, OutputFile, check_outputs, is_stdout, write_text
from sims.plain_text import one_line, plain, raw
from sims.statistics.figure import figure_of
from sims.statistics.result import Result, print_json
from sims.statistics.verdict import CONSISTENT, NO_POWER, REFUTED, UNDECIDED

MAX_CURVES = 7
"""Settings that one picture can tell apart."""

COLOURS = {CONSISTENT: "green", REFUTED: "bold red", NO_POWER: "yellow", UNDECIDED: "yellow"}
"""Of the verdicts, in tables for people."""


class TableFlags(Protocol):
    """The flags that say where a result without a picture goes."""

    @property
    def json(self) -> bool: ...
    @property
    def csv(self) -> str | None: ...
    @property
    def quiet(self) -> bool: ...
    @property
    def force(self) -> bool: ...


class OutputFlags(TableFlags, Protocol):
    """The flags that say where a result goes."""

    @property
    def plot(self) -> str | None: ...
    @property
    def check(self) -> bool: ...


def check_table(flags: TableFlags, *others: OutputFile, inputs: Iterable[AnyPath | None] = ()) -> None:
    """Refuse, before the work, a table and other files that could not be written, or must not be."""
    check_outputs(OutputFile("--csv", flags.csv, TABLE), *others, inputs=inputs, force=flags.force)
    if flags.json and is_stdout(flags.csv):
        raise UsageError("--json and --csv would both be written to standard output")


def check_files(
    flags: OutputFlags,
    *others: OutputFile,
    figure: str,
    curves: int,
    settings_of: str,
    inputs: Iterable[AnyPath | None] = (),
) -> None:
    """Refuse files that could not be written, a picture that nothing draws, or one of too many curves.

    ``figure``: name of what draws the picture; ValueError if there is none. ``settings_of``: what tells its curves
    apart, in words. ``others``, ``inputs``: further files, as `check_table` takes them.
    """
    if flags.plot is not None and not flags.plot.lower().endswith(tuple(PICTURES)):
        raise UsageError(f"--plot takes a .png, .pdf or .svg file, got {flags.plot}")
    check_table(flags, OutputFile("--plot", flags.plot, PICTURE), *others, inputs=inputs)
    if flags.plot is None:
        return
    figure_of(figure)
    if curves > MAX_CURVES:
        raise UsageError(f"--plot holds up to {MAX_CURVES} settings of {settings_of}, got {curves}")


class Delivery:
    """What becomes of a result: print it, then write, then draw; what fails says so in a line, and the rest is done.

    Attributes
    ----------
    code : int
        The exit code so far.
    """

    def __init__(self, *, silent: bool) -> None:
        self.code = 0
        self._silent = silent

    def show(self, what: Callable[[], None]) -> None:
        """Print the result."""
        with self._step("standard output"):
            what()
            sys.stdout.flush()

    def write(self, what: str, path: AnyPath | None, work: Callable[[], object]) -> None:
        """Write or draw a file, if there is one to be, and say where it is unless all is to be silent."""
        if path is None:
            return
        with self._step(f"{what} {os.fspath(path)}"):
            work()
            if not (self._silent or is_stdout(path)):
                print(f"{what}: {one_line(os.fspath(path))}")

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as problem:
            if interrupted():
                raise
            if isinstance(problem, BrokenPipeError):  # whoever read standard output has seen enough
                self.code = self.code or cli.NO_READER
            else:
                print(f"error: {_reason(what, problem)}", file=sys.stderr)
                self.code = 2
            cli.forsake_output()


def _reason(what: str, problem: Exception) -> str:
    text = " ".join(str(problem).split())
    if isinstance(problem, OSError | ValueError):
        return text
    return f"{what} failed ({type(problem).__name__}{': ' if text else ''}{text})"


def deliver(
    result: Result,
    flags: TableFlags,
    *,
    show: Callable[[], None],
    document: Callable[[], None] | None = None,
    files: Iterable[tuple[str, AnyPath | None, Callable[[], object]]] = (),
    code: int = 0,
) -> int:
    """Print what was asked for, then write the files, then draw: what fails loses nothing else.

    Parameters
    ----------
    show : callable
        Prints the result for people.
    document : callable
        Prints it as JSON. Default: `print_json`.
    files : iterable of (what, path or None, callable)
        Further files: what each is, in a word, and what writes it.
    code : int
        The exit code if all goes well.

    Returns
    -------
    int
        The exit code.
    """
    delivery = Delivery(silent=flags.json or flags.quiet)
    if flags.json:
        delivery.show(document or (lambda: print_json(result)))
    elif not flags.quiet:
        delivery.show(show)
    delivery.write("table", flags.csv, lambda: write_text(str(flags.csv), result.to_csv()))
    for what, path, work in files:
        delivery.write(what, path, work)
    return delivery.code or code


def refuted(result: Result, flags: OutputFlags) -> int:
    """The exit code of a result whose rows have a ``verdict``."""
    return 1 if flags.check and any(row["verdict"] == REFUTED for row in result.rows) else 0


def console(*, markup: bool = False, least: int = 100) -> Any:
    """Where tables are printed, never narrower than ``least``: a small terminal wraps lines, but no number is cut.

    Text from files is shown as it is, but for control characters; ``markup`` is for text that is all our own.
    """
    from rich.console import Console

    class PlainConsole(Console):
        """It escapes what steers a terminal, and adds its own colours afterwards."""

        def on_broken_pipe(self) -> None:
            """Leave it to `Delivery`: rich would end the program here, before files are written."""
            raise

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(plain(text), **options)

    width = max(least, get_terminal_size().columns) if sys.stdout.isatty() else least
    return PlainConsole(file=raw(sys.stdout), width=width, highlight=False, markup=markup, emoji=False)


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
