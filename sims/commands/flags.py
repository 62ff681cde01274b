"""Typed flags: a command's options are the fields of a frozen dataclass, and arrive as numbers, ranges and paths.

A field's type is one of the aliases below (``R: Integers = (1,)``, ``seed: OptionalInteger = None``) or whatever tyro
understands (``bool``, ``Literal``); its docstring is its help. ``examples`` (a ClassVar of command lines) ends the
help; ``renamed`` (a ClassVar, old flag to new flag) keeps old names working, and says so.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import inspect
import io
import math
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from sims.plain_text import raw

Config = TypeVar("Config")

MAX_RANGE = 10**6
"""Values that one range may stand for."""


class UsageError(ValueError):
    """A mistake in the command line; its text is the one line that the user sees."""


# -- what is written behind a flag -------------------------------------------------------------------------------------


def integer(token: str) -> int:
    """One integer; ``1e5`` counts as one, ``2.5`` does not.

    Examples
    --------
    >>> integer("1e5"), integer("-3")
    (100000, -3)
    """
    if re.fullmatch(r"[+-]?\d+", token.strip()):
        return int(token)
    try:
        number = float(token)
    except ValueError:
        raise ValueError(f"takes an integer, got {token!r}") from None
    if not math.isfinite(number) or number != int(number):
        raise ValueError(f"takes an integer, got {token!r}")
    return int(number)


def real(token: str) -> float:
    """One number."""
    try:
        return float(token)
    except ValueError:
        raise ValueError(f"takes a number, got {token!r}") from None


def span(token: str) -> float:
    """A time span in seconds, > 0: ``90``, ``90s``, ``5m``, ``2h``, ``3d``, or ``inf``.

    Examples
    --------
    >>> span("90"), span("1.5h"), span("inf")
    (90.0, 5400.0, inf)
    """
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}.get(token[-1:])
    try:
        seconds = float(token) if unit is None else float(token[:-1]) * unit
    except ValueError:
        seconds = math.nan
    if not seconds > 0.0:
        raise ValueError(f"takes a time > 0 such as 90, 5m, 2h or inf, got {token!r}")
    return seconds


def integers(tokens: Sequence[str]) -> tuple[int, ...]:
    """Integers and inclusive ranges, none twice: ``1 2 5``, ``1:8``, ``4:40:4``.

    Examples
    --------
    >>> integers(["1:3", "8:16:4"])
    (1, 2, 3, 8, 12, 16)
    """
    values: list[int] = []
    for token in tokens:
        parts = token.split(":")
        if len(parts) > 3:
            raise ValueError(f"takes numbers or ranges like 1:8 or 4:40:4, got {token!r}")
        first, last, *rest = (integer(part) for part in (parts if len(parts) > 1 else [token, token]))
        step = rest[0] if rest else 1
        if step < 1:
            raise ValueError(f"takes a positive step, got {token!r}")
        if last < first:
            raise ValueError(f"got the reversed range {token!r}: the first number must not exceed the last")
        if (last - first) // step > MAX_RANGE:
            raise ValueError(f"got the range {token!r} of more than a million values")
        values.extend(range(first, last + 1, step))
    return _once(tuple(values), tokens)


def reals(tokens: Sequence[str]) -> tuple[float, ...]:
    """Numbers, none twice."""
    return _once(tuple(map(real, tokens)), tokens)


def _once(values: tuple[Any, ...], tokens: Sequence[str]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"names a value more than once, got {' '.join(tokens)}")
    if not values:
        raise ValueError("needs at least one value")
    return values


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    values = value if isinstance(value, tuple) else (value,)
    return [f"{one:g}" if isinstance(one, float) else str(one) for one in values]


def written(metavar: str, read: Callable[[list[str]], Any], *, many: bool = False, nargs: int = 1) -> Any:
    """The annotation of a field whose tokens ``read`` turns into its value; ``None`` as a default is not shown.

    ``read`` raises ValueError with what is wrong, to be read after the flag's name: "takes an integer, got 'x'".
    """
    spec: Any = PrimitiveConstructorSpec(
        nargs="*" if many else nargs,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=_texts,
    )
    return spec, tyro.conf.arg(help_behavior_hint=_default)


def _default(default: str) -> str:
    return f"(default: {default})" if default else ""


def _optional(word: str, read: Callable[[list[str]], Any]) -> Callable[[list[str]], Any]:
    return lambda tokens: None if list(tokens) == [word] else read(tokens)


def _pair(tokens: Sequence[str]) -> tuple[float, float]:
    low, high = map(real, tokens)
    return low, high


def _fixed(token: str) -> tuple[str, float]:
    name, found, value = token.rpartition("=")
    if not found or not name:
        raise ValueError(f"takes NAME=NUMBER, got {token}")
    return name, real(value)


def _gain(token: str) -> float | Literal["best"]:
    return "best" if token == "best" else real(token)


def share(text: str) -> tuple[int, int]:
    """``I/K`` as (I mod K, K).

    Examples
    --------
    >>> share("0/4"), share("4/4"), share("3/4")
    ((0, 4), (0, 4), (3, 4))
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not found or not 0 <= int(found[1]) <= int(found[2]) or int(found[2]) == 0:
        raise ValueError(f"takes I/K with I from 0 to K-1 or from 1 to K, got {text}")
    return int(found[1]) % int(found[2]), int(found[2])


def _alpha(token: str) -> float | Literal["uniform"]:
    return "uniform" if token == "uniform" else real(token)


_INTEGER = written("INT", lambda tokens: integer(tokens[0]))
_REAL = written("FLOAT", lambda tokens: real(tokens[0]))
_TEXT = {name: written(name, lambda tokens: tokens[0]) for name in ("FILE", "DIR", "NAME")}

Integer = Annotated[int, *_INTEGER]
OptionalInteger = Annotated[int | None, *_INTEGER]
Real = Annotated[float, *_REAL]
OptionalReal = Annotated[float | None, *_REAL]
OptionalDuration = Annotated[float | None, *written("SECONDS|5m|2h|3d", lambda tokens: span(tokens[0]))]
Integers = Annotated[tuple[int, ...], *written("INT|RANGE [...]", integers, many=True)]
Reals = Annotated[tuple[float, ...], *written("FLOAT [...]", reals, many=True)]
OptionalReals = Annotated[tuple[float, ...] | None, *written("FLOAT [...]", reals, many=True)]
Alphas = Annotated[
    tuple[float | Literal["uniform"], ...],
    *written("FLOAT|uniform [...]", lambda tokens: _once(tuple(map(_alpha, tokens)), tokens), many=True),
]
AutoIntegers = Annotated[
    tuple[int, ...] | None,
    *written("auto|INT|RANGE [...]", _optional("auto", integers), many=True),
]
Gain = Annotated[float | Literal["best"], *written("best|FLOAT", lambda tokens: _gain(tokens[0]))]
Shard = Annotated[tuple[int, int] | None, *written("I/K", lambda tokens: share(tokens[0]))]
Cluster = Annotated[str | None, *written("local|tcp://HOST:PORT", lambda tokens: tokens[0])]
_COUNTS = written("INT [INT ...]", lambda tokens: tuple(map(integer, tokens)), many=True)
Counts = Annotated[tuple[int, ...], *_COUNTS]
OptionalCounts = Annotated[tuple[int, ...] | None, *_COUNTS]
Interval = Annotated[tuple[float, float], *written("LOW HIGH", _pair, nargs=2)]
OptionalInterval = Annotated[tuple[float, float] | None, *written("LOW HIGH", _pair, nargs=2)]
Fixed = Annotated[
    tuple[tuple[str, float], ...], *written("NAME=NUMBER [...]", lambda t: tuple(map(_fixed, t)), many=True)
]
File = Annotated[str, *_TEXT["FILE"]]
Files = Annotated[tuple[str, ...], *written("FILE [FILE ...]", tuple, many=True)]
OptionalFile = Annotated[str | None, *_TEXT["FILE"]]
Folder = Annotated[str, *_TEXT["DIR"]]
OptionalFolder = Annotated[str | None, *_TEXT["DIR"]]
OptionalName = Annotated[str | None, *_TEXT["NAME"]]


# -- flags that many commands share ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Output:
    """Where a result goes."""

    json: bool = False
    """Print the result as JSON and nothing else."""
    csv: OptionalFile = None
    """Also write the rows as CSV."""
    plot: OptionalFile = None
    """Also draw the result (.png, .pdf or .svg)."""
    check: bool = False
    """Exit with 1 if a proved bound is refuted."""
    quiet: bool = False
    """No table and no progress bar."""
    force: bool = False
    """Let --csv and --plot replace files of any kind, but for inputs."""


@dataclass(frozen=True)
class Run(Output):
    """How a question is simulated; `sims.options.Options` checks the values."""

    n: AutoIntegers = None
    """Numbers of variables: 8, 1:30, 4:40:4. Default: auto, from 1 to two past the first whose predicted success is at
    least 1 - delta; where those are more than 60, 31 of them."""
    delta: Real = 0.01
    """Failure probability in (0, 1) that the summary asks for."""
    trials: Integer = 10**5
    """Trials per row, up to 1e12."""
    until: OptionalReal = None
    """Stop a row as soon as its 95 % confidence sequence is narrower than this."""
    seed: OptionalInteger = None
    """Seed in [0, 2^64). Default: a fresh one, which is printed."""
    first_trial: Integer = 0
    """Number of the first trial: runs that cover the trials in parts add up to the same counts."""
    jobs: OptionalInteger = None
    """Threads. Default: all available cores. The counts do not depend on it."""
    max_time: OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day; for a sweep, any time."""
    cache: OptionalFolder = None
    """Keep results in this folder, and answer from it what was counted before with the same --seed and version."""


@dataclass(frozen=True)
class Grid(Run):
    """The grid of questions about one target."""

    R: Integers = (1,)
    """Draws that each variable may take; several make a grid. Ranges: 1:5, 1:9:2."""
    eps: Reals = (0.01,)
    """Accuracy in (0, 1]; several make a grid."""
    alpha: Alphas = (0.5,)
    """Target in [-1, 1], or `uniform`: a new one for every trial."""


@dataclass(frozen=True)
class Tailed:
    """What commands with a ``--tail`` share."""

    tail: bool = False
    """Estimate the failure without bias, however rare, instead of counting trials; --tail --help says more."""


@dataclass(frozen=True)
class Tail:
    """The flags of a command that ``--tail`` gives another meaning; those of counted trials are refused."""

    n: AutoIntegers = None
    """Numbers of variables: 8, 1:30, 4:40:4. Default: auto, from 1 to the n that is proved to suffice, or less."""
    delta: Real = 1e-12
    """Failure probability in (0, 1) that the summary asks for."""
    trials: Integer = 10**5
    """Samples, in 64 independent runs; the error falls like one over their square root."""


# -- reading a command line --------------------------------------------------------------------------------------------


def parse(config: type[Config], argv: Sequence[str] | None, *, prog: str, default: Config | None = None) -> Config:
    """A config dataclass, whose docstrings are the help, from command-line flags; ``default``: with other defaults.

    Raises UsageError for an unknown flag, a missing or malformed value or the same flag twice, and SystemExit with code
    0 after ``--help`` or ``--version``.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if "--version" in args:
        from importlib.metadata import version

        print(f"strong-tickets {version('strong-tickets')}")
        raise SystemExit(0)
    args = _with_new_names(args, getattr(config, "renamed", {}))
    _refuse_repeats(args)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stdout(raw(sys.stdout)), contextlib.redirect_stderr(complaint):
            found: Config = tyro.cli(
                config,
                prog=prog,
                description=docstring(config),
                args=args,
                default=tyro.MISSING_NONPROP if default is None else default,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
            return found
    except SystemExit as stop:
        if stop.code in (0, None):
            print_examples(getattr(config, "examples", ()))
            raise
        said = re.sub(r"^Error parsing (--\S+): ", r"\1 ", _first_sentence(complaint.getvalue()))
        raise UsageError(f"{said}{_meant(config, args)} (see {prog} --help)") from None


def docstring(thing: Any) -> str:
    """Of a module or class, from its source where Python runs without docstrings (-OO)."""
    if sys.flags.optimize < 2:
        return inspect.getdoc(thing) or ""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):  # made while the program runs: it brings its own
        return vars(thing).get("__doc__") or ""
    return ast.get_docstring(tree if inspect.ismodule(thing) else tree.body[0]) or ""  # type: ignore[arg-type]


def _with_new_names(args: Sequence[str], renamed: Mapping[str, str]) -> list[str]:
    found = []
    for arg in args:
        flag, equals, value = arg.partition("=")
        new = renamed.get(flag.replace("_", "-"))
        if new is not None:
            print(f"note: {flag} is now called {new}", file=sys.stderr)
        found.append(arg if new is None else f"{new}{equals}{value}")
    return found


def _refuse_repeats(args: Sequence[str]) -> None:
    seen: set[str] = set()
    for arg in args:
        if re.match(r"--[A-Za-z]", arg):
            flag = arg.split("=", 1)[0].replace("_", "-")
            if flag in seen:
                raise UsageError(f"{flag} is given more than once; list its values after one {flag}")
            seen.add(flag)


def _meant(config: type[Any], args: Sequence[str]) -> str:
    """The flag that an unknown one resembles, if any."""
    known = [f"--{name.replace('_', '-')}" for name in getattr(config, "__dataclass_fields__", {})]
    for arg in args:
        flag = arg.split("=", 1)[0].replace("_", "-")
        if flag.startswith("--") and flag not in known and flag not in ("--help", "--version"):
            same = [name for name in known if name.lower() == flag.lower()]
            near = same or difflib.get_close_matches(flag, known, n=1)
            return f"; did you mean {near[0]} for {flag}?" if near else ""
    return ""


def print_examples(examples: Sequence[str]) -> None:
    """The end of a help."""
    if examples:
        print("\nexamples:\n" + "\n".join(f"  {line}" for line in examples))


def _first_sentence(boxed: str) -> str:
    """The message in what tyro prints: the first paragraph behind the title, which stands in the box's upper edge, or
    above a rule where no box can be drawn."""
    paragraphs: list[list[str]] = [[]]
    for line in boxed.splitlines():
        text = line.strip().strip("│").strip()
        if text.startswith(("╭", "╰", "───", "---")):
            paragraphs.append([])
        elif text:
            paragraphs[-1].append(text)
    said = [" ".join(lines) for lines in paragraphs[1:] if lines]
    return said[0] if said else "the command line could not be read"


# -- checking values ---------------------------------------------------------------------------------------------------


def between(flag: str, value: int, low: int, high: int) -> int:
    """The value, if it lies in [low, high]."""
    if not low <= value <= high:
        raise UsageError(f"{flag} must be an integer in [{low}, {high}], got {value}")
    return value
