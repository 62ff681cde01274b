"""Commands with verbs: ``python -m sims.store info FILE``; one place that reads the verb and helps."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sims.commands import cli, flags


@dataclass(frozen=True)
class Verb:
    """A verb: its flags, whose docstring says what it does, and its work, from these to an exit code."""

    config: type[Any]
    work: Callable[[Any], int]


def dispatch(prog: str, verbs: Mapping[str, Verb], argv: Sequence[str] | None, *, about: str = "") -> int:
    """Run the verb that the first word names; returns the exit code. ``about`` ends the general help."""
    args = list(sys.argv[1:] if argv is None else argv)
    word = args[0] if args else ""

    def work(_: Sequence[str] | None) -> int:
        if word in ("-h", "--help"):
            width = max(map(len, verbs))
            print(f"usage: {prog} {{{','.join(verbs)}}} ...\n")
            for name, verb in verbs.items():
                print(f"  {name:{width}}  {flags.docstring(verb.config).partition(chr(10))[0]}")
            print(f"\n{about.strip()}" if about else "")
            flags.print_examples([one.config.examples[0] for one in verbs.values()])
            return 0
        if word == "--version":
            flags.parse(next(iter(verbs.values())).config, args, prog=prog)
        if word not in verbs:
            near = difflib.get_close_matches(word, verbs, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            names = f"{', '.join(list(verbs)[:-1])} or {list(verbs)[-1]}"
            raise flags.UsageError(f"the first word says what to do: {names}; got {word or 'nothing'}{meant}")
        verb = verbs[word]
        return verb.work(flags.parse(verb.config, args[1:], prog=f"{prog} {word}"))

    return cli.run(work, argv)
