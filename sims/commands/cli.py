"""What every command shares: flags from a frozen dataclass, one-line errors, ranges, and a progress bar.

A command is ``main(argv=None) -> int`` and ends in ``return run(work, argv)``: 0 done, 1 a claim was refuted under
``--check``, 2 bad usage, 130 on Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sims.commands.flags import UsageError
from sims.options import fresh_seed
from sims.progress import Advance, progress

__all__ = ["Advance", "UsageError", "fresh_seed", "progress"]

Config = TypeVar("Config")


def parse(config: type[Config], argv: Sequence[str] | None, *, prog: str) -> Config:
    """A config dataclass from command-line flags.

    Parameters
    ----------
    config : type
        A frozen dataclass; its fields are the flags, its docstrings the help.
    argv : sequence of str or None
        None: ``sys.argv[1:]``.
    prog : str
        The command's name in the help, e.g. ``python -m sims.subset_sum``.

    Raises
    ------
    UsageError
        Unknown flag, missing or malformed value, the same flag twice.
    SystemExit
        With code 0, after ``--help`` or ``--version``.
    """
    import tyro

    args = list(sys.argv[1:] if argv is None else argv)
    if "--version" in args:
        from importlib.metadata import version

        print(f"strong-tickets {version('strong-tickets')}")
        raise SystemExit(0)
    _refuse_repeats(args)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(config, prog=prog, args=args, config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(f"{_first_sentence(complaint.getvalue())} (see {prog} --help)") from None


def values(metavar: str) -> Any:
    """Annotation of a field whose values are read as text, with what the help shows for them."""
    import tyro

    return tyro.conf.arg(metavar=metavar)


def _refuse_repeats(args: Sequence[str]) -> None:
    seen: set[str] = set()
    for arg in args:
        if re.match(r"--[A-Za-z]", arg):
            flag = arg.split("=", 1)[0].replace("_", "-")
            if flag in seen:
                raise UsageError(f"{flag} is given more than once; list its values after one {flag}")
            seen.add(flag)


def _first_sentence(boxed: str) -> str:
    """The message inside the box that tyro draws: its lines up to the first rule."""
    inside: list[str] = []
    for line in boxed.splitlines():
        text = line.strip().strip("│").strip()
        if not text or text.startswith(("╭", "╰", "─")):
            if inside:
                break
            continue
        inside.append(text)
    return " ".join(inside) or "the command line could not be read"


def integers(flag: str, tokens: Sequence[str]) -> tuple[int, ...]:
    """Integers and inclusive ranges: ``1 2 5``, ``1:8``, ``4:40:4``.

    Raises
    ------
    UsageError
        Anything else, an empty or reversed range, a repeated value.

    Examples
    --------
    >>> integers("--n", ["1:3", "8:16:4"])
    (1, 2, 3, 8, 12, 16)
    """
    values: list[int] = []
    for token in tokens:
        parts = token.split(":")
        if len(parts) == 1:
            values.append(integer(flag, token))
            continue
        if len(parts) > 3:
            raise UsageError(f"{flag} takes numbers or ranges like 1:8 or 4:40:4, got {token!r}")
        first, last, *rest = (integer(flag, part) for part in parts)
        step = rest[0] if rest else 1
        if step < 1:
            raise UsageError(f"{flag} takes a positive step, got {token!r}")
        if last < first:
            raise UsageError(f"{flag} got the reversed range {token!r}: the first number must not exceed the last")
        if (last - first) // step > 10**6:
            raise UsageError(f"{flag} got the range {token!r} of more than a million values")
        values.extend(range(first, last + 1, step))
    if len(set(values)) < len(values):
        raise UsageError(f"{flag} names a value more than once, got {' '.join(tokens)}")
    if not values:
        raise UsageError(f"{flag} needs at least one value")
    return tuple(values)


def integer(flag: str, token: str) -> int:
    """One integer; ``1e5`` counts as one, ``2.5`` does not.

    Examples
    --------
    >>> integer("--trials", "1e5")
    100000
    """
    number = real(flag, token, kind="an integer")
    if re.fullmatch(r"[+-]?\d+", token.strip()):
        return int(token)
    if not math.isfinite(number) or number != int(number):
        raise UsageError(f"{flag} takes an integer, got {token!r}")
    return int(number)


def real(flag: str, token: str, *, kind: str = "a number") -> float:
    """One number."""
    try:
        return float(token)
    except ValueError:
        raise UsageError(f"{flag} takes {kind}, got {token!r}") from None


def reals(flag: str, tokens: Sequence[str]) -> tuple[float, ...]:
    """Numbers, none twice."""
    values = tuple(real(flag, token) for token in tokens)
    if len(set(values)) < len(values):
        raise UsageError(f"{flag} names a value more than once, got {' '.join(tokens)}")
    if not values:
        raise UsageError(f"{flag} needs at least one value")
    return values


def between(flag: str, value: int, low: int, high: int) -> int:
    """The value, if it lies in [low, high]."""
    if not low <= value <= high:
        raise UsageError(f"{flag} must be an integer in [{low}, {high}], got {value}")
    return value


def run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run a command's work and turn failures of use into one line and an exit code."""
    if _in_main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: there is nowhere to write
        return 2
    try:
        return work(argv)
    except MemoryError:
        print("error: out of memory; use fewer threads (--jobs) or a smaller problem", file=sys.stderr)
        return 2
    except (ValueError, OSError) as problem:
        if isinstance(problem, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if _in_main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("interrupted", file=sys.stderr)
        return 130


def end_quietly_on_interrupt(module: str) -> None:
    """Let Ctrl-C during a command's imports end the process with one word and code 130.

    A command calls this with its ``__name__`` before its heavy imports; it does nothing unless the command is being
    run. ``run`` then takes over.
    """
    if module == "__main__":
        signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
