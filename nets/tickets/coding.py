"""Code a network: name, for each of its weights, random values that come within eta of it, in few bits."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nets.arguments import file_path, of_type
from nets.tickets.approximation_file import target_sha256
from nets.tickets.coded_file import MAX_DRAWS, CodedPart, CodedTicket, type_of
from nets.tickets.codes import pool
from nets.tickets.codes.draws import RotatedStreams
from nets.tickets.codes.part import CODES, DRAWS, LAWS, Coded, PartCode
from nets.tickets.codes.rank import MAX_VALUES
from sims.experiment import between, fresh_seed
from sims.files import write_bytes
from sims.progress import Advance, silent
from sims.solver.limits import finite_number
from sims.solver.memory import default_jobs
from sims.solver.philox import MAX_SEED

if TYPE_CHECKING:
    from nets.graph.graph import Graph
    from nets.graph.parts import Part
    from nets.graph.substitution import Effective
    from nets.tickets.network import PrunedNetwork

MIN_ETA = 1e-9
"""Below it no draw of 32 bits would be near."""
_DEFAULT_POOL = 2**13
_DEFAULT_DRAWS = {"draw": 2**20, "block": 2**22, "rank": 1}


@dataclass(frozen=True, kw_only=True)
class CodeSettings:
    """How the weights of a network are coded.

    Attributes
    ----------
    code : {"draw", "block", "pool", "rank"}
        draw: the first of a weight's own draws within eta. block: the first draw of d weights at once, within eta of
        each. pool: draws that a part shares, pruned to few that come within eta of all its weights. rank: the first
        sum of some of n values within eta, by number of summands, then in a fixed order.
    eta : float
        Largest error of a weight, as a share of the largest weight of its part, in [1e-9, 1); or itself.
    absolute : bool
        Whether eta is the largest error itself.
    d : int
        block: weights in a block, 1 to 4.
    n : int
        rank: values for each weight, 1 to 20.
    R : int
        Draws at most, up to 2^24; by default 2^20 (draw), 2^22 (block), about 80 / eta (pool, a power of two; for an
        absolute eta 2^13).
    draws : {"even", "independent"}
        draw, block, and "even" for others: the draws of one block are spread evenly over all values, or independent.
        Every single one is random in both cases; even ones come near sooner.
    law : {"matched", "uniform"}
        draw, block, and "matched" for others: law of the draws, fitted to each part's weights or uniform up to the
        largest of them.
    seed : int
        In [0, 2^64); a fresh one by default.
    jobs : int
        Threads; all available cores by default. The result does not depend on them.
    """

    code: Literal["draw", "block", "pool", "rank"]
    eta: float = 0.01
    absolute: bool = False
    d: int = 4
    n: int = 18
    R: int | None = None
    draws: Literal["even", "independent"] = "even"
    law: Literal["matched", "uniform"] = "matched"
    seed: int = field(default_factory=fresh_seed)
    jobs: int = field(default_factory=default_jobs)

    def __post_init__(self) -> None:
        for name, known in (("code", CODES), ("draws", DRAWS), ("law", LAWS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.absolute and not finite_number("eta", self.eta) > 0:
            raise ValueError(f"eta must be a number > 0, got {self.eta}")
        if not self.absolute and not MIN_ETA <= finite_number("eta", self.eta) < 1:
            raise ValueError(f"eta must be in [{MIN_ETA:g}, 1) of a part's largest weight, got {self.eta}")
        R = self.R
        if R is None:
            R = _DEFAULT_POOL if self.code == "pool" and self.absolute else _DEFAULT_DRAWS.get(self.code, 0)
            R = R or pool.default_size(self.eta)
        if self.code not in ("draw", "block"):
            object.__setattr__(self, "draws", DRAWS[0])
            object.__setattr__(self, "law", LAWS[0])
        made = {
            "d": between("d", self.d, 1, 4) if self.code == "block" else 1,
            "n": between("n", self.n, 1, MAX_VALUES) if self.code == "rank" else 1,
            "R": between("R", R, 1, MAX_DRAWS),
            "seed": between("seed", self.seed, 0, MAX_SEED),
            "jobs": between("jobs", self.jobs, 1, 4096),
        }
        if self.code == "pool" and (made["R"] & (made["R"] - 1) or not 2 <= made["R"] <= 2**23):
            raise ValueError(f"the R of a pool must be a power of two from 2 to 2^23, got {R}")
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def part_code(self, number: int, size: float) -> PartCode:
        """The code of part `number`, from 0, whose largest weight is `size`."""
        own = {name: getattr(self, name) for name in ("d", "n", "R", "draws", "law", "absolute")}
        return PartCode(self.code, self.seed, number, size, self.eta, **own)


@dataclass(frozen=True, eq=False, repr=False)
class CodedNetwork:
    """A network that is coded.

    Attributes
    ----------
    target : Graph
        The network that was coded, batch norms absorbed.
    settings : CodeSettings
    parts : tuple of Part
    effective : dict of str to pairs of ndarray
        The values of every part, by its constant, in its sides.
    ticket : CodedTicket
    rows : list of dict
        For every part ``weights kept exceptions max_weight_error bits``.
    seconds : float
    """

    target: Graph
    settings: CodeSettings
    parts: tuple[Part, ...]
    effective: Effective
    ticket: CodedTicket
    rows: list[dict[str, Any]]
    seconds: float

    def network(self, dtype: str | None = None) -> PrunedNetwork:
        """The pruned network as a `torch.nn.Module`; "float64" keeps the values exact."""
        import torch

        from nets.tickets.network import PrunedNetwork

        real = None if dtype is None else getattr(torch, dtype)
        return PrunedNetwork(self.ticket, self.effective, self.ticket.values_sha256, dtype=real)

    def __repr__(self) -> str:
        return f"<CodedNetwork: {self.ticket!r}>"


def code_network(
    graph: Graph, settings: CodeSettings, *, advance: Advance = silent, store: str | os.PathLike[str] | None = None
) -> CodedNetwork:
    """Code all weights of a prepared graph (`nets.tickets.approximation.as_graph`).

    Parameters
    ----------
    advance : callable
        Reports finished weights to a progress bar.
    store : path, optional
        A folder that keeps the parts that are done: a run that was stopped goes on from there. `remove_parts` once the
        ticket is kept.

    Raises
    ------
    ValueError
        If the folder holds parts of another run.
    GraphError
        If the graph has no weights to code.
    """
    from nets.graph.graph import Graph
    from nets.graph.text import to_plain
    from nets.tickets.approximation import check_advance, check_weights, parts_of

    of_type("graph", graph, Graph)
    of_type("settings", settings, CodeSettings)
    check_advance(advance)
    store = None if store is None else file_path("store", store)
    begun = time.monotonic()
    parts = parts_of(graph)
    arrays = [np.asarray(graph.constants[part.constant], np.float64) for part in parts]
    check_weights(graph, parts)
    whole = target_sha256(arrays)
    kept = None if store is None else _Store(Path(store), {**asdict(settings), "jobs": 0, "target": whole})
    stream, digest = RotatedStreams(settings.seed, settings.R or 1, even=settings.draws == "even"), hashlib.sha256()
    rows: list[dict[str, Any]] = []
    effective: dict[str, tuple[Any, Any]] = {}
    content, held_parts = [], []
    for number, (part, weights) in enumerate(zip(parts, arrays, strict=True)):
        flat, size = weights.reshape(-1), float(np.abs(weights).max())
        code, done = settings.part_code(number, size), 0

        def tick(count: float, label: str = part.constant) -> None:
            nonlocal done
            done += int(count)
            advance(count, label)

        coded = None if kept is None else kept.read(number, code, flat.size)
        if coded is None:
            coded = code.encode(flat, stream=stream, jobs=settings.jobs, tick=tick)
            if kept is not None:
                kept.write(number, coded)
        advance(flat.size - done, part.constant)
        digest.update(np.ascontiguousarray(coded.values, "<f8").data)
        values = coded.values.reshape(part.shape)
        effective[part.constant] = values, values
        content.append(coded.content)
        held_parts.append(CodedPart(part.constant, tuple(part.shape), size, len(coded.content)))
        rows.append(_row(coded, flat, code))
    names = {part.constant for part in parts}
    exact = {name: np.asarray(array) for name, array in graph.constants.items() if name not in names}
    ticket = CodedTicket(
        code=settings.code,
        d=settings.d,
        n=settings.n,
        R=settings.R or 1,
        draws=settings.draws,
        law=settings.law,
        seed=settings.seed,
        eta=settings.eta,
        absolute=settings.absolute,
        parts=tuple(held_parts),
        graph=to_plain(graph),
        exact=tuple((name, type_of(array), array.shape) for name, array in exact.items()),
        target_sha256=whole,
        values_sha256="",
        numbers=_numbers(rows),
        held=exact,
        content=tuple(content),
    )
    ticket = replace(ticket, values_sha256=ticket.bound(digest.hexdigest()))
    return CodedNetwork(graph, settings, parts, effective, ticket, rows, time.monotonic() - begun)


def _row(coded: Coded, weights: npt.NDArray[np.float64], code: PartCode) -> dict[str, Any]:
    """Counts of one part; its largest error is in the units of eta."""
    error = np.abs(coded.values - weights)
    return {
        "weights": weights.size,
        "within_eta": int((error <= code.error).sum()),
        "kept": coded.kept,
        "exceptions": coded.exceptions,
        "max_weight_error": largest_error(error, code),
        "bits": 8 * len(coded.content),
    }


def largest_error(error: npt.NDArray[np.float64], code: PartCode) -> float:
    """The largest error of a part in the units of eta."""
    if code.absolute:
        return float(error.max())
    return float(error.max() / code.size) if code.size else 0.0


def _numbers(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of a ticket."""
    return {
        "weights": sum(row["weights"] for row in rows),
        "kept": sum(row["kept"] for row in rows),
        "exceptions": sum(row["exceptions"] for row in rows),
        "within_eta": sum(row["within_eta"] for row in rows),
        "max_weight_error": max(row["max_weight_error"] for row in rows),
    }


class Rebuilt(NamedTuple):
    """The values of every part, by its constant, the ticket's digest, and the counts of values kept and exceptions."""

    effective: dict[str, tuple[Any, Any]]
    digest: str
    kept: int
    exceptions: int


def rebuilt(ticket: CodedTicket) -> Rebuilt:
    """Decode all parts of a ticket.

    Raises
    ------
    TicketError
        If the bytes of a part are not a code.
    """
    digest = hashlib.sha256()
    effective: dict[str, tuple[Any, Any]] = {}
    kept = exceptions = 0
    for number, part in enumerate(ticket.parts):
        coded = ticket.decode(number)
        digest.update(np.ascontiguousarray(coded.values, "<f8").data)
        values = coded.values.reshape(part.shape)
        effective[part.constant] = values, values
        kept, exceptions = kept + coded.kept, exceptions + coded.exceptions
    return Rebuilt(effective, ticket.bound(digest.hexdigest()), kept, exceptions)


def predicted_seconds(weights: int, settings: CodeSettings) -> float:
    """Time that coding takes on this machine, good to a factor of about 4."""
    each = {"draw": 1e-5, "block": 2.5e-5, "pool": 1e-6, "rank": 4e-6}[settings.code]
    if settings.code == "draw" and settings.draws == "independent":
        each = 1e-6 + 1.5 / settings.eta * 5e-9
    return 2.0 + weights * each / (settings.jobs if settings.code != "pool" else 1)


def predicted_bytes(largest: int, weights: int, settings: CodeSettings) -> float:
    """Memory that coding takes at its peak, about; `largest`: weights of the largest part."""
    index = 60 * settings.R if settings.code == "block" and settings.R else 0
    return 24 * weights + 120 * largest + index


def _differences(text: str, run: dict[str, Any]) -> str:
    """What is not the same in a run that was stopped, in a few words; nothing if all is."""
    try:
        then = json.loads(text)
        names = [name for name in run if then[name] != run[name]]
    except (ValueError, KeyError, TypeError):
        return "its settings are not readable"
    return ", ".join("another network" if name == "target" else f"{name} {then[name]}" for name in names)


class _Store:
    """The folder of a run that is not finished: what it is of, and the parts that are done."""

    def __init__(self, folder: Path, run: dict[str, Any]) -> None:
        self._folder = folder
        text = json.dumps(run, sort_keys=True)
        mark = folder / "run.json"
        if mark.exists():
            other = _differences(mark.read_text(), run)
            if other:
                raise ValueError(f"{folder} holds parts of another run ({other}): run as then, or remove it")
            return
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} is in the way: the parts that are done would be kept there")
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(mark, text.encode())

    def read(self, number: int, code: PartCode, count: int) -> Coded | None:
        """A part that is done; None where it is not, or its file is damaged."""
        try:
            raw = (self._folder / f"part{number + 1}.bin").read_bytes()
            if hashlib.sha256(raw[32:]).digest() != raw[:32]:
                return None
            return code.decode(raw[32:], count)
        except (OSError, ValueError, OverflowError, struct.error):
            return None

    def write(self, number: int, coded: Coded) -> None:
        """Keep a part."""
        write_bytes(self._folder / f"part{number + 1}.bin", hashlib.sha256(coded.content).digest() + coded.content)


def remove_parts(store: str | os.PathLike[str]) -> None:
    """Remove the folder of `code_network`."""
    shutil.rmtree(store, ignore_errors=True)
