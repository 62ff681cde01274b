"""Train the target of the published experiment: a bias-free ReLU network on MNIST.

``python -m nets.train_mlp --data mnist:DIR --widths 784 500 10 --out mlp.pt`` writes a PyTorch state dict that
``python -m nets.approximate mlp.pt`` reads. Settings as published: SGD, lr 0.1, momentum 0.9, weight decay 5e-4,
cosine schedule, 10 epochs, batch 64. The accuracy that is printed is the last epoch's, never the best one's.

Source: Pensia et al. 2020 (bibliography key ``pensia2020``), experiment 1.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sims.commands import cli
from sims.statistics.result import atomic_path, check_output

if TYPE_CHECKING:
    import torch


def _values(metavar: str) -> Any:
    return tyro.conf.arg(metavar=metavar)


@dataclass(frozen=True)
class TrainMlp:
    """Train a bias-free ReLU network and save its state dict."""

    data: Annotated[str, _values("mnist:DIR")]
    """Folder with the four MNIST files (IDX, gzipped or not)."""
    out: Annotated[str, _values("FILE")]
    """Where the state dict goes (.pt)."""
    widths: Annotated[tuple[str, ...], _values("INT [INT ...]")] = ("784", "500", "10")
    """d_0, ..., d_l."""
    epochs: Annotated[str, _values("INT")] = "10"
    """Passes over the training images."""
    batch: Annotated[str, _values("INT")] = "64"
    """Images per step."""
    lr: Annotated[str, _values("REAL")] = "0.1"
    """Learning rate at the start; it falls to 0 as a cosine, epoch by epoch."""
    momentum: Annotated[str, _values("REAL")] = "0.9"
    """Momentum of SGD."""
    weight_decay: Annotated[str, _values("REAL")] = "5e-4"
    """Added to the gradient, times the weight."""
    pixels: Literal["unit", "standard"] = "unit"
    """unit: x / 255. standard: (x / 255 - 0.1307) / 0.3081."""
    seed: Annotated[str | None, _values("INT")] = None
    """Seed in [0, 2^63) of the first weights and of the order of the images. Default: a fresh one, which is printed."""
    quiet: bool = False
    """Print nothing."""


def train_mlp(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    widths: Sequence[int],
    seed: int,
    epochs: int = 10,
    batch: int = 64,
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    after_epoch: Callable[[int, float], None] | None = None,
) -> list[torch.Tensor]:
    """Train F_1, ..., F_l by SGD on the cross-entropy.

    Parameters
    ----------
    images, labels : torch.Tensor, shapes (count, d_0) and (count,)
    widths : sequence of int
        d_0, ..., d_l.
    seed : int
        Of a generator of its own; the same seed gives the same weights on one machine.
    epochs, batch, lr, momentum, weight_decay
        The learning rate of epoch e (from 0) is lr (1 + cos(pi e / epochs)) / 2.
    after_epoch : callable, optional
        Called with (epoch from 1, mean training loss).

    Returns
    -------
    list of torch.Tensor, shapes (d_i, d_{i-1}), dtype of `images`

    Raises
    ------
    ValueError
        If the widths do not fit the data, or the loss is not finite.
    """
    import torch

    if widths[0] != images.shape[1] or widths[-1] <= int(labels.max()):
        raise ValueError(
            f"widths must start with {images.shape[1]} pixels and end with more than {int(labels.max())} outputs, "
            f"got widths={tuple(widths)}"
        )
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for d_in, d_out in itertools.pairwise(widths):  # the usual first weights: uniform on +-1/sqrt(d_in)
        first = torch.rand(d_out, d_in, generator=generator, dtype=images.dtype)
        weights.append(((2 * first - 1) / d_in**0.5).requires_grad_())
    optimiser = torch.optim.SGD(weights, lr=lr, momentum=momentum, weight_decay=weight_decay)
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2
        total = 0.0
        for chosen in torch.randperm(len(images), generator=generator).split(batch):
            hidden = images[chosen]
            for i, weight in enumerate(weights):
                hidden = (torch.relu(hidden) if i else hidden) @ weight.T
            loss = torch.nn.functional.cross_entropy(hidden, labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        if not math.isfinite(total):
            raise ValueError(f"the loss is not finite after epoch {epoch + 1}: lr={lr} is too large")
        if after_epoch is not None:
            after_epoch(epoch + 1, total / len(images))
    return [weight.detach() for weight in weights]


def work(argv: Sequence[str] | None) -> int:
    """Parse, train, save, print; returns the exit code."""
    flags = cli.parse(TrainMlp, argv, prog="python -m nets.train_mlp")
    check_output("--out", flags.out)
    if not flags.out.lower().endswith((".pt", ".pth")):
        raise cli.UsageError(f"--out takes a .pt or .pth file, got {flags.out}")
    kind, _, folder = flags.data.partition(":")
    if kind != "mnist" or not folder:
        raise cli.UsageError(f"--data takes mnist:DIR, got {flags.data}")
    widths = tuple(cli.between("--widths", cli.integer("--widths", token), 1, 10**6) for token in flags.widths)
    if len(widths) < 2:
        raise cli.UsageError(f"--widths needs d_0, ..., d_l with l >= 1, got {' '.join(flags.widths)}")
    seed = cli.fresh_seed() if flags.seed is None else cli.integer("--seed", flags.seed)
    options: dict[str, Any] = {
        "seed": cli.between("--seed", seed, 0, 2**63 - 1),
        "epochs": cli.between("--epochs", cli.integer("--epochs", flags.epochs), 1, 10**6),
        "batch": cli.between("--batch", cli.integer("--batch", flags.batch), 1, 10**6),
        "lr": _non_negative("--lr", flags.lr),
        "momentum": _non_negative("--momentum", flags.momentum),
        "weight_decay": _non_negative("--weight-decay", flags.weight_decay),
    }
    import torch

    from nets.data.mnist import load_mnist
    from nets.targets.target import Target

    test = load_mnist(folder, "test", pixels=flags.pixels)
    train = load_mnist(folder, "train", pixels=flags.pixels, dtype=torch.float32)
    started = time.monotonic()
    with cli.progress(options["epochs"], quiet=flags.quiet, after=0.0) as advance:
        weights = train_mlp(
            *train,
            widths=widths,
            after_epoch=lambda epoch, loss: advance(1, f"epoch {epoch}, loss {loss:.4f}"),
            **options,
        )
    accuracy = float((Target(tuple(weights))(test[0]).argmax(-1) == test[1]).double().mean())
    with atomic_path(flags.out) as temporary:
        torch.save({f"{i}.weight": weight for i, weight in enumerate(weights)}, temporary)
    if not flags.quiet:
        print(
            f"widths {' '.join(map(str, widths))}, {options['epochs']} epochs, seed {options['seed']}, "
            f"{time.monotonic() - started:.1f} s: test accuracy {100 * accuracy:.2f} % -> {flags.out}"
        )
    return 0


def _non_negative(flag: str, token: str) -> float:
    value = cli.real(flag, token)
    if not 0 <= value < math.inf:
        raise cli.UsageError(f"{flag} must be a number >= 0, got {token}")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
