"""The documented ways to run a sweep on SLURM, their very text, on a real SLURM of one node."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sims.sweep import cluster
from sims.sweep import command as sweep
from sims.sweep.store import Store
from tests.cluster import slurm
from tests.cluster.processes import ROOT, environment, wait_for

WHY = slurm.missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WHY is not None, reason=f"no SLURM can be started here: {WHY}"),
]

SWEEP = ["subset_sum", "--R", "1:3", "--eps", "1e-3", "--trials", "1e5", "--seed", "1"]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs/howto" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def counts(store: Path) -> dict[str, list[tuple[int, ...]]]:
    """Of every cell, its chunks."""
    with Store(str(store)) as opened:
        return {
            text: sorted((one.first, one.trials, *one.counts) for one in opened.chunks(i).values())
            for i, (text, _) in enumerate(opened.cells)
        }


@pytest.fixture(scope="module")
def cluster_environment() -> Iterator[dict[str, str]]:
    with slurm.slurm() as found:
        bin_folder = str(Path(sys.executable).parent)
        yield {**found, **environment(), "SLURM_CONF": found["SLURM_CONF"], "PATH": f"{bin_folder}:{found['PATH']}"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, ...]]]:
    """The counts of one process."""
    store = tmp_path_factory.mktemp("alone") / "s.db"
    assert sweep.main([*SWEEP, "--quiet", "--store", str(store)]) == 0
    return counts(store)


def test_the_array_job(cluster_environment: dict[str, str], tmp_path: Path, alone: dict) -> None:
    script, submit = blocks("slurm.md", "bash")
    assert " ".join(SWEEP) in script
    (tmp_path / "sweep.sh").write_text(script)
    done = subprocess.run(["bash", "-e", "-c", submit], cwd=tmp_path, env=cluster_environment, capture_output=True,
                          text=True, timeout=300)  # fmt: skip
    words = [one.read_text() for one in sorted((tmp_path / "shards").glob("*.log"))]
    assert done.returncode == 0, (done.stderr, words)
    assert words == [""] * 4
    assert counts(tmp_path / "sweep.db") == alone
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) > 10


@pytest.mark.skipif(not cluster.has_dask(), reason="needs Dask (extra: cluster)")
def test_workers_from_dask_jobqueue(cluster_environment: dict[str, str], tmp_path: Path, alone: dict) -> None:
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue (extra: cluster)")
    (script,) = blocks("dask.md", "python")
    (tmp_path / "workers.py").write_text(script)
    with (tmp_path / "words").open("w") as words:
        workers = subprocess.Popen([sys.executable, "workers.py"], cwd=tmp_path, env=cluster_environment, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words)  # fmt: skip
    try:
        address = wait_for(workers.stdout.readline).strip()
        argv = [*SWEEP, "--quiet", "--store", str(tmp_path / "s.db")]
        assert sweep.main([*argv, "--cluster", address]) == 0, (tmp_path / "words").read_text()
    finally:
        workers.communicate("\n", timeout=60)
    assert counts(tmp_path / "s.db") == alone
