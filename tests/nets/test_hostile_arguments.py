"""What public functions of nets are given: nonsense is refused, by the argument's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nets.certificate import (
    Domain,
    certify,
    certify_batch,
    convolution_norm_upper,
    decide,
    exact_bracket,
    first_layer_sup,
    half_split,
    spectral_norm_upper,
)  # fmt: skip
from nets.construction.gadget import Gadget, solve
from nets.construction.mask import Mask
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.source import Source, trial_seeds
from nets.construction.torch_solver import best_subsets_torch
from nets.construction.value_sets import ValueSets
from nets.data import Split, load_data
from nets.search import fold, from_linear, masked_weight_of, to_linear
from nets.search.densities import allocate
from nets.search.federated import decode_mask, encode_mask, posterior
from nets.search.score_mask import count_to_keep, keep_mask, keep_masks_global
from nets.search.tasks import TaskMasks
from nets.targets import (
    Target,
    chain_graph,
    from_digits,
    from_state_dict,
    load_target,
    random_target,
    target_graph,
    with_biases,
)  # fmt: skip
from nets.tickets import ApproximationSettings, CodeSettings, code_network, rebuild, verify
from nets.training.mlp import train_mlp
from nets.training.models import make_model
from tests.nets.hostile import (
    CLIENT,
    CUBE,
    EFFECTIVE,
    EXAMPLE,
    FIRST,
    GRAPH,
    LABELS,
    MANY,
    ONE,
    PAIRS,
    PIXELS,
    SOURCE,
    TARGET,
    A,
    approximated,
    batched,
    bernoulli,
    federated,
    net,
    networked,
    searched,
    tasks,
    ticket,
)

one: dict[str, Any] = {"target": TARGET, "effective": PAIRS, "domain": "l2"}
ascent = {"starts": 2, "steps": 1, "seed": 0, "device": "cpu"}
shared = {"eta": 0.1, "R": 1, "seed": 1, "jobs": 1}
pruning = {"target": TARGET, "construction": "window", "eta": 0.1, "sides": "both", "signs": "assigned",
    "device": "cpu", "jobs": 1}  # fmt: skip
WORDS = {"init": "keep", "scale": "unscaled", "score_init": "kaiming-uniform-a5", "allocation": "uniform",
    "bias": "zero", "batch_norm": "keep"}  # fmt: skip
FACES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "certify": (certify, {**one, **ascent}),
    "certify_batch": (certify_batch, {**one, **ascent, "effective": MANY}),
    "verdict": (lambda **given: certify(TARGET, PAIRS, starts=1, steps=0).verdict(**given), {"eps": 0.1}),
    "decide": (decide, {**one, "eps": 0.1, "budget": 50}),
    "exact_bracket": (exact_bracket, {**one, "width": 0.5, "budget": 50}),
    "certify_network": (networked, {"graph": GRAPH, "effective": EFFECTIVE, "domain": Domain.ball(1.0),
        "data": {"input": np.ones((1, 1, 2))}, "shapes": {"input": (1, 2)}, "batch": 2, "starts": 1, "steps": 1,
            "seed": 0}),
    "norms": (spectral_norm_upper, {"matrix": CUBE}),
    "first_layer_sup": (first_layer_sup, {"plus": CUBE, "minus": CUBE, "domain": "l2"}),
    "half_split": (half_split, {"weight": CUBE, "plus": CUBE.mT, "minus": CUBE.mT, "domain": "l2"}),
    "convolution": (convolution_norm_upper, {"kernel": torch.ones(2, 1, 3).double(), "groups": 1, "strides": [1],
        "dilations": [1], "pads": [0, 0], "input_sides": [5], "budget": 10**6}),
    "ball": (Domain.ball, {"radius": 1.0}),
    "Domain": (Domain, {"radius": 1.0, "low": -np.inf, "high": np.inf}),
    "box": (Domain.box, {"low": -1.0, "high": 1.0}),
    "box_of": (Domain.box_of, {"data": EXAMPLE}),
    "contains": (Domain.box(0, 1).contains, {"examples": EXAMPLE}),
    "ApproximationSettings": (ApproximationSettings, {**shared, "n": 4, "device": "cpu", "source": "shared"}),
    "CodeSettings": (partial(CodeSettings, code="draw"), {**shared, "law": "matched"}),
    "approximate": (approximated, {"target": TARGET, "domain": Domain.ball(1.0), "advance": print,
        "example_inputs": EXAMPLE}),
    "code_network": (code_network, {"graph": GRAPH, "settings": CodeSettings(code="draw", **shared), "store": None}),
    "rebuild": (rebuild, {"ticket": ticket(), "dtype": torch.float64}),
    "verify": (verify, {"ticket": ticket(), "target": None, "examples": None}),
    "Source": (Source, {"widths": [2, 2, 1], "n": 3, "seed": 0, "R": 1, "sampler": "draws"}),
    "element": (SOURCE.element, {"layer": 1, "index": 2, "draw": 0}),
    "pick": (SOURCE.pick, {"layer": 1, "index": [2], "aim": 0.5, "scale": 1.0}),
    "matrix": (SOURCE.matrix, {"layer": 1, "draw": 0, "dtype": torch.float64, "device": "cpu"}),
    "flat": (SOURCE.flat, {"layer": 1, "row": 0, "col": 0}),
    "trial_seeds": (trial_seeds, {"seed": 0, "first_trial": 0, "trials": 3}),
    "Mask": (Mask.unpack, {"data": b"\1", "shape": (2,)}),
    "ValueSets": (ValueSets, {"kind": "shared", "seed": 0, "n": 4, "R": 1, "size": 1.0}),
    "values": (ValueSets("private", 0, 4).values, {"layer": 1, "first": 0, "count": 1}),
    "ValueSets.solve": (ValueSets("private", 0, 4).solve, {"layer": 1, "weight": FIRST, "device": "cpu", "jobs": 1}),
    "Gadget": (Gadget, {"number": 0, "groups": 1, "rows": 2, "cols": 2, "n": 3, "R": 1, "seed": 0, "halves": 2,
        "relu": True}),
    "solve": (solve, {"gadget": Gadget(0, 1, 2, 3, n=4), "weight": A[None], "eta": 0.1, "construction": "window",
        "signs": "assigned", "device": "cpu", "jobs": 1}),
    "prune": (prune, {**pruning, "source": Source([2, 2, 1], 3, seed=0)}),
    "simulate_trials": (simulate_trials, {**pruning, "n": 3, "R": 1, "seed": 0, "trials": 2, "first_trial": 0,
        "sampler": "draws"}),
    "best_subsets_torch": (best_subsets_torch, {"x": torch.tensor([[1, 2]]), "targets": torch.tensor([3]),
        "max_bytes": 10**6}),
    "Target": (Target, {"weights": [A], "has_bias": False}),
    "Target()": (ONE, {"x": torch.ones(1, 3), "dtype": torch.float64}),
    "lift": (ONE.lift, {"x": torch.ones(1, 3)}),
    "normalised": (ONE.normalised, {"norm": "spectral"}),
    "random_target": (random_target, {"widths": (2, 2), "norm": "spectral", "seed": 1}),
    "with_biases": (with_biases, {"weights": [FIRST], "biases": [torch.ones(2)]}),
    "from_digits": (from_digits, {"hidden": (2,), "seed": 0, "bias": False, "steps": 0}),
    "load_target": (load_target, {"path_or_name": "digits", "activation": "relu"}),
    "from_state_dict": (from_state_dict, {"state": {"0.weight": A}, "activation": "relu", "ordered": True}),
    "chain_graph": (chain_graph, {"weights": [A], "biases": [None], "names": ["a"], "activation": "relu"}),
    "target_graph": (target_graph, {"target": ONE}),
    "find_tickets": (lambda **given: searched(**given), {"method": "edge-popup", "density": 0.5, "seed": 0,
        "score_seed": 1, "exclude": (), "weights": {}, "embeddings": False, "allow_dense": False, "densities": {},
            "train_rest": False, **WORDS}),
    "edge-popup": (partial(searched, scope="global"), {"score_key": "abs", "schedule_epochs": 2,
        "schedule_start": 0.5}),
    "iterand": (partial(searched, method="iterand"), {"rerand_every": 5, "rerand_frac": 0.1,
        "rerand_init": "signed-constant"}),
    "recycle": (partial(searched, method="recycle"), {"recycle_every": 5, "recycle_frac": 0.1, "sources": "highest",
        "recycle_after": 0, "with_rerand": False}),
    "probmask": (partial(searched, method="probmask"), {"final_temperature": 0.03, "evaluation": "sample"}),
    "before_step": (lambda **given: searched().before_step(**given), {"step": 0}),
    "after_epoch": (lambda **given: searched().after_epoch(**given), {"epoch": 0, "epochs": 2}),
    "set_n_keep": (lambda **given: searched(scope="global").set_n_keep(**given), {"n_keep": 4}),
    "load_state_dict": (lambda **given: searched().load_state_dict(**given), {"state": searched().state_dict()}),
    "from_linear": (from_linear, {"layer": nn.Linear(3, 2), "n_keep": 3, "method": None}),
    "to_linear": (to_linear, {"layer": from_linear(nn.Linear(3, 2))}),
    "masked_weight_of": (masked_weight_of, {"layer": from_linear(nn.Linear(3, 2)), "name": "weight"}),
    "fold": (fold, {"model": net(), "batch_norm": False}),
    "TaskMasks": (TaskMasks, {"search": searched()}),
    "add_task": (lambda **given: tasks().add_task("c", **given), {"score_seed": 1}),
    "set_task": (lambda **given: tasks().set_task(**given), {"name": "a"}),
    "tasks' state": (lambda **given: tasks().load_state_dict(**given), {"state": tasks().state_dict()}),
    "Federation": (federated, {"search": bernoulli(), "clients": [CLIENT], "epochs": 1, "batch": 4, "lr": 0.1,
        "prior": 1.0, "rounds": 1}),
    "posterior": (posterior, {"uploads": [{"a": torch.tensor([True, False])}], "prior": 1.0}),
    "encode_mask": (encode_mask, {"mask": torch.tensor([True, False]), "probability": torch.tensor([0.5, 0.5])}),
    "decode_mask": (decode_mask, {"words": encode_mask(torch.tensor([True, False]), torch.tensor([0.5, 0.5])),
        "probability": torch.tensor([0.5, 0.5])}),
    "allocate": (allocate, {"allocation": "erk", "density": 0.3, "shapes": {"a": (3, 4)}}),
    "count_to_keep": (count_to_keep, {"density": 0.3, "numel": 10}),
    "keep_mask": (keep_mask, {"key": A, "n_keep": 2}),
    "keep_masks_global": (keep_masks_global, {"keys": [A], "n_keep": 2}),
    "load_data": (load_data, {"name": "digits", "augment": "none", "validation": 0, "normalise": "unit", "seed": 0,
        "noise": 0.0, "download": False}),
    "Split": (Split, {"images": PIXELS, "labels": torch.zeros(2, dtype=torch.long), "levels": 255, "mean": (0.0,),
        "std": (1.0,), "noise": 0.0}),
    "batches": (batched, {"dtype": torch.float32, "channels_last": False, "order": (0, 0), "augment": True,
        "device": "cpu"}),
    "make_model": (make_model, {"arch": "mlp", "width": 0.1, "shape": (1, 4, 4), "classes": 3, "activation": "relu",
        "batch_norm": "none", "hidden": (4,), "bias": False, "seed": 0}),
    "train_mlp": (train_mlp, {"images": torch.ones(4, 2), "labels": LABELS, "widths": (2, 3), "seed": 0, "epochs": 0,
        "batch": 2, "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0}),
}  # fmt: skip
NEVER = {
    "nan": float("nan"), "infinity": float("inf"), "text": "x", "bytes": b"1", "complex": 1j, "huge": 10**400,
    "negative": -1, "an object": object(), "a list": ["1"], "an array": np.array([0.5, 0.5]),
    "a tensor": torch.zeros(3),
}  # fmt: skip
FINE = {  # what has a meaning there
    *((face, name, what) for face, name in (("box", "low"), ("pick", "aim")) for what in ("negative", "an array",
    "a tensor")),
    *(("pick", "scale", what) for what in ("negative", "an array")), *(("box", "high", what) for what in ("an array",
    "a tensor")),
    ("box_of", "data", "an array"), ("box_of", "data", "a tensor"), ("contains", "examples", "an array"),
        ("contains", "examples", "a tensor"),
    ("edge-popup", "schedule_epochs", "huge"), ("iterand", "rerand_every", "huge"), ("recycle", "recycle_every",
        "huge"), ("recycle", "recycle_after", "huge"),
    ("Domain", "high", "infinity"), ("box", "high", "negative"), ("Target()", "x", "a tensor"), ("lift", "x",
        "a tensor"),
    ("chain_graph", "names", "a list"), ("code_network", "store", "text"), ("keep_mask", "key", "a tensor"),
        ("decode_mask", "probability", "a tensor"),
}  # fmt: skip
SAID = {
    "weights": "weights?|layer",
    "biases": "bias(es)?|layer 1",
    "keys": "keys?",
    "names": "names?",
    "example_inputs": "example_inputs|input",
    "path_or_name": "path_or_name|digits",
}
"""What a message calls an argument beside its name."""
CASES = [(face, name) for face, (_, given) in FACES.items() for name in given]


@pytest.mark.parametrize(("face", "name"), CASES)
def test_nonsense_is_refused_by_the_name_of_the_argument(face: str, name: str) -> None:
    call, given = FACES[face]
    wrong = []
    for what, value in NEVER.items():
        if (face, name, what) in FINE or (isinstance(given[name], str) and what in ("huge", "an array", "a tensor")):
            continue  # for a word nobody gives these
        try:
            call(**{**given, name: value})
        except (ValueError, TypeError) as refusal:
            if not re.search(rf"\b({SAID.get(name, name)})\b", str(refusal)) or len(str(refusal)) > 400:
                wrong.append(f"{what}: {type(refusal).__name__}: {str(refusal)[:200]}")
        except Exception as error:
            wrong.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        else:
            wrong.append(f"{what}: used")
    assert not wrong


@pytest.mark.parametrize("face", FACES)
def test_usual_arguments_are_used(face: str) -> None:
    call, given = FACES[face]
    call(**given)
