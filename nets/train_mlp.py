"""Train the target of the published experiment: a bias-free ReLU network on MNIST.

``python -m nets.train_mlp --data mnist:DIR --widths 784 500 10 --out mlp.pt`` writes a PyTorch state dict that
``python -m nets.approximate mlp.pt`` reads. Settings as published: SGD, lr 0.1, momentum 0.9, weight decay 5e-4,
cosine schedule, 10 epochs, batch 64. The accuracy that is printed is the last epoch's, never the best one's.

Source: Pensia et al. 2020 (bibliography key ``pensia2020``), experiment 1.
"""

from __future__ import annotations

import io
import itertools
import math
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from sims.commands import cli, flags
from sims.commands.flags import File, Integer, OptionalFolder, OptionalInteger, Real, UsageError
from sims.commands.output import Delivery
from sims.commands.prediction import Prediction, announce
from sims.files import Kind, OutputFile, check_outputs, write_bytes
from sims.options import fresh_seed
from sims.progress import progress


@dataclass(frozen=True, kw_only=True)
class TrainMlp:
    """Train a bias-free ReLU network and save its state dict."""

    examples: ClassVar = ("python -m nets.train_mlp --data mnist --data-dir DIR --widths 784 500 10 --out mlp.pt",)

    data: Annotated[str, *flags.written("NAME", lambda tokens: tokens[0])] = "mnist"
    """What it is trained on: mnist."""
    data_dir: OptionalFolder = None
    """Folder with the four MNIST files (IDX, gzipped or not)."""
    out: File
    """Where the state dict goes (.pt)."""
    widths: flags.Counts = (784, 500, 10)
    """d_0, ..., d_l."""
    epochs: Integer = 10
    """Passes over the training images."""
    batch: Integer = 64
    """Images per step."""
    lr: Real = 0.1
    """Learning rate at the start; it falls to 0 as a cosine, epoch by epoch."""
    momentum: Real = 0.9
    """Momentum of SGD."""
    weight_decay: Real = 5e-4
    """Added to the gradient, times the weight."""
    pixels: Literal["unit", "standard"] = "unit"
    """unit: x / 255. standard: (x / 255 - 0.1307) / 0.3081."""
    seed: OptionalInteger = None
    """Seed in [0, 2^63) of the first weights and of the order of the images. Default: a fresh one, which is printed."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""
    quiet: bool = False
    """Print nothing."""
    force: bool = False
    """Let --out replace files of any kind, but for inputs."""

    @property
    def folder(self) -> str:
        """Where the images lie; the earlier ``--data mnist:DIR`` is understood."""
        kind, colon, folder = self.data.partition(":")
        if kind != "mnist" or (colon and not folder):
            raise UsageError(f"--data takes mnist, with --data-dir DIR, got {self.data}")
        if colon:
            print(f"note: --data {self.data} is now --data mnist --data-dir {folder}", file=sys.stderr)
        elif self.data_dir is None:
            raise UsageError("--data mnist needs --data-dir DIR")
        return folder if colon else str(self.data_dir)


def _is_state(path: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("/data.pkl"))
        with archive.open(name) as file:
            return b"0.weight" in file.read(1 << 10)


STATE = Kind("state dict of a chain of layers", _is_state)


def work(argv: Sequence[str] | None) -> int:
    """Parse, train, save, print; returns the exit code."""
    given = flags.parse(TrainMlp, argv, prog="python -m nets.train_mlp")
    if not given.out.lower().endswith((".pt", ".pth")):
        raise UsageError(f"--out takes a .pt or .pth file, got {given.out}")
    folder = given.folder
    check_outputs(OutputFile("--out", given.out, STATE), inputs=[folder], force=given.force)
    for width in given.widths:
        flags.between("--widths", width, 1, 10**6)
    if len(given.widths) < 2:
        raise UsageError(f"--widths needs d_0, ..., d_l with l >= 1, got {' '.join(map(str, given.widths))}")
    seed = flags.between("--seed", fresh_seed() if given.seed is None else given.seed, 0, 2**63 - 1)
    flags.between("--epochs", given.epochs, 1, 10**6)
    flags.between("--batch", given.batch, 1, 10**6)
    for flag, value in (("lr", given.lr), ("momentum", given.momentum), ("weight-decay", given.weight_decay)):
        if not 0 <= value < math.inf:
            raise UsageError(f"--{flag} must be a number >= 0, got {value:g}")
    import torch

    from nets.data.mnist import load_mnist
    from nets.targets.target import Target
    from nets.training.mlp import mlp_step_seconds, train_mlp

    test = load_mnist(folder, "test", pixels=given.pixels)
    train = load_mnist(folder, "train", pixels=given.pixels, dtype=torch.float32)
    started = time.monotonic()
    needed = 16 * sum(a * b for a, b in itertools.pairwise(given.widths)) + 12 * given.batch * sum(given.widths)
    announce(Prediction(0.0, needed))
    chosen: dict[str, Any] = {"widths": given.widths, "seed": seed, "lr": given.lr, "momentum": given.momentum}
    step = mlp_step_seconds(*train, batch=given.batch, **chosen)
    seconds = given.epochs * -(-len(train[0]) // given.batch) * step
    announce(Prediction(seconds, needed if needed > 2**30 else 0), max_time=given.max_time, quiet=given.quiet)
    with progress(given.epochs, quiet=given.quiet, after=0.0) as advance:
        weights = train_mlp(
            *train,
            **chosen,
            epochs=given.epochs,
            batch=given.batch,
            weight_decay=given.weight_decay,
            after_epoch=lambda epoch, loss: advance(1, f"epoch {epoch}, loss {loss:.4f}"),
        )
    accuracy = float((Target(tuple(weights))(test[0]).argmax(-1) == test[1]).double().mean())
    content = io.BytesIO()
    torch.save({f"{i}.weight": weight for i, weight in enumerate(weights)}, content)
    delivery = Delivery(silent=given.quiet)
    if not given.quiet:
        shape, seconds = " ".join(map(str, given.widths)), time.monotonic() - started
        said = f"widths {shape}, {given.epochs} epochs, seed {seed}, {seconds:.1f} s"
        delivery.show(lambda: print(f"{said}: test accuracy {100 * accuracy:.2f} %"))
    delivery.write("state dict", given.out, lambda: write_bytes(given.out, content.getvalue()))
    return delivery.code


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
