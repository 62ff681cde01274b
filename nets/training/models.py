"""The architectures that the papers on ticket finding train, as plain `torch.nn` modules without biases.

==================  ==================================================================================================
mlp                 hidden layers 300 and 100 by default; 784-300-100-10 has 266,200 weights
conv2 ... conv8     3x3 convolutions 64, 64, P, 128, 128, P, 256, 256, P, 512, 512, P (the first 2, 4, 6, 8 of them;
                    P is a 2x2 max-pool), then dense layers 256, 256, classes
resnet18, 34, 50    for small images: 3x3 stem with stride 1 and no pooling
resnet18-imagenet,  for large images: 7x7 stem with stride 2, then a 3x3 max-pool with stride 2
34-, 50-
vgg-small           3x3 convolutions 128, 128, P, 256, 256, P, 512, 512, P, then one dense layer
==================  ==================================================================================================

Source: the reference code of Edge-Popup and Biprop (read): no bias, ResNets with projection shortcuts and batch norm
without learned parameters, Conv2-8 with no batch norm at all under ReLU, VGG-Small with batch norm after pooling only.
Where it differs from that code:

- dense layers are `nn.Linear`, there 1x1 convolutions: the same functions and weight counts;
- pooling rounds sizes up (28 -> 14 -> 7 -> 4), a window that hangs over the edge takes what is inside, so that every
  layer exists at every image size; for sizes that halve evenly, such as 32x32, nothing changes;
- ResNets end in a global average, there a 4x4 average: equal at 32x32;
- a scaled width is rounded to the nearest integer and is at least 1; there it is truncated (0.1 * 128 = 12, here 13);
- batch norm sees a training batch with one value per channel (one image at a 1x1 layer) through its running
  statistics instead of stopping with an error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from nets.arguments import flag, several
from nets.training.settings import ARCHS, BATCH_NORMS, usual_batch_norm
from sims.solver.limits import MAX_SEED, between, finite_number
from sims.solver.memory import available_bytes, readable
from theory.numerics.check import shown

ACTIVATIONS = ("relu", "sign")

_RESNETS: dict[str, tuple[bool, tuple[int, ...]]] = {  # bottleneck blocks?, blocks per stage
    "resnet18": (False, (2, 2, 2, 2)),
    "resnet34": (False, (3, 4, 6, 3)),
    "resnet50": (True, (3, 4, 6, 3)),
}


class _OneValueSafe:
    """Mixin of batch norms: one value per channel has no spread, so the running statistics stand in for it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.numel() == x.shape[1]:  # type: ignore[attr-defined]
            weight, bias = self.weight, self.bias  # type: ignore[attr-defined]
            return F.batch_norm(x, self.running_mean, self.running_var, weight, bias, False, 0.0, self.eps)  # type: ignore[attr-defined]
        out: torch.Tensor = super().forward(x)  # type: ignore[misc]
        return out


class BatchNorm1d(_OneValueSafe, nn.BatchNorm1d):
    """`nn.BatchNorm1d` that takes a training batch of one."""


class BatchNorm2d(_OneValueSafe, nn.BatchNorm2d):
    """`nn.BatchNorm2d` that takes a training batch of one 1x1 image."""


class _Parts:
    """Makes the layers of one network in one style."""

    def __init__(self, activation: str, batch_norm: str, bias: bool, width: float) -> None:
        self.activation, self.batch_norm, self.bias, self.width = activation, batch_norm, bias, width

    def scaled(self, channels: int) -> int:
        return max(1, round(channels * self.width))

    def act(self) -> nn.Module:
        if self.activation == "relu":
            return nn.ReLU()
        from nets.search.methods.mpt_1_1 import SignActivation

        return SignActivation()

    def norm(self, channels: int, *, dense: bool = False) -> list[nn.Module]:
        if self.batch_norm == "none":
            return []
        kind = BatchNorm1d if dense else BatchNorm2d
        return [kind(channels, affine=self.batch_norm == "affine")]

    def conv(self, c_in: int, c_out: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(c_in, c_out, side, stride, padding=side // 2, bias=self.bias)

    def dense(self, d_in: int, d_out: int) -> nn.Linear:
        return nn.Linear(d_in, d_out, bias=self.bias)

    def classifier(self, widths: Sequence[int]) -> list[nn.Module]:
        """Dense layers; batch norm and activation after each but the last."""
        layers: list[nn.Module] = []
        for d_in, d_out in itertools.pairwise(widths[:-1]):
            layers += [self.dense(d_in, d_out), *self.norm(d_out, dense=True), self.act()]
        return [*layers, self.dense(*widths[-2:])]


class Residual(nn.Module):
    """act(path(x) + shortcut(x)): one block of a ResNet."""

    def __init__(self, path: nn.Module, shortcut: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.path, self.shortcut, self.act = path, shortcut, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, height, width) to the block's output."""
        out: torch.Tensor = self.act(self.path(x) + self.shortcut(x))
        return out


def make_model(
    arch: str,
    *,
    width: float = 1.0,
    shape: Sequence[int] = (3, 32, 32),
    classes: int = 10,
    activation: str = "relu",
    batch_norm: str | None = None,
    stem_width: int | None = None,
    hidden: Sequence[int] = (300, 100),
    bias: bool = False,
    seed: int | None = None,
) -> nn.Sequential:
    """Build a network of plain `nn.Linear` and `nn.Conv2d` layers that maps (batch, *shape) to (batch, classes).

    Parameters
    ----------
    arch : str
        One of `ARCHS`.
    width : float > 0
        Every hidden width is round(width * its usual value), at least 1.
    shape : (channels, height, width)
        Of one image, any size; "mlp" flattens it.
    classes : int >= 1
    activation : {"relu", "sign"}
        "sign" is MPT-1/1 (Biprop with binary activations): `nets.search.methods.biprop.SignActivation` in the place
        of every ReLU, in
        ResNets also after the residual addition; in VGG-Small the last one stays a ReLU, as in the reference. The
        order in a Conv net is convolution, [max-pool], batch norm, sign; in the classifier dense, batch norm, sign;
        nothing after the last layer.
    batch_norm : {"non-affine", "affine", "none"}, optional
        "non-affine" keeps running statistics and learns nothing. Default: as in the reference code, "none" for mlp and
        conv under ReLU, "non-affine" for all else.
    stem_width : int >= 1, optional
        ResNets only: channels of the stem whatever `width` is. IteRand's ResNets keep 64; by default the stem scales.
    hidden : sequence of int >= 1
        Hidden widths of "mlp", before scaling; empty for a linear classifier.
    bias : bool
        Give every layer a bias. The references on CIFAR-10 have none (IteRand: some, fixed at 0).
    seed : int, optional
        Seed of PyTorch's default first weights; without it they come from the global generator. Ticket-finding methods
        replace these weights by their own.

    Returns
    -------
    nn.Sequential
        On the CPU, float32, in training mode; takes channels_last batches, and batches of one.

    Raises
    ------
    ValueError
        If a name is unknown, a size is not >= 1, or an option does not belong to `arch`.

    Source
    ------
    Architectures and weight counts as read in the code of ``ramanujan2020`` (Conv2-8, ResNets) and of the Multi-Prize
    Ticket paper (sign variants, VGG-Small); see the head of this file for what differs.

    Examples
    --------
    >>> model = make_model("conv4")
    >>> sum(weight.numel() for weight in model.parameters())
    2425024
    >>> model(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    for name, word, words in (("arch", arch, ARCHS), ("activation", activation, ACTIVATIONS)):
        if not isinstance(word, str) or word not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, got {name}={shown(word)}")
    if not (width := finite_number("width", width)) > 0:
        raise ValueError(f"width must be a number > 0, got width={width!r}")
    shape, hidden = several("shape", shape), several("hidden", hidden)
    if len(shape) != 3 or not all(_is_size(side) for side in shape):
        raise ValueError(f"shape must be (channels, height, width), integers >= 1, got shape={shape}")
    if not _is_size(classes):
        raise ValueError(f"classes must be an integer >= 1, got classes={shown(classes)}")
    if batch_norm is not None and not (isinstance(batch_norm, str) and batch_norm in BATCH_NORMS):
        raise ValueError(f"batch_norm must be one of {', '.join(BATCH_NORMS)}, got batch_norm={shown(batch_norm)}")
    if stem_width is not None and not (arch.startswith("resnet") and _is_size(stem_width)):
        raise ValueError(f"stem_width must be an integer >= 1, for ResNets only, got {stem_width=} for {arch}")
    if not all(_is_size(size) for size in hidden) or (arch != "mlp" and hidden != (300, 100)):
        raise ValueError(f"hidden must be integers >= 1, for mlp only, got hidden={hidden} for {arch}")
    flag("bias", bias)
    seed = None if seed is None else between("seed", seed, 0, MAX_SEED)
    if batch_norm is None:
        batch_norm = usual_batch_norm(arch, binary=activation == "sign")
    parts = _Parts(activation, batch_norm, bias, width)
    if width * max(*shape, *hidden, classes) > 2**14 and torch.get_default_device().type != "meta":
        _check_memory(parts, arch, shape, classes, hidden, stem_width)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return _built(parts, arch, shape, classes, hidden, stem_width)


def _built(
    parts: _Parts, arch: str, shape: Sequence[int], classes: int, hidden: Sequence[int], stem_width: int | None
) -> nn.Sequential:
    if arch == "mlp":
        return _mlp(parts, shape, classes, hidden)
    if arch.startswith("conv"):
        return _conv_net(parts, shape, classes, int(arch[4:]))
    if arch == "vgg-small":
        return _vgg_small(parts, shape, classes)
    return _resnet(parts, shape, classes, arch, stem_width)


def _check_memory(parts: _Parts, arch: str, *sizes: Any) -> None:
    """Refuse a network that is larger than half of the memory, before it is made."""
    try:
        with torch.device("meta"):
            needed = 4 * sum(one.numel() for one in _built(parts, arch, *sizes).parameters())
    except (RuntimeError, OverflowError, TypeError):  # sizes beyond those of any tensor
        needed = 2**63
    if needed > available_bytes() // 2:
        raise ValueError(
            f"width, shape, hidden and classes make a network that takes {readable(needed)} of memory, more than half"
        )


def weight_layers(model: nn.Module) -> list[tuple[str, nn.Linear | nn.Conv2d]]:
    """Names and modules of the dense and convolutional layers, in order: what a ticket-finding method masks.

    Examples
    --------
    >>> [name for name, _ in weight_layers(make_model("mlp"))]
    ['1', '3', '5']
    >>> len(weight_layers(make_model("resnet18")))
    21
    """
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 2**31


def _pool() -> nn.Module:
    return nn.MaxPool2d(2, ceil_mode=True)


def _mlp(parts: _Parts, shape: Sequence[int], classes: int, hidden: Sequence[int]) -> nn.Sequential:
    widths = [math.prod(shape), *map(parts.scaled, hidden), classes]
    return nn.Sequential(nn.Flatten(), *parts.classifier(widths))


def _conv_net(parts: _Parts, shape: Sequence[int], classes: int, depth: int) -> nn.Sequential:
    channels, *sides = shape
    layers: list[nn.Module] = []
    for i in range(depth):
        c_out = parts.scaled(64 << i // 2)
        layers.append(parts.conv(channels, c_out))
        pool, norm, act = [_pool()] if i % 2 else [], parts.norm(c_out), [parts.act()]
        # under ReLU the two orders are the same function, and pooling last is the way it is written down in the papers
        layers += [*pool, *norm, *act] if parts.activation == "sign" else [*norm, *act, *pool]
        channels = c_out
    for _ in range(depth // 2):
        sides = [-(-side // 2) for side in sides]
    widths = [channels * math.prod(sides), parts.scaled(256), parts.scaled(256), classes]
    return nn.Sequential(*layers, nn.Flatten(), *parts.classifier(widths))


def _vgg_small(parts: _Parts, shape: Sequence[int], classes: int) -> nn.Sequential:
    channels, *sides = shape
    layers: list[nn.Module] = []
    for i in range(6):
        c_out = parts.scaled(128 << i // 2)
        layers.append(parts.conv(channels, c_out))
        if i % 2:
            layers += [_pool(), *parts.norm(c_out)]
            sides = [-(-side // 2) for side in sides]
        layers.append(nn.ReLU() if i == 5 else parts.act())
        channels = c_out
    return nn.Sequential(*layers, nn.Flatten(), parts.dense(channels * math.prod(sides), classes))


def _resnet(parts: _Parts, shape: Sequence[int], classes: int, arch: str, stem_width: int | None) -> nn.Sequential:
    name, _, large = arch.partition("-")
    bottleneck, stages = _RESNETS[name]
    channels = stem_width or parts.scaled(64)
    stem: list[nn.Module] = [parts.conv(shape[0], channels, *((7, 2) if large else (3, 1)))]
    stem += [*parts.norm(channels), parts.act()]
    if large:
        stem.append(nn.MaxPool2d(3, stride=2, padding=1))
    blocks: list[nn.Module] = []
    for stage, count in enumerate(stages):
        inner = parts.scaled(64 << stage)
        c_out = parts.scaled(256 << stage) if bottleneck else inner
        for i in range(count):
            stride = 2 if stage and not i else 1
            blocks.append(_residual(parts, channels, inner, c_out, stride, bottleneck))
            channels = c_out
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), parts.dense(channels, classes)]
    return nn.Sequential(*stem, *blocks, *head)


def _residual(parts: _Parts, c_in: int, inner: int, c_out: int, stride: int, bottleneck: bool) -> Residual:
    """Build a basic block (3x3, 3x3) or a bottleneck (1x1, 3x3 with the stride, 1x1); a 1x1 projection where needed."""
    if bottleneck:
        plan = [(c_in, inner, 1, 1), (inner, inner, 3, stride), (inner, c_out, 1, 1)]
    else:
        plan = [(c_in, inner, 3, stride), (inner, c_out, 3, 1)]
    path: list[nn.Module] = []
    for i, step in enumerate(plan):
        path += [parts.conv(*step), *parts.norm(step[1])]
        if i < len(plan) - 1:
            path.append(parts.act())
    same = stride == 1 and c_in == c_out
    shortcut = [] if same else [parts.conv(c_in, c_out, 1, stride), *parts.norm(c_out)]
    return Residual(nn.Sequential(*path), nn.Sequential(*shortcut), parts.act())
