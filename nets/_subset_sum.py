"""The subset-sum construction: for every weight and half the exact subset of products a_k b_k nearest to the weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from nets.pruned import Kept
from nets.source import Source
from nets.torch_solver import best_subsets_torch
from sims.solver import best_subsets

KEY_BITS = 52
"""Products are rounded to multiples of 2^-52 for the search, which is exact for the rounded ones."""

_SOLVER_ROWS = 2**15


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
    d_out, d_in = weight.shape
    layer_b, layer_a = 2 * i + 1, 2 * i + 2
    width = source.source_widths[layer_b]
    w = weight.numpy()
    h = np.arange(width)
    sign = np.where(h % (2 * n) < n, 1.0, -1.0)
    b, draw_b = source.pick(layer_b, source.flat(layer_b, h, h // (2 * n)), aim=sign)
    side = np.where(b > 0, 0, 1) if signs == "open" else np.where(sign > 0, 0, 1)
    serves = (b != 0) & ((b > 0) == (side == 0))
    by_count: dict[int, list[tuple[int, np.ndarray]]] = {}
    for j in range(d_in):
        for half in range(halves):
            block = slice(2 * n * j, 2 * n * (j + 1))
            neurons = h[block][serves[block] & (side[block] == half)][:n]
            by_count.setdefault(len(neurons), []).append((j, neurons))
    found: list[tuple[np.ndarray, ...]] = []
    outputs = np.arange(d_out)
    for count, groups in sorted(by_count.items()):
        step = max(1, _SOLVER_ROWS // (d_out * R))
        for start in range(0, len(groups), step) if count else ():
            coords = np.array([j for j, _ in groups[start : start + step]])
            neurons = np.stack([part for _, part in groups[start : start + step]])
            cells = source.flat(layer_a, outputs[:, None], neurons[:, None, :])[..., None]  # (groups, d_out, count, 1)
            a = source.element(layer_a, cells, draw=np.arange(R))
            keys = np.rint(np.ldexp(a * b[neurons][:, None, :, None], KEY_BITS)).reshape(-1, count, R)
            aims = np.rint(np.ldexp(w.T[coords], KEY_BITS)).reshape(-1)
            choice = _solve(keys, aims, device, jobs).reshape(len(coords), d_out, count)
            group, out, place = np.nonzero(choice >= 0)
            draws = choice[group, out, place]
            found.append((out, neurons[group, place], draws, a[group, out, place, draws]))
            tick(len(coords) * d_out)
        if not count:
            tick(len(groups) * d_out)
    empty = np.empty(0, np.int64)
    columns = [np.concatenate(parts) for parts in zip((empty, empty, empty, empty.astype(float)), *found, strict=True)]
    used = np.unique(columns[1])
    kept_b = Kept(*(torch.from_numpy(part) for part in (used, used // (2 * n), draw_b[used], b[used])))
    return kept_b, Kept.sort(*(torch.from_numpy(part) for part in columns))


def _solve(keys: np.ndarray, aims: np.ndarray, device: str, jobs: int | None) -> np.ndarray:
    """Index of the draw taken of every variable, -1 for none; keys (rows, count, R) and aims are whole numbers."""
    binary = keys.shape[2] == 1
    if binary and torch.device(device).type != "cpu":
        whole = [torch.from_numpy(part.astype(np.int64)).to(device) for part in (keys[:, :, 0], aims)]
        return best_subsets_torch(*whole)[1].cpu().numpy().astype(np.int64) - 1
    # divided by 2^KEY_BITS nothing is rounded again as long as the row's sizes add up to less than 64
    values, targets = np.ldexp(keys, -KEY_BITS), np.ldexp(aims, -KEY_BITS)
    best = best_subsets(values[:, :, 0] if binary else values, targets, jobs=jobs)
    return best.choice.astype(np.int64) - 1 if binary else best.choice.astype(np.int64)
