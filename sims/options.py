"""What is asked for: questions of one kind and how they are simulated, from flags, from calls and from stores."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, Generic, TypeVar

from sims.solver.limits import MAX_SEED, MAX_TRIAL
from sims.solver.limits import between as between
from sims.solver.memory import default_jobs
from theory.numerics import check

MAX_TRIALS = 10**12
MAX_DRAWS = 10**12
"""Largest R that is simulated."""

MIN_EPS = 2.0**-40
"""Draws stand on a grid of 2^-52; a window narrower than this would feel it."""

Row = dict[str, Any]
Question = TypeVar("Question")


def fresh_seed() -> int:
    """A seed from the operating system, in [0, 2^53) so that JSON readers keep it exact."""
    return int.from_bytes(os.urandom(7), "little") >> 3


def several(value: Any) -> Iterable[Any]:
    """One value or an iterable of them, as an iterable; a text is one value."""
    return value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_grid(eps: float) -> None:
    """Refuse an eps so small that the grid of the draws would show in the result."""
    if eps < MIN_EPS:
        raise ValueError(f"eps must be at least 2^-40 = {MIN_EPS:.3g} for draws on a grid of 2^-52, got eps={eps:g}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a question is simulated; the counts depend on the seed and the trials alone.

    Attributes
    ----------
    n : tuple of int or None
        Numbers of variables, each in [1, 10^6]; an int, a range or any iterable is taken. None: from 1 to two past the
        first whose predicted success is at least 1 - delta; where those are more than 60, 31 of them.
    delta : float
        Failure probability in (0, 1) that the summary asks for.
    trials : int
        Trials per row, in [1, 10^12].
    until : float or None
        Stop a row as soon as its 95 % confidence sequence is narrower than this, in (0, 1).
    seed : int
        In [0, 2^64); a fresh one by default.
    first_trial : int
        Number of the first trial: runs that cover the trials in parts add up to the same counts.
    jobs : int
        Threads, in [1, 4096]; all available cores by default.
    """

    n: tuple[int, ...] | None = None
    delta: float = 0.01
    trials: int = 10**5
    until: float | None = None
    seed: int = field(default_factory=fresh_seed)
    first_trial: int = 0
    jobs: int = field(default_factory=default_jobs)

    max_n: ClassVar[int] = 10**6
    distinct_n: ClassVar[bool] = True
    max_trials: ClassVar[int] = MAX_TRIALS

    def __post_init__(self) -> None:
        changed: dict[str, Any] = {
            "delta": check.open_probability("delta", self.delta),
            "trials": between("trials", self.trials, 1, self.max_trials),
            "seed": between("seed", self.seed, 0, MAX_SEED),
            "first_trial": between("first_trial", self.first_trial, 0, MAX_TRIAL - MAX_TRIALS),
            "jobs": between("jobs", self.jobs, 1, 4096),
        }
        if self.n is not None:
            changed["n"] = tuple(between("n", n, 1, self.max_n) for n in several(self.n))
            if (self.distinct_n and len(set(changed["n"])) < len(changed["n"])) or not changed["n"]:
                raise ValueError(f"n needs at least one value and none twice, got {list(changed['n'])}")
        if self.until is not None and not (_is_number(self.until) and 0.0 < self.until < 1.0):
            raise ValueError(f"until must be in (0, 1), got {self.until!r}")
        for name, value in changed.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Request(Generic[Question]):
    """What is asked for: questions of one kind, and how they are simulated."""

    questions: tuple[Question, ...]
    options: Options

    def axis(self, name: str) -> tuple[Any, ...]:
        """The values of one parameter, in the order of the questions."""
        return tuple(dict.fromkeys(getattr(question, name) for question in self.questions))


def grid(question: type[Question], axes: Mapping[str, Sequence[Any]], **shared: Any) -> tuple[Question, ...]:
    """A question for every combination of the axes' values, the last axis fastest."""
    for value in axes.get("R", ()):
        between("R", value, 1, MAX_DRAWS)
    points = itertools.product(*axes.values())
    return tuple(question(**dict(zip(axes, point, strict=True)), **shared) for point in points)


def default_sizes(last: int) -> tuple[int, ...]:
    """1, ..., last, or 31 of them if they are many.

    Examples
    --------
    >>> default_sizes(4), default_sizes(3001)[:3], default_sizes(3001)[-1]
    ((1, 2, 3, 4), (1, 101, 201), 3001)
    """
    if last <= 60:
        return tuple(range(1, last + 1))
    return tuple(1 + (last - 1) * i // 30 for i in range(31))


def read_options(options: type[Options], flags: Any) -> Options:
    """The options among a command's flags; what is None there takes its default."""
    names = [one.name for one in dataclasses.fields(options)]
    given = {name: getattr(flags, name, None) for name in names}
    return options(**{name: value for name, value in given.items() if value is not None})


def restored_options(options: type[Options], stored: Mapping[str, Any]) -> Options:
    """The options among stored parameters."""
    names = [one.name for one in dataclasses.fields(options)]
    return options(**{name: as_tuple(stored[name]) for name in names if name in stored})


def plain(values: Mapping[str, Any]) -> Row:
    """A mapping as JSON would give it back."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def as_tuple(value: Any) -> Any:
    """A list as a tuple, all else as it is."""
    return tuple(value) if isinstance(value, list) else value
