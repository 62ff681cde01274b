"""Random weights as functions of their names: the generator's numbers, the laws, and making single histories again."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from nets.construction.source import draws_torch
from nets.search.draws import (
    COINS,
    SCORES,
    WEIGHTS,
    coin_limit,
    rebuild_weight,
    scale_factor,
    score_bound,
    shaped,
    uniform_draws,
)
from nets.search.methods import LAWS
from sims.solver.philox import uniforms


@pytest.mark.parametrize("stream", [WEIGHTS, SCORES + 3, COINS + 20])
@pytest.mark.parametrize("draw", [0, 1, 2, 5])
def test_draws_are_those_of_philox(stream, draw):
    seed = 2**63 + 12345
    drawn = uniform_draws(seed, stream, draw, (4, 5))
    assert drawn.reshape(-1).tolist() == uniforms(seed, 0, 20, draw + 1, stream=stream)[:, draw].tolist()
    assert torch.equal(drawn.reshape(-1), draws_torch(seed, stream, torch.arange(20), draw))


def test_streams_do_not_meet():
    seen = {stream: uniform_draws(1, stream, 0, (8,)).tolist() for stream in (WEIGHTS, SCORES, COINS, WEIGHTS + 1)}
    assert len({value for values in seen.values() for value in values}) == 32
    assert max(WEIGHTS, SCORES, COINS) + 2**24 <= 2**32
    assert min(abs(a - b) for a in (WEIGHTS, SCORES) for b in (SCORES, COINS) if a != b) >= 2**20


def test_the_normal_law_is_the_inverse_distribution_function():
    """At the ends of the grid and inside, against mpmath."""
    grid = np.array([-(2**52), -(2**52) + 1, -12345, -1, 0, 1, 2**51, 2**52 - 2, 2**52 - 1])
    found = shaped("kaiming-normal", torch.from_numpy(np.ldexp(grid.astype(float), -52)), 1.0)
    with mpmath.workdps(40):
        expected = [
            float(mpmath.sqrt(2) * mpmath.erfinv((2 * mpmath.mpf(int(m)) + 1) / mpmath.mpf(2) ** 53)) for m in grid
        ]
    assert found.tolist() == pytest.approx(expected, rel=1e-13, abs=0)
    assert found.isfinite().all()
    assert found[0] == -found[-1]


@pytest.mark.parametrize("law", LAWS)
def test_laws_have_mean_zero_and_their_standard_deviation(law):
    values = shaped(law, uniform_draws(3, WEIGHTS, 0, (40000,)), 0.7)
    assert float(values.mean()) == pytest.approx(0, abs=6 * 0.7 / 200)
    assert float(values.std()) == pytest.approx(0.7, rel=0.03)
    assert torch.equal(shaped(law, uniform_draws(3, WEIGHTS, 0, (40000,)), 1.4), 2 * values)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="law must be one of"):
        shaped("keep", torch.zeros(1), 1.0)
    with pytest.raises(ValueError, match="scale must be one of"):
        scale_factor("scaled", 0.5)


@pytest.mark.parametrize(
    ("density", "paper", "code"),
    [(0.1, 3.162, 1.054), (0.3, 1.826, 1.195), (0.5, 1.414, 1.414), (0.7, 1.195, 1.826), (0.9, 1.054, 3.162)],
)
def test_scales_of_paper_and_code(density, paper, code):
    assert scale_factor("unscaled", density) == 1
    assert scale_factor("paper", density) == pytest.approx(paper, abs=5e-4)
    assert scale_factor("reference-code", density) == pytest.approx(code, abs=5e-4)


def test_bounds_of_scores_and_coins():
    assert score_bound("kaiming-uniform-a5", 25) == 0.2
    assert score_bound("kaiming-uniform-relu", 24) == 0.5
    assert (coin_limit(0), coin_limit(1), coin_limit(0.25)) == (-1.0, 1.0, -0.5)


def test_a_history_is_made_again_element_by_element():
    draws, origins = torch.tensor([[0, 2], [1, 0]]), torch.tensor([[3, 1], [0, 3]])
    made = rebuild_weight(seed=5, index=7, shape=(2, 2), law="kaiming-uniform", std=1.0, draws=draws, origins=origins)
    table = uniforms(5, 0, 4, 3, stream=WEIGHTS + 7)
    expected = [table[3, 0], table[1, 2], table[0, 1], table[3, 0]]
    assert made.reshape(-1).tolist() == pytest.approx([3**0.5 * value for value in expected], rel=1e-15)
    later = rebuild_weight(
        seed=5, index=7, shape=(2, 2), law="kaiming-uniform", std=1.0, draws=draws, later_law="signed-constant"
    )
    assert later.abs()[0, 1] == later.abs()[1, 0] == 1
    assert later[0, 0] == pytest.approx(3**0.5 * table[0, 0])
    for bad in (torch.tensor([[0, 1], [2, 4]]), torch.tensor([0, 1]), torch.tensor([[0, 1], [2, -1]])):
        with pytest.raises(ValueError, match="numbers for each of the 4 weights"):
            rebuild_weight(seed=5, index=7, shape=(2, 2), law="kaiming-uniform", std=1.0, origins=bad)
