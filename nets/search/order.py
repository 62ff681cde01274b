"""Places of scores by rank, and values moved from place to place."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nets.device import has_kernels
from nets.search.fused import SMALL
from sims.jit import njit

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_DIGIT = 11
_BUCKETS = 2**_DIGIT


@njit(**_JIT)
def _radix(keys):  # type: ignore[no-untyped-def]
    """Places of 32-bit keys in rising order, of equal ones the last place first: three passes of 11 bits."""
    n = len(keys)
    low = np.uint32(_BUCKETS - 1)
    start = np.zeros((3, _BUCKETS), np.int64)
    for i in range(n):
        key = keys[i]
        start[0, key & low] += 1
        start[1, (key >> np.uint32(_DIGIT)) & low] += 1
        start[2, key >> np.uint32(2 * _DIGIT)] += 1
    for digit in range(3):
        total = 0
        for place in range(_BUCKETS):
            count = start[digit, place]
            start[digit, place] = total
            total += count
    first, second = np.empty(n, np.uint64), np.empty(n, np.uint64)
    for i in range(n - 1, -1, -1):
        key = keys[i]
        bucket = key & low
        first[start[0, bucket]] = (np.uint64(key) << np.uint64(32)) | np.uint64(i)
        start[0, bucket] += 1
    for i in range(n):
        both = first[i]
        bucket = np.uint32(both >> np.uint64(32 + _DIGIT)) & low
        second[start[1, bucket]] = both
        start[1, bucket] += 1
    out = np.empty(n, np.int64)
    for i in range(n):
        both = second[i]
        bucket = np.uint32(both >> np.uint64(32 + 2 * _DIGIT))
        out[start[2, bucket]] = np.int64(both & np.uint64(0xFFFFFFFF))
        start[2, bucket] += 1
    return out


@njit(**_JIT)
def _move(values, source, to):  # type: ignore[no-untyped-def]
    for j in range(len(to)):
        values[to[j]] = values[source[j]]


def rising_order(key: torch.Tensor) -> torch.Tensor:
    """Row-major places of non-negative keys in rising order, the last of equal ones first; NaN counts as the highest.

    Parameters
    ----------
    key : torch.Tensor, any shape
        Of fewer than 2^32 elements.

    Returns
    -------
    torch.Tensor of int64, shape (numel,)

    Examples
    --------
    >>> rising_order(torch.tensor([[2.0, 0.0], [2.0, 1.0]])).tolist()
    [1, 3, 2, 0]
    """
    flat = key.detach().reshape(-1)
    if not has_kernels(flat.device) or flat.dtype != torch.float32 or len(flat) < SMALL:
        return flat.argsort(stable=True, descending=True).flip(0)
    return torch.from_numpy(_radix(flat.contiguous().numpy().view(np.uint32)))


def move(tensor: torch.Tensor, source: torch.Tensor, to: torch.Tensor) -> None:
    """Write the values at some places over those at others, in place; no place may be in both.

    Parameters
    ----------
    tensor : torch.Tensor, any shape
    source, to : torch.Tensor of int64
        Row-major places.

    Examples
    --------
    >>> tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> move(tensor, torch.tensor([3]), torch.tensor([0]))
    >>> tensor.tolist()
    [[4.0, 2.0], [3.0, 4.0]]
    """
    if has_kernels(tensor.device) and tensor.is_contiguous() and len(to) >= SMALL and tensor.dtype in _NUMBERS:
        _move(tensor.reshape(-1).numpy(), source.numpy(), to.numpy())
        return
    flat = tensor.reshape(-1).clone()
    flat[to] = flat[source]
    tensor.copy_(flat.reshape(tensor.shape))


_NUMBERS = (torch.float32, torch.float64, torch.int32)
