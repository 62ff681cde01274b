"""Half-split bound on a matrix, a ReLU and another matrix; theory/PROOFS.md, 4.8 (f).

The difference of two ReLU vectors is s(y) - s(z) = (I + S)/2 (y - z) with a diagonal S whose entries lie in [-1, 1].
For y - z = D x a following matrix W so meets W (I + S)/2 D x, and for every positive diagonal T

    ||W (I + S)/2 D|| <= ||[T^(1/2) W', T^(-1/2) D]||^2 / 2 <= ||W D|| / 2 + max(||W T W'||, ||D' T^-1 D||) / 2,

which is far below ||W|| ||D|| where D is noise: W D averages it, and T takes every neuron by its own size. Any T
proves a bound, so T comes from an approximate descent on the smoothed largest eigenvalue, and only the norm at the
end is enclosed. Inputs have weights of the same kind: on a box one for each coordinate, and for a first layer of two
halves, P s(x) - N s(-x) = (P+N)/2 x + (P-N)/2 |x|, one for x and one for |x|.
"""

from __future__ import annotations

import torch

from nets.arguments import real_tensor
from nets.certificate.norms import spectral_norm_upper
from nets.certificate.rounding import UNIT, mul, scaled, slack, up
from theory.numerics.check import shown

_REACH = 2.0**100
"""Neurons are scaled by factors between 1 / this and this."""
_VECTORS, _STEPS, _POWER = 16, 16, 12.0
"""Of the descent: eigenvectors followed, steps, and how sharply the largest eigenvalue outweighs the others."""


def half_split(
    weight: torch.Tensor, plus: torch.Tensor, minus: torch.Tensor | None = None, *, domain: str = "l2"
) -> torch.Tensor:
    """Bound sup ||W (I + S)/2 D(x)||_2 over all diagonal S with entries in [-1, 1] and over the unit ball.

    Parameters
    ----------
    weight : torch.Tensor, shape (B, m, h) or (1, m, h), float64
    plus : torch.Tensor, shape (B, h, n) or (1, h, n)
        D(x) = P x.
    minus : torch.Tensor, shape of `plus`, optional
        Then D(x) = P s(x) - N s(-x).
    domain : {"l2", "linf"}
        Norm of the ball.

    Every entry of the three may be a rounded difference: the bound holds for the exact matrices.

    Returns
    -------
    torch.Tensor, shape (B,)
        May exceed the product of the two norms where nothing is to be gained: take the lesser.

    Source
    ------
    Proved in theory/PROOFS.md, 4.8 (f).

    Examples
    --------
    >>> w = torch.tensor([[[1.0, 1.0]]], dtype=torch.float64)
    >>> noise = torch.tensor([[[1.0], [-1.0]]], dtype=torch.float64)  # cancels in W D, not behind one ReLU
    >>> round(float(half_split(w, noise)), 9)
    1.0
    """
    if domain not in ("l2", "linf"):
        raise ValueError(f"domain must be l2 or linf, got domain={shown(domain)}")
    weight, plus = real_tensor("weight", weight, ndim=3).double(), real_tensor("plus", plus, ndim=3).double()
    minus = plus if minus is None else real_tensor("minus", minus, ndim=3).double()
    if (
        plus.shape != minus.shape
        or plus.shape[-2] != weight.shape[-1]
        or (1 not in (len(plus), len(weight)) and len(plus) != len(weight))
    ):
        shapes = ", ".join(str(tuple(one.shape)) for one in (weight, plus, minus))
        raise ValueError(f"weight, plus and minus must have shapes (B, m, h), (B, h, n) and (B, h, n), got {shapes}")
    pieces = (plus,) if minus is plus or bool((plus == minus).all()) else (plus, minus)
    given = torch.cat(pieces, -1)
    # a neuron that one side does not touch adds nothing: W_h S_h D_h = 0
    used = (weight.abs().amax(-2) > 0) & (given.abs().amax(-1) > 0)
    w, w_scale = scaled(torch.where(used[:, None, :], weight, 0.0))
    d, d_scale = scaled(torch.where(used[:, :, None], given, 0.0))
    lost = torch.zeros_like(d)
    if len(pieces) == 2:
        p, n = d.chunk(2, -1)
        d, lost = torch.cat([(p + n) / 2, (p - n) / 2], -1), (p.abs() + n.abs()).repeat(1, 1, 2)
    group = plus.shape[-1] if domain == "l2" else 1
    root, gain = _weights(w, d, used, group)
    factor = gain[:, None, :] / root[:, :, None]
    norm = spectral_norm_upper(torch.cat([(w * root[:, None, :]).mT.expand(len(factor), -1, -1), d * factor], -1))
    norm = up(norm + 2 * UNIT * torch.linalg.vector_norm(lost * factor, dim=(-2, -1)))
    radius = gain[:, ::group].square().reciprocal().sum(-1)  # of the weighted inputs, squared: about 1
    bound = norm.square() * ((1 + radius) / 4 * (1 + slack(d)))
    bound = mul(mul(bound, w_scale), d_scale)
    finite = torch.isfinite(weight).all(-1).all(-1) & torch.isfinite(given).all(-1).all(-1)
    return torch.where(finite & torch.isfinite(bound), bound, torch.full_like(bound, torch.inf))


def _weights(w: torch.Tensor, d: torch.Tensor, used: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Find T^(1/2), (B, h), and the factors of the inputs, (B, n), equal within groups of `group` inputs.

    Minimises the largest eigenvalue of M = T^(1/2) W'W T^(1/2) + T^(-1/2) D C^-1 D' T^(-1/2), over T and over C > 0
    with sum 1 over the groups, by subspace iteration in step with changes of log T and log C along the gradient of
    sum (eigenvalue)^power.
    """
    batch, h = used.shape
    tiny = torch.finfo(w.dtype).tiny
    columns, rows = (torch.linalg.vector_norm(t, dim=axis) for t, axis in ((w, -2), (d, -1)))
    share = d.square().sum(-2).unflatten(-1, (-1, group)).sum(-1).sqrt().clamp(min=1e-9)
    log_c = (share / share.sum(-1, keepdim=True)).log()
    log_t = torch.where(used, (rows / columns).log(), 0.0)
    log_t = torch.nan_to_num(log_t, nan=0.0, posinf=0.0, neginf=0.0)
    start = torch.randn(h, min(h, _VECTORS), generator=torch.Generator().manual_seed(0), dtype=w.dtype)
    z = start.to(w.device).expand(batch, -1, -1)
    for k in range(_STEPS):
        z = torch.linalg.qr(z).Q
        root = (log_t / 2).exp()[..., None]
        gain = (-log_c / 2).exp().repeat_interleave(group, -1)[..., None]
        out, back = w @ (root * z), gain * (d.mT @ (z / root))
        from_w, from_d = root * (w.mT @ out), (d @ (gain * back)) / root
        image = from_w + from_d
        values, turn = torch.linalg.eigh(z.mT @ image)
        weights = (values / values[..., -1:].clamp(min=tiny)).clamp(min=0.0) ** _POWER
        z, image, from_w, from_d, back = (t @ turn for t in (z, image, from_w, from_d, back))
        if k < 2:  # before the vectors mean something: only the balance of the two sides
            sizes = [
                torch.linalg.vector_norm(t, dim=-2).amax(-1, keepdim=True).clamp(min=tiny) for t in (from_d, from_w)
            ]
            log_t = log_t + (sizes[0] / sizes[1]).log() / 2
        else:
            size = (z.square() @ (weights * values)[..., None]).squeeze(-1).clamp(min=tiny)
            slope = (((from_d - from_w) * z) @ weights[..., None]).squeeze(-1) / size
            log_t = log_t + 0.5 * slope.clamp(-1.0, 1.0)
            pull = (back.square() @ weights[..., None]).squeeze(-1).unflatten(-1, (-1, group)).sum(-1)
            pull = (pull / pull.sum(-1, keepdim=True).clamp(min=tiny)).clamp(min=1e-12).log()
            log_c = log_c + 0.25 / (1 + k / 8) * (pull - log_c)
        log_c = log_c - log_c.logsumexp(-1, keepdim=True)
        z = image
    root = torch.nan_to_num((log_t / 2).exp(), nan=1.0).clamp(1 / _REACH, _REACH)
    gain = torch.nan_to_num((-log_c / 2).exp(), nan=1.0).clamp(1 / _REACH, _REACH)
    return root, gain.repeat_interleave(group, -1)
