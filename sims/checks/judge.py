"""Verdicts: the level of every test, its critical counts, its power and its margin. Exact binomial arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sims.checks.check import Closest, Fact, Point
from sims.statistics.intervals import clopper_pearson
from sims.statistics.verdict import CONSISTENT, LEVEL, NO_POWER, REFUTED

MEASURED = "measured"
"""Verdict on a prediction: its error is shown, nothing is refuted."""

NOT_RUN = "not run"


@dataclass(frozen=True)
class Judged:
    """The outcome of one check.

    ``verdict``: ``refuted``, ``consistent``, ``no power`` (the stated power is below 1/2), ``measured`` or ``not run``.
    ``power``: probability of ``refuted`` if the truth were off by the stated factor; None for a prediction. ``margin``:
    bound / measured with its 95 % interval, or measured / claimed, or what a fact came to. ``tightness``: bound /
    measured (at least 1 where a bound holds), |measured / claimed - 1|, or a prediction's error.
    """

    verdict: str
    power: float | None
    margin: str
    tightness: float
    p_value: float | None = None


def share(tests: int) -> float:
    """Level of each of that many tests: a fixed, equal split, so that all together err with probability <= LEVEL.

    A hundredth of it is left to facts that are estimated (`sims.checks.rare`).
    """
    return 0.99 * LEVEL / max(1, tests)


def _tail_up(k: int, n: int, p: float) -> float:
    """P(at least k of n)."""
    from scipy.special import betainc

    return 1.0 if k <= 0 else 0.0 if k > n else float(betainc(k, n - k + 1, p))


def _tail_down(k: int, n: int, p: float) -> float:
    """P(at most k of n)."""
    from scipy.special import betaincc

    return 0.0 if k < 0 else 1.0 if k >= n else float(betaincc(k + 1, n - k, p))


def critical_counts(point: Point, trials: int, level: float) -> tuple[int, int]:
    """The claim is refuted by counts <= the first or >= the second; -1 and trials + 1 where none refutes it."""
    two_sided = point.kind in ("exact", "band")
    side = level / 2 if two_sided else level
    few, many = -1, trials + 1
    if point.kind != "upper":
        few = _last(lambda k: _tail_down(k, trials, point.low) <= side, -1, trials)
    if point.kind != "lower":
        many = trials - _last(lambda j: _tail_up(trials - j, trials, point.high) <= side, -1, trials)
    return few, many


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Largest k in [low, high] with holds(k), which is true up to some k; low if none above it."""
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def beyond(p: float, factor: float) -> float:
    """A larger probability: the smaller one of p and 1-p is off by the factor.

    Examples
    --------
    >>> beyond(0.2, 1.5), round(beyond(0.9, 1.5), 6)
    (0.30000000000000004, 0.933333)
    """
    return p * factor if p <= 0.5 else 1.0 - (1.0 - p) / factor


def power(point: Point, trials: int, level: float) -> float:
    """Probability that the test refutes a claim that is off by its factor, the less visible direction."""
    few, many = critical_counts(point, trials, level)
    truths = []
    if point.kind != "upper":
        truths.append(1.0 - beyond(1.0 - point.low, point.factor))
    if point.kind != "lower":
        truths.append(beyond(point.high, point.factor))
    return min(_tail_down(few, trials, p) + _tail_up(many, trials, p) for p in truths)


def judge_point(point: Point, successes: int, trials: int, level: float) -> Judged:
    """The verdict on one point."""
    k = trials - successes if point.complement else successes
    low, high = clopper_pearson(k, trials)
    measured = k / trials
    claimed = (point.low, point.high)
    if not all(0.0 <= value <= 1.0 for value in claimed) or point.low > point.high:
        return Judged(REFUTED, 1.0, f"{point.low:.4g} .. {point.high:.4g} is no range of probabilities", 0.0, 0.0)
    if point.kind == "prediction":
        error = max(abs(low - point.high), abs(high - point.high))
        text = f"{measured:.4g} ({low:.4g} .. {high:.4g}), predicted {point.high:.4g}"
        return Judged(MEASURED, None, text, error)
    few, many = critical_counts(point, trials, level)
    chance = _control_power(measured, trials, few, many) if point.control else power(point, trials, level)
    verdict = REFUTED if k <= few or k >= many else CONSISTENT if chance >= 0.5 else NO_POWER
    tails = {
        "upper": _tail_up(k, trials, point.high),
        "lower": _tail_down(k, trials, point.low),
    }
    both = min(1.0, 2 * min(_tail_up(k, trials, point.high), _tail_down(k, trials, point.low)))
    margin, tightness = _margin(point, measured, low, high)
    return Judged(verdict, chance, margin, tightness, tails.get(point.kind, both))


def _control_power(measured: float, trials: int, few: int, many: int) -> float:
    """A control is false; its power is that at the measured share."""
    return _tail_down(few, trials, measured) + _tail_up(many, trials, measured)


def _margin(point: Point, measured: float, low: float, high: float) -> tuple[str, float]:
    """Bound / measured, so that 1 is tight and below 1 speaks against the bound."""
    if point.kind == "upper":
        return _quotient(point.high, measured, low, high)
    if point.kind == "lower":
        if point.low <= 0.5:
            text, ratio = _quotient(point.low, measured, low, high, inverse=True)
        else:  # the complements say more
            text, ratio = _quotient(1 - point.low, 1 - measured, 1 - high, 1 - low)
        return text, ratio
    if point.kind == "band":
        return f"{measured:.4g} ({low:.4g} .. {high:.4g}) in {point.low:.4g} .. {point.high:.4g}", 1.0
    claimed = (point.low + point.high) / 2
    if claimed == 0.0:
        return f"measured {measured:.4g}, claimed 0", abs(measured)
    text = f"{measured / claimed:.4g} ({low / claimed:.4g} .. {high / claimed:.4g})"
    return text, abs(measured / claimed - 1.0)


def _quotient(bound: float, measured: float, low: float, high: float, *, inverse: bool = False) -> tuple[str, float]:
    if inverse:
        if bound == 0.0:
            return "bound 0", math.inf
        return f"{measured / bound:.4g} ({low / bound:.4g} .. {high / bound:.4g})", measured / bound
    if measured == 0.0:
        return f"> {bound / high:.3g} (none seen)", bound / high
    upper = f"{bound / low:.4g}" if low > 0 else "inf"
    return f"{bound / measured:.4g} ({bound / high:.4g} .. {upper})", bound / measured


def judge_fact(fact: Fact, found: Closest) -> Judged:
    """The verdict on one fact: refuted as soon as one case contradicts it; a prediction's error is only measured."""
    holds = found.ratio >= 1.0
    if holds and found.error is not None:
        return Judged(MEASURED, None, found.text, found.error)
    factor = 1.5
    chance = 1.0 if (found.catches <= factor or not holds) else 0.0
    verdict = REFUTED if not holds else CONSISTENT if chance else NO_POWER
    return Judged(verdict, chance, found.text, found.ratio)
