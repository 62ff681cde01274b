"""The code of masks: a decoder on Python integers and the library's own find the bits, and damage is refused."""

from __future__ import annotations

import math

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nets.tickets import mask_code
from nets.tickets.mask_code import LOGIT, ODDS, chances, decode_bits, encode_bits
from nets.tickets.mask_known import Known, known
from tests import naive_masks

SEEDS = (5, 2**63 + 7)


def layer(shape: tuple[int, ...] = (9, 5, 2, 2), n_keep: int = 60, index: int = 3, signed: bool = False) -> Known:
    seed, score_seed = SEEDS
    return known(
        shape=shape, n_keep=n_keep, seed=seed, weights=2**24 + index, score_seed=score_seed, scores=2**25 + index,
        signed=signed,
    )  # fmt: skip


def surprised(found: Known, share: float, seed: int = 0) -> np.ndarray:
    """The guess, wrong with some probability that differs from column to column."""
    rng = np.random.default_rng(seed)
    return (found.guess == 1) ^ (rng.random(len(found)) < share * (found.column % 3))


def weights(found: Known) -> list[naive_masks.Weight]:
    parts = (found.row, found.column, found.zone, found.size, found.negative, found.guess)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def test_the_tables_are_those_described() -> None:
    assert tuple(ODDS.tolist()) == naive_masks.table()
    assert (np.diff(ODDS) > 0).all()
    for q in (1, 2, 1000, 2047, 2048, 4095):
        assert naive_masks.table()[LOGIT[q] + 3072] <= 4096 * q + 2048
        assert LOGIT[q] == 3072 or naive_masks.table()[LOGIT[q] + 3073] > 4096 * q + 2048


@pytest.mark.parametrize(
    ("n_keep", "signed"), [(60, False), (60, True), (1, False), (0, True), (180, False), (17, True)]
)
def test_what_the_seeds_tell(n_keep: int, signed: bool) -> None:
    assert weights(layer(n_keep=n_keep, signed=signed)) == naive_masks.known((9, 5, 2, 2), n_keep, SEEDS, 3, signed)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_slow_decoder_finds_the_bits(share: float) -> None:
    found = layer((40, 30), 400, signed=share == 0.1)
    bits = surprised(found, share)
    words = encode_bits(found, bits)
    own = naive_masks.known((40, 30), 400, SEEDS, 3, share == 0.1)
    assert naive_masks.decode(words.tolist(), own) == bits.tolist()
    assert np.array_equal(decode_bits(found, words), bits)
    kept = found.only(bits)
    moved = np.random.default_rng(1).random(len(kept)) < 0.1
    own = [(*weight[:5], 0) for weight, bit in zip(own, bits, strict=True) if bit]
    assert naive_masks.decode(encode_bits(kept, moved).tolist(), own) == moved.tolist()


def test_the_library_decodes_what_the_loop_decodes() -> None:
    found = layer((100, 90), 3000)
    bits = surprised(found, 0.2)
    words, p = encode_bits(found, bits), chances(found, bits)
    family = constriction.stream.model.Bernoulli(perfect=False)
    assert np.array_equal(constriction.stream.queue.RangeDecoder(words).decode(family, p / 2**24), bits)
    ideal = -np.log2(np.where(bits, p, 2**24 - p) / 2**24).sum()
    assert ideal <= 32 * len(words) <= ideal + 64


def test_what_is_foreseen_costs_little_and_what_is_not_a_bit_each() -> None:
    """Surprises of a column cost their entropy and some learning; random bits cannot be coded in 20 bits less."""
    found = layer((400, 60), 9000)
    shares = 0.15 * (np.arange(60) % 3)
    entropy = sum(-400 * p * math.log2(p) for share in shares for p in (share, 1 - share) if p)
    cost = 32 * len(encode_bits(found, surprised(found, 0.15)))
    assert entropy - 5 * math.sqrt(24000) < cost < 1.06 * entropy + 300
    blind = Known(found.row, 0 * found.column, found.zone, found.size, found.negative, found.guess)
    assert 32 * len(encode_bits(blind, surprised(found, 0.15))) > 1.1 * cost  # the columns are what it learns
    random = np.random.default_rng(2).random(24000) < 0.5
    assert 24000 - 20 < 32 * len(encode_bits(found, random)) < 1.01 * 24000 + 64


@given(st.data())
def test_all_bits_come_back(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 60))
    ranges = (3, 4, 23, 7, 1, 1)
    parts = [np.array(data.draw(st.lists(st.integers(0, top), min_size=n, max_size=n)), np.int8) for top in ranges]
    found = Known(*parts)
    bits = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_)
    words = encode_bits(found, bits)
    assert np.array_equal(decode_bits(found, words), bits)
    assert naive_masks.decode(words.tolist(), weights(found)) == bits.tolist()


def test_what_is_no_code_is_refused() -> None:
    found = layer((40, 30), 400)
    words = encode_bits(found, surprised(found, 0.1))
    rng = np.random.default_rng(3)
    bad = [words[:-1], words[:0], np.append(words, np.uint32(1)), np.append(words, np.uint32(0)), words[1:]]
    bad += [rng.integers(2**32, size=size, dtype=np.uint32) for size in (1, 10, 100)]
    bad += [np.full(20, 2**32 - 1, np.uint32)]
    for one in bad:
        with pytest.raises(ValueError, match=r"no code of 1200 bits|cannot hold 1200 bits"):
            decode_bits(found, one)
    for place in range(len(words)):  # other words are the code of other bits, or of none
        changed = words.copy()
        changed[place] ^= np.uint32(2**17)
        try:
            other = decode_bits(found, changed)
        except ValueError:
            continue
        assert np.array_equal(encode_bits(found, other), changed)
    many = np.zeros(2**20, np.int8)
    with pytest.raises(ValueError, match="3 words cannot hold 1048576 bits"):
        decode_bits(Known(many, many, many, many, many, many), words[:3])


def test_a_code_of_the_fewest_words_is_taken() -> None:
    """The limit on bits in a word refuses nothing that was written."""
    many = np.zeros(10**6, np.int8)
    found = Known(many, many, many, many, many, many)
    words = encode_bits(found, many == 1)
    assert 10**6 / 2840 <= 32 * len(words) < 1.1 * 10**6 / 2832 + 64
    assert not decode_bits(found, words).any()
    assert -math.log2(1 - ODDS[1] / 2**24) > mask_code._LEAST_BITS
