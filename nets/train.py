"""Find a strong ticket by gradient descent on scores, or train the same network densely beside it.

``python -m nets.train --method edge-popup --arch mlp --data digits --out runs/a`` trains with the settings of the
method's paper, writes a checkpoint and a line of metrics after every epoch, and in the end the result and the ticket.
``python -m nets.train --out runs/a --resume`` goes on after any interruption as if there had been none, bit for bit.
The accuracy reported is the last epoch's on the test images, never a best one's; validation images are only watched.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nets.training.run_folder import RunFolder, read_metrics
from nets.training.settings import Choices
from sims.commands import cli, flags
from sims.commands.flags import Folder, OptionalFile, OptionalInteger
from sims.commands.interrupt import keeping
from sims.commands.prediction import Prediction, announce

if TYPE_CHECKING:
    from nets.training.run import Foresee, Note
    from sims.statistics.result import Result


@dataclass(frozen=True, kw_only=True)
class Train(Choices):
    """Find a ticket in a network of frozen random weights, or train the network densely (--method dense).

    Settings that are not given are those of the method's paper (nets/training/recipes.py); with --resume they are the
    run's own.
    """

    examples: ClassVar = (
        "python -m nets.train --method edge-popup --data digits --seed 1 --out runs/a",
        "python -m nets.train --method iterand --data mnist --data-dir DIR --density 0.5 --out runs/b",
        "python -m nets.train --out runs/b --resume",
    )

    out: Folder
    """Where the run is kept: settings, checkpoint, metrics, result and ticket."""
    multi_prize: OptionalInteger = None
    """Find this many tickets in the same weights, from other first scores, and compare them."""
    resume: bool = False
    """Go on with the run in --out."""
    checkpoint_every: flags.Integer = 0
    """Also write a checkpoint after every so many steps, not only after every epoch."""
    plot: OptionalFile = None
    """Also draw the learning curves (.png, .pdf or .svg); with --resume on a finished run nothing else is done."""
    max_time: flags.OptionalDuration = None
    """Do not begin what is predicted to take longer. Default: a day."""
    json: bool = False
    """Print the result as JSON and nothing else."""
    quiet: bool = False
    """Print nothing but what is wrong."""
    force: bool = False
    """Let --plot replace files of any kind, but for inputs."""

    csv: ClassVar[None] = None
    check: ClassVar[bool] = False


def work(argv: Sequence[str] | None) -> int:
    """Parse, train, print; returns the exit code."""
    given = flags.parse(Train, argv, prog="python -m nets.train")
    every = flags.between("--checkpoint-every", given.checkpoint_every, 0, 10**9)
    quiet = given.quiet or given.json
    check_picture(given)

    def note(text: str) -> None:
        if not given.quiet:
            print(text, file=sys.stderr)

    def foresee(expected: Prediction) -> None:
        announce(expected, max_time=given.max_time, quiet=given.quiet)

    with keeping(lambda: _kept(given)):
        result = _trained(given, every, quiet, note, foresee)

    def draw() -> None:
        from nets.training.curves import learning_curves

        scores = [f"/score-{row['score_seed']}" for row in result.rows] if given.multi_prize else [""]
        learning_curves([f"{given.out}{place}" for place in scores]).plot(given.plot)

    from sims.commands.output import deliver

    return deliver(result, given, show=lambda: show(result, given.out), files=[("picture", given.plot, draw)])


def _trained(given: Train, every: int, quiet: bool, note: Note, foresee: Foresee) -> Result:
    if given.multi_prize is not None:
        from nets.training.multi_prize import multi_prize

        count = flags.between("--multi-prize", given.multi_prize, 2, 1000)
        return multi_prize(
            given, given.out, count, resume=given.resume, checkpoint_every=every, quiet=quiet, note=note,
            foresee=foresee,
        )  # fmt: skip
    from nets.training.run import train
    from nets.training.settings import resolve, resumed

    folder = RunFolder(Path(given.out))
    settings = resumed(folder.params(), given, folder.path) if given.resume else resolve(given)
    return train(
        settings, folder.path, resume=given.resume, checkpoint_every=every, quiet=quiet, note=note, foresee=foresee
    )


def _kept(given: Train) -> str:
    """What an interruption leaves, and what goes on with it."""
    if not any(Path(given.out).glob("**/config.json")):
        return "nothing is kept yet"
    if given.multi_prize is not None:
        done = len(list(Path(given.out).glob("score-*/result.json")))
        return f"{done} of {given.multi_prize} tickets are in {given.out}: --resume goes on"
    folder = RunFolder(Path(given.out))
    epochs = len(read_metrics(folder)) if folder.metrics.is_file() else 0
    return f"{epochs} epoch{'s' if epochs != 1 else ''} and the last checkpoint are in {given.out}: --resume goes on"


def check_picture(given: Train) -> None:
    """Refuse a picture that could not be drawn, before the training; it may lie in the run's folder, which will be."""
    from sims.commands.output import check_files
    from sims.files import PICTURES

    own = given.plot is not None and Path(given.plot).resolve().parent == Path(given.out).resolve()
    if not own or Path(given.out).is_dir():
        curves = given.multi_prize or 1
        inputs = [given.data_dir]
        check_files(given, figure="learning_curves", curves=curves, settings_of="tickets", inputs=inputs)
    elif not str(given.plot).lower().endswith(tuple(PICTURES)):
        raise flags.UsageError(f"--plot takes a .png, .pdf or .svg file, got {given.plot}")


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
