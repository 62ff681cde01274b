"""Bits of a weight: the estimated limit on known laws, the quantiser's files, and the command's table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nets import bits
from nets.storage.limit import FEWEST, estimated
from nets.storage.quantiser import decode, encode

E = math.e
WAYS = ("draw", "pool", "mask")
"""Codes that take no time on a few weights."""
LAWS = {
    "uniform": (lambda rng, size: rng.uniform(-1, 1, size), 1.0),
    "normal": (lambda rng, size: rng.standard_normal(size), 0.5 * math.log2(2 * math.pi * E)),
    "laplace": (lambda rng, size: rng.laplace(size=size), math.log2(2 * E)),
    "two steps": (lambda rng, size: np.where(rng.random(size) < 0.5, 1, 8) * rng.random(size), None),
}
LAWS["two steps"] = (LAWS["two steps"][0], -9 / 16 * math.log2(9 / 16) - 7 / 16 * math.log2(1 / 16))
"""Samplers and differential entropies in bits, by hand."""


@pytest.mark.parametrize("name", LAWS)
def test_entropies_of_known_laws(name: str) -> None:
    """At 10,000 weights the estimate is too low by at most 0.02 in the mean and scatters by at most 0.02: 5 sigma."""
    draw, entropy = LAWS[name]
    for seed in range(3):
        law = estimated(draw(np.random.default_rng(seed), 10_000))
        assert law.known
        assert law.atoms.size == 0
        assert law.entropy == pytest.approx(entropy, abs=0.12)
        assert law.limit(0.01) == pytest.approx(entropy - math.log2(0.02), abs=0.12)
        assert law.limit(100.0) == 0.0
        scaled = estimated(8 * draw(np.random.default_rng(seed), 10_000))
        assert scaled.limit(0.08) == pytest.approx(law.limit(0.01), abs=1e-9)  # errors relative to the weights
    small = [estimated(draw(np.random.default_rng(seed), 144)).entropy for seed in range(100)]
    assert -0.15 < np.mean(small) - entropy < 0.05


def test_numbers_that_few_weights_share_are_no_atoms() -> None:
    weights = np.random.default_rng(1).normal(size=40_000)
    for rounded in (weights.astype(np.float16), np.round(weights, 2)):
        assert np.unique(rounded).size < 20_000
        law = estimated(rounded)
        assert law.atoms.size == 0
        assert law.limit(0.1) == pytest.approx(0.5 * math.log2(2 * math.pi * E) - math.log2(0.2), abs=0.1)


def test_discrete_laws_take_their_entropy() -> None:
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    weights = np.repeat([0.0, 1.0, 2.0, 3.0], (4096 * shares).astype(int))
    law = estimated(np.random.default_rng(1).permutation(weights))
    assert law.known
    assert law.entropy is None
    assert law.limit(0.4) == pytest.approx(1.75)
    assert law.limit(0.5) == pytest.approx(1.75 - 1)  # an interval of length 1 holds two of them
    assert law.limit(2.0) == 0.0
    assert estimated(np.full(100, 0.3)).limit(1e-3) == 0.0


def best_rate(points: np.ndarray, error: float, rounds: int = 2000) -> tuple[float, float]:
    """Least mutual information of a weight and a value nearer than the error to it: its two sides after some rounds.

    By Blahut's iteration with its dual; `points`: equally likely weights. Shares no code with nets.storage.
    """
    reach = error * (1 - 1e-9)
    places = np.unique(np.round(np.concatenate([points, points - reach, points + reach]), 12))
    allowed = (np.abs(points[:, None] - places[None]) <= reach + 1e-11).astype(float)
    q = np.full(places.size, 1 / places.size)
    for _ in range(rounds):
        chance = allowed @ q
        gain = (allowed / chance[:, None]).mean(axis=0)
        q *= gain
    value = float(-np.log2(chance).mean())
    return value - math.log2(gain.max()), value


@pytest.mark.parametrize("error", [0.025, 0.05, 0.1, 0.3])
def test_the_limit_is_below_what_the_best_code_takes(error: float) -> None:
    """A law of half zeros, its other weights about them or apart; 2 error is a multiple of the points' distance."""
    for low, high, size in ((-1.0, 1.0, 80), (0.4, 1.2, 64)):
        smooth = low + (np.arange(size) + 0.5) * (high - low) / size
        under, best = best_rate(np.concatenate([np.zeros(size), smooth]), error)
        assert best - under < 0.02
        law = estimated(np.concatenate([np.zeros(4000), np.linspace(low, high, 4000)]))
        assert law.counts.tolist() == [4000]
        assert law.limit(error) <= best + 0.02
        if 2 * error < low:
            assert law.limit(error) == pytest.approx(best, abs=0.03)
            assert law.limit(error) > 1  # which of both a weight is costs a bit


def test_parts_of_few_weights_are_not_estimated() -> None:
    few, more = (estimated(np.random.default_rng(1).normal(size=size)) for size in (FEWEST - 1, FEWEST))
    assert not few.known
    assert few.limit(1e-6) == 0.0
    assert more.known
    mixed = estimated(np.concatenate([np.zeros(300), np.ones(300), np.random.default_rng(1).normal(size=20)]))
    assert not mixed.known
    assert mixed.limit(0.1) == pytest.approx(600 / 620)
    with pytest.raises(ValueError, match="error must be > 0, got 0"):
        more.limit(0)


REAL = st.floats(-10, 10, width=32).map(lambda x: 0.0 if abs(x) < 1e-4 else x)

SHAPE = st.tuples(st.integers(1, 4), st.integers(1, 9))


@given(
    parts=st.lists(arrays(np.float64, SHAPE, elements=REAL), min_size=1, max_size=4),
    eta=st.sampled_from([1.0, 0.3, 0.01, 1e-4, 2.0**-20]),
)
def test_what_is_decoded_is_within_the_error(parts: list[np.ndarray], eta: float) -> None:
    errors = [eta * float(np.abs(part).max()) for part in parts]
    made = decode(encode(parts, errors), [part.shape for part in parts])
    for one, part, error in zip(made, parts, errors, strict=True):
        assert one.shape == part.shape
        assert (np.abs(one - part) <= error).all()


@pytest.mark.parametrize("name", LAWS)
def test_the_quantiser_is_near_the_entropy_of_its_numbers(name: str) -> None:
    weights = LAWS[name][0](np.random.default_rng(4), 50_000)
    for error in (0.3, 0.03, 0.003):
        _, counts = np.unique(np.rint(weights / (2 * error)), return_counts=True)
        shares = counts / counts.sum()
        entropy = -float((shares * np.log2(shares)).sum())
        bits_each = 8 * len(encode([weights], [error])) / weights.size
        assert bits_each < entropy + 0.1
        assert bits_each > entropy - 0.01


def test_damaged_bytes_are_refused() -> None:
    weights = np.random.default_rng(4).normal(size=(20, 30))
    content = encode([weights, np.zeros(5)], [0.01, 0.0])
    assert not decode(content, [(20, 30), (5,)])[1].any()
    for cut in (3, 30, len(content) - 1):
        with pytest.raises(ValueError):
            decode(content[:cut], [(20, 30), (5,)])
    with pytest.raises(ValueError):
        decode(content + bytes(4), [(20, 30), (5,)])
    with pytest.raises(ValueError, match=r"error must be at least 2\^-21 of the largest weight"):
        encode([weights], [1e-8])


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    state = {
        "0.weight": torch.randn(40, 30, generator=generator) / 9,
        "0.bias": torch.zeros(40),
        "1.weight": torch.rand(8, 40, generator=generator) - 0.5,
        "1.bias": torch.rand(8, generator=generator),
    }
    torch.save(state, tmp_path / "net.pt")
    return [str(tmp_path / "net.pt"), "--activation", "relu", "--seed", "3"]


def test_the_table(small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("csv", "svg")}
    argv = [*small, "--eta", "0.1", "0.004", "--codes", *WAYS, "--csv", str(files["csv"]), "--plot", str(files["svg"])]
    assert bits.main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["eta"], row["way"]) for row in found["rows"]] == [
        (None, "target"),
        *[(eta, way) for eta in (0.1, 0.004) for way in ("limit", "quantiser", *WAYS)],
    ]
    weights = 40 * 30 + 8 * 40 + 48
    state = torch.load(small[0])
    for row in found["rows"]:
        assert row["weights"] == weights
        assert row["score"] is None
        if row["way"] not in ("target", "limit"):
            assert row["way"] == "mask" or row["max_error"] <= row["eta"]
            assert 0 < row["bare"] < row["bits"]
            assert row["bits"] * weights / 8 == pytest.approx(round(row["bits"] * weights / 8), abs=1e-6)
            limit = next(one for one in found["rows"] if (one["eta"], one["way"]) == (row["eta"], "limit"))
            assert row["over_limit"] == pytest.approx(row["bits"] - limit["bits"])
            assert limit["bits"] < row["bare"]
            assert row["exceptions"] is None if row["way"] == "mask" else 0 <= row["exceptions"] < 0.01
        if row["way"] == "mask":
            assert 21.0 <= row["bare"] < 21.1
    parts = found["details"]["parts"]
    assert [part["weights"] for part in parts] == [1200, 40, 320, 8]
    assert [part["known"] for part in parts] == [True, True, True, False]
    for part, weight in zip(parts, state.values(), strict=True):
        size = float(weight.abs().max())
        assert part["largest"] == size
        if part["known"] and part["entropy"] is not None:  # each part's own eta
            expected = [max(0.0, part["entropy"] - math.log2(2 * eta * size)) for eta in (0.1, 0.004)]
            assert part["limits"] == pytest.approx(expected)
    whole = [sum(part["weights"] * part["limits"][i] for part in parts) / weights for i in range(2)]
    assert [row["bits"] for row in found["rows"] if row["way"] == "limit"] == pytest.approx(whole)
    assert len(files["csv"].read_text().splitlines()) == 2 + 2 * (2 + len(WAYS))
    assert files["svg"].read_bytes()[:5] == b"<?xml"
    assert bits.main(argv) == 0
    text = capsys.readouterr().out
    assert "1568 weights in 4 parts" in text
    assert "seed 3" in text
    assert "the entropy of 8 weights in small parts is not estimated" in text
    assert "as published: SeedLM, 3 to 4 bits" in text
    assert bits.main([*small, "--codes", "pool", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_scores_are_those_of_the_decoded_weights(capsys: pytest.CaptureFixture) -> None:
    from nets.targets.digits import digits_split, from_digits

    assert bits.main(["digits", "--eta", "0.9", "0.3", "--codes", "pool", "--seed", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["params"]["score"] == "accuracy on digits"
    data, target = digits_split(), from_digits()
    x = data.x_test.double()
    for row in found["rows"]:
        if row["way"] in ("target", "quantiser"):
            h = x
            for place, weight in enumerate(target.weights):
                w = weight.double()
                if row["eta"] is not None:
                    step = 2 * row["eta"] * float(w.abs().max()) * (1 - 2.0**-24)
                    w = step * torch.round(w / step)
                h = (torch.relu(h) if place else h) @ w.T
            assert row["score"] == float((h.argmax(1) == data.y_test).double().mean())
    scores = {(row["eta"], row["way"]): row["score"] for row in found["rows"]}
    assert scores[0.9, "quantiser"] < 0.5 < scores[None, "target"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--eta", "0"], "eta must be in [1e-6, 1), got 0"),
        (["--eta", "1"], "eta must be in [1e-6, 1), got 1"),
        (["--eta", "nan"], "eta must be in [1e-6, 1), got nan"),
        (["--eta", *(f"0.{i}" for i in range(10, 30))], "--eta takes up to 12 values, got 20"),
        (["--codes", "best"], "codes must be of draw, block, pool, rank, mask, got best"),
        (["--d", "9"], "d must be"),
        (["--max-time", "1ms"], "takes a time > 0"),
        (["--codes", "mask", "--max-time", "0.001"], "more than --max-time"),
        (["--data", "mnist"], "--data takes digits, or mnist with --data-dir DIR, got mnist"),
        (["--data", "digits"], "has 64 pixels, the target takes 30 numbers"),
        (["--plot", "x.gif"], "--plot takes a .png, .pdf or .svg file"),
        (["--csv", "no/such/x.csv"], "does not exist"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], says: str, small: list[str], capsys: pytest.CaptureFixture) -> None:
    assert bits.main([*small, *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert says in err
    assert len(err.splitlines()) == 1


def test_other_targets(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for argv, says in (
        ([str(tmp_path / "none.onnx")], "none.onnx: no such file"),
        (["crepe-tiny", "--data", "digits"], "crepe-tiny has a job of its own"),
    ):
        assert bits.main(argv) == 2
        err = capsys.readouterr().err
        assert says in err
        assert len(err.splitlines()) == 1
