"""Questions whose failures are estimated however rare they are: what ``--tail`` needs of them (`sims.tail`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

from sims.options import Question
from sims.solver.arguments import Floats

Run = Callable[[int, int], Floats]
"""run(seed, number): an unbiased estimate of the failure at every size; independent for other numbers and seeds."""

LEAST_TOLD = 1e-14
"""Bounds of success are floats: what they say of smaller failures is not shown."""


@dataclass(frozen=True)
class Stated:
    """What is known of a failure probability: proved to be at least and at most so much, and predicted (heuristic).

    None: not known as a float.
    """

    least: float | None
    most: float
    prediction: float | None


def from_success(question: Any, n: int) -> Stated:
    """As the bounds and the prediction of success have it."""

    def told(failure: float) -> float | None:
        return failure if failure >= LEAST_TOLD else None

    least, prediction = 1.0 - question.success_upper(n), 1.0 - question.success_prediction(n)
    return Stated(told(least), 1.0 - question.success_lower(n), told(prediction))


def at_sizes(run: Run, sizes: Sequence[int]) -> Run:
    """What estimates at 1, 2, ..., at some sizes alone."""
    places = [n - 1 for n in sizes]
    return lambda seed, number: run(seed, number)[places]


class Tailed(ABC, Generic[Question]):
    """An experiment with a ``--tail``.

    ``tail_config``: its flags then. ``tail_n``: the largest n that is looked at if none is given.
    """

    tail_config: ClassVar[type[Any]]
    tail_n: ClassVar[int] = 60

    @abstractmethod
    def tail(self, question: Question, sizes: Sequence[int], samples: int) -> Run:
        """What estimates; one thread uses it. Raises ValueError for what it cannot do."""

    def stated(self, question: Question, n: int) -> Stated:
        """What is known of the failure at n."""
        return from_success(question, n)

    def check_tail(self, given: Any) -> None:
        """Refuse flags that say nothing with ``--tail``."""
