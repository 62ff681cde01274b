"""FedPM against a NumPy twin, the code of uploaded masks, and the command on the digits."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets import federated as command
from nets.search import find_tickets
from nets.search.draws import MASKS
from nets.search.federated import Federation, decode_mask, encode_mask, posterior
from sims.solver.philox import uniforms


def logistic(s):
    return 1 / (1 + np.exp(-s))


def by_hand(weight, scores, clients, seed, stream, rounds, lr, prior):
    """One step of Adam for each client and round on the cross-entropy of a linear layer, then the server's mode."""
    drawn = 0

    def noise():
        nonlocal drawn
        drawn += 1
        uniform = uniforms(seed, 0, weight.size, drawn + 1, stream=stream)[:, drawn]
        return (1 - uniform.reshape(weight.shape)) / 2 - 2.0**-53

    for _ in range(rounds):
        uploads = []
        for x, y in clients:
            p = logistic(scores)
            logits = x @ (weight * (noise() < p)).T
            chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            chance[np.arange(len(y)), y] -= 1
            slope = (chance.T @ x / len(y)) * weight * p * (1 - p)
            own = scores - lr * slope / (np.abs(slope) + 1e-8)  # bias-corrected first step
            uploads.append(noise() < logistic(own))
        alpha = prior + sum(np.where(mask, 0.99, 0.01) for mask in uploads)
        beta = prior + sum(np.where(mask, 0.01, 0.99) for mask in uploads)
        mode = (alpha - 1) / (alpha + beta - 2)
        scores = np.log(mode / (1 - mode))
        yield scores, uploads


@pytest.mark.parametrize("prior", [1.0, 2.5])
def test_rounds_equal_the_numpy_twin(prior):
    rng = np.random.default_rng(2)
    model = nn.Sequential(nn.Linear(9, 4, bias=False)).double()
    search = find_tickets(model, method="bernoulli", seed=5, init="kaiming-normal", first_probabilities="normal")
    (layer,) = search.layers.values()
    clients = [(rng.standard_normal((6, 9)), rng.integers(0, 4, 6)) for _ in range(3)]
    twin = by_hand(
        layer.frozen.numpy(), layer.scores.detach().numpy().copy(), clients, 5, MASKS + layer.index, 4, 0.7, prior
    )
    given_ = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in clients]
    federation = Federation(search, given_, epochs=1, batch=6, lr=0.7, prior=prior)
    for found, (scores, uploads) in zip(federation.run(4), twin, strict=True):
        assert np.allclose(layer.scores.detach().numpy(), scores, rtol=1e-9, atol=1e-12)
        shares = [mask.mean() for mask in uploads]
        assert found.density == pytest.approx(np.mean(shares))
        entropy = [-sum(q * math.log2(q) for q in (p, 1 - p) if q) for p in shares]
        assert found.entropy_bits == pytest.approx(np.mean(entropy) + math.log2(36) / 36)
    assert federation.rounds == 4


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**32))
def test_masks_come_back_from_their_code(rows, columns, seed):
    rng = np.random.default_rng(seed)
    p = torch.from_numpy(rng.random((rows, columns))).float()
    mask = torch.from_numpy(rng.random((rows, columns)) < rng.random())
    assert torch.equal(decode_mask(encode_mask(mask, p), p), mask)


def test_the_code_knows_the_probabilities():
    """Bits drawn by the probabilities cost little more than their entropy, whatever the share of ones is."""
    rng = np.random.default_rng(1)
    p = rng.choice([0.01, 0.99, 0.1, 0.9, 0.5], (200, 250))
    mask = torch.from_numpy(rng.random(p.shape) < p)
    entropy = float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())
    bits = 32 * len(encode_mask(mask, torch.from_numpy(p)))
    assert 0.97 * entropy < bits < 1.08 * entropy
    assert bits < 0.5 * p.size


def test_the_bits_are_those_of_the_uploads(monkeypatch):
    from nets.search import federated

    sent = []

    def spy(mask, probability):
        sent.append(encode_mask(mask, probability))
        return sent[-1]

    monkeypatch.setattr(federated, "encode_mask", spy)
    search = find_tickets(nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 4)), method="bernoulli", seed=1)
    clients = [(torch.ones(2, 30), torch.tensor([0, 1]))] * 3
    (found,) = Federation(search, clients, epochs=1).run(1)
    assert len(sent) == 6
    assert found.coded_bits == pytest.approx(sum(words.nbytes for words in sent) * 8 / 3 / 680)


def test_posterior_of_nobody_is_the_prior():
    bits = torch.tensor([True, False])
    assert posterior([{"a": bits}])["a"].tolist() == pytest.approx([0.99, 0.01])
    assert posterior([{"a": bits}], prior=101)["a"].tolist() == pytest.approx([100.99 / 201, 100.01 / 201])


def test_bad_arguments():
    clients = [(torch.ones(2, 3), torch.tensor([0, 1]))]
    search = find_tickets(nn.Linear(3, 2), method="bernoulli")
    for federation, message in (
        (lambda: Federation(find_tickets(nn.Linear(3, 2)), clients), "by the method bernoulli, got edge-popup"),
        (lambda: Federation(search, []), "clients must be one at least"),
        (lambda: Federation(search, clients, prior=0.5), "prior must be a number >= 1, got prior=0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            federation()
    normed = find_tickets(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), method="bernoulli")
    with pytest.raises(ValueError, match=r"must have no running statistics, which no mask sends, got 1\.running_mean"):
        Federation(normed, clients)


TINY = ["--width", "0.3", "--clients", "4", "--seed", "3", "--rounds"]


def test_the_command_on_the_digits(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "rounds.csv"
    assert command.main([*TINY, "6", "--json", "--csv", str(path)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/nets.federated/1"
    rows = content["rows"]
    assert [row["round"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["test_accuracy"] > 0.4 > rows[0]["test_accuracy"] - 0.2
    assert rows[-1]["coded_bits"] < rows[0]["coded_bits"] < 1
    assert rows[-1]["coded_bits"] < 0.85 * rows[-1]["entropy_bits"]
    (summary,) = content["summary"]
    assert summary["bits_all_rounds"] == pytest.approx(sum(row["coded_bits"] for row in rows))
    with path.open() as file:
        assert [float(row["test_accuracy"]) for row in csv.DictReader(file)] == [row["test_accuracy"] for row in rows]
    assert command.main([*TINY, "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"round   1: test accuracy {100 * rows[0]['test_accuracy']:6.2f} %")
    assert "seed 3: 8760 weights" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--clients", "0"], "--clients"),
        (["--clients", "5000"], "--clients must be at most 1437, the number of images, got 5000"),
        (["--density", "1"], r"--density must be a number in (0, 1), got 1"),
        (["--prior", "0.5"], "--prior must be a number in [1, 1e+06), got 0.5"),
        (["--arch", "resnet18"], "--arch"),
    ],
)
def test_bad_flags(flags: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert command.main(flags) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["--rounds", "1e6"], "more than --max-time"), (["--epochs", "1e6"], "more than --max-time"),
     (["--width", "1e5"], "of memory"), (["--clients", "1000", "--width", "200"], "of memory")],
)  # fmt: skip
def test_what_takes_too_much_is_refused(argv: list[str], says: str, refused: Callable) -> None:
    refused(command.main, [*argv, "--max-time", "9s"], says)
