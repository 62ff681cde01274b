"""The table of figures and their parameters in docs/howto/figures.md: ``python docs/_ext/figure_list.py`` writes it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

PAGE = Path(__file__).parents[1] / "howto" / "figures.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def table() -> str:
    """A line for each figure."""
    from figures.registry import recipes

    return "".join(
        f"| {one.number}. {one.title} | `figures.{one.name}` | {', '.join(field.name for field in fields(one.settings))} |\n"
        for one in recipes()
    )


def page() -> str:
    """The page with its table."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
