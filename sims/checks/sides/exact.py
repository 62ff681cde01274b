"""Comparisons of floats with exact numbers: fractions, or balls of so many bits that they decide."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any
from unittest import mock

from sims.checks.check import Closest, Fact
from sims.checks.facts import all_true

_BITS = 400

LARGEST_DELTA = 1.0 - 2.0**-53
TINIEST = 5e-324


def ball(x: float | Fraction) -> Any:
    """A rational number as a ball."""
    from flint import arb, fmpq

    x = Fraction(x)
    return arb(fmpq(x.numerator, x.denominator))


def log(x: float | Fraction) -> Any:
    """Logarithm of a positive rational number, relatively exact near 1 too."""
    x = Fraction(x)
    return ball(x - 1).log1p() if abs(x - 1) < Fraction(1, 2) else ball(x).log()


def at_most(x: float | Fraction, true: Any) -> bool:
    """Whether a rational number is at most a fraction, or surely at most a ball."""
    return bool(Fraction(x) <= true) if isinstance(true, Fraction | int) else bool(ball(x) <= true)


def at_least(x: float | Fraction, true: Any) -> bool:
    """Whether a rational number is at least a fraction, or surely at least a ball."""
    return bool(Fraction(x) >= true) if isinstance(true, Fraction | int) else bool(ball(x) >= true)


def is_above_exp(x: float, log_true: Any) -> bool:
    """Whether x >= exp(log_true), however near 1 that is."""
    return at_most(1 - Fraction(x), -log_true.expm1()) if log_true > -1 else at_least(x, log_true.exp())


def is_below_rest(x: float, log_true: Any) -> bool:
    """Whether x <= 1 - exp(log_true), however near 0 or 1 that is."""
    return at_most(x, -log_true.expm1()) if log_true > -1 else at_least(1 - Fraction(x), log_true.exp())


def is_above_rest(x: float, log_true: Any) -> bool:
    """Whether x >= 1 - exp(log_true), however near 0 or 1 that is."""
    return at_least(x, -log_true.expm1()) if log_true > -1 else at_most(1 - Fraction(x), log_true.exp())


def fact(claim: str, where: str, cases: Callable[[], Iterable[bool]], *, control: str = "") -> Fact:
    """A fact whose cases are decided in ball arithmetic of many bits."""

    def compare(_: int) -> Closest:
        from flint import ctx

        before, ctx.prec = ctx.prec, _BITS
        try:
            return all_true(list(cases()), where)
        finally:
            ctx.prec = before

    return Fact(claim, f"rounded to its side: {where}", compare, control)


def just_below(x: Any) -> float:
    """The largest float that is surely below a ball or a fraction."""
    value = float(x)
    while not (Fraction(value) < x if isinstance(x, Fraction) else ball(value) < x):
        value = math.nextafter(value, -math.inf)
    return value


@contextlib.contextmanager
def watched(module: object, name: str) -> Iterator[list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """The arguments of every call of a function of the module, while this lasts."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    right = getattr(module, name)

    def noted(*args: Any, **more: Any) -> Any:
        calls.append((args, more))
        return right(*args, **more)

    with mock.patch.object(module, name, noted):
        yield calls
