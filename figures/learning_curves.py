"""Learning curves of training runs: loss and accuracy after every epoch.

``plot`` draws a result of `nets.training.curves.learning_curves`, as ``nets.train --plot`` and ``nets.compare --plot``
do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from figures.style import MARKERS, PALETTE, blank_figure, house_style, sample, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS: dict[str, dict[str, Any]] = {
    "train": {"linestyle": "-"},
    "val": {"linestyle": "--"},
    "test": {"linestyle": ":", "markersize": 4},
}
"""How images of each part are drawn; the colour is the run's, and the test images carry its marker."""
_NAMES = {"train": "training images, mean over the epoch", "val": "validation images", "test": "test images"}


def plot(result: Any) -> Figure:
    """Loss and accuracy against the epoch, a colour for each run; of a single run a colour for each part of the images.

    Parameters
    ----------
    result : sims.statistics.result.Result
        Of ``nets.learning_curves``.
    """
    runs = list(dict.fromkeys(row["run"] for row in result.rows))
    single = len(runs) == 1
    with house_style():
        figure = blank_figure(6.9, 3.4)
        panels = figure.subplots(1, 2)
        for axes, key, factor in zip(panels, ("loss", "accuracy"), (1.0, 100.0), strict=True):
            drawn = [_curves(axes, _of(result.rows, run), key, factor, index, single) for index, run in enumerate(runs)]
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel("loss (cross-entropy)")
        panels[1].set_ylabel("accuracy, %")
        parts = [part for part in PARTS if any(part in found for found in drawn)]
        if single:
            handles, columns = [sample(_NAMES[part], **_style(part, 0, single)) for part in parts], 3
            title = _labels(runs, result.rows)[0]
        else:
            labels, columns, title = _labels(runs, result.rows), 2, None
            handles = [sample(label, color=PALETTE[i % len(PALETTE)]) for i, label in enumerate(labels)]
            marks = {part: {"marker": "o"} if part == "test" else {} for part in parts}
            handles += [sample(_NAMES[part], **PARTS[part], **marks[part]) for part in parts]
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, title=title)
    return figure


def save(result: Any, path: str) -> None:
    """Draw a result of ``nets.learning_curves`` into a file."""
    save_figure(plot(result), path)


def _of(rows: Sequence[Any], run: str) -> list[Any]:
    return [row for row in rows if row["run"] == run]


def _style(part: str, index: int, single: bool) -> dict[str, Any]:
    place = list(PARTS).index(part) if single else index
    mark = {"marker": MARKERS[index % len(MARKERS)]} if part == "test" else {}
    return {"color": PALETTE[place % len(PALETTE)], **PARTS[part], **mark}


def _curves(axes: Any, rows: Sequence[Any], key: str, factor: float, index: int, single: bool) -> set[str]:
    """Draw one run; returns the parts that it has."""
    found = set()
    for part in PARTS:
        points = [(row["epoch"], factor * row[f"{part}_{key}"]) for row in rows if row[f"{part}_{key}"] is not None]
        if points:
            found.add(part)
            style = _style(part, index, single)
            alone = {"marker": "."} if len(points) == 1 and "marker" not in style else {}
            axes.plot(*zip(*points, strict=True), **style, **alone)
    return found


def _labels(runs: Sequence[str], rows: Sequence[Any]) -> list[str]:
    """Folder names, or whole paths where two are the same; with one run what it is."""
    if len(runs) == 1:
        row = rows[0]
        return [f"{row['method']}, {row['arch']}, {row['data']}, density {row['density']:g}, seed {row['seed']}"]
    names = [Path(run).name for run in runs]
    if len(set(names)) == len(names):
        return names
    shared = os.path.commonpath([os.path.abspath(run) for run in runs])
    return [os.path.relpath(run, shared) for run in runs]
