"""Upper bounds on norms of matrices that trust no eigensolver and no factorisation: theory/PROOFS.md, 4.8, step R.

Small matrices: for *any* square Q near orthogonal, ||A|| <= ||Q'A|| / sigma_min(Q), and both factors are bounded by
sums of absolute values. Q is the matrix of computed eigenvectors of A A'.

Large ones: for *any* number t and *any* triangular L, lambda_max(A A') <= t + ||t I - A A' - L L'||, and the last
norm is at most a row sum. t is an estimate by Lanczos, slightly above the largest eigenvalue, and L the computed
Cholesky factor of t I - A A'. This costs about two products of the matrix with itself instead of an eigensolver.

Both need only IEEE float64 and matrix products that sum n terms in any order.
"""

from __future__ import annotations

import math

import torch

from nets.arguments import real_tensor
from nets.certificate.rounding import UNIT, add, mul, scaled, slack, up
from theory.numerics.check import shown

_CHOLESKY_FROM = 256
"""Smallest side from which Cholesky is faster, measured on two cores: 5.3 against 6.6 ms there, 0.39 against 1.5 s at
2048, 4 against 83 s at 4096."""
_BLOCK = 512
_LANCZOS_STEPS = 120
_TRIES = 4


def spectral_norm_upper(matrix: torch.Tensor) -> torch.Tensor:
    """Bound the spectral norm of every matrix of a batch from above, rounding included.

    Parameters
    ----------
    matrix : torch.Tensor, shape (B, m, n), float64
        Every entry may carry two roundings, such as a difference of two float64 numbers that was then scaled: the
        bound holds for the exact matrix too.

    Returns
    -------
    torch.Tensor, shape (B,)
        Upper bounds, about 1e-15 max(m, n)^2 (relative) above the norm, and 1e-8 for large matrices; exactly 0 for
        a zero matrix.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8, step R.

    Examples
    --------
    >>> bound = spectral_norm_upper(torch.tensor([[[3.0, 0.0], [0.0, 4.0]]], dtype=torch.float64))
    >>> 4 <= float(bound) < 4 * (1 + 1e-13)
    True
    """
    matrix = real_tensor("matrix", matrix, ndim=3).double()
    if matrix.shape[-2] > matrix.shape[-1]:
        matrix = matrix.mT
    a, scale = scaled(matrix)
    bound = _by_cholesky(a) if a.shape[-2] >= _CHOLESKY_FROM else _by_eigenvectors(a)
    bound = torch.minimum(torch.nan_to_num(bound, nan=math.inf), a.square().sum((-2, -1)).sqrt())
    bound = up(bound * (1 + slack(a)) * scale)
    largest = matrix.abs().amax((-2, -1))
    bound = torch.where(torch.isfinite(largest) & torch.isfinite(bound), bound, torch.full_like(bound, math.inf))
    return torch.where(largest == 0, torch.zeros_like(bound), bound)


def first_layer_sup(plus: torch.Tensor, minus: torch.Tensor, domain: str) -> torch.Tensor:
    """Bound sup ||P s(x) - N s(-x)||_2 over the unit ball of `domain`, for P, N of shape (B, m, n); returns (B,).

    Every entry of P and N may carry two roundings: the bound holds for the exact matrices.
    """
    if domain not in ("l2", "linf"):
        raise ValueError(f"domain must be l2 or linf, got domain={shown(domain)}")
    plus, minus = real_tensor("plus", plus, ndim=3).double(), real_tensor("minus", minus, ndim=3).double()
    if plus.shape != minus.shape:
        raise ValueError(f"plus and minus must have one shape, got {tuple(plus.shape)} and {tuple(minus.shape)}")
    d_in = plus.shape[-1]
    total = (plus.abs() + minus.abs()).sum((-2, -1))
    size = mul(total, torch.full_like(total, 8 * UNIT))  # covers the rounding of P, N and (P +- N)/2
    half = spectral_norm_upper((plus + minus) / 2)
    if bool((plus == minus).all()):
        bound = add(half, size)
    else:
        split = add(half, spectral_norm_upper((plus - minus) / 2))
        bound = torch.minimum(spectral_norm_upper(torch.cat([plus, minus], -1)), add(split, size))
    if domain == "l2":
        return bound
    a, scale = scaled(torch.cat([plus, minus], -1))
    either = torch.maximum(a[..., :d_in].abs(), a[..., d_in:].abs())
    by_rows = either.sum(-1).square().sum(-1).sqrt()
    columns = a.square().sum(-2).sqrt()
    by_columns = torch.maximum(columns[..., :d_in], columns[..., d_in:]).sum(-1)
    direct = up(torch.minimum(by_rows, by_columns) * (1 + slack(a)) * scale)
    return torch.minimum(mul(bound, torch.full_like(bound, math.nextafter(math.sqrt(d_in), math.inf))), direct)


def _by_eigenvectors(a: torch.Tensor) -> torch.Tensor:
    """Bound the norms of (B, m, n), m <= n, entries near 1; infinite where the eigenvectors are of no use."""
    m, n = a.shape[-2:]
    eye = torch.eye(m, dtype=a.dtype, device=a.device)
    try:
        q = torch.linalg.eigh(a @ a.mT).eigenvectors
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # any Q is allowed; this one is merely less tight
        q = eye.expand(len(a), m, m)
    c = q.mT @ a
    gamma = 2 * (n + 4) * UNIT
    a2, c2, q2 = (t.square().sum((-2, -1)) for t in (a, c, q))
    gram = _largest_sum(c @ c.mT) + gamma * c2
    skew = _largest_sum(q.mT @ q - eye) + gamma * q2
    tight = (gram.sqrt() + gamma * (q2 * a2).sqrt()) / (1 - skew.clamp(max=0.5)).sqrt()
    return torch.where(skew < 0.5, tight, torch.full_like(tight, math.inf))


def _largest_sum(product: torch.Tensor) -> torch.Tensor:
    """Largest sum of |entries| of a row or a column of (B, m, m): bounds the norm, symmetric or not; returns (B,).

    A computed C C' need not be symmetric: the two triangles may be summed in different orders.
    """
    sizes = product.abs()
    return torch.maximum(sizes.sum(-1), sizes.sum(-2)).amax(-1)


def _by_cholesky(a: torch.Tensor) -> torch.Tensor:
    """Bound the norms of (B, m, n), m <= n, entries near 1; infinite where no factor was found."""
    m, n = a.shape[-2:]
    gram = _lower_product(a)
    gram = gram + gram.tril(-1).mT
    a2 = 2 * (n + 4) * UNIT * a.square().sum((-2, -1))
    guess, spread = _top_eigenvalue(gram)
    bound = torch.full_like(a2, math.inf)
    for k in range(_TRIES):
        open_ = torch.isinf(bound).nonzero().squeeze(-1)
        if not len(open_):
            break
        t = (guess + 16.0**k * spread)[open_]
        gap = -gram[open_]
        gap.diagonal(dim1=-2, dim2=-1).add_(t[:, None])
        factor, info = torch.linalg.cholesky_ex(gap)
        f2 = 2 * (m + 4) * UNIT * factor.square().sum((-2, -1))
        square = (t + _residual(gap, factor)) * (1 + 4 * UNIT) + f2 + a2[open_]
        bound[open_] = torch.where((info == 0) & torch.isfinite(square), square.clamp(min=0.0).sqrt(), math.inf)
    return bound


def _lower_product(a: torch.Tensor) -> torch.Tensor:
    """Lower triangle of A A', (B, m, m): about half the work of the full product where A is large."""
    m = a.shape[-2]
    if m <= _BLOCK:
        return (a @ a.mT).tril()
    out = a.new_zeros(*a.shape[:-1], m)
    for low in range(0, m, _BLOCK):
        high = min(m, low + _BLOCK)
        out[:, low:high, :high] = (a[:, low:high] @ a[:, :high].mT).tril(low)
    return out


def _residual(gap: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Largest row or column sum of |H - L L'| for a symmetric H and a lower triangular L, (B, m, m); returns (B,)."""
    m = gap.shape[-1]
    sums = gap.new_zeros(gap.shape[:-1])
    for low in range(0, m, _BLOCK):
        high = min(m, low + _BLOCK)
        for left in range(0, high, _BLOCK):
            right = min(m, left + _BLOCK)  # columns of L beyond `right` are zero in those rows
            off = gap[:, low:high, left:right] - factor[:, low:high, :right] @ factor[:, left:right, :right].mT
            off = off.abs()
            if left < low:  # stands for its mirror image too
                sums[:, low:high] += off.sum(-1)
                sums[:, left:right] += off.sum(-2)
            else:  # a computed L L' need not be symmetric
                sums[:, low:high] += torch.maximum(off.sum(-1), off.sum(-2))
    return sums.amax(-1)


def _top_eigenvalue(gram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Estimate the largest eigenvalue of (B, m, m) by Lanczos, and a step above it; nothing rests on either."""
    m = gram.shape[-1]
    start = torch.randn(m, 1, generator=torch.Generator().manual_seed(0), dtype=gram.dtype).to(gram.device)
    vector = gram @ start  # one step of the power method: directions that matter from the beginning
    basis: list[torch.Tensor] = []
    off_diagonal: list[torch.Tensor] = []
    diagonal: list[torch.Tensor] = []
    floor = torch.finfo(gram.dtype).tiny
    size = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp(min=floor)
    top = rest = size
    vector = vector / torch.linalg.vector_norm(vector, dim=-2, keepdim=True).clamp(min=floor)
    for k in range(min(m, _LANCZOS_STEPS)):
        basis.append(vector)
        image = gram @ vector
        diagonal.append((vector * image).sum((-2, -1)))
        known = torch.cat(basis, -1)
        for _ in range(2):
            image = image - known @ (known.mT @ image)
        length = torch.linalg.vector_norm(image, dim=-2).squeeze(-1)
        if k % 10 == 9 or k + 1 == min(m, _LANCZOS_STEPS):
            small = torch.diag_embed(torch.stack(diagonal, -1))
            if off_diagonal:
                side = torch.diag_embed(torch.stack(off_diagonal, -1), 1)
                small = small + side + side.mT
            values, vectors = torch.linalg.eigh(small)
            top, rest = values[:, -1], (length * vectors[:, -1, -1].abs())
            gap = torch.maximum(top - values[:, -2], rest) if k else top
            rest = rest.square() / gap.clamp(min=floor)
            if bool((rest <= 1e-10 * top).all()):
                break
        length = torch.where(length > 1e-15 * size, length, torch.zeros_like(length))  # nothing is left: stay at 0
        off_diagonal.append(length)
        vector = torch.where(length > 0, 1 / length.clamp(min=floor), length)[:, None, None] * image
    return top, 4 * rest + 1e-10 * top + 1e-13 * size
