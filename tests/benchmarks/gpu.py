"""Everything that a GPU does here, timed on one card in five minutes: ``python -m tests.benchmarks.gpu --out FILE``.

Every batch path of ``--device cuda`` runs on the card and, on a part of the same work, on this machine's CPU by the
compiled kernels; their results are compared. The printed names are those of the table of GPUs in docs/speed.md.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sims.commands import cli, flags
from sims.files import OutputFile, beginning_with, check_outputs, is_stream, write_text
from sims.solver.memory import default_jobs, readable
from sims.statistics.result import Result, provenance
from tests.benchmarks.measure import many, median_within, table

if TYPE_CHECKING:
    from tests.benchmarks.gpu_paths import Path

COMMAND = "tests.benchmarks.gpu"
COLUMNS = (
    "unit", "size", "device_s", "per_s", "cpu_size", "cpu_s", "cpu_per_s", "ratio", "same", "agreement", "free_bytes",
    "peak_bytes", "skipped",
)  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """Time every batch path on a GPU beside the CPU, compare their results, and write the record."""

    device: Literal["auto", "cpu", "cuda"] = "cuda"
    """cpu: the same torch operations on the CPU, to see that all of it works."""
    quick: bool = False
    """Small sizes, a few seconds in all; always so with --device cpu."""
    max_time: flags.OptionalDuration = None
    """Paths that would begin later are left out. Default: 5 minutes."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the record (JSON) here."""
    force: bool = False
    """Replace a file that is no such record."""


def measured(name: str, made: Callable[[], Path], device: str, budget: float, *, late: bool) -> dict[str, Any]:
    """One row of the record; a path that is too late, or does not fit, says so instead of its numbers."""
    import torch

    from nets.device import free_bytes
    from tests.benchmarks.gpu_paths import on_device

    row: dict[str, Any] = {"path": name, **dict.fromkeys(COLUMNS)}
    if late:
        return {**row, "skipped": "no time left"}
    on_card = device == "cuda"

    def finished() -> Any:
        with on_device(device):
            found = path.there()
        if on_card:
            torch.cuda.synchronize()
        return found

    try:
        if on_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            row["free_bytes"] = free_bytes(device)
        path = made()
        seconds = median_within(finished, budget)
        cpu_seconds = median_within(path.here, budget)
        there, here = finished(), path.here()
        with on_device(device):
            same = path.same(there, here)
    except Exception as problem:  # the other paths are worth their time on a lent card
        said = "out of memory" if cli.exhausted(problem) else f"failed: {type(problem).__name__}: {problem}"
        return {**row, "skipped": " ".join(said.split())[:300]}
    per_s, cpu_per_s = path.size / seconds, path.cpu_size / cpu_seconds
    row |= {"unit": path.unit, "size": path.size, "device_s": seconds, "per_s": per_s, "cpu_size": path.cpu_size}
    row |= {"cpu_s": cpu_seconds, "cpu_per_s": cpu_per_s, "ratio": per_s / cpu_per_s, "same": same}
    return {**row, "agreement": path.agreement, "peak_bytes": torch.cuda.max_memory_allocated() if on_card else None}


def card(device: str) -> dict[str, Any]:
    """What is known of the device."""
    import torch

    from nets.device import machine

    known = {**machine(device), "cuda": torch.version.cuda, "driver": None, "device_memory": None, "capability": None}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        known |= {"device_memory": properties.total_memory, "capability": f"{properties.major}.{properties.minor}"}
        known["driver"] = _driver()
    return known


def _driver() -> str | None:
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        lines = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return lines[0] if lines else None


def shown(row: dict[str, Any]) -> list[str]:
    """A row of the printed table, which is a row of docs/speed.md."""
    if row["skipped"]:
        return [row["path"], f"skipped: {row['skipped']}", "", "", "", ""]
    verdict = row["agreement"] if row["same"] else f"DIFFERS ({row['agreement']} expected)"
    peak = "" if row["peak_bytes"] is None else readable(row["peak_bytes"])
    speed, cpu = (f"{many(row[name])} {row['unit']}/s" for name in ("per_s", "cpu_per_s"))
    return [row["path"], speed, cpu, f"{row['ratio']:.3g}", verdict, peak]


def fills(device: str, quick: bool) -> str:
    """Where the table belongs."""
    if quick:
        return "Small sizes: this fills no row of docs/speed.md; on a card, without --quick, the table of GPUs there."
    return f"Fills the rows of these names in the table of GPUs of docs/speed.md, column {device}."


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``. Exit code 1: a path failed, or its result is not the CPU's."""

    def work(args: Sequence[str] | None) -> int:
        asked = flags.parse(Gpu, args, prog=f"python -m {COMMAND}")
        record = beginning_with("record of a GPU", f'{{\n "schema": "strong-tickets/{COMMAND}/'.encode())
        check_outputs(OutputFile("--out", asked.out, record), force=asked.force)
        from nets.device import resolve_device

        device = resolve_device(asked.device)
        from tests.benchmarks.gpu_paths import SEED, paths

        quick, limit = asked.quick or device == "cpu", asked.max_time or 300.0
        begun, jobs = time.monotonic(), default_jobs()
        rows: list[dict[str, Any]] = []
        params = {"device": device, "quick": quick, "max_time": limit}
        about = card(device)

        def known() -> dict[str, Any]:
            return provenance(seed=SEED, threads=jobs, seconds=time.monotonic() - begun, **about)

        def text() -> str:
            return Result(command=COMMAND, params=params, rows=rows, provenance=known()).to_json()

        for name, made in paths(device, quick=quick, jobs=jobs):
            print(f"{name} ...", file=sys.stderr, flush=True)
            left = limit - (time.monotonic() - begun)
            rows.append(measured(name, made, device, 0.02 if quick else 3.0, late=left <= 0))
            if asked.out is not None and not is_stream(asked.out):  # time on a lent card may end at any moment
                with contextlib.suppress(OSError):  # it is tried once more below
                    write_text(asked.out, text())
        names = ["path", "device", f"CPU, {jobs} thread{'s' * (jobs > 1)}", "ratio", "results", "peak memory"]
        print(table(names, list(map(shown, rows))))
        print(f"\n{about['device']}, driver {about['driver']}, PyTorch {about['torch']}; CPU: {known()['cpu']}")
        print(fills(about["device"], quick))
        if asked.out is not None:
            write_text(asked.out, text())
        return 1 if any(row["same"] is False or str(row["skipped"]).startswith("failed") for row in rows) else 0

    return cli.run(work, argv)


if __name__ == "__main__":
    sys.exit(main())
