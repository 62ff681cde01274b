"""A pruned random network: masks times the source's own values, kept as lists since the source may be very wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nets.construction.mask import Mask
from nets.construction.source import Source

MAX_DENSE = 2**31
"""Entries of the largest matrix that `masks` and `dense` will make."""

_CHUNK = 2**24
_DENSE = 2**26


@dataclass(frozen=True, eq=False)
class Kept:
    """The kept elements of one source layer, sorted by (row, col).

    Attributes
    ----------
    rows, cols, draws : torch.Tensor of int64, shape (n_keep,)
        Where they stand and which of its draws each one takes; a draw of -1 means "the nearest of R", sampled by law.
    values : torch.Tensor of float64, shape (n_keep,)
    """

    rows: torch.Tensor
    cols: torch.Tensor
    draws: torch.Tensor
    values: torch.Tensor

    @classmethod
    def sort(cls, rows: torch.Tensor, cols: torch.Tensor, draws: torch.Tensor, values: torch.Tensor) -> Kept:
        """Put the elements into order by row, then column."""
        order = torch.argsort(cols, stable=True)
        order = order[torch.argsort(rows[order], stable=True)]
        return cls(rows[order], cols[order], draws[order], values[order])


class Pruned(torch.nn.Module):
    """The network g_M = mask * source, of depth 2l with ReLU between all layers; nothing in it is trained.

    Parameters
    ----------
    weights : sequence of torch.Tensor, F_i of shape (d_i, d_{i-1}), float64
        The target's layers, for `weight_errors`.
    kept : sequence of 2l Kept
        In each row of layers 2i-1 at most one element, of the row's own input coordinate.
    construction : str
        How it was made, see `nets.construction.prune_approx.prune`.
    sides : {"both", "needed"}
        Whether the negative halves of layers 2..l, which inputs >= 0 never use, were made.
    hits : sequence of torch.Tensor of bool, shape (halves_i, d_i, d_{i-1}), optional
        For the construction "window": weights whose neuron and draws lie inside the windows.

    Examples
    --------
    >>> source = Source([1, 1], 1, seed=0)
    >>> one = lambda row, layer: [torch.tensor([v]) for v in (row, 0, 0, source.element(layer, 0))]
    >>> pruned = Pruned(source, [torch.ones(1, 1)], [Kept(*one(0, 1)), Kept(*one(0, 2))], construction="best")
    >>> pruned.n_keep, [mask.n_keep for mask in pruned.masks], len(list(pruned.parameters()))
    (2, [1, 1], 0)
    """

    def __init__(
        self,
        source: Source,
        weights: Sequence[torch.Tensor],
        kept: Sequence[Kept],
        *,
        construction: str,
        sides: str = "both",
        hits: Sequence[torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        if len(kept) != source.depth or len(weights) != len(source.n):
            raise ValueError(f"kept must have {source.depth} layers and weights {len(source.n)}")
        self.source, self.construction, self.sides = source, construction, sides
        self.weights = tuple(w.detach().double().cpu() for w in weights)
        self.hits = None if hits is None else tuple(hits)
        for layer, part in enumerate(kept, 1):
            for name in ("rows", "cols", "draws", "values"):
                self.register_buffer(f"{name}{layer}", getattr(part, name))
        for i in range(1, len(source.n) + 1):
            neurons = kept[2 * i - 2].rows
            self.register_buffer(f"places{i}", _places(neurons, kept[2 * i - 1].cols), persistent=False)

    def kept(self, layer: int) -> Kept:
        """The kept elements of source layer 1, ..., 2l."""
        self.source.shape(layer)
        return Kept(*(getattr(self, f"{name}{layer}") for name in ("rows", "cols", "draws", "values")))

    @property
    def n_keep_layers(self) -> tuple[int, ...]:
        """Elements kept in each source layer."""
        return tuple(len(self.kept(layer).rows) for layer in range(1, self.source.depth + 1))

    @property
    def n_keep(self) -> int:
        """Elements kept in all."""
        return sum(self.n_keep_layers)

    @property
    def draws(self) -> tuple[torch.Tensor, ...]:
        """Draw index of every kept element, layer by layer, in the order of `kept`."""
        return tuple(self.kept(layer).draws for layer in range(1, self.source.depth + 1))

    @property
    def masks(self) -> tuple[Mask, ...]:
        """The masks M_1, ..., M_2l as full matrices.

        Raises
        ------
        ValueError
            If one has more than `MAX_DENSE` entries.
        """
        result = []
        for layer in range(1, self.source.depth + 1):
            values = torch.zeros(self._dense_shape(layer), dtype=torch.bool)
            part = self.kept(layer)
            values[part.rows.cpu(), part.cols.cpu()] = True
            result.append(Mask(values))
        return tuple(result)

    def dense(self) -> DensePruned:
        """The same network with its full source matrices and masks; for small sources.

        Returns
        -------
        DensePruned
            Element e of layer j is its kept draw where the mask keeps it, else its first draw.

        Raises
        ------
        ValueError
            If a matrix has more than `MAX_DENSE` entries.
        """
        matrices = []
        for layer in range(1, self.source.depth + 1):
            self._dense_shape(layer)
            part = self.kept(layer)
            matrix = self.source.matrix(layer)
            matrix[part.rows.cpu(), part.cols.cpu()] = part.values.double().cpu()
            matrices.append(matrix)
        return DensePruned(matrices, self.masks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Evaluate the pruned network, hidden neuron by hidden neuron.

        Parameters
        ----------
        x : torch.Tensor, shape (..., d_0)
            Lifted inputs if the target has a bias. Computed in the dtype of the kept values (float64 unless converted).

        Returns
        -------
        torch.Tensor, shape (..., d_l)

        Raises
        ------
        ValueError
            If the last side of x is not d_0.
        """
        widths = self.source.widths
        if x.ndim == 0 or x.shape[-1] != widths[0]:
            raise ValueError(f"x must have last side d_0={widths[0]}, got shape {tuple(x.shape)}")
        flat = x.reshape(-1, widths[0]).to(self.get_buffer("values1").dtype)
        matrices = [self._outgoing(i) for i in range(1, len(widths))]
        largest = max(1, *(matrix.shape[1] for matrix in matrices))
        parts = [self._forward(part, matrices) for part in flat.split(max(1, _CHUNK // largest))]
        return torch.cat(parts).reshape(*x.shape[:-1], widths[-1])

    def _outgoing(self, i: int) -> torch.Tensor:
        """Weights from the kept hidden neurons of target layer i to its outputs: sparse, unless a good part is kept."""
        a, places = self.kept(2 * i), getattr(self, f"places{i}")
        shape = (self.source.widths[i], len(self.kept(2 * i - 1).rows))
        if len(places) > shape[0] * shape[1] // 64 and shape[0] * shape[1] <= _DENSE:
            matrix = torch.zeros(shape, dtype=a.values.dtype, device=a.values.device)
            matrix[a.rows, places] = a.values
            return matrix
        index = torch.stack([a.rows, places])
        return torch.sparse_coo_tensor(index, a.values, shape, is_coalesced=True, check_invariants=False)

    def _forward(self, hidden: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
        for i, matrix in enumerate(matrices, 1):
            if i > 1:
                hidden = torch.relu(hidden)
            b = self.kept(2 * i - 1)
            neurons = torch.relu(hidden[:, b.cols] * b.values)
            if matrix.is_sparse and not len(b.rows):
                hidden = neurons.new_zeros(len(neurons), len(matrix))
            else:
                hidden = torch.sparse.mm(matrix, neurons.T).T if matrix.is_sparse else neurons @ matrix.T
        return hidden

    def effective(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Effective weights: layer i acts as W_plus s(h) - W_minus s(-h).

        Returns
        -------
        list of l pairs of torch.Tensor, each of shape (d_i, d_{i-1}), float64
            Sums of the products a*b over the kept neurons with b > 0 and with b < 0. With ``sides="needed"`` W_minus
            is zero in layers 2..l.
        """
        result = []
        for i, (d_in, d_out) in enumerate(zip(self.source.widths, self.source.widths[1:], strict=False), 1):
            b, a = self.kept(2 * i - 1), self.kept(2 * i)
            place = getattr(self, f"places{i}")
            values_b = b.values.double()[place]
            products = a.values.double() * values_b
            cell = a.rows * d_in + b.cols[place]
            cell += (values_b < 0) * (d_out * d_in)
            halves = torch.zeros(2 * d_out * d_in, dtype=torch.float64, device=products.device)
            plus, minus = halves.index_add_(0, cell, products).reshape(2, d_out, d_in)
            result.append((plus, minus))
        return result

    def weight_errors(self) -> tuple[torch.Tensor, ...]:
        """Absolute errors of the effective weights, per target layer.

        Returns
        -------
        tuple of l torch.Tensor, shape (halves_i, d_i, d_{i-1})
            halves_i is 2, plus and minus; with ``sides="needed"`` it is 1 in layers 2..l.
        """
        result = []
        for i, (pair, weight) in enumerate(zip(self.effective(), self.weights, strict=True)):
            made = pair[: half_count(self.sides, i)]
            result.append(torch.stack([(half.cpu() - weight).abs() for half in made]))
        return tuple(result)

    def within(self, eta: float | Sequence[float]) -> tuple[int, ...]:
        """Effective weights within eta of the target's, counted per target layer and over its halves."""
        errors = self.weight_errors()
        etas = [float(eta)] * len(errors) if not isinstance(eta, Sequence) else [float(e) for e in eta]
        return tuple(int((error <= bound).sum()) for error, bound in zip(errors, etas, strict=True))

    def _dense_shape(self, layer: int) -> tuple[int, int]:
        rows, cols = self.source.shape(layer)
        if rows * cols > MAX_DENSE:
            raise ValueError(f"layer {layer} has {rows} x {cols} entries, the limit of a full matrix is {MAX_DENSE}")
        return rows, cols


class DensePruned(torch.nn.Module):
    """A pruned network with full matrices: G_j and M_j are buffers, the forward pass multiplies them."""

    def __init__(self, matrices: Sequence[torch.Tensor], masks: Sequence[Mask]) -> None:
        super().__init__()
        self.depth = len(matrices)
        for layer, (matrix, mask) in enumerate(zip(matrices, masks, strict=True), 1):
            self.register_buffer(f"G{layer}", matrix)
            self.register_buffer(f"M{layer}", mask.to_tensor())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Evaluate (M_2l * G_2l) s(... s((M_1 * G_1) x)) for x of shape (..., d_0)."""
        hidden = x.to(self.get_buffer("G1").dtype)
        for layer in range(1, self.depth + 1):
            matrix = getattr(self, f"G{layer}") * getattr(self, f"M{layer}")
            hidden = (torch.relu(hidden) if layer > 1 else hidden) @ matrix.T
        return hidden


def half_count(sides: str, layer: int) -> int:
    """Halves that are made in target layer `layer` (from 0): 2, or 1 where the negative half is not needed."""
    return 1 if sides == "needed" and layer > 0 else 2


def _places(neurons: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    """Place of every column among the sorted neurons, by a table where that is no larger than the columns."""
    if not len(neurons) or int(neurons[-1]) >= max(len(cols), _CHUNK):
        return torch.searchsorted(neurons, cols)
    table = torch.empty(int(neurons[-1]) + 1, dtype=torch.int64, device=neurons.device)
    table[neurons] = torch.arange(len(neurons), device=neurons.device)
    return table[cols]
