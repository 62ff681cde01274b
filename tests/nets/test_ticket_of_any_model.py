"""Tickets of any model: the same network in another process, another one refused, damage refused in one line."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nets import found_ticket as command
from nets.search import TicketSearch, export_ticket, find_tickets, fold, load_ticket
from nets.search.inputs import outputs
from nets.tickets.file import TicketError, file_bytes
from nets.tickets.found_file import SCHEMA, FoundTicket, read_found
from nets.training.found import load_found
from tests.nets import own_models
from tests.nets.own_models import ARGUMENTS, MODELS

PLACE = "tests.nets.own_models"
METHODS: dict[str, dict[str, Any]] = {
    "seed": {"method": "edge-popup"},
    "seed and size": {"method": "biprop", "init": "kaiming-normal", "density": 0.3},
    "history": {"method": "iterand", "init": "kaiming-uniform", "rerand_every": 1, "rerand_frac": 0.5},
    "later law": {"method": "iterand", "rerand_every": 1, "rerand_frac": 0.5, "rerand_init": "kaiming-normal"},
    "copies": {"method": "recycle", "init": "kaiming-normal", "recycle_every": 1},
    "floats": {"method": "edge-popup", "init": "keep"},
    "signs": {"method": "biprop", "init": "keep", "scope": "global"},
    "allocated": {"method": "edge-popup", "allocation": "erk", "batch_norm": "non-affine", "score_seed": 8},
    "tables left": {"method": "edge-popup", "embeddings": False},
    "trained too": {"method": "edge-popup", "train_rest": True, "densities": {}, "bias": "keep"},
}


def searched(name: str, dtype: torch.dtype = torch.float32, **options: Any) -> TicketSearch:
    """A search in one of the models whose scores, norms and biases have moved."""
    torch.manual_seed(3)
    model = getattr(own_models, name)(**ARGUMENTS.get(name, {})).to(dtype)
    search = find_tickets(model, seed=5, **{"embeddings": True, "density": 0.4, **options})
    with torch.no_grad():
        for step in range(3):
            search.before_step(step)
            search.after_epoch(step, 5)
            for score in search.score_parameters():
                score.add_(0.3 * torch.randn_like(score))
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter.add_(0.3 * torch.randn_like(parameter))
    if name == "cnn":
        model(own_models.inputs(name).to(dtype))
    return search


def export(search: TicketSearch, name: str, path: Path, **options: Any) -> FoundTicket:
    build = f"{PLACE}:{name}"
    export_ticket(search, path, **{"build": build, "arguments": ARGUMENTS.get(name), **options})
    return read_found(path)


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) > 0 and all(map(torch.equal, first, second))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ticket") / "t.safetensors"
    search = searched("mlp", method="iterand", init="kaiming-uniform", rerand_every=1, rerand_frac=0.5)
    export(search, "mlp", path, example=own_models.inputs("mlp"))
    return path


def test_the_same_outputs_in_a_fresh_process(tmp_path: Path) -> None:
    """Three models, three methods; the process is given nothing but the files and the names of the builders."""
    wanted = {}
    for name, kind in (("cnn", "allocated"), ("Recurrent", "history"), ("Tied", "floats")):
        search = searched(name, **METHODS[kind])
        export(search, name, tmp_path / name)
        wanted[name] = outputs(search.model, own_models.inputs(name))
    script = (
        "import sys, torch\n"
        "from nets.search import load_ticket\n"
        "from nets.search.inputs import outputs\n"
        "from tests.nets.own_models import inputs\n"
        "for name in sys.argv[1:]:\n"
        f"    model = load_ticket(name, build='{PLACE}:' + name)\n"
        "    torch.save(outputs(model, inputs(name)), name + '.pt')\n"
    )
    root = Path(__file__).parents[2]
    argv = [
        sys.executable,
        "-c",
        f"import os; sys_path = {str(root)!r}; import sys; sys.path.insert(0, sys_path)\n{script}",
    ]
    subprocess.run([*argv, *wanted], cwd=tmp_path, check=True)
    for name, found in wanted.items():
        assert same(found, torch.load(tmp_path / f"{name}.pt"))


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("name", MODELS)
def test_the_same_network_of_every_model_and_method(name: str, kind: str, tmp_path: Path) -> None:
    """Outputs, parameters and ties are those of the folded search, whose model and random numbers are as they were."""
    search = searched(name, **METHODS[kind])
    x, before = own_models.inputs(name), copy.deepcopy(search.model.state_dict())
    random = torch.get_rng_state()
    ticket = export(search, name, tmp_path / "t", example=x)
    after = search.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(random, torch.get_rng_state())
    model, plain = load_ticket(tmp_path / "t", build=getattr(own_models, name)), fold(search.model)
    assert same(outputs(model, x), outputs(search.model, x))
    state, wanted = model.state_dict(), plain.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[key], wanted[key]) for key in wanted)
    assert {k for k, _ in model.named_parameters()} == {k for k, _ in plain.named_parameters()}  # ties included
    assert not model.training
    values = {layer.values for layer in ticket.layers}
    values_of = {
        "later law": "history",
        "copies": "history",
        "floats": "floats",
        "signs": "signs",
        "history": "history",
    }
    expected = {values_of.get(kind, "seed")}
    assert expected <= values <= {*expected, "seed"}
    own = {"seed": 5, "density": 0.4, "embeddings": True, **METHODS[kind]}
    shown = {**ticket.params["options"], **ticket.params}
    assert own == {option: shown[option] for option in own}


@pytest.mark.parametrize("kind", ["seed and size", "history", "floats", "signs"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes(dtype: torch.dtype, kind: str, tmp_path: Path) -> None:
    """The builder makes float32; the network has the dtype of the search."""
    search = searched("mlp", dtype, **METHODS[kind])
    x = own_models.inputs("mlp").to(dtype)
    ticket = export(search, "mlp", tmp_path / "t", example=x)
    model = load_ticket(tmp_path / "t", build=own_models.mlp)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert same(outputs(model, x), outputs(search.model, x))
    bits = 8 * torch.empty((), dtype=dtype).element_size()
    for layer in ticket.layers:
        if layer.values == "floats":
            assert 8 * ticket.tensors[f"floats.{layer.name}"].nbytes == bits * layer.n_keep


def test_what_a_file_costs(tmp_path: Path) -> None:
    """Of a layer with its weights from the seed: at most a bit a weight, and the head."""
    torch.manual_seed(0)
    search = find_tickets(nn.Linear(256, 256, bias=False), density=0.5)
    size = {"in_features": 256, "out_features": 256, "bias": False}
    cost = export_ticket(search, tmp_path / "t", build=nn.Linear, arguments=size)
    assert cost["bytes"] == (tmp_path / "t").stat().st_size
    assert cost["bits_per_weight"] == 8 * cost["bytes"] / 256**2 < 0.2 + 8 * 1500 / 256**2
    assert (cost["weights"], cost["kept"], cost["storage"]) == (256**2, 256**2 // 2, "masks+seed")


def test_another_builder_is_refused(small: Path, tmp_path: Path) -> None:
    search = searched("mlp")
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (own_models.mlp, {"width": 13}, "has shape"), (own_models.mlp, {"activation": "Tanh"}, "'1' is a ReLU"),
        (own_models.functional_mlp, {}, "is a Sequential in one"),
        (own_models.encoder, {}, "which the builder's has not"),
        (own_models.mlp, {"depth": 3}, "fails with its arguments: TypeError"), (lambda: 3, {}, "must return"),
        (lambda: search.model, {}, "must make a new model"), (own_models.mlp, {"width": {1}}, "JSON can hold"),
        ("own_models.mlp", {}, "name module:function"), ("no.such:mlp", {}, "cannot be imported"),
        (f"{PLACE}:none", {}, "cannot be imported"), (f"{PLACE}:PLACE", {}, "cannot be imported"), (3, {}, "function"),
        (f"{PLACE}:MODELS", {}, "is no function"),
    ]  # fmt: skip
    for build, arguments, says in wrong:
        with pytest.raises(ValueError, match=says) as caught:
            export_ticket(search, tmp_path / "t", build=build, arguments=arguments)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "t").exists()
    later: list[tuple[Any, dict[str, Any] | None, str]] = [
        (own_models.mlp, {"width": 13}, "has shape"), (own_models.encoder, None, "which the builder's has not"),
        (own_models.mlp, {"activation": "Tanh"}, "computes something else"),
        (own_models.functional_mlp, None, "computes something else"),
        (lambda: nn.Sequential(*own_models.mlp(), nn.Linear(4, 4)), None, "of which it says nothing"),
        (own_models.mlp, {"depth": 3}, "fails with its arguments"), (None, None, "is not run unasked"),
        (lambda: nn.LazyLinear(3), None, "which the builder's has not"),
    ]  # fmt: skip
    for build, changed, says in later:
        with pytest.raises(ValueError, match=says) as caught:
            load_ticket(small, build=build, arguments=changed)
        assert "\n" not in str(caught.value)


def test_ties_are_the_builders(tmp_path: Path) -> None:
    """A model without the tie has a tensor of which the file knows nothing, masked or not."""
    for embeddings in (True, False):
        path = tmp_path / f"{embeddings}"
        export(searched("Tied", embeddings=embeddings), "Tied", path)
        with pytest.raises(TicketError, match=r"has 'head\.weight', of which it says nothing"):
            load_ticket(path, build=own_models.Tied, arguments={"vocabulary": 11, "tied": False})


def test_no_program_is_run_that_a_file_names(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr(own_models, "mlp", lambda **_: called.append(1))
    assert read_found(small).builder == f"{PLACE}:mlp"
    with pytest.raises(ValueError, match="not run unasked"):
        load_ticket(small)
    assert not called
    monkeypatch.undo()
    assert load_ticket(small, trust_builder=True)(torch.ones(2, 6)).shape == (2, 4)


def test_a_file_cannot_ask_for_much_memory(small: Path, tmp_path: Path) -> None:
    """Its arguments are tried without memory first."""
    ticket = read_found(small)
    replace(ticket, arguments={"width": 10**10}).save(tmp_path / "t")
    with pytest.raises(TicketError, match="has shape"):
        load_ticket(tmp_path / "t", build=own_models.mlp)


def test_state_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    class Counting(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"seen": 3}

        def set_extra_state(self, state: Any) -> None:
            pass

    search = find_tickets(Counting(4, 4), density=0.5)
    with pytest.raises(ValueError, match="'_extra_state', which is no parameter or buffer"):
        export_ticket(search, tmp_path / "t", build=lambda: Counting(4, 4))
    search.model.register_buffer("phase", torch.zeros(2, dtype=torch.complex64))
    del type(search.model).plain_class.get_extra_state
    with pytest.raises(ValueError, match=r"complex64, which ticket files do not hold"):
        export_ticket(search, tmp_path / "t", build=lambda: Counting(4, 4))


def written(ticket: FoundTicket) -> bytes:
    """A file of these very tensors, whatever sense they make."""
    content = {**asdict(replace(ticket, tensors={}))}
    del content["tensors"], content["version"]
    return file_bytes(SCHEMA, json.dumps(content), ticket.tensors)


def test_damage_is_refused_in_one_line(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    ticket, good, bad = read_found(small), small.read_bytes(), tmp_path / "bad.safetensors"
    first = ticket.layers[0]

    def changed(**tensors: np.ndarray) -> FoundTicket:
        return replace(ticket, tensors={**ticket.tensors, **{key.replace("__", "."): v for key, v in tensors.items()}})

    def without(name: str) -> FoundTicket:
        return replace(ticket, tensors={key: array for key, array in ticket.tensors.items() if key != name})

    def with_layer(**fields: Any) -> FoundTicket:
        return replace(ticket, layers=(replace(first, **fields), *ticket.layers[1:]))

    bias = ticket.tensors["rest.0.bias"]
    files: list[tuple[bytes | FoundTicket, str]] = [
        (good[:-1], "not a readable"), (good.replace(b"own_models:mlp", b"own_models:cnn"), "checksum"),
        (replace(ticket, builder=3), "no sense"), (replace(ticket, arguments=[3]), "no sense"),
        (replace(ticket, arguments={"width": 5}), "has shape"), (replace(ticket, classes=4), "no sense"),
        (replace(ticket, shape=(1, 2, 3)), "no sense"), (replace(ticket, batch_norm="none"), "no sense"),
        (replace(ticket, inputs=()), "missing or too many: input.0"),
        (replace(ticket, inputs=("0", "0")), "no sense"), (replace(ticket, inputs=("0", "1")), "too many: input.1"),
        (without("output.0"), "outputs for its inputs"), (without("input.0"), "too many: input.0"),
        (without("rest.0.bias"), "has '0.bias', of which it says nothing"),
        (changed(rest__0__bias=bias[:-1]), "has shape"), (changed(rest__0__bias=bias.astype(int)), "is of type int64"),
        (changed(rest__odd=bias), "which the builder's has not"),
        (changed(rest__0__weight=np.ones(first.shape, np.float32)), "holds '0.weight' twice"),
        (with_layer(name="0.weight"), "too many"),
        (changed(buffer__odd=bias), "which the builder's has not"), (changed(logits=bias), "too many: logits"),
        (changed(input__0=bias), "does not take its recorded inputs"),
        (changed(input__0=bias.astype(np.uint64)), "has type uint64"),
        (with_layer(name="2.bias"), "too many"), (with_layer(dtype="float99"), "no sense"),
        (with_layer(n_keep=first.n_keep - 1), "must have"), (with_layer(index=-1), "no sense"),
        (with_layer(n_keep="x"), "no sense"), (with_layer(n_keep=None), "no sense"), (with_layer(name=[]), "no sense"),
        (with_layer(std=1e308), "no sense"),
        (replace(ticket, params={**ticket.params, "seed": None}), "no sense"),
        (replace(ticket, later_law="keep"), "no sense"),
    ]  # fmt: skip
    for content, says in files:
        bad.write_bytes(content if isinstance(content, bytes) else written(content))
        assert command.main(["verify", str(bad), "--build", f"{PLACE}:mlp"]) == 2, says
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert says in captured.err
    different: list[tuple[FoundTicket, str]] = [
        (replace(ticket, params={**ticket.params, "seed": 6}), "kept weights differ from those recorded"),
        (replace(ticket, law="kaiming-normal"), "kept weights differ from those recorded"),
        (with_layer(index=3), "kept weights differ from those recorded"),
        (changed(rest__0__bias=bias + 1), "or something else in the file does; the outputs differ by"),
        (changed(output__0=ticket.tensors["output.0"] * np.nan), "the outputs differ by inf"),
    ]
    for content, says in different:
        bad.write_bytes(written(content))
        assert command.main(["verify", str(bad), "--build", f"{PLACE}:mlp"]) == 1
        assert says in capsys.readouterr().out
        with pytest.raises(TicketError, match=r"not those recorded|computes something else"):
            load_ticket(bad, build=own_models.mlp)


def test_what_is_tied_is_in_a_file_once(tmp_path: Path) -> None:
    """A second copy under the other name could differ."""
    ticket = export(searched("Tied"), "Tied", tmp_path / "t")
    copied = {**ticket.tensors, "rest.head.weight": np.ones((11, 8), np.float32)}
    replace(ticket, tensors=copied).save(tmp_path / "t")
    with pytest.raises(TicketError, match=r"holds 'head\.weight' twice"):
        load_ticket(tmp_path / "t", build=own_models.Tied)


def test_deep_arguments_are_refused_in_one_line(tmp_path: Path) -> None:
    text = '{"layers": [], "arguments": ' + '{"a":' * 10**5 + "1" + "}" * 10**5 + "}"
    (tmp_path / "t").write_bytes(file_bytes(SCHEMA, text, {"x": np.ones(1)}))
    with pytest.raises(TicketError, match="do not hold a found ticket"):
        read_found(tmp_path / "t")


def test_other_kept_weights_are_refused_without_recorded_outputs(tmp_path: Path) -> None:
    path = tmp_path / "t"
    ticket = export(searched("mlp"), "mlp", path)
    replace(ticket, params={**ticket.params, "seed": 6}).save(path)
    with pytest.raises(TicketError, match="t: the kept weights are not those recorded"):
        load_ticket(path, build=own_models.mlp)


def test_the_command(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture, refused: Callable[..., None]) -> None:
    assert command.main(["info", str(small)]) == 0
    out = capsys.readouterr().out
    assert f"builder  {PLACE}:mlp" in out
    assert "method  iterand" in out
    assert command.main(["verify", str(small), "--build", f"{PLACE}:mlp"]) == 0
    assert "every kept weight is the one recorded; the outputs are equal bit for bit" in capsys.readouterr().out
    assert command.main(["masks", str(small), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["file"] == 8 * small.stat().st_size / row["weights"]
    export(searched("mlp"), "mlp", tmp_path / "silent")
    assert command.main(["verify", str(tmp_path / "silent"), "--build", f"{PLACE}:mlp"]) == 0
    assert "no outputs are recorded" in capsys.readouterr().out
    (tmp_path / "silent").unlink()
    refused(
        command.main, ["verify", str(small)], f"--build must name what builds the ticket's model, such as '{PLACE}:mlp'"
    )
    refused(command.main, ["verify", str(small), "--build", "no.such:thing"], "cannot be imported")
    run = Path(__file__).parent / "data" / "found_version2" / "iterand.safetensors"
    refused(
        command.main, ["verify", str(run), "--build", f"{PLACE}:mlp"], "--build belongs to tickets of no training run"
    )
    with pytest.raises(TicketError, match="no training run"):
        load_found(small)
    with pytest.raises(TicketError, match="of a training run"):
        load_ticket(run, build=own_models.mlp)


def test_a_builder_with_other_settings_is_refused(tmp_path: Path) -> None:
    """Its tensors fit; what it computes does not."""
    search = find_tickets(nn.MultiheadAttention(4, 2), seed=1)
    with pytest.raises(ValueError, match="num_heads of 'the model' is 2 in one and 4 in the other"):
        export_ticket(
            search, tmp_path / "t.safetensors", build=nn.MultiheadAttention, arguments={"embed_dim": 4, "num_heads": 4}
        )
    search = find_tickets(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), seed=1)
    with pytest.raises(ValueError, match=r"eps of '1' is 1e-05 in one and 0\.1 in the other"):
        export_ticket(
            search, tmp_path / "t.safetensors", build=lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, eps=0.1))
        )
    assert not list(tmp_path.iterdir())
