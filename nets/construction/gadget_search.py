"""Which elements of a gadget to keep: the subset-sum construction for any part, the others with a ReLU.

The search runs piece by piece over the weights in the order of the file, and every piece is packed as soon as it is
done: beyond the packed bits it takes the memory of one piece and of one number for every hidden neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from nets.construction import pick
from nets.construction.bits import DrawWriter, pack, pack_draws, set_bits
from nets.construction.choices import mark_used, servants
from nets.construction.gadget_record import Floats, Gadget, Record, draw_b
from nets.device import has_kernels
from sims.solver.best_on_grid import GridBest
from sims.threads import ordered

KEY_BITS = 52
"""Products are rounded to multiples of 2^-52 for the search, which is exact for the rounded ones."""

_PART_HALF_SUMS = 2**22
"""Half sums per part of the work: about 20 ms, so that Ctrl-C is heard."""

_DEVICE_ROWS = 2**15
_MAX_COUNT = 200
_TAKEN_BYTES = 2**25
_SCAN_WEIGHTS = 2**18
_SMALL_DRAWS = 2**21
Integers = npt.NDArray[np.int64]


class SubsetSums:
    """The subset-sum search over one part: `record` runs it."""

    def __init__(
        self, gadget: Gadget, weight: Floats, open_signs: bool, device: str, jobs: int, tick: Callable[[int], object]
    ) -> None:
        self.gadget, self.weight, self.device, self.tick = gadget, weight, device, tick
        self.grid = has_kernels(device) or gadget.R > 1
        self.jobs = jobs if self.grid else 1
        self.solvers: SimpleQueue[GridBest] = SimpleQueue()
        for _ in range(jobs if self.grid else 0):
            self.solvers.put(GridBest(min(gadget.n, _MAX_COUNT + 1), gadget.R, threads=jobs))
        self.b, self.draws_b = draw_b(gadget, jobs=jobs)
        self.neurons = np.zeros((gadget.halves, gadget.coordinates, gadget.n), np.int32)
        self.counts = np.zeros((gadget.halves, gadget.coordinates), np.int64)
        servants(self.b, gadget.n, open_signs, gadget.relu, self.neurons, self.counts)

    def record(self) -> Record:
        gadget = self.gadget
        mask_a = np.empty(-(-gadget.bits_a // 8), np.uint8)
        used = np.zeros(gadget.bits_b, np.bool_)
        draws = DrawWriter(gadget.R)
        kind = np.min_scalar_type(gadget.R)
        step = max(1, _TAKEN_BYTES // (gadget.block * kind.itemsize) // 8) * 8  # so that pieces begin with a byte
        for start in range(0, gadget.weights, step):
            stop = min(start + step, gadget.weights)
            taken = np.zeros((stop - start, gadget.block), kind)  # 1 + the draw that is kept, 0 for none
            for count in ordered(self._solve, self._parts(start, stop, taken), jobs=self.jobs):
                self.tick(count)
            mark_used(taken, start, gadget.rows, gadget.cols, used)
            mask_a[start * gadget.block // 8 : -(-stop * gadget.block // 8)] = pack(taken)
            if gadget.R > 1:
                draws.add(taken[taken > 0] - 1)
        return Record(pack(used), mask_a, pack_draws(self.draws_b[used], R=gadget.R), draws.finish())

    def _parts(self, start: int, stop: int, taken: npt.NDArray[Any]) -> Iterator[tuple[Any, ...]]:
        """Weights that as many neurons serve, with about the same number of half sums in each part."""
        gadget = self.gadget
        cells = np.arange(start, stop)
        coordinates = cells // (gadget.rows * gadget.cols) * gadget.cols + cells % gadget.cols
        for half in range(gadget.halves):
            counts = self.counts[half][coordinates]
            order = np.argsort(counts, kind="stable")
            for count, group in _runs(counts[order], order):
                half_sums = (gadget.R + 1) ** (-(-count // 2))
                size = max(1, _PART_HALF_SUMS // half_sums) if self.grid else _DEVICE_ROWS
                for first in range(0, len(group), size):
                    yield cells[group[first : first + size]], half, count, start, taken

    def _solve(self, cells: Integers, half: int, count: int, start: int, taken: npt.NDArray[Any]) -> int:
        if not count:
            return len(cells)
        gadget, neurons = self.gadget, self.neurons[half]
        keys = np.empty((len(cells), count, gadget.R), np.int64)
        shape = gadget.rows, gadget.cols, gadget.block, gadget.R
        pick.fill_keys(np.uint64(gadget.seed), gadget.stream_a, cells, *shape, neurons, self.b, keys)
        # the keys of a row, aim included, stay below 2^60; no sum reaches beyond the number of its products
        limit = min(gadget.n, _MAX_COUNT) + 1
        aims = np.rint(np.ldexp(self.weight[cells].clip(-limit, limit), KEY_BITS)).astype(np.int64)
        if self.grid:
            solver = self.solvers.get()
            choices: npt.NDArray[np.signedinteger[Any]] = solver.solve(keys, aims)[1]
            self.solvers.put(solver)
        else:
            choices = self._on_device(keys[:, :, 0], aims)
        coordinates = cells // (gadget.rows * gadget.cols) * gadget.cols + cells % gadget.cols
        taken[(cells - start)[:, None], neurons[coordinates, :count]] = choices + 1
        return len(cells)

    def _on_device(self, keys: Integers, aims: Integers) -> npt.NDArray[np.int8]:
        import torch

        from nets.construction.torch_solver import best_subsets_torch

        whole = [torch.from_numpy(np.ascontiguousarray(part)).to(self.device) for part in (keys, aims)]
        taken: npt.NDArray[np.int8] = best_subsets_torch(*whole)[1].cpu().numpy().astype(np.int8)
        return taken - np.int8(1)


def nearest_neurons(
    gadget: Gadget,
    weight: Floats,
    *,
    eta: float | None,
    parts: int,
    open_signs: bool,
    device: str,
    jobs: int,
    tick: Callable[[int], object],
) -> Record:
    """One neuron for every part of a weight's half: "best", "window" where eta is given, or "halves" and its like."""
    import torch

    from nets.construction.scan import scan_layer

    mask_a = np.zeros(-(-gadget.bits_a // 8), np.uint8)
    used = np.zeros(gadget.bits_b, np.bool_)
    draws_b = np.zeros(gadget.bits_b, np.int64)
    draws = DrawWriter(gadget.R)
    blocks = list(_row_blocks(gadget, parts))
    draws_of_block = gadget.block * (blocks[0][2] + 1) * gadget.cols * gadget.R
    small = has_kernels(device) and draws_of_block <= _SMALL_DRAWS
    at_once = jobs if small else 1  # larger blocks are cut by `scan_layer`, so that Ctrl-C is heard

    def scan(group: int, first: int, rows: int) -> dict[str, torch.Tensor]:
        return scan_layer(
            np.array([gadget.seed], np.uint64), 2 * gadget.number + 1,
            torch.from_numpy(weight[group, first : first + rows])[None], n=gadget.n, R=gadget.R,
            eta=np.nan if eta is None else eta, window=eta is not None, open_signs=open_signs, by_law=False,
            halves=gadget.halves, parts=parts, device=device, jobs=1 if small else jobs,
            place=(gadget.coordinates, group * gadget.cols, group * gadget.rows + first),
        )  # fmt: skip

    for (group, first, rows), records in zip(blocks, ordered(scan, blocks, jobs=at_once), strict=True):
        found = {key: records[key][0].cpu().numpy() for key in ("neuron", "draw_a", "draw_b")}
        _, row, col = kept = np.nonzero(found["neuron"] >= 0)
        neuron = found["neuron"][kept]
        places = ((group * gadget.rows + first + row) * gadget.cols + col) * gadget.block + neuron
        order = np.argsort(places)
        set_bits(mask_a, places)
        draws.add(found["draw_a"][kept][order])
        h = (group * gadget.cols + col) * gadget.block + neuron
        used[h], draws_b[h] = True, found["draw_b"][kept]
        tick(gadget.halves * rows * gadget.cols)
    return Record(pack(used), mask_a, pack_draws(draws_b[used], R=gadget.R), draws.finish())


def _row_blocks(gadget: Gadget, parts: int) -> Iterator[tuple[int, int, int]]:
    """(group, first row, rows) of pieces whose records take some 13 MB a half."""
    step = max(1, _SCAN_WEIGHTS // (parts * gadget.cols))
    for group in range(gadget.groups):
        for first in range(0, gadget.rows, step):
            yield group, first, min(step, gadget.rows - first)


def _runs(counts: Integers, order: Integers) -> Iterator[tuple[int, Integers]]:
    """The places of each count, for counts that are sorted."""
    edges = np.flatnonzero(np.diff(counts)) + 1
    for group, at in zip(np.split(order, edges), [0, *edges.tolist()], strict=True):
        yield int(counts[at]), group
