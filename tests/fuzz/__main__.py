"""Break files on purpose and let every parser read them: ``python -m tests.fuzz [TARGET ...] [--minutes M]``.

A crash is an exit code that is not in order, more than one line of error, control characters, more than 2 GB of memory
or more than 20 s. What crashes is kept in the corpus as ``crash-...``, and so is the smallest file of every new kind of
answer (``--keep``): test_corpus.py reads them all again. Exit 1 if anything crashed.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import spoil
from tests.fuzz.attempt import Outcome, attempt, import_for
from tests.fuzz.targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 40_000
"""Bytes of a file that is kept."""


def read(target: Target, path: Path) -> Iterator[tuple[int, Outcome, str | None]]:
    """Every command on the file: its number, what came, and what is wrong with it."""
    for number, work in enumerate(target.works):
        outcome = attempt(work, path)
        yield number, outcome, outcome.crash(target.codes)


def again(name: str) -> int:
    """Read the kept files of a target once more; 1 if any crashes."""
    target, paths, crashed = TARGETS[name], sorted((CORPUS / name).glob("*")), 0
    for work in target.works if paths else ():
        import_for(work, paths[-1])
    for path in paths:
        for number, _, problem in read(target, path):
            if problem is not None:
                crashed += 1
                print(f"CRASH {name} command {number}: {problem}\n  {path}", flush=True)
    print(f"{name}: {len(paths)} kept files, {crashed} crashes", flush=True)
    return int(crashed > 0 or not paths)


class Fuzz:
    """The files of one target that are broken further, and what was seen so far."""

    def __init__(self, name: str, seed: int, folder: Path) -> None:
        self.name, self.target, self.folder = name, TARGETS[name], folder
        self.rng = random.Random(f"{name} {seed}")
        kept = sorted((CORPUS / name).glob("*"))
        seeds = [path for path in kept if not path.name.startswith("crash-")] or self.target.seeds(folder)
        self.pool = [(path.stem.split("--")[0], path.suffix, path.read_bytes()) for path in seeds]
        self.valid = len(self.pool)
        self.kinds: set[str] = set()
        self.crashes: dict[str, Path] = {}
        self.tried = 0

    def start(self) -> None:
        """Read the files as they are; those that are kept tell what was seen before."""
        first = self.folder / f"{self.pool[0][0]}--first{self.pool[0][1]}"
        first.write_bytes(self.pool[0][2])
        for work in self.target.works:
            import_for(work, first)
        for stem, suffix, data in list(self.pool):
            self._try(stem, suffix, data, keep=False)

    def step(self, *, keep: bool) -> None:
        """Break one file and read it."""
        stem, suffix, data = self.rng.choice(self.pool)
        others = [other for _, _, other in self.pool]
        try:
            wrong = self.target.inside(self.rng, data) if self.rng.random() < 0.6 else None
        except Exception:  # a broken file cannot be taken apart
            wrong = None
        self._try(stem, suffix, spoil.havoc(self.rng, data, others) if wrong is None else wrong, keep=keep)

    def _try(self, stem: str, suffix: str, data: bytes, *, keep: bool) -> None:
        path = self.folder / f"{stem}--try{suffix}"
        path.write_bytes(data)
        self.tried += 1
        new = False
        for number, outcome, problem in read(self.target, path):
            kind = f"{number} {outcome.kind}"
            if problem is not None:
                key = f"{number} {problem[:100]}"
                if key not in self.crashes:
                    self.crashes[key] = self._kept(stem, suffix, data, crash=True)
                    print(f"CRASH {self.name} command {number}: {problem}\n  {self.crashes[key]}", flush=True)
            elif kind not in self.kinds:
                new = True
            self.kinds.add(kind)
        if new and len(data) <= LARGEST:
            self.pool.append((stem, suffix, data))
            if keep:
                self._kept(stem, suffix, data)

    def _kept(self, stem: str, suffix: str, data: bytes, *, crash: bool = False) -> Path:
        name = f"{'crash-' if crash else ''}{stem}--{hashlib.sha256(data).hexdigest()[:12]}{suffix}"
        place = CORPUS / self.name
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
        return place / name


def main() -> int:
    """The command; see ``--help``."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one, which is printed")
    parser.add_argument("--keep", action="store_true", help="put files with a new kind of answer into the corpus")
    parser.add_argument("--corpus", action="store_true", help="only read the kept files again")
    given = parser.parse_args()
    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    names = given.targets or list(TARGETS)
    if given.corpus:
        return max([again(name) for name in names])
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}, {given.minutes:g} minutes", flush=True)
    crashed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            fuzz = Fuzz(name, seed, Path(folder))
            begun = time.monotonic()
            fuzz.start()
            while time.monotonic() - begun < 60 * given.minutes / len(names):
                fuzz.step(keep=given.keep)
        crashed += len(fuzz.crashes)
        took = time.monotonic() - begun
        print(f"{name}: {fuzz.tried} files in {took:.0f} s, {len(fuzz.kinds)} kinds of answer, "
              f"{len(fuzz.crashes)} kinds of crash", flush=True)  # fmt: skip
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
