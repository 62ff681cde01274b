"""What a decoder knows of the weights of a found ticket before it has read a bit: their first scores and first draws.

A search begins from random scores, and whoever has the seed can draw them again. Most weights of a short or calm search
end on the side of the threshold on which they began: the mask of the first scores is a good guess at the mask found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nets.construction import pick

ZONES = 24
"""Distances of first scores from the threshold that are told apart, half of them above it."""


@dataclass(frozen=True)
class Known:
    """What is known of weights, in the order of their bits.

    Attributes
    ----------
    row, column : int32 array, shape (n,)
        Place of each weight in its layer.
    zone : int8 array, shape (n,)
        How far its first score lies from the threshold, 0 to 23; from 12 on it lies above.
    size : int8 array, shape (n,)
        Eighths of the absolute value of its first draw, 0 to 7.
    negative : int8 array, shape (n,)
        1 if its first draw is negative.
    guess : int8 array, shape (n,)
        The bit that is no surprise.
    """

    row: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    zone: npt.NDArray[np.int8]
    size: npt.NDArray[np.int8]
    negative: npt.NDArray[np.int8]
    guess: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.row)

    def only(self, kept: npt.NDArray[np.bool_]) -> Known:
        """The same of the kept weights alone, for bits of which no 1 is expected.

        Parameters
        ----------
        kept : bool array, shape (n,)
        """
        row, column, zone, size, negative = (
            part[kept] for part in (self.row, self.column, self.zone, self.size, self.negative)
        )
        return Known(row, column, zone, size, negative, np.zeros(len(row), np.int8))  # type: ignore[arg-type]


def known(
    *, shape: tuple[int, ...], n_keep: int, seed: int, weights: int, score_seed: int, scores: int, signed: bool
) -> Known:
    """What the seeds tell of the weights of a layer, in row-major order.

    With the draw m / 2^52 of a score, its key is abs(m) // 2^28, or (m + 2^52) // 2^29 where scores are ranked with
    their sign. The threshold of a layer of n weights is T = 2^24 - 2^24 n_keep // n. The guess is 1 for keys >= T; the
    zone is min(11, isqrt(144 abs(key - T) // max(T, 2^24 - T))), and 12 more for keys >= T. The size is min(7, abs(m)
    // 2^49), with the draw of the weight.

    Parameters
    ----------
    shape : tuple of int
        Of the layer; its first side counts rows, all others together are the columns.
    n_keep : int
        Ones in its mask.
    seed, weights : int
        Seed and stream of its weights, as `sims.solver.philox` takes them.
    score_seed, scores : int
        Seed and stream of its first scores.
    signed : bool
        Whether scores are ranked with their sign; else by their absolute values.

    Examples
    --------
    >>> found = known(shape=(2, 3), n_keep=3, seed=1, weights=1, score_seed=1, scores=2, signed=False)
    >>> found.guess.tolist(), found.zone.tolist(), found.row.tolist(), found.column.tolist()
    ([1, 0, 0, 1, 1, 1], [21, 11, 11, 20, 18, 21], [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    """
    rows, count = shape[0], math.prod(shape)
    score, weight = _draws(score_seed, scores, count), _draws(seed, weights, count)
    key = (score + 2**52) >> 29 if signed else np.abs(score) >> 28
    threshold = 2**24 - 2**24 * n_keep // count
    above = key >= threshold
    apart = 144 * np.abs(key - threshold) // max(threshold, 2**24 - threshold)
    squares = np.arange(1, ZONES // 2) ** 2
    return Known(
        row=np.repeat(np.arange(rows, dtype=np.int32), count // rows),
        column=np.tile(np.arange(count // rows, dtype=np.int32), rows),
        zone=(np.searchsorted(squares, apart, side="right") + ZONES // 2 * above).astype(np.int8),
        size=np.minimum(np.abs(weight) >> 49, 7).astype(np.int8),
        negative=(weight < 0).astype(np.int8),
        guess=above.astype(np.int8),
    )


def _draws(seed: int, stream: int, count: int) -> npt.NDArray[np.int64]:
    """The integers m of first draws m / 2^52."""
    out = np.empty(count)
    pick.fill_range(np.uint64(seed), stream, 0, 0, out)
    return (out * 2.0**52).astype(np.int64)
