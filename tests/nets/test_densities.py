"""How a density is shared among tensors, against a twin in exact fractions that fills tensors one by one."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets.search import find_tickets
from nets.search.densities import allocate

SHAPES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.lists(st.integers(1, 30), min_size=1, max_size=4).map(tuple),
    min_size=1, max_size=6,
)  # fmt: skip
PARTS = st.integers(1, 100).map(lambda percent: Fraction(percent, 100))


def erk_by_hand(part, shapes):
    """Tensors from the one that wants most downwards: the one on top is full as long as a common factor exceeds it."""
    wish = {name: Fraction(sum(shape), math.prod(shape)) for name, shape in shapes.items()}
    order = sorted(shapes, key=lambda name: -wish[name])
    room = part * sum(math.prod(shape) for shape in shapes.values())
    out = {}
    for place, name in enumerate(order):
        share = sum(Fraction(sum(shapes[other])) for other in order[place:])
        factor = room / share
        out[name] = min(Fraction(1), factor * wish[name])
        room -= out[name] * math.prod(shapes[name])
    return out


@given(PARTS, SHAPES)
def test_erk_equals_the_twin(part, shapes):
    assert allocate("erk", part, shapes) == erk_by_hand(part, shapes)


@given(PARTS, SHAPES, st.randoms(use_true_random=False))
def test_the_shares_add_up_whatever_the_order(part, shapes, random):
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    found = allocate("erk", part, shapes)
    assert list(found) == list(shapes)
    assert sum(found[name] * sizes[name] for name in shapes) == part * sum(sizes.values())
    assert all(0 < share <= 1 for share in found.values())
    names = list(shapes)
    random.shuffle(names)
    assert allocate("erk", part, {name: shapes[name] for name in names}) == found
    wish = {name: Fraction(sum(shape), sizes[name]) for name, shape in shapes.items()}
    free = [found[name] / wish[name] for name in shapes if found[name] < 1]
    assert len(set(free)) <= 1
    assert all(wish[name] * free[0] >= 1 for name in shapes if free and found[name] == 1)


@given(PARTS, SHAPES)
def test_uniform_is_the_density_itself(part, shapes):
    assert allocate("uniform", part, shapes) == dict.fromkeys(shapes, part)


@pytest.mark.parametrize("density", [0.05, 0.3, 0.8])
def test_a_search_keeps_the_density_of_all_together(density):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 200), nn.Linear(200, 10))
    search = find_tickets(model, density=density, allocation="erk")
    kept = {name: int(mask.sum()) for name, mask in search.masks().items()}
    assert abs(sum(kept.values()) - density * search.numel) <= len(kept) / 2
    shapes = {name: tuple(layer.frozen.shape) for name, layer in search.layers.items()}
    shares = erk_by_hand(Fraction(repr(density)), shapes)
    assert kept == {name: round(shares[name] * math.prod(shape)) for name, shape in shapes.items()}
    assert len({round(share, 3) for share in map(float, shares.values())}) > 1


def test_densities_of_single_tensors_are_left_out_of_the_sharing():
    model = nn.Sequential(nn.Linear(30, 40), nn.Linear(40, 20), nn.Linear(20, 5))
    search = find_tickets(model, density=0.2, allocation="erk", densities={"1": 0.75})
    shares = {**erk_by_hand(Fraction(1, 5), {"0": (40, 30), "2": (5, 20)}), "1": Fraction(3, 4)}
    for name, layer in search.layers.items():
        assert layer.n_keep == round(shares[name] * layer.frozen.numel())


def test_bad_arguments():
    with pytest.raises(ValueError, match="allocation must be one of uniform, erk, got allocation='even'"):
        allocate("even", 0.5, {"a": (2, 2)})
    for density in (0, 1.1, -0.5):
        with pytest.raises(ValueError, match=rf"density must be in \(0, 1\], got density={density}"):
            allocate("erk", density, {"a": (2, 2)})
