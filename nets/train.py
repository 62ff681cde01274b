"""Find a strong ticket by gradient descent on scores, or train the same network densely beside it.

``python -m nets.train --method edge-popup --arch mlp --data digits --out runs/a`` trains with the settings of the
method's paper, writes a checkpoint and a line of metrics after every epoch, and in the end the result and the ticket.
``python -m nets.train --out runs/a --resume`` goes on after any interruption as if there had been none, bit for bit.
The accuracy reported is the last epoch's on the test images, never a best one's; validation images are only watched.
"""

from __future__ import annotations

from sims.commands import cli

cli.end_quietly_on_interrupt(__name__)  # the imports below take a while

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from nets.training.run_folder import RunFolder
from nets.training.settings import read, resolve, resumed
from sims.statistics.result import Result, print_json

PROG = "python -m nets.train"


def _usual(metavar: str | None = None) -> Any:
    """Annotation of a flag whose own text says what happens without it; the help adds no "default: None"."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


@dataclass(frozen=True)
class Train:
    """Find a ticket in a network of frozen random weights, or train the network densely (--method dense).

    Settings that are not given are those of the method's paper (nets/recipes.py); with --resume they are the run's own.
    """

    out: Annotated[str, cli.values("FOLDER")]
    """Where the run is kept: settings, checkpoint, metrics, result and ticket."""
    method: Annotated[
        Literal["edge-popup", "biprop", "mpt-1-1", "iterand", "recycle", "biprop-recycle", "dense"] | None, _usual()
    ] = None
    """How the ticket is found. Default: edge-popup. mpt-1-1 is biprop with binary activations."""
    arch: Annotated[str | None, _usual("NAME")] = None
    """mlp, conv2, conv4, conv6, conv8, resnet18/34/50[-imagenet], vgg-small. Default: mlp for digits and mnist, else
    conv4."""
    data: Annotated[Literal["digits", "mnist", "cifar10", "imagefolder"] | None, _usual()] = None
    """Default: digits, which need no files."""
    data_dir: Annotated[str | None, _usual("FOLDER")] = None
    """Where the files of the data lie."""
    density: Annotated[str | None, _usual("FLOAT")] = None
    """Part of each layer's weights that is kept, in (0, 1]. Default: 0.5."""
    width: Annotated[str | None, _usual("FLOAT")] = None
    """Factor on every hidden width. Default: 1."""
    init: Annotated[Literal["signed-constant", "kaiming-normal", "kaiming-uniform"] | None, _usual()] = None
    """Law of the random weights."""
    scale: Annotated[Literal["unscaled", "paper", "reference-code"] | None, _usual()] = None
    """Factor on their size for the pruned part: none, the paper's sqrt(1/density), or its code's."""
    seed: Annotated[str | None, _usual("INT")] = None
    """Seed in [0, 2^63) of weights, image order and events. Default: a fresh one, which is printed."""
    score_seed: Annotated[str | None, _usual("INT")] = None
    """Seed of the first scores, so that other tickets are found in the same weights. Default: that of --seed; of the
    first ticket of --multi-prize: 0."""
    epochs: Annotated[str | None, _usual("INT")] = None
    """Passes over the training images."""
    batch: Annotated[str | None, _usual("INT")] = None
    """Images per step."""
    optimiser: Annotated[Literal["sgd", "adam"] | None, _usual()] = None
    """What trains the scores."""
    lr: Annotated[str | None, _usual("FLOAT")] = None
    """Learning rate after the warm-up."""
    momentum: Annotated[str | None, _usual("FLOAT")] = None
    """Momentum of SGD."""
    weight_decay: Annotated[str | None, _usual("FLOAT")] = None
    """Acts on all that is trained, the scores included."""
    schedule: Annotated[Literal["cosine", "constant"] | None, _usual()] = None
    """Learning rate from epoch to epoch."""
    warmup: Annotated[str | None, _usual("INT")] = None
    """Epochs of rising learning rate."""
    cooldown: Annotated[str | None, _usual("INT")] = None
    """Epochs at the end that run at --cooldown-lr."""
    cooldown_lr: Annotated[str | None, _usual("FLOAT")] = None
    """Their learning rate."""
    label_smoothing: Annotated[str | None, _usual("FLOAT")] = None
    """In [0, 1)."""
    validation: Annotated[str | None, _usual("NUMBER")] = None
    """Training images held out and watched: a part below 1 or a number. They choose nothing."""
    augment: Annotated[Literal["none", "crop-flip", "iterand", "resized-crop"] | None, _usual()] = None
    """What happens to training images. Default: the usual for the data."""
    normalise: Annotated[Literal["unit", "mnist", "cifar10", "imagenet"] | None, _usual()] = None
    """Which mean and spread pixels are brought to. Default: those of the data."""
    batch_norm: Annotated[Literal["non-affine", "affine", "none"] | None, _usual()] = None
    """Default: the architecture's own."""
    stem_width: Annotated[str | None, _usual("INT")] = None
    """ResNets: channels of the stem whatever --width is."""
    rerand_every: Annotated[str | None, _usual("INT")] = None
    """iterand: steps between re-randomisations."""
    rerand_frac: Annotated[str | None, _usual("FLOAT")] = None
    """iterand: probability that a pruned weight is drawn again."""
    recycle_every: Annotated[str | None, _usual("INT")] = None
    """recycle: epochs between recyclings."""
    recycle_frac: Annotated[str | None, _usual("FLOAT")] = None
    """recycle: part of a layer's weights that is overwritten."""
    recycle_after: Annotated[str | None, _usual("INT")] = None
    """recycle: last epoch without recycling."""
    multi_prize: Annotated[str | None, _usual("INT")] = None
    """Find this many tickets in the same weights, from other first scores, and compare them."""
    resume: bool = False
    """Go on with the run in --out."""
    checkpoint_every: Annotated[str | None, _usual("INT")] = None
    """Also write a checkpoint after every so many steps, not only after every epoch."""
    test_each_epoch: bool = False
    """Look at the test images after every epoch, for a curve; the result stays the last epoch's."""
    device: Annotated[Literal["auto", "cpu", "cuda"] | None, _usual()] = None
    """Default: auto."""
    amp: bool = False
    """Forward passes in bfloat16 (weights, scores and evaluation stay float32)."""
    compile: bool = False
    """Compile the model with torch.compile; the first steps are slow."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    quiet: bool = False
    """Print nothing but what is wrong."""


_NO_SETTINGS = ("out", "multi_prize", "resume", "checkpoint_every", "json", "quiet")
_SWITCHES = ("amp", "compile", "test_each_epoch")


def work(argv: Sequence[str] | None) -> int:
    """Parse, train, print; returns the exit code."""
    flags = cli.parse(Train, argv, prog=PROG)
    given = settings_given(flags)
    every = "0" if flags.checkpoint_every is None else flags.checkpoint_every
    options: dict[str, Any] = {
        "resume": flags.resume,
        "checkpoint_every": cli.between("--checkpoint-every", cli.integer("--checkpoint-every", every), 0, 10**9),
        "quiet": flags.quiet or flags.json,
        "note": lambda text: None if flags.quiet else print(text, file=sys.stderr),
    }
    if flags.multi_prize is not None:
        from nets.training.multi_prize import multi_prize

        count = cli.between("--multi-prize", cli.integer("--multi-prize", flags.multi_prize), 2, 1000)
        result = multi_prize(given, flags.out, count, **options)
    else:
        from nets.training.run import train

        folder = RunFolder(Path(flags.out))
        if flags.resume:
            params = resumed(folder.params(), given, folder.path)
        else:
            params = resolve(_checked(given))
        result = train(params, folder.path, **options)
    if flags.json:
        print_json(result)
    elif not flags.quiet:
        show(result, flags.out)
    return 0


def settings_given(flags: Any) -> dict[str, Any]:
    """The settings among the flags that were given, as values."""
    content = {item.name: getattr(flags, item.name) for item in fields(flags) if item.name not in _NO_SETTINGS}
    return read({name: value for name, value in content.items() if name not in _SWITCHES or value})


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse an unknown architecture before a folder is made."""
    from nets.training.models import ARCHS

    if given.get("arch", ARCHS[0]) not in ARCHS:
        raise cli.UsageError(f"--arch must be one of {', '.join(ARCHS)}, got {given['arch']}")
    return dict(given)


def show(result: Result, out: str) -> None:
    """The result in a few lines."""
    for row in result.rows:
        text = f"{row['method']} {row['arch']} {row['data']}, density {row['density']:g}, seed {row['seed']}"
        if row["score_seed"] is not None:
            text += f", score seed {row['score_seed']}"
        print(f"{text}: test accuracy {100 * row['test_accuracy']:.2f} % after {row['epochs']} epochs")
        if row["storage"] != "weights":
            print(
                f"  ticket: {row['kept']} of {row['weights']} weights kept, {row['bytes']} bytes as {row['storage']}, "
                f"{row['bits_per_weight']:.3f} bits per weight"
            )
        times = f"{row['step_ms']:.2f} ms a step"
        if row["mask_ms"] is not None:
            times += f", {row['mask_ms']:.2f} ms for all masks"
        print(f"  {times}, {row['seconds']:.1f} s")
    for line in result.summary:
        parts = (f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in line.items())
        print(f"  {', '.join(parts)}")
    print(f"  -> {out}")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
