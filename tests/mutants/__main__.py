"""Plant every listed slip, one at a time, and report those that no test notices: ``make mutants`` (hours on one core).

Verdicts are kept in ``--record``: a run that goes on takes over those whose slip, file and tests are as they were.
Exit 1 if fewer than 95 of 100 are noticed, if one lives that the lists do not explain, or if one has lost its place.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from tests.mutants.mutant import ROOMS, ROOT, Mutant, load
from tests.mutants.run import Outcome, attempt, clean, copied

LEAST_SCORE = 0.95


def key_of(mutant: Mutant, root: Path) -> str:
    """What a verdict depends on, as a digest: the slip, its file and its tests."""
    digest = hashlib.sha256(repr((mutant.path, mutant.old, mutant.new, mutant.tests, mutant.only)).encode())
    for path in (root / name for name in (mutant.path, *mutant.tests)):
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

    def add(self, key: str, mutant: Mutant, outcome: Outcome) -> None:
        """One more verdict, in the file at once."""
        with self._lock:
            self._rows[key] = {"slip": mutant.name, **asdict(outcome)}
            new = self._path.with_name(self._path.name + ".new")
            new.write_text(json.dumps(self._rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            new.replace(self._path)


def run_all(
    mutants: Sequence[Mutant], record: Record, *, jobs: int, seconds: float, root: Path, say: Callable[[str], None]
) -> dict[Mutant, Outcome]:
    """Every slip's verdict, from the record or from a run; slips with the same tests share their clean run."""
    outcomes: dict[Mutant, Outcome] = {}

    def together(tree: Path, group: Sequence[Mutant]) -> None:
        clean_seconds = None
        for mutant in group:
            outcome = record.get(key := key_of(mutant, tree))
            if outcome is None:
                try:
                    if clean_seconds is None:
                        clean_seconds = clean(tree, mutant.tests, mutant.only, seconds)
                except RuntimeError as problem:
                    say(str(problem))
                    outcomes.update(dict.fromkeys(group, Outcome("untested", "", 0.0)))
                    return
                outcome = attempt(tree, mutant, clean_seconds, seconds)
                record.add(key, mutant, outcome)
                say(f"{outcome.verdict:9} {outcome.seconds:4.0f} s  {mutant.name}")
            outcomes[mutant] = outcome

    def tests(mutant: Mutant) -> tuple[tuple[str, ...], str]:
        return mutant.tests, mutant.only

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        tree = Path(folder) / "tree"
        copied(root, tree)  # what is changed meanwhile changes nothing here
        groups = [list(group) for _, group in groupby(sorted(mutants, key=tests), tests)]
        running = [pool.submit(together, tree, group) for group in groups]
        try:
            for one in running:
                one.result()
        except BaseException:
            for one in running:
                one.cancel()
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
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("--room", nargs="+", choices=ROOMS, default=ROOMS, help="theory, sims, nets (all)")
    parser.add_argument("--only", default="", metavar="TEXT", help="slips whose path or text holds this")
    parser.add_argument("--jobs", type=int, default=1, help="slips tried at once (1)")
    parser.add_argument("--seconds-per-mutant", type=float, default=600.0, help="most that one run may take (600)")
    parser.add_argument(
        "--record", type=Path, default=ROOT / "runs" / "mutants.json", help="verdicts, kept and resumed"
    )
    args = parser.parse_args(argv)
    args.record.parent.mkdir(parents=True, exist_ok=True)
    outcomes = run_all(
        chosen(args.room, args.only),
        Record(args.record),
        jobs=args.jobs,
        seconds=args.seconds_per_mutant,
        root=ROOT,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    text, well = report(outcomes)
    print(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
