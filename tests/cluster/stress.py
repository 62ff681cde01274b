"""Kill workers, or the scheduler, at random under a sweep, and see that nothing is lost and nobody waits forever.

    python -m tests.cluster.stress workers --runs 3 --kills 20
    python -m tests.cluster.stress scheduler --runs 6

It is no test: it takes minutes. Each run ends in one line; the exit code is the number of runs that went wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sims.sweep.store import Store, StoreError
from tests.cluster.processes import dask, python

SWEEP = ["subset_sum", "--eps", "1e-6", "--n", "1:24", "--trials", "2.5e6", "--seed", "4", "--chunk", "1e4"]
PATIENCE = 120.0
"""Seconds without a chunk that count as forever."""


def chunks(store: Path) -> int:
    """That the store has, so far."""
    try:
        with Store(str(store)) as opened:
            return opened.done()[0]
    except StoreError:
        return 0


def expected(folder: Path) -> list[object]:
    """The rows of one process without a cluster."""
    argv = ["-m", "sims.sweep", *SWEEP, "--json", "--store", "alone"]
    return json.loads(python(*argv, cwd=folder).communicate()[0])["rows"]


def start(folder: Path, address: str) -> subprocess.Popen[str]:
    """The sweep on that cluster."""
    return python("-m", "sims.sweep", *SWEEP, "--json", "--store", "s", "--resume", "--cluster", address, cwd=folder)


def ended(sweep: subprocess.Popen[str], store: Path) -> tuple[int | str, str, str]:
    """Its exit code, or that it waits, and its words."""
    seen, since = chunks(store), time.monotonic()
    while sweep.poll() is None:
        if (now := chunks(store)) != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            sweep.kill()
            return "waits forever", *sweep.communicate()
        time.sleep(0.2)
    return sweep.returncode, *sweep.communicate()


def kill_workers(folder: Path, rng: random.Random, kills: int) -> bool:
    """Kill that many workers, each followed by a new one, at random moments."""
    wanted = expected(folder)
    with dask(folder, 3) as cluster:
        sweep = start(folder, cluster.address)
        while not chunks(folder / "s") and sweep.poll() is None:
            time.sleep(0.05)
        killed = 0
        while killed < kills and sweep.poll() is None:
            before, patient = chunks(folder / "s"), time.monotonic() + 5
            while chunks(folder / "s") < before + rng.randrange(12) and time.monotonic() < patient:
                time.sleep(0.05)
            one = rng.choice(cluster.alive())
            one.kill()
            one.wait()
            killed += 1
            cluster.worker()
        code, out, err = ended(sweep, folder / "s")
    good = code == 0 and json.loads(out)["rows"] == wanted
    print(f"{killed} workers killed: {code}, {chunks(folder / 's')} chunks, the rows "
          f"{'agree' if good else 'do NOT agree'}; {err.strip()[-300:]!r}", flush=True)  # fmt: skip
    return good


def kill_scheduler(folder: Path, rng: random.Random, kills: int) -> bool:
    """Kill the scheduler at a random moment, and go on with another."""
    wanted = expected(folder)
    with dask(folder, 2) as cluster:
        sweep = start(folder, cluster.address)
        while chunks(folder / "s") < rng.randrange(1, 150) and sweep.poll() is None:
            time.sleep(0.01)
        cluster.scheduler.kill()
        died = time.monotonic()
        code, _, err = ended(sweep, folder / "s")
        took = time.monotonic() - died
    left = chunks(folder / "s")
    with dask(folder, 2) as cluster:
        again, out, more = ended(start(folder, cluster.address), folder / "s")
    news = [line for line in err.splitlines() if not line.startswith(("this takes", "waiting", "1 w", "2 w"))]
    good = (code, again, len(news)) == (2, 0, 1) and json.loads(out)["rows"] == wanted
    print(f"scheduler killed at {left} chunks: {code} after {took:.1f} s, {err.strip()[-400:]!r}; again: {again} "
          f"{more.strip()[-200:]!r}, {'good' if good else 'NOT good'}", flush=True)  # fmt: skip
    return good


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("workers", "scheduler"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    work = kill_workers if given.what == "workers" else kill_scheduler
    bad = 0
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            bad += not work(Path(folder), rng, given.kills)
    return bad


if __name__ == "__main__":
    sys.exit(main())
