"""A SLURM of one node, this machine, without systemd: munged, slurmctld and slurmd in a folder of their own.

python -m tests.cluster.slurm sbatch --wait job.sh      # runs one command within it
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")

_CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer
SlurmdParameters=config_overrides
MinJobAge=300
InactiveLimit=0
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:1
"""


def missing() -> str | None:
    """Why no SLURM can be started here, if so."""
    if os.name != "posix" or os.geteuid() != 0:
        return "needs root: slurmd runs jobs of other users"
    absent = [name for name in PROGRAMS if _found(name) is None]
    return f"needs {', '.join(absent)} (Debian: slurm-wlm munge)" if absent else None


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _cgroups() -> str:
    """No control groups; before SLURM 23 one cannot say so, and slurmd wants to see what the machine has."""
    told = subprocess.run([str(_found("slurmd")), "-V"], capture_output=True, text=True).stdout
    if int(told.split()[-1].split(".")[0]) >= 23:
        return "CgroupPlugin=disabled\n"
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n"
    return "CgroupPlugin=cgroup/v1\n"


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def slurm(cpus: int = 4, memory: int = 4096) -> Iterator[dict[str, str]]:
    """The environment in which ``sbatch`` and its like speak to the cluster, until the block ends.

    ``cpus``, ``memory`` (MiB): of the node, whatever the machine has.
    """
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name, contextlib.ExitStack() as up:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        conf = folder / "slurm.conf"
        conf.write_text(
            _CONF.format(folder=folder, host=host, ctld_port=_port(), node_port=_port(), cpus=cpus, memory=memory)
        )
        (folder / "cgroup.conf").write_text(_cgroups())
        environment = {**os.environ, "SLURM_CONF": str(conf)}
        munged = [_found("munged"), "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
                  f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log",
                  f"--seed-file={folder}/munged.seed"]  # fmt: skip
        for argv in (munged, [_found("slurmctld"), "-D", "-f", str(conf)], [_found("slurmd"), "-D", "-f", str(conf)]):
            up.enter_context(_daemon(argv, folder, environment))
            time.sleep(0.5)
        _wait_until_idle(environment, folder)
        yield environment


@contextlib.contextmanager
def _daemon(argv: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with (folder / f"{Path(argv[0]).name}.out").open("w") as words:
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=words, stderr=words)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    words = "\n".join(f"{one.name}: {one.read_text()[-1500:]}" for one in sorted(folder.glob("*.log")))
    raise TimeoutError(f"the node did not become idle: {told.stdout} {told.stderr}\n{words}")


if __name__ == "__main__":
    why = missing()
    if why is not None:
        sys.exit(why)
    with slurm() as inside:
        sys.exit(subprocess.run(sys.argv[1:], env=inside).returncode)
