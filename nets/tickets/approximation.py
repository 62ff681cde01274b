"""Find a given network inside a random one: prune a random source, certify the error, and make the ticket."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nets.construction.options import CONSTRUCTIONS, PARTS, check_construction
from nets.device import resolve_device
from nets.graph.graph import Graph, GraphError
from nets.tickets.approximation_file import SCHEMA_VERSION, Ticket, target_sha256
from nets.tickets.fields import MAX_WEIGHT
from sims.experiment import between, fresh_seed
from sims.files import write_bytes
from sims.progress import Advance, silent
from sims.solver.limits import finite_number
from sims.solver.memory import available_bytes, default_jobs, readable
from sims.solver.philox import MAX_SEED
from theory.numerics.check import shown

if TYPE_CHECKING:
    import torch

    from nets.certificate import Domain, NetworkCertificate
    from nets.graph.parts import Part
    from nets.graph.substitution import Effective
    from nets.targets.target import Target
    from nets.tickets.coded_file import CodedTicket
    from nets.tickets.coding import CodeSettings
    from nets.tickets.network import PrunedNetwork

MAX_DRAWS = 2**33
"""Random values of one weight or row, and draws of each, at most."""


@dataclass(frozen=True, kw_only=True)
class ApproximationSettings:
    """How a target is found in a random network.

    Attributes
    ----------
    n : int
        Random values per weight or output; layered: neurons per input channel and sign.
    eta : float
        Largest error of one weight, > 0.
    source : {"layered", "private", "shared"}
        layered: two random layers stand for each of the target's, as in the main theorem; a weight is a sum of
        products. private, shared: a weight is a sum of some of n values of its own, or of its output's.
    R : int
        Draws that each random value may take in total.
    construction : {"window", "best", "halves", "thirds", "quarters", "subset-sum"}
        layered only. window: the proof's choice. best: one product. halves, thirds, quarters: 2, 3, 4 products, of a
        neuron each. subset-sum: a sum of several.
    seed : int
        In [0, 2^64); a fresh one by default.
    device : str
        Where the search and the certificate run: auto, cpu or cuda; the masks do not depend on it.
    jobs : int
        Threads; all available cores by default.
    """

    n: int = 21
    eta: float = 0.01
    source: Literal["layered", "private", "shared"] = "layered"
    R: int = 1
    construction: Literal["window", "best", "halves", "thirds", "quarters", "subset-sum"] = "subset-sum"
    seed: int = field(default_factory=fresh_seed)
    device: str = "cpu"
    jobs: int = field(default_factory=default_jobs)

    def __post_init__(self) -> None:
        for name, known in (
            ("source", ("layered", "private", "shared")),
            ("construction", CONSTRUCTIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not finite_number("eta", self.eta) > 0:
            raise ValueError(f"eta must be a number > 0, got {self.eta}")
        if self.construction == "window" and self.eta > 1:
            raise ValueError(f"eta must be at most 1 with construction window, got {self.eta}")
        if self.source != "layered" and self.construction != "subset-sum":
            reason = "its weights are no products" if self.construction in PARTS else "it picks neurons"
            raise ValueError(f"construction {self.construction} needs source layered, got {self.source}: {reason}")
        n, R = between("n", self.n, 1, 10**12), between("R", self.R, 1, MAX_DRAWS)
        check_construction(self.construction, R=R, n=n)
        if self.source != "layered" and n * R > MAX_DRAWS:
            raise ValueError(f"n times R must be at most 2^33, got {n} and {R}")
        seed, jobs = between("seed", self.seed, 0, MAX_SEED), between("jobs", self.jobs, 1, 4096)
        made = {"n": n, "R": R, "seed": seed, "jobs": jobs, "device": resolve_device(self.device)}
        for name, value in made.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False, repr=False)
class Approximation:
    """A network found in a random network.

    Attributes
    ----------
    target : Graph
        The network that was looked for, batch norms absorbed.
    settings : ApproximationSettings or CodeSettings
    parts : tuple of Part
        The weights that were found; the constants of `target` that none of them names stay as they are.
    effective : dict of str to pairs of ndarray
        For every part, by its constant: the weights that act on s(h) and on -s(-h), in the target's units.
    certificate : NetworkCertificate
        How far the outputs can differ and how far they did.
    ticket : Ticket or CodedTicket
        The seed and the masks, or codes, from which anyone can make the network again.
    missed : list of dict
        The weights that miss eta by most.
    rows : list of dict
        What the table says of each part.
    seconds : dict
        What solving and certifying took.
    """

    target: Graph
    settings: ApproximationSettings | CodeSettings
    parts: tuple[Part, ...]
    effective: Effective
    certificate: NetworkCertificate
    ticket: Ticket | CodedTicket
    missed: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    seconds: dict[str, float]

    @property
    def module(self) -> PrunedNetwork:
        """The pruned random network as an ordinary `torch.nn.Module` on the target's inputs."""
        return self.network()

    def network(self, dtype: str | None = None) -> PrunedNetwork:
        """The same with weights of another type than that of the target's inputs: float64 keeps the exact sums."""
        import torch

        from nets.tickets.network import PrunedNetwork

        real = None if dtype is None else getattr(torch, dtype)
        return PrunedNetwork(self.ticket, self.effective, self.ticket.values_sha256, dtype=real)

    def __call__(self, *inputs: torch.Tensor) -> Any:
        """The pruned network's outputs for the target's inputs, in float64."""
        return self.network("float64")(*inputs)

    def __repr__(self) -> str:
        numbers = self.ticket.numbers
        return (
            f"<Approximation of {numbers['weights']} weights in {len(self.parts)} parts: {numbers['within_eta']} "
            f"within {self.settings.eta:g}; {self.certificate}>"
        )

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the ticket (.safetensors); returns the bytes written."""
        content = self.ticket.to_bytes()
        write_bytes(Path(path), content)
        return len(content)


def approximate(
    target: Graph | Target | torch.nn.Module,
    example_inputs: torch.Tensor | Sequence[torch.Tensor] | Mapping[str, torch.Tensor] | None = None,
    *,
    domain: Domain | Mapping[str, Domain] | None = None,
    advance: Advance = silent,
    **settings: Any,
) -> Approximation:
    """Prune a random network until it is the target, certify the error and make the ticket.

    Parameters
    ----------
    target : Graph, Target or torch.nn.Module
        From `nets.targets.load_target`, `nets.targets.random_target`, or any module that PyTorch can export to ONNX.
    example_inputs : torch.Tensor, sequence of them or mapping from the inputs' names, optional
        A batch of examples (one tensor for each input): the outputs of both networks are compared on them. A module
        needs them.
    domain : Domain, or mapping of the inputs' names to Domain, optional
        Inputs for which the difference is bounded. By default the l2 ball that holds the examples, or of radius 1.
    advance : callable
        Reports finished weights to a progress bar.
    **settings
        Of `ApproximationSettings`: n, eta, source, R, construction, seed, device, jobs.

    Raises
    ------
    GraphError
        A network that cannot be read, or examples that do not fit it.
    ValueError
        A setting outside its domain, or more memory than there is.

    Examples
    --------
    >>> from nets.targets import random_target
    >>> found = approximate(random_target((2, 3, 1), seed=1), n=16, eta=0.02, seed=1)
    >>> found.ticket.numbers["within_eta"], found.certificate.upper < 0.1
    (9, True)
    """
    from nets.targets.examples import checked_examples

    chosen = ApproximationSettings(**settings)
    check_advance(advance)
    graph = as_graph(target, example_inputs)
    examples = checked_examples(graph, example_inputs)
    _check_domain(graph, domain, examples)
    parts = parts_of(graph)
    check_weights(graph, parts)
    needed = predicted_bytes(parts, chosen)
    if needed > available_bytes() // 2:
        raise ValueError(
            f"{chosen.source} with n={chosen.n} needs about {readable(needed)} of memory for "
            f"{sum(part.weights for part in parts)} weights, the limit is {readable(available_bytes() // 2)}"
        )
    started = time.monotonic()
    solved = _solve(graph, parts, chosen, advance)
    between_times = time.monotonic()
    certificate = _certified(graph, solved.effective, domain, examples)
    numbers = _numbers(graph, parts, solved, chosen, certificate)
    seconds = {"solve": between_times - started, "certify": time.monotonic() - between_times}
    ticket = _ticket(graph, parts, solved, chosen, numbers, certificate)
    from nets.tickets.numbers import missed_weights

    missed = missed_weights(parts, graph.constants, solved.effective, eta=chosen.eta)
    rows = _rows(ticket)
    return Approximation(graph, chosen, parts, solved.effective, certificate, ticket, missed, rows, seconds)


def approximate_by_code(
    target: Graph | Target | torch.nn.Module,
    example_inputs: torch.Tensor | Sequence[torch.Tensor] | Mapping[str, torch.Tensor] | None = None,
    *,
    domain: Domain | Mapping[str, Domain] | None = None,
    advance: Advance = silent,
    store: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Approximation:
    """Find a network in a random one by naming random values that are within eta of its weights, in few bits.

    Parameters
    ----------
    target, example_inputs, domain, advance
        As for `approximate`.
    store : path, optional
        As for `nets.tickets.coding.code_network`.
    **settings
        Of `nets.tickets.coding.CodeSettings`: code, eta, d, n, R, law, seed, jobs.

    Raises
    ------
    GraphError, ValueError
        As `approximate`.

    Examples
    --------
    >>> from nets.targets import random_target
    >>> found = approximate_by_code(random_target((2, 3, 1), seed=1), code="draw", eta=0.05, seed=1)
    >>> found.ticket.numbers["exceptions"], found.ticket.numbers["max_weight_error"] <= 0.05
    (0, True)
    """
    from nets.targets.examples import checked_examples
    from nets.tickets.coding import CodeSettings, code_network

    chosen = CodeSettings(**settings)
    check_advance(advance)
    graph = as_graph(target, example_inputs)
    examples = checked_examples(graph, example_inputs)
    _check_domain(graph, domain, examples)
    coded = code_network(graph, chosen, advance=advance, store=store)
    started = time.monotonic()
    certificate = _certified(graph, coded.effective, domain, examples)
    seconds = {"solve": coded.seconds, "certify": time.monotonic() - started}
    rows = [
        {"part": part.constant, "kind": part.kind, "shape": list(part.shape), **row}
        for part, row in zip(coded.parts, coded.rows, strict=True)
    ]
    return Approximation(graph, chosen, coded.parts, coded.effective, certificate, coded.ticket, [], rows, seconds)


def check_advance(advance: object) -> None:
    """Refuse what cannot be called to report progress."""
    if not callable(advance):
        raise ValueError(f"advance must be callable, got {shown(advance)}")


def _rows(ticket: Ticket) -> list[dict[str, Any]]:
    """A row of the table for every part."""
    return [
        {
            "part": row.constant,
            "kind": row.kind,
            "shape": list(row.shape),
            "weights": row.weights,
            "within_eta": counts["within_eta"],
            "max_weight_error": counts["max_weight_error"],
            "kept": counts["kept"],
            "gain": row.gain,
            "halves": row.halves,
            "relu": row.relu,
        }
        for row, counts in zip(ticket.parts, ticket.numbers["parts"], strict=True)
    ]


def as_graph(target: Any, example_inputs: Any = None) -> Graph:
    """The graph of a target of any form, ready to be looked for: see `nets.targets.folding.prepared`."""
    import torch

    from nets.targets.chain import target_graph
    from nets.targets.folding import prepared
    from nets.targets.target import Target

    if isinstance(target, Target):
        target = target_graph(target)
    elif isinstance(target, torch.nn.Module):
        from nets.graph.module import GraphModule
        from nets.targets.module import from_module

        if isinstance(target, GraphModule):
            target = target.graph
        elif example_inputs is None:
            raise GraphError("a module needs example_inputs")
        else:
            target = from_module(target, example_inputs)
    if not isinstance(target, Graph):
        raise GraphError(f"the target must be a Graph, a Target or a module, got {type(target).__name__}")
    return prepared(target)


def parts_of(graph: Graph) -> tuple[Part, ...]:
    """The parts of a prepared graph, with what each of them takes.

    Raises
    ------
    GraphError
        If there is none.
    """
    from nets.graph.parts import find_parts
    from nets.graph.ranges import nonnegative

    names = [part.constant for part in find_parts(graph)]
    if not names:
        raise GraphError("the network holds no weights that act as a linear map: there is nothing to look for")
    return find_parts(graph, nonnegative(graph, parts=names))


def check_weights(graph: Graph, parts: Sequence[Part]) -> None:
    """Refuse weights that are not finite or too large.

    Raises
    ------
    GraphError
        Naming the part.
    """
    for part in parts:
        array = np.asarray(graph.constants[part.constant])
        low, high = float(array.min()), float(array.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise GraphError(f"{part.constant} holds NaN or infinity")
        if max(-low, high) >= MAX_WEIGHT:
            raise GraphError(f"{part.constant} holds {max(low, high, key=abs):g}: weights must be below {MAX_WEIGHT:g}")


def predicted_bytes(parts: Sequence[Part], settings: ApproximationSettings) -> float:
    """Memory that the work takes at its peak, the solver's own apart, about."""
    weights, largest = sum(part.weights for part in parts), max(part.weights for part in parts)
    masks = weights * settings.n * (2 if settings.source == "layered" else 1) / 8
    draws = weights * settings.n / 2 * (settings.R - 1).bit_length() / 8
    return weights * 40 + 2 * (masks + draws) + largest * 100


def predicted_seconds(parts: Sequence[Part], settings: ApproximationSettings) -> float:
    """Time that the work takes on this machine, good to a factor of about 3, without the certificate's last digits."""
    layered = settings.source == "layered"
    searches = sum(part.weights * (2 if layered and part.signed else 1) for part in parts)
    if settings.construction in PARTS:
        each = 3e-8 * settings.n * settings.R
    elif settings.construction != "subset-sum":
        each = 2e-9 * settings.n * settings.R
    else:
        half_sums = 2 * math.exp(min(700.0, settings.n / 2 * math.log(settings.R + 1)))
        each = (0.6e-9 if settings.source == "shared" else 1.2e-9) * half_sums
    certificate = 1e-6 * sum(part.weights for part in parts)
    return 2.0 + searches * (each + 1e-6) / settings.jobs + certificate


@dataclass(frozen=True, eq=False)
class _Solved:
    """What was found: the table's rows, the tensors, the weights and their digest."""

    rows: tuple[Any, ...]
    tensors: dict[str, Any]
    effective: dict[str, tuple[Any, Any]]
    kept: list[int]
    digest: str


def _solve(graph: Graph, parts: Sequence[Part], settings: ApproximationSettings, advance: Advance) -> _Solved:
    from nets.construction.bits import popcount
    from nets.graph.attention import projections
    from nets.tickets.network import Digest
    from nets.tickets.parts import Source

    source = Source(settings.source, settings.construction, settings.n, settings.R, settings.seed)
    digest, free = Digest(SCHEMA_VERSION), projections(graph)
    rows, kept = [], []
    tensors: dict[str, Any] = {}
    effective: dict[str, tuple[Any, Any]] = {}
    for number, part in enumerate(parts):
        matrices = part.matrices(graph.constants[part.constant])
        row = source.table_row(part, matrices, projection=part.constant in free)

        def tick(count: float, label: str = part.constant, halves: int = row.halves) -> None:
            advance(count / halves, label)

        found = source.find(
            number, row, matrices, eta=settings.eta, device=settings.device, jobs=settings.jobs, tick=tick
        )
        masks, _ = source.tensors_of(number, found)
        digest.places(masks)
        plus, minus = source.make(number, row, found, seen=digest.values, jobs=settings.jobs)
        whole = part.restored(plus)
        effective[part.constant] = whole, (whole if minus is plus else part.restored(minus))
        rows.append(row)
        tensors |= found
        kept.append(sum(popcount(mask) for mask in masks))
    return _Solved(tuple(rows), tensors, effective, kept, digest.hexdigest())


def _check_domain(
    graph: Graph, domain: Domain | Mapping[str, Domain] | None, examples: Mapping[str, torch.Tensor] | None
) -> None:
    """Refuse, before the work, a bound on inputs that are integers, and to certify without examples it needs."""
    from nets.certificate import Domain
    from nets.certificate.network import check_domains
    from nets.targets.examples import one_example

    if domain is not None:
        check_domains(graph, domain)
    integers = [one for one in graph.inputs if not one.floating]
    if integers and examples is None:
        raise GraphError(f"the input {integers[0].name} holds {integers[0].dtype} numbers: give examples of it")
    if examples is None:
        one_example(graph, None)
    if isinstance(domain, Domain) and len(integers) == len(graph.inputs):
        raise ValueError(f"no input of the network holds real numbers that a ball or box could bound, got {domain}")


def _certified(
    graph: Graph,
    effective: Effective,
    domain: Domain | Mapping[str, Domain] | None,
    examples: Mapping[str, torch.Tensor] | None,
) -> NetworkCertificate:
    from nets.certificate import Domain, certify_network

    floating = [one.name for one in graph.inputs if one.floating]
    given, shapes = (None, None) if examples is None else stacked_examples(graph, examples)
    if domain is None:
        domain = Domain.ball(1.0) if given is None else {name: _least_ball(given[name]) for name in floating}
    return certify_network(graph, effective, domain=domain, data=given, shapes=shapes)


def stacked_examples(
    graph: Graph, examples: Mapping[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, tuple[int, ...]] | None]:
    """Examples on the first axis, and the shapes of one where the graph does not say them.

    A network that takes batches of a fixed length takes the whole batch for one example; one whose inputs do not all
    have as many examples, as a recurrent one with its state, takes all that is given for one.
    """
    batch = {name: value.numpy() for name, value in examples.items()}
    stacked = {}
    for one in graph.inputs:
        whole = one.shape and all(isinstance(side, int) for side in one.shape) and one.shape[0] != 1
        stacked[one.name] = batch[one.name].reshape(-1, *one.shape) if whole and one.shape else batch[one.name]
    if len({len(array) for array in stacked.values()}) == 1:
        return stacked, None
    return {name: array[None] for name, array in batch.items()}, {name: array.shape for name, array in batch.items()}


def _least_ball(examples: Any) -> Domain:
    from nets.certificate import Domain

    return Domain.ball_of(examples) if examples.any() else Domain.ball(1.0)


def _numbers(
    graph: Graph,
    parts: Sequence[Part],
    solved: _Solved,
    settings: ApproximationSettings,
    certificate: NetworkCertificate,
) -> dict[str, Any]:
    from nets.tickets.numbers import measured

    counted = measured(parts, graph.constants, solved.effective, solved.kept, eta=settings.eta)
    return {**counted, "certificate": certificate.to_dict()}


def _ticket(
    graph: Graph,
    parts: Sequence[Part],
    solved: _Solved,
    settings: ApproximationSettings,
    numbers: dict[str, Any],
    certificate: NetworkCertificate,
) -> Ticket:
    from nets.graph.text import to_plain

    names = {part.constant for part in parts}
    exact = {name: array for name, array in graph.constants.items() if name not in names}
    held = {f"exact{i}": np.asarray(array) for i, array in enumerate(exact.values(), 1)}
    witness = {f"witness{i}": certificate.witness[one.name] for i, one in enumerate(graph.inputs, 1)}
    signs = check_construction(settings.construction, R=settings.R, n=settings.n)
    ticket = Ticket(
        kind=settings.source,
        construction=settings.construction,
        signs=signs if settings.source == "layered" else "open",
        seed=settings.seed,
        n=settings.n,
        R=settings.R,
        eta=settings.eta,
        parts=solved.rows,
        graph=to_plain(graph),
        exact=tuple(exact),
        target_sha256=target_sha256(np.asarray(graph.constants[part.constant], np.float64) for part in parts),
        values_sha256="",
        numbers=numbers,
        tensors={**solved.tensors, **held, **witness},
    )
    return replace(ticket, values_sha256=ticket.bound(solved.digest))
