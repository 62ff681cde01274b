"""Linear and convolution layers whose random weights are frozen and whose scores are trained.

A masked layer is the layer that it replaces, with the weight moved to a buffer and a parameter `scores` of the same
shape beside it; stride, groups, padding mode, hooks and device stay what they were.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from nets.search.methods.method import Method
from nets.search.score_mask import count_to_keep, inside_functorch, keep_mask, keep_masks_global

_optimiser_steps = 0
"""Steps of all optimisers: fused ones change parameters without telling PyTorch's version counter."""


def _count_step(*_: Any) -> None:
    global _optimiser_steps
    _optimiser_steps += 1


register_optimizer_step_post_hook(_count_step)


class _StraightThrough(torch.autograd.Function):
    """value * mask, whose gradient reaches the scores as if the mask were their ranking key: slope * G (* sign(S))."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        scores: torch.Tensor, value: torch.Tensor, slope: torch.Tensor | None, mask: torch.Tensor, signed: bool
    ) -> torch.Tensor:
        return value * mask

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        scores, value, slope, _, ctx.signed = inputs
        ctx.save_for_backward(scores, value if slope is None else slope)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scores, slope = ctx.saved_tensors
        out = (grad * slope).to(scores.dtype)
        return (out * torch.sign(scores) if ctx.signed else out), None, None, None, None


class MaskedLayer(nn.Module):
    """What `MaskedLinear` and `MaskedConv2d` share; not made directly.

    Attributes
    ----------
    weight : torch.Tensor
        The frozen weights W, a buffer.
    scores : torch.nn.Parameter, shape of `weight`
    bias : torch.Tensor or None
        A buffer, frozen.
    method : Method
        Its rules rank the scores and value the weights.
    index : int
        Number of the layer in its model: the stream of its random numbers.
    draws, origins : torch.Tensor of int32 or None, shape of `weight`
        Where a method changes weights: which draw each weight is, and which element's draw (row-major number). The
        weights are a function of these and the seed.
    """

    weight: torch.Tensor
    scores: nn.Parameter
    draws: torch.Tensor | None
    origins: torch.Tensor | None
    method: Method
    index: int
    group: GlobalMasks | None
    _n_keep: int
    _cache: tuple[Any, ...] | None

    def _become(self, n_keep: int | None, method: Method | None, index: int) -> None:
        """Turn the attributes of a plain layer into those of a masked layer."""
        weight, bias = self._parameters.pop("weight"), self._parameters.pop("bias")
        assert weight is not None
        self.register_buffer("weight", weight.detach())
        self.register_buffer("bias", None if bias is None else bias.detach())
        self.scores = nn.Parameter(torch.empty_like(weight).zero_())
        self.method = Method() if method is None else method
        self.index = index
        self.group = None
        self._cache = None
        self._n_keep = count_to_keep("1/2", weight.numel()) if n_keep is None else n_keep
        if not 0 <= self._n_keep <= weight.numel():
            raise ValueError(f"n_keep must be in [0, {weight.numel()}], got n_keep={n_keep}")
        for name, kept in (("draws", self.method.keeps_draws), ("origins", self.method.keeps_origins)):
            self.register_buffer(name, torch.zeros_like(weight, dtype=torch.int32) if kept else None)
        if self.origins is not None:
            numbers = torch.arange(weight.numel(), dtype=torch.int32, device=weight.device)
            self.origins.copy_(numbers.reshape(weight.shape))

    @property
    def fan_in(self) -> int:
        """Inputs of one output: weights per row, or per filter."""
        return self.weight[0].numel()

    @property
    def n_keep(self) -> int:
        """Number of weights kept in this layer; where layers are compared, counted from the current mask."""
        return self._n_keep if self.group is None else int(self.mask().sum())

    def mask(self) -> torch.Tensor:
        """Which weights are kept now.

        Returns
        -------
        torch.Tensor of bool, shape and memory format of `scores`
            Made once for each change of the scores and then handed out again: do not write to it. Every optimiser step
            and whatever PyTorch's version counter sees is a change; after writing to ``scores.data``, which it does not
            see, call `forget`.
        """
        if _not_kept([self.scores] if self.group is None else self.group.scores()):
            return self._made_mask()
        aim = self._n_keep if self.group is None else self.group.state()
        state = (_optimiser_steps, self.scores, self.scores._version, self.scores.data_ptr(), aim)
        if self._cache is None or not _same(self._cache[0], state):
            self._cache = (state, self._made_mask())
        found: torch.Tensor = self._cache[1]
        return found

    def forget(self) -> None:
        """Have the mask made again when it is next needed."""
        self._cache = None
        if self.group is not None:
            self.group.forget()

    @torch.no_grad()
    def _made_mask(self) -> torch.Tensor:
        if self.group is not None:
            return self.group.mask_of(self)
        return keep_mask(self.method.key(self.scores.detach()), self._n_keep)

    def gain(self) -> torch.Tensor | None:
        """Scale of the binarised weights, float64 of shape (), or None where weights keep their values."""
        mask = self.mask()
        return self.method.gain(self.weight, mask, self._count(mask))

    def _count(self, mask: torch.Tensor) -> int | torch.Tensor:
        return self._n_keep if self.group is None else mask.sum()

    def effective_weight(self) -> torch.Tensor:
        """What the layer multiplies by: 0 where pruned; its gradient goes straight through to `scores`.

        Returns
        -------
        torch.Tensor, shape and dtype of `weight`
        """
        mask = self.mask()
        value, slope = self.method.value_and_slope(self.weight, mask, self._count(mask))
        signed = self.method.score_key == "abs"
        out: torch.Tensor = _StraightThrough.apply(self.scores, value, slope, mask, signed)  # type: ignore[no-untyped-call]
        return out

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        result = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.forget()
        return result

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": None}

    def extra_repr(self) -> str:
        inner: str = super().extra_repr()
        kept = f"n_keep={self._n_keep}" if self.group is None else "global n_keep"
        return f"{inner}, {kept} of {self.weight.numel()}, method={self.method.name}"


class MaskedLinear(MaskedLayer, nn.Linear):
    """A linear layer with frozen weights and trained scores.

    Parameters
    ----------
    layer : torch.nn.Linear
        The layer to take over: its tensors are shared, not copied.
    n_keep : int, optional
        Number of weights kept, in [0, numel]; half of them by default.
    method : Method, optional
        Edge-Popup's rules by default.
    index : int
        Number of the layer in its model.

    Raises
    ------
    ValueError
        If the layer is of another type or `n_keep` is outside its range.

    Examples
    --------
    >>> layer = MaskedLinear(nn.Linear(3, 2), n_keep=4)
    >>> layer(torch.zeros(5, 3)).shape, int(layer.mask().sum()), [name for name, _ in layer.named_parameters()]
    (torch.Size([5, 2]), 4, ['scores'])
    """

    def __init__(
        self, layer: nn.Linear, *, n_keep: int | None = None, method: Method | None = None, index: int = 0
    ) -> None:
        _take_over(self, layer, nn.Linear)
        self._become(n_keep, method, index)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.linear(input, self.effective_weight(), self.bias)


class MaskedConv2d(MaskedLayer, nn.Conv2d):
    """A convolution with frozen weights and trained scores; parameters as in `MaskedLinear`.

    Examples
    --------
    >>> layer = MaskedConv2d(nn.Conv2d(4, 6, 3, groups=2, padding=1, padding_mode="reflect"), n_keep=27)
    >>> layer(torch.zeros(5, 4, 8, 8)).shape, layer.fan_in
    (torch.Size([5, 6, 8, 8]), 18)
    """

    def __init__(
        self, layer: nn.Conv2d, *, n_keep: int | None = None, method: Method | None = None, index: int = 0
    ) -> None:
        _take_over(self, layer, nn.Conv2d)
        self._become(n_keep, method, index)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self._conv_forward(input, self.effective_weight(), self.bias)
        return out


Plain = nn.Linear | nn.Conv2d
MASKED_TYPES: dict[type[nn.Module], type[MaskedLinear] | type[MaskedConv2d]] = {
    nn.Linear: MaskedLinear,
    nn.Conv2d: MaskedConv2d,
}


def convert_layer(layer: nn.Module, *, n_keep: int, method: Method, index: int) -> MaskedLayer:
    """Turn a plain layer itself into a masked layer, so that every reference to it sees the change."""
    layer.__class__ = MASKED_TYPES[type(layer)]
    assert isinstance(layer, MaskedLayer)
    layer._become(n_keep, method, index)
    return layer


class GlobalMasks:
    """Masks of several layers whose keys are compared with each other.

    Parameters
    ----------
    n_keep : int
        Weights kept in all of them together.
    """

    def __init__(self, layers: list[MaskedLayer], n_keep: int) -> None:
        self.layers = layers
        self.n_keep = n_keep
        self._cache: tuple[Any, ...] | None = None
        for layer in layers:
            layer.group = self
            layer._cache = None

    def state(self) -> tuple[Any, ...]:
        """What the masks depend on."""
        return self.n_keep, _optimiser_steps, *((s, s._version, s.data_ptr()) for s in self.scores())

    def scores(self) -> list[torch.Tensor]:
        """Of all layers."""
        return [layer.scores for layer in self.layers]

    def forget(self) -> None:
        """Have the masks made again."""
        self._cache = None

    def mask_of(self, layer: MaskedLayer) -> torch.Tensor:
        """The mask of one of the layers."""
        place = next(i for i, other in enumerate(self.layers) if other is layer)
        state = None if _not_kept(self.scores()) else self.state()
        if state is None or self._cache is None or not _same(self._cache[0], state):
            keys = [other.method.key(other.scores.detach()) for other in self.layers]
            masks = keep_masks_global(keys, self.n_keep)
            if state is None:
                return masks[place]
            self._cache = (state, masks)
        found: torch.Tensor = self._cache[1][place]
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": None}


def _take_over(new: nn.Module, layer: nn.Module, kind: type[nn.Module]) -> None:
    """Give `new` the attributes of `layer`, in dictionaries of its own."""
    if type(layer) is not kind:
        raise ValueError(f"layer must be a torch.nn.{kind.__name__}, got {type(layer).__name__}")
    copies = {name: value.copy() if isinstance(value, dict) else value for name, value in vars(layer).items()}
    new.__dict__.update(copies)


def _not_kept(scores: list[torch.Tensor]) -> bool:
    """Whether a mask of these scores cannot be handed out again: no one could see that they have changed."""
    return torch.compiler.is_compiling() or any(one.is_inference() or inside_functorch(one) for one in scores)


def _same(a: Any, b: Any) -> bool:
    """Equality of nested tuples in which tensors are compared by identity."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return a is b if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor) else bool(a == b)
