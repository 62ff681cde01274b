"""What stands beside the proved band of a row: a prediction, never shown outside it unmarked, and what is published."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from sims.options import Row

MARK = "*"
"""Behind a prediction that was clamped."""

FOOTNOTE = f"{MARK} prediction outside the proved band: the nearer bound is shown"
"""Below a table with such a prediction."""

_ROUNDING = 1e-9


def clamped(prediction: float, low: float, high: float, *, name: str = "prediction") -> Row:
    """The columns of a heuristic probability: the nearest value of its proved band, and whether that is another.

    Differences of rounding, relative to the probability and to its complement, do not count.

    Examples
    --------
    >>> clamped(0.15, 0.05, 0.1)
    {'prediction': 0.1, 'prediction_clamped': True}
    >>> clamped(0.07, 0.05, 0.1, name="continuous")
    {'continuous': 0.07, 'continuous_clamped': False}
    """
    near = min(max(prediction, low), high)
    same = math.isclose(near, prediction, rel_tol=_ROUNDING)
    same &= math.isclose(1.0 - near, 1.0 - prediction, rel_tol=_ROUNDING, abs_tol=2.0**-50)
    return {name: near, f"{name}_clamped": not same}


@dataclass(frozen=True)
class Published:
    """What a paper states about a question, its constants not known here.

    ``key``: of `theory.bibliography`. ``status``: read, restated or recalled. ``form``: of the statement. ``constant``:
    what is unknown, in words. ``values``: numbers of the form at this question.
    """

    key: str
    status: str
    form: str
    constant: str = "constant unknown"
    values: Row = field(default_factory=dict)

    def row(self) -> Row:
        """As JSON values."""
        return asdict(self)


def published_line(row: Row) -> str:
    """Such a row for people.

    Examples
    --------
    >>> published_line(Published("becchetti2022", "read", "n = C d^3", values={"n / C": 8.0}).row())
    'Published (becchetti2022, read): n = C d^3; constant unknown; here n / C = 8.'
    """
    values = ", ".join(f"{name} = {value:.4g}" for name, value in row["values"].items())
    here = f"; here {values}" if values else ""
    return f"Published ({row['key']}, {row['status']}): {row['form']}; {row['constant']}{here}."
