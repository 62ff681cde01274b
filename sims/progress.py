"""Progress of long work: how it is reported, and the bar that shows it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from sims.plain_text import one_line, raw


class Advance(Protocol):
    """Reports finished work to a progress bar."""

    def __call__(self, amount: float, label: str | None = None) -> None: ...


def silent(amount: float, label: str | None = None) -> None:
    """Show nothing."""


@contextlib.contextmanager
def progress(total: float, *, quiet: bool = False, after: float = 1.0) -> Iterator[Advance]:
    """A progress bar on standard error once ``after`` seconds have passed; nothing where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    own = sys.stdout.isatty()  # what is printed meanwhile goes above the bar; into a file or pipe it goes as ever
    bar = Progress(*columns, console=Console(file=raw(sys.stderr)), transient=True, redirect_stdout=own)
    task = bar.add_task("", total=total)
    started = time.monotonic()
    shown = False

    def advance(amount: float, label: str | None = None) -> None:
        nonlocal shown
        bar.advance(task, amount)
        if label is not None:
            bar.update(task, description=one_line(label))
        if not shown and time.monotonic() - started > after:
            bar.start()
            shown = True

    try:
        yield advance
    finally:
        if shown:
            bar.stop()
