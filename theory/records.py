"""Records that stand as tables in a TOML file of this package, each read into a frozen dataclass."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields
from importlib.resources import files
from typing import Any, TypeVar

Row = TypeVar("Row")


def read(file: str, name: str, row: type[Row]) -> tuple[Row, ...]:
    """The tables ``[[name]]`` of theory/``file``, in order; ValueError for a key that is unknown or missing.

    Examples
    --------
    >>> from theory.claim import Claim
    >>> [claim.id for claim in read("single_weight/claims.toml", "claim", Claim)]
    ['1.1', '1.2', '1.3']
    """
    return parse(files("theory").joinpath(file).read_text(encoding="utf-8"), name, row, file)


def parse(text: str, name: str, row: type[Row], file: str) -> tuple[Row, ...]:
    """The same of a text; ``file`` is what the messages call it."""
    return tuple(_row(table, name, row, file) for table in tomllib.loads(text)[name])


def _row(table: dict[str, Any], name: str, row: type[Row], file: str) -> Row:
    known = fields(row)  # type: ignore[arg-type]
    wrong = set(table) - {field.name for field in known}
    wrong |= {field.name for field in known if field.default is MISSING} - set(table)
    if wrong:
        raise ValueError(f"{file}: unknown or missing keys {', '.join(sorted(wrong))} in a {name}: {table}")
    try:
        return row(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    except ValueError as problem:
        raise ValueError(f"{file}: {problem}") from None
