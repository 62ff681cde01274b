"""``nets.main_theorem --arch attention``: trials against plain loops, the promise, a control, and the command."""

import itertools
import json
import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")

import torch

from nets import main_theorem as command
from nets.construction.attention_trials import AttentionTrials, error_bracket
from nets.construction.networks import Networks
from nets.construction.shift_and_pick import shift_and_pick
from nets.targets.attentions import AttentionMaps, random_attention
from theory.attention import AttentionTheorem

SMALL = AttentionTheorem(widths=(3, 3, 2), heads=2, radius=1.5, eps=0.6, R=60, construction="picks")


def run(capsys: pytest.CaptureFixture, *argv: str) -> list[dict]:
    assert command.main(["--arch", "attention", *argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def loops(maps: AttentionMaps, tokens: np.ndarray) -> np.ndarray:
    """Every number of the outputs by itself."""
    made = np.zeros((len(tokens), maps.values.shape[2]))
    for i, (scores, values) in itertools.product(range(len(tokens)), zip(maps.scores, maps.values, strict=True)):
        powers = [math.exp(float(tokens[i] @ scores.numpy() @ y)) for y in tokens]
        for power, y in zip(powers, tokens, strict=True):
            made[i] += power / sum(powers) * (y @ values.numpy())
    return made


def test_targets_and_outputs() -> None:
    for norm in ("spectral", "frobenius"):
        made = random_attention(AttentionTheorem(widths=(4, 4, 3), heads=2, head_size=2, norm=norm), seed=3)
        for one in (*made.scores, *made.values):
            assert np.linalg.matrix_rank(one.numpy()) == 2
            assert np.linalg.norm(one.numpy(), 2 if norm == "spectral" else None) == pytest.approx(1, rel=1e-12)
        tokens = np.random.default_rng(1).standard_normal((5, 4))
        found = made.outputs(torch.from_numpy(tokens)[None])[0].numpy()
        assert found == pytest.approx(loops(made, tokens), rel=1e-12, abs=1e-12)


def test_brackets_hold_what_loops_find() -> None:
    rng = np.random.default_rng(5)
    for seed in range(4):
        target = random_attention(SMALL, seed=seed)
        noise = (torch.from_numpy(0.1 * rng.standard_normal(one.shape)) for one in (target.scores, target.values))
        pruned = AttentionMaps(*(a + b for a, b in zip((target.scores, target.values), noise, strict=True)))
        low, high = error_bracket(target, pruned, 1.5)
        assert 0 < 0.2 * high < low < high
        for count in (1, 2, 6):
            tokens = rng.standard_normal((count, 3))
            tokens *= 1.5 / np.linalg.norm(tokens, axis=1, keepdims=True)
            assert np.linalg.norm(loops(target, tokens) - loops(pruned, tokens), axis=1).max() <= high
    assert error_bracket(target, target, 1.5) == (0.0, 0.0)


def test_entries_are_sums_of_what_neurons_offer() -> None:
    """Sums of one product a neuron at most, and never farther than the best single one."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        n, R, w = int(rng.integers(1, 4)), int(rng.integers(1, 4)), float(rng.uniform(-1, 1))
        b, a = rng.uniform(-1, 1, (n, R)), rng.uniform(-1, 1, (1, n, R))
        values = a[0] * b[np.arange(n), np.abs(b).argmax(1)][:, None]
        found = float(shift_and_pick(b, a, np.array([w]))[0])
        sums = {sum(one) for one in itertools.product(*([0.0, *row] for row in values.tolist()))}
        assert min(abs(found - one) for one in sums) < 1e-12
        assert abs(found - w) <= abs(values - w).min() + 1e-12


def test_the_promise_and_a_control(capsys: pytest.CaptureFixture) -> None:
    options = ("--widths", "3", "3", "2", "--heads", "2", "--eps", "0.6", "--radius", "1.5", "--R", "60", "--seed", "1")
    (row,) = run(capsys, *options, "--trials", "12")
    assert row["n"] == list(SMALL.required_counts(0.1))
    assert row["certified"] == 12
    assert row["verdict"] == "consistent"
    assert (row["arch"], row["heads"], row["radius"]) == ("attention", 2, 1.5)
    assert row["width_factor"] == max(row["n"]) * 3 / 2
    few = ("--widths", "3", "3", "2", "--heads", "2", "--eps", "0.1", "--R", "1", "--n", "1", "--seed", "1")
    (row,) = run(capsys, *few, "--trials", "5")
    assert row["refuted"] == 5
    assert row["verdict"] is None


def test_subset_sums_come_nearer() -> None:
    asked = AttentionTheorem(widths=(2, 2, 2), eps=0.3, R=2, construction="subset-sum")
    errors = {
        way: AttentionTrials(asked, (9, 9), Networks(1, way, "draws", "cpu"), 7, 1).judged(0, 2)[0][1].max()
        for way in ("subset-sum", "window")
    }
    assert errors["subset-sum"] < 0.5 * errors["window"]


def test_manners(capsys: pytest.CaptureFixture) -> None:
    for argv, text in (
        (["--arch", "attention", "--widths", "4", "8", "3"], "widths must be d, d, out"),
        (["--heads", "2"], "heads needs arch attention"),
        (["--arch", "attention", "--kernel", "2", "--widths", "2", "2", "2"], "kernel needs arch conv"),
        (["--arch", "attention", "--widths", "2", "2", "2", "--construction", "best"], "construction must be one of"),
    ):
        assert command.main([*argv, "--trials", "1"]) == 2
        assert text in " ".join(capsys.readouterr().err.split())
