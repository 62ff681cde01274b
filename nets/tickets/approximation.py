"""Find a given network inside a random one: prune a random source, certify the error, and make the ticket."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nets.certificate import Certificate, certify
from nets.construction.prune_approx import check_construction, prune
from nets.construction.source import Source
from nets.construction.value_sets import Chosen, ValueSets
from nets.device import resolve_device
from nets.tickets.approximation_file import Ticket
from nets.tickets.file import write_bytes
from nets.tickets.make import layered_ticket, measured, missed_weights, sets_ticket
from nets.tickets.rebuilt import evaluate
from sims.experiment import between, fresh_seed
from sims.progress import Advance, silent
from sims.solver.memory import available_bytes, default_jobs, readable
from sims.solver.philox import MAX_SEED

if TYPE_CHECKING:
    import torch

    from nets.targets.target import Target
    from nets.tickets.make import Effective

MAX_DRAWS = 2**33
"""Random values of one weight or row, and draws of each, at most."""


@dataclass(frozen=True, kw_only=True)
class ApproximationSettings:
    """How a target is found in a random network.

    Attributes
    ----------
    n : int
        Random values per weight or row; layered: neurons per input coordinate and sign.
    eta : float
        Largest error of one weight, > 0.
    source : {"layered", "private", "shared"}
        layered: the random network of depth 2l of the main theorem; a weight is a sum of products of two layers.
        private, shared: a weight is a sum of some of n values of its own, or of its output row.
    R : int
        Draws that each random value may take in total.
    construction : {"window", "best", "subset-sum"}
        layered only. window: the proof's choice. best: one product. subset-sum: a sum of several.
    seed : int
        In [0, 2^64); a fresh one by default.
    domain : {"l2", "linf"}
        Unit ball of the inputs for the certificate.
    device : str
        Where the search and the certificate run: auto, cpu or cuda; the masks do not depend on it.
    jobs : int
        Threads; all available cores by default.
    """

    n: int = 21
    eta: float = 0.01
    source: Literal["layered", "private", "shared"] = "layered"
    R: int = 1
    construction: Literal["window", "best", "subset-sum"] = "subset-sum"
    seed: int = field(default_factory=fresh_seed)
    domain: Literal["l2", "linf"] = "l2"
    device: str = "cpu"
    jobs: int = field(default_factory=default_jobs)

    def __post_init__(self) -> None:
        for name, known in (
            ("source", ("layered", "private", "shared")),
            ("construction", ("window", "best", "subset-sum")),
            ("domain", ("l2", "linf")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not (math.isfinite(self.eta) and self.eta > 0):
            raise ValueError(f"eta must be a number > 0, got {self.eta}")
        if self.construction == "window" and self.eta > 1:
            raise ValueError(f"eta must be at most 1 with construction window, got {self.eta}")
        if self.source != "layered" and self.construction != "subset-sum":
            raise ValueError(f"construction {self.construction} needs source layered, got {self.source}")
        n, R = between("n", self.n, 1, 10**12), between("R", self.R, 1, MAX_DRAWS)
        if self.source != "layered" and n * R > MAX_DRAWS:
            raise ValueError(f"n times R must be at most 2^33, got {n} and {R}")
        seed, jobs = between("seed", self.seed, 0, MAX_SEED), between("jobs", self.jobs, 1, 4096)
        made = {"n": n, "R": R, "seed": seed, "jobs": jobs, "device": resolve_device(self.device)}
        for name, value in made.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, eq=False, repr=False)
class Approximation:
    """A target found in a random network.

    Attributes
    ----------
    target : Target
    settings : ApproximationSettings
    effective : list of l pairs (W_plus, W_minus) of float64 tensors, shape (d_i, d_{i-1})
        In the target's units; layer i acts as W_plus s(h) - W_minus s(-h).
    certificate : Certificate
        Bracket of the largest difference of the outputs over the unit ball of inputs.
    ticket : Ticket
        The seed and the masks, from which anyone can make `effective` again.
    missed : list of dict
        The weights that miss eta by most.
    seconds : dict
        What solving and certifying took.
    """

    target: Target
    settings: ApproximationSettings
    effective: Effective
    certificate: Certificate
    ticket: Ticket
    missed: list[dict[str, Any]]
    seconds: dict[str, float]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The pruned network's outputs for inputs (..., d_0), lifted if there is a bias."""
        return evaluate(self.effective, x)

    def __repr__(self) -> str:
        numbers, error = self.ticket.numbers, self.certificate
        return (
            f"<Approximation of {self.target!r}: {numbers['within_eta']} of {numbers['weights']} weights within "
            f"{self.settings.eta:g}, error in [{error.lower:.3g}, {error.upper:.3g}] on the {error.domain} ball>"
        )

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the ticket (.safetensors); returns the bytes written."""
        content = self.ticket.to_bytes()
        write_bytes(Path(path), content)
        return len(content)


def approximate(target: Target, *, advance: Advance = silent, **settings: Any) -> Approximation:
    """Prune a random network until it is the target, certify the error and make the ticket.

    Parameters
    ----------
    target : Target
        From `nets.targets.load_target`, `nets.targets.from_sequential` or `nets.targets.random_target`.
    advance : callable
        Reports finished weights to a progress bar.
    **settings
        Of `ApproximationSettings`: n, eta, source, R, construction, seed, domain, device, jobs.

    Raises
    ------
    ValueError
        A setting outside its domain, or more memory than there is.

    Examples
    --------
    >>> from nets.targets import random_target
    >>> found = approximate(random_target((2, 3, 1), seed=1), n=16, eta=0.02, seed=1)
    >>> found.ticket.numbers["within_eta"], found.certificate.upper < 0.1
    (9, True)
    """
    chosen = ApproximationSettings(**settings)
    needed = predicted_bytes(target, chosen)
    if needed > available_bytes() // 2:
        raise ValueError(
            f"{chosen.source} with n={chosen.n} needs about {readable(needed)} of memory for {target.widths}, "
            f"the limit is {readable(available_bytes() // 2)}"
        )
    started = time.monotonic()
    solve = _solve_layered if chosen.source == "layered" else _solve_sets
    solved = solve(target, chosen, advance)
    between_times = time.monotonic()
    certificate = certify(target, solved.effective, domain=chosen.domain, device=chosen.device)
    numbers = measured(target, solved.effective, solved.kept, eta=chosen.eta)
    seconds = {"solve": between_times - started, "certify": time.monotonic() - between_times}
    ticket = solved.ticket(eta=chosen.eta, numbers=numbers, certificate=certificate)
    missed = missed_weights(target, solved.effective, chosen.eta)
    return Approximation(target, chosen, solved.effective, certificate, ticket, missed, seconds)


def predicted_bytes(target: Target, settings: ApproximationSettings) -> float:
    """Memory that the work takes at its peak, the solver's own apart, about."""
    weights, n = sum(w.numel() for w in target.weights), settings.n
    if settings.source != "layered":
        return weights * (64 + n * (1 if settings.R == 1 else 8))
    if settings.construction == "subset-sum":
        return weights * (160 + n * (72 + 2 * math.ceil(settings.R.bit_length() / 8)))
    return weights * (800 + n / 2)


class _Sets:
    """A target made of sums of values of its weights' or rows' own."""

    def __init__(self, target: Target, sets: ValueSets, chosen: Sequence[Chosen]) -> None:
        import torch

        self._target, self._sets, self._chosen = target, sets, chosen
        self.effective: Effective = [(made, made) for made in (torch.from_numpy(one.effective) for one in chosen)]
        self.kept = [one.kept for one in chosen]

    def ticket(self, **recorded: Any) -> Ticket:
        return sets_ticket(self._target, self._sets, self._chosen, **recorded)


def _solve_sets(target: Target, settings: ApproximationSettings, advance: Advance) -> _Sets:
    size = max(float(w.abs().max()) for w in target.weights)
    sets = ValueSets(settings.source, seed=settings.seed, n=settings.n, R=settings.R, size=size)
    chosen = []
    for i, weight in enumerate(target.weights, 1):

        def tick(count: float, label: str = f"layer {i}") -> None:
            advance(count, label)

        chosen.append(sets.solve(i, weight.numpy(), device=settings.device, jobs=settings.jobs, tick=tick))
    return _Sets(target, sets, chosen)


class _Layered:
    """A target in the random network of depth 2l."""

    def __init__(self, target: Target, pruned: Any, scale: tuple[float, ...], signs: str) -> None:
        self._target, self._pruned, self._scale, self._signs = target, pruned, scale, signs
        self.effective: Effective = [
            (c * plus, c * minus) for c, (plus, minus) in zip(scale, pruned.effective(), strict=True)
        ]
        counts = pruned.n_keep_layers
        self.kept = [counts[i] + counts[i + 1] for i in range(0, len(counts), 2)]

    def ticket(self, **recorded: Any) -> Ticket:
        return layered_ticket(self._target, self._pruned, self._scale, signs=self._signs, **recorded)


def layer_scales(target: Target) -> tuple[float, ...]:
    """The least power of two >= 1 for every layer that its weights do not exceed.

    Entries of the layered source lie in [-1, 1]. A layer with a weight outside is divided by this, which is exact;
    since the network is positively homogeneous, one factor on its output, the product of all, makes up for it.

    Examples
    --------
    >>> import torch
    >>> from nets.targets import Target
    >>> layer_scales(Target([torch.tensor([[0.3]]), torch.tensor([[-2.5]]), torch.tensor([[2.0]])]))
    (1.0, 4.0, 2.0)
    """
    sizes = [float(w.abs().max()) for w in target.weights]
    return tuple(max(1.0, math.ldexp(1.0, math.frexp(size)[1] - (math.frexp(size)[0] == 0.5))) for size in sizes)


def _solve_layered(target: Target, settings: ApproximationSettings, advance: Advance) -> _Layered:
    scale = layer_scales(target)
    weights, done = sum(w.numel() for w in target.weights), 0

    def report(now: int, total: int) -> None:
        nonlocal done
        advance((now - done) * weights / total)
        done = now

    pruned = prune(
        [weight / c for weight, c in zip(target.weights, scale, strict=True)],
        Source(target.widths, settings.n, seed=settings.seed, R=settings.R),
        construction=settings.construction,
        eta=[min(settings.eta / c, 1.0) for c in scale],
        halves="needed",
        device=settings.device,
        jobs=settings.jobs,
        progress=report,
    )
    signs = check_construction(settings.construction, signs=None, halves="needed", R=settings.R, sampler="draws")
    return _Layered(target, pruned, scale, signs)
