"""The folder of one training run: what lies in it, who may write to it, and when a resume is refused.

==================== ===============================================================================================
config.json          all settings of the run, and the provenance of its start
checkpoint.pt        the last complete state (`nets.training.checkpoint`)
metrics.jsonl        one line for each epoch, without times: the same run gives the same bytes
result.json          the result, once the run is finished
ticket.safetensors   the ticket that was found (`nets.found_ticket`)
==================== ===============================================================================================
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sims.files import WriteError, write_text

SCHEMA = "strong-tickets/nets.train.config/2"
_OLD_SCHEMA = "strong-tickets/nets.train.config/1"
"""Its digest is of the settings alone."""
MAY_MOVE = ("data_dir",)
"""Settings that a resumed run may have otherwise: what they name is compared by its content."""
_SHARES, _NUMBERS = (
    ("test_accuracy", "val_accuracy"),
    ("train_loss", "step_ms", "mask_ms", "seconds", "bits_per_weight"),
)
_ROW = frozenset({"epoch", "steps", "lr", "events", "train_loss", "train_accuracy", "val_accuracy", "test_accuracy"})
_OWN = ("method", "arch", "data", "density", "width", "seed", "epochs")
_COUNTS = ("weights", "kept", "bytes", "events")


class RunError(ValueError):
    """A run folder that cannot be used; the message is one line with the reason."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its small files.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def config(self) -> Path:
        """Settings."""
        return self.path / "config.json"

    @property
    def checkpoint(self) -> Path:
        """Last complete state."""
        return self.path / "checkpoint.pt"

    @property
    def metrics(self) -> Path:
        """One JSON line for each epoch."""
        return self.path / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """Written last: a run that has it is finished."""
        return self.path / "result.json"

    @property
    def ticket(self) -> Path:
        """The found ticket; dense runs have none."""
        return self.path / "ticket.safetensors"

    def check_new(self) -> None:
        """Refuse a path that cannot become a new run's folder.

        Raises
        ------
        RunError
            If the path exists and is no empty folder.
        """
        if self.path.is_dir():
            if self.config.is_file():
                raise RunError(
                    f"--out {self.path} holds a run already; add --resume to go on with it, or name another folder"
                )
            if any(name != ".lock" and not name.startswith(".config-") for name in os.listdir(self.path)):
                raise RunError(f"--out {self.path} is a folder with other files in it")
        elif self.path.exists():
            raise RunError(f"--out {self.path} is a file, it must name a folder")

    def create(self, params: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Make the folder and write the settings; see `check_new`."""
        self.check_new()
        self.path.mkdir(parents=True, exist_ok=True)
        self.sweep()
        content = {"schema": SCHEMA, "command": "nets.train", "params": params, "provenance": provenance}
        content["sha256"] = _sha256(content)
        write_text(self.config, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def params(self) -> dict[str, Any]:
        """The settings with which the run began.

        Raises
        ------
        RunError
            If there is no run, or its config.json is damaged.
        """
        return dict(self._content()["params"])

    def check_data(self, sha256: str) -> str | None:
        """Refuse images or labels that are not those with which the run began, wherever they lie.

        Parameters
        ----------
        sha256 : str
            `nets.data.Data.sha256` of what was read.

        Returns
        -------
        str or None
            One line if the run has no record of its images to compare with.

        Raises
        ------
        RunError
            If they are others.
        """
        begun = self.data_sha256()
        if begun is None:
            return f"{self.path} has no record of its images and labels; it goes on without comparing them"
        if begun != sha256:
            raise RunError(
                f"{self.path} began with other images or labels: their SHA-256 is {begun[:12]}... there, "
                f"{sha256[:12]}... here"
            )
        return None

    def data_sha256(self) -> str | None:
        """`nets.data.Data.sha256` of the images and labels with which the run began, if it was noted."""
        found = self._content()["provenance"].get("data_sha256")
        return None if found is None else str(found)

    def _content(self) -> dict[str, Any]:
        if not self.config.is_file():
            raise RunError(f"{self.path} holds no run (it has no config.json)")
        try:
            content = json.loads(self.config.read_text(encoding="utf-8"))
            if content["schema"] not in (SCHEMA, _OLD_SCHEMA):
                raise RunError(f"{self.config}: schema {content['schema']!r} is not {SCHEMA!r}")
            if content["schema"] == SCHEMA:
                same = content["sha256"] == _sha256({key: content[key] for key in content if key != "sha256"})
            else:
                same = content["params_sha256"] == _sha256(dict(content["params"]))
            if not same:
                raise RunError(f"{self.config} was edited: a run goes on with the settings that it began with")
            return {**content, "params": dict(content["params"]), "provenance": dict(content["provenance"])}
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, RunError):
                raise
            raise RunError(f"{self.config} is damaged ({type(error).__name__}: {error})") from None

    def finished(self) -> dict[str, Any] | None:
        """The content of result.json, or None while the run is not finished."""
        if not self.result.is_file():
            return None
        try:
            content = json.loads(self.result.read_text(encoding="utf-8"))
            _check_result(content, self.params())
            return {name: content[name] for name in ("command", "params", "rows", "provenance", "summary")}
        except RunError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise RunError(f"{self.result} is damaged ({why}); remove it to have it written again") from None

    def sweep(self) -> None:
        """Remove half-written files that a killed run left behind."""
        for stem in ("config", "checkpoint", "metrics", "result", "ticket"):
            for leftover in self.path.glob(f".{stem}-*"):
                leftover.unlink(missing_ok=True)


def files_of(run: str | Path) -> list[Path]:
    """What is read of a run: the files of its folder, or the file itself."""
    folder = RunFolder(Path(run))
    own = [folder.config, folder.checkpoint, folder.metrics, folder.result, folder.ticket]
    return own if folder.path.is_dir() else [folder.path]


def _check_result(content: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Refuse what is no result of a run with these settings, and numbers that no run has."""
    rows, own = content["rows"], content["params"]
    others = [name for name in params if name not in MAY_MOVE and own[name] != params[name]]
    if content["command"] != "nets.train" or not isinstance(rows, list) or len(rows) != 1 or others:
        raise ValueError("it is not the result of this run")
    row = dict(rows[0])
    same = {*_OWN, *(params.keys() & row.keys() - set(MAY_MOVE))}
    odd = [name for name in sorted(same) if row[name] != params[name]]
    odd += [name for name in _COUNTS if type(row[name]) is not int or row[name] < 0]
    odd += [name for name in (*_SHARES, *_NUMBERS) if not _number_or_null(row[name])]
    odd += [name for name in _SHARES if name not in odd and not 0 <= (row[name] or 0) <= 1]
    odd += ["storage"] if type(row["storage"]) is not str else []
    if odd:
        raise ValueError(f"{odd[0]} makes no sense: {str(row[odd[0]])[:60]}")


def _number_or_null(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


def _sha256(params: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(dict(params), sort_keys=True).encode()).hexdigest()


def check_same(stored: Mapping[str, Any], given: Mapping[str, Any], where: Path) -> None:
    """Refuse a resume with other settings.

    Parameters
    ----------
    stored : mapping
        Settings of the run.
    given : mapping
        Settings that the user named; what is not in it is taken from the run.

    Raises
    ------
    RunError
        One line that names every difference.
    """
    odd = [name for name, value in given.items() if name not in stored or stored[name] != value]
    if odd:
        parts = [f"--{name.replace('_', '-')} is {stored.get(name)} there, {given[name]} here" for name in odd]
        raise RunError(f"{where} cannot be resumed with other settings: {'; '.join(parts)}")


def write_metrics(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Make the file hold exactly these rows, or leave it as it is if it does already."""
    text = "".join(metrics_line(row) for row in rows)
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def read_metrics(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, one for each epoch that is done.

    Raises
    ------
    RunError
        If there is none yet, or a line is damaged.
    """
    if not folder.metrics.is_file():
        raise RunError(f"{folder.path} has no metrics yet: its first epoch is not done")
    rows = []
    for number, line in enumerate(folder.metrics.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = dict(json.loads(line))
            if row["epoch"] != number:
                raise ValueError(f"epoch {row['epoch']}")
            odd = [name for name, value in row.items() if not _number_or_null(value)]
            if odd or _ROW - row.keys():
                raise ValueError(f"{(odd or sorted(_ROW - row.keys()))[0]} is no number")
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder.metrics} is damaged in line {number} ({type(error).__name__}: {error})") from None
        rows.append(row)
    return rows


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Add one line in a single write, so that a reader never sees half of one; what a full disk cuts is taken back.

    Raises
    ------
    WriteError
    """
    line = metrics_line(row).encode()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            before = os.fstat(handle).st_size
            if os.write(handle, line) < len(line):
                os.ftruncate(handle, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)
    except OSError as problem:
        raise WriteError(path, problem) from None


def metrics_line(row: Mapping[str, Any]) -> str:
    """One row as JSON; floats with all their digits.

    Examples
    --------
    >>> metrics_line({"epoch": 1, "lr": 0.1})
    '{"epoch": 1, "lr": 0.1}\\n'
    """
    return json.dumps(dict(row), allow_nan=False) + "\n"
