"""The verdict on a table of counts against proved bands: consistent, refuted, undecided, or no power."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sims.statistics.intervals import band_p_value_anytime, band_p_values, holm

LEVEL = 1e-6
"""Probability that a table in which every band is true shows one or more refutations."""

CONSISTENT, REFUTED, NO_POWER, UNDECIDED = "consistent", "refuted", "no power", "undecided"


def verdicts(
    counts: Sequence[tuple[int, int]],
    bands: Sequence[tuple[float, float]],
    *,
    level: float = LEVEL,
    anytime: bool = False,
) -> list[str]:
    """One verdict for each row of a table.

    Parameters
    ----------
    counts : sequence of (successes, trials)
    bands : sequence of (low, high)
        The success probability is claimed to lie in [low, high].
    level : float
        Family-wise false-alarm rate over the table (Holm; the rows may be dependent).
    anytime : bool
        True when the number of trials depended on the data.

    Returns
    -------
    list of str
        ``refuted``: the data exclude the band. ``no power``: no outcome of that row's trials could have excluded it at
        the row's share of the level, level / (number of rows). ``consistent``: neither.

    Examples
    --------
    >>> verdicts([(50, 100), (100, 100), (3, 4)], [(0.4, 0.6), (0.0, 0.5), (0.1, 0.9)])
    ['consistent', 'refuted', 'no power']
    """
    p_values: Callable[[Sequence[tuple[int, int]], Sequence[tuple[float, float]]], list[float]] = band_p_values
    if anytime:
        p_values = _anytime
    found = p_values(counts, bands)
    none, all_ = (p_values([(n * share, n) for _, n in counts], bands) for share in (0, 1))
    result = []
    for excluded, *extremes in zip(holm(found, level), none, all_, strict=True):
        if excluded:
            result.append(REFUTED)
        elif min(extremes) > level / len(found):
            result.append(NO_POWER)
        else:
            result.append(CONSISTENT)
    return result


def _anytime(counts: Sequence[tuple[int, int]], bands: Sequence[tuple[float, float]]) -> list[float]:
    return [band_p_value_anytime(*one, *band) for one, band in zip(counts, bands, strict=True)]


def verdicts_with_undecided(
    counts: Sequence[tuple[int, int, int]], lows: Sequence[float], *, level: float = LEVEL
) -> list[str]:
    """One verdict for each row of a table in which some trials are neither successes nor failures.

    Parameters
    ----------
    counts : sequence of (successes, undecided, trials)
    lows : sequence of float
        The success probability is claimed to be at least low.
    level : float
        As for `verdicts`.

    Returns
    -------
    list of str
        ``refuted``: the claim is excluded even if every undecided trial is a success. ``consistent``: it is not
        excluded even if every undecided trial is a failure. ``undecided``: it depends on them. ``no power``: as for
        `verdicts`.

    Examples
    --------
    >>> verdicts_with_undecided([(0, 10, 200), (170, 25, 200), (5, 195, 200)], [0.9, 0.9, 0.9])
    ['refuted', 'consistent', 'undecided']
    """
    bands = [(low, 1.0) for low in lows]
    best = verdicts([(successes + open_, trials) for successes, open_, trials in counts], bands, level=level)
    worst = verdicts([(successes, trials) for successes, _, trials in counts], bands, level=level)
    return [
        UNDECIDED if one == CONSISTENT and other == REFUTED else one for one, other in zip(best, worst, strict=True)
    ]
