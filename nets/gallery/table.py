"""One row of the gallery's table: a published network, found inside a random one, at its real job before and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from nets.gallery.entry import Entry, Loaded, Run
from nets.gallery.memory import peak_bytes, reset_peak
from sims.commands.prediction import Prediction
from sims.progress import Advance, silent
from sims.solver.memory import default_jobs


@dataclass(frozen=True)
class Settings:
    """How networks are found; as `nets.tickets.ApproximationSettings` has them."""

    n: int = 21
    eta: float = 0.01
    source: Literal["layered", "private", "shared"] = "shared"
    seed: int = 1
    jobs: int = field(default_factory=default_jobs)


@dataclass(frozen=True, eq=False)
class Found:
    """A pruned network, and what its ticket says.

    Attributes
    ----------
    run : callable
        The pruned network.
    weights, within_eta : int
        Weights that the random network supplies, and how many of them are within eta of the published ones.
    certified : float or None
        Proved upper end of the difference of the outputs, on the stated domain; None where there is no proof.
    bits : float
        Of the ticket, for each weight.
    """

    run: Run
    weights: int
    within_eta: int
    certified: float | None
    bits: float


def first_output(network: Callable[..., Any]) -> Run:
    """A network of one or several outputs as its job sees it.

    Examples
    --------
    >>> first_output(lambda x: (x + 1, x + 2))(torch.zeros(1))
    tensor([1.])
    """

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        outputs = network(*inputs)
        first: torch.Tensor = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
        return first

    return run


def find(
    loaded: Loaded,
    settings: Settings,
    foresee: Callable[[Prediction], None] | None = None,
    bar: Callable[[float], AbstractContextManager[Advance]] | None = None,
) -> Found:
    """The pruned network by `nets.tickets.approximate`; ``foresee`` is told before what it takes.

    ``bar`` shows how far it is, of so many weights: `sims.progress.progress`.
    """
    from nets.targets import load_target
    from nets.tickets import approximate

    network = loaded.network
    weights = 0
    if foresee is not None:
        expected, weights = _expected(loaded, settings)
        foresee(expected)
    with nullcontext(silent) if bar is None else bar(weights) as advance:
        found = approximate(
            network if isinstance(network, torch.nn.Module) else load_target(network),
            loaded.inputs,
            n=settings.n,
            eta=settings.eta,
            source=settings.source,
            seed=settings.seed,
            jobs=settings.jobs,
            advance=advance,
        )
    numbers = found.ticket.numbers
    return Found(
        first_output(found.module),
        weights=numbers["weights"],
        within_eta=numbers["within_eta"],
        certified=found.certificate.upper,
        bits=8 * len(found.ticket.to_bytes()) / numbers["weights"],
    )


def _expected(loaded: Loaded, settings: Settings) -> tuple[Prediction, int]:
    """What it takes, and the weights."""
    from nets.targets import load_target
    from nets.tickets import ApproximationSettings, approximation

    network = loaded.network if isinstance(loaded.network, torch.nn.Module) else load_target(loaded.network)
    parts = approximation.parts_of(approximation.as_graph(network, loaded.inputs))
    names = ("n", "eta", "source", "seed", "jobs")
    asked = ApproximationSettings(**{name: getattr(settings, name) for name in names})
    size = int(approximation.predicted_bytes(parts, asked))
    return Prediction(approximation.predicted_seconds(parts, asked), size), sum(part.weights for part in parts)


def before(entry: Entry) -> dict[str, Any]:
    """How well a published network does its job: the columns of `row` that need no search."""
    started = time.monotonic()
    loaded = entry.load()
    score = entry.score(loaded.run())
    return {
        "network": entry.name,
        "job": entry.job,
        "metric": entry.metric,
        "before": score,
        "seconds": time.monotonic() - started,
        "licence": entry.licence,
        "source": entry.source,
    }


def row(entry: Entry, settings: Settings, search: Callable[[Loaded, Settings], Found] = find) -> dict[str, Any]:
    """A network found inside a random one, and its job before and after.

    Parameters
    ----------
    entry : Entry
    settings : Settings
    search : callable
        Finds the pruned network.

    Returns
    -------
    dict
        The row. ``difference`` is the largest difference of two outputs on the batch, ``output`` the largest output
        there; ``seconds`` is the time of the search alone, ``memory`` the largest memory of the process during it, in
        bytes, None where the system does not tell.
    """
    loaded = entry.load()
    original = loaded.run()
    reset = reset_peak()
    started = time.monotonic()
    found = search(loaded, settings)
    seconds = time.monotonic() - started
    memory = peak_bytes() if reset else None
    with torch.inference_mode():
        outputs, published = found.run(*loaded.batch), original(*loaded.batch)
    return {
        "network": entry.name,
        "weights": found.weights,
        "n": settings.n,
        "eta": settings.eta,
        "share_within_eta": found.within_eta / found.weights,
        "certified": found.certified,
        "difference": float((outputs - published).abs().max()),
        "output": float(published.abs().max()),
        "job": entry.job,
        "metric": entry.metric,
        "before": entry.score(original),
        "after": entry.score(found.run),
        "seconds": seconds,
        "memory": memory,
        "bits_per_weight": found.bits,
        "licence": entry.licence,
        "source": entry.source,
    }
