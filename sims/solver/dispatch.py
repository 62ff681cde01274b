"""Which kernel searches which instance. The AVX-512 file is asked only where the CPU has its instructions.

STRONGTICKETS_SCALAR=1 in the environment keeps to the portable kernels; the results are the same, number for number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numba
import numpy as np
import numpy.typing as npt

from sims.solver import stream
from sims.solver.arguments import Integers
from sims.solver.kernels import binary as _binary
from sims.solver.kernels import choice as _choice
from sims.solver.kernels import curve as _curve
from sims.solver.kernels import stream as _stream

FROM_N, UP_TO_N = 7, 41
"""Values for which the vector kernel is used. Its blocks need 7, where it is twice as fast as the portable one (2.5
times at 16, 3.6 times at 21). Beyond 41 a row is shared by all threads; up to there it takes 0.2 to 0.4 of the
streaming kernel's time on values from [-1, 1]. At 41 its lists take 24 MB per thread."""


def _usable() -> bool:
    """Whether Numba compiles for this very CPU and it has AVX-512; asked once, at import."""
    config: Any = numba.config
    if os.environ.get("STRONGTICKETS_SCALAR") == "1" or config.DISABLE_JIT or not config.ENABLE_AVX:
        return False
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None:
        return False
    import llvmlite.binding  # type: ignore[import-untyped]

    try:
        features = llvmlite.binding.get_host_cpu_features()
    except RuntimeError:
        return False
    return all(features.get(name) for name in ("avx512f", "avx512bw", "avx512dq", "avx512vl"))


USABLE = _usable()


class Kernels(NamedTuple):
    """What searches rows by listing all half sums, as ``kernels.binary`` does for one value each."""

    scratch_size: Callable[[int], int]
    mark_within: Callable[..., None]
    best_rows: Callable[..., None]


class CurveKernels(NamedTuple):
    """What finds the variables that a trial needs, one value each, as ``kernels.curve`` does."""

    scratch_size: Callable[[int], int]
    first_binary: Callable[..., None]


def vector_pays(n: int) -> bool:
    """Whether the vector kernel is the fastest one for n values."""
    return USABLE and FROM_N <= n <= UP_TO_N


def stream_pays(n: int, draws: int) -> bool:
    """Whether streaming beats listing in portable code, as measured."""
    return n >= 22 if draws == 1 else (draws + 1) ** (n - n // 2) >= 216


def binary(n: int) -> Kernels:
    """The faster kernel that lists all half sums of n values."""
    if vector_pays(n):
        from sims.solver.kernels import vector as _vector

        return Kernels(_vector.scratch_size, _vector.mark_within, _vector.best_rows)
    return Kernels(_binary.scratch_size, _binary.mark_within, _binary.best_rows)


def curve() -> CurveKernels:
    """The faster kernel for success curves of one value each."""
    if USABLE:
        from sims.solver.kernels import vector as _vector

        return CurveKernels(_vector.curve_scratch_size, _vector.first_binary)
    return CurveKernels(lambda n: _curve.scratch_size(n, 1), _curve.first_binary)


def half_sums(n: int, draws: int) -> int:
    """Sums of the two halves of n variables."""
    total: int = (draws + 1) ** (n // 2) + (draws + 1) ** (n - n // 2)
    return total


class Search(Protocol):
    """Searches rows of n variables with R values each, (rows, n, R); contiguous integers under the kernels' limit."""

    @property
    def words(self) -> int:
        """Words of int64 that the memory of one thread takes."""

    def memory(self) -> Any:
        """Memory for one thread."""

    def best(
        self, x: Integers, targets: Integers, memory: Any, errors: Integers, choices: npt.NDArray[np.int32]
    ) -> None:
        """errors[t] >= 0 and choices[t, i] = index of the value taken, -1 for none."""

    def mark(
        self, x: Integers, targets: Integers, tolerances: Integers, memory: Any, hits: npt.NDArray[np.bool_]
    ) -> None:
        """hits[t] = whether a choice is within the tolerance; a negative one is never met."""


@dataclass(frozen=True)
class _Listed:
    """All half sums are listed."""

    words: int
    kernels: Kernels
    single: bool

    def memory(self) -> Integers:
        return np.empty(self.words, np.int64)

    def best(
        self, x: Integers, targets: Integers, memory: Any, errors: Integers, choices: npt.NDArray[np.int32]
    ) -> None:
        self.kernels.best_rows(x[:, :, 0] if self.single else x, targets, memory, errors, choices)

    def mark(
        self, x: Integers, targets: Integers, tolerances: Integers, memory: Any, hits: npt.NDArray[np.bool_]
    ) -> None:
        self.kernels.mark_within(x[:, :, 0] if self.single else x, targets, tolerances, memory, hits)


@dataclass(frozen=True)
class _Streamed:
    """Half sums are met in windows, never listed."""

    n: int
    draws: int
    single: bool

    @property
    def words(self) -> int:
        return sum(stream.words(self.n, self.draws))

    def memory(self) -> tuple[Any, Any]:
        return stream.memory(self.n, self.draws)

    def best(
        self, x: Integers, targets: Integers, memory: Any, errors: Integers, choices: npt.NDArray[np.int32]
    ) -> None:
        _stream.best_rows(x, targets, self.single, stream.plan(self.n, self.draws), *memory, errors, choices)

    def mark(
        self, x: Integers, targets: Integers, tolerances: Integers, memory: Any, hits: npt.NDArray[np.bool_]
    ) -> None:
        _stream.mark_within(x, targets, tolerances, self.single, stream.plan(self.n, self.draws), *memory, hits)


def listing(n: int, draws: int, *, single: bool) -> Search:
    """The search that lists all half sums: its memory fits fewer variables too.

    ``single``: one value each, with the tie rule of ``kernels.binary``; else that of ``kernels.choice``.
    """
    if single:
        kernels = binary(n)
        return _Listed(kernels.scratch_size(n), kernels, True)
    kernels = Kernels(lambda n: _choice.scratch_size(n, draws), _choice.mark_within, _choice.best_rows)
    return _Listed(kernels.scratch_size(n), kernels, False)


def fastest(n: int, draws: int, *, single: bool) -> Search:
    """The fastest search of exactly n variables; ``single`` as for ``listing``."""
    if stream_pays(n, draws) and not (single and vector_pays(n)):
        return _Streamed(n, draws, single)
    return listing(n, draws, single=single)
