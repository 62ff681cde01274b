"""The mask of one weight matrix: 0 or 1 for every weight, checked on construction, counted in whole numbers.

The word "rate" is avoided on purpose: the literature uses it both for what is kept and for what is removed. Here
`density` is the part kept, `sparsity` the part removed, and `n_keep` the number kept, which is what code should use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nets.arguments import as_input, dense, of_type, several
from nets.construction import bits
from sims.solver.limits import between


class Mask:
    """A 0/1 mask over a weight tensor; it cannot be changed once made.

    Parameters
    ----------
    values : torch.Tensor, numpy.ndarray or nested sequence, any shape with at least one element
        The mask. Any real dtype is accepted as long as every entry equals 0 or 1 exactly. The values are copied.

    Raises
    ------
    ValueError
        If the mask is empty, is not real numbers, or holds a value other than 0 and 1 (NaN included).

    Source
    ------
    Masks M_j of theory/PROOFS.md, section 0.

    Examples
    --------
    >>> mask = Mask([[1, 0, 0], [1, 1, 0]])
    >>> mask.n_keep, mask.density, mask.sparsity
    (3, 0.5, 0.5)
    >>> mask
    Mask(shape=(2, 3), n_keep=3)
    >>> Mask.unpack(mask.pack(), mask.shape) == mask
    True
    >>> Mask([0.0, 0.5])
    Traceback (most recent call last):
        ...
    ValueError: mask values must be 0 or 1, got 0.5 at index (1,)
    """

    __slots__ = ("_bits", "_n_keep")
    _bits: torch.Tensor
    _n_keep: int

    def __init__(self, values: Any) -> None:
        checked = _checked_bits(values)
        object.__setattr__(self, "_bits", checked)
        object.__setattr__(self, "_n_keep", int(checked.sum()))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Mask cannot be changed, tried to set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Mask cannot be changed, tried to delete {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Mask.unpack, (self.pack(), self.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the mask, the shape of the weights it fits."""
        return tuple(self._bits.shape)

    @property
    def numel(self) -> int:
        """Number of weights under the mask, kept or not."""
        return self._bits.numel()

    @property
    def n_keep(self) -> int:
        """Number of weights kept."""
        return self._n_keep

    @property
    def density(self) -> float:
        """Part of the weights that is kept, n_keep / numel, in [0, 1]."""
        return self.n_keep / self.numel

    @property
    def sparsity(self) -> float:
        """Part of the weights that is removed, (numel - n_keep) / numel, in [0, 1]."""
        return (self.numel - self.n_keep) / self.numel

    def to_tensor(self, dtype: torch.dtype = torch.bool) -> torch.Tensor:
        """Return a fresh copy of the mask as a tensor.

        Parameters
        ----------
        dtype : torch.dtype
            Any dtype; 0 and 1 are exact in all of them.

        Returns
        -------
        torch.Tensor, shape `shape`
            A copy: writing to it leaves the mask alone.

        Examples
        --------
        >>> Mask([True, False]).to_tensor(torch.float32)
        tensor([1., 0.])
        """
        return self._bits.to(of_type("dtype", dtype, torch.dtype), copy=True)

    def apply(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the pruned weights: `weight` where the mask is 1, zero where it is 0.

        Parameters
        ----------
        weight : torch.Tensor, shape `shape`
            The weights of the source network, on the mask's device.

        Returns
        -------
        torch.Tensor, shape `shape`, dtype of `weight`
            A new tensor; kept weights are bit for bit those given, removed ones are +0 (even where `weight` is not
            finite).

        Raises
        ------
        ValueError
            If the shapes differ.

        Examples
        --------
        >>> Mask([1, 0]).apply(torch.tensor([2.0, float("nan")]))
        tensor([2., 0.])
        """
        weight = as_input("weight", weight)
        if tuple(weight.shape) != self.shape:
            raise ValueError(f"weight must have the mask's shape {self.shape}, got shape {tuple(weight.shape)}")
        return torch.where(self._bits, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))

    def pack(self) -> bytes:
        """Return the mask in one bit per weight.

        Returns
        -------
        bytes, length ceil(numel / 8)
            Row-major order, the first weight in the lowest bit of the first byte; unused bits of the last byte are 0.

        Examples
        --------
        >>> Mask([1, 0, 0, 0, 0, 0, 0, 0, 1]).pack()
        b'\\x01\\x01'
        """
        return bits.pack(self._bits.cpu().numpy()).tobytes()

    @classmethod
    def unpack(cls, data: bytes, shape: Sequence[int]) -> Mask:
        """Rebuild the mask that `pack` wrote.

        Parameters
        ----------
        data : bytes, length ceil(prod(shape) / 8)
        shape : sequence of int, each >= 1

        Raises
        ------
        ValueError
            If the length does not fit the shape, or an unused bit of the last byte is set.

        Examples
        --------
        >>> Mask.unpack(b"\\x05", (3,)).to_tensor(torch.int64)
        tensor([1, 0, 1])
        """
        shape = tuple(between("shape", side, 1, 2**62) for side in several("shape", shape))
        data = of_type("data", data, bytes, "bytes")
        numel = math.prod(shape)
        expected = -(-numel // 8)
        if len(data) != expected:
            raise ValueError(f"data must be {expected} bytes for shape {shape}, got {len(data)} bytes")
        packed = np.frombuffer(data, dtype=np.uint8)
        if bits.spare_bits(packed, numel):
            raise ValueError(
                f"data must have its {8 * expected - numel} unused bits at 0, got last byte {data[-1]:#04x}"
            )
        return cls(torch.from_numpy(bits.unpack(packed, numel).reshape(shape)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.shape == other.shape and torch.equal(self._bits.cpu(), other._bits.cpu())

    def __hash__(self) -> int:
        return hash((self.shape, self.pack()))

    def __repr__(self) -> str:
        return f"Mask(shape={self.shape}, n_keep={self.n_keep})"


def _checked_bits(values: Any) -> torch.Tensor:
    """Copy `values` into a bool tensor, or say which entry is neither 0 nor 1."""
    if isinstance(values, Mask):
        raise ValueError("mask values must be numbers, got a Mask")
    tensor = dense("mask values", values)
    if tensor.numel() == 0:
        raise ValueError(f"mask must have at least one element, got shape {tuple(tensor.shape)}")
    if tensor.is_complex():
        raise ValueError(f"mask values must be real, got dtype {tensor.dtype}")
    if tensor.dtype == torch.bool:
        return tensor.clone(memory_format=torch.contiguous_format)
    bad = ~((tensor == 0) | (tensor == 1))
    if bool(bad.any()):
        index = tuple(int(i) for i in torch.nonzero(bad)[0])
        raise ValueError(f"mask values must be 0 or 1, got {tensor[index].item()!r} at index {index}")
    return (tensor == 1).contiguous()
