"""Random weights and scores of masked layers as pure functions of (seed, layer, element, draw).

Every number is one draw of `sims.solver.philox`, so that it is the same on every machine and device, can be made
alone, and leaves no generator whose state would have to be saved: draw 0 of an element is its initial weight, draw c
its replacement in the c-th re-randomisation. Layers have streams of their own, so equal shapes do not mean equal
weights.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from nets.construction import pick
from nets.device import has_kernels
from nets.search.check import Number, exact_fraction, one_of
from nets.search.methods import LAWS, SCALES

WEIGHTS, SCORES, COINS, MASKS = 1 << 24, 2 << 24, 3 << 24, 4 << 24
"""First streams of weights, scores, re-randomisation coins and sampled masks; the layer's number is added."""

_CHUNK = 2**22


def scale_factor(scale: str, density: Number) -> float:
    """Factor on the standard deviation of the weights.

    Parameters
    ----------
    scale : {"unscaled", "paper", "reference-code"}
        1, 1/sqrt(density) as the papers of Edge-Popup and Biprop intend, or 1/sqrt(1 - density) as their code
        computes, which takes the part kept for the part removed. The last two agree at density 1/2 only.
    density : float, Fraction, Decimal or str
        In (0, 1].

    Raises
    ------
    ValueError
        If the scale is unknown, or infinite ("reference-code" at density 1).

    Examples
    --------
    >>> [round(scale_factor(scale, 0.1), 3) for scale in SCALES]
    [1.0, 3.162, 1.054]
    """
    one_of("scale", scale, SCALES)
    part = exact_fraction("density", density)
    if scale == "unscaled":
        return 1.0
    below = part if scale == "paper" else 1 - part
    if below <= 0:
        raise ValueError(f"scale {scale!r} is infinite at density={density!r}")
    return 1 / math.sqrt(below)


def uniform_draws(
    seed: int, stream: int, draw: int, shape: torch.Size | tuple[int, ...], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """One draw for each element of a tensor.

    Parameters
    ----------
    seed : int in [0, 2^64)
    stream : int in [0, 2^32)
    draw : int in [0, 2^33)

    Returns
    -------
    torch.Tensor of float64, shape `shape`
        In [-1, 1), on the grid of 2^-52; the same on every device.

    Examples
    --------
    >>> a, b = uniform_draws(1, WEIGHTS, 0, (2, 3)), uniform_draws(1, WEIGHTS, 0, (6,))
    >>> torch.equal(a.reshape(-1), b)
    True
    """
    device = torch.device(device)
    count = math.prod(shape)
    out = torch.empty(count, dtype=torch.float64, device=device)
    if has_kernels(device):
        pick.fill_range(np.uint64(seed), stream, 0, draw, out.numpy())
    else:
        from nets.construction.source import draws_torch

        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            out[start:stop] = draws_torch(seed, stream, torch.arange(start, stop, device=device), draw)
    return out.reshape(shape)


def shaped(law: str, uniform: torch.Tensor, std: float) -> torch.Tensor:
    """Uniform draws in [-1, 1) turned into a law with mean 0 and standard deviation `std`, in float64.

    "signed-constant": -std below 0, std from 0 on. "kaiming-uniform": sqrt(3) * std times the draw. "kaiming-normal":
    the inverse distribution function at the middle of the draw's cell, computed on the CPU.

    Examples
    --------
    >>> shaped("signed-constant", torch.tensor([-0.5, 0.0, 0.25]), 2.0)
    tensor([-2.,  2.,  2.])
    """
    one_of("law", law, LAWS)
    if law == "signed-constant":
        return torch.where(uniform < 0, -std, std)
    if law == "kaiming-uniform":
        return uniform * (math.sqrt(3) * std)
    return torch.from_numpy(np.asarray(std * _normal(uniform.cpu().numpy()))).to(uniform.device)


def _normal(uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normal deviates: u + 2^-53, the middle of the cell, is exact, and so is the tail on its side."""
    from scipy.special import ndtri

    middle = uniform + 2.0**-53
    return np.asarray(np.copysign(ndtri((1 - np.abs(middle)) / 2), middle))


def score_bound(score_init: str, fan_in: float) -> float:
    """Largest initial score: 1/sqrt(fan_in) for "kaiming-uniform-a5", sqrt(6/fan_in) for "kaiming-uniform-relu"."""
    return math.sqrt((1 if score_init == "kaiming-uniform-a5" else 6) / fan_in)


def rebuild_weight(
    *,
    seed: int,
    index: int,
    shape: tuple[int, ...],
    law: str,
    std: float,
    draws: torch.Tensor | None = None,
    origins: torch.Tensor | None = None,
    later_law: str | None = None,
) -> torch.Tensor:
    """The weights of a layer from its seed and the history that the search kept.

    Parameters
    ----------
    seed, index : int
        Seed of the search and number of the layer.
    law : str
        One of `nets.search.methods.LAWS`.
    std : float
        Standard deviation of the law.
    draws : int tensor of shape `shape`, optional
        Which draw each weight is; 0 by default, the initial one.
    origins : int tensor of shape `shape`, optional
        Which element's draw it is, as a row-major number; its own by default.
    later_law : str, optional
        Law of the draws after the first, if it is another.

    Returns
    -------
    torch.Tensor of float64, shape `shape`, on the CPU
        Rounded to the model's dtype, these are the weights bit for bit.

    Examples
    --------
    >>> new = {"seed": 1, "index": 0, "shape": (3,), "law": "kaiming-uniform", "std": 1.0}
    >>> first, moved = rebuild_weight(**new), rebuild_weight(**new, origins=torch.tensor([0, 0, 2]))
    >>> bool((moved == first[[0, 0, 2]]).all())
    True
    """
    if draws is None and origins is None:
        return shaped(law, uniform_draws(seed, WEIGHTS + index, 0, shape), std)
    count = math.prod(shape)
    which = np.zeros(count, np.int64) if draws is None else _flat(draws)
    place = np.arange(count) if origins is None else _flat(origins)
    if len(which) != count or len(place) != count or not ((which >= 0) & (place >= 0) & (place < count)).all():
        raise ValueError(f"draws and origins must be numbers for each of the {count} weights of shape {shape}")
    out = np.empty(count)
    pick.fill_elements(np.uint64(seed), WEIGHTS + index, place, which, out)
    uniform = torch.from_numpy(out)
    values = shaped(law, uniform, std)
    if later_law not in (None, law):
        values = torch.where(torch.from_numpy(which) == 0, values, shaped(str(later_law), uniform, std))
    return values.reshape(shape)


def coin_limit(frac: Number) -> float:
    """A draw in [-1, 1) is below this number with probability `frac`."""
    return float(2 * exact_fraction("frac", frac) - 1)


def _flat(numbers: torch.Tensor) -> npt.NDArray[np.int64]:
    return np.array(numbers.detach().cpu().reshape(-1).numpy(), dtype=np.int64)
