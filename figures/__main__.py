"""Draw every figure from its committed numbers: ``python -m figures``, or ``make figures``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from figures.recipe import FORMATS, check_formats, load, write_pictures
from figures.registry import recipes
from sims.commands import cli


@dataclass(frozen=True)
class DrawAll:
    """Draw every figure from its committed numbers."""

    out: Annotated[str, cli.values("DIR")] = "figures/out"
    """Folder of the pictures; it is made if it is missing."""
    format: Annotated[tuple[str, ...], cli.values("pdf|svg|png [...]")] = FORMATS
    """Kinds of pictures."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""

    def work(args: Sequence[str] | None) -> int:
        flags = cli.parse(DrawAll, args, prog="python -m figures")
        check_formats(flags.format)
        for recipe in recipes():
            written = write_pictures(recipe, load(recipe), Path(flags.out), flags.format)
            print(f"figure {recipe.number}: {' '.join(str(path) for path in written)}")
        return 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
