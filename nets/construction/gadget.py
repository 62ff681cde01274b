"""Find a part of a network inside its gadget, and make the part again from what is kept of the gadget."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nets.arguments import doubles, of_type
from nets.construction import pick
from nets.construction.bits import check_bits, draw_bits, popcount, unpack, unpack_draws, unpack_positions
from nets.construction.gadget_record import Floats, Gadget, Record
from nets.construction.gadget_search import SubsetSums, nearest_neurons
from nets.construction.options import PARTS, check_construction
from nets.device import check_device
from sims.solver.arguments import jobs_of
from sims.threads import ordered, pieces
from theory.numerics.check import accuracy

__all__ = ["Floats", "Gadget", "Record", "effective", "masked_layers", "solve"]

_CELLS = 2**16
"""Weights whose kept values are made again in one piece: some 20 ms."""


def solve(
    gadget: Gadget,
    weight: Floats,
    *,
    construction: str = "subset-sum",
    eta: float | None = None,
    signs: str | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    tick: Callable[[int], object] = lambda count: None,
) -> Record:
    """The elements of a gadget that make its target weights.

    Parameters
    ----------
    weight : ndarray of float64, shape (groups, rows, cols)
        Weights in [-1, 1] can be met; others are approached as nearly as possible.
    construction : {"subset-sum", "best", "window", "halves", "thirds", "quarters"}
        As in `nets.construction.prune_approx`; without a ReLU "subset-sum" only.
    eta : float in (0, 1], optional
        Width of the windows; "window" needs it, the others do not use it.
    signs : {"assigned", "open"}, optional
        Which neurons may serve a half, as there. It does not matter without a ReLU.
    device : str
        Where the search runs if R = 1; the result does not depend on it.
    jobs : int, optional
        Threads; the result does not depend on it.
    tick : callable
        Called with the number of weights done since the last call, each counted once per half.

    Raises
    ------
    ValueError
        If an argument is outside its domain, or the search does not fit into memory.
    """
    of_type("gadget", gadget, Gadget)
    weight, jobs = doubles("weight", weight).cpu().numpy(), jobs_of(jobs)
    if weight.shape != gadget.shape:
        raise ValueError(f"weight must be finite and of shape {gadget.shape}, got shape {weight.shape}")
    signs = check_construction(construction, R=gadget.R, n=gadget.n, signs=signs)
    device = str(check_device(device))
    if construction == "subset-sum":
        return SubsetSums(gadget, weight.reshape(-1), signs == "open", device, jobs, tick).record()
    if not gadget.relu:
        raise ValueError(f"construction must be 'subset-sum' without a ReLU, got construction={construction!r}")
    window = accuracy("eta", eta) if construction == "window" else None
    return nearest_neurons(
        gadget, weight, eta=window, parts=PARTS.get(construction, 1), open_signs=signs == "open", device=device,
        jobs=jobs, tick=tick,
    )  # fmt: skip


def effective(
    gadget: Gadget, record: Record, *, seen: Callable[[Floats], object] | None = None, jobs: int | None = None
) -> tuple[Floats, Floats]:
    """Effective weights of a record, every kept value being made again from the seed.

    Parameters
    ----------
    seen : callable, optional
        Called with all kept values in file order, the b's and then the a's, in pieces.
    jobs : int, optional
        Threads; the result does not depend on it, nor do the pieces.

    Returns
    -------
    plus, minus : ndarray of float64, shape (groups, rows, cols)
        The sums are taken in the order of the neurons. With one half `minus` is `plus`.

    Raises
    ------
    ValueError
        If the record does not belong to the gadget: wrong sizes, spare bits that are set, draws that do not exist, or
        neurons that cannot serve.

    Examples
    --------
    >>> gadget = Gadget(0, 1, 1, 2, n=10, seed=1, halves=1)
    >>> plus, minus = effective(gadget, solve(gadget, np.array([[[0.5, -0.25]]])))
    >>> minus is plus, bool((abs(plus - [[[0.5, -0.25]]]) < 0.01).all())
    (True, True)
    """
    jobs = jobs_of(jobs)
    b = _kept_b(gadget, record, seen)
    check_bits("mask_a", record.mask_a, gadget.bits_a)
    check_bits("draws_a", record.draws_a, record.kept_a * draw_bits(gadget.R))
    plus = np.empty(gadget.weights)
    minus = np.empty(gadget.weights) if gadget.halves == 2 else plus
    own = np.uint64(gadget.seed), gadget.stream_a, record.mask_a
    shape = gadget.rows, gadget.cols, gadget.block, gadget.R, draw_bits(gadget.R)

    def parts() -> Iterator[tuple[int, int, int, int]]:
        used = 0
        for start, stop in pieces(gadget.weights, _CELLS):
            kept = popcount(record.mask_a[start * gadget.block // 8 : -(-stop * gadget.block // 8)])
            yield start, stop, used, kept
            used += kept

    def add(start: int, stop: int, used: int, kept: int) -> tuple[int, Floats]:
        values = np.empty(kept)
        rows, cols, block, R, width = shape
        status = pick.add_products(
            *own, start, stop, rows, cols, block, R, width, record.draws_a, used, b, gadget.halves == 2, plus, minus,
            values,
        )  # fmt: skip
        return status, values

    for status, values in ordered(add, parts(), jobs=jobs):
        if status == 1:
            raise ValueError("mask_a keeps a weight of a neuron that mask_b removes")
        if status == 2:
            raise ValueError(f"draws_a names a draw that is not below R={gadget.R}")
        if seen is not None:
            seen(values)
    result = plus.reshape(gadget.shape)
    return result, (minus.reshape(gadget.shape) if gadget.halves == 2 else result)


def masked_layers(gadget: Gadget, record: Record, *, jobs: int | None = None) -> tuple[Floats, Floats]:
    """The two random layers themselves, with zeros in place of what the masks remove.

    Returns
    -------
    b : ndarray of float64, shape (groups cols, 2n)
        Weights from every input coordinate to hidden neurons of its own.
    a : ndarray of float64, shape (groups, rows, cols, 2n)
        Weights from these neurons to the rows of their group.

    Raises
    ------
    ValueError
        As `effective`.

    Examples
    --------
    >>> gadget = Gadget(0, 1, 1, 2, n=3, seed=1, halves=1)
    >>> record = solve(gadget, np.array([[[0.5, -0.25]]]))
    >>> b, a = masked_layers(gadget, record)
    >>> np.allclose((a * np.maximum(b, 0)).sum(-1), effective(gadget, record)[0], rtol=0, atol=1e-15)
    True
    """
    kept: list[Floats] = []
    effective(gadget, record, seen=kept.append, jobs=jobs)
    values = np.concatenate(kept)
    b, a = np.zeros(gadget.bits_b), np.zeros(gadget.bits_a)
    b[unpack(record.mask_b, gadget.bits_b)] = values[: record.kept_b]
    a[unpack(record.mask_a, gadget.bits_a)] = values[record.kept_b :]
    block = gadget.block
    return b.reshape(gadget.coordinates, block), a.reshape(*gadget.shape, block)


def _kept_b(gadget: Gadget, record: Record, seen: Callable[[Floats], object] | None) -> Floats:
    """The kept b's, one place for every hidden neuron, NaN where none is kept."""
    check_bits("mask_b", record.mask_b, gadget.bits_b)
    neurons = unpack_positions(record.mask_b)
    check_bits("draws_b", record.draws_b, len(neurons) * draw_bits(gadget.R))
    draws = unpack_draws(record.draws_b, len(neurons), R=gadget.R)
    if len(draws) and int(draws.max()) >= gadget.R:
        raise ValueError(f"draws_b names draw {int(draws.max())}, but R={gadget.R}")
    values = gadget.values_b(neurons, draws)
    if gadget.relu and gadget.halves == 1 and (values <= 0).any():
        raise ValueError("mask_b keeps a neuron with b <= 0, which a part with one half cannot use")
    if seen is not None:
        seen(values)
    b = np.full(gadget.bits_b, np.nan)
    b[neurons] = values
    return b
