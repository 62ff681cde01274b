"""A network as a list of ONNX operators in an order in which they can run; the one form that every target takes."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Array = npt.NDArray[Any]

_LONGEST_LABEL, _LONGEST_LINE = 120, 400


class GraphError(ValueError):
    """A network that cannot be used; the message is one line with the place and the reason.

    Names in a file can hold anything: what is no text for a terminal becomes "?", and the end of a long line "...".

    Examples
    --------
    >>> print(GraphError("a\\n b\\x1b[2J"))
    a b?[2J
    """

    def __init__(self, message: str) -> None:
        line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(message.split()))
        super().__init__(line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}...")


def labelled(name: object, op: str) -> str:
    """What a node is called in messages: its name, or the end of a long one, and its operator.

    Examples
    --------
    >>> labelled("conv1", "Conv"), labelled("", "Conv")
    ('conv1 (Conv)', 'Conv')
    """
    text = str(name)
    text = text if len(text) <= _LONGEST_LABEL else f"...{text[-_LONGEST_LABEL:]}"
    return f"{text} ({op})" if text and text != op else op


@dataclass(frozen=True)
class Input:
    """An input of a network.

    Attributes
    ----------
    name : str
    dtype : str
        As NumPy calls it: float32, int64, ...
    shape : tuple of int or str, or None
        A name stands for a side that may be of any length; None for any shape.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None

    @property
    def floating(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.startswith("float")

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of that shape can be given.

        Examples
        --------
        >>> Input("x", "float32", ("batch", 3)).fits((7, 3)), Input("x", "float32", ("batch", 3)).fits((3,))
        (True, False)
        """
        return self.shape is None or (
            len(self.shape) == len(shape)
            and all(isinstance(a, str) or a == b for a, b in zip(self.shape, shape, strict=True))
        )


@dataclass(frozen=True)
class Node:
    """One operator of ONNX's default domain.

    Attributes
    ----------
    op : str
        Its name, as Conv.
    inputs : tuple of str
        Names of values; "" for one that is left out.
    outputs : tuple of str
    attributes : mapping of str to int, float, str or a tuple of them
        What was given in the file; the defaults are those of the operator. Never a graph. A tensor is named here and
        stands in `Graph.constants`.
    name : str
        What to call it in messages.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        return labelled(self.name, self.op)


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A network.

    Attributes
    ----------
    opset : int
        Version of the operators.
    inputs : tuple of Input
    outputs : tuple of str
    nodes : tuple of Node
        In an order in which they can run; every value has one origin: an input, a constant or a node.
    constants : dict of str to ndarray
        In their own types. Weights, biases, shapes, ...
    assumptions : tuple of str
        What the file does not say and was assumed when it was read; printed with every result.
    """

    opset: int
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    assumptions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        numbers = sum(array.size for array in self.constants.values() if np.issubdtype(array.dtype, np.floating))
        names = ", ".join(one.name for one in self.inputs)
        return f"<Graph of {len(self.nodes)} operators, {numbers} numbers, inputs {names}>"

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take each value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def origins(self) -> dict[str, Node]:
        """The node that makes each value."""
        return {name: node for node in self.nodes for name in node.outputs}

    def names(self) -> set[str]:
        """The names of all values."""
        made = {name for node in self.nodes for name in node.outputs if name}
        return made | self.constants.keys() | {one.name for one in self.inputs}


def fresh_name(name: str, taken: Container[str]) -> str:
    """A name that nothing has yet: the one given, or that with a number.

    Examples
    --------
    >>> fresh_name("w/minus", {"w"}), fresh_name("w/minus", {"w/minus"})
    ('w/minus', 'w/minus2')
    """
    if name not in taken:
        return name
    return next(found for i in itertools.count(2) if (found := f"{name}{i}") not in taken)
