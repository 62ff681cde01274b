"""The exact best choice of values for a target: the public functions, with validation and threads.

The solver knows no theory: it imports nothing from the bounds it will be used to check.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from sims.solver import dispatch, stream
from sims.solver.arguments import Floats, Integers, finite_numbers, jobs_of, one_number, tables, targets_of
from sims.solver.batch import Nearest, NearestBatch, evaluated, over_rows
from sims.solver.best_on_grid import GridShared, shared_split
from sims.solver.fixed_point import exact_error, rounded, to_fixed_point, window
from sims.solver.grid import GridSolver
from sims.solver.memory import check_scratch, check_size, default_jobs
from sims.threads import each

_RATIONAL = 2**14
"""Up to so many half sums what rounding leaves open is decided in fractions, which takes a second."""

_ALONE = 2**22
"""From so many half sums on a row is shared by all threads instead of being one thread's."""


class _Mask:
    choice: npt.NDArray[np.bool_] | npt.NDArray[np.int32]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which variables are used, of the shape of ``choice``."""
        return self.choice.astype(np.bool_) if self.choice.dtype == np.bool_ else self.choice >= 0


@dataclass(frozen=True)
class Best(Nearest, _Mask):
    """The best choice for one target: the fields of ``Nearest``, and

    Attributes
    ----------
    choice : ndarray, shape (n,)
        Values given as (n,): a bool mask. Values given as (n, R): the index of the value taken, -1 for none.
    """

    choice: npt.NDArray[np.bool_] | npt.NDArray[np.int32]


@dataclass(frozen=True)
class BestBatch(NearestBatch, _Mask):
    """The best choices for many targets: the fields of ``Best`` with one row per target."""

    choice: npt.NDArray[np.bool_] | npt.NDArray[np.int32]

    def __getitem__(self, row: int) -> Best:
        return Best(*self._at(row), self.choice[row])


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
    cube, single = tables(x, rows=False)
    return _best(cube, single, np.array([one_number("alpha", alpha)]), default_jobs())[0]


def best_subsets(x: npt.ArrayLike, alpha: npt.ArrayLike, *, jobs: int | None = None) -> BestBatch:
    """``best_subset`` for a batch, each row with its own values.

    Parameters
    ----------
    x : array_like of float, shape (rows, n) or (rows, n, R)
    alpha : array_like of float, shape (rows,) or a scalar
    jobs : int, optional
        Threads; all available cores if absent. The result does not depend on it.

    Raises
    ------
    ValueError
        As for ``best_subset``.

    Examples
    --------
    >>> best_subsets([[0.5, 0.25], [0.5, -0.25]], [0.75, 0.2]).error.tolist()
    [0.0, 0.04999999999999999]
    """
    cube, single = tables(x, rows=True)
    return _best(cube, single, targets_of(alpha, len(cube)), jobs_of(jobs))


def _best(cube: Floats, single: bool, targets: Floats, jobs: int) -> BestBatch:
    check_size(*cube.shape[1:])
    integers, whole_targets, exponents, rounding = to_fixed_point(cube, targets)
    choices = _search(integers, whole_targets, single, jobs)
    return _batch(cube, single, targets, integers, whole_targets, exponents, rounding, choices)


def best_subsets_shared(x: npt.ArrayLike, alphas: npt.ArrayLike) -> BestBatch:
    """``best_subset`` of one value set for many targets; the sums are listed once, unless there are few targets.

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
    (table,), single = tables(x, rows=False)
    targets = finite_numbers("alphas", alphas)
    if targets.ndim != 1:
        raise ValueError(f"alphas must have shape (targets,), got shape {targets.shape}")
    n, draws = table.shape
    check_size(n, draws)
    # one common scale, set by the largest target
    widest = np.append(targets, 0.0)[np.argmax(np.abs(np.append(targets, 0.0)))]
    integers, _, exponents, _ = to_fixed_point(table[None], np.array([widest]))
    exponent = int(exponents[0])
    whole_targets, exact_targets = rounded(targets, exponent)
    exact = rounded(table, exponent)[1].all() & exact_targets
    rounding = np.where(exact, 0.0, np.ldexp(0.5 * (n + 1), -exponent))
    cube, all_integers = (np.broadcast_to(one, (len(targets), *table.shape)) for one in (table, integers[0]))
    if shared_split(n, draws, len(targets)) is None:
        choices = _search(all_integers, whole_targets, single, default_jobs())
    else:
        found: list[npt.NDArray[np.int32]] = []
        search = GridShared(n, draws, len(targets))
        # on a thread of its own, so that Ctrl-C is heard
        each(lambda: found.append(search.solve(integers[0], whole_targets)[1]), [()], jobs=1)
        (choices,) = found
    all_exponents = np.full(len(targets), exponent, np.int32)
    return _batch(cube, single, targets, all_integers, whole_targets, all_exponents, rounding, choices)


def any_within(x: npt.ArrayLike, alpha: float, eps: float) -> bool:
    """Whether some choice of values sums to within eps of alpha: \\|sum - alpha\\| <= eps, decided exactly.

    Parameters
    ----------
    x : array_like of float, shape (n,) or (n, R)
    eps : float
        At least 0.

    Raises
    ------
    ValueError
        As for ``best_subset``; also when more than 28 values (R = 1) span so many orders of magnitude that their
        fixed-point rounding could change the answer.

    Examples
    --------
    >>> any_within([0.5, 0.25], 0.7, 0.05), any_within([0.5, 0.25], 0.7, 0.04)
    (False, False)
    >>> any_within([0.5, 0.25], 0.75, 0.0)
    True
    """
    tolerance = one_number("eps", eps)
    if tolerance < 0:
        raise ValueError(f"eps must be at least 0, got eps={eps}")
    cube, _ = tables(x, rows=False)
    target = one_number("alpha", alpha)
    n, draws = cube.shape[1:]
    # the window is clipped to what any sum can reach, so that the common scale stays as fine as the values allow
    integers, _, exponents, rounding = to_fixed_point(cube, np.zeros(1))
    if rounding[0] > 0:
        found = _best(cube, False, np.array([target]), default_jobs())[0]
        error = exact_error(cube[0], found.choice, target)[1]
        if error <= Fraction(tolerance):
            return True
        if error - 2 * Fraction(found.rounding) > Fraction(tolerance):
            return False
        if dispatch.half_sums(n, draws) <= _RATIONAL:
            return _within_in_fractions(cube[0], Fraction(target), Fraction(tolerance))
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
    if dispatch.half_sums(n, draws) >= _ALONE:
        jobs = default_jobs()
        _check_alone(n, draws, jobs)
        return stream.solve(2 * integers[0], low + high, False, stop=high - low, jobs=jobs)[0] <= high - low
    solver = GridSolver(n, draws)
    return bool(solver.mark(integers.reshape(1, -1), np.array([low + high]), np.array([high - low]))[0])


def _within_in_fractions(table: Floats, target: Fraction, tolerance: Fraction) -> bool:
    """`any_within` in rational arithmetic: the sums of one half, sorted, are looked up for each of the other."""
    half = len(table) // 2
    first, second = ([Fraction(0)], [Fraction(0)])
    for sums, rows in ((first, table[:half]), (second, table[half:])):
        for row in rows.tolist():
            sums += [total + Fraction(value) for total in sums for value in row]
    second.sort()
    for total in first:
        at = bisect_left(second, target - tolerance - total)
        if at < len(second) and second[at] <= target + tolerance - total:
            return True
    return False


def _search(x: Integers, targets: Integers, single: bool, jobs: int) -> npt.NDArray[np.int32]:
    """The best choice of every block of x (rows, n, R), by the kernel that is fastest for its size."""
    rows, n, draws = x.shape
    choices = np.empty((rows, n), np.int32)
    work = dispatch.half_sums(n, draws)
    if work >= _ALONE:
        _check_alone(n, draws, jobs)
        for row in range(rows):
            _, choices[row] = stream.solve(x[row], int(targets[row]), single, jobs=jobs)
        return choices
    errors = np.empty(rows, np.int64)
    search = dispatch.fastest(n, draws, single=single)
    check_scratch(n, draws, search.words, min(jobs, max(rows, 1)))

    def solve(part: slice, memory: Any) -> None:
        search.best(np.ascontiguousarray(x[part]), targets[part], memory, errors[part], choices[part])

    over_rows(solve, rows, work, search.memory, jobs)
    return choices


def _check_alone(n: int, draws: int, jobs: int) -> None:
    lists, work = stream.words(n, draws)
    check_scratch(n, draws, lists + jobs * work, 1)


def _batch(
    cube: Floats,
    single: bool,
    targets: Floats,
    integers: Integers,
    whole_targets: Integers,
    exponents: npt.NDArray[np.int32],
    rounding: Floats,
    choices: npt.NDArray[np.int32],
) -> BestBatch:
    """The choices with their exact sums and errors."""
    if integers.shape[2] == 1:
        taken = integers[:, :, 0] & ~choices  # all bits of those with choice 0, none of those with -1
    else:
        picked = np.take_along_axis(integers, np.maximum(choices, 0)[:, :, None], axis=2)[:, :, 0]
        taken = np.where(choices >= 0, picked, 0)
    totals = taken.sum(axis=1)
    sums, errors = evaluated(
        totals,
        whole_targets,
        exponents,
        rounding,
        lambda row: exact_error(cube[row], choices[row], float(targets[row])),
    )
    return BestBatch(sums, errors, rounding, choices == 0 if single else choices)


__all__ = ["Best", "BestBatch", "any_within", "best_subset", "best_subsets", "best_subsets_shared"]
