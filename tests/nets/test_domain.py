"""Domains of inputs: membership, projection, farthest point."""

import numpy as np
import pytest
import torch

from nets.certificate.domain import Domain

RNG = np.random.default_rng(3)
SHAPE = (1, 3, 4)
HIGH = np.abs(RNG.normal(size=(1, 3, 1)))
DOMAINS = [Domain.ball(0.7), Domain.box(-1.0, 2.0), Domain.box(-0.5 * HIGH, HIGH), Domain.box(0.0, 0.0)]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_projected_and_random_points_lie_inside_and_nothing_reaches_farther(domain):
    outside = torch.from_numpy(RNG.normal(size=(50, *SHAPE)) * 10)
    for points in (domain.project(outside), domain.random(50, SHAPE, torch.Generator().manual_seed(0))):
        assert domain.contains(points)
        assert float(points.flatten(1).norm(dim=1).max()) <= domain.farthest(SHAPE) * (1 + 1e-15)
        low, high = domain.range()
        assert low <= float(points.min())
        assert float(points.max()) <= high
    assert not domain.contains(outside)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_projection_is_the_nearest_point(domain):
    outside = torch.from_numpy(RNG.normal(size=(20, *SHAPE)) * 3)
    near = domain.project(outside)
    others = domain.random(20, SHAPE, torch.Generator().manual_seed(1))
    closest = (outside - near).flatten(1).norm(dim=1)
    assert bool((closest <= (outside - others).flatten(1).norm(dim=1) + 1e-12).all())
    inside = domain.project(domain.random(20, SHAPE, torch.Generator().manual_seed(2)) * 0.9)
    assert torch.allclose(domain.project(inside), inside, rtol=1e-12, atol=0)


def test_the_farthest_point_of_a_box_is_its_corner():
    corner = np.linalg.norm(np.broadcast_to(HIGH, SHAPE))
    assert corner <= Domain.box(-0.5 * HIGH, HIGH).farthest(SHAPE) <= corner * (1 + 1e-13)


def test_domains_of_data_hold_the_data():
    data = RNG.normal(size=(9, 3, 4))
    for domain in (Domain.ball_of(data), Domain.box_of(data)):
        assert domain.contains(data)
        assert "(from 9 examples)" in str(domain)
    assert Domain.box_of(data).range() == (data.min(), data.max())
    largest = np.linalg.norm(data.reshape(9, -1), axis=1).max()
    assert largest <= Domain.ball_of(data).farthest(SHAPE) <= largest * (1 + 1e-14)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Domain.ball(0.0), "radius must be a number > 0, got radius=0.0"),
        (lambda: Domain.ball(np.inf), "radius must be a finite number, got inf"),
        (lambda: Domain.box(1.0, 0.0), "low must be <= high, got low=1, high=0"),
        (lambda: Domain.box(0.0, np.nan), "high must be finite"),
        (lambda: Domain.ball_of(np.array([np.nan])), "data must be finite"),
        (
            lambda: Domain.box_of(np.zeros((0, 2))),
            r"data must be examples stacked on the first axis, got shape \(0, 2\)",
        ),
        (lambda: Domain.box(np.zeros((1, 5)), 1.0).farthest((1, 3)), r"shape|broadcast"),
    ],
)
def test_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
