"""The approximate command and call: numbers that add up, networks of every kind, and errors in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from nets import approximate
from nets.certificate import Domain
from nets.graph import GraphError, GraphModule
from nets.graph.export import to_onnx
from nets.graph.graph import Graph, Input, Node
from nets.targets import from_module, load_target, random_target
from nets.targets.digits import digits_split, from_digits
from nets.tickets import approximate as approximate_network
from nets.tickets import load_ticket

FIELDS = (
    "weights",
    "exact",
    "n",
    "eta",
    "within_eta",
    "max_weight_error",
    "kept",
    "kept_per_weight",
    "seconds",
    "error",
)
FIELDS += ("accuracy", "bits_per_weight", "assumptions", "missed")
ROW = ["part", "kind", "shape", "weights", "within_eta", "max_weight_error", "kept", "gain", "halves", "relu"]


def run_json(argv: list[str], capsys: pytest.CaptureFixture, code: int = 0) -> dict:
    assert approximate.main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def save(path: Path, *weights: torch.Tensor) -> str:
    torch.save({f"{i}.weight": weight for i, weight in enumerate(weights)}, path)
    return str(path)


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    generator = torch.Generator().manual_seed(0)
    weights = (torch.rand(s, generator=generator) - 0.5 for s in [(6, 4), (3, 6)])
    return [save(tmp_path / "net.pt", *weights), "--activation", "relu"]


class Convolutional(nn.Module):
    """Grouped, strided and depthwise convolutions, batch norm before and behind, a residual, pooling, a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6)
        self.wide = nn.Conv2d(6, 6, 1, groups=2, bias=False)
        self.behind = nn.BatchNorm2d(6)
        self.last = nn.Linear(6 * 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = x + nn.functional.leaky_relu(self.wide(nn.functional.relu6(self.deep(x))), 0.1)
        x = self.behind(nn.functional.gelu(x))
        return self.last(nn.functional.max_pool2d(x, 2).flatten(1))


class Attention(nn.Module):
    """A block of a transformer on embedded tokens, with its mean read out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return torch.sigmoid(self.out(x).mean(1))


class Recurrent(nn.Module):
    """Convolution in one dimension, its transpose, a recurrent layer, a dense one."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 4, 3, padding=1)
        self.up = nn.ConvTranspose1d(4, 4, 2, stride=2, groups=2)
        self.memory = nn.LSTM(4, 5, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.up(torch.relu(self.convolution(x))))
        return self.out(self.memory(x.transpose(1, 2))[0])


def examples(module: nn.Module, count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    if isinstance(module, Attention):
        return torch.randint(0, 11, (count, 5), generator=generator)
    return torch.randn(count, *((2, 8, 8) if isinstance(module, Convolutional) else (3, 7)), generator=generator)


def built(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(3)
    module = kind()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, -1.5, 1.5)
    for name, value in module.named_parameters():
        if "bias" in name or "norm" in name:
            nn.init.uniform_(value, -0.5, 0.5)
    return module.eval()


@pytest.mark.parametrize("source", ["layered", "shared", "private"])
@pytest.mark.parametrize("kind", [Convolutional, Attention, Recurrent])
def test_a_module_is_found_and_its_ticket_runs_on_its_inputs(
    kind: type[nn.Module], source: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    module, x = built(kind), examples(built(kind))
    graph = from_module(module, x)
    n = {"layered": 34, "shared": 18, "private": 18}[source]
    found = approximate_network(graph, x, n=n, eta=5e-3, source=source, seed=1)
    numbers = found.ticket.numbers
    trained = {name: value.numel() for name, value in module.named_parameters()}
    memory = sum(count for name, count in trained.items() if "memory" in name)
    # a batch norm goes into the convolution before it; the norm of a layer and the recurrent layer stay as they are
    apart = {Convolutional: 12, Attention: 16, Recurrent: memory}[kind]
    assert numbers["weights"] == sum(trained.values()) - apart
    assert numbers["within_eta"] == numbers["weights"]
    scalars = {Convolutional: 1, Attention: 1, Recurrent: 0}[kind]  # the 6 of ReLU6, the scale of the attention
    assert found.ticket.exact_numbers == (0 if kind is Convolutional else apart) + scalars
    path = tmp_path / "t.safetensors"
    found.save(path)
    made = load_ticket(path)
    assert isinstance(made, nn.Module)
    assert not list(made.parameters())
    with torch.no_grad():
        wanted, got = module(x), made(x)
        assert made(x[:2]).shape == wanted[:2].shape  # another batch
    assert got.dtype == wanted.dtype
    assert float((got - wanted).abs().max()) < 0.05
    measured = found.certificate.data
    assert measured is not None
    exactly = load_ticket(path, dtype=torch.float64)(x) - GraphModule(found.target, dtype=torch.float64)(x)
    assert measured.largest == pytest.approx(float(exactly.flatten(1).norm(dim=1).max()), rel=1e-9)
    assert found.certificate.lower > 0
    if kind is Convolutional:
        assert found.certificate.upper is not None
        assert measured.largest <= found.certificate.upper
    else:
        assert found.certificate.upper is None
        assert "LSTM" in found.certificate.reason or "LayerNormalization" in found.certificate.reason


def test_what_others_run_is_the_ticket(tmp_path: Path) -> None:
    module, x = built(Convolutional), examples(built(Convolutional))
    found = approximate_network(module, x, n=12, eta=0.1, seed=2)
    session = onnxruntime.InferenceSession(to_onnx(found.module.graph).SerializeToString())
    (there,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(there, found.module(x).numpy(), rtol=1e-4, atol=1e-4)
    assert float((torch.from_numpy(there) - module(x).detach()).abs().max()) > 1e-4  # it is another network


def test_the_module_is_left_as_it_was() -> None:
    module = built(Convolutional).train()
    module.norm.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    approximate_network(module, examples(module), n=4, source="private", seed=1)
    assert module.training
    assert not module.norm.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("source", ["layered", "private", "shared"])
def test_the_result_has_all_fields_and_adds_up(
    source: str, small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, table = tmp_path / "t.safetensors", tmp_path / "t.csv"
    argv = [
        *small,
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
    assert set(found["seconds"]) == {"load", "solve", "certify", "other", "total"}
    assert (found["weights"], found["n"], found["eta"]) == (42, 9, 0.02)
    assert found["accuracy"] == {"target": None, "pruned": None}
    assert found["bits_per_weight"] == 8 * out.stat().st_size / 42
    assert found["kept_per_weight"] == found["kept"] / 42
    assert found["assumptions"] == ["layers in this order: 0, 1; relu between them"]
    assert list(found["rows"][0]) == ROW
    assert [row["shape"] for row in found["rows"]] == [[6, 4], [3, 6]]
    for name in ("weights", "within_eta", "kept"):
        assert sum(row[name] for row in found["rows"]) == found[name]
    assert max(row["max_weight_error"] for row in found["rows"]) == found["max_weight_error"]
    error = found["error"]
    assert 0 < error["lower"] <= error["upper"]
    assert error["domains"] == {"input": {"low": -1.0, "high": 1.0, "origin": "stated"}}
    assert len(list(csv.reader(table.read_text().splitlines()))) == 3
    again = run_json([*argv, "--domain", "linf", "--jobs", "1"], capsys)
    assert again["rows"] == found["rows"]
    assert approximate.main(argv) == 0
    text = capsys.readouterr().out
    assert "42 weights in 2 parts" in text
    assert "seed 5" in text
    assert "assumed: layers in this order: 0, 1; relu between them" in text
    assert "(proved)" in text
    assert approximate.main([*argv, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "||x||_2 <= 1"), (["--radius", "3"], "||x||_2 <= 3"), (["--box", "0", "2"], "0 <= x <= 2"),
        (["--domain", "linf", "--radius", "0.5"], "-0.5 <= x <= 0.5"), (["--inputs", "DATA"], "from 5 examples"),
        (["--domain", "linf", "--inputs", "DATA"], "from 5 examples"),
    ],
)  # fmt: skip
def test_the_domain_is_what_the_flags_say(
    flags: list[str], says: str, small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = np.random.default_rng(0).uniform(-1, 2, (5, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", data)
    flags = [str(tmp_path / "x.npy") if flag == "DATA" else flag for flag in flags]
    found = run_json([*small, "--n", "8", "--seed", "1", *flags], capsys)
    assert says in found["error"]["domain"]
    assert (found["error"]["data"] is not None) == ("--inputs" in flags)
    if "--inputs" in flags:
        assert found["error"]["data"]["examples"] == 5
        assert found["error"]["data"]["largest"] <= found["error"]["upper"]


@pytest.mark.parametrize("flags", [["--source", "shared"], ["--source", "layered"]])
def test_unreachable_weights_are_counted_and_fail_the_check(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    weight = torch.linspace(-1, 1, 40).reshape(10, 4)
    argv = [save(tmp_path / "net.pt", weight), *flags, "--n", "1", "--eta", "1e-3", "--seed", "3"]
    found = run_json(argv, capsys)
    plus, minus = ticket_of(argv, tmp_path).effective["0.weight"]
    worst = np.maximum(abs(plus - weight.double().numpy()), abs(minus - weight.double().numpy()))
    assert found["within_eta"] == int((worst <= 1e-3).sum()) < 40
    assert found["max_weight_error"] == float(worst.max())
    first = found["missed"][0]
    assert first["error"] == found["max_weight_error"]
    assert first["weight"] == weight[tuple(first["index"])].item()
    assert len(found["missed"]) == 10
    assert all(one["error"] == float(worst[tuple(one["index"])]) > 1e-3 for one in found["missed"])
    largest = sorted(worst.reshape(-1).tolist(), reverse=True)
    gap = next(k for k in range(2, 10) if largest[k - 1] > largest[k])
    few = run_json([*argv[:-4], "--eta", repr((largest[gap - 1] + largest[gap]) / 2), "--seed", "3"], capsys)
    assert [one["error"] for one in few["missed"]] == largest[:gap]
    assert few["within_eta"] == 40 - gap
    assert approximate.main([*argv, "--check"]) == 1
    assert f"{40 - found['within_eta']} of 40 weights miss eta=0.001" in capsys.readouterr().out
    assert approximate.main([*argv[:-4], "--eta", "2", "--seed", "3", "--check", "--quiet"]) == 0


def ticket_of(argv: list[str], folder: Path) -> Any:
    out = str(folder / "made.safetensors")
    assert approximate.main([*argv, "--quiet", "--out", out]) == 0
    return load_ticket(out, dtype=torch.float64)


@pytest.mark.parametrize("construction", ["subset-sum", "best", "window", "halves"])
def test_parts_are_scaled_by_powers_of_two(construction: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    weights = torch.tensor([[2.5, -0.75], [0.5, 1.0]]), torch.tensor([[0.2, -0.25]])
    flags = (
        ["--n", "20"] if construction == "subset-sum" else ["--n", "1000", "--construction", construction, "--R", "20"]
    )
    argv = [save(tmp_path / "net.pt", *weights), "--activation", "relu", "--source", "layered", "--seed", "1", *flags]
    found = run_json([*argv, "--eta", "0.1", "--check"], capsys)
    assert [row["gain"] for row in found["rows"]] == [4.0, 0.25]
    assert [row["halves"] for row in found["rows"]] == [2, 1]
    made = ticket_of([*argv, "--eta", "0.1"], tmp_path)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(made.random_layers()(x), made(x), rtol=0, atol=1e-12)
    for (plus, minus), weight in zip(made.effective.values(), weights, strict=True):
        assert float(abs(plus - weight.numpy()).max()) <= 0.1
        assert minus is not None


def test_accuracies_are_those_of_a_direct_forward_pass(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "t.safetensors"
    found = run_json(["digits", "--n", "8", "--seed", "2", "--eta", "0.01", "--out", str(out)], capsys)
    assert found["params"]["data"] == "digits"
    data, target = digits_split(), from_digits()
    networks = {"target": target(data.x_test), "pruned": load_ticket(out, dtype=torch.float64)(data.x_test)}
    for name, outputs in networks.items():
        assert found["accuracy"][name] == float((outputs.argmax(-1) == data.y_test).double().mean())
    assert found["accuracy"]["target"] > 0.9
    assert found["accuracy"]["pruned"] != found["accuracy"]["target"]


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu", "gelu", "sigmoid", "relu6", "elu"])
def test_a_file_of_weights_runs_with_the_activation_that_is_said(
    activation: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    generator = torch.Generator().manual_seed(1)
    state = {"0.weight": (4, 64), "0.bias": (4,), "1.weight": (10, 4), "1.bias": (10,)}
    tensors = {name: torch.rand(shape, generator=generator) - 0.5 for name, shape in state.items()}
    torch.save(tensors, tmp_path / "net.pt")
    argv = [str(tmp_path / "net.pt"), "--source", "shared", "--n", "16", "--seed", "1", "--eta", "0.01"]
    assert approximate.main(argv) == 2
    assert "say --activation relu, or export it" in capsys.readouterr().err
    found = run_json([*argv, "--activation", activation, "--check", "--eval", "digits"], capsys)
    assert found["weights"] == 4 * 65 + 10 * 5
    data = digits_split()
    made = ticket_of([*argv, "--activation", activation], tmp_path)
    first, second = (tensors[f"{i}.weight"].double() for i in range(2))
    between = getattr(torch.nn.functional, activation)
    outputs = between(data.x_test @ first.T + tensors["0.bias"]) @ second.T + tensors["1.bias"]
    assert float((made(data.x_test) - outputs).abs().max()) < 0.2
    assert found["accuracy"]["target"] == float((outputs.argmax(-1) == data.y_test).double().mean())


BAD = [
    (["--n", "0"], "n must be"), (["--n", "two"], "--n takes an integer"), (["--eta", "0"], "eta must be"),
    (["--eta", "nan"], "eta must be"), (["--R", "0"], "R must be"), (["--seed", "-1"], "seed must be"),
    (["--out", "x.zip"], "--out takes"), (["--out", "/nowhere/x.safetensors"], "does not exist"),
    (["--data", "cifar"], "--data takes"), (["--data", "mnist", "--data-dir", "/nowhere"], "no such file"),
    (["--data", "digits"], "pixels"), (["--radius", "0"], "radius must be"), (["--box", "2", "1"], "low must be"),
    (["--box", "0", "1", "--radius", "2"], "--box says"), (["--inputs", "/nowhere/x.npy"], "no such file"),
    (["--fix", "sr"], "takes NAME=NUMBER"), (["--fix", "sr=1"], "only an ONNX file has inputs to fix"),
    (["--construction", "window", "--source", "shared"], "needs source layered"), (["--source", "deep"], "--help"),
    (["--construction", "halves", "--source", "private"], "source layered, got private: its weights are no products"),
    (["--construction", "quarters", "--n", "3"], "'quarters' needs n >= 4, a neuron for every part, got n=3"),
    (["--construction", "window", "--eta", "2"], "at most 1"), (["--n", "1e8"], "more than a day"),
    (["--jobs", "0"], "jobs"),
    (["--source", "private", "--n", "1e5", "--R", "1e6"], "at most 2^33"), (["--n", "3", "--n", "4"], "more than once"),
    (["--source", "private", "--n", "90"], "more than a day"),
    (["--n", "40", "--max-time", "1"], "more than --max-time"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "says"), BAD)
def test_bad_command_lines_get_one_line(
    flags: list[str], says: str, small: list[str], capsys: pytest.CaptureFixture
) -> None:
    assert approximate.main([*small, *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_missing_target_and_wrong_labels(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert approximate.main([str(tmp_path / "none.pt")]) == 2
    assert "none.pt: no such file" in capsys.readouterr().err
    assert approximate.main([save(tmp_path / "net.pt", torch.rand(3, 64)), "--eval", "digits", "--n", "5"]) == 2
    assert "labels up to 9, the target" in capsys.readouterr().err


def test_inputs_of_integers_need_examples_and_have_no_radius() -> None:
    table = {"w": np.ones((5, 2))}
    tokens = Graph(18, (Input("t", "int64", ("n", 3)),), ("y",), (Node("Gather", ("w", "t"), ("y",)),), table)
    with pytest.raises(GraphError, match="the input t holds int64 numbers: give examples of it"):
        approximate_network(tokens, n=4)
    examples = torch.tensor([[0, 4, 2]])
    with pytest.raises(ValueError, match=r"no input of the network holds real numbers .* got \|\|x\|\|_2 <= 2"):
        approximate_network(tokens, examples, domain=Domain.ball(2.0), n=4)
    found = approximate_network(tokens, examples, n=4, source="private", seed=1)
    assert found.certificate.domain == "the inputs are the examples given"


def test_free_sides_need_examples() -> None:
    nodes = (Node("MatMul", ("x", "w"), ("y",)),)
    free = Graph(18, (Input("x", "float64", ("n", "m", 2)),), ("y",), nodes, {"w": np.ones((2, 2))})
    with pytest.raises(GraphError, match=r"the input x has the shape \(n, m, 2\): give examples of it"):
        approximate_network(free, n=4)


@pytest.mark.parametrize("sizes", [[10**6, 10**6], [2**40, 2**40]])
def test_a_network_that_asks_for_all_memory_is_named(
    sizes: list[int], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    nodes = (Node("MatMul", ("x", "w"), ("h",)), Node("Tile", ("h", "s"), ("y",)))
    constants = {"w": np.eye(3, dtype=np.float32), "s": np.array(sizes)}
    proto = to_onnx(Graph(17, (Input("x", "float32", ("batch", 3)),), ("y",), nodes, constants))
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    flags = ["--source", "shared", "--n", "2", "--seed", "1", "--radius", "1", "--quiet"]
    assert approximate.main([str(tmp_path / "net.onnx"), *flags]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: net.onnx: node1 (Tile): ")
    assert captured.err.count("\n") == 1


def test_outputs_of_size_zero_have_no_relative_difference(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A target whose outputs on the data are 0 is no reason to fail."""
    path = save(tmp_path / "net.pt", torch.tensor([[0.51], [0.73]]), torch.tensor([[-1.1, -0.9]]))
    np.save(tmp_path / "x.npy", np.full((3, 1), -1.0))
    flags = ["--activation", "relu", "--inputs", str(tmp_path / "x.npy"), "--n", "6", "--seed", "1"]
    assert approximate.main([path, *flags]) == 0
    said = capsys.readouterr().out
    assert "(proved); their size is 0" in said
    assert "in the median (0 and 0 of their size)" in said
    numbers = {"largest": None, "median": 0.5, "entry": None, "relative_largest": None, "relative_median": None}
    error = {"lower": 1.0, "lower_word": "measured", "upper": None, "relative_lower": None, "size": None, "domain": "D",
             "reason": "none", "data": {"examples": 2, **numbers}}  # fmt: skip
    assert approximate.certificate_lines(error)[0] == (
        "outputs can differ by 1 (measured; their size is a number that is not finite) where D; no upper bound: none"
    )
    assert "by a number that is not finite at most, 0.5 in the median (" in approximate.certificate_lines(error)[1]


def test_examples_that_do_not_fit_are_refused() -> None:
    target = random_target((4, 3, 2), seed=1)
    for wrong, says in [
        (torch.rand(5, 3), r"must have shape \(batch, 4\), got \(5, 3\)"),
        (torch.zeros(5, 4, dtype=torch.int64), "must be float64, got int64"),
        (torch.full((5, 4), torch.nan), "NaN"),
        ([torch.rand(5, 4)] * 2, "takes the inputs input, got 2 arrays"),
    ]:
        with pytest.raises(GraphError, match=says):
            approximate_network(target, wrong, n=4, seed=1)
    with pytest.raises(GraphError, match="needs example_inputs"):
        approximate_network(built(Convolutional), n=4)
    with pytest.raises(GraphError, match="nothing to look for"):
        approximate_network(nn.ReLU(), torch.rand(2, 3), n=4)


def test_an_interrupted_run_leaves_nothing(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nets.tickets.approximation._certified", stop)
    before = sorted(tmp_path.iterdir())
    argv = [*small, "--out", str(tmp_path / "t.safetensors"), "--csv", str(tmp_path / "t.csv")]
    assert approximate.main(argv) == 130
    assert sorted(tmp_path.iterdir()) == before
    assert capsys.readouterr().err == "interrupted\n"


def test_the_call_and_the_command_make_the_same_ticket(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    images = digits_split().x_test
    found = approximate_network(load_target("digits"), images, n=12, eta=0.05, seed=3)
    path = tmp_path / "call.safetensors"
    size = found.save(path)
    assert path.stat().st_size == size
    argv = ["digits", "--n", "12", "--eta", "0.05", "--seed", "3", "--out", str(tmp_path / "command.safetensors")]
    assert approximate.main([*argv, "--quiet"]) == 0
    assert path.read_bytes() == (tmp_path / "command.safetensors").read_bytes()
    x = torch.rand(5, 64, dtype=torch.float64)
    assert torch.equal(load_ticket(path)(x), found(x))
    assert repr(found).startswith("<Approximation of ")
    assert "\n" not in repr(found)


def test_the_old_name_of_the_images_flag_still_works(small: list[str], capsys: pytest.CaptureFixture) -> None:
    assert approximate.main([*small, "--eval", "digits"]) == 2
    assert capsys.readouterr().err.startswith("note: --eval is now called --data\nerror: --data digits has 64 pixels")
