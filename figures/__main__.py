"""Draw every figure from its committed numbers: ``python -m figures``, or ``make figures``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from figures.recipe import FORMATS, Format, check_pictures, load, write_pictures
from figures.registry import recipes
from sims.commands import cli, flags


@dataclass(frozen=True)
class DrawAll:
    """Draw every figure from its committed numbers."""

    examples: ClassVar[tuple[str, ...]] = ("python -m figures --format png --out pictures",)

    out: flags.Folder = "figures/out"
    """Folder of the pictures; it is made if it is missing."""
    format: tuple[Format, ...] = FORMATS
    """Kinds of pictures."""
    force: bool = False
    """Replace files of any kind."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        chosen = flags.parse(DrawAll, args, prog="python -m figures")
        for recipe in recipes():
            check_pictures(recipe, Path(chosen.out), chosen.format, force=chosen.force)
        for recipe in recipes():
            written = write_pictures(recipe, load(recipe), Path(chosen.out), chosen.format)
            print(f"figure {recipe.number}: {' '.join(str(path) for path in written)}")
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
