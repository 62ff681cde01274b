"""What machine this is, and which row of docs/speed.md its numbers belong to."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from sims.solver.memory import default_jobs
from sims.statistics.result import provenance

ROWS = ("Zen 5", "Zen 4", "AVX2 only", "portable")
"""Rows of the table of machines in docs/speed.md."""
_EXACT = {"znver5": "Zen 5", "znver4": "Zen 4"}
_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")


@dataclass(frozen=True)
class Machine:
    """A processor as LLVM sees it.

    Attributes
    ----------
    cpu : str
        Its name for people.
    llvm : str
        Its name for LLVM, "generic" where that knows none.
    features : tuple of str
        Instructions it has, in LLVM's names.
    cores : int
        That this process may use.
    width : int
        Bits of the vectors of the kernels in use, 0 for the portable ones.
    """

    cpu: str
    llvm: str
    features: tuple[str, ...]
    cores: int
    width: int

    def to_dict(self) -> dict[str, Any]:
        """For a record."""
        return {**asdict(self), "features": list(self.features)}


def this_machine() -> Machine:
    """The machine, and the kernels in use, of this process."""
    import llvmlite.binding as llvm

    try:
        features = tuple(sorted(name for name, there in llvm.get_host_cpu_features().items() if there))
    except RuntimeError:
        features = ()
    cpu = provenance(seed=None, threads=1, seconds=0.0)["cpu"]
    return Machine(str(cpu), llvm.get_host_cpu_name(), features, default_jobs(), kernel_width())


def kernel_width() -> int:
    """Bits of the vectors of the kernels of one value each, 0 for the portable ones."""
    from sims.solver import registers

    return int(registers.chosen(rounded=True))


def with_width(width: int) -> dict[str, str]:
    """The environment in which the kernels have vectors of so many bits, 0 for the portable ones."""
    scalar = {"STRONGTICKETS_SCALAR": "1"} if width == 0 else {}
    kept = {name: value for name, value in os.environ.items() if name != "STRONGTICKETS_SCALAR"}
    return {**kept, **scalar, "STRONGTICKETS_WIDTH": str(width)}


def without_features(llvm: str) -> dict[str, str]:
    """The environment in which kernels are compiled for a lesser processor, by LLVM's name."""
    named = ("STRONGTICKETS_SCALAR", "STRONGTICKETS_WIDTH")
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return {**kept, "NUMBA_CPU_NAME": llvm, "NUMBA_CPU_FEATURES": ""}


def row_of(machine: Machine) -> tuple[str | None, str]:
    """The row of docs/speed.md that a machine's numbers belong to, None where none fits, and a sentence about it.

    Examples
    --------
    >>> zen = Machine("AMD EPYC", "znver5", ("avx2", *_AVX512), 2, 512)
    >>> row_of(zen)[0], row_of(Machine("?", "generic", (), 1, 0))[0]
    ('Zen 5', None)
    """
    kernels = f"kernels of {machine.width} bits" if machine.width else "portable kernels"
    named = f"{machine.cpu} ({machine.llvm}), {kernels}"
    if machine.width <= 128:
        if "avx2" in machine.features or machine.width == 128:
            return "portable", f"{named}: row 'portable' of docs/speed.md."
        return None, f"{named}: no row of docs/speed.md fits; it deserves one of its own."
    if machine.llvm in _EXACT:
        return _EXACT[machine.llvm], f"{named}: row {_EXACT[machine.llvm]!r} of docs/speed.md."
    if all(name in machine.features for name in _AVX512):
        return "Zen 4", f"{named}: nearest is row 'Zen 4' of docs/speed.md, by AVX-512; it deserves a row of its own."
    return "AVX2 only", f"{named}: row 'AVX2 only' of docs/speed.md, by its instructions."
