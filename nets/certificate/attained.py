"""How far two networks do differ: on data, and at points of a domain found by gradient ascent."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nets.arguments import dense, doubles, of_type
from nets.certificate.domain import Domain
from nets.certificate.rounding import l2
from nets.graph.graph import Array, Graph, Input
from nets.threads import few_threads

Outputs = tuple[torch.Tensor, ...]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Differences:
    """Differences of the outputs on examples.

    Attributes
    ----------
    examples : int
    largest, median : float
        Of the l2 difference of all outputs of one example.
    entry : float
        Largest difference of one entry.
    size : float
        Root mean square of the l2 norm of the target's outputs.
    relative_largest, relative_median : float
        Divided by `size`.
    """

    examples: int
    largest: float
    median: float
    entry: float
    size: float

    @property
    def relative_largest(self) -> float:
        return _ratio(self.largest, self.size)

    @property
    def relative_median(self) -> float:
        return _ratio(self.median, self.size)


@dataclass(frozen=True, eq=False)
class Point:
    """An example of the domain and how far the networks differ there, in float64."""

    inputs: dict[str, Array]
    distance: float


class Pair:
    """Target and pruned network as float64 modules, run on stacks of examples.

    Parameters
    ----------
    target, pruned : torch.nn.Module
        Take the inputs by name.
    inputs : sequence of Input
    shapes : mapping of str to tuple of int
        Of every input for one example.
    batch : int
        Examples in one run; 1 where the networks do not take batches, or treat them as something else.
    """

    def __init__(
        self,
        target: torch.nn.Module,
        pruned: torch.nn.Module,
        inputs: tuple[Input, ...],
        shapes: Shapes,
        batch: int = 64,
    ) -> None:
        self.modules = _doubled(target), _doubled(pruned)
        self.inputs, self.shapes = inputs, shapes
        self.floating = [one.name for one in inputs if one.floating]
        self.batch = batch if all(shapes[one.name][:1] == (1,) for one in inputs) else 1
        if self.batch > 1 and not self._takes_batches():
            self.batch = 1

    def stack(self, data: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Examples of every input on a new first axis; a leading side 1 of one example may be left out."""
        found = {}
        of_type("data", data, Mapping, "a mapping of inputs to arrays")
        for one in self.inputs:
            if one.name not in data:
                raise ValueError(f"data must hold input {one.name!r}, got {sorted(data)}")
            name, shape, floating = f"data of {one.name!r}", self.shapes[one.name], one.name in self.floating
            array = (doubles if floating else dense)(name, data[one.name])
            if not floating and (array.is_floating_point() or array.is_complex()):
                raise ValueError(f"{name} must be whole numbers, got dtype {array.dtype}")
            if array.ndim < 1 or tuple(array.shape[1:]) not in (shape, shape[1:] if shape[:1] == (1,) else shape):
                raise ValueError(f"data of {one.name!r} must have shape (examples, *{shape}), got {tuple(array.shape)}")
            found[one.name] = array.cpu().reshape(len(array), *shape).clone()
        counts = {name: len(value) for name, value in found.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise ValueError(f"data must hold as many examples, at least 1, of each input, got {counts}")
        return found

    def outputs(self, examples: Mapping[str, torch.Tensor]) -> Iterator[tuple[Outputs, Outputs]]:
        """Floating outputs of both networks, flattened to (examples, entries), batch by batch."""
        count = len(next(iter(examples.values())))
        for low in range(0, count, self.batch):
            part = {name: value[low : low + self.batch] for name, value in examples.items()}
            size = min(self.batch, count - low)
            feed = {name: value.flatten(0, 1) if self.batch > 1 else value[0] for name, value in part.items()}
            yield self._flat(0, feed, size), self._flat(1, feed, size)

    def work(self, count: int) -> int:
        """About how many multiplications the largest node takes for that many examples.

        0 where a layer is recurrent, as its many small steps take the time, and threads delay each of them.
        """
        graph = getattr(self.modules[0], "graph", None)
        if isinstance(graph, Graph) and any(node.op in ("LSTM", "GRU", "RNN") for node in graph.nodes):
            return 0
        largest = max((one.numel() for one in self.modules[0].buffers()), default=1)
        places = max((math.prod(self.shapes[one.name][2:]) for one in self.inputs), default=1)
        return largest * places * min(count, self.batch)

    def distances(self, examples: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """l2 distance of all outputs, for every example; differentiable."""
        return torch.cat([distance(f, g) for f, g in self.outputs(examples)])

    def _flat(self, which: int, feed: Mapping[str, torch.Tensor], size: int) -> Outputs:
        found = self.modules[which](**feed)
        found = found if isinstance(found, tuple) else (found,)
        return tuple(one.reshape(size, -1).double() for one in found if one.is_floating_point())

    def _takes_batches(self) -> bool:
        """Whether two examples together give what each gives alone."""
        generator = torch.Generator().manual_seed(0)
        examples = {}
        for one in self.inputs:
            sides = (2, *self.shapes[one.name])
            drawn = torch.rand(*sides, generator=generator, dtype=torch.float64)
            whole = torch.zeros(*sides, dtype=_integer(one.dtype))
            whole[1] = 1  # two examples alike would hide that their places are mixed
            examples[one.name] = drawn if one.name in self.floating else whole
        try:
            with torch.no_grad():
                together = next(self.outputs(examples))[0][0]
                self.batch, keep = 1, self.batch
                alone = torch.cat([f[0] for f, _ in self.outputs(examples)])
                self.batch = keep
        except (RuntimeError, ValueError):
            return False
        return together.shape == alone.shape and bool(torch.allclose(together, alone, rtol=1e-6, atol=1e-9))


def distance(f: Outputs, g: Outputs) -> torch.Tensor:
    """l2 distance over all outputs, for each example."""
    gap = torch.cat([b - a for a, b in zip(f, g, strict=True)], 1)
    return l2(gap)


def differences(pair: Pair, data: Mapping[str, Any]) -> Differences:
    """Measure the differences on examples.

    Parameters
    ----------
    pair : Pair
    data : mapping of str to array, shape (examples, ...)
        Of every input.
    """
    found, sizes, entry = [], [], 0.0
    examples = pair.stack(data)
    with torch.no_grad(), few_threads(pair.work(len(next(iter(examples.values()))))):
        for f, g in pair.outputs(examples):
            found.append(distance(f, g))
            sizes.append(l2(torch.cat(f, 1)))
            entry = max(entry, *(float((b - a).abs().max()) for a, b in zip(f, g, strict=True)))
    gaps, norms = torch.cat(found), torch.cat(sizes)
    median = float(np.median(gaps.numpy()))
    return Differences(len(gaps), float(gaps.max()), median, entry, float(l2(norms)) / math.sqrt(len(norms)))


def farthest_point(
    pair: Pair,
    domain: Domain | Mapping[str, Domain],
    *,
    data: Mapping[str, Any] | None = None,
    starts: int = 8,
    steps: int = 40,
    seed: int = 0,
    seconds: float | None = None,
) -> Point:
    """Search the domain for an example where the networks are far apart, by projected gradient ascent.

    Each start has its own step, tripled after a gain and quartered after a loss, so that long steps become power
    iterations (ball) or sign steps (box).

    Parameters
    ----------
    domain : Domain, or mapping of str to Domain
        Of every floating input, or of each.
    data : mapping of str to array, optional
        Half of the starts are those examples on which the networks differ most, moved into the domain. Integer inputs
        are kept as given there, so it is needed if there are any.
    starts, steps : int, >= 1 and >= 0
    seed : int
        Of the random starts; same seed, same answer, unless `seconds` end the search.
    seconds : float, optional
        Stop after the step in which this much time has passed.

    Returns
    -------
    Point
        Inside the domain.
    """
    if starts < 1:
        raise ValueError(f"starts must be >= 1, got starts={starts}")
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got steps={steps}")
    until = None if seconds is None else time.monotonic() + seconds
    domains = {name: domain if isinstance(domain, Domain) else domain[name] for name in pair.floating}
    with few_threads(pair.work(starts)):
        points = _starts(pair, domains, data, starts, seed)
        return _climbed(pair, domains, points, steps, until)


def _climbed(
    pair: Pair, domains: Mapping[str, Domain], points: dict[str, torch.Tensor], steps: int, until: float | None
) -> Point:
    """Projected gradient ascent from every start."""
    value, slope = _value_and_slope(pair, points)
    step = torch.ones_like(value)
    for _ in range(steps if pair.floating else 0):
        if until is not None and time.monotonic() > until:
            break
        trial = dict(points)
        for name, one in domains.items():
            trial[name] = one.project(points[name] + _wide(step, points[name]) * _scaled(slope[name], one))
        new_value, new_slope = _value_and_slope(pair, trial)
        gain = new_value > value
        for name in pair.floating:
            points[name] = torch.where(_wide(gain, trial[name]), trial[name], points[name])
            slope[name] = torch.where(_wide(gain, trial[name]), new_slope[name], slope[name])
        value = torch.where(gain, new_value, value)
        step = torch.where(gain, 3 * step, step / 4).clamp(1e-9, 1e6)
    best = int(value.argmax())
    return Point({name: one[best].numpy() for name, one in points.items()}, _alone(pair, points, best))


def _alone(pair: Pair, points: Mapping[str, torch.Tensor], best: int) -> float:
    """Distance at one point by itself: a network may mix its batch where `Pair` did not notice."""
    kept, pair.batch = pair.batch, 1
    with torch.no_grad():
        found = pair.distances({name: one[best : best + 1] for name, one in points.items()})
    pair.batch = kept
    return float(torch.nan_to_num(found, nan=0.0, posinf=0.0))


def _starts(
    pair: Pair, domains: Mapping[str, Domain], data: Mapping[str, Any] | None, starts: int, seed: int
) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    whole = [one.name for one in pair.inputs if one.name not in pair.floating]
    if data is None:
        if whole:
            raise ValueError(f"data must be given, as the input {whole[0]!r} holds integers")
        return {name: one.random(starts, pair.shapes[name], generator) for name, one in domains.items()}
    examples = pair.stack(data)
    for name, one in domains.items():
        examples[name] = one.project(examples[name])
    with torch.no_grad():
        order = torch.nan_to_num(pair.distances(examples), nan=-1.0).argsort(descending=True, stable=True)
    kept = order[: starts if not pair.floating else max(1, starts // 2)]
    kept = torch.cat([kept, order[torch.arange(starts - len(kept)) % len(order)]])[:starts]
    points = {name: value[kept].clone() for name, value in examples.items()}
    fresh = starts - min(max(1, starts // 2), len(order))
    for name, one in domains.items():
        if fresh:
            points[name][-fresh:] = one.random(fresh, pair.shapes[name], generator)
    return points


def _value_and_slope(pair: Pair, points: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Distance at every point (nothing found counts as 0) and its gradient."""
    leaves = {name: points[name].clone().requires_grad_() for name in pair.floating}
    value = pair.distances({**points, **leaves})
    slopes: tuple[torch.Tensor | None, ...] = (None,) * len(leaves)
    if leaves and value.requires_grad:
        slopes = torch.autograd.grad(value.sum(), list(leaves.values()), allow_unused=True)
    found = {}
    for (name, leaf), slope in zip(leaves.items(), slopes, strict=True):
        found[name] = torch.zeros_like(leaf) if slope is None else torch.nan_to_num(slope, posinf=0.0, neginf=0.0)
    return torch.nan_to_num(value.detach(), nan=0.0, posinf=0.0), found


def _scaled(slope: torch.Tensor, domain: Domain) -> torch.Tensor:
    """The direction of ascent as long as the domain is wide."""
    flat = slope.flatten(1)
    if domain.radius is not None:
        norms = torch.linalg.vector_norm(flat, dim=1).clamp(min=1e-300)
        return slope * (domain.radius / _wide(norms, slope))
    half = torch.from_numpy(np.asarray((domain.high - domain.low) / 2))
    return slope / _wide(flat.abs().amax(1).clamp(min=1e-300), slope) * half


def _wide(numbers: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return numbers.reshape(-1, *[1] * (like.ndim - 1))


def _ratio(a: float, b: float) -> float:
    return 0.0 if a == 0 else a / b if b else float("inf")


def _integer(dtype: str) -> torch.dtype:
    found = getattr(torch, dtype, torch.int64)
    return found if isinstance(found, torch.dtype) else torch.int64


def _doubled(module: torch.nn.Module) -> torch.nn.Module:
    """The module itself if it is in float64 and evaluates, else a copy that does."""
    numbers = [*module.parameters(), *module.buffers()]
    if module.training or any(one.is_floating_point() and one.dtype != torch.float64 for one in numbers):
        module = copy.deepcopy(module).double().eval()
    return module


def input_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Shapes of the inputs of one example, where all sides but the first have a number."""
    found = {}
    for one in graph.inputs:
        if one.shape is None or not all(isinstance(side, int) for side in one.shape[1:]):
            raise ValueError(f"the input {one.name!r} has no fixed shape, got {one.shape}")
        found[one.name] = tuple(side if isinstance(side, int) else 1 for side in one.shape)
    return found
