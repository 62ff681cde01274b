"""The subset-sum construction: for every weight and half the exact subset of products a_k b_k nearest to the weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.construction import pick
from nets.construction.pruned import Kept
from nets.construction.source import Source
from nets.construction.torch_solver import best_subsets_torch
from sims.solver.best_on_grid import GridBest
from sims.solver.memory import default_jobs
from sims.threads import each, ordered

KEY_BITS = 52
"""Products are rounded to multiples of 2^-52 for the search, which is exact for the rounded ones."""

_PART_HALF_SUMS = 2**22
"""Half sums per part of the work: about 20 ms, so that Ctrl-C is heard."""

_DEVICE_ROWS = 2**15
_MAX_COUNT = 200
_CHUNK = 2**20


def prune_layer(
    weight: torch.Tensor,
    source: Source,
    i: int,
    signs: str,
    halves: int,
    device: str,
    jobs: int | None,
    tick: Callable[[int], None],
) -> tuple[Kept, Kept]:
    """Kept elements of source layers 2i+1 and 2i+2 (i from 0): one subset for every weight and half."""
    n, R = source.n[i], source.R
    d_out = len(weight)
    layer_b, layer_a = 2 * i + 1, 2 * i + 2
    width = source.source_widths[layer_b]
    on_cpu = torch.device(device).type == "cpu"
    jobs = default_jobs() if jobs is None else jobs
    h = np.arange(width)
    sign = np.where(h % (2 * n) < n, 1.0, -1.0)
    b, draw_b = source.pick(layer_b, source.flat(layer_b, h, h // (2 * n)), aim=sign)
    # the keys of a row, aim included, stay below 2^60; no sum reaches beyond the number of its products
    w = weight.numpy().T.clip(-(min(n, _MAX_COUNT) + 1), min(n, _MAX_COUNT) + 1)
    taken = np.zeros((d_out, width), np.min_scalar_type(R))  # 1 + the draw that is kept, 0 for none
    solvers: SimpleQueue[GridBest] = SimpleQueue()
    for _ in range(jobs if on_cpu or R > 1 else 0):
        solvers.put(GridBest(min(n, _MAX_COUNT + 1), R, threads=jobs))

    def solve(coords: np.ndarray, neurons: np.ndarray, outs: slice) -> int:
        if neurons.shape[1]:
            outputs = np.arange(outs.start, outs.stop)
            cells = source.flat(layer_a, outputs[:, None], neurons[:, None, :])[..., None]  # (groups, outs, count, 1)
            a = source.element(layer_a, cells, draw=np.arange(R))
            a *= b[neurons][:, None, :, None]
            keys = np.rint(np.ldexp(a, KEY_BITS)).astype(np.int64).reshape(-1, neurons.shape[1], R)
            aims = np.rint(np.ldexp(w[coords, outs], KEY_BITS)).astype(np.int64).reshape(-1)
            if on_cpu or R > 1:
                solver = solvers.get()
                choice: npt.NDArray[np.signedinteger[Any]] = solver.solve(keys, aims)[1]
                solvers.put(solver)
            else:
                whole = [torch.from_numpy(part).to(device) for part in (keys[:, :, 0], aims)]
                choice = best_subsets_torch(*whole)[1].cpu().numpy().astype(np.int8) - 1
            kept = choice.reshape(len(coords), len(outputs), -1).transpose(1, 0, 2).reshape(len(outputs), -1)
            taken[outs, neurons.reshape(-1)] = kept + 1
        return len(coords) * len(range(outs.start, outs.stop))

    groups = _groups(b, sign, n, signs, halves)
    for solved in ordered(solve, _parts(groups, d_out, R, on_cpu), jobs=jobs if on_cpu else 1):
        tick(solved)
    used = np.flatnonzero(taken.any(0))
    kept_b = Kept(*(torch.from_numpy(part) for part in (used, used // (2 * n), draw_b[used], b[used])))
    return kept_b, _kept_a(taken, source, layer_a, jobs)


def _groups(
    b: np.ndarray, sign: np.ndarray, n: int, signs: str, halves: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Input coordinates and the neurons that serve one of their halves, by the number of those neurons, at most n."""
    side = b < 0 if signs == "open" else sign < 0
    serves = (b != 0) & ((b < 0) == side)
    found: dict[int, list[tuple[int, np.ndarray]]] = {}
    for start in range(0, len(b), 2 * n):
        block = slice(start, start + 2 * n)
        for half in range(halves):
            neurons = start + np.flatnonzero(serves[block] & (side[block] == half))[:n]
            found.setdefault(len(neurons), []).append((start // (2 * n), neurons))
    return {
        count: (np.array([j for j, _ in parts]), np.stack([neurons for _, neurons in parts]))
        for count, parts in sorted(found.items())
    }


def _parts(
    groups: dict[int, tuple[np.ndarray, np.ndarray]], d_out: int, R: int, on_cpu: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, slice]]:
    """Pieces of the work with about the same number of half sums each."""
    for count, (coords, neurons) in groups.items():
        half_sums = (R + 1) ** (-(-count // 2))
        rows = max(1, _PART_HALF_SUMS // half_sums if on_cpu else _DEVICE_ROWS)
        step, outs = max(1, rows // d_out), min(rows, d_out)
        for start in range(0, len(coords), step):
            for first in range(0, d_out, outs):
                part = slice(start, start + step)
                yield coords[part], neurons[part], slice(first, min(first + outs, d_out))


def _kept_a(taken: np.ndarray, source: Source, layer: int, jobs: int) -> Kept:
    """The kept elements, in order, from the record of their draws; the values are made again."""
    width = taken.shape[1]
    flat = np.flatnonzero(taken)
    rows = np.repeat(np.arange(len(taken)), np.count_nonzero(taken, axis=1))
    cols = flat - rows * width
    draws = np.take(taken, flat).astype(np.int64) - 1
    values = np.empty(len(flat))

    def fill(part: slice) -> None:
        pick.fill_elements(np.uint64(source.seed), 2 + layer, flat[part], draws[part], values[part])

    each(fill, ((slice(k, k + _CHUNK),) for k in range(0, len(flat), _CHUNK)), jobs=jobs)
    return Kept(*(torch.from_numpy(part) for part in (rows, cols, draws, values)))
