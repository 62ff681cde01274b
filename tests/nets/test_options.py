"""Every disputed choice of the methods is a flag: it reaches the search, the settings of the run, and old tickets."""

from __future__ import annotations

import contextlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from nets import train as command
from nets.search.methods import METHODS, bernoulli, biprop, make_method, method, probmask, recycling
from nets.tickets.found_file import read_found
from nets.training import settings as module
from nets.training.found import load_found, verify
from nets.training.parts import build
from nets.training.run_folder import RunFolder
from nets.training.settings import Choices, TrainSettings, resolve
from sims.commands import flags

SCORES = {"score_key": ("abs", "raw"), "score_init": ("kaiming-uniform-a5", "kaiming-uniform-relu")}
BINARY = {"gradient": ("gain", "sign"), "scope": ("global",)}
RECYCLE = {"sources": ("next-lowest",), "with_rerand": (True,)}
CASES = [
    *(("edge-popup", name, value) for name, values in SCORES.items() for value in values),
    *(("iterand", name, value) for name, values in SCORES.items() for value in values),
    ("iterand", "rerand_init", "kaiming-normal"),
    ("bernoulli", "evaluation", "threshold"),
    ("bernoulli", "first_probabilities", "normal"),
    ("probmask", "evaluation", "highest"),
    ("probmask", "final_temperature", 0.1),
    ("signed-supermask", "scope", "global"),
    *(("mpt-1-1", name, value) for name, values in BINARY.items() for value in values),
    *(("biprop-recycle", name, value) for name, values in (RECYCLE | BINARY).items() for value in values),
]


def tokens(found: str, **options: Any) -> list[str]:
    argv = ["--method", found]
    for name, value in options.items():
        argv += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return argv


@pytest.mark.parametrize(("name", "option", "value"), CASES)
def test_a_flag_reaches_the_method(name: str, option: str, value: Any) -> None:
    argv = [*tokens(name, **{option: value}), "--width", "0.1", "--seed", "1", "--out", "x"]
    chosen = resolve(flags.parse(command.Train, argv, prog="test"))
    parts = build(chosen)
    assert parts.search is not None
    assert getattr(parts.search.method, option) == value
    assert TrainSettings.from_json(chosen.to_json()) == chosen


def test_a_density_is_shared_among_layers(tmp_path: Path) -> None:
    argv = tokens("biprop", allocation="erk", density=0.3, scale="paper", epochs=1, seed=1, width=0.2, batch=800)
    assert command.main([*argv, "--out", str(tmp_path / "run"), "--quiet"]) == 0
    ticket = read_found(RunFolder(tmp_path / "run").ticket)
    shares = {layer.name: layer.n_keep / layer.numel for layer in ticket.layers}
    assert ticket.kept == pytest.approx(0.3 * ticket.weights, abs=len(shares))
    assert shares["1"] < 0.3 < shares["5"], "the first layer is the largest, the last one small"
    assert verify(ticket)["ok"]
    ticket.params["allocation"] = "uniform"
    with pytest.raises(ValueError, match=r"layer 1 keeps \d+ weights, its density asks for \d+"):
        verify(ticket)
    for wrong in (["--scope", "global"], ["--method", "dense"]):
        with pytest.raises(flags.UsageError, match="--allocation shares a density among layers, which"):
            resolve(flags.parse(command.Train, ["--allocation", "erk", *wrong, "--out", "x"], prog="test"))


def test_a_density_schedule_is_followed(tmp_path: Path) -> None:
    options = {"scope": "global", "schedule_epochs": 2, "schedule_start": 0.25, "density": 0.25, "epochs": 4}
    argv = tokens("biprop", **options, seed=1, width=0.1, batch=800, out=tmp_path / "run")
    assert command.main([*argv, "--quiet"]) == 0
    ticket = read_found(RunFolder(tmp_path / "run").ticket)
    assert ticket.kept == ticket.weights // 4
    assert ticket.events == 2, "from 3/4 by 1/2 of an eighth to 1/4"
    shares = {layer.n_keep / layer.numel for layer in ticket.layers}
    assert max(shares) > 0.3, "layers have densities of their own"
    assert verify(ticket)["ok"]


def test_a_ticket_over_all_layers_is_read_with_its_count_only(tmp_path: Path) -> None:
    argv = tokens("biprop", scope="global", epochs=1, seed=1, width=0.1, out=tmp_path / "run")
    assert command.main([*argv, "--quiet"]) == 0
    ticket = read_found(RunFolder(tmp_path / "run").ticket)
    ticket.params["density"] = 0.4
    with pytest.raises(ValueError, match="it keeps 1160 weights, its density asks for 928"):
        verify(ticket)


def test_the_score_key_changes_what_is_found() -> None:
    """Raw and absolute scores rank differently from the same seed."""
    masks = []
    for key in ("abs", "raw"):
        search = build(resolve(Choices(score_key=key, seed=3, width=0.1, device="cpu"))).search
        assert search is not None
        layer = search.layers["1"]
        scores = layer.scores.detach().reshape(-1)
        best = (scores.abs() if key == "abs" else scores).argsort(descending=True)[: scores.numel() // 2]
        masks.append(layer.mask().reshape(-1))
        assert sorted(best.tolist()) == torch.nonzero(masks[-1]).reshape(-1).tolist()
    assert 0.3 < float((masks[0] & masks[1]).sum() / masks[0].sum()) < 0.7


def test_what_options_may_be_is_what_the_methods_say() -> None:
    assert (module.SCORE_KEYS, module.SCORE_INITS) == (method.SCORE_KEYS, method.SCORE_INITS)
    assert (module.GRADIENTS, module.SCOPES, module.SOURCES) == (biprop.GRADIENTS, method.SCOPES, recycling.SOURCES)
    assert set(module.EVALUATIONS) == {*bernoulli.EVALUATIONS, *probmask.EVALUATIONS}
    assert module.FIRST_PROBABILITIES == bernoulli.FIRST_PROBABILITIES


def has_no_choice(name: str, option: str) -> bool:
    """Whether a method refuses, or takes no notice of, every value of an option but one."""
    if option == "score_init":
        return METHODS[name].load().first_scores is not method.Method.first_scores
    others = {"score_key": ("abs", "raw"), "scope": ("layer", "global")}.get(option, ())
    if option.startswith("schedule"):
        return has_no_choice(name, "scope")
    taken = 0
    for value in others:
        with contextlib.suppress(ValueError):
            make_method(name, **{option: value})
            taken += 1
    return bool(others) and taken < 2


@pytest.mark.parametrize("name", METHODS)
def test_every_option_of_a_method_is_a_setting(name: str) -> None:
    own = {field.name for field in fields(METHODS[name].load())}
    own -= {option for option in own if has_no_choice(name, option)}
    assert own == set(METHODS[name].settings)
    assert own <= {field.name for field in fields(Choices)}
    usual = resolve(Choices(method=name, seed=1, device="cpu")).options
    kind = METHODS[name].load()()
    assert {key: usual[key] for key in module._before(name) if key in own} == {
        key: value for key, value in kind.options().items() if key in module._before(name) and key in own
    }, "a recipe that says nothing of an option leaves it as the method has it"


@pytest.mark.parametrize("name", ["iterand", "recycle"])
def test_tickets_of_older_programs_are_read(name: str) -> None:
    path = Path(__file__).parent / "data" / "found_version1" / f"{name}.safetensors"
    old = read_found(path)
    assert "score_key" not in old.params
    assert "batch_norm_passes" not in old.params
    found = TrainSettings.from_json(old.params)
    assert found.score_key == {"iterand": "raw", "recycle": "abs"}[name]
    assert (found.gradient, found.batch_norm_passes) == (None, 0)
    assert found.to_json().keys() == old.params.keys(), "what it did not say is not said now"
    load_found(path)


def test_the_scale_that_would_be_infinite_is_not_the_default() -> None:
    assert resolve(Choices(method="biprop", device="cpu")).scale == "reference-code"
    assert resolve(Choices(method="biprop", density=1.0, device="cpu")).scale == "unscaled"
    assert resolve(Choices(method="biprop", density=1.0, scale="paper", device="cpu")).scale == "paper"
