"""Draw every figure from its committed numbers: ``python -m figures``, or ``make figures``; or one that is named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from figures import figure
from figures.recipe import Look, check_files, deliver, load
from figures.registry import recipes
from figures.style import Style
from sims.commands import cli, flags
from sims.commands.output import Delivery


@dataclass(frozen=True)
class DrawAll(Look):
    """Draw every figure from its committed numbers; or one, named by the first word, for parameters of your own."""

    examples: ClassVar[tuple[str, ...]] = (
        "python -m figures --format png --out pictures",
        "python -m figures --style paper --width 3.3in --format pdf",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and not given[0].startswith("-"):
        return figure.main(given)

    def work(args: Sequence[str] | None) -> int:
        chosen = flags.parse(DrawAll, args, prog="python -m figures")
        Style(chosen.style, chosen.width, chosen.height)  # checks them
        for recipe in recipes():
            check_files(recipe, Path(chosen.out), chosen.format, force=chosen.force)
        code = 0
        for recipe in recipes():
            delivery = Delivery(silent=True)
            deliver(recipe, load(recipe), chosen, delivery)
            code = code or delivery.code
            if not chosen.quiet and not delivery.code:
                print(f"figure {recipe.number}: {chosen.out}/{recipe.name}.{{json,csv,{','.join(chosen.format)}}}")
        return code

    return cli.run(work, given)


if __name__ == "__main__":
    sys.exit(main())
