"""Codes of one part: what they decode to, which draw is named, and what they cost."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets.tickets.codes import draws, pool, rank
from nets.tickets.codes.entropy import Reader, Writer, coarse, counts_of, index_table, model_of, uniform
from nets.tickets.codes.law import fitted_law, read_law, uniform_law
from nets.tickets.codes.part import PartCode, law_of
from sims.solver import philox
from tests.nets.codes import naive_decoder

CASES = {
    "draw": {"code": "draw", "R": 2**16},
    "draw-independent": {"code": "draw", "R": 2**16, "draws": "independent"},
    "draw-few": {"code": "draw", "R": 20},
    "draw-uniform": {"code": "draw", "R": 2**16, "law": "uniform"},
    "block1": {"code": "block", "d": 1, "R": 2**12},
    "block2": {"code": "block", "d": 2, "R": 2**14},
    "block3": {"code": "block", "d": 3, "R": 2**12},
    "block4": {"code": "block", "d": 4, "R": 2**14},
    "block4-independent": {"code": "block", "d": 4, "R": 2**14, "draws": "independent"},
    "block3-independent": {"code": "block", "d": 3, "R": 2**12, "draws": "independent"},
    "block4-few": {"code": "block", "d": 4, "R": 8},
    "block4-uniform": {"code": "block", "d": 4, "R": 2**12, "law": "uniform"},
    "pool": {"code": "pool", "R": 1024},
    "pool-absolute": {"code": "pool", "R": 1024, "absolute": True},
    "block-absolute": {"code": "block", "d": 2, "R": 2**14, "absolute": True},
    "pool-few": {"code": "pool", "R": 8},
    "rank": {"code": "rank", "n": 12},
    "rank-few": {"code": "rank", "n": 3},
}
WEIGHTS = {
    "normal": np.random.default_rng(1).normal(size=301) * 0.1,
    "uniform": np.random.default_rng(2).uniform(-3, 3, 50),
    "sparse": np.where(np.random.default_rng(3).random(203) < 0.8, 0.0, np.random.default_rng(4).normal(size=203)),
    "one": np.array([0.25]),
    "five": np.array([1e-3, -1e-3, 1.0, 0.5, 1e-9]),
    "zero": np.zeros(7),
    "same": np.full(6, -2.5),
    "positive": np.linspace(0.99, 1.01, 40),
    "tiny": np.random.default_rng(5).normal(size=30) * 1e-200,
    "huge": np.random.default_rng(6).normal(size=30) * 1e30,
}


def part_code(weights, eta=0.02, **chosen):
    return PartCode(seed=2**63 + 5, part=3, size=float(np.abs(weights).max()), eta=eta, **chosen)


@pytest.mark.parametrize("law", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_every_weight_comes_back_within_eta(case, law):
    weights = WEIGHTS[law]
    code = part_code(weights, **CASES[case])
    made = code.encode(weights)
    back = code.decode(made.content, weights.size)
    assert back == made._replace(values=back.values)
    assert back.values.tobytes() == made.values.tobytes()
    limit = Fraction(code.error)
    assert all(
        abs(Fraction(v) - Fraction(w)) <= limit * (1 + Fraction(1, 2**52))
        for v, w in zip(back.values, weights, strict=True)
    )
    assert made.kept + made.exceptions == weights.size


@pytest.mark.parametrize("case", CASES)
def test_threads_change_nothing(case):
    weights = np.random.default_rng(7).normal(size=40_000 if "rank" not in case else 3000)
    code = part_code(weights, **CASES[case])
    assert code.encode(weights, jobs=1).content == code.encode(weights, jobs=3).content


@pytest.mark.parametrize("case", CASES)
def test_damage_is_noticed_or_harmless(case):
    weights = WEIGHTS["normal"]
    code = part_code(weights, **CASES[case])
    content = code.encode(weights).content
    rng = np.random.default_rng(8)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        for some in (bytes(damaged), content[: rng.integers(len(content))]):
            try:
                back = code.decode(some, weights.size)
            except ValueError:
                continue
            assert back.values.shape == weights.shape


@settings(max_examples=40)
@given(st.lists(st.integers(-1, 2**24 - 2), min_size=1, max_size=60))
def test_indices_come_back(indices):
    k = np.array(indices)
    table = index_table(k)
    writer = Writer()
    writer.add_table(table)
    writer.add_indices(k, table)
    reader = Reader(writer.to_bytes())
    assert reader.take_table(table.size).tolist() == table.tolist()
    assert reader.take_indices(k.size, table).tolist() == indices
    reader.finish()


@given(st.integers(0, 2**27))
def test_coarse_counts_are_near(count):
    (back,) = counts_of(coarse([count]))
    assert abs(back - count) <= max(count / 16, 7 if count else 0)


def test_words_that_are_left_over_are_noticed():
    writer = Writer()
    writer.add(np.arange(100) % 2, model_of([1, 1]))
    reader = Reader(writer.to_bytes())
    reader.take(50, model_of([1, 1]))
    with pytest.raises(ValueError, match="do not end"):
        reader.finish()
    with pytest.raises(ValueError, match="cut off"):
        Reader(b"abc")


@pytest.mark.parametrize("frequencies", [[1], [0, 0], [-1, 2], [2**39, 1]])
def test_models_that_cannot_be(frequencies):
    with pytest.raises(ValueError, match="a model needs"):
        model_of(frequencies)


def test_the_cost_is_the_entropy():
    rng = np.random.default_rng(9)
    symbols = rng.choice(4, 100_000, p=[0.5, 0.25, 0.2, 0.05])
    writer = Writer()
    writer.add(symbols, model_of(np.bincount(symbols)))
    p = np.bincount(symbols) / symbols.size
    assert len(writer.to_bytes()) * 8 / symbols.size == pytest.approx(-(p * np.log2(p)).sum(), rel=1e-3)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 0.3), st.sampled_from(["uniform", "fitted"]))
def test_windows_end_where_the_error_does(seed, error, kind):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=50)
    law = uniform_law(float(np.abs(weights).max())) if kind == "uniform" else fitted_law(weights, error)
    low, width, good = law.windows(weights, error)
    high = low.astype(np.int64) + width
    for words, step in ((low.astype(np.int64), -1), (high, 1)):
        assert (np.abs(law.values(words.astype(np.uint32)) - weights) <= error)[good].all()
        outside = words + step
        there = good & (outside >= 0) & (outside < 2**32)
        beyond = np.abs(law.values(outside[there].astype(np.uint32)) - weights[there])
        assert (beyond > error * (1 - 1e-8)).all()
    words = rng.integers(0, 2**32, 2000)
    values = law.values(words.astype(np.uint32))
    near = np.abs(values - weights[:, None]) <= error * (1 - 1e-8)
    inside = good[:, None] & (words >= low.astype(np.int64)[:, None]) & (words <= high[:, None])
    assert (near <= inside).all()
    assert (np.diff(law.values(np.sort(words).astype(np.uint32))) >= 0).all()


def test_a_law_comes_back():
    law = fitted_law(WEIGHTS["normal"], 0.01)
    assert law.bits > 0
    same = read_law(law.to_bytes(), lambda count: law.steps)
    words = np.random.default_rng(1).integers(0, 2**32, 100).astype(np.uint32)
    assert same.values(words).tobytes() == law.values(words).tobytes()
    content = part_code(WEIGHTS["normal"], **CASES["draw"]).encode(WEIGHTS["normal"]).content
    assert (
        law_of(content).steps.tolist()
        == fitted_law(WEIGHTS["normal"], 0.02 * np.abs(WEIGHTS["normal"]).max()).steps.tolist()
    )


def test_a_matched_law_pays():
    weights = np.random.default_rng(11).normal(size=20_000)
    sizes = [
        len(part_code(weights, code="draw", R=2**16, law=law).encode(weights).content) for law in ("matched", "uniform")
    ]
    assert sizes[0] < 0.95 * sizes[1]


def test_the_draw_that_is_named_is_the_first():
    rng = np.random.default_rng(12)
    weights, width = np.array([4, 7, 2**31 + 1]), np.full(3, 2**27, np.uint32)
    low = rng.integers(0, 2**32, 3).astype(np.uint32)
    found = draws.first_private(9, 2, weights, low, width, 1000)
    for weight, lo, k in zip(weights.tolist(), low.tolist(), found.tolist(), strict=True):
        words = [int(philox.block([i // 4, 2, weight, 1], 9)[i % 4]) for i in range(1000)]
        assert k == next((i for i, word in enumerate(words) if (word - lo) % 2**32 <= 2**27), -1)
    assert draws.first_private(9, 2, weights, low, width, int(found.max())).tolist()[int(found.argmax())] == -1


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_the_block_that_is_named_is_the_first(d, even):
    rng = np.random.default_rng(13)
    blocks, limit, seed = np.arange(5, 45), 5000, 2**40 + 1
    low = rng.integers(0, 2**32, (40, d)).astype(np.uint32)
    width = np.minimum(rng.lognormal(math.log(2**32 * 1e-3 ** (1 / d)), 1, (40, d)), 2**32 - 1).astype(np.uint32)
    found = draws.RotatedStream(seed, d, limit, even=even).first(3, blocks, low, width)
    if even:
        stream = np.array([[(k * g % 2**64) >> 32 for g in naive_decoder.steps_of(d)] for k in range(limit)], np.int64)
    else:
        stream = np.array([philox.block([k, 0, 0, 2], seed)[:d] for k in range(limit)], np.int64)
    for b, lo, wide, k in zip(
        blocks.tolist(), low.astype(np.int64), width.astype(np.int64), found.tolist(), strict=True
    ):
        turn = philox.block([b, 3, d, 3], seed)[:d].astype(np.int64)
        good = np.flatnonzero((((stream + turn - lo) % 2**32) <= wide).all(1))
        assert k == (good[0] if good.size else -1)
    assert (found >= 1024).any()  # the second stretch is searched too
    assert (found < 0).any() or (even and d == 1)  # even draws of single weights leave no gap so wide


def test_early_draws_of_wide_windows_are_found():
    """Windows of half of all words: the first of many near draws, which lie in cells side by side."""
    low = np.random.default_rng(16).integers(0, 2**32, (500, 2)).astype(np.uint32)
    width = np.full((500, 2), 2**31, np.uint32)
    found = draws.RotatedStream(1, 2, 4096, even=False).first(0, np.arange(500), low, width)
    stream = draws.common_words(1, 2, np.arange(64), even=False) + draws.rotations(1, 0, 2, np.arange(500))[:, None]
    assert found.tolist() == ((stream - low[:, None]) <= 2**31).all(2).argmax(1).tolist()


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_steps_are_powers_of_the_root(d):
    assert list(draws.STEPS[d]) == naive_decoder.steps_of(d)


@pytest.mark.parametrize("even", [True, False])
def test_even_draws_leave_no_wide_gap(even):
    stream = draws.common_words(5, 1, np.arange(10**6), even=even)[:, 0].astype(np.int64)
    worst = 0.0
    for many in np.geomspace(2, 10**6, 40).astype(int).tolist():
        here = np.sort(stream[:many])
        worst = max(worst, np.diff([*here, here[0] + 2**32]).max() * many / 2**32)
    assert worst <= 1.9 if even else worst > 4


def test_even_draws_come_sooner():
    weights = np.random.default_rng(15).normal(size=20_000)
    sizes = [
        len(part_code(weights, code="draw", R=2**16, draws=kind).encode(weights).content)
        for kind in ("even", "independent")
    ]
    assert sizes[0] < sizes[1] - 0.5 * weights.size / 8


def test_the_subset_that_is_named_is_the_first():
    n, weights = 6, np.random.default_rng(14).uniform(-1, 1, 30)
    found = rank.first_subset(1, 0, weights, n=n, size=1.0, error=0.05)
    values = rank.private_values(1, 0, 1.0, np.arange(30), n)
    order = [
        c
        for size in range(n + 1)
        for c in sorted(itertools.combinations(range(n), size), key=lambda c: sum(2**i for i in c))
    ]
    for i in range(30):
        near = [abs(math.fsum(values[i, list(c)]) - weights[i]) <= 0.05 for c in order]
        assert found[i] == (near.index(True) if any(near) else -1)
    assert (found < 0).any()


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 40), st.floats(0.01, 0.4))
def test_the_cover_is_greedy(seed, many, count, error):
    rng = np.random.default_rng(seed)
    values, weights = rng.uniform(-1, 1, many), np.round(rng.uniform(-1, 1, count), 1)
    kept, taken = pool.cover(values, weights, error)
    near = np.abs(values[:, None] - weights) <= error
    open_weights, slow = np.ones(count, bool), np.full(count, -1)
    for place, name in enumerate(kept.tolist()):
        gains = (near & open_weights).sum(1)
        able = np.flatnonzero(gains >= gains.max() - gains.max() // 32)
        means = [abs(weights[near[i] & open_weights].mean() - values[i]) for i in able]
        assert gains.max() > 0
        assert name in able
        assert means[able.tolist().index(name)] <= min(means) + 1e-12
        slow[near[name] & open_weights] = place
        open_weights &= ~near[name]
    assert not (near & open_weights).any()
    assert taken.tolist() == slow.tolist()


def test_uniform_bits_are_fair():
    writer = Writer()
    writer.add(np.arange(2**10), uniform(10))
    assert len(writer.to_bytes()) == pytest.approx(10 * 2**10 / 8, abs=4)
