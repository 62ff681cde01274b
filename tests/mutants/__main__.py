"""Plant every listed slip, one at a time, and report those that no test notices: ``make mutants`` (hours on one core).

Verdicts are kept in ``--record``: a run that goes on takes over those whose slip, file and tests are as they were.
Exit 1 if fewer than 95 of 100 are noticed, if one lives that the lists do not explain, or if one has lost its place.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.mutants.mutant import ROOMS, ROOT, Mutant, load
from tests.mutants.run import Outcome, attempt, clean, copied

LEAST_SCORE = 0.95


Tests = tuple[str, str]
"""A file of tests, and which of them (pytest's -k)."""


def key_of(root: Path, what: object, *paths: str) -> str:
    """What a verdict depends on, as a digest: a description and the contents of files."""
    digest = hashlib.sha256(repr(what).encode())
    for path in (root / name for name in paths):
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()[:16]


class Record:
    """Verdicts by key, kept in a file from the first on."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._rows: dict[str, dict[str, object]] = {}
        if path.exists():
            self._rows = json.loads(path.read_text(encoding="utf-8"))

    def get(self, key: str) -> Outcome | None:
        """The verdict kept under that key."""
        row = self._rows.get(key)
        return Outcome(row["verdict"], row["detail"], row["seconds"]) if row else None  # type: ignore[arg-type]

    def add(self, key: str, name: str, outcome: Outcome) -> None:
        """One more verdict, in the file at once."""
        with self._lock:
            self._rows[key] = {"slip": name, **asdict(outcome)}
            new = self._path.with_name(self._path.name + ".new")
            new.write_text(json.dumps(self._rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            new.replace(self._path)


def run_all(
    mutants: Sequence[Mutant], record: Record, *, jobs: int, seconds: float, root: Path, say: Callable[[str], None]
) -> dict[Mutant, Outcome]:
    """Every slip's verdict, from the record or from a run: first of the tests without any slip, then of each slip."""
    outcomes: dict[Mutant, Outcome] = {}

    def key(mutant: Mutant) -> str:
        slip = mutant.path, mutant.old, mutant.new, mutant.tests, mutant.only
        return key_of(tree, slip, mutant.path, *mutant.tests)

    def known(key: str, name: str, run: Callable[[], Outcome]) -> Outcome:
        outcome = record.get(key)
        if outcome is None:
            outcome = run()
            say(f"{outcome.verdict:9} {outcome.seconds:4.0f} s  {name}")
            if outcome.verdict == "untested":
                say(outcome.detail)
            if outcome.verdict not in ("stale", "untested"):
                record.add(key, name, outcome)
        return outcome

    def passes(tests: Tests) -> Outcome:
        return known(
            key_of(tree, tests, tests[0], *programs), f"{tests[0]} as it is", lambda: clean(tree, *tests, seconds)
        )

    def tried(mutant: Mutant) -> Outcome:
        first = [as_it_is[path, mutant.only] for path in mutant.tests]
        bad = [path for path, one in zip(mutant.tests, first, strict=True) if one.verdict != "survived"]
        if bad:
            return Outcome("untested", f"{', '.join(bad)}: must pass where nothing is planted", 0.0)
        alone = sum(one.seconds for one in first)
        return known(key(mutant), mutant.name, lambda: attempt(tree, mutant, alone, seconds))

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        tree = Path(folder) / "tree"
        copied(root, tree)  # what is changed meanwhile changes nothing here
        programs = sorted(str(path.relative_to(tree)) for room in ROOMS for path in (tree / room).rglob("*.py"))
        waiting = [mutant for mutant in mutants if record.get(key(mutant)) is None]
        every = list(dict.fromkeys((path, mutant.only) for mutant in waiting for path in mutant.tests))
        try:
            as_it_is = dict(zip(every, pool.map(passes, every), strict=True))
            outcomes = {mutant: record.get(key(mutant)) or Outcome("stale", "", 0.0) for mutant in mutants}
            outcomes |= dict(zip(waiting, pool.map(tried, waiting), strict=True))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return outcomes


def report(outcomes: dict[Mutant, Outcome]) -> tuple[str, bool]:
    """Counts by room, every slip that lives or is stale, and whether all is well."""
    lines = ["room      slips  killed  timed out  survived  equivalent  score"]
    wrong = []
    totals = [0] * 5
    for room in [*ROOMS, "all"]:
        of = {one: found for one, found in outcomes.items() if room in (one.room, "all")}
        if not of:
            continue
        counted = [found.verdict for one, found in of.items() if not one.equivalent]
        killed, late = counted.count("killed"), counted.count("timed out")
        totals = [len(of), killed, late, len(counted) - killed - late, len(of) - len(counted)]
        score = (killed + late) / max(1, len(counted))
        row = "{:>6} {:>7} {:>10} {:>9} {:>11}".format(*totals)
        lines.append(f"{room:8} {row}  {100 * score:.1f} %")
        if room == "all" and score < LEAST_SCORE:
            wrong.append(f"the score is below {100 * LEAST_SCORE:.0f} %")
    for one, found in outcomes.items():
        noticed = found.verdict in ("killed", "timed out")
        if found.verdict in ("stale", "untested") or noticed == bool(one.reason):
            text = one.reason if noticed else found.detail
            wrong.append(f"{'explained, but noticed' if noticed else found.verdict}: {one.name}{text and f' ({text})'}")
        elif not noticed:
            lines.append(f"lives: {one.name} ({one.reason})")
    return "\n".join([*lines, *wrong]), not wrong


def chosen(rooms: Iterable[str], only: str) -> list[Mutant]:
    """The slips of these rooms whose line holds that text."""
    return [mutant for mutant in load(rooms) if only in mutant.name]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--room", nargs="+", choices=ROOMS, default=ROOMS, help="theory, sims, nets (all)")
    parser.add_argument("--only", default="", metavar="TEXT", help="slips whose path or text holds this")
    parser.add_argument("--jobs", type=int, default=1, help="slips tried at once (1)")
    parser.add_argument("--seconds-per-mutant", type=float, default=600.0, help="most that one run may take (600)")
    parser.add_argument(
        "--record", type=Path, default=ROOT / "runs" / "mutants.json", help="verdicts, kept and resumed"
    )
    args = parser.parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's `&` makes all that follow deaf to Ctrl-C
        signal.signal(number, signal.default_int_handler)
    args.record.parent.mkdir(parents=True, exist_ok=True)
    try:
        outcomes = run_all(
            chosen(args.room, args.only),
            Record(args.record),
            jobs=args.jobs,
            seconds=args.seconds_per_mutant,
            root=ROOT,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except KeyboardInterrupt:
        print(f"interrupted: the verdicts so far are in {args.record}, and the next run goes on", file=sys.stderr)
        return 130
    text, well = report(outcomes)
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
