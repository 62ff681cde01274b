"""Masks, products and gradients in one pass each over memory, on the CPU: the same bits as PyTorch's operators give.

What a training step costs beyond a dense one is passes over the scores. The threshold of a mask is looked for among the
few keys near the last one: one pass counts the keys above and takes the ones near out; if the threshold is not among
them, all keys are partitioned. The result never depends on the guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.device import has_kernels
from sims.jit import njit

_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_BLOCK = 64
SMALL = 2**13
"""Below this number of elements PyTorch's operators are as fast, and nothing has to be compiled."""
_WIDEST, _NARROWEST = 0.02, 0.0005

Floats = npt.NDArray[Any]


@njit(**_JIT)
def _near(scores, low, high, absolute, band):  # type: ignore[no-untyped-def]
    """Number of keys above `high`, and of keys in [low, high], which go to `band`; -1 where they have no room."""
    above, inside, room = 0, 0, len(band)
    for start in range(0, len(scores), _BLOCK):
        block = scores[start : start + _BLOCK]
        over, from_low = np.int32(0), np.int32(0)
        if absolute:
            for i in range(len(block)):
                key = abs(block[i])
                over += np.int32(key > high)
                from_low += np.int32(key >= low)
        else:
            for i in range(len(block)):
                key = block[i]
                over += np.int32(key > high)
                from_low += np.int32(key >= low)
        above += int(over)
        if over != from_low:
            if inside + _BLOCK > room:
                return above, -1
            for i in range(len(block)):  # every key is written, the place moves on for the ones inside
                key = abs(block[i]) if absolute else block[i]
                band[inside] = key
                inside += (key >= low) & (key <= high)
    return above, inside


@njit(**_JIT)
def _from(scores, cut, absolute, out):  # type: ignore[no-untyped-def]
    """Whether keys are at least `cut`."""
    for i in range(len(scores)):
        key = abs(scores[i]) if absolute else scores[i]
        out[i] = key >= cut


@njit(**_JIT)
def _product(value, mask, out):  # type: ignore[no-untyped-def]
    for i in range(len(value)):
        out[i] = value[i] if mask[i] else value[i] * 0


@njit(**_JIT)
def _signs(value, size, out):  # type: ignore[no-untyped-def]
    for i in range(len(value)):
        out[i] = (np.int8(value[i] > 0) - np.int8(value[i] < 0)) * size


@njit(**_JIT)
def _gradient(grad, slope, scores, signed, out):  # type: ignore[no-untyped-def]
    if signed:
        for i in range(len(grad)):
            s = scores[i]
            out[i] = grad[i] * slope[i] * (np.int8(s > 0) - np.int8(s < 0))
    else:
        for i in range(len(grad)):
            out[i] = grad[i] * slope[i]


class Threshold:
    """The lowest key that is kept, remembered from mask to mask.

    Examples
    --------
    >>> cut, surplus = Threshold().of(np.array([3.0, -1.0, 2.0, 2.0]), 2, absolute=False)
    >>> float(cut), surplus
    (2.0, 1)
    """

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._share = 0.0
        self._aim = (0, 0, False)
        self._band: Floats | None = None

    def of(self, scores: Floats, n_keep: int, *, absolute: bool) -> tuple[Any, int]:
        """The n_keep-th largest key, and by how many the keys that are at least as large exceed `n_keep`.

        Parameters
        ----------
        scores : float array of shape (n,)
            NaN ranks with -inf.
        n_keep : int
            In [1, n].
        absolute : bool
            Whether abs(score) is the key.
        """
        n = len(scores)
        aim = (n, n_keep, absolute)
        if self._share and self._aim == aim:
            found = self._warm(scores, n_keep, absolute)
            if found is not None:
                self._share = max(self._share * 0.9, _NARROWEST)
                return found
            self._share = min(self._share * 4, _WIDEST)
        else:
            self._share = 4 * _NARROWEST
        self._aim = aim
        keys = np.abs(scores) if absolute else scores.copy()
        np.nan_to_num(keys, copy=False, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        cut = self._split(keys, n - n_keep, n)
        return cut, int(np.count_nonzero(keys >= cut)) - n_keep

    def _warm(self, scores: Floats, n_keep: int, absolute: bool) -> tuple[Any, int] | None:
        room = int(8 * self._share * len(scores)) + 2 * _BLOCK
        if self._band is None or len(self._band) < room or self._band.dtype != scores.dtype:
            self._band = np.empty(room, scores.dtype)
        low, high = scores.dtype.type(self._low), scores.dtype.type(self._high)
        above, inside = _near(scores, low, high, absolute, self._band)
        if not above < n_keep <= above + inside:
            return None
        keys = self._band[:inside]
        cut = self._split(keys, inside - (n_keep - above), len(scores))
        return cut, above + int(np.count_nonzero(keys >= cut)) - n_keep

    def _split(self, keys: Floats, place: int, n: int) -> Any:
        """The key at a place in rising order; the keys a little below and above it are remembered."""
        width = max(1, int(self._share * n))
        low, high = max(0, place - width), min(len(keys) - 1, place + width)
        keys.partition((low, place, high))
        self._low, self._high = float(keys[low]), float(keys[high])
        return keys[place]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_band": None}


def flat_arrays(*tensors: torch.Tensor) -> list[Floats] | None:
    """The numbers of tensors of one layout as flat arrays over the same memory, or None where that is not possible.

    Examples
    --------
    >>> flat_arrays(torch.ones(2, 3)) is None  # small
    True
    """
    first = tensors[0]
    if first.numel() < SMALL or first.dtype not in (torch.float32, torch.float64) or torch.compiler.is_compiling():
        return None
    for tensor in tensors:
        if (
            type(tensor) not in (torch.Tensor, torch.nn.Parameter)
            or not has_kernels(tensor.device)
            or tensor.stride() != first.stride()
            or tensor.shape != first.shape
            or tensor.dtype not in (first.dtype, torch.bool)
            or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        ):
            return None
    if torch._C._are_functorch_transforms_active() or not _dense(first):
        return None
    return [tensor.detach().as_strided((tensor.numel(),), (1,)).numpy() for tensor in tensors]


def _dense(tensor: torch.Tensor) -> bool:
    """Whether the numbers lie together in memory, in any order of the axes."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True


def mask_from(scores: torch.Tensor, n_keep: int, threshold: Threshold, *, absolute: bool) -> torch.Tensor | None:
    """The mask of the `n_keep` largest keys, or None where it must be made otherwise: few scores, or ties at the cut.

    Returns
    -------
    torch.Tensor of bool or None
        Shape and memory format of `scores`.
    """
    arrays = flat_arrays(scores) if 0 < n_keep < scores.numel() else None
    if arrays is None:
        return None
    cut, surplus = threshold.of(arrays[0], n_keep, absolute=absolute)
    if surplus or cut == -np.inf:
        return None
    mask = torch.empty_like(scores, dtype=torch.bool)
    _from(arrays[0], cut, absolute, mask.as_strided((mask.numel(),), (1,)).numpy())
    return mask


def product(value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """value * mask."""
    arrays = flat_arrays(value, mask) if mask.dtype == torch.bool else None
    if arrays is None:
        return value * mask
    out = torch.empty_like(value)
    _product(arrays[0], arrays[1], out.as_strided((out.numel(),), (1,)).numpy())
    return out


def signs(value: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """sign(value) * size, for a size of shape () and the dtype of `value`."""
    arrays = flat_arrays(value) if type(size) is torch.Tensor else None
    if arrays is None:
        return torch.sign(value) * size
    out = torch.empty_like(value)
    _signs(arrays[0], size.detach().numpy()[()], out.as_strided((out.numel(),), (1,)).numpy())
    return out


def gradient(grad: torch.Tensor, slope: torch.Tensor, scores: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """grad * slope, times sign(scores) if `signed`, in the dtype of the scores."""
    arrays = None if torch.is_grad_enabled() else flat_arrays(grad, slope, scores)  # else it is differentiated again
    if arrays is None:
        out = (grad * slope).to(scores.dtype)
        return out * torch.sign(scores) if signed else out
    out = torch.empty_like(scores)
    _gradient(arrays[0], arrays[1], arrays[2], signed, out.as_strided((out.numel(),), (1,)).numpy())
    return out
