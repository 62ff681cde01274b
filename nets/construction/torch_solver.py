"""The exact best subset of n integers for a whole batch, in torch operations: the CPU kernel's answers on CUDA.

Meet in the middle, as in `sims.solver`: a negative value is replaced by its size and the target moved by it; the
sizes are cut into halves of n // 2 and n - n // 2; both lists of subset sums are made and sorted for all rows at
once, and every sum of the first list looks up the two neighbours of what is missing.

Among equally good choices the winner is the one with the smallest first half sum, then the smaller total, then with
values left out from the last one backwards: the rule of the CPU kernel.
"""

from __future__ import annotations

import torch

from nets.arguments import dense
from nets.device import free_bytes
from sims.solver.fixed_point import LIMIT
from sims.solver.limits import between


def best_subsets_torch(
    x: torch.Tensor, targets: torch.Tensor, *, max_bytes: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best subset of every row, on the device of x.

    Parameters
    ----------
    x : torch.Tensor of int64, shape (rows, n), n >= 1
    targets : torch.Tensor of int64, shape (rows,)
        The sum of the sizes of a row and its target must be at most 2^60.
    max_bytes : int, optional
        Memory for the lists of one part of the batch; by default a quarter of the free memory of a CUDA device, else
        256 MiB. The result does not depend on it.

    Returns
    -------
    errors : torch.Tensor of int64, shape (rows,)
        Smallest \\|sum - target\\|; the empty subset (sum 0) is allowed.
    masks : torch.Tensor of bool, shape (rows, n)
        The subset `sims.solver.best_subsets` names for the same integers.

    Raises
    ------
    ValueError
        Wrong dtype, shape or device, sizes above the limit, or lists of one row that do not fit into `max_bytes`.

    Examples
    --------
    >>> errors, masks = best_subsets_torch(torch.tensor([[4, -6, 1, 2]]), torch.tensor([3]))
    >>> errors.tolist(), masks.tolist()
    ([0], [[False, False, True, True]])
    """
    x, targets = dense("x", x), dense("targets", targets)
    if max_bytes is not None:
        max_bytes = between("max_bytes", max_bytes, 1, 2**62)
    if x.dtype != torch.int64 or x.ndim != 2 or x.shape[1] < 1:
        raise ValueError(f"x must be int64 of shape (rows, n) with n >= 1, got {x.dtype} of shape {tuple(x.shape)}")
    if targets.dtype != torch.int64 or targets.shape != x.shape[:1] or targets.device != x.device:
        raise ValueError(
            f"targets must be int64 of shape ({len(x)},) on {x.device}, got {targets.dtype} of {tuple(targets.shape)}"
        )
    if len(x) == 0:
        return targets.clone(), x.bool()
    # in float64 so that the check itself cannot overflow; a relative rounding of 1e-15 does not matter below 2^62
    if bool((x.double().abs().sum(1) + targets.double().abs() > LIMIT).any()):
        raise ValueError(f"the sizes of a row and its target must add up to at most {LIMIT}")
    if max_bytes is None:
        max_bytes = free_bytes(x.device) // 4 if x.device.type == "cuda" else 2**28
    row_bytes = 8 * 12 * 2 ** (-(-max(x.shape[1], 2) // 2))
    if row_bytes > max_bytes:
        raise ValueError(f"n={x.shape[1]} needs {row_bytes} bytes a row, the limit is max_bytes={max_bytes}")
    rows = max_bytes // row_bytes
    parts = [_solve(part, t) for part, t in zip(x.split(rows), targets.split(rows), strict=True)]
    errors, masks = zip(*parts, strict=True)
    return torch.cat(errors), torch.cat(masks)


def _solve(x: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    n = max(x.shape[1], 2)
    sizes = torch.nn.functional.pad(x.abs(), (0, n - x.shape[1]))
    targets = targets - x.clamp(max=0).sum(1)
    first, second = sizes[:, : n // 2], sizes[:, n // 2 :]
    p, q = _sums(first), _sums(second)
    missing = targets[:, None] - p
    above = torch.searchsorted(q, missing)
    low = q.gather(1, (above - 1).clamp(min=0))
    high = q.gather(1, above.clamp(max=q.shape[1] - 1))
    # the lower neighbour wins a tie: the smaller total; p is sorted, so the first best place has the smallest half sum
    below = (missing - low).abs() <= (missing - high).abs()
    error = torch.where(below, missing - low, missing - high).abs()
    errors = error.amin(1)
    place = (error == errors[:, None]).to(torch.int8).argmax(1, keepdim=True)
    half_p = p.gather(1, place)[:, 0]
    half_q = torch.where(below, low, high).gather(1, place)[:, 0]
    taken = torch.cat([_trace(first, half_p), _trace(second, half_q)], 1)[:, : x.shape[1]]
    return errors, taken ^ (x < 0)


def _sums(values: torch.Tensor) -> torch.Tensor:
    """Sorted subset sums of every row: (rows, k) to (rows, 2^k)."""
    sums = values.new_zeros(len(values), 1)
    for i in range(values.shape[1]):
        sums = torch.cat([sums, sums + values[:, i : i + 1]], 1)
    return sums.sort(1).values


def _trace(sizes: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Which sizes make up the half sum: from the last one backwards, left out where the sum is present without it."""
    levels = [sizes.new_zeros(len(sizes), 1)]
    for i in range(sizes.shape[1] - 1):
        levels.append(torch.cat([levels[-1], levels[-1] + sizes[:, i : i + 1]], 1))
    taken = torch.zeros_like(sizes, dtype=torch.bool)
    for i in range(sizes.shape[1] - 1, -1, -1):
        taken[:, i] = ~(levels[i] == value[:, None]).any(1)
        value = torch.where(taken[:, i], value - sizes[:, i], value)
    return taken
