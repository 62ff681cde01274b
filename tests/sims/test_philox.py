"""The generator: published vectors, an independent library, a slow twin, and uniformity."""

import numpy as np
import pytest
import randomgen
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sims.solver.philox import GRID_BITS, MAX_TRIAL, block, first_in_box, first_within, grid_draws, uniforms
from tests import naive

# Known-answer vectors published with the Random123 library (philox4x32, 10 rounds): counter, key, result.
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    low, high = words(key)
    assert block(words(counter), low | high << 32).tolist() == words(expected)
    assert naive.philox4x32_10(words(counter), words(key)) == words(expected)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**30))
def test_agrees_with_an_independent_library(key: int, start: int) -> None:
    other = randomgen.Philox(key=key, number=4, width=32)
    state = other.state
    state["state"]["counter"][:] = [start, 0, 0, 0]
    other.state = state
    # that library steps its counter before it makes a block
    ours = [word for step in (1, 2) for word in block([start + step, 0, 0, 0], key).tolist()]
    assert other.random_raw(8).tolist() == ours


@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**32 - 1),
    trial=st.integers(0, MAX_TRIAL - 3),
    first=st.integers(0, 10**6),
    count=st.integers(1, 7),
)
def test_draws_equal_the_slow_twin(seed: int, stream: int, trial: int, first: int, count: int) -> None:
    ours = grid_draws(seed, trial, 3, count, stream=stream, first_index=2 * first)
    twin = [[naive.draw(seed, stream, trial + t, 2 * first + i) for i in range(count)] for t in range(3)]
    assert ours.tolist() == twin


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 9))
def test_a_part_is_a_part(first: int, trials: int, draws: int) -> None:
    whole = grid_draws(3, 0, first + trials, draws + 5)
    assert (grid_draws(3, first, trials, draws) == whole[first:, :draws]).all()


def test_draws_are_uniform() -> None:
    sample = uniforms(20, 0, 20000, 5)
    assert ((sample >= -1) & (sample < 1)).all()
    for column in sample.T:
        assert stats.kstest(column, stats.uniform(-1, 2).cdf).pvalue > 1e-6 / 5
    pairs = np.histogram2d(sample[:, 0], sample[:, 1], bins=8, range=[[-1, 1]] * 2)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-6


def test_control_a_biased_sample_is_noticed() -> None:
    assert stats.kstest(uniforms(20, 0, 20000, 1)[:, 0] * 0.9, stats.uniform(-1, 2).cdf).pvalue < 1e-6


def test_uniforms_are_the_grid_draws_exactly() -> None:
    assert (uniforms(5, 2, 9, 4) * 2.0**GRID_BITS == grid_draws(5, 2, 9, 4)).all()


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(0, 2**52))
def test_first_within_is_the_first_draw_in_the_window(trial: int, limit: int, width: int) -> None:
    lows, highs = np.full(6, -(width // 2)), np.full(6, width // 2)
    found = first_within(9, trial, lows, highs, limit)
    for row, index in zip(grid_draws(9, trial, 6, limit), found, strict=True):
        inside = np.flatnonzero(abs(row) <= width // 2)
        assert index == (inside[0] if len(inside) else limit)


def test_first_within_counts_both_ends() -> None:
    (value,) = grid_draws(4, 17, 1, 1)[0]
    for low, high, expected in ((value, value, 0), (value + 1, value + 9, 1), (value - 9, value - 1, 1)):
        assert first_within(4, 17, np.array([low]), np.array([high]), 1).tolist() == [expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0, 1, 1), "seed must be an integer in"),
        ((2**64, 0, 1, 1), "seed must be an integer in"),
        ((1.5, 0, 1, 1), "seed must be an integer in"),
        ((0, 2**63, 1, 1), "first_trial must be an integer in"),
        ((0, 0, -1, 1), "trials must be an integer in"),
    ],
)
def test_bad_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_draws(*arguments)


def test_odd_start_and_wrong_buffer_are_refused() -> None:
    with pytest.raises(ValueError, match="first_index must be even, got first_index=3"):
        grid_draws(0, 0, 1, 1, first_index=3)
    with pytest.raises(ValueError, match="out must be"):
        grid_draws(0, 0, 2, 2, out=np.empty((2, 3), np.int64))
    with pytest.raises(ValueError, match="counter must be four"):
        block([1, 2, 3], 0)


def test_the_last_trial_is_the_last() -> None:
    assert grid_draws(1, MAX_TRIAL - 2, 2, 1).shape == (2, 1)
    with pytest.raises(ValueError, match=rf"first_trial must be an integer in \[0, {MAX_TRIAL - 2}\]"):
        grid_draws(1, MAX_TRIAL - 1, 2, 1)
    window = np.zeros(2, np.int64)
    assert first_within(1, MAX_TRIAL - 2, window, window, 1).tolist() == [1, 1]
    with pytest.raises(ValueError, match=rf"first_trial must be an integer in \[0, {MAX_TRIAL - 2}\]"):
        first_within(1, MAX_TRIAL - 1, window, window, 1)
    with pytest.raises(ValueError, match=rf"first_trial must be an integer in \[0, {MAX_TRIAL - 2}\]"):
        first_in_box(1, MAX_TRIAL - 1, window[:, None], window[:, None], 1)
