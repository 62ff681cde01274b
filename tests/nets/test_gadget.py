"""A part's random sub-network against a plain one in NumPy: materialised, masked, evaluated, found by brute force."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.construction.bits import DrawWriter, draw_bits, pack_draws, unpack_draws
from nets.construction.gadget import Gadget, Record, effective, solve
from nets.construction.prune_approx import prune
from nets.construction.scan import scan_layer
from nets.construction.source import Source
from nets.device import torch_operations
from sims.solver import philox
from sims.solver.memory import default_jobs
from tests.nets.elsewhere import Elsewhere

SHAPES = [(1, 5, 3), (3, 2, 2), (13, 3, 1), (1, 1, 7), (2, 1, 1), (1, 9, 1)]
KINDS = [
    {"n": 5},
    {"n": 5, "halves": 1},
    {"n": 4, "halves": 1, "relu": False},
    {"n": 3, "R": 2},
    {"n": 2, "R": 5, "halves": 1},
    {"n": 2, "R": 3, "halves": 1, "relu": False},
]
SEED = 2**64 - 3


def _weights(shape: tuple[int, int, int]) -> np.ndarray:
    weight = np.random.default_rng(7).uniform(-1, 1, shape)
    weight.reshape(-1)[0] = 0.0
    return weight


def _layers(gadget: Gadget) -> tuple[np.ndarray, np.ndarray]:
    """All draws of b, (hidden, R) each of the neuron's own coordinate, and of a, (groups rows, 2n cols, R)."""
    block = gadget.n * (1 + gadget.relu)
    coordinates, width = gadget.groups * gadget.cols, block * gadget.cols
    hidden = block * coordinates
    first = philox.uniforms(gadget.seed, 0, hidden * coordinates, gadget.R, stream=2 + 2 * gadget.number + 1)
    matrix = first.reshape(hidden, coordinates, gadget.R)
    own = np.stack([matrix[h, h // block] for h in range(hidden)])
    second = philox.uniforms(
        gadget.seed, 0, gadget.groups * gadget.rows * width, gadget.R, stream=4 + 2 * gadget.number
    )
    return own, second.reshape(gadget.groups * gadget.rows, width, gadget.R)


def _bits(packed: np.ndarray, count: int) -> np.ndarray:
    return np.array([packed[i // 8] >> i % 8 & 1 for i in range(count)], bool)


def _numbers(packed: np.ndarray, count: int, R: int) -> list[int]:
    width = next(w for w in range(64) if 2**w >= R)
    bits = "".join(f"{byte:08b}"[::-1] for byte in packed.tolist())
    return [int("0" + bits[i * width : (i + 1) * width][::-1], 2) for i in range(count)]


def _masked(gadget: Gadget, record: Record) -> tuple[np.ndarray, np.ndarray]:
    """The kept values as a vector of b's and a matrix of a's with 0 elsewhere, from the bits alone."""
    b, a = _layers(gadget)
    found = []
    for drawn, mask, draws in ((b, record.mask_b, record.draws_b), (a, record.mask_a, record.draws_a)):
        flat = drawn.reshape(-1, gadget.R)
        places = np.flatnonzero(_bits(mask, len(flat)))
        values = np.zeros(len(flat))
        values[places] = flat[places, _numbers(draws, len(places), gadget.R)]
        found.append(values.reshape(drawn.shape[:-1]))
    return found[0], found[1]


def _run(gadget: Gadget, record: Record, x: np.ndarray) -> np.ndarray:
    """The two masked layers on inputs (batch, groups, cols), with a ReLU between them if there is one."""
    b, a = _masked(gadget, record)
    hidden = np.repeat(x.reshape(len(x), -1), len(b) // x[0].size, axis=1) * b
    if gadget.relu:
        hidden = np.maximum(hidden, 0)
    grouped = hidden.reshape(len(x), gadget.groups, -1)
    return np.einsum("zgh,grh->zgr", grouped, a.reshape(gadget.groups, gadget.rows, -1))


def _gadgets() -> list[Gadget]:
    return [Gadget(i, *shape, seed=SEED, **kind) for i, (shape, kind) in enumerate(itertools.product(SHAPES, KINDS))]


@pytest.mark.parametrize("gadget", _gadgets(), ids=str)
def test_effective_weights_are_those_of_the_two_masked_layers(gadget: Gadget) -> None:
    record = solve(gadget, _weights(gadget.shape))
    plus, minus = effective(gadget, record)
    x = np.random.default_rng(1).normal(size=(9, gadget.groups, gadget.cols))
    if gadget.relu and gadget.halves == 1:
        x = np.abs(x)
        assert minus is plus
    up, down = (np.einsum("grc,zgc->zgr", half, np.maximum(s * x, 0)) for half, s in ((plus, 1), (minus, -1)))
    # sums of fewer than a hundred terms below 10
    np.testing.assert_allclose(_run(gadget, record, x), up - down, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gadget", _gadgets(), ids=str)
def test_every_weight_is_the_best_choice_by_brute_force(gadget: Gadget) -> None:
    weight = _weights(gadget.shape)
    halves = effective(gadget, solve(gadget, weight))
    b, a = _layers(gadget)
    block = gadget.n * (1 + gadget.relu)
    a = a.reshape(gadget.groups, gadget.rows, gadget.cols, block, gadget.R)
    for h, drawn in enumerate(b):
        sign = 1 if h % block < gadget.n else -1
        b[h, 0] = drawn[np.argmin(np.abs(drawn - sign))]
    near = b[:, 0].reshape(gadget.groups, gadget.cols, block)
    for g, row, col in np.ndindex(*gadget.shape):
        for side, s in enumerate((1, -1)[: gadget.halves]):
            serve = range(block)
            if gadget.relu:
                serve = [k for k in serve if s * near[g, col, k] > 0]
            if gadget.relu and gadget.R > 1:
                serve = [k for k in serve if (k < gadget.n) == (s == 1)]
            options = [[0.0, *(a[g, row, col, k] * near[g, col, k])] for k in serve[: gadget.n]]
            best = min(abs(sum(choice) - weight[g, row, col]) for choice in itertools.product(*options))
            # the search rounds products to 2^-52, this sum rounds to float64
            assert abs(halves[side][g, row, col] - weight[g, row, col]) == pytest.approx(best, abs=1e-14)


@pytest.mark.parametrize("signs", ["assigned", "open"])
@pytest.mark.parametrize("gadget", [g for g in _gadgets() if g.relu], ids=str)
def test_best_takes_the_nearest_product(gadget: Gadget, signs: str) -> None:
    if gadget.R > 1:
        signs = "assigned"
    weight = _weights(gadget.shape)
    record = solve(gadget, weight, construction="best", signs=signs)
    halves = effective(gadget, record)
    b, a = _layers(gadget)
    a = a.reshape(gadget.groups, gadget.rows, gadget.cols, 2 * gadget.n, gadget.R)
    b = b.reshape(gadget.groups, gadget.cols, 2 * gadget.n, gadget.R)
    kept = 0
    for g, row, col in np.ndindex(*gadget.shape):
        for side, s in enumerate((1, -1)[: gadget.halves]):
            products = [0.0]
            for k in range(2 * gadget.n):
                near = b[g, col, k, np.argmin(np.abs(b[g, col, k] - s))]
                if s * near > 0 and (signs == "open" or (k < gadget.n) == (s == 1)):
                    products += (a[g, row, col, k] * near).tolist()
            nearest = min(products, key=lambda product: abs(product - weight[g, row, col]))
            assert halves[side][g, row, col] == nearest
            kept += nearest != 0
    assert record.kept_a == kept


def test_window_is_the_dense_layer_s_in_every_group() -> None:
    gadget = Gadget(0, 1, 5, 3, n=6, R=3, seed=4)
    weight = _weights(gadget.shape)
    plus, minus = effective(gadget, solve(gadget, weight, construction="window", eta=0.3))
    source = Source((3, 5), 6, seed=4, R=3)
    pruned = prune([torch.from_numpy(weight[0])], source, construction="window", eta=0.3)
    assert np.array_equal(np.stack([plus[0], minus[0]]), torch.stack(pruned.effective()[0]).numpy())
    found = effective(grouped := Gadget(0, 5, 3, 1, n=40, R=3, seed=4), solve(
        grouped, weight.reshape(5, 3, 1), construction="window", eta=0.3
    ))  # fmt: skip
    assert np.abs(np.stack(found) - weight.reshape(5, 3, 1)).max() <= 0.3


def test_torch_operations_scan_the_same_place_of_a_larger_gadget(elsewhere: Elsewhere) -> None:
    weight = torch.from_numpy(_weights((1, 3, 2)))
    options = {"n": 4, "R": 2, "eta": 0.3, "open_signs": False, "by_law": False, "halves": 2, "place": (12, 4, 9)}
    seeds = np.array([SEED], np.uint64)
    for window in (True, False):
        expected = scan_layer(seeds, 5, weight, window=window, **options)
        with elsewhere as device:
            found = scan_layer(seeds, 5, weight, window=window, device=device, **options)
        assert all(torch.equal(found[key].cpu(), part) for key, part in expected.items())


def test_the_same_record_elsewhere(elsewhere: Elsewhere) -> None:
    for gadget in (Gadget(2, 3, 40, 7, n=14, seed=5), Gadget(2, 1, 30, 9, n=13, seed=5, halves=1, relu=False)):
        weight = _weights(gadget.shape)
        with elsewhere as device:
            found = solve(gadget, weight, device=device)
        assert _same(found, solve(gadget, weight))
    grouped = Gadget(2, 3, 40, 7, n=14, seed=5)
    weight = _weights(grouped.shape)
    for word in ("best", "halves", "thirds"):
        with elsewhere as device:
            found = solve(grouped, weight, construction=word, device=device)
        assert _same(found, solve(grouped, weight, construction=word))


@pytest.mark.parametrize("signs", ["assigned", "open", None])
@pytest.mark.parametrize("sides", ["both", "needed"])
@pytest.mark.parametrize("R", [1, 3])
def test_one_group_is_the_dense_source(R: int, sides: str, signs: str | None) -> None:
    if R > 1:
        signs = None
    widths = (3, 4, 2)
    weights = [_weights((1, b, a))[0] for a, b in itertools.pairwise(widths)]
    source = Source(widths, 4, seed=11, R=R)
    pruned = prune([torch.from_numpy(w) for w in weights], source, construction="subset-sum", sides=sides, signs=signs)
    for i, weight in enumerate(weights):
        made = 2 if sides == "both" or i == 0 else 1
        gadget = Gadget(i, 1, *weight.shape, n=4, R=R, seed=11, halves=made)
        record = solve(gadget, weight[None], signs=signs)
        b, a = _masked(gadget, record)
        dense = pruned.dense()
        kept_b = getattr(dense, f"G{2 * i + 1}") * getattr(dense, f"M{2 * i + 1}")
        kept_a = getattr(dense, f"G{2 * i + 2}") * getattr(dense, f"M{2 * i + 2}")
        assert np.array_equal(kept_b.sum(1).numpy(), b)
        assert np.array_equal(kept_a.numpy(), a)
        plus, minus = effective(gadget, record)
        assert np.array_equal(plus[0], pruned.effective()[i][0].numpy())
        assert made == 1 or np.array_equal(minus[0], pruned.effective()[i][1].numpy())


@pytest.mark.parametrize("gadget", [_gadgets()[0], _gadgets()[9], _gadgets()[16]], ids=str)
def test_pieces_and_threads_change_nothing(gadget: Gadget, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = _weights(gadget.shape)
    whole = solve(gadget, weight, jobs=1)
    best = solve(gadget, weight, construction="best", jobs=1) if gadget.relu else whole
    values, digest = _seen(gadget, whole, jobs=1)
    monkeypatch.setattr("nets.construction.gadget_search._TAKEN_BYTES", 1)
    monkeypatch.setattr("nets.construction.gadget_search._PART_HALF_SUMS", 20)
    monkeypatch.setattr("nets.construction.gadget_search._SCAN_WEIGHTS", 1)
    monkeypatch.setattr("nets.construction.gadget_record._ELEMENTS", 7)
    monkeypatch.setattr("nets.construction.gadget._CELLS", 8)
    ticks: list[int] = []
    parts = solve(gadget, weight, jobs=3, tick=ticks.append)
    assert _same(parts, whole)
    assert sum(ticks) == gadget.halves * gadget.weights
    assert not gadget.relu or _same(solve(gadget, weight, construction="best", jobs=2), best)
    if gadget.R == 1:  # another name of the CPU takes the torch solver
        with torch_operations():
            assert _same(solve(gadget, weight), whole)
    again, same_digest = _seen(gadget, whole, jobs=default_jobs())
    assert np.array_equal(np.stack(again), np.stack(values))
    assert same_digest == digest


def _same(one: Record, other: Record) -> bool:
    names = ("mask_b", "mask_a", "draws_b", "draws_a")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def _seen(gadget: Gadget, record: Record, *, jobs: int) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    found = hashlib.sha256()
    values = effective(gadget, record, seen=lambda part: found.update(part.tobytes()), jobs=jobs)
    return values, found.hexdigest()


@pytest.mark.parametrize("gadget", _gadgets(), ids=str)
def test_the_values_seen_are_the_kept_ones_in_file_order(gadget: Gadget) -> None:
    record = solve(gadget, _weights(gadget.shape))
    seen: list[np.ndarray] = []
    effective(gadget, record, seen=seen.append)
    b, a = _masked(gadget, record)
    assert np.array_equal(np.concatenate(seen), np.concatenate([b[b != 0], a[a != 0]]))
    assert [record.kept_b, record.kept_a] == [np.count_nonzero(b), np.count_nonzero(a)]
    assert record.kept == len(np.concatenate(seen))


def test_a_zero_part_keeps_nothing() -> None:
    gadget = Gadget(0, 2, 3, 2, n=4, R=3, seed=1)
    record = solve(gadget, np.zeros(gadget.shape))
    plus, minus = effective(gadget, record)
    assert record.kept == len(record.draws_a) == len(record.draws_b) == 0
    assert not plus.any()
    assert not minus.any()


def _broken(record: Record, change: str) -> Record:
    parts = {name: getattr(record, name).copy() for name in ("mask_b", "mask_a", "draws_b", "draws_a")}
    if change == "orphan":
        parts["mask_b"][0] &= parts["mask_b"][0] - 1
        parts["draws_b"] = pack_draws(unpack_draws(parts["draws_b"], record.kept_b, R=3)[1:], R=3)
    elif change.endswith("draw"):
        parts[change.split()[0]][0] |= 3
    elif change.endswith("short"):
        parts[change.split()[0]] = parts[change.split()[0]][:-1]
    else:
        parts[change][-1] |= 0x80
    return Record(**parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("mask_b", "mask_b sets a bit beyond its 36 bits"),
        ("mask_a", "mask_a sets a bit beyond its 180 bits"),
        ("draws_b", "draws_b sets a bit beyond"),
        ("draws_a", "draws_a sets a bit beyond"),
        ("mask_a short", "mask_a must be 23 bytes for 180 bits"),
        ("draws_a short", "draws_a must be"),
        ("draws_b draw", "draws_b names draw 3, but R=3"),
        ("draws_a draw", "draws_a names a draw that is not below R=3"),
        ("orphan", "mask_a keeps a weight of a neuron that mask_b removes"),
    ],
)
def test_a_record_that_is_not_the_gadget_s_is_refused(change: str, message: str) -> None:
    gadget = Gadget(0, 3, 5, 1, n=6, R=3, seed=2)
    record = solve(gadget, _weights(gadget.shape))
    assert record.kept_b * 2 % 8
    assert record.kept_a * 2 % 8
    with pytest.raises(ValueError, match=message):
        effective(gadget, _broken(record, change))


def test_a_negative_neuron_cannot_serve_a_part_with_one_half() -> None:
    gadget = Gadget(0, 1, 2, 2, n=3, seed=2)
    with pytest.raises(ValueError, match="b <= 0"):
        effective(replace(gadget, halves=1), solve(gadget, _weights(gadget.shape)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": -1}, "number must be"),
        ({"rows": 0}, "rows must be"),
        ({"seed": 2**64}, "seed must be"),
        ({"R": 0}, "R must be"),
        ({"halves": 3}, "halves must be 1 or 2"),
        ({"relu": False}, "halves must be 1 without a ReLU"),
        ({"number": 2**29}, "number too high"),
        ({"n": 2**60}, "too large"),
    ],
)
def test_bad_gadgets_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gadget(**{"number": 0, "groups": 1, "rows": 2, "cols": 2, "n": 3, **change})


def test_bad_searches_are_named() -> None:
    gadget = Gadget(0, 1, 2, 2, n=3)
    with pytest.raises(ValueError, match=r"of shape \(1, 2, 2\)"):
        solve(gadget, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        solve(gadget, np.full((1, 2, 2), np.nan))
    with pytest.raises(ValueError, match="eta must be"):
        solve(gadget, np.zeros((1, 2, 2)), construction="window")
    with pytest.raises(ValueError, match="without a ReLU"):
        solve(replace(gadget, halves=1, relu=False), np.zeros((1, 2, 2)), construction="best")


@given(data=st.data(), R=st.sampled_from([1, 2, 3, 4, 7, 256, 257, 2**20]))
def test_draws_keep_their_numbers_in_few_bits(data: st.DataObject, R: int) -> None:
    pieces = data.draw(st.lists(st.lists(st.integers(0, R - 1), max_size=20), max_size=5))
    writer = DrawWriter(R)
    for piece in pieces:
        writer.add(np.array(piece, np.int64))
    whole = np.array([draw for piece in pieces for draw in piece], np.int64)
    packed = writer.finish()
    assert len(packed) == -(-len(whole) * draw_bits(R) // 8)
    assert np.array_equal(packed, pack_draws(whole, R=R))
    assert unpack_draws(packed, len(whole), R=R).tolist() == _numbers(packed, len(whole), R) == whole.tolist()
