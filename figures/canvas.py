"""A Matplotlib figure that keeps its look: the user's rcParams do not reach what is made only when it is drawn."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from figures.style import Style, house_style


class HouseFigure(Figure):
    """A figure that is drawn and saved in the style in which it was made.

    Matplotlib makes ticks, and lays text out, when a figure is drawn: in a program that has changed its rcParams since,
    they would differ from the rest, or need a LaTeX that is not there.
    """

    style: Style = Style()

    def draw(self, renderer: Any) -> None:
        """Draw in this style."""
        with house_style(self.style):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save in this style."""
        with house_style(self.style):
            super().savefig(fname, **options)
