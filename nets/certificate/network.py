"""Certificate of a pruned network of any architecture: what is proved of its distance from the target, and measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import doubles, of_type
from nets.certificate.attained import Differences, Pair, Point, differences, farthest_point, input_shapes
from nets.certificate.bracket import MOST_STARTS, check_pair
from nets.certificate.convolution import BUDGET, convolution_norm_upper
from nets.certificate.domain import Domain
from nets.certificate.enclosure import NotEnclosed, enclose, proved_distance
from nets.certificate.graph_bound import NORMS, GraphBound, graph_bound
from nets.certificate.rounding import l2
from nets.certificate.values import Norms
from nets.graph.graph import Graph
from nets.graph.module import GraphModule
from nets.graph.parts import part_inputs
from nets.graph.substitution import Effective, substituted
from nets.threads import few_threads
from sims.solver.limits import between, finite_number

_SEARCH_PRODUCTS = 2 * 10**10
"""Multiplications that the search for the lower end may take: some seconds."""
_BATCH_PRODUCTS = 2 * 10**9
"""Multiplications of the examples that run at once: more would take much memory, and no less time."""
_NORM_PRODUCTS = 10**11
"""Multiplications that all norms of convolutions may take."""


@dataclass(frozen=True)
class NetworkCertificate:
    """How far a pruned network's outputs are from its target's over a domain of inputs.

    Attributes
    ----------
    lower : float
        At some point of the domain the outputs are this far apart (l2, one example).
    upper : float or None
        Nowhere are they farther apart; None where that is not known.
    lower_word, word : {"proved", "measured"}
        Of the lower end, and of both together.
    domain : str
    reason : str
        Why there is no upper end, or "".
    size : float
        l2 norm of the target's outputs: root mean square on the data, else at the farthest point.
    data : Differences or None
        On the examples given, wherever they lie.
    bound : GraphBound
        The upper end, node by node.
    witness : dict of str to ndarray
        The inputs at which the lower end is attained, one example.
    domains : dict
        The domain of every floating input as plain numbers, `Domain.to_plain`.
    """

    lower: float
    upper: float | None
    lower_word: str
    word: str
    domain: str
    reason: str
    size: float
    data: Differences | None
    bound: GraphBound
    witness: dict[str, npt.NDArray[Any]]
    domains: dict[str, dict[str, Any]]

    def __str__(self) -> str:
        upper = "no upper bound" if self.upper is None else f"at most {self.upper:.3g} (proved)"
        return f"outputs differ by {self.lower:.3g} ({self.lower_word}), {upper}, where {self.domain}"

    @property
    def relative_lower(self) -> float:
        return _relative(self.lower, self.size)

    @property
    def relative_upper(self) -> float | None:
        return None if self.upper is None else _relative(self.upper, self.size)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words for JSON, null for what is not finite; without the nodes' rows and the witness."""
        own = ("lower", "upper", "lower_word", "word", "domain", "reason", "size", "domains")
        found = {name: getattr(self, name) for name in own}
        found |= {"relative_lower": self.relative_lower, "relative_upper": self.relative_upper, "data": None}
        if self.data is not None:
            found["data"] = plain_differences(self.data)
        return _finite(found)


def certify_network(
    graph: Graph,
    effective: Effective,
    *,
    domain: Domain | Mapping[str, Domain],
    data: Mapping[str, Any] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    norms: Norms | None = None,
    batch: int = 64,
    starts: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
) -> NetworkCertificate:
    """Bound the distance of a pruned network from its target from both sides, and measure it on data.

    Parameters
    ----------
    graph : Graph
        The target.
    effective : mapping of str to (plus, minus)
        As for `graph_bound`.
    domain : Domain or mapping of str to Domain
        Of every floating input, or of each.
    data : mapping of str to array, shape (examples, ...), optional
        Of every input; needed if there are integer inputs.
    shapes : mapping of str to tuple of int, optional
        Of the inputs for one example; by default what the graph or the data say.
    norms, batch, starts, steps, seed, seconds
        As for `graph_bound`, `Pair` and `farthest_point`.

    Raises
    ------
    RuntimeError
        If the two ends contradict each other: one of the programs is wrong.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8 (graph).

    Examples
    --------
    >>> from nets.graph.graph import Input, Node
    >>> node = Node("MatMul", ("x", "w"), ("y",))
    >>> graph = Graph(18, (Input("x", "float32", (1, 2)),), ("y",), (node,), {"w": np.eye(2)})
    >>> near = np.diag([1.5, 1.0])
    >>> found = certify_network(graph, {"w": (near, near)}, domain=Domain.ball(1.0))
    >>> found.word, 0.4999 < found.lower <= 0.5 <= found.upper < 0.5001
    ('proved', True)
    """
    of_type("graph", graph, Graph)
    batch, seed = between("batch", batch, 1, 2**31), between("seed", seed, 0, 2**63 - 1)
    starts = None if starts is None else between("starts", starts, 1, MOST_STARTS)
    steps = None if steps is None else between("steps", steps, 0, MOST_STARTS)
    seconds = None if seconds is None else finite_number("seconds", seconds)
    effective = _checked_effective(graph, effective)
    check_domains(graph, domain)
    pruned = substituted(graph, effective)
    sides = _shapes(graph, data) if shapes is None else _checked_shapes(graph, shapes)
    for name in (one.name for one in graph.inputs if one.floating):
        (domain if isinstance(domain, Domain) else domain[name]).check_fits(sides[name])
    pair = Pair(
        GraphModule(graph, dtype=torch.float64, share=True),
        GraphModule(pruned, dtype=torch.float64, share=True),
        graph.inputs,
        sides,
        batch,
    )
    products = multiplications(graph, _all_shapes(pair, _any_example(pair, data)))
    pair.batch = max(1, min(pair.batch, _BATCH_PRODUCTS // max(1, products)))
    found = None if data is None else differences(pair, data)
    own_starts, own_steps = search_effort(products)
    point = farthest_point(
        pair,
        domain,
        data=data,
        starts=own_starts if starts is None else starts,
        steps=own_steps if steps is None else steps,
        seed=seed,
        seconds=seconds,
    )
    shapes_there, there = _all_shapes(pair, point.inputs), _size(pair, point)
    size = found.size if found is not None else there
    del pair  # its memory is needed for the norms
    with few_threads(products):
        bound = graph_bound(graph, effective, shapes_there, domain, norms=norms or _norms_for(graph))
    lower, lower_word = _lower(graph, pruned, point)
    if bound.upper is not None and lower_word == "measured":
        room = 1e-9 * (bound.upper + there)  # of the evaluation in float64
        lower = min(lower, bound.upper) if lower <= bound.upper + room else lower
    if bound.upper is not None and not lower <= bound.upper:
        raise RuntimeError(f"certificate contradicts itself: lower={lower}, upper={bound.upper}")
    word = "proved" if bound.upper is not None and lower_word == "proved" else "measured"
    text = _text(domain)
    return NetworkCertificate(
        lower,
        bound.upper,
        lower_word,
        word,
        text,
        bound.reason,
        size,
        found,
        bound,
        point.inputs,
        plain_domains(graph, domain),
    )


def _checked_effective(graph: Graph, effective: Effective) -> Effective:
    """Pairs of arrays of the constants' shapes, real, finite and not masked; a pair of one array stays one."""
    found = {}
    for name, pair in of_type("effective", effective, Mapping, "a mapping of constants to pairs").items():
        if name not in graph.constants:
            raise ValueError(f"effective must name constants of the graph, got {name!r}")
        plus, minus = check_pair(pair, name)
        made = [doubles(f"effective[{name!r}]", one).cpu().numpy() for one in ((plus,) if minus is plus else pair)]
        if any(one.shape != np.shape(graph.constants[name]) for one in made):
            shapes = " and ".join(str(one.shape) for one in made)
            raise ValueError(f"effective[{name!r}] must have shape {np.shape(graph.constants[name])}, got {shapes}")
        found[name] = made[0], made[-1]
    return found


def check_domains(graph: Graph, domain: Any) -> None:
    """Refuse what is no `Domain`, nor one for every floating input."""
    of_type("domain", domain, (Domain, Mapping), "a Domain or a mapping of inputs to Domains")
    if not isinstance(domain, Domain):
        for name in (one.name for one in graph.inputs if one.floating):
            if not isinstance(domain.get(name), Domain):
                raise ValueError(f"domain must hold a Domain for the input {name!r}")


def _checked_shapes(graph: Graph, shapes: Any) -> dict[str, tuple[int, ...]]:
    given = of_type("shapes", shapes, Mapping, "a mapping of inputs to shapes")
    found = {}
    for one in graph.inputs:
        sides = of_type(f"shapes[{one.name!r}]", given.get(one.name), (tuple, list), "the sides of one example")
        found[one.name] = tuple(between(f"shapes[{one.name!r}]", side, 0, 2**62) for side in sides)
    return found


def search_effort(products: int) -> tuple[int, int]:
    """Starts and steps of the search for the lower end, for a network of that many multiplications an example.

    Examples
    --------
    >>> search_effort(10**6), search_effort(10**9)
    ((8, 40), (2, 3))
    """
    starts = max(2, min(8, _SEARCH_PRODUCTS // (24 * max(products, 1))))
    return starts, max(3, min(40, _SEARCH_PRODUCTS // (6 * max(products, 1) * starts) - 1))


def multiplications(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Products that the linear operators of a network take for values of those shapes."""
    count = 0
    for node in graph.nodes:
        for place, part in part_inputs(graph, node):
            if part.kind in ("dense", "convolution"):
                count += math.prod(shapes[node.outputs[0]]) * part.weights // (part.groups * part.outputs)
            elif part.kind == "transposed convolution":
                count += math.prod(shapes[node.inputs[1 - place]]) * part.rows
    return count


class Ends(NamedTuple):
    """What `certify_network` says but for its search and its data."""

    lower: float
    upper: float | None
    lower_word: str
    reason: str
    size: float


def ends_at(
    graph: Graph, effective: Effective, witness: Mapping[str, Any], domains: Mapping[str, Mapping[str, Any]]
) -> Ends:
    """Both ends again, for a recorded witness and domain, with the size of the target's outputs there."""
    pruned = substituted(graph, effective)
    modules = [GraphModule(one, dtype=torch.float64, share=True) for one in (graph, pruned)]
    inputs = {name: np.asarray(array) for name, array in witness.items()}
    given = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.no_grad():
        values = modules[0].values(**given)
        ends = [module(**given) for module in modules]
    flat = [
        torch.cat([one.reshape(-1) for one in (end if isinstance(end, tuple) else (end,)) if one.is_floating_point()])
        for end in ends
    ]
    lower, word = _lower(graph, pruned, Point(inputs, float(l2(flat[0] - flat[1]))))
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    bound = graph_bound(
        graph, effective, shapes, {n: Domain.from_plain(one) for n, one in domains.items()}, norms=_norms_for(graph)
    )
    lower = lower if word == "proved" or bound.upper is None else min(lower, bound.upper)
    return Ends(lower, bound.upper, word, bound.reason, float(l2(flat[0])))


def differences_on(
    graph: Graph, effective: Effective, data: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Differences:
    """How far the outputs are apart on data given as for `certify_network`."""
    modules = [GraphModule(one, dtype=torch.float64, share=True) for one in (graph, substituted(graph, effective))]
    return differences(Pair(modules[0], modules[1], graph.inputs, shapes or _shapes(graph, data)), data)


def plain_differences(data: Differences) -> dict[str, Any]:
    """Differences as plain numbers, null for what is not finite."""
    relative = {"relative_largest": data.relative_largest, "relative_median": data.relative_median}
    return _finite(asdict(data) | relative)


def plain_domains(graph: Graph, domain: Domain | Mapping[str, Domain]) -> dict[str, dict[str, Any]]:
    """The domain of every floating input as plain numbers."""
    floating = [one.name for one in graph.inputs if one.floating]
    return {name: (domain if isinstance(domain, Domain) else domain[name]).to_plain() for name in floating}


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in content.items()
    }


def _lower(graph: Graph, pruned: Graph, point: Point) -> tuple[float, str]:
    """The distance at the point: a proved lower bound where that says something, else what was computed."""
    try:
        proved = proved_distance(enclose(graph, point.inputs), enclose(pruned, point.inputs))
    except NotEnclosed:
        return point.distance, "measured"
    return (proved, "proved") if proved >= point.distance / 2 else (point.distance, "measured")


def _text(domain: Domain | Mapping[str, Domain]) -> str:
    if isinstance(domain, Domain):
        return str(domain)
    return ", ".join(f"{name}: {one}" for name, one in domain.items()) or "the inputs are the examples given"


def _norms_for(graph: Graph) -> Norms:
    """The norms, those of convolutions within a common budget: each node takes about two."""
    count = sum(node.op in ("Conv", "ConvTranspose") for node in graph.nodes)
    budget = min(BUDGET, _NORM_PRODUCTS // max(1, 2 * count))
    return replace(NORMS, convolution=partial(convolution_norm_upper, budget=budget))


def _any_example(pair: Pair, data: Mapping[str, Any] | None) -> dict[str, npt.NDArray[Any]]:
    """One example: the first of the data, or zeros."""
    if data is not None:
        return {name: value[0].numpy() for name, value in pair.stack(data).items()}
    kinds = {one.name: np.dtype(one.dtype) for one in pair.inputs}
    return {name: np.zeros(shape, kinds[name]) for name, shape in pair.shapes.items()}


def _shapes(graph: Graph, data: Mapping[str, Any] | None) -> dict[str, tuple[int, ...]]:
    """Of one example: by the graph where its sides have numbers, else by the data, whose first axis is the batch."""
    if data is None or all(one.shape and all(isinstance(side, int) for side in one.shape[1:]) for one in graph.inputs):
        return input_shapes(graph)
    found = {}
    for one in graph.inputs:
        if one.name not in data:
            raise ValueError(f"data must hold input {one.name!r}, got {sorted(data)}")
        given = np.shape(data[one.name])
        whole = one.shape is not None and len(one.shape) == len(given) - 1
        found[one.name] = given[1:] if whole else (1, *given[1:])
    return found


def _all_shapes(pair: Pair, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Of every value for one example."""
    target = pair.modules[0]
    assert isinstance(target, GraphModule)
    with torch.no_grad():
        values = target.values(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: tuple(value.shape) for name, value in values.items()}


def _size(pair: Pair, point: Point) -> float:
    with torch.no_grad():
        found = pair.modules[0](**{name: torch.from_numpy(array) for name, array in point.inputs.items()})
    outputs = found if isinstance(found, tuple) else (found,)
    flat = torch.cat([one.double().reshape(-1) for one in outputs if one.is_floating_point()])
    return float(l2(flat))


def _relative(distance: float, size: float) -> float:
    return 0.0 if distance == 0 else distance / size if size else math.inf
