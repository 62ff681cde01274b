"""The random network g of depth 2l in which the pruned network is found, and its generator.

Target layer i (d_i x d_{i-1}) has two source layers: 2i-1 with matrix B_i of shape (2 d_{i-1} n_i, d_{i-1}) and 2i
with matrix A_i of shape (d_i, 2 d_{i-1} n_i); all entries are independent and uniform on [-1, 1], with ReLU between
all layers. Hidden neuron h = 2 n_i j + k, 0 <= k < 2 n_i, belongs to input coordinate j; the first n_i of a block (k
< n_i) are meant to get b > 0 and the others b < 0.

Nothing is stored. Draw r of element e (row-major number) of source layer m is the Philox draw with stream 2 + m,
trial e, index r (`sims.solver.philox`; stream 2 makes the seeds of Monte Carlo trials), a value m / 2^52 in [-1, 1):
it is
the same on every machine and can be made alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import as_input, doubles, several, whole_numbers
from nets.construction import pick
from nets.device import check_device, free_bytes, has_kernels
from sims.solver.limits import MAX_TRIAL, between
from sims.solver.memory import readable
from sims.solver.philox import MAX_SEED
from theory.numerics.check import positive_int, shown

SAMPLERS = ("draws", "nearest")
MAX_R = {"draws": 2**33, "nearest": 10**12}
"""Draws per element: the generator's counter, and the grid 2^-52 on which nearest values are rounded."""

_CHUNK = 2**22


class Source(torch.nn.Module):
    """A random ReLU network of depth 2l with U[-1, 1] entries; its weights are buffers, never Parameters.

    Parameters
    ----------
    widths : sequence of int
        d_0, ..., d_l of the target, l >= 1.
    n : int or sequence of int
        Neurons per input coordinate and sign: one number for all target layers or one for each.
    seed : int
        In [0, 2^64).
    R : int >= 1
        Draws that each element may take in total: one initial draw and up to R-1 re-samplings.
    sampler : {"draws", "nearest"}
        How "the nearest of R draws to an aim" is found. "draws" makes all R draws and returns one of them. "nearest"
        samples the distance of the nearest one by its exact law (theory/PROOFS.md, 1.3), whatever R is; the answer is
        then a fresh sample for this aim, so **each element may be asked for one aim only**.

    Source
    ------
    theory/PROOFS.md, section 0 and 1.3.

    Examples
    --------
    >>> source = Source([3, 2], 4, seed=1)
    >>> source.source_widths, source.depth
    ((3, 24, 2), 2)
    >>> g = source.materialise()
    >>> float(g.G1[5, 2]) == source.element(1, source.flat(1, 5, 2))
    True
    >>> len(list(g.parameters())), g(torch.zeros(7, 3)).shape
    (0, torch.Size([7, 2]))
    """

    def __init__(
        self, widths: Sequence[int], n: int | Sequence[int], *, seed: int, R: int = 1, sampler: str = "draws"
    ) -> None:
        super().__init__()
        self.widths = tuple(positive_int("widths", width) for width in several("widths", widths))
        if len(self.widths) < 2:
            raise ValueError(f"widths must be d_0, ..., d_l with l >= 1, got widths={widths!r}")
        self.n = per_layer_n(n, len(self.widths) - 1)
        self.seed = check_seed(seed)
        self.R, self.sampler = check_sampler(R, sampler)

    @property
    def depth(self) -> int:
        """Number 2l of source layers."""
        return 2 * len(self.n)

    @property
    def source_widths(self) -> tuple[int, ...]:
        """D_0, ..., D_2l."""
        hidden = [(2 * d_in * n, d_out) for d_in, d_out, n in zip(self.widths, self.widths[1:], self.n, strict=False)]
        return (self.widths[0], *(width for pair in hidden for width in pair))

    def shape(self, layer: int) -> tuple[int, int]:
        """Shape (D_j, D_{j-1}) of source layer j = 1, ..., 2l."""
        layer = between("layer", layer, 1, self.depth)
        return self.source_widths[layer], self.source_widths[layer - 1]

    def flat(self, layer: int, row: Any, col: Any) -> Any:
        """Row-major number of element (row, col) of a layer; integers or integer arrays."""
        rows, cols = self.shape(layer)
        place = whole_numbers("row", row), whole_numbers("col", col)
        for name, values, limit in zip(("row", "col"), place, (rows, cols), strict=True):
            _check_range(name, values, limit)
        found = place[0] * cols + place[1]
        return int(found) if found.ndim == 0 else found

    def element(self, layer: int, index: Any, *, draw: Any = 0) -> Any:
        """Values of single elements, made alone.

        Parameters
        ----------
        layer : int
            In 1, ..., 2l.
        index : int or array_like of int
            Row-major number of the element, see `flat`.
        draw : int or array_like of int, same shape or a scalar
            Which of its draws, in [0, R) (any R up to 2^33 where the sampler is "nearest").

        Returns
        -------
        float or ndarray of float64
            In [-1, 1), exactly m / 2^52.

        Raises
        ------
        ValueError
            If an index or a draw is outside its range.

        Examples
        --------
        >>> source = Source([2, 1], 3, seed=5, R=10)
        >>> bool(source.element(2, 7, draw=3) == source.element(2, [4, 7], draw=3)[1])
        True
        """
        rows, cols = self.shape(layer)
        limit = self.R if self.sampler == "draws" else MAX_R["draws"]
        elements, draws = _broadcast(index=whole_numbers("index", index), draw=whole_numbers("draw", draw))
        _check_range("index", elements, rows * cols)
        _check_range("draw", draws, limit)
        out = np.empty(elements.size)
        flat = np.array(elements).reshape(-1), np.array(draws).reshape(-1)
        pick.fill_elements(np.uint64(self.seed), 2 + layer, *flat, out)
        return float(out[0]) if elements.ndim == 0 else out.reshape(elements.shape)

    def pick(self, layer: int, index: npt.ArrayLike, *, aim: npt.ArrayLike, scale: npt.ArrayLike = 1.0) -> Any:
        """The nearest of an element's R draws: the draw v with the smallest \\|v * scale - aim\\|.

        Parameters
        ----------
        layer : int
            In 1, ..., 2l.
        index : array_like of int, shape S
            Row-major numbers of the elements.
        aim, scale : array_like of float, broadcast to S
            Scale must not be 0.

        Returns
        -------
        values : ndarray of float64, shape S
        draws : ndarray of int64, shape S
            Which draw it is (the first among equals), so that ``element(layer, index, draw=draws)`` is the value; -1
            where the sampler is "nearest", which names no draw.

        Raises
        ------
        ValueError
            If an index is outside its range or a scale is 0.

        Examples
        --------
        >>> source = Source([2, 1], 3, seed=5, R=1000)
        >>> value, draw = source.pick(2, [7], aim=0.25)
        >>> bool(value == source.element(2, [7], draw=draw)), bool(abs(value - 0.25) < 0.01)
        (True, True)
        """
        rows, cols = self.shape(layer)
        elements, aims, scales = _broadcast(
            index=whole_numbers("index", index),
            aim=doubles("aim", aim).cpu().numpy(),
            scale=doubles("scale", scale).cpu().numpy(),
        )
        _check_range("index", elements, rows * cols)
        if not scales.all():
            raise ValueError("scale must not be 0")
        values, draws = np.empty(elements.size), np.empty(elements.size, np.int64)
        flat = [np.array(part).reshape(-1) for part in (elements, scales, aims)]
        by_law = self.sampler == "nearest"
        pick.take_elements(np.uint64(self.seed), 2 + layer, flat[0], self.R, by_law, *flat[1:], values, draws)
        return values.reshape(elements.shape), draws.reshape(elements.shape)

    def matrix(
        self, layer: int, *, draw: int = 0, dtype: torch.dtype = torch.float64, device: str = "cpu"
    ) -> torch.Tensor:
        """One whole layer G_j, made in pieces.

        Parameters
        ----------
        layer : int
            In 1, ..., 2l.
        draw : int
            Which draw of every element.
        dtype : torch.dtype
            float64 is exact; float32 is rounded once.
        device : str
            The numbers are the same on every device.

        Returns
        -------
        torch.Tensor, shape (D_j, D_{j-1})

        Raises
        ------
        ValueError
            If layer or draw is outside its range, or the matrix takes more than half of the available memory.
        """
        shape = self.shape(layer)
        draw = between("draw", draw, 0, (self.R if self.sampler == "draws" else MAX_R["draws"]) - 1)
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise ValueError(f"dtype must be a floating one of PyTorch's, got dtype={shown(dtype)}")
        place = check_device(device)
        count = shape[0] * shape[1]
        size = count * torch.empty((), dtype=dtype).element_size()
        limit = free_bytes(place) // 2
        if size > limit:
            raise ValueError(
                f"layer {layer} of shape {shape} needs {readable(size)}, the limit is {readable(limit)}: "
                "stream it instead"
            )
        out = torch.empty(count, dtype=dtype, device=device)
        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            if has_kernels(place):
                part = np.empty(stop - start)
                pick.fill_range(np.uint64(self.seed), 2 + layer, start, draw, part)
                out[start:stop] = torch.from_numpy(part)
            else:
                elements = torch.arange(start, stop, device=device)
                out[start:stop] = draws_torch(self.seed, 2 + layer, elements, draw)
        return out.reshape(shape)

    def materialise(self, *, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Source:
        """Store the first draw of every layer as the buffers G1, ..., G2l and return self; see `matrix`."""
        for layer in range(1, self.depth + 1):
            self.register_buffer(f"G{layer}", self.matrix(layer, dtype=dtype, device=device), persistent=False)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The unpruned random network, g(x) = G_2l s(... s(G_1 x)); needs `materialise`.

        Parameters
        ----------
        x : torch.Tensor, shape (..., d_0)

        Returns
        -------
        torch.Tensor, shape (..., d_l)
        """
        if not hasattr(self, "G1"):
            raise ValueError("the source is streamed: call materialise() before a forward pass")
        x = as_input("x", x)
        if x.ndim == 0 or x.shape[-1] != self.widths[0]:
            raise ValueError(f"x must have last side d_0={self.widths[0]}, got shape {tuple(x.shape)}")
        hidden = x.to(self.get_buffer("G1").dtype)
        for layer in range(1, self.depth + 1):
            hidden = (torch.relu(hidden) if layer > 1 else hidden) @ getattr(self, f"G{layer}").T
        return hidden

    def extra_repr(self) -> str:
        return f"widths={self.source_widths}, seed={self.seed}, R={self.R}, sampler={self.sampler!r}"


def philox_torch(
    seed: int | torch.Tensor, stream: int, element: torch.Tensor, block: int | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Philox 4x32-10 on int64 tensors: the numbers of `sims.solver.philox` on any device.

    Parameters
    ----------
    seed : int in [0, 2^64) or int64 tensor holding the same bits
    stream : int in [0, 2^32)
    element : int64 tensor
        The trial words of the counter.
    block : int or int64 tensor, in [0, 2^32)

    Returns
    -------
    tuple of four int64 tensors, each in [0, 2^32)
        The words of the block; all arguments are broadcast.

    Source
    ------
    ``salmon2011``. A product of two 32-bit words wraps in int64 as it does in uint64, bit for bit.
    """
    low = 0xFFFFFFFF
    if isinstance(seed, torch.Tensor):
        k0, k1 = seed & low, (seed >> 32) & low
    else:
        k0, k1 = (torch.tensor(word, device=element.device) for word in (seed & low, seed >> 32))
    c0 = torch.as_tensor(block, dtype=torch.int64, device=element.device)
    c1 = torch.tensor(stream, device=element.device)
    c2, c3 = element & low, (element >> 32) & low
    c0, c1, c2, c3 = torch.broadcast_tensors(c0 + torch.zeros_like(k0), c1, c2, c3)
    for _ in range(10):
        p0 = c0 * 0xD2511F53
        p1 = c2 * 0xCD9E8D57
        c0, c2 = ((p1 >> 32) & low) ^ c1 ^ k0, ((p0 >> 32) & low) ^ c3 ^ k1
        c1, c3 = p1 & low, p0 & low
        k0 = (k0 + 0x9E3779B9) & low
        k1 = (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


def draws_torch(seed: int | torch.Tensor, stream: int, element: torch.Tensor, draw: int | torch.Tensor) -> torch.Tensor:
    """Draw `draw` of elements as float64 in [-1, 1): equal to `Source.element` on every device; all broadcast.

    Examples
    --------
    >>> source = Source([2, 1], 3, seed=2**64 - 1, R=4)
    >>> value = draws_torch(2**64 - 1, 2 + 2, torch.tensor([7]), 3)
    >>> value.item() == source.element(2, 7, draw=3)
    True
    """
    draw = torch.as_tensor(draw, dtype=torch.int64, device=element.device)
    w0, w1, w2, w3 = philox_torch(seed, stream, element, draw >> 1)
    odd = (draw & 1).bool()
    high, low = torch.where(odd, w3, w1), torch.where(odd, w2, w0)
    return ((high << 21 | low >> 11) - 2**52).double() * 2.0**-52


def trial_seeds(seed: int, first_trial: int, *, trials: int) -> npt.NDArray[np.uint64]:
    """Seeds of the sources of Monte Carlo trials: 64 bits of Philox by (seed, stream 2, trial).

    Parameters
    ----------
    seed, first_trial, trials : int
        Trials first_trial, ..., first_trial + trials - 1.

    Returns
    -------
    ndarray of uint64, shape (trials,)
        ``Source(..., seed=int(s))`` is the source of the trial.

    Examples
    --------
    >>> bool(trial_seeds(3, 0, trials=5)[2] == trial_seeds(3, 2, trials=1)[0])
    True
    """
    seed, trials = check_seed(seed), between("trials", trials, 0, 2**32)
    out = np.empty(trials, np.uint64)
    pick.fill_seeds(np.uint64(seed), between("first_trial", first_trial, 0, MAX_TRIAL - trials), out)
    return out


def per_layer_n(n: int | Sequence[int], layers: int) -> tuple[int, ...]:
    """`n` for each of the target's layers, checked."""
    counts = several("n", n) if isinstance(n, Sequence | np.ndarray) else (n,) * layers
    if len(counts) != layers:
        raise ValueError(f"n must be one integer or one for each of {layers} layers, got n={n!r}")
    return tuple(between("n", count, 1, 10**12) for count in counts)


def check_seed(seed: Any, name: str = "seed") -> int:
    """A seed in [0, 2^64), or ValueError."""
    return between(name, seed, 0, MAX_SEED)


def check_sampler(R: int, sampler: str) -> tuple[int, str]:
    """R and sampler, or ValueError."""
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        raise ValueError(f"sampler must be 'draws' or 'nearest', got sampler={shown(sampler)}")
    if positive_int("R", R) > MAX_R[sampler]:
        raise ValueError(f"R must be at most {MAX_R[sampler]} with sampler {sampler!r}, got R={shown(R)}")
    return int(R), sampler


def _broadcast(**arrays: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Arrays of one shape; the first one names it."""
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays.values())
        raise ValueError(f"{', '.join(arrays)} must have shapes that fit each other, got {shapes}") from None


def _check_range(name: str, values: npt.NDArray[np.int64], limit: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() < limit):
        raise ValueError(f"{name} must be in [0, {limit}), got {int(values.min())} to {int(values.max())}")
