"""The best neuron, or one for each part, of every weight of a layer: kernels on the CPU, torch operations elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.construction import pick
from nets.construction import pick_torch as _pick_torch
from nets.device import has_kernels
from sims.solver.arguments import jobs_of
from sims.threads import each

_TASK_DRAWS = 2**23


def scan_layer(
    seeds: np.ndarray,
    layer_b: int,
    weights: torch.Tensor,
    *,
    n: int,
    R: int,
    eta: float,
    window: bool,
    open_signs: bool,
    by_law: bool,
    halves: int,
    device: str = "cpu",
    jobs: int | None = None,
    parts: int = 1,
    place: tuple[int, int, int] | None = None,
) -> dict[str, torch.Tensor]:
    """Records of one target layer for many sources: the kernels of `nets.construction.pick`, or torch operations off
    the CPU.

    Parameters
    ----------
    parts : int
        From 2 on: every weight is a sum of so many products, see `nets.construction.pick.scan_parts`.
    place : tuple of 3 int, optional
        Where the weights stand in a gadget of several groups or more rows: the gadget's input coordinates, the first
        coordinate, and the first row over all groups.

    Returns
    -------
    dict of torch.Tensor, shape (len(seeds), halves parts, d_i, d_{i-1})
        ``err`` abs(ab - w); ``neuron`` 0..2n-1 inside the coordinate's block or -1; ``a b draw_a draw_b hit``.
    """
    trials = len(seeds)
    d_out, d_in = weights.shape[1:]
    options: dict[str, Any] = {"n": n, "R": R, "eta": eta, "window": window, "open_signs": open_signs, "by_law": by_law}
    if not has_kernels(device):
        bits, moved = torch.from_numpy(seeds.view(np.int64)).to(device), weights.to(device)
        rows = max(1, _pick_torch.budget(torch.device(device)) // (d_out * d_in))
        found = [
            _pick_torch.scan(
                part, layer_b, moved[k * rows : k * rows + len(part)] if len(moved) > 1 else moved,
                halves=halves, parts=parts, place=place, **options,
            )
            for k, part in enumerate(bits.split(rows))
        ]  # fmt: skip
        return {key: torch.cat([part[key] for part in found]) for key in found[0]}
    shape = (trials, halves * parts, d_out, d_in)
    kinds: dict[str, npt.DTypeLike] = {"err": np.float64, "neuron": np.int64, "a": np.float64, "b": np.float64}
    kinds |= {"draw_a": np.int64, "draw_b": np.int64, "hit": np.bool_}
    records = {key: np.empty(shape, kind) for key, kind in kinds.items()}
    cube = np.ascontiguousarray(weights.numpy())
    jobs = jobs_of(jobs)
    cost = 2 * n * (1 + d_out) * (1 if by_law else R)
    step_j = max(1, min(d_in, _TASK_DRAWS // cost)) if trials == 1 else (d_in if cost * d_in <= _TASK_DRAWS else 1)
    if trials == 1 and jobs > 1:
        step_j = min(step_j, -(-d_in // jobs))
    step_t = max(1, min(_TASK_DRAWS // (cost * step_j), -(-trials // jobs)))

    where = place or (d_in, 0, 0)

    def task(t: int, j: int) -> None:
        part = slice(t, min(t + step_t, trials))
        w = cube[part] if len(cube) > 1 else cube
        out = [array[part] for array in records.values()]
        span = j, min(j + step_j, d_in)
        if parts > 1:
            pick.scan_parts(seeds[part], layer_b, where, w, n, R, parts, open_signs, by_law, *span, *out)
        else:
            pick.scan(seeds[part], layer_b, where, w, n, R, eta, window, open_signs, by_law, *span, *out)

    each(task, [(t, j) for t in range(0, trials, step_t) for j in range(0, d_in, step_j)], jobs=jobs)
    return {key: torch.from_numpy(array) for key, array in records.items()}
