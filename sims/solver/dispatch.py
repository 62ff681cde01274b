"""Which kernel searches which instance.

STRONGTICKETS_SCALAR=1 in the environment keeps to the portable kernels; the results are the same, number for number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sims.solver import registers, stream
from sims.solver.kernels import binary as _binary
from sims.solver.kernels import choice as _choice
from sims.solver.kernels import curve as _curve
from sims.solver.kernels import stream as _stream

FROM_N, UP_TO_N = 7, 41
"""Values for which the vector kernels are used. Their blocks need 7. Beyond 41 a row is shared by all threads; up
to there it takes 0.2 to 0.4 of the streaming kernel's time on values from [-1, 1]. At 41 its lists take 24 MB per
thread."""
ROUNDED = range(13, 26)
"""Values for which rounded sums pay; of more, too many pairs are as near as the roundings."""


_EVEN_STEPS = (1.6, 4.0)
"""Steps per half sum up to which streaming is faster than listing, for one value each and for several; drawn values
take one. Clusters, or values of very different sizes, can take twenty."""

_LISTED_WORDS = 2**23
"""Words of int64 that a thread's lists may take where streaming turns out slow (64 MiB)."""

_PROBE = 4
"""Rows that are streamed before it is said that a batch is uneven."""


def _width(n: int) -> int:
    """Bits of the vectors that search n values soonest; 0: the portable kernels do."""
    return registers.chosen(rounded=n in ROUNDED) if FROM_N <= n <= UP_TO_N else 0


def stream_pays(n: int, draws: int) -> bool:
    """Whether streaming beats listing in portable code, as measured on drawn values."""
    return n >= 22 if draws == 1 else (draws + 1) ** (n - n // 2) >= 216


def binary(n: int) -> Any:
    """Whose ``best_rows`` and ``mark_within`` list all half sums of n values soonest."""
    width = _width(n)
    if width == 0:
        return _binary
    from sims.solver.kernels.vector import Kernels

    return Kernels(width, rounded=n in ROUNDED)


def curve() -> Any:
    """Whose ``first_binary`` finds success curves of one value each soonest."""
    width = registers.chosen(rounded=False)
    if width == 0:
        return _curve
    from sims.solver.kernels.vector_curve import Curves

    return Curves(width)


def half_sums(n: int, draws: int) -> int:
    """Sums of the two halves of n variables."""
    total: int = (draws + 1) ** (n // 2) + (draws + 1) ** (n - n // 2)
    return total


@dataclass(frozen=True)
class Search:
    """Searches rows of n variables with R values each, (rows, n, R); contiguous integers under the kernels' limit.

    ``words``: words of int64 that the memory of one thread takes. ``memory``: makes it. ``best``: best(x, targets,
    memory, errors, choices) sets errors[t] >= 0 and choices[t, i] = index of the value taken, -1 for none. ``mark``:
    mark(x, targets, tolerances, memory, hits) sets hits[t] = whether a choice is within the tolerance; a negative one
    is never met.
    """

    words: int
    memory: Callable[[], Any]
    best: Callable[..., None]
    mark: Callable[..., None]


def listing(n: int, draws: int, *, single: bool) -> Search:
    """The search that lists all half sums: its memory fits fewer variables too.

    ``single``: one value each, with the tie rule of ``kernels.binary``; else that of ``kernels.choice``.
    """
    if not single:
        words = _choice.scratch_size(n, draws)
        return Search(words, partial(np.empty, words, np.int64), _choice.best_rows, _choice.mark_within)
    kernels = binary(n)
    words = kernels.scratch_size(n)
    return Search(
        words,
        partial(np.empty, words, np.int64),
        lambda x, *rest: kernels.best_rows(x[:, :, 0], *rest),
        lambda x, *rest: kernels.mark_within(x[:, :, 0], *rest),
    )


def fastest(n: int, draws: int, *, single: bool) -> Search:
    """The fastest search of exactly n variables; ``single`` as for ``listing``.

    Where that streams, a few rows tell whether the others are sooner listed. The results are the same.
    """
    if not stream_pays(n, draws) or (single and _width(n)):
        return listing(n, draws, single=single)
    layout = stream.plan(n, draws)
    sums = half_sums(n, draws)
    lists = listing(n, draws, single=single)
    most = _EVEN_STEPS[draws > 1] * sums if lists.words <= _LISTED_WORDS else math.inf

    def best(x: Any, targets: Any, memory: _Memory, errors: Any, choices: Any) -> None:
        for part, even in _parts(len(x)):
            found = x[part], targets[part], errors[part], choices[part]
            if even is None:
                lists.best(*found[:2], memory.listed(), *found[2:])
            else:
                even.append(
                    _stream.best_rows(*found[:2], single, layout, *memory.streamed, *found[2:]) <= most * len(found[0])
                )

    def mark(x: Any, targets: Any, tolerances: Any, memory: _Memory, hits: Any) -> None:
        for part, even in _parts(len(x)):
            given = x[part], targets[part], tolerances[part]
            if even is None:
                lists.mark(*given, memory.listed(), hits[part])
            else:
                even.append(
                    _stream.mark_within(*given, single, layout, *memory.streamed, hits[part]) <= most * len(given[0])
                )

    words = sum(stream.words(n, draws)) + (lists.words if most < math.inf else 0)
    return Search(words, lambda: _Memory(stream.memory(n, draws), lists.memory), best, mark)


class _Memory:
    """Of one thread: for streaming, and for lists where they are needed."""

    def __init__(self, streamed: Any, new: Callable[[], Any]) -> None:
        self.streamed, self._new, self._lists = streamed, new, None

    def listed(self) -> Any:
        if self._lists is None:
            self._lists = self._new()
        return self._lists


def _parts(rows: int) -> Iterator[tuple[slice, list[bool] | None]]:
    """Parts of a batch: rows to stream, with a list for the verdict whether they were even; after no, rows to list."""
    start, size = 0, _PROBE
    while start < rows:
        verdict: list[bool] = []
        yield slice(start, start + size), verdict
        start += size
        if verdict[0]:
            size *= 2
            continue
        size = _PROBE
        if start < rows:
            yield slice(start, start + 16 * _PROBE), None
        start += 16 * _PROBE
