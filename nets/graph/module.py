"""A graph as an ordinary PyTorch module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from nets.graph.graph import Graph, GraphError, Node
from nets.graph.made_size import made_by
from nets.graph.operators import run
from sims.solver.memory import readable

_ALWAYS_BYTES, _MOST_GROWTH = 2**28, 1000
_GROWING = frozenset({"ConstantOfShape", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample"})


class GraphModule(torch.nn.Module):
    """Runs a graph; its constants are buffers, and nothing in it is trained.

    Parameters
    ----------
    graph : Graph
    share : bool
        Whether constants of that type lie in the graph's own memory; then neither may be changed.
    dtype : torch.dtype, optional
        Floating type of its constants; that of its first floating input by default. `double`, `half`, `to` change it:
        the network runs, and answers, in the type of its buffers, whatever floating type its inputs have.

    Notes
    -----
    Called with the inputs in the graph's order, or by name; the answer is one tensor, or a tuple where there are
    several outputs.

    Examples
    --------
    >>> from nets.graph import Graph, Input, Node
    >>> node = Node("MatMul", ("x", "w"), ("y",))
    >>> graph = Graph(17, (Input("x", "float32", ("batch", 2)),), ("y",), (node,), {"w": np.array([[1.0], [2.0]])})
    >>> GraphModule(graph)(torch.tensor([[3.0, 4.0]]))
    tensor([[11.]])
    """

    def __init__(self, graph: Graph, *, dtype: torch.dtype | None = None, share: bool = False) -> None:
        super().__init__()
        self.graph = graph
        real = dtype or _real(graph)
        self.register_buffer("_real", torch.zeros((), dtype=real), persistent=False)
        self._places: dict[str, str] = {}
        for i, (name, array) in enumerate(graph.constants.items()):
            value = as_tensor(array, share=share)
            self._places[name] = f"constant{i}"
            self.register_buffer(f"constant{i}", value.to(real) if value.is_floating_point() else value)
        last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        kept = {*graph.outputs, *graph.constants}
        self._spent = [
            [name for name in dict.fromkeys(node.inputs) if name and last[name] == i and name not in kept]
            for i, node in enumerate(graph.nodes)
        ]

    @property
    def dtype(self) -> torch.dtype:
        """Floating type in which the network runs."""
        return self.get_buffer("_real").dtype

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        """Evaluate the network; see the class."""
        kept = {name: self.constant(name) for name in self.graph.outputs if name in self._places}
        for made in self._steps(self._given(inputs, named)):
            kept |= {name: value for name, value in made.items() if name in self.graph.outputs}
        found = tuple(kept[name] for name in self.graph.outputs)
        return found[0] if len(found) == 1 else found

    def values(self, *inputs: torch.Tensor, **named: torch.Tensor) -> dict[str, torch.Tensor]:
        """All values of the network on its way, by name, constants left out."""
        return {name: value for made in self._steps(self._given(inputs, named)) for name, value in made.items()}

    def constant(self, name: str) -> torch.Tensor:
        """One of the graph's constants, as it is on the module's device and in its type."""
        return self.get_buffer(self._places[name])

    def _steps(self, given: dict[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
        """The inputs, then what every node makes."""
        values = dict(given)
        yield given
        for i, node in enumerate(self.graph.nodes):
            taken = [
                None if not name else self.constant(name) if name in self._places else values[name]
                for name in node.inputs
            ]
            if node.op in _GROWING and all(value is None or type(value) is torch.Tensor for value in taken):
                arrays = [None if value is None else value.detach().cpu().numpy() for value in taken]
                if (size := 4 * made_by(node, arrays)) > _ALWAYS_BYTES:
                    self._check_growth(node, size, given)
            try:
                results = run(node, taken, opset=self.graph.opset, real=self.dtype)
            except GraphError:
                raise
            except (RuntimeError, IndexError, ValueError, TypeError, ArithmeticError) as error:
                shapes = ", ".join(str(tuple(value.shape)) if value is not None else "-" for value in taken)
                reason = " ".join(str(error).split())[:200]
                raise GraphError(f"{node}: does not fit inputs of shapes {shapes} ({reason})") from None
            made = {name: value for name, value in zip(node.outputs, results, strict=False) if name}
            if (size := max((one.numel() * one.itemsize for one in made.values()), default=0)) > _ALWAYS_BYTES:
                self._check_growth(node, size, given)
            values |= made
            for name in self._spent[i]:
                values.pop(name, None)
            yield made

    def _check_growth(self, node: Node, size: int, given: dict[str, torch.Tensor]) -> None:
        """A few bytes of a file can ask for any memory: refuse a value far larger than all inputs and constants."""
        there = sum(one.numel() * one.itemsize for one in (*given.values(), *self.buffers()))
        if size > _MOST_GROWTH * there:
            raise GraphError(f"{node}: makes {readable(size)} of inputs and weights of {readable(there)}: not run")

    def _given(self, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        wanted = [one.name for one in self.graph.inputs]
        found = {**dict(zip(wanted, inputs, strict=False)), **named}
        if len(inputs) > len(wanted) or set(found) != set(wanted) or len(found) != len(inputs) + len(named):
            raise ValueError(f"takes the inputs {', '.join(wanted)}, got {len(inputs)} and {sorted(named)}")
        checked = {}
        for one in self.graph.inputs:
            value = found[one.name]
            if not isinstance(value, torch.Tensor):
                raise TypeError(f"{one.name} must be a tensor, got {type(value).__name__}")
            if value.is_floating_point() != one.floating:
                raise TypeError(f"{one.name} must be {one.dtype}, got {value.dtype}")
            if not one.fits(tuple(value.shape)):
                raise ValueError(f"{one.name} must have shape {readable_shape(one.shape)}, got {tuple(value.shape)}")
            checked[one.name] = value.to(self.dtype if value.is_floating_point() else getattr(torch, one.dtype))
        return checked

    def extra_repr(self) -> str:
        return repr(self.graph)


def as_tensor(array: np.ndarray[Any, Any], *, share: bool = False) -> torch.Tensor:
    """A constant as a tensor of its own type; `share`: without a copy where it can be had."""
    array = np.ascontiguousarray(array).reshape(array.shape)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(array if share and array.flags.writeable else array.copy())


def readable_shape(shape: tuple[int | str, ...] | None) -> str:
    """A shape with named sides: (batch, 3, 224, 224)."""
    return "any" if shape is None else f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _real(graph: Graph) -> torch.dtype:
    names = [one.dtype for one in graph.inputs] + [str(array.dtype) for array in graph.constants.values()]
    floats = {"float16": torch.float16, "float32": torch.float32, "float64": torch.float64}
    return next((floats[name] for name in names if name in floats), torch.float32)
