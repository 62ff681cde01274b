"""MPT-1/1 (Diffenderfer and Kailkhura 2021): Biprop in a network whose activations are binary too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from nets.search.methods.biprop import Biprop


class _BinarySign(torch.autograd.Function):
    """sign(x) with the surrogate derivative 2 * (1 - abs(x)) inside [-1, 1] and 0 outside."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.sign(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return grad * (2 * torch.relu(1 - x.abs()))


class SignActivation(torch.nn.Module):
    """Binary activation: sign(x), 0 at 0, with the surrogate derivative of Bi-Real Net.

    The derivative used in the backward pass is 2 * (1 - abs(x)) for abs(x) <= 1 and 0 elsewhere.

    Source
    ------
    Read in the authors' code of Biprop (MPT-1/1); the surrogate is Bi-Real Net's.

    Examples
    --------
    >>> x = torch.tensor([-2.0, -0.5, 0.0, 0.25, 1.0], requires_grad=True)
    >>> y = SignActivation()(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([-1.0, -1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 2.0, 1.5, 0.0])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = _BinarySign.apply(x)  # type: ignore[no-untyped-call]
        return out


@dataclass(frozen=True)
class Mpt11(Biprop):
    """Biprop for models with binary activations (MPT-1/1): the model's non-linearities are `SignActivation`."""

    name: ClassVar[str] = "mpt-1-1"
    activation: ClassVar[str] = "sign"
