"""A question is a value: frozen, validated parameters, and what is proved or predicted of them as methods.

The parameters of a question live in the module ``parameters`` of its package, which knows no bounds, so that what
counts and solves may share them. ``alpha`` is always a target in [-1, 1] or the word "uniform": a target drawn from
U[-1, 1], independent of all else, and averaged over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from theory.numerics import check

Target = float | Literal["uniform"]


class Question(Protocol):
    """What a question answers; where nothing is proved a method raises ValueError with the reason."""

    def required_n(self, delta: float) -> int:
        """An n that is proved to suffice for success with probability at least 1 - delta."""
        ...

    def necessary_n(self, delta: float) -> int:
        """An n below which success with probability 1 - delta is proved impossible."""
        ...

    def predicted_n(self, delta: float) -> int:
        """The first n whose predicted success is at least 1 - delta."""
        ...

    def success_lower(self, n: int) -> float:
        """A proved lower bound on the success probability, rounded down."""
        ...

    def success_upper(self, n: int) -> float:
        """A proved upper bound on the success probability, rounded up."""
        ...

    def success_prediction(self, n: int) -> float:
        """The predicted success probability (heuristic, unless the question says that it is exact).

        As the heuristic has it: it may lie outside [success_lower, success_upper]; the commands clamp it and say so.
        """
        ...


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "R": check.draw_count,
    "eps": check.accuracy,
    "alpha": check.target_or_uniform,
    "low": check.target_value,
    "high": check.target_value,
    "model": check.sampling_model,
}
"""How a parameter of that name is checked and made canonical, whatever question it belongs to."""


class Parameters:
    """What all parameter classes share: their common fields are checked, and stand in canonical form."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:  # type: ignore[attr-defined]
            if name in _CHECKS:
                self._set(name, _CHECKS[name](name, getattr(self, name)))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class OneTarget(Parameters):
    """What parameters with an eps and an alpha share."""

    eps: float
    alpha: Target

    @property
    def uniform(self) -> bool:
        """Whether the target is drawn and averaged over."""
        return self.alpha == "uniform"

    @property
    def size(self) -> float:
        """abs(alpha); 0 for a uniform target. All laws here are symmetric, so the sign does not matter."""
        return 0.0 if self.alpha == "uniform" else abs(self.alpha)

    @property
    def certain(self) -> bool:
        """Whether the empty sum succeeds for every value of the target."""
        return self.eps == 1.0 if self.uniform else self.size <= self.eps
