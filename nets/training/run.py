"""One training run in its folder, from the first step or from a checkpoint to the result and the ticket."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nets.device import machine
from nets.training.recipes import recipe
from nets.training.run_folder import MAY_MOVE, RunError, RunFolder, check_same, read_metrics
from nets.training.settings import Choices, TrainSettings, resolve, resumed
from sims.commands.prediction import Prediction
from sims.files import write_text
from sims.progress import progress
from sims.statistics.result import Result, provenance

if TYPE_CHECKING:
    from nets.training.loop import State, Training
    from nets.training.parts import Parts

COMMAND = "nets.train"
Note = Callable[[str], None]
Foresee = Callable[[Prediction], None]
"""Told what is left to do, before it begins; refuses it by an exception."""


def train(
    settings: TrainSettings,
    out: str | Path,
    *,
    resume: bool = False,
    checkpoint_every: int = 0,
    quiet: bool = True,
    note: Note = lambda text: None,
    foresee: Foresee | None = None,
) -> Result:
    """Train, or go on training, and write the run's folder.

    Parameters
    ----------
    out : str or Path
        The folder.
    resume : bool
        Go on with the run in it; otherwise the folder must not hold one.
    checkpoint_every : int
        Steps between checkpoints inside an epoch; 0 for none.
    quiet : bool
        No progress bar.
    note : callable
        Told what a user should know, one line at a time.
    foresee : callable, optional
        Told what the training will take, before it begins; what it raises leaves the folder as it was.

    Returns
    -------
    Result
        One row; its accuracies are those after the last epoch.

    Raises
    ------
    ValueError
        One line: the folder, the data or a setting is of no use, or the loss is not finite.
    """
    from nets.training.parts import build

    folder = RunFolder(Path(out))
    if resume:
        folder.params()  # refuses what is no run
        done = folder.finished()
        if done is not None:
            note(f"{folder.path} is finished already: nothing to do")
            return Result(**done)
        with locked(folder):
            parts = build(settings)
            told = folder.check_data(parts.data.sha256)
            _tell(note, told, _where(settings, parts))
            _predict(foresee, settings, parts, settings.epochs - _done(folder))
            return _work(settings, parts, folder, resume, checkpoint_every, quiet, note)
    folder.check_new()
    parts = build(settings)  # first: what cannot be built, for want of data or else, leaves no folder behind
    _predict(foresee, settings, parts, settings.epochs)
    folder.path.mkdir(parents=True, exist_ok=True)
    _tell(note, _where(settings, parts))
    with locked(folder):
        more = _more(settings, parts)
        folder.create(settings.to_json(), provenance(seed=settings.seed, threads=_threads(), seconds=0.0, **more))
        return _work(settings, parts, folder, resume, checkpoint_every, quiet, note)


def train_or_resume(
    choices: Choices,
    out: str | Path,
    *,
    plain_images: bool = False,
    exact: bool = False,
    checkpoint_every: int = 0,
    quiet: bool = True,
    note: Note = lambda text: None,
    foresee: Foresee | None = None,
) -> Result:
    """Begin the run in a folder, go on with it, or return what it found, whichever is due.

    Parameters
    ----------
    plain_images : bool
        Of `nets.training.settings.resolve`.
    exact : bool
        Refuse an old run whose settings are not those of a new one with the same choices: defaults may have changed.
    checkpoint_every, quiet, note, foresee
        Of `train`.

    Raises
    ------
    ValueError
        As `train`; also if the folder holds a run with other settings.
    """
    folder = RunFolder(Path(out))
    old = folder.config.is_file()
    if old:
        settings = resumed(folder.params(), choices, folder.path)
        if exact:
            wanted = vars(resolve(choices, plain_images=plain_images))
            check_same(vars(settings), {name: wanted[name] for name in wanted if name not in MAY_MOVE}, folder.path)
    else:
        settings = resolve(choices, plain_images=plain_images)
    return train(
        settings, folder.path, resume=old, checkpoint_every=checkpoint_every, quiet=quiet, note=note, foresee=foresee
    )


def _predict(foresee: Foresee | None, settings: TrainSettings, parts: Parts, epochs: int) -> None:
    if foresee is not None:
        from nets.training.cost import foreseen

        foresee(foreseen(settings, parts.data, epochs=epochs))


def _done(folder: RunFolder) -> int:
    """Epochs that need not be made again, about."""
    return len(read_metrics(folder)) if folder.metrics.is_file() and folder.checkpoint.is_file() else 0


def _work(
    settings: TrainSettings,
    parts: Parts,
    folder: RunFolder,
    resume: bool,
    checkpoint_every: int,
    quiet: bool,
    note: Note,
) -> Result:
    import torch

    from nets.training.loop import Training, own_random_state
    from nets.training.parts import largest_product

    size = min(settings.batch, len(parts.data.train))
    shape = (1, *parts.data.shape)
    work = size * largest_product(parts.model, torch.zeros(shape, device=settings.device))
    with own_random_state(settings.seed, settings.device, work):
        training = Training(settings, parts, folder=folder, checkpoint_every=checkpoint_every)
        if resume:
            told = training.resume()
            if told is not None:
                note(told)
        total = parts.steps * settings.epochs
        with progress(total, quiet=quiet, after=0.5) as advance:
            state = training.run(advance)
        result = _result(settings, parts, state, folder, training)
    write_text(folder.result, result.to_json())
    return result


def _result(settings: TrainSettings, parts: Parts, state: State, folder: RunFolder, training: Training) -> Result:
    from nets.training.loop import mask_milliseconds

    last = state.rows[-1]
    numel = sum(parameter.numel() for parameter in parts.model.parameters())
    cost: dict[str, Any] = {"weights": numel, "kept": numel, "storage": "weights", "bytes": 4 * numel}
    cost["bits_per_weight"] = 32.0
    if parts.search is not None:
        from nets.tickets.found_cost import storage
        from nets.training.found import export_ticket

        ticket = export_ticket(parts.search, settings, shape=parts.data.shape, classes=parts.data.classes)
        cost = storage(ticket, ticket.save(folder.ticket))
    own = ("method", "arch", "data", "density", "width", "seed", "epochs")
    row = {
        **{name: getattr(settings, name) for name in own},
        "test_accuracy": last["test_accuracy"],
        "val_accuracy": last["val_accuracy"],
        "train_loss": last["train_loss"],
        "step_ms": 1000.0 * state.train_seconds / state.step,
        "mask_ms": mask_milliseconds(parts),
        "seconds": round(state.seconds, 3),
        "score_seed": settings.score_seed,
        "init": settings.init,
        "scale": settings.scale,
        "events": training.events,
        **cost,
    }
    more = _more(settings, parts)
    return Result(
        command=COMMAND,
        params=settings.to_json(),
        rows=[row],
        provenance=provenance(seed=settings.seed, threads=_threads(), seconds=state.seconds, **more),
    )


def _where(settings: TrainSettings, parts: Parts) -> str | None:
    """Where images were found that no --data-dir names."""
    if settings.data_dir is not None or parts.data.place is None:
        return None
    return f"{settings.data}: found in {parts.data.place}"


def _tell(note: Note, *lines: str | None) -> None:
    for line in lines:
        if line is not None:
            note(line)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Hold the folder's lock; a process that dies lets go of it.

    Raises
    ------
    RunError
        If another process is training there.
    """
    handle = os.open(folder.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(handle)
        except OSError:
            raise RunError(f"{folder.path} is being trained by another process") from None
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _more(settings: TrainSettings, parts: Parts) -> dict[str, Any]:
    """Provenance of its own: where it ran, where the default settings come from, and the images."""
    usual = recipe(settings.method, settings.arch, settings.data)
    images = {"data": parts.data.note, "data_sha256": parts.data.sha256}
    return {**machine(settings.device), "recipe": usual.source, **images}


def _threads() -> int:
    import torch

    return torch.get_num_threads()
