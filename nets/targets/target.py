"""Target networks f(x) = F_l s(F_{l-1} s(... F_1 x)), s = ReLU, no bias: random or given ones.

A layer with a bias fits this form after one constant input coordinate is added: F = [[W, b], [0, 1]] in a hidden
layer keeps the constant, since s(1) = 1, and F = [W, b] in the last one drops it. Such a target has
`has_bias = True`, and `lift` appends the 1 to an input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nets.arguments import as_input, dense, flag, of_type, several
from sims.solver.limits import MAX_SEED, between
from sims.solver.memory import available_bytes, readable
from theory.numerics.check import positive_int, shown

NORMS = ("frobenius", "spectral")


class TargetError(ValueError):
    """A target network that cannot be used; the message is one line with the layer and the reason."""


@dataclass(frozen=True, eq=False, repr=False)
class Target:
    """A ReLU network without biases, in float64.

    Parameters
    ----------
    weights : sequence of torch.Tensor, l >= 1 of them, F_i of shape (d_i, d_{i-1})
        Any floating dtype; copied to float64 on the CPU, which is exact.
    has_bias : bool
        True if the last input coordinate is the constant 1 (see the module's text). The matrices are taken as given.

    Raises
    ------
    TargetError
        If there is no layer, a weight is not a finite, non-empty floating-point matrix, or the shapes do not chain.

    Source
    ------
    Section 0 of theory/PROOFS.md.

    Examples
    --------
    >>> target = Target([torch.tensor([[1.0, -1.0], [0.5, 0.0]]), torch.tensor([[1.0, 1.0]])])
    >>> target.widths, target.depth
    ((2, 2, 1), 2)
    >>> target(torch.tensor([2.0, 1.0]))
    tensor([2.], dtype=torch.float64)
    """

    weights: tuple[torch.Tensor, ...]
    has_bias: bool = False

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "weights", tuple(self.weights))
            object.__setattr__(self, "has_bias", flag("has_bias", self.has_bias))
        except TypeError:
            raise TargetError(f"weights must be a sequence of tensors, got {type(self.weights).__name__}") from None
        names = [f"layer {i}" for i in range(1, len(self.weights) + 1)]
        checked = tuple(check_weight(w, name=name) for name, w in zip(names, self.weights, strict=True))
        check_chain(checked, names=names)
        object.__setattr__(self, "weights", checked)
        if self.has_bias and self.widths[0] < 2:
            raise TargetError("layer 1: a target with a bias needs an input besides the constant 1, got 1 input")

    def __repr__(self) -> str:
        return f"Target(widths={self.widths}, has_bias={self.has_bias})"

    @property
    def depth(self) -> int:
        """Number l of layers."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths (d_0, ..., d_l); with a bias, d_0 and the hidden ones count the constant coordinate."""
        return (self.weights[0].shape[1], *(w.shape[0] for w in self.weights))

    @property
    def input_dim(self) -> int:
        """Number of input coordinates that the caller supplies: d_0, less the constant one if there is a bias."""
        return self.widths[0] - int(self.has_bias)

    def lift(self, x: torch.Tensor) -> torch.Tensor:
        """Append the constant 1 to inputs if the target has a bias, else return them unchanged.

        Parameters
        ----------
        x : torch.Tensor, shape (..., input_dim)

        Returns
        -------
        torch.Tensor, shape (..., d_0)

        Raises
        ------
        ValueError
            If the last side of `x` is not `input_dim`.

        Examples
        --------
        >>> Target([torch.ones(1, 3)], has_bias=True).lift(torch.zeros(2))
        tensor([0., 0., 1.])
        """
        x = as_input("x", x)
        if x.ndim == 0 or x.shape[-1] != self.input_dim:
            raise ValueError(f"x must have last side input_dim={self.input_dim}, got shape {tuple(x.shape)}")
        return torch.cat([x, torch.ones_like(x[..., :1])], -1) if self.has_bias else x

    def __call__(self, x: torch.Tensor, *, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        """Evaluate the target on a batch.

        Parameters
        ----------
        x : torch.Tensor, shape (..., d_0)
            Lifted inputs (`lift`) if the target has a bias. Computed on the device of `x`.
        dtype : torch.dtype
            Precision of the evaluation.

        Returns
        -------
        torch.Tensor, shape (..., d_l)

        Raises
        ------
        ValueError
            If the last side of `x` is not d_0.
        """
        x = as_input("x", x)
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise ValueError(f"dtype must be a floating one of PyTorch's, got dtype={shown(dtype)}")
        if x.ndim == 0 or x.shape[-1] != self.widths[0]:
            hint = " (append the constant 1 with lift)" if self.has_bias else ""
            raise ValueError(f"x must have last side d_0={self.widths[0]}{hint}, got shape {tuple(x.shape)}")
        hidden = x.to(dtype)
        for i, weight in enumerate(self.weights):
            hidden = (torch.relu(hidden) if i else hidden) @ weight.to(device=x.device, dtype=dtype).T
        return hidden

    def spectral_norms(self) -> tuple[float, ...]:
        """Largest singular value of every layer, rounded; `nets.certificate.spectral_norm_upper` is the proved one."""
        return tuple(float(torch.linalg.matrix_norm(w, 2)) for w in self.weights)

    def frobenius_norms(self) -> tuple[float, ...]:
        """Root of the sum of squares of every layer, rounded."""
        return tuple(_frobenius(w) for w in self.weights)

    def normalised(self, norm: str = "spectral") -> tuple[Target, float]:
        """Divide every layer by its norm; f is positively homogeneous in each, so only its scale changes.

        Parameters
        ----------
        norm : {"spectral", "frobenius"}

        Returns
        -------
        target : Target
            Every computed norm is <= 1 and within a few roundings of 1.
        scale : float
            This target equals `scale` times the new one, up to rounding.

        Raises
        ------
        TargetError
            If a layer is zero.

        Examples
        --------
        >>> small, scale = Target([torch.tensor([[3.0, 4.0]])]).normalised()
        >>> small.weights[0], scale
        (tensor([[0.6000, 0.8000]], dtype=torch.float64), 5.0)
        """
        _check_norm(norm)
        norms = self.spectral_norms() if norm == "spectral" else self.frobenius_norms()
        scale = 1.0
        for i, value in enumerate(norms, 1):
            if value == 0:
                raise TargetError(f"layer {i}: a zero matrix cannot be given norm 1")
            scale *= value
        if not 0 < scale < math.inf:
            raise TargetError(f"the product of the layers' norms is {scale} in float64: no scale says it")
        return Target(tuple(_unit(w, norm) for w in self.weights), has_bias=self.has_bias), scale


def check_weight(weight: Any, *, name: str) -> torch.Tensor:
    """Return `weight` as a fresh float64 CPU matrix, or raise `TargetError` with `name` and the reason."""
    if not isinstance(weight, torch.Tensor):
        raise TargetError(f"{name}: the weight must be a tensor, got {type(weight).__name__}")
    try:
        weight = dense(f"{name}: the weight", weight)
    except ValueError as error:
        raise TargetError(str(error)) from None
    if weight.ndim == 4:
        raise TargetError(f"{name}: a 4-D weight is a convolution, only dense layers are supported")
    if weight.ndim != 2:
        raise TargetError(f"{name}: the weight must be a matrix, got shape {tuple(weight.shape)}")
    if not weight.dtype.is_floating_point:
        raise TargetError(f"{name}: the weight must be floating point, got dtype {weight.dtype}")
    if weight.numel() == 0:
        raise TargetError(f"{name}: the weight is empty, shape {tuple(weight.shape)}")
    clean: torch.Tensor = weight.to(device="cpu", dtype=torch.float64, copy=True).contiguous()
    if not bool(torch.isfinite(clean).all()):
        raise TargetError(f"{name}: the weight holds NaN or infinity")
    return clean


def check_chain(weights: Sequence[torch.Tensor], *, names: Sequence[str]) -> None:
    """Raise `TargetError` unless there is a layer and every layer's inputs are the outputs of the one before."""
    if not weights:
        raise TargetError("the target must have at least one layer, got none")
    for i in range(1, len(weights)):
        if weights[i].shape[1] != weights[i - 1].shape[0]:
            raise TargetError(
                f"{names[i]}: takes {weights[i].shape[1]} inputs, but {names[i - 1]} gives {weights[i - 1].shape[0]}"
            )


def with_biases(
    weights: Sequence[torch.Tensor], biases: Sequence[torch.Tensor | None], *, names: Sequence[str] | None = None
) -> Target:
    """Build a target from layers W_i h + b_i by adding a constant coordinate.

    Parameters
    ----------
    weights : sequence of torch.Tensor, shapes (d_i, d_{i-1})
    biases : sequence of torch.Tensor of shape (d_i,) or None, one a layer
    names : sequence of str, optional
        What to call the layers in error messages.

    Returns
    -------
    Target
        `has_bias` is True, and every width but the last is one larger, if any bias is given.

    Raises
    ------
    TargetError
        If a layer is not usable (see `Target`) or a bias does not fit its layer.

    Examples
    --------
    >>> target = with_biases([torch.tensor([[2.0]]), torch.tensor([[3.0]])], [torch.tensor([1.0]), None])
    >>> target.weights[0].tolist(), target.weights[1].tolist()
    ([[2.0, 1.0], [0.0, 1.0]], [[3.0, 0.0]])
    >>> target(target.lift(torch.tensor([5.0])))
    tensor([33.], dtype=torch.float64)
    """
    for name, given in (("weights", weights), ("biases", biases)):
        of_type(name, given, (list, tuple), "a list of tensors")
    if len(biases) != len(weights):
        raise TargetError(f"biases must be one for each of {len(weights)} layers, or None, got {len(biases)}")
    names = names or [f"layer {i}" for i in range(1, len(weights) + 1)]
    clean = [check_weight(w, name=name) for w, name in zip(weights, names, strict=True)]
    check_chain(clean, names=names)
    if all(bias is None for bias in biases):
        return Target(tuple(clean))
    lifted = []
    for i, (weight, bias, name) in enumerate(zip(clean, biases, names, strict=True), 1):
        column = torch.zeros(weight.shape[0], 1, dtype=torch.float64)
        if bias is not None:
            if not isinstance(bias, torch.Tensor):
                raise TargetError(f"{name}: the bias must be a tensor, got {type(bias).__name__}")
            if tuple(bias.shape) != (weight.shape[0],):
                raise TargetError(f"{name}: the bias must have shape ({weight.shape[0]},), got {tuple(bias.shape)}")
            column = check_weight(bias[:, None], name=f"{name} (bias)")
        layer = torch.cat([weight, column], 1)
        if i < len(clean):
            constant = torch.zeros(1, layer.shape[1], dtype=torch.float64)
            constant[0, -1] = 1.0
            layer = torch.cat([layer, constant])
        lifted.append(layer)
    return Target(tuple(lifted), has_bias=True)


def random_target(widths: Sequence[int], norm: str = "frobenius", *, seed: int) -> Target:
    """Draw a target with independent Gaussian weights, every layer scaled to norm 1.

    Parameters
    ----------
    widths : sequence of int, (d_0, ..., d_l), l >= 1, each >= 1
    norm : {"frobenius", "spectral"}
        The norm that is 1. Frobenius norm 1 implies spectral norm <= 1.
    seed : int
        Seed of a generator of its own; the global one is not touched.

    Returns
    -------
    Target
        Every computed norm is <= 1 and within a few roundings of 1.

    Raises
    ------
    ValueError
        If `widths` has fewer than two entries or one < 1, or `norm` is unknown.

    Source
    ------
    Assumption ||F_i|| <= 1 of theory/PROOFS.md, 4.2 and 4.4.

    Examples
    --------
    >>> target = random_target((4, 8, 3), seed=1)
    >>> target.widths
    (4, 8, 3)
    >>> all(0.999999 < norm <= 1 for norm in target.frobenius_norms())
    True
    """
    _check_norm(norm)
    widths = tuple(positive_int("widths", width) for width in several("widths", widths))
    if len(widths) < 2:
        raise ValueError(f"widths must be two or more integers >= 1, got widths={widths}")
    size = 8 * sum(a * b for a, b in itertools.pairwise(widths))
    if size > available_bytes() // 2:
        raise ValueError(f"widths {widths} take {readable(size)}, more than half of the memory")
    generator = torch.Generator().manual_seed(between("seed", seed, 0, MAX_SEED))
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    draws = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return Target(tuple(_unit(draw, norm) for draw in draws))


def from_sequential(model: torch.nn.Sequential) -> Target:
    """Read the target from a `torch.nn.Sequential` of Linear and ReLU in turn.

    Parameters
    ----------
    model : torch.nn.Sequential
        Linear, ReLU, Linear, ..., Linear; Flatten (with its defaults) may come first, Identity anywhere. It ends with
        a Linear layer.

    Raises
    ------
    TargetError
        If another module appears, two Linear layers have no ReLU between them, or the last layer is not Linear.

    Examples
    --------
    >>> from torch import nn
    >>> target = from_sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)))
    >>> target.widths, target.has_bias, target.input_dim
    ((3, 4, 1), True, 2)
    """
    if not isinstance(model, torch.nn.Sequential):
        raise TargetError(f"the model must be a torch.nn.Sequential, got {type(model).__name__}")
    if type(model).forward is not torch.nn.Sequential.forward:
        raise TargetError(
            f"the model must be a plain torch.nn.Sequential, and {type(model).__name__} has its own forward"
        )
    for name, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise TargetError(f"{name or 'the model'}: has hooks, which change what its weights compute")
    weights: list[torch.Tensor] = []
    biases: list[torch.Tensor | None] = []
    names: list[str] = []
    after_linear = False
    for name, module in model._modules.items():  # named_children would skip a module used twice
        if type(module) is torch.nn.Linear:
            if after_linear:
                raise TargetError(f"{name}: follows layer {names[-1]} without a ReLU between them")
            weights.append(module.weight)
            biases.append(module.bias)
            names.append(name)
            after_linear = True
        elif type(module) is torch.nn.ReLU:
            if not weights:
                raise TargetError(f"{name}: a ReLU before the first Linear layer is not supported")
            after_linear = False
        elif type(module) is torch.nn.Flatten and not weights and (module.start_dim, module.end_dim) == (1, -1):
            continue
        elif type(module) is not torch.nn.Identity:
            raise TargetError(f"{name}: {type(module).__name__} is not supported, only Linear and ReLU")
    if weights and not after_linear:
        raise TargetError(f"{name}: the network ends with a ReLU, a target ends with a Linear layer")
    return with_biases(weights, biases, names=names)


def _check_norm(norm: str) -> None:
    if not isinstance(norm, str) or norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}, got norm={shown(norm)}")


def _frobenius(matrix: torch.Tensor) -> float:
    """Also where squares would be infinite or 0; a power of two, so that nothing is rounded anew."""
    scale = 2.0 ** min(1000, math.frexp(float(matrix.abs().max()))[1])
    return float(torch.linalg.matrix_norm(matrix / scale, "fro")) * scale


def _unit(matrix: torch.Tensor, norm: str) -> torch.Tensor:
    """Scale a non-zero matrix so that its computed norm is 1 or just below."""
    kind: Any = 2 if norm == "spectral" else "fro"
    matrix = matrix / matrix.abs().max()  # so that squares neither overflow nor underflow
    unit: torch.Tensor = matrix / torch.linalg.matrix_norm(matrix, kind)
    while float(torch.linalg.matrix_norm(unit, kind)) > 1:
        unit = unit * (1 - 2.0**-52)
    return unit
