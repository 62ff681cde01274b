"""The numbers of a figure as tables: what CSV files beside the pictures hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sims.plain_text import cell

Row = Mapping[str, Any]


def tables(data: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Every list of rows in a figure's data, by name; a result's rows, or those of several, are one table.

    Cells that are lists become a line for each of their values, cells that are mappings become columns.

    Examples
    --------
    >>> tables({"curves": [{"kind": "a", "n": [1, 2]}], "seed": 1})
    {'curves': [{'kind': 'a', 'n': 1}, {'kind': 'a', 'n': 2}]}
    """
    found: dict[str, list[Row]] = {}
    for name, value in data.items():
        if name in ("provenance", "settings", "params"):
            continue
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, Mapping) for part in parts):
            continue
        if all("rows" in part for part in parts):
            found[name] = [
                {**({"target": part["params"]["target"]} if "target" in part["params"] else {}), **row}
                for part in parts
                for row in part["rows"]
            ]
        elif isinstance(value, list):
            found[name] = [line for part in parts for line in _lines(_flat(part))]
    return {name: rows for name, rows in found.items() if rows}


def _flat(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": one for inner, one in _flat(value).items()}
        else:
            found[key] = value
    return found


def _lines(row: Row) -> list[Row]:
    lists = [value for value in row.values() if isinstance(value, list)]
    if not lists:
        return [row]
    return [
        {key: value[i] if isinstance(value, list) else value for key, value in row.items()}
        for i in range(len(lists[0]))
    ]


def table_text(rows: Sequence[Row]) -> str:
    """Rows as CSV text with a header; empty cells stand for null."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()
