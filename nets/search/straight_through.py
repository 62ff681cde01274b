"""Masking with a gradient that passes the mask as if it were the identity of the ranking key."""

from __future__ import annotations

from typing import Any

import torch

from nets.search.fused import gradient, product


class _StraightThrough(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        scores: torch.Tensor, value: torch.Tensor, slope: torch.Tensor | None, mask: torch.Tensor, signed: bool
    ) -> torch.Tensor:
        return product(value, mask)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        scores, value, slope, _, ctx.signed = inputs
        ctx.save_for_backward(scores, value if slope is None else slope)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scores, slope = ctx.saved_tensors
        return gradient(grad, slope, scores, signed=ctx.signed), None, None, None, None


def straight_through(
    scores: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, *, slope: torch.Tensor | None, signed: bool
) -> torch.Tensor:
    """value * mask, of which the scores get the gradient slope * G, times sign(S) where absolute values are ranked.

    Parameters
    ----------
    scores : torch.Tensor
    value : torch.Tensor, shape of `scores`
        What kept weights are worth.
    mask : torch.Tensor of the same shape
        bool, or numbers in the dtype of `value`.
    slope : torch.Tensor, optional
        Factor of the gradient G of the product; `value` by default.
    signed : bool
        Whether the ranking key is abs(scores).

    Returns
    -------
    torch.Tensor, shape and dtype of `value`
        Neither `value` nor `mask` gets a gradient.

    Examples
    --------
    >>> scores = torch.tensor([-2.0, 0.5], requires_grad=True)
    >>> out = straight_through(scores, torch.tensor([3.0, 4.0]), torch.tensor([True, False]), slope=None, signed=True)
    >>> out.sum().backward()
    >>> out.tolist(), scores.grad.tolist()
    ([3.0, 0.0], [-3.0, 4.0])
    """
    out: torch.Tensor = _StraightThrough.apply(scores, value, slope, mask, signed)  # type: ignore[no-untyped-call]
    return out
