"""How wide the vectors of the kernels are: measured once on a machine, and kept beside Numba's cache.

``STRONGTICKETS_WIDTH`` (512, 256, 128 or 0) in the environment decides instead; ``STRONGTICKETS_SCALAR=1`` is 0, the
portable kernels. Every width runs on every CPU, with the same results, number for number: LLVM makes several
instructions of a vector that is wider than the registers.
"""

from __future__ import annotations

# mypy: allow-untyped-calls
import contextlib
import functools
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from sims import jit
from sims.solver.arguments import Integers

WIDTHS = (512, 256, 128)
"""Bits of a register, widest first."""
_ROUNDS = 15


@functools.cache
def chosen(*, rounded: bool) -> int:
    """The width of vectors of rounded sums, or of whole ones, in bits; 0: the portable kernels.

    Raises ValueError: the environment names another width.
    """
    told = os.environ.get("STRONGTICKETS_WIDTH", "")
    if told and told not in {"0", *map(str, WIDTHS)}:
        raise ValueError(f"STRONGTICKETS_WIDTH must be one of 0, 128, 256, 512, got {told!r}")
    config: Any = numba.config
    if os.environ.get("STRONGTICKETS_SCALAR") == "1" or config.DISABLE_JIT:
        return 0
    if told:
        return int(told)
    found = [width for width in WIDTHS if one_instruction(width)]
    if len(found) > 1:  # words of either length like the same registers: one measurement is enough
        return _kept(True, found[:2])
    return _kept(rounded, [*found, 0]) if found else 0


def one_instruction(width: int) -> bool:
    """Whether LLVM, as Numba has set it up, makes one instruction of a minimum of two vectors of this width."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    vector = f"<{width // 32} x i32>"
    source = f"""
        declare {vector} @llvm.smin.v{width // 32}i32({vector}, {vector})
        define {vector} @least({vector} %a, {vector} %b) {{
            %c = call {vector} @llvm.smin.v{width // 32}i32({vector} %a, {vector} %b)
            ret {vector} %c
        }}"""
    try:
        machine = _codegen()._tm
        made = machine.emit_assembly(llvm.parse_assembly(source))
    except (AttributeError, RuntimeError):
        return False
    return len(re.findall(r"\bv?pminsd\b|\bsmin\b", made)) == 1


def _codegen() -> Any:
    from numba.core.registry import cpu_target

    return cpu_target.target_context.codegen()


def _kept(rounded: bool, candidates: list[int]) -> int:
    """The fastest candidate, from the file where it was written down, or measured and written down."""
    from sims.solver.kernels import vector

    folder = getattr(vector.sweep._cache, "cache_path", None)
    if folder is None:
        return _fastest(rounded, candidates)
    key = repr((rounded, candidates, _codegen().magic_tuple(), numba.__version__, jit.digest(vector)))
    file = Path(folder) / f"registers-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    try:
        width = json.loads(file.read_text(encoding="utf-8"))["width"]
        if width in candidates:
            return int(width)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there yet, or damaged: it is made anew
    width = _fastest(rounded, candidates)
    fresh = file.with_suffix(f".{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):  # then the next process measures again
        try:
            fresh.write_text(json.dumps({"width": width, "of": candidates, "rounded": rounded}), encoding="utf-8")
            fresh.replace(file)
        except OSError:
            fresh.unlink()
            raise
    return width


def _fastest(rounded: bool, candidates: list[int]) -> int:
    """The candidate whose sweep over two lists takes least time; the candidates take turns."""
    works = {width: _sweep(rounded, width) for width in candidates}
    times = dict.fromkeys(candidates, float("inf"))
    for _ in range(_ROUNDS):
        for width, work in works.items():
            started = time.perf_counter()
            work()
            times[width] = min(times[width], time.perf_counter() - started)
    return min(times, key=lambda width: times[width])


def _sweep(rounded: bool, width: int) -> Callable[[], object]:
    """A call that sweeps lists of 2^11 and 2^12 sums, already compiled."""
    rng = np.random.default_rng(0)
    p, q = (np.sort(rng.integers(0, 2**27, 2**k)) for k in (11, 12))
    call = _portable(p, q) if width == 0 else _vector(rounded, width, p, q)
    call()
    return call


def _portable(p: Integers, q: Integers) -> Callable[[], object]:
    from sims.solver.kernels import binary

    lists = [np.zeros(2 * len(part) + 64, np.int64) for part in (p, q)]
    for part, into in zip((p, q), lists, strict=True):
        k = len(part).bit_length() - 1
        into[(1 << k) + 2 * k :][: len(part)] = part  # where ``binary`` has its level k
    return lambda: binary._sweep(*lists, np.int64(11), np.int64(12), *map(np.int64, (2**20, 2**24, 2**27, -1)))


def _vector(rounded: bool, width: int, p: Integers, q: Integers) -> Callable[[], object]:
    from sims.solver.kernels import vector

    kernels = vector.Kernels(width, rounded)
    lanes = kernels.short if rounded else kernels.exact
    edge = np.full(16, 2 ** (lanes.bits - 2))
    lists = [np.concatenate([-edge, part, edge]).astype(f"int{lanes.bits}") for part in (p, q)]
    start, end = (part.ctypes.data + part[:16].nbytes for part in lists)
    # as ``vector.begin`` would set it, without compiling that
    g = (len(q) - lanes.count) * lanes.bits // 8 // (lanes.count // lanes.rows)
    begun = [edge[0], len(p) // lanes.rows + len(q) // lanes.count - 1, start - g, g, g, g, g]
    state = np.zeros(vector.STATE_WORDS, np.int64)

    def work() -> None:
        state[:7] = begun
        vector.sweep(lanes, end, 2**20, 2**24, 2**27, 0, -1, state.ctypes.data)
        assert lists  # their memory is read

    return work
