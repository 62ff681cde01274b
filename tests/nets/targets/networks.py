"""Small networks of the kinds that people have, each with an example of its inputs, for the tests of the readers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, *inner: nn.Module, after: nn.Module | None = None) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)
        self.after = after or nn.Identity()

    def forward(self, x):
        return self.after(x + self.inner(x))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.silu(self.down(x.mean((2, 3), keepdim=True)))))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1)
        self.back, self.last = nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.first(x).relu()
        b = self.back(self.second(a).relu()).relu()
        return self.last(torch.cat([a, b], 1))


class LastOf(nn.Module):
    """The outputs of a recurrent layer, then a dense one on the last."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Heads(nn.Module):
    """Attention written out, its lengths read from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = (one(x).view(batch, length, 2, 4).transpose(1, 2) for one in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(-2, -1) / 2, -1)
        return self.o((weights @ v).transpose(1, 2).reshape(batch, length, 8))


class Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, 4)
        self.first, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.layer, self.norm, self.head = Attention(), nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(x + self.layer(x))[:, 0])


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.head = nn.Embedding(11, 6), nn.Embedding(7, 6), nn.Linear(6, 11)

    def forward(self, tokens):
        return self.head(self.words(tokens) + self.places(torch.arange(tokens.shape[1])))


class Pads(nn.Module):
    def forward(self, x):
        modes = [F.pad(x, (1, 2, 0, 1), mode) for mode in ("reflect", "replicate", "circular")]
        return torch.cat([*modes, F.pad(x, (1, 2, 0, 1), value=0.5)], 1)


class Two(nn.Module):
    """Two inputs, two outputs, one of them several layers before the other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = nn.Linear(3, 4), nn.Linear(2, 4), nn.Linear(4, 1)

    def forward(self, a, b):
        h = torch.tanh(self.left(a) + self.right(b))
        return h, self.head(h)


def _encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False)


_IMAGE, _LINE, _SENTENCE = (2, 4, 8, 8), (2, 4, 12), (2, 5, 8)

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "dense": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2)), ((2, 3, 4),)),
    "resnet block": (
        lambda: Residual(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), after=nn.ReLU()), (_IMAGE,)),
    "depthwise block": (
        lambda: nn.Sequential(nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, 2, 1, groups=8),
                              nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 4, 1)), (_IMAGE,)),
    "squeeze and excite": (lambda: SqueezeExcite(4), (_IMAGE,)),
    "u-net": (UNet, ((2, 1, 8, 8),)),
    "norm after activation": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.BatchNorm2d(6), nn.MaxPool2d(2), nn.Conv2d(6, 2, 1),
                              nn.AvgPool2d(3, 1, 1)), (_IMAGE,)),
    "residual line": (
        lambda: Residual(nn.Conv1d(4, 4, 3, padding=2, dilation=2), nn.LeakyReLU(0.1), nn.Conv1d(4, 4, 1)), (_LINE,)),
    "transposed groups": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.BatchNorm2d(6), nn.ELU()), (_IMAGE,)),
    "encoder": (_encoder, (_SENTENCE,)),
    "attention": (Attention, (_SENTENCE,)),
    "heads": (Heads, (_SENTENCE,)),
    "gru": (lambda: LastOf(nn.GRU(8, 3, batch_first=True), 3), (_SENTENCE,)),
    "lstm": (lambda: LastOf(nn.LSTM(8, 3, 2, batch_first=True, bidirectional=True), 6), (_SENTENCE,)),
    "vision": (Vision, ((2, 1, 8, 8),)),
    "gated": (lambda: nn.Sequential(nn.Linear(8, 12), nn.GLU(), nn.Linear(6, 4), nn.SiLU()), (_SENTENCE,)),
    "layer norm": (lambda: nn.Sequential(nn.LayerNorm((5, 8)), nn.Linear(8, 3), nn.GELU("tanh")), (_SENTENCE,)),
    "group norm": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.GroupNorm(3, 6), nn.GELU()), (_IMAGE,)),
    "instance norm": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.InstanceNorm2d(6, affine=True), nn.Softplus()), (_IMAGE,)),
    "pixel shuffle": (lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.PixelShuffle(2), nn.PReLU(2)), (_IMAGE,)),
    "adaptive pooling": (
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d((2, 4)), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 2)),
        (_IMAGE,)),
    "upsampling": (
        lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 2, 3),
                              nn.Upsample(size=(9, 7), mode="bilinear", align_corners=False)), (_IMAGE,)),
    "padding modes": (Pads, (_IMAGE,)),
    "padded convolution": (
        lambda: nn.Sequential(nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), nn.Mish()), (_IMAGE,)),
    "words": (Words, ((2, 7),)),
    "two inputs": (Two, ((2, 3), (2, 2))),
}  # fmt: skip


def network(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A network with weights of its own seed, its statistics away from 0 and 1, and a batch of two examples."""
    make, shapes = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = make().eval()
        for one in module.buffers():
            if one.is_floating_point():
                one.copy_(torch.rand_like(one) + 0.5)
        if name == "words":
            return module, (torch.randint(0, 11, shapes[0]),)
        return module, tuple(torch.randn(shape) for shape in shapes)
