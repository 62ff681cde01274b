"""The approximate command, its value sets, and the MNIST target: against slow twins and by direct forward passes."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from nets import approximate
from nets.construction import subset_sum as _subset_sum
from nets.construction import value_sets
from nets.construction.prune_approx import prune
from nets.construction.source import Source
from nets.construction.value_sets import ValueSets
from nets.targets import load_target
from nets.targets.files import digits_split, from_digits
from nets.targets.target import with_biases
from nets.tickets import approximate as approximate_target
from nets.tickets import load_ticket
from sims.solver import best_subsets
from sims.solver.best_on_grid import GridBest, shared_on_grid
from sims.threads import ordered
from tests import naive

FIELDS = ("weights", "n", "eta", "within_eta", "max_weight_error", "kept", "kept_per_weight", "seconds", "error")
FIELDS += ("accuracy", "bits_per_weight")


def run_json(argv: list[str], capsys: pytest.CaptureFixture, code: int = 0) -> dict:
    assert approximate.main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def save(path: Path, *weights: torch.Tensor) -> str:
    torch.save({f"{i}.weight": weight for i, weight in enumerate(weights)}, path)
    return str(path)


@pytest.fixture
def small(tmp_path: Path) -> str:
    generator = torch.Generator().manual_seed(0)
    return save(tmp_path / "net.pt", *(torch.rand(s, generator=generator) - 0.5 for s in [(6, 4), (3, 6)]))


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
    draws = iter(found.draws.tolist())
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
    monkeypatch.setattr(value_sets, "_DEVICE_ROWS", 8)
    monkeypatch.setattr(value_sets, "_REBUILD_WEIGHTS", 16)
    others = [sets.solve(1, weight, jobs=3)]
    if (kind, R) == ("private", 1):
        others.append(sets.solve(1, weight, device="cpu:0"))  # the torch solver
    for other in others:
        for name in ("mask", "draws", "effective"):
            assert np.array_equal(getattr(other, name), getattr(one, name))
        again = sets.rebuild(1, weight.shape, mask=other.mask, draws=other.draws, digest=hashlib.sha256())
        assert np.array_equal(again, one.effective)


def test_threads_that_run_at_once_do_not_share_their_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_sets, "_PART_HALF_SUMS", 2**13)
    monkeypatch.setattr(_subset_sum, "_PART_HALF_SUMS", 2**13)
    weight = np.random.default_rng(1).uniform(-1, 1, (60, 50))
    for kind in ("private", "shared"):
        sets = ValueSets(kind, seed=7, n=16)
        one, many = (sets.solve(1, weight, jobs=jobs) for jobs in (1, 8))
        assert np.array_equal(one.mask, many.mask)
    source = Source((50, 60), 14, seed=3)
    one, many = (
        prune([torch.from_numpy(weight)], source, construction="subset-sum", halves="needed", jobs=jobs)
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
    with pytest.raises(ValueError, match="size must be finite"):
        ValueSets("private", 0, 1, 1, math.inf)
    with pytest.raises(ValueError, match="at most size=1"):
        ValueSets("private", 0, 3).solve(1, np.array([[1.5]]))
    with pytest.raises(ValueError, match="memory"):
        ValueSets("private", 0, 100).solve(1, np.array([[0.5]]))
    with pytest.raises(ValueError, match="memory"):
        ValueSets("shared", 0, 150).solve(1, np.array([[0.5]]))


@pytest.mark.parametrize(("n", "R"), [(9, 1), (4, 3), (1, 1)])
def test_grid_solvers_agree_with_the_public_ones(n: int, R: int) -> None:
    values = np.random.default_rng(n).integers(-(2**40), 2**40, (30, n, R))
    targets = np.random.default_rng(R).integers(-(2**41), 2**41, 30)
    wanted = best_subsets((values[:, :, 0] if R == 1 else values).astype(float), targets.astype(float))
    errors, choices = GridBest(n, R).solve(values, targets)
    assert np.array_equal(errors, wanted.error)
    assert np.array_equal(choices == 0 if R == 1 else choices, wanted.choice)
    errors, choices = shared_on_grid(values[0], targets)
    table = [[float(v) for v in row] for row in values[0]]
    for error, choice, target in zip(errors, choices, targets, strict=True):
        assert error == naive.best_error(table, float(target))
        assert abs(naive.choice_sum(table, choice) - int(target)) == error


@pytest.mark.parametrize("source", ["layered", "private", "shared"])
def test_the_result_has_all_fields_and_adds_up(
    source: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, table = tmp_path / "t.safetensors", tmp_path / "t.csv"
    argv = [
        small,
        "--source",
        source,
        "--n",
        "9",
        "--eta",
        "0.02",
        "--seed",
        "5",
        "--out",
        str(out),
        "--csv",
        str(table),
    ]
    found = run_json([*argv, "--domain", "linf"], capsys)
    assert found["schema"] == "strong-tickets/nets.approximate/1"
    assert found["params"]["seed"] == 5
    assert {name: found[name] for name in FIELDS} == {name: found["summary"][0][name] for name in FIELDS}
    assert set(found["seconds"]) == {"load", "solve", "certify", "total"}
    assert (found["weights"], found["n"], found["eta"]) == (42, 9, 0.02)
    assert found["accuracy"] == {"target": None, "pruned": None}
    assert found["bits_per_weight"] == 8 * out.stat().st_size / 42
    assert found["kept_per_weight"] == found["kept"] / 42
    assert list(found["rows"][0]) == ["layer", "shape", "weights", "within_eta", "max_weight_error", "kept"]
    assert [row["shape"] for row in found["rows"]] == [[6, 4], [3, 6]]
    for name in ("weights", "within_eta", "kept"):
        assert sum(row[name] for row in found["rows"]) == found[name]
    assert max(row["max_weight_error"] for row in found["rows"]) == found["max_weight_error"]
    error = found["error"]
    assert 0 < error["lower"] <= error["upper"]
    assert error["domain"] == "linf"
    assert len(list(csv.reader(table.read_text().splitlines()))) == 3
    again = run_json([*argv, "--domain", "linf", "--jobs", "1"], capsys)
    assert again["rows"] == found["rows"]
    assert approximate.main(argv) == 0
    text = capsys.readouterr().out
    assert "42 weights" in text
    assert "seed 5" in text
    assert approximate.main([*argv, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("flags", [["--source", "shared"], ["--source", "layered"]])
def test_unreachable_weights_are_counted_and_fail_the_check(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    weight = torch.linspace(-1, 1, 40).reshape(10, 4)
    argv = [save(tmp_path / "net.pt", weight), *flags, "--n", "1", "--eta", "1e-3", "--seed", "3"]
    found = run_json(argv, capsys)
    made = load_ticket_of(argv, tmp_path)
    worst = torch.stack([(half - weight.double()).abs() for half in made.effective[0]]).amax(0)
    assert found["within_eta"] == int((worst <= 1e-3).sum()) < 40
    assert found["max_weight_error"] == float(worst.max())
    first = found["missed"][0]
    assert first["error"] == found["max_weight_error"]
    assert first["weight"] == weight[first["row"], first["column"]].item()
    assert len(found["missed"]) == 10
    assert all(one["error"] == float(worst[one["row"], one["column"]]) > 1e-3 for one in found["missed"])
    largest = worst.flatten().sort(descending=True).values.tolist()
    gap = next(k for k in range(2, 10) if largest[k - 1] > largest[k])
    few = run_json([*argv[:-4], "--eta", repr((largest[gap - 1] + largest[gap]) / 2), "--seed", "3"], capsys)
    assert [one["error"] for one in few["missed"]] == largest[:gap]
    assert few["within_eta"] == 40 - gap
    assert approximate.main([*argv, "--check"]) == 1
    assert f"{40 - found['within_eta']} of 40 weights miss eta=0.001" in capsys.readouterr().out
    assert approximate.main([*argv[:-4], "--eta", "2", "--seed", "3", "--check", "--quiet"]) == 0


def load_ticket_of(argv: list[str], folder: Path) -> object:
    out = str(folder / "made.safetensors")
    assert approximate.main([*argv, "--quiet", "--out", out]) == 0
    return load_ticket(out)


@pytest.mark.parametrize("construction", ["subset-sum", "best", "window"])
def test_large_weights_are_scaled_by_powers_of_two(
    construction: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    weights = torch.tensor([[2.5, -0.75], [0.5, 1.0]]), torch.tensor([[1.0, -0.25]])
    flags = (
        ["--n", "12"] if construction == "subset-sum" else ["--n", "1000", "--construction", construction, "--R", "20"]
    )
    net = save(tmp_path / "net.pt", *weights)
    argv = [net, "--source", "layered", "--seed", "1", *flags, "--eta", "0.1"]
    found = run_json([*argv, "--check"], capsys)
    assert found["scale"] == [4.0, 1.0]
    made = load_ticket_of(argv, tmp_path)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(4.0 * made.pruned(x), made(x), rtol=0, atol=1e-12)
    for (plus, minus), weight in zip(made.effective, weights, strict=True):
        assert float((plus - weight).abs().max()) <= 0.1
        assert minus is not None


def test_accuracies_are_those_of_a_direct_forward_pass(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "t.safetensors"
    found = run_json(["digits", "--n", "8", "--seed", "2", "--eta", "0.01", "--out", str(out)], capsys)
    assert found["params"]["eval"] == "digits"
    data, target = digits_split(), from_digits()
    made = load_ticket(out, target=target)
    networks = {"target": target(data.x_test), "pruned": made.pruned(data.x_test)}
    for name, outputs in networks.items():
        assert found["accuracy"][name] == float((outputs.argmax(-1) == data.y_test).double().mean())
    assert found["accuracy"]["target"] > 0.9
    assert found["accuracy"]["pruned"] != found["accuracy"]["target"]
    scaled = sum(made.pruned.within([0.01 / c for c in made.ticket.scale]))
    assert scaled >= found["within_eta"]  # counted per half there


def test_a_bias_becomes_a_constant_coordinate(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    generator = torch.Generator().manual_seed(1)
    state = {"0.weight": (4, 64), "0.bias": (4,), "1.weight": (10, 4), "1.bias": (10,)}
    tensors = {name: torch.rand(shape, generator=generator) - 0.5 for name, shape in state.items()}
    torch.save(tensors, tmp_path / "net.pt")
    argv = [str(tmp_path / "net.pt"), "--source", "shared", "--n", "16", "--seed", "1", "--eta", "0.01"]
    found = run_json([*argv, "--check", "--eval", "digits"], capsys)
    assert found["weights"] == 5 * 65 + 10 * 5
    data = digits_split()
    made = load_ticket_of(argv, tmp_path)
    assert made.ticket.has_bias
    first, second = (tensors[f"{i}.weight"].double() for i in range(2))
    outputs = torch.relu(data.x_test @ first.T + tensors["0.bias"]) @ second.T + tensors["1.bias"]
    target = with_biases([first, second], [tensors["0.bias"], tensors["1.bias"]])
    assert float((made(target.lift(data.x_test)) - outputs).abs().max()) < 0.2
    assert found["accuracy"]["target"] == float((outputs.argmax(-1) == data.y_test).double().mean())


BAD = [
    (["--n", "0"], "n must be"), (["--n", "two"], "--n takes an integer"), (["--eta", "0"], "eta must be"),
    (["--eta", "nan"], "eta must be"), (["--R", "0"], "R must be"), (["--seed", "-1"], "seed must be"),
    (["--out", "x.zip"], "--out takes"), (["--out", "/nowhere/x.safetensors"], "does not exist"),
    (["--data", "cifar"], "--data takes"), (["--data", "mnist", "--data-dir", "/nowhere"], "no such file"),
    (["--data", "digits"], "pixels"),
    (["--construction", "window", "--source", "shared"], "needs source layered"), (["--source", "deep"], "--help"),
    (["--construction", "window", "--eta", "2"], "at most 1"), (["--n", "1e9"], "memory"), (["--jobs", "0"], "jobs"),
    (["--source", "private", "--n", "1e5", "--R", "1e6"], "at most 2^33"), (["--n", "3", "--n", "4"], "more than once"),
    (["--source", "private", "--n", "90"], "memory"), (["--source", "shared", "--n", "120"], "memory"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "says"), BAD)
def test_bad_command_lines_get_one_line(flags: list[str], says: str, small: str, capsys: pytest.CaptureFixture) -> None:
    assert approximate.main([small, *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_missing_target_and_wrong_labels(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert approximate.main([str(tmp_path / "none.pt")]) == 2
    assert "none.pt: no such file" in capsys.readouterr().err
    assert approximate.main([save(tmp_path / "net.pt", torch.rand(3, 64)), "--eval", "digits"]) == 2
    assert "labels up to 9, the target 3 outputs" in capsys.readouterr().err


def test_an_interrupted_run_leaves_nothing(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nets.tickets.approximation.certify", stop)
    before = sorted(tmp_path.iterdir())
    assert approximate.main([small, "--out", str(tmp_path / "t.safetensors"), "--csv", str(tmp_path / "t.csv")]) == 130
    assert sorted(tmp_path.iterdir()) == before
    assert capsys.readouterr().err == "interrupted\n"


def test_the_call_and_the_command_make_the_same_ticket(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = approximate_target(load_target("digits"), n=12, eta=0.05, seed=3)
    path = tmp_path / "call.safetensors"
    size = found.save(path)
    assert path.stat().st_size == size
    argv = ["digits", "--n", "12", "--eta", "0.05", "--seed", "3", "--out", str(tmp_path / "command.safetensors")]
    assert approximate.main([*argv, "--quiet"]) == 0
    assert path.read_bytes() == (tmp_path / "command.safetensors").read_bytes()
    x = found.target.lift(torch.rand(5, 64, dtype=torch.float64))
    assert torch.equal(load_ticket(path)(x), found(x))
    assert repr(found).startswith("<Approximation of ")
    assert "\n" not in repr(found)
    assert "\n" not in repr(load_ticket(path))


def test_the_old_name_of_the_images_flag_still_works(small: str, capsys: pytest.CaptureFixture) -> None:
    assert approximate.main([small, "--eval", "digits"]) == 2
    assert capsys.readouterr().err.startswith("note: --eval is now called --data\nerror: --data digits has 64 pixels")
