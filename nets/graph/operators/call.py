"""One call of an operator: its inputs and attributes, read with a clear refusal of what cannot be used."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import torch

from nets.graph.graph import GraphError, Node
from sims.commands.cli import exhausted

Tensor: TypeAlias = torch.Tensor


def float32(value: float) -> float:
    """The nearest number in 32 bits, which is how the standard writes its defaults.

    >>> float32(0.2)
    0.20000000298023224
    """
    (single,) = struct.unpack("f", struct.pack("f", value))
    return float(single)


@dataclass(frozen=True)
class Call:
    """A node with the values of its inputs.

    Attributes
    ----------
    node : Node
    values : sequence of Tensor or None
        None for an input that is left out; those after the last may be missing.
    opset : int
    real : torch.dtype
        Type of real numbers made from nothing or from other types.
    """

    node: Node
    values: Sequence[Tensor | None]
    opset: int
    real: torch.dtype

    def refuse(self, reason: str) -> NoReturn:
        """Stop: the operator cannot be run as the node asks."""
        raise GraphError(f"{self.node}: {reason}")

    def has(self, position: int) -> bool:
        """Whether an input is there."""
        return position < len(self.values) and self.values[position] is not None

    def value(self, position: int) -> Tensor:
        """An input that must be there."""
        found = self.values[position] if position < len(self.values) else None
        if found is None:
            self.refuse(f"input {position} is missing")
        return found

    def optional(self, position: int) -> Tensor | None:
        """An input that may be left out."""
        return self.values[position] if position < len(self.values) else None

    def all(self) -> list[Tensor]:
        """Every input; none may be left out."""
        return [self.value(position) for position in range(len(self.values))]

    def integers(self, position: int) -> list[int] | None:
        """An input that lists whole numbers, as axes; None where it is left out."""
        found = self.optional(position)
        return None if found is None else [int(one) for one in found.reshape(-1).tolist()]

    def scalar(self, position: int) -> int | float | bool | None:
        """An input of one number; None where it is left out."""
        found = self.optional(position)
        if found is None:
            return None
        if found.numel() != 1:
            self.refuse(f"input {position} must be one number, got shape={tuple(found.shape)}")
        number: int | float | bool = found.item()
        return number

    def given(self, name: str) -> bool:
        """Whether an attribute is set."""
        return name in self.node.attributes

    def integer(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, int) else self._wrong(name)

    def number(self, name: str, default: float) -> float:
        """An attribute that is a real number; the default as 32 bits hold it."""
        found = self.node.attributes.get(name, float32(default))
        return float(found) if isinstance(found, int | float) else self._wrong(name)

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        found = self.node.attributes.get(name, default)
        return found if isinstance(found, str) else self._wrong(name)

    def listed(self, name: str) -> list[int] | None:
        """An attribute that lists whole numbers; None where it is not set."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple):
            self._wrong(name)
        return [one if isinstance(one, int) else self._wrong(name) for one in found]

    def words(self, name: str) -> list[str] | None:
        """An attribute that lists words; None where it is not set."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        if not isinstance(found, tuple):
            self._wrong(name)
        return [one if isinstance(one, str) else self._wrong(name) for one in found]

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is 0 or 1."""
        found = self.integer(name, int(default))
        return bool(found) if found in (0, 1) else self._wrong(name)

    def only(self, name: str, value: int | float | str) -> None:
        """Refuse an attribute that is set to anything but one value."""
        if self.node.attributes.get(name, value) != value:
            self._wrong(name)

    def axis(self, axis: int, rank: int) -> int:
        """An axis, counted from the front."""
        if not -rank <= axis < rank:
            self.refuse(f"axis={axis} of {rank} axes")
        return axis % rank

    def axes(self, axes: Sequence[int], rank: int) -> list[int]:
        """Different axes, counted from the front."""
        found = [self.axis(one, rank) for one in axes]
        if len(set(found)) < len(found):
            self.refuse(f"axes={tuple(axes)} name one twice")
        return found

    def shape(self, position: int) -> tuple[int, ...] | None:
        """Shape of an input; None where it is left out."""
        found = self.optional(position)
        return None if found is None else tuple(found.shape)

    def _wrong(self, name: str) -> NoReturn:
        self.refuse(f"{name}={self.node.attributes.get(name)!r} is not supported")


Function = Callable[[Call], Tensor | tuple[Tensor, ...]]


@dataclass(frozen=True)
class Operator:
    """How an operator runs, and what it takes.

    Attributes
    ----------
    function : callable
        Of a `Call`; gives its output, or a tuple of them.
    attributes : str
        Names of those it knows, apart by blanks.
    least, most : int
        Numbers of inputs; `most` is None for any.
    outputs : int or None
        How many it can give; None for any.
    """

    function: Function
    attributes: str = ""
    least: int = 1
    most: int | None = 1
    outputs: int | None = 1

    def __call__(self, call: Call) -> tuple[Tensor, ...]:
        """Run it and check what comes out against what the node names."""
        node = call.node
        for name in sorted(node.attributes.keys() - set(self.attributes.split())):
            call.refuse(f"attribute {name}={node.attributes[name]!r} is not supported")
        if len(call.values) < self.least or (self.most is not None and len(call.values) > self.most):
            call.refuse(f"{len(call.values)} inputs, {self.least} to {self.most} expected")
        for position in range(self.least):
            call.value(position)
        if self.outputs is not None and any(node.outputs[self.outputs :]):
            call.refuse(f"output {self.outputs} is not supported")
        try:
            found = self.function(call)
        except GraphError:
            raise
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, IndexError, ValueError, TypeError, ArithmeticError) as error:
            shapes = ", ".join(str(call.shape(position)) for position in range(len(call.values)))
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = "makes more of them than the memory holds" if exhausted(error) else reason
            raise GraphError(f"{node}: inputs of shapes {shapes}: {reason}") from error
        results = found if isinstance(found, tuple) else (found,)
        if len(results) < len(node.outputs):
            call.refuse(f"{len(node.outputs)} outputs asked, {len(results)} there")
        return results[: len(node.outputs)]
