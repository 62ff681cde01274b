"""Masks from scores: exactly `n_keep` entries are kept, whatever the ties, the dtype or the memory layout.

The published codes disagree here: one sorts and cuts at ``int((1 - density) * n)``, which truncation makes one too many
for a fifth of the simple fractions, one keeps every entry tied with a threshold. Here the count is a declared integer
and equal keys are taken in row-major order, so a mask is a pure function of the keys on every machine and device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nets.arguments import of_type
from nets.device import has_kernels
from nets.search.check import Number, exact_fraction, index
from theory.numerics.check import shown


def count_to_keep(density: Number, numel: int) -> int:
    """Number of weights that a density keeps: density * numel, rounded to the nearest integer, and at least 1.

    Parameters
    ----------
    density : float, Fraction, Decimal or str
        Part kept, in (0, 1]. A float means the decimal that it prints as: 0.1 is 1/10.
    numel : int >= 1
        Number of weights.

    Returns
    -------
    int
        In [1, numel]. The product is exact and halves go to the even neighbour, as in Python's `round`; a layer too
        small for its density keeps one weight, because a layer without weights cuts the network.

    Examples
    --------
    >>> count_to_keep(0.2, 2560), count_to_keep(0.1, 1728), count_to_keep(0.9, 1000), count_to_keep(0.01, 27)
    (512, 173, 900, 1)
    """
    part = exact_fraction("density", density)
    if not 0 < part <= 1:
        raise ValueError(f"density must be in (0, 1], got density={shown(density)}")
    numel = index("numel", numel, 1)
    return max(1, round(part * numel))


def keep_mask(key: torch.Tensor, n_keep: int) -> torch.Tensor:
    """Mask of the `n_keep` largest keys.

    Parameters
    ----------
    key : torch.Tensor, any shape, real floating dtype, any device
        The ranking key: the scores or their absolute values. NaN ranks with -inf, below every finite number.
    n_keep : int
        In [0, key.numel()].

    Returns
    -------
    torch.Tensor of bool
        Shape, device and memory format of `key`; exactly `n_keep` entries are True. Among equal keys the one first
        in row-major order is kept. On CUDA nothing waits for the device.

    Raises
    ------
    ValueError
        If `n_keep` is outside its range or the keys are not real floating numbers.

    Examples
    --------
    >>> keep_mask(torch.tensor([[1.0, 3.0], [1.0, 2.0]]), 3).int()
    tensor([[1, 1],
            [0, 1]], dtype=torch.int32)
    """
    _check_keys(key)
    if not isinstance(n_keep, int) or isinstance(n_keep, bool) or not 0 <= n_keep <= key.numel():
        raise ValueError(f"n_keep must be in [0, {key.numel()}], got n_keep={shown(n_keep)}")
    if torch.compiler.is_compiling() or inside_functorch(key):
        mask: torch.Tensor = torch.ops.strong_tickets.keep_mask(key.detach(), n_keep)
        return mask
    return _keep_mask(key, n_keep)


def _check_keys(key: torch.Tensor) -> None:
    if not isinstance(key, torch.Tensor) or not key.is_floating_point() or key.layout != torch.strided:
        found = f"dtype {key.dtype}" if isinstance(key, torch.Tensor) else f"a {type(key).__name__}"
        raise ValueError(f"key must be a dense tensor of real floating numbers, got {found}")


def inside_functorch(tensor: torch.Tensor) -> bool:
    """Whether `torch.func` has wrapped a tensor: it then has no memory to look at and may stand for many tensors."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def keep_masks_global(keys: Sequence[torch.Tensor], n_keep: int) -> list[torch.Tensor]:
    """Masks of the `n_keep` largest keys of several tensors taken together.

    Parameters
    ----------
    keys : sequence of torch.Tensor
        As for `keep_mask`, all on one device.
    n_keep : int
        In [0, total number of keys].

    Returns
    -------
    list of torch.Tensor of bool
        One mask for each tensor, `n_keep` True entries in all; equal keys are taken in the order of the tensors, then
        in row-major order.

    Examples
    --------
    >>> a, b = keep_masks_global([torch.tensor([1.0, 5.0]), torch.tensor([[5.0], [5.0]])], 2)
    >>> a.tolist(), b.tolist()
    ([False, True], [[True], [False]])
    """
    for key in of_type("keys", keys, (list, tuple), "a list of tensors"):
        _check_keys(key)
    flat = keep_mask(torch.cat([key.detach().reshape(-1) for key in keys]), n_keep)
    parts = torch.split(flat, [key.numel() for key in keys])
    return [_laid_out_like(key, part) for key, part in zip(keys, parts, strict=True)]


def _keep_mask(key: torch.Tensor, n_keep: int) -> torch.Tensor:
    key = key.detach()
    if n_keep in (0, key.numel()):
        return torch.full_like(key, bool(n_keep), dtype=torch.bool)
    flat = torch.nan_to_num(key.reshape(-1), nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    return _laid_out_like(key, (_select_cpu if has_kernels(key.device) else _select)(flat, n_keep))


def _laid_out_like(key: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """A row-major flat mask in the shape and memory format of `key`."""
    mask = flat.reshape(key.shape)
    if mask.stride() == key.stride():
        return mask
    return torch.empty_like(key, dtype=torch.bool).copy_(mask)


def _select_cpu(flat: torch.Tensor, n_keep: int) -> torch.Tensor:
    """NumPy's partition is vectorised: on CPUs with AVX-512 some 17 times as fast as torch.kthvalue or topk."""
    if flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    cut = flat.numel() - n_keep
    threshold = float(np.partition(flat.numpy(), cut)[cut])
    mask = flat >= threshold
    surplus = int(torch.count_nonzero(mask)) - n_keep
    if surplus:
        tied = torch.nonzero(flat == threshold)[:, 0]
        mask[tied[len(tied) - surplus :]] = False
    return mask


def _select(flat: torch.Tensor, n_keep: int) -> torch.Tensor:
    """No look at a number: topk finds the lowest key kept or the highest dropped, a running count shares the ties."""
    n_drop = flat.numel() - n_keep
    if n_keep <= n_drop:
        threshold = flat.topk(n_keep, sorted=False).values.min()
    else:
        threshold = flat.topk(n_drop, largest=False, sorted=False).values.max()
    above = flat > threshold
    tied = flat == threshold
    room = n_keep - above.sum()
    return above | (tied & (tied.cumsum(0) <= room))


@torch.library.custom_op("strong_tickets::keep_mask", mutates_args=())
def _keep_mask_op(key: torch.Tensor, n_keep: int) -> torch.Tensor:
    return _keep_mask(key, n_keep).clone()


@_keep_mask_op.register_fake
def _(key: torch.Tensor, n_keep: int) -> torch.Tensor:
    return torch.empty_like(key, dtype=torch.bool)


@_keep_mask_op.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], key: torch.Tensor, n_keep: int) -> tuple[torch.Tensor, int]:
    keys = key.movedim(in_dims[0] or 0, 0)
    return torch.stack([keep_mask(one, n_keep) for one in keys]), 0
