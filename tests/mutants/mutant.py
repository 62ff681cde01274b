"""What is planted: the lists ``theory.toml``, ``sims.toml`` and ``nets.toml``, one a room, and how a slip is put in.

A list has one table for each file that slips are planted in::

    [[file]]
    path = "theory/single_weight/bound.py"
    tests = ["tests/theory/test_single_weight.py"]  # what whoever changes this file would run
    only = "required or bound"                      # optional: pytest's -k, where those are many
    facts = "1"                                     # optional: claims whose facts (sims.verify) notice these too
    slips = [
      ['math.ceil(2 *', 'math.floor(2 *'],          # what stands there, once, and what is planted instead
      ['a <= b', 'a < b', 'equivalent: a == b is excluded above'],
    ]

A third text explains a slip that no test notices. It begins with ``equivalent:`` where the planted program does the
same; such slips are run but not counted. All others that live count against the score.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("theory", "sims", "nets")


@dataclass(frozen=True)
class Mutant:
    """One slip: where, what stands there, what is planted, and the tests that should notice.

    Examples
    --------
    >>> slip = Mutant("theory", "theory/claim.py", "a <= b", "a < b", ("tests/theory/test_claims.py",))
    >>> slip.planted("return a <= b")
    'return a < b'
    >>> slip.planted("return a > b")
    Traceback (most recent call last):
    ...
    ValueError: theory/claim.py: must hold 'a <= b' once, but holds it 0 times
    """

    room: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    only: str = ""
    facts: str = ""
    reason: str = ""

    @property
    def equivalent(self) -> bool:
        """Whether the planted program is said to do the same."""
        return self.reason.startswith("equivalent:")

    @property
    def name(self) -> str:
        """A line for people."""
        return f"{self.path}: {self.old.strip()!r} -> {self.new.strip()!r}"

    def planted(self, source: str) -> str:
        """The source of its file with the slip in it; ValueError if its place is not there once."""
        found = source.count(self.old)
        if found != 1:
            raise ValueError(f"{self.path}: must hold {self.old!r} once, but holds it {found} times")
        return source.replace(self.old, self.new)


def parse(text: str, room: str) -> tuple[Mutant, ...]:
    """The slips of one list."""
    return tuple(
        Mutant(
            room=room,
            path=table["path"],
            old=slip[0],
            new=slip[1],
            tests=tuple(table["tests"]),
            only=table.get("only", ""),
            facts=table.get("facts", ""),
            reason=slip[2] if len(slip) == 3 else "",
        )
        for table in tomllib.loads(text)["file"]
        for slip in table["slips"]
    )


def load(rooms: Iterable[str] = ROOMS) -> tuple[Mutant, ...]:
    """The slips of these rooms."""
    return tuple(
        mutant
        for room in rooms
        for mutant in parse((Path(__file__).parent / f"{room}.toml").read_text(encoding="utf-8"), room)
    )
