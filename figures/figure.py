"""One figure for parameters of one's own: ``strong-tickets figure NAME ...``, or ``python -m figures NAME ...``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import Any

from figures.recipe import command_of
from figures.registry import NAMES, recipe, recipes
from sims.commands import cli, flags


def configs() -> dict[str, type[Any]]:
    """The flags of every figure, by its name."""
    return {one.name.replace("_", "-"): command_of(one) for one in recipes()}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure that the first word names; returns its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    word = args[0] if args else ""
    name = word.replace("-", "_")
    if name in NAMES:
        return recipe(name).main(args[1:])

    def work(_: Sequence[str] | None) -> int:
        if word in ("-h", "--help"):
            print("usage: strong-tickets figure NAME [--help] ...\n")
            for one in recipes():
                print(f"  {one.name.replace('_', '-'):16}  {one.number:2}  {one.title}")
            flags.print_examples(["python -m figures subset-sum --R 1 3 --eps 1e-4 --style paper --width 3.3in"])
            return 0
        known = [one.replace("_", "-") for one in NAMES]
        near = difflib.get_close_matches(word, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise flags.UsageError(f"the first word names a figure: {', '.join(known)}; got {word or 'nothing'}{meant}")

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
