"""Learning curves of training runs, read from their folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nets.training.run_folder import RunError, RunFolder, read_metrics
from nets.training.settings import TrainSettings
from sims.statistics.result import Result, provenance

_NUMBERS = ("lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")


def learning_curves(runs: Sequence[str | Path]) -> Result:
    """Loss and accuracy of every run after every epoch.

    Parameters
    ----------
    runs : sequence of str or Path
        Folders of runs, finished or not.

    Returns
    -------
    Result
        One row an epoch. Numbers of training images are means over the epoch, while scores moved; the others are of
        the network at its end, None where they were not measured.

    Raises
    ------
    RunError
        If a folder holds no run, or none whose first epoch is done.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        folder = RunFolder(Path(run))
        settings = TrainSettings.from_json(folder.params())
        mine = read_metrics(folder)
        if not mine:
            raise RunError(f"{run} has no metrics yet: its first epoch is not done")
        shared: dict[str, Any] = {
            "run": str(run),
            "method": settings.method,
            "arch": settings.arch,
            "data": settings.data,
        }
        shared |= {"density": settings.density, "seed": settings.seed, "score_seed": settings.score_seed}
        rows += [{**shared, "epoch": row["epoch"], **{key: row[key] for key in _NUMBERS}} for row in mine]
    return Result(
        command="nets.learning_curves",
        params={"runs": [str(run) for run in runs]},
        rows=rows,
        provenance=provenance(seed=None, threads=1, seconds=0.0),
    )
