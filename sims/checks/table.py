"""The claim table of a page, written from the registry and a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sims.checks.report import summary
from theory.claims import CLAIMS
from theory.claims import Claim as Registered

BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown table, one row a claim."""
    lines = [
        "| | statement | status | function | simulation | test in `tests` | figure | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for claim in CLAIMS:
        verdict = summary(rows, claim.id)
        cells = (
            claim.id, claim.short or claim.statement, claim.status, _function(claim),
            f"`{claim.simulation}`" if claim.simulation else "", f"`{claim.test}`", claim.figure, verdict,
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _function(claim: Registered) -> str:
    """The first function of the claim, which is its main one."""
    return f"`{claim.functions[0].removeprefix('theory.')}`"


def rewritten(text: str, rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """The file's text with the block between the markers replaced.

    Raises ValueError: the markers are missing, repeated or in the wrong order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{name} must hold the lines {BEGIN} and {END} once each, in this order")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{table(rows)}\n{END}{tail}"
