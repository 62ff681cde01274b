"""The random source: every element can be made alone, on every engine; the nearest-of-R sampler has the honest law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nets.construction.source import Source, draws_torch, per_layer_n, philox_torch, trial_seeds
from sims.solver import philox
from tests.nets.elsewhere import Elsewhere

FALSE_ALARM = 1e-6
SEEDS = st.integers(0, 2**64 - 1)


@given(seed=SEEDS, layer=st.integers(1, 4), start=st.integers(0, 30), draw=st.integers(0, 2**33 - 4))
def test_an_element_is_the_philox_draw_of_its_number(seed: int, layer: int, start: int, draw: int) -> None:
    source = Source([3, 2, 3], [4, 5], seed=seed, R=2**33)
    first = draw - draw % 2
    expected = philox.uniforms(seed, start, 3, 4, stream=2 + layer, first_index=first)
    elements = start + np.arange(3)
    draws = first + np.arange(4)
    assert (source.element(layer, elements[:, None], draw=draws) == expected).all()
    by_torch = draws_torch(seed, 2 + layer, torch.from_numpy(elements)[:, None], torch.from_numpy(draws))
    assert (by_torch.numpy() == expected).all()


@given(seed=SEEDS, element=st.integers(0, 2**63 - 1), block=st.integers(0, 2**32 - 1), stream=st.integers(0, 2**32 - 1))
def test_torch_philox_is_philox(seed: int, element: int, block: int, stream: int) -> None:
    expected = philox.block([block, stream, element % 2**32, element >> 32], seed).tolist()
    as_bits = torch.tensor([seed - 2**64 if seed >= 2**63 else seed])
    for form in (seed, as_bits):
        words = philox_torch(form, stream, torch.tensor([element]), block)
        assert [int(word) for word in words] == expected


def test_the_same_matrix_elsewhere(elsewhere: Elsewhere) -> None:
    source = Source([5, 4], 30, seed=11)
    for layer in (1, 2):
        with elsewhere as device:
            found = source.matrix(layer, device=device)
        assert torch.equal(found.cpu(), source.matrix(layer))


def test_matrices_are_the_elements_whatever_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source([3, 2, 1], (2, 3), seed=9, R=4)
    assert source.source_widths == (3, 12, 2, 12, 1)
    whole = [source.matrix(layer, draw=3) for layer in (1, 2, 3, 4)]
    monkeypatch.setattr("nets.construction.source._CHUNK", 5)
    for layer, matrix in enumerate(whole, 1):
        rows, cols = source.shape(layer)
        assert matrix.shape == (rows, cols)
        assert torch.equal(source.matrix(layer, draw=3), matrix)
        number = source.flat(layer, np.arange(rows)[:, None], np.arange(cols))
        assert (source.element(layer, number, draw=3) == matrix.numpy()).all()
        assert torch.equal(source.matrix(layer, draw=3, dtype=torch.float32), matrix.float())


def test_weights_are_buffers_and_forward_is_the_random_network() -> None:
    source = Source([3, 2], 4, seed=1)
    with pytest.raises(ValueError, match="materialise"):
        source(torch.zeros(3))
    source.materialise()
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)
    assert list(source.parameters()) == []
    assert [name for name, _ in source.named_buffers()] == ["G1", "G2"]
    assert torch.equal(source(x), torch.relu(x @ source.matrix(1).T) @ source.matrix(2).T)


@given(seed=SEEDS, R=st.integers(1, 9), aim=st.floats(-2, 2), scale=st.sampled_from([1.0, -0.5, 0.125]))
def test_pick_takes_the_first_nearest_draw(seed: int, R: int, aim: float, scale: float) -> None:
    source = Source([2, 1], 3, seed=seed, R=R)
    draws = source.element(2, np.arange(12)[:, None], draw=np.arange(R))
    best = np.abs(draws * scale - aim).argmin(1)
    values, chosen = source.pick(2, np.arange(12), aim=aim, scale=scale)
    assert (chosen == best).all()
    assert (values == draws[np.arange(12), best]).all()


def _nearest(seed: int, R: int, aim: float, sampler: str, size: int = 20_000) -> np.ndarray:
    return Source([1, 1], size // 2, seed=seed, R=R, sampler=sampler).pick(1, np.arange(size), aim=aim)[0]


@pytest.mark.parametrize("aim", [0.0, 0.5, -0.97, 1.0, -1.0])
@pytest.mark.parametrize("R", [1, 2, 7, 100])
def test_nearest_sampler_has_the_law_of_honest_draws(aim: float, R: int) -> None:
    honest, sampled = _nearest(1, R, aim, "draws"), _nearest(2, R, aim, "nearest")
    assert stats.ks_2samp(honest, sampled, method="asymp").pvalue > FALSE_ALARM
    assert (np.abs(sampled) <= 1).all()
    assert (np.ldexp(sampled, 52) % 1 == 0).all()


@pytest.mark.parametrize("wrong", [3, 6, 14])
def test_control_nearest_sampler_with_another_R_is_refuted(wrong: int) -> None:
    honest, sampled = _nearest(1, 7, 0.3, "draws"), _nearest(2, wrong, 0.3, "nearest")
    assert stats.ks_2samp(np.abs(honest - 0.3), np.abs(sampled - 0.3), method="asymp").pvalue < FALSE_ALARM


@pytest.mark.parametrize("R", [10**6, 10**12])
def test_nearest_distance_at_large_R_is_exponential(R: int) -> None:
    # P(D > d) = (1-d)^R = exp(-R d) up to R d^2; at 10^12 the grid 2^-52 moves R d by 2e-4 at most
    distance = np.abs(_nearest(4, R, 0.25, "nearest") - 0.25)
    assert stats.kstest(R * distance, stats.expon.cdf).pvalue > FALSE_ALARM
    assert stats.kstest(2 * R * distance, stats.expon.cdf).pvalue < FALSE_ALARM


def test_nearest_sampler_moves_an_aim_outside_to_the_end_and_names_no_draw() -> None:
    source = Source([1, 1], 5, seed=3, R=50, sampler="nearest")
    inside, outside = (source.pick(1, np.arange(10), aim=aim) for aim in (1.0, 7.5))
    assert (inside[0] == outside[0]).all()
    assert (outside[1] == -1).all()


@given(seed=SEEDS, first=st.integers(0, 2**40))
def test_trial_seeds_are_philox_words(seed: int, first: int) -> None:
    words = philox.block([0, 2, first % 2**32, first >> 32], seed)
    assert int(trial_seeds(seed, first, trials=2)[0]) == int(words[1]) << 32 | int(words[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [3]}, "widths must be"),
        ({"widths": [3, 0]}, "widths must be"),
        ({"n": 0}, "n must be"),
        ({"n": (1, 2)}, "n must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"R": 0}, "R must be"),
        ({"R": 2**33 + 1}, "R must be at most"),
        ({"R": 10**12 + 1, "sampler": "nearest"}, "R must be at most"),
        ({"sampler": "best"}, "sampler must be"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    options = {"widths": [2, 2], "n": 3, "seed": 0, **change}
    with pytest.raises(ValueError, match=message):
        Source(options.pop("widths"), options.pop("n"), **options)


def test_ranges_are_checked() -> None:
    source = Source([2, 1], 3, seed=0, R=4)
    with pytest.raises(ValueError, match="layer must be"):
        source.element(3, 0)
    with pytest.raises(ValueError, match="index must be"):
        source.element(1, 24)
    with pytest.raises(ValueError, match="draw must be"):
        source.element(1, 0, draw=4)
    with pytest.raises(ValueError, match="index must be"):
        source.pick(1, [-1], aim=0.0)
    with pytest.raises(ValueError, match="scale must not be 0"):
        source.pick(1, [0], aim=0.0, scale=0.0)
    with pytest.raises(ValueError, match="stream it instead"):
        Source([1000, 1000], 10**6, seed=0).matrix(1)
    assert per_layer_n(3, 2) == (3, 3)
