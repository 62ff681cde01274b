"""What every command prints with ``--json``: its keys and columns, as docs/json.md lists them between two marks.

``python docs/_ext/json_columns.py`` runs the commands and writes the table anew.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "json.md"
BEGIN, END = "<!-- columns: begin -->", "<!-- columns: end -->"

_SHORT = "--trials 100 --n 2 --seed 1"
QUICK = (
    *(
        f"sims.{name} {_SHORT}"
        for name in (
            "subset_sum", "single_weight", "coverage", "recycling", "binary_weights", "fixed_size --size 1", "grid_sum",
            "movable_sum", "product_sum", "vector_sum", "draw_code",
        )
    ),
    "sims.tail --trials 128 --n 2 --seed 1",
    "sims.verify --only 1.1 --budget 1s",
    "sims.budget --bits 3",
    "nets.width --widths 3 3",
    "sims.sweep.command subset_sum --trials 100 --n 1:2 --seed 1 --dry-run",
    "sims.sweep.command subset_sum --trials 100 --n 1:2 --seed 1 --store shard.sqlite --shard 1/2",
    "sims.sweep.command subset_sum --trials 100 --n 1:2 --seed 1 --store all.sqlite",
    "sims.store info all.sqlite",
    "sims.store merge merged.sqlite all.sqlite",
    "sims.store export all.sqlite",
    "nets.train --data digits --epochs 1 --seed 1 --out run",
    "nets.found_ticket info run",
    "nets.found_ticket verify run",
    "nets.found_ticket masks run",
    "nets.compare run",
    "nets.federated --clients 2 --rounds 1 --seed 1",
)  # fmt: skip
"""Commands that take a second or so, in an order in which they have what they read."""

SLOW = (
    "sims.constants --trials 368 --seed 1",
    "nets.bits digits --eta 0.1 --codes draw --seed 1",
    "nets.main_theorem --trials 2 --widths 1 1 --R 100 --seed 1",
    "nets.approximate digits --n 6 --eta 0.5 --seed 1 --out ticket.safetensors",
    "nets.ticket info ticket.safetensors",
    "nets.ticket verify ticket.safetensors",
)


def printed(line: str) -> dict[str, Any]:
    """What a command prints with --json, in this folder."""
    module, *words = shlex.split(line)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = importlib.import_module(module).main([*words, "--json"])
    if code != 0:
        raise RuntimeError(f"{line}: exit code {code}")
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def called(line: str) -> str:
    """A command's name in the table.

    Examples
    --------
    >>> called("sims.store info all.sqlite"), called("sims.budget --bits 3"), called("sims.sweep.command a --shard 1/2")
    ('store info', 'budget', 'sweep --shard')
    """
    module, *words = line.split()
    name = module.removesuffix(".command").rpartition(".")[2].replace("_", "-")
    if name == "sweep":
        return " ".join([name, *(word for word in words if word in ("--dry-run", "--shard"))])
    return f"{name} {words[0]}" if name in ("store", "ticket", "found-ticket") else name


def row(line: str, content: dict[str, Any]) -> str:
    """The table's line of a command: its schema, its own keys, and the columns of rows and summary."""
    shared = ("schema", "command", "params", "rows", "provenance", "summary", "details")
    whole = all(name in content for name in shared[:6])
    own = [name for name in content if name not in (shared if whole else shared[:1])]
    rows, summary = (_names(content.get(part, ())) if whole else [] for part in ("rows", "summary"))
    cells = (f"`{called(line)}`", f"`{content['schema']}`", *(_list(names) for names in (own, rows, summary)))
    return f"| {' | '.join(cells)} |"


def _names(rows: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in rows for name in one))


def _list(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def table(lines: Iterable[str]) -> Iterator[str]:
    """The rows of the table, from runs in an empty folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for line in lines:
                yield row(line, printed(line))
        finally:
            os.chdir(before)


def in_page() -> dict[str, str]:
    """The rows that the page has, by command."""
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return {found[1]: found[0] for found in re.finditer(r"^\| `([^`]+)` \|.*$", text, re.MULTILINE)}


def main() -> None:
    """Write the table."""
    head = "| command | schema | own keys | columns of `rows` | keys of `summary` |\n|---|---|---|---|---|"
    rows = "\n".join(table((*QUICK, *SLOW)))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{head}\n{rows}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
