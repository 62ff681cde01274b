"""Value sets and the layered subset sums: against slow twins, and their threads."""

from __future__ import annotations

import math
import threading
from fractions import Fraction

import numpy as np
import pytest
import torch

from nets.construction import gadget_search, value_sets
from nets.construction.bits import unpack_draws
from nets.construction.prune_approx import prune
from nets.construction.source import Source
from nets.construction.value_sets import ValueSets
from nets.device import torch_operations
from sims.solver import best_subsets
from sims.solver.best_on_grid import GridBest, GridShared
from sims.threads import ordered
from tests import naive


@pytest.mark.parametrize("kind", ["private", "shared"])
@pytest.mark.parametrize(("n", "R", "size"), [(6, 1, 0.7), (7, 1, 3e-5), (4, 3, 1.0), (1, 2, 5.5), (3, 2, 0.0)])
def test_value_sets_are_solved_exactly(kind: str, n: int, R: int, size: float) -> None:
    weight = np.random.default_rng(1).uniform(-size, size, (9, 3))
    sets = ValueSets(kind, seed=77, n=n, R=R, size=size)
    found = sets.solve(2, weight, jobs=2)
    rho, exponent = math.frexp(size)
    stream = {"private": 2**30, "shared": 2**30 + 2**29}[kind] + 2
    unit = Fraction(2) ** (exponent - 52)
    bits = np.unpackbits(found.mask, count=9 * 3 * n, bitorder="little").reshape(9, 3, n)
    draws = iter(unpack_draws(found.draws, found.kept, R=R).tolist())
    kept = 0
    for row in range(9):
        for column in range(3):
            trial = 3 * row + column if kind == "private" else row
            values = [
                [math.ldexp(round(naive.draw(77, stream, trial, k * R + r) * rho), exponent - 52) for r in range(R)]
                for k in range(n)
            ]
            chosen = [values[k][next(draws)] for k in range(n) if bits[row, column, k]]
            total = sum(map(Fraction, chosen), Fraction(0))
            kept += len(chosen)
            assert float(total) == found.effective[row, column]
            best = naive.best_error(values, float(weight[row, column]))
            assert abs(total - Fraction(float(weight[row, column]))) - best <= unit
            assert all(abs(value) <= size for line in values for value in line)
    assert next(draws, None) is None
    assert kept == found.kept


@pytest.mark.parametrize(("kind", "R"), [("private", 1), ("private", 2), ("shared", 1), ("shared", 2)])
def test_parts_and_threads_do_not_matter(kind: str, R: int, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.random.default_rng(1).uniform(-1, 1, (21, 5))
    sets = ValueSets(kind, seed=7, n=5, R=R)
    done: list[int] = []
    one = sets.solve(1, weight, jobs=1, tick=done.append)
    assert sum(done) == 105
    monkeypatch.setattr(value_sets, "_PART_HALF_SUMS", 1)
    monkeypatch.setattr(value_sets, "_PART_PROBES", 1)
    monkeypatch.setattr(value_sets, "_DEVICE_ROWS", 8)
    monkeypatch.setattr(value_sets, "_REBUILD_WEIGHTS", 16)
    others = [sets.solve(1, weight, jobs=3)]
    if (kind, R) == ("private", 1):
        with torch_operations():
            others.append(sets.solve(1, weight))
    for other in others:
        for name in ("mask", "draws", "effective"):
            assert np.array_equal(getattr(other, name), getattr(one, name))
        again = sets.rebuild(1, weight.shape, mask=other.mask, draws=other.draws)
        assert np.array_equal(again, one.effective)


@pytest.mark.parametrize("R", [1, 3])
@pytest.mark.parametrize("shape", [(3, 700), (700, 3), (1, 2100), (9, 1)])
@pytest.mark.parametrize("kind", ["private", "shared"])
def test_sets_are_made_again_from_their_bits(
    kind: str, shape: tuple[int, int], R: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(value_sets, "_PART_PROBES", 128)  # rows of 700 and more are cut
    monkeypatch.setattr(value_sets, "_REBUILD_WEIGHTS", 24)
    weight = np.random.default_rng(1).uniform(-0.3, 0.3, shape)
    sets = ValueSets(kind, seed=8, n=5, R=R, size=0.3)
    found = sets.solve(4, weight)
    seen: list[np.ndarray] = []
    again = sets.rebuild(4, shape, mask=found.mask, draws=found.draws, seen=seen.append)
    assert np.array_equal(again, found.effective)
    owners = np.arange(weight.size) if kind == "private" else np.arange(weight.size) // shape[1]
    values = sets.values(4, 0, count=int(owners[-1]) + 1)[owners]
    bits = np.unpackbits(found.mask, count=5 * weight.size, bitorder="little").reshape(-1, 5).astype(bool)
    weights, k = bits.nonzero()
    kept = values[weights, k, unpack_draws(found.draws, found.kept, R=R)]
    assert np.array_equal(np.concatenate(seen), kept)


def test_bits_that_are_not_the_sets_are_refused() -> None:
    sets = ValueSets("private", seed=8, n=3, R=3)
    found = sets.solve(1, np.random.default_rng(1).uniform(-1, 1, (3, 3)))
    assert found.kept * 2 % 8

    def refused(message: str, **change: np.ndarray) -> None:
        with pytest.raises(ValueError, match=message):
            sets.rebuild(1, (3, 3), **{"mask": found.mask, "draws": found.draws, **change})

    refused("mask sets a bit beyond its 27 bits", mask=np.append(found.mask[:-1], found.mask[-1] | 8))
    refused("mask must be 4 bytes for 27 bits", mask=found.mask[:-1])
    refused("draws must be", draws=found.draws[:-1])
    refused("draws sets a bit beyond", draws=np.append(found.draws[:-1], found.draws[-1] | 128))
    refused("a draw that is not below R=3", draws=np.append(found.draws[:1] | 3, found.draws[1:]))


def test_threads_that_run_at_once_do_not_share_their_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_sets, "_PART_HALF_SUMS", 2**13)
    monkeypatch.setattr(gadget_search, "_PART_HALF_SUMS", 2**13)
    weight = np.random.default_rng(1).uniform(-1, 1, (60, 50))
    for kind in ("private", "shared"):
        sets = ValueSets(kind, seed=7, n=16)
        one, many = (sets.solve(1, weight, jobs=jobs) for jobs in (1, 8))
        assert np.array_equal(one.mask, many.mask)
    source = Source((50, 60), 14, seed=3)
    one, many = (
        prune([torch.from_numpy(weight)], source, construction="subset-sum", sides="needed", jobs=jobs)
        for jobs in (1, 8)
    )
    for a, b in zip(one.buffers(), many.buffers(), strict=True):
        assert torch.equal(a, b)


def test_a_failure_stops_the_work_that_waits() -> None:
    started, release = [], threading.Event()

    def task(k: int) -> None:
        started.append(k)
        if k == 0:
            raise KeyboardInterrupt
        release.wait(0.1)

    with pytest.raises(KeyboardInterrupt):
        list(ordered(task, ((k,) for k in range(100)), jobs=2))
    assert len(started) < 8  # as many were handed in


def test_subset_sums_of_products_are_the_best_for_weights_of_any_size() -> None:
    weight, n = torch.tensor([[0.9], [-0.8], [-3.0], [50.0]]).double(), 5
    source = Source((1, 4), n, seed=2)
    plus, minus = prune([weight], source, construction="subset-sum").effective()[0]
    b = source.element(1, np.arange(2 * n))
    for o in range(4):
        a = source.element(2, 2 * n * o + np.arange(2 * n))
        for half, chosen in ((plus, b > 0), (minus, b < 0)):
            products = [[float(v)] for v in (a * b)[chosen][:n]]
            best = naive.best_error(products, float(weight[o, 0]))
            assert abs(half[o, 0] - weight[o, 0]) == pytest.approx(float(best), abs=1e-14)


def test_value_sets_refuse_nonsense() -> None:
    for arguments in [("other", 0, 1), ("private", 0, 0), ("private", 0, 1, 0), ("private", 0, 2**20, 2**20)]:
        with pytest.raises(ValueError, match="must be"):
            ValueSets(*arguments)
    with pytest.raises(ValueError, match="size must be a finite"):
        ValueSets("private", 0, 1, 1, math.inf)
    for weight in (1.5, -1.5, math.nan):
        with pytest.raises(ValueError, match="weight must be"):
            ValueSets("private", 0, 3).solve(1, np.array([[weight]]))
    for kind in ("private", "shared"):
        with pytest.raises(ValueError, match=r"^n=100 with R=1 is out of reach, the limit is n=60$"):
            ValueSets(kind, 0, 100).solve(1, np.array([[0.5]]))


@pytest.mark.parametrize(("n", "R"), [(9, 1), (4, 3), (1, 1)])
def test_grid_solvers_agree_with_the_public_ones(n: int, R: int) -> None:
    values = np.random.default_rng(n).integers(-(2**40), 2**40, (30, n, R))
    targets = np.random.default_rng(R).integers(-(2**41), 2**41, 30)
    wanted = best_subsets((values[:, :, 0] if R == 1 else values).astype(float), targets.astype(float))
    errors, choices = GridBest(n, R).solve(values, targets)
    assert np.array_equal(errors, wanted.error)
    assert np.array_equal(choices == 0 if R == 1 else choices, wanted.choice)
    errors, choices = GridShared(n, R, len(targets)).solve(values[0], targets)
    table = [[float(v) for v in row] for row in values[0]]
    for error, choice, target in zip(errors, choices, targets, strict=True):
        assert error == naive.best_error(table, float(target))
        assert abs(naive.choice_sum(table, choice) - int(target)) == error
