"""Tables of training runs, read from their folders: a row a run, a line for runs that differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from nets.training.run_folder import RunError, RunFolder, read_metrics
from nets.training.settings import TrainSettings

SHOWN = ("method", "data", "arch", "density", "scale", "width", "epochs")
"""Settings that every line shows."""
SEEDS = ("seed", "score_seed")
_MACHINE = ("data_dir", "device", "amp", "compile", "test_each_epoch")
_COSTS = ("weights", "kept", "bits_per_weight", "step_ms", "seconds")

Row = dict[str, Any]


def run_row(run: str) -> Row:
    """What is known of a run.

    Returns
    -------
    dict
        run; settings of `SHOWN` and `SEEDS`; finished, epochs_done; test_accuracy, val_accuracy, train_loss of the last
        epoch that is done (None where not measured); weights, kept, bits_per_weight (of the ticket's file), step_ms,
        seconds (None until the run is finished); data_sha256; then all other settings.

    Raises
    ------
    RunError
        If the folder holds no run or is damaged.
    """
    folder = RunFolder(Path(run))
    settings = asdict(TrainSettings.from_json(folder.params()))
    done = folder.finished()
    result: Mapping[str, Any] = {} if done is None else done["rows"][0]
    epochs = read_metrics(folder) if folder.metrics.is_file() else []
    last: Mapping[str, Any] = epochs[-1] if epochs else {}
    for name in ("test_accuracy", "val_accuracy", "train_loss"):
        if result and epochs and result.get(name) != last.get(name):
            raise RunError(f"{folder.result} and {folder.metrics} do not agree on {name}: one of them was edited")
    return {
        "run": run,
        **{name: settings.pop(name) for name in (*SHOWN, *SEEDS)},
        "finished": done is not None,
        "epochs_done": len(epochs),
        "test_accuracy": result.get("test_accuracy"),
        **{name: last.get(name) for name in ("val_accuracy", "train_loss")},
        **{name: result.get(name) for name in _COSTS},
        "data_sha256": folder.data_sha256(),
        **settings,
    }


def check_runs(runs: Sequence[str]) -> None:
    """Refuse what is no run's folder, all of it in one line, and a run that is named twice.

    Raises
    ------
    RunError
    """
    odd = [f"{run} ({why})" for run in runs if (why := _no_run(Path(run)))]
    if odd:
        raise RunError(f"no training run: {', '.join(odd)}")
    places = [Path(run).resolve() for run in runs]
    twice = sorted({run for run, place in zip(runs, places, strict=True) if places.count(place) > 1})
    if twice:
        raise RunError(f"a run is named more than once: {', '.join(twice)}")


def _no_run(path: Path) -> str:
    """Why a path is no run's folder, or nothing."""
    if not path.exists():
        return "no such folder"
    if not path.is_dir():
        return "a file"
    if RunFolder(path).config.is_file():
        return ""
    inside = len(list(path.glob("*/config.json")))
    return f"it has no config.json, but {inside} folders in it have: {path}/*/" if inside else "it has no config.json"


def summarise_runs(rows: Sequence[Row]) -> list[Row]:
    """One line for all runs that agree in everything but their seeds and the machine, in the order of the rows.

    Returns
    -------
    list of dict
        `SHOWN`; others: settings beside them that tell the line from lines with the same ones; runs, finished; mean,
        least and greatest test_accuracy, mean bits_per_weight and seconds, of finished runs (None without any).
    """
    apart = (
        "run",
        *SEEDS,
        *_MACHINE,
        "finished",
        "epochs_done",
        "test_accuracy",
        "val_accuracy",
        "train_loss",
        *_COSTS,
    )
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(value for name, value in row.items() if name not in apart), []).append(row)
    firsts = [mine[0] for mine in groups.values()]
    hidden = [name for name in rows[0] if name not in (*apart, *SHOWN)] if rows else []
    lines = []
    for mine in groups.values():
        alike = [row for row in firsts if all(row[name] == mine[0][name] for name in SHOWN)]
        differ = [name for name in hidden if len({row[name] for row in alike}) > 1]
        done = [row for row in mine if row["finished"]]
        lines.append(
            {
                **{name: mine[0][name] for name in SHOWN},
                "others": {name: mine[0][name] for name in differ},
                "runs": len(mine),
                "finished": len(done),
                "test_accuracy": _over(mean, done, "test_accuracy"),
                "test_accuracy_min": _over(min, done, "test_accuracy"),
                "test_accuracy_max": _over(max, done, "test_accuracy"),
                "bits_per_weight": _over(mean, done, "bits_per_weight"),
                "seconds": _over(mean, done, "seconds"),
            }
        )
    return lines


def _over(what: Any, rows: Sequence[Row], name: str) -> float | None:
    return float(what(row[name] for row in rows)) if rows else None
