"""Proved failure bounds of subset sums on a grid of settings: what the report's explorer shows of 2.2 to 2.3.

These bounds need certified quadrature, which a page cannot do. ``python -m figures.explorer_table`` makes it anew,
in about twenty minutes.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures.recipe import check_source_tree
from sims.commands import cli, flags
from sims.files import write_text

TABLE = Path(__file__).parent / "page" / "proved.json"
"""The committed table."""

ALPHAS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
DRAWS = (1, 2, 3, 5, 10, 30)
EPSILONS = (0.1, 0.03, 0.01, 0.003, 0.001, 1e-4, 1e-5, 1e-6)
MAX_N = 60
ENOUGH = 12.0
"""A row ends where the failure is at most 10^-ENOUGH."""


def exponents(R: int, eps: float, alpha: float) -> list[float]:
    """For n = 1, 2, ... the largest x, to 2 digits, such that failure <= 10^-x is proved; more variables never hurt.

    Examples
    --------
    >>> exponents(30, 0.1, 0.5)[:2]
    [1.37, 3.53]
    """
    from theory.subset_sum import log_failure_prob_bound

    found = [0.0]
    for n in range(1, MAX_N + 1):
        proved = min(99.0, -log_failure_prob_bound(n, R, eps=eps, alpha=alpha) / math.log(10.0))
        found.append(max(found[-1], math.floor(100.0 * proved * (1.0 - 1e-12)) / 100.0))
        if found[-1] >= ENOUGH:
            break
    return found[1:]


def compute() -> dict[str, Any]:
    """The whole table: ``rows[a][r][e]`` are the `exponents` of alphas[a], draws[r] and epsilons[e]."""
    rows = []
    for alpha in ALPHAS:
        rows.append([[exponents(R, eps, alpha) for eps in EPSILONS] for R in DRAWS])
        print(f"alpha = {alpha}", file=sys.stderr)
    return {"alphas": ALPHAS, "draws": DRAWS, "epsilons": EPSILONS, "max_n": MAX_N, "rows": rows}


def load() -> dict[str, Any]:
    """The committed table."""
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class ExplorerTable:
    """Make the committed table of the report's explorer anew, in figures/page of the source tree: twenty minutes."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags.parse(ExplorerTable, args, prog="python -m figures.explorer_table")
        check_source_tree("this command")
        write_text(TABLE, json.dumps(compute(), separators=(",", ":")) + "\n")
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
