"""Tells a search of every step and every epoch once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nets.search.search import TicketSearch

NO_END = 2**31
"""Epochs of a run without a last one."""


class Clock:
    """Which steps and epochs a search has been told of.

    Attributes
    ----------
    step : int or None
        The last one.
    epochs : int or None
        Number of epochs of which the search knows that they have ended.
    """

    def __init__(self, search: TicketSearch) -> None:
        self.search = search
        self.step: int | None = None
        self.epochs: int | None = None

    def start(self, epoch: int) -> None:
        """A run begins, or goes on, in this epoch."""
        self.step = None
        if self.epochs is None or self.epochs > epoch:
            self.epochs = epoch

    def before(self, step: int) -> None:
        """A forward pass of this step follows; the second one of a step (accumulated gradients) is no news."""
        if step != self.step:
            self.step = step
            self.search.before_step(step)

    def ended(self, epochs: int, total: int) -> None:
        """So many epochs, of the whole run's total, have ended."""
        done = epochs if self.epochs is None else self.epochs
        for epoch in range(done, epochs):
            self.search.after_epoch(epoch, total)
        self.epochs = max(done, epochs)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the model's own state, as plain values."""
        return {"epochs": self.epochs, "search": self.search.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up such a state.

        Raises
        ------
        ValueError
            If it is that of another search.
        """
        self.search.load_state_dict(state["search"])
        self.epochs = state["epochs"]
