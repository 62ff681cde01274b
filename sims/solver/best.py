"""The exact best choice of values for a target: the public functions, with validation and threads.

The solver knows no theory: it imports nothing from the bounds it will be used to check.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sims.solver import stream
from sims.solver.best_on_grid import shared_on_grid
from sims.solver.fixed_point import Floats, Integers, exact_error, finite_numbers, to_fixed_point, window
from sims.solver.grid import GridSolver
from sims.solver.kernels import choice as _choice
from sims.solver.kernels import stream as _stream
from sims.solver.kernels import vector as _vector
from sims.solver.memory import check_scratch, check_size, default_jobs

_CALL_HALF_SUMS = 2**24
"""Half sums per kernel call: about 0.1 s, so that Ctrl-C is heard."""

_ALONE = 2**22
"""From so many half sums on a row is shared by all threads instead of being one thread's."""


@dataclass(frozen=True)
class Best:
    """The best choice for one target.

    Attributes
    ----------
    choice : ndarray, shape (n,)
        Values given as (n,): a bool mask. Values given as (n, R): the index of the value taken, -1 for none.
    sum, error : float
        Sum of the chosen values and its distance from the target, exact and rounded once.
    rounding : float
        0 when the search itself was exact; else no choice has an error below ``error - 2 * rounding``.
    """

    choice: npt.NDArray[np.bool_] | npt.NDArray[np.int32]
    sum: float
    error: float
    rounding: float

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which variables are used, shape (n,)."""
        return self.choice.astype(np.bool_) if self.choice.dtype == np.bool_ else self.choice >= 0


@dataclass(frozen=True)
class BestBatch:
    """The best choices for many targets: the fields of ``Best`` with one row per target."""

    choice: npt.NDArray[np.bool_] | npt.NDArray[np.int32]
    sum: Floats
    error: Floats
    rounding: Floats

    def __len__(self) -> int:
        return len(self.error)

    def __getitem__(self, row: int) -> Best:
        return Best(self.choice[row], float(self.sum[row]), float(self.error[row]), float(self.rounding[row]))

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which variables are used, shape (rows, n)."""
        return self.choice.astype(np.bool_) if self.choice.dtype == np.bool_ else self.choice >= 0


def best_subset(x: npt.ArrayLike, alpha: float) -> Best:
    """The choice of values whose sum is nearest to alpha.

    Parameters
    ----------
    x : array_like of float, shape (n,) or (n, R)
        (n,): take each value or leave it. (n, R): take at most one value of each row. Finite, any size.
    alpha : float
        The target, finite.

    Returns
    -------
    Best
        Exact, whatever the order of the values. The empty choice (sum 0) is allowed.

    Raises
    ------
    ValueError
        Wrong shape, values that are not finite, or a search that does not fit into memory.

    Examples
    --------
    >>> found = best_subset([0.5, -0.75, 0.125, 0.25], 0.4)
    >>> found.choice.tolist(), found.sum, round(found.error, 12)
    ([False, False, True, True], 0.375, 0.025)
    >>> best_subset([[0.5, 0.4], [0.1, -0.3]], 0.1).choice.tolist()
    [-1, 0]
    """
    values = finite_numbers("x", x)
    if values.ndim not in (1, 2):
        raise ValueError(f"x must have shape (n,) or (n, R), got shape {values.shape}")
    return best_subsets(values[None], np.array([finite_numbers("alpha", alpha)]).reshape(1))[0]


def best_subsets(x: npt.ArrayLike, alpha: npt.ArrayLike, *, jobs: int | None = None) -> BestBatch:
    """``best_subset`` for a batch, each row with its own values.

    Parameters
    ----------
    x : array_like of float, shape (rows, n) or (rows, n, R)
    alpha : array_like of float, shape (rows,) or a scalar
    jobs : int, optional
        Threads; all available cores if absent. The result does not depend on it.

    Returns
    -------
    BestBatch

    Raises
    ------
    ValueError
        As for ``best_subset``.

    Examples
    --------
    >>> best_subsets([[0.5, 0.25], [0.5, -0.25]], [0.75, 0.2]).error.tolist()
    [0.0, 0.04999999999999999]
    """
    values = finite_numbers("x", x)
    if values.ndim not in (2, 3) or 0 in values.shape[1:]:
        raise ValueError(f"x must have shape (rows, n) or (rows, n, R) with n, R >= 1, got shape {values.shape}")
    targets = finite_numbers("alpha", alpha)
    if targets.ndim > 1 or (targets.ndim == 1 and len(targets) != len(values)):
        raise ValueError(f"alpha must be a scalar or have one entry per row, got shape {targets.shape}")
    targets = np.ascontiguousarray(np.broadcast_to(targets, len(values)))
    binary = values.ndim == 2
    cube = values[:, :, None] if binary else values
    n, draws = cube.shape[1:]
    check_size(n, draws)
    integers, whole_targets, exponents, rounding = to_fixed_point(cube, targets)
    jobs = default_jobs() if jobs is None else jobs
    choices = _search(integers, whole_targets, binary, jobs)
    sums, exact = _evaluate(cube, targets, integers, whole_targets, exponents, rounding, choices)
    return BestBatch(choices == 0 if binary else choices, sums, exact, rounding)


def best_subsets_shared(x: npt.ArrayLike, alphas: npt.ArrayLike) -> BestBatch:
    """``best_subset`` of one value set for many targets; the sums are listed once.

    Parameters
    ----------
    x : array_like of float, shape (n,) or (n, R)
    alphas : array_like of float, shape (targets,)

    Returns
    -------
    BestBatch
        One row per target. Among equally good choices another one than ``best_subset``'s may be named.

    Raises
    ------
    ValueError
        As for ``best_subset``.

    Examples
    --------
    >>> best_subsets_shared([0.5, 0.25, -0.125], [0.6, 0.1]).sum.tolist()
    [0.625, 0.125]
    """
    values = finite_numbers("x", x)
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ValueError(f"x must have shape (n,) or (n, R) with n, R >= 1, got shape {values.shape}")
    targets = finite_numbers("alphas", alphas)
    if targets.ndim != 1:
        raise ValueError(f"alphas must have shape (targets,), got shape {targets.shape}")
    binary = values.ndim == 1
    table = values[:, None] if binary else values
    n, draws = table.shape
    # one common scale, set by the largest target
    widest = np.append(targets, 0.0)[np.argmax(np.abs(np.append(targets, 0.0)))]
    integers, _, exponents, _ = to_fixed_point(table[None], np.array([widest]))
    exponent = int(exponents[0])
    scaled = np.ldexp(targets, exponent)
    whole_targets = np.rint(scaled).astype(np.int64)
    off_grid = (np.ldexp(integers[0].astype(np.float64), -exponent) != table).any() | (whole_targets != scaled)
    rounding = np.where(off_grid, np.ldexp(0.5 * (n + 1), -exponent), 0.0)
    _, choices = shared_on_grid(integers[0], whole_targets)
    cube = np.broadcast_to(table, (len(targets), n, draws))
    all_integers = np.broadcast_to(integers, (len(targets), n, draws))
    all_exponents = np.full(len(targets), exponent, np.int32)
    sums, exact = _evaluate(cube, targets, all_integers, whole_targets, all_exponents, rounding, choices)
    return BestBatch(choices == 0 if binary else choices, sums, exact, rounding)


def any_within(x: npt.ArrayLike, alpha: float, eps: float) -> bool:
    """Whether some choice of values sums to within eps of alpha: \\|sum - alpha\\| <= eps, decided exactly.

    Parameters
    ----------
    x : array_like of float, shape (n,) or (n, R)
    alpha : float
    eps : float
        At least 0.

    Raises
    ------
    ValueError
        As for ``best_subset``; also when the values span so many orders of magnitude that their fixed-point
        rounding could change the answer.

    Examples
    --------
    >>> any_within([0.5, 0.25], 0.7, 0.05), any_within([0.5, 0.25], 0.7, 0.04)
    (False, False)
    >>> any_within([0.5, 0.25], 0.75, 0.0)
    True
    """
    tolerance = float(finite_numbers("eps", eps))
    if tolerance < 0:
        raise ValueError(f"eps must be at least 0, got eps={eps}")
    values = finite_numbers("x", x)
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ValueError(f"x must have shape (n,) or (n, R) with n, R >= 1, got shape {values.shape}")
    target = float(finite_numbers("alpha", alpha))
    cube = values.reshape(1, values.shape[0], -1)
    n, draws = cube.shape[1:]
    # the window is clipped to what any sum can reach, so that the common scale stays as fine as the values allow
    integers, _, exponents, rounding = to_fixed_point(cube, np.zeros(1))
    if rounding[0] > 0:
        found = best_subset(values, target)
        if found.error <= tolerance:
            return True
        if found.error - 2 * found.rounding > tolerance:
            return False
        raise ValueError(
            f"x spans too many orders of magnitude to decide: the best error found is {found.error:.17g}, eps={eps}, "
            f"and the fixed-point rounding is up to {found.rounding:.3g}"
        )
    check_size(n, draws)
    centre, width = window(target, tolerance, int(exponents[0]))
    reach = int(np.abs(integers).max(axis=2).sum())
    low, high = max((centre - width) // 2, -reach), min((centre + width) // 2, reach)
    if low > high:
        return False
    if _half_sums(n, draws) >= _ALONE:
        jobs = default_jobs()
        _check_alone(n, draws, jobs)
        return stream.solve(2 * integers[0], low + high, False, stop=high - low, jobs=jobs)[0] <= high - low
    solver = GridSolver(n, draws)
    return bool(solver.mark(integers.reshape(1, -1), np.array([low + high]), np.array([high - low]))[0])


def _search(x: Integers, targets: Integers, binary: bool, jobs: int) -> npt.NDArray[np.int32]:
    """The best choice of every block of x (rows, n, R), by the kernel that is fastest for its size."""
    rows, n, draws = x.shape
    half_sums = _half_sums(n, draws)
    errors = np.empty(rows, np.int64)
    choices = np.empty((rows, n), np.int32)
    if half_sums >= _ALONE:
        _check_alone(n, draws, jobs)
        for row in range(rows):
            _, choices[row] = stream.solve(x[row], int(targets[row]), binary, jobs=jobs)
    elif stream.is_faster(n, draws) and not (binary and _vector.pays(n)):
        layout = stream.plan(n, draws)
        check_scratch(n, draws, 8 * sum(stream.words(n, draws)), min(jobs, max(rows, 1)))

        def visit(part: slice, memory: tuple[Any, Any]) -> None:
            _stream.best_rows(x[part], targets[part], binary, layout, *memory, errors[part], choices[part])

        in_threads(visit, rows, half_sums, lambda: stream.memory(n, draws), jobs)
    elif binary:
        flat = np.ascontiguousarray(x[:, :, 0])
        taken = np.empty((rows, n), np.int8)
        kernels = _vector.binary(n)
        check_scratch(n, draws, 8 * kernels.scratch_size(n), min(jobs, max(rows, 1)))

        def solve(part: slice, scratch: Integers) -> None:
            kernels.best_rows(flat[part], targets[part], scratch, errors[part], taken[part])

        in_threads(solve, rows, half_sums, lambda: np.empty(kernels.scratch_size(n), np.int64), jobs)
        choices[:] = taken
    else:

        def solve(part: slice, scratch: Integers) -> None:
            _choice.best_rows(x[part], targets[part], scratch, errors[part], choices[part])

        in_threads(solve, rows, half_sums, lambda: np.empty(_choice.scratch_size(n, draws), np.int64), jobs)
    return choices


def _half_sums(n: int, draws: int) -> int:
    half_sums: int = (draws + 1) ** (n // 2) + (draws + 1) ** (n - n // 2)
    return half_sums


def _check_alone(n: int, draws: int, jobs: int) -> None:
    lists, work = stream.words(n, draws)
    check_scratch(n, draws, 8 * (lists + jobs * work), 1)


Memory = TypeVar("Memory")


def in_threads(
    solve: Callable[[slice, Memory], None], rows: int, half_sums: int, new: Callable[[], Memory], jobs: int
) -> None:
    """Call ``solve(rows, memory)`` over all rows, in pieces, on up to ``jobs`` threads with one ``new()`` each."""
    piece = max(1, min(_CALL_HALF_SUMS // half_sums, -(-rows // jobs)))
    pieces = [slice(start, min(start + piece, rows)) for start in range(0, rows, piece)]
    if jobs == 1 or len(pieces) <= 1:
        memory = new()
        for part in pieces:
            solve(part, memory)
        return
    memories = [new() for _ in range(min(jobs, len(pieces)))]

    def work(which: int) -> None:
        for part in pieces[which :: len(memories)]:
            solve(part, memories[which])

    with ThreadPoolExecutor(len(memories)) as pool:
        for done in [pool.submit(work, which) for which in range(len(memories))]:
            done.result()


def _evaluate(
    cube: Floats,
    targets: Floats,
    integers: Integers,
    whole_targets: Integers,
    exponents: npt.NDArray[np.int32],
    rounding: Floats,
    choices: npt.NDArray[np.int32],
) -> tuple[Floats, Floats]:
    """Exact sums and errors of the chosen values; rows that were rounded are done again with fractions."""
    picked = np.take_along_axis(integers, np.maximum(choices, 0)[:, :, None], axis=2)[:, :, 0]
    totals = np.where(choices >= 0, picked, 0).sum(axis=1)
    sums = np.ldexp(totals.astype(np.float64), -exponents)
    errors = np.ldexp(np.abs(totals - whole_targets).astype(np.float64), -exponents)
    for row in np.flatnonzero(rounding > 0):
        sums[row], errors[row] = exact_error(cube[row], choices[row], float(targets[row]))
    return sums, errors


__all__ = ["Best", "BestBatch", "any_within", "best_subset", "best_subsets", "best_subsets_shared"]
