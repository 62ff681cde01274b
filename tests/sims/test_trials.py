"""Counting in pieces and stopping early: the total never depends on how the work was cut."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.statistics.intervals import confidence_sequence
from sims.statistics.trials import count_trials, count_until, looks

HITS = np.random.default_rng(0).random((5000, 3)) < (0.02, 0.2, 0.5)


def count(first: int, trials: int) -> np.ndarray:
    return HITS[first : first + trials].sum(axis=0)


@given(st.integers(0, 2000), st.integers(1, 3000), st.integers(1, 700), st.integers(1, 5))
def test_total_does_not_depend_on_pieces_or_threads(first: int, trials: int, piece: int, jobs: int) -> None:
    done: list[float] = []
    total = count_trials(count, first, trials, piece=piece, jobs=jobs, advance=done.append)
    assert (total == count(first, trials)).all()
    assert sum(done) == trials


@pytest.mark.parametrize("width", [0.5, 0.1, 0.05, 0.001])
def test_until_stops_at_the_first_narrow_look(width: float) -> None:
    for size, (successes, trials) in enumerate(count_until(count, 0, 5000, width, piece=100, jobs=2)):
        assert successes == count(0, trials)[size]
        for look in looks(5000):
            low, high = confidence_sequence(int(count(0, look)[size]), look)
            if look < trials:
                assert high - low >= width
            elif look == trials:
                assert high - low < width or trials == 5000


def test_an_error_in_a_piece_reaches_the_caller() -> None:
    def broken(first: int, trials: int) -> np.ndarray:
        raise ValueError(f"piece {first} failed in {threading.current_thread().name}")

    with pytest.raises(ValueError, match="failed in"):
        count_trials(broken, 0, 100, piece=10, jobs=2)
