"""The random sub-network of depth 2 that stands for one matrix of weights: found, packed into bits, and made again.

A target of ``groups`` matrices (rows x cols) has one input coordinate c = group cols + col for each of their columns.
Each coordinate feeds 2n hidden neurons h = 2n c + k of its own through random weights b; random weights a lead from
every hidden neuron to the rows of its group. A weight w[group, row, col] is the sum of a b over the neurons of its
coordinate that are kept: over those with b > 0 in W_plus, over those with b < 0 in W_minus. The part computes
W_plus relu(x) - W_minus relu(-x); where x is never negative one half is enough. Without the ReLU between the two
random layers all neurons work in one sum, and a coordinate has n of them: read n for 2n.

Number the weights row-major, cell = (group rows + row) cols + col. Element h (groups cols) + c of the source's first
layer is b, element 2n cell + k of the second is a: one long row of 2n elements for every weight. Bits and draws are
kept in that order. With a ReLU and groups = 1 all this is `nets.construction.source.Source`, number for number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from nets.arguments import flag
from nets.construction import pick
from nets.construction.bits import Packed, popcount
from nets.construction.source import check_sampler, check_seed
from sims.threads import each, pieces
from theory.numerics.check import natural, positive_int, shown

Floats = npt.NDArray[np.float64]
_ELEMENTS = 2**18


@dataclass(frozen=True)
class Gadget:
    """Shape and randomness of one part.

    Parameters
    ----------
    number : int >= 0
        It draws from source layers 2 number + 1 (b) and 2 number + 2 (a); every part of a network needs its own.
    groups, rows, cols : int
        Shape of the target.
    n : int
        The most hidden neurons that serve one weight's half. An input coordinate has 2n of them, n without a ReLU.
    R : int
        Draws that each element may take.
    seed : int, in [0, 2^64)
    halves : {1, 2}
        1 where the input is never negative.
    relu : bool
        Whether a ReLU stands between the two random layers. Without one there is one half, which neurons of both signs
        serve.

    Examples
    --------
    >>> gadget = Gadget(0, 1, 2, 3, n=4, seed=1)
    >>> gadget.shape, gadget.coordinates, gadget.bits_b, gadget.bits_a
    ((1, 2, 3), 3, 24, 48)
    """

    number: int
    groups: int
    rows: int
    cols: int
    n: int
    R: int = 1
    seed: int = 0
    halves: int = 2
    relu: bool = True

    def __post_init__(self) -> None:
        whole = {name: positive_int(name, getattr(self, name)) for name in ("groups", "rows", "cols", "n")}
        whole |= {"number": natural("number", self.number), "seed": check_seed(self.seed)}
        whole |= {"R": check_sampler(self.R, "draws")[0], "halves": natural("halves", self.halves)}
        for name, value in {**whole, "relu": flag("relu", self.relu)}.items():
            object.__setattr__(self, name, value)
        if self.halves not in (1, 2):
            raise ValueError(f"halves must be 1 or 2, got halves={shown(self.halves)}")
        if self.halves == 2 and not self.relu:
            raise ValueError("halves must be 1 without a ReLU between the layers, got halves=2")
        if max(self.bits_a, self.bits_b * self.coordinates) >= 2**62 or self.stream_a >= 2**30:
            sizes = ", ".join(f"{name}={shown(value)}" for name, value in whole.items())
            raise ValueError(f"the part is too large or its number too high: {sizes}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the target: groups, rows, cols."""
        return self.groups, self.rows, self.cols

    @property
    def weights(self) -> int:
        """Number of target weights."""
        return self.groups * self.rows * self.cols

    @property
    def coordinates(self) -> int:
        """Number of input coordinates."""
        return self.groups * self.cols

    @property
    def block(self) -> int:
        """Hidden neurons of one input coordinate."""
        return 2 * self.n if self.relu else self.n

    @property
    def bits_b(self) -> int:
        """Bits of the first mask: hidden neurons."""
        return self.block * self.coordinates

    @property
    def bits_a(self) -> int:
        """Bits of the second mask: elements of the second random layer."""
        return self.block * self.weights

    @property
    def stream_b(self) -> int:
        """Generator stream of the b's."""
        return 2 * self.number + 3

    @property
    def stream_a(self) -> int:
        """Generator stream of the a's."""
        return 2 * self.number + 4

    def element_b(self, neuron: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Numbers of the b's of hidden neurons among the elements of their layer."""
        return neuron * self.coordinates + neuron // self.block

    def values_b(self, neuron: npt.NDArray[np.int64], draws: npt.NDArray[np.int64]) -> Floats:
        """The b's of hidden neurons, for given draws."""
        out = np.empty(len(neuron))
        pick.fill_elements(np.uint64(self.seed), self.stream_b, self.element_b(neuron), draws, out)
        return out


@dataclass(frozen=True, eq=False)
class Record:
    """What is kept of a gadget, packed; the first bit is the lowest bit of the first byte, unused bits are 0.

    Attributes
    ----------
    mask_b : ndarray of uint8
        One bit for every hidden neuron.
    mask_a : ndarray of uint8
        One bit for every element of the second layer.
    draws_b, draws_a : ndarray of uint8
        Draws of the kept elements in the order of the bits, `nets.construction.bits.draw_bits` bits each.
    """

    mask_b: Packed
    mask_a: Packed
    draws_b: Packed
    draws_a: Packed

    @property
    def kept_b(self) -> int:
        """Neurons kept."""
        return popcount(self.mask_b)

    @property
    def kept_a(self) -> int:
        """Elements of the second layer kept."""
        return popcount(self.mask_a)

    @property
    def kept(self) -> int:
        """Random values kept in all."""
        return self.kept_b + self.kept_a


def draw_b(gadget: Gadget, *, jobs: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """For every hidden neuron the draw of b that is nearest to its sign, +1 for k < n and -1 else: values, draws."""
    values, draws = np.empty(gadget.bits_b), np.empty(gadget.bits_b, np.int64)

    def take(start: int, stop: int) -> None:
        h = np.arange(start, stop)
        sign = np.where(h % gadget.block < gadget.n, 1.0, -1.0)
        own = values[start:stop], draws[start:stop]
        take_elements = partial(pick.take_elements, np.uint64(gadget.seed), gadget.stream_b)
        take_elements(gadget.element_b(h), gadget.R, False, np.ones(len(h)), sign, *own)

    each(take, pieces(gadget.bits_b, max(1, _ELEMENTS // gadget.R)), jobs=jobs)
    return values, draws
