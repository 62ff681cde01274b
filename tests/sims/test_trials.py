"""Counting in pieces and stopping early: the total never depends on how the work was cut."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.intervals import confidence_sequence
from sims.trials import count_trials, count_until, looks

HITS = np.random.default_rng(0).random(5000) < 0.2


def count(first: int, trials: int) -> int:
    return int(HITS[first : first + trials].sum())


@given(st.integers(0, 2000), st.integers(1, 3000), st.integers(1, 700), st.integers(1, 5))
def test_total_does_not_depend_on_pieces_or_threads(first: int, trials: int, piece: int, jobs: int) -> None:
    done: list[float] = []
    assert count_trials(count, first, trials, piece=piece, jobs=jobs, advance=done.append) == count(first, trials)
    assert sum(done) == trials


@pytest.mark.parametrize("width", [0.5, 0.1, 0.05, 0.001])
def test_until_stops_at_the_first_narrow_look(width: float) -> None:
    successes, trials = count_until(count, 0, 5000, width, piece=100, jobs=2)
    assert successes == count(0, trials)
    wide = [look for look in looks(5000) if look < trials]
    for look in wide:
        low, high = confidence_sequence(count(0, look), look)
        assert high - low >= width
    low, high = confidence_sequence(successes, trials)
    assert high - low < width or trials == 5000


def test_an_error_in_a_piece_reaches_the_caller() -> None:
    def broken(first: int, trials: int) -> int:
        raise ValueError(f"piece {first} failed in {threading.current_thread().name}")

    with pytest.raises(ValueError, match="failed in"):
        count_trials(broken, 0, 100, piece=10, jobs=2)
