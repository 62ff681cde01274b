"""The numbers of the page of theorems: ``python docs/_ext/theorems.py`` computes docs/data/theorems.json (minutes).

For every question: the n that is proved necessary, the first simulated n whose success is at least 1 - delta, and the n
that is proved to suffice.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "docs" / "data" / "theorems.json"
DELTA, SEED = 0.01, 1

ASKED: list[tuple[str, str, str, dict[str, Any], int]] = [
    *(
        ("2.1 (b), 2.2 (b, c)", "subset_sum", "SubsetSum", {"R": R, "eps": eps, "alpha": 0.5}, 100_000)
        for eps in (1e-3, 1e-5)
        for R in (1, 2, 5, 10)
    ),
    *(
        ("3.3, 3.5, 3.7", "coverage", "Coverage", {"R": R, "eps": 0.01, "low": -0.5, "high": 0.5}, 4000)
        for R in (1, 5, 10)
    ),
    *(("4.7", "product_sum", "ProductSum", {"R": R, "eps": 0.01, "alpha": 0.5}, 20_000) for R in (1, 10)),
    *(("9.1, 9.2", "vector_sum", "VectorSum", {"d": d, "R": 1, "eps": 0.05}, 4000) for d in (2, 3)),
    ("2.6", "fixed_size", "FixedSize", {"size": 5, "R": 1, "eps": 0.01}, 20_000),
    ("2.7", "grid_sum", "GridSum", {"grid": 100, "R": 1}, 20_000),
    ("2.8", "movable_sum", "MovableSum", {"move": 0.01, "R": 1, "eps": 0.01}, 20_000),
    *(("8.4", "bits", "DrawCode", {"d": d, "eps": 0.01, "alpha": "uniform"}, 20_000) for d in (1, 2)),
]
"""Statements, package and class of the question, its parameters, trials a point."""


def measured(question: Any, trials: int) -> int:
    """The first simulated n with success >= 1 - DELTA, looked for from what is necessary on."""
    from sims.run import run

    for n in range(max(1, question.necessary_n(DELTA)), 200):
        if run(question, n=[n], trials=trials, seed=SEED).rows[0]["success"] >= 1.0 - DELTA:
            return n
    raise ValueError(f"no n below 200 does for {question}")


def main() -> None:
    """Compute all rows and write them."""
    import importlib

    sys.path.insert(0, str(ROOT))
    rows = []
    for claims, package, name, given, trials in ASKED:
        question = getattr(importlib.import_module(f"theory.{package}"), name)(**given)
        row = {"claims": claims, "question": name, "parameters": given, "trials": trials}
        row |= {"necessary": question.necessary_n(DELTA), "measured": measured(question, trials)}
        rows.append(row | {"required": question.required_n(DELTA)})
        print(rows[-1], flush=True)
    DATA.write_text(json.dumps({"delta": DELTA, "seed": SEED, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
