"""Results with their provenance: parameters, rows, seed, versions and machine; JSON and CSV."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from sims.files import PICTURES
from sims.plain_text import cell
from sims.statistics.figure import figure_of

Row = Mapping[str, Any]

ANSWERS = ("delta", "necessary_n", "required_n", "first_n")
"""Of a summary entry, what every one of its rows has in a table: what was asked, proved, and first simulated."""

_PARTS = ("command", "params", "rows", "provenance", "summary")


@dataclass(frozen=True, repr=False)
class Result:
    """What a simulation or a command found.

    Attributes
    ----------
    command : str
        For example ``sims.subset_sum``.
    params : mapping
        The parameters as they were used.
    rows : list of dict
        Tidy: one cell a row, the same keys in the same order in each.
    provenance : mapping
        From ``provenance``.
    summary : list of dict
        One entry per group of rows; empty where a command has none.
    details : object
        What the figure needs beside the rows, as JSON values.
    version : int
        Of the layout of this kind of result.

    Examples
    --------
    >>> Result("sims.test", {}, [{"n": 1, "success": 0.5, "verdict": "consistent"}], {"seed": 3})
    <Result of sims.test: 1 row, 1 consistent; seed 3>
    """

    command: str
    params: Row
    rows: Sequence[Row]
    provenance: Row
    summary: Sequence[Row] = field(default_factory=tuple)
    details: Any = field(default=None, compare=False)
    version: int = 1

    @property
    def schema(self) -> str:
        """Name and version of the layout."""
        return f"strong-tickets/{self.command}/{self.version}"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Result:
        """The result that ``json.loads(result.to_json())`` holds.

        Raises
        ------
        ValueError
            It holds none.
        """
        missing = [name for name in _PARTS if name not in content]
        if missing:
            raise ValueError(f"this is no result: without {', '.join(missing)}")
        version = str(content.get("schema", "/1")).rpartition("/")[2]
        if not version.isdecimal():
            raise ValueError(f"this is no result: its schema is {content['schema']!r}")
        parts = {name: content[name] for name in _PARTS}
        parts["params"] = {key: _as_tuple(value) for key, value in content["params"].items()}
        return cls(**parts, details=content.get("details"), version=int(version))

    def to_dict(self) -> dict[str, Any]:
        """The whole result as JSON has it; infinities and NaN become None."""
        names = _PARTS if self.details is None else (*_PARTS, "details")
        found: dict[str, Any] = _plain({"schema": self.schema, **{name: getattr(self, name) for name in names}})
        return found

    def to_json(self) -> str:
        """`to_dict` as text."""
        return "".join(self.json_pieces())

    def json_pieces(self) -> Iterator[str]:
        """The same text in pieces, row by row: a long result is not held twice."""
        names = _PARTS if self.details is None else (*_PARTS, "details")
        before = "{"
        for name in ("schema", *names):
            value = getattr(self, name)
            yield f"{before}\n {json.dumps(name)}: "
            before = ","
            if name not in ("rows", "summary") or not value:
                yield _indented(value, 1)
                continue
            for number, row in enumerate(value):
                yield f"{',' if number else '['}\n  {_indented(row, 2)}"
            yield "\n ]"
        yield "\n}\n"

    def table(self) -> list[dict[str, Any]]:
        """The rows, each with the seed and with the `ANSWERS` of its summary entry, so that a table stands alone."""
        seed, answers = self.provenance.get("seed"), self._answers()
        alike = {} if seed is None else {"seed": seed}
        found = []
        for row in self.rows:
            mine = (known.get(_values(row, group)) for group, known in answers.items() if row.keys() >= set(group))
            more = {**alike, **next((one for one in mine if one is not None), {})}
            found.append({**row, **{key: value for key, value in more.items() if key not in row}})
        return found

    def _answers(self) -> dict[tuple[str, ...], dict[Any, Row]]:
        """`ANSWERS` of the summary entries, by the names and then by the values of what each shares with its rows."""
        found: dict[tuple[str, ...], dict[Any, Row]] = {}
        for entry in self.summary:
            keys = tuple(entry)
            if "delta" in keys:
                group = keys[: keys.index("delta")]  # what a summary entry and its rows have in common stands first
                told = {key: entry[key] for key in ANSWERS if key in entry}
                found.setdefault(group, {}).setdefault(_values(entry, group), told)
        return found

    def to_csv(self) -> str:
        """`table` as CSV text with a header; empty cells stand for null, and no text is a formula (`plain_text`)."""
        out, rows = io.StringIO(), self.table()
        names = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(out, fieldnames=names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(value) for key, value in _plain(row).items()} for row in rows)
        return out.getvalue()

    def to_dataframe(self) -> Any:
        """`table` as a pandas DataFrame; raises ImportError, saying so, where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_dataframe needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.table())

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """The figure of this kind of result, as a matplotlib Figure, or drawn into a .png, .pdf or .svg file.

        Raises
        ------
        ValueError
            This kind of result has no figure, or the file's name ends otherwise.
        """
        if path is not None and not str(path).lower().endswith(tuple(PICTURES)):
            raise ValueError(f"path must be a .png, .pdf or .svg file, got {str(path)!r}")
        figure = figure_of(self.command.rpartition(".")[2])
        if path is None:
            return figure.plot(self)
        figure.save(self, str(path))
        return None

    def __repr__(self) -> str:
        verdicts = Counter(row["verdict"] for row in self.rows if row.get("verdict") is not None)
        counted = "".join(f", {count} {verdict}" for verdict, count in verdicts.items())
        seed = "" if self.provenance.get("seed") is None else f"; seed {self.provenance['seed']}"
        rows = f"{len(self.rows)} row{'' if len(self.rows) == 1 else 's'}"
        return f"<Result of {self.command}: {rows}{counted}{seed}>"

    def _repr_html_(self) -> str:
        """The rows as a table, for notebooks."""
        names = list(self.rows[0]) if self.rows else []
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_short(row[name]))}</td>" for name in names) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _indented(value: Any, depth: int) -> str:
    return json.dumps(_plain(value), indent=1, allow_nan=False).replace("\n", "\n" + " " * depth)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _values(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_as_tuple(row[name]) for name in names)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item"):
        return _plain(value.item())
    return value


def provenance(*, seed: int | None, threads: int, seconds: float, **extra: Any) -> dict[str, Any]:
    """Where a result came from.

    Parameters
    ----------
    seconds : float
        Wall-clock time of the work.
    **extra
        Added as they are (a device's name, say).

    Returns
    -------
    dict
        version, commit (None outside a git checkout), python, numpy, numba, platform, cpu, threads, seed, seconds.
    """
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return {
        "version": installed("strong-tickets"),
        "commit": _commit(),
        "python": platform.python_version(),
        "numpy": installed("numpy"),
        "numba": installed("numba"),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "threads": threads,
        "seed": seed,
        "seconds": round(seconds, 4),
        **extra,
    }


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def print_json(result: Result) -> None:
    """The result on standard output, and nothing else."""
    pieces = result.json_pieces()
    while some := "".join(itertools.islice(pieces, 1000)):
        sys.stdout.write(some)
    sys.stdout.flush()
