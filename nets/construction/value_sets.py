"""Sources without layers: every target weight is a sum of some of n random values, as the published experiment did.

``private`` gives every weight n values of its own, ``shared`` gives n values to each output row of a layer, and all
weights of the row use them. With R > 1 each value may be one of R draws. Values are uniform on [-r, r], r being the
largest size of a weight in the network.

**The grid.** Draw (k, draw) of set t of layer i is the integer m in [-2^52, 2^52) that `sims.solver.philox` makes from
(seed, stream, trial t, index k R + draw), with stream 2^30 + i (private) or 2^30 + 2^29 + i (shared); t is the
row-major number of the weight, or the row. With r = rho 2^E, 1/2 <= rho < 1, its value is M 2^(E-52), M = rint(m rho),
the product rounded to float64 first: the value differs from m r / 2^52 by at most 2^(E-52). So all values of a network
are whole multiples of one unit, every sum of them is exact in int64, and any single value can be made again alone. The
targets are rounded to the same unit for the search: no choice comes nearer than the one found by more than one unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.arguments import doubles
from nets.construction import pick
from nets.construction.bits import DrawWriter, check_bits, draw_bits, pack, popcount
from nets.construction.choices import add_chosen
from nets.construction.source import check_seed
from nets.device import check_device, has_kernels
from sims.solver.arguments import jobs_of
from sims.solver.best_on_grid import GridBest, GridShared, shared_split
from sims.solver.limits import MAX_TRIAL, between, finite_number
from sims.solver.philox import GRID_BITS, grid_draws
from sims.threads import ordered, pieces
from theory.numerics.check import shown

KINDS = ("private", "shared")
STREAMS = {"private": 2**30, "shared": 2**30 + 2**29}
_PART_HALF_SUMS = 2**22
_DEVICE_ROWS = 2**15
_PART_PROBES = 2**19
_MAX_ROW = 2**14
_REBUILD_WEIGHTS = 2**16
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is kept for one layer.

    Attributes
    ----------
    mask : ndarray of uint8
        One bit for every (weight, value), row-major, the first in the lowest bit of the first byte.
    draws : ndarray of uint8
        Draw of every kept value in the order of the bits, `nets.construction.bits.draw_bits` bits each.
    effective : ndarray of float64, shape (d_out, d_in)
        The sums, each rounded once.
    kept : int
    """

    mask: npt.NDArray[np.uint8]
    draws: npt.NDArray[np.uint8]
    effective: Floats
    kept: int


@dataclass(frozen=True)
class ValueSets:
    """The random values of a network.

    Parameters
    ----------
    kind : {"private", "shared"}
    seed : int, in [0, 2^64)
    n, R : int
        Values of a set, and draws of each value; n R at most 2^33.
    size : float >= 0
        r: values are uniform on [-r, r].

    Examples
    --------
    >>> sets = ValueSets("private", seed=1, n=3, R=2, size=0.75)
    >>> sets.values(1, 5, count=1).shape, bool((abs(sets.values(1, 5, count=1)) <= 0.75).all())
    ((1, 3, 2), True)
    """

    kind: str
    seed: int
    n: int
    R: int = 1
    size: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got kind={shown(self.kind)}")
        whole = {name: between(name, getattr(self, name), 1, 2**33) for name in ("n", "R")}
        if self.n * self.R > 2**33:
            raise ValueError(f"n and R must be at least 1 with n R <= 2^33, got n={self.n}, R={self.R}")
        if (size := finite_number("size", self.size)) < 0:
            raise ValueError(f"size must be finite and >= 0, got size={size}")
        for name, value in {**whole, "seed": check_seed(self.seed), "size": size}.items():
            object.__setattr__(self, name, value)

    @property
    def exponent(self) -> int:
        """E - 52: the unit of the values is 2 to this power."""
        return math.frexp(self.size)[1] - GRID_BITS

    def stream(self, layer: int) -> int:
        """Generator stream of a target layer, from 1."""
        return STREAMS[self.kind] + between("layer", layer, 0, 2**29 - 1)

    def integers(self, layer: int, first: int, *, count: int) -> Integers:
        """The values of sets first, ..., first + count - 1 in units: shape (count, n, R)."""
        first, count = between("first", first, 0, MAX_TRIAL), between("count", count, 0, MAX_TRIAL)
        draws = grid_draws(self.seed, first, count, self.n * self.R, stream=self.stream(layer))
        scaled: Integers = np.rint(draws * math.frexp(self.size)[0]).astype(np.int64)
        return scaled.reshape(count, self.n, self.R)

    def values(self, layer: int, first: int, *, count: int) -> Floats:
        """The same as float64, exactly."""
        return np.ldexp(self.integers(layer, first, count=count).astype(np.float64), self.exponent)

    def solve(
        self,
        layer: int,
        weight: Floats,
        *,
        device: str = "cpu",
        jobs: int | None = None,
        tick: Callable[[int], None] = lambda count: None,
    ) -> Chosen:
        """The exact best choice for every weight of a layer.

        Parameters
        ----------
        weight : ndarray of float64, shape (d_out, d_in)
            Sizes at most `size`.
        device : str
            "cuda" is used for private values with R = 1; the result does not depend on it.
        jobs : int, optional
            Threads; the result does not depend on it.
        tick : callable
            Called with the number of weights done since the last call.

        Raises
        ------
        ValueError
            A weight is larger than `size`, or the search does not fit into memory.

        Examples
        --------
        >>> sets = ValueSets("shared", seed=1, n=12)
        >>> found = sets.solve(1, np.array([[0.5, -0.25], [0.0, 1.0]]))
        >>> bool((abs(found.effective - [[0.5, -0.25], [0.0, 1.0]]) < 0.05).all()), found.mask.shape
        (True, (6,))
        """
        weight, jobs, device = doubles("weight", weight).cpu().numpy(), jobs_of(jobs), str(check_device(device))
        if weight.ndim != 2 or weight.size == 0 or not (np.abs(weight) <= self.size).all():
            raise ValueError(f"weight must be a matrix of numbers up to size={self.size}, got shape {weight.shape}")
        aims = np.rint(np.ldexp(weight, -self.exponent)).astype(np.int64)
        grid = has_kernels(device) or self.R > 1
        solvers: SimpleQueue[GridBest] = SimpleQueue()
        if self.kind == "private" and grid:
            for _ in range(jobs):
                solvers.put(GridBest(self.n, self.R, threads=jobs))

        def part(start: int, stop: int) -> tuple[Integers, npt.NDArray[np.signedinteger[Any]]]:
            own = aims.reshape(-1)[start:stop]
            if self.kind == "shared":
                return self._shared(layer, start, own, weight.shape[1], jobs)
            keys = self.integers(layer, start, count=stop - start)
            if grid:
                solver = solvers.get()
                choices: npt.NDArray[np.signedinteger[Any]] = solver.solve(keys, own)[1]
                solvers.put(solver)
            else:
                choices = self._on_device(keys[:, :, 0], own, device)
            totals = np.empty(len(own), np.int64)
            add_chosen(keys, np.arange(len(own)), choices, totals)
            return totals, choices

        mask = np.empty(-(-weight.size * self.n // 8), np.uint8)
        totals = np.empty(weight.size, np.int64)
        draws, kept = DrawWriter(self.R), 0
        size = self._part_size(weight.shape[1], grid)
        spans = list(pieces(weight.size, size))
        made = ordered(part, spans, jobs=jobs if grid or self.kind == "shared" else 1)
        for (start, stop), (sums, choices) in zip(spans, made, strict=True):
            bits = choices >= 0
            mask[start * self.n // 8 : -(-stop * self.n // 8)] = pack(bits)
            totals[start:stop] = sums
            if self.R > 1:
                draws.add(choices[bits])
            kept += int(np.count_nonzero(bits))
            tick(stop - start)
        return Chosen(mask, draws.finish(), self._reals(totals).reshape(weight.shape), kept)

    def rebuild(
        self,
        layer: int,
        shape: tuple[int, int],
        *,
        mask: npt.NDArray[np.uint8],
        draws: npt.NDArray[np.uint8],
        seen: Callable[[Floats], object] | None = None,
        jobs: int | None = None,
    ) -> Floats:
        """Effective weights of a layer from its mask and draws, the kept values being made again one by one.

        Parameters
        ----------
        shape : (d_out, d_in)
        mask, draws : ndarray
            As in `Chosen`.
        seen : callable, optional
            Called with the kept values in the order of the bits, in pieces.
        jobs : int, optional
            Threads; the result does not depend on it.

        Returns
        -------
        ndarray of float64, shape (d_out, d_in)

        Raises
        ------
        ValueError
            Wrong sizes of mask or draws, spare bits that are set, or draws that do not exist.
        """
        jobs = jobs_of(jobs)
        weights, n, width = shape[0] * shape[1], self.n, draw_bits(self.R)
        check_bits("mask", mask, weights * n)
        check_bits("draws", draws, popcount(mask) * width)
        members = 1 if self.kind == "private" else shape[1]
        totals = np.empty(weights, np.int64)
        rho = math.frexp(self.size)[0]

        def parts() -> Iterator[tuple[int, int, int, int]]:
            used = 0
            for start, stop in pieces(weights, _REBUILD_WEIGHTS):
                kept = popcount(mask[start * n // 8 : -(-stop * n // 8)])
                yield start, stop, used, kept
                used += kept

        def add(start: int, stop: int, used: int, kept: int) -> tuple[int, Floats]:
            values = np.empty(kept)
            own = np.uint64(self.seed), self.stream(layer), mask, start, stop, n, members, self.R, width
            status = pick.add_values(*own, draws, used, rho, values, totals[start:stop])
            return status, np.ldexp(values, self.exponent)

        for status, values in ordered(add, parts(), jobs=jobs):
            if status:
                raise ValueError(f"draws names a draw that is not below R={self.R}")
            if seen is not None:
                seen(values)
        return self._reals(totals).reshape(shape)

    def _reals(self, units: Integers) -> Floats:
        return np.ldexp(units.astype(np.float64), self.exponent)

    def _part_size(self, cols: int, grid: bool) -> int:
        """Weights of a piece of some 20 ms: a multiple of 8, so that its bits begin with a byte."""
        if self.kind == "private":
            return max(1, _PART_HALF_SUMS // (self.R + 1) ** (-(-self.n // 2)) // 8) * 8 if grid else _DEVICE_ROWS
        line = cols * (8 // math.gcd(cols, 8))  # whole rows of the matrix where they are short enough
        short = shared_split(self.n, self.R, min(cols, _MAX_ROW))
        probes = (self.R + 1) ** (-(-self.n // 2) if short is None else short)
        size: int = min(_MAX_ROW, max(8, _PART_PROBES // probes // 8 * 8))
        return line * max(1, size // line) if line <= 2 * size else size

    def _shared(
        self, layer: int, start: int, aims: Integers, cols: int, jobs: int
    ) -> tuple[Integers, npt.NDArray[np.int32]]:
        """Sums and choices of weights start, start + 1, ..., row by row."""
        stop = start + len(aims)
        totals, choices = np.empty(len(aims), np.int64), np.empty((len(aims), self.n), np.int32)
        first, last = start // cols, -(-stop // cols)
        keys = self.integers(layer, first, count=last - first)
        search = GridShared(self.n, self.R, min(cols, _MAX_ROW), threads=jobs)
        for row in range(first, last):
            own = slice(max(row * cols, start) - start, min((row + 1) * cols, stop) - start)
            _, choices[own] = search.solve(keys[row - first], aims[own])
        add_chosen(keys, np.arange(start, stop) // cols - first, choices, totals)
        return totals, choices

    def _on_device(self, keys: Integers, aims: Integers, device: str) -> npt.NDArray[np.int8]:
        import torch

        from nets.construction.torch_solver import best_subsets_torch

        whole = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (keys, aims)]
        taken: npt.NDArray[np.int8] = best_subsets_torch(*whole)[1].cpu().numpy().astype(np.int8)
        return taken - np.int8(1)
