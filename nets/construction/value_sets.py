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
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction import pick
from nets.construction.bits import pack, unpack
from sims.solver.best_on_grid import GridBest, shared_on_grid
from sims.solver.memory import default_jobs
from sims.solver.philox import GRID_BITS, grid_draws
from sims.threads import ordered

KINDS = ("private", "shared")
STREAMS = {"private": 2**30, "shared": 2**30 + 2**29}
_PART_HALF_SUMS = 2**22
_DEVICE_ROWS = 2**15
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
    draws : ndarray of an unsigned type
        Draw of every kept value, in the order of the bits; all 0 where R = 1.
    effective : ndarray of float64, shape (d_out, d_in)
        The sums, each rounded once.
    kept : int
    """

    mask: npt.NDArray[np.uint8]
    draws: npt.NDArray[np.unsignedinteger[Any]]
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
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got kind={self.kind!r}")
        if self.n < 1 or self.R < 1 or self.n * self.R > 2**33:
            raise ValueError(f"n and R must be at least 1 with n R <= 2^33, got n={self.n}, R={self.R}")
        if not (math.isfinite(self.size) and self.size >= 0):
            raise ValueError(f"size must be finite and >= 0, got size={self.size}")

    @property
    def exponent(self) -> int:
        """E - 52: the unit of the values is 2 to this power."""
        return math.frexp(self.size)[1] - GRID_BITS

    def stream(self, layer: int) -> int:
        """Generator stream of a target layer, from 1."""
        return STREAMS[self.kind] + layer

    def integers(self, layer: int, first: int, *, count: int) -> Integers:
        """The values of sets first, ..., first + count - 1 in units: shape (count, n, R)."""
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
        if not (np.abs(weight) <= self.size).all():
            raise ValueError(f"weights must be finite and at most size={self.size} in size")
        jobs = default_jobs() if jobs is None else jobs
        aims = np.rint(np.ldexp(weight, -self.exponent)).astype(np.int64)
        if self.kind == "shared":
            made = ordered(self._shared_part, self._row_parts(layer, aims, jobs), jobs=jobs)
        elif device != "cpu" and self.R == 1:
            made = ordered(self._device_part, self._weight_parts(layer, aims, [device]), jobs=1)
        else:
            solvers = [GridBest(self.n, self.R, threads=jobs) for _ in range(jobs)]
            made = ordered(self._private_part, self._weight_parts(layer, aims, solvers), jobs=jobs)
        parts = []
        for part in made:
            parts.append(part)
            tick(part.effective.size)
        return Chosen(
            np.concatenate([part.mask for part in parts]),
            np.concatenate([part.draws for part in parts]),
            np.concatenate([part.effective for part in parts]).reshape(weight.shape),
            sum(part.kept for part in parts),
        )

    def rebuild(
        self, layer: int, shape: tuple[int, int], *, mask: npt.NDArray[np.uint8], draws: npt.NDArray[Any], digest: Any
    ) -> Floats:
        """Effective weights of a layer from its mask and draws, the kept values being made again one by one.

        Parameters
        ----------
        shape : (d_out, d_in)
        mask, draws : ndarray
            As in `Chosen`; draws may be empty where R = 1.
        digest : hashlib object
            Updated with the kept values as little-endian float64, in the order of the bits.

        Returns
        -------
        ndarray of float64, shape (d_out, d_in)
        """
        weights = shape[0] * shape[1]
        out = np.empty(weights)
        used = 0
        for start in range(0, weights, _REBUILD_WEIGHTS):  # a multiple of 8
            count = min(_REBUILD_WEIGHTS, weights - start)
            bits = unpack(mask[start * self.n // 8 : -(-(start + count) * self.n // 8)], count * self.n)
            which, k = np.divmod(np.flatnonzero(bits), self.n)
            index = k * self.R
            if self.R > 1:
                index += draws[used : used + len(k)].astype(np.int64)
                used += len(k)
            sets = start + which if self.kind == "private" else (start + which) // shape[1]
            raw = np.empty(len(k))
            pick.fill_elements(np.uint64(self.seed), self.stream(layer), sets, index, raw)
            units = np.rint(np.ldexp(raw, GRID_BITS) * math.frexp(self.size)[0]).astype(np.int64)
            digest.update(np.ldexp(units.astype(np.float64), self.exponent).astype("<f8").tobytes())
            totals = np.zeros(count, np.int64)
            np.add.at(totals, which, units)
            out[start : start + count] = np.ldexp(totals.astype(np.float64), self.exponent)
        return out.reshape(shape)

    def _weight_parts(self, layer: int, aims: Integers, solvers: list[Any]) -> Iterator[tuple[Any, ...]]:
        """Pieces of 8 k weights; the solvers wait in a list, from which a thread takes one while it works."""
        flat = aims.reshape(-1)
        half_sums = (self.R + 1) ** (-(-self.n // 2))
        size = max(1, _PART_HALF_SUMS // half_sums // 8) * 8 if isinstance(solvers[0], GridBest) else _DEVICE_ROWS
        for start in range(0, len(flat), size):
            yield layer, start, flat[start : start + size], solvers

    def _private_part(self, layer: int, first: int, aims: Integers, solvers: list[GridBest]) -> Chosen:
        keys = self.integers(layer, first, count=len(aims))
        solver = solvers.pop()  # atomic, as append is
        _, choices = solver.solve(keys, aims)
        solvers.append(solver)
        return self._chosen(keys, choices)

    def _device_part(self, layer: int, first: int, aims: Integers, devices: list[str]) -> Chosen:
        import torch

        from nets.construction.torch_solver import best_subsets_torch

        keys = self.integers(layer, first, count=len(aims))
        masks = best_subsets_torch(*(torch.from_numpy(part).to(devices[0]) for part in (keys[:, :, 0], aims)))[1]
        return self._chosen(keys, masks.cpu().numpy().astype(np.int8) - 1)

    def _row_parts(self, layer: int, aims: Integers, jobs: int) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(aims), 8):
            yield layer, start, aims[start : start + 8], jobs

    def _shared_part(self, layer: int, first: int, aims: Integers, jobs: int) -> Chosen:
        keys = self.integers(layer, first, count=len(aims))
        choices = np.empty((*aims.shape, self.n), np.int32)
        for row, values in enumerate(keys):
            _, choices[row] = shared_on_grid(values, aims[row], threads=jobs)
        return self._chosen(np.repeat(keys, aims.shape[1], axis=0), choices.reshape(-1, self.n))

    def _chosen(self, keys: Integers, choices: npt.NDArray[np.signedinteger[Any]]) -> Chosen:
        kept = choices >= 0
        if self.R == 1:
            totals = (keys[:, :, 0] * kept).sum(1)
        else:
            taken = np.take_along_axis(keys, np.maximum(choices, 0)[:, :, None].astype(np.int64), axis=2)[:, :, 0]
            totals = (taken * kept).sum(1)
        return Chosen(
            pack(kept),
            choices[kept].astype(np.min_scalar_type(self.R - 1)),
            np.ldexp(totals.astype(np.float64), self.exponent),
            int(np.count_nonzero(kept)),
        )
