"""One part of a network in its random source, of any of the three kinds: found, and made again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction import gadget as gadgets
from nets.construction.gadget import Gadget, Record
from nets.construction.value_sets import ValueSets
from nets.graph.parts import Part, rows_by_output
from nets.tickets.approximation_file import Ticket, TicketPart

Floats = npt.NDArray[np.float64]
Tensors = dict[str, npt.NDArray[Any]]
Seen = Callable[[Floats], object]


@dataclass(frozen=True, eq=False)
class Source:
    """The random network in which parts are found.

    Attributes
    ----------
    kind : {"layered", "private", "shared"}
    construction : str
        layered only: as in `nets.construction.prune_approx`.
    n, R, seed : int
    """

    kind: str
    construction: str
    n: int
    R: int
    seed: int

    @classmethod
    def of(cls, ticket: Ticket) -> Source:
        """The source of a ticket."""
        return cls(ticket.kind, ticket.construction, ticket.n, ticket.R, ticket.seed)

    def table_row(self, part: Part, matrices: Floats, *, projection: bool) -> TicketPart:
        """The row of a ticket's table for a part; `projection`: no ReLU between its two random layers."""
        size = float(np.abs(matrices).max())
        layered = self.kind == "layered"
        relu = not (layered and projection and self.construction == "subset-sum")
        return TicketPart(
            part.constant, part.kind, part.shape, part.groups, part.rows, part.cols, part.outputs,
            gain=power_of_two_above(size) if layered else size,
            halves=2 if layered and part.signed and relu else 1,
            relu=relu,
        )  # fmt: skip

    def gadget(self, number: int, row: TicketPart) -> Gadget:
        """layered: the two random layers of part `number`, from 0."""
        return Gadget(
            number, row.groups, row.rows, row.cols, n=self.n, R=self.R, seed=self.seed, halves=row.halves, relu=row.relu
        )

    def values(self, row: TicketPart) -> ValueSets:
        """private, shared: the random values of a part."""
        return ValueSets(self.kind, seed=self.seed, n=self.n, R=self.R, size=row.gain)

    def find(
        self,
        number: int,
        row: TicketPart,
        matrices: Floats,
        *,
        eta: float,
        device: str = "cpu",
        jobs: int | None = None,
        tick: Callable[[int], None] = lambda count: None,
    ) -> Tensors:
        """Masks and draws of part `number`, from 0, by their names in a ticket."""
        if self.kind != "layered":
            rows = rows_by_output(matrices, row.outputs)
            chosen = self.values(row).solve(number + 1, rows, device=device, jobs=jobs, tick=tick)
            return self._named(number, (chosen.mask,), (chosen.draws,))
        with np.errstate(over="ignore"):  # the solver refuses what is not finite
            scaled = matrices / row.gain
        record = gadgets.solve(
            self.gadget(number, row),
            scaled,
            construction=self.construction,
            eta=min(eta / row.gain, 1.0),
            device=device,
            jobs=jobs,
            tick=tick,
        )
        return self._named(number, (record.mask_b, record.mask_a), (record.draws_b, record.draws_a))

    def make(
        self,
        number: int,
        row: TicketPart,
        tensors: Mapping[str, Any],
        *,
        seen: Seen | None = None,
        jobs: int | None = None,
    ) -> tuple[Floats, Floats]:
        """Effective weights (plus, minus) of a part, shape (groups, rows, cols), in the target's units.

        Raises
        ------
        ValueError
            If masks and draws do not belong to the part.
        """
        masks, draws = self.tensors_of(number, tensors)
        if self.kind != "layered":
            shape = row.groups * row.outputs, row.weights // (row.groups * row.outputs)
            made = self.values(row).rebuild(number + 1, shape, mask=masks[0], draws=draws[0], seen=seen)
            whole = made.reshape(row.groups, row.rows, row.cols)
            return whole, whole
        record = Record(masks[0], masks[1], draws[0], draws[1])
        plus, minus = gadgets.effective(self.gadget(number, row), record, seen=seen, jobs=jobs)
        scaled = plus * row.gain
        return scaled, (scaled if minus is plus else minus * row.gain)

    def tensors_of(self, number: int, tensors: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
        """The masks and the draws of a part."""
        count = 2 if self.kind == "layered" else 1
        places = [count * number + i + 1 for i in range(count)]
        nothing = np.empty(0, np.uint8)
        return [tensors[f"mask{i}"] for i in places], [tensors.get(f"draws{i}", nothing) for i in places]

    def _named(self, number: int, masks: Sequence[Any], draws: Sequence[Any]) -> Tensors:
        named = {}
        for i, (mask, drawn) in enumerate(zip(masks, draws, strict=True), len(masks) * number + 1):
            named[f"mask{i}"] = mask
            if self.R > 1:
                named[f"draws{i}"] = drawn
        return named


def power_of_two_above(size: float) -> float:
    """The least power of two that is at least `size`; 1 for 0.

    Examples
    --------
    >>> power_of_two_above(0.3), power_of_two_above(2.0), power_of_two_above(0.0)
    (0.5, 2.0, 1.0)
    """
    if size == 0:
        return 1.0
    mantissa, exponent = math.frexp(size)
    return math.ldexp(1.0, max(exponent - (mantissa == 0.5), -900))
