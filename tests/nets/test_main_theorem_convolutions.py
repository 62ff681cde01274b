"""``nets.main_theorem --arch conv``: the promise by hand, its trials against plain loops, and the command."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")


import torch

from nets import main_theorem as command
from nets.construction.convolution_trials import ConvolutionTrials
from nets.construction.gadget import Gadget, effective, solve
from nets.construction.networks import Networks
from nets.construction.source import trial_seeds
from nets.graph.module import GraphModule
from nets.targets.convolutions import random_convolutions
from sims.run import run as simulate
from sims.statistics.result import Result
from tests.stats import assert_at_least
from theory.network import (
    ConvolutionTheorem,
    MainTheorem,
    convolution_etas,
    convolution_log_failure_bound,
    convolution_required_n,
)

WIDE = ["--arch", "conv", "--widths", "1", "2", "1", "--side", "4", "--seed", "5"]
SMALL = [*WIDE, "--kernel", "2"]


def run(capsys: pytest.CaptureFixture, *argv: str) -> list[dict]:
    assert command.main([*argv, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)["rows"]


def without_seconds(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def matrix(kernel: np.ndarray, side: int) -> np.ndarray:
    """The convolution as a matrix from all inputs to all outputs, entry by entry."""
    outs, ins, k, _ = kernel.shape
    begin = (k - 1) // 2
    found = np.zeros((outs, side, side, ins, side, side))
    for o, c, i, j in itertools.product(range(outs), range(ins), range(k), range(k)):
        for p, q in itertools.product(range(side), repeat=2):
            a, b = p + i - begin, q + j - begin
            if 0 <= a < side and 0 <= b < side:
                found[o, p, q, c, a, b] = kernel[o, c, i, j]
    return found.reshape(outs * side**2, ins * side**2)


def test_the_promise_by_hand() -> None:
    """One convolution 2 x 2 from 1 to 1 channel, then 3 layers with every sum written out."""
    assert convolution_etas([1, 1], 1.0, kernel=2) == pytest.approx([math.log(2) / 4], rel=1e-13)
    widths, eps, kernel, R, delta = [2, 3, 5, 1], 0.3, 3, 700, 0.05
    pairs = list(itertools.pairwise(widths))
    etas = [math.log(1.3) / (3 * 9 * math.sqrt(a * b)) for a, b in pairs]
    assert convolution_etas(widths, eps, kernel=kernel) == pytest.approx(etas, rel=1e-13)

    def total(n: tuple[int, ...]) -> float:
        q = [1 - (1 - eta / 4) ** R for eta in etas]
        return sum(2 * 9 * a * b * (1 - x * x) ** m for (a, b), x, m in zip(pairs, q, n, strict=True))

    n = convolution_required_n(widths, eps, delta=delta, kernel=kernel, R=R)
    assert total(n) <= delta
    assert convolution_log_failure_bound(widths, eps, kernel=kernel, R=R, n=n) == pytest.approx(math.log(total(n)))
    for i in range(3):
        assert total((*n[:i], n[i] - 1, *n[i + 1 :])) > delta
    asked = ConvolutionTheorem(widths=tuple(widths), eps=eps, R=R, kernel=kernel)
    assert asked.required_counts(delta) == asked.source_width(delta).n == n
    assert asked.success_lower(n) == pytest.approx(1 - total(n))
    source = asked.source_width(delta)
    weights = sum(2 * a * m * a + 9 * 2 * a * m * b for (a, b), m in zip(pairs, n, strict=True))
    assert source.param_factor == pytest.approx(weights / (9 * sum(a * b for a, b in pairs)))
    assert source.failure_bound == pytest.approx(total(n))


def test_one_tap_is_the_dense_theorem() -> None:
    dense, one = MainTheorem(R=50), ConvolutionTheorem(R=50, kernel=1, side=1)
    assert one.required_counts(0.1) == dense.required_counts(0.1)


@pytest.mark.parametrize("kernel", [2, 3])
def test_small_errors_of_the_weights_are_small_errors_of_a_layer(kernel: int) -> None:
    """The layer's step of the proof, on worst signs: entries of the size eta, halves independent."""
    random, side, ins, outs, eta = np.random.default_rng(1), 4, 2, 3, 0.01
    largest = 0.0
    for trial in range(20):
        shape = (2, outs, ins, kernel, kernel)
        signs = random.choice([-1, 1], shape) if trial else np.ones(shape)
        plus, minus = (matrix(eta * one, side) for one in signs)
        x = random.standard_normal(ins * side**2) if trial else np.ones(ins * side**2)
        error = np.linalg.norm(plus @ np.maximum(x, 0) - minus @ np.maximum(-x, 0)) / np.linalg.norm(x)
        largest = max(largest, error / (kernel**2 * math.sqrt(ins * outs) * eta))
    assert 0.5 < largest <= 1


@pytest.mark.parametrize("norm", ["frobenius", "spectral"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_targets_keep_the_assumption(norm: str, kernel: int) -> None:
    """Operator norms by singular values of the whole matrix."""
    asked = ConvolutionTheorem(widths=(2, 3, 1), kernel=kernel, side=4, norm=norm)
    graph = random_convolutions(asked, seed=3)
    x = np.random.default_rng(0).standard_normal(32)
    first, second = (matrix(graph.constants[f"layer{i}.weight"], 4) for i in (1, 2))
    out = GraphModule(graph, dtype=torch.float64)(input=torch.from_numpy(x.reshape(1, 2, 4, 4)))
    assert out.numpy().reshape(-1) == pytest.approx(second @ np.maximum(first @ x, 0), abs=1e-13)
    for i in (1, 2):
        weight = graph.constants[f"layer{i}.weight"]
        whole = np.linalg.norm(matrix(weight, 4), 2)
        if norm == "spectral":
            assert 0.6 < whole <= 1
        else:
            assert whole <= 1
            assert kernel * np.linalg.norm(weight) == pytest.approx(1, abs=1e-12)
            assert kernel * np.linalg.norm(weight) <= 1 + 1e-15


@pytest.mark.parametrize("construction", ["window", "best", "halves", "thirds"])
def test_the_source_is_the_gadget(construction: str) -> None:
    asked = ConvolutionTheorem(widths=(2, 3, 1), eps=0.5, R=3, kernel=2, side=4)
    trials = ConvolutionTrials(asked, (5, 4), Networks(2, construction, "draws", "cpu"), 7, 1)
    found, graph, seed = trials.pruned(3), trials.target(3), int(trial_seeds(7, 3, trials=1)[0])
    for i, (rows, cols, n) in enumerate([(12, 2, 5), (4, 3, 4)]):
        weight = graph.constants[f"layer{i + 1}.weight"]
        view = weight.transpose(0, 2, 3, 1).reshape(1, rows, cols)
        gadget = Gadget(i, 1, rows, cols, n=n, R=3, seed=seed, halves=2 - i)
        eta = convolution_etas(asked.widths, 0.5, kernel=2)[i] if construction == "window" else None
        halves = effective(gadget, solve(gadget, view, construction=construction, eta=eta))
        for mine, theirs in zip(found[f"layer{i + 1}.weight"], halves, strict=True):
            assert (mine.transpose(0, 2, 3, 1).reshape(1, rows, cols) == theirs).all()


@pytest.mark.parametrize("sampler", ["nearest", "draws"])
@pytest.mark.parametrize("norm", ["frobenius", "spectral"])
def test_hits_are_within_eta_and_certified(sampler: str, norm: str) -> None:
    """Every weight within its eta, the certificate at most eps, and plain loops at a thousand inputs below it."""
    asked = ConvolutionTheorem(widths=(1, 2, 1), eps=0.3, R=200, kernel=2, side=4, norm=norm)
    trials = ConvolutionTrials(asked, asked.required_counts(1e-6), Networks(3, "window", sampler, "cpu"), 2, 1)
    errors, shown = trials.judged(1, 4)
    assert shown.tolist() == [1] * 4
    x = np.random.default_rng(0).standard_normal((1000, 16))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for t in range(4):
        target, found = trials.target(1 + t), trials.pruned(1 + t)
        f = g = x.T
        for i, eta in enumerate(convolution_etas(asked.widths, 0.3, kernel=2), 1):
            weight, (plus, minus) = target.constants[f"layer{i}.weight"], found[f"layer{i}.weight"]
            assert max(abs(plus - weight).max(), abs(minus - weight).max()) <= eta
            f = matrix(weight, 4) @ (f if i == 1 else np.maximum(f, 0))
            g = np.maximum(g, 0) if i > 1 else g
            g = matrix(plus, 4) @ np.maximum(g, 0) - matrix(minus, 4) @ np.maximum(-g, 0)
        assert 0 < np.linalg.norm(f - g, axis=0).max() <= errors[1, t] <= 0.3
        assert 0 < errors[0, t] <= errors[1, t]


@pytest.mark.parametrize("kernel", ["2", "3"])
def test_our_statement_holds(capsys: pytest.CaptureFixture, kernel: str) -> None:
    argv = [*WIDE, "--kernel", kernel, "--eps", "0.3", "--delta", "0.2", "--R", "100", "--trials", "30", "--check"]
    (row,) = run(capsys, *argv)
    assert (row["arch"], row["kernel"], row["side"], row["verdict"]) == ("conv", int(kernel), 4, "consistent")
    assert_at_least(row["certified"], 30, 0.8)
    assert tuple(row["n"]) == convolution_required_n([1, 2, 1], 0.3, delta=0.2, kernel=int(kernel), R=100)
    asked = ConvolutionTheorem(widths=(1, 2, 1), eps=0.3, R=100, kernel=int(kernel), side=4)
    assert row["param_factor"] == pytest.approx(asked.source_width(0.2).param_factor)
    assert row["width_factor"] == 2 * max(row["n"])


def test_far_too_little_fails(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control that must fail: one candidate and one draw; as a promise it is refuted."""
    short = [*SMALL, "--eps", "0.05", "--R", "1", "--trials", "12"]
    (row,) = run(capsys, *short, "--n", "1")
    assert (row["certified"], row["verdict"]) == (0, None)
    assert row["refuted"] >= 6
    assert row["error_lower_max"] > 0.05
    monkeypatch.setattr(ConvolutionTheorem, "required_counts", lambda self, delta: (1, 1))
    assert command.main([*short, "--check"]) == 1
    assert "refuted" in capsys.readouterr().out


def test_subset_sums_need_few_neurons(capsys: pytest.CaptureFixture) -> None:
    argv = ["--eps", "0.3", "--R", "1", "--trials", "4", "--construction", "subset-sum"]
    (row,) = run(capsys, *SMALL, *argv, "--n", "12")
    assert row["certified"] == 4


def test_counts_do_not_depend_on_threads_or_parts(capsys: pytest.CaptureFixture) -> None:
    argv = [*SMALL, "--eps", "0.05", "--R", "20", "--n", "3"]
    whole = run(capsys, *argv, "--trials", "6", "--jobs", "1")
    assert without_seconds(run(capsys, *argv, "--trials", "6", "--jobs", "3")) == without_seconds(whole)
    parts = [run(capsys, *argv, "--trials", "3", "--first-trial", first)[0] for first in ("0", "3")]
    for key in ("certified", "refuted", "undecided"):
        assert sum(part[key] for part in parts) == whole[0][key]
    assert max(part["error_upper_max"] for part in parts) == whole[0]["error_upper_max"]


def test_a_question_is_simulated_and_read_again(tmp_path: Path) -> None:
    question = ConvolutionTheorem(widths=(1, 1), eps=0.5, R=1000, kernel=2, side=3)
    result = simulate(question, trials=3, seed=1)
    assert result.params["arch"] == "conv"
    assert Result.from_dict(json.loads(result.to_json())) == result
    result.plot(tmp_path / "a.svg")
    request = command.EXPERIMENT.restored(json.loads(json.dumps(result.params)))
    assert request.questions == (question,)
    (work,) = command.EXPERIMENT.passes(request)
    assert command.EXPERIMENT.decode(json.loads(json.dumps(command.EXPERIMENT.encode(work)))) == work


def test_dense_results_name_no_architecture() -> None:
    """What older results and stores hold is what a dense run still writes."""
    result = simulate(MainTheorem(widths=(2, 2), R=1000), trials=3, seed=1)
    assert not {"arch", "kernel", "side"} & (result.params.keys() | result.rows[0].keys())
    (work,) = command.EXPERIMENT.passes(command.EXPERIMENT.restored(result.params))
    assert type(work.question) is MainTheorem
    assert list(command.EXPERIMENT.encode(work)) == (
        [
            "R",
            "eps",
            "n",
            "widths",
            "delta",
            "first_trial",
            "targets",
            "statement",
            "construction",
            "sampler",
            "norm",
            "domain",
            "device",
            "cones",
        ]
    )


def test_time_and_memory_are_predicted_by_size() -> None:
    """A small network takes some hundredths of a second a trial, a hundred times the side more of both."""
    costs = []
    for side in (6, 600):
        question = ConvolutionTheorem(widths=(8, 8), R=10**6, side=side)
        work = command.Built(question, (1,), Networks(1, "window", "nearest", "cpu"), 0.1, 0)
        costs.append((command.EXPERIMENT.cost(work), command.EXPERIMENT.memory(work)))
    assert 0.01 < costs[0][0] < 1 < costs[1][0]
    assert costs[0][1] < costs[1][1]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--kernel", "3"], "kernel needs arch conv, got kernel=3"),
        (["--side", "3"], "side needs arch conv, got side=3"),
        (["--arch", "conv", "--kernel", "7"], "kernel must be at most side=6, got kernel=7"),
        (["--arch", "conv", "--kernel", "0"], "kernel must be an integer in [1,"),
        (["--arch", "conv", "--statement", "recalled"], "statement must be 'ours' for convolutions, got"),
        (["--arch", "conv", "--statement", "repaired"], "statement must be 'ours' for convolutions, got"),
        (["--arch", "conv", "--domain", "linf"], "domain must be 'l2' for convolutions, got domain='linf'"),
        (["--arch", "conv", "--construction", "subset-sum"], "construction subset-sum needs n"),
        (["--arch", "lstm"], "--arch"),
    ],
)
def test_bad_input(argv: list[str], message: str, refused: Callable) -> None:
    refused(command.main, argv, message)
